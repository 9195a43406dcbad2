// Public keys of logs, and signed checkpoints: C2SP signed-note and tlog-checkpoint, as docs/formats/tiles.md narrows them.
import { equal, fromBase64, fromHex, fromUtf8, refuse, utf8 } from "./bytes.mjs";
import { isSoundKey, verifySignature } from "./ed25519.mjs";
import { sha256 } from "./sha256.mjs";
import { emptyRoot } from "./tree.mjs";

const TYPE_LOG = 1;
const SIGNATURES_MAX = 17; // the log's and 16 witnesses'
const SIGNATURE_BYTES_MAX = 4096;
const CHECKPOINT_BYTES_MAX = 65536;
const NAME = /^[!-*,-~]{1,255}$/; // printable ASCII without space and plus

/** `name+eight hex digits+base64(0x01 ‖ public key)`; white space at the end of a file is not part of it. */
export function parseKey(text) {
  const parts = /^([^+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trimEnd());
  if (!parts || !NAME.test(parts[1])) refuse("not a key of the form name+id+base64");
  const bytes = fromBase64(parts[3]);
  if (!bytes || bytes.length !== 33) refuse("the base64 of the key is not canonical, or not of 33 bytes");
  if (bytes[0] !== TYPE_LOG) refuse("a key of another type than a log's");
  const id = sha256(utf8(parts[1] + "\n"), bytes).subarray(0, 4);
  if (!equal(id, fromHex(parts[2], 4))) refuse("the id of the key does not belong to it");
  if (!isSoundKey(bytes.subarray(1))) refuse("the key is no sound point of Ed25519");
  return { name: parts[1], id, key: bytes.slice(1) };
}

function signatureLine(line) {
  const parts = /^\u2014 ([^ ]+) ([^ ]+)$/.exec(line);
  const bytes = parts ? fromBase64(parts[2]) : null;
  if (!bytes || bytes.length < 5 || bytes.length > SIGNATURE_BYTES_MAX) refuse("a signature line of the checkpoint is malformed");
  return { name: parts[1], id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

/** {origin, size, root, bytes} of a checkpoint that the key signed; everything else is refused. */
export async function openCheckpoint(bytes, key) {
  if (bytes.length > CHECKPOINT_BYTES_MAX) refuse("the checkpoint is too long");
  const text = fromUtf8(bytes);
  if (text === null) refuse("the checkpoint is not UTF-8");
  if (/[\u0000-\u0009\u000b-\u001f\u007f]/.test(text)) refuse("the checkpoint has control characters");
  const lines = text.split("\n");
  if (lines.pop() !== "" || lines.length < 5 || lines[3] !== "") refuse("the checkpoint is malformed");
  const [origin, number, base64] = lines;
  if (origin !== key.name) refuse(`the checkpoint is of ${origin}, the key of ${key.name}`);
  if (!/^(0|[1-9][0-9]{0,18})$/.test(number) || BigInt(number) >= 1n << 63n) refuse("the size in the checkpoint is malformed");
  const size = Number(number);
  const root = fromBase64(base64);
  if (!root || root.length !== 32) refuse("the root in the checkpoint is malformed");
  if (size === 0 && !equal(root, emptyRoot())) refuse("the checkpoint of an empty log has another root than that");
  if (lines.length - 4 > SIGNATURES_MAX) refuse("too many signatures");
  const own = lines.slice(4).map(signatureLine).filter((s) => s.name === key.name && equal(s.id, key.id));
  if (own.length !== 1) refuse(own.length ? "two signatures by the log's key" : "no signature by the log's key");
  const body = utf8(`${origin}\n${number}\n${base64}\n`);
  if (!(await verifySignature(key.key, body, own[0].signature))) refuse("the signature does not verify");
  return { origin, size, root, bytes };
}

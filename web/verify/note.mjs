// Public keys of logs and witnesses, signed notes, checkpoints: C2SP signed-note, tlog-checkpoint and tlog-cosignature, as
// docs/formats/tiles.md narrows them.
import { equal, fromBase64, fromHex, fromUtf8, Malformed, refuse, utf8 } from "./bytes.mjs";
import { isSoundKey, verifySignature } from "./ed25519.mjs";
import { sha256 } from "./sha256.mjs";
import { emptyRoot } from "./tree.mjs";

export const TYPE_LOG = 1, TYPE_WITNESS = 4;
const SIGNATURES_MAX = 33; // the log's and 32 witnesses'
const SIGNATURE_BYTES_MAX = 4096;
const CHECKPOINT_BYTES_MAX = 65536;
const NAME = /^[!-*,-~]{1,255}$/; // printable ASCII without space and plus

/** Well-formed, but not signed by the key that it should be signed by. */
export class Unsigned extends Malformed {}

/** `name+eight hex digits+base64(type ‖ public key)`; white space at the end of a file is not part of it. */
export function parseKey(text, type = TYPE_LOG) {
  const parts = /^([^+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trimEnd());
  if (!parts || !NAME.test(parts[1])) refuse("not a key of the form name+id+base64");
  const bytes = fromBase64(parts[3]);
  if (!bytes || bytes.length !== 33) refuse("the base64 of the key is not canonical, or not of 33 bytes");
  if (bytes[0] !== type) refuse(type === TYPE_LOG ? "a key of another type than a log's" : "a key of another type than a witness's");
  const key = keyOf(parts[1], bytes.slice(1), type);
  if (!equal(key.id, fromHex(parts[2], 4))) refuse("the id of the key does not belong to it");
  if (!isSoundKey(key.key)) refuse("the key is no sound point of Ed25519");
  return key;
}

/** {name, id, key} of a log's or a witness's public key. */
export function keyOf(name, key, type = TYPE_LOG) {
  return { name, id: sha256(utf8(`${name}\n`), Uint8Array.of(type), key).subarray(0, 4), key };
}

function signatureLine(line) {
  const parts = /^\u2014 ([^ ]+) ([^ ]+)$/.exec(line);
  const bytes = parts ? fromBase64(parts[2]) : null;
  if (!bytes || bytes.length < 5 || bytes.length > SIGNATURE_BYTES_MAX) refuse("a signature line is malformed");
  return { name: parts[1], id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

/** {text, signatures} of the bytes of a signed note. */
export function splitNote(bytes) {
  const whole = fromUtf8(bytes);
  if (whole === null) refuse("it is not UTF-8");
  if (/[\u0000-\u0009\u000b-\u001f\u007f]/.test(whole)) refuse("it has control characters");
  const end = whole.indexOf("\n\n");
  if (end < 0) refuse("no empty line stands before the signatures");
  const lines = whole.slice(end + 2).split("\n");
  if (lines.pop() !== "" || !lines.length) refuse("signatures are missing, or the last line does not end");
  if (lines.length > SIGNATURES_MAX) refuse("too many signatures");
  return { text: whole.slice(0, end + 1), signatures: lines.map(signatureLine) };
}

/** The one signature by this key; null without one. */
function signatureBy({ signatures }, key) {
  const own = signatures.filter((s) => s.name === key.name && equal(s.id, key.id));
  if (own.length > 1) refuse("two signatures by one key");
  return own.length ? own[0].signature : null;
}

/** The text of a note that the log's key signed. */
export async function openNote(bytes, key) {
  const note = splitNote(bytes), signature = signatureBy(note, key);
  if (!signature) throw new Unsigned("no signature by the log's key");
  if (!(await verifySignature(key.key, utf8(note.text), signature))) throw new Unsigned("the signature does not verify");
  return note.text;
}

/** When the witness cosigned the note, in POSIX seconds; null if it did not; throws Malformed if it did not well. */
export async function cosignedAt(note, key) {
  const payload = signatureBy(note, key);
  if (!payload) return null;
  if (payload.length !== 72 || payload[0] >= 0x80) refuse("a cosignature of another length, or of no time");
  const time = payload.subarray(0, 8).reduce((v, b) => (v << 8n) | BigInt(b), 0n);
  if (!(await verifySignature(key.key, utf8(`cosignature/v1\ntime ${time}\n${note.text}`), payload.subarray(8)))) refuse("a cosignature that does not verify");
  return Number(time);
}

/** A decimal number below 2^63 without leading zeroes; numbers beyond 2^53 are no longer exact. */
export function decimal(text) {
  if (!/^(0|[1-9][0-9]{0,18})$/.test(text) || BigInt(text) >= 1n << 63n) refuse("a number that is malformed");
  return Number(text);
}

export function hashOf(text) {
  const hash = fromBase64(text);
  if (!hash || hash.length !== 32) refuse("a hash that is malformed");
  return hash;
}

/** {origin, size, root, bytes} of a checkpoint that the key signed; everything else is refused. */
export async function openCheckpoint(bytes, key) {
  if (bytes.length > CHECKPOINT_BYTES_MAX) refuse("the checkpoint is too long");
  const { text } = splitNote(bytes), lines = text.split("\n");
  if (lines.length !== 4) refuse("the checkpoint is malformed");
  const [origin, number, base64] = lines;
  if (origin !== key.name) refuse(`the checkpoint is of ${origin}, the key of ${key.name}`);
  const size = decimal(number), root = hashOf(base64);
  if (size === 0 && !equal(root, emptyRoot())) refuse("the checkpoint of an empty log has another root than that");
  await openNote(bytes, key);
  return { origin, size, root, bytes };
}

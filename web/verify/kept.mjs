// What a party took home: receipts, events and proofs, by themselves and against a log. docs/formats/receipts.md, events.md.
import { equal, fromBase64, fromBe, fromUtf8, Malformed, refuse, toHex, utf8 } from "./bytes.mjs";
import { decodeEntry, decodeRow, hasRows, KIND, OPERATION, UnknownKind } from "./grammar.mjs";
import { decimal, hashOf, openCheckpoint, openNote, Unsigned } from "./note.mjs";
import { leafHash, nodeHash } from "./tree.mjs";

const PROOF_MAX = 63;

const EVENT_LINES_MAX = 160 << 10;

/* What an event says behind the six lines that it shares with a receipt: printable ASCII, no line empty. */
const isEvent = (lines) => lines.at(-1) === "" && lines.length > 7 && lines.slice(6, -1).every((x) => /^[ -~]+$/.test(x)) && lines.slice(6).join("\n").length <= EVENT_LINES_MAX;

/** {index, leaf, size, root} of a receipt that the key signed, or of an event, which is one that says more. */
export async function openReceipt(bytes, key) {
  const lines = (await openNote(bytes, key)).split("\n");
  if (!(lines[0] === "bourn-receipt/v1" && lines.length === 7) && !(lines[0] === "bourn-disclosure/v1" && isEvent(lines))) refuse("it is no receipt");
  if (lines[1] !== key.name) refuse("a receipt of another log");
  const [index, leaf, size, root] = ["index", "leaf", "size", "root"].map((word, i) => {
    if (!lines[2 + i].startsWith(`${word} `)) refuse(`a receipt without ${word} in its place`);
    return lines[2 + i].slice(word.length + 1);
  });
  const out = { index: decimal(index), leaf: hashOf(leaf), size: decimal(size), root: hashOf(root) };
  if (BigInt(index) >= BigInt(size)) refuse("a receipt whose index is not below its size");
  return lines.length > 7 ? { ...out, event: lines.slice(6, -1) } : out;
}

const OPERATION_NAMES = Object.fromEntries(Object.entries(OPERATION).map(([word, n]) => [n, word]));
const LABEL_AT = 3, LABEL_BYTES = 16; // in a row: behind the head of its map, key 1 and the head of 16 bytes

/* The labels of an entry's rows, as an event spells them. */
function labelsOf(group) {
  const out = new Set();
  for (let at = 0; at + 4 <= group.length; ) {
    const n = fromBe(group, at, 4);
    out.add(`~${toHex(group.subarray(at + 4 + LABEL_AT, at + 4 + LABEL_AT + LABEL_BYTES))}`);
    at += 4 + n;
  }
  return out;
}

/** Whether the lines of an event are of this entry; with its rows (null: not given) whether they hold each label. */
export function isEventOf(lines, e, group) {
  if (e.kind !== KIND.disclosed || !/^told (0|[1-9][0-9]{0,18})$/.test(lines[0])) return false;
  const people = lines.filter((x) => x.startsWith("~")), known = group ? labelsOf(group) : null;
  const want = [lines[0], `time ${new Date(e.time * 1000).toISOString().replace(".000Z", "Z")}`, `party ${e.party}`, `destination ${e.destination}`,
    `operation ${OPERATION_NAMES[e.operation]}`, `purpose ${e.purpose}`, ...(e.collection === undefined ? [] : [`collection ${e.collection}`]),
    `people ${people.length}`, ...people];
  return people.length > 0 && lines.length === want.length && lines.every((x, i) => x === want[i]) &&
    people.every((x, i) => /^~[0-9a-f]{32}$/.test(x) && (!i || people[i - 1] < x) && (!known || known.has(x)));
}

/** Whether the proof (RFC 6962, from sibling to root) leads from the leaf at the index to the root of this size. */
export function isIncluded(index, size, leaf, proof, root) {
  let at = BigInt(index), last = BigInt(size) - 1n, hash = leaf;
  if (at > last) return false;
  for (const p of proof) {
    if (last === 0n) return false;
    if (at & 1n || at === last) {
      hash = nodeHash(p, hash);
      while (!(at & 1n) && at !== 0n) {
        at >>= 1n;
        last >>= 1n;
      }
    } else hash = nodeHash(hash, p);
    at >>= 1n;
    last >>= 1n;
  }
  return last === 0n && equal(hash, root);
}

const isList = Array.isArray;
const isIndex = (n) => Number.isSafeInteger(n) && n >= 0;
const bytesOf = (text) => (typeof text === "string" && fromBase64(text)) || refuse("base64 was expected");
const hashes = (list) => (isList(list) && list.length <= PROOF_MAX ? list.map((x) => hashOf(typeof x === "string" ? x : "")) : refuse("a list of hashes was expected"));

/** C2SP tlog-proof: {index, proof, checkpoint bytes}. */
function splitProof(text) {
  const end = text.indexOf("\n\n"), lines = text.slice(0, end < 0 ? 0 : end).split("\n");
  if (lines.shift() !== "c2sp.org/tlog-proof@v1") refuse("it is no tlog-proof");
  if (lines[0]?.startsWith("extra ")) lines.shift();
  const index = /^index (.*)$/.exec(lines.shift() ?? "");
  if (!index) refuse("a proof without its index");
  return { index: decimal(index[1]), proof: hashes(lines), checkpoint: utf8(text.slice(end + 2)) };
}

/** {index, leaf, size, root, rows} of an answer of /v1/ledger/proof. */
export async function openProof(bytes, key) {
  let x;
  try {
    x = JSON.parse(fromUtf8(bytes) ?? "");
  } catch {
    refuse("it is no JSON");
  }
  if (!x || !isIndex(x.index) || typeof x.proof !== "string" || !isList(x.rows)) refuse("an object with index, entry, rows and proof was expected");
  const entry = bytesOf(x.entry), leaf = leafHash(entry), { index, proof, checkpoint } = splitProof(x.proof);
  const { size, root } = await openCheckpoint(checkpoint, key);
  if (!isIncluded(index, size, leaf, proof, root)) throw new Unsigned("the proof does not lead from this entry to the root of its checkpoint");
  if (index !== x.index) throw new Unsigned(`the proof is of entry ${index}, not of ${x.index}`);
  checkRows(known(entry), x.rows);
  return { index, leaf, size, root, rows: x.rows.length };
}

function known(bytes) {
  try {
    return decodeEntry(bytes);
  } catch (e) {
    throw e instanceof UnknownKind ? new Malformed(e.message) : e;
  }
}

function checkRows(e, rows) {
  if (!hasRows(e.kind)) return rows.length ? refuse("rows of an entry that has none") : undefined;
  for (const [i, r] of rows.entries()) {
    const bytes = bytesOf(r?.row);
    decodeRow(bytes, e.kind);
    if (!isIndex(r.index)) refuse("a row without its index");
    if (r.index !== i || !isIncluded(i, e.count, leafHash(bytes), hashes(r.proof), e.root)) throw new Unsigned(`row ${i} is not the one that the entry commits to`);
  }
  if (rows.length !== e.count) throw new Unsigned(`${rows.length} rows of an entry that has ${e.count}`);
}

/** What was kept, against the log as it is replayed. */
export class Kept {
  constructor(replay, said) {
    this.replay = replay;
    this.said = said;
    this.good = 0; // whose root is that of this log
  }

  /** Behind each entry, with its leaf. */
  check(leaf) {
    if (!this.said.length) return;
    const { tally, tree, size } = this.replay;
    for (const r of this.said) {
      if (r.index === size - 1 && !equal(r.leaf, leaf))
        tally.violated("S1", { entry: r.index }, "a receipt names another entry here: it was left out or replaced, and the log signed anew");
      if (r.size !== size) continue;
      tally.count(["S1", "V1"], "examined");
      if (equal(tree.edge.root(), r.root)) this.good++;
      else tally.violated("V1", { size }, "the tree of this size in a receipt has another root: history was rewritten");
    }
  }

  /** Behind each entry that is well-formed, with its rows, if they are given. */
  events(entry, group) {
    const { tally, size } = this.replay;
    for (const r of this.said)
      if (r.event && r.index === size - 1 && !isEventOf(r.event, entry, group))
        tally.violated("S1", { entry: r.index }, "an event says of this entry what it does not say");
  }

  /** At the end: entries, and sizes, that the log does not reach. */
  missing() {
    const { tally, size } = this.replay;
    for (const r of this.said)
      if (r.index >= size) tally.violated("S1", { entry: r.index }, `a receipt names this entry, and the log has only ${size}: it is missing`);
      else if (r.size > size) tally.violated("V1", { size: r.size }, `a receipt has this size, the log now ${size}: it was rolled back`);
  }
}

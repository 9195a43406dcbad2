// A log that goes on for another one: whose it is at its end, heads of the log before, and, where a copy of that one is given,
// that nothing is left out which it withdrew or erased. docs/formats/verify.md.
import { equal, fromBe, fromUtf8, Malformed, toHex, Unreadable } from "./bytes.mjs";
import { decodeEntry, decodeRow, KIND, UnknownKind } from "./grammar.mjs";
import { decimal, keyOf, openCheckpoint } from "./note.mjs";
import { readTile } from "./tiles.mjs";
import { Edge, leafHash, TILE_WIDTH } from "./tree.mjs";

const TREE = ["S1", "V1"];

/** Whose log it is. */
export function checkIdentity({ world, key, tally, size }) {
  if (!size) return;
  const c = world.continued, names = c?.entry ?? world.genesis, find = (reason) => tally.violated("V1", { entry: c ? c.index : 0 }, reason);
  if (names.origin !== key.name || !names.keys.some((k) => equal(k, key.key))) find(`${c ? "the entry that continues another log" : "genesis"} does not name this log and its key`);
  if (c && c.entry.known === c.index && !equal(c.entry.hash, c.root)) find("the root that it names is not that of the entries before it");
}

/** An earlier head that this log's key did not sign: {bytes, size, root}, the root being this log's there; or null. */
export function foreignHead(bytes) {
  try {
    return { bytes, size: decimal((fromUtf8(bytes) ?? "").split("\n")[1] ?? ""), root: null };
  } catch (e) {
    if (e instanceof Malformed) return null;
    throw e;
  }
}

/** Under the old log's name and one of the keys that it had. */
async function openOld({ entry, before }, bytes) {
  for (const key of before.keys) {
    try {
      return await openCheckpoint(bytes, keyOf(entry.continues, key));
    } catch (e) {
      if (!(e instanceof Malformed)) throw e;
    }
  }
  return null;
}

/** Heads of the log before: up to the place their root is that of this log, and none is beyond what it knows of. */
export async function checkForeignHeads({ world, tally, tree, foreign }) {
  const c = world.continued;
  for (const head of foreign) {
    const cp = c && (await openOld(c, head.bytes));
    if (!cp) throw new Unreadable(`an earlier head is not a checkpoint signed by this log's key${c ? ", nor by that of the log before it" : ""}`);
    tally.count(TREE, "examined");
    const here = cp.size <= c.index, end = cp.size === c.entry.known;
    if (cp.size > c.entry.known) tally.violated("V1", { entry: c.index }, `the old log had ${cp.size} entries, not ${c.entry.known}`);
    else if ((here && !equal(cp.root, head.root)) || (end && !equal(cp.root, c.entry.hash)))
      tally.violated("V1", { size: cp.size }, "the earlier head of this size has another root: history was rewritten");
    else if (here && cp.size > 0) tree.heads++;
  }
}

/** The log before, read whole from `source` ({read, rows}). */
export async function checkOld(replay, source) {
  const { world, tally } = replay, c = world.continued;
  if (!c) throw new Unreadable("this log does not say that it continues another one");
  const bytes = await source.read("checkpoint"), cp = bytes && (await openOld(c, bytes));
  if (!cp) throw new Unreadable("the old log has no checkpoint that its key signed");
  if (cp.size > c.entry.known) tally.violated("V1", { entry: c.index }, `the old log had ${cp.size} entries, not ${c.entry.known}`);
  if (cp.size < c.entry.known) tally.count(["V1", "H1"], "not_examined"); // what the copy does not have may say anything
  const old = new Old(replay, source, c);
  while (old.edge.size < cp.size) await old.bundle(old.edge.size / TILE_WIDTH, Math.min(TILE_WIDTH, cp.size - old.edge.size));
  if (!equal(old.edge.root(), cp.root)) throw new Unreadable("the old log's entries do not give the root that its checkpoint signs");
  tally.count(["H1"], old.unread ? "not_examined" : "examined");
}

class Old {
  constructor(replay, source, continued) {
    Object.assign(this, { replay, source, continued });
    this.edge = new Edge();
    this.unread = false; // some rows were not given
  }

  async bundle(n, width) {
    const behind = (n + 1) * TILE_WIDTH > this.continued.index;
    const entries = new Pieces(await readTile(this.source, "read", "tile/entries", n, width), 2);
    const rows = behind && this.source.rows ? new Pieces(await readTile(this.source, "rows", "", n, width), 4) : null;
    for (let i = 0; i < width; i++) {
      const index = this.edge.size, bytes = entries.next(), group = rows?.next();
      if (!bytes || (rows && !group)) throw new Unreadable(`entry ${index} of the old log is cut off`);
      this.edge.append(leafHash(bytes));
      this.checkRoots();
      if (index >= this.continued.index) this.entry(index, bytes, group);
    }
  }

  checkRoots() {
    const { index, entry, root } = this.continued, { size } = this.edge, { tally } = this.replay;
    if (size !== index && size !== entry.known) return;
    const find = (reason) => tally.violated("V1", { entry: index }, reason), here = this.edge.root();
    tally.count(TREE, "examined");
    if (size === index && !equal(here, root)) find("the entries before it are not those of the old log");
    if (size === entry.known && !equal(here, entry.hash)) find(`the old log had another root at ${size} entries`);
  }

  entry(index, bytes, group) {
    const e = readable(index, () => decodeEntry(bytes));
    if (e.kind !== KIND.withdrawn && e.kind !== KIND.erased) return;
    if (!group || !this.replay.rowsGiven) {
      this.unread = true;
      return;
    }
    const edge = new Edge(), pieces = new Pieces({ bytes: group }, 4);
    for (let row = pieces.next(); row; row = pieces.next()) {
      edge.append(leafHash(row));
      this.row(index, e.kind, readable(index, () => decodeRow(row, e.kind)));
    }
    if (pieces.at !== group.length || !equal(edge.root(), e.root)) throw new Unreadable(`the rows of entry ${index} of the old log are not those it commits to`);
  }

  /** What the old log says of one person, against what this one carries over. */
  row(index, kind, row) {
    const { continued: c, replay } = this, person = replay.people.get(toHex(row.label));
    if (!person || person.enrolled === null || person.enrolled >= c.index) return;
    const find = (what) => replay.tally.violated("H1", { entry: c.index }, `it leaves out entry ${index} of the old log: ${what}`);
    if (person.erased && person.erased.index <= c.carriedUntil) return;
    if (kind === KIND.erased) {
      if (!row.collections) find("somebody who was erased there lives on");
      return;
    }
    const consent = row.consent < c.index && person.consents.find((x) => x.index === row.consent);
    if (consent && (consent.withdrawnAt === null || consent.withdrawnAt > c.carriedUntil)) find(`consent ${row.consent}, withdrawn there, lives on`);
  }
}

function readable(index, decode) {
  try {
    return decode();
  } catch (e) {
    if (e instanceof Malformed || e instanceof UnknownKind) throw new Unreadable(`entry ${index} of the old log: ${e.message}`);
    throw e;
  }
}

/** Items behind big-endian lengths of n bytes; null where one is cut off or none follows. */
class Pieces {
  constructor({ bytes }, n) {
    Object.assign(this, { bytes, n, at: 0 });
  }

  next() {
    const from = this.at + this.n;
    const end = from <= this.bytes.length ? from + fromBe(this.bytes, this.at, this.n) : Infinity;
    if (end > this.bytes.length) return null;
    this.at = end;
    return this.bytes.subarray(from, end);
  }
}

// The replay: every entry in order through tree, world, people and gate. docs/formats/verify.md says what comes out.
import { fromBe, Malformed, toBase64, Unreadable } from "./bytes.mjs";
import { BY_GATE, SPEAKS, Tally } from "./clauses.mjs";
import { Coverage } from "./coverage.mjs";
import { decide } from "./gate.mjs";
import { decodeEntry, ERASED, hasRows, KIND, OPENED, OPERATION, RIGHT, UnknownKind } from "./grammar.mjs";
import { Kept } from "./kept.mjs";
import { checkEvidence } from "./proof.mjs";
import { replayRows } from "./rows.mjs";
import { Tree } from "./tiles.mjs";
import { rootOver, TILE_WIDTH } from "./tree.mjs";
import { Witnesses } from "./witness.mjs";
import { Refused, World } from "./world.mjs";

const RIGHTS = {
  [KIND.enrolled]: RIGHT.enrol | RIGHT.write, [KIND.key]: RIGHT.enrol, [KIND.consent]: RIGHT.consent,
  [KIND.withdrawn]: RIGHT.consent, [KIND.erased]: RIGHT.erase,
};
const DECIDED = new Set([KIND.stored, KIND.deleted, KIND.disclosed]);
const CLAUSES = new Set(Object.values(SPEAKS).flatMap((s) => [...s.entry, ...s.rows, ...s.evidence]).concat("H2", "T1", "T2", "T3", "T4"));

export class Replay {
  /** `source` as in verify.mjs; `key` of note.mjs; `pins` a Set; `kept` of kept.mjs; `policy` of policy.mjs or null. */
  constructor({ source, key, pins, evidence, kept = [], policy = null }) {
    Object.assign(this, { source, key, pins, items: evidence });
    this.heads = []; // opened earlier checkpoints
    this.foreign = []; // those that another key signed: of a log that this one continues?
    this.kept = new Kept(this, kept);
    this.witnesses = new Witnesses(this, policy);
    this.tally = new Tally();
    this.world = new World();
    this.people = new Map();
    this.coverage = new Coverage();
    this.tree = new Tree(this);
    this.rowsGiven = !!source.rows;
    this.evidenceGiven = this.rowsGiven && !!evidence;
  }

  get size() {
    return this.tree.edge.size;
  }

  clauseOf(word) {
    return CLAUSES.has(word) ? word : "C3";
  }

  /** One bundle, up to the checkpoint's size. */
  async bundle(n, checkpoint) {
    const from = this.size % TILE_WIDTH, width = Math.min(TILE_WIDTH, checkpoint.size - n * TILE_WIDTH);
    const entries = await this.tree.read("read", `tile/entries`, n, width);
    const rows = this.rowsGiven ? await this.tree.read("rows", "", n, width) : null;
    let at = 0, rowsAt = 0;
    for (let i = 0; i < width; i++) {
      const find = (clause, reason) => this.tally.violated(clause, { entry: n * TILE_WIDTH + i }, reason);
      const bytes = piece(entries.bytes, at, 2), group = rows && piece(rows.bytes, rowsAt, 4);
      if (!bytes) {
        find("S1", "its bundle does not hold it");
        throw new Unreadable(`the bundle ${entries.path} is cut off`);
      }
      if (rows && !group) {
        find("S1", "the file of rows does not hold it");
        throw new Unreadable(`the rows ${rows.path} are cut off`);
      }
      at += 2 + bytes.length;
      rowsAt += group ? 4 + group.length : 0;
      if (i >= from) await this.entry(bytes, group, find);
    }
    const behind = (file, end) => file && file.exact && end !== file.bytes.length;
    if (behind(entries, at) || behind(rows, rowsAt))
      this.tally.violated("S1", { entry: n * TILE_WIDTH + width - 1 }, "something follows it in its bundle or rows that does not belong there");
  }

  async entry(bytes, group, find) {
    const index = this.size;
    const before = this.tree.edge.hashes.slice();
    this.kept.check(await this.tree.append(bytes));
    let entry;
    try {
      entry = decodeEntry(bytes);
    } catch (e) {
      if (e instanceof UnknownKind) throw new Unreadable(`entry ${index}: ${e.message}`);
      if (!(e instanceof Malformed)) throw e;
      find("V3", `it is not a well-formed entry: ${e.message}`);
      if (!this.world.genesis) throw new Unreadable("the log does not begin with a genesis: nothing in it can be decided");
      return;
    }
    this.kept.events(entry, group);
    const { world } = this;
    this.tally.count(SPEAKS[entry.kind].entry, "examined");
    try {
      world.apply(index, entry, bytes, () => rootOver(before));
    } catch (e) {
      if (!(e instanceof Refused)) throw e;
      find(e.clause, e.message);
    }
    if (!world.genesis) throw new Unreadable("the log does not begin with a genesis: nothing in it can be decided");
    this.witnesses.note(index, entry.time);
    if (entry.kind === KIND.witnessed) await this.witnesses.entry(index, entry, find);
    const step = this.step(index, entry, find);
    this.checkParty(step);
    if (DECIDED.has(entry.kind)) this.checkDecided(step);
    await this.rows(step, group);
  }

  /** What the checks of one entry share. */
  step(index, entry, find) {
    const { world } = this;
    return {
      replay: this, index, entry, find, world,
      party: entry.party === undefined ? null : world.parties.get(entry.party),
      schema: entry.collection === undefined ? undefined : world.schemaAt(entry.collection, entry.time),
      packs: DECIDED.has(entry.kind) ? world.packsAt(index, entry.time) : [],
      evidence: (row, person) => this.evidence(index, entry, row, person, find),
    };
  }

  checkParty({ index, entry, party, find }) {
    if (entry.kind === KIND.erased && entry.askedBy === 2 && entry.party === undefined) find("C2", "erased for a party that is not named");
    if (entry.party === undefined) return;
    const right = RIGHTS[entry.kind];
    if (!party) find("C2", `party ${entry.party} does not exist`);
    else if (party.ended !== null && entry.kind !== KIND.refused) find("C2", `party ${entry.party} had ended`);
    else if (right && !(party.rights & right)) find("C2", `party ${entry.party} has no right to this`);
    if (party && entry.kind === KIND.refused && party.jurisdiction !== entry.destination)
      find("S2", `its destination is not the jurisdiction of party ${entry.party}`);
  }

  checkDecided({ entry, party, schema, packs, find }) {
    if (entry.collection !== undefined && !schema) find("K1", `collection ${entry.collection} is not declared`);
    const strange = schema && entry.fields?.find((f) => !schema.fields.has(f));
    if (strange) find("K1", `field ${strange} is not declared in the schema in force`);
    const named = entry.policy;
    if (named.length !== packs.length || packs.some((p, i) => p.index !== named[i])) find("S3", `it names other policies than the ${packs.length} in force`);
    if (party && party.jurisdiction !== entry.destination) find("S2", `its destination is ${entry.destination}, but its party is in ${party.jurisdiction}`);
    if (party && !party.purposes.has(entry.purpose)) find("K2", "its party did not declare its purpose");
    if (entry.kind !== KIND.disclosed) return;
    if (![OPERATION.read, OPERATION.search, OPERATION.evidence].includes(entry.operation)) find("C2", `operation ${entry.operation} cannot disclose`);
    if ((entry.operation === OPERATION.evidence) !== (entry.collection === undefined))
      find("K1", entry.collection === undefined ? "no collection is named" : "evidence of a collection");
  }

  async rows(step, group) {
    const { entry, find, packs } = step, speaks = SPEAKS[entry.kind];
    if (!hasRows(entry.kind)) {
      if (group?.length) find("V3", "rows stand beside an entry that has none");
      return;
    }
    if (!group) {
      if (!entry.count) return;
      this.tally.count(speaks.rows, "not_examined");
      this.tally.count(speaks.evidence, "not_examined");
      return;
    }
    const unpinned = packs.some((p) => !this.pins.has(p.pin));
    this.tally.count(speaks.rows, "examined");
    if (unpinned) this.tally.count(speaks.rows.filter((c) => BY_GATE.has(c)), "unpinned");
    await replayRows(step, group);
  }

  async evidence(index, entry, row, person, find) {
    const clauses = SPEAKS[entry.kind].evidence;
    if (!this.evidenceGiven) return this.tally.count(clauses, "not_examined");
    const item = await this.items.take(index, row.label, this.checkpoint.size);
    if (item?.status !== OPENED) return person.unopened(index, entry.kind, !item ? "missing" : item.status === ERASED ? "erased" : "refused");
    this.tally.count(clauses, "examined");
    this.coverage.evidence.opened++;
    await checkEvidence({ index, entry, row, person, world: this.world, find }, item);
  }

  /** Whether somebody's evidence is called erased who is not, as far as this log goes. */
  someErasureIsUnexplained() {
    for (const p of this.people.values()) if (p.closed?.erased && !p.erased) return true;
    return false;
  }

  /** At the end: what evidence that was not opened means for each person. */
  settle() {
    const { tally, coverage } = this;
    for (const p of this.people.values()) {
      if (!p.closed) continue;
      const { missing, refused, missingAt, refusedAt } = p.closed;
      if (p.erased) {
        for (const kind of [...missing, ...refused]) tally.countErased(SPEAKS[kind].evidence, p.erased.by);
        coverage.evidence.erased += missing.length + refused.length;
        continue;
      }
      if (missing.length) tally.violated("V3", { entry: missingAt }, "evidence is withheld of a person who is not erased");
      coverage.evidence.withheld += missing.length;
      for (const kind of missing) tally.count(SPEAKS[kind].evidence, "not_examined");
      coverage.evidence.refused += refused.length;
      if (!refused.length) continue;
      if (this.mightOpen(p)) tally.violated("V3", { entry: refusedAt }, "evidence is refused that the gate allows this party to open");
      for (const kind of refused) tally.count(SPEAKS[kind].evidence, "not_examined");
    }
  }

  /** Whether the party that asks might open this person's evidence now. A saved file knows no party. */
  mightOpen(person) {
    const asks = this.source.party, party = asks && this.world.parties.get(asks.index);
    if (!party) return false;
    const index = this.size, time = this.world.time;
    return decide({
      operation: OPERATION.evidence, at: index, time, domicile: this.world.genesis.domicile, destination: party.jurisdiction,
      purpose: asks.purpose, collection: undefined, sensitive: false, consents: person.consents,
      packs: this.world.packsAt(index, time).map((p) => p.pack),
      party,
    }).verdict === "allow";
  }

  report(error) {
    const { tally, checkpoint } = this;
    const missing = !this.rowsGiven ? "rows were not given" : !this.evidenceGiven ? "evidence was not given" : "evidence was not opened";
    const { policy, cosigned, entries } = this.witnesses, c = this.world.continued;
    const proven = policy ? cosigned === checkpoint?.size : this.tree.heads + this.kept.good > 0;
    const unproven = policy ? "no quorum of the witnesses that you named has cosigned this checkpoint"
      : "the operator holds the log's key: give an earlier head, a receipt or a witness policy";
    const clauses = tally.verdicts({ stopped: error !== null, proven, unproven, layers: missing });
    const continues = this.identified && c ? { origin: c.entry.continues, entry: c.index, known: c.entry.known } : null;
    const undecided = error !== null || clauses.some((c) => c.not_examined || c.unpinned);
    return {
      exit: tally.total ? 1 : undecided ? 2 : 0,
      checkpoint: checkpoint ? { origin: checkpoint.origin, size: checkpoint.size, root: toBase64(checkpoint.root), earlier_heads: this.tree.heads, receipts: this.kept.good, continues } : null,
      clauses, violations_total: tally.total, violations: tally.trim(),
      coverage: { ...this.coverage.report(this, this.pins), witnesses: { policy_given: !!policy, cosigned_size: cosigned, entries } }, error,
    };
  }
}

/** The bytes behind a big-endian length of n bytes, or null where they are not all there. */
function piece(bytes, at, n) {
  if (at + n > bytes.length) return null;
  const length = fromBe(bytes, at, n);
  return at + n + length <= bytes.length ? bytes.subarray(at + n, at + n + length) : null;
}

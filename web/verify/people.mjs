// What the replay keeps of each person, and what a row does to it: docs/formats/findings.md, People.
import { GRADE, KIND, VOUCHER } from "./grammar.mjs";
import { Refused } from "./world.mjs";

/** The place of collections that were never declared: behind all, and no part of a copy. */
export const NOWHERE = 1e9;

const KEYS_MAX = 32, CONSENTS_MAX = 256;

function must(condition, clause, sentence) {
  if (!condition) throw new Refused(clause, sentence);
}

export class Person {
  constructor(label) {
    this.label = label;
    this.head = null;
    this.enrolled = null; // index of the entry
    this.erased = null; // {index, by}
    this.keys = []; // {index, voucher, ended, publicKey or null}
    this.consents = [];
    this.records = new Map(); // order of the collection: Map of id: {version, living, end}
    this.copy = null; // {index, key, issued, order, id}: where the person's last copy stands
    this.used = new Set(); // ids of statements and hashes of codes
    this.closed = null; // evidence that was not opened, see unopened()
  }

  liveKey(index) {
    return this.keys.find((k) => k.index === index && k.ended === null);
  }

  /** The row stands in the person's chain; throws Refused otherwise. */
  link(index, e, row) {
    const first = this.head === null;
    const before = this.head;
    must(row.prev === before, "V3", "prev is not the last entry with a row of this person: a row is missing or doubled");
    must(first || index > before, "V3", "a second row of this person in one entry");
    must(!this.erased, "C3", "a row behind the erasure");
    must(first === (e.kind === KIND.enrolled), "C3", first ? "a row before the enrolment" : "a second enrolment");
  }

  /** What the row does to the person; throws Refused. */
  apply(index, e, row) {
    if (e.kind === KIND.enrolled) this.enrolled = index;
    else if (e.kind === KIND.key) this.applyKey(index, row);
    else if (e.kind === KIND.consent) this.applyConsent(index, e, row);
    else if (e.kind === KIND.withdrawn) this.withdraw(index, row);
    else if (e.kind === KIND.carried) {
      must((e.askedBy === undefined) === (row.consent !== undefined), "H1", "it carries over neither a withdrawal nor an erasure");
      if (row.consent !== undefined) this.withdraw(index, row);
      else this.erased = { index, by: e.askedBy };
    } else if (e.kind === KIND.exported) must(this.liveKey(row.key), "C2", "no living key of this person asked for it");
    else if (e.kind === KIND.erased && !row.collections) this.erased = { index, by: e.askedBy };
  }

  withdraw(index, row) {
    const c = this.consents.find((x) => x.index === row.consent && x.withdrawnAt === null);
    must(c, "H1", "it withdraws what is no living consent of this person");
    c.withdrawnAt = index;
  }

  applyKey(index, row) {
    const adds = row.action !== 3;
    must(!adds || row.voucher.kind !== VOUCHER.key || this.liveKey(row.voucher.reference), "C2", "vouched for by no living key of this person");
    const meant = row.action === 1 ? null : this.liveKey(row.key);
    must(meant !== undefined, "C2", "it replaces or revokes no living key of this person");
    must(!adds || this.keys.length < KEYS_MAX, "C2", `more than ${KEYS_MAX} keys`);
    if (adds) this.keys.push({ index, voucher: row.voucher.kind, ended: null, publicKey: null });
    if (meant) meant.ended = index;
  }

  applyConsent(index, e, row) {
    const key = row.grade === GRADE.subject ? this.liveKey(row.key) : null;
    must(key !== undefined, "C2", "a consent signed by no living key of this person");
    const dead = (c) => c.withdrawnAt !== null || c.expires <= e.time;
    must(this.consents.filter((c) => !dead(c)).length < CONSENTS_MAX, "C1", `more than ${CONSENTS_MAX} living consents`);
    if (this.consents.length >= CONSENTS_MAX) this.consents = this.consents.filter((c) => !dead(c));
    const { grade, purposes, recipients, destinations, collections, issued, expires } = row;
    this.consents.push({
      index, grade, purposes, recipients, destinations, collections, issued, expires, withdrawnAt: null,
      voucher: key ? key.voucher : VOUCHER.nobody,
    });
  }

  /** The records of a collection, by id; made when first asked for. */
  recordsOf(order) {
    let map = this.records.get(order);
    if (!map) this.records.set(order, (map = new Map()));
    return map;
  }

  /** Living records strictly behind one place of (collection, id) and up to another. */
  livingBetween(time, from, to) {
    let n = 0;
    for (const [order, map] of this.records)
      if (order !== NOWHERE) for (const [id, r] of map)
        if (r.living && time < r.end && isBehind(order, id, from) && !isBehind(order, id, to)) n++;
    return n;
  }

  /** Evidence of a row that was not opened; `how` is "missing", "erased" or "refused". */
  unopened(index, kind, how) {
    this.closed ??= { missingAt: null, refusedAt: null, missing: [], refused: [] };
    if (how === "refused") {
      this.closed.refusedAt ??= index;
      this.closed.refused.push(kind);
    } else {
      this.closed.missingAt ??= index;
      if (how === "erased") this.closed.erased = true;
      this.closed.missing.push(kind);
    }
  }
}

/** Whether (order, id) comes behind the place. */
function isBehind(order, id, place) {
  return order > place.order || (order === place.order && id > place.id);
}

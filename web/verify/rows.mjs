// The rows of one entry: what each says of its person, and whether the gate allows it. docs/formats/findings.md.
import { compare, equal, fromBe, Malformed, toHex } from "./bytes.mjs";
import { decide } from "./gate.mjs";
import { decodeRow, GRADE, KIND, OPERATION, VOUCHER, RIGHT } from "./grammar.mjs";
import { NOWHERE, Person } from "./people.mjs";
import { Edge, leafHash } from "./tree.mjs";
import { Refused } from "./world.mjs";

const STATEMENT_AGE_S = 604800, CONSENT_S = 50 * 366 * 86400;
const COPY_AGE_S = 86400, HISTORY_AGE_S = 900, ASKED_AHEAD_S = 900;
const NOBODY = { index: -1, ended: null, rights: 0, purposes: new Map() }; // a party that does not exist
const DECIDED = { [KIND.stored]: OPERATION.write, [KIND.deleted]: OPERATION.delete, [KIND.disclosed]: 0 };

/** Goes through the group of rows of `step` (see replay.mjs), and calls evidence(row, person) for each that commits to it. */
export async function replayRows(step, group) {
  const { entry, find } = step, edge = new Edge();
  let at = 0, n = 0, last = null, cut = false;
  for (; at < group.length; n++) {
    const length = at + 4 <= group.length ? fromBe(group, at, 4) : Infinity;
    if (length > group.length - at - 4) {
      find("V3", "its rows are cut off");
      cut = true;
      break;
    }
    const bytes = group.subarray(at + 4, at + 4 + length);
    at += 4 + length;
    edge.append(leafHash(bytes));
    let row;
    try {
      row = decodeRow(bytes, entry.kind);
    } catch (e) {
      if (!(e instanceof Malformed)) throw e;
      find("V3", `row ${n}: ${e.message}`);
      continue;
    }
    if (last && compare(last, row.label) >= 0) find("V3", `row ${n} is not in the order of labels, each once`);
    last = row.label;
    await replayRow(step, row, n);
  }
  if (cut) return;
  if (n !== entry.count) find("K3", `it counts ${entry.count} people and has ${n} rows`);
  if (!equal(edge.root(), entry.root)) find("S1", "its rows are not those it commits to");
}

async function replayRow(step, row, n) {
  const { replay, index, entry, find } = step, key = toHex(row.label);
  let person = replay.people.get(key);
  if (!person) {
    if (entry.kind !== KIND.enrolled) return find("C3", `row ${n} is about somebody who never enrolled`);
    replay.people.set(key, (person = new Person(key)));
  }
  try {
    person.link(index, entry, row);
    person.apply(index, entry, row);
  } catch (e) {
    if (!(e instanceof Refused)) throw e;
    find(e.clause, e.message);
  }
  person.head = index;
  check(step, row, person);
  if (row.evidence) await step.evidence(row, person);
}

function check(step, row, person) {
  const { entry, world, find } = step;
  if (entry.kind === KIND.enrolled && row.domicile !== world.genesis.domicile) find("K4", `a person of ${row.domicile} in a cell of another country`);
  if (entry.kind === KIND.key) checkVoucher(step, row.voucher);
  if (entry.kind === KIND.consent) checkConsent(step, row);
  if (entry.kind === KIND.exported) (entry.operation ? replayReading : replayCopy)(step, row, person);
  if (entry.kind in DECIDED) checkDecision(step, row, person);
  if (row.stored) row.stored.forEach((x) => store(step, person, x));
  if (row.records) checkRecords(step, row, person);
}

function checkVoucher({ index, world, find }, { kind, reference }) {
  if (kind === VOUCHER.nobody) return;
  if (kind === VOUCHER.key) return find("C2", "vouched for by an earlier key, without a signature by it");
  if (kind === VOUCHER.operator) {
    if (reference !== 0) find("C2", "the operator vouches, but an entry is referred to");
    return;
  }
  const party = world.parties.get(reference);
  if (!party || (party.ended !== null && party.ended <= index) || !(party.rights & RIGHT.enrol))
    find("C2", `party ${reference}, which vouches, is no living one with the right to enrol`);
  else if (kind === VOUCHER.registrar && party.kind !== "registrar") find("C2", `party ${reference}, which vouches, is no registrar`);
}

/** The first thing that is wrong with a consent, whatever its evidence says. */
function checkConsent(step, row) {
  const wrong = consentFault(step, row);
  if (wrong) step.find(...wrong);
}

function consentFault({ entry, world }, row) {
  const countries = [];
  for (const r of row.recipients) {
    const party = world.parties.get(r);
    if (!party || party.ended !== null) return ["C2", `recipient ${r} is no living party`];
    countries.push(party.jurisdiction);
    if (!row.destinations.includes(party.jurisdiction)) return ["S3", `destination ${party.jurisdiction} of a recipient is not named`];
  }
  for (const d of row.destinations) if (!countries.includes(d)) return ["S3", `destination ${d} is of no recipient`];
  for (const c of row.collections) if (!world.schemaAt(c, entry.time)) return ["C1", `collection ${c} does not exist`];
  if (!world.notices.has(row.notice)) return ["K5", `notice ${row.notice} does not exist`];
  if (!(row.issued <= entry.time && entry.time < row.expires)) return ["C3", "its window does not hold the time of the entry"];
  if (entry.time - row.issued > STATEMENT_AGE_S) return ["C3", "its statement is too old"];
  if (row.expires - row.issued > CONSENT_S) return ["C1", "it runs for too long"];
  return null;
}

/** Asks the gate what the row says was allowed. */
function checkDecision(step, row, person) {
  const { replay, index, entry, world, party, find } = step;
  const operation = DECIDED[entry.kind] || entry.operation;
  const answer = decide({
    operation, at: index, time: entry.time, domicile: world.genesis.domicile, destination: party?.jurisdiction ?? entry.destination, purpose: entry.purpose,
    collection: step.schema && entry.collection, sensitive: step.schema?.sensitive, consents: person.erased ? [] : person.consents, packs: step.packs.map((p) => p.pack),
    party: party ?? NOBODY,
  });
  if (answer.verdict !== "allow") find(replay.clauseOf(answer.clause), `the gate refuses it: ${answer.code}${answer.rule ? ` (rule ${answer.rule})` : ""}`);
  else if (!(answer.bases.length === row.bases.length && answer.bases.every((b, i) => b.grade === row.bases[i].grade && b.index === row.bases[i].index)))
    find("C3", "its row names other bases than the gate's");
  if (entry.kind === KIND.disclosed) replay.coverage.disclosed(step, row, person);
}

function orderOf({ entry, world }) {
  return world.schemas.get(entry.collection)?.[0].order ?? NOWHERE;
}

function store(step, person, x) {
  const records = person.recordsOf(orderOf(step)), old = records.get(x.id);
  if (old && !old.living) step.find("S1", `record ${x.id} is stored after it was deleted`);
  else if (x.version !== (old ? old.version + 1 : 1)) step.find("S1", `record ${x.id} is stored as version ${x.version} after ${old ? old.version : 0}`);
  const end = step.schema?.retention ? step.entry.time + step.schema.retention : Infinity;
  records.set(x.id, { version: x.version, living: true, end });
}

function checkRecords(step, row, person) {
  const { entry, find } = step;
  const records = person.recordsOf(orderOf(step));
  for (const x of row.records) {
    const r = records.get(x.id);
    if (!r || !r.living || r.version !== x.version)
      find("S1", `version ${x.version} of record ${x.id} ${!r ? "was never stored" : r.living ? "is not the last one" : "was deleted"}`);
    if (!r) continue;
    if (entry.kind === KIND.expired) {
      if (entry.time < r.end) find("S1", `record ${x.id} expires before its retention is over`);
    } else if (entry.kind !== KIND.deleted && entry.time >= r.end) find("K1", `record ${x.id} is disclosed after its retention`);
    if (entry.kind === KIND.deleted || entry.kind === KIND.expired) r.living = false;
  }
  if (entry.kind === KIND.disclosed && entry.operation === OPERATION.evidence) find("C4", "records are disclosed as evidence");
}

function checkSelf({ find }, row) {
  if (!(row.bases.length === 1 && row.bases[0].grade === GRADE.self && row.bases[0].index === 0)) find("C3", "a basis other than the person's own");
}

/** A person's look at their history: it takes no record out. */
function replayReading(step, row) {
  const { replay, entry, find } = step;
  checkSelf(step, row);
  replay.coverage.histories++;
  if (row.records || row.copy !== undefined) find("C3", "the person asked for rows of the ledger, and it names records or a copy");
  else if (entry.time - row.issued > HISTORY_AGE_S || row.issued - entry.time > ASKED_AHEAD_S) find("C3", "the history was asked for at another time");
}

/** A page of a person's own copy. */
function replayCopy(step, row, person) {
  const { replay, index, entry, find } = step;
  checkSelf(step, row);
  if (row.copy === undefined) person.copy = { index, key: row.key, issued: row.issued, order: -1, id: 0 };
  else if (!person.copy || person.copy.index !== row.copy || person.copy.key !== row.key)
    find("C3", "it goes on with a copy that is not the last one that this person began, or by another key");
  const copy = (person.copy ??= { index: null, key: null, issued: 0, order: -1, id: 0 });
  if (entry.time - copy.issued > COPY_AGE_S || copy.issued - entry.time > ASKED_AHEAD_S) find("C3", "the copy was asked for at another time");
  replay.coverage.copied(step, row, person);
  const records = row.records ?? [], named = entry.collection !== undefined;
  const order = named && orderOf(step) !== NOWHERE ? orderOf(step) : Infinity;
  if (named !== records.length > 0 || (named && order === Infinity)) find("K1", "its collection is not declared, or it names one and no records of it");
  let ascends = order >= copy.order, last = order === copy.order ? copy.id : 0;
  for (const x of records) {
    ascends &&= x.id > last;
    last = x.id;
  }
  const to = { order, id: named ? last : Infinity };
  if (!ascends) find("C3", "one signature lets a record out twice, or its records are out of order");
  else {
    const living = person.livingBetween(entry.time, copy, to);
    if (living > records.length) find("H3", `the copy leaves ${living - records.length} records out`);
  }
  Object.assign(copy, to);
}

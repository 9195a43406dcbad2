// Evidence against its row: commitment, fields, signature, used once. docs/formats/findings.md, Evidence.
import { equal, Malformed, toHex, utf8 } from "./bytes.mjs";
import { isSoundKey } from "./ed25519.mjs";
import { decodeEvidence, GRADE, KIND } from "./grammar.mjs";
import { hmacSha256 } from "./sha256.mjs";
import { readConsent, readCopy, readHistory, readKey, verifyStatement } from "./statement.mjs";

const DOMAIN = utf8("bourn evidence v1\n");
const KEY_SKEW_S = 900;

const KINDS = {
  [KIND.consent]: { kind: 1, doubt: "S3", signed: checkConsentSignature, read: readConsent, malformed: "C3", check: checkConsent },
  [KIND.key]: { kind: 2, doubt: "C2", read: readKey, malformed: "C2", check: checkKey },
  [KIND.exported]: { kind: 3, doubt: "C2", read: readCopy, malformed: "C3", check: checkOwn },
};
const HISTORY = { kind: 4, doubt: "C2", read: readHistory, malformed: "C3", check: checkOwn }; // of an `exported` with an operation

/** Whether this person used these bytes (the id of a statement, the hash of a code) for the first time. */
function once(person, bytes) {
  const key = toHex(bytes);
  if (person.used.has(key)) return false;
  return !!person.used.add(key);
}

/**
 * Holds opened evidence against its row. `x`: {index, entry, row, person, world, find(clause, sentence)}.
 */
export async function checkEvidence(x, item) {
  const k = x.entry.kind === KIND.exported && x.entry.operation ? HISTORY : KINDS[x.entry.kind];
  if (!equal(hmacSha256(item.salt, DOMAIN, item.evidence), x.row.evidence)) x.find(k.doubt, "the evidence is not what the row commits to");
  let evidence;
  try {
    evidence = decodeEvidence(item.evidence);
  } catch (e) {
    if (!(e instanceof Malformed)) throw e;
    return x.find(k.doubt, `the evidence is malformed: ${e.message}`);
  }
  if (evidence.kind !== k.kind) return x.find(k.doubt, "the evidence is of another kind");
  if (k.signed) await k.signed(x, evidence);
  let statement;
  try {
    statement = k.read(evidence.statement);
  } catch (e) {
    if (!(e instanceof Malformed)) throw e;
    return x.find(k.malformed, `the statement is malformed: ${e.message}`);
  }
  await k.check(x, evidence, statement);
}

const sameSet = (a, b) => a.length === b.length && a.every((v) => b.includes(v));

function checkConsent(x, evidence, s) {
  const { row, world, find } = x, genesis = world.genesis;
  if (s.origin !== world.origin) find("C3", "the statement was made for another cell");
  if (!equal(s.pii_principal_id, row.label)) find("C3", "the statement is another person's");
  const c = s.pii_controllers[0];
  if (s.jurisdiction !== genesis.domicile || c.party_name !== genesis.legalName || c.party_contact !== genesis.contact)
    find("K5", "the statement describes the cell otherwise than genesis");
  if (s.event_time !== row.issued || s.expiry_time !== row.expires) find("C3", "issue or expiry differ from those of the statement");
  if (!sameSet(s.purposes.map((p) => p.purpose), row.purposes)) find("C4", "the purposes differ from those of the statement");
  checkRecipients(x, s);
  if (!sameSet(s.processing_locations, row.destinations)) find("S3", "the destinations differ from those of the statement");
  if (!sameSet(s.pii_information, row.collections)) find("C1", "the collections differ from those of the statement");
  const n = world.notices.get(row.notice), said = s.privacy_notice;
  if (!n || n.name !== said.name || n.version !== said.version || n.language !== said.language || !equal(n.hash, said.hash))
    find("K5", "the notice differs from that of the statement");
  if (!once(x.person, s.record_id)) find("H1", "the statement was used before: one is accepted once for ever");
}

function checkRecipients({ row, world, find }, s) {
  const said = s.recipient_third_parties;
  if (said.length !== row.recipients.length) return find("C2", "the statement names other recipients than the row");
  for (const index of row.recipients) {
    const party = world.parties.get(index);
    const t = party && said.find((r) => equal(r.party_entry, party.hash));
    if (!t) {
      if (party) find("C2", `the statement does not name recipient ${index} by the hash of its entry`);
    } else if (t.party_id !== party.name || t.party_name !== party.legalName || t.party_country !== party.jurisdiction || t.party_contact !== party.contact)
      find("K5", `the statement describes recipient ${index} otherwise than its entry`);
  }
}

async function checkConsentSignature({ row, person, find }, { statement, signature, publicKey }) {
  if (row.grade === GRADE.operator) {
    if (signature) find("S3", "an attested consent with a signature");
    return;
  }
  const key = person.liveKey(row.key);
  if (!signature) find("S3", "a signed consent without a signature");
  else if (!key) find("S3", `key ${row.key} is no living key of this person`);
  else if (key.publicKey && !equal(key.publicKey, publicKey)) find("S3", `it was signed by another key than key ${row.key}`);
  else if (!(await verifyStatement(statement, signature, publicKey))) find("S3", "the signature is not good");
}

async function checkKey(x, evidence, s) {
  const { row, entry, person, world, find } = x;
  const { publicKey } = evidence;
  const good = isSoundKey(publicKey) && (await verifyStatement(evidence.statement, evidence.signature, publicKey));
  if (!good) find("C2", "no proof of possession of the key");
  if (!equal(s.public_key, publicKey)) find("C2", "the proof of possession is of another key");
  if (s.origin !== world.origin) find("C2", "the proof of possession was made for another cell");
  if (!equal(s.pii_principal_id, row.label)) find("C2", "the proof of possession is another person's");
  if (Math.abs(s.event_time - entry.time) > KEY_SKEW_S) find("C2", "the proof of possession is of another time");
  if (!once(person, s.enrolment_code_hash)) find("C2", "the enrolment code was used before");
  const key = row.action === 3 ? null : person.keys.find((k) => k.index === x.index);
  if (key) key.publicKey = s.public_key;
}

/** A copy of all records, or the history. */
async function checkOwn({ row, person, world, find }, { statement, signature, publicKey }, s) {
  const key = person.liveKey(row.key);
  if (key?.publicKey && !equal(key.publicKey, publicKey)) find("C2", `it was asked for by another key than key ${row.key}`);
  else if (!(await verifyStatement(statement, signature, publicKey))) find("C2", "the person did not ask for this");
  if (s.origin !== world.origin) find("C3", "it was asked for at another cell");
  if (!equal(s.pii_principal_id, row.label)) find("C3", "it was asked for by another person");
  if (s.event_time !== row.issued) find("C3", "the time of the request differs from that of the statement");
  if (!once(person, s.record_id)) find("C3", "the statement was used before: one is accepted once for ever");
}

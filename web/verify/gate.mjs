// The gate: what decides. docs/formats/packs.md says what each word of a pack means; this is a pure function of its input.
import { GRADE, OPERATION, RIGHT } from "./grammar.mjs";

const DENY = 0, HUMAN = 1, ALLOW = 2;
const ALL_GRADES = (1 << GRADE.subject) | (1 << GRADE.operator);
const BASES_MAX = 8, RULES_MAX = 64;
const NEEDS = {
  [OPERATION.read]: RIGHT.read, [OPERATION.search]: RIGHT.search, [OPERATION.write]: RIGHT.write,
  [OPERATION.delete]: RIGHT.write, [OPERATION.evidence]: RIGHT.audit, [OPERATION.self]: 0,
};

/**
 * One question:
 *   operation, at (index), time, domicile, destination, purpose, collection (name or undefined), sensitive,
 *   party {index, ended (index or null), rights, purposes: Map(term, ground or null)}, consents [consent], packs [pack]
 * A consent: index, grade, voucher, purposes, recipients, destinations, collections, issued, expires, withdrawnAt or null.
 * The answer: {verdict: "allow" | "deny" | "needs_human", code, bases: [{grade, index, voucher}], clause, rule}, clause
 * and rule being those of the first rule that is not satisfied.
 */
export function decide(q) {
  const right = NEEDS[q.operation];
  if (right === undefined || (q.party.rights & right) !== right) return refusal("right_missing", "C2");
  if (q.party.ended !== null && q.party.ended <= q.at) return refusal("party_ended", "C2");
  if (q.operation === OPERATION.self) return { verdict: "allow", code: "ok", bases: [{ grade: GRADE.self, index: 0 }] };
  if (!q.party.purposes.has(q.purpose)) return refusal("purpose_undeclared", "C4");
  return byRules(q);
}

const refusal = (code, clause) => ({ verdict: "deny", code, bases: [], clause });

function byRules(q) {
  const bases = [];
  let worst = ALLOW, first = null, matching = 0;
  for (const pack of q.packs.filter((p) => (p.from ?? 0) <= q.time && q.time < (p.to ?? Infinity)))
    for (const rule of pack.rules) {
      if (!matches(rule, pack, q)) continue;
      if (++matching > RULES_MAX) return refusal("too_many_rules", rule.clause);
      const answer = evaluate(rule.require, rule, q);
      if (answer.state !== ALLOW) {
        if (!first || answer.state < worst) first = { clause: rule.clause, rule: `${pack.name}/${rule.id}` };
        worst = Math.min(worst, answer.state);
      } else for (const b of answer.bases) addBasis(bases, b);
    }
  if (!matching) return refusal("no_rule", "C3");
  if (worst === DENY) return { verdict: "deny", code: "basis_missing", bases: [], ...first };
  if (worst === HUMAN) return { verdict: "needs_human", code: "needs_decision", bases: [], ...first };
  if (bases.length > BASES_MAX) return refusal("too_many_bases", "C3");
  bases.sort((a, b) => a.grade - b.grade || a.index - b.index);
  return { verdict: "allow", code: "ok", bases };
}

function addBasis(bases, b) {
  if (!bases.some((x) => x.grade === b.grade && x.index === b.index)) bases.push(b);
}

const inMarket = (pack, domicile, destination) =>
  domicile === destination || !!(pack.market && pack.market.includes(domicile) && pack.market.includes(destination));

function matches(rule, pack, q) {
  const has = (list, value) => list === undefined || (value !== undefined && list.includes(value));
  return (
    (rule.crossing === undefined || rule.crossing === !inMarket(pack, q.domicile, q.destination)) &&
    (rule.sensitive === undefined || rule.sensitive === !!q.sensitive) &&
    has(rule.collections, q.collection) && has(rule.domiciles, q.domicile) && has(rule.destinations, q.destination) &&
    has(rule.purposes, q.purpose) && (rule.operations === undefined || !!(rule.operations & (1 << q.operation)))
  );
}

export function consentCovers(c, q) {
  return (
    q.operation !== OPERATION.evidence && c.index < q.at && !(c.withdrawnAt !== null && c.withdrawnAt <= q.at) &&
    c.issued <= q.time && q.time < c.expires && c.purposes.includes(q.purpose) && c.recipients.includes(q.party.index) &&
    c.destinations.includes(q.destination) && q.collection !== undefined && c.collections.includes(q.collection)
  );
}

function accepts(rule, c) {
  if (!((rule.grades ?? ALL_GRADES) & (1 << c.grade))) return false;
  return rule.vouchers === undefined || c.grade !== GRADE.subject || !!(rule.vouchers & (1 << c.voucher));
}

const NO = { state: DENY, bases: [] };
const yes = (...bases) => ({ state: ALLOW, bases });
const lowest = (answer) => Math.min(Infinity, ...answer.bases.map((b) => b.index));

function evaluate(x, rule, q) {
  switch (x.op) {
    case "subject_consent": {
      let found = null;
      for (const c of q.consents) if (consentCovers(c, q) && accepts(rule, c) && (!found || c.index < found.index)) found = c;
      return found ? yes({ grade: found.grade, index: found.index, voucher: found.voucher }) : NO;
    }
    case "ground": {
      const ground = q.party.purposes.get(q.purpose);
      const fits = ground && (rule.grounds === undefined || rule.grounds.includes(ground));
      return fits ? yes({ grade: GRADE.ground, index: q.party.index }) : NO;
    }
    case "adequacy":
      return x.list.includes(q.destination) ? yes() : NO;
    case "deny_list":
      return x.list.includes(q.destination) ? NO : yes();
    case "needs_human":
      return { state: HUMAN, bases: [] };
    case "any_of":
      return best(x.parts.map((p) => evaluate(p, rule, q)));
    case "all_of":
      return worst(x.parts.map((p) => evaluate(p, rule, q)));
    default: // authority_approval: there are none in the ledger yet
      return NO;
  }
}

/** The satisfied child whose basis has the lowest index; one without a basis only where none has one. */
function best(answers) {
  const state = Math.max(...answers.map((a) => a.state));
  if (state !== ALLOW) return { state, bases: [] };
  let taken = null;
  for (const a of answers) if (a.state === ALLOW && (!taken || lowest(a) < lowest(taken))) taken = a;
  return taken;
}

function worst(answers) {
  const state = Math.min(...answers.map((a) => a.state));
  if (state !== ALLOW) return { state, bases: [] };
  const bases = [];
  for (const a of answers) for (const b of a.bases) addBasis(bases, b);
  return { state, bases };
}

// Compiled packs: docs/formats/pack.cddl, and their pin.
import { compareText, concat, refuse, toHex, utf8 } from "./bytes.mjs";
import { Reader } from "./cbor.mjs";
import { bool, country, list, name, term } from "./grammar.mjs";
import { sha256 } from "./sha256.mjs";

const DEPTH_MAX = 8, EXPRESSIONS_MAX = 128;
const sorted = { order: compareText };
const countries = list(1, 256, country, sorted);
const names = list(1, 256, name, sorted);
const terms = list(1, 256, term, sorted);
/** Bits for the codes of `allowed`; never 0. */
const bits = (allowed) => (r) => {
  const v = r.uint(1);
  if (v > 255 || (v & ~allowed) !== 0) refuse("a set of codes with one that does not exist");
  return v;
};
const bit = (...codes) => codes.reduce((set, code) => set | (1 << code), 0);

const COMBINED = { 1: "any_of", 2: "all_of" };
const PLAIN = { 3: "subject_consent", 4: "authority_approval", 5: "ground" };
const LISTED = { 6: "adequacy", 7: "deny_list" };

function expression(r, count, depth) {
  if (depth > DEPTH_MAX || ++count.n > EXPRESSIONS_MAX) refuse("an expression that is nested too deeply or too long");
  const n = r.array(1, 300), op = r.uint();
  const more = n - 1;
  if (COMBINED[op]) {
    if (more < 1 || more > 16) refuse("any_of or all_of with too few or too many parts");
    return { op: COMBINED[op], parts: Array.from({ length: more }, () => expression(r, count, depth + 1)) };
  }
  if (PLAIN[op] && more === 0) return { op: PLAIN[op] };
  if (LISTED[op]) {
    if (more < 1 || more > 256) refuse("a list of countries that is too short or too long");
    const list = Array.from({ length: more }, () => country(r));
    if (list.some((c, i) => i && list[i - 1] >= c)) refuse("a list that does not ascend");
    return { op: LISTED[op], list };
  }
  if (op === 8 && more === 1) return { op: "needs_human", who: name(r) };
  return refuse("an unknown expression");
}

const PACK_KEYS = {
  1: ["name", name], 2: ["version", (r) => r.uint(1)], 3: ["from", (r) => r.uint(1)], 4: ["to", (r) => r.uint(1)],
  5: ["market", countries], 6: ["rules", list(1, 64, (r) => rule(r), { once: (x) => x.id })],
};
const RULE_KEYS = {
  1: ["id", name], 2: ["clause", name], 3: ["crossing", bool], 4: ["sensitive", bool], 5: ["collections", names],
  6: ["domiciles", countries], 7: ["destinations", countries], 8: ["purposes", terms], 9: ["operations", bits(bit(1, 2, 3, 4, 5))],
  10: ["require", (r) => expression(r, { n: 0 }, 1)], 11: ["grades", bits(bit(1, 3))], 12: ["vouchers", bits(bit(1, 2, 3, 4))],
  13: ["grounds", terms], 14: ["reviewed", bool],
};

function readKeys(r, keys, needed, what) {
  const out = {};
  r.map((key) => {
    if (!keys[key]) refuse(`an unknown key, ${key}, of ${what}`);
    out[keys[key][0]] = keys[key][1](r);
  });
  for (const key of needed) if (out[key] === undefined) refuse(`${what} without ${key}`);
  return out;
}

const rule = (r) => readKeys(r, RULE_KEYS, ["id", "clause", "require", "reviewed"], "a rule");

export function decodePack(bytes) {
  const r = new Reader(bytes);
  const p = readKeys(r, PACK_KEYS, ["name", "version", "rules"], "a pack");
  r.close();
  if (p.to !== undefined && p.to <= (p.from ?? 0)) refuse("a pack that ends before it begins");
  return p;
}

export function pinOf(yaml, rules) {
  const text = utf8(yaml), n = new Uint8Array(4);
  new DataView(n.buffer).setUint32(0, text.length);
  return toHex(sha256(concat(utf8("bourn pack v1\n"), n), text, rules));
}

/** The packs that ship with bourn: name, version and pin. tests/vectors/packs.txt holds the same. */
export const SHIPPED = {
  c63cb7f3bb57cd8eca24a40a208f4ff39208026ee766bd4af1b4bf760bc19cc3: "home 1",
  "32049a59b4a9761ecf9b1ee852abc2137157fd478c39ddbcdd644ff93b3dc19b": "pledge-2015 1",
};

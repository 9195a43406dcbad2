// mutate.mjs GOOD OUT SEED N [KINDS]: N copies of a good cell, each with one thing in it changed at random (of an entry of these
// kinds, and of its rows) and everything signed again,
// so that only what is inside can tell. Nobody knows what is wrong with them, if anything: both verifiers must say the same.
import { join } from "node:path";
import { Cell, decode, encode, get, set } from "./cell.mjs";

let state = 1n;
/** xorshift64*, below n. */
function random(n) {
  state ^= state >> 12n;
  state ^= (state << 25n) & 0xffffffffffffffffn;
  state ^= state >> 27n;
  return Number(((state * 0x2545f4914f6cdd1dn) & 0xffffffffffffffffn) >> 33n) % n;
}
const pick = (list) => list[random(list.length)];

const TEXTS = ["US", "CN", "DE", "people", "visits", "letters", "dpv:Marketing", "dpv:ServiceProvision", "dpv:ResearchAndDevelopment", "retention",
  "", "-x", "a b", "\u0000", "é", "\ud83d\ude00", "x".repeat(65), "x".repeat(129), "registrar", "app", "z"];

function changeNumber(n) {
  const other = [n + 1n, n > 0n ? n - 1n : 1n, 0n, 1n, BigInt(random(12)), BigInt(random(220)), n + 86400n, n + 700000n, 1n << 53n, (1n << 53n) - 1n, (1n << 64n) - 1n];
  return pick(other);
}

/** Changes one value somewhere in the tree, in place. */
function change(tree) {
  const places = [];
  const walk = (t, put) => {
    places.push([t, put]);
    if (t[0] === "a") t[1].forEach((x, i) => walk(x, (v) => (t[1][i] = v)));
    if (t[0] === "m") t[1].forEach((pair) => walk(pair[1], (v) => (pair[1] = v)));
  };
  tree[1].forEach((pair) => walk(pair[1], (v) => (pair[1] = v)));
  const [t, put] = pick(places);
  if (random(12) === 0) return put(pick([["s", 0xf6], ["s", 0xf5], ["s", 0xf4], ["u", 1n], ["t", Buffer.from("x")], ["b", Buffer.alloc(16)], ["a", []]]));
  if (t[0] === "u") put(["u", changeNumber(t[1])]);
  else if (t[0] === "t") put(["t", random(5) ? Buffer.from(pick(TEXTS)) : Buffer.from([0xff, 0x41])]);
  else if (t[0] === "b") put(["b", random(4) ? flip(t[1]) : t[1].subarray(1)]);
  else if (t[0] === "s") put(["s", pick([0xf4, 0xf5, 0xf6, 0xf7])]);
  else if (t[0] === "a") changeList(t[1]);
}

function changeList(items) {
  const how = random(3);
  if (how === 0 || !items.length) items.push(items.length ? pick(items) : ["u", 1n]);
  else if (how === 1) items.splice(random(items.length), 1);
  else items.reverse();
}

function flip(bytes) {
  const out = Buffer.from(bytes);
  if (out.length) out[random(out.length)] ^= 1 << random(8);
  return out;
}

/** A map with one key more or less, or one value changed; at last as bytes. */
function mutated(bytes) {
  const tree = decode(bytes), how = random(10);
  if (how === 0) tree[1].splice(random(tree[1].length), 1);
  else if (how === 1) set(tree, 1 + random(40), pick([["u", BigInt(random(9))], ["t", Buffer.from(pick(TEXTS))], ["b", Buffer.alloc(32, 7)], ["a", []], ["s", 0xf6]]));
  else if (how === 2) return noise(bytes);
  else for (let n = 1 + random(2); n > 0; n--) change(tree);
  return encode(tree);
}

function noise(bytes) {
  const at = random(bytes.length);
  if (random(2)) return flip(bytes);
  return random(2) ? Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]) : Buffer.concat([bytes.subarray(0, at), Buffer.of(random(256)), bytes.subarray(at)]);
}

const FORMS = [(c, i) => {
  c.entries[i].bytes = mutated(c.entries[i].bytes);
}, (c, i) => { // the same, of an entry that the world is made of
  const few = c.entries.map((_, k) => k).filter((k) => Number(get(c.tree(k), 1)[1]) < 7);
  const k = pick(few);
  c.entries[k].bytes = mutated(c.entries[k].bytes);
  void i;
}, rowOf(mutated), rowOf(mutated), rowOf(mutated), (c, i) => { // an entry leaves, comes twice, or two change places
  const how = random(3);
  if (how === 0) c.entries.splice(i, 1);
  else if (how === 1) c.entries.splice(random(c.entries.length), 0, c.entries[i]);
  else [c.entries[i], c.entries[i - 1]] = [c.entries[i - 1], c.entries[i]];
}, (c, i) => { // a row leaves, comes twice, or the rows turn around
  const k = withRows(c, i), rows = c.entries[k].rows;
  const how = random(4);
  if (how === 0) rows.pop();
  else if (how === 1) rows.push(rows[0]);
  else if (how === 2) rows.reverse();
  else rows.push(...c.entries[withRows(c, random(c.entries.length))].rows);
  if (random(4)) c.commit(k);
}, statement, statement, (c) => { // evidence items alone
  const k = random(c.items.length), how = random(4);
  if (how === 0) c.items.splice(k, 1);
  else if (how === 1) c.items[k] = ["raw", mutated(encode(c.items[k]))];
  else if (how === 2) {
    c.items[k][1] = c.items[k][1].filter(([key]) => key[1] < 4n);
    set(c.items[k], 3, ["u", BigInt(2 + random(2))]);
  } else c.items.splice(random(c.items.length), 0, c.items[k]);
}];

function withRows(c, from) {
  for (let i = 0; i < c.entries.length; i++) {
    const k = (from + i) % c.entries.length;
    if (c.entries[k].rows.length) return k;
  }
  throw new Error("no rows");
}

function rowOf(how) {
  return (c, i) => {
    const k = withRows(c, i), rows = c.entries[k].rows, j = random(rows.length);
    rows[j] = how(rows[j]);
    c.commit(k);
  };
}

/** Changes what was signed, or how, with the row's commitment following. */
function statement(c) {
  const opened = c.items.filter((x) => get(x, 5));
  const item = pick(opened), evidence = decode(get(item, 5)[1]);
  if (random(3) === 0) set(item, 5, ["b", mutated(get(item, 5)[1])]);
  else {
    const text = get(evidence, 2)[1].toString();
    set(evidence, 2, ["t", Buffer.from(random(6) ? changeJson(text) : noise(Buffer.from(text)).toString())]);
    set(item, 5, ["b", encode(evidence)]);
  }
  const i = Number(get(item, 1)[1]), label = get(item, 2)[1];
  const j = c.entries[i].rows.findIndex((row) => get(decode(row), 1)[1].equals(label));
  c.recommit(i, j, item);
}

const sorted = (v) => (Array.isArray(v) ? v.map(sorted) : v && typeof v === "object" ? Object.fromEntries(Object.keys(v).sort().map((k) => [k, sorted(v[k])])) : v);

function changeJson(text) {
  const value = JSON.parse(text), places = [];
  const walk = (v, put) => {
    if (v && typeof v === "object") for (const k of Object.keys(v)) walk(v[k], (x) => (v[k] = x));
    places.push([v, put]);
  };
  for (const k of Object.keys(value)) walk(value[k], (x) => (value[k] = x));
  const [v, put] = pick(places);
  if (typeof v === "string") put(pick([`${v}x`, v.slice(1), v.toUpperCase(), pick(TEXTS), "2026-02-30T00:00:00Z", "2026-01-01T00:00:00Z", "2099-12-31T23:59:60Z", "a\u202eb", "tab\there", "\u061cx", "\"q\" \\"]));
  else if (typeof v === "number") put(pick([v + 1, 0, -1, 1.5, 1e300, 2 ** 53]));
  else if (Array.isArray(v)) pick([() => v.push(v[0]), () => v.pop(), () => v.reverse()])();
  else delete v[pick(Object.keys(v))];
  return JSON.stringify(sorted(value));
}

const [good, out, seed, n, kinds] = process.argv.slice(2), wanted = kinds?.split(",").map(Number);
for (let i = 0; i < Number(n); i++) {
  state = BigInt(seed) * 1000003n + BigInt(i) * 7919n + 88172645463325252n;
  for (let k = 0; k < 8; k++) random(2);
  const cell = new Cell(good);
  const among = wanted && cell.entries.map((_, k) => k).filter((k) => wanted.includes(Number(get(cell.tree(k), 1)[1])));
  if (among) pick([FORMS[0], FORMS[0], FORMS[2], FORMS[5], FORMS[6]])(cell, pick(among));
  else pick(FORMS)(cell, 1 + random(cell.entries.length - 1));
  cell.write(join(out, String(i)));
}

// worlds.mjs GOOD WITNESSED OUT: ledgers that need more than their own key to be judged: cosigned ones with the policy that the
// reader trusts (OUT/*/policy), and logs that go on for another one, which lies beside them (OUT/*/old). WITNESSED is what the
// case honest-witnessed makes. One line each: name, exit code, place and clause of the first finding ("-": none), "error"
// where reading stops, and the verdict of V1; written by hand.
import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cell, decode, encode, get, leaf, root, set } from "./cell.mjs";

const text = (s) => ["t", Buffer.from(s)];
const number = (n) => ["u", BigInt(n)];
const bytes = (b) => ["b", b];

/** A key pair by its seed: {name, vkey, sign}; type 1 a log's, 4 a witness's. */
function keyOf(name, seed, type) {
  const key = createPrivateKey({ key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]), format: "der", type: "pkcs8" });
  const raw = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32), typed = Buffer.concat([Buffer.of(type), raw]);
  const id = createHash("sha256").update(`${name}\n`).update(typed).digest().subarray(0, 4);
  return { name, id, raw, vkey: `${name}+${id.toString("hex")}+${typed.toString("base64")}`, sign: (m) => sign(null, Buffer.from(m), key) };
}

// The witnesses of tests/forge/cases_witness.c.
const WITNESSES = ["w0.example", "w1.example"].map((name, i) => keyOf(name, Buffer.concat([Buffer.of(0x77, i), Buffer.alloc(30)]), 4));
const policy = (quorum = "both") => `${WITNESSES.map((w, i) => `witness w${i} ${w.vkey}\n`).join("")}group both 2 w0 w1\nquorum ${quorum}\n`;

function cosigned(c, witnesses, { late = 0, spoil = false } = {}) {
  const at = Number(get(c.tree(c.entries.length - 1), 2)[1]) + late;
  c.cosign = (body) => witnesses.map((w) => {
    const time = Buffer.alloc(8), signature = w.sign(`cosignature/v1\ntime ${at}\n${body}`);
    time.writeBigUInt64BE(BigInt(at));
    if (spoil) signature[5] ^= 1;
    return `\u2014 ${w.name} ${Buffer.concat([w.id, time, signature]).toString("base64")}\n`;
  }).join("");
}

/** Heads of people's chains, and what each consent's place is, from the rows of the first n entries. */
function chains(c, n) {
  const heads = new Map();
  for (let i = 0; i < n; i++) for (const row of c.entries[i].rows) heads.set(get(decode(row), 1)[1].toString("hex"), i);
  return heads;
}

const NEXT = keyOf("cn.example/next", Buffer.alloc(32, 3), 1);

/** The log goes on from entry `at` under another name and key; `o` says what it leaves out or says otherwise. */
function goOn(c, old, at, o = {}) {
  const known = o.known ?? old.entries.length, heads = chains(old, at), time = ["u", get(old.tree(old.entries.length - 1), 2)[1]];
  const append = (kind, rows, ...pairs) => {
    const tree = ["m", []];
    for (const [key, value] of [[1, number(kind)], [2, time], [3, bytes(Buffer.alloc(16, 6))], ...pairs]) set(tree, key, value);
    c.entries.push({ bytes: encode(tree), rows });
  };
  c.entries.length = at;
  c.items = c.items.filter((x) => Number(get(x, 1)[1]) < at);
  const rootAt = (n) => bytes(root(old.entries.slice(0, n).map((e) => leaf(e.bytes))));
  append(30, [], [18, ["a", [bytes(NEXT.raw)]]], [22, text(o.origin ?? NEXT.name)], [32, o.root ?? rootAt(Math.min(known, old.entries.length))],
    [60, text(old.origin)], [61, number(known)]);
  let left = o.leaves ?? 0;
  for (let i = at; i < old.entries.length; i++) {
    const tree = old.tree(i), kind = Number(get(tree, 1)[1]);
    if (kind !== 10 && kind !== 19) continue;
    const rows = old.entries[i].rows.map((r) => decode(r)).filter((r) => heads.has(get(r, 1)[1].toString("hex")) && !(kind === 10 && Number(get(r, 15)[1]) >= at));
    if (!rows.length || left-- > 0) continue;
    const carried = rows.map((r) => {
      const label = get(r, 1), out = ["m", []], name = label[1].toString("hex");
      for (const [key, value] of [[1, label], [2, number(heads.get(name))], [3, bytes(Buffer.alloc(16, 8))], ...(kind === 10 ? [[15, get(r, 15)]] : [])]) set(out, key, value);
      heads.set(name, c.entries.length);
      return encode(out);
    });
    append(31, carried, [4, number(carried.length)], [5, bytes(root(carried.map(leaf)))], ...(kind === 19 ? [[35, get(tree, 35)]] : []), [62, number(o.from ?? i)]);
  }
  Object.assign(c, { origin: NEXT.name, vkey: `${NEXT.vkey}\n`, seed: Buffer.alloc(32, 3) });
}

const AT = 300;
const continued = (o) => (c, old) => goOn(c, old, AT, o);
// name, exit, place, clause, error, V1, build, options: no rows of the old log; its checkpoint as an earlier head, or of another log
const WORLDS = [
  ["quorum", 0, "-", "-", "", "holds", (c) => cosigned(c, WITNESSES)],
  ["one-of-two", 0, "-", "-", "", "not provable", (c) => cosigned(c, WITNESSES.slice(0, 1))],
  ["one-is-enough", 0, "-", "-", "", "holds", (c) => cosigned(c, WITNESSES.slice(1)), { policy: policy("w1") }],
  ["nobody-cosigned", 0, "-", "-", "", "not provable", () => {}],
  ["quorum-of-none", 0, "-", "-", "", "not provable", (c) => cosigned(c, WITNESSES), { policy: policy("none") }],
  ["cosignature-spoilt", 1, "last", "V1", "", "violated", (c) => cosigned(c, WITNESSES, { spoil: true })],
  ["dated-ahead", 1, "last", "V1", "", "violated", (c) => cosigned(c, WITNESSES, { late: -61 })],
  ["dated-ahead-a-minute", 0, "-", "-", "", "holds", (c) => cosigned(c, WITNESSES, { late: -60 })],
  ["goes-on", 0, "-", "-", "", "not provable", continued()],
  ["goes-on-at-its-end", 0, "-", "-", "", "not provable", (c, old) => goOn(c, old, old.entries.length)],
  ["goes-on-and-claims-so-again", 1, "last", "V1", "", "violated", (c, old) => {
    goOn(c, old, old.entries.length);
    const again = c.tree(old.entries.length); // it goes on for a log that it is not: what was said before stays
    set(again, 22, text("third.example/ledger"));
    c.entries.push({ bytes: encode(again), rows: [] });
  }],
  ["goes-on-from-a-head", 0, "-", "-", "", "holds", (c, old) => goOn(c, old, old.entries.length), { head: true }],
  ["goes-on-before-a-head", 0, "-", "-", "", "not provable", continued(), { head: true }],
  ["knows-of-less-than-a-head", 1, `entry ${AT}`, "V1", "", "violated", continued({ known: 599 }), { head: true }],
  ["goes-on-without-rows", 2, "-", "-", "", "not provable", continued(), { rows: false }],
  ["leaves-one-out", 1, `entry ${AT}`, "H1", "", "not provable", continued({ leaves: 1 })],
  ["leaves-all-out", 1, `entry ${AT}`, "H1", "", "not provable", continued({ leaves: 1e9 })],
  ["knows-of-less", 1, `entry ${AT}`, "V1", "", "violated", continued({ known: 599 })],
  ["knows-of-more", 2, "-", "-", "", "not examined", continued({ known: 700 })],
  ["names-another-root", 1, `entry ${AT}`, "V1", "", "violated", continued({ root: bytes(Buffer.alloc(32, 1)) })],
  ["is-called-otherwise", 1, `entry ${AT}`, "V1", "", "violated", continued({ origin: "else.example/ledger" })],
  ["carries-from-before", 1, `entry ${AT}`, "H1", "", "not provable", continued({ from: AT - 1 })],
  ["of-another-log", 2, "-", "-", "error", "not examined", continued(), { stranger: true }],
];

const [good, witnessed, out] = process.argv.slice(2);
for (const [name, exit, place, clause, error, v1, build, o = {}] of WORLDS) {
  const goesOn = build.length === 2, folder = join(out, name), cell = new Cell(goesOn ? good : witnessed);
  build(cell, new Cell(good));
  cell.write(folder);
  if (goesOn) {
    cpSync(good, join(folder, "old"), { recursive: true });
    if (o.rows === false) rmSync(join(folder, "old/rows"), { recursive: true });
    const checkpoint = readFileSync(join(good, "ledger/checkpoint"), "utf8");
    if (o.stranger) writeFileSync(join(folder, "old/ledger/checkpoint"), checkpoint.replace("cn.", "de."));
    if (o.head) writeFileSync(join(folder, "head"), checkpoint);
  } else writeFileSync(join(folder, "policy"), o.policy ?? policy());
  process.stdout.write(`${name}\t${exit}\t${place === "last" ? `entry ${cell.entries.length - 1}` : place}\t${clause}\t${error}\t${v1}\n`);
}

// web/verify.mjs against the vectors that other programs made: entries, checkpoints, packs, statements, and the hashes that
// it computes itself. Run by `node --test`.
import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { compare, fromBase64, fromBase64Url, fromHex, Malformed, toBase64, toBase64Url, toHex, utf8 } from "../../../web/verify/bytes.mjs";
import { isSoundKey, verifySignature } from "../../../web/verify/ed25519.mjs";
import { decodeEntry, decodeRow, KIND, UnknownKind } from "../../../web/verify/grammar.mjs";
import { isIncluded, openReceipt } from "../../../web/verify/kept.mjs";
import { cosignedAt, keyOf, openCheckpoint, parseKey, splitNote, TYPE_WITNESS } from "../../../web/verify/note.mjs";
import { decodePack, pinOf, SHIPPED } from "../../../web/verify/pack.mjs";
import { Policy } from "../../../web/verify/policy.mjs";
import { hmacSha256, sha256 } from "../../../web/verify/sha256.mjs";
import { purposeWords, readConsent, readCopy, readKey, verifyStatement } from "../../../web/verify/statement.mjs";
import { Edge, leafHash, rootOf, tileNumber } from "../../../web/verify/tree.mjs";

const root = new URL("../../../", import.meta.url);
const file = (path) => readFileSync(new URL(path, root));
const lines = (path) => file(path).toString().split("\n").filter((l) => l && !l.startsWith("#"));
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const kindOf = (word) => KIND[word.split("-")[0]];

/** The lines of every block marked `vectors` in a page. */
function blocks(path) {
  const out = [];
  for (const [, block] of file(path).toString().matchAll(/^```vectors\n([\s\S]*?)^```/gm)) out.push(...block.trimEnd().split("\n"));
  return out;
}

for (const [path, all] of [["tests/vectors/entries.txt", lines("tests/vectors/entries.txt")], ["docs/formats/ledger.md", blocks("docs/formats/ledger.md")]])
  test(`entries and rows of ${path}`, () => {
    const seen = { entry: 0, row: 0, "bad-entry": 0, "bad-row": 0 };
    for (const line of all) {
      const [what, name, hex] = line.split(" "), kind = kindOf(name);
      seen[what]++;
      if (what === "entry") assert.equal(decodeEntry(bytes(hex)).kind, kind, line);
      else if (what === "row") assert.ok(decodeRow(bytes(hex), kind).label, line);
      else if (what === "bad-entry") assert.throws(() => decodeEntry(bytes(hex)), Malformed, line);
      else assert.throws(() => decodeRow(bytes(hex), kind), Malformed, line);
    }
    assert.ok(seen.entry > 3 && seen.row > 3 && seen["bad-entry"] > 2, JSON.stringify(seen));
  });

test("one byte more or less of any good entry is refused", () => {
  for (const line of lines("tests/vectors/entries.txt")) {
    const [what, name, hex] = line.split(" ");
    if (what !== "entry" && what !== "row") continue;
    const decode = what === "entry" ? decodeEntry : (b) => decodeRow(b, kindOf(name));
    assert.throws(() => decode(bytes(hex).subarray(0, -1)), Malformed);
    assert.throws(() => decode(bytes(`${hex}00`)), Malformed);
  }
});

test("a kind of a newer format is told apart from a malformed entry", () => {
  const salt = "03500102030405060708090a0b0c0d0e0f10";
  const begin = `0118640200${salt}`; // kind 100, time 0
  for (const good of [`a3${begin}`, `a4${begin}1828f6`, `a4${begin}18288201a10102`]) assert.throws(() => decodeEntry(bytes(good)), UnknownKind, good);
  for (const bad of ["a20118640200", `a3${begin}00`, `a4${begin}1828`, `a4${begin}1828c1`, `a4${begin}18281817`, `a30118640201${salt}`.replace("0201", "021801")])
    assert.throws(() => decodeEntry(bytes(bad)), Malformed, bad);
});

test("hashes are those of other programs, at every length and cut", () => {
  for (let n = 0; n < 260; n++) {
    const b = randomBytes(n), want = createHash("sha256").update(b).digest("hex"), cut = n >> 1;
    assert.equal(toHex(sha256(b)), want);
    assert.equal(toHex(sha256(b.subarray(0, cut >> 1), b.subarray(cut >> 1, cut), b.subarray(cut))), want);
    assert.equal(toHex(hmacSha256(b, b, utf8("x"))), createHmac("sha256", b).update(b).update("x").digest("hex"));
  }
  const long = randomBytes(1 << 20);
  assert.equal(toHex(sha256(long)), createHash("sha256").update(long).digest("hex"));
});

test("roots of the vectors of shared trees", () => {
  const want = {
    0: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", 3: "cuDRdZjUDBQ/FOv7BeLFxN3Wvr8WXzVpRDrEaViH0wI=",
    256: "1WpOHKSIeSyDfM1/qYXrqmfDXBe25wuAzTG+z62FGxc=", 70000: "B6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3/TgZuFTA=",
  };
  const edge = new Edge();
  for (let n = 0; n <= 70000; n++) {
    if (want[n]) assert.equal(toBase64(edge.root()), want[n], String(n));
    edge.append(leafHash(utf8(`event ${n}`)));
  }
  assert.equal(toBase64(rootOf([0, 1, 2].map((n) => leafHash(utf8(`event ${n}`))))), want[3]);
  assert.deepEqual([0, 273, 999, 1000, 1234067].map(tileNumber), ["000", "273", "999", "x001/000", "x001/x234/067"]);
});

test("the checkpoint of another program, and none that differs from it", async () => {
  const note = new Uint8Array(file("tests/vectors/checkpoint.txt")), keys = lines("tests/vectors/checkpoint.vkeys");
  const key = parseKey(keys[0]);
  const cp = await openCheckpoint(note, key);
  assert.deepEqual([cp.origin, cp.size, toBase64(cp.root)], ["cn.example/ledger", 70000, "B6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3/TgZuFTA="]);
  const end = Buffer.from(note).indexOf("\n\u2014 witness");
  for (let i = 0; i < end; i++) {
    const other = Uint8Array.from(note);
    other[i] ^= 1;
    await assert.rejects(openCheckpoint(other, key), Malformed, `byte ${i}`);
  }
  await assert.rejects(openCheckpoint(note.subarray(0, -1), key), Malformed);
  for (let i = 0; i < keys[0].length; i++) {
    const other = keys[0].slice(0, i) + (keys[0][i] === "0" ? "1" : "0") + keys[0].slice(i + 1);
    assert.throws(() => parseKey(other), Malformed, other);
  }
  assert.throws(() => parseKey(keys[1]), Malformed, "a witness's key is no log's");
});

test("packs: rules, and the pins that are built in", () => {
  for (const line of lines("tests/vectors/packs.txt")) {
    const [name, pin, hex] = line.split(" "), rules = bytes(hex), pack = decodePack(rules);
    assert.equal(pinOf(file(`packs/${name}.yaml`).toString(), rules), pin);
    assert.equal(SHIPPED[pin], `${name} ${pack.version}`);
    assert.throws(() => decodePack(rules.subarray(0, -1)), Malformed);
  }
  assert.equal(Object.keys(SHIPPED).length, lines("tests/vectors/packs.txt").length);
});

test("statements", async () => {
  const v = Object.fromEntries(lines("tests/vectors/statements.txt").map((l) => [l.slice(0, l.indexOf(" ")), l.slice(l.indexOf(" ") + 1)]));
  const key = bytes(v.public_key);
  for (const [what, read] of [["consent", readConsent], ["key", readKey], ["export", readCopy]]) {
    const text = v[`${what}_statement`], signature = bytes(v[`${what}_signature`]);
    assert.equal(toHex(sha256(utf8(text))), v[`${what}_digest`]);
    assert.equal(toHex(read(text).pii_principal_id), "1000000000000000000000000000001f");
    assert.ok(await verifyStatement(text, signature, key));
    assert.ok(!(await verifyStatement(`${text} `, signature, key)));
    for (const other of [`${text} `, text.replace("{", "{ "), text.replace("10:00:00Z", "10:00:60Z"), text.replace("2026-11-21", "2026-02-30"),
      text.replace("1f", "1F"), text.replace("{", '{"a":1,'), text.replace("cn.ex", "cn\\u002eex"), text.replace("cn.ex", "cn\u202eex"),
      text.replace("cn.ex", "cn\u061cex"), text.replace("cn.ex", "cn\\ud800ex"), text.replace(/^\{"[a-z_]+":/, '{"x":')])
      assert.throws(() => read(other), Malformed, other);
  }
  assert.throws(() => readConsent(v.consent_statement.replace("research and development", "treating you")), Malformed);
  assert.equal(purposeWords("dpv:ResearchAndDevelopment"), "research and development");
  assert.equal(purposeWords("https://w3id.org/dpv#ServiceProvision"), "service provision");
  assert.equal(purposeWords("dpv:ABTesting_and-HTTP"), "ab testing and http");
  assert.equal(purposeWords("Zz:"), "Zz:");
  assert.equal(purposeWords("dpv:Marketing"), "marketing of products and services");
});

test("Ed25519: what must never verify, whatever WebCrypto says", async () => {
  const v = Object.fromEntries(lines("tests/vectors/statements.txt").map((l) => [l.slice(0, l.indexOf(" ")), l.slice(l.indexOf(" ") + 1)]));
  const key = bytes(v.public_key), message = bytes(v.consent_digest), good = bytes(v.consent_signature);
  assert.ok(isSoundKey(key) && (await verifySignature(key, message, good)));
  const P = (1n << 255n) - 19n, L = (1n << 252n) + 27742317777372353535851937790883648493n;
  const le = (n) => Uint8Array.from(Buffer.from(n.toString(16).padStart(64, "0"), "hex").reverse());
  const value = (b) => BigInt(`0x${toHex(Uint8Array.from(b).reverse())}`);
  // The eight points of small order, each in every way it can be written, and both signs.
  const y8 = value(bytes("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"));
  for (const y of [0n, 1n, P - 1n, y8, P - y8, P, P + 1n])
    for (const sign of [0n, 1n << 255n]) {
      const point = le(y | sign);
      assert.ok(!isSoundKey(point), toHex(point));
      const zero = new Uint8Array(64);
      zero.set(point);
      assert.ok(!(await verifySignature(point, message, zero)), toHex(point));
      const mixed = Uint8Array.from(good);
      mixed.set(point);
      assert.ok(!(await verifySignature(key, message, mixed)));
    }
  const S = value(good.subarray(32));
  for (const other of [S + L, S + 1n]) {
    const forged = Uint8Array.from(good);
    forged.set(le(other), 32);
    assert.ok(!(await verifySignature(key, message, forged)));
  }
  // A key with a part of order two (the key minus the point of order two: both coordinates negated), and one off the curve.
  const y = value(key) & ((1n << 255n) - 1n), sign = key[31] >> 7;
  assert.ok(!isSoundKey(le((P - y) | (BigInt(sign ^ 1) << 255n))));
  assert.ok(!isSoundKey(le(2n)));
  assert.ok(!isSoundKey(key.subarray(1)));
  assert.ok(!(await verifySignature(le(2n), message, good)));
});

test("base64 and hex have one spelling each", () => {
  for (let n = 0; n < 70; n++) {
    const b = new Uint8Array(randomBytes(n));
    assert.equal(toBase64(b), Buffer.from(b).toString("base64"));
    assert.equal(toBase64Url(b), Buffer.from(b).toString("base64url"));
    assert.equal(compare(fromBase64(toBase64(b)), b), 0);
    assert.equal(compare(fromBase64Url(toBase64Url(b)), b), 0);
  }
  for (const bad of ["QQ", "QQ=", "QR==", "Q===", "QUI", "QUJ=", "Q Q=", "QQ==\n"]) assert.equal(fromBase64(bad), null, bad);
  for (const bad of ["0", "0G", "AB", "ab "]) assert.equal(fromHex(bad, 1), null, bad);
});

test("the event of another program, and none that differs from it", async () => {
  const key = parseKey(lines("tests/vectors/checkpoint.vkeys")[0]), event = new Uint8Array(file("tests/vectors/event.txt"));
  const said = await openReceipt(event, key);
  assert.deepEqual([said.index, said.size, said.event.length, said.event[0]], [12345, 70000, 10, "told 4"]);
  for (let i = 0; i < event.length; i++) {
    const other = Uint8Array.from(event);
    other[i] ^= 1;
    await assert.rejects(openReceipt(other, key), Malformed, `byte ${i}`);
  }
  await assert.rejects(openCheckpoint(event, key), Malformed);
});

test("the receipt and the proof of another program, and none that differs from them", async () => {
  const key = parseKey(lines("tests/vectors/checkpoint.vkeys")[0]), receipt = new Uint8Array(file("tests/vectors/receipt.txt"));
  const leaf = leafHash(utf8("event 12345")), top = "B6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3/TgZuFTA=";
  const said = await openReceipt(receipt, key);
  assert.deepEqual([said.index, said.size, toBase64(said.leaf), toBase64(said.root)], [12345, 70000, toBase64(leaf), top]);
  for (let i = 0; i < receipt.length; i++) {
    const other = Uint8Array.from(receipt);
    other[i] ^= 1;
    await assert.rejects(openReceipt(other, key), Malformed, `byte ${i}`);
  }
  await assert.rejects(openReceipt(new Uint8Array(file("tests/vectors/checkpoint.txt")), key), Malformed);
  await assert.rejects(openCheckpoint(receipt, key), Malformed);
  const hashes = file("tests/vectors/proof.tlog-proof").toString().split("\n\n")[0].split("\n").slice(2).map(fromBase64);
  assert.ok(isIncluded(12345, 70000, leaf, hashes, fromBase64(top)));
  assert.ok(!isIncluded(12344, 70000, leaf, hashes, fromBase64(top)) && !isIncluded(12345, 70000, leaf, hashes.slice(1), fromBase64(top)));
  assert.ok(!isIncluded(12345, 70000, leaf, [...hashes, hashes[0]], fromBase64(top)) && !isIncluded(70000, 70000, leaf, hashes, fromBase64(top)));
});

test("inclusion proofs of every entry of small trees", () => {
  const prove = (leaves, m) => {
    if (leaves.length === 1) return [];
    let k = 1;
    while (2 * k < leaves.length) k *= 2;
    return m < k ? [...prove(leaves.slice(0, k), m), rootOf(leaves.slice(k))] : [...prove(leaves.slice(k), m - k), rootOf(leaves.slice(0, k))];
  };
  for (let n = 1; n < 40; n++) {
    const leaves = Array.from({ length: n }, (_, i) => leafHash(utf8(`event ${i}`))), top = rootOf(leaves);
    for (let m = 0; m < n; m++) {
      assert.ok(isIncluded(m, n, leaves[m], prove(leaves, m), top), `${m} of ${n}`);
      assert.ok(!isIncluded(m, n, leafHash(utf8("another")), prove(leaves, m), top));
      if (n > 1) assert.ok(!isIncluded((m + 1) % n, n, leaves[m], prove(leaves, m), top));
    }
  }
});

test("the cosignature of another program", async () => {
  const bytes = new Uint8Array(file("tests/vectors/checkpoint.txt")), witness = parseKey(lines("tests/vectors/checkpoint.vkeys")[1], TYPE_WITNESS);
  const note = splitNote(bytes), time = await cosignedAt(note, witness);
  assert.ok(time > 0 && Number.isSafeInteger(time));
  assert.equal(await cosignedAt(note, keyOf("other.example", witness.key, TYPE_WITNESS)), null);
  await assert.rejects(cosignedAt({ ...note, text: note.text.replace("70000", "70001") }, witness), Malformed);
  const [log, own] = note.signatures, later = Uint8Array.from(own.signature);
  later[7] ^= 1;
  await assert.rejects(cosignedAt({ ...note, signatures: [log, { ...own, signature: later }] }, witness), Malformed);
  await assert.rejects(cosignedAt({ ...note, signatures: [log, own, own] }, witness), Malformed);
});

test("witness policies", () => {
  const [log, w] = lines("tests/vectors/checkpoint.vkeys"), raw = Buffer.from(w.split("+")[2], "base64");
  const other = Buffer.from(log.split("+").slice(2).join("+"), "base64").subarray(1);
  const vkey = (n, key) => {
    const k = keyOf(n, key, TYPE_WITNESS);
    return `${n}+${toHex(k.id)}+${toBase64(Uint8Array.of(TYPE_WITNESS, ...key))}`;
  };
  const a = vkey("w0.example", raw.subarray(1)), b = vkey("w1.example", other);
  const two = `witness a ${a} https://a.example\nwitness b ${b}\n`;
  const met = (text, ...signed) => new Policy(text).met(new Set(signed));
  assert.deepEqual([met(`${two}quorum a\n`, 0), met(`${two}quorum a\n`, 1), met(`${two}quorum none\n`, 0, 1)], [true, false, false]);
  for (const [k, one] of [["any", true], ["1", true], ["all", false], ["2", false]]) {
    const text = `# x\n\n\t${two}group g ${k} a b\nquorum g\n`;
    assert.deepEqual([met(text), met(text, 0), met(text, 0, 1)], [false, one, true], k);
  }
  assert.ok(met(`${two}group g all b\ngroup h all a g\nquorum h\n`, 0, 1));
  assert.equal(new Policy(`log ${log}\nquorum none\n`).logs[0].name, "cn.example/ledger");
  assert.ok(new Policy(Uint8Array.from(Buffer.concat([Buffer.from("witness K"), Buffer.of(0xff), Buffer.from(` ${a}\nquorum K`), Buffer.of(0xff), Buffer.from("\n")]))));
  for (const bad of ["", "quorum a\n", `${two}`, `${two}quorum a`, `${two}quorum a\nquorum a\n`, `${two}quorum c\n`, `${two}quorum\n`, `${two}quorum a b\n`,
    `witness a ${log}\nquorum a\n`, `log ${a}\nquorum none\n`, `witness a ${a}\nwitness b ${a}\nquorum a\n`, `witness a ${a}\nwitness a ${b}\nquorum a\n`,
    `witness none ${a}\nquorum none\n`, `${two}group g 3 a b\nquorum g\n`, `${two}group g 0 a\nquorum g\n`, `${two}group g 01 a\nquorum g\n`,
    `${two}group g any a a\nquorum g\n`, `${two}group g any a\ngroup h any a\nquorum h\n`, `${two}group g any h\nquorum g\n`, `${two}group g any\nquorum g\n`,
    `${two}group a any b\nquorum a\n`, `witness a\nquorum none\n`, `witness a ${a} https://x y\nquorum a\n`, `${two}quorum a\r\n`, `what\nquorum none\n`,
    `witness ${"n".repeat(256)} ${a}\nquorum none\n`, `witness a ${a} ${"u".repeat(513)}\nquorum a\n`, `${"#\n".repeat(32768)}quorum none\n`])
    assert.throws(() => new Policy(bad), Malformed, bad.slice(0, 200));
});

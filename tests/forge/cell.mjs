// A cell's ledger read whole and written back, signed again: a third reader and writer, sharing nothing with the others, so
// that what is changed on the way is all that differs. For tests alone.
import { createHash, createHmac, createPrivateKey, sign } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash("sha256")).digest();
const node = (a, b) => sha256(Buffer.of(1), a, b);
export const leaf = (bytes) => sha256(Buffer.of(0), bytes);

export function root(hashes) {
  if (!hashes.length) return sha256();
  if (hashes.length === 1) return hashes[0];
  let k = 1;
  while (2 * k < hashes.length) k *= 2;
  return node(root(hashes.slice(0, k)), root(hashes.slice(k)));
}

/** CBOR as trees: ["u", n] ["b", bytes] ["t", bytes] ["a", items] ["m", [[key, value]…]] ["s", byte] ["raw", bytes]. */
export function decode(bytes, at = { i: 0 }) {
  const first = bytes[at.i++], type = first >> 5, low = first & 31;
  if (type === 7) return ["s", first];
  let n = BigInt(low);
  if (low >= 24) {
    const width = 1 << (low - 24);
    n = BigInt(`0x${bytes.subarray(at.i, at.i + width).toString("hex")}`);
    at.i += width;
  }
  if (type === 0) return ["u", n];
  if (type === 2 || type === 3) {
    at.i += Number(n);
    return [type === 2 ? "b" : "t", bytes.subarray(at.i - Number(n), at.i)];
  }
  const items = Array.from({ length: Number(n) }, () => (type === 4 ? decode(bytes, at) : [decode(bytes, at), decode(bytes, at)]));
  return [type === 4 ? "a" : "m", items];
}

function headOf(type, n) {
  n = BigInt(n);
  if (n < 24n) return Buffer.of((type << 5) | Number(n));
  const width = n < 1n << 8n ? 1 : n < 1n << 16n ? 2 : n < 1n << 32n ? 4 : 8;
  return Buffer.concat([Buffer.of((type << 5) | (24 + Math.log2(width))), Buffer.from(n.toString(16).padStart(2 * width, "0"), "hex")]);
}

export function encode([type, v]) {
  switch (type) {
    case "u": return headOf(0, v);
    case "b": return Buffer.concat([headOf(2, v.length), v]);
    case "t": return Buffer.concat([headOf(3, v.length), v]);
    case "a": return Buffer.concat([headOf(4, v.length), ...v.map(encode)]);
    case "m": return Buffer.concat([headOf(5, v.length), ...v.flatMap(([k, x]) => [encode(k), encode(x)])]);
    case "raw": return v;
    default: return Buffer.of(v);
  }
}

/** The value of a small key of a map, or undefined. */
export const get = (map, key) => map[1].find(([k]) => k[1] === BigInt(key))?.[1];
export function set(map, key, value) {
  const pair = map[1].find(([k]) => k[1] === BigInt(key));
  if (pair) pair[1] = value;
  else {
    map[1].push([["u", BigInt(key)], value]);
    map[1].sort((a, b) => (a[0][1] < b[0][1] ? -1 : 1));
  }
}

const tileName = (n) => {
  const three = (x) => String(x).padStart(3, "0");
  return n < 1000 ? three(n) : `x${three(Math.floor(n / 1000))}/${three(n % 1000)}`;
};
const pathOf = (n, width) => (width < 256 ? `${tileName(n)}.p/${width}` : tileName(n));

function pieces(bytes, width) {
  const out = [];
  for (let at = 0; at < bytes.length;) {
    const n = bytes.readUIntBE(at, width);
    out.push(bytes.subarray(at + width, at + width + n));
    at += width + n;
  }
  return out;
}

const framed = (items, width) => Buffer.concat(items.flatMap((x) => {
  const n = Buffer.alloc(width);
  n.writeUIntBE(x.length, 0, width);
  return [n, x];
}));

export class Cell {
  /** entries: [{bytes, rows: [bytes] or null}]; items: evidence as trees. */
  constructor(folder) {
    const [origin, size] = readFileSync(join(folder, "ledger/checkpoint"), "utf8").split("\n");
    Object.assign(this, { origin, entries: [], seed: readFileSync(join(folder, "signer/log.key")) });
    this.vkey = readFileSync(join(folder, "ledger.vkey"), "utf8");
    for (let n = 0; n * 256 < Number(size); n++) {
      const path = pathOf(n, Math.min(256, Number(size) - n * 256));
      const groups = pieces(readFileSync(join(folder, "rows", path)), 4);
      pieces(readFileSync(join(folder, "ledger/tile/entries", path)), 2)
        .forEach((bytes, i) => this.entries.push({ bytes, rows: pieces(groups[i], 4) }));
    }
    this.items = [];
    const evidence = readFileSync(join(folder, "evidence.cborseq"));
    for (const at = { i: 0 }; at.i < evidence.length;) this.items.push(decode(evidence, at));
  }

  tree(i) {
    return decode(this.entries[i].bytes);
  }

  /** Count and root of an entry's rows follow from them. */
  commit(i) {
    const e = this.entries[i], tree = decode(e.bytes);
    if (get(tree, 5)) {
      set(tree, 4, ["u", BigInt(e.rows.length)]);
      set(tree, 5, ["b", root(e.rows.map(leaf))]);
      e.bytes = encode(tree);
    }
  }

  /** The evidence item of a row, with the row's commitment made anew from it. */
  recommit(i, j, item) {
    const salt = get(item, 4)[1], row = decode(this.entries[i].rows[j]);
    set(row, 6, ["b", createHmac("sha256", salt).update("bourn evidence v1\n").update(get(item, 5)[1]).digest()]);
    this.entries[i].rows[j] = encode(row);
    this.commit(i);
  }

  write(folder) {
    rmSync(folder, { recursive: true, force: true });
    const put = (name, bytes) => {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), bytes);
    };
    put("ledger.vkey", this.vkey);
    put("signer/log.key", this.seed);
    put("evidence.cborseq", Buffer.concat(this.items.map(encode)));
    const size = this.entries.length;
    let level = this.entries.map((e) => leaf(e.bytes));
    const top = root(level);
    for (let n = 0; n * 256 < size; n++) {
      const part = this.entries.slice(256 * n, 256 * n + 256), path = pathOf(n, part.length);
      put(`ledger/tile/entries/${path}`, framed(part.map((e) => e.bytes), 2));
      put(`rows/${path}`, framed(part.map((e) => framed(e.rows, 4)), 4));
    }
    for (let l = 0; level.length; l++) {
      const next = [];
      for (let n = 0; n * 256 < level.length; n++) {
        const part = level.slice(256 * n, 256 * n + 256);
        put(`ledger/tile/${l}/${pathOf(n, part.length)}`, Buffer.concat(part));
        if (part.length === 256) next.push(root(part));
      }
      level = next;
    }
    const body = `${this.origin}\n${size}\n${top.toString("base64")}\n`;
    put("ledger/checkpoint", this.note(body) + (this.cosign?.(body) ?? ""));
  }

  /** A signed note over this text. */
  note(text) {
    const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), this.seed]);
    const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const [name, id] = this.vkey.trim().split("+");
    return `${text}\n\u2014 ${name} ${Buffer.concat([Buffer.from(id, "hex"), sign(null, Buffer.from(text), key)]).toString("base64")}\n`;
  }
}

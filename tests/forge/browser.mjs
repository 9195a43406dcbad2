// browser.mjs CELL: web/verify.mjs as a page has it: files from memory, and nothing of Node's left when it is imported. Prints
// the report, and before it how often progress was told.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const cell = process.argv[2], files = new Map();
function load(folder, name) {
  for (const entry of readdirSync(join(cell, folder))) {
    const path = join(folder, entry), below = name ? `${name}/${entry}` : entry;
    if (statSync(join(cell, path)).isDirectory()) load(path, below);
    else files.set(`${folder.split("/")[0]}:${below}`, new Uint8Array(readFileSync(join(cell, path))));
  }
}
load("ledger", "");
load("rows", "");
const key = readFileSync(join(cell, "ledger.vkey"), "utf8"), evidence = new Uint8Array(readFileSync(join(cell, "evidence.cborseq")));
const head = files.get("ledger:checkpoint");

const write = process.stdout.write.bind(process.stdout);
globalThis.crypto ??= (await import("node:crypto")).webcrypto; // a page has it, Node 18 by this name
for (const name of ["process", "Buffer", "require", "global", "setImmediate"]) delete globalThis[name];

async function* pieces() {
  for (let at = 0; at < evidence.length; at += 1000) yield evidence.subarray(at, at + 1000);
}
const source = {
  live: false, read: async (path) => files.get(`ledger:${path}`) ?? null, rows: async (path) => files.get(`rows:${path}`) ?? null,
  evidence: { saved: pieces() },
};
const { verify } = await import("../../web/verify.mjs");
let steps = 0;
for await (const x of verify({ source, key, heads: [head] })) {
  if (x.report) write(`${steps}\n${JSON.stringify(x.report)}\n`);
  steps++;
}

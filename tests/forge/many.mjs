// Runs web/verify.mjs over many ledgers in one process: a JSON object a line on standard input ({folder, key, rows, evidence,
// heads, receipts, policy, continues, continues_rows, pins}, as the command's options), the report a line on standard output, or {crash: stack}.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { folderSource } from "../../web/verify/node.mjs";
import { verify } from "../../web/verify.mjs";

async function one({ folder, key, rows, evidence, heads = [], receipts = [], policy, continues, continues_rows, pins = [] }) {
  const source = folderSource(folder, { rows, evidence });
  const [read, kept] = await Promise.all([heads, receipts].map((names) => Promise.all(names.map((name) => readFile(name)))));
  const more = { receipts: kept, policy: policy ? await readFile(policy) : null, continues: continues ? folderSource(continues, { rows: continues_rows }) : null };
  for await (const x of verify({ source, key: await readFile(key, "utf8"), heads: read, pins, ...more })) if (x.report) return x.report;
  throw new Error("no report");
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await one(JSON.parse(line)).catch((e) => ({ crash: e.stack }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

// The command: node web/verify.mjs FOLDER|URL --key FILE … with the options, the report and the exit codes of bourn-verify.
import { constants, realpathSync } from "node:fs";
import { lstat, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Malformed, toBase64, Unreadable } from "./bytes.mjs";
import { Unsigned } from "./note.mjs";
import { asText } from "./text.mjs";
import { openKept, urlSource, verify } from "../verify.mjs";

const FILE_BYTES_MAX = 1024 * 1024 * 1024;
const HELP = `usage: node verify.mjs FOLDER|URL --key VKEY-FILE [options]
       node verify.mjs --key VKEY-FILE (--receipt FILE | --proof FILE)... [--json]
Replays a ledger and says, clause by clause, what holds: bourn-verify once more, in JavaScript. Without a ledger, checks
receipts and proofs by themselves.
  --key FILE            public key of the log (vkey)
  --rows FOLDER         the rows, for auditors (a cell's rows/)
  --evidence FILE       evidence saved by --save-evidence
  --head FILE           an earlier signed checkpoint; may be repeated
  --receipt FILE        a receipt from earlier; may be repeated
  --proof FILE          an answer of GET /v1/ledger/proof/INDEX from earlier; may be repeated
  --policy FILE         witnesses to trust (C2SP tlog-policy)
  --continues PLACE     folder or URL of the log that this one continues
  --continues-rows FOLDER  its rows
  --pin HEX             pin of a pack to trust beside those that ship; may be repeated
  --save-head FILE      keep the checkpoint that was verified, for the next --head
  --save-evidence FILE  keep what a URL opened (mode 0600)
  --purpose TERM        with a token whose party has several purposes
  --json                report as JSON
With BOURN_TOKEN set, a URL is asked for rows and evidence too.
exit: 0 nothing violated, only erasure left anything undecided; 1 violated; 2 something was not read, not
examined or is not pinned; 64 usage
`;

const isUrl = (place) => /^https?:\/\//.test(place);

class Usage extends Error {}

function parse(args) {
  const o = { heads: [], kept: [], receipts: [], proofs: [], pins: [] };
  const take = { "--key": "key", "--rows": "rows", "--evidence": "evidence", "--head": "heads", "--receipt": "receipts", "--proof": "proofs", "--policy": "policy", "--continues": "continues",
    "--continues-rows": "continuesRows", "--pin": "pins", "--save-head": "saveHead",
    "--save-evidence": "saveEvidence", "--purpose": "purpose" };
  for (let i = 0; i < args.length; i++) {
    const a = args[i];
    if (a === "--json") o.json = true;
    else if (a === "--help" || a === "-h") o.help = true;
    else if (take[a]) {
      if (++i === args.length) throw new Usage(`${a} needs a value`);
      if (a === "--receipt" || a === "--proof") o.kept.push({ kind: a.slice(2), name: args[i] });
      if (Array.isArray(o[take[a]])) o[take[a]].push(args[i]);
      else o[take[a]] = args[i];
    } else if (a.startsWith("-")) throw new Usage(`unknown option ${a}`);
    else if (o.place === undefined) o.place = a;
    else throw new Usage(`one folder or URL, not also ${a}`);
  }
  if (o.help) return o;
  o.offline = o.place === undefined && !!o.key && o.kept.length > 0;
  if ((o.place === undefined && !o.offline) || !o.key) throw new Usage("a folder or URL, and --key, are needed");
  if (o.pins.some((p) => !/^[0-9a-f]{64}$/.test(p))) throw new Usage("--pin takes 64 hex digits");
  if (o.evidence && !o.rows) throw new Usage("--evidence says nothing without the rows: give --rows too");
  if (o.saveEvidence && !(isUrl(o.place) && process.env.BOURN_TOKEN)) throw new Usage("--save-evidence keeps what a URL opens: it needs a URL and BOURN_TOKEN");
  return o;
}

/** A file below a folder: null where there is none; links, pipes and devices are not followed. */
async function readBelow(folder, path) {
  let at = folder;
  const parts = path.split("/");
  try {
    for (const part of parts.slice(0, -1)) {
      at = join(at, part);
      if (!(await lstat(at)).isDirectory()) throw new Unreadable(`${path}: no folder on the way to it`);
    }
    return await readPlain(join(folder, path), path);
  } catch (e) {
    if (e.code === "ENOENT") return null;
    if (e.code) throw new Unreadable(`${path}: ${e.message}`);
    throw e;
  }
}

async function readPlain(name, path) {
  const file = await open(name, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Unreadable(`${path}: it is no file`);
    if (stat.size > FILE_BYTES_MAX) throw new Unreadable(`${path}: it is too large`);
    return new Uint8Array(await file.readFile());
  } finally {
    await file.close();
  }
}

async function* savedChunks(name) {
  const file = await open(name, "r").catch((e) => {
    throw new Unreadable(`${name}: ${e.message}`);
  });
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read({ buffer: new Uint8Array(65536), length: 65536 });
      if (!bytesRead) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

export function folderSource(folder, { rows = null, evidence = null } = {}) {
  const source = { live: false, read: (path) => readBelow(folder, path) };
  if (rows) source.rows = (path) => readBelow(rows, path);
  if (evidence) source.evidence = { saved: savedChunks(evidence) };
  return source;
}

async function given(name) {
  try {
    return await readFile(name);
  } catch (e) {
    throw new Unreadable(`${name}: ${e.message}`);
  }
}

/** The log before: its rows come from a folder alone. */
async function sourceBefore(o) {
  const rows = o.continuesRows ?? null;
  if (!isUrl(o.continues)) return folderSource(o.continues, { rows });
  const source = await urlSource(o.continues);
  if (rows) source.rows = (path) => readBelow(rows, path);
  return source;
}

async function sourceOf(o) {
  if (!isUrl(o.place)) return folderSource(o.place, o);
  return urlSource(o.place, { token: process.env.BOURN_TOKEN || null, purpose: o.purpose ?? null });
}

function bar(done, total) {
  const share = Math.floor((100 * done) / total);
  process.stderr.write(`\r${done} of ${total} entries, ${share} %${done === total ? "\n" : ""}`);
}

async function run(o) {
  const key = (await given(o.key)).toString("utf8");
  const [heads, receipts, proofs] = await Promise.all([o.heads, o.receipts, o.proofs].map((names) => Promise.all(names.map(given))));
  const policy = o.policy ? await given(o.policy) : null, continues = o.continues ? await sourceBefore(o) : null;
  const saved = o.saveEvidence ? await open(o.saveEvidence, "w", 0o600) : null;
  let last;
  try {
    const keep = saved && ((bytes) => saved.write(bytes));
    for await (const x of verify({ source: await sourceOf(o), key, heads, receipts, proofs, policy, continues, pins: o.pins, keep })) {
      if (!x.report && process.stderr.isTTY) bar(x.done, x.total);
      last = x;
    }
  } finally {
    await saved?.close();
  }
  const { report, checkpoint } = last;
  const sound = !report.clauses.some((c) => (c.id === "S1" || c.id === "V1") && c.violated);
  if (o.saveHead && checkpoint && sound) await writeFile(o.saveHead, checkpoint);
  process.stdout.write(o.json ? `${JSON.stringify(report)}\n` : asText(report));
  return report.exit;
}

/** Receipts and proofs by themselves. 1: one does not hold. */
async function runOffline(o) {
  const key = (await given(o.key)).toString("utf8"), kept = [];
  for (const { kind, name } of o.kept) {
    const [x] = await openKept({ key, [`${kind}s`]: [await given(name)] });
    kept.push({ kind: x.event ? "event" : kind, entry: x.index, leaf: toBase64(x.leaf), size: x.size, root: toBase64(x.root), ...(kind === "proof" ? { rows: x.rows } : {}) });
  }
  const line = (k) => `the ${k.kind} holds: entry ${k.entry}, in the tree of ${k.size} entries\n`;
  process.stdout.write(o.json ? `${JSON.stringify({ exit: 0, kept })}\n` : kept.map(line).join(""));
  return 0;
}

async function command(args) {
  let o = {};
  try {
    o = parse(args);
    if (o.offline) return await runOffline(o);
    if (!o.help) return await run(o);
    process.stdout.write(HELP);
    return 0;
  } catch (e) {
    if (![Usage, Malformed, Unreadable, RangeError].some((c) => e instanceof c)) throw e;
    process.stderr.write(`verify.mjs: ${e.message}\n${e instanceof Usage ? HELP : ""}`);
    return e instanceof Usage || e instanceof RangeError ? 64 : o.offline && e instanceof Unsigned ? 1 : 2;
  }
}

/** Runs the command if the module at this URL is the program. */
export async function runIfCalled(url) {
  if (realpathSync(process.argv[1]) !== fileURLToPath(url)) return;
  process.exitCode = await command(process.argv.slice(2));
}

// A second, independent verifier of bourn's ledgers, for browsers and Node: docs/formats/verify.md and findings.md.
//
//   for await (const x of verify({ source: urlSource("https://cn.example/ledger"), key: "cn.example/ledger+…" }))
//     if (x.report) show(x.report); else bar(x.done, x.total);
//
// A source gives the bytes of a ledger, all of it hostile:
//   read(path)      the file below the ledger's folder ("checkpoint", "tile/0/000"), or null where there is none
//   rows(path)      the same of the rows ("000"); left out where they are not given
//   evidence        { saved: async iterable of chunks } or { range(from, to): bytes }; left out where it is not given
//   party           { index, purpose } of who asks, where that is known
//   live            whether a later checkpoint may be there a second later
// The log before, where a log continues one, is a source too, with read and perhaps rows.
import { compare, Malformed, Unreadable, utf8 } from "./verify/bytes.mjs";
import { shippedPins } from "./verify/coverage.mjs";
import { AskedEvidence, SavedEvidence } from "./verify/evidence.mjs";
import { checkForeignHeads, checkIdentity, checkOld, foreignHead } from "./verify/continued.mjs";
import { openProof, openReceipt } from "./verify/kept.mjs";
import { openCheckpoint, parseKey } from "./verify/note.mjs";
import { Policy } from "./verify/policy.mjs";
import { Replay } from "./verify/replay.mjs";
import { NewerFormat } from "./verify/world.mjs";
import { emptyRoot, TILE_WIDTH } from "./verify/tree.mjs";

export { urlSource } from "./verify/url.mjs";

const LATER_MAX = 5, COSIGNATURES_LATER_MAX = 5;

const asBytes = (x) => (typeof x === "string" ? utf8(x) : x);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * Replays a ledger. `key` is the text of its public key; `heads`, `receipts` and `proofs` texts or bytes of what was kept of it;
 * `policy` text of the witnesses to trust; `continues` a source of the log before; `pins` hex of packs to trust beside those
 * that ship; `keep(bytes)`, if given, gets what a server opened. Yields {done, total} after each bundle,
 * and at last {report, checkpoint}: the report of docs/formats/verify.md, JSON, and the checkpoint's bytes.
 */
export async function* verify({ source, key, heads = [], receipts = [], proofs = [], policy = null, continues = null, pins = [], keep = null }) {
  const log = parseKey(key);
  const evidence = !source.evidence ? null : source.evidence.saved ? new SavedEvidence(source.evidence.saved) : new AskedEvidence(source.evidence.range, keep);
  const said = await openKept({ key, receipts, proofs }), trusted = policy === null ? null : policyOf(policy, log);
  const replay = new Replay({ source, key: log, pins: new Set([...shippedPins(), ...pins]), evidence, kept: said, policy: trusted });
  let error = null;
  try {
    yield* steps(replay, heads.map(asBytes), continues);
  } catch (e) {
    if (!(e instanceof Unreadable || e instanceof NewerFormat)) throw e;
    error = e.message;
  } finally {
    await evidence?.close();
  }
  if (error === null) replay.settle();
  yield { report: replay.report(error), checkpoint: replay.checkpoint?.bytes ?? null };
}

/** What receipts and proofs say, by themselves: {index, leaf, size, root} of each; throws Malformed, Unsigned if one does not hold. */
export async function openKept({ key, receipts = [], proofs = [] }) {
  const log = parseKey(key), out = [];
  for (const r of receipts) out.push(await openReceipt(asBytes(r), log));
  for (const p of proofs) out.push(await openProof(asBytes(p), log));
  return out;
}

function policyOf(text, log) {
  const policy = new Policy(text);
  if (policy.logs.length && !policy.logs.some((l) => l.name === log.name && compare(l.key, log.key) === 0))
    throw new RangeError("the policy lists logs, and this one is not among them");
  return policy;
}

async function open(bytes, replay, what) {
  try {
    return await openCheckpoint(bytes, replay.key);
  } catch (e) {
    if (e instanceof Malformed) throw new Unreadable(`${what}: ${e.message}`);
    throw e;
  }
}

/** From a server it waits a little for the cosignatures on a checkpoint that has just been published. */
async function readCheckpoint(replay) {
  for (let i = 0; ; i++) {
    const bytes = await replay.source.read("checkpoint");
    if (!bytes) throw new Unreadable("checkpoint: it is not there");
    const checkpoint = await open(bytes, replay, "checkpoint");
    if (!replay.source.live || i === COSIGNATURES_LATER_MAX || !(await replay.witnesses.isMissing(checkpoint))) return checkpoint;
    await wait(1000);
  }
}

/** One that another key signed may be of the log before: that is known at the end. */
async function openHead(bytes, replay) {
  try {
    replay.heads.push(await openCheckpoint(bytes, replay.key));
  } catch (e) {
    if (!(e instanceof Malformed)) throw e;
    const foreign = foreignHead(bytes);
    if (!foreign) throw new Unreadable(`an earlier head: ${e.message}`);
    if (foreign.size === 0) foreign.root = emptyRoot();
    replay.foreign.push(foreign);
  }
}

async function* steps(replay, heads, continues) {
  await replay.items?.fill();
  replay.checkpoint = await readCheckpoint(replay);
  for (const head of heads) await openHead(head, replay);
  replay.tree.checkHeads(replay.checkpoint.size);
  for (const head of replay.heads) if (head.size === 0) replay.tree.checkHead(head);
  yield* upTo(replay, replay.checkpoint);
  if (replay.source.live) yield* goOn(replay);
  if (replay.evidenceGiven) await replay.items.end();
  checkIdentity(replay);
  replay.identified = true;
  await checkForeignHeads(replay);
  if (continues) await checkOld(replay, continues);
  replay.kept.missing();
  await replay.witnesses.checkpoint(replay.checkpoint);
}

async function* upTo(replay, checkpoint) {
  while (replay.size < checkpoint.size) {
    await replay.bundle(Math.floor(replay.size / TILE_WIDTH), checkpoint);
    yield { done: replay.size, total: checkpoint.size };
  }
  await replay.tree.finish(checkpoint);
}

/** Evidence may have died since the checkpoint was fixed: later ones are asked before anybody is accused. */
async function* goOn(replay) {
  for (let i = 0; i < LATER_MAX && replay.someErasureIsUnexplained(); i++) {
    await wait(1000);
    const later = await readCheckpoint(replay);
    if (later.size < replay.size) {
      replay.tally.violated("V1", { size: later.size }, `the log went back to ${later.size} entries while it was read`);
      return;
    }
    replay.checkpoint = later;
    yield* upTo(replay, later);
  }
}

// As a program, in Node alone; not awaited, because that module needs this one whole.
if (globalThis.process?.versions?.node && process.argv[1]) import("./verify/node.mjs").then((m) => m.runIfCalled(import.meta.url));

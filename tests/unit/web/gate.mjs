// web/verify/gate.mjs against the cases of tests/unit/gate/cases.c: every combination of what the gate looks at, with what
// the gate in C answers. The third gate, after that one and oracle.py.
//
//   gate.mjs GATE-CASES PACKS-EMBED PACK.yaml…
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { decide } from "../../../web/verify/gate.mjs";
import { decodePack } from "../../../web/verify/pack.mjs";

const LETTERS = "hpmw", NEVER = 2n ** 64n - 1n;
// What embeds packs wants an example in each, so each is given one that always holds.
const EXAMPLE = "examples:\n  - { domicile: CN, destination: CN, operation: self, verdict: allow }\n";

/** The compiled rules of each pack, read back from the C that packs-embed makes of them. */
function compile(embed, paths) {
  const folder = mkdtempSync(join(tmpdir(), "bourn-gate-"));
  const copies = paths.map((p) => {
    const text = readFileSync(p, "utf8"), copy = join(folder, basename(p));
    writeFileSync(copy, text.includes("\nexamples:") ? text : text + EXAMPLE);
    return copy;
  });
  const made = spawnSync(embed, ["builtin", join(folder, "packs.c"), ...copies], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(made.stderr);
  const source = readFileSync(join(folder, "packs.c"), "utf8");
  rmSync(folder, { recursive: true });
  return [...source.matchAll(/ rules_\d+\[\] = \{([^}]*)\}/g)].map(([, list]) => decodePack(Uint8Array.from(list.split(",").filter((x) => x.trim()), Number)));
}

const list = (text) => (text ? text.split(",") : []);

function consentOf(text) {
  const [index, grade, voucher, issued, expires, withdrawn, purposes, destinations, collections, recipients] = text.split("/");
  return {
    index: Number(index), grade: Number(grade), voucher: Number(voucher), issued: Number(issued),
    expires: BigInt(expires) === NEVER ? Infinity : Number(expires), withdrawnAt: BigInt(withdrawn) === NEVER ? null : Number(withdrawn),
    purposes: list(purposes), destinations: list(destinations), collections: list(collections), recipients: list(recipients).map(Number),
  };
}

function question(f, packs) {
  const declared = new Map(f[6].split(";").map((p) => p.split("=")).map(([p, ground]) => [p, ground || null]));
  return {
    packs: f[0] === "-" ? [] : [...f[0]].map((letter) => packs[LETTERS.indexOf(letter)]), operation: Number(f[1]),
    party: { index: Number(f[3]), rights: Number(f[2]), ended: BigInt(f[4]) === NEVER ? null : Number(f[4]), purposes: declared },
    destination: f[5], domicile: f[7], collection: f[8] || undefined, sensitive: f[9] === "1", purpose: f[10],
    time: Number(f[11]), at: Number(f[12]), consents: f[13] ? f[13].split(";").map(consentOf) : [],
  };
}

const VERDICTS = ["deny", "needs_human", "allow"];

async function main() {
  const [program, embed, ...paths] = process.argv.slice(2);
  const packs = compile(embed, paths);
  const run = spawn(program, paths, { stdio: ["ignore", "pipe", "inherit"] });
  const seen = [0, 0, 0];
  let differences = 0, told = 0;
  for await (const line of createInterface({ input: run.stdout })) {
    const f = line.split("\t"), got = decide(question(f, packs));
    const bases = got.bases.map((b) => `${b.grade}:${b.index}`).join(",");
    const verdict = VERDICTS.indexOf(got.verdict);
    seen[Number(f[14])]++;
    // The first rule that is not satisfied is named as the case's results have it.
    const worst = f[17].split(",").map((r) => r.split("=")).filter((r) => r[1] === f[14]).map((r) => r[0])[0];
    const same = verdict === Number(f[14]) && got.code === f[15] && bases === f[16] && (verdict === 2 || !got.rule || got.rule === worst);
    if (!same) {
      differences++;
      if (told++ < 5) console.log(`differs: ${line}\n  verify.mjs: ${JSON.stringify(got)}`);
    }
  }
  const n = seen[0] + seen[1] + seen[2];
  console.log(`${n} combinations (${seen[0]} deny, ${seen[1]} needs_human, ${seen[2]} allow), ${differences} differ`);
  process.exitCode = n <= 100000 || seen.includes(0) || differences ? 1 : 0;
}

await main();

// The report as text, for people.

const words = (counts) => Object.entries(counts).filter(([, n]) => n).map(([word, n]) => `${word} ${n}`).join("; ");

function head({ checkpoint: c, coverage: v }) {
  const out = [];
  if (c) out.push(["log", c.origin], ["checkpoint", `size ${c.size}, root ${c.root}, extends ${c.earlier_heads} earlier heads`]);
  if (c?.continues) out.push(["continues", `${c.continues.origin}, from entry ${c.continues.entry} on; that log had ${c.continues.known}`]);
  if (c?.receipts) out.push(["receipts", `${c.receipts} kept receipts and proofs, all in this log`]);
  if (v.witnesses.policy_given) out.push(["witnesses", `a quorum has cosigned ${v.witnesses.cosigned_size} of ${c?.size ?? 0} entries`]);
  if (v.witnesses.entries) out.push(["", `${v.witnesses.entries} entries with cosignatures, which bound the clock`]);
  out.push(["entries", `${v.entries}`], ["people", `${v.people}, ${v.erased} of them erased`]);
  out.push(["disclosures", `${v.disclosures}, ${v.transfers} of them to another country; ${words(v.by_grade) || "none"}`]);
  for (const [who, n] of Object.entries(v.subject_signed_by_voucher)) if (n) out.push(["", `subject-signed, key vouched for by ${who}: ${n}`]);
  out.push(["own copies", `${v.own_copies.total} that people asked for themselves`]);
  out.push(["histories", `${v.own_histories} that people asked for themselves`]);
  out.push(["", "an operator's word cannot be told from a false one"]);
  const e = v.evidence;
  out.push(["evidence", v.evidence_given ? `${e.opened} opened, ${e.erased} erased, ${e.refused} refused, ${e.withheld} withheld` : "not given"]);
  for (const p of v.packs)
    out.push(["pack", `${p.name} version ${p.version} (entry ${p.entry}): ${p.rules} rules, ${p.unreviewed} unreviewed, ${p.pinned ? "pinned" : `NOT PINNED: ${p.pin}`}`]);
  if (v.delay_s === 0) out.push(["delay", "0: changed packs and schemas count at once"]);
  return out.map(([word, text]) => `${word.padEnd(12)} ${text}`);
}

function clause(c, violations) {
  const notes = c.why ? [`: ${c.why}`] : [];
  const where = violations.filter((v) => v.clause === c.id).map((v) => (v.entry !== undefined ? `entry ${v.entry}` : `size ${v.size}`));
  if (where.length) notes.push(`: ${[...new Set(where)].slice(0, 5).join(", ")}`);
  const { person, party, operator } = c.erased;
  for (const [who, n] of [["the person", person], ["a party", party], ["the operator", operator]]) if (n) notes.push(`; ${n} erased at the wish of ${who}`);
  return `${c.id}  ${c.verdict}${notes.join("")}`;
}

// What came from the log is shown without anything that could steer a terminal.
const plain = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "?");

export function asText(r) {
  const out = [...head(r), "", ...r.clauses.map((c) => clause(c, r.violations)), ""];
  if (r.violations_total) {
    out.push(`${r.violations_total} violations${r.violations_total > r.violations.length ? `, the first ${r.violations.length}` : ""}:`);
    for (const v of r.violations) out.push(`  ${v.entry !== undefined ? `entry ${v.entry}` : `size ${v.size}`}  ${v.clause}  ${v.reason}`);
    out.push("");
  }
  if (r.error) out.push(`not everything was read: ${r.error}`, "");
  out.push("This proves what was recorded, not where a disk stands, what a recipient does afterwards, or that a person", "understood what they signed.");
  return `${out.map(plain).join("\n")}\n`;
}

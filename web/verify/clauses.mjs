// Which part of the log speaks for which clause of the pledge, and the verdict on each: docs/formats/verify.md.
import { KIND } from "./grammar.mjs";

export const CLAUSES = "P0 K1 K2 K3 K4 K5 C1 C2 C3 C4 H1 H2 H3 T1 T2 T3 T4 S1 S2 S3 V1 V2 V3".split(" ");

const none = [];
const TABLE = {
  genesis: { entry: "V1 V2" }, policy: { entry: "V2" }, config: { entry: "V2" }, collection: { entry: "K1 V2" },
  party: { entry: "C2 K4" }, notice: { entry: "K5" }, enrolled: { entry: "C2", rows: "K3 K4" },
  key: { rows: "C2", evidence: "C2 S3" },
  consent: { entry: "C2", rows: "K5 C1 C3 H1 S3", evidence: "K2 K5 C1 C2 C3 C4 H1 S3" },
  withdrawn: { rows: "H1" },
  stored: { entry: "K1 K2", rows: "K3 C1 C3 S1 S3" },
  deleted: { entry: "K2", rows: "K3 C3 S1" },
  disclosed: { entry: "K1 K2 K4 S2", rows: "K3 C2 C3 C4 H1 S2 S3" },
  refused: { entry: "C4" }, erased: { rows: "H1" }, expired: { entry: "K1", rows: "K1 S1" },
  exported: { rows: "K1 K3 C2 C3 H3 S1", evidence: "C2 C3 H3" },
  witnessed: { entry: "V1" }, continued: { entry: "V1" }, carried: { entry: "H1", rows: "H1" },
};

/** {entry, rows, evidence}: lists of clauses, V3 among each that is not empty. */
export const SPEAKS = {};
for (const kind in TABLE) {
  const split = (words) => (words ? [...words.split(" "), "V3"] : none);
  SPEAKS[KIND[kind]] = { entry: TABLE[kind].entry ? split(TABLE[kind].entry) : ["V3"], rows: split(TABLE[kind].rows), evidence: split(TABLE[kind].evidence) };
}

/** Clauses whose row was decided by the gate, so that they stand only under packs that are pinned. */
export const BY_GATE = new Set(["C1", "C2", "C3", "C4", "S2", "S3"]);

const WISHES = ["", "person", "party", "operator"];
const VIOLATIONS_MAX = 100;

export class Tally {
  constructor() {
    this.counts = Object.fromEntries(CLAUSES.map((id) => [id, {
      examined: 0, violated: 0, not_examined: 0, unpinned: 0, erased: { person: 0, party: 0, operator: 0 },
    }]));
    this.reasons = new Set();
    this.violations = [];
    this.total = 0;
  }

  count(clauses, what) {
    for (const id of clauses) this.counts[id][what]++;
  }

  /** For evidence that died with its person. */
  countErased(clauses, askedBy) {
    for (const id of clauses) this.counts[id].erased[WISHES[askedBy]]++;
  }

  /** `at` is {entry} or {size}. */
  violated(clause, at, reason) {
    this.counts[clause].violated++;
    this.total++;
    this.violations.push({ clause, ...at, reason });
    if (this.violations.length > 4 * VIOLATIONS_MAX) this.trim();
  }

  trim() {
    const place = (v) => v.entry ?? v.size;
    this.violations.sort((a, b) => place(a) - place(b)); // stable: of one place, in the order in which they were found
    this.violations.length = Math.min(this.violations.length, VIOLATIONS_MAX);
    return this.violations;
  }

  /** {id, verdict, why, …counts} for each clause. */
  verdicts({ stopped, proven, unproven, layers }) {
    return CLAUSES.map((id) => {
      const c = this.counts[id];
      const [verdict, why] = this.verdict(id, c, { stopped, proven, unproven, layers });
      return { id, verdict, why, ...c };
    });
  }

  verdict(id, c, { stopped, proven, unproven, layers }) {
    if (c.violated) return ["violated", ""];
    if (id === "P0") return ["not provable", "no machine can decide it"];
    if (stopped) return ["not examined", "not everything could be read"];
    if (c.not_examined) return ["not examined", layers];
    if ((id === "S1" || id === "V1") && !proven) return ["not provable", unproven];
    if (c.unpinned) return ["not provable", "a pack in force is not pinned"];
    if (c.erased.person + c.erased.party + c.erased.operator) return ["undecidable because erased", ""];
    return c.examined ? ["holds", ""] : ["no entries yet", ""];
  }
}

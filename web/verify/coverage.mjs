// What the replay covered, for the report.
import { GRADE, VOUCHER } from "./grammar.mjs";
import { SHIPPED } from "./pack.mjs";

const GRADES = { [GRADE.subject]: "subject-signed", [GRADE.authority]: "authority-signed", [GRADE.operator]: "operator-attested", [GRADE.ground]: "ground", [GRADE.self]: "self" };
const VOUCHERS = { [VOUCHER.key]: "an earlier key", [VOUCHER.registrar]: "a registrar", [VOUCHER.app]: "an app", [VOUCHER.operator]: "the operator" };

const zero = (words) => Object.fromEntries(Object.values(words).map((w) => [w, 0]));

export class Coverage {
  constructor() {
    this.disclosures = 0;
    this.transfers = 0;
    this.byGrade = zero(GRADES);
    this.byVoucher = zero(VOUCHERS);
    this.copies = 0;
    this.histories = 0;
    this.copiesByVoucher = zero(VOUCHERS);
    this.evidence = { opened: 0, erased: 0, refused: 0, withheld: 0 };
  }

  /** A row of a disclosure, by the bases that it names. */
  disclosed({ entry, world }, row, person) {
    this.disclosures++;
    if (entry.destination !== world.genesis.domicile) this.transfers++;
    for (const b of row.bases) {
      this.byGrade[GRADES[b.grade]]++;
      const consent = b.grade === GRADE.subject && person.consents.find((c) => c.index === b.index);
      if (consent && VOUCHERS[consent.voucher]) this.byVoucher[VOUCHERS[consent.voucher]]++;
    }
  }

  /** A page of a copy; its first one counts. */
  copied(step, row, person) {
    if (row.copy !== undefined) return;
    this.copies++;
    const key = person.keys.find((k) => k.index === row.key);
    if (key && VOUCHERS[key.voucher]) this.copiesByVoucher[VOUCHERS[key.voucher]]++;
  }

  /** As the report has it. */
  report(replay, pins) {
    const people = [...replay.people.values()];
    return {
      entries: replay.size, people: people.length, erased: people.filter((p) => p.erased).length,
      rows_given: replay.rowsGiven, evidence_given: replay.evidenceGiven, delay_s: replay.world.genesis?.delay ?? 0,
      disclosures: this.disclosures, transfers: this.transfers, by_grade: this.byGrade, subject_signed_by_voucher: this.byVoucher,
      own_copies: { total: this.copies, by_voucher: this.copiesByVoucher }, own_histories: this.histories, evidence: this.evidence,
      packs: replay.world.policies.map((p) => ({
        name: p.pack.name, version: p.pack.version, entry: p.index, rules: p.pack.rules.length,
        unreviewed: p.pack.rules.filter((r) => !r.reviewed).length, pinned: pins.has(p.pin), pin: p.pin,
      })),
    };
  }
}

export const shippedPins = () => Object.keys(SHIPPED);

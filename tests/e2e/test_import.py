"""All 12,230 people: imported, read back one by one, every field equal; imported again; broken rows; the replay."""

import csv
import json
import os
import stat
import unittest

import harness
import people


class Import(harness.Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.csv = os.path.join(people.folder(cls.tmp), people.NAME)
        cls.people = people.read(cls.csv)
        cls.mine = os.path.join(cls.tmp, "people.csv")  # rejects lie beside the input
        with open(cls.csv, "rb") as f, open(cls.mine, "wb") as out:
            out.write(f.read())
        cls.cell = harness.Cell(cls.tmp).serve()
        cls.addClassCleanup(cls.cell.close)
        cls.cell.collection(cls.mine)
        cls.CLINIC, cls.DOG = cls.cell.clinic(), cls.cell.watchdog()

    def beside(self):
        return sorted(os.listdir(self.tmp))

    def stored_entries(self):
        return sum(1 for e in self.cell.entries() if e["kind"] == "stored")

    def test_1_import_all(self):
        before = self.beside()
        done = self.cell.load(self.mine, self.CLINIC)
        self.assertEqual(len(self.people), people.COUNT)
        self.assertIn("12230", (done.stdout + done.stderr).replace(",", ""))
        self.assertEqual(self.beside(), before, "a good import leaves no file")

    def test_2_read_back(self):
        connection = self.cell.connect()
        receipts = set()
        for row in self.people:
            answer = self.cell.ask("GET", self.cell.records_path(row["bioguide_id"]), self.CLINIC, harness.HOME_PURPOSE,
                                   connection=connection)
            got = self.ok(answer)
            self.assertEqual([r["data"] for r in got["records"]], [row])
            receipts.add(int(answer.headers["Bourn-Receipt"]))
        self.assertEqual(len(receipts), len(self.people), "every disclosure has an entry of its own")
        connection.close()

    def test_3_a_second_import_skips_every_row(self):
        before = self.stored_entries()
        done = self.cell.load(self.mine, self.CLINIC)
        told = (done.stdout + done.stderr).replace(",", "")
        self.assertRegex(told, r"12230\b.*skip|skip\w*\b.*\b12230")
        self.assertEqual(self.stored_entries(), before, "nothing was stored again")

    def test_4_a_broken_row_is_rejected(self):
        path = os.path.join(self.tmp, "broken.csv")
        good, other = dict(self.people[0], bioguide_id="TEST-1"), dict(self.people[1], bioguide_id="TEST-2")
        people.write(path, [good, other])
        with open(path, "a", newline="") as f:
            f.write("too,few,fields\r\n")
        before = set(self.beside())
        done = self.cell.load(path, self.CLINIC, check=2)
        told = done.stdout + done.stderr
        self.assertRegex(told, r"\b4\b")  # the line
        self.assertRegex(told, r"36|field|column")  # the reason
        made = set(self.beside()) - before
        self.assertEqual(len(made), 1, made)
        rejects = os.path.join(self.tmp, made.pop())
        self.assertEqual(stat.S_IMODE(os.stat(rejects).st_mode), 0o600)
        with open(rejects) as f:
            self.assertIn("too,few,fields", f.read().replace('"', ""))
        for row in (good, other):
            got = self.ok(self.cell.ask("GET", self.cell.records_path(row["bioguide_id"]), self.CLINIC, harness.HOME_PURPOSE))
            self.assertEqual([r["data"] for r in got["records"]], [row])
        os.unlink(rejects)

    def test_5_an_undeclared_column_is_rejected(self):
        path = os.path.join(self.tmp, "more.csv")
        people.write(path, [dict(self.people[0], bioguide_id="TEST-3", shoe_size="44")])
        done = self.cell.load(path, self.CLINIC, check=2)
        self.assertIn("shoe_size", done.stdout + done.stderr)
        answer = self.cell.ask("GET", self.cell.records_path("TEST-3"), self.CLINIC, harness.HOME_PURPOSE)
        self.assertEqual(answer.status, 404)

    def test_6_standard_input(self):
        rows = [dict(self.people[2], bioguide_id="TEST-4", wikipedia_id='a "quoted", name\nof two lines')]
        path = os.path.join(self.tmp, "in.csv")
        people.write(path, rows)
        with open(path, "rb") as f:
            self.cell.load("-", self.CLINIC, stdin=f.read())
        got = self.ok(self.cell.ask("GET", self.cell.records_path("TEST-4"), self.CLINIC, harness.HOME_PURPOSE))
        self.assertEqual([r["data"] for r in got["records"]], rows)

    def test_7_ndjson(self):
        rows = [dict(self.people[3], bioguide_id="TEST-5"), dict(self.people[4], bioguide_id="TEST-6")]
        path = os.path.join(self.tmp, "in.ndjson")
        with open(path, "w") as f:
            f.writelines(json.dumps(row) + "\n" for row in rows)
        self.cell.load(path, self.CLINIC)
        for row in rows:
            got = self.ok(self.cell.ask("GET", self.cell.records_path(row["bioguide_id"]), self.CLINIC, harness.HOME_PURPOSE))
            self.assertEqual([r["data"] for r in got["records"]], [row])

    def test_8_the_replay_of_the_whole_ledger_holds(self):
        done = self.cell.verify(self.DOG, extra=("--json",))
        report = json.loads(done.stdout)
        self.assertNotIn("violated", [c.get("verdict") for c in clauses(report)])
        self.assertGreater(len(clauses(report)), 10)
        self.assertGreaterEqual(self.cell.size(), people.COUNT)

    def test_9_after_a_restart_everything_is_there(self):
        self.cell.stop()
        self.cell.serve()
        connection = self.cell.connect()
        for row in self.people[::100]:
            got = self.ok(self.cell.ask("GET", self.cell.records_path(row["bioguide_id"]), self.CLINIC,
                                        harness.HOME_PURPOSE, connection=connection))
            self.assertEqual([r["data"] for r in got["records"]], [row])
        connection.close()
        self.cell.verify(self.DOG)


def clauses(report):
    """The list of clauses of a --json report, whatever it is called around it."""
    found = report.get("clauses", report)
    return found if isinstance(found, list) else [dict(v, id=k) if isinstance(v, dict) else {"id": k, "verdict": v}
                                                  for k, v in found.items()]


if __name__ == "__main__":
    csv.field_size_limit(1 << 20)
    unittest.main(verbosity=2)

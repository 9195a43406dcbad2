"""A cheating operator on a real cell: each forgery that `forge --list` knows, made on a copy of the cell, is found by
bourn-verify and named by its entry (or by the size, where only an earlier head convicts). The untouched copy holds.
tests/forge makes the same ones on a ledger that no server wrote."""

import json
import os
import shutil
import subprocess
import sys
import unittest

import harness


EVIDENCE = "evidence.cborseq"


def forge(*args):
    return subprocess.run([harness.program("forge"), *args], capture_output=True, text=True, timeout=60)


class Forgeries(harness.ServedTest):
    count = 12

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.live()
        cls.evidence = os.path.join(cls.tmp, "evidence")
        cls.cell.evidence_file(cls.DOG, cls.evidence)
        cls.cell.settle()
        cls.cell.stop()

    @classmethod
    def live(cls):
        """A life with every kind of entry in it."""
        cell = cls.cell
        for n in (0, 1):
            key = os.path.join(cls.tmp, f"{n}.key")
            ident = cls.people[n]["bioguide_id"]
            cell.enrol(cls.CLINIC, ident, key)
            consents = [cell.consent(cls.CLINIC, ident, key) for _ in range(2)]
            for _ in range(2):
                assert cell.ask("GET", cell.records_path(ident), cls.LAB, harness.LAB_PURPOSE).status == 200
            assert cell.ask("DELETE", f"/v1/subjects/{ident}/consents/{consents[0]}", cls.CLINIC,
                            harness.HOME_PURPOSE).status in (200, 204)
            assert cell.ask("GET", cell.records_path(ident), cls.LAB, harness.LAB_PURPOSE).status == 200
        assert cell.ask("GET", cell.records_path(cls.people[3]["bioguide_id"]), cls.LAB, harness.LAB_PURPOSE).status == 403
        for row in cls.people[:6]:
            assert cell.ask("GET", cell.records_path(row["bioguide_id"]), cls.CLINIC, harness.HOME_PURPOSE).status == 200
        assert cell.ask("DELETE", f"/v1/subjects/{cls.people[5]['bioguide_id']}", cls.CLINIC,
                        harness.HOME_PURPOSE).status in (200, 204)

    def copy(self, name):
        path = os.path.join(self.tmp, "copy." + name)
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.cell.path, path, ignore=shutil.ignore_patterns("admin.sock", "journal", "store"))
        shutil.copy(self.evidence, os.path.join(path, EVIDENCE))
        return path

    @staticmethod
    def receipt(cell):
        """What somebody kept from before, where only that convicts."""
        path = os.path.join(cell, "receipt")
        return ("--receipt", path) if os.path.exists(path) else ()

    def verify(self, cell):
        done = harness.run("bourn-verify", os.path.join(cell, "ledger"), "--key", self.cell.vkey, "--rows",
                           os.path.join(cell, "rows"), "--evidence", os.path.join(cell, EVIDENCE), "--head",
                           os.path.join(self.cell.path, "ledger", "checkpoint"), "--json", *self.receipt(cell), check=None)
        return done.returncode, json.loads(done.stdout)

    def test_1_the_untouched_copy_holds(self):
        code, report = self.verify(self.copy("untouched"))
        self.assertEqual((code, report["violations"]), (0, []), report)

    def test_2_each_forgery_is_found_and_named(self):
        names = [line.split()[0] for line in forge("--list").stdout.splitlines() if "no forgery" not in line]
        self.assertGreaterEqual(len(names), 25)
        for name in names:
            with self.subTest(name):
                cell = self.copy("forged")
                made = forge(cell, "--evidence", EVIDENCE, name)
                self.assertEqual(made.returncode, 0, made.stderr)
                kind, at, _ = made.stdout.split()
                code, report = self.verify(cell)
                self.assertEqual(code, 1, report)
                first = report["violations"][0]
                self.assertEqual({k: first[k] for k in ("entry", "size") if k in first}, {kind: int(at)}, report["violations"][:5])
        print(f"{len(names)} forgeries of a cell that had served: each found and named", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

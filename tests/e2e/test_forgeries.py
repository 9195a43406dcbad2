"""A cheating operator on a real cell: each forgery that `forge --list` knows, made on a copy of the cell, is found by
bourn-verify and named by its entry (or by the size, where only an earlier head convicts). The untouched copy holds."""

import json
import os
import re
import shutil
import subprocess
import unittest

import harness
import people


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
        return path

    def verify(self, cell, evidence, *extra):
        return harness.run("bourn-verify", os.path.join(cell, "ledger"), "--key", os.path.join(self.cell.path, "ledger.vkey"),
                           "--rows", os.path.join(cell, "rows"), "--evidence", evidence, *extra, check=None)

    def test_1_the_untouched_copy_holds(self):
        done = self.verify(self.copy("untouched"), self.evidence)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_2_each_forgery_is_found_and_named(self):
        listed = forge("--list")
        names = listed.stdout.split()
        self.assertGreaterEqual(len(names), 25, listed)
        for name in names:
            with self.subTest(name):
                cell = self.copy("forged")
                evidence = os.path.join(self.tmp, "evidence.forged")
                shutil.copy(self.evidence, evidence)
                made = forge(cell, "--evidence", evidence, name)
                self.assertEqual(made.returncode, 0, made.stdout + made.stderr)
                told = dict(re.findall(r"(\w+)=(\S+)", made.stdout))
                extra = made.stdout.split("verify:", 1)[1].split() if "verify:" in made.stdout else []
                done = self.verify(cell, evidence, *extra)
                self.assertEqual(done.returncode, 1, f"{made.stdout}\n{done.stdout}{done.stderr}")
                if "entry" in told:
                    self.assertRegex(done.stdout + done.stderr, rf"\b{told['entry']}\b")
                elif "size" in told:
                    self.assertRegex(done.stdout + done.stderr, rf"\b{told['size']}\b")
                else:
                    self.fail(f"forge names neither entry nor size: {made.stdout}")


if __name__ == "__main__":
    assert people.ALICE and json
    unittest.main(verbosity=2)

"""web/verify.mjs on a cell that serves: over HTTP with an auditor's token and without one, and on copied folders. It says
what bourn-verify says, of a good ledger, of one with an erased person, and of one that a cheating operator changed."""
import json
import os
import shutil
import subprocess
import sys
import unittest

import harness
import test_forgeries

NODE = shutil.which(os.environ.get("BOURN_NODE", "node"))
MJS = os.path.join(harness.SOURCE, "web", "verify.mjs")


def summary(report):
    return {"verdicts": {c["id"]: c["verdict"] for c in report["clauses"]}, "found": report["violations_total"] > 0,
            "error": report["error"], "packs": report["coverage"]["packs"], "erased": report["coverage"]["erased"]}


@unittest.skipUnless(NODE, "node is not there (Debian: nodejs)")
class SecondVerifier(harness.ServedTest):
    count = 12

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        test_forgeries.Forgeries.live.__func__(cls)
        cls.cell.settle()

    def both(self, *args, token=None):
        out = []
        for program in ([harness.program("bourn-verify")], [NODE, MJS]):
            env = {k: v for k, v in os.environ.items() if k != "BOURN_TOKEN"}
            if token:
                env["BOURN_TOKEN"] = token
            done = subprocess.run([*program, *args, "--key", self.cell.vkey, "--json"], capture_output=True, text=True, timeout=120, env=env)
            self.assertTrue(done.stdout, done.stderr)
            out.append((done.returncode, json.loads(done.stdout)))
        (a, c), (b, js) = out
        self.assertEqual((a, summary(c)), (b, summary(js)))
        return a, c, js

    def test_1_over_http_with_everything(self):
        code, _, js = self.both(self.cell.url + "/ledger", token=self.DOG)
        self.assertEqual((code, js["violations"]), (0, []))
        self.assertEqual(js["coverage"]["erased"], 1)
        self.assertGreater(js["coverage"]["evidence"]["opened"], 3)

    def test_2_over_http_as_anybody(self):
        code, _, js = self.both(self.cell.url + "/ledger")
        self.assertEqual((code, js["violations"], js["coverage"]["rows_given"]), (2, [], False))

    def test_3_folders_and_a_head(self):
        evidence, head = os.path.join(self.tmp, "saved"), os.path.join(self.tmp, "kept")
        done = subprocess.run([NODE, MJS, self.cell.url + "/ledger", "--key", self.cell.vkey, "--save-evidence", evidence, "--save-head", head],
                              capture_output=True, text=True, timeout=120, env={**os.environ, "BOURN_TOKEN": self.DOG})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.cell.settle()
        self.cell.stop()
        folder, rows = os.path.join(self.cell.path, "ledger"), os.path.join(self.cell.path, "rows")
        code, c, js = self.both(folder, "--rows", rows, "--evidence", evidence, "--head", head)
        self.assertEqual((code, js["checkpoint"]["earlier_heads"]), (0, 1))
        self.assertEqual(c["coverage"], js["coverage"])
        copy = os.path.join(self.tmp, "forged")
        for name in ("no-basis", "forged-signature", "copy-leaves-out", "rewritten"):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(self.cell.path, copy, ignore=shutil.ignore_patterns("admin.sock", "journal", "store"))
            shutil.copy(evidence, os.path.join(copy, "evidence"))
            made = test_forgeries.forge(copy, "--evidence", "evidence", name)
            self.assertEqual(made.returncode, 0, made.stderr)
            kind, at, clause = made.stdout.split()
            code, _, js = self.both(os.path.join(copy, "ledger"), "--rows", os.path.join(copy, "rows"), "--evidence", os.path.join(copy, "evidence"), "--head",
                                    os.path.join(folder, "checkpoint"))
            first = js["violations"][0]
            self.assertEqual((code, first.get(kind), first["clause"]), (1, int(at), clause), name)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Receipts and proofs: what a party takes home of each disclosure, withdrawal and erasure. The log's key signed it, it is checked
offline, nobody gets another party's, and kept, it convicts a cell that signs its whole log anew without the entry."""

import base64
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import unittest

import harness

TEXT = "text/plain; charset=utf-8"


class Receipts(harness.ServedTest):
    count = 20

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.OTHER = cls.cell.lab("other")
        cls.alice, cls.bob = (p["bioguide_id"] for p in cls.people[:2])
        key = os.path.join(cls.tmp, "alice.key")
        cls.cell.enrol(cls.CLINIC, cls.alice, key)
        cls.consent = cls.cell.consent(cls.CLINIC, cls.alice, key)
        read = cls.cell.ask("GET", cls.cell.records_path(cls.alice), cls.LAB, harness.LAB_PURPOSE)
        cls.read = int(read.headers["Bourn-Receipt"])
        gone = cls.cell.ask("DELETE", f"/v1/subjects/{cls.alice}/consents/{cls.consent}", cls.CLINIC, harness.HOME_PURPOSE)
        cls.withdrawn = int(gone.headers["Bourn-Receipt"])
        gone = cls.cell.ask("DELETE", f"/v1/subjects/{cls.bob}", cls.CLINIC, harness.HOME_PURPOSE)
        cls.erased = int(gone.headers["Bourn-Receipt"])
        cls.cell.settle()

    # -- asking -----------------------------------------------------------------------------------------------------

    def receipt(self, index, token):
        return self.cell.ask("GET", f"/v1/ledger/receipt/{index}", token)

    def proof(self, index, token):
        return self.cell.ask("GET", f"/v1/ledger/proof/{index}", token)

    def keep(self, answer, name):
        self.assertEqual(answer.status, 200, answer.body)
        path = os.path.join(self.tmp, name)
        with open(path, "wb") as f:
            f.write(answer.body)
        return path

    def offline(self, *args, check=0):
        """Where node is there, the second verifier has to say the same."""
        done = harness.run("bourn-verify", "--key", self.cell.vkey, *args, check=check)
        if harness.NODE:
            second = subprocess.run([harness.NODE, harness.MJS, *done.args[1:]], capture_output=True, text=True, timeout=60)
            self.assertEqual(second.returncode, done.returncode, second.stderr + done.stderr)
            if "--json" in args and done.stdout:
                self.assertEqual(json.loads(second.stdout), json.loads(done.stdout))
        return done

    def entry_bytes(self, index):
        """The entry as anybody reads it from its public bundle."""
        size = self.cell.size()
        n, at = divmod(index, 256)
        width = min(256, size - 256 * n)
        tail = f"{n:03}" if width == 256 else f"{n:03}.p/{width}"
        bundle = self.cell.ask("GET", f"/ledger/tile/entries/{tail}").body
        for _ in range(at):
            bundle = bundle[2 + int.from_bytes(bundle[:2], "big"):]
        return bundle[2:2 + int.from_bytes(bundle[:2], "big")]

    # -- receipts ---------------------------------------------------------------------------------------------------

    def test_1_what_a_receipt_says(self):
        answer = self.receipt(self.read, self.LAB)
        self.assertEqual((answer.status, answer.headers["Content-Type"], answer.headers["Cache-Control"]), (200, TEXT, "no-store"))
        text, signature = answer.body.decode().split("\n\n")
        kind, origin, index, leaf, size, root = text.split("\n")
        self.assertEqual((kind, origin, index), ("bourn-receipt/v1", "cn.example/ledger", f"index {self.read}"))
        want = hashlib.sha256(b"\0" + self.entry_bytes(self.read)).digest()
        self.assertEqual(base64.b64decode(leaf.removeprefix("leaf ")), want)
        head = self.cell.ask("GET", "/ledger/checkpoint").body.decode().split("\n")
        self.assertEqual((size, root), (f"size {head[1]}", f"root {head[2]}"))
        self.assertRegex(signature, r"^\u2014 cn\.example/ledger [A-Za-z0-9+/=]+\n$")
        done = self.offline("--receipt", self.keep(answer, "read.receipt"))
        self.assertIn(f"entry {self.read}, in the tree of {head[1]} entries", done.stdout)

    def test_2_disclosure_withdrawal_and_erasure(self):
        for index, token, kind in ((self.read, self.LAB, "disclosed"), (self.withdrawn, self.CLINIC, "withdrawn"),
                                   (self.erased, self.CLINIC, "erased")):
            self.assertEqual(self.cell.entries()[index]["kind"], kind)
            for who in (token, self.DOG):
                path = self.keep(self.receipt(index, who), f"{kind}.receipt")
                told = json.loads(self.offline("--receipt", path, "--json").stdout)
                self.assertEqual((told["exit"], told["kept"][0]["entry"], told["kept"][0]["kind"]), (0, index, "receipt"))

    def test_3_nobody_gets_another_partys(self):
        read = int(self.home("GET", self.cell.records_path(self.alice)).headers["Bourn-Receipt"])  # by the clinic
        self.cell.settle()
        own = self.cell.entries()[-1]["index"] + 1000
        for ask in (self.receipt, self.proof):
            told = [ask(index, token) for token in (self.OTHER, self.LAB) for index in (read, self.withdrawn, self.erased, own, 0)]
            self.assertEqual({(a.status, a.body) for a in told}, {(404, told[0].body)})
            self.problem(told[0], 404, "entry_unknown")
            self.problem(ask(self.read, self.OTHER), 404, "entry_unknown")
            self.problem(ask(self.read, None), 401, "token_required")
        # Who has the right to withdraw or erase answers for the person, and gets those receipts, but no rows.
        keeper = self.cell.party("keeper", purpose="dpv:RecordManagement", rights="consent,erase")
        for index in (self.withdrawn, self.erased):
            self.assertEqual(self.receipt(index, keeper).status, 200)
            self.problem(self.proof(index, keeper), 404, "entry_unknown")
        self.problem(self.receipt(self.read, keeper), 404, "entry_unknown")

    def test_4_it_comes_soon(self):
        """Right behind the answer the entry may not be signed yet; within a second it is."""
        index = int(self.home("GET", self.cell.records_path(self.people[3]["bioguide_id"])).headers["Bourn-Receipt"])
        deadline = time.monotonic() + 10
        while (answer := self.receipt(index, self.CLINIC)).status == 404 and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(answer.status, 200, answer.body)

    def test_5_many_at_once(self):
        def one(_):
            return self.receipt(self.read, self.LAB)
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(one, range(400)))
        self.assertEqual({a.status for a in answers}, {200})
        self.assertEqual(self.home("GET", self.cell.records_path(self.alice)).status, 200)

    # -- proofs -----------------------------------------------------------------------------------------------------

    def test_6_what_a_proof_holds(self):
        answer = self.proof(self.read, self.LAB)
        told = json.loads(answer.body)
        self.assertEqual(base64.b64decode(told["entry"]), self.entry_bytes(self.read))
        self.assertEqual((told["index"], len(told["rows"])), (self.read, 1))
        lines = told["proof"].split("\n")
        self.assertEqual(lines[:2], ["c2sp.org/tlog-proof@v1", f"index {self.read}"])
        self.assertTrue(told["proof"].endswith("\n" + self.cell.ask("GET", "/ledger/checkpoint").body.decode()))
        done = self.offline("--proof", self.keep(answer, "read.proof"))
        self.assertIn("with 1 rows", done.stdout)
        stored = next(e for e in self.cell.entries() if e["kind"] == "stored" and e["count"] == 20)["index"]
        path = self.keep(self.proof(stored, self.CLINIC), "stored.proof")
        told = json.loads(self.offline("--proof", path, "--json", "--receipt", os.path.join(self.tmp, "read.receipt")).stdout)
        self.assertEqual([(k["kind"], k["entry"], k.get("rows")) for k in told["kept"]],
                         [("proof", stored, 20), ("receipt", self.read, None)])
        self.keep(self.proof(2, self.DOG), "policy.proof")  # an entry without rows, for an auditor
        self.offline("--proof", os.path.join(self.tmp, "policy.proof"))

    def test_7_what_does_not_hold(self):
        with open(self.keep(self.proof(self.read, self.LAB), "good.proof")) as f:
            good = json.load(f)
        row = dict(good["rows"][0])
        salt = bytearray(base64.b64decode(row["row"]))
        salt[-1] ^= 1
        entry = bytearray(base64.b64decode(good["entry"]))
        entry[25] ^= 1
        bad = {
            "another entry": ({**good, "entry": base64.b64encode(entry).decode()}, 1),
            "another index": ({**good, "index": good["index"] + 1}, 1),
            "another index in the proof": ({**good, "proof": good["proof"].replace(f"index {self.read}", "index 1")}, 1),
            "another row": ({**good, "rows": [{**row, "row": base64.b64encode(salt).decode()}]}, (1, 2)),
            "a row less": ({**good, "rows": []}, 1),
            "a row twice": ({**good, "rows": [row, row]}, 1),
            "a size more": ({**good, "proof": re.sub(r"(\n\ncn.example/ledger\n)\d+", r"\g<1>999999", good["proof"])}, 1),
            "no proof": ({k: v for k, v in good.items() if k != "proof"}, 2),
            "no JSON": ("[", 2),
        }
        for what, (content, code) in bad.items():
            with self.subTest(what):
                path = os.path.join(self.tmp, "bad.proof")
                with open(path, "w") as f:
                    f.write(content if isinstance(content, str) else json.dumps(content))
                self.assertIn(self.offline("--proof", path, check=None).returncode, code if isinstance(code, tuple) else (code,))
        with open(self.keep(self.receipt(self.read, self.LAB), "good.receipt")) as f:
            text = f.read()
        for what, content, code in (("index", text.replace(f"index {self.read}", f"index {self.read + 1}"), 1),
                                    ("a checkpoint", self.cell.ask("GET", "/ledger/checkpoint").body.decode(), 2),
                                    ("cut", text[:-10], 2), ("nothing", "", 2)):
            with self.subTest(what):
                path = os.path.join(self.tmp, "bad.receipt")
                with open(path, "w") as f:
                    f.write(content)
                self.assertEqual(self.offline("--receipt", path, check=None).returncode, code)
        path = os.path.join(self.tmp, "good.receipt")
        self.assertEqual(harness.run("bourn-verify", "--receipt", path, check=64).stdout, "")
        self.assertIn("cannot open", self.offline("--receipt", path + ".nix", check=2).stderr)
        other = harness.Cell(self.tmp, name="xx")
        self.assertIn("no signature by the key", harness.run("bourn-verify", "--key", other.vkey, "--receipt", path, check=1).stderr)
        # As a head a receipt is nothing: it is no checkpoint.
        done = harness.run("bourn-verify", os.path.join(self.cell.path, "ledger"), "--key", self.cell.vkey, "--head",
                           os.path.join(self.tmp, "good.receipt"), check=2)
        self.assertIn("earlier head is not a checkpoint", done.stdout + done.stderr)

    # -- kept, against the log as it is later -----------------------------------------------------------------------

    def test_8_the_replay_of_a_true_log(self):
        receipt = self.keep(self.receipt(self.read, self.LAB), "kept.receipt")
        proof = self.keep(self.proof(self.erased, self.CLINIC), "kept.proof")
        done = self.cell.verify(self.DOG, extra=("--receipt", receipt, "--proof", proof, "--json"))
        harness.second(done, token=self.DOG)
        report = json.loads(done.stdout)
        self.assertEqual((report["checkpoint"]["receipts"], report["violations"]), (2, []))
        self.assertEqual({c["id"]: c["verdict"] for c in report["clauses"]}["V1"], "holds")

    def test_9_a_log_signed_anew(self):
        """On copies of the cell's files, by an operator with every key: the receipt alone convicts, by its entry."""
        index = int(self.home("GET", self.cell.records_path(self.people[5]["bioguide_id"])).headers["Bourn-Receipt"])
        self.cell.settle()
        receipt = self.keep(self.receipt(index, self.CLINIC), "last.receipt")
        signed = json.loads(self.offline("--receipt", receipt, "--json").stdout)["kept"][0]["size"]
        self.cell.evidence_file(self.DOG, os.path.join(self.tmp, "evidence"))
        self.cell.settle()
        self.cell.stop()
        path = os.path.join(self.tmp, "forged")
        try:
            for name in ("kept-left-out", "kept-replaced", "kept-cut-off"):
                with self.subTest(name):
                    where, args = self.cell.forged(path, os.path.join(self.tmp, "evidence"), name)
                    quiet = json.loads(harness.run(*args).stdout)
                    self.assertEqual(({c["id"]: c["verdict"] for c in quiet["clauses"]}["V1"], quiet["violations"]), ("not provable", []))
                    done = harness.run(*args, "--receipt", os.path.join(path, "receipt"), check=1)
                    harness.second(done)
                    first = json.loads(done.stdout)["violations"][0]
                    self.assertEqual(f"entry {first['entry']} {first['clause']}", where, first)
            # And the receipt that the cell itself gave, against a history that was rewritten before it.
            self.cell.forged(path, os.path.join(self.tmp, "evidence"), "rewritten")
            args = ["bourn-verify", os.path.join(path, "ledger"), "--key", self.cell.vkey, "--json"]
            self.assertEqual(json.loads(harness.run(*args, check=2).stdout)["violations"], [])
            first = json.loads(harness.run(*args, "--receipt", receipt, check=1).stdout)["violations"][0]
            self.assertIn((first["clause"], first.get("entry", first.get("size"))), (("S1", index), ("V1", signed)), first)
        finally:
            self.cell.serve()


if __name__ == "__main__":
    unittest.main(verbosity=2)

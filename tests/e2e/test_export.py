"""bourn export: what leaves is logged, the file imports elsewhere and is equal, a refusal leaves no file; and the status."""

import json
import os
import re
import shutil
import stat
import subprocess
import unittest

import harness
import people
import test_json_import


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


class Export(harness.Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.csv = os.path.join(people.folder(cls.tmp), people.NAME)
        cls.people = people.read(cls.csv)
        cls.array = test_json_import.folder(cls.tmp)
        with open(cls.array, encoding="utf-8") as f:
            cls.nested = json.load(f)
        cls.cell, cls.CLINIC = cls.make("cn")
        cls.LAB = cls.cell.lab()
        cls.cell.load(cls.csv, cls.CLINIC)
        cls.cell.load(cls.array, cls.CLINIC, collection="nested", subject="id.bioguide")

    @classmethod
    def make(cls, name):
        cell = harness.Cell(cls.tmp, name=name).serve()
        cls.addClassCleanup(cell.close)
        cell.collection(cls.csv)
        cell.collection(cls.array, name="nested")
        return cell, cell.clinic()

    def export(self, subject, collections, out="-", cell=None, token=None, purpose=harness.HOME_PURPOSE, check=0, stdin=None,
               extra=()):
        args = [word for name in collections for word in ("--collection", name)]
        return harness.run("bourn", "export", (cell or self.cell).path, subject, *args, "--purpose", purpose, "--out", out, *extra,
                           token=token or self.CLINIC, check=check, stdin=stdin, timeout=600)

    def counts(self, kind):
        self.cell.settle()
        return sum(1 for e in self.cell.entries() if e["kind"] == kind)

    def test_1_one_person(self):
        before = self.counts("disclosed")
        path = os.path.join(self.tmp, "one.ndjson")
        done = self.export(people.ALICE, ["people", "nested"], out=path, extra=("--json",))
        told = json.loads(done.stdout)
        row = next(p for p in self.people if p["bioguide_id"] == people.ALICE)
        nested = [p for p in self.nested if p["id"]["bioguide"] == people.ALICE]
        with open(path, encoding="utf-8") as f:
            got = lines(f.read())
        self.assertEqual([(r["collection"], r["version"], r["data"]) for r in got],
                         [("people", 1, row)] + [("nested", 1, p) for p in nested])
        self.assertEqual(told, {"people": 1, "records": 1 + len(nested), "disclosures": 2})
        self.assertEqual(self.counts("disclosed") - before, 2, "each read has an entry")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        again = self.export(people.ALICE, ["people"], out=path, check=1)
        self.assertIn("never written over", again.stderr)
        self.assertEqual(lines(self.export(people.ALICE, ["people"]).stdout), got[:1])
        self.assertEqual(lines(self.export(people.ALICE, ["people"], extra=("--url", self.cell.url)).stdout), got[:1])

    def test_2_a_refusal_leaves_no_file(self):
        path = os.path.join(self.tmp, "no.ndjson")
        before = sorted(os.listdir(self.tmp))
        done = self.export(people.ALICE, ["people"], out=path, token=self.LAB, purpose=harness.LAB_PURPOSE, check=1)
        self.assertIn("basis_missing", done.stderr)
        self.assertIn("subject_consent", done.stderr)
        self.assertIn("subject_unknown", self.export("nobody", ["people"], out=path, check=1).stderr)
        self.assertIn("subject_unknown", self.export("-", ["people"], out=path, check=1, stdin=people.ALICE + "\nnobody\n").stderr)
        self.assertIn("collection_unknown", self.export(people.ALICE, ["nothing"], out=path, check=1).stderr)
        self.assertIn("token_invalid", self.export(people.ALICE, ["people"], out=path, token="bourn_no", check=1).stderr)
        self.assertEqual(sorted(os.listdir(self.tmp)), before)
        self.assertIn("https://", self.export(people.ALICE, ["people"], check=64, extra=("--url", "http://cell.example")).stderr)

    def test_3_the_round_trip_is_equal(self):
        """Everybody of both data sets, exported, imported into another cell, and exported there."""
        other, clinic = self.make("de")
        for collection, subject, idents in (
                ("people", "bioguide_id", [p["bioguide_id"] for p in self.people]),
                ("nested", "id.bioguide", [p["id"]["bioguide"] for p in self.nested])):
            listed = "\n".join(idents) + "\n"
            path = os.path.join(self.tmp, collection + ".ndjson")
            done = self.export("-", [collection], out=path, stdin=listed)
            self.assertIn(f"people {len(idents)}, records {len(idents)}, disclosures in the ledger {len(idents)}", done.stderr)
            done = harness.run("bourn", "import", other.path, path, "--format", "export", "--subject", subject, "--purpose",
                               harness.HOME_PURPOSE, token=clinic, timeout=600)
            self.assertIn(f"{len(idents)} stored, 0 skipped, 0 rejected", done.stdout)
            with open(path, encoding="utf-8") as f:
                mine = [r["data"] for r in lines(f.read())]
            theirs = [r["data"] for r in lines(self.export("-", [collection], cell=other, token=clinic, stdin=listed).stdout)]
            self.assertEqual(mine, self.people if collection == "people" else self.nested)
            self.assertEqual(theirs, mine)
            done = harness.run("bourn", "import", self.cell.path, path, "--format", "export", "--subject", subject, "--purpose",
                               harness.HOME_PURPOSE, token=self.CLINIC, timeout=600)
            self.assertIn(f"0 stored, {len(idents)} skipped", done.stdout, "bytes are as they were")

    def test_4_pages_names_and_collections(self):
        """More records than an answer holds, an identifier that needs escapes, a choice among collections."""
        ident = "a/b c?ü%2F"
        rows = [dict(self.people[0], bioguide_id=ident, nickname=str(n)) for n in range(2500)]
        path = os.path.join(self.tmp, "many.csv")
        people.write(path, rows)
        self.cell.load(path, self.CLINIC)
        nested = dict(self.nested[0], id={"bioguide": ident})
        self.cell.load("-", self.CLINIC, collection="nested", subject="id.bioguide", stdin=json.dumps([nested]),
                       extra=("--format", "json"))
        out = os.path.join(self.tmp, "many.ndjson")
        done = self.export(ident, ["people", "nested"], out=out)
        self.assertIn("people 1, records 2501, disclosures in the ledger 4", done.stderr)
        with open(out, encoding="utf-8") as f:
            self.assertEqual([r["data"] for r in lines(f.read())], rows + [nested])
        done = self.cell.load(out, self.CLINIC, extra=("--format", "export"))
        self.assertIn("2501 rows: 0 stored, 2500 skipped, 0 rejected", done.stdout)
        self.assertIn("1 of the rows are of other collections than people", done.stderr)

    def test_5_status(self):
        self.cell.settle()
        told = json.loads(harness.run("bourn", "status", self.cell.path, "--json").stdout)
        self.assertEqual(told["url"], self.cell.url)
        self.assertEqual(told["origin"], "cn.example/ledger")
        self.assertEqual(told["entries"], told["signed"])
        text = harness.run("bourn", "status", self.cell.path).stdout
        self.assertIn(self.cell.url, text)
        self.assertRegex(text, r"(?m)^disclosing +yes$")
        for value in told.values():
            if not isinstance(value, bool) and value not in (told["journal_free_bytes"],):
                self.assertIn(str(value), text)
        self.assertEqual(len(text.splitlines()), len(told))

    def test_6_every_result_is_json_if_asked(self):
        cell = harness.Cell(self.tmp, name="json", make=False)
        told = lambda *args: json.loads(harness.run("bourn", *args, "--json").stdout)
        made = told("init", cell.path, "--domicile", "CN", "--controller", "C", "--origin", "json.example/ledger", "--delay", "0")
        self.assertEqual(made["delay_s"], 0)
        cell.serve()
        self.addCleanup(cell.close)
        party = told("party", "add", cell.path, "shop", "--kind", "app", "--jurisdiction", "CN", "--purpose", "p:x", "--rights",
                     "read,write")
        self.assertTrue(party["token"])
        self.assertIn("shop", json.dumps(told("party", "list", cell.path)))
        self.assertEqual(told("collection", "add", cell.path, "people", "--infer", self.csv)["name"], "people")
        self.assertIn("people", json.dumps(told("collection", "list", cell.path)))
        self.assertIn("index", told("notice", "add", cell.path, "n", "--language", "en", "--text", "x"))
        pack = os.path.join(harness.SOURCE, "packs", "home.yaml")
        self.assertIn("pin", told("pack", "check", pack))
        newer = os.path.join(self.tmp, "newer.yaml")
        with open(pack, encoding="utf-8") as f, open(newer, "w", encoding="utf-8") as out:
            out.write(re.sub(r"(?m)^version: \d+", "version: 99", f.read()))
        self.assertIn("pin", told("pack", "add", cell.path, newer))
        self.assertTrue(told("consent", "key", "new", os.path.join(self.tmp, "json.key"))["public_key"])
        self.assertIn("ended", told("party", "end", cell.path, "shop"))
        cell.settle()
        lines_told = harness.run("bourn", "log", cell.path, "--json").stdout.splitlines()
        self.assertEqual([json.loads(line)["index"] for line in lines_told], list(range(told("status", cell.path)["entries"])))
        asked = self.cell.ask("POST", f"/v1/subjects/{people.ALICE}/enrolments", self.CLINIC, harness.HOME_PURPOSE)
        key = os.path.join(self.tmp, "alice.key")
        harness.run("bourn", "consent", "key", "new", key)
        told("consent", "enrol", self.cell.url, "--code", json.loads(asked.body)["code"], "--key", key)
        self.cell.notice()
        asked = self.cell.request_consent(self.CLINIC, people.ALICE)
        signed = os.path.join(self.tmp, "signed.json")
        with open(signed, "w") as f:
            f.write(self.cell.sign(asked.body, key))
        shown = told("consent", "show", signed)
        self.assertEqual((shown["signed"], shown["public_key"]), (True, json.load(open(signed))["public_key"]))
        with open(signed, "wb") as f:
            f.write(asked.body)
        shown = told("consent", "show", signed)
        self.assertEqual((shown["signed"], shown["public_key"]), (False, None))
        self.assertIn("You let", shown["words"])

    def test_7_when_it_is_not_serving(self):
        cell = harness.Cell(self.tmp, name="idle").serve()
        cell.stop()
        for done in (self.export(people.ALICE, ["people"], cell=cell, token="x", check=69),
                     harness.run("bourn", "status", cell.path, check=69)):
            self.assertIn("not serving", done.stderr)
        done = self.export(people.ALICE, ["people"], cell=cell, token="x", check=69, extra=("--url", "http://127.0.0.1:1"))
        self.assertIn("no answer", done.stderr)


@unittest.skipUnless(shutil.which("openssl"), "needs the program openssl")
class OverTls(harness.Test):
    """The address that a cell leaves is https:// with TLS, and the token goes to nobody whose certificate is not trusted."""

    def test_certificates_are_checked(self):
        cert, key = os.path.join(self.tmp, "cert.pem"), os.path.join(self.tmp, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=cell", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True,
                       capture_output=True, timeout=30)
        rows = people.made_up(1)
        path = os.path.join(self.tmp, "one.csv")
        people.write(path, rows)
        cell = harness.Cell(self.tmp)
        serve = subprocess.Popen([harness.program("bourn"), "serve", cell.path, "--listen", "127.0.0.1:0", "--tls-cert", cert,
                                  "--tls-key", key], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(serve.stdout.close)
        self.addCleanup(serve.wait)
        self.addCleanup(serve.terminate)
        url = serve.stdout.readline().decode().split()[-1]
        self.assertTrue(url.startswith("https://127.0.0.1:"), url)
        self.assertEqual(json.loads(harness.run("bourn", "status", cell.path, "--json").stdout)["url"], url)
        cell.collection(path)
        clinic = cell.clinic()
        cell.load(path, clinic)
        args = ["bourn", "export", cell.path, people.ALICE, "--collection", "people", "--purpose", harness.HOME_PURPOSE, "--out", "-"]
        done = harness.run(*args, "--ca", cert, token=clinic)
        self.assertEqual([r["data"] for r in lines(done.stdout)], rows)
        done = harness.run(*args, token=clinic, check=69)
        self.assertIn("certificate", done.stderr)
        self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main(verbosity=2)

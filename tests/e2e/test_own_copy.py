"""A person's own copy: asked for with a statement that a key of theirs signed, without any party's token. It is whole, it imports
elsewhere and is equal, each page has an `exported` entry that the replay checks, and nobody else gets it or learns from asking."""

import datetime
import http.client
import json
import os
import stat
import time
import unittest

import harness
import signing

BIG = 120_000  # bytes of one field: seventy such records are a page


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def stamp(seconds=0):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class OwnCopy(harness.ServedTest):
    count = 12

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.alice, cls.bob, cls.carol, cls.dave, cls.eve = (p["bioguide_id"] for p in cls.people[:5])
        fields = "fields:\n  - {name: id, type: text}\n  - {name: %s, type: text}\n"
        cls.schemas = {"visits": fields % "ward", "empty": fields % "ward", "letters": fields % "said"}
        for name in cls.schemas:
            cls.declare(cls.cell, name, cls.schemas[name])
        cls.store("visits", [{"id": cls.alice, "ward": str(n)} for n in range(1500)])
        cls.store("letters", [{"id": cls.alice, "said": f"Dear {n}, ü\u2028"} for n in range(3)])
        cls.deleted = cls.cell.ask("DELETE", cls.cell.records_path(cls.alice, "letters", cls.ids("letters")[1]), cls.CLINIC,
                                   harness.HOME_PURPOSE)
        cls.key, cls.label = cls.enrol(cls.alice, "alice")

    @classmethod
    def declare(cls, cell, name, schema):
        path = os.path.join(cls.tmp, name + ".yaml")
        with open(path, "w") as f:
            f.write(schema)
        harness.run("bourn", "collection", "add", cell.path, name, "--schema", path)

    @classmethod
    def store(cls, collection, rows):
        cls.cell.load("-", cls.CLINIC, collection=collection, subject="id", stdin="".join(json.dumps(r) + "\n" for r in rows),
                      extra=("--format", "ndjson"))

    @classmethod
    def ids(cls, collection):
        answer = cls.cell.ask("GET", cls.cell.records_path(cls.alice, collection), cls.CLINIC, harness.HOME_PURPOSE)
        return [r["id"] for r in json.loads(answer.body)["records"]]

    @classmethod
    def enrol(cls, subject, name):
        """The person's key file, and the label that `bourn consent enrol` told."""
        key = os.path.join(cls.tmp, name + ".key")
        harness.run("bourn", "consent", "key", "new", key)
        answer = cls.cell.ask("POST", f"/v1/subjects/{subject}/enrolments", cls.CLINIC, harness.HOME_PURPOSE)
        done = harness.run("bourn", "consent", "enrol", cls.cell.url, "--code", json.loads(answer.body)["code"], "--key", key, "--json")
        return key, json.loads(done.stdout)["label"]

    @classmethod
    def enrol_here(cls, subject):
        """The same with a key that the test holds itself."""
        key = signing.Key()
        code = json.loads(cls.cell.ask("POST", f"/v1/subjects/{subject}/enrolments", cls.CLINIC, harness.HOME_PURPOSE).body)["code"]
        look = json.loads(cls.cell.ask("POST", "/v1/enrolments/lookup", body={"code": code}).body)
        done = cls.cell.ask("POST", "/v1/enrolments", body={**key.prove(code, look["origin"], look["label"], {}), "code": code})
        assert done.status == 201, done
        return key, look["label"]

    def copy(self, *more, key=None, label=None, check=0, url=None):
        return harness.run("bourn", "consent", "export", url or self.cell.url, "--key", key or self.key, "--label", label or self.label,
                           *more, check=check)

    def by_party(self, subject, collections=("people", "visits", "letters", "empty")):
        names = [word for c in collections for word in ("--collection", c)]
        return harness.run("bourn", "export", self.cell.path, subject, *names, "--purpose", harness.HOME_PURPOSE, "--out", "-",
                           token=self.CLINIC).stdout

    def said(self, label, **change):
        return {"event_time": stamp(), "origin": "cn.example/ledger", "pii_principal_id": label,
                "record_id": os.urandom(16).hex(), "request": "a copy of all records about me",
                "schema_version": "bourn-export/1", **change}

    def ask(self, body):
        return self.cell.ask("POST", "/v1/export", body=body)

    def kinds(self, kind):
        self.cell.settle()
        return [e for e in self.cell.entries() if e["kind"] == kind]

    # -- what the person gets ---------------------------------------------------------------------------------------

    def test_1_everything_and_as_it_is(self):
        self.assertEqual(self.deleted.status, 200)
        before, disclosed = len(self.kinds("exported")), len(self.kinds("disclosed"))
        done = self.copy()
        self.assertEqual(done.stdout, self.by_party(self.alice))
        got = lines(done.stdout)
        self.assertEqual({c: sum(r["collection"] == c for r in got) for c in ("people", "visits", "letters")},
                         {"people": 1, "visits": 1500, "letters": 2})
        self.assertIn("a copy of all records", done.stderr)
        entries = self.kinds("exported")[before:]
        self.assertEqual([e["collection"] for e in entries], ["people", "visits", "visits", "letters"])
        self.assertTrue(all(e["count"] == 1 and "party" not in e for e in entries))
        self.assertEqual(len(self.kinds("disclosed")) - disclosed, 5, "those of the party's export alone")
        path = os.path.join(self.tmp, "copy.ndjson")
        told = json.loads(self.copy("--out", path, "--json", "--origin", "cn.example/ledger").stdout)
        self.assertEqual((told["records"], told["receipt"]), (1503, self.kinds("exported")[-4]["index"]))
        with open(path) as f:
            self.assertEqual(f.read(), done.stdout)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertIn("never written over", self.copy("--out", path, check=1).stderr)

    def test_2_it_imports_elsewhere_and_is_equal(self):
        path = os.path.join(self.tmp, "moves.ndjson")
        self.copy("--out", path)
        other = harness.Cell(self.tmp, name="de").serve()
        self.addCleanup(other.close)
        other.collection(self.csv)
        clinic = other.clinic()
        for name, field in (("visits", "id"), ("letters", "id"), ("people", "bioguide_id")):
            if name != "people":
                self.declare(other, name, self.schemas[name])
            done = harness.run("bourn", "import", other.path, path, "--format", "export", "--collection", name, "--subject", field,
                               "--purpose", harness.HOME_PURPOSE, token=clinic)
            self.assertIn("0 skipped, 0 rejected", done.stdout)
        names = [word for c in ("people", "visits", "letters") for word in ("--collection", c)]
        there = harness.run("bourn", "export", other.path, self.alice, *names, "--purpose", harness.HOME_PURPOSE, "--out", "-",
                            token=clinic).stdout
        with open(path) as f:
            self.assertEqual([(r["collection"], r["data"]) for r in lines(there)],
                             [(r["collection"], r["data"]) for r in lines(f.read())])

    def test_3_a_person_without_records(self):
        answer = self.cell.ask("POST", "/v1/subjects", self.CLINIC, None, {"identifiers": ["bare"]})
        self.assertEqual(answer.status, 201)
        key, label = self.enrol_here("bare")
        answer = self.ask(key.sign(self.said(label)))
        self.assertEqual((answer.status, answer.body, answer.headers["Content-Type"]), (200, b"", "application/x-ndjson"))
        entry = self.kinds("exported")[-1]
        self.assertEqual((int(answer.headers["Bourn-Receipt"]), "collection" in entry), (entry["index"], False))

    # -- who does not get it ----------------------------------------------------------------------------------------

    def test_4_every_refusal_is_the_same(self):
        key, label = self.enrol_here(self.bob)
        erased_key, erased = self.enrol_here(self.carol)
        self.assertEqual(self.home("DELETE", f"/v1/subjects/{self.carol}").status, 200)
        used = key.sign(self.said(label))
        self.assertEqual(self.ask(used).status, 200)
        self.cell.settle()
        before = len(self.cell.entries())
        good = key.sign(self.said(label))
        told = [self.ask(body) for body in (
            key.sign(self.said(self.label)),                     # somebody else's key
            signing.Key().sign(self.said(label)),                # a key that is nobody's
            key.sign(self.said(os.urandom(16).hex())),           # a label that nobody has
            erased_key.sign(self.said(erased)),                  # an erased person's own key
            {**good, "signature": signing.text(os.urandom(64))},  # no signature of this key
            {**good, "statement": self.said(label)},             # a signature over another statement
            {"statement": self.said(label)},                     # none at all
            {**used, "signature": signing.text(os.urandom(64))},  # a statement that was used, not signed by the person
        )]
        self.assertEqual({(a.status, a.body) for a in told}, {(403, told[0].body)})
        self.problem(told[0], 403, "signature_invalid")
        self.assertEqual({tuple(sorted((k, v) for k, v in a.headers.items() if k != "Date")) for a in told},
                         {tuple(sorted((k, v) for k, v in told[0].headers.items() if k != "Date"))})
        self.problem(self.ask(used), 409, "statement_used")
        self.cell.settle()
        self.assertEqual(len(self.cell.entries()), before, "no refusal leaves an entry")
        done = self.copy(key=self.key, label=label, check=1)
        self.assertEqual(done.stdout, "")
        self.assertIn("signature_invalid", done.stderr)
        self.assertEqual(self.ask(good).status, 200, "a refusal uses nothing up")

    def test_5_a_statement_of_another_cell_or_time(self):
        key, label = self.enrol_here(self.dave)
        for change, code in (({"origin": "us.example/ledger"}, "statement_foreign"), ({"event_time": stamp(3600)}, "statement_expired"),
                             ({"event_time": stamp(-2 * 86400)}, "statement_expired"),
                             ({"request": "a copy of the weather"}, "statement_malformed"),
                             ({"schema_version": "bourn-export/2"}, "statement_malformed"), ({"more": 1}, "statement_malformed"),
                             ({"record_id": "x"}, "statement_malformed")):
            self.problem(self.ask(key.sign(self.said(label, **change))), 422, code)
        for change in ({"event_time": stamp(300)}, {"event_time": stamp(-3600)}):
            self.assertEqual(self.ask(key.sign(self.said(label, **change))).status, 200, change)

    # -- in the middle ----------------------------------------------------------------------------------------------

    def slow(self, body):
        """A copy of which only the first bytes are taken: the connection, and the rest of the answer as a function."""
        c = http.client.HTTPConnection("127.0.0.1", self.cell.port, timeout=60)
        c.request("POST", "/v1/export", json.dumps(body), {"Content-Type": "application/json"})
        answer = c.getresponse()
        self.assertEqual(answer.status, 200)
        first = answer.read(10)
        return lambda: (first + answer.read()).decode()

    def test_6_what_ends_a_copy_on_its_way(self):
        ident = self.eve
        rows = [{"id": ident, "said": f"{n}".ljust(BIG)} for n in range(200)]
        self.store("letters", rows)
        key, label = self.enrol_here(ident)
        whole = self.ask(key.sign(self.said(label)))
        self.assertEqual(len(lines(whole.body.decode())), 201)
        rest = self.slow(key.sign(self.said(label)))
        time.sleep(0.5)
        self.assertEqual(self.ask(key.sign(self.said(label))).body, whole.body)
        got = lines(rest())
        self.assertEqual(got[-1]["error"]["code"], "statement_used", "a newer copy ends an older one")
        self.assertTrue(1 < len(got) < 201)
        rest = self.slow(key.sign(self.said(label)))
        time.sleep(0.5)
        letters = [r["id"] for r in lines(whole.body.decode())][1:]
        for number in letters[100:103] + letters[130:]:  # within the page after next, and all of the last one
            self.assertEqual(self.home("DELETE", self.cell.records_path(ident, "letters", number)).status, 200)
        self.assertEqual([r["id"] for r in lines(rest())][1:], letters[:100] + letters[103:130])
        self.store("visits", [{"id": ident, "ward": f"{n}".ljust(BIG)} for n in range(60)])
        for late, field in (("visits", "ward"), ("letters", "said")):  # written behind the page that is on its way
            rest = self.slow(key.sign(self.said(label)))
            time.sleep(0.5)
            self.store(late, [{"id": ident, field: f"late in {late}"}])
            self.assertIn(f"late in {late}", rest())
        rest = self.slow(key.sign(self.said(label)))
        time.sleep(0.5)
        self.assertEqual(self.home("DELETE", f"/v1/subjects/{ident}").status, 200)
        self.assertEqual(lines(rest())[-1]["error"]["code"], "signature_invalid")

    # -- what the ledger says of it ---------------------------------------------------------------------------------

    def test_8_the_replay_holds_and_counts_them(self):
        scrubbed = json.loads(harness.run("bourn", "scrub", self.cell.path, "--json").stdout)
        self.assertEqual(scrubbed["findings"], [])
        self.assertGreater(scrubbed["counts"]["evidence"], 5, "the statements by which they asked are as they were")
        report = json.loads(self.cell.verify(self.DOG, extra=("--json",)).stdout)
        self.assertEqual((report["exit"], report["violations"]), (0, []))
        h3 = next(c for c in report["clauses"] if c["id"] == "H3")
        self.assertIn(h3["verdict"], ("holds", "undecidable because erased"))
        self.assertGreater(h3["examined"], 5)
        copies = report["coverage"]["own_copies"]
        self.assertGreater(copies["total"], 5)
        self.assertEqual(copies["by_voucher"], {"an earlier key": 0, "a registrar": 0, "an app": copies["total"], "the operator": 0})

    def test_9_the_operator_signs_for_the_person(self):
        """A copy in the person's name, signed by the operator: on the files of this cell, after it served."""
        self.cell.evidence_file(self.DOG, os.path.join(self.tmp, "evidence"))
        self.cell.settle()
        self.cell.stop()
        for name, clause in (("copy-forged", "C2"), ("copy-reused", "C3"), ("copy-leaves-out", "H3")):
            with self.subTest(name):
                where, command = self.cell.forged(os.path.join(self.tmp, "forged"), os.path.join(self.tmp, "evidence"), name)
                done = harness.run(*command, check=1)
                first = json.loads(done.stdout)["violations"][0]
                self.assertEqual((f"entry {first['entry']} {first['clause']}", first["clause"]), (where, clause), first)


if __name__ == "__main__":
    unittest.main(verbosity=2)

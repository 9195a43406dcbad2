"""One person's whole history: asked for with their own key and no token, every row with what proves it, nobody else's label in it,
without a gap; and who sees what: closed entries, rows, evidence after an erasure."""

import base64
import datetime
import hashlib
import http.server
import json
import os
import threading
import time
import unittest

import harness
import signing


def stamp(seconds=0):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root_from(index, size, leaf, proof):
    """RFC 9162, section 2.1.3.2, as another reader would write it: the root that a proof leads to."""
    fn, sn, node = index, size - 1, leaf
    for other in (base64.b64decode(p) for p in proof):
        assert sn, "a proof that is too long"
        if fn & 1 or fn == sn:
            node = digest(b"\1", other, node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = digest(b"\1", node, other)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0, "a proof that is too short"
    return node


class Person:
    """A key that the test holds itself, enrolled for a person of a cell."""

    def __init__(self, cell, token, subject, origin="cn.example/ledger"):
        self.cell, self.key, self.origin = cell, signing.Key(), origin
        code = json.loads(cell.ask("POST", f"/v1/subjects/{subject}/enrolments", token, harness.HOME_PURPOSE).body)["code"]
        look = json.loads(cell.ask("POST", "/v1/enrolments/lookup", body={"code": code}).body)
        done = cell.ask("POST", "/v1/enrolments", body={**self.key.prove(code, look["origin"], look["label"], {}), "code": code})
        assert done.status == 201, done
        self.label = look["label"]

    def said(self, **change):
        return {"event_time": stamp(), "origin": self.origin, "pii_principal_id": self.label, "record_id": os.urandom(16).hex(),
                "request": "every row of the ledger about me", "schema_version": "bourn-history/1", **change}

    def ask(self, signed=None, label=None, query=""):
        wire = json.dumps(signed or self.key.sign(self.said())).encode()
        return self.cell.ask("GET", f"/v1/subjects/~{label or self.label}/history{query}",
                             headers={"Bourn-Statement": base64.urlsafe_b64encode(wire).decode().rstrip("=")})

    def whole(self):
        """All rows of all pages, oldest first, and the pages."""
        pages, query, signed = [], "", self.key.sign(self.said())
        while not pages or pages[-1]["next"] is not None:
            answer = self.ask(signed, query=query)
            assert answer.status == 200, answer
            pages.append(json.loads(answer.body))
            query = f"?cursor={pages[-1]['next']}&size={pages[0]['size']}"
        return [r for p in pages for r in p["rows"]][::-1], pages


class History(harness.ServedTest):
    count = 12

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.alice, cls.bob, cls.carol = (p["bioguide_id"] for p in cls.people[:3])
        cls.key = os.path.join(cls.tmp, "alice.key")
        code = json.loads(cls.cell.ask("POST", f"/v1/subjects/{cls.alice}/enrolments", cls.CLINIC, harness.HOME_PURPOSE).body)["code"]
        harness.run("bourn", "consent", "key", "new", cls.key)
        done = harness.run("bourn", "consent", "enrol", cls.cell.url, "--code", code, "--key", cls.key, "--json")
        cls.label = json.loads(done.stdout)["label"]
        cls.consent = cls.cell.consent(cls.CLINIC, cls.alice, cls.key)
        assert cls.cell.ask("GET", cls.cell.records_path(cls.alice), cls.LAB, harness.LAB_PURPOSE).status == 200
        assert cls.cell.ask("DELETE", f"/v1/subjects/{cls.alice}/consents/{cls.consent}", cls.CLINIC,
                            harness.HOME_PURPOSE).status == 200
        assert cls.cell.ask("GET", cls.cell.records_path(cls.alice), cls.LAB, harness.LAB_PURPOSE).status == 403
        cls.bobs = Person(cls.cell, cls.CLINIC, cls.bob)

    def command(self, *more, key=None, label=None, url=None, check=0, log_key=None):
        return harness.run("bourn", "consent", "history", url or self.cell.url, "--key", key or self.key, "--label",
                           label or self.label, "--log-key", log_key or self.cell.vkey, *more, check=check)

    # -- what the person sees ---------------------------------------------------------------------------------------

    def test_1_everything_in_plain_words(self):
        done = self.command()
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 6)
        for line, words in zip(lines, (
                "you were entered here by clinic in CN", "1 record of people stored by clinic in CN for providing the service you asked for",
                "a signing key became yours; vouched for by clinic", "you consented, signed by your key: people to lab in US for research",
                "1 record of people read by lab in US for research and development (dpv:ResearchAndDevelopment), to US; "
                f"allowed by your consent, entry {self.consent}", f"your consent, entry {self.consent}, was withdrawn by way of clinic")):
            self.assertIn(words, line)
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  entry \d+: ")
        self.assertIn("6 entries about you, 1 of them disclosures, without a gap", done.stderr)
        told = [json.loads(line) for line in self.command("--json").stdout.splitlines()]
        self.assertEqual([t["kind"] for t in told], ["enrolled", "stored", "key", "consent", "disclosed", "withdrawn", "exported"])
        self.assertEqual((told[-1]["operation"], told[-1]["words"]), ("read", f"you read your history, signed by the key of entry {told[2]['index']}"))
        self.assertEqual([t.get("prev") for t in told], [None, *[t["index"] for t in told[:-1]]])
        entries = {e["index"]: e for e in self.cell.entries()}
        for t in told:
            self.assertEqual((entries[t["index"]]["kind"], entries[t["index"]].get("party")), (t["kind"], t.get("party")))
        head = os.path.join(self.tmp, "head")
        self.command("--save-head", head)
        report = json.loads(self.cell.verify(self.DOG, extra=("--head", head, "--json")).stdout)
        self.assertEqual((report["checkpoint"]["earlier_heads"], report["violations"]), (1, []))

    def test_2_it_is_what_the_rows_say(self):
        """The rows that an auditor reads, all of them of this label, and no others."""
        size = self.cell.settle()
        rows = self.cell.ask("GET", f"/ledger/tile/rows/000.p/{size}", self.DOG).body
        mine, at, index = [], 0, 0
        while at < len(rows):
            group = rows[at + 4:at + 4 + int.from_bytes(rows[at:at + 4], "big")]
            at, index, inner = at + 4 + len(group), index + 1, 0
            while inner < len(group):
                row = group[inner + 4:inner + 4 + int.from_bytes(group[inner:inner + 4], "big")]
                inner += 4 + len(row)
                if row[3:19].hex() == self.bobs.label:
                    mine.append((index - 1, row))
        got, pages = self.bobs.whole()
        self.assertEqual([(r["index"], base64.b64decode(r["row"]["row"])) for r in got], mine)
        self.assertEqual(len(pages), 1)
        # Every hash, by a reader of another make.
        page = pages[0]
        checkpoint = page["checkpoint"].split("\n")
        self.assertEqual((checkpoint[0], int(checkpoint[1])), ("cn.example/ledger", page["size"]))
        root = base64.b64decode(checkpoint[2])
        for r in [*got, *page["parties"]]:
            entry = base64.b64decode(r["entry"])
            self.assertEqual(root_from(r["index"], page["size"], digest(b"\0", entry), r["proof"]), root)
        stored = got[1]
        row = base64.b64decode(stored["row"]["row"])
        top = root_from(stored["row"]["index"], 12, digest(b"\0", row), stored["row"]["proof"])
        self.assertIn(top, base64.b64decode(stored["entry"]))

    def test_3_nobody_elses_label(self):
        answer = self.bobs.ask()
        text = answer.body + b"".join(base64.b64decode(r["row"]["row"]) + base64.b64decode(r["entry"])
                                      for r in json.loads(answer.body)["rows"])
        self.assertIn(bytes.fromhex(self.bobs.label), text)
        self.assertNotIn(bytes.fromhex(self.label), text)
        self.assertNotIn(self.label.encode(), text)

    def test_4_pages_are_one_history(self):
        carol = Person(self.cell, self.CLINIC, self.carol)
        for _ in range(150):
            self.assertEqual(self.home("GET", self.cell.records_path(self.carol)).status, 200)
        got, pages = carol.whole()
        self.assertEqual((len(got), [len(p["rows"]) for p in pages]), (153, [64, 64, 25]))
        self.assertEqual({p["size"] for p in pages}, {pages[0]["size"]})
        self.assertTrue(pages[0]["checkpoint"].startswith("cn.example/ledger\n"))
        # What is read while the pages are taken comes in the next history.
        before = len(got)
        self.assertEqual(self.home("GET", self.cell.records_path(self.carol)).status, 200)
        self.assertEqual(len(carol.whole()[0]), before + 2, "and that the first one was read")
        for query in ("?cursor=1", f"?cursor={10**12}", f"?cursor=5&size={10**12}", "?size=1"):
            self.problem(carol.ask(query=query), 400, "range_malformed")

    def test_5_while_somebody_reads_all_the_time(self):
        """The newest row may not be signed yet: the answer waits for it, and comes."""
        stop, dora = threading.Event(), Person(self.cell, self.CLINIC, self.people[3]["bioguide_id"])

        def read():
            while not stop.is_set():
                self.home("GET", self.cell.records_path(self.people[3]["bioguide_id"]))
        threads = [threading.Thread(target=read) for _ in range(2)]
        for t in threads:
            t.start()
        try:
            time.sleep(0.5)
            for _ in range(5):
                answer = dora.ask()
                self.assertEqual(answer.status, 200, answer.body[:300])
        finally:
            stop.set()
            for t in threads:
                t.join()

    # -- who does not get it ----------------------------------------------------------------------------------------

    def test_6_every_refusal_is_the_same(self):
        erased = Person(self.cell, self.CLINIC, self.people[6]["bioguide_id"])
        self.assertEqual(self.home("DELETE", f"/v1/subjects/{self.people[6]['bioguide_id']}").status, 200)
        bob, other = self.bobs, signing.Key()
        good, nobody = bob.key.sign(bob.said()), os.urandom(16).hex()
        self.cell.settle()
        before = len(self.cell.entries())
        told = [bob.ask(*args) for args in (
            (bob.key.sign(bob.said(pii_principal_id=self.label)), self.label),       # somebody else's label
            (good, self.label),                                                       # another path than was signed
            (other.sign(bob.said()),),                                                # another key
            (bob.key.sign(bob.said(pii_principal_id=nobody)), nobody),                # nobody's label
            (erased.key.sign(erased.said()), erased.label),                           # an erased person's own key
            ({**good, "signature": signing.text(os.urandom(64))},),                   # no signature
            ({"statement": bob.said()},),                                             # none at all
        )]
        self.assertEqual({(a.status, a.body) for a in told}, {(403, told[0].body)})
        self.problem(told[0], 403, "signature_invalid")
        by_identifier = self.cell.ask("GET", f"/v1/subjects/{self.bob}/history", headers={
            "Bourn-Statement": base64.urlsafe_b64encode(json.dumps(good).encode()).decode().rstrip("=")})
        self.assertEqual((by_identifier.status, by_identifier.body), (403, told[0].body), "an identifier is no label")
        self.cell.settle()
        self.assertEqual(len(self.cell.entries()), before)

    def test_6_no_party_reads_it(self):
        """No token opens it, an auditor's neither: those read rows, and evidence through the gate."""
        for token in (self.CLINIC, self.LAB, self.DOG):
            answer = self.cell.ask("GET", f"/v1/subjects/~{self.bobs.label}/history", token, harness.HOME_PURPOSE)
            self.problem(answer, 400, "statement_required")
        self.problem(self.cell.ask("GET", "/ledger/tile/rows/000.p/5", self.CLINIC), 403, "right_missing")

    def test_6_other_statements(self):
        bob = self.bobs
        for change, code in (({"origin": "us.example/ledger"}, "statement_foreign"), ({"event_time": stamp(3600)}, "statement_expired"),
                             ({"event_time": stamp(-901)}, "statement_expired"), ({"request": "all"}, "statement_malformed"),
                             ({"schema_version": "bourn-export/1"}, "statement_malformed"), ({"more": 1}, "statement_malformed"),
                             ({"record_id": "x"}, "statement_malformed")):
            self.problem(bob.ask(bob.key.sign(bob.said(**change))), 422, code)
        self.assertEqual(bob.ask(bob.key.sign(bob.said(event_time=stamp(-850)))).status, 200)
        # What is signed for the history takes no copy of the records.
        answer = self.cell.ask("POST", "/v1/export", body=bob.key.sign(bob.said()))
        self.problem(answer, 422, "statement_malformed")
        for text in ("", "{", "!"):
            answer = self.cell.ask("GET", f"/v1/subjects/~{bob.label}/history", headers={"Bourn-Statement": text})
            self.assertIn((answer.status, json.loads(answer.body)["code"]), ((400, "statement_required"), (422, "statement_malformed")))
        done = self.command(label=bob.label, check=1)
        self.assertEqual(done.stdout, "")
        self.assertIn("signature_invalid", done.stderr)

    # -- a cell that lies -------------------------------------------------------------------------------------------

    def test_7_the_command_finds_every_lie(self):
        """A server between the cell and the command, which changes what the cell answers."""
        cell, change, said = self.cell, [], {}

        class Liar(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path not in said:  # once from the cell: each statement that it sees is an entry
                    said[self.path] = cell.ask("GET", self.path, headers={"Bourn-Statement": self.headers["Bourn-Statement"]})
                answer = said[self.path]
                body = json.loads(answer.body)
                change[0](body)
                body = json.dumps(body).encode()
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}"

        def flip(text, at=-1):
            data = bytearray(base64.b64decode(text))
            data[at] ^= 1
            return base64.b64encode(data).decode()

        def deep(name, at=-1):
            def do(page):
                page["rows"][1][name] = flip(page["rows"][1][name], at)
            return do
        other = json.loads(self.bobs.ask().body)
        lies = {
            "nothing": (lambda p: None, ""),
            "a row left out": (lambda p: p["rows"].pop(2), "a gap"),
            "the oldest left out": (lambda p: p["rows"].pop(), "a gap"),
            "rows in another order": (lambda p: p["rows"].reverse(), "something comes behind|a gap"),
            "an entry changed": (deep("entry"), "not the one that the checkpoint signs"),
            "a row changed": (lambda p: p["rows"][1]["row"].update(row=flip(p["rows"][1]["row"]["row"])), "not one that the entry|malformed|row"),
            "another's row": (lambda p: p["rows"].insert(0, other["rows"][0]), "somebody else|not the one"),
            "another's history": (lambda p: p.update(other), "somebody else"),
            "a party changed": (lambda p: p["parties"][0].update(entry=flip(p["parties"][0]["entry"])), "not the one that"),
            "another index": (lambda p: p["rows"][1].update(index=p["rows"][1]["index"] - 1), "not the one that"),
            "a proof too long": (lambda p: p["rows"][1]["proof"].append(p["rows"][1]["proof"][0]), "not the one that"),
            "another root": (lambda p: p.update(checkpoint=p["checkpoint"].replace("\n", "\n1", 1)), "signature"),
            "another size": (lambda p: p.update(size=p["size"] + 1), "another tree"),
            "more to come": (lambda p: p.update(next=3), "a gap"),
            "no rows": (lambda p: p.update(rows=[]), "a page without rows"),
        }
        for what, (lie, words) in lies.items():
            with self.subTest(what):
                change[:] = [lie]
                done = self.command(url=url, check=1 if words else 0)
                self.assertRegex(done.stderr, words or "without a gap")
                self.assertEqual(done.stdout == "", bool(words))
        other_key = os.path.join(self.tmp, "other.vkey")
        stranger = harness.Cell(self.tmp, name="xx")
        os.rename(stranger.vkey, other_key)
        self.assertIn("refuses", self.command(log_key=other_key, check=1).stderr)

    # -- after an erasure -------------------------------------------------------------------------------------------

    def test_8_what_erasure_leaves(self):
        """Evidence says `erased`, the replay `undecidable`, and neither that it holds."""
        ident = self.people[7]["bioguide_id"]
        key = os.path.join(self.tmp, "gone.key")
        self.cell.enrol(self.CLINIC, ident, key)
        consent = self.cell.consent(self.CLINIC, ident, key)
        self.assertEqual(self.foreign("GET", self.cell.records_path(ident)).status, 200)
        size = self.cell.settle()

        def evidence():
            answer = self.cell.ask("POST", "/ledger/evidence", self.DOG, harness.AUDIT_PURPOSE, {"from": consent, "to": consent + 1})
            return answer.headers.get("Bourn-Receipt"), answer.body
        receipt, opened = evidence()
        self.assertIn(b"bourn-consent/1", opened)
        self.assertGreaterEqual(int(receipt), size, "an opening is an entry")
        self.cell.settle()
        self.assertEqual((self.cell.entries()[int(receipt)]["kind"], self.cell.entries()[int(receipt)]["operation"]),
                         ("disclosed", "evidence"))
        self.assertEqual(self.home("DELETE", f"/v1/subjects/{ident}").status, 200)
        receipt, opened = evidence()
        self.assertIsNone(receipt)
        self.assertNotIn(b"bourn-consent/1", opened)
        self.assertIn(b"\x03\x02", opened, "key 3, status 2: erased")
        report = json.loads(self.cell.verify(self.DOG, extra=("--json",)).stdout)
        verdict = {c["id"]: c for c in report["clauses"]}
        self.assertEqual((report["exit"], report["violations"]), (0, []))
        for clause in ("C1", "C3", "H1", "S3"):
            self.assertEqual(verdict[clause]["verdict"], "undecidable because erased")
            self.assertGreater(verdict[clause]["erased"]["party"], 0)
        self.assertGreater(report["coverage"]["evidence"]["erased"], 0)


class Large(harness.ServedTest):
    """Rows that are long, and entries about many people: pages end earlier, and the history is whole all the same."""

    count = 500

    def sizes(self, person):
        rows, pages = person.whole()
        chain = [base64.b64decode(r["row"]["row"])[3:19].hex() for r in rows]
        self.assertEqual(set(chain), {person.label})
        return len(rows), [len(p["rows"]) for p in pages], [len(json.dumps(p)) for p in pages]

    def test_1_long_rows(self):
        ident = self.people[0]["bioguide_id"]
        with open(os.path.join(self.tmp, "v.yaml"), "w") as f:
            f.write("fields:\n  - {name: id, type: text}\n  - {name: ward, type: text}\n")
        harness.run("bourn", "collection", "add", self.cell.path, "visits", "--schema", os.path.join(self.tmp, "v.yaml"))
        lines = "".join(json.dumps({"id": ident, "ward": str(n)}) + "\n" for n in range(1000))
        self.cell.load("-", self.CLINIC, collection="visits", subject="id", stdin=lines, extra=("--format", "ndjson"))
        person = Person(self.cell, self.CLINIC, ident)
        for _ in range(50):
            self.assertEqual(self.home("GET", self.cell.records_path(ident, "visits")).status, 200)
        rows, pages, bytes_ = self.sizes(person)
        self.assertGreater(rows, 53)
        self.assertGreater(len(pages), 1)
        self.assertLess(max(pages), 64)
        self.assertLess(max(bytes_), (256 << 10) + 40_000, "a page ends behind the row that reaches 256 KiB")

    def test_2_entries_about_many_people(self):
        idents = [p["bioguide_id"] for p in self.people]
        person = Person(self.cell, self.CLINIC, idents[7])
        for _ in range(60):
            answer = self.home("POST", "/v1/disclose", {"collection": "people", "subjects": idents, "fields": ["last_name"]})
            self.assertEqual(answer.status, 200)
        rows, pages, _ = self.sizes(person)
        self.assertEqual(rows, 63)
        self.assertEqual(len(pages), 2, "a megabyte of others' rows were read for the first page")


class Closed(harness.Test):
    """A cell that closes its entries: to everybody but auditors, and to parties and people but for their own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cell = harness.Cell(cls.tmp)
        cls.setting = os.path.join(cls.cell.path, "bourn.yaml")
        with open(cls.setting) as f:
            cls.open = f.read()
        cls.write(cls.open.replace("entries: public", "entries: closed"))
        cls.cell.serve()
        cls.addClassCleanup(cls.cell.close)
        with open(os.path.join(cls.tmp, "s.yaml"), "w") as f:
            f.write("fields:\n  - {name: id, type: text}\n")
        harness.run("bourn", "collection", "add", cls.cell.path, "people", "--schema", os.path.join(cls.tmp, "s.yaml"))
        cls.CLINIC, cls.DOG = cls.cell.clinic(), cls.cell.watchdog()
        done = cls.cell.ask("POST", cls.cell.records_path("P1"), cls.CLINIC, harness.HOME_PURPOSE, {"id": "P1"})
        cls.stored = int(done.headers["Bourn-Receipt"])
        cls.size = cls.cell.settle()

    @classmethod
    def write(cls, text):
        with open(cls.setting, "w") as f:
            f.write(text)

    def test_1_who_sees_entries(self):
        bundle = f"/ledger/tile/entries/000.p/{self.size}"
        answer = self.cell.ask("GET", bundle)
        self.problem(answer, 401, "token_required")
        self.assertIn("Bearer", answer.headers["WWW-Authenticate"])
        self.problem(self.cell.ask("GET", bundle, "nobody"), 401, "token_invalid")
        self.problem(self.cell.ask("GET", bundle, self.CLINIC), 403, "right_missing")
        answer = self.cell.ask("GET", bundle, self.DOG)
        self.assertEqual((answer.status, answer.headers["Cache-Control"]), (200, "no-store"))
        self.problem(self.cell.ask("GET", bundle), 401, "token_required")  # nor from anybody's memory behind it
        for path in ("checkpoint", f"tile/0/000.p/{self.size}"):
            answer = self.cell.ask("GET", "/ledger/" + path)
            self.assertEqual(answer.status, 200)
            self.assertIn("public", answer.headers["Cache-Control"])
        self.problem(self.cell.ask("GET", f"/ledger/tile/rows/000.p/{self.size}", self.CLINIC), 403, "right_missing")

    def test_2_each_their_own(self):
        self.assertEqual(self.cell.ask("GET", f"/v1/ledger/receipt/{self.stored}", self.CLINIC).status, 200)
        answer = self.cell.ask("GET", f"/v1/ledger/proof/{self.stored}", self.CLINIC)
        path = os.path.join(self.tmp, "proof")
        with open(path, "wb") as f:
            f.write(answer.body)
        harness.run("bourn-verify", "--key", self.cell.vkey, "--proof", path)
        key = os.path.join(self.tmp, "key")
        harness.run("bourn", "consent", "key", "new", key)
        code = json.loads(self.cell.ask("POST", "/v1/subjects/P1/enrolments", self.CLINIC, harness.HOME_PURPOSE).body)["code"]
        done = harness.run("bourn", "consent", "enrol", self.cell.url, "--code", code, "--key", key, "--json")
        done = harness.run("bourn", "consent", "history", self.cell.url, "--key", key, "--label", json.loads(done.stdout)["label"],
                           "--log-key", self.cell.vkey)
        self.assertIn("stored by clinic in CN", done.stdout)

    def test_3_the_replay_needs_the_token(self):
        self.cell.verify(self.DOG)
        done = harness.run("bourn-verify", self.cell.url + "/ledger", "--key", self.cell.vkey, check=2)
        self.assertIn("status 401", done.stdout)

    def test_4_settings_are_read_strictly(self):
        self.cell.settle()
        self.cell.stop()
        for text, words in (("version: 1\nentires: closed\n", "line 2: there is no such setting"), ("entries: closed\n", "line 1: version: 1 is missing"),
                            ("version: 1\nentries: close\n", "line 2: entries is public or closed"), ("version: 2\n", "line 1: version: 1"),
                            ("version: 1\nentries: closed\nentries: public\n", "line 3: entries is public or closed, and stands once"),
                            ("version: 1\nclosed\n", "line 2: a setting is written")):
            with self.subTest(text):
                self.write(text)
                with self.assertRaises(AssertionError) as caught:
                    self.cell.serve()
                self.assertIn("bourn.yaml, " + words, str(caught.exception))
                self.cell.process = None
        os.rename(self.setting, self.setting + ".away")
        with self.assertRaises(AssertionError) as caught:
            self.cell.serve()
        self.assertIn("bourn.yaml is missing", str(caught.exception))
        self.cell.process = None
        os.rename(self.setting + ".away", self.setting)
        self.write("version: 1\n")  # as cells have it that were made before there was the setting
        self.cell.serve()
        self.assertEqual(self.cell.ask("GET", "/ledger/tile/entries/000.p/1").status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)

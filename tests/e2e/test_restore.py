"""A backup that is put back, for real: a cell serves, is copied, goes on (a withdrawal, an erasure, disclosures), is stopped,
and the copy comes in its place, whole or in parts. It is refused with a message that says how to go on; and that way is gone:
a new log that carries over what was withdrawn and erased, which bourn-verify replays, and convicts if it leaves one out."""

import contextlib
import http.server
import json
import os
import shutil
import subprocess
import threading
import unittest

import harness


def copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("admin.sock"))
    return target


def size_of(folder):
    """Entries under the published checkpoint."""
    with open(os.path.join(folder, "ledger", "checkpoint"), "rb") as f:
        return int(f.read().split(b"\n")[1])


def snapshot(folder):
    """Every file below a folder with its bytes."""
    out = {}
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name), "rb") as f:
                out[os.path.relpath(os.path.join(where, name), folder)] = f.read()
    return out


class Restore(harness.ServedTest):
    count = 20

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cell = cls.cell
        cls.who = [row["bioguide_id"] for row in cls.people]
        cls.keys = [os.path.join(cls.tmp, f"{n}.key") for n in range(3)]
        cls.consents = []
        for n in range(3):
            cell.enrol(cls.CLINIC, cls.who[n], cls.keys[n])
            cls.consents.append(cell.consent(cls.CLINIC, cls.who[n], cls.keys[n]))
        assert cell.ask("GET", cell.records_path(cls.who[0]), cls.LAB, harness.LAB_PURPOSE).status == 200
        cell.settle()
        cell.stop()
        cls.backup = copy(cell.path, os.path.join(cls.tmp, "backup"))
        cls.old_head = os.path.join(cls.backup, "ledger", "checkpoint")
        cell.serve()
        # What goes on behind the backup: person 0 withdraws, 5 is erased, somebody reads, a party ends.
        for method, path in (("DELETE", f"/v1/subjects/{cls.who[0]}/consents/{cls.consents[0]}"),
                             ("DELETE", f"/v1/subjects/{cls.who[5]}"),
                             ("GET", cell.records_path(cls.who[6])),
                             ("POST", f"/v1/subjects/{cls.who[7]}/enrolments")):
            answer = cell.ask(method, path, cls.CLINIC, harness.HOME_PURPOSE)
            assert answer.status in (200, 201), answer
        assert cell.ask("GET", cell.records_path(cls.who[1]), cls.LAB, harness.LAB_PURPOSE).status == 200
        cell.settle()
        cell.stop()
        cls.newest = copy(cell.path, os.path.join(cls.tmp, "newest"))
        cls.sizes = [size_of(folder) for folder in (cls.backup, cls.newest)]
        cls.published = copy(os.path.join(cls.newest, "ledger"), os.path.join(cls.tmp, "published-ledger"))
        cls.rows = copy(os.path.join(cls.newest, "rows"), os.path.join(cls.tmp, "published-rows"))

    def put_back(self, *newer):
        """The backup in the cell's place, but for these parts, which stay as they were at the end."""
        cell = harness.Cell(self.tmp, name="restored", make=False)
        copy(self.backup, cell.path)
        for part in newer:
            target = os.path.join(cell.path, part)
            if os.path.isdir(target):
                copy(os.path.join(self.newest, part), target)
            else:
                shutil.copy(os.path.join(self.newest, part), target)
        with open(cell.log_path, "w"):
            pass
        return cell

    def refused(self, cell, *words, extra=()):
        """It does not start, says why and how to go on, and changes nothing of the ledger or the head."""
        before = {part: snapshot(os.path.join(cell.path, part)) for part in ("ledger", "rows", "signer", "keys")}
        done = subprocess.run([harness.program("bourn"), "serve", cell.path, "--listen", "127.0.0.1:0", *extra],
                              capture_output=True, text=True, timeout=60)
        self.assertIn(done.returncode, (69, 70), done.stderr)
        self.assertNotIn("listening", done.stdout)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertIn("docs/guide/restored-backup.md", done.stderr)
        after = {part: snapshot(os.path.join(cell.path, part)) for part in before}
        self.assertEqual(before, after)
        return done.stderr

    # -- refused -----------------------------------------------------------------------------------------------------

    def test_01_the_newest_starts(self):
        cell = harness.Cell(self.tmp, name="restored", make=False)
        copy(self.newest, cell.path)
        cell.serve(extra=["--head", os.path.join(self.published, "checkpoint"), ])
        cell.stop()

    def test_02_everything_old_but_the_head(self):
        old, new = self.sizes
        self.refused(self.put_back("signer/head"), f"signer/head says that {new} entries were signed, but only {old} are here",
                     "an old backup was put back", "bourn init NEW --continue CELL")

    def test_03_everything_old_but_the_published_ledger(self):
        old, new = self.sizes
        self.refused(self.put_back("ledger", "rows"), f"{new} entries", "signer/head")
        self.refused(self.put_back("ledger", "rows", "signer/head"), f"{new} entries were signed, but only {old} are here")

    def test_04_everything_old_and_a_head_from_elsewhere(self):
        old, new = self.sizes
        cell = self.put_back()
        self.refused(cell, f"{new} entries", extra=["--head", os.path.join(self.published, "checkpoint")])
        self.refused(cell, f"{new} entries")  # it is remembered: leaving the option away does not help

    def test_05_only_the_head_old(self):
        cell = harness.Cell(self.tmp, name="restored", make=False)
        copy(self.newest, cell.path)
        shutil.copy(os.path.join(self.backup, "signer", "head"), os.path.join(cell.path, "signer", "head"))
        self.refused(cell, "an old head was put back", f"{self.sizes[1]} entries")

    def test_06_only_the_journal_old(self):
        cell = harness.Cell(self.tmp, name="restored", make=False)
        copy(self.newest, cell.path)
        copy(os.path.join(self.backup, "journal"), os.path.join(cell.path, "journal"))
        self.refused(cell, "its files are older than the rest of the cell", "a backup of the whole cell")

    def test_07_only_the_store_old(self):
        """Nothing is lost: the journal makes the rest again."""
        cell = harness.Cell(self.tmp, name="restored", make=False)
        copy(self.newest, cell.path)
        copy(os.path.join(self.backup, "store"), os.path.join(cell.path, "store"))
        cell.serve()
        try:
            self.assertEqual(cell.ask("GET", cell.records_path(self.who[0]), self.LAB, harness.LAB_PURPOSE).status, 403)
            self.assertEqual(cell.ask("GET", cell.records_path(self.who[5]), self.CLINIC, harness.HOME_PURPOSE).status, 404)
            harness.run("bourn", "scrub", cell.path)
        finally:
            cell.stop()

    def test_08_a_fork_under_the_same_key(self):
        """The backup starts where nothing newer is known, and goes on: two histories. Then the other's checkpoint shows up."""
        cell = self.put_back()
        cell.serve()
        for n in range(8, 16):
            cell.ask("GET", cell.records_path(self.who[n]), self.CLINIC, harness.HOME_PURPOSE)
        self.assertGreaterEqual(cell.settle(), self.sizes[1])
        cell.stop()
        self.refused(cell, "two histories were written under one key", extra=["--head", os.path.join(self.published, "checkpoint")])

    def test_10_a_second_copy_publishes_while_it_serves(self):
        """Two copies of one cell serve; what one publishes comes into the other's folder: that one signs nothing any more."""
        one = self.put_back()
        two = harness.Cell(self.tmp, name="copied", make=False)
        copy(self.backup, two.path)
        two.serve()
        for n in range(8, 16):
            two.ask("GET", two.records_path(self.who[n]), self.CLINIC, harness.HOME_PURPOSE)
        two.settle()
        two.stop()
        one.serve()
        self.assertEqual(one.ask("GET", one.records_path(self.who[8]), self.CLINIC, harness.HOME_PURPOSE).status, 200)
        one.settle()
        shutil.copy(os.path.join(two.path, "ledger", "checkpoint"), os.path.join(one.path, "ledger", "checkpoint"))
        one.ask("GET", one.records_path(self.who[9]), self.CLINIC, harness.HOME_PURPOSE)
        self.assertEqual(one.wait(), 70)
        self.assertIn("ledger/checkpoint says that", one.log())
        self.refused(one, "ledger/checkpoint")

    def test_09_a_head_of_another_log(self):
        other = harness.Cell(self.tmp, name="other")
        other.serve()
        other.stop()
        done = harness.run("bourn", "serve", self.put_back().path, "--listen", "127.0.0.1:0", "--head",
                           os.path.join(other.path, "ledger", "checkpoint"), check=64)
        self.assertIn("not a checkpoint that this log's key signed", done.stderr)

    # -- and gone on --------------------------------------------------------------------------------------------------

    def go_on(self, backup, name, check=0, extra=()):
        """`bourn init --continue` of a folder; the new cell and the object that it prints."""
        cell = harness.Cell(self.tmp, name=name, make=False)
        done = harness.run("bourn", "init", cell.path, "--continue", backup, "--origin", f"{name.strip(chr(47))}.example/ledger", "--json",
                           *extra, check=check)
        return cell, json.loads(done.stdout) if check == 0 else done.stderr

    def ask(self, cell, method, path, token=None, purpose=harness.HOME_PURPOSE, body=None):
        return cell.ask(method, path, token or self.CLINIC, purpose, body)

    def lab(self, cell, n):
        return cell.ask("GET", cell.records_path(self.who[n]), self.LAB, harness.LAB_PURPOSE).status

    def test_20_gone_on_with_what_the_published_ledger_knows(self):
        old, new = self.sizes
        backup = self.put_back("signer/head").path
        before = snapshot(backup)
        cell, said = self.go_on(backup, "next", extra=["--ledger", self.published, "--rows", self.rows])
        self.assertEqual({k: said[k] for k in ("entries", "known", "withdrawn", "erased")},
                         {"entries": old, "known": new, "withdrawn": 1, "erased": 1})
        after = snapshot(backup)
        after.pop("lock", None), before.pop("lock", None)
        self.assertEqual(before, after, "the backup's folder is as it was")
        cell.serve()
        try:
            self.assertEqual(self.lab(cell, 0), 403, "the withdrawn consent did not come back")
            self.assertEqual(self.lab(cell, 1), 200, "the others still count: nobody has to sign again")
            self.assertEqual(self.ask(cell, "GET", cell.records_path(self.who[5])).status, 404, "nor the one who was erased")
            self.assertEqual(self.ask(cell, "GET", cell.records_path(self.who[6])).status, 200)
            # It goes on: a new consent names the new log.
            consent = cell.consent(self.CLINIC, self.who[0], self.keys[0])
            self.assertEqual(self.lab(cell, 0), 200)
            self.assertEqual(self.ask(cell, "DELETE", f"/v1/subjects/{self.who[0]}/consents/{consent}").status, 200)
            log = cell.entries()
            self.assertEqual([(e["kind"], e.get("from"), e["count"] if "count" in e else None) for e in log[old:old + 3]],
                             [("continued", None, None), ("carried", log[old + 1]["from"], 1), ("carried", log[old + 2]["from"], 1)])
            self.assertEqual((log[old]["continues"], log[old]["origin"], log[old]["known"]),
                             ("cn.example/ledger", "next.example/ledger", new))
            report = json.loads(cell.verify(self.DOG, extra=["--json"]).stdout)
            self.assertEqual((report["exit"], report["violations"]), (0, []))
            harness.run("bourn", "scrub", cell.path)
        finally:
            cell.stop()
        cell.serve()  # and starts again like any other
        cell.stop()

    def replay(self, cell, check, *extra):
        """bourn-verify on the files of a cell that is down, with the old log beside it."""
        done = harness.run("bourn-verify", os.path.join(cell.path, "ledger"), "--key", cell.vkey, "--rows",
                           os.path.join(cell.path, "rows"), "--json", "--continues", self.published, *extra, check=check)
        harness.second(done)
        report = json.loads(done.stdout)
        return report, [(f["clause"], f.get("entry"), f["reason"]) for f in report["violations"]]

    def test_30_the_verifier_convicts_what_is_left_out(self):
        old, new = self.sizes
        backup = self.put_back("signer/head").path
        with_rows = ("--continues-rows", self.rows)
        good, _ = self.go_on(backup, "good", extra=["--ledger", self.published, "--rows", self.rows])
        good.serve(), good.stop()
        report, violations = self.replay(good, 2, *with_rows)  # 2: its own evidence is not given here
        self.assertEqual(violations, [])
        self.assertEqual(report["checkpoint"]["continues"], {"origin": "cn.example/ledger", "entry": old, "known": new})
        verdicts = {c["id"]: c for c in report["clauses"]}
        self.assertEqual((verdicts["V1"]["violated"], verdicts["H1"]["violated"]), (0, 0))
        report, _ = self.replay(good, 2)
        self.assertEqual({c["id"]: c for c in report["clauses"]}["H1"]["verdict"], "not examined", "no rows, no word on whom")

        bad, _ = self.go_on(backup, "bad", extra=["--lost"])  # an operator who has the copy, and says that nobody has
        bad.serve(), bad.stop()
        report, violations = self.replay(bad, 1, *with_rows)
        self.assertEqual([(c, e) for c, e, _ in violations], [("H1", old), ("H1", old)])
        reasons = " ".join(reason for _, _, reason in violations)
        self.assertIn(f"consent {self.consents[0]}, withdrawn there, lives on", reasons)
        self.assertIn("somebody who was erased there lives on", reasons)

        worse, _ = self.go_on(self.put_back().path, "worse")  # and one who says that there never was more
        worse.serve(), worse.stop()
        _, violations = self.replay(worse, 1, *with_rows)
        self.assertIn(("V1", old, f"the old log had {new} entries, not {old}"), violations)
        self.assertEqual([e for c, e, _ in violations if c == "H1"], [old, old])

        # Heads that somebody kept of the old log hold the new one, too.
        report, violations = self.replay(good, 2, *with_rows, "--head", self.old_head, "--head", os.path.join(self.published, "checkpoint"))
        self.assertEqual((violations, report["checkpoint"]["earlier_heads"]), ([], 1))
        verdicts = {c["id"]: c["verdict"] for c in report["clauses"]}
        self.assertEqual((verdicts["S1"], verdicts["V1"]), ("holds", "holds"))
        _, violations = self.replay(worse, 1, "--head", os.path.join(self.published, "checkpoint"))
        self.assertIn(("V1", old, f"the old log had {new} entries, not {old}"), violations)
        stranger = harness.Cell(self.tmp, name="stranger")
        stranger.serve(), stranger.stop()
        report, _ = self.replay(good, 2, "--head", os.path.join(stranger.path, "ledger", "checkpoint"))
        self.assertIn("nor by that of the log before it", report["error"])

        other = harness.Cell(self.tmp, name="plain")
        other.serve(), other.stop()
        report, _ = self.replay(other, 2)
        self.assertIn("does not say that it continues", report["error"])

    def test_31_gone_on_twice(self):
        first, _ = self.go_on(self.put_back("signer/head").path, "first",
                              extra=["--ledger", self.published, "--rows", self.rows])
        first.serve(), first.stop()
        second, said = self.go_on(first.path, "second")
        self.assertEqual(said["entries"], said["known"])
        second.serve()
        try:
            self.assertEqual((self.lab(second, 0), self.lab(second, 1)), (403, 200))
            second.verify(self.DOG)
        finally:
            second.stop()

    def test_21_gone_on_where_nothing_newer_is_known(self):
        cell, said = self.go_on(self.put_back().path, "alone")
        self.assertEqual((said["entries"], said["known"], said["withdrawn"], said["erased"]), (*[self.sizes[0]] * 2, 0, 0))
        cell.serve()
        try:
            self.assertEqual(self.lab(cell, 1), 200)
            cell.verify(self.DOG)
        finally:
            cell.stop()

    def test_22_the_newer_copy_is_in_the_folder_itself(self):
        cell, said = self.go_on(self.put_back("signer/head", "ledger", "rows").path, "inside")
        self.assertEqual((said["known"], said["withdrawn"], said["erased"]), (self.sizes[1], 1, 1))
        cell.serve()
        cell.stop()

    def test_23_not_without_what_is_known_to_be_missing(self):
        backup = self.put_back("signer/head").path
        cell, said = self.go_on(backup, "refused", check=1)
        self.assertIn(f"the old log had {self.sizes[1]} entries; the backup has {self.sizes[0]}", said)
        self.assertFalse(os.path.exists(cell.path))
        cell, said = self.go_on(backup, "refused", check=1, extra=["--ledger", self.published])
        self.assertIn("--rows", said)
        self.assertFalse([name for name in os.listdir(self.tmp) if "partial" in name], "nothing is left behind")
        cell, said = self.go_on(backup, "lost", extra=["--lost"])
        self.assertEqual((said["known"], said["withdrawn"], said["erased"]), (self.sizes[1], 0, 0))

    def test_24_not_with_a_copy_of_another_history(self):
        copied = copy(self.published, os.path.join(self.tmp, "altered"))
        for where, _, names in os.walk(os.path.join(copied, "tile", "entries")):
            for name in names:
                with open(os.path.join(where, name), "r+b") as f:
                    raw = bytearray(f.read())
                    raw[60] ^= 1
                    f.seek(0)
                    f.write(raw)
        cell, said = self.go_on(self.put_back("signer/head").path, "refused", check=1,
                                extra=["--ledger", copied, "--rows", self.rows])
        self.assertIn("another history", said)

    @contextlib.contextmanager
    def web(self, folder, change=None):
        """A web server over a folder; `change` gets path and body of what is there and gives (status, body)."""
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path = os.path.join(folder, self.path.lstrip("/"))
                status, body = 404, b""
                if os.path.isfile(path):
                    with open(path, "rb") as f:
                        status, body = 200, f.read()
                status, body = change(self.path, body) if change and status == 200 else (status, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()

    def left_behind(self):
        return [name for name in os.listdir(self.tmp) if ".copy." in name or "partial" in name]

    def test_27_the_newer_copy_is_behind_a_url(self):
        old, new = self.sizes
        backup = self.put_back("signer/head").path
        with self.web(self.published) as url:
            cell, said = self.go_on(backup, "web/", extra=["--ledger", url + "/", "--rows", self.rows])
        self.assertEqual({k: said[k] for k in ("entries", "known", "withdrawn", "erased")},
                         {"entries": old, "known": new, "withdrawn": 1, "erased": 1})
        self.assertEqual(self.left_behind(), [])
        cell = harness.Cell(self.tmp, name="web", make=False)
        cell.serve(), cell.stop()
        _, violations = self.replay(cell, 2, "--continues-rows", self.rows)
        self.assertEqual(violations, [])

    def test_28_a_url_that_lies(self):
        backup = self.put_back("signer/head").path
        big = b"x" * (20 << 20)
        stranger = harness.Cell(self.tmp, name="foreign")
        stranger.serve(), stranger.stop()
        with open(os.path.join(stranger.path, "ledger", "checkpoint"), "rb") as f:
            foreign = f.read()
        with open(self.old_head, "rb") as f:
            older = f.read()

        def flip(body):
            return body[:60] + bytes([body[60] ^ 1]) + body[61:]
        entries = "/tile/entries/"
        for what, change, words, *code in (
                ("nothing there", lambda path, body: (404, b""), "is not there"),
                ("an error", lambda path, body: (500, b""), "status 500", 69),
                ("a redirect", lambda path, body: (302, b""), "status 302"),
                ("another log's checkpoint", lambda path, body: (200, foreign if path == "/checkpoint" else body), "signature|key|origin"),
                ("an endless checkpoint", lambda path, body: (200, big if path == "/checkpoint" else body), "larger than"),
                ("no entries", lambda path, body: (404, b"") if entries in path else (200, body), "is not there"),
                ("entries cut off", lambda path, body: (200, body[:-7]) if entries in path else (200, body), "cut off"),
                ("endless entries", lambda path, body: (200, big if entries in path else body), "larger than"),
                ("entries of another history", lambda path, body: (200, flip(body) if entries in path else body), "another history"),
                ("an old copy", lambda path, body: (200, older if path == "/checkpoint" else body), "is not there|newer copy"),
        ):
            with self.subTest(what), self.web(self.published, change) as url:
                cell, said = self.go_on(backup, "refused", check=(code or [1])[0], extra=["--ledger", url, "--rows", self.rows])
                self.assertRegex(said, words)
                self.assertFalse(os.path.exists(cell.path))
                self.assertEqual(self.left_behind(), [])
        with self.web(self.published) as url:  # whom it is about stands in rows, which no public address has
            self.assertIn("--rows", self.go_on(backup, "refused", check=1, extra=["--ledger", url])[1])
        self.assertEqual(self.left_behind(), [])
        _, said = self.go_on(backup, "refused", check=69, extra=["--ledger", url])
        self.assertIn("no answer", said)

    def test_25_usage(self):
        backup = self.put_back().path
        for args in (["--origin", "x y"], [], ["--origin", "n.example/l", "--domicile", "CN"]):
            self.assertEqual(harness.run("bourn", "init", os.path.join(self.tmp, "u"), "--continue", backup, *args,
                                         check=None).returncode, 64, args)
        done = harness.run("bourn", "init", os.path.join(self.tmp, "u"), "--continue", backup, "--origin", "cn.example/ledger",
                           check=64)
        self.assertIn("a new name is wanted", done.stderr)
        self.assertEqual(harness.run("bourn", "init", os.path.join(self.tmp, "u"), "--lost", "--domicile", "CN", "--controller",
                                     "C", "--origin", "n.example/l", check=None).returncode, 64)

    def test_26_not_of_a_cell_that_serves(self):
        cell = self.put_back()
        cell.serve()
        try:
            done = harness.run("bourn", "init", os.path.join(self.tmp, "u"), "--continue", cell.path, "--origin", "n.example/l",
                               check=69)
            self.assertIn("is being served", done.stderr)
        finally:
            cell.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)

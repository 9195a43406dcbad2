"""A cell and its witnesses: three real ones with a policy of two, killed and brought back; witnesses that hang or lie; a cell
that was copied and served twice under one key. What a quorum has not seen in time stops disclosures, and nothing else."""

import base64
import contextlib
import http.server
import json
import os
import re
import shutil
import struct
import threading
import time
import unittest

import harness
import people
import signing
import witnessing
from harness import HOME_PURPOSE, LAB_PURPOSE

LAG_S = 6


def policy(path, witnesses, quorum, name="some"):
    """Writes a policy of (vkey, url) pairs; `quorum` of them."""
    with open(path, "w") as f:
        f.write("# witnesses of the test\n")
        for i, (vkey, url) in enumerate(witnesses):
            f.write(f"witness w{i} {vkey.strip()} {url}\n")
        f.write(f"group {name} {quorum} " + " ".join(f"w{i}" for i in range(len(witnesses))) + f"\nquorum {name}\n")
    return path


def wait(what, seconds=20):
    """Asks until it is true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what.__doc__ or what} did not come in {seconds} s")
        time.sleep(0.1)
    return found


def verdict(report, clause):
    return next(c["verdict"] for c in report["clauses"] if c["id"] == clause)


class Fake:
    """A witness that does what the test says: `answer` gets the body of a request and gives (status, body), or None to hang."""

    def __init__(self, name="fake.example"):
        self.key, self.name = signing.Key(), name
        self.vkey = witnessing.vkey(name, 4, self.key.public)
        self.answer, self.asked, self.late = self.good, [], 0
        self.close_now = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.asked.append((self.path, body))
                found = outer.answer(body)
                if found is None:
                    outer.close_now.wait(60)
                    self.close_connection = True
                    return
                status, text = found
                text = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                with contextlib.suppress(OSError):  # who asked may have gone
                    self.wfile.write(text)

            def log_error(self, *_):
                pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # who asked may have gone
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/prefix/"

    def line(self, body, when=None, key=None, name=None):
        key, name, when = key or self.key, name or self.name, int(time.time()) if when is None else when
        signed = key.signature(f"cosignature/v1\ntime {when}\n{body}".encode())
        return f"\u2014 {name} {witnessing.b64(witnessing.key_id(name, 4, key.public) + struct.pack('>Q', when) + signed)}\n"

    @staticmethod
    def text(request):
        """The text of the checkpoint in a request."""
        return request.split("\n\n")[1] + "\n"

    def good(self, request):
        return 200, self.line(self.text(request))

    def close(self):
        self.close_now.set()
        self.server.shutdown()
        self.server.server_close()


class Witnessed(harness.Test):
    """A cell with a clinic, a lab and people, and what its witnesses need."""

    def make(self, witnesses, quorum, lag=LAG_S, release=None, transfer=None, name="cn"):
        parent = os.path.join(self.tmp, self.id().rsplit(".", 1)[1])
        os.makedirs(parent, exist_ok=True)
        csv = os.path.join(parent, "people.csv")
        self.people = people.made_up(12)
        people.write(csv, self.people)
        cell = self.cell = harness.Cell(parent, name)
        cell.serve()
        self.addCleanup(lambda: cell.close())
        cell.collection(csv)
        cell.notice()
        self.CLINIC, self.LAB, self.DOG = cell.clinic(), cell.lab(), cell.watchdog()
        cell.load(csv, self.CLINIC)
        self.parent = parent
        if witnesses is not None:
            self.configure(witnesses, quorum, lag, release, transfer)
        return cell

    def configure(self, witnesses, quorum, lag=LAG_S, release=None, transfer=None):
        path = policy(os.path.join(self.parent, "policy"), witnesses, quorum)
        args = ["--witness-policy", path, "--witness-lag-max", str(lag)]
        args += ["--release-after", release] if release else []
        args += ["--transfer-release-after", transfer] if transfer else []
        shown = json.loads(harness.run("bourn", "config", self.cell.path, *args, "--json").stdout)
        self.assertEqual(shown["witness_lag_max_s"], str(lag))
        self.cell.stop()
        self.cell.serve()
        return path

    def real(self, n, cell_vkey=None):
        """n serving witnesses that trust the cell to be made."""
        out = []
        parent = os.path.join(self.tmp, self.id().rsplit(".", 1)[1])
        os.makedirs(parent, exist_ok=True)
        for i in range(n):
            w = witnessing.Witness(parent, f"w{i}", [cell_vkey] if cell_vkey else [])
            self.addCleanup(w.close)
            out.append(w)
        return out

    def trust_and_serve(self, witnesses):
        for w in witnesses:
            harness.run("bourn", "witness", "trust", w.path, self.cell.vkey)
            w.serve()

    def read(self, n=0):
        """The clinic reads a person."""
        return self.cell.ask("GET", self.cell.records_path(self.people[n]["bioguide_id"]), self.CLINIC, HOME_PURPOSE)

    def stopped(self):
        """disclosures stop"""
        answer = self.read()
        return answer if answer.status == 503 else None

    def going(self):
        """disclosures go on"""
        return self.read().status == 200

    def checkpoint(self):
        return self.cell.ask("GET", "/ledger/checkpoint").body.decode()

    def cosigners(self, vkeys):
        """Which of the witnesses have well cosigned the checkpoint that is served."""
        text, lines = self.checkpoint().split("\n\n")
        lines = lines.splitlines()
        with open(self.cell.vkey) as f:
            name, _, public = witnessing.read_vkey(f.read())
        first = lines[0].split(" ")  # the log's own line comes first
        self.assertEqual(first[1], name)
        self.assertTrue(witnessing.verify(public, text.encode() + b"\n", base64.b64decode(first[2])[4:]))
        found = [i for line in lines[1:] for i, vkey in enumerate(vkeys)
                 if witnessing.cosignature(line, text + "\n", vkey) is not None]
        self.assertEqual(len(found), len(lines) - 1)
        return set(found)

    def at_rest(self, vkeys):
        """All have cosigned, and what they said is logged: no newer checkpoint is on its way."""
        def stands():
            size = self.cell.size()
            time.sleep(1.2)
            return self.cell.size() == size and self.cosigners(vkeys) == set(range(len(vkeys)))
        wait(stands)

    def status(self):
        return json.loads(harness.run("bourn", "status", self.cell.path, "--json").stdout)


class Quorum(Witnessed):
    def test_two_of_three(self):
        self.make(None, 0)
        ws = self.real(3)
        self.trust_and_serve(ws)
        vkeys = [w.vkey for w in ws]
        self.configure([(w.vkey, w.url) for w in ws], 2)
        self.assertIn("relay", self.cell.children)
        wait(lambda: self.cosigners(vkeys) == {0, 1, 2})
        self.assertTrue(self.going())

        # one is killed: disclosures go on, for longer than the breaker waits
        ws[0].kill()
        end = time.monotonic() + LAG_S + 3
        while time.monotonic() < end:
            self.assertEqual(self.read().status, 200)
            time.sleep(0.3)
        wait(lambda: self.cosigners(vkeys) == {1, 2})

        # two: they stop, in time
        ws[1].kill()
        begun = time.monotonic()
        self.assertEqual(self.read().status, 200)  # there is something to cosign
        problem = self.problem(wait(self.stopped, LAG_S + 6), 503, "witness_lag")
        took = time.monotonic() - begun
        self.assertLess(took, LAG_S + 4)
        self.assertGreater(took, LAG_S - 3)
        self.assertIn("quorum", problem["detail"])
        lag = re.search(r"bourn_witness_lag_seconds ([0-9.]+)", harness.run("bourn", "metrics", self.cell.path).stdout)
        self.assertGreater(float(lag.group(1)), LAG_S)
        status = self.status()
        self.assertFalse(status["disclosing"])
        self.assertEqual([w["state"] for w in status["witnesses"]], ["silent", "silent", "cosigns"])

        # writes, enrolments, consents, withdrawals and erasures go on
        who, gone = self.people[0]["bioguide_id"], self.people[1]["bioguide_id"]
        write = self.cell.ask("POST", self.cell.records_path(who), self.CLINIC, HOME_PURPOSE, dict(self.people[0]))
        self.assertEqual(write.status, 201, write.body)
        key = os.path.join(self.parent, "person.key")
        self.cell.enrol(self.CLINIC, who, key)
        consent = self.cell.consent(self.CLINIC, who, key)
        withdrawn = self.cell.ask("DELETE", f"/v1/subjects/{who}/consents/{consent}", self.CLINIC, HOME_PURPOSE)
        self.assertLess(withdrawn.status, 300, withdrawn.body)
        erased = self.cell.ask("DELETE", f"/v1/subjects/{gone}", self.CLINIC, HOME_PURPOSE)
        self.assertLess(erased.status, 300, erased.body)
        self.problem(self.read(), 503, "witness_lag")  # still

        # one comes back: they go on
        ws[1].serve()
        wait(self.going, 20)
        wait(lambda: self.cosigners(vkeys) == {1, 2})
        self.assertNotEqual(self.read(1).status, 200)  # the erasure held
        ws[0].serve()
        wait(lambda: self.cosigners(vkeys) == {0, 1, 2})

        # and the whole log holds up to what a stranger asks of it
        done = self.cell.verify(self.DOG, extra=("--policy", os.path.join(self.parent, "policy"), "--json"))
        harness.second(done, token=self.DOG)
        report = json.loads(done.stdout)
        self.assertEqual(verdict(report, "V1"), "holds")
        self.assertEqual(verdict(report, "S1"), "holds")
        self.assertGreater(report["coverage"]["witnesses"]["entries"], 0)
        self.assertEqual(report["coverage"]["witnesses"]["cosigned_size"], report["checkpoint"]["size"])
        entry = next(e for e in self.cell.entries() if e["kind"] == "witnessed")
        self.assertGreater(entry["index"], 0)

    def test_release_after_cosigned(self):
        self.make(None, 0)
        slow, other = Fake("slow.example"), Fake("other.example")
        self.addCleanup(slow.close)
        self.addCleanup(other.close)
        hold = threading.Event()
        hold.set()

        def when_let(request):
            hold.wait(30)
            return slow.good(request)

        slow.answer = when_let
        self.configure([(slow.vkey, slow.url), (other.vkey, other.url)], 2, lag=60, release="cosigned", transfer="cosigned")
        self.assertTrue(self.going())
        self.assertEqual(slow.asked[0][0], "/prefix/add-checkpoint")
        hold.clear()
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.read()))
        thread.start()
        time.sleep(2)
        self.assertEqual(answers, [])  # signed long ago, and still waiting
        hold.set()
        thread.join(20)
        self.assertEqual(answers[0].status, 200)
        receipt = int(answers[0].headers["Bourn-Receipt"])
        self.assertGreater(self.status()["cosigned"], receipt)
        # one that does not come at all: nothing is released
        hold.clear()
        self.problem(self.read(), 503, "cosignature_late")
        hold.set()
        wait(self.going)

    def test_release_settings(self):
        """What the command refuses, and what it writes down."""
        self.make(None, 0)
        cell = self.cell

        def config(*args, check=0):
            return harness.run("bourn", "config", cell.path, *args, check=check)

        def file(text):
            path = os.path.join(self.parent, "bad")
            with open(path, "w") as f:
                f.write(text)
            return path

        self.assertIn("without a witness policy", config("--release-after", "cosigned", check=1).stderr)
        for bad in ("4", "86401", "x", ""):
            self.assertIn("from 5 to 86400", config("--witness-lag-max", bad, check=1).stderr)
        for good in ("5", "86400"):
            self.assertIn(good, config("--witness-lag-max", good).stdout)
        self.assertIn("wanted", config("--release-after", "never", check=1).stderr)
        self.assertIn("wanted", config("--transfer-release-after", "durable", check=1).stderr)
        key = witnessing.vkey("w.example", 4, signing.Key().public).strip()
        for text, why in (
                ("quorum x\n", "line 1"), (f"witness a {key} https://w.example\n", "no line"),
                (f"witness a {key}\nquorum a\n", "needs a URL"), (f"witness a {key} http://w.example\nquorum a\n", "needs a URL"),
                (f"witness a {key} http://127.0.0.1@w.example/\nquorum a\n", "needs a URL"),
                (f"witness a {key} http://127.0.0.1.w.example/\nquorum a\n", "needs a URL"),
                (f"witness a {key} ftp://127.0.0.1/\nquorum a\n", "needs a URL"),
                (f"witness a {key} https://w.example\nquorum none\n", "none"),
        ):
            with self.subTest(text):
                self.assertIn(why, config("--witness-policy", file(text), check=1).stderr)
        # as the ledger keeps it, a policy has at most 4,096 bytes
        for more, code in ((0, 0), (1, 1)):
            text = f"witness a {key} https://w.example/"
            many = [witnessing.vkey(f"w{i}.example", 4, signing.Key().public).strip() for i in range(8)]
            lines = [f"witness x{i} {k} https://w.example/{'u' * 400}\n" for i, k in enumerate(many)]
            rest = 4096 - len("".join(lines)) - len(text) - len("\nquorum a\n") + more
            done = config("--witness-policy", file("".join(lines) + text + "u" * rest + "\nquorum a\n"), check=code)
            self.assertIn("longer" if code else "quorum a", done.stderr + done.stdout)
        before = cell.settle()
        with open(cell.vkey) as f:
            log = f.read().strip()
        config("--witness-policy", file(f"# c\nlog {log}\nwitness a {key} https://w.example\nquorum a\n"))
        config("--release-after", "cosigned")
        self.assertIn("without a witness policy", config("--witness-policy", file(""), check=1).stderr)
        config("--release-after", "durable")
        config("--witness-policy", file(""))
        cell.settle()
        kinds = [e["kind"] for e in cell.entries()[before:]]
        self.assertEqual(kinds.count("config"), 4)
        self.assertNotIn("relay", cell.children)


class Liars(Witnessed):
    def test_one_that_hangs_or_lies_stops_nothing_two_do(self):
        self.make(None, 0)
        good = self.real(1)
        self.trust_and_serve(good)
        liar, honest = Fake("liar.example"), Fake("honest.example")
        self.addCleanup(liar.close)
        self.addCleanup(honest.close)
        pairs = [(w.vkey, w.url) for w in (good[0], liar, honest)]
        self.configure(pairs, 2)
        vkeys = [vkey for vkey, _ in pairs]
        wait(lambda: self.cosigners(vkeys) == {0, 1, 2})
        strange = signing.Key()

        def other_root(request):
            lines = Fake.text(request).split("\n")
            lines[2] = witnessing.b64(os.urandom(32))
            return 200, liar.line("\n".join(lines))

        lies = {
            "hangs": lambda request: None,
            "bad signature": lambda request: (200, liar.line(Fake.text(request), key=strange, name=liar.name)),
            "its own key, bad bytes": lambda request: (200, liar.line(Fake.text(request) + "x\n")),
            "other root": other_root,
            "old time": lambda request: (200, liar.line(Fake.text(request), int(time.time()) - 3600)),
            "time to come": lambda request: (200, liar.line(Fake.text(request), int(time.time()) + 3600)),
            "time 0": lambda request: (200, liar.line(Fake.text(request), 0)),
            "no lines": lambda request: (200, ""),
            "garbage": lambda request: (200, "\u2014 liar.example AAAA\n\0\xff"),
            "too much": lambda request: (200, "x" * 200000),
            "another's line": lambda request: (200, honest.line(Fake.text(request))),
            "409 of nothing": lambda request: (409, "x"),
            "409 for ever": lambda request: (409, "1\n"),
            "409 ahead": lambda request: (409, f"{int(Fake.text(request).split(chr(10))[1]) + 1}\n"),
            "409 beyond": lambda request: (409, "1000000\n"),
            "500": lambda request: (500, "no"),
            "redirect": lambda request: (307, ""),
        }
        for what, lie in lies.items():
            with self.subTest(what):
                liar.answer, asked = lie, len(liar.asked)
                size = self.cell.size()
                self.assertEqual(self.read().status, 200)
                wait(lambda: self.cell.size() > size and self.cosigners(vkeys) == {0, 2}, 15)
                if what != "hangs":
                    wait(lambda: len(liar.asked) > asked, 25)
                wait(lambda: self.cosigners(vkeys) == {0, 2})  # what it sent is not published
        # and with the honest one hanging too, the breaker trips
        liar.answer = honest.answer = lambda request: None
        self.assertEqual(self.read().status, 200)
        self.problem(wait(self.stopped, LAG_S + 6), 503, "witness_lag")
        honest.answer = honest.good
        honest.close_now.set()
        wait(self.going, 40)
        log = self.cell.log()
        for words in ("no good cosignature", "the time that it signs", "cannot be reached", "seen another history"):
            self.assertIn(words, log)

    def test_409_is_followed(self):
        """Witnesses that know less, or as much as they should: the request goes on from the size that they name."""
        self.make(None, 0)
        ws = self.real(1)
        self.trust_and_serve(ws)
        self.configure([(ws[0].vkey, ws[0].url.replace("127.0.0.1", "localhost"))], 1)  # a name, looked up in the sandbox
        self.at_rest([ws[0].vkey])
        kept = self.checkpoint()
        self.cell.stop()  # what it knew of the witness is forgotten
        with open(os.path.join(self.cell.path, "ledger", "checkpoint")) as f:
            self.assertEqual(f.read(), kept)  # the file kept the cosignature
        self.cell.serve()
        for _ in range(3):
            self.assertTrue(self.going())
        size = self.cell.settle()
        wait(lambda: self.cosigners([ws[0].vkey]) == {0})
        (state,) = os.listdir(os.path.join(ws[0].path, "state"))
        with open(os.path.join(ws[0].path, "state", state)) as f:
            self.assertEqual(int(f.read().split("\n")[1]), self.cell.size())
        self.assertGreaterEqual(self.cell.size(), size)
        self.assertNotIn("another history", self.cell.log())


    def test_addresses_that_lead_nowhere(self):
        """A name that does not exist, TLS spoken to what has none, a port where nobody is: the relay lives on."""
        self.make(None, 0)
        plain, good = Fake("plain.example"), Fake("good.example")
        self.addCleanup(plain.close)
        self.addCleanup(good.close)
        keys = [witnessing.vkey(f"w{i}.example", 4, signing.Key().public) for i in range(3)]
        port = plain.server.server_port
        self.configure([(keys[0], "https://nowhere.invalid/x"), (keys[1], f"https://localhost:{port}"),
                        (keys[2], "http://[::1]:9"), (good.vkey, good.url)], 1)
        wait(lambda: self.cosigners([good.vkey]) == {0})
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            self.assertTrue(self.going())
            time.sleep(0.2)
        self.assertEqual([w["state"] for w in self.status()["witnesses"]], ["silent", "silent", "silent", "cosigns"])
        self.assertEqual(plain.asked, [])
        # a certificate that no authority vouches for
        pair = witnessing.certificate(self.parent)
        if pair:
            (secret,) = self.real(1, self.cell.vkey)
            secret.serve(tls=pair)
            self.configure([(secret.vkey, f"https://localhost:{secret.port}"), (good.vkey, good.url)], 1)
            wait(lambda: self.cosigners([secret.vkey, good.vkey]) == {1})
            wait(lambda: [w["state"] for w in self.status()["witnesses"]] == ["silent", "cosigns"])
            self.assertEqual(os.listdir(os.path.join(secret.path, "state")), [])
        # another policy while requests are under way: new keys under the same relay
        good.answer = lambda request: None
        self.assertTrue(self.going())
        time.sleep(1)
        other = Fake("other.example")
        self.addCleanup(other.close)
        path = policy(os.path.join(self.parent, "policy"), [(good.vkey, other.url), (other.vkey, good.url)], 1)
        harness.run("bourn", "config", self.cell.path, "--witness-policy", path)
        good.answer = lambda request: (200, other.line(Fake.text(request)))
        wait(lambda: self.cosigners([other.vkey]) == {0}, 30)  # at the address that this relay knows
        self.assertEqual(other.asked, [])  # and not at the other: its port was not among those of the start
        self.assertIn("restart the cell", self.cell.log())
        self.cell.stop()


class SplitView(Witnessed):
    def test_a_cell_that_is_copied_and_served_twice(self):
        """Two histories under one key: the witness has signed one of them and refuses the other, and a client's stored head
        convicts it."""
        self.make(None, 0)
        ws = self.real(1)
        self.trust_and_serve(ws)
        path = self.configure([(ws[0].vkey, ws[0].url)], 1)
        wait(lambda: self.cosigners([ws[0].vkey]) == {0})
        self.at_rest([ws[0].vkey])
        time.sleep(2)  # what is durable is in the store, too
        first, head = self.cell, os.path.join(self.parent, "head")
        shutil.copytree(first.path, os.path.join(self.parent, "copy"), symlinks=True, ignore=shutil.ignore_patterns("admin.sock"))
        copy = harness.Cell(self.parent, "copy", make=False)
        copy.vkey = first.vkey
        self.addCleanup(copy.close)

        self.cell = copy.serve()  # the witness knows no more than the copy does: it may go on, and so may the other, still
        self.assertEqual(self.read().status, 200)
        size = copy.settle()
        wait(lambda: self.cosigners([ws[0].vkey]) == {0})
        report = json.loads(copy.verify(self.DOG, extra=("--save-head", head, "--policy", path, "--json")).stdout)
        self.assertEqual(verdict(report, "V1"), "holds")
        copy.stop()

        self.cell = first  # other clients are shown this one
        for i in range(2, 8):
            self.read(i)
        self.assertGreaterEqual(first.settle(), size)
        wait(lambda: "seen another history" in first.log())
        self.assertEqual(self.cosigners([ws[0].vkey]), set())
        self.problem(wait(self.stopped, LAG_S + 10), 503, "witness_lag")
        with open(ws[0].log_path) as f:
            self.assertIn("does not extend", f.read())

        # without an earlier head, and without a quorum: not provable; with the head: violated
        folder = os.path.join(first.path, "ledger")
        done = harness.run("bourn-verify", folder, "--key", first.vkey, "--policy", path, "--json", check=2)
        self.assertEqual(verdict(json.loads(done.stdout), "V1"), "not provable")
        done = harness.run("bourn-verify", folder, "--key", first.vkey, "--head", head, "--json", check=1)
        self.assertEqual(verdict(json.loads(done.stdout), "V1"), "violated")



if __name__ == "__main__":
    unittest.main(verbosity=2)

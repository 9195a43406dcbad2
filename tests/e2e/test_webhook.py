"""Parties at home are told of each disclosure about their people: by a receiver of the test's own, which checks signatures with
code of its own. Receivers that are down, hang, lie or never end; a service that is killed between telling and keeping that it
told; parties abroad; a party that must not learn of another's people."""

import base64
import contextlib
import hashlib
import http.server
import json
import os
import re
import subprocess
import threading
import time
import unittest

import harness
import people
import signing
import witnessing
from harness import HOME_PURPOSE, LAB_PURPOSE

HEAD = ("index", "leaf", "size", "root", "told", "time", "party", "destination", "operation", "purpose")


def wait(what, seconds=20):
    """Asks until it is true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what.__doc__ or what} did not come in {seconds} s")
        time.sleep(0.05)
    return found


class Event:
    """One body, read by its definition (docs/formats/events.md)."""

    def __init__(self, body, vkey):
        self.body = body
        name, _, public = witnessing.read_vkey(vkey)
        text, signature = body.decode("ascii", "surrogateescape").encode("ascii", "surrogateescape").decode().split("\n\n")
        self.text = text + "\n"
        dash, by, payload = signature.rstrip("\n").split(" ")
        assert (dash, by) == ("\u2014", name), signature
        payload = base64.b64decode(payload)
        assert payload[:4] == witnessing.key_id(name, 1, public) and witnessing.verify(public, self.text.encode(), payload[4:])
        lines = text.split("\n")
        assert lines[:2] == ["bourn-disclosure/v1", name], lines[:2]
        self.of = dict(line.split(" ", 1) for line in lines[2:] if not line.startswith("~"))
        self.people = [line for line in lines if line.startswith("~")]
        assert list(self.of) == [*HEAD, *(["collection"] if "collection" in self.of else []), "people"], list(self.of)
        assert int(self.of["people"]) == len(self.people) > 0 and self.people == sorted(set(self.people))
        self.index, self.id = int(self.of["index"]), (name, int(self.of["index"]))


class Receiver:
    """What a party runs: keeps what it was told. `answer` gives a status, or does something worse."""

    def __init__(self, vkey, path="/hook?key=s3cr3t"):
        self.vkey, self.path, self.answer, self.got, self.tries = vkey, path, lambda: 200, [], 0
        self.close_now = threading.Event()
        self.port = 0
        self.open()

    def open(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == outer.path and self.headers["Content-Type"] == "text/plain; charset=utf-8", self.path
                outer.tries += 1
                status = outer.answer()
                if status == "hang":
                    outer.close_now.wait(60)
                    self.close_connection = True
                    return
                if status == "endless":
                    self.endless()
                    return
                if status // 100 == 2:
                    outer.got.append(Event(body, outer.vkey))
                self.send_response(status)
                if status // 100 == 3:
                    self.send_header("Location", f"http://127.0.0.1:{outer.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def endless(self):
                self.send_response(200)
                self.send_header("Content-Length", str(1 << 40))
                self.end_headers()
                with contextlib.suppress(OSError):
                    while not outer.close_now.is_set():
                        self.wfile.write(b"x" * 65536)
                self.close_connection = True

            def do_GET(self):
                raise AssertionError("a redirect was followed")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # who told may have been killed
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}{self.path}"

    def indices(self):
        return [e.index for e in self.got]

    def down(self):
        self.server.shutdown()
        self.server.server_close()

    def close(self):
        self.close_now.set()
        self.down()


class Webhook(harness.Test):
    """A cell with two parties at home and one abroad; the first person is the clinic's and lets the lab read."""

    def setUp(self):
        self.parent = os.path.join(self.tmp, self.id().rsplit(".", 1)[1])
        os.makedirs(self.parent)
        self.cell = harness.Cell(self.parent)
        self.addCleanup(self.cell.close)
        self.csv = os.path.join(self.parent, "people.csv")
        self.people = people.made_up(6)
        people.write(self.csv, self.people)
        self.cell.serve()
        self.cell.collection(self.csv)
        self.cell.notice()
        self.CLINIC, self.LAB, self.DOG = self.cell.clinic(), self.cell.lab(), self.cell.watchdog()
        self.WARD = self.cell.party("ward", ground="dpv:Contract", rights="read,write,consent,enrol,erase")
        self.cell.load(self.csv, self.CLINIC)
        self.ids = [p["bioguide_id"] for p in self.people]
        with open(self.cell.vkey) as f:
            self.vkey = f.read()
        self.party = {p["name"]: p["index"] for p in
                      json.loads(harness.run("bourn", "party", "list", self.cell.path, "--json").stdout)["parties"]}

    def hook(self, name="clinic", check=0, args=(), **more):
        r = Receiver(self.vkey, **more)
        self.addCleanup(r.close)
        self.set(name, r.url)
        return r

    def set(self, name, *args, check=0, stdin=None):
        done = harness.run("bourn", "party", "webhook", self.cell.path, name, *args, "--json", check=check, stdin=stdin)
        return json.loads(done.stdout) if check == 0 else done

    def restart(self):
        self.cell.stop()
        self.cell.serve()

    def read(self, person=0, token=None, purpose=HOME_PURPOSE):
        """The clinic, or another, reads a person; the entry's index."""
        answer = self.cell.ask("GET", self.cell.records_path(self.ids[person]), token or self.CLINIC, purpose)
        self.assertEqual(answer.status, 200, answer.body)
        return int(answer.headers["Bourn-Receipt"])

    def let_the_lab_read(self, person=0):
        key = os.path.join(self.parent, f"{person}.key")
        self.cell.enrol(self.CLINIC, self.ids[person], key)
        self.cell.consent(self.CLINIC, self.ids[person], key)

    def told(self, r, indices, seconds=20):
        def came():
            return len(r.got) >= len(indices)
        with contextlib.suppress(AssertionError):
            wait(came, seconds)
        self.assertEqual(r.indices(), indices, self.cell.log()[-2000:])

    def status(self):
        return {h["party"]: h for h in json.loads(harness.run("bourn", "status", self.cell.path, "--json").stdout).get("webhooks", [])}

    def no_more(self, r):
        n = len(r.got)
        wait(lambda: all(h["lag"] == 0 for h in self.status().values()))
        self.assertEqual(len(r.got), n)

    def verified(self):
        """The ledger holds, for both verifiers."""
        evidence = os.path.join(self.parent, "evidence")
        self.cell.evidence_file(self.DOG, evidence)
        self.cell.settle()
        harness.second(harness.run("bourn-verify", os.path.join(self.cell.path, "ledger"), "--key", self.cell.vkey, "--rows",
                                   os.path.join(self.cell.path, "rows"), "--evidence", evidence, "--json", check=None))
        self.cell.verify(self.DOG)


class Told(Webhook):
    def test_abroad_and_at_home(self):
        self.let_the_lab_read()
        before = self.read(1)  # of this nobody is told: it was before
        r = self.hook()
        self.assertEqual(self.status()["clinic"]["state"], "waits for a restart")
        abroad = self.read(0, self.LAB, LAB_PURPOSE)
        self.restart()
        home = self.read(0)
        refused = self.cell.ask("GET", self.cell.records_path(self.ids[1]), self.LAB, LAB_PURPOSE)
        self.assertEqual(refused.status, 403)
        self.told(r, [abroad, home])
        one, two = r.got
        self.assertEqual((one.of["party"], one.of["destination"], one.of["purpose"], one.of["operation"], one.of["collection"]),
                         (str(self.party["lab"]), "US", LAB_PURPOSE, "read", "people"))
        self.assertEqual((two.of["party"], two.of["destination"]), (str(self.party["clinic"]), "CN"))
        self.assertEqual(one.people, two.people)
        for e in r.got:
            self.assertEqual(e.of["told"], str(self.party["clinic"]))
            entry = self.cell.entries()[e.index]
            self.assertEqual((entry["kind"], entry["time"]), ("disclosed", e.of["time"]))
        # The label is one that the party can ask by.
        answer = self.cell.ask("GET", self.cell.records_path(one.people[0]), self.CLINIC, HOME_PURPOSE)
        self.assertEqual(json.loads(answer.body)["records"][0]["data"]["bioguide_id"], self.ids[0])
        self.told(r, [abroad, home, int(answer.headers["Bourn-Receipt"])])
        self.no_more(r)
        self.assertNotIn(before, r.indices())
        self.verified()

    def test_what_it_says_is_in_the_log(self):
        r = self.hook()
        self.restart()
        index = self.read(2)
        self.told(r, [index])
        path = os.path.join(self.parent, "event")
        with open(path, "wb") as f:
            f.write(r.got[0].body)
        offline = harness.run("bourn-verify", "--key", self.cell.vkey, "--receipt", path, "--json")
        self.assertEqual(json.loads(offline.stdout)["kept"][0]["kind"], "event")
        if harness.NODE:
            other = subprocess.run([harness.NODE, harness.MJS, *offline.args[1:]], capture_output=True, text=True, timeout=60)
            self.assertEqual((other.returncode, json.loads(other.stdout)), (0, json.loads(offline.stdout)))
        self.cell.settle()
        done = harness.run("bourn-verify", os.path.join(self.cell.path, "ledger"), "--key", self.cell.vkey, "--receipt", path, "--json",
                           check=2)  # rows were not given
        self.assertEqual(json.loads(done.stdout)["violations"], [])
        harness.second(done)
        # What the cell signs beside the entry is held against it: here the operator, who has the key, lies.
        rows = os.path.join(self.cell.path, "rows")
        with open(os.path.join(self.cell.path, "signer", "log.key"), "rb") as f:
            key = signing.Key(f.read())
        text, other = r.got[0].text, "~" + "0" * 32
        for lie, layers in ((text, (True, False)), (text.replace("destination CN", "destination US"), (True, False)),
                            (text.replace("people 1", "people 2") + "~" + "f" * 32 + "\n", (True,)),
                            (text.replace("people 1\n", f"people 2\n{other}\n"), (True,)), (text.replace("people 1", "people 3"), (True, False)),
                            (re.sub("time 20", "time 19", text), (True, False)), (re.sub("told [0-9]+", "told x", text), (True, False)),
                            (text.replace("collection people\n", ""), (True, False)), (text.replace("operation read", "operation self"), (True, False)),
                            (text + r.got[0].people[0] + "\n", (True, False)), (text.replace(r.got[0].people[0], other), (True,))):
            by = f"\u2014 {r.got[0].id[0]} "
            line = base64.b64encode(witnessing.key_id(r.got[0].id[0], 1, key.public) + key.signature(lie.encode())).decode()
            with open(path, "w") as f:
                f.write(f"{lie}\n{by}{line}\n")
            for given in layers:
                done = harness.run("bourn-verify", os.path.join(self.cell.path, "ledger"), "--key", self.cell.vkey, "--receipt", path, "--json",
                                   *(("--rows", rows) if given else ()), check=None)
                found = [(v["clause"], v["entry"]) for v in json.loads(done.stdout)["violations"]]
                self.assertEqual(found, [] if lie == text else [("S1", index)], lie)
                harness.second(done)
        # Neither a receipt nor a checkpoint can be taken for it, nor it for them; one that was changed is refused.
        for was, now in (("US", "CN"), ("destination CN", "destination US"), ("bourn-disclosure/v1", "bourn-receipt/v1"), ("people 1", "people 2")):
            if was not in r.got[0].body.decode():
                continue
            with open(path, "wb") as f:
                f.write(r.got[0].body.replace(was.encode(), now.encode(), 1))
            self.assertIn("does not verify", harness.run("bourn-verify", "--key", self.cell.vkey, "--receipt", path, check=None).stderr)

    def test_no_personal_data(self):
        """Nothing of a record, no identifier, no token, no URL: not in an event, and the URL nowhere in the cell's files."""
        self.let_the_lab_read()
        r = self.hook()
        self.restart()
        told = [self.read(0, self.LAB, LAB_PURPOSE), *(self.read(i) for i in range(6))]
        self.told(r, told)
        everything = b"".join(e.body for e in r.got)
        planted = {v for p in self.people for v in p.values() if len(v) > 4} | {self.CLINIC, self.LAB, r.path, "s3cr3t"}
        self.assertGreater(len(planted), 30)
        for value in planted:
            self.assertNotIn(value.encode(), everything)
        for e in r.got:
            for line in e.text.split("\n")[2:-1]:
                self.assertRegex(line, r"^(~[0-9a-f]{32}|(index|size|told|party|people) [0-9]+|(leaf|root) [A-Za-z0-9+/]{43}=|time [0-9TZ:-]{20}|"
                                       r"destination (CN|US)|operation read|purpose dpv:[A-Za-z]+|collection people)$")
        files = [os.path.join(d, f) for d, _, names in os.walk(self.parent) for f in names]
        found = 0
        for path in filter(os.path.isfile, files):
            with open(path, "rb") as f:
                content = f.read()
            self.assertNotIn(b"s3cr3t", content, path)
            found += b"webhook." in content  # it would be found
        self.assertGreater(found, 1)
        for pid in self.cell.roles().values():  # nor on a command line
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                self.assertNotIn(b"s3cr3t", f.read())

    def test_each_learns_of_its_own_people_alone(self):
        """Two webhooks; a person whom both know; one whom only one knows; a disclosure of many."""
        rows = people.made_up(8)[6:]
        for i, p in enumerate(rows):
            p["bioguide_id"] = f"W-{i}"
        csv = os.path.join(self.parent, "ward.csv")
        people.write(csv, rows)
        self.cell.load(csv, self.WARD)
        self.ids += ["W-0", "W-1"]
        c, w = self.hook(), self.hook("ward")
        self.restart()
        only_clinic, only_ward = self.read(1), self.read(6, self.WARD)
        self.told(c, [only_clinic])
        self.told(w, [only_ward])
        body = {"subjects": [self.ids[i] for i in (0, 1, 6, 7)], "collection": "people"}
        answer = self.cell.ask("POST", "/v1/disclose", self.CLINIC, HOME_PURPOSE, body)
        self.assertEqual(answer.status, 200, answer.body)
        self.cell.settle()
        many = next(e["index"] for e in reversed(self.cell.entries()) if e["kind"] == "disclosed")
        self.told(c, [only_clinic, many])
        self.told(w, [only_ward, many])
        self.assertEqual((len(c.got[1].people), len(w.got[1].people)), (2, 2))
        self.assertFalse(set(c.got[1].people) & set(w.got[1].people))
        self.assertEqual((c.got[1].of["told"], w.got[1].of["told"]), (str(self.party["clinic"]), str(self.party["ward"])))
        # Who writes a record of a person is concerned from then on.
        row = dict(self.people[1], bioguide_id="second")
        done = self.cell.ask("POST", self.cell.records_path(self.ids[1]), self.WARD, HOME_PURPOSE, row)
        self.assertEqual(done.status, 201, done.body)
        both = self.read(1)
        self.told(c, [only_clinic, many, both])
        self.told(w, [only_ward, many, both])
        self.assertEqual(c.got[2].people, w.got[2].people)

    def test_off_and_on(self):
        r = self.hook()
        self.restart()
        first = self.read()
        self.told(r, [first])
        self.assertEqual(self.set("clinic", "--off"), {"party": self.party["clinic"], "webhook": False})
        unheard = self.read()
        self.cell.settle()
        self.assertEqual(self.status(), {})
        self.assertIn("not told", self.set("clinic", "--off", check=1).stderr)
        self.set("clinic", "-", stdin=r.url + "\n")
        second = self.read()
        self.told(r, [first, second])  # people are known as before, and what was not to be told stays untold
        self.assertNotIn(unheard, r.indices())
        settings = [e for e in self.cell.entries() if e["kind"] == "config"]
        self.assertGreaterEqual(len(settings), 3)
        self.assertNotIn("127.0.0.1", json.dumps(settings))
        harness.run("bourn", "party", "end", self.cell.path, "clinic")
        self.assertEqual(self.status(), {})
        self.restart()
        self.assertEqual(self.status(), {})
        self.verified()

    def test_who_may_and_where(self):
        self.assertIn("another", self.set("lab", "https://hook.example/x", check=1).stderr)
        self.assertIn("no living party", self.set("nobody", "https://hook.example/x", check=1).stderr)
        for url in ("http://hook.example/x", "ftp://127.0.0.1/x", "https://me:secret@hook.example/x", "https://hook.example/#x", "https://",
                    "https://hook.example:0/x", "https://hook.example:99999/x", "https://hook.example:x/", "http://127.0.0.1.evil.example/",
                    "https://hook.example/a b", "https://hook.example/\u00e9", "https://hook.example/" + "a" * 500, ""):
            self.set("clinic", url, check=64)
        self.assertEqual(self.status(), {})
        self.assertEqual(self.set("clinic", "https://hook.example/x"), {"party": self.party["clinic"], "webhook": True, "reachable": False})
        self.restart()  # with a relay that may reach it
        self.assertEqual(self.status()["clinic"]["state"], "not told yet")

    def test_an_erased_person(self):
        """Of a disclosure before the erasure the party is told after it, by label; the label leads nowhere."""
        r = self.hook()
        r.down()
        self.restart()
        index = self.read(3)
        self.assertEqual(self.cell.ask("DELETE", f"/v1/subjects/{self.ids[3]}", self.CLINIC, HOME_PURPOSE).status, 200)
        self.cell.settle()
        r.open()
        self.told(r, [index])
        self.assertEqual(self.cell.ask("GET", self.cell.records_path(r.got[0].people[0]), self.CLINIC, HOME_PURPOSE).status, 404)
        self.no_more(r)


    def test_a_log_that_goes_on(self):
        """From an old backup under a new log: the party is told on, from the mark that the backup has, under the new name."""
        r = self.hook()
        self.restart()
        first = self.read()
        self.told(r, [first])
        r.answer = lambda: 503
        second = self.read()
        self.cell.settle()
        self.cell.stop()
        new = harness.Cell(self.parent, "again", make=False)
        harness.run("bourn", "init", new.path, "--continue", self.cell.path, "--origin", "again.example/ledger")
        self.addCleanup(new.close)
        self.cell = new
        new.serve()
        self.assertEqual(list(self.status()), ["clinic"])
        with open(new.vkey) as f:
            r.vkey = f.read()
        third = self.read()
        r.answer = lambda: 200
        self.told(r, [first, second, third])
        self.assertEqual([e.id[0] for e in r.got], ["cn.example/ledger"] + 2 * ["again.example/ledger"])


class Trouble(Webhook):
    def test_down_then_all_in_order(self):
        r = self.hook()
        r.down()
        self.restart()
        told = [self.read(i % 6) for i in range(30)]
        self.cell.settle()
        wait(lambda: self.status()["clinic"]["state"] == "silent")
        self.assertGreaterEqual(self.status()["clinic"]["lag"], 30)
        self.restart()  # nothing is lost by that
        told += [self.read(i % 6) for i in range(10)]
        r.open()
        self.told(r, told, 40)
        metrics = harness.run("bourn", "metrics", self.cell.path).stdout
        self.assertRegex(metrics, rf'bourn_webhook_up\{{party="{self.party["clinic"]}"\}} 1')
        self.assertRegex(metrics, rf'bourn_webhook_lag_entries\{{party="{self.party["clinic"]}"\}} \d+')
        self.assertNotIn("hook?", metrics)

    def test_who_lies_harms_only_itself(self):
        """One hangs, answers 500 and 302, never ends; the other one and all disclosures go on, and nothing is lost."""
        bad, good = self.hook(), self.hook("ward")
        self.restart()
        key = {"identifiers": ["W-9"]}
        self.assertEqual(self.cell.ask("POST", "/v1/subjects", self.WARD, HOME_PURPOSE, key).status, 201)
        row = dict(self.people[1], bioguide_id="W-9")
        self.assertEqual(self.cell.ask("POST", self.cell.records_path("W-9"), self.WARD, HOME_PURPOSE, row).status, 201)
        self.ids.append("W-9")
        clinic, ward = [], []
        for answer in ("hang", 500, 302, 404, "endless"):
            bad.answer = lambda answer=answer: answer
            tries = bad.tries
            clinic.append(self.read(0))
            began = time.monotonic()
            ward.append(self.read(6, self.WARD))
            self.assertLess(time.monotonic() - began, 2)
            self.told(good, ward)
            wait(lambda: bad.tries > tries, 30)
            self.assertEqual(bad.got, [])
            if answer == "hang":  # it is given up after a time
                wait(lambda: self.status()["clinic"]["state"] == "silent", 20)
        self.assertEqual(self.status()["ward"]["state"], "told")
        bad.answer = lambda: 204
        self.told(bad, clinic, 60)
        self.told(good, ward)

    def test_killed_between_telling_and_keeping(self):
        """kill -9 right after an event was told: it is told again, with the same id, and none is lost."""
        r = self.hook()
        self.restart()
        told = []
        for _ in range(4):
            r.answer = lambda: 200
            told.append(self.read())
            wait(lambda: told[-1] in r.indices())
            self.cell.kill()
            self.cell.serve()
            wait(lambda: r.indices().count(told[-1]) >= 2)  # the mark is kept once a second, not each time
        told.append(self.read())
        wait(lambda: told[-1] in r.indices())
        self.assertEqual(sorted({e.id for e in r.got}), [("cn.example/ledger", i) for i in told])
        for i in told:  # told again, it says the same
            same = {re.sub(r"(size|root) .*\n", "", e.text) for e in r.got if e.index == i}
            self.assertEqual(len(same), 1, same)
        for a, b in zip(r.indices(), r.indices()[1:]):  # it goes back after a kill, and never leaves one out
            self.assertLessEqual(told.index(b), told.index(a) + 1, r.indices())

    def test_it_starts_each_time(self):
        """Nobody has to be asked at the start, so vault's two words to the parent come at once."""
        self.hook()
        for _ in range(25):
            self.restart()
        self.read()

    def test_damaged_rows_stop_the_telling_alone(self):
        """Rows that are not those of their entry are not told, and the service goes on."""
        for name, damage in (("length", lambda row: b"\0\0\0\2" + row[4:]), ("label", lambda row: row[:10] + bytes([row[10] ^ 1]) + row[11:])):
            with self.subTest(name):
                r = self.hook()
                at = self.read()
                self.cell.settle()
                self.cell.stop()
                folder = os.path.join(self.cell.path, "rows", "000.p")
                path = os.path.join(folder, max(os.listdir(folder), key=int))
                with open(path, "rb") as f:
                    whole = f.read()
                place = 0
                for _ in range(at):
                    place += 4 + int.from_bytes(whole[place:place + 4], "big")
                place += 4  # the first row of the entry, with its length
                with open(path, "wb") as f:
                    f.write(whole[:place] + damage(whole[place:]))
                self.cell.serve()
                wait(lambda: self.status()["clinic"]["state"] == "damaged")
                self.assertEqual(r.got, [])
                self.read(1)
                self.set("clinic", "--off")
                self.cell.stop()
                with open(path, "wb") as f:
                    f.write(whole)
                self.cell.serve()

    def test_killed_anywhere(self):
        """kill -9 of the service and of the relay while much is told: each disclosure arrives, in order."""
        r = self.hook()
        self.restart()
        told = []
        for _ in range(3):
            told += [self.read(i % 6) for i in range(25)]
            if _ == 1:
                os.kill(self.cell.roles()["relay"], 9)
                self.assertEqual(self.cell.wait(), 70)
            else:
                self.cell.kill()
            self.cell.serve()
        told += [self.read()]
        wait(lambda: set(told) <= set(r.indices()), 40)
        first = list(dict.fromkeys(r.indices()))
        self.assertEqual(first, told)
        self.verified()


if __name__ == "__main__":
    unittest.main(verbosity=2)

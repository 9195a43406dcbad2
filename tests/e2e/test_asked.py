"""A cell with witnesses asks them at its start before it signs anything new. An old copy of a whole cell, put back for real, is
refused while they are up; while they are down it takes withdrawals and erasures and nothing else, and is refused when they come.
One that lies or hangs stops nothing that a quorum says otherwise."""

import json
import os
import subprocess
import time
import unittest

import harness
from harness import HOME_PURPOSE
from test_restore import copy, size_of, snapshot
from test_witness import Fake, Witnessed, policy, wait

KEPT = ("ledger", "rows", "signer", "keys")


class Asked(Witnessed):
    def three(self, quorum=2):
        self.make(None, 0)
        self.ws = self.real(3)
        self.trust_and_serve(self.ws)
        self.configure([(w.vkey, w.url) for w in self.ws], quorum)
        wait(self.going)

    def live(self):
        """A person with a consent; settled, cosigned by everybody, and stopped."""
        self.who, self.gone = self.people[0]["bioguide_id"], self.people[1]["bioguide_id"]
        self.key = os.path.join(self.parent, "person.key")
        self.cell.enrol(self.CLINIC, self.who, self.key)
        self.consent = self.cell.consent(self.CLINIC, self.who, self.key)
        self.rest()

    def rest(self):
        vkeys = [w.vkey for w in self.ws]
        wait(lambda: self.cell.settle() and self.cosigners(vkeys) == set(range(len(vkeys))), 40)
        self.cell.stop()

    def backup_and_on(self):
        """An old copy of the whole cell, and what it does not know: a withdrawal and an erasure. The cell is stopped."""
        self.live()
        self.backup = copy(self.cell.path, os.path.join(self.parent, "backup"))
        self.cell.serve()
        self.assertEqual(self.withdraw().status, 200)
        self.assertEqual(self.erase().status, 200)
        self.assertEqual(self.read(2).status, 200)
        self.rest()
        self.newest = copy(self.cell.path, os.path.join(self.parent, "newest"))

    def withdraw(self):
        return self.cell.ask("DELETE", f"/v1/subjects/{self.who}/consents/{self.consent}", self.CLINIC, HOME_PURPOSE)

    def erase(self):
        return self.cell.ask("DELETE", f"/v1/subjects/{self.gone}", self.CLINIC, HOME_PURPOSE)

    def put_back(self):
        copy(self.backup, self.cell.path)
        with open(self.cell.log_path, "w"):
            pass

    def kept(self, path=None):
        return {part: snapshot(os.path.join(path or self.cell.path, part)) for part in KEPT}

    def head(self):
        with open(os.path.join(self.cell.path, "signer", "head"), "rb") as f:
            return f.read()

    def refused(self, *words):
        done = subprocess.run([harness.program("bourn"), "serve", self.cell.path, "--listen", "127.0.0.1:0"], capture_output=True,
                              text=True, timeout=60)
        self.assertIn(done.returncode, (69, 70), done.stderr)
        self.assertNotIn("listening", done.stdout)
        for word in (*words, "bourn init NEW --continue CELL", "docs/guide/restored-backup.md"):
            self.assertIn(word, done.stderr)

    # -- an old backup ------------------------------------------------------------------------------------------------

    def test_1_an_old_backup_is_refused_before_anything_is_signed(self):
        self.three()
        self.backup_and_on()
        sizes = [size_of(folder) for folder in (self.backup, self.newest)]
        self.put_back()
        before = self.kept()
        self.refused(f"a quorum of the witnesses says that {sizes[1]} entries were signed, but only {sizes[0]} are here: "
                     "an old backup was put back. Nothing new was signed.")
        self.assertEqual(self.kept(), before)
        self.refused("an old backup was put back")  # and again
        # Two of the three are a quorum; of the whole truth, one alone is not.
        self.ws[2].kill()
        self.refused("an old backup was put back")
        self.assertEqual(self.kept(), before)
        # The newest copy starts, and the way on from the old one is there.
        copy(self.newest, self.cell.path)
        self.cell.serve()
        self.assertEqual(self.read(2).status, 200)
        self.assertEqual(self.read(1).status, 404)
        self.cell.stop()
        on = harness.Cell(self.parent, name="next", make=False)
        done = harness.run("bourn", "init", on.path, "--continue", self.backup, "--origin", "next.example/ledger", "--ledger",
                           os.path.join(self.newest, "ledger"), "--rows", os.path.join(self.newest, "rows"), "--json")
        said = json.loads(done.stdout)
        self.assertEqual((said["entries"], said["withdrawn"], said["erased"]), (sizes[0], 1, 1))

    def test_2_while_they_are_down_it_signs_nothing_and_is_refused_when_they_come(self):
        self.three()
        self.backup_and_on()
        for w in self.ws:
            w.kill()
        self.put_back()
        head, checkpoint = self.head(), self.kept()["ledger"]["checkpoint"]
        begun = time.monotonic()
        self.cell.serve()
        self.assertGreater(time.monotonic() - begun, 2, "it waits a little for their answer")
        self.held()
        time.sleep(2.5)
        self.assertEqual(self.head(), head)
        self.assertEqual(self.checkpoint().encode(), checkpoint)
        for w in self.ws[:2]:
            w.serve()
        self.assertEqual(self.cell.wait(40), 70)
        self.assertIn("an old backup was put back", self.cell.log())
        self.assertEqual(self.head(), head)
        self.refused("an old backup was put back")  # what was taken meanwhile is not signed at the next start either
        self.assertEqual(self.head(), head)

    def held(self):
        """Withdrawals and erasures go on, nothing is disclosed or stored."""
        problem = self.problem(self.read(2), 503, "witness_lag")
        self.assertIn("since the start", problem["detail"])
        write = self.cell.ask("POST", self.cell.records_path(self.who), self.CLINIC, HOME_PURPOSE, dict(self.people[0]))
        self.problem(write, 503, "witness_lag")
        self.problem(self.cell.ask("POST", f"/v1/subjects/{self.who}/enrolments", self.CLINIC, HOME_PURPOSE), 503, "witness_lag")
        self.assertEqual(self.cell.ask("GET", "/healthz").status, 200)
        self.assertEqual(self.status()["witnesses_asked"], False)
        self.assertEqual(self.withdraw().status, 200)
        self.assertEqual(self.erase().status, 200)

    def test_3_a_cell_that_is_right_goes_on_when_they_come(self):
        self.three()
        self.live()
        for w in self.ws:
            w.kill()
        size, head = len(self.cell_entries()), self.head()
        self.cell.serve()
        self.held()
        self.cell.kill()  # nothing is lost, and nothing is signed by starting again
        self.cell.serve()
        self.assertEqual(self.head(), head)
        self.problem(self.read(2), 503, "witness_lag")
        self.cell.stop()  # nor by an orderly end
        self.assertEqual(self.head(), head)
        self.cell.serve()
        for w in self.ws[:2]:
            w.serve()
        wait(self.going, 40)
        self.assertNotEqual(self.head(), head)
        self.assertEqual(self.status()["witnesses_asked"], True)
        self.assertNotEqual(self.read(1).status, 200, "the erasure holds")
        self.assertEqual([e["kind"] for e in self.cell.entries()[size:size + 2]], ["withdrawn", "erased"])
        done = self.cell.verify(self.DOG, extra=("--policy", os.path.join(self.parent, "policy"), "--json"))
        self.assertEqual(json.loads(done.stdout)["violations"], [])
        harness.run("bourn", "scrub", self.cell.path)

    def cell_entries(self):
        out = harness.run("bourn", "log", os.path.join(self.cell.path, "ledger"), "--json").stdout
        return [json.loads(line) for line in out.splitlines()]

    # -- witnesses that lie or hang -----------------------------------------------------------------------------------

    def fakes(self, n, quorum):
        self.make(None, 0)
        self.ws = [Fake(f"f{i}.example") for i in range(n)]
        for w in self.ws:
            self.addCleanup(w.close)
        self.configure([(w.vkey, w.url) for w in self.ws], quorum)
        wait(self.going)
        self.who, self.gone = self.people[0]["bioguide_id"], self.people[1]["bioguide_id"]
        self.key = os.path.join(self.parent, "person.key")
        self.cell.enrol(self.CLINIC, self.who, self.key)
        self.consent = self.cell.consent(self.CLINIC, self.who, self.key)
        self.cell.settle()
        self.cell.stop()

    @staticmethod
    def huge(request):
        return 409, "9007199254740991\n"

    def test_4_one_liar_of_three_stops_nothing(self):
        self.fakes(3, 2)
        for lie in (self.huge, lambda request: (422, ""), lambda request: None, lambda request: (409, "0\n"), lambda request: (500, "")):
            self.ws[0].answer = lie
            begun = time.monotonic()
            self.cell.serve()
            self.assertEqual(self.read(2).status, 200)
            self.assertLess(time.monotonic() - begun, 2.9, "nobody waits for it")
            self.cell.stop()
        self.assertIn("seen another history", self.cell.log())

    def test_5_where_all_have_to_agree_a_liar_holds_it_and_the_operator_can_take_it_away(self):
        self.fakes(2, 2)
        self.ws[0].answer = self.huge
        head = self.head()
        self.cell.serve()
        self.held()
        self.assertEqual(self.status()["witnesses"][0]["state"], "saw another history")
        time.sleep(3)  # it says so again and again
        self.assertIsNone(self.cell.process.poll())
        self.assertEqual(self.head(), head)
        path = policy(os.path.join(self.parent, "policy"), [(self.ws[1].vkey, self.ws[1].url)], 1)
        harness.run("bourn", "config", self.cell.path, "--witness-policy", path)
        wait(self.going)
        self.cell.settle()
        self.assertEqual([e["kind"] for e in self.cell.entries() if e["kind"] in ("withdrawn", "erased", "config")][-3:],
                         ["withdrawn", "erased", "config"])
        # And one whose operator does without witnesses from now on: it stands in the ledger.
        self.cell.stop()
        self.ws[1].answer = lambda request: None
        self.cell.serve()
        self.problem(self.read(2), 503, "witness_lag")
        with open(path, "w"):
            pass
        harness.run("bourn", "config", self.cell.path, "--witness-policy", path)
        wait(self.going)

    def test_6_a_quorum_of_one_is_believed_and_nothing_remembered(self):
        self.fakes(1, 1)
        head = self.head()
        self.ws[0].answer = self.huge
        self.refused("9007199254740991 entries")
        self.ws[0].answer = lambda request: (422, "")
        self.refused("another history")
        self.assertEqual(self.head(), head)
        self.ws[0].answer = self.ws[0].good
        self.cell.serve()
        self.assertEqual(self.read(2).status, 200)

    def test_7_what_is_no_answer(self):
        """Good signatures over something else, old ones, others': none lets the cell sign on."""
        self.fakes(1, 1)
        fake = self.ws[0]
        old = int(time.time()) - 3600
        head = self.head()
        for what, answer in {
                "an old cosignature": lambda request: (200, fake.line(Fake.text(request), old)),
                "of another text": lambda request: (200, fake.line(Fake.text(request).replace("\n", "\n1", 1))),
                "by another key": lambda request: (200, Fake("x.example").line(Fake.text(request))),
                "200 alone": lambda request: (200, ""),
                "409 of the size that was sent": lambda request: (409, request.split("\n")[0][4:] + "\n"),
                "409 without a size": lambda request: (409, "all of it"),
                "hanging": lambda request: None,
        }.items():
            with self.subTest(what):
                fake.answer = answer
                self.cell.serve()
                self.problem(self.read(2), 503, "witness_lag")
                self.cell.stop()
                self.assertEqual(self.head(), head)
        fake.answer = fake.good
        self.cell.serve()
        self.assertEqual(self.read(2).status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Power cuts of the real processes: `bourn-record` (the objects of bourn and a recorder) serves a cell under load, with
its sandbox on; states that a cut can leave are rebuilt by power_cut, and the bourn that users run is started on each.

BOURN_CUTS (12) states, BOURN_CUT_SEED. After each start
- it starts at once, and bourn-verify finds nothing violated, with rows and evidence,
- every person is as acknowledged: records, erased, consent for the lab,
- every plaintext that a client got has its `disclosed` entry at the index of its receipt."""

import json
import mmap
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import harness  # noqa: E402

CUTS = int(os.environ.get("BOURN_CUTS", "12"))
SEED = int(os.environ.get("BOURN_CUT_SEED", str(random.randrange(1 << 30))))
LOSE = os.environ.get("BOURN_CUT_LOSE")  # a sync to take out, as power_cut takes it: then this test must fail
WORKLOADS = 3 if CUTS >= 60 else 2
PEOPLE = 14
USED_AT, EVENTS_AT = 40, 40 + 8 + 256 + 4 * 48 + 32 + 8  # trace.h


class Trace:
    def __init__(self, path, root):
        self.path = path
        lose = ["--lose", LOSE] if LOSE else []
        subprocess.run([harness.program("power_cut"), "--make-trace", path, "--root", root, *lose], check=True)
        self.file = open(path, "rb")
        self.map = mmap.mmap(self.file.fileno(), 0, prot=mmap.PROT_READ)

    def used(self):
        return struct.unpack_from("<Q", self.map, USED_AT)[0]

    def events(self):
        """Where each event ends, in bytes."""
        at, ends, used = EVENTS_AT, [], self.used()
        while at - EVENTS_AT < used:
            at += struct.unpack_from("<I", self.map, at)[0]
            ends.append(at - EVENTS_AT)
        return ends

    def build(self, cut, seed, out):
        subprocess.run([harness.program("power_cut"), "--trace", self.path, "--cut", str(cut), "--seed", str(seed), "--dir", out],
                       check=True, stdout=subprocess.DEVNULL)

    def close(self):
        self.map.close()
        self.file.close()
        os.unlink(self.path)


class Story:
    """What clients knew, and when: (bytes of the trace when it was asked, when it was answered, what)."""

    def __init__(self, trace):
        self.trace, self.told = trace, []

    def ask(self, who, records, lab, fn):
        """`records` and `lab` hold for the person once fn, which hands in a request and returns its answer, is through."""
        before = self.trace.used()
        answer = fn()
        self.told.append((before, self.trace.used(), who, records, lab, None))
        return answer

    def receipt(self, answer):
        index = answer.headers.get("Bourn-Receipt")
        if index is not None and answer.status == 200:
            self.told.append((0, self.trace.used(), None, None, None, int(index)))

    def at(self, moment):
        """Per person the possible (records, lab), and the receipts that were given."""
        people, receipts = {f"p{i}": [(None, False)] for i in range(PEOPLE)}, []
        for before, after, who, records, lab, receipt in self.told:
            if receipt is not None:
                receipts += [receipt] if after <= moment else []
            elif after <= moment:
                people[who] = [(records, lab)]
            elif before < moment:
                people[who] = people[who] + [(records, lab)]
        return people, receipts


class ProcessesTest(harness.Test):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.mkdtemp(prefix="bourn-cut-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        cls.addClassCleanup(cls._remove)
        print(f"seed {SEED}", file=sys.stderr)

    def test_cuts(self):
        rng = random.Random(SEED)
        for number in range(WORKLOADS):
            root = os.path.join(self.tmp, f"run{number}")
            os.mkdir(root)
            self.workload(rng, root)
            ends = self.trace.events()
            for n in range(CUTS // WORKLOADS):
                cut = rng.randrange(self.first, len(ends) + 1)
                seed = rng.randrange(1 << 62)
                with self.subTest(workload=number, cut=cut, seed=seed):
                    self.check(cut, seed, ends[cut - 1])
            self.trace.close()
            shutil.rmtree(root)

    # -- the load ------------------------------------------------------------------------------------------------------

    def workload(self, rng, root):
        path = os.path.join(root, "cn")
        self.trace = Trace(path + ".trace", root)
        harness.run("bourn-record", "init", path, "--domicile", "CN", "--controller", "Clinic Ltd", "--origin", "cn.example/ledger")
        self.cell = cell = harness.Cell(root, make=False)
        cell.serve(name="bourn-record")
        csv = os.path.join(self.tmp, "people.csv")
        with open(csv, "w") as f:
            f.write("id,name\np0,first\np1,second\n")
        cell.collection(csv)
        cell.notice()
        self.clinic, self.lab, self.dog = cell.clinic(), cell.lab(), cell.watchdog()
        self.vkey = os.path.join(self.tmp, "ledger.vkey")
        shutil.copy(cell.vkey, self.vkey)
        self.first = len(self.trace.events())
        self.story, self.value = Story(self.trace), 0
        self.people = {f"p{i}": None for i in range(PEOPLE)}
        self.consents = {}
        for turn in range(2):
            for _ in range(rng.randrange(30, 50)):
                self.step(rng)
            cell.stop()
            if turn == 0:
                cell.serve(name="bourn-record")

    def home(self, method, path, body=None):
        answer = self.cell.ask(method, path, self.clinic, harness.HOME_PURPOSE, body)
        self.assertLess(answer.status, 300, answer.body[:300])
        return answer

    def step(self, rng):
        who = rng.choice(list(self.people))
        records = self.people[who]
        path = self.cell.records_path(who)
        dice = rng.randrange(100)
        self.value += 1
        if dice < 50:
            data = {"id": who, "name": f"value {self.value} " + "x" * rng.randrange(300)}
            self.people[who] = (records or []) + [data]
            self.story.ask(who, self.people[who], who in self.consents, lambda: self.home("POST", path, data))
        elif records is None:
            return
        elif dice < 65:
            self.story.receipt(self.home("GET", path))
        elif dice < 75:
            self.people[who] = None
            self.consents.pop(who, None)
            self.story.ask(who, None, False, lambda: self.home("DELETE", f"/v1/subjects/{who}"))
        elif dice < 85 and who not in self.consents:
            key = os.path.join(self.tmp, f"{self.value}.{rng.randrange(1 << 40)}.key")
            self.cell.enrol(self.clinic, who, key)
            self.consents[who] = self.story.ask(who, records, True, lambda: self.cell.consent(self.clinic, who, key))
        elif dice < 90 and who in self.consents:
            number = self.consents.pop(who)
            self.story.ask(who, records, False, lambda: self.home("DELETE", f"/v1/subjects/{who}/consents/{number}"))
        elif who in self.consents:
            answer = self.cell.ask("GET", path, self.lab, harness.LAB_PURPOSE)
            self.assertEqual(answer.status, 200, answer.body[:300])
            self.story.receipt(answer)

    # -- a state -------------------------------------------------------------------------------------------------------

    def check(self, cut, seed, moment):
        folder = os.path.join(self.tmp, "state")
        self.trace.build(cut, seed, folder)
        cell = harness.Cell(folder, make=False)
        people, receipts = self.story.at(moment)
        try:
            cell.serve()
            for who, possible in people.items():
                self.assertIn(self.seen(cell, who), possible)
            cell.settle()
            verdict = harness.run("bourn-verify", cell.url + "/ledger", "--key", self.vkey, "--json", token=self.dog, check=None)
            self.assertNotEqual(verdict.returncode, 1, verdict.stdout[-2000:])
            self.assertFalse(json.loads(verdict.stdout).get("error"), verdict.stdout[-2000:])
            entries = {e["index"]: e for e in cell.entries()}
            for index in receipts:
                self.assertEqual(entries[index]["kind"], "disclosed")
            cell.stop()
        finally:
            cell.close()
            shutil.rmtree(folder)

    def seen(self, cell, who):
        answer = cell.ask("GET", cell.records_path(who), self.clinic, harness.HOME_PURPOSE)
        abroad = cell.ask("GET", cell.records_path(who), self.lab, harness.LAB_PURPOSE)
        self.assertIn(answer.status, (200, 404))
        self.assertIn(abroad.status, (200, 403))
        if answer.status == 404:
            return None, abroad.status == 200
        return [r["data"] for r in json.loads(answer.body)["records"]], abroad.status == 200


if __name__ == "__main__":
    unittest.main()

"""`bourn scrub` on real cells: an untouched one is clean, also while it is written to; and each kind of damage that
somebody does to the store behind bourn's back, while the cell is down, is found and named by entry, collection and kind.

store-edit changes LMDB's rows; docs/formats/store.md says what they are."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
import unittest

import harness
import people

SLICE_ROWS, ROWS_A_ROW = 1000, 500  # limits.h: SCRUB_SLICE_ROWS; records of one person in one entry


def scrub(cell, check=None, extra=()):
    """The report as an object; the exit status must be `check`."""
    done = harness.run("bourn", "scrub", cell.path, "--json", *extra, check=check, timeout=300)
    return json.loads(done.stdout)


class Store:
    """The rows of a cell that is down, through store-edit."""

    def __init__(self, cell):
        self.path = os.path.join(cell.path, "store")

    def edit(self, *commands):
        done = subprocess.run([harness.program("store-edit"), self.path], input="\n".join(commands) + "\n", text=True,
                              capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, space):
        return {k: v for k, v in (line.split(" ") for line in self.edit(f"dump {space}").splitlines())}

    def put(self, space, key, value=""):
        self.edit(f"put {space} {key} {value}")

    def drop(self, space, key):
        self.edit(f"del {space} {key}")


def flipped(value, at=-1):
    """The hex with one bit of one byte turned."""
    raw = bytearray.fromhex(value)
    raw[at] ^= 1
    return raw.hex()


class Untouched(harness.ServedTest):
    count = 3000

    def test_1_all_equal(self):
        report = scrub(self.cell, check=0)
        self.assertEqual((report["whole"], report["differences"], report["findings"], report["from"]), (True, 0, [], None))
        counts = report["counts"]
        self.assertEqual((counts["people"], counts["erased"], counts["records"], counts["deleted"]),
                         (self.count, 0, self.count, 0))
        self.assertEqual(counts["entries"], self.cell.settle())
        self.assertEqual(counts["index_rows"], 2 * self.count, "a label and an identifier each")

    def test_2_no_slice_is_over_its_limit(self):
        report = scrub(self.cell, check=0)
        self.assertGreater(report["slices"]["number"], 5)
        self.assertLessEqual(report["slices"]["rows_most"], SLICE_ROWS + ROWS_A_ROW)

    def test_3_stopped_and_gone_on_it_counts_the_same(self):
        whole = scrub(self.cell, check=0)
        place, stops = [], 0
        for _ in range(40):
            run = subprocess.Popen([harness.program("bourn"), "scrub", self.cell.path, "--json", *place],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            time.sleep(0.03 + 0.02 * stops)
            run.send_signal(signal.SIGINT)
            out = run.communicate(timeout=60)[0]
            if run.returncode < 0 or not out:
                continue  # stopped before it had begun
            report = json.loads(out)
            if report["whole"]:
                break
            self.assertEqual(run.returncode, 69)
            place, stops = ["--from", report["from"]], stops + 1
        self.assertTrue(report["whole"])
        self.assertGreater(stops, 0, "it was stopped on the way at least once")
        self.assertEqual((report["counts"], report["differences"]), (whole["counts"], 0))

    def test_4_usage(self):
        for args in ([], [self.cell.path, "more"], [self.cell.path, "--from", "x"], [self.cell.path, "--from", "0.1"]):
            self.assertEqual(harness.run("bourn", "scrub", *args, check=None).returncode, 64, args)
        self.assertEqual(harness.run("bourn", "scrub", os.path.join(self.tmp, "none"), check=None).returncode, 69)

    def test_4_a_bar_on_a_terminal(self):
        terminal, end = os.openpty()
        run = subprocess.Popen([harness.program("bourn"), "scrub", self.cell.path], stdout=subprocess.PIPE, stderr=end)
        os.close(end)
        out, shown = run.communicate(timeout=120)[0].decode(), b""
        try:
            while chunk := os.read(terminal, 65536):
                shown += chunk
        except OSError:
            pass  # the end of a terminal that nobody holds any more
        os.close(terminal)
        self.assertEqual(run.returncode, 0)
        self.assertRegex(shown.decode(), r"\[#* *\] +\d+%  \d+ records")
        self.assertRegex(out, rf"records +{self.count}\n")

    def test_5_clean_while_others_change_everything(self):
        stop, troubles, done = threading.Event(), [], {"written": 0, "deleted": 0, "erased": 0, "new": 0}

        def life(part):
            mine = self.people[part::3]
            connection = self.cell.connect()
            self.addCleanup(connection.close)

            def ask(method, path, good, body=None):
                answer = self.cell.ask(method, path, self.CLINIC, harness.HOME_PURPOSE, body, connection=connection)
                if answer.status not in good:
                    troubles.append((method, path, answer))
                return answer

            for n, row in enumerate(mine):
                if stop.is_set():
                    return
                path = self.cell.records_path(row["bioguide_id"])
                if n % 5 == 4:
                    ask("DELETE", f"/v1/subjects/{row['bioguide_id']}", (200,))
                    done["erased"] += 1
                elif n % 5 == 3:
                    ask("DELETE", path + "/1", (200,))
                    done["deleted"] += 1
                else:
                    ask("PUT", path + "/1", (200,), dict(row, nickname=str(n)))
                    ask("GET", path, (200,))
                    done["written"] += 1
                if n % 7 == 0:
                    ask("POST", self.cell.records_path(f"N{part}-{n}"), (201,), row)
                    done["new"] += 1

        threads = [threading.Thread(target=life, args=(part,)) for part in range(3)]
        for t in threads:
            t.start()
        try:
            reports = []
            while any(t.is_alive() for t in threads) and len(reports) < 20:
                reports.append(scrub(self.cell))
        finally:
            if len(reports) >= 2:
                stop.set()
            for t in threads:
                t.join()
        self.assertEqual(troubles, [])
        self.assertGreater(min(done.values()), 20, done)
        for report in reports:
            self.assertEqual((report["whole"], report["findings"]), (True, []))
            self.assertLessEqual(report["slices"]["rows_most"], SLICE_ROWS + ROWS_A_ROW)
        counts = scrub(self.cell, check=0)["counts"]
        self.assertEqual(counts["people"], self.count + done["new"])
        self.assertEqual((counts["erased"], counts["deleted"]), (done["erased"], done["deleted"]))
        self.assertEqual(counts["records"], self.count + done["new"] - done["erased"] - done["deleted"])


    def test_6_clean_while_one_long_history_goes_on(self):
        """More entries about one person than a slice looks at: what happens between its slices is taken in."""
        path, stop = self.cell.records_path("long"), threading.Event()
        connection = self.cell.connect()
        self.addCleanup(connection.close)

        def ask(method, where, good, body=None):
            answer = self.cell.ask(method, where, self.CLINIC, harness.HOME_PURPOSE, body, connection=connection)
            self.assertIn(answer.status, good, answer)

        for n in range(1, 41):
            ask("POST", path, (201,), dict(self.people[0], nickname=str(n)))
        for n in range(1500):
            ask("PUT", f"{path}/{n % 30 + 1}", (200,), dict(self.people[0], nickname=str(n)))
        reports = []
        runner = threading.Thread(target=lambda: [reports.append(scrub(self.cell)) for _ in range(4)] and stop.set())
        runner.start()
        n = gone = 0
        while not stop.is_set():
            n += 1
            ask("PUT", f"{path}/{n % 30 + 1}", (200,), dict(self.people[0], nickname=f"again {n}"))
            ask("POST", path, (201,), dict(self.people[0], nickname=f"more {n}"))
            if n % 20 == 0 and gone < 10:
                gone += 1
                ask("DELETE", f"{path}/{30 + gone}", (200,))
        runner.join()
        self.assertGreater(n, 50)
        for report in reports:
            self.assertEqual((report["whole"], report["findings"]), (True, []))
        before = scrub(self.cell, check=0)["counts"]
        ask("DELETE", f"{path}/1", (200,))
        after = scrub(self.cell, check=0)["counts"]
        self.assertEqual((after["records"], after["deleted"]), (before["records"] - 1, before["deleted"] + 1))


class Damage(harness.ServedTest):
    """A life with everything in it; each test works on a copy of the cell's folder."""

    count = 30

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cell = cls.cell
        yaml = os.path.join(cls.tmp, "short.yaml")
        with open(yaml, "w") as f:
            f.write(people.schema(("last_name",), "retention_days: 30\n"))
        harness.run("bourn", "collection", "add", cell.path, "short", "--schema", yaml)
        cell.load(cls.csv, cls.CLINIC, collection="short")
        cls.key = os.path.join(cls.tmp, "0.key")
        cls.one = cls.people[0]["bioguide_id"]
        cell.enrol(cls.CLINIC, cls.one, cls.key)
        cls.consent = cell.consent(cls.CLINIC, cls.one, cls.key)
        assert cell.ask("GET", cell.records_path(cls.one), cls.LAB, harness.LAB_PURPOSE).status == 200
        # Copies of the store before: what somebody might put back.
        cls.old = cls.frozen()
        cell.serve()
        cls.ask("PUT", cell.records_path(cls.people[2]["bioguide_id"]) + "/1", dict(cls.people[2], nickname="new"))
        cls.ask("DELETE", cell.records_path(cls.people[3]["bioguide_id"]) + "/1")
        cls.ask("DELETE", f"/v1/subjects/{cls.people[4]['bioguide_id']}")
        cls.ask("POST", f"/v1/subjects/{cls.people[5]['bioguide_id']}/identifiers", {"identifier": "second"})
        cell.settle()
        cls.log = cell.entries()
        deadline = time.monotonic() + 20
        while json.loads(harness.run("bourn", "status", cell.path, "--json").stdout)["erased_rows_pending"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        cls.new = cls.frozen()
        cls.numbers = {}  # collection number by name
        for key, value in cls.new["world"].items():
            for name in ("people", "short"):
                if f"0d{0x60 + len(name):02x}{name.encode().hex()}181c" in value and name not in cls.numbers:
                    cls.numbers[name] = int(key, 16)

    @classmethod
    def frozen(cls):
        cls.cell.stop()
        store = Store(cls.cell)
        out = {space: store.rows(space) for space in
               ("world", "id", "label", "person", "evidence", "used", "notice", "blind", "expiry", "consented")}
        with open(os.path.join(cls.cell.path, "keys", "slots.1"), "rb") as f:
            out["slots"] = f.read()
        with open(os.path.join(cls.cell.path, "state", "prev"), "rb") as f:
            out["prev"] = f.read()
        return out

    @classmethod
    def ask(cls, method, path, body=None):
        answer = cls.cell.ask(method, path, cls.CLINIC, harness.HOME_PURPOSE, body)
        assert answer.status in (200, 201), answer
        return answer

    # -- helpers ---------------------------------------------------------------------------------------------------

    def record(self, number, collection="people", rid=1):
        return f"{number:016x}{self.numbers[collection]:08x}{rid:016x}"

    def entry(self, kind, collection=None, last=False):
        found = [e["index"] for e in self.log if e["kind"] == kind and (collection is None or e.get("collection") == collection)]
        return found[-1 if last else 0]

    def copy(self):
        cell = harness.Cell(self.tmp, name="copy", make=False)
        shutil.rmtree(cell.path, ignore_errors=True)
        shutil.copytree(self.cell.path, cell.path, ignore=shutil.ignore_patterns("admin.sock"))
        return cell, Store(cell)

    def found(self, cell, *expected):
        """Serves the copy, scrubs it, and compares (damage, entry, collection) of all findings."""
        cell.serve()
        try:
            report = scrub(cell, check=1 if expected else 0)
            text = harness.run("bourn", "scrub", cell.path, check=1 if expected else 0).stdout
        finally:
            cell.stop()
        got = [(f["damage"], f["entry"], f["collection"]) for f in report["findings"]]
        self.assertCountEqual(got, expected)
        self.assertTrue(report["whole"])
        self.assertEqual(report["differences"], len(expected))
        for damage, entry, collection in expected:
            where = "no entry" if entry is None else f"entry {entry}"
            self.assertIn(f"{where}{', ' + collection if collection else ''}: {damage}: ", text)
        for value in [row[c] for row in self.people for c in ("bioguide_id", "last_name") if len(row[c]) > 4]:
            self.assertNotIn(value, text, "nothing about a person is said")
        return report

    # -- records ---------------------------------------------------------------------------------------------------

    def test_00_untouched(self):
        cell, _ = self.copy()
        report = self.found(cell)
        self.assertEqual((report["counts"]["erased"], report["counts"]["evidence"]), (1, 2))

    def test_01_altered(self):
        cell, store = self.copy()
        key = self.record(1)
        store.put("person", key, flipped(self.new["person"][key]))
        self.found(cell, ("altered", self.entry("stored", "people"), "people"))

    def test_02_its_version_altered(self):
        cell, store = self.copy()
        key = self.record(1)
        store.put("person", key, flipped(self.new["person"][key], 7))
        self.found(cell, ("altered", self.entry("stored", "people"), "people"))

    def test_03_rolled_back(self):
        cell, store = self.copy()
        key = self.record(2)
        store.put("person", key, self.old["person"][key])
        self.found(cell, ("rolled_back", self.entry("stored", "people", last=True), "people"))

    def test_04_rolled_back_under_the_present_version(self):
        cell, store = self.copy()
        key = self.record(2)
        store.put("person", key, self.new["person"][key][:16] + self.old["person"][key][16:])
        self.found(cell, ("rolled_back", self.entry("stored", "people", last=True), "people"))

    def test_05_deleted(self):
        cell, store = self.copy()
        store.drop("person", self.record(1))
        self.found(cell, ("deleted", self.entry("stored", "people"), "people"))

    def test_06_added(self):
        cell, store = self.copy()
        store.put("person", self.record(1, rid=77), flipped(self.new["person"][self.record(1)]))
        self.found(cell, ("added", None, "people"))

    def test_07_came_back(self):
        cell, store = self.copy()
        store.put("person", self.record(3), self.old["person"][self.record(3)])
        self.found(cell, ("came_back", self.entry("deleted"), "people"))

    def test_08_moved_to_another_person(self):
        for n in (20, 0):  # looked at before the one it was taken from, and behind
            with self.subTest(n):
                cell, store = self.copy()
                value = self.new["person"][self.record(10)]
                store.drop("person", self.record(10))
                store.put("person", self.record(n, rid=99), value)
                self.found(cell, ("moved_to_another_person", self.entry("stored", "people"), "people"))

    def test_09_two_exchanged(self):
        cell, store = self.copy()
        a, b = self.record(10), self.record(11)
        store.put("person", a, self.new["person"][b])
        store.put("person", b, self.new["person"][a])
        entry = self.entry("stored", "people")
        self.found(cell, ("moved_to_another_person", entry, "people"), ("moved_to_another_person", entry, "people"))

    def test_10_moved_to_another_collection_and_id(self):
        cell, store = self.copy()
        a, b = self.record(10), self.record(11)
        store.drop("person", a)
        store.drop("person", b)
        store.put("person", self.record(10, "short", 1), self.new["person"][a])
        store.put("person", self.record(11, rid=9), self.new["person"][b])
        entry = self.entry("stored", "people")
        self.found(cell, ("moved_to_another_collection", entry, "people"), ("moved_to_another_id", entry, "people"))

    def test_11_under_a_number_that_nobody_has(self):
        cell, store = self.copy()
        store.put("person", self.record(5000), flipped(self.new["person"][self.record(1)]))
        self.found(cell, ("added", None, None))

    # -- what leads to records -------------------------------------------------------------------------------------

    def test_20_longer_retention(self):
        cell, store = self.copy()
        key = self.record(6, "short", 2)
        value = self.new["person"][key]
        later = f"{int(value[16:32], 16) + 86400:016x}"
        store.put("person", key, value[:16] + later + value[32:])
        store.drop("expiry", value[16:32] + key)
        store.put("expiry", later + key)
        self.found(cell, ("term", self.entry("stored", "short"), "short"))

    def test_21_hidden_from_search(self):
        cell, store = self.copy()
        key = self.record(6, "short", 2)
        value = self.new["person"][key]
        self.assertEqual(value[32:36], "0001")
        store.drop("blind", value[36:68] + key)
        self.found(cell, ("index", self.entry("stored", "short"), "short"))

    def test_22_hidden_from_search_with_its_own_list(self):
        cell, store = self.copy()
        key = self.record(6, "short", 2)
        value = self.new["person"][key]
        store.drop("blind", value[36:68] + key)
        store.put("person", key, value[:32] + "0000" + value[68:])
        self.found(cell, ("index", self.entry("stored", "short"), "short"))

    def test_23_search_and_retention_lead_nowhere(self):
        cell, store = self.copy()
        store.put("blind", "aa" * 16 + self.record(6, "short", 2))
        store.put("expiry", "00000000ffffffff" + self.record(6, "short", 999))
        self.found(cell, ("index", None, None), ("index", None, None))

    def test_24_it_would_never_end(self):
        cell, store = self.copy()
        key = self.record(6, "short", 2)
        store.drop("expiry", self.new["person"][key][16:32] + key)
        self.found(cell, ("index", self.entry("stored", "short"), "short"))

    # -- people ----------------------------------------------------------------------------------------------------

    def test_30_state_rolled_back(self):
        cell, store = self.copy()
        store.put("person", f"{5:016x}", self.old["person"][f"{5:016x}"])
        self.found(cell, ("state", self.entry("stored", "short"), None))

    def test_31_state_altered_and_a_record_of_theirs_too(self):
        cell, store = self.copy()
        store.put("person", f"{7:016x}", flipped(self.new["person"][f"{7:016x}"]))
        store.put("person", self.record(7), flipped(self.new["person"][self.record(7)]))
        self.found(cell, ("state", self.entry("stored", "short"), None),
                   ("altered", self.entry("stored", "people"), "people"))

    def test_32_identifiers(self):
        cell, store = self.copy()
        mine = [k for k, v in self.new["id"].items() if v == f"{8:016x}"][0]
        store.put("id", mine, f"{9:016x}")
        head = self.entry("stored", "short")
        self.found(cell, ("identifier", head, None), ("identifier", head, None))
        cell, store = self.copy()
        store.drop("id", mine)
        store.put("id", "bb" * 32, f"{4:016x}")
        self.found(cell, ("identifier", head, None), ("identifier", None, None))

    def test_33_labels(self):
        cell, store = self.copy()
        mine = [k for k, v in self.new["label"].items() if v == f"{8:016x}"][0]
        store.put("label", mine, f"{9:016x}")
        head = self.entry("stored", "short")
        self.found(cell, ("label", head, None), ("label", None, None))

    def test_34_an_erased_persons_rows_came_back(self):
        cell, store = self.copy()
        for space in ("person", "evidence"):
            for key, value in self.old[space].items():
                if key.startswith(f"{4:016x}") and len(key) > 16:  # not the state
                    store.put(space, key, value)
        self.found(cell, ("erased_came_back", self.entry("erased"), None))

    def test_35_an_erased_person_came_back_whole(self):
        """Rows, key and memory from before the erasure, all at once: the ledger still has the entry."""
        cell, store = self.copy()
        for space in ("person", "evidence", "id", "blind", "expiry"):
            for key, value in self.old[space].items():
                if key not in self.new[space] and (key[:16] == f"{4:016x}" or value == f"{4:016x}" or
                                                   f"{4:016x}{self.numbers['short']:08x}" in key):
                    store.put(space, key, value)
        with open(os.path.join(cell.path, "keys", "slots.1"), "r+b") as f:
            f.seek(64 * 4)
            f.write(self.old["slots"][64 * 4:64 * 5])
        self.forge_prev(cell, 4)
        self.found(cell, ("history", self.entry("erased"), None))

    def forge_prev(self, cell, number):
        """Puts one person's head and generation back as they were; the file has a hash and no key."""
        import hashlib
        new, old = bytearray(self.new["prev"]), self.old["prev"]
        count = int.from_bytes(new[24:32], "big")
        self.assertEqual(int.from_bytes(old[24:32], "big"), count)
        for at, n in ((32 + 8 * number, 8), (32 + 8 * count + 4 * number, 4)):
            new[at:at + n] = old[at:at + n]
        digest = hashlib.sha256(new[:32]).digest()
        new[32 + 12 * count:] = hashlib.sha256(digest + bytes(new[32:32 + 12 * count])).digest()
        with open(os.path.join(cell.path, "state", "prev"), "wb") as f:
            f.write(new)

    # -- evidence and rules ----------------------------------------------------------------------------------------

    def test_40_evidence(self):
        key = [k for k in self.new["evidence"] if int(k[16:], 16) == self.consent][0]
        cell, store = self.copy()
        store.put("evidence", key, flipped(self.new["evidence"][key]))
        self.found(cell, ("evidence", self.consent, None))
        cell, store = self.copy()
        store.drop("evidence", key)
        self.found(cell, ("evidence", self.consent, None))
        cell, store = self.copy()
        store.put("evidence", key[:16] + f"{3:016x}", self.new["evidence"][key])
        self.found(cell, ("evidence", None, None))

    def test_41_a_statement_could_be_used_again(self):
        cell, store = self.copy()
        used = [k for k, v in self.new["used"].items() if int(v, 16) == self.consent][0]
        store.drop("used", used)
        self.found(cell, ("used", self.consent, None))
        cell, store = self.copy()
        store.drop("consented", list(self.new["consented"])[0])
        self.found(cell, ("used", self.consent, None))

    def test_42_rules_and_notices(self):
        party = [int(k, 16) for k, v in self.new["world"].items() if "watchdog".encode().hex() in v][0]
        notice = self.entry("notice")
        cell, store = self.copy()
        store.drop("world", f"{party:016x}")
        store.put("notice", f"{notice:016x}", "another text".encode().hex())
        self.found(cell, ("rules", party, None), ("notice", notice, None))

    def test_43_rows_of_the_ledger_altered(self):
        cell, store = self.copy()
        entry = self.entry("enrolled")
        folder = os.path.join(cell.path, "rows")
        names = [os.path.join(d, f) for d, _, files in os.walk(folder) for f in files]
        label = list(self.new["label"])[0]
        for name in names:  # the partials that this size still has
            with open(name, "rb") as f:
                raw = bytearray(f.read())
            at = raw.find(bytes.fromhex(label))
            if at >= 0:
                raw[at + 16 + 2] ^= 1
                with open(name, "wb") as f:
                    f.write(raw)
        cell.serve()
        try:
            report = scrub(cell, check=1)
        finally:
            cell.stop()
        self.assertEqual({(f["damage"], f["entry"]) for f in report["findings"]}, {("ledger", entry)})


if __name__ == "__main__":
    unittest.main(verbosity=2)

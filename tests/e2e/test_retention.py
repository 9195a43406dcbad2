"""Records have an end: two days after an import into a collection that keeps for one day, nothing of it is disclosed or found,
an `expired` entry says so, its rows are gone from the store, and the ledger holds. Other collections stay.

bourn-clock-ahead is bourn itself, linked with a wall clock that is two days early."""

import json
import os
import time
import unittest

import harness
import people
from test_scrub import Store, flipped


class Retention(harness.ServedTest):
    count = 900  # over what one `expired` entry holds

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        yaml = os.path.join(cls.tmp, "short.yaml")
        with open(yaml, "w") as f:
            f.write(people.schema(("last_name",), "retention_days: 1\n"))
        harness.run("bourn", "collection", "add", cls.cell.path, "short", "--schema", yaml)
        cls.FINDER = cls.cell.party("finder", ground="dpv:Contract", rights="read,write,search,erase")
        cls.cell.load(cls.csv, cls.FINDER, collection="short")

    def ask(self, method, path, body=None):
        return self.cell.ask(method, path, self.FINDER, harness.HOME_PURPOSE, body)

    def found(self, name):
        return self.ok(self.ask("POST", "/v1/search", {"collection": "short", "where": {"last_name": name}}))["records"]

    def test_what_is_over_is_gone(self):
        one, name = self.people[3]["bioguide_id"], self.people[3]["last_name"]
        short = self.cell.records_path(one, "short")
        self.assertEqual([r["data"] for r in self.ok(self.ask("GET", short))["records"]], [self.people[3]])
        self.assertTrue(self.found(name))
        erased = self.people[8]["bioguide_id"]
        self.ok(self.ask("DELETE", f"/v1/subjects/{erased}"))
        self.assertNotIn("expired", {e["kind"] for e in self.cell.entries()})
        self.cell.stop()
        self.cell.serve(name="bourn-clock-ahead")
        self.assertEqual(self.ok(self.ask("GET", short))["records"], [])
        self.problem(self.ask("GET", short + "/1"), 404, "record_unknown")
        self.problem(self.ask("PUT", short + "/1", self.people[3]), 404, "record_unknown")
        self.problem(self.ask("DELETE", short + "/1"), 404, "record_unknown")
        self.assertEqual(self.found(name), [])
        lines = self.ask("POST", "/v1/disclose", {"collection": "short", "subjects": [one]}).body.splitlines()
        self.assertEqual(json.loads(lines[0]), {"subject": one, "code": "not_disclosed"})
        self.assertEqual([r["data"] for r in self.ok(self.ask("GET", self.cell.records_path(one)))["records"]], [self.people[3]])
        expired = self.expired()
        self.assertEqual(sum(e["count"] for e in expired), self.count - 1, "all but the one who was erased before")
        self.assertEqual({(e["collection"], e["cause"]) for e in expired}, {("short", "retention")})
        self.assertEqual(self.ask("POST", short, self.people[3]).status, 201)
        self.assertEqual([r["version"] for r in self.ok(self.ask("GET", short))["records"]], [1])
        self.assertEqual(len(self.found(name)), 1)
        report = json.loads(self.cell.verify(self.DOG, extra=["--json"]).stdout)
        self.assertEqual((report["exit"], report["violations"]), (0, []))

    def expired(self):
        deadline = time.monotonic() + 30
        while True:
            self.cell.settle()
            out = [e for e in self.cell.entries() if e["kind"] == "expired"]
            if sum(e["count"] for e in out) >= self.count - 1 or time.monotonic() > deadline:
                return out


class Damaged(harness.ServedTest):
    """Somebody whose state does not open, and a record cut short, are due: the others' records end all the same, and the
    cell goes on serving."""
    count = 12

    def test_damaged_rows_hold_up_nobody(self):
        yaml = os.path.join(self.tmp, "short.yaml")
        with open(yaml, "w") as f:
            f.write(people.schema(("last_name",), "retention_days: 1\n"))
        harness.run("bourn", "collection", "add", self.cell.path, "short", "--schema", yaml)
        self.cell.load(self.csv, self.CLINIC, collection="short")
        self.cell.stop()
        store = Store(self.cell)
        rows = store.rows("person")
        numbers = sorted({key[:16] for key in rows})
        store.put("person", numbers[2], flipped(rows[numbers[2]]))
        cut = max(key for key in rows if key.startswith(numbers[5]) and len(key) > 16)  # the record of `short`
        store.put("person", cut, rows[cut][:20])
        self.cell.serve(name="bourn-clock-ahead")
        deadline = time.monotonic() + 30
        while sum(e["count"] for e in self.cell.entries() if e["kind"] == "expired") < self.count - 2:
            self.assertLess(time.monotonic(), deadline, self.cell.log())
            time.sleep(0.2)
        time.sleep(1)
        log = self.cell.log()
        self.assertEqual(sum(e["count"] for e in self.cell.entries() if e["kind"] == "expired"), self.count - 2)
        self.assertEqual(log.count("bourn scrub"), 2, log)  # each is named once, not at every turn
        self.assertEqual(self.cell.ask("GET", "/healthz").status, 200)
        self.cell.stop()
        self.cell.serve(name="bourn-clock-ahead")
        self.assertEqual(self.cell.ask("GET", "/healthz").status, 200)

    def test_the_sweep_takes_damaged_rows_too(self):
        """Rows of an erased person that are cut short, or came back, go like others."""
        erased = self.people[7]["bioguide_id"]
        self.ok(self.home("DELETE", f"/v1/subjects/{erased}"))
        self.cell.stop()
        store = Store(self.cell)
        rows = store.rows("person")
        number = f"{7:016x}"
        other = f"{8:016x}"
        store.put("person", number, rows[other])
        record = next(key for key in rows if key.startswith(other) and len(key) > 16)
        store.put("person", number + record[16:], rows[record][:20])
        store.put("sweep", number)
        for space in ("sweep", "code", "expiry", "idempotent"):
            store.put(space, "00" * 5, "00")
        self.cell.serve()
        time.sleep(1)
        self.cell.stop()
        self.assertFalse([key for key in store.rows("person") if key.startswith(number)])
        for space in ("sweep", "code", "expiry", "idempotent"):
            self.assertNotIn("00" * 5, store.rows(space), space)
        self.cell.serve()


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""A clock that goes backwards stops disclosures and writes with a 503 that says so; withdrawals and erasures go on; once
it is right again everything does, and the ledger holds.

bourn-clock-back and bourn-clock-ahead are bourn itself, linked with a wall clock that is an hour late or two days early."""

import os
import unittest

import harness


class Clock(harness.ServedTest):
    count = 6

    def tearDown(self):
        if self.cell.process:
            self.cell.stop()

    def setUp(self):
        if not self.cell.process:
            self.cell.serve()

    def shifted(self, name):
        self.cell.stop()
        self.cell.serve(name=name)

    def test_1_backwards(self):
        ident, other = self.people[1]["bioguide_id"], self.people[2]["bioguide_id"]
        key = os.path.join(self.tmp, "a.key")
        self.cell.enrol(self.CLINIC, ident, key)
        consent = self.cell.consent(self.CLINIC, ident, key)
        self.assertEqual(self.foreign("GET", self.cell.records_path(ident)).status, 200)
        self.shifted("bourn-clock-back")
        for method, body in (("GET", None), ("POST", {"last_name": "x"})):
            with self.subTest(method):
                problem = self.problem(self.home(method, self.cell.records_path(ident), body), 503, "clock_backwards")
                self.assertIn("clock", problem["detail"])
        self.problem(self.foreign("GET", self.cell.records_path(ident)), 503, "clock_backwards")
        withdrawn = self.home("DELETE", f"/v1/subjects/{ident}/consents/{consent}")
        self.assertIn(withdrawn.status, (200, 204), withdrawn.body)
        erased = self.home("DELETE", f"/v1/subjects/{other}")
        self.assertIn(erased.status, (200, 204), erased.body)
        self.cell.stop()
        self.cell.serve()
        self.ok(self.home("GET", self.cell.records_path(ident)))
        self.problem(self.foreign("GET", self.cell.records_path(ident)), 403, "basis_missing")
        self.problem(self.home("GET", self.cell.records_path(other)), 404)
        self.cell.verify(self.DOG)

    def test_2_expired_token(self):
        """A token of one day is refused when two have gone by."""
        token = self.cell.party("daily", ground="dpv:Contract", rights="read", extra=("--days", "1"))
        ident = self.people[3]["bioguide_id"]
        self.ok(self.cell.ask("GET", self.cell.records_path(ident), token, harness.HOME_PURPOSE))
        self.shifted("bourn-clock-ahead")
        self.problem(self.cell.ask("GET", self.cell.records_path(ident), token, harness.HOME_PURPOSE), 401)
        self.ok(self.home("GET", self.cell.records_path(ident)))


if __name__ == "__main__":
    unittest.main(verbosity=2)

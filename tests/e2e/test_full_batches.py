"""Requests that fill whole batches: the vault goes on with everything else meanwhile, rests afterwards, and stops when asked."""

import concurrent.futures
import time
import unittest

import harness

PARALLEL, BODY_BYTES = 48, 200_000


class FullBatches(harness.ServedTest):
    def post(self, i):
        body = {"bioguide_id": f"big{i}", "address": "x" * BODY_BYTES}
        return self.home("POST", f"/v1/subjects/big{i}/records/people", body).status

    def cpu_ticks(self):
        with open(f"/proc/{self.cell.roles()['vault']}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def test_1_filled(self):
        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            statuses = list(pool.map(self.post, range(3 * PARALLEL)))
        self.assertEqual(set(statuses), {201})

    def test_2_rests(self):
        time.sleep(2)
        before = self.cpu_ticks()
        time.sleep(3)
        self.assertLess(self.cpu_ticks() - before, 60, "the vault is busy though nobody asks anything")
        self.assertIn("entries", harness.run("bourn", "status", self.cell.path, timeout=20).stdout)

    def test_3_transfers_and_stop(self):
        subject = self.people[0]["bioguide_id"]
        key = f"{self.tmp}/alice.key"
        self.cell.enrol(self.CLINIC, subject, key)
        self.cell.consent(self.CLINIC, subject, key)
        self.assertEqual(self.foreign("GET", self.cell.records_path(subject)).status, 200)
        self.cell.verify(self.DOG)
        self.cell.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)

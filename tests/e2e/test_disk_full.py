"""It fails closed: on a full disk bourn answers 503 with the reason, releases nothing, loses nothing that it
acknowledged, and serves again once there is room."""

import json
import os
import subprocess
import time
import unittest

import harness
import people

SIZE = "220m"  # of the small file system: a new cell's journal takes 96 MiB of it


class DiskFull(harness.Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.disk = os.path.join(cls.tmp, "disk")
        os.mkdir(cls.disk)
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root to mount a small file system")
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "bourn-test", cls.disk],
                          capture_output=True).returncode != 0:
            raise unittest.SkipTest("mounting a small file system is not permitted here")
        cls.addClassCleanup(subprocess.run, ["umount", "-l", cls.disk])
        cls.cell = harness.Cell(cls.disk)
        cls.cell.log_path = os.path.join(cls.tmp, "cn.log")
        cls.cell.serve()
        cls.addClassCleanup(cls.cell.close)
        rows = people.made_up(5)
        people.write(os.path.join(cls.tmp, "p.csv"), rows)
        cls.cell.collection(os.path.join(cls.tmp, "p.csv"))
        cls.CLINIC, cls.DOG = cls.cell.clinic(), cls.cell.watchdog()
        cls.row = rows[0]
        cls.acknowledged = {}

    def write(self, number):
        """One write; returns its answer, or None if the service is gone."""
        ident, value = f"D{number:06}", f"value {number} " + "x" * 8000
        try:
            answer = self.cell.ask("POST", self.cell.records_path(ident), self.CLINIC, harness.HOME_PURPOSE,
                                   dict(self.row, address=value))
        except OSError:
            return None
        except Exception as e:  # http.client: the connection ended within an answer
            self.assertIn("http", type(e).__module__)
            return None
        if answer.status == 201:
            self.acknowledged[ident] = value
        return answer

    def all_there(self):
        connection = self.cell.connect()
        for ident, value in self.acknowledged.items():
            answer = self.cell.ask("GET", self.cell.records_path(ident), self.CLINIC, harness.HOME_PURPOSE,
                                   connection=connection)
            self.assertEqual(answer.status, 200, (ident, answer.body[:300]))
            self.assertEqual([r["data"]["address"] for r in json.loads(answer.body)["records"]], [value])
        connection.close()

    def test_1_full(self):
        for number in range(50):
            self.assertEqual(self.write(number).status, 201)
        filler = os.path.join(self.disk, "filler")
        self.addCleanup(os.unlink, filler)
        with open(filler, "wb") as f:
            try:
                while True:
                    f.write(bytes(1 << 20))
                    f.flush()
            except OSError:
                pass
        reasons, gone = set(), False
        deadline = time.monotonic() + 120
        for number in range(50, 30000):
            answer = self.write(number)
            if answer is None:
                gone = True
                break
            if answer.status != 201:
                problem = self.problem(answer, 503)
                reasons.add(problem.get("detail", ""))
                if time.monotonic() > deadline - 100:
                    break
                time.sleep(0.05)
            self.assertLess(time.monotonic(), deadline, "a full disk is never noticed")
        print(f"{len(self.acknowledged)} acknowledged; reasons: {reasons}; service ended by itself: {gone}")
        self.assertTrue(reasons, "no 503 with a reason: the service went away without a word to its clients")
        for reason in reasons:
            self.assertRegex(reason, r"(?i)space|full|room|volume")
        self.assertFalse(gone, f"the service ended by itself:\n{self.cell.log()[-1500:]}")
        if not gone:
            ident = next(iter(self.acknowledged))
            answer = self.cell.ask("GET", self.cell.records_path(ident), self.CLINIC, harness.HOME_PURPOSE)
            self.assertIn(answer.status, (200, 503))
            # Withdrawals and erasures have reserved room.
            erased = self.cell.ask("DELETE", f"/v1/subjects/{ident}", self.CLINIC, harness.HOME_PURPOSE)
            self.assertIn(erased.status, (200, 204), erased.body)
            del self.acknowledged[ident]

    def test_2_room_again(self):
        deadline = time.monotonic() + 30
        while (answer := self.write(90000)) is None or answer.status != 201:
            self.assertLess(time.monotonic(), deadline, f"it does not serve again after space was given back: {answer}")
            if self.cell.process.poll() is not None:
                break
            time.sleep(0.5)
        if self.cell.process.poll() is None:
            self.all_there()
            self.cell.stop()
        else:
            self.cell.wait()
        self.cell.serve()
        self.all_there()
        self.cell.verify(self.DOG)
        self.assertEqual(self.write(90001).status, 201)


if __name__ == "__main__":
    unittest.main(verbosity=2)

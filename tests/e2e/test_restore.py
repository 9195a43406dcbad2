"""A backup that is put back, for real: a cell serves, is copied, goes on (a withdrawal, an erasure, disclosures), is stopped,
and the copy comes in its place, whole or in parts. It is refused with a message that says how to go on; and that way is gone:
a new log that carries over what was withdrawn and erased, which bourn-verify replays, and convicts if it leaves one out."""

import json
import os
import shutil
import subprocess
import unittest

import harness


def copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("admin.sock"))
    return target


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
        cls.sizes = [cls.size_of(folder) for folder in (cls.backup, cls.newest)]
        cls.published = copy(os.path.join(cls.newest, "ledger"), os.path.join(cls.tmp, "published-ledger"))
        cls.rows = copy(os.path.join(cls.newest, "rows"), os.path.join(cls.tmp, "published-rows"))

    @staticmethod
    def size_of(folder):
        with open(os.path.join(folder, "ledger", "checkpoint"), "rb") as f:
            return int(f.read().split(b"\n")[1])

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

    def test_09_a_head_of_another_log(self):
        other = harness.Cell(self.tmp, name="other")
        other.serve()
        other.stop()
        done = harness.run("bourn", "serve", self.put_back().path, "--listen", "127.0.0.1:0", "--head",
                           os.path.join(other.path, "ledger", "checkpoint"), check=64)
        self.assertIn("not a checkpoint that this log's key signed", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

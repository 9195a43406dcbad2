"""bourn log as a monitor: from a folder and over HTTP the same lines; it follows a log at the cost of what is new; and it stops at
whatever is not sound: an altered entry or tile, another key, a log that goes back, and one that its operator signed anew."""

import collections
import http.server
import json
import os
import shutil
import subprocess
import threading
import time
import unittest

import harness
import c2sp


class Files(http.server.SimpleHTTPRequestHandler):
    """A folder over HTTP, and who asked for what. The folder can be swapped while it serves."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        path = self.path.removeprefix("/ledger/")
        server.asked[path] += 1
        if server.status:
            data, status = b"not now", server.status
        else:
            answer = c2sp.Folder(server.folder).get(path)
            data, status = answer.body, answer.status
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


class Log(harness.ServedTest):
    count = 40

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.grow(270)
        with open(cls.cell.vkey) as f:
            cls.vkey = f.read().strip()

    @classmethod
    def grow(cls, n):
        connection = cls.cell.connect()
        for i in range(n):
            path = cls.cell.records_path(cls.people[i % 40]["bioguide_id"])
            assert cls.cell.ask("GET", path, cls.CLINIC, harness.HOME_PURPOSE, connection=connection).status == 200
        connection.close()
        return cls.cell.settle()

    def snapshot(self, name):
        """A copy of the public folder, and of what forge needs beside it."""
        path = os.path.join(self.tmp, name)
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.cell.path, path, ignore=shutil.ignore_patterns("admin.sock", "journal", "store"))
        return path

    def serve(self, folder):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
        server.folder, server.asked, server.status = os.path.join(folder, "ledger"), collections.Counter(), 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        server.url = f"http://127.0.0.1:{server.server_port}/ledger"
        return server

    def follow(self, *args):
        """A bourn log that runs; its lines come into .lines as they are printed."""
        process = subprocess.Popen([harness.program("bourn"), "log", *args, "--follow", "--every", "1", "--json"], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.lines = []
        reader = threading.Thread(target=lambda: [process.lines.append(json.loads(line)) for line in process.stdout], daemon=True)
        reader.start()

        def end():
            process.poll() is None and process.kill()
            process.wait(20)
            reader.join(20)
            process.stdout.close()
            process.stderr.close()
        self.addCleanup(end)
        return process

    def until(self, condition, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, "it does not come")
            time.sleep(0.05)

    def stopped(self, process, why):
        """Ends with 1, and says why."""
        self.assertEqual(process.wait(30), 1)
        said = process.stderr.read()
        self.assertRegex(said, why)

    # -- the same from everywhere ----------------------------------------------------------------------------------------

    def test_address_and_folder_give_the_same(self):
        self.cell.settle()
        bundles = os.path.join(self.snapshot("plain"), "ledger")
        for extra in ((), ("--json",), ("--from", "260"), ("--json", "--from", "1000000")):
            want = harness.run("bourn", "log", self.cell.path, *extra).stdout
            for where in (self.cell.url + "/ledger", self.cell.url + "/ledger/", bundles):
                for key in ((), ("--key", self.vkey), ("--key", self.cell.vkey)):
                    self.assertEqual(harness.run("bourn", "log", where, *extra, *key).stdout, want)
        entries = [json.loads(line) for line in harness.run("bourn", "log", self.cell.url + "/ledger", "--json").stdout.splitlines()]
        self.assertEqual([e["index"] for e in entries], list(range(len(entries))))
        self.assertEqual(entries[0]["kind"], "genesis")
        self.assertEqual(len(entries), self.cell.size())

    def test_options_that_make_no_sense(self):
        url = self.cell.url + "/ledger"
        other = harness.Cell(self.tmp, name="fr")
        for args in (("--every", "0"), ("--every", "86401"), ("--every", "x"), ("--key", "x"), ("--key", self.vkey[:-2]), ("--from", "-1"),
                     ("--nonsense",), ("second",)):
            harness.run("bourn", "log", url, *args, check=64)
        harness.run("bourn", "log", check=64)
        self.assertIn("its origin is not the name of the log's key", harness.run("bourn", "log", url, "--key", other.vkey, check=1).stderr)
        self.assertIn("in front of /checkpoint", harness.run("bourn", "log", self.cell.url + "/nothing", check=1).stderr)
        harness.run("bourn", "log", "http://127.0.0.1:1/ledger", check=69)
        harness.run("bourn", "log", "ftp://127.0.0.1/ledger", check=1)

    # -- following -------------------------------------------------------------------------------------------------------

    def test_followed_at_the_cost_of_what_is_new(self):
        size = self.cell.settle()
        server = self.serve(self.snapshot("follow"))
        process = self.follow(server.url, "--key", self.vkey)
        self.until(lambda: len(process.lines) == size)
        self.until(lambda: server.asked["checkpoint"] > 2)
        whole = {path: n for path, n in server.asked.items() if path != "checkpoint"}
        self.assertEqual(set(whole.values()), {1})  # each file once, whatever number of looks
        self.assertEqual(len(whole), 2 * ((size + 255) // 256))
        server.asked.clear()
        grown = self.grow(3)
        server.folder = os.path.join(self.snapshot("follow-2"), "ledger")
        self.until(lambda: len(process.lines) == grown)
        asked = set(server.asked) - {"checkpoint"}
        last = grown // 256
        self.assertEqual(asked, {c2sp.tile_path(0, last, grown % 256), c2sp.tile_path("entries", last, grown % 256)})
        self.assertEqual([line["index"] for line in process.lines], list(range(grown)))
        # Nobody answers for a while: it waits, and goes on.
        server.status = 503
        seen = server.asked["checkpoint"]
        self.until(lambda: server.asked["checkpoint"] > seen + 1)
        self.assertIsNone(process.poll())
        grown = self.grow(2)
        server.folder, server.status = os.path.join(self.snapshot("follow-3"), "ledger"), 0
        self.until(lambda: len(process.lines) == grown)
        process.kill()
        self.assertRegex(process.stderr.read(), "503.*asking on\nanswers again")

    def test_a_live_cell_is_followed(self):
        size = self.cell.settle()
        process = self.follow(self.cell.url + "/ledger", "--key", self.cell.vkey, "--from", str(size))
        folder = self.follow(self.cell.path, "--from", str(size))
        time.sleep(2)
        grown = self.grow(5)
        self.until(lambda: len(process.lines) == grown - size and len(folder.lines) == grown - size)
        self.assertEqual(process.lines, folder.lines)
        self.assertEqual({line["kind"] for line in process.lines}, {"disclosed"})

    def test_a_partial_that_is_gone(self):
        """A reader that still holds an earlier checkpoint takes the front of the full file."""
        size = self.cell.settle()
        old = self.snapshot("with-partials")
        want = harness.run("bourn", "log", old, "--key", self.vkey).stdout
        self.grow(257)
        new = self.snapshot("without")
        shutil.copy(os.path.join(old, "ledger/checkpoint"), os.path.join(new, "ledger/checkpoint"))
        for path in (c2sp.tile_path(0, size // 256, size % 256), c2sp.tile_path("entries", size // 256, size % 256)):
            os.remove(os.path.join(new, "ledger", path))
        for where in (new, self.serve(new).url):
            self.assertEqual(harness.run("bourn", "log", where, "--key", self.vkey).stdout, want)
        rows = ("--rows", os.path.join(new, "rows"))
        harness.run("bourn-verify", os.path.join(new, "ledger"), "--key", self.cell.vkey, *rows)

    # -- what is not sound -----------------------------------------------------------------------------------------------

    def alter(self, folder, path, at):
        with open(os.path.join(folder, "ledger", path), "r+b") as f:
            f.seek(at)
            byte = f.read(1)[0]
            f.seek(at)
            f.write(bytes([byte ^ 1]))

    def test_altered_files(self):
        size = self.cell.settle()
        last = c2sp.tile_path("entries", size // 256, size % 256)
        for path, at, why in (("tile/entries/000", 40, "entry [0-9]+ is not the one that its hash tile names"),
                              (last, 20, "entry [0-9]+ is not the one"),
                              ("tile/0/000", 33, "entry 1 is not the one"),
                              ("tile/entries/000", 0, "entry|bundle"),
                              ("checkpoint", 30, "signature|malformed|checkpoint")):
            folder = self.snapshot("altered")
            self.alter(folder, path, at)
            for where in (folder, self.serve(folder).url):
                done = harness.run("bourn", "log", where, "--key", self.vkey, check=1)
                self.assertRegex(done.stderr, why)
        for path, at in (("tile/0/000", 0), ("tile/entries/000", 10)):
            folder = self.snapshot("altered")
            os.remove(os.path.join(folder, "ledger", path))
            self.assertRegex(harness.run("bourn", "log", folder, check=1).stderr, "is not there, though the checkpoint needs it")
        # An entry and its tile altered alike, without the key: the root says it.
        folder = self.snapshot("alike")
        bundle = os.path.join(folder, "ledger", "tile/entries/000")
        with open(bundle, "r+b") as f:
            data = bytearray(f.read())
            n = int.from_bytes(data[:2], "big")
            data[1 + n] ^= 1
            f.seek(0)
            f.write(data)
        with open(os.path.join(folder, "ledger", "tile/0/000"), "r+b") as f:
            f.write(c2sp.leaf(bytes(data[2:2 + n])))
        done = harness.run("bourn", "log", folder, check=1)
        self.assertRegex(done.stderr, "do not give the root of the checkpoint|does not decode")

    def test_a_log_that_goes_back(self):
        early = self.snapshot("early")
        self.grow(3)
        late = self.snapshot("late")
        server = self.serve(late)
        process = self.follow(server.url, "--key", self.vkey)
        self.until(lambda: server.asked["checkpoint"] > 1)
        server.folder = os.path.join(early, "ledger")
        self.stopped(process, "the log went back, from [0-9]+ entries to [0-9]+")

    def forged(self, case):
        """A copy of the cell, tampered with by who holds its key."""
        evidence = os.path.join(self.tmp, "evidence")
        if not os.path.exists(evidence):  # opening it adds entries
            self.cell.evidence_file(self.DOG, evidence)
            self.cell.settle()
        folder = self.snapshot(case)
        shutil.copy(evidence, os.path.join(folder, "evidence.cborseq"))
        done = subprocess.run([harness.program("forge"), folder, "--evidence", "evidence.cborseq", case], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return folder

    def test_a_log_that_was_signed_anew(self):
        """The operator alters the past and signs it with the true key: every hash fits, and only who read it before can tell."""
        for case in ("rewritten", "fork"):
            evil, good = self.forged(case), self.snapshot("good")
            harness.run("bourn", "log", evil, "--key", self.vkey)  # by itself it looks sound
            server = self.serve(good)
            process = self.follow(server.url, "--key", self.vkey)
            self.until(lambda: server.asked["checkpoint"] > 1)
            server.folder = os.path.join(evil, "ledger")
            self.stopped(process, "does not extend what was read before|another root for the same|is not the one that its|went back")

    def test_a_root_that_is_not_that_of_the_entries(self):
        done = harness.run("bourn", "log", self.forged("root-only"), "--key", self.vkey, check=1)
        self.assertIn("do not give the root of the checkpoint", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""bourn-verify --follow beside a real cell: it sees what comes at the cost of what is new, waits for a server that is down,
and alerts once when the operator, with the cell's own key, goes on from an older copy: shorter, or with other entries."""

import http.client
import http.server
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
import unittest

import harness

WAIT_S = 60


class Proxy(http.server.BaseHTTPRequestHandler):
    """Counts what is asked for, and hides the cell while `closed` is set."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.closed:
            return self.answer(503, b"")
        self.server.asked.append(self.path)
        head = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "content-length")}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.cell.port, timeout=30)
        try:
            connection.request(self.command, self.path, body or None, head)
            answer = connection.getresponse()
            self.answer(answer.status, answer.read())
        except OSError:
            self.answer(502, b"")
        finally:
            connection.close()

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = forward


class Follower:
    """A bourn-verify that follows, its lines as they come, and what its command wrote."""

    def __init__(self, test, source, *more, token=None, state="state"):
        self.told = os.path.join(test.tmp, f"told.{time.monotonic_ns()}")
        self.state = os.path.join(test.tmp, state)
        env = {k: v for k, v in os.environ.items() if k != "BOURN_TOKEN"}
        if token:
            env["BOURN_TOKEN"] = token
        self.process = subprocess.Popen(
            [harness.program("bourn-verify"), source, "--key", test.cell.vkey, "--follow", "--interval", "1", "--json",
             "--state", self.state, "--exec", 'env | grep "^BOURN_" >>"$TOLD"; echo end >>"$TOLD"', *more],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(env, TOLD=self.told))
        test.addCleanup(self.close)
        self.lines, self.seen = queue.Queue(), []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def until(self, event, wanted=lambda x: True):
        """The next event of this name for which `wanted` holds; a violation that was not asked for is none."""
        deadline = time.monotonic() + WAIT_S
        while True:
            line = self.lines.get(timeout=max(deadline - time.monotonic(), 0.1))
            if line is None:
                raise AssertionError(f"ended with {self.process.wait()} before {event}: {self.seen[-5:]} "
                                     f"{self.process.stderr.read()}")
            self.seen.append(line)
            if line["event"] == event and wanted(line):
                return line
            if line["event"] == "violation":
                raise AssertionError(line)

    def end(self):
        return self.process.wait(timeout=WAIT_S)

    def commands(self):
        """The environments of the commands that were run."""
        if not os.path.exists(self.told):
            return []
        with open(self.told, encoding="utf-8") as f:
            runs = f.read().split("end\n")[:-1]
        return [dict(line.split("=", 1) for line in run.splitlines()) for run in runs]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


class Follow(harness.ServedTest):
    count = 12

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for n in range(2):
            ident = cls.people[n]["bioguide_id"]
            cls.cell.enrol(cls.CLINIC, ident, os.path.join(cls.tmp, f"{n}.key"))
            cls.cell.consent(cls.CLINIC, ident, os.path.join(cls.tmp, f"{n}.key"))
        cls.proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
        cls.proxy.cell, cls.proxy.closed, cls.proxy.asked = cls.cell, False, []
        threading.Thread(target=cls.proxy.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.proxy.server_close)
        cls.addClassCleanup(cls.proxy.shutdown)
        cls.url = f"http://127.0.0.1:{cls.proxy.server_address[1]}/ledger"

    def setUp(self):
        self.proxy.closed = False
        if self.cell.process is None:
            self.cell.serve()

    def read(self, times, n=3):
        """That many entries, and the size of the log once they are signed."""
        connection = self.cell.connect()
        try:
            for _ in range(times):
                self.assertEqual(self.cell.ask("GET", self.cell.records_path(self.people[n]["bioguide_id"]), self.CLINIC,
                                               harness.HOME_PURPOSE, connection=connection).status, 200)
        finally:
            connection.close()
        return self.cell.settle()

    def keep_copy(self):
        """The whole cell as it is now: signer, journal, store and ledger."""
        self.cell.stop()
        copy = os.path.join(self.tmp, "older")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.cell.path, copy, ignore=shutil.ignore_patterns("admin.sock"))
        self.cell.serve()
        return copy

    def restore(self, copy):
        self.cell.stop()
        shutil.rmtree(self.cell.path)
        shutil.copytree(copy, self.cell.path)
        self.cell.serve()

    def test_what_comes_costs_what_is_new(self):
        self.read(700)
        f = Follower(self, self.url, token=self.DOG)
        first = f.until("head")
        self.assertEqual(first["exit"], 0)
        self.assertGreater(first["new"], 700)
        time.sleep(2.5)  # opening evidence made entries of its own
        before = len(self.proxy.asked)
        fetched = sum(x["fetched"] for x in f.seen if x["event"] == "head")
        size = self.read(300)
        head = f.until("head", lambda x: x["size"] == size)
        asked = self.proxy.asked[before:]
        old = [p for p in asked if p.endswith(("entries/000", "entries/001", "rows/000", "rows/001", "tile/0/000"))]
        self.assertEqual(old, [], "what was replayed is read again")
        self.assertTrue(any("tile/entries/003" in p for p in asked), asked)
        self.assertLess(sum("tile/entries" in p for p in asked), 12)
        self.assertGreater(fetched, 8)
        self.assertLess(head["fetched"], 25 + asked.count("/ledger/checkpoint"))
        f.process.send_signal(signal.SIGTERM)
        self.assertEqual(f.end(), 0)
        report = f.until("report")["report"]
        self.assertEqual((report["exit"], report["violations"], report["coverage"]["entries"]), (0, [], size))
        self.assertGreater(report["coverage"]["evidence"]["opened"], 3)
        self.assertEqual(report["coverage"]["people"], self.count)
        self.assertEqual(f.commands(), [])

    def test_a_server_that_is_down_is_waited_for(self):
        f = Follower(self, self.url, state="state.down")
        f.until("head")
        self.proxy.closed = True
        self.assertIn("503", f.until("trouble")["why"])
        self.read(5)
        time.sleep(2.5)
        self.proxy.closed = False
        head = f.until("head")
        self.assertGreaterEqual(head["new"], 5)
        self.assertEqual(sum(x["event"] == "trouble" for x in f.seen), 1, "said once")
        self.assertEqual(f.commands(), [])

    def alerts(self, f, size):
        """The one alert: at the size that was held, with both heads kept."""
        found = f.until("violation")
        self.assertEqual((found["clause"], found["size"]), ("V1", size))
        self.assertEqual(f.end(), 1)
        self.assertEqual(f.until("report")["report"]["exit"], 1)
        told = f.commands()
        self.assertEqual(len(told), 1, "the command runs once")
        env = told[0]
        self.assertEqual((env["BOURN_CLAUSE"], env["BOURN_POSITION"], env["BOURN_AT"]), ("V1", "size", str(size)))
        self.assertEqual((env["BOURN_REASON"], env["BOURN_ORIGIN"]), (found["reason"], "cn.example/ledger"))
        self.assertNotIn("BOURN_TOKEN", env)
        with open(env["BOURN_HELD"], encoding="utf-8") as held, open(env["BOURN_READ"], encoding="utf-8") as read:
            one, other = held.read(), read.read()
        self.assertEqual(one.split("\n")[1], str(size))
        self.assertNotEqual(one.split("\n")[:3], other.split("\n")[:3])
        return found["reason"]

    def test_a_fork_is_found_and_again_after_a_restart(self):
        copy = self.keep_copy()
        self.read(40)
        f = Follower(self, self.url, token=self.DOG, state="state.fork")
        size = f.until("head")["size"]
        time.sleep(2.5)
        size = max([size] + [f.lines.get()["size"] for _ in range(f.lines.qsize())])
        self.proxy.closed = True
        f.until("trouble")
        self.restore(copy)
        longer = self.read(120, n=4)
        self.assertGreater(longer, size)
        self.proxy.closed = False
        reason = self.alerts(f, size)
        self.assertRegex(reason, r"log of \d+ entries does not extend the head of this size")
        # The head that is kept convicts the other history for ever, from the start and without the old entries.
        again = Follower(self, self.url, state="state.fork")
        found = again.until("violation")
        self.assertEqual((found["clause"], found["size"]), ("V1", size))
        self.assertEqual((again.end(), len(again.commands())), (1, 1))

    def test_a_log_that_goes_back_is_found(self):
        copy = self.keep_copy()
        size = self.read(30)
        f = Follower(self, self.url, state="state.back")
        self.assertEqual(f.until("head")["size"], size)
        self.proxy.closed = True
        self.restore(copy)
        self.proxy.closed = False
        shorter = self.cell.size()
        self.assertLess(shorter, size)
        self.assertIn(f"went back to {shorter} entries", self.alerts(f, size))

    def test_a_folder_is_followed(self):
        f = Follower(self, os.path.join(self.cell.path, "ledger"), "--rows", os.path.join(self.cell.path, "rows"),
                     state="state.folder")
        f.until("head")
        size = self.read(7)
        self.assertGreaterEqual(f.until("head", lambda x: x["size"] == size)["new"], 1)
        f.process.send_signal(signal.SIGINT)
        self.assertEqual(f.end(), 2)  # evidence was not given

    def test_usage(self):
        for more in (["--interval", "5"], ["--state", "x"], ["--exec", "true"], ["--follow", "--interval", "0"],
                     ["--follow", "--save-head", "x"], ["--follow", "--rows", self.cell.path, "--evidence", "x"]):
            harness.run("bourn-verify", self.url, "--key", self.cell.vkey, *more, check=64)


if __name__ == "__main__":
    unittest.main()

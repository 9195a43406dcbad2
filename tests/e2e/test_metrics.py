"""What monitoring reads: over admin.sock and over a listener of its own, true counts and nothing about people."""

import http.client
import os
import re
import subprocess
import threading
import time
import unittest

import harness

LINE = re.compile(r'^(bourn_[a-z_]+)(?:\{([a-z_]+="[^"\\\n]*"(?:,[a-z_]+="[^"\\\n]*")*)\})? ([0-9.]+)$')


def parse(text):
    """{(name, labels): value} of Prometheus' text format; every name has HELP and TYPE before it."""
    out, told = {}, {}
    for line in text.splitlines():
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            told.setdefault(name, {})[what] = rest
            continue
        found = LINE.match(line)
        assert found, line
        name = re.sub(r"_(bucket|sum|count)$", "", found[1]) if found[1].startswith("bourn_commit_seconds") else found[1]
        assert set(told.get(name, ())) == {"HELP", "TYPE"}, f"{name} is not described before"
        key = (found[1], found[2] or "")
        assert key not in out, f"{line} comes twice"
        out[key] = float(found[3])
    return out


class Metrics(harness.ServedTest):
    count = 20

    def admin(self):
        return harness.run("bourn", "metrics", self.cell.path).stdout

    def value(self, name, labels=""):
        return parse(self.admin()).get((name, labels), 0)

    def requests(self, operation, status):
        return self.value("bourn_requests_total", f'operation="{operation}",class="{status}xx"')

    def test_1_counts(self):
        records, refused, disclosed = self.requests("records", 2), self.requests("records", 4), self.value("bourn_disclosures_total")
        subject = self.people[0]["bioguide_id"]
        for _ in range(7):
            self.ok(self.home("GET", self.cell.records_path(subject)))
        for _ in range(3):
            self.problem(self.foreign("GET", self.cell.records_path(subject)), 403)
        self.assertEqual(self.requests("records", 2) - records, 7)
        self.assertEqual(self.requests("records", 4) - refused, 3)
        self.assertEqual(self.value("bourn_disclosures_total") - disclosed, 7)
        self.assertGreaterEqual(self.value("bourn_refusals_total"), 3)

    def test_2_gauges(self):
        self.assertEqual(self.value("bourn_people"), self.count)
        self.assertEqual(self.value("bourn_records"), self.count)
        self.cell.settle()
        now = parse(self.admin())
        self.assertEqual(now["bourn_entries", ""], now["bourn_signed_entries", ""])
        self.assertEqual(now["bourn_entries", ""], self.cell.size())
        self.assertEqual(now["bourn_checkpoint_age_seconds", ""], 0)
        self.assertEqual(now["bourn_backlog_bytes", ""], 0)
        self.assertEqual(now["bourn_disclosing", ""], 1)
        self.assertGreater(now["bourn_journal_free_bytes", ""], 1 << 20)

    def test_3_histogram(self):
        now = parse(self.admin())
        buckets = [(k[1], v) for k, v in now.items() if k[0] == "bourn_commit_seconds_bucket"]
        self.assertEqual(buckets[-1][0], 'le="+Inf"')
        values = [v for _, v in buckets]
        self.assertEqual(values, sorted(values))
        self.assertEqual(values[-1], now["bourn_commit_seconds_count", ""])
        self.assertEqual(values[-1], now["bourn_batches_total", ""])
        self.assertGreater(values[-1], 0)
        self.assertGreater(now["bourn_commit_seconds_sum", ""], 0)
        before = now["bourn_batches_total", ""]
        self.ok(self.home("GET", self.cell.records_path(self.people[0]["bioguide_id"])))
        self.assertGreater(self.value("bourn_batches_total"), before)

    def test_4_nothing_about_anybody(self):
        text = self.admin()
        for secret in (self.CLINIC, self.LAB, self.DOG, "clinic", "lab", "watchdog", "people.csv", "dpv:"):
            self.assertNotIn(secret, text)
        for person in self.people:
            for value in person.values():
                if len(value) > 3:
                    self.assertNotIn(value, text)

    def test_5_documented(self):
        with open(os.path.join(harness.SOURCE, "docs", "METRICS.md")) as f:
            told = set(re.findall(r"^\| `(bourn_[a-z_]+)", f.read(), re.M))
        real = {line.split()[2] for line in self.admin().splitlines() if line.startswith("# TYPE")}
        self.assertEqual(told, real)

    def test_6_not_on_the_public_listener(self):
        self.problem(self.cell.ask("GET", "/metrics"), 404, "route_unknown")
        self.problem(self.cell.ask("GET", "/metrics", self.DOG), 404, "route_unknown")

    def test_7_usage(self):
        harness.run("bourn", "metrics", check=64)
        harness.run("bourn", "metrics", self.cell.path, "more", check=64)
        for at in ("0.0.0.0:0", "nonsense", "192.0.2.1:80"):
            done = harness.run("bourn", "serve", self.cell.path, "--listen", "127.0.0.1:0", "--metrics", at, check=64)
            self.assertIn("loopback", done.stderr)

    def test_8_own_listener(self):
        self.cell.stop()
        harness.run("bourn", "metrics", self.cell.path, check=69)
        with open(self.cell.log_path, "ab") as log:
            serving = subprocess.Popen([harness.program("bourn"), "serve", self.cell.path, "--listen", "127.0.0.1:0", "--metrics",
                                        "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=log)
        timer = threading.Timer(harness.START_S, serving.kill)
        timer.start()
        try:
            metrics = re.fullmatch(rb"metrics on http://127\.0\.0\.1:(\d+)/metrics\n", serving.stdout.readline())
            public = re.fullmatch(rb"listening on http://127\.0\.0\.1:(\d+)\n", serving.stdout.readline())
            self.assertTrue(metrics and public, self.cell.log()[-2000:])
            timer.cancel()

            def ask(port, path, method="GET", body=None):
                c = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
                c.request(method, path, body, {"Authorization": "Bearer " + self.CLINIC, "Bourn-Purpose": harness.HOME_PURPOSE})
                r = c.getresponse()
                out = harness.Answer(r.status, r.headers, r.read())
                c.close()
                return out

            answer = ask(metrics[1], "/metrics")
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
            self.assertIn(("bourn_entries", ""), parse(answer.body.decode()))
            subject = self.cell.records_path(self.people[0]["bioguide_id"])
            self.assertEqual(ask(public[1], subject).status, 200)
            counted = parse(ask(metrics[1], "/metrics").body.decode())
            self.assertEqual(counted["bourn_requests_total", 'operation="records",class="2xx"'], 1)
            for path in (subject, "/", "/v1/party", "/healthz", "/ledger/checkpoint", "/metrics/", "/metrics?x=1"):
                self.problem(ask(metrics[1], path), 404, "route_unknown")
            self.problem(ask(metrics[1], "/metrics", "POST", b"x"), 405, "method_not_allowed")
            self.problem(ask(public[1], "/metrics"), 404, "route_unknown")
        finally:
            timer.cancel()
            serving.terminate()
            self.assertEqual(serving.wait(harness.STOP_S), 0, self.cell.log()[-2000:])
            serving.stdout.close()


if __name__ == "__main__":
    unittest.main()

"""How long an answer takes must not tell who exists: for a party without a basis, the times for somebody nobody knows,
somebody who was erased, a person with a short file and one with a long file are samples of one distribution, and their
answers are the same bytes. BOURN_TIMING_REQUESTS: how many of each (200; by hand 10,000, about twenty minutes).

Requests go over one connection, one at a time, in rounds that hold each kind once in a random order, so that whatever
else the machine does falls on all kinds alike. Each pair of kinds is compared by two figures: the Kolmogorov-Smirnov
distance, and AUC, how often a time of the one is above a time of the other (Mann-Whitney; 0.5 is chance). Both limits are
such that samples of one distribution go over them once in a million comparisons, at any number of requests; with 10,000
of each they are 0.038, and 0.480 to 0.520. That the figures can find a difference is shown on a build of bourn that holds
no answer back (bourn-unheld, which differs in that limit alone)."""

import bisect
import itertools
import json
import math
import os
import random
import re
import socket
import statistics
import sys
import time
import unittest

import harness

with open(os.path.join(harness.SOURCE, "src/base/limits.h"), encoding="utf-8") as limits:
    HOLD_US, HOLD_NAMES = (int(n) for n in re.findall(r"#define HOLD_(?:US|NAMES) (\d+)", limits.read()))
REQUESTS = int(os.environ.get("BOURN_TIMING_REQUESTS", "200"))
LONG_FILE = 40  # consents, withdrawn again, and records
CONTROL = 2000  # requests of each kind without the hold: they take no time
CONTROL_CHANCES = 3  # a busy machine can hide a difference
FALSE_ALARM = 1e-6


def ks(a, b):
    """The Kolmogorov-Smirnov distance of two sorted samples."""
    return max(abs(bisect.bisect_right(a, x) / len(a) - bisect.bisect_right(b, x) / len(b)) for x in itertools.chain(a, b))


def auc(a, b):
    """How often a value of `a` is above one of the sorted sample `b`; equal ones count half."""
    return sum(bisect.bisect_left(b, x) + bisect.bisect_right(b, x) for x in a) / (2 * len(a) * len(b))


def ks_limit(n):
    return math.sqrt(-math.log(FALSE_ALARM / 2) / n)


def auc_limit(n):
    return statistics.NormalDist().inv_cdf(1 - FALSE_ALARM / 2) * math.sqrt((2 * n + 1) / (12 * n * n))


class Connection:
    """Keep-alive over a raw socket: less of our own work in the time than http.client has."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), 60)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, data):
        start = time.perf_counter_ns()
        self.s.sendall(data)
        out = self.s.recv(65536)
        while True:  # almost always there at once
            took = time.perf_counter_ns() - start
            head, mark, body = out.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if mark and length and len(body) >= int(length.group(1)):
                return took, out
            part = self.s.recv(65536)
            assert part, out
            out += part


class Timing(harness.ServedTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        short, long, erased = (p["bioguide_id"] for p in cls.people[4:7])
        assert cls.home(cls, "DELETE", f"/v1/subjects/{erased}").status == 200
        key = f"{cls.tmp}/long.key"
        cls.cell.enrol(cls.CLINIC, long, key)
        for i in range(LONG_FILE):
            consent = cls.cell.consent(cls.CLINIC, long, key)
            assert cls.home(cls, "DELETE", f"/v1/subjects/{long}/consents/{consent}").status == 200
            assert cls.home(cls, "POST", cls.cell.records_path(long), {"last_name": f"n{i}"}).status == 201
        cls.subjects = {"short": short, "long": long, "unknown": "Q999999", "erased": erased}
        assert len({len(ident) for ident in cls.subjects.values()}) == 1
        cls.writer = cls.cell.party("borderwriter", jurisdiction="US", purpose=harness.LAB_PURPOSE,
                                    rights="read,write,consent,enrol,erase,search")

    def each(self, method, path, token, body="", type_="application/json"):
        """The request about each of them; {} in path and body stands for the identifier."""
        out = {}
        for who, ident in self.subjects.items():
            b = body.replace("{}", ident)
            out[who] = (f"{method} {path.replace('{}', ident)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                        f"Bourn-Purpose: {harness.LAB_PURPOSE}\r\nContent-Type: {type_}\r\nContent-Length: {len(b)}\r\n\r\n"
                        + b).encode()
        return out

    def plain(self, who, answer):
        """The answer without what differs between two equal requests: date, index of its entry, the asker's own word."""
        answer = re.sub(rb"(?i)\r\n(date|content-length): [^\r]*", b"", answer)
        answer = re.sub(rb"(?i)(bourn-receipt: |\"receipt\":)\d+", rb"\1", answer)
        return answer.replace(self.subjects[who].encode(), b"{}")

    def measure(self, requests, count, status=403):
        """{who: times in ns}; every answer must be the same."""
        connection = Connection(self.cell.port)
        rng, first = random.Random(), None
        names = list(requests)
        times = {who: [] for who in names}
        for data in requests.values():  # warm
            for _ in range(20):
                connection.ask(data)
        for _ in range(count):
            rng.shuffle(names)
            for who in names:
                took, answer = connection.ask(requests[who])
                times[who].append(took)
                answer = self.plain(who, answer)
                first = first or answer
                self.assertEqual(answer, first, f"{who}: another answer")
        self.assertIn(f" {status} ".encode(), first.split(b"\r\n")[0])
        connection.s.close()
        return times

    def told(self, times):
        """(whether times tell, a line of figures)."""
        n = len(next(iter(times.values())))
        ordered = {who: sorted(t) for who, t in times.items()}
        medians = ", ".join(f"{who} {statistics.median(t) / 1000:.1f}" for who, t in ordered.items())
        tells, parts = False, []
        for a, b in itertools.combinations(ordered, 2):
            distance, area = ks(ordered[a], ordered[b]), auc(ordered[a], ordered[b])
            tells = tells or distance > ks_limit(n) or abs(area - 0.5) > auc_limit(n)
            parts.append(f"{a}/{b} KS {distance:.4f} AUC {area:.4f}")
        return tells, f"medians in us: {medians}; {', '.join(parts)} (limits {ks_limit(n):.4f}, 0.5 +- {auc_limit(n):.4f})"

    def alike(self, what, requests, status=403):
        times = self.measure(requests, REQUESTS, status)
        tells, line = self.told(times)
        print(f"{what}, {REQUESTS} of each: {line}", file=sys.stderr, flush=True)
        self.assertGreaterEqual(min(map(min, times.values())), 1000 * HOLD_US, "an answer was not held back")
        self.assertFalse(tells, f"{what}: the time tells who exists: {line}")

    def test_1_reading(self):
        self.alike("reading", self.each("GET", "/v1/subjects/{}/records/people", self.LAB))

    def test_2_reading_one_record(self):
        self.alike("reading one record", self.each("GET", "/v1/subjects/{}/records/people/1", self.LAB))

    def test_3_writing_without_a_basis(self):
        self.alike("writing", self.each("POST", "/v1/subjects/{}/records/people", self.writer, '{"last_name":"x"}'))

    def test_4_deleting_without_a_basis(self):
        self.alike("deleting", self.each("DELETE", "/v1/subjects/{}/records/people/1", self.writer))

    def test_5_disclosing_by_list(self):
        self.alike("disclosing by list", self.each("POST", "/v1/disclose", self.LAB, json.dumps(
            {"collection": "people", "subjects": ["{}"]})), 200)

    def test_6_importing(self):
        self.alike("importing", self.each("POST", "/v1/import?collection=people&subject=bioguide_id", self.writer,
                                          '{"bioguide_id":"{}"}\n', type_="application/x-ndjson"), 200)

    def test_6_refused_before_anybody_is_looked_for(self):
        """These are not held, so nothing about the person may have been done before they are refused."""
        count = max(REQUESTS, CONTROL)
        for what, status, token, collection in (("no token", 401, "bourn_" + "A" * 43, "people"),
                                                ("no such collection", 404, self.LAB, "nothing")):
            times = self.measure(self.each("GET", f"/v1/subjects/{{}}/records/{collection}", token), count, status)
            tells, line = self.told(times)
            print(f"{what}, {count} of each: {line}", file=sys.stderr, flush=True)
            self.assertFalse(tells, f"{what}: the time tells who exists: {line}")

    def test_7_lists_that_name_somebody_often(self):
        """Many names, over more than a page, are worth a longer hold."""
        count = 2100
        names = json.dumps(["{}"] * count)
        requests = self.each("POST", "/v1/disclose", self.LAB, f'{{"collection":"people","subjects":{names}}}')
        times = {}
        for who, data in requests.items():
            start = time.perf_counter_ns()
            with socket.create_connection(("127.0.0.1", self.cell.port), 60) as s:
                s.sendall(data.replace(b"\r\nHost: x", b"\r\nHost: x\r\nConnection: close"))
                out = b"".join(iter(lambda: s.recv(1 << 16), b""))
            times[who] = time.perf_counter_ns() - start, self.plain(who, out)
        print({who: f"{t[0] / 1e6:.1f} ms" for who, t in times.items()}, file=sys.stderr, flush=True)
        for who, (took, answer) in times.items():
            self.assertEqual(answer, times["short"][1], who)
            self.assertGreaterEqual(took, 1000 * HOLD_US * count // HOLD_NAMES, who)

    def test_8_the_ledger_holds(self):
        self.cell.verify(self.DOG)

    def test_9_the_comparison_can_fail(self):
        """Where no answer is held back, the same figures tell who exists."""
        self.cell.stop()
        self.cell.serve(name="bourn-unheld")
        lines = []
        for _ in range(CONTROL_CHANCES):
            tells, line = self.told(self.measure(self.each("GET", "/v1/subjects/{}/records/people", self.LAB), CONTROL))
            lines.append(line)
            if tells:
                print(f"not held, {CONTROL} of each: {line}", file=sys.stderr, flush=True)
                return
        self.fail("the comparison finds nothing without the hold\n" + "\n".join(lines))


if __name__ == "__main__":
    unittest.main(verbosity=2)

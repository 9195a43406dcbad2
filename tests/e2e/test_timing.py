"""How long answers take must not tell who exists: for a party without a basis, the times for a person who lives in the
cell, one with a long file, one nobody knows, one who was erased and one who withdrew overlap, and their answers are the
same bytes. BOURN_TIMING_REQUESTS: how many of each (2,000; by hand 10,000).

Requests go over one connection, in rounds that hold each kind once, in a random order of its own. Compared are each kind
and the live person: the ratio of the medians, the Kolmogorov-Smirnov distance of the times, and how well the best
threshold on the mean of 16 requests would tell the two apart. Two random halves of one kind bound what noise does."""

import bisect
import os
import random
import re
import socket
import statistics
import time
import unittest

import harness
import people

REQUESTS = int(os.environ.get("BOURN_TIMING_REQUESTS", "2000"))
CHANCES = 3
MEDIANS_MAX = 1.03
KS_MAX = 0.06  # with 2,000 of each, two samples of one distribution stay below 0.052 in 99 of 100 cases
BLOCK = 16


def ks(a, b):
    """The Kolmogorov-Smirnov distance of two sorted samples."""
    return max(abs(bisect.bisect_right(a, x) / len(a) - bisect.bisect_right(b, x) / len(b)) for x in a + b)


def blocks(times):
    """Medians of runs of 16, in the order of asking: what somebody has who asks more than once."""
    return sorted(statistics.median(times[i:i + BLOCK]) for i in range(0, len(times) - BLOCK + 1, BLOCK))


class Connection:
    """Keep-alive over a raw socket: less of our own work in the time than http.client has."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), 60)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, data):
        start = time.perf_counter_ns()
        self.s.sendall(data)
        out = self.s.recv(65536)
        took = time.perf_counter_ns() - start
        while True:  # almost always there at once
            head, mark, body = out.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if mark and length and len(body) >= int(length.group(1)):
                return took, re.sub(rb"(?i)\r\ndate: [^\r]*", b"", out)
            part = self.s.recv(65536)
            assert part, out
            out += part
            took = time.perf_counter_ns() - start


class Timing(harness.ServedTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        live, rich, erased, withdrawn = (p["bioguide_id"] for p in cls.people[4:8])
        assert cls.home(cls, "DELETE", f"/v1/subjects/{erased}").status == 200
        for ident in (rich, withdrawn):
            key = f"{cls.tmp}/{ident}.key"
            cls.cell.enrol(cls.CLINIC, ident, key)
            for _ in range(12 if ident == rich else 1):
                consent = cls.cell.consent(cls.CLINIC, ident, key)
                assert cls.home(cls, "DELETE", f"/v1/subjects/{ident}/consents/{consent}").status == 200
        for i in range(40):
            assert cls.home(cls, "POST", cls.cell.records_path(rich), {"last_name": f"n{i}"}).status == 201
        cls.subjects = {"live": live, "unknown": "Q999999", "erased": erased, "withdrawn": withdrawn, "long file": rich}
        cls.writer = cls.cell.party("borderwriter", jurisdiction="US", purpose=harness.LAB_PURPOSE,
                                    rights="read,write,consent,enrol,erase,search")

    def request(self, method, path, token, body=b"", type_="application/json"):
        return (f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nBourn-Purpose: "
                f"{harness.LAB_PURPOSE}\r\nContent-Type: {type_}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body

    def measure(self, requests, count):
        """{who: times in ns, in order}; every answer must be the same."""
        connection = Connection(self.cell.port)
        rng, first = random.Random(7), None
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
                first = first or answer
                self.assertEqual(answer, first, f"{who}: another answer")
        self.assertIn(b" 403 ", first.split(b"\r\n")[0])
        connection.s.close()
        return times

    def told(self, times):
        """(whether times tell, a line of figures)."""
        base, worst, parts = times["live"], False, []
        for who, t in times.items():
            median = statistics.median(t)
            if who == "live":
                parts.append(f"live {median / 1000:.1f} us")
                continue
            ratio = median / statistics.median(base)
            distance = ks(sorted(t), sorted(base))
            apart = ks(blocks(t), blocks(base))
            parts.append(f"{who} x{ratio:.3f} KS {distance:.3f} (of {BLOCK}: {apart:.2f})")
            worst = worst or max(ratio, 1 / ratio) > MEDIANS_MAX or distance > max(KS_MAX, 2.6 / len(t) ** 0.5)
        return worst, ", ".join(parts)

    def alike(self, what, requests, count=REQUESTS):
        lines = []
        for _ in range(CHANCES):  # a busy machine
            tells, line = self.told(self.measure(requests, count))
            lines.append(line)
            print(f"{what}, {count} of each: {line}")
            if not tells:
                return
        self.fail(f"{what}: the time tells who exists\n" + "\n".join(lines))

    def each(self, method, path, token, body=b"", **more):
        return {who: self.request(method, path.format(ident), token, body, **more) for who, ident in self.subjects.items()}

    def test_1_reading(self):
        self.alike("reading", self.each("GET", "/v1/subjects/{}/records/people", self.LAB))

    def test_2_reading_one_record(self):
        self.alike("reading one record", self.each("GET", "/v1/subjects/{}/records/people/1", self.LAB), REQUESTS // 2)

    def test_3_writing_without_a_basis(self):
        self.alike("writing", self.each("POST", "/v1/subjects/{}/records/people", self.writer, b'{"last_name":"x"}'), REQUESTS // 2)

    def test_4_deleting_without_a_basis(self):
        self.alike("deleting", self.each("DELETE", "/v1/subjects/{}/records/people/1", self.writer), REQUESTS // 2)

    def test_5_the_comparison_can_fail(self):
        """Two operations that do different work are told apart by the same figures."""
        times = self.measure({"live": self.request("GET", self.cell.records_path(self.subjects["live"]), self.LAB)}, 400)
        other = Connection(self.cell.port)
        data = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        times["health"] = [other.ask(data)[0] for _ in range(400)]
        other.s.close()
        tells, line = self.told(times)
        self.assertTrue(tells, line)

    def test_6_the_ledger_holds(self):
        self.cell.verify(self.DOG)


if __name__ == "__main__":
    assert people.ALICE
    unittest.main(verbosity=2)

"""Answers and bodies that are longer than one message: bulk disclosure page by page, import over HTTP."""

import http.client
import json
import os
import socket
import sys
import threading
import time
import unittest

import harness
import people

COUNT = 2600  # more than five pages of 500 people
RECORD_BYTES = 2000
MANY = 40000  # their rows take more than one piece of 4 MiB


class Stream(harness.ServedTest):
    count = 40

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.NURSE = cls.cell.party("nurse", ground="dpv:Contract", rights="read,write,search")
        cls.rows = [dict(cls.people[0], bioguide_id=f"Q{i:06d}", full_name=f"Row {i} " + "x" * RECORD_BYTES)
                    for i in range(COUNT)]
        cls.names = [r["bioguide_id"] for r in cls.rows]

    # -- import ----------------------------------------------------------------------------------------------------

    def post_import(self, body, query="collection=people&subject=bioguide_id", token=None, kind="application/x-ndjson",
                    chunked=False):
        head = {"Authorization": "Bearer " + (token or self.NURSE), "Bourn-Purpose": harness.HOME_PURPOSE, "Content-Type": kind}
        c = self.cell.connect()
        try:
            c.request("POST", "/v1/import?" + query, body, head, encode_chunked=chunked)
            r = c.getresponse()
            return harness.Answer(r.status, r.headers, r.read())
        finally:
            c.close()

    def lines(self, rows):
        return "".join(json.dumps(r) + "\n" for r in rows).encode()

    def entries_of(self, kind):
        return [e for e in self.cell.entries() if e.get("kind") == kind]

    def test_1_import_many(self):
        body = self.lines(self.rows)
        self.assertGreater(len(body), 5 << 20, "many times what one request may hold")
        done = self.ok(self.post_import(body))
        self.assertEqual(done, {"stored": COUNT, "skipped": 0, "rejected": [], "rejected_count": 0})
        again = self.ok(self.post_import(body))
        self.assertEqual((again["stored"], again["skipped"]), (0, COUNT), "the same rows again change nothing")

    def test_2_import_chunked_and_without_last_newline(self):
        rows = [dict(r, bioguide_id="C" + r["bioguide_id"]) for r in self.rows[:700]]
        whole = self.lines(rows)[:-1]
        pieces = (whole[i:i + 3333] for i in range(0, len(whole), 3333))
        head = {"Authorization": "Bearer " + self.NURSE, "Bourn-Purpose": harness.HOME_PURPOSE,
                "Content-Type": "application/x-ndjson"}
        c = self.cell.connect()
        c.request("POST", "/v1/import?subject=bioguide_id&collection=people", pieces, head, encode_chunked=True)
        r = c.getresponse()
        self.assertEqual((r.status, json.loads(r.read())["stored"]), (200, 700))
        c.request("GET", "/healthz")  # the connection goes on
        self.assertEqual(c.getresponse().status, 200)
        c.close()

    def test_3_rejected_lines(self):
        rows = [json.dumps(dict(r, bioguide_id="R" + r["bioguide_id"])) for r in self.rows[:1200]]
        bad = {3: "{", 501: "[]", 777: json.dumps({"bioguide_id": ""}), 1200: json.dumps({"nobody": "knows"})}
        for line, text in bad.items():
            rows[line - 1] = text
        done = self.ok(self.post_import(("\n".join(rows) + "\n").encode()))
        self.assertEqual(done["stored"], 1200 - len(bad), done)
        self.assertEqual([r["line"] for r in done["rejected"]], sorted(bad))
        self.assertEqual(done["rejected_count"], len(bad))
        self.assertTrue(all(r["reason"] for r in done["rejected"]))
        many = self.ok(self.post_import(b"{\n" * 2345))
        self.assertEqual((many["rejected_count"], len(many["rejected"])), (2345, 1000))
        self.assertEqual(many["rejected"][-1]["line"], 1000)

    def test_4_refusals(self):
        one = self.lines(self.rows[:1])
        self.problem(self.post_import(one, token="nonsense"), 401, "token_invalid")
        self.problem(self.post_import(one, query="collection=people"), 400, "query_malformed")
        self.problem(self.post_import(one, query="collection=people&subject=a&subject=b"), 400, "query_malformed")
        self.problem(self.post_import(one, query="collection=no&subject=a&x=y"), 400, "query_malformed")
        self.problem(self.post_import(one, kind="application/json"), 415, "content_type_unsupported")
        self.problem(self.post_import(one, query="collection=nothing&subject=bioguide_id"), 404, "collection_unknown")
        told = self.problem(self.post_import(one, token=self.LAB), 403)
        self.assertEqual((told["line"], told["stored"]), (1, 0))
        long = self.problem(self.post_import(one + b'{"a":"' + b"x" * (1 << 20) + b'"}\n' + one), 413, "line_too_long")
        self.assertEqual(long["line"], 2)
        self.refused_over_the_edge(b'{"a":"' + b"x" * ((1 << 20) + 1000))
        self.assertEqual(self.ok(self.post_import(b"")), {"stored": 0, "skipped": 0, "rejected": [], "rejected_count": 0})

    def refused_over_the_edge(self, body):
        """The last bytes reach over the buffer's edge: the refusal does not wait for more to come."""
        s = socket.create_connection(("127.0.0.1", self.cell.port))
        s.settimeout(10)
        s.sendall((f"POST /v1/import?collection=people&subject=bioguide_id HTTP/1.1\r\nHost: x\r\n"
                   f"Authorization: Bearer {self.NURSE}\r\nBourn-Purpose: {harness.HOME_PURPOSE}\r\n"
                   f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n").encode())
        s.sendall(body[:(1 << 20) - 1000])
        time.sleep(0.5)
        s.sendall(body[(1 << 20) - 1000:])
        r = http.client.HTTPResponse(s)
        r.begin()
        self.problem(harness.Answer(r.status, r.headers, r.read()), 413, "line_too_long")
        s.close()

    def test_5_error_half_way(self):
        """The token ends in the middle: what came before stays, the answer says where it stopped."""
        token = self.cell.party("temp", ground="dpv:Contract", rights="read,write")
        go_on = threading.Event()

        def body():
            rows = [dict(r, bioguide_id="H" + r["bioguide_id"]) for r in self.rows]
            yield self.lines(rows[:1500])
            go_on.wait(30)
            yield self.lines(rows[1500:])

        head = {"Authorization": "Bearer " + token, "Bourn-Purpose": harness.HOME_PURPOSE, "Content-Type": "application/x-ndjson"}
        c = self.cell.connect()
        threading.Timer(1.5, lambda: (harness.run("bourn", "party", "end", self.cell.path, "temp"), go_on.set())).start()
        c.request("POST", "/v1/import?collection=people&subject=bioguide_id", body(), head, encode_chunked=True)
        r = c.getresponse()
        told = self.problem(harness.Answer(r.status, r.headers, r.read()), 401, "token_invalid")
        c.close()
        self.assertGreater(told["stored"], 0)
        self.assertEqual(told["line"], told["stored"] + 1)
        self.ok(self.cell.ask("GET", self.cell.records_path("HQ000000"), self.NURSE, harness.HOME_PURPOSE))
        gone = self.cell.ask("GET", self.cell.records_path("HQ002599"), self.NURSE, harness.HOME_PURPOSE)
        self.assertEqual(gone.status, 404)

    def test_6_hang_up_in_the_middle(self):
        rows = [dict(r, bioguide_id="U" + r["bioguide_id"]) for r in self.rows]
        body = self.lines(rows)
        cut = len(self.lines(rows[:1100])) + 50
        head = (f"POST /v1/import?collection=people&subject=bioguide_id HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.NURSE}\r\n"
                f"Bourn-Purpose: {harness.HOME_PURPOSE}\r\nContent-Type: application/x-ndjson\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode()
        s = socket.create_connection(("127.0.0.1", self.cell.port))
        s.sendall(head + body[:cut])
        time.sleep(1)
        s.close()
        time.sleep(0.5)
        have = 0
        for at, row in enumerate(rows):
            status = self.cell.ask("GET", self.cell.records_path(row["bioguide_id"]), self.NURSE, harness.HOME_PURPOSE).status
            if status != 200:
                break
            have += 1
            if at > 1101:
                break
        self.assertLessEqual(have, 1100)
        beyond = self.cell.ask("GET", self.cell.records_path(rows[1101]["bioguide_id"]), self.NURSE, harness.HOME_PURPOSE)
        self.assertEqual(beyond.status, 404)

    # -- disclosure ------------------------------------------------------------------------------------------------

    def disclose(self, body, token=None):
        return self.cell.ask("POST", "/v1/disclose", token or self.NURSE, harness.HOME_PURPOSE, body)

    def status(self, member):
        return json.loads(harness.run("bourn", "status", self.cell.path, "--json").stdout)[member]

    def count_disclosed(self):
        return self.status("disclosures")

    def open_stream(self, names, token=None, receive=None):
        """Sends the request; reads nothing yet."""
        body = json.dumps({"collection": "people", "subjects": names}).encode()
        s = socket.socket()
        if receive:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        s.connect(("127.0.0.1", self.cell.port))
        s.sendall((f"POST /v1/disclose HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token or self.NURSE}\r\n"
                   f"Bourn-Purpose: {harness.HOME_PURPOSE}\r\nContent-Type: application/json\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n").encode() + body)
        return s

    def test_7_disclose_pages(self):
        before = self.count_disclosed()
        answer = self.disclose({"collection": "people", "subjects": self.names + ["nobody"], "fields": ["bioguide_id"]})
        self.assertEqual(answer.status, 200, answer.body[:300])
        self.assertEqual(answer.headers["Content-Type"], "application/x-ndjson")
        self.assertEqual(answer.headers["Transfer-Encoding"], "chunked")
        lines = [json.loads(x) for x in answer.body.splitlines()]
        self.assertTrue(answer.body.endswith(b"\n"))
        receipts = [x["receipt"] for x in lines if "receipt" in x]
        self.assertEqual(lines[-1], {"receipt": receipts[-1]}, "each page ends with its receipt")
        self.assertEqual(int(answer.headers["Bourn-Receipt"]), receipts[0])
        self.assertGreaterEqual(len(receipts), 6)
        self.assertEqual(len(set(receipts)), len(receipts))
        self.assertEqual(self.count_disclosed() - before, len(receipts), "an entry a page")
        people_lines = [x for x in lines if "receipt" not in x]
        self.assertEqual([x["subject"] for x in people_lines], self.names + ["nobody"])
        self.assertFalse(any("error" in x for x in lines[:-1]))
        for x in people_lines[:-1]:
            self.assertEqual(x["data"], {"bioguide_id": x["subject"]})

    def test_8_one_page_is_whole(self):
        answer = self.disclose({"collection": "people", "subjects": self.names[:3]})
        self.assertIn("Content-Length", answer.headers)
        lines = [json.loads(x) for x in answer.body.splitlines()]
        self.assertEqual(len(lines), 4)
        self.assertEqual(lines[3], {"receipt": int(answer.headers["Bourn-Receipt"])})
        self.problem(self.disclose({"collection": "nothing", "subjects": ["a"]}), 404)

    def test_9_slow_reader_and_hang_up(self):
        """A client that reads nothing gets no further pages decided than fit on the way; one that goes gets no more."""
        before = self.count_disclosed()
        s = self.open_stream(self.names, receive=4096)
        time.sleep(2)
        asleep = self.count_disclosed() - before
        self.assertLess(asleep, 6, "not all pages for a client that reads none")
        time.sleep(1)
        self.assertEqual(self.count_disclosed() - before, asleep, "nothing goes on by itself")
        rss = self.resident("front")
        s.close()
        time.sleep(1.5)
        gone = self.count_disclosed() - before
        self.assertLessEqual(gone, asleep + 1)
        self.assertLess(gone, 6)
        time.sleep(0.5)
        self.assertEqual(self.count_disclosed() - before, gone)
        self.assertLess(rss, 256 << 20)

    def resident(self, role):
        with open(f"/proc/{self.cell.children[role]}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def test_a_revoked_in_the_middle(self):
        token = self.cell.party("reader", ground="dpv:Contract", rights="read")
        s = self.open_stream(self.names, token=token, receive=4096)
        time.sleep(1)
        harness.run("bourn", "party", "end", self.cell.path, "reader")
        s.settimeout(30)
        r = http.client.HTTPResponse(s)
        r.begin()
        lines = [json.loads(x) for x in r.read().splitlines()]
        s.close()
        self.assertEqual(r.status, 200)
        self.assertEqual(set(lines[-1]), {"error"}, "the last line says that it is not whole")
        self.assertEqual((lines[-1]["error"]["status"], lines[-1]["error"]["code"]), (401, "token_invalid"))
        self.assertIn("receipt", lines[-2])
        self.assertLess(len([x for x in lines if "data" in x]), COUNT)

    def test_b_stop_in_the_middle(self):
        """A stop cuts a reader that stands still after its time; the service ends well."""
        s = self.open_stream(self.names, receive=4096)
        time.sleep(1)
        start = time.monotonic()
        self.cell.stop()
        self.assertLess(time.monotonic() - start, 30)
        s.settimeout(10)
        r = http.client.HTTPResponse(s)
        r.begin()
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
            r.read()
        s.close()
        self.cell.serve()

    def test_c_long_rows(self):
        """Rows of more entries than fit one piece come whole, and a verifier reads them."""
        while self.status("entries") % 256 > 256 - MANY // 500 - 20:  # all of it into one file of 256 entries
            self.home("GET", self.cell.records_path(self.people[0]["bioguide_id"]))
        body = b"".join(b'{"bioguide_id":"L%06d"}\n' % i for i in range(MANY))
        done = self.ok(self.post_import(body))
        self.assertEqual(done["stored"], MANY, str(done)[:300])
        size = self.cell.settle()
        number, width = divmod(size, 256)
        path = f"/ledger/tile/rows/{number:03}.p/{width}"
        answer = self.cell.ask("GET", path, self.DOG)
        self.assertEqual(answer.status, 200)
        self.assertGreater(len(answer.body), 4 << 20, "more than one piece")
        self.assertEqual(answer.headers["Transfer-Encoding"], "chunked")
        self.assertNotIn(b"receipt", answer.body)
        self.problem(self.cell.ask("GET", path, self.CLINIC), 403, "right_missing")
        self.cell.verify(self.DOG)


if __name__ == "__main__":
    unittest.main()

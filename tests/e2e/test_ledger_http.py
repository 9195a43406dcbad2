"""The public ledger as C2SP tlog-tiles and HTTP want it: every path that a log of this size has and no other, content types,
caching, entity tags, parts, gzip; and crowds of readers."""

import concurrent.futures
import gzip
import hashlib
import os
import signal
import socket
import time
import unittest

import harness
import c2sp

IMMUTABLE = "public, max-age=31536000, immutable"


class LedgerHttp(harness.ServedTest):
    count = 60

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Past the first full tile: an entry for each read.
        connection = cls.cell.connect()
        while cls.cell.size() < 300:
            for row in cls.people:
                path = cls.cell.records_path(row["bioguide_id"])
                assert cls.cell.ask("GET", path, cls.CLINIC, harness.HOME_PURPOSE, connection=connection).status == 200
        connection.close()
        with open(cls.cell.vkey) as f:
            cls.vkey = f.read()
        cls.web = c2sp.Web(cls.cell.url + "/ledger")
        cls.addClassCleanup(cls.web.close)

    def setUp(self):
        self.size = self.cell.settle()  # some tests let the log grow

    def get(self, path, method="GET", **headers):
        return self.web.get(path, method, **headers)

    # -- paths -----------------------------------------------------------------------------------------------------------

    def test_every_path_of_this_size(self):
        for path in c2sp.public_paths(self.size):
            answer = self.get(path)
            self.assertEqual(answer.status, 200, path)
            checkpoint = path == "checkpoint"
            self.assertEqual(answer.headers["Content-Type"],
                             "text/plain; charset=utf-8" if checkpoint else "application/octet-stream")
            self.assertEqual(answer.headers["Cache-Control"], "public, max-age=1" if checkpoint else IMMUTABLE)
            self.assertEqual(answer.headers["Accept-Ranges"], "bytes")
            self.assertEqual(answer.headers.get("Vary"), "Accept-Encoding" if "entries" in path else None)
            self.assertEqual(answer.headers["ETag"], f'"{hashlib.sha256(answer.body).hexdigest()[:32]}"')
            head = self.get(path, "HEAD")
            self.assertEqual((head.status, head.body), (200, b""))
            for name in ("Content-Type", "Content-Length", "Cache-Control", "ETag"):
                self.assertEqual(head.headers[name], answer.headers[name])
        for level, n, width in c2sp.tiles_of(self.size):
            self.assertEqual(len(self.get(c2sp.tile_path(level, n, width)).body), 32 * width)

    def test_no_other_path(self):
        last, width = self.size // 256, self.size % 256
        self.assertTrue(last and width)
        nothing = [
            f"tile/0/{last:03}", f"tile/entries/{last:03}",  # full, and not yet
            f"tile/0/{last:03}.p/{width + 1}", f"tile/entries/{last:03}.p/{width + 1}", f"tile/0/{last:03}.p/255",
            f"tile/0/{last + 1:03}.p/1", f"tile/1/000.p/{last + 1}", "tile/1/000", "tile/2/000.p/1", "tile/63/000.p/1",
            "tile/0/000.p/0", f"tile/0/{last:03}.p/0", "tile/2/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/",
            "tile/0/000.p", "tile/0/000.p/-1", "tile/0/000.p/+1", "tile/0/000.p/1/", "tile/0/000.p/1.p/1",
            "tile/64/000", "tile/00/000", "tile/01/000", "tile/-1/000", "tile/256/000.p/1", "tile//000", "tile/x/000",
            "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/000000", "tile/0/x000", "tile/0/x000/000", "tile/0/000/000",
            "tile/0/x000/x000/000", "tile/0/001/x000", "tile/0/X001/000", "tile/0/x001/x000", "tile/0/x001/0", "tile/0/ 000",
            "tile/0/000/", "tile/0", "tile/0/", "tile/", "tile", "tile/entries", "tile/entries/", "tile/Entries/000", "",
            "checkpoint/", "Checkpoint", "checkpoint.new", "tile/0/000.new", "tile/0/999999999999999999999999999",
            "tile/0/x018/x446/x744/x073/x709/x551/615", "tile/63/x018/x446/x744/x073/x709/x551/615.p/255", "index.html"]
        for path in nothing:
            answer = self.get(path.replace(" ", "%20"))
            members = self.problem(answer, 404)
            self.assertIn(members["code"], ("not_found", "route_unknown"), path)
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
        for path in ("checkpoint", "tile/0/000", "tile/entries/000"):
            for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                answer = self.get(path, method)
                self.problem(answer, 405, "method_not_allowed")
                self.assertEqual(answer.headers["Allow"], "GET, HEAD")

    def test_every_published_partial_is_served(self):
        """Each checkpoint that is out has the tiles that its size needs, at once and later; a client proves one from the other."""
        log = c2sp.Log(c2sp.Web(self.cell.url + "/ledger"), self.vkey)
        seen = [log.update()]
        for row in self.people[:12]:
            self.home("GET", self.cell.records_path(row["bioguide_id"]))
            deadline = time.monotonic() + 10
            while log.update() == seen[-1] and time.monotonic() < deadline:
                time.sleep(0.02)
            seen.append(log.seen)
        self.assertGreater(len({c.size for c in seen}), 6)
        fresh = c2sp.Log(self.web, self.vkey)
        for checkpoint in seen:
            for path in c2sp.public_paths(checkpoint.size):
                self.assertEqual(self.get(path).status, 200, path)
            self.assertEqual(fresh.root(checkpoint.size), checkpoint.root)
        log.source.close()

    def test_nothing_is_served_ahead_of_its_checkpoint(self):
        """While the log grows: what a checkpoint does not need yet is not there, and all that it needs is."""
        stop = time.monotonic() + 4
        connection, grown = self.cell.connect(), 0
        while time.monotonic() < stop:
            for row in self.people[:5]:
                self.cell.ask("GET", self.cell.records_path(row["bioguide_id"]), self.CLINIC, harness.HOME_PURPOSE,
                              connection=connection)
            size = int(self.get("checkpoint").body.split(b"\n")[1])
            for level, n, width in c2sp.tiles_of(size)[-3:]:
                self.assertEqual(self.get(c2sp.tile_path(level, n, width)).status, 200)
            n, width = size // 256, size % 256
            if width < 250:
                ahead = self.get(c2sp.tile_path(0, n, width + 1)).status
                again = int(self.get("checkpoint").body.split(b"\n")[1])
                if again == size:  # a checkpoint signed in between may still be on its way to the disk: ask once more
                    grown += ahead == 404
        connection.close()
        self.assertGreater(grown, 0)

    # -- conditions and parts --------------------------------------------------------------------------------------------

    def test_not_modified(self):
        for path in c2sp.public_paths(self.size):
            whole = self.get(path)
            tag = whole.headers["ETag"]
            for value in (tag, "W/" + tag, f'"x", {tag}', "*"):
                answer = self.get(path, If_None_Match=value)
                if path == "checkpoint" and answer.status == 200:  # it went on meanwhile
                    continue
                self.assertEqual((answer.status, answer.body), (304, b""), (path, value))
                self.assertEqual(answer.headers["ETag"], tag)
                self.assertEqual(answer.headers["Cache-Control"], whole.headers["Cache-Control"])
                self.assertEqual(answer.headers.get("Vary"), whole.headers.get("Vary"))
                self.assertIsNone(answer.headers["Content-Type"])
            self.assertEqual(self.get(path, "HEAD", If_None_Match=tag).status, 304)
            self.assertEqual(self.get(path, If_None_Match='"00112233445566778899aabbccddeeff"').body, whole.body)

    def test_parts(self):
        for path in ("tile/0/000", c2sp.tile_path(0, self.size // 256, self.size % 256), "tile/entries/000", "tile/1/000.p/1"):
            for again in range(2):  # from vault, and as front keeps it
                whole = self.get(path)
                n, tag = len(whole.body), whole.headers["ETag"]
                for text, first, last in (("0-0", 0, 0), ("0-", 0, n - 1), ("5-9", 5, 9), ("-7", n - 7, n - 1),
                                          (f"{n - 1}-", n - 1, n - 1), (f"3-{n + 9}", 3, n - 1), (f"-{n + 1}", 0, n - 1)):
                    answer = self.get(path, Range="bytes=" + text, If_Range=tag)
                    self.assertEqual(answer.status, 206, (path, text))
                    self.assertEqual(answer.body, whole.body[first:last + 1])
                    self.assertEqual(answer.headers["Content-Range"], f"bytes {first}-{last}/{n}")
                    self.assertEqual(answer.headers["ETag"], tag)
                    self.assertEqual(self.get(path, Range="bytes=" + text).body, answer.body)
                    other = self.get(path, Range="bytes=" + text, If_Range='"00112233445566778899aabbccddeeff"')
                    self.assertEqual((other.status, other.body), (200, whole.body))
                for text in (f"{n}-", "-0", "99999999999999999999999-"):
                    answer = self.get(path, Range="bytes=" + text)
                    self.problem(answer, 416, "range_not_satisfiable")
                    self.assertEqual(answer.headers["Content-Range"], f"bytes */{n}")
                for text in ("bytes=9-5", "bytes=x", "bytes=0-1,4-5", "entries=0-1"):
                    answer = self.get(path, Range=text)
                    self.assertEqual((answer.status, answer.body), (200, whole.body))
                head = self.get(path, "HEAD", Range="bytes=0-3")
                self.assertEqual((head.status, head.headers["Content-Length"]), (200, str(n)))
        # As a download goes on: pieces joined are the file.
        whole = self.get("tile/entries/000").body
        pieces = [self.get("tile/entries/000", Range=f"bytes={i}-{i + 999}").body for i in range(0, len(whole), 1000)]
        self.assertEqual(b"".join(pieces), whole)

    def test_gzip_of_bundles_where_it_is_asked_for(self):
        last = c2sp.tile_path("entries", self.size // 256, self.size % 256)
        for path in ("tile/entries/000", last, "tile/entries/000"):
            whole = self.get(path)
            self.assertIsNone(whole.headers["Content-Encoding"])
            for value in ("gzip", "gzip, identity", "br;q=1.0, gzip;q=0.8, *;q=0.1"):
                answer = self.get(path, Accept_Encoding=value)
                self.assertEqual(answer.headers["Content-Encoding"], "gzip", value)
                self.assertEqual(answer.headers["Vary"], "Accept-Encoding")
                self.assertEqual(gzip.decompress(answer.body), whole.body)
                self.assertLess(len(answer.body), len(whole.body))
                self.assertEqual(answer.headers["ETag"], whole.headers["ETag"][:-1] + '-gzip"')
                again = self.get(path, Accept_Encoding=value, If_None_Match=answer.headers["ETag"])
                self.assertEqual((again.status, again.headers["ETag"]), (304, answer.headers["ETag"]))
                part = self.get(path, Accept_Encoding=value, Range="bytes=1-8")  # a part is one of the plain bytes
                self.assertEqual((part.status, part.body), (206, whole.body[1:9]))
                head = self.get(path, "HEAD", Accept_Encoding=value)
                self.assertEqual(head.headers["Content-Encoding"], "gzip")
            for value in ("identity", "br", "gzip;q=0", ""):
                self.assertEqual(self.get(path, Accept_Encoding=value).body, whole.body)
        for path in ("checkpoint", "tile/0/000", "tile/1/000.p/1"):  # hashes do not get smaller
            self.assertIsNone(self.get(path, Accept_Encoding="gzip").headers["Content-Encoding"])

    def test_lists_in_two_headers(self):
        """A proxy may send a list in several headers; that is no error, and the answer is right."""
        whole = self.get("tile/entries/000")
        with socket.create_connection(("127.0.0.1", self.cell.port), timeout=20) as s:
            s.sendall(b"GET /ledger/tile/entries/000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: identity\r\n"
                      b"Accept-Encoding: gzip\r\nIf-None-Match: \"x\"\r\nIf-None-Match: \"y\"\r\n\r\n")
            data = b""
            while piece := s.recv(65536):
                data += piece
        self.assertTrue(data.startswith(b"HTTP/1.1 200 "), data[:200])
        self.assertTrue(data.endswith(whole.body))

    # -- crowds ----------------------------------------------------------------------------------------------------------

    def crowd(self, n, path, want):
        """n connections at once, one GET each, none read before all are sent. Seconds until all answers are there."""
        ask = (f"GET /ledger/{path} HTTP/1.1\r\nHost: {self.cell.port}\r\nConnection: close\r\n\r\n").encode()
        sockets, start = [], time.monotonic()
        try:
            for _ in range(n):
                s = socket.socket()
                s.settimeout(30)
                s.connect(("127.0.0.1", self.cell.port))
                s.sendall(ask)
                sockets.append(s)
            for s in sockets:
                data = b""
                while piece := s.recv(65536):
                    data += piece
                head, _, body = data.partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head[:200])
                self.assertEqual(body, want)
        finally:
            for s in sockets:
                s.close()
        return time.monotonic() - start

    def test_crowd_of_256_and_of_1000(self):
        full, partial = "tile/0/000", c2sp.tile_path(0, self.size // 256, self.size % 256)
        for n in (256, 1000):
            for path in (full, partial):
                took = self.crowd(n, path, self.get(path).body)
                print(f"{n} connections at once, {path}: all answered in {took:.2f} s", flush=True)
                self.assertLess(took, 20)
        with concurrent.futures.ThreadPoolExecutor(32) as pool:  # as a client that fetches all its tiles in parallel
            def whole_log(_):
                web = c2sp.Web(self.cell.url + "/ledger")
                log = c2sp.Log(web, self.vkey)
                size = log.update().size
                self.assertEqual(sum(1 for _ in log.entries(size)), size)
                web.close()
            list(pool.map(whole_log, range(32)))

    def test_connections_wait_while_front_is_busy(self):
        """The kernel takes over 1,024 connections while front does not look, and none of them is lost."""
        with open("/proc/sys/net/core/somaxconn") as f:
            if int(f.read()) < 1100:
                self.skipTest("net.core.somaxconn of this machine is under 1,100: no program can have a longer queue")
        checkpoint = self.get("checkpoint").body
        ask = b"GET /ledger/checkpoint HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        front, sockets = self.cell.children["front"], []
        os.kill(front, signal.SIGSTOP)
        try:
            for i in range(1030):
                s = socket.socket()
                # From many addresses, as readers come: the bound for one address (1,024) is another test's.
                s.bind((f"127.0.0.{2 + i % 5}", 0))
                s.settimeout(5)
                s.connect(("127.0.0.1", self.cell.port))  # would not get through a full queue
                s.sendall(ask)
                sockets.append(s)
        finally:
            os.kill(front, signal.SIGCONT)
        for s in sockets:
            s.settimeout(30)
            data = b""
            while piece := s.recv(65536):
                data += piece
            self.assertTrue(data.startswith(b"HTTP/1.1 200 ") and data.endswith(checkpoint), data[:100])
            s.close()

    def test_one_address_has_a_bound_and_others_go_on(self):
        """1,024 connections from one address are served; one more is closed, and a reader elsewhere notices nothing."""
        hoard = []
        try:
            for _ in range(1024 - 1):  # self.web holds one already
                hoard.append(socket.create_connection(("127.0.0.1", self.cell.port), timeout=20))
            hoard[-1].sendall(b"GET /ledger/checkpoint HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(hoard[-1].recv(100).startswith(b"HTTP/1.1 200 "))
            with socket.create_connection(("127.0.0.1", self.cell.port), timeout=20) as over:
                with self.assertRaises((ConnectionError, AssertionError)):
                    over.sendall(b"GET /ledger/checkpoint HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertNotEqual(over.recv(100), b"")
            with socket.create_connection(("127.0.0.1", self.cell.port), 20, ("127.0.0.9", 0)) as other:
                other.sendall(b"GET /ledger/checkpoint HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertTrue(other.recv(100).startswith(b"HTTP/1.1 200 "))
        finally:
            for s in hoard:
                s.close()


class Specifications(unittest.TestCase):
    """The client itself, against examples that the specifications print."""

    def test_names_and_tiles(self):
        self.assertEqual(c2sp.number(1234067), "x001/x234/067")
        count = {}
        for level, _, width in c2sp.tiles_of(70000):
            count[level, width] = count.get((level, width), 0) + 1
        self.assertEqual(count, {(0, 256): 273, (0, 112): 1, (1, 256): 1, (1, 17): 1, (2, 1): 1})
        self.assertEqual(c2sp.tiles_of(256), [(0, 0, 256), (1, 0, 1)])
        self.assertEqual(c2sp.tiles_of(0), [])

    def test_signed_note(self):
        key = c2sp.Verifier("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
        note = ("This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZX"
                "sYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n").encode()
        self.assertEqual(c2sp.open_note(note, key), "This is an example message.\n")
        for altered in (note.replace(b"an", b"no", 1), note.replace(b"Uw2QOkn8", b"Uw2QOkn9"), note[:-1], note + b"x\n"):
            with self.assertRaises(c2sp.Wrong):
                c2sp.open_note(altered, key)


if __name__ == "__main__":
    unittest.main(verbosity=2)

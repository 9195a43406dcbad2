"""bourn witness, asked with raw HTTP by a log that is not bourn's: every status of C2SP tlog-witness, what it keeps when it is
killed right behind its answer, and that it never signs two roots of one size."""

import http.client
import os
import ssl
import stat
import time
import unittest

import harness
import signing
import witnessing


class Protocol(harness.Test):
    def setUp(self):
        self.log = witnessing.Log().grow(5)
        self.other = witnessing.Log("log.example/b").grow(3)
        folder = os.path.join(self.tmp, self.id().rsplit(".", 1)[1])
        os.mkdir(folder)
        self.keys = [self.keep(folder, f"{i}.vkey", log.vkey()) for i, log in enumerate((self.log, self.other))]
        self.folder, self.witness = folder, witnessing.Witness(folder, "w", self.keys)
        self.witness.serve()
        self.addCleanup(self.witness.close)

    @staticmethod
    def keep(folder, name, text):
        path = os.path.join(folder, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def cosigned(self, answer, body):
        """Checks a 200 and returns the time of the cosignature."""
        self.assertEqual(answer.status, 200, answer.body)
        lines = answer.body.decode()
        self.assertTrue(lines.startswith("\u2014 ") and lines.endswith("\n"))
        self.assertEqual(lines.count("\n"), 1)
        when = witnessing.cosignature(lines[:-1], body, self.witness.vkey)
        self.assertLess(abs(when - time.time()), 5)
        return when

    def conflict(self, answer, size):
        self.assertEqual((answer.status, answer.body), (409, f"{size}\n".encode()))
        self.assertEqual(answer.headers["Content-Type"], "text/x.tlog.size")

    def test_200_from_nothing_and_on(self):
        self.cosigned(self.witness.post(self.log.submission(0)), self.log.body())
        for n in (1, 2, 60, 200, 300):
            old = len(self.log.entries)
            self.log.grow(n)
            self.cosigned(self.witness.post(self.log.submission(old)), self.log.body())
        # the same once more: equal size, equal root
        self.cosigned(self.witness.post(self.log.submission(len(self.log.entries))), self.log.body())
        # another log beside it has a state of its own
        self.cosigned(self.witness.post(self.other.submission(0)), self.other.body())

    def test_200_for_what_other_logs_write(self):
        """Signatures of keys that it does not know, and lines behind the root."""
        body = self.log.body(extension="extension line\nand one more\n")
        stranger = self.log.line(body, signing.Key(), "elsewhere.example")
        note = body + "\n" + stranger + self.log.line(body)
        self.cosigned(self.witness.post(witnessing.submission(0, [], note)), body)

    def test_200_empty_tree(self):
        empty = witnessing.Log(key=self.log.key)
        self.cosigned(self.witness.post(empty.submission(0)), empty.body())
        self.cosigned(self.witness.post(self.log.submission(0)), self.log.body())

    def test_400(self):
        good = self.log.submission(0)
        note = self.log.checkpoint()
        self.cosigned(self.witness.post(good), self.log.body())
        h = witnessing.b64(bytes(32))
        bodies = {
            "nothing": "", "no old": note, "another word": good.replace("old", "Old", 1),
            "two spaces": good.replace("old 0", "old  0"), "zeroes": good.replace("old 0", "old 00"),
            "sign": good.replace("old 0", "old +0"), "no number": good.replace("old 0", "old "),
            "too large": good.replace("old 0", f"old {2**64}"), "CR": good.replace("old 0\n", "old 0\r\n"),
            "no empty line": good.replace("\n\n", "\n", 1), "cut": good[:-1], "proof not base64": f"old 5\n!{h[1:]}\n\n{note}",
            "short hash": f"old 5\n{witnessing.b64(bytes(31))}\n\n{note}", "64 lines": f"old 5\n{(h + chr(10)) * 64}\n{note}",
            "no signature": f"old 0\n\n{self.log.body()}", "root": good.replace(witnessing.b64(witnessing.root(self.log.leaves())), "x" * 43),
            "size": good.replace("\n5\n", "\n05\n"), "no origin": "old 0\n\n\n" + note.split("\n", 1)[1],
            "not UTF-8": good.encode() + b"\xff\n",
        }
        for what, body in bodies.items():
            with self.subTest(what):
                self.problem(self.witness.post(body), 400, "submission_malformed")
        self.problem(self.witness.post(self.log.submission(6)), 400, "old_too_large")
        self.problem(self.witness.post(b"x" * (1 << 21)), 413)
        # 63 lines are allowed: what is wrong with them then is the proof
        self.log.grow(1)
        self.problem(self.witness.post(witnessing.submission(5, [h] * 63, self.log.checkpoint())), 422, "inconsistent")

    def test_403(self):
        body = self.log.body()
        self.problem(self.witness.post(witnessing.submission(0, [], body + "\n" + self.log.line(body, signing.Key()))), 403,
                     "signature_invalid")  # another key under the log's name
        line = self.log.line(self.log.body(4))  # the right key, over another text
        self.problem(self.witness.post(witnessing.submission(0, [], body + "\n" + line)), 403, "signature_invalid")
        other = self.other.line(body)  # a trusted key, of another log
        self.problem(self.witness.post(witnessing.submission(0, [], body + "\n" + other)), 403, "signature_invalid")
        self.cosigned(self.witness.post(self.log.submission(0)), body)  # none of them left a trace

    def test_404(self):
        stranger = witnessing.Log("log.example/c").grow(2)
        self.problem(self.witness.post(stranger.submission(0)), 404, "origin_unknown")
        self.problem(self.witness.post(self.log.submission(0), path="/elsewhere"), 404, "route_unknown")
        self.problem(self.witness.post(b"", method="GET"), 405)
        # once trusted (and started again) it is known
        path = self.keep(self.folder, "c.vkey", stranger.vkey())
        for _ in range(2):
            harness.run("bourn", "witness", "trust", self.witness.path, path)
        with open(os.path.join(self.witness.path, "logs")) as f:
            self.assertEqual(f.read().count("\n"), 3)
        self.assertEqual(self.witness.stop(), 0)
        self.witness.serve()
        self.cosigned(self.witness.post(stranger.submission(0)), stranger.body())

    def test_409(self):
        self.log.grow(5)
        self.cosigned(self.witness.post(self.log.submission(0, 6)), self.log.body(6))
        for old in (0, 5, 7):
            with self.subTest(old):
                self.conflict(self.witness.post(self.log.submission(old)), 6)
        self.conflict(self.witness.post(self.other.submission(2)), 0)
        self.cosigned(self.witness.post(self.log.submission(6)), self.log.body())
        # back to a smaller tree: never
        self.conflict(self.witness.post(self.log.submission(6, 6)), 10)

    def test_422(self):
        self.log.grow(5)
        self.cosigned(self.witness.post(self.log.submission(0, 6)), self.log.body(6))
        proof = self.log.proof(6)
        fork = witnessing.Log(key=self.log.key).grow(10, "another")
        for what, body in {
                "a hash too few": witnessing.submission(6, proof[:-1], self.log.checkpoint()),
                "one too many": witnessing.submission(6, proof + proof[-1:], self.log.checkpoint()),
                "none": witnessing.submission(6, [], self.log.checkpoint()),
                "turned round": witnessing.submission(6, proof[::-1], self.log.checkpoint()),
                "another history": fork.submission(6),
                "another root of the size": fork.submission(6, 6),
                "the same size with a proof": witnessing.submission(6, proof, self.log.checkpoint(6)),
        }.items():
            with self.subTest(what):
                self.problem(self.witness.post(body), 422, "inconsistent")
        self.problem(self.witness.post(witnessing.submission(0, proof, self.other.checkpoint())), 422, "inconsistent")
        lie = f"{self.other.origin}\n0\n{witnessing.b64(bytes(32))}\n"  # size 0 has one root
        self.problem(self.witness.post(witnessing.submission(0, [], lie + "\n" + self.other.line(lie))), 422, "inconsistent")
        self.cosigned(self.witness.post(self.log.submission(6)), self.log.body())
        with open(self.witness.log_path) as f:  # signed and inconsistent: the operator is told
            self.assertIn("does not extend", f.read())

    def test_over_tls(self):
        pair = witnessing.certificate(self.folder)
        if not pair:
            self.skipTest("needs the program openssl")
        self.assertEqual(self.witness.stop(), 0)
        self.witness.serve(tls=pair)
        connection = http.client.HTTPSConnection("127.0.0.1", self.witness.port, timeout=20,
                                                 context=ssl.create_default_context(cafile=pair[0]))
        for old in (0, 5):  # over one connection
            connection.request("POST", "/add-checkpoint", self.log.submission(old).encode())
            answer = connection.getresponse()
            self.cosigned(harness.Answer(answer.status, answer.headers, answer.read()), self.log.body())
        connection.close()

    def test_what_it_answered_it_kept(self):
        """kill -9 right behind the answer, twenty times; each time a fork of the last size is refused."""
        fork = witnessing.Log(key=self.log.key).grow(1000, "another")
        old = 0
        for _ in range(20):
            self.cosigned(self.witness.post(self.log.submission(old)), self.log.body())
            self.witness.kill()
            self.witness.serve()
            old = len(self.log.entries)
            self.conflict(self.witness.post(fork.submission(0, old)), old)
            self.problem(self.witness.post(fork.submission(old, old)), 422, "inconsistent")
            self.problem(self.witness.post(fork.submission(old, old + 1)), 422, "inconsistent")
            self.log.grow(3)

    def test_it_starts_with_nothing_less_than_it_had(self):
        self.cosigned(self.witness.post(self.log.submission(0)), self.log.body())
        self.assertEqual(self.witness.stop(), 0)
        state = os.path.join(self.witness.path, "state")
        (name,) = [os.path.join(state, n) for n in os.listdir(state)]
        with open(name) as f:
            kept = f.read()
        self.assertTrue(kept.startswith(self.log.checkpoint()))
        self.assertIsNotNone(witnessing.cosignature(kept.splitlines()[-1], self.log.body(), self.witness.vkey))
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.witness.path, "witness.key")).st_mode), 0o600)
        for bad in (kept.replace("\n5\n", "\n4\n"), kept[:-20] + "\n", "", kept.splitlines(True)[0]):
            with open(name, "w") as f:
                f.write(bad)
            done = harness.run("bourn", "witness", self.witness.path, "--listen", "127.0.0.1:0", check=69)
            self.assertIn("could sign a fork", done.stderr)
        with open(name, "w") as f:
            f.write(kept)
        self.witness.serve()
        self.conflict(self.witness.post(self.log.submission(0)), 5)
        # nobody else is this witness at the same time
        done = harness.run("bourn", "witness", self.witness.path, "--listen", "127.0.0.1:0", check=69)
        self.assertIn("another process is this witness", done.stderr)

    def test_commands(self):
        again = harness.run("bourn", "witness", "init", self.witness.path, "--name", "x", check=1)
        self.assertIn("not an empty folder", again.stderr)
        for name in ("", "a b", "a+b", "w\u00e4chter", "x" * 256):
            with self.subTest(name):
                harness.run("bourn", "witness", "init", os.path.join(self.folder, "bad"), "--name", name, check=64)
        harness.run("bourn", "witness", self.witness.path, check=64)
        harness.run("bourn", "witness", "init", os.path.join(self.folder, "x"), check=64)
        no_log = self.keep(self.folder, "w.vkey", self.witness.vkey)  # a witness's key is not a log's
        self.assertIn("not the key of a log",
                      harness.run("bourn", "witness", "trust", self.witness.path, no_log, check=1).stderr)
        self.assertIn("needs", harness.run("bourn", "witness", self.witness.path, "--listen", "127.0.0.1:0", "--tls-cert", "x",
                                           check=64).stderr)
        self.witness.kill()
        self.assertIn("loopback", harness.run("bourn", "witness", self.witness.path, "--listen", "0.0.0.0:0", check=64).stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""TLS 1.3: nothing older, only a certificate that belongs to its key, new ones without a restart, no other address without."""

import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

import harness


def openssl(*args, stdin=b"", timeout=30):
    return subprocess.run(["openssl", *args], input=stdin, capture_output=True, timeout=timeout)


@unittest.skipUnless(shutil.which("openssl") and shutil.which("curl"), "needs the programs openssl and curl")
class Tls(harness.Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cell = harness.Cell(cls.tmp)
        cls.pairs = {name: cls.make_pair(name) for name in ("one", "two", "three")}
        cls.live = os.path.join(cls.tmp, "live")
        os.mkdir(cls.live)
        cls.cert, cls.key = os.path.join(cls.live, "cert.pem"), os.path.join(cls.live, "key.pem")
        cls.use("one")
        cls.addClassCleanup(cls.stop_all)
        cls.process = None
        cls.serve()

    @classmethod
    def make_pair(cls, name):
        cert, key = os.path.join(cls.tmp, name + ".cert"), os.path.join(cls.tmp, name + ".key")
        done = openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                       "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out", cert)
        if done.returncode:
            raise AssertionError(done.stderr.decode())
        os.chmod(key, 0o600)
        return cert, key

    @classmethod
    def use(cls, cert, key=None):
        """Puts a pair where bourn reads it, each by rename."""
        for source, to in ((cls.pairs[cert][0], cls.cert), (cls.pairs[key or cert][1], cls.key)):
            shutil.copy2(source, to + ".new")
            os.rename(to + ".new", to)

    @classmethod
    def serve(cls, listen="127.0.0.1:0", cert=None, key=None):
        with open(cls.cell.log_path, "ab") as log:
            cls.process = subprocess.Popen(
                [harness.program("bourn"), "serve", cls.cell.path, "--listen", listen, "--tls-cert", cert or cls.cert,
                 "--tls-key", key or cls.key], stdout=subprocess.PIPE, stderr=log)
        timer = threading.Timer(harness.START_S, cls.process.kill)
        timer.start()
        line = cls.process.stdout.readline().decode()
        timer.cancel()
        found = re.fullmatch(r"listening on https://(?:127\.0\.0\.1|0\.0\.0\.0):(\d+)\n", line)
        if not found:
            raise AssertionError(f"{line!r}, exit {cls.process.wait()}\n{cls.cell.log()[-2000:]}")
        cls.port = int(found.group(1))

    @classmethod
    def stop_all(cls):
        if cls.process:
            cls.process.kill()
            cls.process.wait()
            cls.process.stdout.close()

    def stop(self):
        self.process.terminate()
        code = self.process.wait(harness.STOP_S)
        self.process.stdout.close()
        type(self).process = None
        self.assertEqual(code, 0, self.cell.log()[-2000:])

    def served(self, connect_to=None):
        """The common name of the certificate that a new connection gets, in TLS 1.3."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((connect_to or "127.0.0.1", self.port), timeout=10) as s, context.wrap_socket(s) as t:
            self.assertEqual(t.version(), "TLSv1.3")
            pem = ssl.DER_cert_to_PEM_cert(t.getpeercert(True))
        return openssl("x509", "-noout", "-subject", stdin=pem.encode()).stdout.decode().strip().split("=")[-1].strip()

    def reload(self, want):
        before = len(self.cell.log())
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if re.search(want, self.cell.log()[before:]):
                return
            time.sleep(0.05)
        raise AssertionError(f"no {want!r} in\n{self.cell.log()[before:]}")

    def curl(self, *args):
        return subprocess.run(["curl", "-sS", "--max-time", "20", *args], capture_output=True)

    def test_1_only_tls_1_3(self):
        url = f"https://localhost:{self.port}/healthz"
        done = self.curl("--cacert", self.pairs["one"][0], url)
        self.assertEqual((done.returncode, done.stdout), (0, b'{"status":"ok"}\n'), done.stderr)
        self.assertEqual(self.served(), "one")
        old = self.curl("--cacert", self.pairs["one"][0], "--tls-max", "1.2", url)
        self.assertEqual(old.returncode, 35, old)
        for version in ("-tls1_2", "-tls1_1", "-tls1"):
            done = openssl("s_client", "-connect", f"127.0.0.1:{self.port}", version, "-cipher", "ALL:@SECLEVEL=0")
            self.assertNotEqual(done.returncode, 0, version)
            self.assertNotIn(b"Verification", done.stdout.split(b"SSL handshake")[0])
        done = openssl("s_client", "-connect", f"127.0.0.1:{self.port}", "-tls1_3", "-verify_return_error", "-CAfile",
                       self.pairs["one"][0])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"TLSv1.3", done.stdout)

    def test_2_plain_http_fails_cleanly(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s:
            s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            got = b""
            try:
                while more := s.recv(4096):
                    got += more
            except ConnectionResetError:
                pass
        self.assertNotIn(b"HTTP/", got)
        self.assertNotEqual(self.curl(f"http://127.0.0.1:{self.port}/healthz").returncode, 0)
        for noise in (b"", b"\x16", b"\x16\x03\x01\xff\xff" + b"x" * 70000, os.urandom(3000)):
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s:
                s.sendall(noise)
        self.assertEqual(self.served(), "one")

    def test_3_reload(self):
        context = ssl.create_default_context(cafile=self.pairs["one"][0])
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s, context.wrap_socket(s, server_hostname="localhost") as t:
            half = socket.create_connection(("127.0.0.1", self.port), timeout=10)  # begins under the old one, says nothing
            self.use("two")
            self.reload("new connections get the new certificate")
            self.assertEqual(self.served(), "two")
            self.use("three")
            self.reload("new connections get the new certificate")
            self.assertEqual(self.served(), "three")
            t.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")  # the connection from before goes on
            self.assertIn(b"200 OK", t.recv(4096))
            loose = ssl.create_default_context()
            loose.check_hostname, loose.verify_mode = False, ssl.CERT_NONE
            with half, loose.wrap_socket(half) as late:
                self.assertEqual(late.version(), "TLSv1.3")

    def test_4_a_broken_pair_is_refused(self):
        self.use("two")
        self.reload("new connections get the new certificate")
        self.use("one", "three")
        self.reload("the new certificate is refused, the old one stays in use: .*do not go together")
        self.assertEqual(self.served(), "two")
        for path, content, want in ((self.key, b"", "is no certificate's key"),
                                    (self.key, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "the key does not read"),
                                    (self.cert, b"hello\n", "holds no \"BEGIN CERTIFICATE\""),
                                    (self.cert, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "the certificate does not read"),
                                    (self.cert, b"x" * 100000, "is no certificate")):
            self.use("three")
            with open(path, "wb") as f:
                f.write(content)
            self.reload(want)
            self.assertEqual(self.served(), "two")
        self.use("three")
        os.chmod(self.key, 0o644)
        self.reload("every user may read or change")
        os.unlink(self.key)
        self.reload("cannot open")
        self.assertEqual(self.served(), "two")
        self.use("three")
        self.reload("new connections get the new certificate")
        self.assertEqual(self.served(), "three")
        with open(self.pairs["three"][1]) as f:
            secret = f.read().splitlines()[1]
        self.assertNotIn(secret, self.cell.log())

    def test_5_many_reloads(self):
        for i in range(30):
            self.use("one" if i % 2 else "two")
            self.process.send_signal(signal.SIGHUP)
            self.assertIn(self.served(), ("one", "two", "three"))
        self.use("one")
        self.reload("new connections get the new certificate")
        self.assertEqual(self.served(), "one")

    def test_6_symbolic_links(self):
        """As a client of an authority lays them out: live/cert.pem -> ../archive/cert1.pem."""
        self.stop()
        archive, links = os.path.join(self.tmp, "archive"), os.path.join(self.tmp, "links")
        os.mkdir(archive)
        os.mkdir(links)

        def renew(n, name):
            for what, source in zip(("cert", "key"), self.pairs[name]):
                shutil.copy2(source, os.path.join(archive, f"{what}{n}.pem"))
                link = os.path.join(links, what + ".pem")
                os.symlink(f"../archive/{what}{n}.pem", link + ".new")
                os.rename(link + ".new", link)

        renew(1, "one")
        self.serve(cert=os.path.join(links, "cert.pem"), key=os.path.join(links, "key.pem"))
        self.assertEqual(self.served(), "one")
        renew(2, "two")
        self.reload("new connections get the new certificate")
        self.assertEqual(self.served(), "two")

    def test_7_every_address(self):
        if self.process:
            self.stop()
        for args, want in ((("--listen", "0.0.0.0:0"), "needs --tls-cert and --tls-key"),
                           (("--listen", "[::]:0"), "needs --tls-cert and --tls-key"),
                           (("--listen", "0.0.0.0:0", "--tls-cert", self.cert), "needs both"),
                           (("--listen", "127.0.0.1:0", "--tls-key", self.key), "needs both")):
            done = harness.run("bourn", "serve", self.cell.path, *args, check=64)
            self.assertIn(want, done.stderr)
        self.use("one", "two")
        done = harness.run("bourn", "serve", self.cell.path, "--listen", "127.0.0.1:0", "--tls-cert", self.cert, "--tls-key",
                           self.key, check=69)
        self.assertIn("do not go together", done.stderr)
        done = harness.run("bourn", "serve", self.cell.path, "--listen", "127.0.0.1:0", "--tls-cert", "/nowhere", "--tls-key",
                           self.key, check=69)
        self.assertIn("/nowhere", done.stderr)
        self.use("one")
        self.serve("0.0.0.0:0")
        self.assertEqual(self.served(), "one")

    def test_8_large_answers_and_stop(self):
        """Answers over many TLS records, and a stop with TLS clients that stand still."""
        idle = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s, context.wrap_socket(s) as t:
            t.sendall(b"POST /v1/search HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nBourn-Purpose: dpv:X\r\n"
                      b"Content-Type: application/json\r\nContent-Length: 900000\r\n\r\n" + b" " * 900000)
            self.assertIn(b" 401 ", t.recv(65536))
        note = "".join(chr(97 + i * i % 23) for i in range(60000))
        source = os.path.join(self.tmp, "notes.csv")
        for text in ("short", note):
            with open(source, "w") as f:
                f.write(f"id,{','.join('note%d' % i for i in range(4))}\n{len(text)},{','.join([text] * 4)}\n")
            if text == "short":
                token = self.cell.clinic()
                self.cell.collection(source, "notes")
            else:
                self.cell.load(source, token, collection="notes", subject="id")
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s, context.wrap_socket(s) as t:
            for version in ("1.1", "1.0"):  # the second closes its connection
                t.sendall(f"GET /v1/subjects/60000/records/notes HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                          f"Bourn-Purpose: {harness.HOME_PURPOSE}\r\n\r\n".encode())
                answer = http.client.HTTPResponse(t)
                answer.begin()
                self.assertEqual(answer.status, 200)
                self.assertEqual(int(answer.headers["Content-Length"]) > 240000, True)
                self.assertEqual(answer.read().decode().count(note), 4)
        self.stop()
        idle.close()


if __name__ == "__main__":
    unittest.main()

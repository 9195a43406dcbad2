"""The ledger/ folder of a cell, copied as docs/guide/static-ledger.md says and served by nginx with docs/guide/nginx-ledger.conf:
the same log, byte for byte, for every client and for bourn-verify. The nginx is the test's own: in a temporary folder, on a port
that the kernel gave."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

import harness
import c2sp

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
GUIDE = os.path.join(harness.SOURCE, "docs", "guide")
CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {root};
        include {conf};
    }}
}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Static(harness.ServedTest):
    count = 60

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        connection = cls.cell.connect()
        for i in range(560):  # past two full tiles
            path = cls.cell.records_path(cls.people[i % 60]["bioguide_id"])
            cls.cell.ask("GET", path, cls.CLINIC, harness.HOME_PURPOSE, connection=connection)
            if i >= 556:  # so that partials of several published sizes lie there
                cls.size = cls.cell.settle()
        connection.close()
        cls.root = os.path.join(cls.tmp, "copy")
        cls.copy()
        cls.start()
        with open(cls.cell.vkey) as f:
            cls.vkey = f.read()
        cls.ours, cls.theirs = c2sp.Web(cls.cell.url + "/ledger"), c2sp.Web(cls.url + "/ledger")
        cls.addClassCleanup(cls.ours.close)
        cls.addClassCleanup(cls.theirs.close)

    @classmethod
    def copy(cls):
        """The very commands of the guide."""
        with open(os.path.join(GUIDE, "static-ledger.md")) as f:
            commands = re.search(r"```sh\n(.*?)```", f.read(), re.S).group(1)
        done = subprocess.run(["sh", "-eu", "-c", commands], env=dict(os.environ, CELL=cls.cell.path, COPY=cls.root),
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    @classmethod
    def start(cls):
        os.chmod(cls.tmp, 0o755)
        folder = os.path.join(cls.tmp, "nginx")
        os.mkdir(folder)
        port, conf = free_port(), os.path.join(folder, "nginx.conf")
        with open(conf, "w") as f:
            f.write(CONFIG.format(folder=folder, port=port, root=cls.root, conf=os.path.join(GUIDE, "nginx-ledger.conf"),
                                  user="user root;" if os.geteuid() == 0 else ""))
        cls.nginx = subprocess.Popen([NGINX, "-p", folder, "-c", conf, "-e", os.path.join(folder, "error.log")],
                                     stderr=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.stop)
        cls.url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if cls.nginx.poll() is not None:
                raise AssertionError("nginx did not start: " + cls.nginx.stderr.read())
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("nginx does not listen")

    @classmethod
    def stop(cls):
        cls.nginx.send_signal(signal.SIGTERM)
        cls.nginx.wait(20)
        cls.nginx.stderr.close()

    def both(self, path, method="GET", **headers):
        return self.ours.get(path, method, **headers), self.theirs.get(path, method, **headers)

    def test_every_path_gives_the_same(self):
        paths = set(c2sp.public_paths(self.size))
        for folder, _, names in os.walk(os.path.join(self.cell.path, "ledger")):  # partials of earlier checkpoints too
            paths |= {os.path.relpath(os.path.join(folder, name), os.path.join(self.cell.path, "ledger")) for name in names}
        self.assertGreater(len(paths), len(c2sp.public_paths(self.size)) + 4)
        for path in sorted(paths):
            ours, theirs = self.both(path)
            with open(os.path.join(self.cell.path, "ledger", path), "rb") as f:
                self.assertEqual((ours.status, ours.body), (200, f.read()), path)  # the path on disk is the path over HTTP
            self.assertEqual((theirs.status, theirs.body), (ours.status, ours.body), path)
            for name in ("Content-Type", "Content-Length", "Cache-Control", "Accept-Ranges", "X-Content-Type-Options"):
                self.assertEqual(theirs.headers[name], ours.headers[name], (path, name))
            ours, theirs = self.both(path, "HEAD")
            self.assertEqual((theirs.status, theirs.headers["Content-Length"]), (ours.status, ours.headers["Content-Length"]))
            for part in ("bytes=0-0", "bytes=-9", "bytes=4-40", "bytes=99999999-"):
                ours, theirs = self.both(path, Range=part)
                self.assertEqual((theirs.status, theirs.headers["Content-Range"]), (ours.status, ours.headers["Content-Range"]))
                if ours.status < 400:
                    self.assertEqual(theirs.body, ours.body)
            whole = self.ours.get(path)
            for web in (self.ours, self.theirs):  # each with its own entity tags
                tag = web.get(path).headers["ETag"]
                self.assertEqual(web.get(path, If_None_Match=tag).status, 304)
                packed = web.get(path, Accept_Encoding="gzip")
                self.assertEqual(packed.headers["Content-Encoding"], "gzip" if "entries" in path else None, path)
                plain = c2sp.gzip.decompress(packed.body) if "entries" in path else packed.body
                self.assertEqual(plain, whole.body)

    def test_no_other_path(self):
        with open(os.path.join(self.root, "ledger", "tile", "secret"), "w") as f:
            f.write("left behind")
        with open(os.path.join(self.root, "ledger", "checkpoint.new"), "w") as f:
            f.write("half of one")
        for path in ("tile/0/999", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/64/000", "tile/00/000", "tile/0/0",
                     "tile/0/0000", "tile/0/x000", "tile/0/000/000", "tile/2/000.p/1", "tile/0/000.p", "tile/0/000.p/", "tile/0/000/",
                     "tile/0/", "tile/0", "tile/", "tile", "", "checkpoint/", "checkpoint.new", "tile/secret", "tile/rows/000",
                     "tile/entries/999", "tile/entries/000.p/256", "tile/entries/x000/000.p/01", "tile/0/000.new"):
            ours, theirs = self.both(path)
            want = 401 if "rows" in path else 404  # rows are for auditors, and not in the folder at all
            self.assertEqual((ours.status, theirs.status), (want, 404), path)

    def test_a_partial_that_is_gone_is_the_front_of_the_full_one(self):
        """The one difference: bourn cuts what a folder may no longer have; a client of the folder takes the full file."""
        for path in ("tile/0/000", "tile/entries/000"):
            ours, theirs = self.both(path + ".p/7")
            self.assertEqual((ours.status, theirs.status), (200, 404))
            self.assertTrue(self.theirs.get(path).body.startswith(ours.body))

    def test_a_client_and_the_verifier_see_the_same(self):
        for web in (self.ours, self.theirs):
            log = c2sp.Log(web, self.vkey)
            self.assertEqual(log.update().size, self.size)
            self.assertEqual(sum(1 for _ in log.entries(self.size)), self.size)
        # Without rows: not examined, exit 2. With the cell's rows: what the entries and rows say is decided.
        for code, *extra in ((2,), (0, "--rows", os.path.join(self.cell.path, "rows")), (2, "--json")):
            told = [harness.run("bourn-verify", url + "/ledger", "--key", self.cell.vkey, *extra, check=code)
                    for url in (self.cell.url, self.url)]
            self.assertIn("S1", told[0].stdout)
            self.assertEqual(told[1].stdout.replace(self.url, self.cell.url), told[0].stdout)
            self.assertEqual(told[1].stderr.replace(self.url, self.cell.url), told[0].stderr)

    def test_z_copied_again_it_goes_on(self):
        log = c2sp.Log(self.theirs, self.vkey)
        before = log.update().size
        for row in self.people[:30]:
            self.home("GET", self.cell.records_path(row["bioguide_id"]))
        size = self.cell.settle()
        self.copy()
        self.assertEqual(log.update().size, size)
        self.assertGreater(size, before)
        for path in c2sp.public_paths(size):
            ours, theirs = self.both(path)
            self.assertEqual((theirs.status, theirs.body), (200, ours.body), path)


if __name__ == "__main__":
    if not NGINX:
        print("skipped: no nginx here (Debian: nginx-light)", file=sys.stderr)
        sys.exit(77)
    unittest.main(verbosity=2)

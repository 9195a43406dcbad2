"""bourn and its peers, each a temporary instance of its own on loopback, with its folder in the run's."""

import glob
import os
import re
import shutil
import socket
import subprocess
import sys
import time

from measure import SOURCE, Bench, cpu_s, cpu_tree_s

sys.path.insert(0, os.path.join(SOURCE, "tests", "e2e"))
import harness  # noqa: E402  (the tests' own way to drive a cell)

SAMPLED = 0.5  # of pgbench's transactions go into its log
HERE = os.path.dirname(os.path.abspath(__file__))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Bourn(harness.Cell):
    """A serving cell with a clinic at home and one collection."""

    def __init__(self, bench, name, sample=None):
        super().__init__(bench.folder(name))
        bench.servers.append(self)
        self.serve()
        self.token = self.clinic()
        self.headers = f"Authorization: Bearer {self.token}\r\nBourn-Purpose: {harness.HOME_PURPOSE}\r\n"
        if sample:
            harness.run("bourn", "collection", "add", self.path, "people", "--infer", sample)

    def bring_in(self, path):
        """Imports NDJSON; returns the seconds it took."""
        start = time.monotonic()
        done = self.load(path, self.token, subject="id", extra=("--json",))
        seconds = time.monotonic() - start
        if '"complete":true' not in done.stdout or '"rejected":0' not in done.stdout:
            raise SystemExit(f"the import did not take all: {done.stdout}")
        return seconds

    def cpu(self):
        return {role: cpu_s(pid) for role, pid in self.children.items()}

    def remove(self):
        self.close()
        shutil.rmtree(self.parent, ignore_errors=True)


class Nginx:
    def __init__(self, bench: Bench, body):
        self.folder, self.port = bench.folder("nginx"), free_port()
        conf = os.path.join(self.folder, "nginx.conf")
        with open(conf, "w") as f:
            f.write(f"""daemon off; pid {self.folder}/pid; error_log {self.folder}/error.log; worker_processes auto;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; default_type application/json;
  client_body_temp_path {self.folder}/b; proxy_temp_path {self.folder}/p; fastcgi_temp_path {self.folder}/f;
  uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  server {{ listen 127.0.0.1:{self.port}; location / {{ return 200 '{body}'; }} }} }}
""")
        path = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([path, "-c", conf, "-e", f"{self.folder}/error.log"], stderr=subprocess.DEVNULL)
        bench.servers.append(self)
        for _ in range(100):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("nginx does not start")

    def cpu(self):
        return {"nginx": cpu_tree_s(self.process.pid)}

    def close(self):
        if self.process.poll() is not None:
            return
        self.process.terminate()
        self.process.wait()


class Postgres:
    """Settings that matter are written out here; the rest is what the package ships."""

    SETTINGS = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "1GB",
                "max_wal_size": "8GB", "checkpoint_timeout": "30min", "wal_compression": "off", "listen_addresses": "''",
                "max_connections": "120", "autovacuum": "on", "jit": "off",
                "plan_cache_mode": "force_generic_plan"}  # the last spares it planning: it is the faster for that

    def __init__(self, bench, name):
        self.folder = bench.folder("postgres-" + name)
        self.data, self.socket = os.path.join(self.folder, "data"), os.path.join(self.folder, "socket")
        os.makedirs(self.socket, exist_ok=True)
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.as_user:
            os.chmod(bench.tmp, 0o711)
            shutil.chown(self.folder, "postgres")
            shutil.chown(self.socket, "postgres")
        self._run("initdb", "-D", self.data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        options = [f"-c{k}={v.strip(chr(39))}" for k, v in self.SETTINGS.items()]
        log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen([*self.as_user, os.path.join(self.bin, "postgres"), "-D", self.data, "-k",
                                         self.socket, *options], stdout=log, stderr=log, cwd=self.folder)
        bench.servers.append(self)
        for _ in range(200):
            if self._run("pg_isready", "-h", self.socket, check=False).returncode == 0:
                break
            time.sleep(0.05)
        with open(os.path.join(self.data, "postmaster.pid")) as f:
            self.postmaster = int(f.readline())
        self.database = "postgres"

    def _run(self, name, *args, check=True):
        done = subprocess.run([*self.as_user, os.path.join(self.bin, name), *args], capture_output=True, text=True,
                              cwd=self.folder)
        if check and done.returncode != 0:
            raise SystemExit(f"{name}: exit {done.returncode}\n{done.stderr[-2000:]}")
        return done

    def psql(self, *args, database=None):
        return self._run("psql", "-h", self.socket, "-U", "bench", "-d", database or self.database, "-v",
                         "ON_ERROR_STOP=1", "-qAt", *args).stdout

    def fresh(self, name):
        """A new database with the T2 schema."""
        self.database = "postgres"
        self.psql("-c", f"DROP DATABASE IF EXISTS {name}", "-c", f"CREATE DATABASE {name}")
        self.database = name
        self._script("t2.sql")

    def _script(self, name, *args):
        with open(os.path.join(HERE, name)) as f:
            self.psql(*args, "-f", self._copy(name, f.read()))

    def _copy(self, name, text):
        """Where the server's user can read it."""
        path = os.path.join(self.socket, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o644)
        return path

    def bring_in(self, path):
        start = time.monotonic()
        self._script("t2_import.sql", "-v", f"file={path}")
        return time.monotonic() - start

    def settle(self):
        self.psql("-c", "VACUUM ANALYZE", "-c", "CHECKPOINT")

    def read(self, clients, seconds, people, script="t2_read.pgbench", each=1):
        """pgbench of T2's read; transactions a second, p50 and p99. The first second does not count: each connection
        has to load pgcrypto and its catalogues."""
        with open(os.path.join(HERE, script)) as f:
            script = self._copy(script, f.read())
        prefix = os.path.join(self.socket, "latency")
        for old in glob.glob(prefix + "*"):
            os.unlink(old)
        out = self._run("pgbench", "-h", self.socket, "-U", "bench", "-n", "-M", "prepared", "-c", str(clients), "-j",
                        str(min(2, clients)), "-T", str(max(1, round(seconds)) + 1), "-D", f"people={people}", "-D", f"each={each}", "-D", "purpose=dpv:ServiceProvision", "-f", script, "-l",
                        "--log-prefix", prefix, "--sampling-rate", str(SAMPLED), self.database).stdout
        log = [line.split() for name in glob.glob(prefix + "*") for line in open(name)]
        ends = [(int(w[4]) + int(w[5]) / 1e6, int(w[2])) for w in log]
        first, last = min(ends)[0] + 1, max(ends)[0]
        took = sorted(us for end, us in ends if end > first)
        rate = len(took) / SAMPLED / (last - first)
        requests = int(re.search(r"actually processed: (\d+)", out).group(1))
        failed = re.search(r"failed transactions: (\d+)", out)
        if failed and int(failed.group(1)):
            raise SystemExit(f"pgbench: failed transactions\n{out}")
        return {"rate": rate, "requests": requests, "p50_us": took[len(took) // 2], "p99_us": took[len(took) * 99 // 100]}

    def version(self):
        return self.psql("-c", "SHOW server_version").strip()

    def cpu(self):
        return {"postgres": cpu_tree_s(self.postmaster)}

    def close(self):
        if self.process.poll() is not None:
            return
        self._run("pg_ctl", "-D", self.data, "stop", "-m", "immediate", check=False)
        self.process.wait()

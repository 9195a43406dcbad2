"""What every test from outside needs: a temporary folder, people, a cell that serves, HTTP, commands.

Programs are found in BOURN_BIN (ctest sets it), else in build/release/bin of the source tree. Nothing but Python's
standard library is used."""

import collections
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

import people

SOURCE = os.environ.get("BOURN_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("BOURN_BIN") or os.path.join(SOURCE, "build", "release", "bin")
DEBUG_BUILD = os.environ.get("BOURN_DEBUG_BUILD") == "1"  # set by ctest: the sandbox may be off there
START_S, STOP_S = 60, 60

HOME_PURPOSE, LAB_PURPOSE, AUDIT_PURPOSE = "dpv:ServiceProvision", "dpv:ResearchAndDevelopment", "dpv:LegalCompliance"
ROLES = ("front", "vault", "signer")

NODE = shutil.which(os.environ.get("BOURN_NODE", "node"))  # runs the second verifier; without it nothing is compared
MJS = os.path.join(SOURCE, "web", "verify.mjs")

Answer = collections.namedtuple("Answer", "status headers body")


def program(name):
    path = os.path.join(BIN, name)
    if not os.access(path, os.X_OK):
        raise SystemExit(f"{path} is not there: build first (./tools/build), or set BOURN_BIN")
    return path


class Test(unittest.TestCase):
    """A test case with a temporary folder, removed afterwards unless BOURN_KEEP is set."""

    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.mkdtemp(prefix="bourn-e2e-")
        cls.addClassCleanup(cls._remove)

    @classmethod
    def _remove(cls):
        if os.environ.get("BOURN_KEEP"):
            print(f"kept: {cls.tmp}", file=sys.stderr)
        else:
            shutil.rmtree(cls.tmp, ignore_errors=True)

    def problem(self, answer, status, code=None):
        """Checks an RFC 9457 answer and returns its members."""
        self.assertEqual(answer.status, status, answer.body[:400])
        self.assertEqual(answer.headers.get("Content-Type"), "application/problem+json")
        members = json.loads(answer.body)
        self.assertEqual(members["status"], status)
        self.assertIn("type", members)
        self.assertTrue(members.get("title") or members.get("detail"))
        if code is not None:
            self.assertEqual(members["code"], code, members)
        return members

    def ok(self, answer, status=200):
        self.assertEqual(answer.status, status, answer.body[:400])
        return json.loads(answer.body) if answer.body else None


def run(*args, token=None, check=0, stdin=None, cwd=None, timeout=300, env=None):
    """Runs one of our programs; `check` is the exit status that must come (None: any)."""
    full = dict(os.environ, **(env or {}))
    full.pop("BOURN_TOKEN", None)
    if token:
        full["BOURN_TOKEN"] = token
    if isinstance(stdin, str):
        stdin = stdin.encode()
    done = subprocess.run([program(args[0]), *args[1:]], input=stdin if stdin is not None else b"", capture_output=True,
                          cwd=cwd, env=full, timeout=timeout)
    out = subprocess.CompletedProcess(args, done.returncode, done.stdout.decode(), done.stderr.decode())
    if check is not None and out.returncode != check:
        raise AssertionError(f"{' '.join(args)}: exit {out.returncode}, not {check}\n{cut(out.stdout)}\n{cut(out.stderr)}")
    return out


def second(done, token=None):
    """web/verify.mjs on the arguments of a run of `bourn-verify … --json`: it must say the same."""
    if not NODE:
        return
    other = subprocess.run([NODE, MJS, *done.args[1:]], capture_output=True, text=True, timeout=300,
                           env={**{k: v for k, v in os.environ.items() if k != "BOURN_TOKEN"}, **({"BOURN_TOKEN": token} if token else {})})
    assert other.returncode == done.returncode, f"{done.args}: {done.returncode}, verify.mjs {other.returncode}\n{cut(other.stdout)}\n{cut(other.stderr)}"
    a, b = json.loads(done.stdout), json.loads(other.stdout)
    for what in (lambda r: {c["id"]: c["verdict"] for c in r.get("clauses", ())}, lambda r: r.get("kept"), lambda r: r.get("error") is None,
                 lambda r: sorted({(v["clause"], v.get("entry"), v.get("size")) for v in r.get("violations", ())}),
                 lambda r: {**(r.get("checkpoint") or {}), **({"size": 0, "root": ""} if token else {})}):  # an auditor's look makes entries
        assert what(a) == what(b), f"{done.args}: {what(a)}, verify.mjs {what(b)}"


def cut(text):
    return text if len(text) < 6000 else text[:4000] + "\n[…]\n" + text[-1500:]


class Cell:
    """A cell's folder and, while it serves, its processes."""

    def __init__(self, parent, name="cn", domicile="CN", controller="Clinic Ltd", make=True, extra=()):
        self.parent, self.name = parent, name
        self.path = os.path.join(parent, name)
        self.log_path = os.path.join(parent, name + ".log")
        self.process = None
        self.port = None
        if make:
            run("bourn", "init", self.path, "--domicile", domicile, "--controller", controller, "--origin",
                f"{name}.example/ledger", *extra)
        self.vkey = os.path.join(self.path, "ledger.vkey")

    # -- serving ---------------------------------------------------------------------------------------------------

    def serve(self, listen="127.0.0.1:0", env=None, name="bourn", extra=()):
        """Starts `bourn serve` and waits until it listens; `name` may be another build of bourn."""
        assert self.process is None
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen([program(name), "serve", self.path, "--listen", listen, *extra], stdout=subprocess.PIPE,
                                        stderr=log, env=dict(os.environ, **(env or {})), start_new_session=True)
        self.group = self.process.pid
        log.close()
        line = self._first_line()
        found = re.search(rb"listening on http://127\.0\.0\.1:(\d+)", line)
        if not found:
            code = self.wait()
            raise AssertionError(f"bourn serve did not start (exit {code}):\n{self.log()[-3000:]}")
        self.port = int(found.group(1))
        self.children = self.roles()
        return self

    def _first_line(self):
        timer = threading.Timer(START_S, self.process.kill)
        timer.start()
        try:
            return self.process.stdout.readline()
        finally:
            timer.cancel()

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def roles(self):
        """pid of each role, by its name."""
        out = {}
        parent = self.process.pid
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            with contextlib.suppress(OSError, IndexError):
                with open(f"/proc/{name}/stat") as f:
                    if int(f.read().rsplit(")", 1)[1].split()[1]) != parent:
                        continue
                with open(f"/proc/{name}/cmdline", "rb") as f:
                    args = f.read().split(b"\0")
                out[args[args.index(b"--role") + 1].decode()] = int(name)
        return out

    def wait(self, timeout=STOP_S):
        """Waits until the service has ended by itself; returns its exit status."""
        code = self.process.wait(timeout)
        self.process.stdout.close()
        self.process = None
        self._gone()
        return code

    def _gone(self):
        """Waits until no role is left: a killed one may still hold the cell's lock while the disk works."""
        deadline = time.monotonic() + STOP_S
        while left := self._group():
            if time.monotonic() > deadline:
                raise AssertionError(f"processes {left} live on after their parent is gone")
            time.sleep(0.005)

    def _group(self):
        """pids of the living processes of the service's process group."""
        out = []
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError, IndexError):
                if name.isdigit():
                    with open(f"/proc/{name}/stat") as f:
                        state, _, group = f.read().rsplit(")", 1)[1].split()[:3]
                    if int(group) == self.group and state not in "ZX":
                        out.append(int(name))
        return out

    def stop(self):
        """SIGTERM; the exit status must be 0."""
        self.process.send_signal(signal.SIGTERM)
        code = self.wait()
        if code != 0:
            raise AssertionError(f"bourn serve ended with {code} after SIGTERM:\n{self.log()[-3000:]}")

    def kill(self):
        """kill -9 of the whole service at once."""
        for pid in [self.process.pid, *self.children.values()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return self.wait()

    def close(self):
        if self.process:
            self.kill()

    # -- asking ----------------------------------------------------------------------------------------------------

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def connect(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, token=None, purpose=None, body=None, headers=None, connection=None):
        """One request; `path` is below the server's root; a dict body is sent as JSON."""
        head = dict(headers or {})
        if token:
            head["Authorization"] = "Bearer " + token
        if purpose:
            head["Bourn-Purpose"] = purpose
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if body is not None:
            head.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        own = connection is None
        connection = connection or self.connect()
        try:
            connection.request(method, path, body, head)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            if own:
                connection.close()

    # -- commands --------------------------------------------------------------------------------------------------

    def party(self, name, jurisdiction="CN", kind="app", purpose=HOME_PURPOSE, ground=None, rights=None, extra=()):
        """Adds a party and returns its token."""
        args = ["--kind", kind, "--jurisdiction", jurisdiction, "--purpose", purpose]
        args += ["--ground", ground] if ground else []
        args += ["--rights", rights] if rights else []
        return run("bourn", "party", "add", self.path, name, *args, *extra).stdout.strip()

    def clinic(self):
        return self.party("clinic", ground="dpv:Contract", rights="read,write,consent,enrol,erase")

    def lab(self, name="lab", jurisdiction="US"):
        return self.party(name, jurisdiction=jurisdiction, purpose=LAB_PURPOSE)

    def watchdog(self):
        return self.party("watchdog", kind="auditor", purpose=AUDIT_PURPOSE, ground="dpv:LegalObligation", rights="audit")

    def collection(self, csv_path, name="people"):
        return run("bourn", "collection", "add", self.path, name, "--infer", csv_path)

    def notice(self, name="research", language="en", text="Lab (US) studies careers"):
        return run("bourn", "notice", "add", self.path, name, "--language", language, "--text", text)

    def load(self, source, token, collection="people", subject="bioguide_id", check=0, stdin=None, extra=()):
        return run("bourn", "import", self.path, source, "--collection", collection, "--subject", subject, "--purpose",
                   HOME_PURPOSE, *extra, token=token, check=check, stdin=stdin, timeout=600)

    def entries(self):
        """The ledger's entries as `bourn log --json` tells them."""
        out = run("bourn", "log", self.path, "--json").stdout
        try:
            whole = json.loads(out)
            return whole if isinstance(whole, list) else whole.get("entries", [whole])
        except json.JSONDecodeError:
            return [json.loads(line) for line in out.splitlines() if line]

    def forged(self, path, evidence, name):
        """A copy of this cell's files in `path`, changed by `forge` NAME; the cell is down, `evidence` saved by evidence_file.
        Where it should be found, and the command that replays it."""
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.path, path, ignore=shutil.ignore_patterns("admin.sock", "journal", "store"))
        shutil.copy(evidence, os.path.join(path, "evidence.cborseq"))
        made = subprocess.run([program("forge"), path, "--evidence", "evidence.cborseq", name], check=True, capture_output=True,
                              text=True)
        return made.stdout.strip(), ["bourn-verify", os.path.join(path, "ledger"), "--key", self.vkey, "--rows",
                                     os.path.join(path, "rows"), "--evidence", os.path.join(path, "evidence.cborseq"), "--json"]

    def verify(self, token, check=0, extra=()):
        """bourn-verify over HTTP, with rows and evidence. Waits until a checkpoint covers what is durable."""
        self.settle()
        return run("bourn-verify", self.url + "/ledger", "--key", self.vkey, *extra, token=token, check=check)

    def size(self):
        """Size of the published checkpoint."""
        return int(self.ask("GET", "/ledger/checkpoint").body.split(b"\n")[1])

    def settle(self, timeout=20):
        """Waits until the published checkpoint stands still for longer than its interval."""
        deadline = time.monotonic() + timeout
        last, since = None, time.monotonic()
        while time.monotonic() < deadline:
            now = self.size()
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > 1.3:
                return now
            time.sleep(0.1)
        raise AssertionError("the checkpoint does not come to rest")

    # -- people ----------------------------------------------------------------------------------------------------

    def records_path(self, subject, collection="people", record=None):
        path = f"/v1/subjects/{urllib.parse.quote(subject, safe='')}/records/{collection}"
        return path if record is None else f"{path}/{record}"

    def enrol(self, clinic, subject, key):
        """The person makes a key and enrols it with a code that the clinic asked for."""
        answer = self.ask("POST", f"/v1/subjects/{subject}/enrolments", clinic, HOME_PURPOSE)
        code = json.loads(answer.body)["code"]
        if not os.path.exists(key):
            run("bourn", "consent", "key", "new", key)
        return run("bourn", "consent", "enrol", self.url, "--code", code, "--key", key)

    def request_consent(self, clinic, subject, recipients=("lab",), purposes=(LAB_PURPOSE,), collections=("people",),
                        expires="2031-01-01", notice="research"):
        body = {"purposes": list(purposes), "recipients": list(recipients), "collections": list(collections),
                "expires": expires, "notice": notice}
        return self.ask("POST", f"/v1/subjects/{subject}/consent-requests", clinic, HOME_PURPOSE, body)

    def sign(self, statement, key, check=0):
        """`bourn consent sign` of a {"statement": …} answer (bytes or str); returns the wire form."""
        path = os.path.join(self.parent, f"statement.{threading.get_ident()}.json")
        with open(path, "wb") as f:
            f.write(statement.encode() if isinstance(statement, str) else statement)
        return run("bourn", "consent", "sign", path, "--key", key, check=check).stdout

    def consent(self, clinic, subject, key, **scope):
        """Asks, signs and posts; returns the consent's id."""
        asked = self.request_consent(clinic, subject, **scope)
        assert asked.status in (200, 201), asked
        signed = self.sign(asked.body, key)
        done = self.ask("POST", f"/v1/subjects/{subject}/consents", clinic, HOME_PURPOSE, signed)
        assert done.status == 201, done
        return json.loads(done.body)["id"]

    def evidence_file(self, token, path):
        """Saves everything that POST /ledger/evidence opens, as bourn-verify and forge read it."""
        size = self.settle()
        with open(path, "wb") as f:
            for start in range(0, size, 1024):
                answer = self.ask("POST", "/ledger/evidence", token, AUDIT_PURPOSE,
                                  {"from": start, "to": min(start + 1024, size)})
                assert answer.status == 200, answer
                f.write(answer.body)
        return size


class ServedTest(Test):
    """A test case with one serving cell, forty people in it, a clinic at home, a lab abroad and a watchdog."""

    count = 40
    extra = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.csv = os.path.join(cls.tmp, "people.csv")
        cls.people = people.made_up(cls.count)
        people.write(cls.csv, cls.people)
        cls.cell = Cell(cls.tmp, extra=cls.extra)
        cls.cell.serve()
        cls.addClassCleanup(cls.cell.close)
        cls.cell.collection(cls.csv)
        cls.cell.notice()
        cls.CLINIC, cls.LAB, cls.DOG = cls.cell.clinic(), cls.cell.lab(), cls.cell.watchdog()
        cls.cell.load(cls.csv, cls.CLINIC)

    def home(self, method, path, body=None, **more):
        return self.cell.ask(method, path, self.CLINIC, HOME_PURPOSE, body, **more)

    def foreign(self, method, path, body=None, **more):
        return self.cell.ask(method, path, self.LAB, LAB_PURPOSE, body, **more)

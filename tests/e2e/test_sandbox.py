"""The kernel confines every role of a running release build, and a role that dies takes the service down cleanly.

inject-syscall PID NAME makes a running process do one system call that it has no business with (ptrace)."""

import os
import subprocess
import time
import unittest

import harness
import witnessing

# What each role tries: all of it kills the process, by seccomp.
COMMON = ("socket", "socket-unix", "connect", "bind", "execve", "fork", "ptrace", "kill", "mmap-exec", "recvmsg")
TRIES = {
    "front": COMMON + ("openat", "create", "unlink", "pwrite"),
    "vault": COMMON,
    "signer": COMMON + ("openat", "create", "unlink"),
    "parent": tuple(set(COMMON) - {"kill"}) + ("openat", "create", "unlink"),
}
WORKED, REFUSED, KILLED = 0, 2, 3  # exit codes of inject-syscall


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def can_trace():
    """ptrace of a process that is not dumpable needs CAP_SYS_PTRACE."""
    return bool(int(status("self")["CapEff"], 16) & 1 << 19)


@unittest.skipIf(harness.DEBUG_BUILD, "a debug build can switch the sandbox off; this test looks at release builds")
class Sandbox(harness.ServedTest):
    count = 3

    def setUp(self):
        if not self.cell.process:
            self.cell.serve()

    def pids(self):
        return dict(self.cell.roles(), parent=self.cell.process.pid)

    def confined(self):
        pids = self.pids()
        self.assertEqual(set(pids), {"parent", *harness.ROLES})
        for role, pid in pids.items():
            tasks = os.listdir(f"/proc/{pid}/task")
            for task in tasks:  # every thread of it
                with self.subTest(f"{role} {task}"):
                    s = status(f"{pid}/task/{task}")
                    self.assertEqual(s["Seccomp"], "2", "filter mode")
                    self.assertEqual(s["NoNewPrivs"], "1")
                    self.assertGreaterEqual(int(s["Seccomp_filters"]), 1)

    def test_1_every_role_is_confined(self):
        self.confined()

    def test_2_no_switch_in_a_release_build(self):
        self.cell.stop()
        for value in ("off", "0", "no"):
            self.cell.serve(env={"BOURN_SANDBOX": value})
            self.confined()
            self.cell.stop()

    def test_3_descriptors(self):
        """front and signer hold no descriptor of the cell's data but the signer its own head; vault holds no network."""
        pids = self.pids()
        for role in ("front", "signer", "parent"):
            for target in self.descriptors(pids[role]):
                if target.startswith(self.cell.path + "/"):
                    self.assertTrue(role == "signer" and "/signer" in target, f"{role} holds {target}")
        inet = self.inet_sockets()
        for role in ("vault", "signer", "parent"):
            held = {t for t in self.descriptors(pids[role]) if t.startswith("socket:")}
            self.assertFalse(held & inet, f"{role} holds a network socket")
        self.assertTrue({t for t in self.descriptors(pids["front"])} & inet, "front listens")

    @staticmethod
    def descriptors(pid):
        out = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                out.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
            except OSError:
                pass
        return out

    @staticmethod
    def inet_sockets():
        out = set()
        for name in ("tcp", "tcp6", "udp", "udp6"):
            try:
                with open(f"/proc/net/{name}") as f:
                    out |= {f"socket:[{line.split()[9]}]" for line in f.readlines()[1:]}
            except OSError:
                pass
        return out

    def inject(self, pid, *call):
        done = subprocess.run([harness.program("inject-syscall"), str(pid), *call], capture_output=True, timeout=30)
        told = (done.stdout + done.stderr).decode()
        if done.returncode in (69, 77):
            self.skipTest(told)
        self.assertNotEqual(done.returncode, 64, told)
        return done.returncode, told

    @unittest.skipUnless(can_trace(), "needs CAP_SYS_PTRACE")
    def test_4_what_is_not_declared_is_stopped(self):
        for role, calls in TRIES.items():
            for call in calls:
                with self.subTest(f"{role} {call}"):
                    if not self.cell.process:
                        self.cell.serve()
                    before = len(self.cell.log())
                    code, told = self.inject(self.pids()[role], call)
                    self.assertEqual(code, KILLED, told)
                    if role == "parent":  # nobody is left to tell; the roles follow it
                        self.assertNotEqual(self.cell.wait(), 0)
                    else:
                        self.assertEqual(self.cell.wait(), 70, told)
                        self.assertRegex(self.cell.log()[before:], rf"the {role} process was killed by SIGSYS")
        if not self.cell.process:
            self.cell.serve()
        self.ok(self.home("GET", self.cell.records_path(self.people[0]["bioguide_id"])))

    @unittest.skipUnless(can_trace(), "needs CAP_SYS_PTRACE")
    def test_4b_vault_reaches_its_own_folder_alone(self):
        """Landlock: files elsewhere are refused, without a word to anybody."""
        pid = self.pids()["vault"]
        for path in ("/etc/passwd", self.cell.log_path, "/proc/self/mem", os.path.join(self.cell.path, "signer", "log.key"), os.path.join(self.cell.path, "..", "people.csv")):
            with self.subTest(path):
                code, told = self.inject(pid, "openat", path)
                self.assertEqual(code, REFUSED, told)
                self.assertIn("EACCES", told)
        for call in ("create", "unlink"):
            code, told = self.inject(pid, call, os.path.join(self.tmp, "people.csv"))
            self.assertEqual(code, REFUSED, told)
        code, told = self.inject(pid, "openat", os.path.join(self.cell.path, "ledger.vkey"))
        self.assertEqual(code, WORKED, told)
        self.ok(self.home("GET", self.cell.records_path(self.people[0]["bioguide_id"])))

    @unittest.skipUnless(can_trace(), "needs CAP_SYS_PTRACE")
    def test_5_the_injection_itself_works(self):
        """On a process without a filter the same calls go through or fail for reasons of their own: it is the filter that
        kills."""
        free = subprocess.Popen(["sleep", "60"])
        try:
            for call in sorted({call for calls in TRIES.values() for call in calls} - {"execve", "unlink", "create", "fork"}):
                with self.subTest(call):
                    code, told = self.inject(free.pid, call)
                    self.assertIn(code, (WORKED, REFUSED), told)
                    self.assertIsNone(free.poll())
        finally:
            free.kill()
            free.wait()

    def test_6_a_role_that_dies_is_named(self):
        for role in harness.ROLES:
            with self.subTest(role):
                if not self.cell.process:
                    self.cell.serve()
                before = len(self.cell.log())
                os.kill(self.pids()[role], 9)
                self.assertEqual(self.cell.wait(), 70)
                self.assertIn(role, self.cell.log()[before:])

    def test_7_it_listens_on_loopback_alone(self):
        if self.cell.process:
            self.cell.stop()
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:8080", "nonsense", "127.0.0.1"):
            with self.subTest(address):
                done = harness.run("bourn", "serve", self.cell.path, "--listen", address, check=None, timeout=20)
                self.assertEqual(done.returncode, 64, done.stderr)

    def test_8_one_server_a_cell(self):
        second = harness.run("bourn", "serve", self.cell.path, "--listen", "127.0.0.1:0", check=None, timeout=20)
        self.assertEqual(second.returncode, 69, second.stderr)
        self.ok(self.home("GET", self.cell.records_path(self.people[0]["bioguide_id"])))


# What the relay and a witness try: (call, its argument or none, what must come of it).
ABROAD = {
    "relay": [(call, None, KILLED) for call in ("execve", "fork", "ptrace", "kill", "create", "unlink")]
    + [("mmap-exec", None, REFUSED), ("socket-unix", None, REFUSED), ("openat", "/etc/passwd", REFUSED)],
    "witness": [(call, None, KILLED) for call in ("socket", "socket-unix", "connect", "bind", "execve", "fork", "ptrace", "kill",
                                                  "mmap-exec", "recvmsg")] + [("openat", "/etc/passwd", REFUSED)],
}


@unittest.skipIf(harness.DEBUG_BUILD, "a debug build can switch the sandbox off; this test looks at release builds")
class Witnesses(harness.Test):
    """The same for the process that reaches witnesses, and for a witness."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cell = harness.Cell(cls.tmp)
        cls.witness = witnessing.Witness(cls.tmp, "w", [cls.cell.vkey])
        cls.witness.serve()
        cls.addClassCleanup(cls.witness.close)
        cls.addClassCleanup(cls.cell.close)
        policy = os.path.join(cls.tmp, "policy")
        with open(policy, "w") as f:
            f.write(f"witness w {cls.witness.vkey.strip()} {cls.witness.url}\nquorum w\n")
        cls.cell.serve()
        harness.run("bourn", "config", cls.cell.path, "--witness-policy", policy)
        cls.cell.stop()

    def setUp(self):
        if not self.cell.process:
            self.cell.serve()
        if self.witness.process.poll() is not None:
            self.witness.close()
            self.witness.serve()

    def confined(self, pid):
        for task in os.listdir(f"/proc/{pid}/task"):
            s = status(f"{pid}/task/{task}")
            self.assertEqual((s["Seccomp"], s["NoNewPrivs"]), ("2", "1"))

    def test_1_both_are_confined(self):
        relay = self.cell.roles()["relay"]
        self.confined(relay)
        self.confined(self.witness.process.pid)
        held = Sandbox.descriptors(relay)
        self.assertFalse([t for t in held if t.startswith(self.cell.path + "/")], "the relay holds nothing of the cell")
        deadline = time.monotonic() + 20
        while self.witness.name.encode() not in self.cell.ask("GET", "/ledger/checkpoint").body:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)

    def attempt(self, pid, call, argument):
        done = subprocess.run([harness.program("inject-syscall"), str(pid), call, *([argument] if argument else [])],
                              capture_output=True, timeout=30)
        told = (done.stdout + done.stderr).decode()
        if done.returncode in (69, 77):
            self.skipTest(told)
        return done.returncode, told

    @unittest.skipUnless(can_trace(), "needs CAP_SYS_PTRACE")
    def test_2_what_is_not_declared_is_stopped(self):
        for role, tries in ABROAD.items():
            for call, argument, want in tries:
                with self.subTest(f"{role} {call}"):
                    self.setUp()
                    before = len(self.cell.log())
                    code, told = self.attempt(self.cell.roles()["relay"] if role == "relay" else self.witness.process.pid, call,
                                              argument)
                    self.assertEqual(code, want, told)
                    if want == REFUSED:
                        self.assertIn("EACCES", told)
                    elif role == "relay":
                        self.assertEqual(self.cell.wait(), 70, told)
                        self.assertRegex(self.cell.log()[before:], "the relay process was killed by SIGSYS")
                    else:
                        self.assertEqual(self.witness.process.wait(20), -31)

    def test_3_a_relay_that_dies_is_named(self):
        before = len(self.cell.log())
        os.kill(self.cell.roles()["relay"], 9)
        self.assertEqual(self.cell.wait(), 70)
        self.assertIn("the relay process was killed by SIGKILL", self.cell.log()[before:])


if __name__ == "__main__":
    unittest.main(verbosity=2)

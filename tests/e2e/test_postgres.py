"""docs/guide/from-postgresql.md, command by command, against a PostgreSQL of its own; and the page of exit codes."""

import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import harness

PAGE = os.path.join(harness.SOURCE, "docs", "guide", "from-postgresql.md")
SKIPPED = 77  # ctest shows it as skipped


def binaries():
    """The newest PostgreSQL of Debian's packages, or None."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    return os.path.dirname(max(found, key=lambda p: int(p.split("/")[4]))) if found else None


def runnable():
    """Whether the user who has to run PostgreSQL can reach it: the root of a chroot may be closed to everybody but root."""
    if os.geteuid() != 0:
        return True
    probe = ["runuser", "-u", "postgres", "--", os.path.join(binaries(), "initdb"), "--version"]
    return subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, timeout=60).returncode == 0


class Postgres:
    """A server in a temporary folder, reached through a socket there. It refuses to run as root: then as `postgres`."""

    def __init__(self, folder):
        self.folder, self.bin = folder, binaries()
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.as_user:
            shutil.chown(folder, "postgres")
        self.data = os.path.join(folder, "data")
        self.run("initdb", "-D", self.data, "-U", "shop", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        self.run("pg_ctl", "-D", self.data, "-w", "-l", os.path.join(folder, "log"), "-o",
                 f"-k {folder} -c listen_addresses='' -c fsync=off", "start")
        self.env = {"PGHOST": folder, "PGUSER": "shop", "PGDATABASE": "postgres"}

    def run(self, name, *args):
        done = subprocess.run([*self.as_user, os.path.join(self.bin, name), *args], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.folder, timeout=120)
        if done.returncode != 0:
            raise AssertionError(f"{name}: exit {done.returncode}\n{done.stdout[-2000:]}")

    def ask(self, sql):
        return subprocess.run([os.path.join(self.bin, "psql"), "-Atc", sql], env=dict(os.environ, **self.env), check=True,
                              capture_output=True, text=True, timeout=60).stdout.splitlines()

    def close(self):
        self.run("pg_ctl", "-D", self.data, "-m", "immediate", "stop")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@unittest.skipUnless(binaries() and runnable() and shutil.which("jq") and shutil.which("curl"),
                     "PostgreSQL, jq or curl is not installed (Debian: apt-get install postgresql jq curl)")
class FromPostgreSQL(harness.Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.mkdtemp(prefix="bourn-pg-", dir="/tmp")  # a socket's path is short
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.postgres = Postgres(folder)
        cls.addClassCleanup(cls.postgres.close)
        with open(PAGE, encoding="utf-8") as f:
            cls.blocks = re.findall(r"(?ms)^```sh\n(.*?)^```$", f.read())
        cls.port = free_port()

    def script(self):
        """The page's commands, with marks between the blocks and one look at the table before its columns go."""
        out = ["set -euo pipefail", "export PSQLRC=/dev/null", 'trap \'kill $(jobs -p); wait\' EXIT']
        for number, block in enumerate(self.blocks, 1):
            if "DROP COLUMN" in block:
                out.append("psql -Atc \"SELECT row_to_json(c) FROM customers c ORDER BY id\" > before.ndjson")
            out += [f"printf '\\n== {number}\\n'", block.replace("127.0.0.1:7700", f"127.0.0.1:{self.port}")]
        return "\n".join(out + ["printf '\\n== end\\n'", 'printf "%s" "$APP" > token'])

    def test_the_walk_through(self):
        self.assertGreaterEqual(len(self.blocks), 9)
        env = dict(os.environ, **self.postgres.env)
        env["PATH"] = os.pathsep.join([harness.BIN, self.postgres.bin, env["PATH"]])
        env.pop("BOURN_TOKEN", None)
        done = subprocess.run(["bash", "-c", self.script()], cwd=self.tmp, env=env, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        parts = re.split(r"\n== (?:\d+|end)\n", done.stdout)
        self.assertIn("1000 rows: 1000 stored, 0 skipped, 0 rejected", parts[4])
        self.assertIn("different: 0", parts[5].splitlines())
        one, found, *names = parts[6].splitlines()
        self.assertEqual(json.loads(one)["name"], 'Ånn "the 42", of Nowhere\nTown')
        self.assertEqual(json.loads(one)["email"], "")
        self.assertEqual([json.dumps(json.loads(found)).count('"c43@mail.example"')], [1])
        disclosed = [json.loads(line) for line in names if '"data"' in line]
        self.assertEqual(len(disclosed), 10)
        self.assertTrue(all(list(d["data"]) == ["name"] for d in disclosed))
        self.assertEqual([line.split("|")[:2] for line in parts[8].splitlines() if line], [["basic", "900"], ["plus", "100"]])
        self.assertEqual(parts[9].splitlines()[-2:], ["404", "5"])
        self.assertFalse(set(os.listdir(self.tmp)) & {"moved.csv", "moved.ndjson", "import.rejects"})
        self.after()

    def after(self):
        """What the page promises, looked at with other eyes: nothing was lost, and nothing is left behind."""
        columns = self.postgres.ask("SELECT attname FROM pg_attribute WHERE attrelid = 'customers'::regclass AND attnum > 0 "
                                    "AND NOT attisdropped ORDER BY attnum")
        self.assertEqual(columns, ["id", "plan"])
        file = os.path.join(self.postgres.data, self.postgres.ask("SELECT pg_relation_filepath('customers')")[0])
        with open(file, "rb") as f:
            self.assertNotIn(b"Nowhere", f.read())
        with open(os.path.join(self.tmp, "token")) as f:
            token = f.read()
        with open(os.path.join(self.tmp, "before.ndjson"), encoding="utf-8") as f:
            before = [json.loads(line) for line in f]
        cell = harness.Cell(self.tmp, make=False).serve()
        self.addCleanup(cell.close)
        connection = cell.connect()
        for row in before:
            answer = cell.ask("GET", cell.records_path(str(row["id"]), "customers"), token, harness.HOME_PURPOSE,
                              connection=connection)
            if row["id"] == 42:
                self.problem(answer, 404)
                continue
            del row["plan"]
            want = {name: "" if value is None else str(value) for name, value in row.items()}
            self.assertEqual([r["data"] for r in self.ok(answer)["records"]], [want])
        connection.close()
        self.assertEqual(len(before), 1000)


class ExitCodes(unittest.TestCase):
    def test_the_page_has_every_code_and_no_other(self):
        with open(os.path.join(harness.SOURCE, "docs", "guide", "exit-codes.md"), encoding="utf-8") as f:
            bourn, verify = f.read().split("of `bourn-verify`")
        rows = lambda text: set(re.findall(r"(?m)^\| (\d+) \|", text))
        texts = [harness.run("bourn", "--help").stdout]
        for words in re.findall(r"(?m)^  ([a-z]+(?: [a-z]+)?) {2,}\S", texts[0]):
            texts.append(harness.run("bourn", *words.split(), "--help").stdout)
        codes = lambda text: set(re.findall(r"(?:[,;:] )(\d+) ", text[text.lower().index("exit: "):]))
        self.assertEqual(rows(bourn), set().union(*map(codes, texts)))
        self.assertEqual(rows(verify), codes(harness.run("bourn-verify", "--help").stdout))


if __name__ == "__main__":
    result = unittest.main(verbosity=2, exit=False).result
    sys.exit(1 if not result.wasSuccessful() else SKIPPED if result.skipped else 0)

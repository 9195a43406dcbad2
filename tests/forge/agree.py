"""Two verifiers that share nothing but docs/formats, bourn-verify and web/verify.mjs, over one corpus: every forgery of
`forge --list`, damaged files, other shapes of a log, cosigned and continued ones, honest logs of several sizes, and logs with
something changed at random. Of all but the last the exit code, the first finding's place and its clause are written down in
the generators; and of all of them both must say the same: exit code, verdict a clause, counts, every place and clause that is
found, coverage. With BOURN_BROWSER naming a Chromium the second verifier is a page in it, not Node.
"""
import json, os, shutil, subprocess, sys, tempfile, unittest
from pathlib import Path

import damage, page, served

BIN, HERE = Path(os.environ["BOURN_BIN"]), Path(__file__).resolve().parent
MJS = HERE.parent.parent / "web/verify.mjs"
NODE = os.environ.get("BOURN_NODE", "node")
BROWSER = os.environ.get("BOURN_BROWSER")  # "": look for one
WORK = Path(tempfile.mkdtemp(prefix="bourn-agree-"))
MUTANTS, SEED = int(os.environ.get("BOURN_MUTANTS", "150")), os.environ.get("BOURN_SEED", "1")
SKIPPED = 77


def run(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True).stdout


class Node:
    """One process of many.mjs: start-up costs more than most cases."""
    def __init__(self):
        self.p = subprocess.Popen([NODE, HERE / "many.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def verify(self, o):
        self.p.stdin.write(json.dumps(o) + "\n")
        self.p.stdin.flush()
        answer = json.loads(self.p.stdout.readline())
        assert "crash" not in answer, answer["crash"]
        return answer

    def close(self):
        self.p.stdin.close()
        self.p.wait()
        self.p.stdout.close()


def bourn_verify(o):
    args = [BIN / "bourn-verify", o["folder"], "--key", o["key"], "--json"]
    for name in ("rows", "evidence"):
        args += [f"--{name}", o[name]] if o.get(name) else []
    for option in ("policy", "continues", "continues_rows"):
        args += [f"--{option.replace('_', '-')}", o[option]] if o.get(option) else []
    for option in ("head", "receipt"):
        for name in o.get(f"{option}s", []):
            args += [f"--{option}", name]
    p = subprocess.run(args, capture_output=True, text=True, timeout=600)
    assert "Sanitizer" not in p.stderr and "runtime error" not in p.stderr, p.stderr
    assert p.returncode in (0, 1, 2) and p.stdout, f"{p.returncode}: {p.stderr}"
    report = json.loads(p.stdout)
    assert report["exit"] == p.returncode
    return report


def both(node, cell, rows=True, evidence=True, head=True):
    o = {"folder": str(cell / "ledger"), "key": str(cell / "ledger.vkey")}
    if rows:
        o["rows"] = str(cell / "rows")
    if evidence:
        o["evidence"] = str(cell / "evidence.cborseq")
    if head:
        o["heads"] = [str(cell / "head" if (cell / "head").exists() else GOOD / "head")]
    if (cell / "receipt").exists():
        o["receipts"] = [str(cell / "receipt")]
    if (cell / "policy").exists():
        o["policy"] = str(cell / "policy")
    if (cell / "old").exists():
        o["continues"] = str(cell / "old/ledger")
        if (cell / "old/rows").exists():
            o["continues_rows"] = str(cell / "old/rows")
    return bourn_verify(o), node.verify(o)


def place(v):
    return ("entry", v["entry"]) if "entry" in v else ("size", v["size"])


def summary(r):
    """What two verifiers must agree about; how often a thing is said of one place, and in which words, is their own."""
    return {
        "exit": r["exit"], "checkpoint": r["checkpoint"], "stopped": r["error"] is not None,
        "verdicts": {c["id"]: c["verdict"] for c in r["clauses"]},
        "counts": {c["id"]: [c["examined"], c["not_examined"], c["unpinned"], c["erased"]] for c in r["clauses"]},
        "found": sorted({(*place(v), v["clause"]) for v in r["violations"]}),
        "first": (*place(r["violations"][0]), r["violations"][0]["clause"]) if r["violations"] else None,
        "coverage": r["coverage"],
    }


def differences(c, js):
    a, b = summary(c), summary(js)
    if max(c["violations_total"], js["violations_total"]) > 100:  # no more are listed, and each repeats itself in its own way
        a.pop("found"), b.pop("found")
    if a["stopped"]:  # how far each had come by then is its own
        for s in (a, b):
            s.pop("counts"), s.pop("coverage")
    return {k: (a[k], b[k]) for k in a if a[k] != b[k]}


class Agreement(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.node = page.Page(BROWSER) if BROWSER is not None else Node()

    def tearDown(self):
        self.node.close()

    def check(self, name, cell, expected=None, **layers):
        with self.subTest(name):
            c, js = both(self.node, cell, **layers)
            self.assertEqual(differences(c, js), {}, f"{name}: bourn-verify, then verify.mjs: {c['violations'][:4]} {c['error']} / {js['violations'][:4]} {js['error']}")
            if expected:
                v = c["violations"][0] if c["violations"] else None
                got = {"exit": c["exit"], "place": v and place(v), "clause": v and v["clause"], "error": c["error"] is not None}
                self.assertEqual(got, expected, c["violations"][:4])
            shutil.rmtree(cell)
            return
        if os.environ.get("BOURN_KEEP"):  # a folder for what they differ about
            shutil.copytree(cell, Path(os.environ["BOURN_KEEP"]) / name.replace(" ", "-"), dirs_exist_ok=True)
        shutil.rmtree(cell)

    def copy(self, name):
        cell = WORK / name
        shutil.copytree(GOOD, cell)
        return cell

    def forged(self, name):
        cell = self.copy(name)
        kind, at, clause = run(BIN / "forge", cell, "--evidence", "evidence.cborseq", name).split()
        (cell / "head").unlink()
        return cell, (kind, int(at)), clause

    def test_forgeries(self):
        names = [line.split()[0] for line in run(BIN / "forge", "--list").splitlines()]
        self.assertGreaterEqual(len(names), 60)
        for name in names:
            cell, at, clause = self.forged(name)
            if name == "honest-earlier":
                self.check(name, cell, {"exit": 2, "place": None, "clause": None, "error": False}, evidence=False, head=False)
                continue
            honest = name.startswith("honest-")
            self.assertEqual(clause == "-", honest, f"{name} stands in no line of expected.c")
            self.check(name, cell, {"exit": 0, "place": None, "clause": None, "error": False} if honest else {"exit": 1, "place": at, "clause": clause, "error": False})

    def test_what_only_a_head_convicts_is_not_provable_without(self):
        for name in damage.UNPROVABLE:
            cell, _, _ = self.forged(name)
            c, js = both(self.node, cell, head=False)
            for r in (c, js):
                self.assertEqual((r["exit"], r["violations"]), (0, []), name)
                self.assertEqual({k["verdict"] for k in r["clauses"] if k["id"] in ("S1", "V1")}, {"not provable"}, name)
            shutil.rmtree(cell)

    def test_damaged_files_and_layers(self):
        for name, build, expected, layers in damage.CASES:
            cell = self.copy(name)
            build(cell)
            self.check(name, cell, expected, **layers)

    def test_shapes(self):
        for line in run(NODE, HERE / "shapes.mjs", GOOD, WORK / "shapes").splitlines():
            name, code, at, clause, error = line.split("\t")
            kind, _, index = at.partition(" ")
            expected = {"exit": int(code), "place": None if at == "-" else (kind, int(index)), "clause": None if clause == "-" else clause, "error": error == "error"}
            self.check(name, WORK / "shapes" / name, expected, head=False)

    def test_witnesses_and_logs_that_go_on(self):
        """What only a policy, or the log before, decides."""
        cosigned = self.copy("cosigned")
        run(BIN / "forge", cosigned, "--evidence", "evidence.cborseq", "honest-witnessed")
        for line in run(NODE, HERE / "worlds.mjs", GOOD, cosigned, WORK / "worlds").splitlines():
            name, code, at, clause, error, v1 = line.split("\t")
            kind, _, index = at.partition(" ")
            cell = WORK / "worlds" / name
            layers = {"head": (cell / "head").exists(), "evidence": not name.startswith("leaves-")}  # of the people left out it is gone
            c, js = both(self.node, cell, **layers)
            self.assertEqual([k["verdict"] for r in (c, js) for k in r["clauses"] if k["id"] == "V1"], [v1, v1], (name, c["violations"][:3], c["error"]))
            expected = {"exit": int(code), "place": None if at == "-" else (kind, int(index)), "clause": None if clause == "-" else clause, "error": error == "error"}
            self.check(name, cell, expected, **layers)

    def test_honest_logs_of_several_sizes(self):
        for size in (20, 254, 255, 256, 257, 512, 513, 3500):
            cell = WORK / f"honest-{size}"
            run(BIN / "forge-make", cell, "--entries", str(size))
            self.check(cell.name, cell, {"exit": 0, "place": None, "clause": None, "error": False}, head=False)

    def test_usage(self):
        key, ledger, rows = GOOD / "ledger.vkey", GOOD / "ledger", GOOD / "rows"
        (WORK / "no.vkey").write_text("no key\n")
        for want, args in ((64, []), (64, [ledger]), (64, [ledger, "--key"]), (64, [ledger, "--key", key, "--pin", "xyz"]),
                           (64, [ledger, "--key", key, "--nonsense"]), (64, [ledger, rows, "--key", key]),
                           (64, [ledger, "--key", key, "--evidence", GOOD / "evidence.cborseq"]),
                           (64, [ledger, "--key", key, "--save-evidence", WORK / "saved"]),
                           (2, [ledger, "--key", WORK / "no.vkey"]), (2, [ledger, "--key", WORK / "nothing"]),
                           (2, [ledger, "--key", key, "--head", WORK / "nothing"]), (2, [ledger, "--key", key]),
                           (0, [ledger, "--key", key, "--rows", rows, "--evidence", GOOD / "evidence.cborseq", "--head", GOOD / "head"]),
                           (0, ["--help"])):
            codes = [subprocess.run([*program, *args], capture_output=True).returncode for program in ([BIN / "bourn-verify"], [NODE, MJS])]
            self.assertEqual(codes, [want, want], args)

    def test_a_kept_head_is_the_checkpoint(self):
        kept = WORK / "kept"
        subprocess.run([NODE, MJS, GOOD / "ledger", "--key", GOOD / "ledger.vkey", "--save-head", kept], capture_output=True)
        self.assertEqual(kept.read_bytes(), (GOOD / "ledger/checkpoint").read_bytes())

    def test_a_page_needs_nothing_of_node(self):
        steps, report = run(NODE, HERE / "browser.mjs", GOOD).splitlines()
        report = json.loads(report)
        self.assertEqual((int(steps), report["exit"], report["violations"]), (3, 0, []))
        c, _ = both(self.node, GOOD)
        self.assertEqual(differences(c, report), {})

    def test_logs_with_something_changed(self):
        run(BIN / "forge-make", WORK / "small", "--entries", "200")
        run(NODE, HERE / "mutate.mjs", WORK / "small", WORK / "mutants", SEED, str(MUTANTS))
        for i in range(MUTANTS):
            self.check(f"mutant {i} of seed {SEED}", WORK / "mutants" / str(i), head=False)

    def test_cosigned_and_continued_logs_with_something_changed(self):
        cosigned = self.copy("small-cosigned")
        run(BIN / "forge", cosigned, "--evidence", "evidence.cborseq", "honest-witnessed")
        run(NODE, HERE / "worlds.mjs", GOOD, cosigned, WORK / "changed")
        for name, kinds in (("quorum", "25"), ("goes-on", "30,31")):
            run(NODE, HERE / "mutate.mjs", WORK / "changed" / name, WORK / "mutants", SEED, str(MUTANTS // 3), kinds)
            for i in range(MUTANTS // 3):
                self.check(f"mutant {i} of {name}, seed {SEED}", WORK / "mutants" / str(i), head=False)


class OverHttp(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.server = served.serve(GOOD)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def programs(self, *more, token="secret", url=None, env=None):
        """[(exit code, report or None)] of both."""
        out = []
        for program in ([BIN / "bourn-verify"], [NODE, MJS]):
            environment = {**os.environ, **({"BOURN_TOKEN": token} if token else {}), **(env or {})}
            self.server.asked.clear()
            p = subprocess.run([*program, url or self.server.url, "--key", GOOD / "ledger.vkey", "--json", *more],
                               capture_output=True, text=True, timeout=300, env=environment)
            out.append((p.returncode, json.loads(p.stdout) if p.stdout else None))
        return out

    def same(self, exit, *more, **options):
        (a, c), (b, js) = self.programs(*more, **options)
        self.assertEqual((a, b), (exit, exit), (c and (c["error"], c["violations"][:3]), js and (js["error"], js["violations"][:3])))
        if c:
            self.assertEqual(differences(c, js), {})
        return c, js

    def test_everything(self):
        saved = WORK / "saved.cborseq"
        _, js = self.same(0, "--save-evidence", saved)
        self.assertEqual((js["violations"], js["error"], js["coverage"]["evidence_given"]), ([], None, True))
        self.assertEqual(saved.stat().st_mode & 0o777, 0o600)
        self.assertEqual(saved.read_bytes(), (GOOD / "evidence.cborseq").read_bytes())
        self.assertTrue(self.server.asked and all(0 < b - a <= 1024 for a, b in self.server.asked))

    def test_public_alone(self):
        self.same(2, token=None)

    def test_a_wrong_token(self):
        (a, _), (b, _) = self.programs(token="wrong")
        self.assertEqual((a, b), (2, 2))

    def test_several_purposes_need_one(self):
        self.server.party["purposes"].append({"purpose": "dpv:Other"})
        self.same(64)
        self.same(0, "--purpose", "dpv:LegalCompliance")

    def test_withheld(self):
        whole = self.server.all
        for status in (None, 2, 3):
            with self.subTest(status):
                index, self.server.all = served.without(whole, status)
                for r in self.same(1):
                    self.assertEqual((r["violations"][0]["entry"], r["violations"][0]["clause"]), (index, "V3"))

    def test_refused_by_right_is_not_examined(self):
        self.server.party["index"] = 5  # the lab: abroad, and without the right to audit
        _, self.server.all = served.without(self.server.all, 3)
        self.same(2)

    def test_erased_meanwhile(self):
        """The evidence dies behind the checkpoint that was fixed: a later checkpoint explains it, to each of them."""
        later = WORK / "later"
        shutil.copytree(GOOD, later)
        run(BIN / "forge", later, "--evidence", "evidence.cborseq", "honest-erasure")
        after = served.items((later / "evidence.cborseq").read_bytes())

        def evidence(a, b):
            self.server.cell = later
            return b"".join(x for i, x in after if a <= i < b)
        self.server.evidence = evidence
        for program in ([BIN / "bourn-verify"], [NODE, MJS]):
            self.server.cell = GOOD
            p = subprocess.run([*program, self.server.url, "--key", GOOD / "ledger.vkey", "--json"], capture_output=True, text=True,
                               timeout=300, env={**os.environ, "BOURN_TOKEN": "secret"})
            r = json.loads(p.stdout)
            self.assertEqual((p.returncode, r["violations"], r["error"]), (0, [], None))
            self.assertGreater(r["checkpoint"]["size"], 600)

    def test_a_token_stays_with_its_server(self):
        """A redirect is not followed, and plain http to another machine gets no token at all."""
        other = served.serve(GOOD)
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        self.server.moved["/ledger/tile/rows/000"] = other.url + "/tile/rows/000"
        for code, r in self.programs():
            self.assertEqual(code, 2)
            self.assertIn("tile/rows/000", r["error"])
        for code, _ in self.programs(url="http://bourn.invalid/ledger"):
            self.assertEqual(code, 64)


if __name__ == "__main__":
    if not shutil.which(NODE):
        print("skipped: node is not there (Debian: nodejs)")
        sys.exit(SKIPPED)
    if BROWSER == "":
        BROWSER = shutil.which("chromium")
        if not BROWSER:
            print("skipped: chromium is not there (tools/test --browser installs it)")
            sys.exit(SKIPPED)
    GOOD = WORK / "good"
    run(BIN / "forge-make", GOOD, "--entries", "600")
    shutil.copy(GOOD / "ledger/checkpoint", GOOD / "head")
    try:
        unittest.main(verbosity=2)
    finally:
        shutil.rmtree(WORK, ignore_errors=True)

"""A cheating operator against the real bourn-verify: every forgery is found and named, and nothing else is."""
import http.server, json, os, random, shutil, subprocess, sys, tempfile, threading, unittest
from pathlib import Path

BIN = Path(os.environ["BOURN_BIN"])
WORK = Path(tempfile.mkdtemp(prefix="bourn-forge-"))
PARTY_KIND, LAB_PURPOSE = 5, "dpv:ResearchAndDevelopment"


def make(name, entries):
    subprocess.run([BIN / "forge-make", WORK / name, "--entries", str(entries)], check=True)
    return WORK / name


def verify(cell, *more, source=None, layers=True, env=None):
    """Exit code and report."""
    args = [BIN / "bourn-verify", source or cell / "ledger", "--key", cell / "ledger.vkey", "--json", *more]
    if layers:
        args += ["--rows", cell / "rows", "--evidence", cell / "evidence.cborseq"]
    p = subprocess.run(args, capture_output=True, text=True, timeout=600, env={**os.environ, **(env or {})})
    # A sanitizer ends with 1 too, so a report must be there.
    sound = "Sanitizer" not in p.stderr and "runtime error" not in p.stderr
    assert sound and (p.stdout if p.returncode in (0, 1, 2) else p.returncode == 64), f"{p.returncode}: {p.stderr}"
    return p.returncode, json.loads(p.stdout) if p.stdout else p.stderr


def cases():
    text = subprocess.run([BIN / "forge", "--list"], check=True, capture_output=True, text=True).stdout
    return [line.split()[0] for line in text.splitlines()]


def forge(name, case):
    cell = WORK / name
    shutil.rmtree(cell, ignore_errors=True)
    shutil.copytree(GOOD, cell)
    p = subprocess.run([BIN / "forge", cell, "--evidence", "evidence.cborseq", case], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    kind, at, _ = p.stdout.split()
    return cell, {kind: int(at)}


def verdicts(report):
    return {c["id"]: c["verdict"] for c in report["clauses"]}


def kinds(cell):
    found = set()
    for path in sorted((cell / "ledger/tile/entries").iterdir()):
        data = b"".join(f.read_bytes() for f in ([path] if path.is_file() else path.iterdir()))
        at = 0
        while at < len(data):
            n = int.from_bytes(data[at:at + 2], "big")
            entry = data[at + 2:at + 2 + n]
            found.add(entry[entry.index(1, 1) + 1])
            at += 2 + n
    return found


class Good(unittest.TestCase):
    def test_every_kind_is_there(self):
        self.assertEqual(kinds(GOOD), {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16, 19, 20, 21})

    def test_holds_with_everything(self):
        code, r = verify(GOOD, "--head", HEAD)
        self.assertEqual((code, r["violations"], r["error"]), (0, [], None))
        v = verdicts(r)
        self.assertEqual(v["P0"], "not provable")
        self.assertEqual({v[c] for c in ("H2", "T1", "T2", "T3", "T4")}, {"no entries yet"})
        self.assertEqual({v[c] for c in ("K1", "K3", "K4", "S1", "S2", "V1", "V2")}, {"holds"})
        self.assertEqual({v[c] for c in ("C1", "C2", "C3", "H1", "S3", "V3")}, {"undecidable because erased"})
        s3 = next(c for c in r["clauses"] if c["id"] == "S3")
        self.assertGreater(s3["erased"]["party"], 0)
        self.assertEqual(s3["erased"]["person"] + s3["erased"]["operator"], 0)
        self.assertEqual(r["checkpoint"]["earlier_heads"], 1)
        self.assertTrue(all(p["pinned"] for p in r["coverage"]["packs"]))

    def test_without_a_head_two_clauses_are_not_provable(self):
        code, r = verify(GOOD)
        self.assertEqual(code, 0)
        self.assertEqual([c for c, v in verdicts(r).items() if v == "not provable"], ["P0", "S1", "V1"])

    def test_a_layer_that_is_not_given_is_not_examined(self):
        code, r = verify(GOOD, layers=False)
        self.assertEqual((code, r["violations_total"]), (2, 0))
        self.assertEqual(verdicts(r)["C3"], "not examined")
        self.assertEqual(verdicts(r)["K2"], "not examined")
        code, r = verify(GOOD, "--rows", GOOD / "rows", layers=False)
        self.assertEqual((code, verdicts(r)["S3"], verdicts(r)["K3"]), (2, "not examined", "holds"))

    def test_plain_text(self):
        p = subprocess.run([BIN / "bourn-verify", GOOD / "ledger", "--key", GOOD / "ledger.vkey", "--rows", GOOD / "rows",
                            "--evidence", GOOD / "evidence.cborseq"], capture_output=True, text=True)
        self.assertEqual(p.returncode, 0)
        for words in ("P0  not provable", "S2  holds", "checkpoint   size", "2 unreviewed, pinned"):
            self.assertIn(words, p.stdout)

    def test_usage(self):
        for args in ([], [GOOD / "ledger"], [GOOD / "ledger", "--key", GOOD / "ledger.vkey", "--pin", "xyz"],
                     [GOOD / "ledger", "--key", GOOD / "ledger.vkey", "--nonsense"]):
            self.assertEqual(subprocess.run([BIN / "bourn-verify", *args], capture_output=True).returncode, 64)

    def test_nothing_to_forge_is_written_back_as_it_was(self):
        code, _ = verify(make("again", 30))
        self.assertEqual(code, 0)


class Forgeries(unittest.TestCase):
    def test_there_are_enough(self):
        self.assertGreaterEqual(len(cases()), 25)


def forgery(case):
    def test(self):
        cell, expected = forge("forged", case)
        kept = ("--receipt", cell / "receipt") if (cell / "receipt").exists() else ()
        code, r = verify(cell, "--head", HEAD, "--jobs", "1", *kept)
        for jobs in ("2", "5"):  # whoever finds it: the same is said, to the last word
            self.assertEqual(verify(cell, "--head", HEAD, "--jobs", jobs, *kept), (code, r))
        self.assertEqual(code, 1, r)
        first = r["violations"][0]
        self.assertEqual({k: first[k] for k in ("entry", "size") if k in first}, expected, r["violations"][:5])
        self.assertEqual(verdicts(r)[first["clause"]], "violated")
    return test


def policy_of(cell):
    """The witness policy that a forged log names, as a file."""
    data = b"".join(f.read_bytes() for f in sorted((cell / "ledger/tile/entries").rglob("*")) if f.is_file())
    start = data.index(b"witness w0 ")
    path = cell / "policy"
    path.write_bytes(data[start:data.index(b"quorum both\n", start) + 12])
    return path


class Cosignatures(unittest.TestCase):
    def test_good_ones(self):
        cell, _ = forge("witnessed", "honest-witnessed")
        code, r = verify(cell, "--head", HEAD)
        self.assertEqual((code, r["violations"], r["coverage"]["witnesses"]["entries"]), (0, [], 2))
        self.assertEqual(verdicts(r)["V1"], "holds")
        # Under a policy of the user's own, an earlier head is not enough: the checkpoint itself has no quorum.
        code, r = verify(cell, "--head", HEAD, "--policy", policy_of(cell))
        self.assertEqual((code, r["violations"], verdicts(r)["V1"], verdicts(r)["S1"]), (0, [], "not provable", "not provable"))
        w = r["coverage"]["witnesses"]
        self.assertTrue(w["policy_given"] and 0 < w["cosigned_size"] < r["checkpoint"]["size"], w)

    def test_policies_that_do_not_read(self):
        cell, _ = forge("witnessed", "honest-witnessed")
        good = policy_of(cell).read_text()
        bad = cell / "bad"
        for text in ("", good.replace("both 2", "both 3"), good + "quorum both\n", good[:-1]):
            bad.write_text(text)
            p = subprocess.run([BIN / "bourn-verify", cell / "ledger", "--key", cell / "ledger.vkey", "--policy", bad],
                               capture_output=True, text=True)
            self.assertEqual((p.returncode, "witness policy" in p.stderr), (2, True), text)
        other = (make("other", 30) / "ledger.vkey").read_text().strip()
        bad.write_text(f"log {other}\n{good}")
        p = subprocess.run([BIN / "bourn-verify", cell / "ledger", "--key", cell / "ledger.vkey", "--policy", bad],
                           capture_output=True, text=True)
        self.assertEqual((p.returncode, "not among them" in p.stderr), (64, True))


class OnlyAHeadConvicts(unittest.TestCase):
    def test_without_it_nothing_shows(self):
        for case in ("rewritten", "fork", "rolled-back"):
            cell, _ = forge("forged", case)
            code, r = verify(cell)
            self.assertEqual((case, code, r["violations"]), (case, 0, []))
            self.assertEqual(verdicts(r)["V1"], "not provable")


class OnlyAReceiptConvicts(unittest.TestCase):
    def test_without_it_nothing_shows(self):
        for case in ("kept-left-out", "kept-replaced", "kept-cut-off"):
            cell, _ = forge("forged", case)
            code, r = verify(cell, "--head", HEAD)
            self.assertEqual((case, code, r["violations"]), (case, 0, []))
            code, r = verify(cell)
            self.assertEqual(verdicts(r)["V1"], "not provable")

    def test_a_true_one_counts_as_a_head(self):
        cell, at = forge("forged", "honest-receipt")
        code, r = verify(cell, "--receipt", cell / "receipt")
        self.assertEqual((code, r["violations"], r["checkpoint"]["receipts"], r["checkpoint"]["earlier_heads"]), (0, [], 1, 0))
        self.assertEqual(verdicts(r)["V1"], "holds")

    def test_one_that_this_key_did_not_sign_says_nothing(self):
        good, _ = forge("forged", "honest-receipt")
        text = (good / "receipt").read_text()
        other = make("other-log", 60)
        p = subprocess.run([BIN / "forge", other, "--evidence", "evidence.cborseq", "honest-receipt"], capture_output=True)
        self.assertEqual(p.returncode, 0)
        index = next(line for line in text.splitlines() if line.startswith("index"))
        for what in ((other / "receipt").read_text(), text.replace(index, "index 1"), text[:-9], (good / "ledger/checkpoint").read_text(),
                     text.split("\n\n")[0] + "\n\n" + (good / "ledger/checkpoint").read_text().split("\n\n")[1]):
            (good / "receipt").write_text(what)
            p = subprocess.run([BIN / "bourn-verify", good / "ledger", "--key", good / "ledger.vkey", "--receipt", good / "receipt"],
                               capture_output=True, text=True)
            self.assertEqual((p.returncode, p.stdout), (2, ""), what)
            self.assertIn("receipt: ", p.stderr)


class Unreadable(unittest.TestCase):
    def copy(self):
        cell = WORK / "broken"
        shutil.rmtree(cell, ignore_errors=True)
        shutil.copytree(GOOD, cell)
        return cell

    def test_missing_files(self):
        for name in ("ledger/tile/0/000", "ledger/tile/entries/000", "rows/000", "ledger/checkpoint"):
            cell = self.copy()
            (cell / name).unlink()
            code, r = verify(cell)
            self.assertEqual((name, code), (name, 2))
            self.assertIn(name.removeprefix("rows/") if name.startswith("rows") else name, r["error"])
            self.assertNotIn("holds", verdicts(r).values())

    def test_a_full_tile_stands_in_for_a_partial_one(self):
        cell, _ = forge("earlier", "honest-earlier")
        shutil.rmtree(cell / "ledger/tile/0/001.p")
        code, r = verify(cell, "--rows", cell / "rows", layers=False)
        self.assertEqual((code, r["error"], r["violations_total"], r["coverage"]["entries"]), (2, None, 0, 300))

    def test_a_fifo_and_a_link_are_not_read(self):
        cell = self.copy()
        (cell / "ledger/checkpoint").unlink()
        os.mkfifo(cell / "ledger/checkpoint")
        self.assertEqual(verify(cell)[0], 2)

    def test_wrong_key(self):
        other = make("other", 30)
        shutil.copy(other / "ledger.vkey", (cell := self.copy()) / "ledger.vkey")
        code, r = verify(cell)
        self.assertEqual(code, 2)
        self.assertIsNone(r["checkpoint"])


class Noise(unittest.TestCase):
    def test_no_changed_byte_passes_or_crashes(self):
        rng = random.Random(int(os.environ.get("BOURN_SEED", "1")))
        cell = WORK / "noise"
        shutil.rmtree(cell, ignore_errors=True)
        shutil.copytree(GOOD, cell)
        files = [p for p in cell.rglob("*") if p.is_file() and p.parent.name != "signer" and p.name != "ledger.vkey"]
        for turn in range(int(os.environ.get("BOURN_NOISE", "120"))):
            path = rng.choice(files)
            before = path.read_bytes()
            data = bytearray(before)
            for _ in range(rng.choice((1, 1, 1, 8))):
                what = rng.randrange(4)
                at = rng.randrange(len(data))
                if what < 2:
                    data[at] ^= 1 << rng.randrange(8)
                elif what == 2:
                    del data[at:at + rng.randrange(1, 40)]
                else:
                    data[at:at] = rng.randbytes(rng.randrange(1, 40))
                if not data:
                    break
            path.write_bytes(data)
            code, r = verify(cell, "--head", HEAD, "--jobs", "1")
            self.assertIn(code, (1, 2), f"turn {turn}: a change of {path} passed")
            self.assertEqual(verify(cell, "--head", HEAD, "--jobs", "3"), (code, r))
            path.write_bytes(before)
        self.assertEqual(verify(cell)[0], 0)

    def test_nothing_may_follow(self):
        for path in sorted((GOOD / "ledger").rglob("*")) + sorted((GOOD / "rows").rglob("*")):
            if not path.is_file():
                continue
            before = path.read_bytes()
            path.write_bytes(before + bytes(40))
            code = verify(GOOD)[0]
            path.write_bytes(before)
            self.assertIn(code, (1, 2), f"bytes behind the end of {path} passed")


class Server(http.server.BaseHTTPRequestHandler):
    """A cell over HTTP: the files, the party, and an evidence route that a test can bend."""
    def log_message(self, *_):
        pass

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def granted(self):
        return self.headers.get("Authorization") == "Bearer secret"

    def do_GET(self):
        cell = self.server.cell
        if self.path == "/v1/party" and self.granted():
            return self.answer(200, json.dumps(self.server.party).encode())
        if self.path.startswith("/ledger/tile/rows/"):
            path = cell / "rows" / self.path.removeprefix("/ledger/tile/rows/")
            if not self.granted():
                return self.answer(401)
        else:
            path = cell / self.path.removeprefix("/")
        self.answer(200, path.read_bytes()) if path.is_file() else self.answer(404)

    def do_POST(self):
        ask = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.granted() or self.headers.get("Bourn-Purpose") != "dpv:LegalCompliance":
            return self.answer(403)
        self.server.asked.append((ask["from"], ask["to"]))
        self.answer(200, self.server.evidence(ask["from"], ask["to"]))


def items(data):
    """The evidence file cut into (index, bytes): maps {1: uint, 2: bytes16, 3: uint, 4: bytes32, 5: bytes}."""
    def head(at):
        low = data[at] & 31
        n = {24: 1, 25: 2, 26: 4}.get(low, 0)
        return (int.from_bytes(data[at + 1:at + 1 + n], "big") if n else low), at + 1 + n
    at, out = 0, []
    while at < len(data):
        start = at
        pairs, at = head(at)
        for _ in range(pairs):
            key, at = head(at)
            major = data[at] >> 5
            value, at = head(at)
            at += value if major == 2 else 0
            index = value if key == 1 else index
        out.append((index, data[start:at]))
    return out


class OverHttp(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        self.server.cell, self.server.asked = GOOD, []
        self.all = items((GOOD / "evidence.cborseq").read_bytes())
        self.server.evidence = lambda a, b: b"".join(x for i, x in self.all if a <= i < b)
        self.server.party = {"index": 8, "name": "watchdog", "purposes": [{"purpose": "dpv:LegalCompliance"}]}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/ledger"

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def verify(self, *more, token="secret"):
        env = {"BOURN_TOKEN": token} if token else {}
        return verify(GOOD, *more, source=self.url, layers=False, env=env)

    def test_holds(self):
        saved = WORK / "saved.cborseq"
        code, r = self.verify("--save-evidence", saved)
        self.assertEqual((code, r["violations"], r["error"]), (0, [], None))
        self.assertEqual(saved.stat().st_mode & 0o777, 0o600)
        self.assertEqual(saved.read_bytes(), (GOOD / "evidence.cborseq").read_bytes())
        self.assertTrue(all(0 < b - a <= 1024 for a, b in self.server.asked))

    def test_public_alone(self):
        code, r = self.verify(token=None)
        self.assertEqual((code, r["violations_total"], r["error"]), (2, 0, None))

    def test_wrong_token(self):
        code, r = self.verify(token="wrong")
        self.assertEqual(code, 2)

    def test_several_purposes_need_one(self):
        self.server.party["purposes"].append({"purpose": "dpv:Other"})
        self.assertEqual(self.verify()[0], 64)
        self.assertEqual(self.verify("--purpose", "dpv:LegalCompliance")[0], 0)

    def withhold(self, status):
        """Answers the first opened item with another status, or not at all."""
        index, item = next((i, x) for i, x in self.all if x[0] == 0xa5)
        at = item.index(b"\x03\x01", 3)
        short = bytes([0xa3]) + item[1:at] + bytes([3, status]) if status else b""
        self.all = [(i, short if x is item else x) for i, x in self.all]
        return index

    def test_withheld(self):
        whole = self.all
        for status in (None, 2, 3):
            with self.subTest(status):
                self.all = whole
                index = self.withhold(status)
                code, r = self.verify()
                self.assertEqual((code, r["violations"][0]["entry"], r["violations"][0]["clause"]), (1, index, "V3"))

    def test_refused_by_right_is_not_examined(self):
        self.server.party["index"] = 5  # the lab: abroad, and without the right to audit
        self.withhold(3)
        code, r = self.verify()
        self.assertEqual((code, r["violations_total"], verdicts(r)["S3"]), (2, 0, "not examined"))

    def test_erased_while_it_is_read(self):
        """The evidence dies behind the checkpoint that was fixed: a later checkpoint explains it."""
        later = WORK / "later"
        shutil.rmtree(later, ignore_errors=True)
        shutil.copytree(GOOD, later)
        p = subprocess.run([BIN / "forge", later, "--evidence", "evidence.cborseq", "honest-erasure"],
                           capture_output=True, text=True)
        self.assertEqual(p.returncode, 0, p.stderr)
        after = items((later / "evidence.cborseq").read_bytes())

        def evidence(a, b):
            self.server.cell = later
            return b"".join(x for i, x in after if a <= i < b)
        self.server.evidence = evidence
        first = verify(GOOD)[1]["checkpoint"]["size"]
        code, r = self.verify()
        self.assertEqual((code, r["violations"], r["error"]), (0, [], None))
        self.assertGreater(r["checkpoint"]["size"], first)


class Jobs(unittest.TestCase):
    def test_the_bytes_of_the_report_do_not_depend_on_them(self):
        cell = make("jobs", 3000)
        said = set()
        for jobs in ("1", "2", "7", "64"):
            for layers in ([], ["--rows", cell / "rows"],
                           ["--rows", cell / "rows", "--evidence", cell / "evidence.cborseq"], ["--structure", "--rows", cell / "rows"]):
                p = subprocess.run([BIN / "bourn-verify", cell / "ledger", "--key", cell / "ledger.vkey", "--json", "--jobs", jobs,
                                    *layers], capture_output=True, check=False)
                said.add((tuple(layers), p.returncode, p.stdout))
        self.assertEqual(len(said), 4)

    def test_structure_examines_nothing_else(self):
        code, r = verify(GOOD, "--structure")
        self.assertEqual((code, r["violations_total"], set(verdicts(r).values()) - {"no entries yet", "not provable"}),
                         (2, 0, {"not examined"}))

    def test_structure_still_finds_what_is_altered(self):
        for case in ("row-altered", "row-dropped", "missing-prev", "wrong-prev", "entry-altered", "tile-altered", "rewritten"):
            cell, expected = forge("forged", case)
            code, r = verify(cell, "--structure", "--head", HEAD)
            first = r["violations"][0]
            self.assertEqual((code, {k: first[k] for k in ("entry", "size") if k in first}), (1, expected), case)

    def test_usage(self):
        for jobs in ("0", "65", "x", ""):
            self.assertEqual(subprocess.run([BIN / "bourn-verify", GOOD / "ledger", "--key", GOOD / "ledger.vkey", "--jobs", jobs],
                                            capture_output=True).returncode, 64)


class Large(unittest.TestCase):
    def test_a_hundred_thousand_entries(self):
        cell = make("large", int(os.environ.get("BOURN_LARGE", "100000")))
        code, r = verify(cell)
        self.assertEqual((code, r["violations"], r["error"]), (0, [], None))
        # forge-make stops behind the turn that reaches the number, and a turn may write two entries.
        wanted = int(os.environ.get("BOURN_LARGE", "100000"))
        self.assertIn(r["coverage"]["entries"] - wanted, (0, 1))
        self.assertEqual(r["coverage"]["entries"], r["checkpoint"]["size"])


GOOD = make("good", 600)
HEAD = WORK / "head"
assert verify(GOOD, "--save-head", HEAD)[0] == 0
for one in cases():
    if not one.startswith("honest-"):
        setattr(Forgeries, "test_" + one.replace("-", "_"), forgery(one))
try:
    unittest.main(argv=sys.argv, exit=True)
finally:
    shutil.rmtree(WORK, ignore_errors=True)

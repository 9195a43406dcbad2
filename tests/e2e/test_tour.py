"""The tour, as it is written: every command verbatim, run by bash, and each output that it names checked.

The build itself (`./tools/build`) is what came before this test; everything behind it is run here. A curl
configuration (CURL_HOME) writes status and receipt of each answer to standard error, so that the commands stay as
they are."""

import json
import os
import shutil
import socket
import stat
import subprocess
import time
import unittest

import harness
import people

BEYOND = "public folder with rows"  # from here on, what only comments of the tour name

# (name, command). The commands are the tour's own lines.
TOUR = [
    ("environment", "PATH=$PWD/build/release/bin:$PATH U=http://127.0.0.1:7700"),
    ("copy", "cp $BOURN_DATA/legislators-historical.csv people.csv"),
    ("init", 'bourn init cn --domicile CN --controller "Clinic Ltd" --origin cn.example/ledger'),
    ("serve", "bourn serve cn --listen 127.0.0.1:7700 &"),
    ("ready", "until curl -fs $U/healthz; do sleep 1; done"),
    ("collection", "bourn collection add cn people --infer people.csv"),
    ("notice", 'bourn notice add cn research --language en --text "Lab (US) studies careers"'),
    ("clinic", "CLINIC=$(bourn party add cn clinic --kind app --jurisdiction CN --purpose dpv:ServiceProvision "
               "--ground dpv:Contract --rights read,write,consent,enrol,erase)"),
    ("lab", "LAB=$(bourn party add cn lab --kind app --jurisdiction US --purpose dpv:ResearchAndDevelopment)"),
    ("watchdog", "DOG=$(bourn party add cn watchdog --kind auditor --jurisdiction CN --purpose dpv:LegalCompliance "
                 "--ground dpv:LegalObligation --rights audit)"),
    ("import", "BOURN_TOKEN=$CLINIC bourn import cn people.csv --collection people --subject bioguide_id "
               "--purpose dpv:ServiceProvision"),
    ("subject", "S=$U/v1/subjects/B000944"),
    ("c()", 'c() { curl -s -H "Authorization: Bearer $CLINIC" -H "Bourn-Purpose: dpv:ServiceProvision" "$@"; }'),
    ("l()", 'l() { curl -s -H "Authorization: Bearer $LAB" -H "Bourn-Purpose: dpv:ResearchAndDevelopment" "$@"; }'),
    ("v()", "v() { BOURN_TOKEN=$DOG bourn-verify $U/ledger --key cn/ledger.vkey; }"),
    ("clinic reads", "c $S/records/people"),
    ("lab is refused", "l $S/records/people"),
    ("code", "CODE=$(c -X POST $S/enrolments | jq -r .code)"),
    ("key", "bourn consent key new alice.key"),
    ("enrol", "bourn consent enrol $U --code $CODE --key alice.key"),
    ("request", "c --json '{\"purposes\":[\"dpv:ResearchAndDevelopment\"],\"recipients\":[\"lab\"],"
                "\"collections\":[\"people\"],\"expires\":\"2031-01-01\",\"notice\":\"research\"}' "
                "$S/consent-requests > s.json"),
    ("sign", "bourn consent sign s.json --key alice.key > c.json"),
    ("consent", "ID=$(c --json @c.json $S/consents | jq -r .id)"),
    ("lab reads", "l $S/records/people"),
    ("withdraw", "c -X DELETE $S/consents/$ID"),
    ("lab is refused again", "l $S/records/people"),
    ("verify", "v"),
    ("erase and verify", "c -X DELETE $S; v"),
    ("log", "bourn log cn"),
    ("public folder alone", "bourn-verify cn/ledger --key cn/ledger.vkey"),
    ("public folder with rows", "bourn-verify cn/ledger --key cn/ledger.vkey --rows cn/rows"),
    ("after the erasure", "c $S/records/people"),
    ("variables", 'printf "%s\\n" "$CLINIC" "$LAB" "$DOG" "$CODE" "$ID"'),
    ("drain", "kill -TERM $!; wait $!"),
]


class Tour(harness.Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.steps = os.path.join(cls.tmp, "steps")
        cls.work = os.path.join(cls.tmp, "work")
        os.makedirs(os.path.join(cls.work, "build", "release"))
        os.makedirs(cls.steps)
        harness.program("bourn")
        os.symlink(harness.BIN, os.path.join(cls.work, "build", "release", "bin"))
        with open(os.path.join(cls.tmp, ".curlrc"), "w") as f:
            f.write('write-out = "%{stderr}HTTP %{http_code} %{content_type} %header{bourn-receipt}\\n"\n')
        cls.data = people.folder(cls.tmp)
        cls.script()

    @classmethod
    def script(cls):
        """One bash for all steps; the files of step N are N.out, N.err and N.rc."""
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", 7700))
                port = None
            except OSError:
                s.bind(("127.0.0.1", 0))
                port = str(s.getsockname()[1])
                print(f"port 7700 is taken: the tour runs on {port}")
        lines = ["set +m"]
        for n, (_, command) in enumerate(TOUR):
            command = command.replace("7700", port) if port else command
            lines += [f"exec >{cls.steps}/{n}.out 2>{cls.steps}/{n}.err", command, f"echo $? >{cls.steps}/{n}.rc"]
        env = dict(os.environ, BOURN_DATA=cls.data, CURL_HOME=cls.tmp)
        env.pop("BOURN_TOKEN", None)
        path = os.path.join(cls.tmp, "tour.sh")
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")
        process = subprocess.Popen(["bash", path], cwd=cls.work, env=env, start_new_session=True, stdin=subprocess.DEVNULL)
        started = time.monotonic()
        while process.poll() is None:
            time.sleep(0.1)
            waited = time.monotonic() - started
            if waited > 420 or (waited > 30 and "listening on" not in cls.text("serve")):
                os.killpg(process.pid, 9)
                last = max(int(f.split(".")[0]) for f in os.listdir(cls.steps))
                raise AssertionError(f"the tour hangs in: {TOUR[last][1]}\n" + cls.text(TOUR[last][0], "err")[-2000:]
                                     + cls.text("serve", "err")[-2000:])

    @classmethod
    def text(cls, name, kind="out"):
        n = [step[0] for step in TOUR].index(name)
        path = f"{cls.steps}/{n}.{kind}"
        if not os.path.exists(path):
            return ""
        with open(path) as f:
            return f.read()

    def exits(self, name, code):
        found = int(self.text(name, "rc"))
        self.assertEqual(found, code, f"{name}: {self.text(name)[-1500:]}\n{self.text(name, 'err')[-1500:]}")

    def answered(self, name):
        """[(status, content type, receipt)] of the curl calls of a step."""
        out = []
        for line in self.text(name, "err").splitlines():
            if line.startswith("HTTP "):
                _, status, *rest = line.split(" ")
                out.append((int(status), rest[0] if rest else "", rest[1] if len(rest) > 1 else ""))
        return out

    def test_01_commands_before_the_people(self):
        for name in ("init", "ready", "collection", "notice", "clinic", "lab", "watchdog", "import"):
            with self.subTest(name):
                self.exits(name, 0)
        cell = os.path.join(self.work, "cn")
        for name in ("bourn.yaml", "ledger.vkey", "keys/root.key", "ledger/checkpoint"):
            self.assertTrue(os.path.exists(os.path.join(cell, name)), name)
        for name in ("keys/root.key", "signer/log.key"):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(cell, name)).st_mode), 0o600, name)
        with open(os.path.join(cell, "ledger.vkey")) as f:
            self.assertRegex(f.read(), r"^cn\.example/ledger\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44}\n?$")
        self.assertRegex(self.text("serve"), r"(?m)^listening on http://127\.0\.0\.1:\d+$")
        self.assertEqual(self.answered("ready")[-1][0], 200)

    def test_02_the_schema_is_printed(self):
        out = self.text("collection")
        for column in people.COLUMNS:
            self.assertIn(column, out)

    def test_03_tokens_are_one_line_and_differ(self):
        clinic, lab, dog, code, consent = self.text("variables").splitlines()
        self.assertEqual(len({clinic, lab, dog}), 3)
        for token in (clinic, lab, dog):
            self.assertRegex(token, r"^\S{20,}$")
        self.assertRegex(code, r"^\S{8,}$")
        self.assertNotEqual(code, "null")
        self.assertRegex(consent, r"^\d+$")

    def test_04_the_clinic_reads_the_row_as_it_was(self):
        self.exits("clinic reads", 0)
        status, kind, receipt = self.answered("clinic reads")[0]
        self.assertEqual((status, kind.split(";")[0]), (200, "application/json"))
        self.assertRegex(receipt, r"^\d+$")
        got = json.loads(self.text("clinic reads"))
        row = next(r for r in people.read(os.path.join(self.data, people.NAME)) if r["bioguide_id"] == people.ALICE)
        self.assertEqual(set(got), {"records", "next"})
        self.assertIsNone(got["next"])
        self.assertEqual(len(got["records"]), 1)
        self.assertEqual(got["records"][0]["version"], 1)
        self.assertIn("id", got["records"][0])
        self.assertEqual(got["records"][0]["data"], row)

    def refused(self, name):
        status, kind, _ = self.answered(name)[0]
        self.assertEqual((status, kind), (403, "application/problem+json"))
        problem = json.loads(self.text(name))
        self.assertEqual((problem["status"], problem["code"]), (403, "basis_missing"))
        self.assertIn("type", problem)
        missing = json.dumps(problem["missing"])
        self.assertIn("subject_consent", missing)
        self.assertIn("authority_approval", missing)
        self.assertIn("pledge-2015/S3-crossing", missing)

    def test_05_the_lab_is_refused_and_told_what_is_missing(self):
        self.refused("lab is refused")

    def test_06_the_person_enrols_and_signs(self):
        for name in ("code", "key", "enrol", "request", "sign", "consent"):
            with self.subTest(name):
                self.exits(name, 0)
        key = os.path.join(self.work, "alice.key")
        self.assertEqual(stat.S_IMODE(os.stat(key).st_mode), 0o600)
        with open(key) as f:
            self.assertRegex(f.read(), r"^-----BEGIN PRIVATE KEY-----\n")
        told = self.text("enrol") + self.text("enrol", "err")
        self.assertIn("app", told)  # who vouched for the key
        with open(os.path.join(self.work, "s.json")) as f:
            self.assertIn("statement", json.load(f))
        with open(os.path.join(self.work, "c.json")) as f:
            signed = json.load(f)
        self.assertEqual(set(signed), {"statement", "signature", "public_key"})
        words = self.text("sign", "err")  # shows in words what is signed
        for word in ("lab", "US", "people", "2031-01-01", "Clinic Ltd"):
            self.assertIn(word, words)
        self.assertEqual(self.answered("consent")[0][0], 201)

    def test_07_the_lab_reads_with_a_receipt(self):
        status, _, receipt = self.answered("lab reads")[0]
        self.assertEqual(status, 200)
        self.assertRegex(receipt, r"^\d+$")
        self.assertEqual(json.loads(self.text("lab reads"))["records"], json.loads(self.text("clinic reads"))["records"])

    def test_08_withdrawn_is_refused(self):
        self.assertIn(self.answered("withdraw")[0][0], (200, 204))
        self.refused("lab is refused again")

    def test_09_the_verifier_holds(self):
        self.exits("verify", 0)
        self.assertRegex(self.text("verify"), r"(?im)^.*\bholds\b")
        self.assertNotRegex(self.text("verify"), r"(?im)^\W*[A-Z]\d\W.*\bviolated\b")

    def test_10_erased_and_still_holding(self):
        self.assertIn(self.answered("erase and verify")[0][0], (200, 204))
        self.exits("erase and verify", 0)
        self.assertIn("undecidable because erased", self.text("erase and verify").lower())
        self.assertEqual(self.answered("after the erasure")[0][0], 404)

    def test_11_the_log(self):
        self.exits("log", 0)
        for kind in ("genesis", "policy", "collection", "config", "party", "notice", "enrolled", "key", "consent",
                     "withdrawn", "stored", "disclosed", "refused", "erased"):
            self.assertRegex(self.text("log"), rf"\b{kind}\b")

    def test_12_the_public_folder_alone(self):
        self.exits("public folder alone", 2)
        self.assertIn("not examined", self.text("public folder alone").lower())
        self.exits("public folder with rows", 2)  # evidence is still not examined
        self.assertNotEqual(self.text("public folder alone"), self.text("public folder with rows"))

    def test_13_no_secret_is_logged(self):
        log = self.text("serve", "err") + self.text("serve")
        for secret in self.text("variables").splitlines()[:4] + [people.ALICE]:
            self.assertNotIn(secret, log)

    def test_14_sigterm_drains(self):
        self.exits("drain", 0)


if __name__ == "__main__":
    shutil.which("jq") or print("the tour needs jq")
    unittest.main(verbosity=2)

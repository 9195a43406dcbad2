"""Nested people of a JSON array: types guessed and said, imported as a stream, read back equal, bad elements left out."""

import json
import os
import random
import resource
import subprocess
import unittest

import harness
import people

NAME = "legislators-current.json"


def made_up(count=537):
    """People who do not exist, nested like those of legislators-current.json."""
    rng = random.Random("bourn nested people 1")
    out = []
    for row in people.made_up(count):
        person = {"id": {"bioguide": row["bioguide_id"], "govtrack": int(row["govtrack_id"]),
                         "fec": [f"H{rng.randint(0, 10**8):08}" for _ in range(rng.randint(0, 3))]},
                  "name": {"first": row["first_name"], "last": row["last_name"], "official_full": 'a "b" \\ ü 😀'},
                  "bio": {"birthday": row["birthday"], "gender": row["gender"]},
                  "terms": [{"type": row["type"], "start": f"{1990 + n}-01-03", "state": row["state"], "class": None,
                             "party": row["party"], "weight": 0.5, "address": f"{n} Main St,\n[{{rear}}]", "current": n == 0}
                            for n in range(rng.randint(1, 30))]}
        if rng.random() < 0.2:
            person["leadership_roles"] = [{"title": "Whip", "start": "2001-01-03"}]
        out.append(person)
    return out


def folder(scratch):
    """The path of the array: that of BOURN_DATA, or a generated one."""
    given = os.environ.get("BOURN_DATA")
    if given and os.path.exists(os.path.join(given, NAME)):
        return os.path.join(given, NAME)
    path = os.path.join(scratch, NAME)
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as f:
            json.dump(made_up(), f, indent=2, ensure_ascii=False)
    return path


class JsonImport(harness.Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.array = folder(cls.tmp)
        with open(cls.array, encoding="utf-8") as f:
            cls.people = json.load(f)
        cls.cell = harness.Cell(cls.tmp).serve()
        cls.addClassCleanup(cls.cell.close)
        cls.CLINIC = cls.cell.clinic()

    def load(self, source, check=0, stdin=None, extra=()):
        return self.cell.load(source, self.CLINIC, subject="id.bioguide", check=check, stdin=stdin, extra=extra)

    def read(self, ident, connection=None):
        answer = self.cell.ask("GET", self.cell.records_path(ident), self.CLINIC, harness.HOME_PURPOSE, connection=connection)
        return [r["data"] for r in self.ok(answer)["records"]]

    def test_1_what_is_guessed_is_said(self):
        done = self.cell.collection(self.array)
        self.assertIn(f"{len(self.people)} rows", done.stderr)
        for field in ("id", "name", "bio", "terms", "leadership_roles"):
            self.assertIn(f"{field} json", done.stderr)
            self.assertIn(f'name: "{field}", type: json', done.stdout)

    def test_2_all_are_imported_and_read_back_equal(self):
        self.assertGreaterEqual(len(self.people), 537)
        done = self.load(self.array)
        self.assertIn(f"{len(self.people)} rows: {len(self.people)} stored, 0 skipped, 0 rejected", done.stdout)
        connection = self.cell.connect()
        for person in self.people:
            self.assertEqual(self.read(person["id"]["bioguide"], connection), [person])
        connection.close()

    def test_3_other_spacing_is_the_same_rows(self):
        with open(self.array, "rb") as f:
            escaped = b"\\u" in f.read()
        text = json.dumps(self.people, ensure_ascii=escaped, indent="\t", separators=(" ,", " :\r\n")).encode()
        done = self.load("-", stdin=b"\xef\xbb\xbf\n" + text, extra=("--format", "json"))
        self.assertIn(f"0 stored, {len(self.people)} skipped", done.stdout)

    def test_4_bad_elements_are_left_out(self):
        good = dict(self.people[0], id={"bioguide": "TEST-1"})
        nameless = dict(self.people[0], id={"other": "x"})
        path = os.path.join(self.tmp, "mixed.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write('[\n7,\n{"id": {"bioguide": "TEST-2"}, "name": 1 2},\n' + json.dumps(good) + ",\n" + json.dumps(nameless) +
                    ',\n{"id": {"bioguide": "TEST-3"}, "shoe": 44}]')
        done = self.load(path, check=2)
        self.assertIn("5 rows: 1 stored, 0 skipped, 4 rejected", done.stdout)
        for line in (2, 3, 5, 6):
            self.assertIn(f"line {line}: ", done.stderr)
        self.assertEqual(self.read("TEST-1"), [good])
        with open(path + ".rejects", encoding="utf-8") as f:
            self.assertEqual([json.loads(line)["line"] for line in f], [2, 3, 5, 6])

    def test_5_a_file_that_is_cut_off_says_so(self):
        path = os.path.join(self.tmp, "cut.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write(json.dumps([dict(self.people[0], id={"bioguide": "TEST-4"})])[:-1])
        done = self.load(path, check=1)
        self.assertIn("no end", done.stderr)
        self.assertIn("not complete", done.stderr)
        with open(path, "w", encoding="utf-8") as f:
            f.write('{"id": 1}')
        self.assertIn("begins with [", self.load(path, check=1).stderr)

    @unittest.skipIf(os.environ.get("BOURN_SANDBOX") == "off", "a sanitizer needs address space without a limit")
    def test_6_memory_does_not_grow_with_the_file(self):
        """Under a limit of address space below the file's size."""
        path = os.path.join(self.tmp, "large.json")
        person = json.dumps(dict(self.people[0], id={"bioguide": "TEST-5"}))
        with open(path, "w", encoding="utf-8") as f:
            f.write("[")
            for n in range(160):
                f.write(("," if n else "") + person + "\n" * (1 << 20))
            f.write("]")
        limit = 96 << 20
        self.assertGreater(os.path.getsize(path), limit)
        env = dict(os.environ, BOURN_TOKEN=self.CLINIC)
        done = subprocess.run([harness.program("bourn"), "import", self.cell.path, path, "--collection", "people", "--subject",
                               "id.bioguide", "--purpose", harness.HOME_PURPOSE], capture_output=True, env=env, timeout=300,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"160 rows: 1 stored, 159 skipped", done.stdout)

    def test_7_many_large_records_of_one_person(self):
        """Each batch compares its rows with what the person holds once: it was once a row, 13 s of processor for these."""
        path = os.path.join(self.tmp, "visits.ndjson")
        visits = [{"who": "V1", "number": f"{n:08}", "text": "x" * 2000} for n in range(3000)]
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(v) + "\n" for v in visits + visits[:700])
        self.cell.collection(path, "visits")
        before = self.vault_s()
        done = self.cell.load(path, self.CLINIC, collection="visits", subject="who")
        self.assertIn("3700 rows: 3000 stored, 700 skipped, 0 rejected", done.stdout)
        done = self.cell.load(path, self.CLINIC, collection="visits", subject="who")
        self.assertIn("3700 rows: 0 stored, 3700 skipped, 0 rejected", done.stdout)
        self.assertLess(self.vault_s() - before, 5)
        read = self.ok(self.cell.ask("GET", self.cell.records_path("V1", "visits"), self.CLINIC, harness.HOME_PURPOSE))
        self.assertEqual([r["data"] for r in read["records"]], visits[:1000])

    def vault_s(self):
        """CPU seconds of the vault's process."""
        with open(f"/proc/{self.cell.children['vault']}/stat") as f:
            spent = f.read().rsplit(")", 1)[1].split()
        return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    unittest.main(verbosity=2)

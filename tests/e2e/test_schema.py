"""A schema that changes in place, with `bourn collection add` alone: a field added, renamed, retired, a type tightened. It takes
effect when it says; old records stay readable and findable, by the present names; what cannot be is refused with a sentence that
names the field, and writes nothing."""

import datetime
import json
import os
import time
import unittest

import harness

HOME = harness.HOME_PURPOSE
MERGE = {"Content-Type": "application/merge-patch+json"}
DELAY_S = 3

FIRST = """fields:
  - { name: id, type: text, required: true }
  - { name: surname, type: text }
  - { name: born, type: text }
  - { name: city, type: text }
  - { name: phone, type: text, searchable: true }
"""
SECOND = """fields:
  - { name: id, type: text, required: true }
  - { name: last_name, type: text }
  - { name: born, type: date }
  - { name: phone, type: text, searchable: true }
  - { name: email, type: text, searchable: true }
renamed:
  - { from: surname, to: last_name }
"""


class Schema(harness.Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cell = harness.Cell(cls.tmp, extra=("--delay", str(DELAY_S))).serve()
        cls.addClassCleanup(cls.cell.close)
        cls.CLINIC = cls.cell.party("clinic", ground="dpv:Contract", rights="read,write,search")
        cls.DOG = cls.cell.watchdog()

    def add(self, text, name="people", check=0, extra=()):
        """`bourn collection add --schema`; returns what it printed and said."""
        path = os.path.join(self.tmp, "schema.yaml")
        with open(path, "w") as f:
            f.write(text)
        return harness.run("bourn", "collection", "add", self.cell.path, name, "--schema", path, *extra, check=check)

    def home(self, method, path, body=None, **more):
        return self.cell.ask(method, path, self.CLINIC, HOME, body, **more)

    def records(self, who, query=""):
        return [r["data"] for r in self.ok(self.home("GET", self.cell.records_path(who) + query))["records"]]

    def post(self, row):
        return self.home("POST", self.cell.records_path(row["id"]), row)

    def search(self, **where):
        return [r["data"] for r in self.ok(self.home("POST", "/v1/search", {"collection": "people", "where": where}))["records"]]

    def wait_for(self, told):
        """Until the moment that the answer names, and then a request that is past it."""
        at = datetime.datetime.strptime(told["takes_effect"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
        time.sleep(max(0.0, at - time.time()) + 0.1)

    def size(self):
        return json.loads(harness.run("bourn", "status", self.cell.path, "--json").stdout)["entries"]

    def refused(self, text, *words, name="people", extra=()):
        before = self.size()
        done = self.add(text, name=name, check=1, extra=extra)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertEqual(self.size(), before, "nothing was written")

    # -- the story -------------------------------------------------------------------------------------------------------

    def test_1_the_first_takes_effect_at_once(self):
        done = self.add(FIRST)
        self.assertRegex(done.stderr, r"^collection people: version 1, entry \d+; takes effect at \d{4}-\d\d-\d\dT")
        type(self).a = {"id": "a", "surname": "Abe", "born": "1980-02-03", "city": "Ürümqi", "phone": "1"}
        type(self).b = {"id": "b", "surname": "Bo", "born": "in spring", "city": "Xi'an", "phone": "2"}
        for row in (self.a, self.b):
            self.assertEqual(self.post(row).status, 201)
        self.assertEqual(self.records("a"), [self.a])

    def test_2_a_change_waits_for_its_time(self):
        told = json.loads(self.add(SECOND, extra=("--json",)).stdout)
        self.assertEqual((told["version"], told["name"]), (2, "people"))
        self.assertEqual(told["renamed"], [{"from": "surname", "to": "last_name"}])
        early = dict(self.a, city="Hotan")
        self.assertEqual(self.post(dict(early, id="early")).status, 201, "the old schema still holds")
        self.problem(self.post({"id": "x", "last_name": "X"}), 422, "field_undeclared")
        self.assertEqual(self.records("a"), [self.a])
        self.wait_for(told)
        self.problem(self.post(dict(early, id="late")), 422, "field_undeclared")

    def test_3_old_records_read_by_present_names(self):
        present = lambda row: {"last_name" if k == "surname" else k: v for k, v in row.items()}
        self.assertEqual(self.records("a"), [present(self.a)], "the retired field is still part of what was stored")
        self.assertEqual(self.records("b"), [present(self.b)], "what was stored under the wider type too")
        self.assertEqual(self.records("a", "?fields=last_name,born"), [{"last_name": "Abe", "born": "1980-02-03"}])
        for retired in ("surname", "city"):
            self.problem(self.home("GET", self.cell.records_path("a") + "?fields=" + retired), 422, "field_undeclared")
        self.assertEqual(self.search(phone="1"), [present(self.a), dict(present(self.a), id="early", city="Hotan")])

    def test_4_new_records_follow_the_new_schema(self):
        path = os.path.join(self.tmp, "new.ndjson")
        good = {"id": "n", "last_name": "New", "born": "1999-12-31", "phone": "9", "email": "n@mail.example"}
        with open(path, "w") as f:
            f.writelines(json.dumps(row) + "\n" for row in (good, dict(good, id="m", born="in spring"), dict(good, id="o", city="Kashgar")))
        done = self.cell.load(path, self.CLINIC, subject="id", check=2)
        self.assertIn("3 rows: 1 stored, 0 skipped, 2 rejected", done.stdout)
        self.assertIn("line 2: /born: not of the declared type date", done.stderr)
        self.assertIn("line 3: /city: the collection does not declare this field", done.stderr)
        self.assertEqual(self.search(email="n@mail.example"), [good])
        self.problem(self.home("POST", "/v1/search", {"collection": "people", "where": {"last_name": "New"}}), 422, "where_malformed")

    def test_5_a_patch_brings_a_record_to_the_present(self):
        path = self.cell.records_path("a", record=1)
        self.ok(self.home("PATCH", path, '{"email":"a@mail.example"}', headers=MERGE))
        now = {"id": "a", "last_name": "Abe", "born": "1980-02-03", "phone": "1", "email": "a@mail.example"}
        self.assertEqual(self.records("a"), [now])
        self.assertEqual(self.search(email="a@mail.example"), [now])
        path = self.cell.records_path("b", record=1)
        self.problem(self.home("PATCH", path, '{"phone":"22"}', headers=MERGE), 422, "field_type")
        self.assertEqual(len(self.search(phone="2")), 1, "a refused patch changes nothing")
        self.ok(self.home("PATCH", path, '{"phone":"22","born":"1990-03-21"}', headers=MERGE))
        self.assertEqual(self.search(phone="2"), [])
        self.assertEqual(self.records("b"), [{"id": "b", "last_name": "Bo", "born": "1990-03-21", "phone": "22"}])

    def test_6_what_cannot_be_is_refused(self):
        as_now = SECOND.partition("renamed:")[0]
        self.refused(as_now.replace("born, type: date", "born, type: integer"), "type_refused", "/fields/2 is born, type integer")
        self.refused(as_now.replace("last_name, type: text", "last_name, type: text, searchable: true"), "searchable_refused",
                     "/fields/1 is last_name")
        self.refused(as_now.replace("phone", "telephone") + "renamed:\n  - { from: phone, to: telephone }\n", "rename_refused",
                     "not searchable", "/renamed/0 is from phone to telephone")
        self.refused(as_now.replace("last_name", "name") + "renamed:\n  - { from: nobody, to: name }\n", "rename_refused",
                     "from nobody to name")
        self.refused(as_now + "renamed:\n  - { from: surname, to: email }\n", "rename_refused", "from surname to email")
        self.refused(FIRST.replace("surname", "name") + "renamed:\n  - { from: surname, to: name }\n", "rename_malformed", name="new")

    def test_6_what_cannot_be_meant_is_refused_before(self):
        as_now = SECOND.partition("renamed:")[0]
        self.refused(as_now + "renamed:\n  - { from: surname, to: name }\n", "declares the new name, and it alone")
        self.refused(as_now + "renamed:\n  - { from: a, to: email }\n  - { from: a, to: phone }\n", "renamed already")
        self.refused(as_now + "renamed:\n  - { from: a b, to: email }\n", "from one name to another")
        self.refused(as_now + "renamed:\n  - { from: surname }\n", "line")
        for extra, why in ((("--rename", "surname"), "OLD=NEW"), (("--rename", "a=nothing"), "declares the new name"),
                           (("--rename", "x" * 70 + "=email"), "OLD=NEW"), (("--rename", "=email"), "from one name to another")):
            done = self.add(as_now, check=64, extra=extra)
            self.assertIn(why, done.stderr)

    def test_7_renamed_again(self):
        third = SECOND.partition("renamed:")[0].replace("last_name", "family_name")
        told = json.loads(self.add(third, extra=("--rename", "last_name=family_name", "--json")).stdout)
        self.assertEqual(told["version"], 3)
        self.wait_for(told)
        row = {"id": "c", "family_name": "Cho", "born": "1970-01-01", "phone": "3", "email": "c@mail.example"}
        self.assertEqual(self.post(row).status, 201)
        self.assertEqual(self.search(email="c@mail.example"), [row])
        self.assertEqual([r["family_name"] for r in self.records("early") + self.records("a") + self.records("n")],
                         ["Abe", "Abe", "New"], "over both renames, and over one")

    def test_7_an_inferred_schema_renames_too(self):
        path = os.path.join(self.tmp, "new.csv")
        infer = ("bourn", "collection", "add", self.cell.path, "inferred", "--infer", path)
        with open(path, "w") as f:
            f.write("id,town\nz,Turpan\n")
        self.assertIn('- { name: "town", type: text }', harness.run(*infer).stdout)
        self.cell.load(path, self.CLINIC, collection="inferred", subject="id")
        with open(path, "w") as f:
            f.write("id,place,since\nz,Aksu,2001-01-01\n")
        done = harness.run(*infer, "--rename", "town=place", "--json")
        self.assertIn("guessed of 3 fields: id text, place text, since date", done.stderr)
        self.wait_for(json.loads(done.stdout))
        self.cell.load(path, self.CLINIC, collection="inferred", subject="id")
        got = self.ok(self.home("GET", self.cell.records_path("z", "inferred")))["records"]
        self.assertEqual([r["data"] for r in got], [{"id": "z", "place": "Turpan"}, {"id": "z", "place": "Aksu", "since": "2001-01-01"}])

    def test_7_an_inferred_schema_keeps_what_data_cannot_say(self):
        """And `collection list` shows the version that holds now."""
        text = ("retention_days: 400\nsensitive: true\nfields:\n  - { name: id, type: text, required: true }\n"
                "  - { name: note, type: text, searchable: true, sensitive: true }\n")
        self.add(text, name="kept")
        rows = os.path.join(self.tmp, "kept.csv")
        with open(rows, "w") as f:
            f.write("id,note,more\nk1,a,b\n")
        said = harness.run("bourn", "collection", "add", self.cell.path, "kept", "--infer", rows)
        self.assertIn("note stays searchable", said.stderr)
        listed = lambda: {c["name"]: c for c in
                          json.loads(harness.run("bourn", "collection", "list", self.cell.path, "--json").stdout)["collections"]}
        self.assertEqual(listed()["kept"]["version"], 1)
        time.sleep(DELAY_S + 1)
        now = listed()["kept"]
        self.assertEqual((now["version"], now["sensitive"], now["retention_s"]), (2, True, 400 * 86400))
        fields = {f["name"]: (f["required"], f["sensitive"], f["searchable"]) for f in now["fields"]}
        self.assertEqual(fields, {"id": (True, False, False), "note": (False, True, True), "more": (False, False, False)})

    def test_8_the_same_after_a_restart(self):
        before = {who: self.records(who) for who in ("a", "b", "c", "n", "early")}
        self.cell.kill()
        self.cell.serve()
        self.assertEqual({who: self.records(who) for who in before}, before)
        self.problem(self.post({"id": "x", "last_name": "X"}), 422, "field_undeclared")
        versions = [e["version"] for e in self.cell.entries() if e["kind"] == "collection" and e["name"] == "people"]
        self.assertEqual(versions, [1, 2, 3])
        self.cell.verify(self.DOG)

    def test_9_what_is_exported_is_called_by_present_names(self):
        out = os.path.join(self.tmp, "out.ndjson")
        people = ("a", "b", "c", "n")
        harness.run("bourn", "export", self.cell.path, "-", "--collection", "people", "--purpose", HOME, "--out", out,
                    token=self.CLINIC, stdin="\n".join(people) + "\n")
        with open(out) as f:
            exported = [json.loads(line)["data"] for line in f]
        self.assertEqual(exported, [record for who in people for record in self.records(who)])
        done = self.cell.load(out, self.CLINIC, subject="id", extra=("--format", "export"))
        self.assertRegex(done.stdout, r"4 rows: \d stored, \d skipped, 0 rejected")


if __name__ == "__main__":
    unittest.main(verbosity=2)

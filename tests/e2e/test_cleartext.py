"""No name, identifier or value of seven bytes or more of any person stands in the clear in any file of the cell."""

import json
import os
import subprocess
import unittest

import harness
import people

LEAST = 7


class ClearText(harness.Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.csv = os.path.join(people.folder(cls.tmp), people.NAME)
        cls.people = people.read(cls.csv)
        cls.cell = harness.Cell(cls.tmp).serve()
        cls.addClassCleanup(cls.cell.close)
        cls.live()

    @classmethod
    def live(cls):
        """Everything that happens to people: import, reads, enrolment, consent, refusal, withdrawal, erasure."""
        cell, a, b = cls.cell, people.ALICE, cls.people[7]["bioguide_id"]
        cell.collection(cls.csv)
        cell.notice()
        clinic, lab, dog = cell.clinic(), cell.lab(), cell.watchdog()
        cls.secrets = {clinic, lab, dog}
        cell.load(cls.csv, clinic)
        for row in cls.people[:200]:
            assert cell.ask("GET", cell.records_path(row["bioguide_id"]), clinic, harness.HOME_PURPOSE).status == 200
        key = os.path.join(cls.tmp, "alice.key")
        cell.enrol(clinic, a, key)
        consent = cell.consent(clinic, a, key)
        cell.enrol(clinic, b, key + ".b")
        cell.consent(clinic, b, key + ".b")
        assert cell.ask("GET", cell.records_path(a), lab, harness.LAB_PURPOSE).status == 200
        assert cell.ask("GET", cell.records_path(cls.people[9]["bioguide_id"]), lab, harness.LAB_PURPOSE).status == 403
        new = dict(cls.people[11], wikipedia_id="Somebody Written Through The API")
        cls.people.append(new)
        assert cell.ask("POST", cell.records_path(cls.people[11]["bioguide_id"]), clinic, harness.HOME_PURPOSE,
                        new).status == 201
        bad = dict(new, undeclared_field="A Value That Was Refused")
        cls.people.append({"undeclared": "A Value That Was Refused"})
        assert cell.ask("POST", cell.records_path(cls.people[11]["bioguide_id"]), clinic, harness.HOME_PURPOSE,
                        bad).status in (400, 422)
        assert cell.ask("DELETE", f"/v1/subjects/{a}/consents/{consent}", clinic, harness.HOME_PURPOSE).status in (200, 204)
        assert cell.ask("DELETE", f"/v1/subjects/{b}", clinic, harness.HOME_PURPOSE).status in (200, 204)
        # Paths and bodies that go wrong, with an identifier in them: nothing of it may reach a log.
        cell.ask("GET", f"/v1/subjects/{a}/nothing", clinic, harness.HOME_PURPOSE)
        cell.ask("POST", cell.records_path(a), clinic, harness.HOME_PURPOSE, '{"last_name": "' + cls.people[3]["wikipedia_id"])
        cls.live_searchable()
        cell.verify(dog)
        for _ in range(5):  # a file that got its own name since it was listed: list them again
            cls.scan_live = cls.files()
            cls.first = cls.scanner(cls.scan_live)
            if cls.first[0] != 2 or "No such file" not in cls.first[1]:
                break
        cell.kill()
        cell.serve()
        cell.stop()

    @classmethod
    def live_searchable(cls):
        """The same people in a collection that can be searched by everything, with an end; search, bulk, patch, names."""
        cell, some = cls.cell, cls.people[3000:4000]
        csv, yaml = os.path.join(cls.tmp, "some.csv"), os.path.join(cls.tmp, "found.yaml")
        people.write(csv, some)
        with open(yaml, "w") as f:
            f.write(people.schema(people.COLUMNS, "retention_days: 30\n"))
        harness.run("bourn", "collection", "add", cell.path, "found", "--schema", yaml)
        finder = cell.party("finder", ground="dpv:Contract", rights="read,write,enrol,erase,search")
        cls.secrets.add(finder)
        cell.load(csv, finder, collection="found")

        def ask(method, path, body, **headers):
            kind = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
            answer = cell.ask(method, path, finder, harness.HOME_PURPOSE, body, headers={**kind, **headers})
            assert answer.status in (200, 201), answer
            return answer
        for row in some[:50]:
            where = {name: row[name] for name in ("wikipedia_id", "birthday") if row[name]}
            found = json.loads(ask("POST", "/v1/search", {"collection": "found", "where": where}).body)["records"]
            assert row in [{**dict.fromkeys(people.COLUMNS, ""), **r["data"]} for r in found], row
        assert json.loads(ask("POST", "/v1/search", {"collection": "found", "where": {"last_name": "Sought By Somebody"}}).body)["records"] == []
        cls.people.append({"sought": "Sought By Somebody"})
        ask("POST", "/v1/disclose", {"collection": "found", "subjects": [row["bioguide_id"] for row in some]})
        record = json.loads(ask("GET", cell.records_path(some[0]["bioguide_id"], "found"), None).body)["records"][0]["id"]
        path = cell.records_path(some[0]["bioguide_id"], "found", record)
        patched = {"nickname": "Nickname Of A Patch", "key": "Idempotency-Key-Of-Somebody"}
        for _ in range(2):
            ask("PATCH", path, json.dumps({"nickname": patched["nickname"]}), **{"Idempotency-Key": patched["key"]})
        cls.people.append(patched)
        names = {"first": "first.name@mail.example", "second": "+49 170 0000000", "third": "third.name@mail.example"}
        opaque = json.loads(ask("POST", "/v1/subjects", {"identifiers": [names["first"], names["second"]]}).body)["id"]
        ask("POST", f"/v1/subjects/{opaque}/identifiers", {"identifier": names["third"]})
        ask("POST", "/v1/subjects/lookup", {"identifier": names["third"]})
        cls.people.append(names)
        body = "".join(json.dumps(dict(row, nickname="Nickname Of An Import")) + "\n" for row in some[:300])
        ask("POST", "/v1/import?collection=found&subject=bioguide_id", body, **{"Content-Type": "application/x-ndjson"})
        cls.people.append({"nickname": "Nickname Of An Import"})
        ask("DELETE", f"/v1/subjects/{some[1]['bioguide_id']}", None)

    @classmethod
    def files(cls):
        out = [cls.cell.log_path]
        for folder, _, names in os.walk(cls.cell.path):
            out += [os.path.join(folder, n) for n in names]
        return [f for f in out if os.path.isfile(f)]

    @classmethod
    def values(cls):
        """Values of people that are no public word of the cell."""
        public = " ".join(people.COLUMNS + ["people research lab clinic watchdog Clinic Ltd", "Lab (US) studies careers",
                                            harness.HOME_PURPOSE, harness.LAB_PURPOSE, harness.AUDIT_PURPOSE])
        packs = os.path.join(harness.SOURCE, "packs")
        for name in os.listdir(packs):
            if name.endswith(".yaml"):
                with open(os.path.join(packs, name)) as f:
                    public += f.read()
        return {v for row in cls.people for v in row.values() if len(v.encode()) >= LEAST and v not in public}

    @classmethod
    def scanner(cls, files):
        listed = os.path.join(cls.tmp, "values")
        with open(listed, "wb") as f:
            f.writelines(v.encode() + b"\0" for v in sorted(cls.values() | cls.secrets))
        done = subprocess.run([harness.program("scan_clear"), listed, *files], capture_output=True, timeout=300)
        return done.returncode, (done.stdout + done.stderr).decode(errors="replace")

    def test_1_the_scan_can_fail(self):
        """One value planted at an odd place of a copy of a segment is found, and its identifier too."""
        segment = max((f for f in self.files() if "/journal/" in f), key=os.path.getsize)
        copy = os.path.join(self.tmp, "copy")
        with open(segment, "rb") as f:
            data = bytearray(f.read())
        for planted in (self.people[5]["wikipedia_id"], people.ALICE):
            with self.subTest(planted):
                changed = bytearray(data)
                changed[12347 : 12347 + len(planted.encode())] = planted.encode()
                with open(copy, "wb") as f:
                    f.write(changed)
                code, told = self.scanner([copy])
                self.assertEqual(code, 1, told)
                self.assertIn(planted, told)
        self.assertIn(people.ALICE, self.values())
        self.assertGreater(len(self.values()), people.COUNT)

    def test_2_nothing_in_the_clear_while_it_serves(self):
        code, told = self.first
        self.assertEqual(code, 0, told[:3000])
        names = " ".join(self.scan_live)
        for part in ("/journal/", "/store/", "/ledger/tile/entries/", "/rows/", "/keys/slots.1", "/state/", "cn.log"):
            self.assertIn(part, names)

    def test_3_nothing_in_the_clear_after_a_crash_and_a_stop(self):
        code, told = self.scanner(self.files())
        self.assertEqual(code, 0, told[:3000])

    def test_4_the_ledger_says_what_happened(self):
        """The scan looked at a cell where it all took place."""
        self.cell.serve()
        kinds = {e["kind"] for e in self.cell.entries()}
        self.assertLessEqual({"stored", "disclosed", "key", "consent", "withdrawn", "refused", "erased"}, kinds, json.dumps(sorted(kinds)))
        self.cell.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)

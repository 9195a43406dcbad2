"""The interface at work on people: found by name and birthday, listed page by page while others write, changed with ETags, done
once by Idempotency-Key, called by several names, disclosed in bulk by list, consent and search. Each answer is compared with the
people themselves; then the whole ledger is replayed."""

import collections
import concurrent.futures
import json
import os
import sys
import time
import unittest

import harness
import people

COUNT = 3000
HOME, ABROAD = harness.HOME_PURPOSE, harness.LAB_PURPOSE
SEARCHABLE = ("last_name", "birthday", "govtrack_id")


class Api(harness.Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.people = people.made_up(COUNT)
        cls.rows = {row["bioguide_id"]: row for row in cls.people}
        csv, yaml = os.path.join(cls.tmp, "people.csv"), os.path.join(cls.tmp, "people.yaml")
        people.write(csv, cls.people)
        with open(yaml, "w") as f:
            f.write(people.schema(SEARCHABLE))
        cls.cell = harness.Cell(cls.tmp).serve()
        cls.addClassCleanup(cls.cell.close)
        harness.run("bourn", "collection", "add", cls.cell.path, "people", "--schema", yaml)
        harness.run("bourn", "collection", "add", cls.cell.path, "letters", "--schema", yaml)
        cls.cell.notice()
        rights = "read,write,consent,enrol,erase,search"
        cls.CLINIC = cls.cell.party("clinic", ground="dpv:Contract", rights=rights)
        cls.LAB = cls.cell.party("lab", jurisdiction="US", purpose=ABROAD, rights="read,search")
        cls.DOG = cls.cell.watchdog()
        cls.cell.load(csv, cls.CLINIC)

    def home(self, method, path, body=None, **more):
        return self.cell.ask(method, path, self.CLINIC, HOME, body, **more)

    def search(self, where, token=None, purpose=None, **more):
        """All pages of a search."""
        out, path = [], "/v1/search"
        while path:
            found = self.ok(self.cell.ask("POST", path, token or self.CLINIC, purpose or HOME,
                                          {"collection": "people", "where": where, **more}))
            out += found["records"]
            path = found["next"] and f"/v1/search?cursor={found['next']}"
        return out

    def disclose(self, token=None, purpose=None, **asked):
        """Lines about people, and the receipts of the pages."""
        answer = self.cell.ask("POST", "/v1/disclose", token or self.CLINIC, purpose or HOME, {"collection": "people", **asked})
        self.assertEqual(answer.status, 200, answer.body[:300])
        lines = [json.loads(line) for line in answer.body.splitlines()]
        self.assertIn("receipt", lines[-1])
        self.assertEqual(int(answer.headers["Bourn-Receipt"]), next(x["receipt"] for x in lines if "receipt" in x))
        return [x for x in lines if "receipt" not in x], [x["receipt"] for x in lines if "receipt" in x]

    def entries(self, indices):
        self.cell.settle()
        return [e for e in self.cell.entries() if e["index"] in indices]

    def new(self, **change):
        """A person of this test alone."""
        ident = "T" + os.urandom(5).hex()
        row = dict(self.people[0], bioguide_id=ident, **change)
        made = self.home("POST", self.cell.records_path(ident), row)
        self.assertEqual(made.status, 201, made.body)
        return ident, json.loads(made.body)["id"], row

    # -- search -----------------------------------------------------------------------------------------------------

    def test_1_search_finds_exactly_the_people_meant(self):
        by_name = collections.defaultdict(list)
        for row in self.people:
            by_name[row["last_name"]].append(row)
        name, several = max(by_name.items(), key=lambda item: len(item[1]))
        self.assertGreater(len(several), 3)
        found = self.search({"last_name": name})
        key = lambda row: row["bioguide_id"]
        self.assertEqual(sorted((r["data"] for r in found), key=key), sorted(several, key=key))
        one = next(row for row in several if row["birthday"])
        found = self.search({"last_name": name, "birthday": one["birthday"]})
        self.assertEqual(sorted((r["data"] for r in found), key=key),
                         sorted((r for r in several if r["birthday"] == one["birthday"]), key=key))
        self.assertEqual(self.search({"last_name": name, "birthday": "2001-01-01"}), [])
        self.assertEqual(self.search({"last_name": name.lower()}), [], "equality alone")
        self.assertEqual(self.search({"govtrack_id": one["govtrack_id"]}, fields=["gender", "state"])[0]["data"],
                         {"gender": one["gender"], "state": one["state"]})
        again = self.ok(self.home("GET", self.cell.records_path(self.search({"govtrack_id": one["govtrack_id"]})[0]["subject"])))
        self.assertEqual(again["records"][0]["data"], one, "the opaque id is the person")

    def test_1_search_follows_what_is_written(self):
        ident, record, row = self.new(last_name="Unikum", govtrack_id="9999901")
        path = self.cell.records_path(ident, record=record)
        self.assertEqual([r["data"] for r in self.search({"last_name": "Unikum"})], [row])
        self.ok(self.home("PATCH", path, '{"last_name":"Andersnamig"}', headers={"Content-Type": "application/merge-patch+json"}))
        self.assertEqual(self.search({"last_name": "Unikum"}), [])
        self.assertEqual(self.search({"last_name": "Andersnamig", "govtrack_id": "9999901"})[0]["version"], 2)
        self.ok(self.home("DELETE", path))
        self.assertEqual(self.search({"last_name": "Andersnamig"}), [])
        ident, _, _ = self.new(last_name="Unikum")
        self.ok(self.home("DELETE", f"/v1/subjects/{ident}"))
        self.assertEqual(self.search({"last_name": "Unikum"}), [], "an erased person is not found")

    def test_1_a_search_abroad_finds_who_consented(self):
        idents = [self.new(last_name="Gränsberg")[0] for _ in range(3)]
        self.assertEqual(self.search({"last_name": "Gränsberg"}, self.LAB, ABROAD), [])
        key = os.path.join(self.tmp, "border.key")
        self.cell.enrol(self.CLINIC, idents[1], key)
        consent = self.cell.consent(self.CLINIC, idents[1], key)
        found = self.search({"last_name": "Gränsberg"}, self.LAB, ABROAD)
        self.assertEqual([r["data"]["bioguide_id"] for r in found], [idents[1]])
        self.ok(self.home("DELETE", f"/v1/subjects/{idents[1]}/consents/{consent}"))
        self.assertEqual(self.search({"last_name": "Gränsberg"}, self.LAB, ABROAD), [])

    # -- lists ------------------------------------------------------------------------------------------------------

    def test_2_pages_without_gap_or_double_while_others_write(self):
        ident, _, row = self.new()
        path = self.cell.records_path(ident, "letters")
        connection = self.cell.connect()

        def write(n, connection=connection):
            text = dict(row, middle_name=f"letter {n}")
            return self.ok(self.home("POST", path, text, connection=connection), 201)["id"]
        ids = [write(n) for n in range(1200)]
        deleted = set(ids[10::100])
        with concurrent.futures.ThreadPoolExecutor(1) as beside:
            pages, at, written = 0, 0, []
            listed = []
            while at is not None:
                busy = beside.submit(lambda: [write(5000 + pages * 100 + n, None) for n in range(40)]
                                     + [self.ok(self.home("DELETE", f"{path}/{d}")) and 0 for d in list(deleted)[pages::3]])
                page = self.ok(self.home("GET", f"{path}?cursor={at}&fields=middle_name"))
                written += [n for n in busy.result() if n]
                listed += page["records"]
                at, pages = page["next"], pages + 1
                self.assertLess(pages, 20)
        got = [r["id"] for r in listed]
        self.assertGreaterEqual(pages, 2)
        self.assertEqual(got, sorted(set(got)), "in order, none twice")
        self.assertEqual(set(ids) - deleted - set(got), set(), "none that stayed is left out")
        self.assertEqual(set(got) - set(ids) - set(written), set())
        connection.close()

    # -- versions ---------------------------------------------------------------------------------------------------

    def test_3_versions(self):
        ident, record, row = self.new()
        path = self.cell.records_path(ident, record=record)
        merge = {"Content-Type": "application/merge-patch+json"}
        first = self.home("GET", path)
        self.assertEqual(first.headers["ETag"], '"1"')
        patched = self.home("PATCH", path, '{"nickname":"Nick","suffix":null}', headers={**merge, "If-Match": '"1"'})
        self.assertEqual((self.ok(patched)["version"], patched.headers["ETag"]), (2, '"2"'))
        want = {k: v for k, v in row.items() if k != "suffix"} | {"nickname": "Nick"}
        self.assertEqual(self.ok(self.home("GET", path))["data"], want)
        for method, body in (("PUT", row), ("PATCH", "{}"), ("DELETE", None)):
            head = {"If-Match": '"1"', **(merge if method == "PATCH" else {})}
            self.problem(self.home(method, path, body, headers=head), 412, "version_conflict")
        self.assertEqual(self.ok(self.home("PUT", path, row, headers={"If-Match": '"2"'}))["version"], 3)
        self.assertEqual(self.ok(self.home("GET", path))["data"], row)
        # Many at once on one version: one wins.
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            codes = [a.status for a in pool.map(lambda n: self.home("PUT", path, dict(row, nickname=str(n)),
                                                                   headers={"If-Match": '"3"'}), range(16))]
        self.assertEqual(collections.Counter(codes), {200: 1, 412: 15})
        self.ok(self.home("DELETE", path, headers={"If-Match": '"4"'}))
        self.problem(self.home("GET", path), 404, "record_unknown")

    def test_4_done_once(self):
        ident = "T" + os.urandom(5).hex()
        path, head = self.cell.records_path(ident), {"Idempotency-Key": "k" * 255}
        row = dict(self.people[1], bioguide_id=ident)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: self.home("POST", path, row, headers=head), range(24)))
        self.assertEqual({(a.status, a.body, a.headers["ETag"], a.headers["Bourn-Receipt"]) for a in answers},
                         {(201, answers[0].body, '"1"', answers[0].headers["Bourn-Receipt"])})
        self.assertEqual(len(self.ok(self.home("GET", path))["records"]), 1)
        self.problem(self.home("POST", path, dict(row, gender="X"), headers=head), 422, "idempotency_mismatch")
        other = self.cell.party("other", ground="dpv:Contract", rights="read,write")
        self.assertEqual(self.cell.ask("POST", path, other, HOME, row, headers=head).status, 201, "another party's key")
        self.ok(self.home("PUT", path + "/1", row, headers=head))  # another route
        self.assertEqual(self.ok(self.home("PUT", path + "/1", row, headers=head))["version"], 2)
        self.problem(self.home("POST", path, dict(row, undeclared="x"), headers={"Idempotency-Key": "bad"}), 422, "field_undeclared")
        self.assertEqual(self.home("POST", path, row, headers={"Idempotency-Key": "bad"}).status, 201, "a refusal is not kept")
        self.cell.kill()
        self.cell.serve()
        again = self.home("POST", path, row, headers=head)
        self.assertEqual((again.status, again.body), (201, answers[0].body), "kept over a crash")

    # -- names ------------------------------------------------------------------------------------------------------

    def test_5_several_names(self):
        names = ["T" + os.urandom(5).hex() + suffix for suffix in ("", " with space/slash", "@mail.example")]
        made = self.home("POST", "/v1/subjects", {"identifiers": names[:2]})
        opaque = self.ok(made, 201)["id"]
        self.assertEqual(len(opaque), 33)
        self.assertEqual(self.ok(self.home("POST", f"/v1/subjects/{opaque}/identifiers", {"identifier": names[2]}), 201), {"identifiers": 3})
        row = dict(self.people[2], bioguide_id=names[0])
        self.assertEqual(self.home("POST", self.cell.records_path(names[1]), row).status, 201)
        hashed = [self.ok(self.home("POST", "/v1/subjects/lookup", {"identifier": n}))["id"] for n in names]
        self.assertEqual(len({*hashed}), 3)
        for name in [*names, opaque, *hashed]:
            self.assertEqual([r["data"] for r in self.ok(self.home("GET", self.cell.records_path(name)))["records"]], [row], name)
        self.problem(self.home("POST", "/v1/subjects", {"identifiers": ["T-new", names[2]]}), 409, "identifier_taken")
        self.problem(self.home("GET", self.cell.records_path("T-new")), 404, "subject_unknown")
        # One person under all names is one row of one entry.
        lines, receipts = self.disclose(subjects=[*names, opaque, *hashed])
        self.assertEqual([line.get("data") for line in lines], [row] + 6 * [None])
        self.assertEqual([e["count"] for e in self.entries(receipts)], [1])
        self.ok(self.home("DELETE", f"/v1/subjects/{hashed[1]}"))
        for name in [*names, opaque, *hashed]:
            self.problem(self.home("GET", self.cell.records_path(name)), 404, "subject_unknown")
        unknown = self.ok(self.home("POST", "/v1/subjects/lookup", {"identifier": "T-never"}))["id"]
        self.assertEqual(len(unknown), len(hashed[0]))
        self.assertEqual(self.home("POST", "/v1/subjects", {"identifiers": names}).status, 201, "the names are free again")

    # -- bulk -------------------------------------------------------------------------------------------------------

    def test_6_bulk_by_list(self):
        asked = [row["bioguide_id"] for row in self.people[100:1350]]
        asked[700] = "Q999999"
        lines, receipts = self.disclose(subjects=asked, fields=["bioguide_id", "last_name"])
        self.assertEqual([line["subject"] for line in lines], asked)
        self.assertEqual(lines[700], {"subject": "Q999999", "code": "not_disclosed"})
        for line in lines[:700] + lines[701:]:
            row = self.rows[line["subject"]]
            self.assertEqual(line["data"], {k: row[k] for k in ("last_name", "bioguide_id")})
        self.assertGreaterEqual(len(receipts), 3)
        entries = self.entries(receipts)
        self.assertEqual([e["kind"] for e in entries], ["disclosed"] * len(receipts))
        self.assertEqual(sum(e["count"] for e in entries), len(asked) - 1)

    def test_6_bulk_by_search(self):
        name = self.people[50]["last_name"]
        lines, _ = self.disclose(where={"last_name": name})
        key = lambda row: row["bioguide_id"]
        self.assertEqual(sorted((x["data"] for x in lines), key=key), sorted((r for r in self.people if r["last_name"] == name), key=key))

    def test_6_bulk_by_consent(self):
        chosen = [row["bioguide_id"] for row in self.people[2000:2006]]
        self.assertEqual(self.disclose(self.LAB, ABROAD, consented=True)[0], [])
        lines, _ = self.disclose(self.LAB, ABROAD, subjects=chosen)
        self.assertEqual(lines, [{"subject": i, "code": "not_disclosed"} for i in chosen])
        consents = []
        for n, ident in enumerate(chosen[:5]):
            key = os.path.join(self.tmp, f"bulk{n}.key")
            self.cell.enrol(self.CLINIC, ident, key)
            consents.append(self.cell.consent(self.CLINIC, ident, key))
        self.ok(self.home("DELETE", f"/v1/subjects/{chosen[0]}/consents/{consents[0]}"))
        self.ok(self.home("DELETE", f"/v1/subjects/{chosen[1]}"))
        lines, receipts = self.disclose(self.LAB, ABROAD, consented=True)
        self.assertEqual(sorted((x["data"] for x in lines), key=lambda r: r["bioguide_id"]),
                         sorted((self.rows[i] for i in chosen[2:5]), key=lambda r: r["bioguide_id"]))
        self.assertEqual([e["count"] for e in self.entries(receipts)], [3])
        lines, _ = self.disclose(self.LAB, ABROAD, subjects=chosen)
        self.assertEqual(["data" in x for x in lines], [False, False, True, True, True, False])

    # -- the replay -------------------------------------------------------------------------------------------------

    def test_9_the_ledger_holds(self):
        """Every kind of answer above stands in it: with a few more of each, in case the tests were run alone."""
        self.search({"last_name": "Nobody at all"})
        self.disclose(subjects=["Q999999"])
        self.disclose(subjects=[people.ALICE, people.ALICE])
        begun = time.monotonic()
        report = json.loads(self.cell.verify(self.DOG, extra=["--json"]).stdout)
        self.assertEqual((report["exit"], report["violations"]), (0, []), report)
        kinds = collections.Counter(e["kind"] for e in self.cell.entries())
        self.assertLessEqual({"stored", "disclosed"}, set(kinds))
        print(f"{report['coverage']['entries']} entries hold, replayed in {time.monotonic() - begun:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Who reads their history leaves an entry: one for each statement that they show, however many pages they take with it; it stands
in the next history, and who steals a key cannot read without it. What is read ends where it ended when it was begun."""

import json
import os
import time
import unittest

import harness
from test_history import Person, stamp

OPEN_MAX = 8  # statements of one person that are good at a time


class Reading(harness.ServedTest):
    count = 14

    def person(self, number):
        return Person(self.cell, self.CLINIC, self.people[number]["bioguide_id"])

    def readings(self):
        self.cell.settle()
        return [e["index"] for e in self.cell.entries() if e["kind"] == "exported" and e.get("operation") == "read"]

    def size(self):
        self.cell.settle()
        return len(self.cell.entries())

    def page(self, person, signed, query="", status=200):
        answer = person.ask(signed, query=query)
        self.assertEqual(answer.status, status, answer.body[:300])
        return answer, json.loads(answer.body)

    def read_records(self, person_number, times):
        for _ in range(times):
            self.assertEqual(self.home("GET", self.cell.records_path(self.people[person_number]["bioguide_id"])).status, 200)

    def test_1_one_entry_and_the_next_history_has_it(self):
        ann = self.person(0)
        before, size = self.readings(), self.size()
        signed = ann.key.sign(ann.said())
        answer, page = self.page(ann, signed)
        told = int(answer.headers["Bourn-Receipt"])
        self.assertEqual(self.readings(), [*before, told])
        self.assertEqual(self.size(), size + 1)
        self.assertEqual(len(page["rows"]), 3, "the entry of this reading is not in it")
        entry = self.cell.entries()[told]
        self.assertEqual((entry["kind"], entry["count"], "party" in entry, "collection" in entry), ("exported", 1, False, False))
        self.assertIn("exported  : a person read their history, 1 person", harness.run("bourn", "log", self.cell.path).stdout)
        _, later = self.page(ann, ann.key.sign(ann.said()))
        self.assertEqual([r["index"] for r in later["rows"]], [told, *[r["index"] for r in page["rows"]]])

    def test_2_pages_and_repetitions_are_the_same_reading(self):
        ben = self.person(1)
        self.read_records(1, 150)
        before = len(self.readings())
        signed = ben.key.sign(ben.said())
        first, page = self.page(ben, signed)
        self.read_records(1, 3)  # what happens meanwhile comes in the next one
        rows = page["rows"]
        while page["next"] is not None:
            answer, page = self.page(ben, signed, f"?cursor={page['next']}&size={json.loads(first.body)['size']}")
            self.assertEqual(answer.headers["Bourn-Receipt"], first.headers["Bourn-Receipt"])
            rows = rows + page["rows"]
        self.assertEqual(len(rows), 153)
        again, page = self.page(ben, signed)
        self.assertEqual([r["index"] for r in page["rows"]], [r["index"] for r in rows[:64]], "it ends where it began")
        self.assertEqual(len(self.readings()), before + 1)
        newest = self.size() - 1
        self.problem(ben.ask(signed, query=f"?cursor={newest}"), 400, "range_malformed")
        self.problem(ben.ask(signed, query=f"?cursor={first.headers['Bourn-Receipt']}"), 400, "range_malformed")

    def test_3_a_cursor_is_no_way_around_it(self):
        cid = self.person(2)
        _, page = self.page(cid, cid.key.sign(cid.said()))
        before = len(self.readings())
        self.page(cid, cid.key.sign(cid.said()), f"?cursor={page['rows'][1]['index']}&size={page['size']}")
        self.assertEqual(len(self.readings()), before + 1)
        size = self.size()
        self.problem(cid.ask(cid.key.sign(cid.said()), query=f"?cursor={10**9}"), 400, "range_malformed")
        self.assertEqual(self.size(), size, "no reading is begun where no page can be")

    def test_4_a_flood_is_bounded(self):
        dan, eve = self.person(3), self.person(4)
        held = [dan.key.sign(dan.said()) for _ in range(OPEN_MAX)]
        for signed in held:
            self.page(dan, signed)
        size = self.size()
        for _ in range(40):
            self.problem(dan.ask(dan.key.sign(dan.said())), 429, "history_often")
        for signed in held:
            self.page(dan, signed)
        self.assertEqual(self.size(), size)
        self.page(eve, eve.key.sign(eve.said()))
        # One that says it is old holds its place as long as others.
        fay = self.person(5)
        for _ in range(OPEN_MAX):
            self.page(fay, fay.key.sign(fay.said(event_time=stamp(-898))))
        time.sleep(4)
        self.problem(fay.ask(fay.key.sign(fay.said())), 429, "history_often")

    def test_5_a_statement_is_used_once_for_one_thing(self):
        gil = self.person(6)
        nonce = os.urandom(16).hex()
        copy = {"event_time": stamp(), "origin": gil.origin, "pii_principal_id": gil.label, "record_id": nonce,
                "request": "a copy of all records about me", "schema_version": "bourn-export/1"}
        self.assertEqual(self.cell.ask("POST", "/v1/export", body=gil.key.sign(copy)).status, 200)
        self.problem(gil.ask(gil.key.sign(gil.said(record_id=nonce))), 409, "statement_used")
        signed = gil.said()
        self.page(gil, gil.key.sign(signed))
        answer = self.cell.ask("POST", "/v1/export", body=gil.key.sign({**copy, "record_id": signed["record_id"]}))
        self.problem(answer, 409, "statement_used")
        # The same number in another person's statement tells them nothing of this one's.
        hal = self.person(7)
        self.problem(hal.ask(hal.key.sign(hal.said(record_id=signed["record_id"]))), 409, "statement_used")

    def test_6_it_is_durable_before_the_answer(self):
        ida = self.person(8)
        signed = ida.key.sign(ida.said())
        answer, page = self.page(ida, signed)
        self.cell.kill()
        self.cell.serve()
        told = int(answer.headers["Bourn-Receipt"])
        self.assertIn(told, self.readings())
        size = self.size()
        again, after = self.page(ida, signed)
        self.assertEqual((again.headers["Bourn-Receipt"], [r["index"] for r in after["rows"]]),
                         (str(told), [r["index"] for r in page["rows"]]), "a restart does not forget which reading this is")
        self.assertEqual(self.size(), size)

    def test_7_erased_in_the_middle(self):
        joe = self.person(9)
        self.read_records(9, 80)
        signed = joe.key.sign(joe.said())
        _, page = self.page(joe, signed)
        self.assertEqual(self.home("DELETE", f"/v1/subjects/{self.people[9]['bioguide_id']}").status, 200)
        size = self.size()
        nobody = os.urandom(16).hex()
        stranger = joe.ask(joe.key.sign(joe.said(pii_principal_id=nobody)), nobody)
        for query in ("", f"?cursor={page['next']}&size={page['size']}"):
            answer = joe.ask(signed, query=query)
            self.assertEqual((answer.status, answer.body), (403, stranger.body))
            self.assertNotIn("Bourn-Receipt", answer.headers)
        self.assertEqual(self.size(), size)

    def test_8_the_replay_holds_and_counts_them(self):
        scrubbed = json.loads(harness.run("bourn", "scrub", self.cell.path, "--json").stdout)
        self.assertEqual(scrubbed["findings"], [])
        done = self.cell.verify(self.DOG, extra=("--json",))
        report = json.loads(done.stdout)
        self.assertEqual((report["exit"], report["violations"]), (0, []))
        self.assertEqual(report["coverage"]["own_histories"], len(self.readings()))
        harness.second(done, self.DOG)

    def test_9_the_operator_reads_in_the_persons_name(self):
        """On the files of this cell, after it served."""
        self.cell.evidence_file(self.DOG, os.path.join(self.tmp, "evidence"))
        self.cell.settle()
        self.cell.stop()
        for name, clause in (("history-forged", "C2"), ("history-unenrolled-key", "C2"), ("history-reused", "C3"), ("copy-for-history", "C2")):
            with self.subTest(name):
                where, command = self.cell.forged(os.path.join(self.tmp, "forged"), os.path.join(self.tmp, "evidence"), name)
                done = harness.run(*command, check=1)
                first = json.loads(done.stdout)["violations"][0]
                self.assertEqual((f"entry {first['entry']} {first['clause']}", first["clause"]), (where, clause), first)
                harness.second(done)


class Later(harness.ServedTest):
    """Places are free again when their time is over. bourn-clock-ahead is bourn with a clock that is two days early."""
    count = 2

    def test_there_is_room_again(self):
        gus = Person(self.cell, self.CLINIC, self.people[0]["bioguide_id"])
        for _ in range(OPEN_MAX):
            self.assertEqual(gus.ask(gus.key.sign(gus.said())).status, 200)
        self.problem(gus.ask(gus.key.sign(gus.said())), 429, "history_often")
        self.cell.stop()
        self.cell.serve(name="bourn-clock-ahead")
        self.assertEqual(gus.ask(gus.key.sign(gus.said(event_time=stamp(172800)))).status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Everybody of both data sets, found: each person by their own last name and birthday, every answer equal to what Python finds in
the file; all of them listed page by page while others import, patch and erase; moved to another cell and found there."""

import collections
import concurrent.futures
import json
import os
import random
import threading
import unittest

import harness
import people
import test_json_import

HOME = harness.HOME_PURPOSE
ID = "bioguide_id"


def by_id(rows):
    return sorted(rows, key=lambda row: row[ID])


class Found(harness.Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cell, cls.CLINIC, cls.DOG = cls.make("cn")

    @classmethod
    def make(cls, name):
        cell = harness.Cell(cls.tmp, name=name).serve()
        cls.addClassCleanup(cell.close)
        clinic = cell.party("clinic", ground="dpv:Contract", rights="read,write,erase,search")
        harness.run("bourn", "collection", "add", cell.path, "people", "--schema", cls.schema())
        return cell, clinic, cell.watchdog()

    def search(self, where, connection, cell=None, token=None, **more):
        """All pages of a search, and how many there were."""
        out, path, pages = [], "/v1/search", 0
        while path:
            answer = (cell or self.cell).ask("POST", path, token or self.CLINIC, HOME,
                                             {"collection": "people", "where": where, **more}, connection=connection)
            found = self.ok(answer)
            out += [record["data"] for record in found["records"] if "data" in record]  # not of who was just erased
            pages += 1
            path = found["next"] and f"/v1/search?cursor={found['next']}"
        return out, pages

    def equal_by(self, field, fields=(ID,)):
        """Every distinct value of a field finds exactly the people who have it. Returns the values and the most pages of one."""
        want, most = collections.defaultdict(list), 0
        for row in self.rows:
            if row.get(field) not in (None, ""):
                want[row[field]].append({name: row[name] for name in fields})
        values = list(want)
        lock = threading.Lock()

        def look(part):
            nonlocal most
            connection = self.cell.connect()
            for value in part:
                found, pages = self.search({field: value}, connection, fields=list(fields))
                self.assertEqual(by_id(found), by_id(want[value]), f"{field} {value}")
                with lock:
                    most = max(most, pages)
            connection.close()

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(look, (values[n::4] for n in range(4))))
        self.assertEqual(sum(len(v) for v in want.values()), sum(1 for r in self.rows if r.get(field) not in (None, "")))
        return len(values), most

    # -- what both data sets go through ------------------------------------------------------------------------------------

    def names_and_birthdays(self):
        names, _ = self.equal_by("last_name")
        days, _ = self.equal_by("birthday")
        return names, days

    def whole_people(self, count):
        """Whole records, found by both at once."""
        connection = self.cell.connect()
        for row in random.Random(3).sample(self.rows, count):
            where = {name: row[name] for name in ("last_name", "birthday") if row.get(name)}
            found, _ = self.search(where, connection)
            self.assertEqual(by_id(found), by_id([r for r in self.rows if all(r.get(k) == v for k, v in where.items())]))
        self.assertEqual(self.search({"last_name": self.rows[0]["last_name"].upper() + "?"}, connection)[0], [])
        connection.close()

    def listed_while_others_write(self, lists, new):
        """Lists everybody by the values of `lists` (field, values) while people are imported, patched and erased. `new` makes the
        n-th new person."""
        rng = random.Random(4)
        chosen = rng.sample(self.rows, min(240, len(self.rows) // 2))
        patched, erased = chosen[::2], chosen[1::2]
        stop, done, made = threading.Event(), collections.Counter(), []

        def importer():
            connection, n = self.cell.connect(), 0
            while not stop.is_set():
                batch = [new(n + k) for k in range(20)]
                made.extend(row[ID] for row in batch)
                answer = self.cell.ask("POST", f"/v1/import?collection=people&subject={ID}", self.CLINIC, HOME,
                                       "".join(json.dumps(row) + "\n" for row in batch),
                                       headers={"Content-Type": "application/x-ndjson"}, connection=connection)
                self.assertEqual(self.ok(answer)["stored"], 20)
                n += 20
                done["imported"] += 20
            connection.close()

        def patcher():
            connection = self.cell.connect()
            while not stop.is_set():
                for row in patched:
                    if stop.is_set():
                        break
                    done["patched"] += 1
                    path = self.cell.records_path(row[ID], record=1)
                    self.ok(self.cell.ask("PATCH", path, self.CLINIC, HOME, json.dumps({"note": f"patch {done['patched']}"}),
                                          headers={"Content-Type": "application/merge-patch+json"}, connection=connection))
            connection.close()

        def eraser():
            connection = self.cell.connect()
            for row in erased:
                if stop.is_set():
                    break
                self.ok(self.cell.ask("DELETE", f"/v1/subjects/{row[ID]}", self.CLINIC, HOME, connection=connection))
                done["erased"] += 1
                stop.wait(0.005)
            connection.close()

        listed, pages = [], 0
        connection = self.cell.connect()
        with concurrent.futures.ThreadPoolExecutor(3) as beside:
            work = [beside.submit(f) for f in (importer, patcher, eraser)]
            try:
                for value in lists[1]:
                    found, n = self.search({lists[0]: value}, connection)
                    listed += found
                    pages += n
            finally:
                stop.set()
            for w in work:
                w.result()
        connection.close()
        got = collections.Counter(row[ID] for row in listed)
        self.assertEqual([ident for ident, n in got.items() if n > 1], [], "nobody twice")
        gone = {row[ID] for row in erased}
        self.assertEqual({row[ID] for row in self.rows} - gone - set(got), set(), "nobody who stays is left out")
        self.assertEqual(set(got) - {row[ID] for row in self.rows} - set(made), set(), "nobody else")
        rows, changed = {row[ID]: row for row in self.rows}, {row[ID] for row in patched}
        for row in listed:
            want = rows.get(row[ID])
            if want is not None:
                self.assertEqual({k: v for k, v in row.items() if k != "note" or row[ID] not in changed}, want)
        for kind in ("imported", "patched", "erased"):
            self.assertGreater(done[kind], 0, f"{kind} while it was listed")
        # From here on the cell holds these.
        for row in erased[done["erased"]:]:
            self.ok(self.cell.ask("DELETE", f"/v1/subjects/{row[ID]}", self.CLINIC, HOME))
        self.rows[:] = [row for row in self.rows if row[ID] not in gone]
        return pages

    def moved(self, name):
        """Exported, imported elsewhere, found there."""
        path, listed = os.path.join(self.tmp, "out.ndjson"), "\n".join(row[ID] for row in self.rows) + "\n"
        harness.run("bourn", "export", self.cell.path, "-", "--collection", "people", "--purpose", HOME, "--out", path,
                    token=self.CLINIC, stdin=listed, timeout=600)
        other, clinic, _ = self.make(name)
        done = other.load(path, clinic, subject=ID, extra=("--format", "export"))
        self.assertIn(f"{len(self.rows)} stored, 0 skipped, 0 rejected", done.stdout)
        with open(path, encoding="utf-8") as f:
            mine = {record["data"][ID]: record["data"] for record in map(json.loads, f)}
        self.assertEqual({k: {n: v for n, v in row.items() if n != "note"} for k, row in mine.items()},
                         {row[ID]: row for row in self.rows})
        connection = other.connect()
        for row in random.Random(5).sample(self.rows, 100):
            found, _ = self.search({"last_name": row["last_name"]}, connection, other, clinic)
            self.assertEqual(by_id(found), by_id([r for r in mine.values() if r["last_name"] == row["last_name"]]))
        connection.close()

    def replay(self):
        report = json.loads(self.cell.verify(self.DOG, extra=["--json"]).stdout)
        self.assertEqual((report["exit"], report["violations"]), (0, []), report)


class Table(Found):
    """The 12,230 of the CSV file."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        path = os.path.join(people.folder(cls.tmp), people.NAME)
        cls.rows = people.read(path)
        cls.cell.load(path, cls.CLINIC)

    @classmethod
    def schema(cls):
        path = os.path.join(cls.tmp, "table.yaml")
        with open(path, "w") as f:
            f.write(people.schema(("last_name", "birthday", "state", "type"), "  - {name: note, type: text}\n"))
        return path

    def test_1_by_name_and_by_birthday(self):
        self.assertEqual(len(self.rows), people.COUNT)
        names, days = self.names_and_birthdays()
        self.assertGreater(min(names, days), 300)
        self.whole_people(100)

    def test_2_by_pages(self):
        _, pages = self.equal_by("state")
        self.assertGreater(pages, 1)

    def test_3_listed_while_others_write(self):
        new = lambda n: dict(self.rows[n], bioguide_id=f"NEW-{n}", nickname="new")
        self.assertGreater(self.listed_while_others_write(("type", sorted({r["type"] for r in self.rows})), new), 20)

    def test_4_moved(self):
        self.moved("de")

    def test_5_the_replay_holds(self):
        self.replay()


class Nested(Found):
    """The 537 of the nested array. What is searched for stands beside the nested objects: an index is of a record's own members."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(test_json_import.folder(cls.tmp), encoding="utf-8") as f:
            array = json.load(f)
        cls.rows = [{ID: p["id"]["bioguide"], "last_name": p["name"]["last"], "birthday": p["bio"]["birthday"], "current": True, **p}
                    for p in array]
        path = os.path.join(cls.tmp, "nested.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(cls.rows, f, ensure_ascii=False)
        cls.cell.load(path, cls.CLINIC, subject="id.bioguide")

    @classmethod
    def schema(cls):
        path = os.path.join(cls.tmp, "nested.yaml")
        with open(test_json_import.folder(cls.tmp), encoding="utf-8") as f:
            members = sorted({name for person in json.load(f) for name in person})
        with open(path, "w") as f:
            f.write(f"fields:\n  - {{name: {ID}, type: text}}\n  - {{name: note, type: text}}\n"
                    "  - {name: last_name, type: text, searchable: true}\n  - {name: birthday, type: date, searchable: true}\n"
                    "  - {name: current, type: boolean, searchable: true}\n")
            f.writelines(f"  - {{name: {name}, type: json}}\n" for name in members)
        return path

    def test_1_by_name_and_by_birthday(self):
        self.assertGreaterEqual(len(self.rows), 537)
        self.names_and_birthdays()
        self.whole_people(len(self.rows))

    def test_2_by_pages(self):
        self.assertEqual(self.equal_by("current")[0], 1)

    def test_3_listed_while_others_write(self):
        new = lambda n: dict(self.rows[n % len(self.rows)], bioguide_id=f"NEW-{n}")
        self.assertGreater(self.listed_while_others_write(("current", [True]), new), 1)

    def test_4_moved(self):
        self.moved("de")

    def test_5_the_replay_holds(self):
        self.replay()


del Found  # its parts are run with each data set

if __name__ == "__main__":
    unittest.main(verbosity=2)

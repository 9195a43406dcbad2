"""kill -9 of the whole service and of each role alone, at random moments under load.

BOURN_CRASH_ROUNDS (12) kills, BOURN_CRASH_SEED for the moments, BOURN_CRASH_TARGETS for whom. While clients write, patch, read, search,
disclose in bulk, grant and withdraw, a process is killed (or, now and then, the service is stopped in order); after each restart
- the service starts at once and refuses nothing that it should serve,
- the ledger verifies, with rows and evidence,
- every acknowledged write, deletion and erasure is there; who is there is found by the present value and by no older one,
- a write that was never acknowledged, made again under its Idempotency-Key, has come about once,
- every plaintext that a client got has its `disclosed` entry, to this party, at the index of its receipt,
- after an acknowledged withdrawal nobody abroad read."""

import http.client
import json
import os
import random
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import harness  # noqa: E402
import people  # noqa: E402

ROUNDS = int(os.environ.get("BOURN_CRASH_ROUNDS", "12"))
SEED = int(os.environ.get("BOURN_CRASH_SEED", str(random.randrange(1 << 30))))
LOAD_S_MAX = 1.5
TARGETS = os.environ.get("BOURN_CRASH_TARGETS", "all,front,vault,signer,all,parent,vault,term").split(",")
UNKNOWN = object()  # asked, but not acknowledged: either outcome is right

GONE = (OSError, http.client.HTTPException)


class Client(threading.Thread):
    """A thread that asks until the service goes away; the first unexpected answer is kept in `wrong`."""

    def __init__(self, test, seed):
        super().__init__(daemon=True)
        self.test, self.cell, self.rng = test, test.cell, random.Random(seed)
        self.wrong = None
        self.done = 0

    def run(self):
        self.connection = self.cell.connect(timeout=20)
        try:
            while True:
                self.turn()
                self.done += 1
        except GONE:
            pass
        except Exception as e:
            self.wrong = e
        finally:
            self.connection.close()

    def ask(self, method, path, token, purpose, body=None, kind="application/json", **headers):
        """Like Cell.ask; a receipt is noted as soon as the head of a 200 is there, even if the body breaks off."""
        head = {"Authorization": "Bearer " + token, "Bourn-Purpose": purpose, **headers}
        if body is not None:
            body, head["Content-Type"] = json.dumps(body).encode(), kind
        self.connection.request(method, path, body, head)
        answer = self.connection.getresponse()
        if answer.status == 200 and (path in ("/v1/search", "/v1/disclose") or (method == "GET" and "/records/" in path)):
            operation = "search" if path == "/v1/search" else "read"
            with self.test.lock:
                self.test.disclosures.append((int(answer.headers["Bourn-Receipt"]), self.test.party_of[token], operation))
        if answer.status == 503 and self.test.draining:
            raise ConnectionResetError("the service is being stopped")
        return harness.Answer(answer.status, answer.headers, answer.read())


class Writer(Client):
    """Writes, changes, deletes, erases and finds people of its own, and keeps what must be there."""

    def turn(self):
        model, test = self.test.model, self.test
        choice = self.rng.random()
        mine = [i for i in self.test.owned[self.name] if i in model and isinstance(model[i], dict)]
        if choice < 0.5 or not mine:
            ident = f"{self.name}-{test.counter()}"
            test.owned[self.name].append(ident)
            value = {"last_name": ident, "address": f"{ident} " + "y" * self.rng.randrange(2000), "tag": test.tag()}
            model[ident] = UNKNOWN
            test.pending[ident] = value
            answer = self.ask("POST", self.cell.records_path(ident), test.CLINIC, harness.HOME_PURPOSE, value,
                              **{"Idempotency-Key": ident})
            self.expect(answer, 201)
            model[ident] = {"id": json.loads(answer.body)["id"], "data": value}
            del test.pending[ident]
            return
        if choice < 0.55:
            return self.search(self.rng.choice(mine))
        if choice < 0.58:
            return self.bulk(self.rng.sample(mine, min(20, len(mine))))
        ident = self.rng.choice(mine)
        known = model[ident]
        model[ident] = UNKNOWN
        one = self.cell.records_path(ident, record=known["id"])
        if choice < 0.68:
            value = dict(known["data"], nickname=f"changed {test.counter()}", tag=test.tag())
            self.expect(self.ask("PUT", one, test.CLINIC, harness.HOME_PURPOSE, value), 200, 204)
            model[ident] = dict(known, data=value, was=known["data"]["tag"])
        elif choice < 0.75:
            tag = test.tag()
            self.expect(self.ask("PATCH", one, test.CLINIC, harness.HOME_PURPOSE, {"tag": tag}, "application/merge-patch+json"), 200)
            model[ident] = dict(known, data=dict(known["data"], tag=tag), was=known["data"]["tag"])
        elif choice < 0.85:
            self.expect(self.ask("DELETE", one, test.CLINIC, harness.HOME_PURPOSE), 200, 204)
            model[ident] = "deleted"
        elif choice < 0.9:
            self.expect(self.ask("DELETE", f"/v1/subjects/{ident}", test.CLINIC, harness.HOME_PURPOSE), 200, 204)
            model[ident] = "erased"
        else:
            answer = self.ask("GET", self.cell.records_path(ident), test.CLINIC, harness.HOME_PURPOSE)
            self.expect(answer, 200)
            model[ident] = known

    def search(self, ident):
        data = self.test.model[ident]["data"]
        answer = self.ask("POST", "/v1/search", self.test.FINDER, harness.HOME_PURPOSE,
                          {"collection": "people", "where": {"tag": data["tag"]}})
        self.expect(answer, 200)
        found = [r["data"] for r in json.loads(answer.body)["records"]]
        if found != [data]:
            raise AssertionError(f"{ident} is found as {found}")

    def bulk(self, idents):
        answer = self.ask("POST", "/v1/disclose", self.test.FINDER, harness.HOME_PURPOSE,
                          {"collection": "people", "subjects": idents})
        self.expect(answer, 200)
        lines = [json.loads(line) for line in answer.body.splitlines()]
        if [line.get("data") for line in lines] != [self.test.model[i]["data"] for i in idents] + [None]:
            raise AssertionError(f"{idents} are disclosed as {answer.body[:1000]}")

    def expect(self, answer, *codes):
        if answer.status not in codes:
            raise AssertionError(f"{answer.status}, not {codes}: {answer.body[:300]}")


class Reader(Client):
    """Reads abroad the people whose consents come and go."""

    def turn(self):
        test = self.test
        ident = self.rng.choice(test.consenting)
        before = test.granted[ident]
        answer = self.ask("GET", self.cell.records_path(ident), test.LAB, harness.LAB_PURPOSE)
        after = test.granted[ident]
        if before == after and before[0] is not UNKNOWN:  # nothing changed meanwhile: the answer is certain
            want = 200 if before[0] else 403
            if answer.status != want:
                raise AssertionError(f"{answer.status}, not {want}: {answer.body[:300]}")
        elif answer.status not in (200, 403):
            raise AssertionError(f"{answer.status}: {answer.body[:300]}")


class Granter(Client):
    """Grants and withdraws, with statements that were signed before."""

    def turn(self):
        test = self.test
        ident = self.rng.choice(test.consenting)
        state, number = test.granted[ident]
        if state is UNKNOWN:
            self.learn(ident, number)
        elif state:
            test.granted[ident] = (UNKNOWN, number + 1)
            answer = self.ask("DELETE", f"/v1/subjects/{ident}/consents/{state}", test.CLINIC, harness.HOME_PURPOSE)
            if answer.status not in (200, 204):
                raise AssertionError(answer)
            test.granted[ident] = (None, number + 2)
        elif test.signed[ident]:
            test.granted[ident] = (UNKNOWN, number + 1)
            body = json.loads(test.signed[ident].pop())
            answer = self.ask("POST", f"/v1/subjects/{ident}/consents", test.CLINIC, harness.HOME_PURPOSE, body)
            if answer.status != 201:
                raise AssertionError(answer)
            test.granted[ident] = (json.loads(answer.body)["id"], number + 2)
        else:
            self.ask("GET", f"/v1/subjects/{ident}/consents", test.CLINIC, harness.HOME_PURPOSE)
        time.sleep(0.02)

    def learn(self, ident, number):
        """After a crash: withdraw whatever is live."""
        answer = self.ask("GET", f"/v1/subjects/{ident}/consents", self.test.CLINIC, harness.HOME_PURPOSE)
        for consent in json.loads(answer.body)["consents"]:
            if consent["state"] == "live":
                gone = self.ask("DELETE", f"/v1/subjects/{ident}/consents/{consent['id']}", self.test.CLINIC,
                                harness.HOME_PURPOSE)
                if gone.status not in (200, 204):
                    raise AssertionError(gone)
        self.test.granted[ident] = (None, number + 1)


class Crash(harness.ServedTest):
    count = 12
    extra = ("--delay", "0")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        print(f"{ROUNDS} rounds, seed {SEED}", file=sys.stderr)
        cls.rng = random.Random(SEED)
        cls.lock = threading.Lock()
        cls.draining = False
        cls.disclosures, cls.checked = [], 0
        cls.model, cls.owned, cls.count_up = {}, {}, 0
        cls.pending = {}  # by identifier: what was asked for under its Idempotency-Key, and never acknowledged
        yaml = os.path.join(cls.tmp, "people.yaml")
        with open(yaml, "w") as f:
            f.write(people.schema(more="  - {name: tag, type: text, searchable: true}\n"))
        harness.run("bourn", "collection", "add", cls.cell.path, "people", "--schema", yaml)
        cls.FINDER = cls.cell.party("finder", ground="dpv:Contract", rights="read,search")
        cls.party_of = {cls.CLINIC: "clinic", cls.LAB: "lab", cls.FINDER: "finder"}
        cls.consenting = [row["bioguide_id"] for row in cls.people[:4]]
        cls.granted = {ident: (None, 0) for ident in cls.consenting}
        cls.keys = {ident: os.path.join(cls.tmp, ident + ".key") for ident in cls.consenting}
        cls.signed = {ident: [] for ident in cls.consenting}
        for ident, key in cls.keys.items():
            cls.cell.enrol(cls.CLINIC, ident, key)

    @classmethod
    def counter(cls):
        with cls.lock:
            cls.count_up += 1
            return cls.count_up

    @classmethod
    def tag(cls):
        return f"tag {cls.counter()}"

    def test_kills(self):
        for n in range(ROUNDS):
            target = TARGETS[n % len(TARGETS)]
            try:
                self.round(n, target)
            except Exception as e:
                raise AssertionError(f"round {n}: {target}, seed {SEED}: {self.cell.log()[-2000:]}") from e
            print(".", end="", file=sys.stderr, flush=True)
        self.whole_model()
        self.cell.stop()
        told = self.log_kinds()
        print(f"{ROUNDS} kills; {len(self.model)} people written, {len(self.disclosures)} disclosures noted, "
              f"entries by kind: {told}", file=sys.stderr)

    def round(self, n, target):
        self.sign_some()
        clients = [Writer(self, self.rng.random()), Writer(self, self.rng.random()), Reader(self, self.rng.random()),
                   Reader(self, self.rng.random()), Granter(self, self.rng.random())]
        for i, client in enumerate(clients):
            client.name = f"w{i}"
            self.owned.setdefault(client.name, [])
            client.start()
        time.sleep(self.rng.uniform(0.01, LOAD_S_MAX))
        before = len(self.cell.log())
        self.strike(target, before)
        self.assertNotRegex(self.cell.log()[before:], r"Fatal|SIGSEGV|SIGABRT|SIGSYS|Sanitizer|assert")
        for client in clients:
            client.join(30)
            self.assertFalse(client.is_alive(), "a client hangs after the service went away")
            self.assertIsNone(client.wrong, f"{type(client).__name__}: {client.wrong}")
        if self.rng.random() < 0.3:
            self.kill_while_starting()
        self.cell.serve()  # must start, and at once
        self.examine()

    def strike(self, target, before):
        type(self).draining = target == "term"
        if target == "all":
            self.cell.kill()
        elif target == "term":  # the orderly end, under the same load
            self.cell.stop()
        elif target == "parent":
            os.kill(self.cell.process.pid, 9)
            self.cell.wait()  # the roles must not outlive it
        else:
            os.kill(self.cell.children[target], 9)
            self.assertEqual(self.cell.wait(), 70)
            self.assertIn(target, self.cell.log()[before:])

    def kill_while_starting(self):
        """Recovery itself is cut off, at a random moment."""
        def kill():
            time.sleep(moment)
            deadline = time.monotonic() + 5
            while self.cell.process is None and time.monotonic() < deadline:
                time.sleep(0.001)
            if process := self.cell.process:
                os.killpg(process.pid, 9)

        moment = self.rng.uniform(0, 0.15)
        killer = threading.Thread(target=kill)
        killer.start()
        try:
            self.cell.serve()
        except (AssertionError, OSError, IndexError, ValueError):
            pass  # it was killed before it listened
        killer.join()
        if self.cell.process:
            self.cell.wait()

    def sign_some(self):
        for ident, key in self.keys.items():
            while len(self.signed[ident]) < 6:
                asked = self.cell.request_consent(self.CLINIC, ident)
                self.assertIn(asked.status, (200, 201), asked.body)
                self.signed[ident].append(self.cell.sign(asked.body, key))

    def examine(self):
        self.cell.verify(self.DOG)
        entries = {e["index"]: e for e in self.cell.entries()}
        noted = self.disclosures[self.checked:]
        self.checked = len(self.disclosures)
        for index, party, operation in noted:
            entry = entries.get(index)
            self.assertIsNotNone(entry, f"plaintext got out, and entry {index} is missing")
            self.assertEqual((entry["kind"], entry["operation"], entry["party"]), ("disclosed", operation, party), entry)
        self.ask_again()
        recent = list(self.model)[-150:]
        older = self.rng.sample(sorted(self.model), min(100, len(self.model)))
        self.compare(dict.fromkeys(recent + older))

    def ask_again(self):
        for ident, value in self.pending.items():
            for _ in range(2):
                answer = self.cell.ask("POST", self.cell.records_path(ident), self.CLINIC, harness.HOME_PURPOSE, value,
                                       {"Idempotency-Key": ident})
                self.assertEqual(answer.status, 201, answer.body)
            self.model[ident] = {"id": json.loads(answer.body)["id"], "data": value}
        self.pending.clear()

    def found(self, tag, connection):
        answer = self.cell.ask("POST", "/v1/search", self.FINDER, harness.HOME_PURPOSE,
                               {"collection": "people", "where": {"tag": tag}}, connection=connection)
        return [r["data"] for r in self.ok(answer)["records"]]

    def whole_model(self):
        self.compare(self.model)
        self.examine()

    def compare(self, idents):
        connection = self.cell.connect()
        for ident in idents:
            want = self.model[ident]
            if want is UNKNOWN:
                continue
            answer = self.cell.ask("GET", self.cell.records_path(ident), self.CLINIC, harness.HOME_PURPOSE,
                                   connection=connection)
            if want == "erased":
                self.assertEqual(answer.status, 404, f"{ident} was erased")
                continue
            self.assertEqual(answer.status, 200, f"{ident}: {answer.body[:300]}")
            got = [r["data"] for r in json.loads(answer.body)["records"]]
            self.assertEqual(got, [] if want == "deleted" else [want["data"]], ident)
            if isinstance(want, dict):
                self.assertEqual(self.found(want["data"]["tag"], connection), got, ident)
                if "was" in want:
                    self.assertEqual(self.found(want["was"], connection), [], f"{ident} by an older value")
        connection.close()

    def log_kinds(self):
        self.cell.serve()
        kinds = {}
        for e in self.cell.entries():
            kinds[e["kind"]] = kinds.get(e["kind"], 0) + 1
        self.cell.stop()
        return kinds


if __name__ == "__main__":
    assert people.ALICE
    unittest.main(verbosity=2)

"""Gate keeping at the API: rights, tokens, purposes, fields, statements."""

import datetime
import json
import os
import re
import time
import unittest

import harness


class Gate(harness.ServedTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key = os.path.join(cls.tmp, "a.key")
        cls.other_key = os.path.join(cls.tmp, "b.key")
        cls.a, cls.b, cls.c = (cls.people[i]["bioguide_id"] for i in (0, 1, 2))
        cls.cell.enrol(cls.CLINIC, cls.a, cls.key)
        cls.cell.enrol(cls.CLINIC, cls.b, cls.other_key)

    # -- tokens and rights -----------------------------------------------------------------------------------------

    def test_no_or_a_wrong_token(self):
        for token in (None, "nonsense", self.CLINIC[:-1] + ("a" if self.CLINIC[-1] != "a" else "b"), self.CLINIC + "a"):
            answer = self.cell.ask("GET", self.cell.records_path(self.a), token, harness.HOME_PURPOSE)
            self.problem(answer, 401)
            self.assertIn("Bearer", answer.headers.get("WWW-Authenticate", ""))

    def test_missing_rights(self):
        reader = self.cell.party("reader", ground="dpv:Contract", rights="read")
        writer = self.cell.party("writer", ground="dpv:Contract", rights="write")
        row = {"last_name": "x"}
        self.ok(self.cell.ask("GET", self.cell.records_path(self.c), reader, harness.HOME_PURPOSE))
        for token, method, path, body in ((reader, "POST", self.cell.records_path(self.c), row),
                                          (reader, "PUT", self.cell.records_path(self.c, record=1), row),
                                          (reader, "DELETE", self.cell.records_path(self.c, record=1), None),
                                          (reader, "DELETE", f"/v1/subjects/{self.c}", None),
                                          (reader, "POST", f"/v1/subjects/{self.c}/enrolments", None),
                                          (reader, "GET", f"/v1/subjects/{self.c}/consents", None),
                                          (reader, "POST", "/ledger/evidence", {"from": 0, "to": 9}),
                                          (reader, "GET", "/ledger/tile/rows/000.p/1", None),
                                          (writer, "GET", self.cell.records_path(self.c), None)):
            with self.subTest(f"{method} {path}"):
                self.problem(self.cell.ask(method, path, token, harness.HOME_PURPOSE, body), 403, "right_missing")

    def test_a_party_with_write_alone_can_write(self):
        writer = self.cell.party("scribe", ground="dpv:Contract", rights="write")
        answer = self.cell.ask("POST", self.cell.records_path("W000001"), writer, harness.HOME_PURPOSE, {"last_name": "x"})
        self.ok(answer, 201)

    def test_a_revoked_token_is_refused_at_the_next_request(self):
        token = self.cell.party("shortlived", ground="dpv:Contract", rights="read")
        connection = self.cell.connect()
        ask = lambda: self.cell.ask("GET", self.cell.records_path(self.c), token, harness.HOME_PURPOSE, connection=connection)
        self.ok(ask())
        harness.run("bourn", "party", "end", self.cell.path, "shortlived")
        self.problem(ask(), 401)
        connection.close()
        again = self.cell.party("shortlived", ground="dpv:Contract", rights="read")  # the name is free again
        self.assertNotEqual(again, token)
        self.problem(self.cell.ask("GET", self.cell.records_path(self.c), token, harness.HOME_PURPOSE), 401)

    def test_whoami(self):
        party = self.ok(self.cell.ask("GET", "/v1/party", self.LAB))
        self.assertEqual((party["name"], party["jurisdiction"]), ("lab", "US"))

    # -- purposes and fields ---------------------------------------------------------------------------------------

    def test_purposes(self):
        path = self.cell.records_path(self.a)
        self.problem(self.cell.ask("GET", path, self.CLINIC, "dpv:Marketing"), 403, "purpose_undeclared")
        self.problem(self.cell.ask("GET", path, self.CLINIC, harness.LAB_PURPOSE), 403, "purpose_undeclared")
        self.problem(self.cell.ask("GET", path, self.CLINIC), 400)
        self.problem(self.cell.ask("POST", path, self.CLINIC, body={"last_name": "x"}), 400)
        self.problem(self.cell.ask("GET", path, self.CLINIC, "dpv:Service Provision"), 400)

    def test_an_undeclared_field(self):
        for method, path in (("POST", self.cell.records_path("F000001")),
                             ("PUT", self.cell.records_path(self.c, record=1))):
            answer = self.home(method, path, {"last_name": "x", "shoe/size": "44"})
            self.assertIn(answer.status, (400, 422))
            problem = self.problem(answer, answer.status)
            self.assertIn("/shoe~1size", json.dumps(problem))  # RFC 6901
            self.assertNotIn("44", json.dumps(problem))
        self.problem(self.home("GET", self.cell.records_path("F000001")), 404)

    def test_bodies_that_are_no_record(self):
        path = self.cell.records_path("F000002")
        for body in ("", "{", "[]", '"x"', '{"last_name":"a","last_name":"b"}', '{"last_name":"a"} x', b'{"last_name":"\xff"}',
                     '{"last_name":7}', '{"last_name":{"a":1}}'):
            with self.subTest(body):
                answer = self.home("POST", path, body)
                self.assertIn(answer.status, (400, 422))
                self.problem(answer, answer.status)
        self.problem(self.home("GET", path), 404)

    def test_unknown_collection_and_routes(self):
        answer = self.home("GET", self.cell.records_path(self.a, "cars"))
        self.assertIn(answer.status, (403, 404))
        self.problem(answer, answer.status)
        self.problem(self.home("GET", "/v1/nothing"), 404)
        answer = self.home("PUT", self.cell.records_path(self.a), {"last_name": "x"})
        self.problem(answer, 405)
        for path in ("/ledger/../keys/root.key", "/ledger/%2e%2e/keys/root.key", "/ledger/tile/0/../../../bourn.yaml",
                     "/ledger/tile/0/x1"):
            self.assertIn(self.cell.ask("GET", path).status, (400, 404))

    def test_answers_are_not_stored(self):
        self.assertIn("no-store", self.home("GET", self.cell.records_path(self.a)).headers["Cache-Control"])

    def test_who_is_refused_among_others_is_counted_in_the_ledger(self):
        """A list and an import are answered with 200, person by person; each refusal stands in the ledger."""
        border = self.cell.party("border", jurisdiction="US", purpose=harness.LAB_PURPOSE, rights="read,write")
        who = self.ok(self.cell.ask("GET", "/v1/party", border))["index"]
        named = [self.b, self.c, "Q999999"]
        answer = self.cell.ask("POST", "/v1/disclose", border, harness.LAB_PURPOSE, {"collection": "people", "subjects": named})
        self.assertEqual(answer.status, 200)
        self.assertEqual([json.loads(line).get("code") for line in answer.body.splitlines()][:3], ["not_disclosed"] * 3)
        rows = "".join(json.dumps({"bioguide_id": i, "last_name": "x"}) + "\n" for i in named[1:])
        answer = self.cell.ask("POST", "/v1/import?collection=people&subject=bioguide_id", border, harness.LAB_PURPOSE, rows,
                               headers={"Content-Type": "application/x-ndjson"})
        self.assertEqual(len(self.ok(answer)["rejected"]), 2)
        self.cell.settle()
        refused = [e for e in self.cell.entries() if e["kind"] == "refused" and e["party_entry"] == who]
        self.assertEqual({(e["operation"], e["code"]): sum(x["count"] for x in refused if x["operation"] == e["operation"]) for e in refused},
                         {("read", "basis_missing"): 3, ("write", "basis_missing"): 2})

    def test_who_has_nothing_to_disclose_is_not_refused(self):
        """A list counts as refused whom the gate refuses: not who is named twice, nor who has no record there."""
        lender = self.cell.party("lender", jurisdiction="US", purpose=harness.LAB_PURPOSE, rights="read")
        who = self.ok(self.cell.ask("GET", "/v1/party", lender))["index"]
        self.cell.consent(self.CLINIC, self.b, self.other_key, recipients=("lender",))
        answer = self.cell.ask("POST", "/v1/disclose", lender, harness.LAB_PURPOSE,
                               {"collection": "people", "subjects": [self.b, self.b, self.c]})
        self.assertEqual(answer.status, 200)
        self.cell.settle()
        refused = [e for e in self.cell.entries() if e["kind"] == "refused" and e["party_entry"] == who]
        self.assertEqual(sum(e["count"] for e in refused), 1)

    # -- records ---------------------------------------------------------------------------------------------------

    def test_a_record_lives(self):
        path = self.cell.records_path("R000001")
        made = self.ok(self.home("POST", path, {"last_name": "one"}), 201)
        one = f"{path}/{made['id']}"
        got = self.home("GET", one)
        self.assertEqual(self.ok(got)["data"], {"last_name": "one"})
        self.assertEqual(got.headers["ETag"], '"1"')
        self.problem(self.home("PUT", one, {"last_name": "two"}, headers={"If-Match": '"7"'}), 412)
        changed = self.home("PUT", one, {"last_name": "two"}, headers={"If-Match": '"1"'})
        self.assertIn(changed.status, (200, 204))
        got = self.home("GET", one)
        self.assertEqual((self.ok(got)["data"], got.headers["ETag"]), ({"last_name": "two"}, '"2"'))
        self.assertIn(self.home("DELETE", one).status, (200, 204))
        self.problem(self.home("GET", one), 404)
        self.assertEqual(self.ok(self.home("GET", path))["records"], [])

    def test_erased_stays_erased(self):
        ident = "R000002"
        self.ok(self.home("POST", self.cell.records_path(ident), {"last_name": "gone"}), 201)
        self.assertIn(self.home("DELETE", f"/v1/subjects/{ident}").status, (200, 204))
        self.problem(self.home("GET", self.cell.records_path(ident)), 404)
        self.problem(self.home("DELETE", f"/v1/subjects/{ident}"), 404)
        self.ok(self.home("POST", self.cell.records_path(ident), {"last_name": "new"}), 201)  # a new person, a new number
        self.assertEqual([r["data"] for r in self.ok(self.home("GET", self.cell.records_path(ident)))["records"]],
                         [{"last_name": "new"}])

    # -- statements ------------------------------------------------------------------------------------------------

    def refused_statement(self, subject, body, *codes):
        """Posting it fails, and the lab still cannot read."""
        answer = self.home("POST", f"/v1/subjects/{subject}/consents", body)
        self.assertIn(answer.status, codes or (400, 403, 409, 422), answer.body)
        self.problem(answer, answer.status)
        self.problem(self.foreign("GET", self.cell.records_path(subject)), 403, "basis_missing")
        return answer

    def fresh(self, subject=None, **scope):
        answer = self.request_ok(subject or self.a, **scope)
        return answer.body.decode()

    def request_ok(self, subject, **scope):
        answer = self.cell.request_consent(self.CLINIC, subject, **scope)
        self.assertIn(answer.status, (200, 201), answer.body)
        return answer

    def test_a_statement_is_used_once(self):
        signed = self.cell.sign(self.fresh(), self.key)
        consent = self.ok(self.home("POST", f"/v1/subjects/{self.a}/consents", signed), 201)["id"]
        self.assertEqual(self.foreign("GET", self.cell.records_path(self.a)).status, 200)
        listed = self.ok(self.home("GET", f"/v1/subjects/{self.a}/consents"))
        self.assertIn(str(consent), json.dumps(listed))
        self.problem(self.home("POST", f"/v1/subjects/{self.a}/consents", signed), 409)  # while it lives
        self.assertIn(self.home("DELETE", f"/v1/subjects/{self.a}/consents/{consent}").status, (200, 204))
        self.refused_statement(self.a, signed, 409)  # and once withdrawn
        self.problem(self.home("DELETE", f"/v1/subjects/{self.a}/consents/{consent}"), 409, "consent_withdrawn")
        self.problem(self.home("DELETE", f"/v1/subjects/{self.a}/consents/1"), 404)

    def test_a_statement_of_another_person(self):
        signed = self.cell.sign(self.fresh(self.a), self.key)
        self.refused_statement(self.b, signed)

    def test_a_wrong_key(self):
        self.refused_statement(self.a, self.cell.sign(self.fresh(), self.other_key))
        stranger = os.path.join(self.tmp, "stranger.key")
        if not os.path.exists(stranger):
            harness.run("bourn", "consent", "key", "new", stranger)
        self.refused_statement(self.a, self.cell.sign(self.fresh(), stranger))
        self.refused_statement(self.c, self.cell.sign(self.fresh(self.c), self.key))  # no key enrolled

    def test_a_tampered_statement(self):
        """Each text and number of the statement, changed after signing, one at a time."""
        signed = json.loads(self.cell.sign(self.fresh(), self.key))
        tried = 0
        for path, value in list(leaves(signed["statement"])):
            for other in changes(value):
                forged = json.loads(json.dumps(signed))
                put(forged["statement"], path, other)
                with self.subTest("/".join(map(str, path))):
                    self.refused_statement(self.a, forged)
                tried += 1
        self.assertGreater(tried, 15)
        for name in ("signature", "public_key"):
            forged = dict(signed, **{name: flip(signed[name])})
            self.refused_statement(self.a, forged)
            forged = {k: v for k, v in signed.items() if k != name}
            self.refused_statement(self.a, forged)

    def test_a_statement_that_the_person_signed_but_the_cell_did_not_make(self):
        """Signed by the right key, but naming another cell, person, recipient, country or notice."""
        statement = json.loads(self.fresh())
        text = json.dumps(statement)
        swaps = {"cn.example/ledger": "ru.example/ledger", '"US"': '"GB"', '"Clinic Ltd"': '"Clinic Inc"',
                 '"lab"': '"bal"', harness.LAB_PURPOSE: "dpv:Marketing", '"people"': '"cars"', '"CN"': '"HK"'}
        for old, new in swaps.items():
            with self.subTest(old):
                self.assertIn(old, text)
                signed = self.cell.sign(text.replace(old, new), self.key, check=None)
                if signed:  # else `bourn consent sign` itself does not let the person sign such words
                    self.refused_statement(self.a, signed)
        for digits in set(re.findall(r'"([0-9a-f]{64}|[A-Za-z0-9_-]{43}|[0-9a-f]{32}|[A-Za-z0-9_-]{22})"', text)):
            with self.subTest(digits):
                signed = self.cell.sign(text.replace(digits, flip(digits)), self.key)
                answer = self.home("POST", f"/v1/subjects/{self.a}/consents", signed)
                if answer.status == 201:  # only the random number that keeps statements apart may be any
                    self.assertLessEqual(len(digits), 32)
                    self.home("DELETE", f"/v1/subjects/{self.a}/consents/{json.loads(answer.body)['id']}")

    def test_old_and_future_statements(self):
        statement = self.fresh()
        issued = min(re.findall(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", statement))
        moment = datetime.datetime.strptime(issued, "%Y-%m-%dT%H:%M:%SZ")
        for days in (-8, 2):
            moved = (moment + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
            with self.subTest(days):
                self.refused_statement(self.a, self.cell.sign(statement.replace(issued, moved), self.key))

    def test_an_expired_statement(self):
        self.assertIn(self.cell.request_consent(self.CLINIC, self.a, expires="2020-01-01").status, (400, 422))
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)
        end = soon.strftime("%Y-%m-%dT%H:%M:%SZ")
        signed = self.cell.sign(self.fresh(expires=end), self.key)
        late = self.cell.sign(self.fresh(expires=end), self.key)
        self.ok(self.home("POST", f"/v1/subjects/{self.a}/consents", signed), 201)
        self.assertEqual(self.foreign("GET", self.cell.records_path(self.a)).status, 200)
        time.sleep(5.2)
        self.problem(self.foreign("GET", self.cell.records_path(self.a)), 403, "basis_missing")
        self.refused_statement(self.a, late)

    def test_as_many_consents_as_a_person_may_have(self):
        """256 live ones. An expired one makes room, and whatever the vault forgets then, the replay forgets too."""
        ident = self.people[3]["bioguide_id"]
        post = lambda statement: self.home("POST", f"/v1/subjects/{ident}/consents", statement)
        attested = lambda expires: json.dumps({"statement": json.loads(self.fresh(ident, expires=expires))["statement"]})
        over = [attested("2031-01-01") for _ in range(3)]
        rest = [attested("2031-01-01") for _ in range(254)]
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=8)
        made = [self.ok(post(attested(soon.strftime("%Y-%m-%dT%H:%M:%SZ"))), 201)["id"] for _ in range(2)]
        ids = [self.ok(post(s), 201)["id"] for s in rest]
        self.assertLess(datetime.datetime.now(datetime.timezone.utc), soon)
        self.problem(post(over[0]), 409, "consents_limit")
        time.sleep((soon - datetime.datetime.now(datetime.timezone.utc)).total_seconds() + 1.1)
        first = self.home("DELETE", f"/v1/subjects/{ident}/consents/{made[0]}")  # expired, but not withdrawn
        ids.append(self.ok(post(over[0]), 201)["id"])  # forgets both
        self.assertIn(first.status, (200, 204))
        self.problem(self.home("DELETE", f"/v1/subjects/{ident}/consents/{made[1]}"), 404, "consent_unknown")
        ids.append(self.ok(post(over[1]), 201)["id"])
        self.problem(post(over[2]), 409, "consents_limit")
        self.assertIn(self.home("DELETE", f"/v1/subjects/{ident}/consents/{ids[0]}").status, (200, 204))
        self.cell.settle()
        self.cell.verify(self.DOG)

    def test_a_consent_reaches_no_further_than_it_says(self):
        other = self.cell.lab("otherlab", "GB")
        home_lab = self.cell.lab("homelab", "CN")
        consent = self.cell.consent(self.CLINIC, self.b, self.other_key)
        path = self.cell.records_path(self.b)
        self.assertEqual(self.foreign("GET", path).status, 200)
        for token in (other, home_lab):
            self.problem(self.cell.ask("GET", path, token, harness.LAB_PURPOSE), 403, "basis_missing")
        self.problem(self.foreign("GET", self.cell.records_path(self.a)), 403, "basis_missing")
        # The same name anew is another party: the old consent does not reach it.
        harness.run("bourn", "party", "end", self.cell.path, "lab")
        type(self).LAB = self.cell.lab()
        self.problem(self.foreign("GET", path), 403, "basis_missing")
        self.home("DELETE", f"/v1/subjects/{self.b}/consents/{consent}")

    def test_operator_attested_works_at_home_alone(self):
        statement = self.fresh(self.c)
        made = self.home("POST", f"/v1/subjects/{self.c}/consents", json.dumps({"statement": json.loads(statement)["statement"]}))
        self.ok(made, 201)
        self.problem(self.foreign("GET", self.cell.records_path(self.c)), 403, "basis_missing")  # never the border
        home_lab = self.cell.lab("attestlab", "CN")
        path = self.cell.records_path(self.c)
        self.problem(self.cell.ask("GET", path, home_lab, harness.LAB_PURPOSE), 403, "basis_missing")
        statement = json.loads(self.fresh(self.c, recipients=["attestlab"]))
        self.ok(self.home("POST", f"/v1/subjects/{self.c}/consents", {"statement": statement["statement"]}), 201)
        self.assertEqual(self.cell.ask("GET", path, home_lab, harness.LAB_PURPOSE).status, 200)

    def test_enrolment_codes(self):
        code = self.ok(self.home("POST", f"/v1/subjects/{self.c}/enrolments"), 201)["code"]
        key = os.path.join(self.tmp, "c.key")
        harness.run("bourn", "consent", "key", "new", key)
        harness.run("bourn", "consent", "enrol", self.cell.url, "--code", flip(code), "--key", key, check=1)
        harness.run("bourn", "consent", "enrol", self.cell.url, "--code", code, "--key", key)
        harness.run("bourn", "consent", "enrol", self.cell.url, "--code", code, "--key", key, check=1)  # once

    def test_z_the_ledger_holds_after_all_of_this(self):
        self.cell.verify(self.DOG)


def leaves(value, path=()):
    if isinstance(value, dict):
        for k, v in value.items():
            yield from leaves(v, (*path, k))
    elif isinstance(value, list):
        for i, v in enumerate(value):
            yield from leaves(v, (*path, i))
    else:
        yield path, value


def put(value, path, new):
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = new


def changes(value):
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    return [value + "x", flip(value)] if value else ["x"]


def flip(text):
    """The same text with one character in its middle changed to another of the same kind."""
    at = len(text) // 2
    old = text[at]
    new = {"0": "1"}.get(old, "0") if old in "0123456789abcdef" else ("B" if old != "B" else "C")
    return text[:at] + new + text[at + 1:]


if __name__ == "__main__":
    unittest.main(verbosity=2)

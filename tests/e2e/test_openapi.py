"""docs/api/openapi.json is true: it has exactly the operations of src/api/routes.c with what each takes; a live cell gives each
status and code that it lists (but for the few that cannot be provoked from outside), every answer fits its schema, and no
answer has a status or code that is not listed."""

import json
import os
import re
import socket
import sys
import time
import unittest
import urllib.parse

import harness
import openapi

SCHEMA = """
fields:
  - {name: name, type: text, required: true, searchable: true}
  - {name: birthday, type: date, searchable: true}
  - {name: visits, type: integer}
  - {name: note, type: text, sensitive: true}
"""
ANNA = {"name": "Anna Lindström", "birthday": "1970-01-31", "visits": 3}
HOME, ABROAD, UNDECLARED = harness.HOME_PURPOSE, harness.LAB_PURPOSE, "dpv:Marketing"
NOBODY = "~" + "0" * 32

# What no request can bring about in a healthy cell; other tests do (disk_full, clock, crash, the unit tests of http and vault).
ELSEWHERE = {
    "overloaded": "thousands of requests at once", "vault_silent": "a vault that hangs", "stopping": "a service that ends",
    "storage_full": "a full disk", "clock_backwards": "a clock that is set back", "checkpoint_late": "a signer that hangs",
    "ledger_behind": "the same",
    "witness_lag": "witnesses that fall silent", "cosignature_late": "witnesses that are slow",
    "try_again": "no memory", "internal": "a bug", "record_damaged": "a store that was altered", "limit": "an answer over 24 MiB",
    "records_limit": "somebody with more than 1,000 matching records", "no_rule": "a cell without packs", "needs_decision": "a pack that leaves decisions to people",
}
ELSEWHERE_AT = {
    ("getCheckpoint", "not_found"): "a cell that has not signed yet",
    ("getTile", "token_required"): "a cell whose entries are closed", ("getTile", "token_invalid"): "the same",
    ("getTile", "right_missing"): "the same",
}


def template(path):
    """The documented path as a pattern of targets; only {path} holds slashes."""
    parts = re.split(r"(\{\w+\})", path)
    return "".join(re.escape(p) if p[:1] != "{" else ".+" if p == "{path}" else "[^/]+" for p in parts)


class Api(harness.Test):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.doc = openapi.Document()
        cls.seen = {}
        cls.cell = harness.Cell(cls.tmp).serve()
        cls.addClassCleanup(cls.cell.close)
        schema = os.path.join(cls.tmp, "people.yaml")
        with open(schema, "w") as f:
            f.write(SCHEMA)
        for name in ("people", "letters"):
            harness.run("bourn", "collection", "add", cls.cell.path, name, "--schema", schema)
        cls.cell.notice()
        party = cls.cell.party
        cls.CLINIC = party("clinic", ground="dpv:Contract", rights="read,write,consent,enrol,erase,search")
        cls.LAB = party("lab", jurisdiction="US", purpose=ABROAD, rights="read,write,search")
        cls.BARE = party("bare", ground="dpv:Contract", rights="link")
        cls.DOG = cls.cell.watchdog()
        cls.alice = cls.new_person()
        cls.bob = cls.new_person()
        cls.key = os.path.join(cls.tmp, "alice.key")
        cls.cell.enrol(cls.CLINIC, cls.alice, cls.key)
        cls.cell.settle()

    @classmethod
    def new_person(cls):
        answer = cls.cell.ask("POST", "/v1/subjects", cls.CLINIC, None, {"identifiers": [f"P{os.urandom(6).hex()}"]})
        ident = json.loads(answer.body)["id"]
        assert cls.cell.ask("POST", cls.cell.records_path(ident), cls.CLINIC, HOME, ANNA).status == 201
        return ident

    # -- one call, held against the document -----------------------------------------------------------------------

    def good(self, name):
        """What makes a call of the operation succeed (or get as far as a person, a code or a statement allows)."""
        bodies = {
            "createRecord": ANNA, "replaceRecord": ANNA, "changeRecord": {"visits": 4},
            "search": {"collection": "people", "where": {"name": ANNA["name"]}},
            "disclose": {"collection": "people", "subjects": [self.alice]},
            "import": json.dumps(dict(ANNA, note="Q" + os.urandom(6).hex())) + "\n",
            "createSubject": {"identifiers": ["Q" + os.urandom(6).hex()]},
            "lookUpSubject": {"identifier": "anybody"}, "addIdentifier": {"identifier": "Q" + os.urandom(6).hex()},
            "lookUpEnrolment": {"code": "nothing"}, "completeEnrolment": {"code": "nothing"},
            "requestConsent": {"purposes": [ABROAD], "recipients": ["lab"], "collections": ["people"], "expires": "2031-01-01",
                               "notice": "research"},
            "recordConsent": {"statement": {}}, "takeCopy": {"statement": {}}, "openEvidence": {"from": 0, "to": 1},
        }
        path = {"subject": self.alice, "collection": "people", "record": "1", "consent": "7", "path": "entries/000.p/1", "index": "1"}
        if name == "getRows":
            path["path"] = "000.p/1"
        audit = name in ("getRows", "openEvidence", "getReceipt", "getProof")
        return {"path": path, "body": bodies.get(name), "token": self.DOG if audit else self.CLINIC,
                "purpose": harness.AUDIT_PURPOSE if audit else HOME,
                "headers": {"Bourn-Statement": "e30"} if name == "getHistory" else {},
                "query": "?collection=people&subject=note" if name == "import" else ""}

    def request(self, name, **change):
        """Method, target, headers and body of a call; a change of None leaves the part out."""
        op, call = self.doc.named(name), {**self.good(name), **change}
        path = {**self.good(name)["path"], **change.get("path", {})}
        target = op.path
        for part, value in path.items():
            target = target.replace("{" + part + "}", value)
        head = dict(call["headers"])
        if op.token and call["token"]:
            head["Authorization"] = "Bearer " + call["token"]
        if "Bourn-Purpose" in op.names and call["purpose"]:
            head["Bourn-Purpose"] = call["purpose"]
        body = call["body"]
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if body is not None:
            head.setdefault("Content-Type", op.body[0] if op.body else "application/json")
        return op, op.method, target + call["query"], head, body.encode() if isinstance(body, str) else body

    def call(self, name, status=None, code=None, **change):
        op, method, target, head, body = self.request(name, **change)
        answer = self.cell.ask(method, target, None, None, body, head)
        return self.hold(op, answer, status, code)

    def hold(self, op, answer, status, code):
        got = op.check(answer)
        self.seen.setdefault(op.name, set()).add(got)
        if status:
            self.assertEqual(got, (status, code), f"{op}: {answer.body[:300]}")
        return json.loads(answer.body) if answer.headers["Content-Type"] == "application/json" else answer.body

    def raw(self, name, status, code, lines, drop=()):
        """The call with lines of its own among the headers, and no body."""
        op, method, target, head, _ = self.request(name)
        head = [f"{k}: {v}" for k, v in head.items() if k not in drop]
        with socket.create_connection(("127.0.0.1", self.cell.port), 30) as s:
            s.sendall("\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *head, *lines, "", ""]).encode())
            answer = harness.http.client.HTTPResponse(s, method=method)
            answer.begin()
            return self.hold(op, harness.Answer(answer.status, answer.headers, answer.read()), status, code)

    # -- the document and the code ----------------------------------------------------------------------------------

    def test_0_the_operations_are_those_of_the_code(self):
        with open(os.path.join(harness.SOURCE, "src", "api", "routes.c")) as f:
            text = f.read()
        records = re.search(r'#define RECORDS "([^"]+)"', text).group(1)
        gated = re.search(r"enum \{ GATED = ([^}]+) \}", text).group(1)
        routes = {}
        for method, prefix, path, flags in re.findall(r'\{"([A-Z]+)",\s*(RECORDS)?\s*(?:"([^"]+)")?,\s*REQ_\w+,\s*([^}]+)\}', text):
            path = (records if prefix else "") + path
            number = "{consent}" if "/consents/" in path else "{index}" if "/ledger/" in path else "{record}"
            path = path.replace("{s}", "{subject}").replace("{c}", "{collection}").replace("{n}", number)
            path = path.replace("checkpoint*", "checkpoint").replace("*", "{path}")
            routes[method, path] = set(re.findall(r"ROUTE_\w+", flags.replace("GATED", gated)))
        documented = {}
        for op in self.doc.operations:
            flags = {"ROUTE_TOKEN"} if op.token else {"ROUTE_TOKEN_MAYBE"} if op.token_maybe else set()
            for name, flag in (("Bourn-Purpose", "PURPOSE"), ("If-Match", "VERSION"), ("cursor", "CURSOR"), ("fields", "FIELDS"),
                               ("Idempotency-Key", "KEY"), ("Bourn-Statement", "STATEMENT"), ("size", "SIZE")):
                flags |= {"ROUTE_" + flag} if name in op.names else set()
            if op.body:
                flags.add({"application/json": "ROUTE_BODY", "application/merge-patch+json": "ROUTE_PATCH",
                           "application/x-ndjson": "ROUTE_UPLOAD"}[op.body[0]])
            documented[op.method, op.path] = flags
        self.assertEqual(documented, routes)
        self.assertEqual(len(routes), len(re.findall(r"\bREQ_\w+", text)), "a route that was not understood")
        self.assertEqual(len({op.name for op in self.doc.operations}), len(self.doc.operations))

    def test_0_the_document_is_whole(self):
        used = set(re.findall(r'"\$ref": "#/components/(\w+/[\w-]+)"', json.dumps(self.doc.root)))
        for kind in ("schemas", "parameters", "headers", "responses"):
            for name, item in self.doc.root["components"][kind].items():
                if kind == "schemas":
                    self.doc.errors(item, {})  # every keyword is one that the validator understands
                self.assertTrue(f"{kind}/{name}" in used or name.startswith("NoSuch"), f"{kind}/{name} is not used")
        self.assertEqual(self.doc.root["openapi"], "3.1.0")
        for op in self.doc.operations:
            self.assertEqual({"{" + p["name"] + "}" for p in op.parameters if p["in"] == "path"}, set(re.findall(r"\{\w+\}", op.path)))
            if op.body and "example" in op.body[1]:
                self.assertEqual(self.doc.errors(op.body[1]["schema"], op.body[1]["example"]), [], op)

    def test_0_the_validator_can_fail(self):
        problem = self.doc.named("getRecord").responses[404]["content"][openapi.PROBLEM]["schema"]
        good = {"type": "/problems/record_unknown", "title": "t", "status": 404, "detail": "", "code": "record_unknown"}
        self.assertEqual(self.doc.errors(problem, good), [])
        for change in ({"status": 403}, {"code": "other"}, {"code": 1}, {"more": 1}, {"type": "record_unknown"}, {"missing": {}}):
            self.assertNotEqual(self.doc.errors(problem, {**good, **change}), [], change)
        for name in good:
            self.assertNotEqual(self.doc.errors(problem, {k: v for k, v in good.items() if k != name}), [], name)
        answer = harness.Answer(200, {"Content-Type": "application/json", "Cache-Control": "no-store"}, b'{"records":[],"next":0}')
        with self.assertRaises(AssertionError):
            self.doc.named("listRecords").check(answer)

    # -- what every operation refuses in the same way ---------------------------------------------------------------

    def test_1_refusals_of_the_same_kind(self):
        for op in self.doc.operations:
            with self.subTest(op.name):
                self.malformed(op)
                self.unknown(op)
                self.refused(op)

    def malformed(self, op):
        listed = {code for _, code in op.answers}
        call, raw, name = self.call, self.raw, op.name
        raw(name, 400, "header_repeated", ["If-Match: \"1\"", "If-Match: \"1\""])
        raw(name, 400, "length_ambiguous", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"])
        raw(name, 431, "headers_too_large", ["X-Long: " + "x" * 17000])
        raw(name, 413, "body_too_large", [f"Content-Length: {(1 << 20) + 1}"]) if "body_too_large" in listed else None
        call(name, 400, "query_malformed", query="?nonsense=1")
        if op.body:
            raw(name, 400, "body_required", ["Content-Length: 0"]) if "body_required" in listed else None
            call(name, 415, "content_type_unsupported", headers={"Content-Type": "text/plain"})
        else:
            call(name, 400, "body_unexpected", body="x")
        if op.token:
            call(name, 401, "token_required", token=None)
            call(name, 401, "token_invalid", token="nobody")
        if "Bourn-Purpose" in op.names:
            call(name, 400, "purpose_required", purpose=None)
            call(name, 400, "purpose_malformed", purpose="two words")
        if "If-Match" in op.names:
            call(name, 400, "if_match_malformed", headers={"If-Match": "3"})
        if "Idempotency-Key" in op.names:
            call(name, 400, "idempotency_key_malformed", headers={"Idempotency-Key": "two words"})
        if "{subject}" in op.path:
            call(name, 400, "path_malformed", path={"subject": "%zz"})
        for number in {"{record}", "{consent}", "{index}"} & set(re.findall(r"\{\w+\}", op.path)):
            call(name, 400, "number_malformed", path={number[1:-1]: "07"})
        if "json_malformed" in listed:
            call(name, 400, "json_malformed", body="{")
        if "{path}" in op.path:
            call(name, 404, "not_found", path={"path": "0/999"})
            call(name, 404, "route_unknown", path={"path": "%2e%2e/keys"})

    def unknown(self, op):
        listed = {code for status, code in op.answers if status == 404}
        if "collection_unknown" in listed:
            body = self.good(op.name)["body"]
            body = {**body, "collection": "nothing"} if op.name in ("search", "disclose") else body
            query = self.good(op.name)["query"].replace("people", "nothing")
            self.call(op.name, 404, "collection_unknown", path={"collection": "nothing"}, body=body, query=query)
        if "subject_unknown" in listed:
            self.call(op.name, 404, "subject_unknown", path={"subject": NOBODY})
        if "record_unknown" in listed:
            self.call(op.name, 404, "record_unknown", path={"record": "999999"})

    def refused(self, op):
        listed = {code for status, code in op.answers if status == 403}
        if "right_missing" in listed and (op.name, "right_missing") not in ELSEWHERE_AT:
            self.call(op.name, 403, "right_missing", token=self.BARE)
        if "purpose_undeclared" in listed:
            self.call(op.name, 403, "purpose_undeclared", purpose=UNDECLARED)
        if "basis_missing" in listed:
            for subject in (self.alice, NOBODY):
                self.call(op.name, 403, "basis_missing", token=self.LAB, purpose=ABROAD, path={"subject": subject})

    # -- records ----------------------------------------------------------------------------------------------------

    def test_2_records(self):
        path = {"subject": self.new_person()}
        once = {"Idempotency-Key": "first-" + os.urandom(4).hex()}
        made = self.call("createRecord", 201, path=path, headers=once)
        self.assertEqual(self.call("createRecord", 201, path=path, headers=once), made)
        self.call("createRecord", 422, "idempotency_mismatch", path=path, headers=once, body=dict(ANNA, visits=9))
        path["record"] = str(made["id"])
        for name in ("replaceRecord", "changeRecord"):
            self.call(name, 200, path=path, headers={"Idempotency-Key": name})
            self.call(name, 422, "idempotency_mismatch", path=path, headers={"Idempotency-Key": name}, body=dict(ANNA, visits=9))
            self.call(name, 412, "version_conflict", path=path, headers={"If-Match": '"99"'})
        self.assertEqual(self.call("getRecord", 200, path=path)["version"], 3)
        self.assertEqual(self.call("getRecord", 200, path=path, query="?fields=visits")["data"], {"visits": 4})
        page = self.call("listRecords", 200, path=path, query="?fields=name,visits&cursor=0")
        self.assertEqual([r["data"] for r in page["records"]], [{"name": ANNA["name"], "visits": n} for n in (3, 4)])
        self.call("listRecords", 422, "field_undeclared", path=path, query="?fields=shoe_size")
        self.call("getRecord", 422, "field_undeclared", path=path, query="?fields=name,name")
        for name in ("createRecord", "replaceRecord", "changeRecord"):
            self.call(name, 422, "record_malformed", path=path, body=[1])
            self.call(name, 422, "field_undeclared", path=path, body={**ANNA, "shoe_size": "44"})
            self.call(name, 422, "field_type", path=path, body={**ANNA, "birthday": "yesterday"})
            self.call(name, 422, "field_missing", path=path, body={"name": None})
            self.call(name, 413, "record_too_large", path=path, body={**ANNA, "note": "x" * (256 << 10)})
        self.call("deleteRecord", 412, "version_conflict", path=path, headers={"If-Match": '"1"'})
        gone = self.call("deleteRecord", 200, path=path, headers={"If-Match": '"3"', "Idempotency-Key": "end"})
        self.assertEqual(self.call("deleteRecord", 200, path=path, headers={"If-Match": '"3"', "Idempotency-Key": "end"}), gone)
        self.call("deleteRecord", 404, "record_unknown", path=path)
        self.call("getRecord", 404, "record_unknown", path=path)

    def test_3_search_and_disclose(self):
        found = self.call("search", 200)
        self.assertIn(self.alice, [r["subject"] for r in found["records"]])
        self.assertEqual(self.call("search", 200, body={"collection": "people", "where": {"name": "Nobody"}})["records"], [])
        self.assertEqual(self.call("search", 200, token=self.LAB, purpose=ABROAD)["records"], [])
        self.call("search", 200, query="?cursor=100000000")
        lines = self.call("disclose", 200, body={"collection": "people", "subjects": [self.alice, NOBODY], "fields": ["name"]})
        self.assertEqual([sorted(json.loads(l)) for l in lines.splitlines()],
                         [["data", "id", "subject", "version"], ["code", "subject"], ["receipt"]])
        lines = self.call("disclose", 200, body={"collection": "people", "consented": True})
        self.assertEqual([sorted(json.loads(l)) for l in lines.splitlines()], [["receipt"]])
        self.call("disclose", 200, body={"collection": "people", "where": {"birthday": ANNA["birthday"]}})
        for name in ("search", "disclose"):
            for where in ({}, [], {"visits": 3}, {"name": None}, {"name": ["x"]}):
                self.call(name, 422, "where_malformed", body={"collection": "people", "where": where})
            self.call(name, 422, "field_undeclared", body={**self.good(name)["body"], "fields": ["shoe_size"]})
        for body in ({}, {"subjects": [1]}, {"subjects": [""]}, {"subjects": ["x" * 2000]}, {"subjects": ["x"], "consented": True}, {"subjects": "x"}, {"consented": False}):
            self.call("disclose", 422, "selection_malformed", body={"collection": "people", **body})

    def test_3_import(self):
        body = self.good("import")["body"] + "{\n"
        told = self.call("import", 200, body=body)
        self.assertEqual((told["stored"], told["rejected_count"], told["rejected"][0]["line"]), (1, 1, 2))
        self.assertEqual(self.call("import", 200, body=body)["skipped"], 1)
        self.assertEqual(self.call("import", 200, token=self.LAB, purpose=ABROAD)["stored"], 0)
        self.call("import", 413, "line_too_long", body="x" * (2 << 20))

    # -- people -----------------------------------------------------------------------------------------------------

    def test_4_people(self):
        body = self.good("createSubject")["body"]
        made = self.call("createSubject", 201, body=body, headers={"Idempotency-Key": "person"})
        self.assertEqual(self.call("createSubject", 201, body=body, headers={"Idempotency-Key": "person"}), made)
        self.call("createSubject", 422, "idempotency_mismatch", headers={"Idempotency-Key": "person"})
        self.call("createSubject", 409, "identifier_taken", body=body)
        first = body["identifiers"][0]
        opaque = self.call("lookUpSubject", 200, body={"identifier": first})["id"]
        for bad in ("~x", "", "x" * 257):
            self.call("createSubject", 422, "identifier_malformed", body={"identifiers": [bad]})
            self.call("lookUpSubject", 422, "identifier_malformed", body={"identifier": bad})
            self.call("addIdentifier", 422, "identifier_malformed", body={"identifier": bad})
        self.call("createSubject", 422, "identifier_malformed", body={"identifiers": ["a", "a"]})
        path = {"subject": opaque}
        self.call("addIdentifier", 409, "identifier_taken", path=path, body={"identifier": first})
        for n in range(2, 17):
            body = self.good("addIdentifier")["body"]
            self.assertEqual(self.call("addIdentifier", 201, path=path, body=body, headers={"Idempotency-Key": f"id-{n}"}),
                             {"identifiers": n})
        self.call("addIdentifier", 422, "idempotency_mismatch", path=path, headers={"Idempotency-Key": "id-16"})
        self.call("addIdentifier", 409, "identifiers_limit", path=path)
        self.call("addIdentifier", 403, "crossing_refused", path=path, token=self.LAB)
        self.call("createRecord", 201, path=path)
        self.assertEqual(len(self.call("listRecords", 200, path={"subject": made["id"]})["records"]), 1)
        gone = self.call("eraseSubject", 200, path=path, headers={"Idempotency-Key": "gone"})
        self.assertEqual(self.call("eraseSubject", 200, path=path, headers={"Idempotency-Key": "gone"}), gone)
        self.call("eraseSubject", 404, "subject_unknown", path={"subject": first})
        self.call("getParty", 200)

    def enrolment(self, subject, key):
        """Code and body of a good proof of possession. The command posts what it signed: here to nobody."""
        code = self.call("createEnrolment", 201, path={"subject": subject})["code"]
        return code, self.call("lookUpEnrolment", 200, body={"code": code})

    def test_5_keys(self):
        import signing
        subject, person = self.new_person(), signing.Key()

        def proof(**change):
            code, look = self.enrolment(subject, person)
            return {"code": code, **person.prove(code, look["origin"], look["label"], change)}
        self.call("lookUpEnrolment", 404, "code_unknown", body={"code": "7ZK3-0A1B-9XQ2-M4NN-P8RT"})
        self.call("completeEnrolment", 404, "code_unknown")
        self.call("completeEnrolment", 422, "statement_malformed", body={**proof(), "statement": {}})
        self.call("completeEnrolment", 422, "statement_mismatch", body=proof(origin="us.example/ledger"))
        self.call("completeEnrolment", 422, "statement_mismatch", body=proof(event_time="2020-01-01T00:00:00Z"))
        self.call("completeEnrolment", 403, "signature_invalid", body={**proof(), "signature": "A" * 86})
        good = proof()
        self.call("completeEnrolment", 201, body=good)
        self.call("completeEnrolment", 404, "code_unknown", body=good)
        self.call("completeEnrolment", 409, "key_known", body=proof())
        for _ in range(31):
            person = signing.Key()
            self.call("completeEnrolment", 201, body=proof())
        person = signing.Key()
        self.call("completeEnrolment", 409, "keys_limit", body=proof())

    # -- consents ---------------------------------------------------------------------------------------------------

    def test_6_consent_requests(self):
        good = self.good("requestConsent")["body"]
        self.call("requestConsent", 200)
        for change, code in (({"purposes": []}, "consent_malformed"), ({"purposes": ["two words"]}, "purpose_malformed"),
                             ({"recipients": ["nobody"]}, "recipient_unknown"), ({"collections": ["nothing"]}, "collection_unknown"),
                             ({"expires": "2001-01-01"}, "expires_malformed"), ({"notice": "nothing"}, "notice_unknown"),
                             ({"language": "xx"}, "notice_unknown")):
            self.call("requestConsent", 422, code, body={**good, **change})

    def statement(self, subject=None):
        return self.call("requestConsent", 200, path={"subject": subject or self.alice})["statement"]

    def test_7_consents(self):
        import signing
        post = lambda status, code=None, body=None, **more: self.call("recordConsent", status, code, body=body, **more)
        post(422, "statement_malformed", {"statement": {}})
        post(422, "statement_malformed", "{}")
        late = "2001-01-01T00:00:00Z"
        for code, change in (
            ("statement_foreign", {"origin": "us.example/ledger"}), ("statement_other_person", {"pii_principal_id": "0" * 32}),
            ("statement_expired", {"event_time": "2000-01-01T00:00:00Z", "expiry_time": late}),
            ("destination_mismatch", {"processing_locations": ["DE", "US"]}), ("collection_unknown", {"pii_information": ["nothing"]}),
        ):
            post(422, code, {"statement": {**self.statement(), **change}})
        for code, part, change in (("recipient_changed", "recipient_third_parties", {"party_name": "Another Lab"}),
                                   ("statement_malformed", "purposes", {"purpose_description": "nothing to worry about"})):
            said = self.statement()
            said[part][0].update(change)
            post(422, code, {"statement": said})
        said = self.statement()
        said["privacy_notice"]["version"] = 2
        post(422, "notice_changed", {"statement": said})
        stranger = signing.Key()
        post(403, "key_unknown", stranger.sign(self.statement()))
        signed = json.loads(self.cell.sign(json.dumps({"statement": self.statement()}), self.key))
        post(403, "signature_invalid", {**signed, "signature": "A" * 86})
        made = post(201, None, signed, headers={"Idempotency-Key": "consent"})
        self.assertEqual(post(201, None, signed, headers={"Idempotency-Key": "consent"}), made)
        post(422, "idempotency_mismatch", {"statement": said}, headers={"Idempotency-Key": "consent"})
        post(409, "statement_used", signed)
        self.call("disclose", 200, token=self.LAB, purpose=ABROAD, body={"collection": "people", "consented": True})
        self.assertEqual(self.call("listConsents", 200)["consents"][-1]["state"], "live")
        abroad = self.cell.party("agency", jurisdiction="US", purpose=ABROAD, rights="consent")
        self.call("listConsents", 403, "crossing_refused", token=abroad)
        path = {"consent": str(made["id"])}
        self.assertEqual(self.call("withdrawConsent", 200, path=path, headers={"Idempotency-Key": "no"}), {"withdrawn": made["id"]})
        self.call("withdrawConsent", 200, path=path, headers={"Idempotency-Key": "no"})
        self.call("withdrawConsent", 409, "consent_withdrawn", path=path)
        self.call("withdrawConsent", 404, "consent_unknown", path={"consent": "999999"})

    def test_7_consents_without_end(self):
        subject = self.new_person()
        for _ in range(256):
            self.call("recordConsent", 201, path={"subject": subject}, body={"statement": self.statement(subject)})
        self.call("recordConsent", 409, "consents_limit", path={"subject": subject}, body={"statement": self.statement(subject)})

    def test_7_own_copies(self):
        import signing
        post = lambda status, code, body: self.call("takeCopy", status, code, body=body)
        post(422, "statement_malformed", "{")
        person, subject = signing.Key(), self.new_person()
        code = self.call("createEnrolment", 201, path={"subject": subject})["code"]
        look = self.call("lookUpEnrolment", 200, body={"code": code})
        bound = self.call("completeEnrolment", 201, body={**person.prove(code, look["origin"], look["label"], {}), "code": code})
        self.assertEqual(bound["label"], look["label"])

        def said(**change):
            return {"event_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "origin": look["origin"],
                    "pii_principal_id": look["label"], "record_id": os.urandom(16).hex(),
                    "request": "a copy of all records about me", "schema_version": "bourn-export/1", **change}
        post(422, "statement_foreign", person.sign(said(origin="us.example/ledger")))
        post(422, "statement_expired", person.sign(said(event_time="2001-01-01T00:00:00Z")))
        post(403, "signature_invalid", signing.Key().sign(said()))
        signed = person.sign(said())
        self.assertEqual([json.loads(line)["data"] for line in post(200, None, signed).splitlines()], [ANNA])
        post(409, "statement_used", signed)

    def test_7_own_history(self):
        import signing
        subject = self.new_person()
        code = self.call("createEnrolment", 201, path={"subject": subject})["code"]
        look = self.call("lookUpEnrolment", 200, body={"code": code})
        person = signing.Key()
        self.call("completeEnrolment", 201, body={**person.prove(code, look["origin"], look["label"], {}), "code": code})
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

        def ask(status, code=None, who=person, query="", **change):
            said = {"event_time": now, "origin": look["origin"], "pii_principal_id": look["label"], "record_id": os.urandom(16).hex(),
                    "request": "every row of the ledger about me", "schema_version": "bourn-history/1", **change}
            head = {"Bourn-Statement": signing.text(json.dumps(who.sign(said)).encode())}
            return self.call("getHistory", status, code, path={"subject": "~" + look["label"]}, headers=head, query=query)
        self.assertEqual(len(ask(200)["rows"]), 3)
        ask(403, "signature_invalid", signing.Key())
        ask(422, "statement_malformed", request="something else")
        ask(422, "statement_foreign", origin="us.example/ledger")
        ask(422, "statement_expired", event_time="2001-01-01T00:00:00Z")
        ask(400, "range_malformed", query="?cursor=1")
        nonce = os.urandom(16).hex()
        copy = {"event_time": now, "origin": look["origin"], "pii_principal_id": look["label"], "record_id": nonce,
                "request": "a copy of all records about me", "schema_version": "bourn-export/1"}
        self.call("takeCopy", 200, body=person.sign(copy))
        ask(409, "statement_used", record_id=nonce)
        for _ in range(6):
            ask(200)
        ask(429, "history_often")
        self.call("getHistory", 400, "statement_required", headers={})
        self.call("getHistory", 400, "path_malformed", path={"subject": "%zz"})

    # -- the ledger -------------------------------------------------------------------------------------------------

    def test_8_ledger(self):
        self.call("health", 200)
        size = int(self.call("getCheckpoint", 200).split(b"\n")[1])
        width = min(size, 256)
        tail = "000" if width == 256 else f"000.p/{width}"
        for path in (f"0/{tail}", f"entries/{tail}"):
            self.assertTrue(self.call("getTile", 200, path={"path": path}))
            tag = self.cell.ask("GET", "/ledger/tile/" + path).headers["ETag"]
            part = self.call("getTile", 206, path={"path": path}, headers={"Range": "bytes=0-9", "If-Range": tag})
            self.assertEqual(len(part), 10)
            self.call("getTile", 304, path={"path": path}, headers={"If-None-Match": tag})
            self.call("getTile", 416, "range_not_satisfiable", path={"path": path}, headers={"Range": "bytes=99999999-"})
        self.call("getTile", 200, path={"path": f"entries/{tail}"}, headers={"Accept-Encoding": "gzip"})
        self.call("getCheckpoint", 206, headers={"Range": "bytes=-5"})
        self.call("getCheckpoint", 304, headers={"If-None-Match": "*"})
        self.call("getCheckpoint", 416, "range_not_satisfiable", headers={"Range": "bytes=9999-"})
        self.assertTrue(self.call("getRows", 200, path={"path": tail}))
        self.assertTrue(self.call("openEvidence", 200, body={"from": 0, "to": width}))
        for body in ({"from": 0, "to": 2000}, {"from": 5, "to": 5}, {"from": 0, "to": 10**9}, {"from": 0}, {}, []):
            self.call("openEvidence", 400, "range_malformed", body=body)

    def test_8_receipts_and_proofs(self):
        self.cell.settle()
        for name in ("getReceipt", "getProof"):
            self.call(name, 404, "entry_unknown", path={"index": "999999999"})
            self.call(name, 404, "entry_unknown", token=self.LAB)
        self.assertTrue(self.call("getReceipt", 200).startswith(b"bourn-receipt/v1\n"))
        self.assertEqual(self.call("getProof", 200)["rows"], [])
        stored = next(e for e in self.cell.entries() if e["kind"] == "stored")["index"]
        self.assertEqual(len(self.call("getProof", 200, token=self.CLINIC, path={"index": str(stored)})["rows"]), 1)

    # -- everything else that can be asked --------------------------------------------------------------------------

    def test_9_no_other_path_and_method(self):
        by_path = {}
        for op in self.doc.operations:
            by_path.setdefault(op.path, {})[op.method] = op
        nothing = self.doc.root["components"]["responses"]["NoSuchPath"]["content"][openapi.PROBLEM]["schema"]
        other = self.doc.root["components"]["responses"]["NoSuchMethod"]["content"][openapi.PROBLEM]["schema"]
        for path, methods in by_path.items():
            target = self.request(next(iter(methods.values())).name)[2].split("?")[0]
            # `lookup` might be somebody's identifier, and rows are a path below tiles: such a target has both paths' methods.
            methods = {m for p, ms in by_path.items() for m in ms if re.fullmatch(template(p), target)}
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - methods:
                answer = self.cell.ask(method, target)
                self.assertEqual(answer.status, 405, (method, target))
                self.assertEqual(self.doc.errors(other, json.loads(answer.body)), [])
                allowed = methods | ({"HEAD"} if "GET" in methods else set())
                self.assertEqual(set(answer.headers["Allow"].split(", ")), allowed)
            answer = self.cell.ask("GET", target + "/nothing/else")
            if not target.startswith("/ledger/tile/"):
                self.assertEqual(self.doc.errors(nothing, json.loads(answer.body)), [], answer)

    def test_9_head_is_get_without_its_body(self):
        for op in self.doc.operations:
            if op.method != "GET":
                continue
            _, _, target, head, _ = self.request(op.name)
            get, answer = self.cell.ask("GET", target, headers=head), self.cell.ask("HEAD", target, headers=head)
            self.assertEqual((answer.status, answer.body), (get.status, b""), op)
            self.assertEqual(answer.headers["Content-Type"], get.headers["Content-Type"])

    def test_99_every_answer_was_seen(self):
        missing, needless, total = [], [], 0
        for op in self.doc.operations:
            seen = self.seen.get(op.name, set())
            for status, code in sorted(op.answers, key=str):
                told = code in ELSEWHERE or (op.name, code) in ELSEWHERE_AT
                total += 1
                if (status, code) not in seen and not told:
                    missing.append(f"{op.name}: {status} {code}")
                if (status, code) in seen and told:
                    needless.append(f"{op.name}: {status} {code}")
        self.assertEqual(missing, [], "listed, and never seen")
        self.assertEqual(needless, [], "seen, though it is said not to be provoked here")
        print(f"{len(self.doc.operations)} operations: {sum(map(len, self.seen.values()))} of {total} answers seen", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""The table of hostile requests: what a client could send by mistake or on purpose, as bytes, and the answer that each
must get. A new case is one line in one of the functions below.

case(NAME, BYTES, STATUS, CODE): one connection, these bytes, the first answer. CODE None: any body (bytes that are no HTTP get
a bare page of the HTTP library, or, STATUS None, a closed connection). STATUS may be several, where versions of the library
differ. Options: `answers` how many answers may come on the connection, `after` bytes sent after a pause, `half` the request
is not whole: no answer is awaited, and none may come."""

import collections
import json
import time

Case = collections.namedtuple("Case", "name data status code answers after half")
KIB, MIB = 1 << 10, 1 << 20
HOME, LAB, AUDIT = "dpv:ServiceProvision", "dpv:ResearchAndDevelopment", "dpv:LegalCompliance"


def request(method, path, headers=(), body=None, version="HTTP/1.1", host="x", close=True):
    """A well-formed request but for what is asked to be wrong; `headers`: (name, value) pairs of str or bytes."""
    def octets(s):
        return s if isinstance(s, bytes) else s.encode()

    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    lines = [b" ".join((octets(method), octets(path), octets(version)))]
    lines += [b"Host: " + octets(host)] if host is not None else []
    lines += [octets(n) + b": " + octets(v) for n, v in headers]
    if body is not None and not any(octets(n).lower() in (b"content-length", b"transfer-encoding") for n, _ in headers):
        lines.append(b"Content-Length: %d" % len(octets(body)))
    lines += [b"Connection: close"] if close else []
    return b"\r\n".join(lines) + b"\r\n\r\n" + (octets(body) if body is not None else b"")


class Table:
    """Needs the cell of test_hostile.py: its tokens, a victim with record 1 at version 1, a key that was used."""

    def __init__(self, clinic, lab, dog, revoked, foreign, victim, used_key):
        self.clinic, self.lab, self.dog, self.revoked, self.foreign = clinic, lab, dog, revoked, foreign
        self.victim, self.used_key = victim, used_key
        self.records = f"/v1/subjects/{victim}/records/people"
        self.record = self.records + "/1"
        self.cases = []
        for fill in (self.line, self.paths, self.headers, self.tokens, self.lengths, self.bodies, self.records_bodies,
                     self.preconditions, self.searches, self.people, self.consents, self.ledger, self.pipelines):
            fill()

    def case(self, name, data, status, code=None, answers=1, after=None, half=False):
        assert name not in {c.name for c in self.cases}, name
        self.cases.append(Case(name, data, status, code, answers, after, half))

    def auth(self, token=None, purpose=HOME, extra=(), type_="application/json"):
        out = [("Authorization", "Bearer " + (token or self.clinic))]
        out += [("Bourn-Purpose", purpose)] if purpose else []
        out += [("Content-Type", type_)] if type_ else []
        return out + list(extra)

    def get(self, path, **more):
        return request("GET", path, self.auth(type_=None, **more))

    def post(self, path, body, method="POST", **more):
        return request(method, path, self.auth(**more), body)

    # -- the first line ---------------------------------------------------------------------------------------------

    def line(self):
        case, get = self.case, self.get
        case("method unknown", request("FROB", "/healthz"), 405, "method_not_allowed")
        case("method in lower case", request("get", "/healthz"), 405, "method_not_allowed")
        for method in ("TRACE", "CONNECT", "OPTIONS", "PROPFIND", "POST", "DELETE", "PUT", "PATCH"):
            case(f"method {method} of /healthz", request(method, "/healthz"), 405, "method_not_allowed")
        case("PUT of a list", self.post(self.records, {"last_name": "x"}, "PUT"), 405, "method_not_allowed")
        case("PATCH of a list", self.post(self.records, {}, "PATCH"), 405, "method_not_allowed")
        case("POST of a record", self.post(self.record, {"last_name": "x"}), 405, "method_not_allowed")
        case("GET of an erasure", get(f"/v1/subjects/{self.victim}"), 405, "method_not_allowed")
        case("PUT of the checkpoint", request("PUT", "/ledger/checkpoint", self.auth(), "x"), 405, "method_not_allowed")
        case("DELETE of a tile", request("DELETE", "/ledger/tile/0/000"), 405, "method_not_allowed")
        case("a very long method", request("A" * 5000, "/healthz"), 405, "method_not_allowed")
        none = (400, None)
        case("HTTP/0.9", b"GET /healthz\r\n\r\n", none)
        case("HTTP/2.0 in the line", request("GET", "/healthz", version="HTTP/2.0"), 505)
        case("HTTP/9.9", request("GET", "/healthz", version="HTTP/9.9"), 505)
        case("no version but a word", request("GET", "/healthz", version="FTP/1.1"), 400)
        case("HTTP/1.1 in lower case", request("GET", "/healthz", version="http/1.1"), 400)
        case("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)
        case("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n", none)
        case("no Host", request("GET", "/healthz", host=None), 400)
        case("HTTP/1.0 without Host is served", request("GET", "/healthz", version="HTTP/1.0", host=None), 200)
        case("HTTP/1.0 with a wrong token", request("GET", self.records, self.auth("nobody"), version="HTTP/1.0"), 401,
             "token_invalid")
        case("an absolute address is no path of ours", get("http://x/v1/party"), 404, "route_unknown")
        case("an absolute address of another host", get("http://evil.example/healthz"), 404, "route_unknown")
        case("an address without a slash", get("healthz"), 404, "route_unknown")
        case("an asterisk", get("*"), 404, "route_unknown")
        case("a line of 20 KiB", get("/" + "a" * 20 * KIB), 431, "headers_too_large")
        case("a query of 20 KiB", get(self.records + "?cursor=" + "1" * 20 * KIB), 431, "headers_too_large")
        case("a line of 300 KiB", get("/" + "a" * 300 * KIB), 414)
        case("a NUL in the line", get("/health\x00z"), (400, 404, None))
        case("a tab in the line", b"GET\t/health\tHTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", (400, 404, None))
        case("a space in the path", b"GET /health z HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", none)
        case("a bare CR in the line", b"GET /healthz\r HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", (400, 404))
        case("garbage", bytes(range(1, 256)) * 4 + b"\r\n\r\n", none)

    # -- paths ------------------------------------------------------------------------------------------------------

    def paths(self):
        case, get = self.case, self.get
        for path in ("/", "//", "/v1", "/v1/", "/V1/party", "/v1/party/", "/v1//party", "/v1/subjects//records/people",
                     "/v1/./party", "/v1/x/../party", "/ledger", "/ledger/", "/ledger/checkpoint/", "/ledger/checkpointx",
                     "/ledger/tile", "/ledger/tile/", "/admin.sock", "/metrics/..", "/problems/basis_missing",
                     "/v1/admin/party", "/keys/root.key", "/%2e%2e/keys/root.key", "/v1%2fparty", "/%76%31/party",
                     "/v1/party;x=1", "/healthz%00", "/healthz/", "/v1/subjects/a/records/people/1/2"):
            case(f"path {path}", get(path), 404 if path != "/v1/subjects//records/people" else 400,
                 "route_unknown" if path != "/v1/subjects//records/people" else "path_malformed")
        people = "/v1/subjects/{}/records/people"
        for name, ident in (("an escape cut off", "a%4"), ("an escape that is none", "a%zz"), ("a lone percent", "%"),
                            ("an escaped NUL", "a%00b"), ("wrong UTF-8", "%ff%fe"), ("a lone surrogate", "%ed%a0%80"),
                            ("an overlong slash", "%c0%af"), ("257 bytes", "a" * 257), ("4,000 bytes", "a" * 4000),
                            ("1,000 escapes", "%41" * 1000), ("a bare bracket", "a<b>"), ("a backslash", "a\\b"),
                            ("a bare caret", "a^b"), ("bytes over 127", b"\xc3\xa9")):
            path = people.format(ident) if isinstance(ident, str) else b"/v1/subjects/" + ident + b"/records/people"
            case(f"subject: {name}", get(path), 400, "path_malformed")
        for name, collection in (("upwards", "..%2f..%2fkeys"), ("a dot", "."), ("65 letters", "a" * 65),
                                 ("a space", "a%20b"), ("an escaped NUL", "a%00")):
            case(f"collection: {name}", get(f"/v1/subjects/{self.victim}/records/{collection}"), 400, "path_malformed")
        case("collection: unknown", get(f"/v1/subjects/{self.victim}/records/nothing"), 404, "collection_unknown")
        for number in ("-1", "01", "+1", "1.0", "0x1", "99999999999999999999999", "1e3", "%31", "last"):
            case(f"record number {number}", get(f"{self.records}/{number}"), 400, "number_malformed")
        case("record 2^64-1", get(f"{self.records}/{2**64 - 1}"), 404, "record_unknown")
        case("record 0", get(f"{self.records}/0"), 404, "record_unknown")
        for query in ("cursor=", "cursor=-1", "cursor=x", "cursor=1&cursor=2", "cursor=18446744073709551616", "x=1",
                      "cursor=1&x=1", "Cursor=1", "cursor=1&", "&cursor=1", "cursor=%31", "fields=%61", "a" * 500):
            case(f"query {query[:40]}", get(f"{self.records}?{query}"), 400, "query_malformed")
        case("fields: undeclared", get(f"{self.records}?fields=shoe_size"), 422, "field_undeclared")
        case("fields: one twice", get(f"{self.records}?fields=last_name,last_name"), 422, "field_undeclared")
        case("fields: an empty name", get(f"{self.records}?fields=last_name,,first_name"), 422, "field_undeclared")
        case("a query where none may be", get("/v1/party?x=1"), 400, "query_malformed")
        case("a query of the checkpoint", get("/ledger/checkpoint?x=1"), 400, "query_malformed")

    # -- headers ----------------------------------------------------------------------------------------------------

    def headers(self):
        case, auth = self.case, self.auth
        many = [(f"X-{i}", "y") for i in range(3000)]
        case("3,000 headers", request("GET", "/v1/party", auth(extra=many)), 431)
        case("900 headers of 16 KiB", request("GET", "/v1/party", auth(extra=[(f"X-{i}", "y" * 8) for i in range(900)])), 431)
        case("20,000 headers", request("GET", "/v1/party", auth(extra=[("X", "y")] * 20000)), 431)
        case("a header of 17 KiB", request("GET", "/v1/party", auth(extra=[("X", "y" * 17 * KIB)])), 431,
             "headers_too_large")
        case("a header of 300 KiB", request("GET", "/v1/party", auth(extra=[("X", "y" * 300 * KIB)])), 431)
        case("a header's name of 20 KiB", request("GET", "/v1/party", auth(extra=[("X" * 20 * KIB, "y")])), 431,
             "headers_too_large")
        case("a header without a colon", b"GET /v1/party HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", 400)
        case("a space before the colon", b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n", 400)
        case("an empty header name", b"GET /healthz HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", (200, 400))  # or the line is dropped
        case("a header name in quotes", b'GET /healthz HTTP/1.1\r\nHost: x\r\n"X": y\r\n\r\n', 400)
        case("a folded line first", b"GET /healthz HTTP/1.1\r\n folded: y\r\nHost: x\r\n\r\n", 400)
        case("a token on a folded line",
             b"GET /v1/party HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer\r\n " + self.clinic.encode() +
             b"\r\n\r\n", (400, 401))
        case("a token behind a bare CR",
             b"GET /v1/party HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: y\rAuthorization: Bearer " + self.clinic.encode() +
             b"\r\n\r\n", (400, 401))
        case("a NUL in a header's name",
             b"GET /v1/party HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization\x00: Bearer " + self.clinic.encode() +
             b"\r\n\r\n", (400, 401))
        for name in ("Authorization", "Bourn-Purpose", "Content-Type", "If-Match", "Idempotency-Key"):
            case(f"{name} twice", request("POST", self.records, auth(extra=[(name, "a"), (name, "b")]), "{}"), 400,
                 "header_repeated")
        case("Authorization twice, once in lower case",
             request("GET", "/v1/party", auth(extra=[("authorization", "Bearer x")])), 400, "header_repeated")
        case("two hosts", b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400)
        for name, purpose in (("empty", ""), ("two terms", "dpv:A, dpv:B"), ("a space", "a b"), ("quotes", '"a"'),
                              ("129 letters", "a" * 129), ("bytes over 127", b"\xc3\xa9"), ("a tab", "a\tb")):
            head = [("Authorization", "Bearer " + self.clinic), ("Bourn-Purpose", purpose)]
            case(f"purpose: {name}", request("GET", self.records, head), 400,
                 "purpose_required" if name == "empty" else "purpose_malformed")
        case("purpose: none", request("GET", self.records, [("Authorization", "Bearer " + self.clinic)]), 400,
             "purpose_required")
        case("purpose: not the party's", self.get(self.records, purpose="dpv:Marketing"), 403, "purpose_undeclared")
        case("purpose: another case", self.get(self.records, purpose="DPV:serviceprovision"), 403, "purpose_undeclared")

    # -- tokens and rights ------------------------------------------------------------------------------------------

    def tokens(self):
        case = self.case

        def with_header(value):
            return request("GET", self.records, [("Authorization", value), ("Bourn-Purpose", HOME)])

        case("token: none", request("GET", self.records, [("Bourn-Purpose", HOME)]), 401, "token_required")
        for name, value in (("empty", ""), ("a word", "Bearer"), ("a space", "Bearer "), ("Basic", "Basic YTpi"),
                            ("no scheme", self.clinic), ("257 letters", "Bearer " + "a" * 257), ("two", "Bearer a b"),
                            ("a comma", f"Bearer {self.clinic},x"), ("bytes over 127", b"Bearer \xc3\xa9"),
                            ("a quote", f'Bearer "{self.clinic}"')):
            case(f"token: {name}", with_header(value), 401, "token_required")
        for name, value in (("unknown", "bourn_" + "a" * 40), ("revoked", self.revoked), ("cut", self.clinic[:-1]),
                            ("one letter more", self.clinic + "a"), ("other case", self.clinic.swapcase()),
                            ("256 letters", "a" * 256)):
            case(f"token: {name}", with_header("Bearer " + value), 401, "token_invalid")
        case("token in the query", request("GET", "/v1/party?access_token=" + self.clinic), 401, "token_required")
        case("token in a cookie", request("GET", "/v1/party", [("Cookie", "token=" + self.clinic)]), 401, "token_required")
        lab = {"token": self.lab, "purpose": LAB}
        case("right: lab writes", self.post(self.records, {"last_name": "x"}, **lab), 403, "right_missing")
        case("right: lab replaces", self.post(self.record, {"last_name": "x"}, "PUT", **lab), 403, "right_missing")
        case("right: lab patches", self.post(self.record, {"last_name": "x"}, "PATCH", type_="application/merge-patch+json",
                                             **lab), 403, "right_missing")
        case("right: lab deletes", request("DELETE", self.record, self.auth(self.lab, LAB, type_=None)), 403, "right_missing")
        case("right: lab erases", request("DELETE", f"/v1/subjects/{self.victim}", self.auth(self.lab, LAB, type_=None)), 403,
             "right_missing")
        case("right: lab enrols", request("POST", f"/v1/subjects/{self.victim}/enrolments", self.auth(self.lab, LAB, type_=None)),
             403, "right_missing")
        case("right: lab asks for a consent", self.post(f"/v1/subjects/{self.victim}/consent-requests", {}, **lab), 403,
             "right_missing")
        case("right: lab posts a consent", self.post(f"/v1/subjects/{self.victim}/consents", {}, **lab), 403, "right_missing")
        case("right: lab lists consents", self.get(f"/v1/subjects/{self.victim}/consents", **lab), 403, "right_missing")
        for name, body in (("", {"collection": "visits", "where": {"ward": "7"}}), (" by nothing", {"collection": "visits"}),
                           (" by a field unknown", {"collection": "visits", "where": {"shoe_size": 1}}),
                           (" for a field unknown", {"collection": "visits", "fields": ["shoe_size"], "where": {}}),
                           (" in no collection", {"collection": "nothing", "where": {"ward": "7"}})):
            case(f"right: lab searches{name}", self.post("/v1/search", body, **lab), 403, "right_missing")
            case(f"right: lab asks for all{name}", self.post("/v1/disclose", {"where": {}, **body}, **lab), 403, "right_missing")
            case(f"right: auditor asks for a list{name}",
                 self.post("/v1/disclose", {**body, "subjects": 7}, token=self.dog, purpose=AUDIT), 403, "right_missing")
            case(f"purpose: clinic searches{name}", self.post("/v1/search", body, purpose="dpv:Marketing"), 403, "purpose_undeclared")
        case("right: lab makes a person", self.post("/v1/subjects", {"identifiers": ["new-1"]}, **lab), 403, "right_missing")
        case("right: lab adds an identifier",
             self.post(f"/v1/subjects/{self.victim}/identifiers", {"identifier": "new-2"}, **lab), 403, "right_missing")
        case("right: lab reads rows", self.get("/ledger/tile/rows/000.p/1", **lab), 403, "right_missing")
        case("right: lab opens evidence", self.post("/ledger/evidence", {"from": 0, "to": 1}, **lab), 403, "right_missing")
        case("right: auditor reads a record", self.get(self.records, token=self.dog, purpose=AUDIT), 403, "right_missing")
        case("basis: lab reads", self.get(self.records, **lab), 403, "basis_missing")
        case("basis: lab reads one", self.get(self.record, **lab), 403, "basis_missing")
        case("basis: lab reads a field", self.get(self.records + "?fields=last_name", **lab), 403, "basis_missing")
        case("basis: a foreign app with a ground reads", self.get(self.records, token=self.foreign), 403, "basis_missing")
        case("basis: a foreign app with a ground writes", self.post(self.records, {"last_name": "x"}, token=self.foreign), 403,
             "basis_missing")
        case("basis: a foreign app replaces", self.post(self.record, {"last_name": "x"}, "PUT", token=self.foreign), 403,
             "basis_missing")
        case("basis: a foreign app deletes", request("DELETE", self.record, self.auth(self.foreign, type_=None)), 403,
             "basis_missing")
        case("basis: HEAD is a GET", request("HEAD", self.records, self.auth(self.lab, LAB, type_=None)), 403)

    # -- where a body ends ------------------------------------------------------------------------------------------

    def lengths(self):
        case, auth = self.case, self.auth
        erase = request("DELETE", f"/v1/subjects/{self.victim}", auth(type_=None))

        def framed(*headers, body=b"{}"):
            return request("POST", self.records, auth(extra=headers), body, close=False)

        def closing(*headers, body=b"{}"):
            return request("POST", self.records, auth(extra=headers), body)

        for name, value in (("negative", "-1"), ("plus", "+2"), ("hex", "0x2"), ("letters", "two"), ("huge", "9" * 30),
                            ("2^64", str(2**64)), ("a space inside", "1 2"), ("empty", ""), ("a comma", "2,2"),
                            ("a decimal point", "2.0")):
            case(f"Content-Length: {name}", framed(("Content-Length", value)), 413 if name in ("huge", "2^64") else 400)
        case("Content-Length twice, equal", framed(("Content-Length", "2"), ("Content-Length", "2")), 400)
        case("Content-Length twice, unequal", framed(("Content-Length", "2"), ("Content-Length", "40")), 400)
        case("Content-Length and chunked", framed(("Content-Length", "6"), ("Transfer-Encoding", "chunked"),
                                                  body=b"0\r\n\r\n" + erase), 400, "length_ambiguous")
        case("chunked and Content-Length", framed(("Transfer-Encoding", "chunked"), ("Content-Length", "4"),
                                                  body=b"5c\r\n" + erase + b"\r\n0\r\n\r\n"), 400, "length_ambiguous")
        for coding in ("gzip", "chunked, chunked", "gzip, chunked", "identity", "xchunked", "chunked;q=1"):
            case(f"Transfer-Encoding: {coding}", framed(("Transfer-Encoding", coding), body=b"2\r\n{}\r\n0\r\n\r\n" + erase), 400)
        case("Transfer-Encoding twice", framed(("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "identity"),
                                               body=b"0\r\n\r\n" + erase), 400, "length_ambiguous")
        case("a space before the colon of Transfer-Encoding",
             framed(("Content-Length", "2"), ("Transfer-Encoding ", "chunked"), body=b"{}" + erase), 400)
        chunked = ("Transfer-Encoding", "chunked")
        for name, body in (("no hex", b"zz\r\n{}\r\n0\r\n\r\n"), ("negative", b"-2\r\n{}\r\n0\r\n\r\n"),
                           ("too large a size", b"f" * 17 + b"\r\n{}\r\n0\r\n\r\n"), ("longer than its size", b"1\r\n{}\r\n0\r\n\r\n"),
                           ("a size of nothing", b"\r\n{}\r\n0\r\n\r\n"), ("0x2", b"0x2\r\n{}\r\n0\r\n\r\n")):
            case(f"chunk: {name}", framed(chunked, body=body), 413 if name.startswith("too large") else 400)
        case("chunk: an empty body", closing(chunked, body=b"0\r\n\r\n"), 400, "body_required")
        case("body: 1 MiB and a byte", framed(("Content-Length", str(MIB + 1)), body=b"x" * (MIB + 1)), 413, "body_too_large")
        case("body: 1 GiB announced", framed(("Content-Length", str(1 << 30)), body=b"x"), 413, "body_too_large")
        case("body: 2 MiB in chunks", framed(chunked, body=b"10000\r\n" + b"x" * 65536 + b"\r\n" + b"".join(
            b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(31)) + b"0\r\n\r\n"), 413, "body_too_large")
        case("body: none", request("POST", self.records, auth(), b""), 400, "body_required")
        case("body: where none may be", request("GET", self.records, auth(), b"{}"), 400, "body_unexpected")
        case("body: with DELETE", request("DELETE", self.record, auth(), b"{}"), 400, "body_unexpected")
        case("Expect: something else", closing(("Expect", "200-maybe"), ("Content-Length", "0"), body=b""), (400, 417))
        case("trailers that name a token", request("POST", self.records, [
            ("Bourn-Purpose", HOME), ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")],
            b"2\r\n{}\r\n0\r\nAuthorization: Bearer " + self.clinic.encode() + b"\r\n\r\n"), 401, "token_required")

    # -- bodies -----------------------------------------------------------------------------------------------------

    def bodies(self):
        case = self.case
        for name, type_ in (("none", None), ("text", "text/plain"), ("a form", "application/x-www-form-urlencoded"),
                            ("JSON with a letter more", "application/jsonx"), ("multipart", "multipart/form-data; boundary=x"),
                            ("a merge patch", "application/merge-patch+json"), ("empty", "")):
            case(f"content type: {name}", self.post(self.records, {"last_name": "x"}, type_=type_), 415,
                 "content_type_unsupported")
        case("content type: a patch as JSON", self.post(self.record, {"last_name": "x"}, "PATCH"), 415,
             "content_type_unsupported")
        deep = 2000
        for name, body in (("empty of words", "   "), ("cut off", '{"last_name":"x"'), ("a word", "nul"), ("two values", "{} {}"),
                           ("a comment", '{"a":1} // x'), ("a comma too many", '{"last_name":"x",}'), ("single quotes", "{'a':1}"),
                           ("NaN", '{"a":NaN}'), ("a number with a zero", '{"a":01}'), ("a control character", '{"a":"\x01"}'),
                           ("a NUL", '{"a":"\x00"}'), ("wrong UTF-8", b'{"a":"\xff\xfe"}'), ("an overlong form", b'{"a":"\xc0\xaf"}'),
                           ("a lone surrogate", '{"a":"\\ud800"}'), ("a mark of byte order", b'\xef\xbb\xbf{}'),
                           ("UTF-16", '{"last_name":"x"}'.encode("utf-16")), ("a wrong escape", '{"a":"\\x41"}'),
                           ("a name twice", '{"last_name":"a","last_name":"b"}'),
                           ("a name twice by an escape", '{"last_name":"a","last_n\\u0061me":"b"}'),
                           ("33 levels", '{"a":' + "[" * 32 + "]" * 32 + "}"),
                           ("2,000 levels", "[" * deep + "]" * deep), ("2,000 levels, open", "[" * deep),
                           ("100,000 levels", '{"a":' * 100000 + "1" + "}" * 100000),
                           ("600 members", json.dumps({f"m{i}": i for i in range(600)})), ("random bytes", bytes(range(256)))):
            case(f"json: {name}", self.post(self.records, body), 400, "json_malformed")

    def records_bodies(self):
        case = self.case
        for name, body, code in (("an array", "[]", "record_malformed"), ("a string", '"x"', "record_malformed"),
                                 ("null", "null", "record_malformed"), ("an unknown field", '{"shoe_size":1}', "field_undeclared"),
                                 ("a prototype", '{"__proto__":{"a":1}}', "field_undeclared"),
                                 ("an object for text", '{"last_name":{"a":1}}', "field_type"),
                                 ("an array for text", '{"last_name":["a"]}', "field_type"),
                                 ("a number for text", '{"last_name":7}', "field_type"),
                                 ("true for a date", '{"birthday":true}', "field_type"),
                                 ("a day that is none", '{"birthday":"2023-02-29"}', "field_type"),
                                 ("a date with a time", '{"birthday":"2023-02-28T00:00:00Z"}', "field_type")):
            case(f"record: {name}", self.post(self.records, body), 422, code)
            if name != "null":
                case(f"record replaced by {name}", self.post(self.record, body, "PUT"), 422, code)
        case("record: over 256 KiB", self.post(self.records, {"last_name": "x" * (257 * KIB)}), 413, "record_too_large")
        patch = {"method": "PATCH", "type_": "application/merge-patch+json"}
        case("patch: malformed", self.post(self.record, "{", **patch), 400, "json_malformed")
        case("patch: an array", self.post(self.record, "[]", **patch), 422, "record_malformed")
        case("patch: an unknown field", self.post(self.record, '{"shoe_size":1}', **patch), 422, "field_undeclared")
        case("patch: of no record", self.post(f"{self.records}/77", '{"last_name":"x"}', **patch), 404, "record_unknown")
        case("put: of no record", self.post(f"{self.records}/77", '{"last_name":"x"}', "PUT"), 404, "record_unknown")
        case("delete: of no record", request("DELETE", f"{self.records}/77", self.auth(type_=None)), 404, "record_unknown")
        case("write: to an unknown collection", self.post(f"/v1/subjects/{self.victim}/records/nothing", "{}"), 404,
             "collection_unknown")
        case("write: to nobody by an opaque id", self.post(f"/v1/subjects/~{'0' * 64}/records/people", '{"last_name":"x"}'), 404,
             "subject_unknown")

    # -- preconditions ----------------------------------------------------------------------------------------------

    def preconditions(self):
        case = self.case
        for name, value in (("weak", 'W/"1"'), ("a star", "*"), ("two", '"1", "2"'), ("no quotes", "1"), ("empty", ""),
                            ("empty quotes", '""'), ("zero", '"0"'), ("leading zero", '"01"'), ("negative", '"-1"'),
                            ("letters", '"abc"'), ("huge", '"99999999999999999999"')):
            for method in ("PUT", "DELETE"):
                body = '{"last_name":"x"}' if method == "PUT" else None
                case(f"If-Match {name}, {method}", request(method, self.record, self.auth(extra=[("If-Match", value)]), body), 400,
                     "if_match_malformed")
        for version in (2, 7, 2**63, 2**64 - 1):
            extra = [("If-Match", f'"{version}"')]
            case(f"If-Match of version {version}, PUT", self.post(self.record, '{"last_name":"x"}', "PUT", extra=extra), 412,
                 "version_conflict")
            case(f"If-Match of version {version}, DELETE", request("DELETE", self.record, self.auth(extra=extra, type_=None)), 412,
                 "version_conflict")
            case(f"If-Match of version {version}, PATCH", self.post(self.record, '{"last_name":"x"}', "PATCH", extra=extra,
                                                                    type_="application/merge-patch+json"), 412, "version_conflict")
        for name, key in (("empty", ""), ("a space", "a b"), ("256 letters", "a" * 256), ("bytes over 127", b"\xc3\xa9")):
            case(f"Idempotency-Key: {name}", self.post(self.records, '{"last_name":"x"}', extra=[("Idempotency-Key", key)]), 400,
                 "idempotency_key_malformed")
        extra = [("Idempotency-Key", self.used_key)]
        case("Idempotency-Key: used with another body", self.post(self.records, '{"last_name":"other"}', extra=extra), 422,
             "idempotency_mismatch")
        case("Idempotency-Key: used with a body that is the same but for a space",
             self.post(self.records, '{"last_name": "once"}', extra=extra), 422, "idempotency_mismatch")

    # -- search and bulk --------------------------------------------------------------------------------------------

    def searches(self):
        case = self.case
        for name, body, status, code in (
                ("malformed", "{", 400, "json_malformed"), ("an array", "[]", 400, "json_malformed"),
                ("no collection", '{"where":{"state":"TX"}}', 404, "collection_unknown"),
                ("a collection of another type", '{"collection":7,"where":{"state":"TX"}}', 404, "collection_unknown"),
                ("a collection upwards", '{"collection":"../keys","where":{"state":"TX"}}', 404, "collection_unknown"),
                ("no where", '{"collection":"people"}', 422, "where_malformed"),
                ("where is a list", '{"collection":"people","where":["state"]}', 422, "where_malformed"),
                ("where is empty", '{"collection":"people","where":{}}', 422, "where_malformed"),
                ("a field that is not searchable", '{"collection":"people","where":{"nickname":"x"}}', 422, "where_malformed"),
                ("an unknown field", '{"collection":"people","where":{"shoe_size":1}}', 422, "where_malformed"),
                ("null", '{"collection":"people","where":{"nickname":null}}', 422, "where_malformed"),
                ("fields undeclared", '{"collection":"people","fields":["shoe_size"],"where":{}}', 422, "field_undeclared")):
            case(f"search: {name}", self.post("/v1/search", body), status, code)
        for name, body, status, code in (
                ("malformed", "{", 400, "json_malformed"), ("nothing chosen", '{"collection":"people"}', 422, "selection_malformed"),
                ("two choices", '{"collection":"people","subjects":["a"],"consented":true}', 422, "selection_malformed"),
                ("subjects of another type", '{"collection":"people","subjects":"a"}', 422, "selection_malformed"),
                ("consented: false", '{"collection":"people","consented":false}', 422, "selection_malformed")):
            case(f"disclose: {name}", self.post("/v1/disclose", body), status, code)
        case("search: a cursor that is none", self.post("/v1/search?cursor=x", "{}"), 400, "query_malformed")
        case("search: GET", self.get("/v1/search"), 405, "method_not_allowed")

    # -- people -----------------------------------------------------------------------------------------------------

    def people(self):
        case = self.case
        for name, body in (("of another type", '{"identifiers":"a"}'), ("none", '{"identifiers":[]}'),
                           ("one twice", '{"identifiers":["n1","n1"]}'), ("17", json.dumps({"identifiers": [f"n{i}" for i in range(17)]})),
                           ("an empty one", '{"identifiers":[""]}'), ("a number", '{"identifiers":[1]}'),
                           ("an opaque id", '{"identifiers":["~x"]}'), ("257 bytes", json.dumps({"identifiers": ["n" * 257]})),
                           ("missing", "{}")):
            case(f"identifiers: {name}", self.post("/v1/subjects", body), 422, "identifier_malformed")
        case("identifiers: taken", self.post("/v1/subjects", {"identifiers": ["fresh", self.victim]}), 409, "identifier_taken")
        for name, body in (("missing", "{}"), ("a list", '{"identifier":["a"]}'), ("opaque", '{"identifier":"~a"}')):
            case(f"lookup: {name}", self.post("/v1/subjects/lookup", body), 422, "identifier_malformed")
            case(f"identifier: {name}", self.post(f"/v1/subjects/{self.victim}/identifiers", body), 422, "identifier_malformed")
        case("identifier: taken", self.post(f"/v1/subjects/{self.victim}/identifiers", {"identifier": self.victim}), 409,
             "identifier_taken")
        case("erase: nobody", request("DELETE", "/v1/subjects/Q999999", self.auth(type_=None)), 404, "subject_unknown")
        case("erase: twice escaped", request("DELETE", f"/v1/subjects/%2525{self.victim}", self.auth(type_=None)), 404,
             "subject_unknown")
        victim = f"/v1/subjects/{self.victim}"
        for path in ("/v1/enrolments", "/v1/enrolments/lookup", "/v1/subjects", "/v1/subjects/lookup", victim + "/identifiers",
                     victim + "/consent-requests", victim + "/consents"):
            for name, body in (("malformed", "{"), ("an array", "[]"), ("a member twice", '{"a":1,"a":1}')):
                case(f"{path.replace(self.victim, '{}')}: {name}", self.post(path, body), 400, "json_malformed")
        case("enrolment code: unknown", self.post("/v1/enrolments/lookup", {"code": "a" * 40}), 404, "code_unknown")
        case("enrolment code: missing", self.post("/v1/enrolments/lookup", {}), 404, "code_unknown")
        case("enrolment code: a list", self.post("/v1/enrolments/lookup", {"code": ["a"]}), 404, "code_unknown")
        case("enrolment: of nobody", request("POST", "/v1/subjects/Q999999/enrolments", self.auth(type_=None)), 404,
             "subject_unknown")

    # -- consents ---------------------------------------------------------------------------------------------------

    def consents(self):
        case, base = self.case, f"/v1/subjects/{self.victim}"
        good = {"purposes": [LAB], "recipients": ["lab"], "collections": ["people"], "expires": "2031-01-01", "notice": "research"}
        for name, change, code in (
                ("no purposes", {"purposes": []}, "consent_malformed"), ("purposes as text", {"purposes": LAB}, "consent_malformed"),
                ("17 purposes", {"purposes": [f"p:{i}" for i in range(17)]}, "consent_malformed"),
                ("a malformed purpose", {"purposes": ["a b"]}, "purpose_malformed"),
                ("an unknown recipient", {"recipients": ["nobody"]}, "recipient_unknown"),
                ("an ended recipient", {"recipients": ["shortlived"]}, "recipient_unknown"),
                ("an unknown collection", {"collections": ["nothing"]}, "collection_unknown"),
                ("expired already", {"expires": "2001-01-01"}, "expires_malformed"),
                ("an expiry that is none", {"expires": "soon"}, "expires_malformed"),
                ("an expiry in 900 years", {"expires": "2931-01-01"}, "expires_malformed"),
                ("an unknown notice", {"notice": "nothing"}, "notice_unknown")):
            case(f"consent request: {name}", self.post(base + "/consent-requests", {**good, **change}), 422, code)
        case("consent request: of nobody", self.post("/v1/subjects/Q999999/consent-requests", good), 404, "subject_unknown")
        for name, body in (("empty", "{}"), ("a statement that is none", '{"statement":7}'),
                           ("a statement of nothing", '{"statement":{}}'), ("a member too many", '{"statement":{},"x":1}'),
                           ("half a signature", '{"statement":{},"signature":"AA"}')):
            case(f"consent: {name}", self.post(base + "/consents", body), 422, "statement_malformed")
        said = {"event_time": "2026-11-21T10:00:00Z", "origin": "us.example/ledger", "pii_principal_id": "0" * 32,
                "record_id": "1" * 32, "request": "a copy of all records about me", "schema_version": "bourn-export/1"}
        signed = {"signature": "A" * 86, "public_key": "A" * 43}
        for name, change in (("no member", None), ("a label of 31 digits", {"pii_principal_id": "0" * 31}),
                             ("a label that is none", {"pii_principal_id": "~" * 32}), ("a request for more", {"request": "everything"}),
                             ("a consent's version", {"schema_version": "bourn-consent/1"}), ("a time that is none", {"event_time": "now"}),
                             ("an identifier", {"subject": self.victim}), ("a list for a nonce", {"record_id": ["1" * 32]})):
            statement = {} if change is None else {**said, **change}
            case(f"copy: {name}", request("POST", "/v1/export", [("Content-Type", "application/json")],
                                          {**signed, "statement": statement}), 422, "statement_malformed")
        for name, body in (("malformed", "{"), ("nothing", "{}"), ("a name twice", '{"statement":{},"statement":{}}'),
                           ("half a signature", {"statement": said, "signature": "A" * 86}),
                           ("a short key", {"statement": said, "signature": "A" * 86, "public_key": "A"}),
                           ("a page", {**signed, "statement": said, "number": 1}), ("deep", "[" * 5000)):
            case(f"copy: {name}", request("POST", "/v1/export", [("Content-Type", "application/json")], body), 422,
                 "statement_malformed")
        case("copy: of another cell", self.post("/v1/export", {**signed, "statement": said}), 422, "statement_foreign")
        here = {**said, "origin": "cn.example/ledger"}
        case("copy: of long ago", self.post("/v1/export", {**signed, "statement": {**here, "event_time": "2001-01-01T00:00:00Z"}}), 422,
             "statement_expired")
        case("copy: of another age", self.post("/v1/export", {**signed, "statement": {**here, "event_time": "9999-01-01T00:00:00Z"}}),
             422, "statement_expired")
        now = {**here, "event_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        case("copy: with a small-order key", self.post("/v1/export", {"statement": now, "signature": "AQ" + "A" * 84,
                                                                       "public_key": "AQ" + "A" * 41}), 403, "signature_invalid")
        case("copy: nobody's", self.post("/v1/export", {**signed, "statement": now}), 403, "signature_invalid")
        case("copy: unsigned", self.post("/v1/export", {"statement": now}), 403, "signature_invalid")
        case("copy: GET", self.get("/v1/export"), 405, "method_not_allowed")
        case("copy: a cursor", self.post("/v1/export?cursor=1", {**signed, "statement": said}), 400, "query_malformed")
        case("copy: without a body", request("POST", "/v1/export", [("Content-Type", "application/json")], ""), 400, "body_required")
        case("copy: as text", self.post("/v1/export", {**signed, "statement": said}, type_="text/plain"), 415,
             "content_type_unsupported")
        case("withdraw: unknown", request("DELETE", base + "/consents/99999", self.auth(type_=None)), 404, "consent_unknown")
        case("withdraw: no number", request("DELETE", base + "/consents/x", self.auth(type_=None)), 400, "number_malformed")

    # -- the ledger's files -----------------------------------------------------------------------------------------

    def ledger(self):
        case, get = self.case, self.get
        for path in ("0/999", "0/0", "0/000.p/0", "0/000.p/256", "0/000.p/257", "0/000.p/01", "64/000", "00/000", "0/x000/000",
                     "0/x000", "entries/", "entries/000.p/", "entries/000.p/-1", "entries/../checkpoint", "../keys/root.key",
                     "0/000/../000", "0/000.P/1", "-1/000", "a" * 120, "a" * 400, "0/x" + "/x000" * 20 + "/000"):
            case(f"tile {path[:40]} ({len(path)})", get("/ledger/tile/" + path), 404,
                 "route_unknown" if len(path) > 123 else "not_found")
        case("tile with an escape", get("/ledger/tile/0/%30%30%30"), 404, "route_unknown")
        case("rows without a token", request("GET", "/ledger/tile/rows/000.p/1"), 401, "token_required")
        dog = {"token": self.dog, "purpose": AUDIT}
        for path in ("999", "000.p/0", "../../keys/root.key", "x"):
            case(f"rows {path}", get("/ledger/tile/rows/" + path, **dog), 404, "not_found")
        for name, body in (("malformed", "{"), ("missing", "{}"), ("backwards", '{"from":5,"to":1}'), ("empty", '{"from":1,"to":1}'),
                           ("beyond", '{"from":0,"to":1000000}'), ("negative", '{"from":-1,"to":1}'), ("texts", '{"from":"0","to":"1"}'),
                           ("huge", '{"from":18446744073709551614,"to":18446744073709551615}')):
            case(f"evidence: {name}", self.post("/ledger/evidence", body, **dog), 400, "range_malformed")

    # -- more than one request on a connection ------------------------------------------------------------------------

    def pipelines(self):
        case = self.case
        erase = request("DELETE", f"/v1/subjects/{self.victim}", self.auth(type_=None))
        health = request("GET", "/healthz", close=False)
        case("garbage behind a request", health + b"\x00\x01\x02 garbage \xff\r\n\r\n", 200, answers=2)
        case("a request in the body of a refused one",
             request("POST", "/healthz", [("Content-Length", str(len(erase)))], erase, close=False), 405, "method_not_allowed")
        case("a request behind an ambiguous one",
             request("POST", self.records, self.auth(extra=[("Content-Length", "2"), ("Transfer-Encoding", "chunked")]), b"{}" + erase,
                     close=False), 400, "length_ambiguous")
        case("a request behind one that is too large",
             request("POST", self.records, self.auth(extra=[("Content-Length", str(MIB + 1))]), b"{}" + erase, close=False), 413,
             "body_too_large")
        case("a request within a header", request("GET", "/healthz", [("X", "y\r\n\r\n" + "GET /v1/nothing HTTP/1.1")], close=False),
             200, answers=2)
        case("half a line", b"GET /heal", None, half=True)
        case("half the headers", b"GET /v1/party HTTP/1.1\r\nHost: x\r\nAuth", None, half=True)
        case("half a body", request("POST", self.records, self.auth(extra=[("Content-Length", "500")]), b'{"last_name":"x"', close=False),
             None, half=True)
        case("a chunk's extension of 100 KiB", request("POST", self.records, self.auth(extra=[("Transfer-Encoding", "chunked")]),
                                                       b"2;" + b"x" * 100 * KIB, close=False), None, half=True)
        case("half a chunk", request("POST", self.records, self.auth(extra=[("Transfer-Encoding", "chunked")]), b"ff\r\n{", close=False),
             None, half=True)
        case("nothing at all", b"", None, half=True)
        case("a body in pieces", request("POST", self.records, self.auth(extra=[("Content-Length", "15")]), b'{"shoe_size":'),
             422, "field_undeclared", after=b"1}")
        case("a body whose rest makes it malformed", request("POST", self.records, self.auth(extra=[("Content-Length", "4")]), b"{"),
             400, "json_malformed", after=b"{}}")

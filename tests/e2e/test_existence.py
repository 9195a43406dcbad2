"""Without a live basis nobody learns whether a person exists: unknown, erased and forbidden people give the foreign app
byte-identical answers (apart from Date). How long they take: test_timing.py."""

import re
import socket
import unittest

import harness


class Existence(harness.ServedTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.erased = cls.people[5]["bioguide_id"]
        assert cls.cell.ask("DELETE", f"/v1/subjects/{cls.erased}", cls.CLINIC, harness.HOME_PURPOSE).status in (200, 204)
        withdrawn = cls.people[6]["bioguide_id"]
        key = f"{cls.tmp}/someone.key"
        cls.cell.enrol(cls.CLINIC, withdrawn, key)
        consent = cls.cell.consent(cls.CLINIC, withdrawn, key)
        assert cls.home(cls, "DELETE", f"/v1/subjects/{withdrawn}/consents/{consent}").status in (200, 204)
        cls.subjects = {"live": cls.people[4]["bioguide_id"], "unknown": "Q999999", "erased": cls.erased,
                        "withdrawn": withdrawn}
        cls.writer = cls.cell.party("borderwriter", jurisdiction="US", purpose=harness.LAB_PURPOSE,
                                    rights="read,write,consent,enrol,erase,search")

    def raw(self, method, path, token, body=b""):
        """The whole answer as bytes, without its Date line and the subject's own name (where it is echoed)."""
        with socket.create_connection(("127.0.0.1", self.cell.port), 30) as s:
            s.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                      f"Bourn-Purpose: {harness.LAB_PURPOSE}\r\nContent-Type: application/json\r\n"
                      f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
            out = b""
            while part := s.recv(65536):
                out += part
        self.assertRegex(out, rb"(?i)\r\ndate: ")
        return re.sub(rb"(?i)\r\ndate: [^\r]*", b"", out)

    def same(self, method, path, token, status, body=b""):
        """`path` holds {} for the subject; answers are compared after a pause that lets refusals be counted anew."""
        answers = {who: self.raw(method, path.format(ident), token, body) for who, ident in self.subjects.items()}
        self.assertIn(f" {status} ".encode(), answers["live"].split(b"\r\n")[0])
        for who, answer in answers.items():
            self.assertEqual(answer, answers["live"], f"{method} {path}: {who} differs from a live person")

    def test_1_reading(self):
        self.same("GET", "/v1/subjects/{}/records/people", self.LAB, 403)

    def test_2_one_record(self):
        self.same("GET", "/v1/subjects/{}/records/people/1", self.LAB, 403)
        self.same("GET", "/v1/subjects/{}/records/people/999", self.LAB, 403)

    def test_3_operations_without_the_right(self):
        for method, path, body in (("POST", "/v1/subjects/{}/records/people", b'{"last_name":"x"}'),
                                   ("PUT", "/v1/subjects/{}/records/people/1", b'{"last_name":"x"}'),
                                   ("DELETE", "/v1/subjects/{}/records/people/1", b""),
                                   ("DELETE", "/v1/subjects/{}", b""),
                                   ("POST", "/v1/subjects/{}/enrolments", b""),
                                   ("GET", "/v1/subjects/{}/consents", b""),
                                   ("DELETE", "/v1/subjects/{}/consents/7", b"")):
            with self.subTest(f"{method} {path}"):
                self.same(method, path, self.LAB, 403, body)

    def test_4_writing_without_a_basis(self):
        for method, path, body in (("POST", "/v1/subjects/{}/records/people", b'{"last_name":"x"}'),
                                   ("PUT", "/v1/subjects/{}/records/people/1", b'{"last_name":"x"}'),
                                   ("DELETE", "/v1/subjects/{}/records/people/1", b"")):
            with self.subTest(f"{method} {path}"):
                self.same(method, path, self.writer, 403, body)

    def test_5_a_live_basis_does_tell(self):
        """The comparison is able to fail: at home, with a ground, unknown and live differ."""
        live = self.home("GET", self.cell.records_path(self.subjects["live"]))
        self.assertEqual(live.status, 200)
        for who in ("unknown", "erased"):
            self.problem(self.home("GET", self.cell.records_path(self.subjects[who])), 404)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""A log and a reader of cosignatures that are not bourn's: RFC 6962 trees by their definition, C2SP notes and keys, and a
witness's process. Standard library alone."""

import base64
import hashlib
import http.client
import os
import re
import shutil
import signal
import subprocess
import threading

import harness
import signing


def leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def half(n):
    """The greatest power of two below n."""
    return 1 << (n - 1).bit_length() - 1


def root(leaves):
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = half(len(leaves))
    return node(root(leaves[:k]), root(leaves[k:]))


def consistency(old, leaves, whole=True):
    """RFC 6962, section 2.1.2: PROOF(m, D[n]) and SUBPROOF."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    k = half(len(leaves))
    if old <= k:
        return consistency(old, leaves[:k], whole) + [root(leaves[k:])]
    return consistency(old - k, leaves[k:], False) + [root(leaves[:k])]


def b64(data):
    return base64.b64encode(data).decode()


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def vkey(name, kind, public):
    return f"{name}+{key_id(name, kind, public).hex()}+{b64(bytes([kind]) + public)}\n"


def read_vkey(text):
    name, identity, rest = text.strip().split("+", 2)
    raw = base64.b64decode(rest)
    assert identity == key_id(name, raw[0], raw[1:]).hex()
    return name, raw[0], raw[1:]


def decode_point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(signing.D * y * y + 1, -1, signing.P) % signing.P
    x = pow(square, (signing.P + 3) // 8, signing.P)
    if x * x % signing.P != square:
        x = x * pow(2, (signing.P - 1) // 4, signing.P) % signing.P
    assert x * x % signing.P == square
    x = signing.P - x if x & 1 != sign else x
    return x, y, 1, x * y % signing.P


def verify(public, message, signature):
    """RFC 8032, section 5.1.7, without the cofactor."""
    k = signing.digest(signature[:32], public, message) % signing.ORDER
    right = signing.add(decode_point(signature[:32]), signing.times(k, decode_point(public)))
    return signing.encode(signing.times(int.from_bytes(signature[32:], "little"), signing.BASE)) == signing.encode(right)


class Log:
    """A log with a key of its own; `entries` may be changed at will, as a cheating operator's."""

    def __init__(self, origin="log.example/a", key=None):
        self.origin, self.key, self.entries = origin, key or signing.Key(), []

    def vkey(self):
        return vkey(self.origin, 1, self.key.public)

    def grow(self, n, word="entry"):
        self.entries += [f"{word} {len(self.entries) + i}".encode() for i in range(n)]
        return self

    def leaves(self, size=None):
        return [leaf(e) for e in (self.entries if size is None else self.entries[:size])]

    def body(self, size=None, extension=""):
        size = len(self.entries) if size is None else size
        return f"{self.origin}\n{size}\n{b64(root(self.leaves(size)))}\n{extension}"

    def line(self, body, key=None, name=None):
        key, name = key or self.key, name or self.origin
        return f"\u2014 {name} {b64(key_id(name, 1, key.public) + key.signature(body.encode()))}\n"

    def checkpoint(self, size=None, extension=""):
        body = self.body(size, extension)
        return body + "\n" + self.line(body)

    def proof(self, old, size=None):
        leaves = self.leaves(size)
        return [b64(h) for h in consistency(old, leaves)] if 0 < old < len(leaves) else []

    def submission(self, old, size=None):
        return submission(old, self.proof(old, size), self.checkpoint(size))


def submission(old, proof, note):
    return f"old {old}\n" + "".join(line + "\n" for line in proof) + "\n" + note


def cosignature(line, body, witness_vkey):
    """The time of a good cosignature/v1; None if the line is another key's. AssertionError if it does not verify."""
    name, kind, public = read_vkey(witness_vkey)
    dash, said, payload = line.split(" ")
    raw = base64.b64decode(payload, validate=True)
    if said != name or raw[:4] != key_id(name, kind, public):
        return None
    assert dash == "\u2014" and kind == 4 and len(raw) == 4 + 8 + 64
    time = int.from_bytes(raw[4:12], "big")
    assert verify(public, f"cosignature/v1\ntime {time}\n{body}".encode(), raw[12:]), "a cosignature does not verify"
    return time


def certificate(folder):
    """A certificate for localhost that nobody vouches for, and its key; None without the program openssl."""
    if not shutil.which("openssl"):
        return None
    cert, key = os.path.join(folder, "tls.cert"), os.path.join(folder, "tls.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    os.chmod(key, 0o600)
    return cert, key


class Witness:
    """`bourn witness`: its folder, and its process while it serves."""

    def __init__(self, parent, name, logs=()):
        self.path, self.name = os.path.join(parent, name), f"{name}.example"
        self.log_path = self.path + ".log"
        self.process = self.port = None
        args = [a for log in logs for a in ("--log", log)]
        self.vkey = harness.run("bourn", "witness", "init", self.path, "--name", self.name, *args).stdout

    def serve(self, listen=None, tls=None):
        """`tls`: certificate and key."""
        more = ["--tls-cert", tls[0], "--tls-key", tls[1]] if tls else []
        listen = listen or f"127.0.0.1:{self.port or 0}"  # the same port again
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([harness.program("bourn"), "witness", self.path, "--listen", listen, *more],
                                            stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        timer = threading.Timer(harness.START_S, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        found = re.search(rb"listening on https?://127\.0\.0\.1:(\d+)", line)
        assert found, open(self.log_path).read()
        self.port = int(found.group(1))
        return self

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def post(self, body, path="/add-checkpoint", method="POST", timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            try:
                connection.request(method, path, body.encode() if isinstance(body, str) else body)
            except BrokenPipeError:  # refused before all of it was sent: the answer is there
                pass
            answer = connection.getresponse()
            return harness.Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(harness.STOP_S)
        self.process.stdout.close()
        self.process = None
        return code

    def close(self):
        if self.process:
            self.kill()

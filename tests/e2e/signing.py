"""What a person's machine does, without the commands of bourn: Ed25519 (RFC 8032) over SHA-256 of a canonical statement. Slow, and
good enough for made-up people: it takes no care against watching of its time."""

import base64
import datetime
import hashlib
import json
import os

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(a, b):
    """Of points (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z: RFC 8032, section 5.1.4."""
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, point):
    out = (0, 1, 1, 0)
    while n:
        if n & 1:
            out = add(out, point)
        point, n = add(point, point), n >> 1
    return out


def base_point():
    y = 4 * pow(5, -1, P) % P
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    x = P - x if x & 1 else x
    return x, y, 1, x * y % P


BASE = base_point()


def encode(point):
    z = pow(point[2], -1, P)
    x, y = point[0] * z % P, point[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def digest(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def text(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def canonical(statement):
    """RFC 8785 for what stands in statements: no floats, names of ASCII."""
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Key:
    def __init__(self, seed=None):
        wide = hashlib.sha512(seed or os.urandom(32)).digest()
        self.secret = (int.from_bytes(wide[:32], "little") & ((1 << 254) - 8)) | 1 << 254
        self.prefix = wide[32:]
        self.public = encode(times(self.secret, BASE))

    def signature(self, message):
        r = digest(self.prefix, message) % ORDER
        first = encode(times(r, BASE))
        k = digest(first, self.public, message) % ORDER
        return first + ((r + k * self.secret) % ORDER).to_bytes(32, "little")

    def sign(self, statement):
        """The wire form of a signed statement."""
        over = self.signature(hashlib.sha256(canonical(statement)).digest())
        return {"statement": statement, "signature": text(over), "public_key": text(self.public)}

    def prove(self, code, origin, label, change):
        """The proof of possession for an enrolment code."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        said = {"enrolment_code_hash": hashlib.sha256(code.encode()).hexdigest(), "event_time": now, "origin": origin,
                "pii_principal_id": label, "public_key": text(self.public), "schema_version": "bourn-key/1"}
        return self.sign({**said, **change})

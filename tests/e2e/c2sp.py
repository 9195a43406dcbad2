"""A client of the public formats of C2SP, written from the specifications alone: signed-note, tlog-checkpoint, tlog-tiles, and
the proofs of RFC 6962. It reads a log below any prefix, over HTTP or from a folder, and believes nothing that it has not
computed. Python's standard library is enough."""

import base64
import collections
import gzip
import hashlib
import http.client
import os
import re
import urllib.parse

import signing

HASHES = 256  # of a full tile
Checkpoint = collections.namedtuple("Checkpoint", "origin size root")
Answer = collections.namedtuple("Answer", "status headers body")


class Wrong(Exception):
    """The log is not what it has to be."""


def need(condition, why):
    if not condition:
        raise Wrong(why)


# -- Ed25519 (RFC 8032, section 5.1.7) -------------------------------------------------------------------------------------


def decode(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    need(y < signing.P, "a point is not canonical")
    square = (y * y - 1) * pow(signing.D * y * y + 1, -1, signing.P) % signing.P
    x = pow(square, (signing.P + 3) // 8, signing.P)
    if x * x % signing.P != square:
        x = x * pow(2, (signing.P - 1) // 4, signing.P) % signing.P
    need(x * x % signing.P == square, "a point is off the curve")
    need(x or not sign, "a point is not canonical")
    x = signing.P - x if x & 1 != sign else x
    return x, y, 1, x * y % signing.P


def ed25519_good(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= signing.ORDER:
        return False
    try:
        key, first = decode(public), decode(signature[:32])
    except Wrong:
        return False
    k = signing.digest(signature[:32], public, message) % signing.ORDER
    return signing.encode(signing.times(s, signing.BASE)) == signing.encode(signing.add(first, signing.times(k, key)))


# -- signed-note and tlog-checkpoint ---------------------------------------------------------------------------------------


def unbase64(text):
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 is not canonical")
    return data


class Verifier:
    """A verifier key: <name>+<hex of the key id>+<base64 of type and key>."""

    def __init__(self, vkey):
        self.name, key_id, key = vkey.strip().split("+", 2)
        material = unbase64(key)
        self.id, self.type, self.key = bytes.fromhex(key_id), material[0], material[1:]
        need(key_id == self.id.hex() and len(self.id) == 4, "the key id is not eight hex digits")
        need(self.id == hashlib.sha256(self.name.encode() + b"\n" + material).digest()[:4], "the key id is not the key's")
        need(self.type == 1 and len(self.key) == 32, "no Ed25519 key of a log")


def open_note(note, verifier):
    """The text of a signed note, once a signature by the key has been verified on it."""
    text = note.decode("utf-8")
    need(not any(ord(c) < 0x20 and c != "\n" for c in text), "a note holds a control character")
    at = text.rfind("\n\n")
    need(at >= 0 and text.endswith("\n"), "a note has no signatures")
    body, lines = text[:at + 1], text[at + 2:].split("\n")[:-1]
    good = 0
    for line in lines:
        found = re.fullmatch("\u2014 ([^ +]+) ([A-Za-z0-9+/]+=*)", line)
        need(found, f"a line of a note is no signature: {line!r}")
        data = unbase64(found.group(2))
        need(len(data) > 4, "a signature is empty")
        if found.group(1) == verifier.name and data[:4] == verifier.id:
            need(ed25519_good(verifier.key, body.encode(), data[4:]), "the signature is not good")
            good += 1
    need(good > 0, "no signature by the known key")
    return body


def open_checkpoint(note, verifier):
    lines = open_note(note, verifier).split("\n")
    need(len(lines) >= 4 and lines[-1] == "" and all(lines[:-1]), "a checkpoint has at least three lines, none empty")
    need(re.fullmatch("0|[1-9][0-9]*", lines[1]), "the size is no decimal number")
    root = unbase64(lines[2])
    need(len(root) == 32, "the root is no SHA-256")
    return Checkpoint(lines[0], int(lines[1]), root)


# -- the tree of RFC 6962, section 2.1 ------------------------------------------------------------------------------------


def leaf(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def complete(hashes):
    """Root over a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [node(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def split(n):
    """The largest power of two below n."""
    return 1 << (n - 1).bit_length() - 1


def root(first, last, subtree):
    """MTH(D[first:last]); subtree(first, height) is that of a complete subtree."""
    n = last - first
    if n == 0:
        return hashlib.sha256(b"").digest()
    if n & (n - 1) == 0:
        return subtree(first, n.bit_length() - 1)
    k = split(n)
    return node(root(first, first + k, subtree), root(first + k, last, subtree))


def path(m, first, last, subtree):
    """PATH(m, D[first:last]), section 2.1.1."""
    n = last - first
    if n == 1:
        return []
    k = split(n)
    if m < k:
        return path(m, first, first + k, subtree) + [root(first + k, last, subtree)]
    return path(m - k, first + k, last, subtree) + [root(first, first + k, subtree)]


def subproof(m, first, last, subtree, whole=True):
    """SUBPROOF(m, D[first:last], whole), section 2.1.2."""
    n = last - first
    if m == n:
        return [] if whole else [root(first, last, subtree)]
    k = split(n)
    if m <= k:
        return subproof(m, first, first + k, subtree, whole) + [root(first + k, last, subtree)]
    return subproof(m - k, first + k, last, subtree, False) + [root(first, first + k, subtree)]


def included(m, n, leaf_hash, proof):
    """The root that an inclusion proof leads to."""
    def fold(m, n, proof):
        if n == 1:
            need(not proof, "a proof is too long")
            return leaf_hash
        need(proof, "a proof is too short")
        k = split(n)
        if m < k:
            return node(fold(m, k, proof[:-1]), proof[-1])
        return node(proof[-1], fold(m - k, n - k, proof[:-1]))
    need(0 <= m < n, "no such leaf")
    return fold(m, n, list(proof))


def consistent(m, old_root, n, proof):
    """The two roots that a consistency proof leads to, of sizes m and n."""
    def fold(m, n, proof, whole):
        if m == n:
            if whole:
                need(not proof, "a proof is too long")
                return old_root, old_root
            need(len(proof) == 1, "a proof has another length")
            return proof[0], proof[0]
        need(proof, "a proof is too short")
        k = split(n)
        if m <= k:
            old, new = fold(m, k, proof[:-1], whole)
            return old, node(new, proof[-1])
        old, new = fold(m - k, n - k, proof[:-1], False)
        return node(proof[-1], old), node(proof[-1], new)
    return fold(m, n, list(proof), True)


# -- tlog-tiles --------------------------------------------------------------------------------------------------------------


def number(n):
    """1234067 is x001/x234/067."""
    groups = [f"{n % 1000:03}"]
    while n := n // 1000:
        groups.insert(0, f"x{n % 1000:03}")
    return "/".join(groups)


def tile_path(level, n, width=HASHES):
    return f"tile/{level}/{number(n)}" + (f".p/{width}" if width < HASHES else "")


def tiles_of(size):
    """(level, N, width) of every tile of hashes that a log of this size has."""
    out, level = [], 0
    while size >> 8 * level:
        hashes = size >> 8 * level
        out += [(level, n, HASHES) for n in range(hashes // HASHES)]
        out += [(level, hashes // HASHES, hashes % HASHES)] if hashes % HASHES else []
        level += 1
    return out


def bundles_of(size):
    return [(n, width) for level, n, width in tiles_of(size) if level == 0]


def public_paths(size):
    """Every path below the prefix that a log of this size has to serve."""
    return ["checkpoint"] + [tile_path(*tile) for tile in tiles_of(size)] + [tile_path("entries", *b) for b in bundles_of(size)]


class Web:
    """Bytes below an http:// prefix, over one kept connection."""

    def __init__(self, prefix):
        self.url = urllib.parse.urlsplit(prefix)
        self.connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)

    def get(self, path, method="GET", **headers):
        head = {name.replace("_", "-"): value for name, value in headers.items()}
        head.setdefault("Accept-Encoding", "identity")
        target = f"{self.url.path.rstrip('/')}/{path}"
        try:
            self.connection.request(method, target, headers=head)
            answer = self.connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):  # it was idle for too long: once more
            self.connection.close()
            self.connection.request(method, target, headers=head)
            answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())

    def close(self):
        self.connection.close()


class Folder:
    def __init__(self, path):
        self.path = path

    def get(self, path, method="GET", **headers):
        try:
            with open(os.path.join(self.path, path), "rb") as f:
                return Answer(200, {}, f.read())
        except (FileNotFoundError, NotADirectoryError):
            return Answer(404, {}, b"")

    def close(self):
        pass


class Log:
    """A log, read as a stranger reads it. `seen` is the newest checkpoint that was found consistent with all before it."""

    def __init__(self, source, vkey):
        self.source, self.verifier = source, Verifier(vkey)
        self.seen = None
        self.tiles = {}
        self.fetched = collections.Counter()

    def fetch(self, path, **headers):
        answer = self.source.get(path, **headers)
        self.fetched[path] += 1
        if answer.status == 404 and ".p/" in path:  # a partial may be gone once the full one is there
            answer = self.source.get(path[:path.index(".p/")], **headers)
        need(answer.status == 200, f"{path}: {answer.status}")
        if answer.headers.get("Content-Encoding") == "gzip":
            return gzip.decompress(answer.body)
        return answer.body

    def checkpoint(self):
        return open_checkpoint(self.fetch("checkpoint"), self.verifier)

    def tile(self, level, n, size):
        """The hashes of tile n that a log of this size has."""
        width = min(HASHES, (size >> 8 * level) - n * HASHES)
        need(width > 0, "there is no such tile")
        key = (level, n, width)
        if key not in self.tiles:
            data = self.fetch(tile_path(level, n, width))
            need(len(data) in (32 * width, 32 * HASHES), f"{tile_path(level, n, width)} has {len(data)} bytes")
            hashes = [data[i:i + 32] for i in range(0, 32 * width, 32)]
            if width == HASHES:  # a full tile is one hash of the tile above it
                above = self.tile(level + 1, n // HASHES, size)[n % HASHES]
                need(complete(hashes) == above, f"{tile_path(level, n)} is not what the tile above it says")
            self.tiles[key] = hashes
        return self.tiles[key]

    def subtree(self, size):
        """Of complete subtrees, as the tiles of this size give them."""
        def out(first, height):
            level, count = height // 8, 1 << height % 8
            at = first >> 8 * level
            hashes = self.tile(level, at // HASHES, size)
            return complete(hashes[at % HASHES:at % HASHES + count])
        return out

    def root(self, size, of=None):
        """Root of the first `size` entries, from the tiles of a log of `of` entries."""
        return root(0, size, self.subtree(of or size))

    def update(self):
        """Fetches the checkpoint; its tree must be what the tiles say, and an extension of the one before."""
        new = self.checkpoint()
        need(self.root(new.size) == new.root, f"the tiles of {new.size} entries give another root")
        if self.seen:
            need(new.size >= self.seen.size and new.origin == self.seen.origin, "the log went back")
            proof = subproof(self.seen.size, 0, new.size, self.subtree(new.size))
            need(consistent(self.seen.size, self.seen.root, new.size, proof) == (self.seen.root, new.root), "the log was forked")
        self.seen = new
        return new

    def bundle(self, n, size, **headers):
        """The entries of bundle n, each held against its leaf."""
        width = min(HASHES, size - n * HASHES)
        data, entries, at = self.fetch(tile_path("entries", n, width), **headers), [], 0
        while at < len(data):
            length = int.from_bytes(data[at:at + 2], "big")
            need(at + 2 + length <= len(data), "an entry is cut off")
            entries.append(data[at + 2:at + 2 + length])
            at += 2 + length
        need(len(entries) in (width, HASHES), "a bundle has another number of entries")
        hashes = self.tile(0, n, size)
        for i, entry in enumerate(entries[:width]):
            need(leaf(entry) == hashes[i], f"entry {n * HASHES + i} is not the one that was logged")
        return entries[:width]

    def entries(self, size, start=0):
        for n in range(start // HASHES, (size + HASHES - 1) // HASHES):
            yield from self.bundle(n, size)[max(0, start - n * HASHES):]

    def prove(self, index, size, head_root):
        """An inclusion proof from the tiles, and that it leads to the root."""
        proof = path(index, 0, size, self.subtree(size))
        entry = self.bundle(index // HASHES, size)[index % HASHES]
        need(included(index, size, leaf(entry), proof) == head_root, f"entry {index} is not under the root")
        return proof

"""Clients that share no code with bourn read its log: one written from the C2SP specifications (c2sp.py), and Go's
golang.org/x/mod/sumdb. Over the files of the published vectors at every size where something changes, over a cell that grows
meanwhile, and over logs that were tampered with, which must not go through."""

import base64
import os
import shutil
import subprocess
import unittest

import harness
import c2sp

SIZES = (1, 2, 3, 255, 256, 257, 65535, 65536, 65537, 70000)
ROOTS = {3: "cuDRdZjUDBQ/FOv7BeLFxN3Wvr8WXzVpRDrEaViH0wI=", 256: "1WpOHKSIeSyDfM1/qYXrqmfDXBe25wuAzTG+z62FGxc=",
         70000: "B6rPSxNrAZk0gbEpB9Svpy2XvHzHmxx8SR3/TgZuFTA="}
GO_PACKAGES = "/usr/share/gocode"  # golang-golang-x-mod-dev


def go_client(folder):
    """Builds the client in Go; or why not."""
    compiler = shutil.which("go", path="/usr/bin") or shutil.which("go")  # Debian's has its library compiled
    library = os.path.join(GO_PACKAGES, "src/golang.org/x/mod/sumdb/tlog")
    if not compiler:
        return None, "no Go here (Debian: golang-go)"
    if not os.path.isdir(library):
        return None, "golang.org/x/mod is not here (Debian: golang-golang-x-mod-dev)"
    out = os.path.join(folder, "tlog_client")
    source = os.path.join(harness.SOURCE, "tests", "e2e", "tlog_client.go")
    env = dict(os.environ, GO111MODULE="off", GOPATH=GO_PACKAGES, GOCACHE=os.path.join(folder, "go-cache"), GOPROXY="off",
               GOTOOLCHAIN="local", GOFLAGS="", CGO_ENABLED="0")
    done = subprocess.run([compiler, "build", "-o", out, source], env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return out, None


class Tlog(harness.Test):
    built = None  # the client in Go, and why there is none

    def go(self, source, vkey, *before, check=0):
        if not Tlog.built:
            Tlog.built = go_client(Tlog.go_folder)
        program, why = Tlog.built
        if not program:
            self.skipTest(why)
        done = subprocess.run([program, source, vkey, *before], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, check, done.stderr)
        return done.stdout.split() if check == 0 else done.stderr

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        Tlog.built, Tlog.go_folder = None, cls.tmp


class Vectors(Tlog):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.path = os.path.join(cls.tmp, "events")
        os.mkdir(cls.path)
        cls.vkey = harness.run("event_log", cls.path, *map(str, SIZES)).stdout.strip()
        cls.folder = c2sp.Folder(os.path.join(cls.path, "ledger"))

    def note(self, size):
        with open(os.path.join(self.path, f"checkpoint.{size}"), "rb") as f:
            return f.read()

    def test_the_key_is_that_of_the_vectors(self):
        with open(os.path.join(harness.SOURCE, "tests", "vectors", "checkpoint.vkeys")) as f:
            self.assertEqual(f.readline().strip(), self.vkey)
        with open(os.path.join(harness.SOURCE, "tests", "vectors", "checkpoint.txt"), "rb") as f:
            self.assertEqual(self.note(70000).rstrip(b"\n"), b"\n".join(f.read().split(b"\n")[:5]))

    def test_the_files_are_those_of_every_published_size(self):
        want = {path for size in SIZES for path in c2sp.public_paths(size)}
        found = {os.path.relpath(os.path.join(folder, name), self.folder.path)
                 for folder, _, names in os.walk(self.folder.path) for name in names}
        self.assertEqual(found, want)
        for size in SIZES:
            for level, n, width in c2sp.tiles_of(size):
                self.assertEqual(len(self.folder.get(c2sp.tile_path(level, n, width)).body), 32 * width)

    def test_every_size_from_its_tiles(self):
        log, checkpoints = c2sp.Log(self.folder, self.vkey), {}
        self.assertEqual(log.root(0), c2sp.hashlib.sha256(b"").digest())
        for size in SIZES:
            note = c2sp.open_checkpoint(self.note(size), log.verifier)
            self.assertEqual((note.origin, note.size), ("cn.example/ledger", size))
            fresh = c2sp.Log(self.folder, self.vkey)  # reads nothing but the tiles of this very size
            self.assertEqual(fresh.root(size), note.root)
            if size in ROOTS:
                self.assertEqual(base64.b64encode(note.root).decode(), ROOTS[size])
            checkpoints[size] = note
            for index in {0, 1, 254, 255, 256, 65534, 65535, 65536, size // 2, size - 1}:
                if index < size:
                    proof = fresh.prove(index, size, note.root)
                    self.assertEqual(fresh.bundle(index // 256, size)[index % 256], b"event %d" % index)
                    for i in range(len(proof)):  # a proof with one hash altered leads elsewhere
                        bad = proof[:i] + [bytes(32)] + proof[i + 1:]
                        self.assertNotEqual(c2sp.included(index, size, c2sp.leaf(b"event %d" % index), bad), note.root)
            for old in (s for s in SIZES if s <= size):
                proof = c2sp.subproof(old, 0, size, fresh.subtree(size))
                self.assertEqual(c2sp.consistent(old, checkpoints[old].root, size, proof), (checkpoints[old].root, note.root))

    def test_every_entry_of_70000(self):
        log = c2sp.Log(self.folder, self.vkey)
        for i, entry in enumerate(log.entries(70000)):
            self.assertEqual(entry, b"event %d" % i)
        self.assertEqual(i, 69999)

    def test_go_reads_them(self):
        for size in SIZES:
            view = os.path.join(self.tmp, f"view-{size}")  # the same tiles under an earlier checkpoint
            os.mkdir(view)
            os.symlink(os.path.join(self.folder.path, "tile"), os.path.join(view, "tile"))
            shutil.copy(os.path.join(self.path, f"checkpoint.{size}"), os.path.join(view, "checkpoint"))
            for old in (s for s in SIZES if s <= size):
                got = self.go(view, self.vkey, os.path.join(self.path, f"checkpoint.{old}"))
            self.assertEqual(int(got[0]), size)
            if size in ROOTS:
                self.assertEqual(got[1], ROOTS[size])

    def test_what_was_tampered_with_is_refused(self):
        """By both clients: so that it means something when they accept."""
        def altered(name, at):
            copy = os.path.join(self.tmp, "altered")
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(self.folder.path, copy)
            with open(os.path.join(copy, name), "r+b") as f:
                f.seek(at)
                byte = f.read(1)[0]
                f.seek(at)
                f.write(bytes([byte ^ 1]))
            return copy
        for name, at in (("checkpoint", 20), ("checkpoint", 150), ("tile/0/000", 31), ("tile/0/273.p/112", 32 * 111), ("tile/1/000", 0),
                         ("tile/2/000.p/1", 5), ("tile/entries/001", 7), ("tile/entries/273.p/112", 9)):
            copy = altered(name, at)
            log = c2sp.Log(c2sp.Folder(copy), self.vkey)
            with self.assertRaises((c2sp.Wrong, ValueError), msg=name):
                size = log.update().size
                sum(1 for _ in log.entries(size))
            self.go(copy, self.vkey, check=1)


class Growing(Tlog):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cell = harness.Cell(cls.tmp).serve()
        cls.addClassCleanup(cls.cell.close)
        cls.people = harness.people.made_up(60)
        csv = os.path.join(cls.tmp, "people.csv")
        harness.people.write(csv, cls.people)
        cls.cell.collection(csv)
        cls.CLINIC = cls.cell.clinic()
        cls.cell.load(csv, cls.CLINIC)
        with open(cls.cell.vkey) as f:
            cls.vkey = f.read().strip()

    def grow(self, entries):
        connection = self.cell.connect()
        for i in range(entries):
            path = self.cell.records_path(self.people[i % 60]["bioguide_id"])
            answer = self.cell.ask("GET", path, self.CLINIC, harness.HOME_PURPOSE, connection=connection)
            self.assertEqual(answer.status, 200)
        connection.close()

    def test_followed_while_it_grows(self):
        web = c2sp.Web(self.cell.url + "/ledger")
        log, sizes, read = c2sp.Log(web, self.vkey), [], 0
        while len(set(sizes)) < 8 or sizes[-1] < 600:
            self.grow(90)
            size = log.update().size  # consistent with the one before
            for entry in log.entries(size, read):
                self.assertGreater(len(entry), 16)
            read = size
            log.prove(size - 1, size, log.seen.root)
            log.prove(0, size, log.seen.root)
            sizes.append(size)
        size = self.cell.settle()
        self.assertEqual(self.cell.entries()[-1]["index"] + 1, size)
        # What is full is fetched once, however often the log was looked at.
        full = {path: n for path, n in log.fetched.items() if ".p/" not in path and path != "checkpoint"}
        self.assertTrue(full and all(n <= 2 for path, n in full.items() if path != "tile/entries/000"), full)  # entry 0 is proven each time
        web.close()

    def test_go_reads_it(self):
        self.grow(300)
        self.cell.settle()
        kept = os.path.join(self.tmp, "before")
        with open(kept, "wb") as f:
            f.write(self.cell.ask("GET", "/ledger/checkpoint").body)
        self.grow(40)
        size = self.cell.settle()
        self.assertEqual(int(self.go(self.cell.url + "/ledger", self.vkey, kept)[0]), size)
        self.assertEqual(int(self.go(os.path.join(self.cell.path, "ledger"), self.vkey, kept)[0]), size)

    def test_a_signature_of_another_key_is_none(self):
        other = harness.Cell(self.tmp, name="other")
        with open(other.vkey) as f:
            vkey = f.read().strip()
        with self.assertRaises(c2sp.Wrong):
            c2sp.Log(c2sp.Folder(os.path.join(self.cell.path, "ledger")), vkey).checkpoint()


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Ledgers that are damaged, unusual or honest, each with what a verifier must say of it, written down by hand from
docs/formats/verify.md and findings.md: exit code, the place and the clause of the first finding (None: no finding), and
whether something could not be read. A case takes the folder of a copy of the good cell (600 entries) and changes it."""
import shutil

CASES = []


def case(name, exit, place=None, clause=None, error=False, **options):
    def keep(build):
        CASES.append((name, build, {"exit": exit, "place": place, "clause": clause, "error": error}, options))
        return build
    return keep


def patch(path, change):
    path.write_bytes(change(path.read_bytes()))


def simple(name, file, change, *expected, **more):
    case(name, *expected, **more)(lambda cell: patch(cell / file, change))


def missing(name, file, **more):
    case(name, 2, error=True, **more)(lambda cell: (cell / file).unlink())


def flip(at):
    return lambda b: b[:at % len(b)] + bytes([b[at % len(b)] ^ 1]) + b[at % len(b) + 1:]


# What is not there or cannot be read is no violation: exit 2.
missing("no-checkpoint", "ledger/checkpoint")
missing("no-bundle", "ledger/tile/entries/001")
missing("no-partial-bundle", "ledger/tile/entries/002.p/88")
missing("no-tile", "ledger/tile/0/000")
missing("no-partial-tile", "ledger/tile/0/002.p/88")
missing("no-upper-tile", "ledger/tile/1/000.p/2")
missing("no-rows-file", "rows/001")
missing("no-partial-rows", "rows/002.p/88")
missing("no-evidence-file", "evidence.cborseq")
simple("evidence-cut", "evidence.cborseq", lambda b: b[:-5], 2, error=True)
simple("evidence-noise", "evidence.cborseq", lambda b: b + b"\xff", 2, error=True)

# A checkpoint that the key did not sign in exactly this form is not read.
simple("checkpoint-empty", "ledger/checkpoint", lambda b: b"", 2, error=True)
simple("checkpoint-cut", "ledger/checkpoint", lambda b: b[:-1], 2, error=True)
simple("checkpoint-more", "ledger/checkpoint", lambda b: b + b"\n", 2, error=True)
simple("checkpoint-size", "ledger/checkpoint", lambda b: b.replace(b"\n600\n", b"\n599\n"), 2, error=True)
simple("checkpoint-zero", "ledger/checkpoint", lambda b: b.replace(b"\n600\n", b"\n0600\n"), 2, error=True)
simple("checkpoint-origin", "ledger/checkpoint", lambda b: b.replace(b"cn.example", b"de.example"), 2, error=True)
simple("checkpoint-extension", "ledger/checkpoint", lambda b: b.replace(b"\n\n", b"\nmore\n\n"), 2, error=True)
simple("checkpoint-twice-signed", "ledger/checkpoint", lambda b: b + b.split(b"\n\n")[1], 2, error=True)
simple("checkpoint-dash", "ledger/checkpoint", lambda b: b.replace("— ".encode(), b"- "), 2, error=True)
simple("checkpoint-crlf", "ledger/checkpoint", lambda b: b.replace(b"\n", b"\r\n"), 2, error=True)
simple("checkpoint-bytes", "ledger/checkpoint", lambda b: b"\xff" + b, 2, error=True)
simple("checkpoint-signature", "ledger/checkpoint", lambda b: b[:-12] + (b"A" if b[-12:-11] != b"A" else b"B") + b[-11:], 2,
       error=True)
# Signatures by keys that the verifier was not given are skipped, up to 32; one more is too many.
OTHER = "— witness.example/w1 IDJKvgAAAABrSdIAlOWFohtGIIrm1GyUJ309DQ2w1BKbNWBR9n5NwVS2JVddvmaDV9XbzkLCgsrH3XNyh5UO6zkXtec6evp+ciqTBg==\n".encode()
simple("checkpoint-cosigned", "ledger/checkpoint", lambda b: b + OTHER, 0)
simple("checkpoint-32-witnesses", "ledger/checkpoint", lambda b: b + 32 * OTHER, 0)
simple("checkpoint-33-witnesses", "ledger/checkpoint", lambda b: b + 33 * OTHER, 2, error=True)
simple("checkpoint-odd-line", "ledger/checkpoint", lambda b: b + "— witness.example/w1\n".encode(), 2, error=True)

# Files that hold less, more or other than they should.
simple("bundle-cut", "ledger/tile/entries/001", lambda b: b[:-1], 1, ("entry", 511), "S1", error=True)
simple("bundle-more", "ledger/tile/entries/001", lambda b: b + b"\x00", 1, ("entry", 511), "S1")
simple("bundle-entry-more", "ledger/tile/entries/002.p/88", lambda b: b + b"\x00\x01a", 1, ("entry", 599), "S1")
simple("bundle-empty", "ledger/tile/entries/002.p/88", lambda b: b"", 1, ("entry", 512), "S1", error=True)
simple("tile-cut", "ledger/tile/0/001", lambda b: b[:-32], 1, ("entry", 256), "S1")
simple("tile-more", "ledger/tile/0/001", lambda b: b + b"x", 1, ("entry", 256), "S1")
simple("tile-hash-more", "ledger/tile/0/002.p/88", lambda b: b + bytes(32), 1, ("entry", 512), "S1")
simple("tile-empty", "ledger/tile/0/002.p/88", lambda b: b"", 1, ("entry", 512), "S1")
simple("tile-last", "ledger/tile/0/001", flip(-1), 1, ("entry", 511), "S1")
simple("upper-tile-first", "ledger/tile/1/000.p/2", flip(0), 1, ("entry", 0), "S1")
simple("upper-tile-second", "ledger/tile/1/000.p/2", flip(40), 1, ("entry", 256), "S1")
simple("rows-cut", "rows/001", lambda b: b[:-1], 1, ("entry", 511), "S1", error=True)
simple("rows-more", "rows/001", lambda b: b + bytes(4), 1, ("entry", 511), "S1")
simple("rows-empty", "rows/002.p/88", lambda b: b"", 1, ("entry", 512), "S1", error=True)
simple("rows-length", "rows/000", lambda b: b"\x7f" + b[1:], 1, ("entry", 0), "S1", error=True)
# Genesis has no rows.
simple("rows-of-genesis", "rows/000", lambda b: b"\x00\x00\x00\x05\x00\x00\x00\x01a" + b[4:], 1, ("entry", 0), "V3")


# A partial file that is gone: the full one, or a wider partial, begins with the same.
@case("wider-files", 0)
def wider_files(cell):
    for folder in ("ledger/tile/entries", "ledger/tile/0", "rows"):
        partial = cell / folder / "002.p"
        data = (partial / "88").read_bytes()
        shutil.rmtree(partial)
        more = bytes(32) if folder.endswith("0") else b"\x00\x01a" if folder.endswith("entries") else bytes(4)
        partial.mkdir()
        (partial / "89").write_bytes(data + more)


@case("full-files", 0)
def full_files(cell):
    for folder in ("ledger/tile/entries", "ledger/tile/0", "rows"):
        partial = cell / folder / "002.p"
        data = (partial / "88").read_bytes()
        shutil.rmtree(partial)
        more = bytes(32) if folder.endswith("0") else b"\x00\x01a" if folder.endswith("entries") else bytes(4)
        (cell / folder / "002").write_bytes(data + 168 * more)


@case("narrower-files", 2, error=True)
def narrower_files(cell):
    (cell / "ledger/tile/0/002.p/88").rename(cell / "ledger/tile/0/002.p/87")


@case("linked-tile", 2, error=True)
def linked_tile(cell):
    (cell / "ledger/tile/0/000").rename(cell / "elsewhere")
    (cell / "ledger/tile/0/000").symlink_to(cell / "elsewhere")


@case("folder-for-a-tile", 2, error=True)
def folder_for_a_tile(cell):
    (cell / "ledger/tile/0/000").unlink()
    (cell / "ledger/tile/0/000").mkdir()


# Layers that are not given are not examined, and heads decide whether S1 and V1 are provable.
case("alone", 2, rows=False, evidence=False, head=False)(lambda cell: None)
case("alone-with-head", 2, rows=False, evidence=False)(lambda cell: None)
case("without-evidence", 2, evidence=False)(lambda cell: None)
case("without-head", 0, head=False)(lambda cell: None)
case("untouched", 0)(lambda cell: None)
case("wrong-head", 2, error=True)(lambda cell: (cell / "head").write_text("no head\n"))


@case("head-of-another-log", 2, error=True)
def head_of_another_log(cell):
    patch(cell / "head", lambda b: b.replace(b"cn.example", b"de.example"))


# The whole log signed again, or rolled back: with no head given nothing can show it, and V1 is not called holding.
UNPROVABLE = ("rewritten", "fork", "rolled-back")

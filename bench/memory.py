"""What a person who is not being served costs in memory."""

import os

import data
from measure import say, table
from servers import Bourn


def _resident(pid):
    """MB by kind: of the process itself, shared (rings), and pages of files, which the kernel may take back."""
    found = {}
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith(("RssAnon", "RssShmem", "RssFile")):
                name, kb = line.split(":")
                found[name] = int(kb.split()[0]) / 1024
    return found


def run(bench):
    sizes = [10000, 30000] if bench.quick else [100000, 1000000]
    if os.environ.get("BENCH_TEN_MILLION"):
        sizes.append(10000000)
    rows, measured = [], []
    for people in sizes:
        cell = Bourn(bench, f"memory{people}", data.write_people(os.path.join(bench.tmp, "sample.ndjson"), 100, 1000))
        path = data.write_people(os.path.join(bench.tmp, f"small{people}.ndjson"), people, 200)
        seconds = cell.bring_in(path)
        os.unlink(path)
        cell.settle(timeout=300)
        say(f"memory: {people:,} people in {seconds:.1f} s")
        for when in ("after the import", "after a restart"):
            found = _resident(cell.children["vault"])
            mine = found["RssAnon"] + found["RssShmem"]
            rows.append([f"{people:,}", when, f"{mine:.1f}", f"{found['RssFile']:.1f}"])
            if when == "after the import":
                cell.stop()
                cell.serve()
        measured.append((people, mine))
        cell.remove()
    text = table(["people", "when", "vault, MB beyond the page cache", "MB of files in the page cache"], rows)
    (n0, m0), (n1, m1) = measured[0], measured[-1]
    each = (m1 - m0) * 1048576 / (n1 - n0)
    if n1 < 10000000:
        text += (f"\n\nEach further person takes {each:.1f} bytes after a restart. **Extrapolated, not measured**: ten million "
                 f"people in {m0 + each * (10000000 - n0) / 1048576:,.0f} MB.")
    else:
        text += f"\n\nEach further person takes {each:.1f} bytes after a restart."
    bench.add("Memory", "Resident set of the vault's process with people who are not being served (one record of 200 bytes "
              "each).\n\n" + text)

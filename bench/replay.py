"""Replaying a ledger of any length: bourn-verify beside nothing but the hashing of the same bytes, on as many threads.

The ledger is made by bench-biglog: real hashes and tiles, 1 % consents with real signatures, withdrawals, erasures. The
structural part (--structure) is what hashing can be held against: hashes, tree, tiles, rows' roots, canonical form,
chains. The whole replay runs the gate and checks every signature besides."""

import os
import shutil
import subprocess
import time

from measure import BIN, count, median, program, ratio, say, spread, table


def timed(command):
    """Seconds, CPU seconds, peak resident MB, exit code and output."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return {"seconds": time.monotonic() - start, "cpu": used.ru_utime + used.ru_stime, "rss": used.ru_maxrss / 1024,
            "code": child.returncode, "said": said}


def run(bench, cell=None, entries=None):
    if cell is not None:
        shutil.rmtree(cell.parent, ignore_errors=True)
    entries = entries or (30000 if bench.quick else 10000000)
    threads = len(os.sched_getaffinity(0))
    folder = os.path.join(bench.tmp, "biglog")
    say(f"replay: making a ledger of {entries:,} entries")
    made = program("bench-biglog", folder, entries)
    ledger = [os.path.join(BIN, "bourn-verify"), os.path.join(folder, "ledger"), "--key",
              os.path.join(folder, "ledger.vkey"), "--rows", os.path.join(folder, "rows")]
    evidence = ["--evidence", os.path.join(folder, "evidence.cborseq")]

    def verify(wanted, *options):
        def once():
            got = timed([*ledger, "--jobs", str(threads), *options])
            # a layer that was not asked for is 2; something wrong is 1
            if got["code"] != wanted or "violations:" in got["said"]:
                raise SystemExit(f"bourn-verify {' '.join(options)}: exit {got['code']}\n{got['said'][-3000:]}")
            return dict(got, rate=entries / got["seconds"])
        return once

    made_of = {}

    def leaves(*options):
        def once():
            made_of.update(program("bench-leaves", folder, threads, *options))
            return {"rate": made_of["entries"] / made_of["seconds"], "seconds": made_of["seconds"],
                    "cpu": made_of["hash_cpu_s"]}
        return once

    found = bench.interleave("replay", {"leaves": leaves(), "grouped": leaves("grouped"), "structure": verify(2, "--structure"),
                                        "rows": verify(2), "whole": verify(0, *evidence)})
    wall, cpu = median(found["leaves"], "seconds"), median(found["leaves"], "cpu")
    grouped = median(found["grouped"], "cpu")
    labels = {"leaves": f"SHA-256 of each entry and row as a leaf, one call each, {threads} threads, files in memory already",
              "grouped": "the same, sixteen leaves laid out before the first is hashed, as bourn does it",
              "structure": "**bourn-verify --structure**: hashes, tree, forms, chains",
              "rows": "**bourn-verify**, entries and rows: the gate too",
              "whole": f"**bourn-verify**, evidence too: {made['signatures']:,} signatures"}
    rows = []
    for k, label in labels.items():
        seconds, used = median(found[k], "seconds"), median(found[k], "cpu")
        own = k in ("leaves", "grouped")
        rows.append([label, count(median(found[k], "rate")), spread(found[k], "rate"),
                     f"{made_of['bytes'] / 1e9 / seconds:.2f}", f"{seconds:.2f}", f"{used:.2f}",
                     "" if own else f"{median(found[k], 'rss'):,.0f}", "" if own else ratio(wall, seconds),
                     "" if own else ratio(cpu, used), "" if own else ratio(grouped, used)])
    bench.add("Replay", f"A ledger of {made['entries']:,} entries and {made_of['rows']:,} rows about {made['people']:,} people "
              f"({made_of['bytes'] / 1e6:,.0f} MB of them), {made['consents']:,} consents, {made['erased']:,} people erased; files "
              f"in the page cache; {threads} threads each.\n\n"
              + table(["who", "entries a second", "from–to", "GB/s", "seconds", "CPU s", "peak MB", "× of hashing, by the clock",
                       "× of hashing, by CPU", "× of hashing in groups, by CPU"], rows))
    shutil.rmtree(folder, ignore_errors=True)

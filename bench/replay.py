"""Replaying a ledger: bourn-verify beside nothing but the hashing of the same bytes."""

import os
import shutil
import subprocess
import time

from measure import BIN, count, load, median, program, ratio, say, spread, table
import points


def run(bench, cell=None):
    entries = 30000 if bench.quick else 1000000
    _, _, paths = None, None, os.path.join(bench.tmp, "paths")
    if cell is None:
        cell, _, paths = points.setting(bench, "replay")
    else:
        cell.serve()
    size = cell.size()
    if size < entries:
        say(f"replay: {entries - size:,} more disclosures, to make the ledger long enough")
        load(cell.port, 64, f"{entries - size}x", paths, "--word", headers=cell.headers)
    size = cell.settle(timeout=120)
    cell.stop()
    options = [os.path.join(BIN, "bourn-verify"), os.path.join(cell.path, "ledger"), "--key", cell.vkey, "--rows",
               os.path.join(cell.path, "rows")]

    def verify():
        start = time.monotonic()
        before = os.times()
        done = subprocess.run(options, capture_output=True, text=True)
        seconds = time.monotonic() - start
        after = os.times()
        if done.returncode not in (0, 2) or "violated" in done.stdout.replace("0 violated", ""):
            say(done.stdout[-1500:] + done.stderr[-1500:])
        verify.said, verify.code = done.stdout, done.returncode
        return {"rate": size / seconds, "seconds": seconds,
                "cpu": after.children_user + after.children_system - before.children_user - before.children_system}

    def leaves():
        got = program("bench-leaves", cell.path)
        leaves.bytes, leaves.rows = got["bytes"], got["rows"]
        return {"rate": got["entries"] / got["seconds"], "seconds": got["seconds"], "cpu": got["cpu_s"]}

    found = bench.interleave("replay", {"verify": verify, "leaves": leaves})
    mine = median(found["verify"], "rate")
    rows = [[label, count(median(found[k], "rate")), spread(found[k], "rate"), f"{median(found[k], 'seconds'):.2f}",
             f"{median(found[k], 'cpu'):.2f}", "" if k == "verify" else ratio(mine, median(found[k], "rate"))]
            for k, label in (("verify", "**bourn-verify**"), ("leaves", "SHA-256 of each entry and row as a leaf, one core, "
                                                            "files in memory already"))]
    bench.add("Replay", f"A ledger of {size:,} entries and {leaves.rows:,} rows ({leaves.bytes / 1e6:,.0f} MB of them), nearly "
              f"all disclosures; files in the page cache; exit {verify.code}.\n\n"
              + table(["who", "entries a second", "from–to", "seconds", "CPU s", "bourn-verify is × of it"], rows))
    shutil.rmtree(cell.parent, ignore_errors=True)

"""Erasing a person who holds one record and one who holds 100,000."""

import json
import os
import time

import data
from measure import count, load, median, say, table
from servers import Bourn


def _sweep_over(cell):
    """Waits until the deletion of what was erased no longer keeps the vault busy."""
    last = cell.cpu()["vault"]
    while True:
        time.sleep(0.5)
        now = cell.cpu()["vault"]
        if now - last < 0.03:
            return
        last = now


def run(bench):
    many = 2000 if bench.quick else 100000
    heavy = 10 * bench.rounds
    light = 100 * bench.rounds
    cell = Bourn(bench, "erasure", data.write_people(os.path.join(bench.tmp, "sample.ndjson"), 100, 1000))
    row = json.dumps(dict({"id": "x"}, **{f: "y" for f in data.FIELDS}))
    ones = [f"one{i}" for i in range(light)]
    crowds = [f"many{i}" for i in range(heavy)]
    paths = data.write_paths(os.path.join(bench.tmp, "fill"), ones)
    load(cell.port, 64, f"{len(ones)}x", paths, "--cycle", "--method", "POST", "--body", row, headers=cell.headers)
    for i, who in enumerate(crowds):
        paths = data.write_paths(os.path.join(bench.tmp, "fill"), [who])
        load(cell.port, 64, f"{many}x", paths, "--cycle", "--method", "POST", "--body", row, headers=cell.headers)
        say(f"erasure: person {i + 1} of {heavy} has {many:,} records")

    def erase(crowd, share):
        chosen = [crowd.pop() for _ in range(share)]
        took = []
        for who in chosen:  # one by one, for both alike: what follows one erasure is over before the next
            _sweep_over(cell)
            paths = data.write_paths(os.path.join(bench.tmp, "erase"), [who], after="")
            took.append(load(cell.port, 1, "1x", paths, "--method", "DELETE", headers=cell.headers)["max_us"])
        return {"took": took}

    found = bench.interleave("erasure", {"one": lambda: erase(ones, light // bench.rounds),
                                         "many": lambda: erase(crowds, heavy // bench.rounds)}, once=True)
    cell.stop()
    rows = []
    for name, label in (("one", "1 record"), ("many", f"{many:,} records")):
        took = sorted(us for r in found[name] for us in r["took"])
        rows.append([label, len(took), count(took[len(took) // 2]), count(took[-(-len(took) * 99 // 100) - 1]),
                     count(took[-1])])
    bench.add("Erasure of a person", "DELETE over HTTP, one at a time on a connection of its own, without other writes; the "
              "answer comes when the key is destroyed and the entry durable. What is left of the rows is swept afterwards; the "
              "next erasure, of either kind, begins when the vault is at rest.\n\n"
              + table(["the person holds", "erasures", "p50 µs", "p99 µs", "longest µs"], rows))

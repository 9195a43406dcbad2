"""Erasing a person who holds one record and one who holds 100,000, beside a request that does nothing at all."""

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

    def at_rest(path, method):
        """One request on a connection of its own, when what followed the one before is over."""
        _sweep_over(cell)
        with open(os.path.join(bench.tmp, "erase"), "w") as f:
            f.write(path + "\n")
        return load(cell.port, 1, "1x", f.name, "--method", method, headers=cell.headers)["max_us"]

    def erase(crowd, share):
        return {"took": [at_rest(f"/v1/subjects/{crowd.pop()}", "DELETE") for _ in range(share)]}

    def nothing(share):
        return {"took": [at_rest("/healthz", "GET") for _ in range(share)]}

    found = bench.interleave("erasure", {"nothing": lambda: nothing(light // bench.rounds),
                                         "one": lambda: erase(ones, light // bench.rounds),
                                         "many": lambda: erase(crowds, heavy // bench.rounds)}, once=True)
    cell.stop()
    rows = []
    for name, label in (("one", "1 record"), ("many", f"{many:,} records"), ("nothing", "nobody: `GET /healthz` the same way")):
        took = sorted(us for r in found[name] for us in r["took"])
        rows.append([label, len(took), count(took[len(took) // 2]), count(took[-(-len(took) * 99 // 100) - 1]),
                     count(took[-1])])
    bench.add("Erasure of a person", "DELETE over HTTP, one at a time on a connection of its own, without other writes; the "
              "answer comes when the key is destroyed and the entry durable. What is left of the rows is swept afterwards; the "
              "next request, of any kind, begins when the vault is at rest. `/healthz` goes the same way through front and vault and "
              "touches no disk: what it takes at most, the machine takes.\n\n"
              + table(["the person holds", "requests", "p50 µs", "p99 µs", "longest µs"], rows))

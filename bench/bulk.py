"""Many people in one request (NDJSON): bourn beside PostgreSQL T2."""

import json
import os
import time

import data
import points
from measure import count, load, median, ratio, spread, table
from servers import Postgres

EACH, CONNECTIONS = 500, 8


def _bodies(bench):
    path = os.path.join(bench.tmp, "bodies")
    with open(path, "w") as f:
        for n in range(2000):
            who = [data.ident((n * 104729 + i * 7919) % bench.people) for i in range(EACH)]
            f.write("/v1/disclose\t" + json.dumps({"collection": "people", "subjects": who}, separators=(",", ":")) + "\n")
    return path


def run(bench):
    cell, people, _ = points.setting(bench, "bulk")
    paths = _bodies(bench)
    postgres = None if bench.alone else Postgres(bench, "bulk")

    def bourn():
        before = cell.cpu()
        got = load(cell.port, CONNECTIONS, bench.seconds, paths, "--method", "POST", "--records", EACH, headers=cell.headers)
        after = cell.cpu()
        records = got["requests"] * EACH
        return {"rate": records / got["seconds"], "p50_us": got["p50_us"], "p99_us": got["p99_us"],
                "cpu": {role: (after[role] - before[role]) * 1e6 / records for role in ("front", "vault")}}

    def t2():
        before = postgres.cpu()["postgres"]
        got = postgres.read(CONNECTIONS, bench.seconds, bench.people, "t2_bulk.pgbench", EACH)
        time.sleep(0.3)
        spent = postgres.cpu()["postgres"] - before
        return {"rate": got["rate"] * EACH, "p50_us": got["p50_us"], "p99_us": got["p99_us"],
                "cpu": {"postgres": spent * 1e6 / got["requests"] / EACH}}

    try:
        if postgres:
            postgres.fresh("t2_bulk")
            postgres.bring_in(people)
            postgres.settle()
        found = bench.interleave("bulk", {"bourn": bourn, "t2": t2} if postgres else {"bourn": bourn})
    finally:
        if postgres:
            postgres.close()
        cell.stop()
    mine = median(found["bourn"], "rate")
    rows = []
    for name, label in (("bourn", "**bourn**"), ("t2", "PostgreSQL T2")):
        if name not in found:
            continue
        got = found[name]
        cpu = {p: median([r["cpu"] for r in got], p) for p in got[0]["cpu"]}
        rows.append([label, count(median(got, "rate")), spread(got, "rate"), count(1e6 / sum(cpu.values())),
                     ", ".join(f"{p} {us:.2f}" for p, us in cpu.items()), count(median(got, "p50_us")),
                     count(median(got, "p99_us")), "" if name == "bourn" else ratio(mine, median(got, "rate"))])
    bench.add("Bulk disclosure (NDJSON)", f"{EACH} people by identifier in each request, {CONNECTIONS} connections, records of 1 KB. "
              "Every answer is checked to hold a record of each. \"A core\" divides one second by the CPU time of a record in "
              "the server's processes.\n\n"
              + table(["who", "records a second", "from–to", "records a second a core", "CPU µs a record", "p50 µs a request",
                       "p99 µs", "bourn is × of it"], rows))
    cell.remove()

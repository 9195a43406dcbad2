"""Importing people: `bourn import` beside COPY into T2 and beside what the disk takes."""

import os

import data
from measure import count, median, program, ratio, spread, table
from servers import Bourn, Postgres

ROWS = 500  # of one batch: bourn makes each durable by itself


def run(bench):
    people = data.write_people(os.path.join(bench.tmp, "people.ndjson"), bench.people, 1000)
    sample = data.write_people(os.path.join(bench.tmp, "sample.ndjson"), 100, 1000)
    os.chmod(people, 0o644)
    chunk = os.path.getsize(people) // bench.people * ROWS
    postgres = None if bench.alone else Postgres(bench, "import")
    disk = bench.folder("disk")

    def bourn():
        cell = Bourn(bench, "import", sample)
        before = cell.cpu()
        seconds = cell.bring_in(people)
        after = cell.cpu()
        cell.remove()
        return {"rate": bench.people / seconds, "cpu": (after["vault"] - before["vault"]) * 1e6 / bench.people}

    def t2():
        postgres.fresh("t2_import")
        postgres.psql("-c", "CHECKPOINT")
        before = postgres.cpu()["postgres"]
        seconds = postgres.bring_in(people)
        return {"rate": bench.people / seconds, "cpu": (postgres.cpu()["postgres"] - before) * 1e6 / bench.people}

    def append():
        got = program("bench-append", disk, chunk, bench.people // ROWS)
        return {"rate": bench.people / got["seconds"], "cpu": got["cpu_s"] * 1e6 / bench.people}

    try:
        found = bench.interleave("import", {"bourn": bourn, "t2": t2, "append": append} if postgres else {"bourn": bourn})
    finally:
        if postgres:
            postgres.close()
    mine = median(found["bourn"], "rate")
    rows = [[label, count(median(found[k], "rate")), spread(found[k], "rate"), f"{median(found[k], 'cpu'):.1f}",
             "" if k == "bourn" else ratio(mine, median(found[k], "rate"))]
            for k, label in (("bourn", "**bourn import** (CPU: vault's alone)"), ("t2", "PostgreSQL, COPY into T2 with encryption"),
                             ("append", f"the disk: the same bytes appended, fdatasync every {ROWS} records")) if k in found]
    bench.add("Import", f"{bench.people:,} people with one record of 1 KB each from NDJSON, no searchable fields.\n\n"
              + table(["who", "records a second", "from–to", "CPU µs a record", "bourn is × of it"], rows))

"""One proven disclosure over HTTP: bourn beside nginx, which only sends bytes, and PostgreSQL T2, which proves nothing."""

import os
import time

import data
from measure import count, load, median, ratio, spread, table
from servers import Bourn, Nginx, Postgres


def _http(server, connections, bench, paths, headers, *options):
    before = server.cpu()
    result = load(server.port, connections, bench.seconds, paths, "--warm-up", 0.5, *options, headers=headers)
    after = server.cpu()
    share = 1e6 * bench.seconds / (bench.seconds + 0.5) / result["requests"]  # CPU was spent on the warm-up too
    result["cpu_us"] = {name: (after[name] - before[name]) * share for name in after}
    result["cpu_us"]["load generator"] = result["cpu_s"] * share
    return result


def _postgres(server, connections, bench):
    before = server.cpu()
    result = server.read(connections, bench.seconds, bench.people)
    time.sleep(0.3)  # its processes end, and the first one takes their time over
    after = server.cpu()
    result["cpu_us"] = {"postgres": (after["postgres"] - before["postgres"]) * 1e6 / result["requests"]}
    return result


def _server_us(rounds):
    """CPU time of one request in all processes of a server: hardly moved by what else runs on the machine."""
    return median([{"us": sum(us for name, us in r["cpu_us"].items() if name != "load generator")} for r in rounds], "us")


def setting(bench, name):
    """A cell with everyone in it, and the paths of their records."""
    people = data.write_people(os.path.join(bench.tmp, "people.ndjson"), bench.people, 1000)
    sample = data.write_people(os.path.join(bench.tmp, "sample.ndjson"), 100, 1000)
    paths = data.write_paths(os.path.join(bench.tmp, "paths"), map(data.ident, range(bench.people)))
    cell = Bourn(bench, name, sample)
    cell.bring_in(people)
    return cell, people, paths


def run(bench):
    cell, people, paths = setting(bench, "points")
    body = load(cell.port, 1, "1x", paths, "--word", headers=cell.headers)["body_bytes"]
    nginx = Nginx(bench, "x" * body)
    postgres = Postgres(bench, "points")
    rows, cpu = [], []
    try:
        postgres.fresh("t2")
        postgres.bring_in(people)
        postgres.settle()
        bench.postgres = postgres.version()
        for connections in (64, 8, 1):
            found = bench.interleave(f"point reads, {connections} connections", {
                "nginx": lambda: _http(nginx, connections, bench, paths, cell.headers),
                "bourn": lambda: _http(cell, connections, bench, paths, cell.headers, "--word"),
                "postgres": lambda: _postgres(postgres, connections, bench)})
            mine, mine_cpu = median(found["bourn"], "rate"), _server_us(found["bourn"])
            for name, label in (("bourn", "**bourn**"), ("nginx", "nginx `return 200`"), ("postgres", "PostgreSQL T2")):
                got = found[name]
                rows.append([connections, label, count(median(got, "rate")), spread(got, "rate"),
                             count(median(got, "p50_us")), count(median(got, "p99_us")),
                             f"{_server_us(got):.1f}", *(["", ""] if name == "bourn" else
                                                         [ratio(mine, median(got, "rate")), ratio(_server_us(got), mine_cpu)])])
                for process in got[0]["cpu_us"]:
                    values = [{"us": r["cpu_us"][process]} for r in got]
                    cpu.append([connections, name, process, f"{median(values, 'us'):.1f}"])
    finally:
        nginx.close()
        postgres.close()
        cell.stop()
    bench.add("One proven disclosure over HTTP",
              f"{bench.people:,} people with one record of about 1 KB each ({body} bytes of answer), random identifiers, "
              "keep-alive. Every answer is checked: whole, 200, about the person who was asked for.\n\n"
              + table(["connections", "who", "a second", "from–to", "p50 µs", "p99 µs", "CPU µs in the server", "bourn is × of it",
                       "by CPU time"], rows)
              + "\n\nCPU time for one request, µs:\n\n" + table(["connections", "who", "process", "µs"], cpu))
    return cell

"""tools/bench calls this: runs the benchmarks that were named, and writes the page."""

import argparse
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import bulk
import erasure
import hotpath
import imports
import measure
import memory
import points
import replay

NAMES = ("points", "bulk", "import", "erasure", "replay", "memory", "profile")


def _first(path, prefix):
    with open(path) as f:
        return next((line.split(":", 1)[1].strip() for line in f if line.startswith(prefix)), "?")


def _says(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, IndexError):
        return "?"


def machine(bench):
    import servers
    with open("/etc/os-release") as f:
        system = next(line.split("=", 1)[1].strip().strip('"') for line in f if line.startswith("PRETTY_NAME"))
    packages = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}; ", "nginx-light", "postgresql", "libmicrohttpd12",
                               "liblmdb0", "libssl3", "libssl3t64"], capture_output=True, text=True).stdout.rstrip("; ")
    commit = _says("git", "-C", measure.SOURCE, "rev-parse", "--short", "HEAD")
    if not measure.BIN.startswith(measure.SOURCE):
        commit = "not known: BOURN_BIN was given"
    settings = ", ".join(f"{k} {v}" for k, v in servers.Postgres.SETTINGS.items())
    others = sorted(bench.foreign) or [0]
    return measure.table(["what", "which"], [
        ["machine", f"{_first('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores, {_first('/proc/meminfo', 'MemTotal')} "
                    "of memory; a virtual machine on a shared host: only ratios mean something"],
        ["system", f"{system}, Linux {platform.release()}"],
        ["packages", packages],
        ["bourn", f"commit {commit}, release build ({_says('cc', '--version')})"],
        ["settings", "bourn: as it ships, fdatasync for every batch. nginx: worker_processes auto, access_log off, keep-alive. "
                     f"PostgreSQL: {settings}; over its Unix socket, pgbench -M prepared"],
        ["way", f"{bench.rounds} rounds, interleaved; medians. Load generator, server and everything else share the cores"],
        ["other processes took", f"of the machine during a measurement: median {others[len(others) // 2]:.0%}, most "
                                 f"{others[-1]:.0%}; over {measure.DISTURBED:.0%} it was measured again, while there was "
                                 "patience"]])


def write_out(path, page):
    """Replaces what stands behind the marker, or all if there is none."""
    marker = "<!-- What follows was written by tools/bench. -->\n"
    before = ""
    if os.path.exists(path):
        with open(path) as f:
            text = f.read()
        before = text[: text.index(marker) + len(marker)] + "\n" if marker in text else ""
    with open(path, "w") as f:
        f.write(before + page.rstrip("\n") + "\n")


def main():
    parser = argparse.ArgumentParser(prog="tools/bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small and short: to see that it runs, not for figures")
    parser.add_argument("--alone", action="store_true", help="bulk and import without the peers: CPU time before and after a change")
    parser.add_argument("--patience", type=int, default=900, metavar="SECONDS",
                        help="in all, for waiting until others leave the machine alone and for measuring again (900)")
    parser.add_argument("--entries", type=int, metavar="N", help="of the ledger that is replayed (10,000,000)")
    parser.add_argument("--out", help="write the page here")
    o = parser.parse_args()
    for name in o.names:
        if name not in NAMES:
            parser.error(f"there is no benchmark {name}: {', '.join(NAMES)}")
    names = o.names or NAMES
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(130))
    tmp = tempfile.mkdtemp(prefix="bourn-bench.", dir=os.environ.get("TMPDIR", "/var/tmp"))
    bench = measure.Bench(tmp, o.rounds, o.quick, 0 if o.quick else o.patience)
    bench.alone = o.alone
    try:
        cell = points.run(bench) if "points" in names else None
        if "bulk" in names:
            bulk.run(bench)
        if "import" in names:
            imports.run(bench)
        if "erasure" in names:
            erasure.run(bench)
        if "replay" in names:
            replay.run(bench, cell, o.entries)
        if "memory" in names:
            memory.run(bench)
        if "profile" in names:
            hotpath.run(bench)
        head = "" if not o.quick else "> A quick run: it shows that everything runs; its figures mean nothing.\n\n"
        page = f"{head}## Where and how\n\n{machine(bench)}\n\n" + "\n".join(bench.sections)
        print(page)
        if o.out:
            write_out(o.out, page)
    finally:
        for server in bench.servers:
            server.close()
        shutil.rmtree(tmp, ignore_errors=True)


if __name__ == "__main__":
    main()

"""What costs what in one point read: samples of front and vault under load."""

import os
import re
import shutil
import subprocess

from measure import cpu_s, load, table
import points

SECONDS = 4


def _report(path, field):
    done = subprocess.run(["perf", "report", "-i", path, "--stdio", "--no-children", "--sort", field, "--percent-limit", "0",
                           "-g", "none", "-F", f"overhead,{field}"], capture_output=True, text=True)
    rows = []
    for line in done.stdout.splitlines():
        found = re.match(r"\s*([0-9.]+)%\s+(.*\S)", line)
        if found:
            rows.append((float(found.group(1)), re.sub(r"\s+-\s+-$", "", found.group(2))))
    return sorted(rows, reverse=True)


def run(bench):
    if not shutil.which("perf"):
        bench.add("The hot path", "Skipped: there is no perf (Debian: linux-perf).")
        return
    cell, _, paths = points.setting(bench, "profile")
    rows, parts = [], []
    for role in ("front", "vault"):
        out = os.path.join(bench.tmp, role + ".perf")
        perf = subprocess.Popen(["perf", "record", "-q", "-F", "4999", "-e", "cpu-clock", "-g", "-o", out, "-p",
                                 str(cell.children[role]), "--", "sleep", str(SECONDS)], stderr=subprocess.PIPE)
        before = cpu_s(cell.children[role])
        got = load(cell.port, 64, SECONDS, paths, "--word", headers=cell.headers)
        spent = cpu_s(cell.children[role]) - before
        said = perf.communicate()[1].decode()
        if perf.returncode != 0:
            bench.add("The hot path", f"Skipped: perf does not work here ({said.strip().splitlines()[-1:]}).")
            cell.remove()
            return
        each = spent * 1e6 / got["requests"]
        for share, name in _report(out, "dso")[:7]:
            parts.append([role, f"`{name}`", f"{each * share / 100:.2f}", f"{share:.0f} %"])
        for share, name in [r for r in _report(out, "symbol") if not r[1].startswith("[k]")][:22]:
            rows.append([role, f"`{re.sub(r'^.[.k]. ', '', name)}`", f"{each * share / 100:.2f}", f"{share:.1f} %"])
        if os.environ.get("BENCH_KEEP"):
            shutil.copy(out, os.environ["BENCH_KEEP"])
    cell.remove()
    bench.add("The hot path", "Samples of each process under 64 connections of point reads: CPU µs a request, by what it was "
              "spent in, then the functions outside the kernel that take most.\n\n"
              + table(["process", "in", "µs a request", "share"], parts) + "\n\n"
              + table(["process", "function", "µs a request", "share"], rows))

"""What every benchmark needs: options, interleaved rounds, medians, CPU time by process, tables."""

import json
import os
import statistics
import subprocess
import sys
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ["BOURN_BIN"]
TICKS = os.sysconf("SC_CLK_TCK")


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    """One run: its options, its folder, and what it found."""

    def __init__(self, tmp, rounds, quick):
        self.tmp, self.rounds, self.quick = tmp, rounds, quick
        self.people = 12000 if quick else 100000
        self.seconds = 1.5 if quick else 5.0
        self.sections = []  # Markdown
        self.loads = []     # of the machine while it ran

    def folder(self, name):
        path = os.path.join(self.tmp, name)
        os.makedirs(path, exist_ok=True)
        return path

    def interleave(self, what, contenders):
        """contenders: {name: function() -> dict}. A B C A B C …; returns {name: [dict a round]}."""
        results = {name: [] for name in contenders}
        for number in range(self.rounds):
            for name, run in contenders.items():
                self.loads.append(os.getloadavg()[0])
                results[name].append(run())
                time.sleep(0.3)
            say(f"{what}: round {number + 1} of {self.rounds}")
        return results

    def add(self, title, text):
        self.sections.append(f"## {title}\n\n{text}\n")
        say(f"\n## {title}\n\n{text}\n")


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


def ratio(a, b):
    return f"{a / b:.2f}"


def count(value):
    return f"{value:,.0f}"


def spread(rounds, key):
    """Smallest and largest of a figure, to show how much the machine swayed."""
    values = [r[key] for r in rounds]
    return f"{count(min(values))}–{count(max(values))}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows])


def program(name, *args, env=None):
    """Runs one of bench's programs; returns its JSON, and the CPU seconds it took as cpu_s."""
    before = os.times()
    done = subprocess.run([os.path.join(BIN, name), *map(str, args)], capture_output=True, text=True,
                          env=dict(os.environ, **(env or {})))
    after = os.times()
    if done.returncode != 0:
        raise SystemExit(f"{name} {' '.join(map(str, args))}: exit {done.returncode}\n{done.stderr[-3000:]}")
    result = json.loads(done.stdout)
    result["cpu_s"] = after.children_user + after.children_system - before.children_user - before.children_system
    return result


def load(port, connections, amount, paths, *options, headers=""):
    return program("bench-load", port, connections, amount, paths, *options, env={"BENCH_HEADERS": headers})


def _stat(pid):
    with open(f"/proc/{pid}/stat") as f:
        rest = f.read().rsplit(")", 1)[1].split()
    return int(rest[1]), [int(n) for n in rest[11:15]]  # parent; utime stime cutime cstime


def cpu_s(pid):
    """CPU seconds of one process."""
    return sum(_stat(pid)[1][:2]) / TICKS


def cpu_tree_s(root):
    """CPU seconds of a process, of its living children and of those that ended."""
    total = sum(_stat(root)[1])
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent, times = _stat(name)
        except OSError:
            continue
        total += sum(times) if parent == root else 0
    return total / TICKS

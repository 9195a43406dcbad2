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
DISTURBED = 0.06  # share of the machine that others may take without a measurement being repeated
RATE = "rate"


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    """One run: its options, its folder, and what it found."""

    def __init__(self, tmp, rounds, quick, patience_s=0):
        self.tmp, self.rounds, self.quick = tmp, rounds, quick
        self.people = 12000 if quick else 100000
        self.seconds = 1.5 if quick else 5.0
        self.sections = []  # Markdown
        self.servers = []   # all that were started: closed at the end, whatever happened
        self.foreign = []   # share of the machine that others took, a measurement
        self.alone = False       # without the peers, where a benchmark can do that
        self.patience_s = patience_s  # what is left for waiting and for repeating

    def folder(self, name):
        path = os.path.join(self.tmp, name)
        os.makedirs(path, exist_ok=True)
        return path

    def interleave(self, what, contenders, once=False):
        """contenders: {name: function() -> dict}. A B C A B C …; returns {name: [dict a round]}. What others disturbed
        is measured again while there is patience; the least disturbed one counts. once: it cannot be repeated."""
        results = {name: [] for name in contenders}
        for number in range(self.rounds):
            for name, run in contenders.items():
                best = None
                while best is None or (best[0] > DISTURBED and self.patience_s > 0 and not once):
                    start = time.monotonic()
                    wait_for_calm(min(20, self.patience_s))
                    self.patience_s -= time.monotonic() - start
                    watch = Watch()
                    result = run()
                    share = watch.share()
                    if best is None:
                        best = share, result
                        continue
                    self.patience_s -= time.monotonic() - watch.start
                    best = min(best, (share, result), key=lambda b: b[0])
                self.foreign.append(best[0])
                results[name].append(best[1])
            say(f"{what}: round {number + 1} of {self.rounds} ({', '.join(f'{k} {v[-1].get(RATE, 0):,.0f}' for k, v in results.items())})")
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


class Watch:
    """How much of the machine others take: every process but ours and the kernel's own, its ended children counted in."""

    def __init__(self):
        self.start, self.before = time.monotonic(), self._others()

    def _others(self):
        parents, spent = {}, {}
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                parents[int(name)], times = _stat(name)
            except OSError:
                continue
            spent[int(name)] = sum(times)
        mine, found = os.getpid(), 0
        for pid, ticks in spent.items():
            above = pid
            while above not in (mine, 0, 1, 2) and above in parents:
                above = parents[above]
            found += 0 if above in (mine, 2) else ticks
        return found / TICKS

    def share(self):
        return max(0, self._others() - self.before) / (time.monotonic() - self.start) / os.cpu_count()


def wait_for_calm(most_s):
    """Waits until others leave the machine alone, for at most this long."""
    deadline = time.monotonic() + most_s
    while True:
        watch = Watch()
        time.sleep(0.4)
        if watch.share() < DISTURBED or time.monotonic() > deadline:
            return

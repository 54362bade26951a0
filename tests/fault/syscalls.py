"""The store's driver (src/ledger/fault_driver.c) killed at each of its system calls, or given an error there, by strace;
after each, the judge says whether what was acknowledged is there.

A point is (call, n): the n-th such call of whichever thread comes to it first. The driver begins with an empty directory
or with a store that is there already, because in the first case the main thread, which creates and migrates, would be at
every small n before the writer thread."""

import collections
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DRIVER = pathlib.Path(os.environ.get("FAULT_DRIVER", ROOT / "build/asan/src/ledger/fault_driver"))
ENV = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "halt_on_error=1"}  # no leak check under strace

KILLED_AT = ["pwrite64", "fdatasync", "fsync", "ftruncate", "openat", "unlink", "unlinkat", "renameat", "mmap", "munmap",
             "write", "close", "flock", "fcntl"]
FAILED_AT = ["pwrite64", "fdatasync", "fsync", "ftruncate"]
ERRORS = ["EIO", "ENOSPC", "EINTR"]
SYNCS = ("fdatasync", "fsync")
CALLS = 30
DONE, FAILED, REFUSED = 0, 5, 6
KILLED = (-9, 137)

Point = collections.namedtuple("Point", "existing call n what")
Seen = collections.namedtuple("Seen", "point hit status problem")


class Bench:
    """Scratch folders and the two beginnings. Memory will do: what a process has written outlives it there as well."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.template = self.folder / "template"
        self.template.mkdir()
        run = self.drive(self.template)
        assert run.returncode == DONE, run.stderr

    def drive(self, at, strace=(), plant=""):
        return subprocess.run([*strace, DRIVER, "run", at / "store", at / "said", at / "forwarded", str(CALLS), "", plant],
                              env=ENV, capture_output=True, text=True, timeout=120)

    def begin(self, existing):
        at = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        if existing:
            shutil.copytree(self.template, at, dirs_exist_ok=True)
        return at

    def counts(self, existing, calls):
        """{call: how often the thread that makes it most often makes it}, without a fault."""
        at = self.begin(existing)
        trace = at / "trace"
        run = self.drive(at, ["strace", "-f", "-qq", "-o", trace, "-e", f"trace={','.join(calls)}"])
        assert run.returncode == DONE, run.stderr
        made = collections.Counter(re.findall(r"^(\d+) +(\w+)\(", trace.read_text(), re.M))
        shutil.rmtree(at)
        return {call: max((n for (_, name), n in made.items() if name == call), default=0) for call in calls}

    def points(self, calls, whats):
        return [Point(existing, call, n, what) for existing in (False, True)
                for call, count in self.counts(existing, calls).items() for n in range(1, count + 1) for what in whats]

    def visit(self, point, plant=""):
        at = self.begin(point.existing)
        trace = at / "trace"
        fault = "signal=SIGKILL" if point.what == "kill" else f"error={point.what}"
        watched = ",".join({point.call, *SYNCS, "pwrite64", "write", "unlink", "unlinkat"})
        run = self.drive(at, ["strace", "-f", "-qq", "-y", "-o", trace, "-e", f"trace={watched}", "-e",
                              f"inject={point.call}:{fault}:when={point.n}"], plant)
        text = trace.read_text()
        hit = run.returncode in KILLED if point.what == "kill" else "(INJECTED)" in text
        problem = "" if point.what == "kill" else after_error(point, text, run)
        problem = problem or judge(at)
        shutil.rmtree(at)
        return Seen(point, hit, run.returncode, problem)


def after_error(point, trace, run):
    """What the driver did wrong once it had its error, or nothing."""
    lines = trace.splitlines()
    errors = [i for i, line in enumerate(lines) if line.endswith("(INJECTED)")]
    if run.returncode not in (DONE, FAILED, REFUSED) or (run.returncode != DONE and not errors):
        return f"status {run.returncode}: {run.stderr}"
    for i in errors:
        target = re.search(r"\(\d+<([^>]*)>", lines[i])
        path = target[1] if target else ""
        again = [line for line in lines[i + 1:] if re.search(rf"\bf(data)?sync\(\d+<{re.escape(path)}>", line)]
        if is_named(lines[i], lines):
            continue
        if point.call in SYNCS and again:
            return f"synced again after the error: {again[0]}"
        if run.returncode == DONE and point.what != "EINTR" and goes_on(lines[i + 1:]):
            return f"went on after the error: {lines[i]}"
    return ""


def is_named(error, lines):
    """SQLite syncs the directory with fdatasync and ignores the error. What counts is that the store has done so itself,
    with fsync, before anything was acknowledged."""
    if not re.search(r"\bfdatasync\(\d+<.*/store>", error):
        return False
    first = next((i for i, line in enumerate(lines) if re.search(r"write\(\d+<.*/said>", line)), None)
    return first is None or any(re.search(r"\bfsync\(\d+<.*/store>\) += 0", line) for line in lines[:first])


def goes_on(after):
    """Something is acknowledged, or the WAL, which still holds what could not be copied at the end, is removed."""
    return any(re.search(r"write\(\d+<.*/(said|forwarded)>|unlink.*-wal", line) for line in after)


def judge(at, until=None):
    done = subprocess.run([DRIVER, "check", at / "store", at / "said", at / "forwarded",
                           *([] if until is None else [str(until)])], env=ENV, capture_output=True, text=True, timeout=120)
    return "" if done.returncode == 0 else f"judge, status {done.returncode}: {done.stderr.strip()}"


def sample(points, most):
    """Spread evenly over all, always with the first and the last."""
    if len(points) <= most:
        return points
    return [points[i * (len(points) - 1) // (most - 1)] for i in range(most)]


def sweep(kind, most, plant="", calls=None):
    """kind: kill | error; calls: instead of the usual ones. (points there are, what was seen at those visited)"""
    with tempfile.TemporaryDirectory(prefix="ambit-fault-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        bench = Bench(folder)
        points = (bench.points(calls or KILLED_AT, ["kill"]) if kind == "kill"
                  else bench.points(calls or FAILED_AT, ERRORS))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return len(points), list(pool.map(lambda point: bench.visit(point, plant), sample(points, most)))


def missing():
    """Why it cannot run here, or nothing."""
    if not shutil.which("strace"):
        return "strace is not installed"
    probe = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, text=True)
    return "" if probe.returncode == 0 else "processes may not be traced here"

"""Processes: starting and ending them, and what the kernel says of their time and memory."""
import contextlib
import os
import signal
import socket
import subprocess
import time


def family(pid):
    """pid and all its descendants."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/stat") as f:
                    parents[int(name)] = int(f.read().rsplit(")", 1)[1].split()[1])
    found, grew = {pid}, True
    while grew:
        more = {p for p, parent in parents.items() if parent in found} - found
        found |= more
        grew = bool(more)
    return sorted(found)


def cpu_us(pids):
    """Time on a processor so far, user and system, of all threads that live now."""
    total = 0
    for pid in pids:
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/schedstat") as f:
                total += int(f.read().split()[0])
    return total / 1000


def cpu_by_role(pids):
    return {f"{role_of(p)}:{p}": cpu_us([p]) for p in pids}


def role_of(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as f:
        words = f.read().split(b"\0")
    named = [w.decode() for w in words[1:] if w in (b"edge", b"core", b"keeper", b"runner")]
    return named[0] if named else "supervisor"


def memory_kb(pids):
    """{"Pss": ..., "Rss": ...} summed over the processes, in KiB."""
    total = {"Pss": 0, "Rss": 0}
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            for line in f:
                key, _, rest = line.partition(":")
                if key in total:
                    total[key] += int(rest.split()[0])
    return total


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port} after {seconds} s")


class Process:
    """A program that runs while the block lasts; its output goes to a file."""

    def __init__(self, args, log, **more):
        self.log = open(log, "ab")
        self.popen = subprocess.Popen(args, stdout=self.log, stderr=self.log, **more)
        self.pid = self.popen.pid

    def family(self):
        return family(self.pid)

    def stop(self):
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(15)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

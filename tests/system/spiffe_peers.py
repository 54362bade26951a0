"""Clients of the SPIFFE Workload API that we did not write, each behind the same few commands: go-spiffe
(tests/peers/go/spiffe_peer) and py-spiffe (tests/peers/python/spiffe_peer.py). What they answer is one line of JSON."""

import collections
import json
import queue
import subprocess
import sys
import threading

import pytest

from harness import ROOT

sys.path.insert(0, str(ROOT / "tests/peers"))
import gopeers  # noqa: E402
import pypeers  # noqa: E402


def go_peer(name):
    """The folder with those Go programs; the test is skipped where there is no Go."""
    if gopeers.missing():
        pytest.skip(gopeers.missing())
    return gopeers.build(name)


def commands():
    """How each client is started, by name, before the address of the Workload API."""
    return {"go-spiffe": lambda: [go_peer("spiffe_peer") / "spiffe_peer", "api"],
            "py-spiffe": lambda: [pypeers.python(), "-B", ROOT / "tests/peers/python/spiffe_peer.py"]}


class Peer:
    """One process. What it says without being asked (`watch`) goes to .events, by kind."""

    def __init__(self, *command, **how):
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, **how)
        self.answers, self.events = queue.Queue(), collections.defaultdict(queue.Queue)
        threading.Thread(target=self._read, daemon=True).start()
        self.hello = self.answers.get(timeout=60)

    def _read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            (self.events[said["watch"]] if "watch" in said else self.answers).put(said)
        self.answers.put({"error": "the peer ended"})

    def send(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def answer(self, timeout=60):
        return self.answers.get(timeout=timeout)

    def ask(self, *words):
        self.send(*words)
        return self.answer()

    def ok(self, *words):
        said = self.ask(*words)
        assert "error" not in said, said
        return said

    def event(self, kind, timeout=30):
        """The next thing of that kind that came through a watch."""
        return self.events[kind].get(timeout=timeout)

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

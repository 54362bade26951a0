"""Is what the store says exact, with many clients at once? src/ledger/history_driver.c races for the guards of a few tasks
and approvals and writes down what it was told; Porcupine (tests/peers/go/linearizable) looks for one order of all that in
which an exact store would have said the same. A store that is not exact must be found out, or that proves nothing."""

import json
import shutil
import signal
import subprocess

import pytest

from harness import ROOT, wait_until
from spiffe_peers import go_peer

pytestmark = pytest.mark.heavy

DRIVER = ROOT / "build/asan/src/ledger/history_driver"
STORE_FAILED = 3  # the driver's status


class Races:
    """Processes on one store, one after another, each with a history of its own; together they are one history."""

    def __init__(self, folder):
        assert DRIVER.exists(), f"{DRIVER} is not built: meson setup build/asan -Dtests=true && ninja -C build/asan"
        self.checker = go_peer("linearizable") / "linearizable"
        self.folder, self.store, self.histories = folder, folder / "store", []

    def start(self, **how):
        name = f"g{len(self.histories)}"
        self.histories.append(self.folder / f"{name}.jsonl")
        words = {"gateway": name, "seed": len(self.histories), "ops": 3000, "workers": 16, "families": 24, **how}
        return subprocess.Popen([DRIVER, self.store, self.histories[-1], *(f"{k}={v}" for k, v in words.items())],
                                stderr=subprocess.PIPE, text=True)

    def write(self, *lines):
        """A history that nobody had."""
        self.histories.append(self.folder / f"g{len(self.histories)}.jsonl")
        self.histories[-1].write_text("".join(json.dumps(line) + "\n" for line in lines))

    def run(self, status=0, **how):
        process = self.start(**how)
        said = process.communicate(timeout=120)[1]
        assert process.returncode == status, said

    def kill(self, lines, **how):
        """Starts one and kills it once its history has so many lines."""
        process = self.start(**how)
        history = self.histories[-1]
        wait_until(lambda: history.exists() and history.read_bytes().count(b"\n") >= lines,
                   f"{lines} lines of history", 60)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL

    def judge(self):
        done = subprocess.run([self.checker, *self.histories], capture_output=True, text=True, timeout=300)
        assert done.returncode in (0, 1), done.stderr
        said = json.loads(done.stdout)
        assert said["linearizable"] == (done.returncode == 0) == (not said["illegal"])
        return said

    def exact(self):
        said = self.judge()
        assert said["linearizable"], said["illegal"]
        return said["counts"]

    def inexact(self):
        said = self.judge()
        assert not said["linearizable"], said["counts"]
        return said["illegal"]


@pytest.fixture
def races(tmp_path):
    return Races(tmp_path)


def test_sixteen_clients_at_once(races):
    races.run()
    counts = races.exact()
    assert sum(counts.values()) == 3000 + 24  # and one last look at each family
    for op in ("intent", "outcome", "decide", "child", "close", "suspend", "resume"):
        assert counts[f"{op} ok"] > 0 and counts[f"{op} refused"] > 0, op


def test_processes_killed_one_after_another(races):
    for lines in (50, 400, 30, 700, 200, 900, 100, 500):
        races.kill(lines, ops=100000)
    races.run(ops=1000)
    counts = races.exact()
    assert sum(n for name, n in counts.items() if name.endswith(" unknown")) > 0


def test_a_commit_that_fails_is_unknown(races):
    """The disk takes no more in the middle of a commit: nobody may assume anything of what was under way."""
    for fsize in (400_000, 500_000):
        races.run(STORE_FAILED, fsize=fsize)
    races.run(ops=1000)
    assert races.exact()["intent unknown"] > 0


@pytest.mark.parametrize("plant, found", [("debit", "family"), ("approval", "family"), ("child", "family"),
                                          ("close", "family"), ("retry", "family"), ("outcome", "call")])
def test_a_store_without_a_guard_is_found_out(races, plant, found):
    """The guard is asked and not heeded; `retry` applies an intent twice, as who repeats a commit would."""
    races.run(plant=plant)
    illegal = races.inexact()
    assert all(line.startswith(found) for line in illegal), illegal


def test_a_store_that_forgets_is_found_out(races, tmp_path):
    """What was acknowledged is taken away between two processes, as a disk that lies about fsync would."""
    races.run(ops=500)
    shutil.copytree(races.store, tmp_path / "before")
    races.run(ops=500)
    races.exact()
    shutil.rmtree(races.store)
    shutil.copytree(tmp_path / "before", races.store)
    races.run(ops=500)
    races.inexact()


BEGIN = {"op": "families", "begin": {"families": 1, "calls": [40, 1, 15], "children": 4, "holds": 3}}
INTENT = {"op": "intent", "family": 0, "task": 1, "hold": -1}


def seen(id, at, root, child):
    """A read of the family: what is left to its root and to its first child."""
    return [{"op": "read", "id": id, "family": 0, "invoke": at},
            {"id": id, "result": "ok", "left": [root, child, 15], "children": 0, "tasks": ["active"] * 3,
             "holds": ["pending"] * 3, "return": at + 1}]


@pytest.mark.parametrize("left, linearizable", [((40, 1), True), ((39, 0), True), ((39, 1), False), ((38, -1), False)])
def test_what_is_unknown_is_done_whole_or_not(races, left, linearizable):
    """A process died with an intent under way; another looks much later, and once more."""
    races.write(BEGIN, {**INTENT, "id": "a.1", "call": "c1", "invoke": 10})
    races.write(BEGIN, *seen("b.1", 1000, *left), *seen("b.2", 2000, *left))
    assert races.judge()["linearizable"] == linearizable


@pytest.mark.parametrize("look, linearizable", [(5, True), (15, True), (21, False)])
def test_what_is_acknowledged_is_seen_by_all(races, look, linearizable):
    """An intent that ran from 10 to 20 at one gateway may be missed at another only by who looks before its end."""
    races.write(BEGIN, {**INTENT, "id": "a.1", "call": "c1", "invoke": 10}, {"id": "a.1", "result": "ok", "return": 20})
    races.write(BEGIN, *seen("b.1", look, 40, 1))
    assert races.judge()["linearizable"] == linearizable


def test_an_outcome_proves_its_intent(races):
    """Nobody was told of the intent, but the call it opened was ended: so the call is spent."""
    races.write(BEGIN, {**INTENT, "id": "a.1", "call": "c1", "invoke": 10})
    races.write(BEGIN, {"op": "outcome", "id": "b.1", "call": "c1", "invoke": 30}, {"id": "b.1", "result": "ok", "return": 40},
                *seen("b.2", 50, 40, 1))
    assert not races.judge()["linearizable"]


def test_two_gateways_cannot_both_have_the_last_call(races):
    for name in ("a", "b"):
        races.write(BEGIN, {**INTENT, "id": f"{name}.1", "call": f"c{name}", "invoke": 10},
                    {"id": f"{name}.1", "result": "ok", "return": 20})
    assert races.inexact()

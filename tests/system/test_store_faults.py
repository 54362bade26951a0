"""The store under its driver: killed at each system call, given errors there, its power cut. After each, what was
acknowledged is there, the log verifies, and nothing was forwarded that is not on record (tests/fault, docs/faults.md)."""

import json
import subprocess
import sys

import pytest

from harness import ROOT

sys.path.insert(0, str(ROOT / "tests/fault"))
import powercut  # noqa: E402
import syscalls  # noqa: E402

HEAVY = pytest.mark.heavy


@pytest.fixture(scope="module")
def traced():
    if reason := syscalls.missing():
        pytest.skip(reason)
    assert syscalls.DRIVER.exists(), f"{syscalls.DRIVER} is not built"


@pytest.fixture(scope="module")
def block_devices():
    if reason := powercut.missing():
        pytest.skip(reason)
    assert syscalls.DRIVER.exists(), f"{syscalls.DRIVER} is not built"


def problems(seen):
    return [f"{one.point}: {one.problem}" for one in seen if one.problem]


@pytest.mark.parametrize("most", [12, pytest.param(800, marks=HEAVY)])
def test_killed_at_each_call(traced, most):
    _, seen = syscalls.sweep("kill", most)
    assert not problems(seen)
    assert sum(one.hit for one in seen) >= 0.8 * len(seen), "most points are reached"


@pytest.mark.parametrize("most", [12, pytest.param(500, marks=HEAVY)])
def test_error_at_each_write_and_sync(traced, most):
    _, seen = syscalls.sweep("error", most)
    assert not problems(seen)
    assert sum(one.hit for one in seen) >= 0.8 * len(seen), "most points are reached"


@HEAVY
def test_error_at_each_of_the_first_syncs(traced):
    """Where the store is created and migrated, and where SQLite itself would go on."""
    with_errors = ["fsync", "fdatasync"]
    _, seen = syscalls.sweep("error", 200, calls=with_errors)
    assert not problems(seen)


@HEAVY
def test_forwarding_before_the_commit_is_condemned(traced):
    _, seen = syscalls.sweep("kill", 30, plant="early")
    assert any("is not there" in problem for problem in problems(seen)), "the judge has not seen the planted defect"


def cut_power(*arguments):
    """In a process of its own, for its mounts."""
    done = subprocess.run([sys.executable, "-B", ROOT / "tests/fault/powercut.py", *arguments], capture_output=True,
                          text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@HEAVY
def test_power_cut(block_devices):
    seen = cut_power("240")
    assert seen["problems"] == []
    assert seen["cuts"] >= 200 and seen["said"] > 100 and seen["owed_at_some_cut"] > 100, seen


@HEAVY
def test_power_cut_without_syncs_is_condemned(block_devices):
    seen = cut_power("40", "nosync")
    assert any("is not there" in problem for problem in seen["problems"]), seen

"""What is left when something dies: every call is answered, every intent has one outcome, nobody is left behind, and
nothing is forwarded that is not on record."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from harness import ROOT, ControlError, wait_until

sys.path.insert(0, str(ROOT / "tests/fault"))
import record  # noqa: E402

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
QUIET = {"effect": "write", "highImpact": False}
ENDS = {"ok", "upstream_error", "not_sent", "unknown"}


@pytest.fixture
def site(gateway, hostile, helpdesk, node):
    """A gateway before the misbehaving upstream ("up": echo, never, drip), the help desk and a stdio program."""
    peers = ROOT / "tests/peers"
    g = gateway(mcpServers={
        "up": {"url": hostile.url, "answerWait": "20s",
               "operations": {"echo": QUIET, "never": QUIET, "drip": QUIET, "empty": {"effect": "read"}}},
        "help": helpdesk.server(),
        "prog": {"command": str(node), "args": [str(peers / "hostile_stdio.mjs")], "answerWait": "20s",
                 "sandbox": {"read": [str(peers), str(node.parent)]},
                 "operations": {"echo": QUIET, "never": QUIET}}},
        secrets={"helpdesk-key": helpdesk.key})
    g.task = g.open_task(["up/echo", "up/never", "up/drip", "up/empty", "help/slow_report", "help/refund", "prog/echo",
                          "prog/never"], calls=5000)
    return g


def is_back(g):
    wait_until(lambda: g.mcp(g.task).call("up__echo", {}).result.get("isError") is not True, "a call to work again", 20)


# --- roles that die ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["edge", "core", pytest.param("keeper", marks=pytest.mark.heavy),
                                  pytest.param("runner", marks=pytest.mark.heavy)])
def test_role_killed_with_calls_in_flight(site, hostile, helpdesk, role):
    flight = [("up__never", {})] * 4 + [("help__slow_report", {"seconds": 2})] * 4 + [("prog__never", {})] * 3
    calls = record.Calls(site, site.token(site.task), flight)
    wait_until(lambda: hostile.calls("never") == 4 and helpdesk.access.read_text().count('"slow_report"') == 4
               and len(record.of_type(site, "intent", binding="prog")) == 3, "the calls to be under way")
    old = site.role_pid(role)
    os.kill(old, signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: site.role_pid(role) != old, "the role to come back")
    is_back(site)
    assert time.monotonic() - began < 10
    results = calls.results()
    assert results[:4] != ["ok"] * 4 and "ok" not in results[:4] + results[8:], results
    if role == "keeper":
        assert results[4:8] == ["ok"] * 4, "calls that had their secret go on"
    if role == "edge":
        assert results == ["lost"] * len(flight), "the connections went with it"
    wait_until(lambda: site.control("status")["callsInFlight"] == 0, "everything to be settled", 40)
    assert site.stop() == 0
    statuses = record.assert_all_settled_once(site)
    assert set(statuses) <= ENDS, statuses
    if role in ("edge", "core"):
        assert statuses["unknown"] >= len(flight) - 4, statuses
    site.verify()


@pytest.mark.heavy
@pytest.mark.parametrize("role", ["edge", "core", "keeper", "runner"])
def test_role_killed_again_and_again_under_load(site, hostile, role):
    token = site.token(site.task)
    done = []
    for _ in range(5):
        calls = record.Calls(site, token, [("up__echo", {"n": n}) for n in range(8)])
        try:
            os.kill(site.role_pid(role), signal.SIGKILL)
        except (AssertionError, ProcessLookupError):
            pass  # it is on its way up from the time before
        done += calls.results()
        wait_until(lambda: site.role_pid(role), "the role to come back")
    is_back(site)
    site.stop()
    record.assert_all_settled_once(site)
    assert hostile.calls("echo") <= len(record.of_type(site, "intent", tool="echo"))
    site.verify()


def test_supervisor_killed_leaves_nobody(site):
    calls = record.Calls(site, site.token(site.task), [("up__never", {}), ("prog__never", {})])
    wait_until(lambda: len(record.of_type(site, "intent")) == 2, "the calls to be under way")
    pids = site.pids()
    assert len(pids) > 5
    os.kill(site.process.pid, signal.SIGKILL)
    site.process.wait()
    wait_until(lambda: not [pid for pid in pids if is_running(pid)], "everybody to be gone", 10)
    assert calls.results(30) == ["lost", "lost"]
    site.close_controls()
    site.start()
    is_back(site)
    site.stop()
    statuses = record.assert_all_settled_once(site)
    assert statuses["unknown"] == 2
    site.verify()


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_everything_killed_settles_open_calls_at_the_next_start(site, hostile):
    calls = record.Calls(site, site.token(site.task), [("up__never", {})] * 6)
    wait_until(lambda: hostile.calls("never") == 6, "the calls to be under way")
    site.kill()
    assert calls.results() == ["lost"] * 6
    assert sum(not statuses for statuses in record.settlements(site).values()) == 6
    site.start()
    assert record.assert_all_settled_once(site)["unknown"] == 6
    assert "calls were open when the gateway ended" in site.log
    site.verify()


# --- the end, in order -----------------------------------------------------------------------------------------


def test_drain_finishes_what_is_in_flight(site, helpdesk):
    calls = record.Calls(site, site.token(site.task), [("help__slow_report", {"seconds": 2})] * 3)
    wait_until(lambda: helpdesk.access.read_text().count('"slow_report"') == 3, "the calls to be under way")
    began = time.monotonic()
    site.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    with pytest.raises(OSError):
        conn = http.client.HTTPConnection("127.0.0.1", site.port, timeout=5)
        conn.request("POST", "/mcp", "{}")
        if conn.getresponse().status == 503:
            raise ConnectionRefusedError
    assert site.process.wait(15) == 0
    assert time.monotonic() - began < 10
    assert calls.results() == ["ok"] * 3
    assert record.assert_all_settled_once(site) == {"ok": 3}
    site.verify()


@pytest.mark.heavy
def test_drain_does_not_wait_for_ever(site, hostile):
    calls = record.Calls(site, site.token(site.task), [("up__never", {})] * 2)
    wait_until(lambda: hostile.calls("never") == 2, "the calls to be under way")
    began = time.monotonic()
    site.process.send_signal(signal.SIGTERM)
    site.process.wait(20)
    assert time.monotonic() - began < 13
    assert "ok" not in calls.results()
    site.close_controls()
    site.start()
    record.assert_all_settled_once(site)
    site.verify()


def test_restart_keeps_tasks_and_budgets(site):
    child = site.open_task(["up/echo"], calls=3)
    assert not site.mcp(child).call("up__echo", {}).result.get("isError")
    closed = site.open_task(["up/echo"])
    site.close_task(closed)
    before = {task["task"]: task for task in site.control("task.list")["tasks"]}
    site.restart()
    after = {task["task"]: task for task in site.control("task.list")["tasks"]}
    assert after[site.task] == before[site.task] and after[child] == before[child]
    assert after[child]["callsLeft"] == 2
    with pytest.raises(ControlError):
        site.token(closed)
    agent = site.mcp(child)
    results = [record.result_of(agent.call("up__echo", {})) for _ in range(3)]
    assert results == ["ok", "ok", "refused"]


# --- the state folder -------------------------------------------------------------------------------------------


def serve_again(site, seconds=15):
    return subprocess.run([str(site.binary), "serve", "-c", str(site.config_path)], capture_output=True, text=True,
                          timeout=seconds, cwd=site.dir, stdin=subprocess.DEVNULL)


def test_second_instance_is_refused(site):
    second = serve_again(site)
    assert second.returncode != 0
    assert "only one can use this folder" in second.stderr and str(site.process.pid) in second.stderr
    is_back(site)


CORRUPTIONS = {
    "header": lambda f, n: (f.seek(0), f.write(b"\xff" * 100)),
    "not a database": lambda f, n: (f.seek(0), f.write(os.urandom(n))),
    "pages": lambda f, n: [(f.seek(at), f.write(b"\xa5" * 2000)) for at in range(4096 + 100, n, 4096)],
    "cut": lambda f, n: f.truncate(n // 2 // 4096 * 4096),
    "empty page one": lambda f, n: (f.seek(16), f.write(bytes(4080))),
}


@pytest.mark.parametrize("how", CORRUPTIONS)
def test_corrupt_store_is_refused(site, how):
    for _ in range(40):
        site.mcp(site.task).call("up__echo", {"text": "x" * 500})
    assert site.stop() == 0
    path = site.state / "store/ambit.db"
    for extra in ("ambit.db-wal", "ambit.db-shm"):
        (site.state / "store" / extra).unlink(missing_ok=True)
    with path.open("r+b") as f:
        CORRUPTIONS[how](f, path.stat().st_size)
    damaged = path.read_bytes()
    again = serve_again(site)
    assert again.returncode == 78, f"{again.returncode}: {again.stderr[-1500:]}"
    assert "damaged" in again.stderr or "not a database" in again.stderr, again.stderr[-1500:]
    assert again.stderr.count("cannot start") <= 2, "no loop"
    assert path.read_bytes() == damaged, "it is left as it was"


def test_store_of_something_else_is_refused(site):
    site.stop()
    path = site.state / "store/ambit.db"
    owner = path.stat()
    path.unlink()
    subprocess.run(["sqlite3", path, "CREATE TABLE letters(text)"], check=True)
    os.chown(path, owner.st_uid, owner.st_gid)
    again = serve_again(site)
    assert again.returncode == 78, again.stderr
    assert "letters" in subprocess.run(["sqlite3", path, ".tables"], capture_output=True, text=True).stdout


@as_root
def test_read_only_state_is_refused(site, tmp_path):
    site.stop()
    subprocess.run(["mount", "--bind", site.state, site.state], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", site.state], check=True)
        again = serve_again(site)
    finally:
        subprocess.run(["umount", site.state], check=True)
    assert again.returncode not in (0, -signal.SIGKILL)
    assert "ead-only file system" in again.stderr, again.stderr
    site.start()
    is_back(site)


@as_root
def test_full_disk(site, hostile):
    """Refused while there is no room, forwarded only what is on record, and all well once there is room again."""
    site.stop()
    kept = site.dir / "kept"
    shutil.move(site.state, kept)
    site.state.mkdir(mode=0o711)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=711", "tmpfs", site.state], check=True)
    try:
        subprocess.run(["cp", "-a", f"{kept}/.", site.state], check=True)
        site.start()
        is_back(site)
        filler = site.state / "filler"
        fill(filler)
        agent, results = None, []
        for n in range(60):
            try:
                agent = agent or site.mcp(site.task, timeout=20)
                results.append(record.result_of(agent.call("up__echo", {"text": "x" * 2000, "n": n})))
            except (OSError, AssertionError, http.client.HTTPException, ControlError):
                agent = None
                site.close_controls()
                results.append("lost")
            if results[-3:].count("ok") == 0 and n > 20:
                break
            fill(filler)
        assert results[-1] != "ok", "the disk is full and calls still go through"
        forwarded = hostile.calls("echo")
        filler.unlink()
        site.close_controls()
        wait_until(lambda: site.is_ready(), "the gateway to come back by itself", 30)
        is_back(site)
        recorded = len(record.of_type(site, "intent", tool="echo"))
        assert hostile.calls("echo") <= recorded and forwarded <= recorded
        assert site.stop() == 0
        record.assert_all_settled_once(site)
        site.verify()
    finally:
        site.kill()
        subprocess.run(["umount", "-l", site.state], check=True)


def fill(path):
    with path.open("ab", 0) as f:
        for size in (1 << 20, 1 << 16, 4096, 512):
            try:
                while True:
                    f.write(b"\xee" * size)
            except OSError:
                pass

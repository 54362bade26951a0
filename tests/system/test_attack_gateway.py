"""A running gateway whose edge turns hostile: frames are slipped into its own channels, by its own descriptors. The
supervisor ends it and starts another; nobody else falls."""

import ctypes
import os
import re
import signal
import socket
import sys

import pytest

from harness import ROOT, wait_until

sys.path[:0] = [str(ROOT / "tests/attack"), str(ROOT / "tests/fault")]
import record  # noqa: E402
import roles as r  # noqa: E402

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="taking another process's descriptors needs root")
PIDFD_GETFD = 438  # the same number on every architecture
SUPERVISOR = 3  # descriptor of a role's channel to the supervisor


def take_descriptor(pid, fd):
    pidfd = os.pidfd_open(pid)
    try:
        taken = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, pidfd, fd, 0)
        if taken < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        return socket.socket(fileno=taken)
    finally:
        os.close(pidfd)


def channels(pid):
    """The role's channels to others than the supervisor: Unix sockets without a name, beyond descriptor 3."""
    unix = {}
    with open(f"/proc/{pid}/net/unix") as f:
        for line in f.readlines()[1:]:
            words = line.split()
            unix[words[6]] = len(words) > 7
    found = []
    for fd in sorted(map(int, os.listdir(f"/proc/{pid}/fd"))):
        target = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}"))
        if target and fd > SUPERVISOR and unix.get(target[1]) is False:
            found.append(fd)
    return found


def slip(pid, fd, data):
    with take_descriptor(pid, fd) as s:
        s.sendall(data)


@pytest.fixture
def site(gateway, hostile):
    quiet = {"effect": "write", "highImpact": False}
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": {"echo": quiet, "never": quiet}}})
    g.task = g.open_task(["up/echo", "up/never"], calls=1000)
    g.others = {role: g.role_pid(role) for role in ("core", "keeper", "runner")}
    return g


def edge_was_replaced(g, old, calls):
    wait_until(lambda: g.role_pid("edge") != old, "another edge")
    wait_until(lambda: not g.mcp(g.task).call("up__echo", {}).result.get("isError"), "a call to work again")
    assert {role: g.role_pid(role) for role in g.others} == g.others, "nobody else fell"
    for reply in calls.wait():  # the connection breaks; an edge that sees its end coming may still answer
        assert record.result_of(reply) != "ok"
        assert isinstance(reply, Exception) or "othing was sent" not in reply.text, reply.text
    wait_until(lambda: all(record.settlements(g).values()), "the calls to be settled")
    assert record.assert_all_settled_once(g)["unknown"] == 3
    g.verify()


def in_flight(g, hostile):
    calls = record.Calls(g, g.token(g.task), [("up__never", {})] * 3)
    wait_until(lambda: hostile.calls("never") == 3, "the calls to be under way")
    return calls


FRAMES = {
    "unknown type": r.frame(0),
    "a word of core's": r.frame(*[r.MESSAGES["GO"][0], r.pack("GO", {"call": "c", "binding": "up"})]),
    "an order to sign": r.frame(r.MESSAGES["SIGN_JWT"][0], r.pack("SIGN_JWT", {"claims": b'{"sub":"ann"}'})),
    "a stop": r.frame(r.MESSAGES["DRAIN"][0]),
}


@pytest.mark.parametrize("what", FRAMES)
@pytest.mark.parametrize("place", [0, 1])
def test_edge_that_breaks_the_rules_is_ended_and_replaced(site, hostile, what, place):
    calls = in_flight(site, hostile)
    edge = site.role_pid("edge")
    to = channels(edge)
    assert len(to) == 2, "to core and to the keeper"
    slip(edge, to[place], FRAMES[what])
    edge_was_replaced(site, edge, calls)
    assert "ending a role that broke the rules" in site.log


@pytest.mark.parametrize("name", ["ACCUSE", "SETUP", "SIGN_JWT", "CALL", "PEER"])
def test_edge_that_lies_to_the_supervisor_is_ended(site, hostile, name):
    """An edge may accuse nobody."""
    calls = in_flight(site, hostile)
    edge = site.role_pid("edge")
    fields = {"role": r.ROLES.index("core")} if name in ("ACCUSE", "PEER") else {}
    slip(edge, SUPERVISOR, r.frame(r.MESSAGES[name][0], r.pack(name, fields)))
    edge_was_replaced(site, edge, calls)


def test_runner_cannot_accuse_keeper_or_core(site):
    runner = site.role_pid("runner")
    for role in ("keeper", "core", "runner", "supervisor"):
        slip(runner, SUPERVISOR, r.frame(r.MESSAGES["ACCUSE"][0], r.pack("ACCUSE", {"role": r.ROLES.index(role)})))
    assert not site.mcp(site.task).call("up__echo", {}).result.get("isError")
    assert {role: site.role_pid(role) for role in site.others} == site.others


def test_stopped_edge_holds_up_no_decision(site):
    """While an edge stands still, owners and the record go on."""
    edge = site.role_pid("edge")
    os.kill(edge, signal.SIGSTOP)
    try:
        for _ in range(50):
            site.close_task(site.open_task(["up/echo"]))
        site.verify()
    finally:
        os.kill(edge, signal.SIGCONT)
    wait_until(lambda: not site.mcp(site.task).call("up__echo", {}).result.get("isError"), "the edge to go on")

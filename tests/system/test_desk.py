"""The way of a call through everything, once: a read, a held refund approved by a second person, the end of the task."""

import os
import subprocess

import pytest

from harness import ControlError, Gateway, wait_until

TASK = ["help/read_ticket", "help/refund"]
REFUND = {"order": "O-1001", "amount_cents": 500, "reason": "damaged"}


def test_read_reaches_the_helpdesk_with_its_key(desk, helpdesk, era):
    agent = desk.mcp(desk.open_task(TASK), era=era)
    assert sorted(agent.tools()) == ["help__read_ticket", "help__refund"]
    reply = agent.call("help__read_ticket", {"ticket": 1})
    assert reply.result["structuredContent"]["id"] == 1
    assert helpdesk.key not in str(reply.body) + str(reply.headers)


def test_refund_is_held_and_approved_for_one_use(desk, helpdesk, era):
    agent = desk.mcp(desk.open_task(TASK), era=era)
    held = agent.call("help__refund", REFUND)
    assert held.result["isError"] and held.refusal["decision"] == "hold"
    assert helpdesk.refunds() == []

    desk.approve(held.hold)
    changed = agent.call("help__refund", {**REFUND, "amount_cents": 501}, approval=held.hold)
    assert changed.refusal
    assert agent.call("help__refund", REFUND, approval=held.hold).result["structuredContent"]["amount_cents"] == 500
    assert agent.call("help__refund", REFUND, approval=held.hold).refusal
    assert len(helpdesk.refunds()) == 1


def test_trace_of_a_paid_refund_shows_who_let_it_go(desk, helpdesk):
    agent = desk.mcp(desk.open_task(TASK))
    hold = agent.call("help__refund", REFUND).hold
    desk.approve(hold)
    agent.call("help__refund", REFUND, approval=hold)
    intents = [e["record"] for e in desk.trace(hold_task(desk, hold))["entries"] if e["record"]["type"] == "intent"]
    records = [e["record"] for e in desk.trace(intents[-1]["call"])["entries"]]
    assert [r["approver"] for r in records if r["type"] == "approval"] == ["bob"]
    assert [r["hold"] for r in records if r["type"] == "hold_open"] == [hold]


def hold_task(gateway, hold):
    return gateway.control("hold.show", hold=hold)["task"]


def test_closed_task_refuses_at_once(desk, era):
    task = desk.open_task(TASK)
    agent = desk.mcp(task, era=era)
    assert not agent.call("help__read_ticket", {"ticket": 1}).result.get("isError")
    desk.close_task(task)
    reply = agent.call("help__read_ticket", {"ticket": 1})
    assert reply.status == 401 or reply.refusal


def test_task_stays_inside_the_ambit(desk):
    with pytest.raises(ControlError, match="no such tool"):
        desk.open_task(["help/read_tickets"])


def test_ledger_verifies(desk):
    desk.mcp(desk.open_task(TASK)).call("help__read_ticket", {"ticket": 1})
    desk.verify()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_whoever_starts_it_administers_it(ambit_binary, tmp_path):
    uid = 62960
    g = Gateway(ambit_binary, tmp_path / "gateway", {"people": {"ann": {"roles": ["owner"], "uid": uid}}})
    subprocess.run(["chown", "-R", f"{uid}:{uid}", g.dir], check=True)
    somebody = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--"]
    with g.log_path.open("wb") as log:
        g.process = subprocess.Popen([*somebody, g.binary, "serve", "-c", g.config_path], stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log, cwd=g.dir)
    try:
        wait_until(g.is_ready, "the gateway to answer")
        done = subprocess.run([*somebody, g.binary, "operator", "add", "bob", "--out", g.key_file("bob"), "-c",
                               g.config_path], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
        assert done.returncode == 0, done.stderr
    finally:
        g.stop()

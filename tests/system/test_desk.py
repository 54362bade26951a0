"""The way of a call through everything, once: a read, a held refund approved by a second person, the end of the task."""

import pytest

from harness import ControlError

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

"""Approvals: who may give them, for what, how often and how long."""

import os
import sys
import threading
import time

import pytest

from harness import ROOT, ControlError, wait_until

sys.path.insert(0, str(ROOT / "tests/fault"))
import record  # noqa: E402

REFUND = {"order": "O-1001", "amount_cents": 500, "reason": "damaged"}
PEOPLE = {"ann": {"roles": ["owner", "approver", "administrator"], "uid": os.getuid()},
          "bob": {"roles": ["approver"]}, "eve": {"roles": ["auditor"]}, "max": {"roles": ["approver"]}}


@pytest.fixture
def site(gateway, helpdesk):
    def make(**config):
        g = gateway(mcpServers={"help": helpdesk.server()}, secrets={"helpdesk-key": helpdesk.key}, people=PEOPLE,
                    **config)
        for person in ("bob", "eve", "max"):
            g.add_operator(person)
        return g
    return make


@pytest.fixture
def held(site, helpdesk):
    """(gateway, task, client, hold)"""
    g = site()
    task = g.open_task(["help/refund"])
    agent = g.mcp(task)
    reply = agent.call("help__refund", REFUND)
    assert reply.refusal["decision"] == "hold"
    return g, task, agent, reply.hold


def state_of(gateway, hold):
    return gateway.control("hold.show", hold=hold)["state"]


def test_owner_cannot_approve_her_own_task(held, helpdesk):
    g, _, agent, hold = held
    with pytest.raises(ControlError, match="ann may not decide this hold"):
        g.control("hold.approve", hold=hold)
    assert state_of(g, hold) == "pending"
    assert agent.call("help__refund", REFUND).refusal["decision"] == "hold"
    assert helpdesk.refunds() == []


def test_who_is_no_approver_cannot_approve(held, helpdesk):
    g, _, agent, hold = held
    assert g.approve(hold, "eve", check=False).returncode != 0
    assert g.deny(hold, "eve", check=False).returncode != 0
    assert state_of(g, hold) == "pending" and helpdesk.refunds() == []


def test_wrong_key_is_refused(held, helpdesk):
    g, _, agent, hold = held
    wrong = g.cli("hold", "approve", hold, "--as", "bob", "--key", g.key_file("max"), "--yes", check=False)
    assert wrong.returncode != 0 and "login refused" in wrong.stderr
    unknown = g.cli("hold", "approve", hold, "--as", "nobody", "--key", g.key_file("max"), "--yes", check=False)
    assert unknown.returncode != 0
    assert state_of(g, hold) == "pending"
    assert agent.call("help__refund", REFUND, approval=hold).refusal
    assert helpdesk.refunds() == []


def test_login_signature_is_of_one_connection_only(held):
    """Without the signature over this connection's nonce nobody is anybody."""
    g, _, _, hold = held
    control = g.control()
    for signature in ("", "AAAA", "A" * 86):
        with pytest.raises(ControlError):
            control("login", operator="bob", signature=signature)
    with pytest.raises(ControlError):
        control("hold.approve", hold=hold, signature="A" * 86)
    assert state_of(g, hold) == "pending"


def test_approval_by_key_carries_a_signature(held):
    g, _, agent, hold = held
    g.approve(hold)
    approval, = record.of_type(g, "approval")
    assert approval["approver"] == "bob" and approval["method"] == "key" and len(approval["assertion"]) > 80
    assert not agent.call("help__refund", REFUND, approval=hold).result.get("isError")
    intent = record.of_type(g, "intent")[-1]
    assert intent["approval"] == hold and intent["approver"] == "bob"
    g.verify()


def test_approval_is_used_once_by_many_at_once(held, helpdesk):
    g, task, _, hold = held
    g.approve(hold)
    results = record.Calls(g, g.token(task), [("help__refund", REFUND)] * 20).results()
    assert results.count("ok") == 1 and results.count("refused") == 19
    assert len(helpdesk.refunds()) == 1
    assert len(record.of_type(g, "intent", tool="refund")) == 1
    g.verify()


def test_changed_argument_is_refused(held, helpdesk):
    g, _, agent, hold = held
    g.approve(hold)
    for change in ({"amount_cents": 501}, {"amount_cents": 499}, {"order": "O-1002"}, {"reason": "damaged "}):
        assert agent.call("help__refund", {**REFUND, **change}, approval=hold).refusal, change
    assert agent.call("help__refund", {k: REFUND[k] for k in reversed(REFUND)}, approval=hold).refusal is None, \
        "the order of members is no change"
    assert [refund["amount_cents"] for refund in helpdesk.refunds()] == [500]


def test_approval_is_of_one_task(held, helpdesk):
    g, _, _, hold = held
    g.approve(hold)
    other = g.mcp(g.open_task(["help/refund"]))
    assert other.call("help__refund", REFUND, approval=hold).refusal
    assert other.call("help__refund", REFUND).refusal["decision"] == "hold"
    assert helpdesk.refunds() == []


def test_hold_and_approval_expire(site, helpdesk):
    g = site(limits={"holdLife": "2s"})
    agent = g.mcp(g.open_task(["help/refund"]))
    first = agent.call("help__refund", REFUND).hold
    second = agent.call("help__refund", {**REFUND, "amount_cents": 7}).hold
    g.approve(second)
    time.sleep(2.2)
    assert g.approve(first, check=False).returncode != 0
    assert agent.call("help__refund", {**REFUND, "amount_cents": 7}, approval=second).refusal
    assert helpdesk.refunds() == []
    assert {state_of(g, hold) for hold in (first, second)} == {"expired"}


def test_denied_hold_stays_denied(held, helpdesk):
    g, _, agent, hold = held
    g.deny(hold)
    assert state_of(g, hold) == "denied"
    assert agent.call("help__refund", REFUND, approval=hold).refusal
    assert g.approve(hold, check=False).returncode != 0
    assert len(record.of_type(g, "denial")) == 1 and helpdesk.refunds() == []
    g.verify()


def test_same_call_while_it_waits_is_the_same_hold(held):
    g, _, agent, hold = held
    assert {agent.call("help__refund", REFUND).hold for _ in range(5)} == {hold}
    assert len(record.of_type(g, "hold_open")) == 1


def test_closing_the_task_cancels_its_holds(held, helpdesk):
    g, task, agent, hold = held
    second = agent.call("help__refund", {**REFUND, "amount_cents": 7}).hold
    g.approve(second)
    g.close_task(task)
    assert [state_of(g, h) for h in (hold, second)] == ["cancelled", "cancelled"]
    assert g.approve(hold, check=False).returncode != 0
    reply = agent.call("help__refund", {**REFUND, "amount_cents": 7}, approval=second)
    assert reply.status in (401, 404) or reply.refusal
    assert helpdesk.refunds() == []


def test_holds_and_approvals_outlive_a_restart_and_are_still_used_once(held, helpdesk):
    g, task, agent, hold = held
    second = agent.call("help__refund", {**REFUND, "amount_cents": 7}).hold
    g.approve(second)
    g.restart()
    assert state_of(g, hold) == "pending" and state_of(g, second) == "approved"
    agent = g.mcp(task)
    assert not agent.call("help__refund", {**REFUND, "amount_cents": 7}, approval=second).result.get("isError")
    g.approve(hold)
    assert not agent.call("help__refund", REFUND, approval=hold).result.get("isError")
    g.restart()
    agent = g.mcp(task)
    for args, used in ((REFUND, hold), ({**REFUND, "amount_cents": 7}, second)):
        assert agent.call("help__refund", args, approval=used).refusal
    assert len(helpdesk.refunds()) == 2
    g.verify()


def test_approval_used_just_before_a_crash_is_used(held, helpdesk):
    g, task, agent, hold = held
    g.approve(hold)
    assert not agent.call("help__refund", REFUND, approval=hold).result.get("isError")
    g.kill()
    g.start()
    assert g.mcp(task).call("help__refund", REFUND, approval=hold).refusal
    assert len(helpdesk.refunds()) == 1
    g.verify()


def test_two_approvers_at_once_decide_once(held):
    g, _, _, hold = held
    results = []
    threads = [threading.Thread(target=lambda p=p, f=f: results.append(f(hold, p, check=False).returncode))
               for p, f in (("bob", g.approve), ("max", g.deny), ("bob", g.deny), ("max", g.approve))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results.count(0) == 1
    assert len(record.of_type(g, "approval")) + len(record.of_type(g, "denial")) == 1
    wait_until(lambda: state_of(g, hold) in ("approved", "denied"), "the decision")
    g.verify()

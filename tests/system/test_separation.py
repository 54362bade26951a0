"""Separation of duty is policy: the examples of docs/policies.md, each loaded as it stands there and tried."""

import re

import pytest

from harness import ROOT, ControlError, Mcp, POLICY

PEOPLE = {name: {"roles": ["approver"]} for name in ("bob", "eve", "joe", "kim", "lea", "max")}


def rule(id):
    """One policy of the page, by its @id."""
    text = (ROOT / "docs/policies.md").read_text()
    found = re.search(r'@id\("%s"\).*?;\n' % id, text, re.S)
    assert found, id
    return found[0]


@pytest.fixture
def desk(gateway, hostile):
    def make(*rules, **more):
        g = gateway(policies=POLICY + "".join(rule(id) for id in rules),
                    people={**PEOPLE, "ann": {"roles": ["owner", "approver", "administrator"]}, "zoe": {"roles": ["owner", "approver"]}},
                    mcpServers={"up": {"url": hostile.url, "operations": {
                        "echo": {"effect": "transfer"}}}},
                    **more)
        for person in PEOPLE:
            g.add_operator(person)
        return g
    return make


def test_two_of_five(desk):
    g = desk("two-of-five", "of-these-five")
    task = g.open_task(["up/echo"])
    agent = g.mcp(task)
    hold = agent.call("up__echo", {"n": 1}).hold
    assert "may not decide" in g.approve(hold, "max", check=False).stderr
    assert "pending" in g.approve(hold, "bob").stdout
    again = g.approve(hold, "bob", check=False)
    assert again.returncode == 1 and "somebody else" in again.stderr
    assert "not decided yet" in agent.call("up__echo", {"n": 1}, meta={"approval": hold}).text or \
        "Held" in agent.call("up__echo", {"n": 1}).text
    g.restart()
    assert "approved" in g.approve(hold, "kim").stdout
    assert not g.mcp(task).call("up__echo", {"n": 1}).result.get("isError")
    approvals = [e["record"] for e in g.trace(task)["entries"] if e["record"]["type"] == "approval"]
    assert [(r["approver"], r.get("state")) for r in approvals] == [("bob", "counted"), ("kim", None)]
    g.verify()


def test_one_denial_ends_it(desk):
    g = desk("two-of-five", "of-these-five")
    agent = g.mcp(g.open_task(["up/echo"]))
    hold = agent.call("up__echo", {"n": 1}).hold
    g.approve(hold, "bob")
    g.deny(hold, "eve")
    assert g.approve(hold, "kim", check=False).returncode == 1
    g.verify()


def test_not_your_own(desk):
    g = desk("not-your-own", templates={
        "pay": {"agent": "desk", "purpose": "pay", "operations": ["up/echo"], "users": ["ann"]}})
    hold = g.mcp(g.open_task(["up/echo"])).call("up__echo", {"n": 1}).hold
    with pytest.raises(ControlError, match="not-your-own"):
        g.control("hold.approve", hold=hold)
    assert "approved" in g.approve(hold, "bob").stdout


def test_the_author_does_not_review(desk):
    """bob opens a task for ann's agent by a template; neither of the two decides on its calls."""
    g = desk("not-your-own", templates={
        "pay": {"agent": "desk", "purpose": "pay", "operations": ["up/echo"], "users": ["zoe"]}})
    g.add_operator("zoe")
    opened = g.cli("task", "open", "--template", "pay", "--as", "zoe", "--key", g.key_file("zoe"))
    task = opened.stdout.strip().split("\n")[0]
    shown = g.control("task.show", task=task)
    assert shown["owner"] == "ann" and shown["openedBy"] == "zoe"
    hold = g.mcp(task).call("up__echo", {"n": 1}).hold
    assert "not-your-own" in g.approve(hold, "zoe", check=False).stderr
    assert "approved" in g.approve(hold, "bob").stdout
    with pytest.raises(ControlError, match="may not use"):
        g.control("task.open", template="pay")


def test_one_place_at_a_time(desk):
    g = desk("one-place-at-a-time", limits={"sharedWindow": "2s"})
    task = g.open_task(["up/echo"])
    here, there = g.mcp(task), Mcp(g.url, g.token(task), source="127.0.0.2")
    assert "Held" in here.call("up__echo", {"n": 1}).text
    assert "one-place-at-a-time" in there.call("up__echo", {"n": 1}).text
    assert "one-place-at-a-time" in here.call("up__echo", {"n": 1}).text
    assert g.control("agent.show", agent="desk")["sharedAs"] == "addresses"
    there.close()
    shared = [e["record"] for e in g.trace(task)["entries"] if e["record"]["type"] == "shared_use"]
    assert not shared  # it is filed under no task
    g.verify()


def test_a_stranger_closes_nothing(desk):
    g = desk()
    g.add_operator("zoe")
    task = g.open_task(["up/echo"])
    refused = g.cli("task", "close", task, "--as", "zoe", "--key", g.key_file("zoe"), check=False)
    assert refused.returncode == 1 and "may not close task" in refused.stderr
    refused = g.cli("agent", "suspend", "desk", "--as", "zoe", "--key", g.key_file("zoe"), check=False)
    assert refused.returncode == 1 and "may not suspend" in refused.stderr
    assert g.control("task.show", task=task)["state"] == "active"


def test_closing_can_be_forbidden_too(gateway, hostile):
    g = gateway(policies=POLICY + '@id("never") forbid (principal, action == Ambit::Action::"close_task", resource);')
    task = g.control("task.open", agent="desk", purpose="p", operations=["ambit/delegate"])["task"]
    with pytest.raises(ControlError, match="never"):
        g.control("task.close", task=task)

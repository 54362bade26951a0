"""Tasks and agents from outside: bounds, budgets, templates, suspending and resuming, history."""

import pytest

from harness import ControlError, wait_until

BOUNDED = [{"operation": "up/echo", "args": {"text": {"oneOf": ["yes", "no"]}}}]


@pytest.fixture
def desk(gateway, hostile):
    return gateway(
        mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "read"}}}},
        templates={"look": {"agent": "desk", "purpose": "look around", "deadline": "10m", "users": ["ann"],
                            "budgets": {"calls": 3}, "operations": BOUNDED}})


def opened(g, **wish):
    return g.control("task.open", {"agent": "desk", "purpose": "p", **wish})


def agent_of(g, task):
    return g.mcp(task["task"])


def test_bounds_of_arguments_hold(desk):
    task = opened(desk, operations=BOUNDED)
    agent = agent_of(desk, task)
    assert "yes" in agent.call("up__echo", {"text": "yes"}).text
    reply = agent.call("up__echo", {"text": "maybe"})
    assert "must be one of several values" in reply.text and "Nothing was sent" in reply.text
    shown = desk.control("task.show", task=task["task"])
    assert shown["grants"]["operations"][0]["args"]["text"]["oneOf"] == ['no', 'yes']
    with pytest.raises(ControlError, match="no member"):
        opened(desk, operations=[{"operation": "up/echo", "args": {"text": {"regex": ".*"}}}])


def test_budgets_of_answers_end_a_task(desk):
    task = opened(desk, operations=["up/echo"], budgets={"rows": 2, "bytes": 100000})
    agent = agent_of(desk, task)
    for _ in range(2):
        assert "x" in agent.call("up__echo", {"text": "x"}).text
    wait_until(lambda: desk.control("task.show", task=task["task"])["grants"]["budgets"]["rows"] == 0, "the rows to be counted")
    assert "as many rows as it may" in agent.call("up__echo", {"text": "x"}).text


def test_suspend_and_resume_a_task(desk):
    task = opened(desk, operations=["up/echo"])
    agent = agent_of(desk, task)
    assert "x" in agent.call("up__echo", {"text": "x"}).text
    desk.control("task.suspend", task=task["task"], reason="look first")
    assert "is suspended: look first" in agent.call("up__echo", {"text": "x"}).text
    with pytest.raises(ControlError, match="suspended"):
        desk.control("task.suspend", task=task["task"])
    desk.control("task.resume", task=task["task"])
    assert "x" in agent.call("up__echo", {"text": "x"}).text
    desk.control("task.close", task=task["task"])
    with pytest.raises(ControlError, match="nothing to resume"):
        desk.control("task.resume", task=task["task"])
    steps = desk.control("task.history", task=task["task"])["history"]
    assert [(s["type"], s.get("state")) for s in steps if s["type"] != "refusal"] == [
        ("task_open", None), ("task_change", "suspended"), ("task_change", "active"), ("task_close", "revoked")]


def test_suspend_and_resume_an_agent(desk):
    task = opened(desk, operations=["up/echo"])
    agent = agent_of(desk, task)
    assert "x" in agent.call("up__echo", {"text": "x"}).text
    desk.control("agent.suspend", agent="desk", reason="odd")
    assert "was suspended by" in agent.call("up__echo", {"text": "x"}).text
    with pytest.raises(ControlError, match="suspended"):
        opened(desk, operations=["up/echo"])
    shown = desk.control("agent.show", agent="desk")
    assert shown["state"] == "suspended" and shown["reason"] == "odd"
    desk.control("agent.resume", agent="desk")
    assert "x" in agent.call("up__echo", {"text": "x"}).text
    with pytest.raises(ControlError, match="no agent"):
        desk.control("agent.suspend", agent="nobody")


def test_templates(desk):
    task = desk.control("task.open", template="look", calls=2)
    assert task["purpose"] == "look around" and task["callsLeft"] == 2 and task["owner"] == "ann"
    assert desk.control("task.open", template="look", calls=9)["callsLeft"] == 3
    agent = agent_of(desk, task)
    assert "no" in agent.call("up__echo", {"text": "no"}).text
    assert "one of several" in agent.call("up__echo", {"text": "perhaps"}).text
    with pytest.raises(ControlError, match="no template"):
        desk.control("task.open", template="other")
    with pytest.raises(ControlError, match="says itself"):
        desk.control("task.open", template="look", operations=["up/echo"])


def test_the_command_line(desk):
    out = desk.cli("task", "open", "--agent", "desk", "--purpose", "p", "--operation", "up/echo", "--constraint",
                     'up/echo:text={"maxLength": 3}', "--budget", "rows=5", "--budget", "EUR=100", "--ceiling", "restricted")
    task = out.stdout.strip()
    shown = desk.control("task.show", task=task)["grants"]
    assert shown["budgets"]["money"] == {"currency": "EUR", "minor": 100} and shown["budgets"]["rows"] == 5
    assert "suspended" in desk.cli("task", "suspend", task, "--reason", "why").stdout
    assert "active" in desk.cli("task", "resume", task).stdout
    assert "task_change" in desk.cli("task", "history", task).stdout
    assert desk.cli("task", "open", "--template", "look").stdout.startswith("t")
    assert "suspended" in desk.cli("agent", "suspend", "clerk").stdout
    assert "suspended" in desk.cli("agent", "list").stdout
    assert "clerk" in desk.cli("agent", "show", "clerk").stdout
    desk.cli("agent", "resume", "clerk")


def test_what_was_done_outlives_a_restart(desk):
    task = opened(desk, operations=BOUNDED, budgets={"rows": 5})
    other = opened(desk, operations=["up/echo"])
    assert "yes" in agent_of(desk, task).call("up__echo", {"text": "yes"}).text
    desk.control("task.suspend", task=other["task"])
    desk.control("agent.suspend", agent="clerk", reason="r")
    desk.restart()
    assert desk.control("task.show", task=other["task"])["state"] == "suspended"
    assert desk.control("agent.show", agent="clerk")["reason"] == "r"
    shown = desk.control("task.show", task=task["task"])
    assert shown["callsLeft"] == 99 and shown["grants"]["budgets"]["rows"] == 4
    assert "one of several" in agent_of(desk, task).call("up__echo", {"text": "x"}).text


def test_the_configuration_is_the_ceiling(desk):
    task = opened(desk, operations=["up/echo"])
    desk.stop()
    desk.config["agents"]["desk"]["ambit"] = ["ambit/*"]
    desk.config["templates"] = {}
    desk.write_config()
    desk.start()
    assert desk.control("task.show", task=task["task"])["state"] == "revoked"


def test_a_revoked_owner_has_no_tasks(desk):
    task = opened(desk, operations=["up/echo"])
    desk.stop()
    desk.config["people"]["eve"] = {"roles": ["owner"]}
    desk.config["agents"]["desk"]["owner"] = "eve"
    desk.config["templates"] = {}
    desk.write_config()
    desk.start()
    shown = desk.control("task.show", task=task["task"])
    assert shown["state"] == "revoked" and shown["reason"] == "its agent has another owner"

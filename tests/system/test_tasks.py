"""Tasks and agents from outside: bounds, budgets, templates, suspending and resuming, history."""

import json
import os
import subprocess
import time

import pytest

from harness import LEGACY, ControlError, wait_until

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


# --- agents that come with an identity alone ---------------------------------------------------------------------


@pytest.fixture
def local(gateway, hostile):
    """desk and clerk are told apart by the group of their process."""
    return gateway(
        agents={"desk": {"select": {"uid": os.getuid(), "gid": 23101}, "bearer": False},
                "clerk": {"select": {"uid": os.getuid(), "gid": 23102}, "bearer": False},
                "third": {"owner": "ann", "assessed": "2026-10-01", "assessedFor": "3650d", "ambit": ["up/*"], "select": {"uid": os.getuid(), "gid": 23103}}},
        limits={"redeemWait": "2s", "sharedWindow": "3s"},
        mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "read"}, "put": {"effect": "write", "highImpact": False}}}})


class Connected:
    """`ambit connect` as a process of a group: its requests and answers, one a line."""

    def __init__(self, g, gid, *more):
        if os.getuid() != 0:
            pytest.skip("only root can be of another group")
        self.process = subprocess.Popen([g.binary, "connect", "--socket", g.agent_path, *more], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, group=gid)
        self.next_id = 0
        self.ask("initialize", {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, method, params=None):
        self.next_id += 1
        self.send({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params or {}})
        while True:
            answer = json.loads(self.process.stdout.readline())
            if answer.get("id") == self.next_id:
                return answer

    def tools(self):
        return sorted(tool["name"] for tool in self.ask("tools/list")["result"]["tools"])

    def call(self, name, **args):
        answer = self.ask("tools/call", {"name": name, "arguments": args})
        if "error" in answer:
            return answer["error"]["message"], {}
        result = answer["result"]
        return "".join(part.get("text", "") for part in result["content"]), result.get("structuredContent") or {}

    def close(self):
        self.process.stdin.close()
        self.process.wait(15)


@pytest.fixture
def connect(local):
    made = []

    def make(gid, *more):
        made.append(Connected(local, gid, *more))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.wait()


DESK, CLERK, THIRD = 23101, 23102, 23103


def test_an_agent_asks_for_a_reading_task(local, connect):
    desk = connect(DESK)
    assert desk.tools() == ["ambit__redeem_task", "ambit__request_task"]
    text, answer = desk.call("ambit__request_task", purpose="look", operations=["up/echo"], seconds=600, calls=5)
    assert answer["state"] == "granted", text
    assert desk.tools() == ["up__echo"]
    assert "hi" in desk.call("up__echo", text="hi")[0]
    shown = local.control("task.show", task=answer["task"])
    assert shown["owner"] == "ann" and shown["openedBy"] == "agent/desk"
    text, answer = desk.call("ambit__request_task", purpose="look", operations=["other/tool"])
    assert answer["state"] == "refused" and "no binding" in text
    text, answer = desk.call("ambit__request_task", purpose="look", operations=["up/echo"], seconds=600, regex="x")
    assert "Wrong arguments" in text
    local.verify()


def test_what_writes_is_held_for_the_owner(local, connect):
    desk = connect(DESK)
    ask = {"purpose": "mend", "operations": ["up/put"], "seconds": 600}
    text, answer = desk.call("ambit__request_task", **ask)
    assert answer["state"] == "held" and "waits for its owner ann" in text
    again = desk.call("ambit__request_task", **ask)[1]
    assert again["hold"] == answer["hold"] and again["task"] == answer["task"]
    assert desk.call("ambit__request_task", task=answer["task"])[1]["state"] == "held"
    local.add_operator("bob")
    refused = local.approve(answer["hold"], check=False)
    assert refused.returncode == 1 and "may not decide" in refused.stderr
    assert answer["hold"] in local.cli("hold", "list").stdout
    assert local.cli("hold", "approve", answer["hold"], "--yes").returncode == 0
    assert desk.call("ambit__request_task", task=answer["task"])[1]["state"] == "granted"
    assert "ambit__request_task" not in desk.tools()  # it has a task now
    with pytest.raises(ControlError, match="used already"):
        local.control("hold.approve", hold=answer["hold"])
    steps = local.control("task.history", task=answer["task"])["history"]
    assert [(s["type"], s.get("by", s.get("approver"))) for s in steps] == [
        ("task_open", "agent/desk"), ("hold_open", None), ("task_change", "ann"), ("approval", "ann")]
    local.verify()


def test_a_request_that_is_denied_or_late_is_over(local, connect):
    desk = connect(DESK)
    answer = desk.call("ambit__request_task", purpose="a", operations=["up/put"])[1]
    local.control("hold.deny", hold=answer["hold"])
    text, now = desk.call("ambit__request_task", task=answer["task"])
    assert now["state"] == "refused" and "request denied" in text
    answer = desk.call("ambit__request_task", purpose="b", operations=["up/put"])[1]
    local.control("task.close", task=answer["task"])
    with pytest.raises(ControlError, match="cancelled"):
        local.control("hold.approve", hold=answer["hold"])
    answer = desk.call("ambit__request_task", purpose="c", operations=["up/put"])[1]
    local.control("agent.suspend", agent="desk")
    with pytest.raises(ControlError, match="suspended"):
        local.control("hold.approve", hold=answer["hold"])
    assert "suspended" in desk.call("ambit__request_task", purpose="d", operations=["up/echo"])[0]
    local.verify()


def test_requests_are_bounded(local, connect):
    desk = connect(DESK)
    states = [desk.call("ambit__request_task", purpose=f"n{n}", operations=["up/echo"])[1]["state"] for n in range(10)]
    assert states == ["granted"] * 8 + ["refused"] * 2


def test_a_child_is_redeemed_once_by_its_agent(local, connect):
    parent = local.open_task(["up/echo", "ambit/delegate"])
    desk = connect(DESK, "--task", parent)
    text, child = desk.call("ambit__delegate", agent="clerk", purpose="part", operations=["up/echo"])
    assert "granted to agent clerk" in text
    id = child["task"]
    assert local.control("task.show", task=id)["state"] == "granted"
    third = connect(THIRD)
    assert "no task" in third.call("ambit__redeem_task", task=id)[0]
    clerk = connect(CLERK)
    assert clerk.call("ambit__redeem_task", task=id)[1]["state"] == "granted"
    assert "used once" in clerk.call("ambit__redeem_task", task=id)[0]
    assert "hi" in clerk.call("up__echo", text="hi")[0]
    local.control("task.close", task=parent)
    assert "no open task" in clerk.call("up__echo", text="hi")[0]
    steps = local.control("task.history", task=id)["history"]
    assert [s["reason"] for s in steps if s["type"] == "refusal"][:1] == ["redeem"]
    local.verify()


def test_a_grant_does_not_outlive_its_time_or_its_parent(local, connect):
    parent = local.open_task(["up/echo", "ambit/delegate"])
    desk = connect(DESK, "--task", parent)
    clerk = connect(CLERK)
    late = desk.call("ambit__delegate", agent="clerk", purpose="late", operations=["up/echo"])[1]["task"]
    time.sleep(2.1)
    assert "in time" in clerk.call("ambit__redeem_task", task=late)[0] or local.control("task.show", task=late)["state"] == "expired"
    orphan = desk.call("ambit__delegate", agent="clerk", purpose="orphan", operations=["up/echo"])[1]["task"]
    local.control("task.close", task=parent)
    assert "cascaded" in clerk.call("ambit__redeem_task", task=orphan)[0]
    local.verify()


def test_joining_redeems(local, connect):
    parent = local.open_task(["up/echo", "ambit/delegate"])
    child = connect(DESK, "--task", parent).call("ambit__delegate", agent="clerk", purpose="p", operations=["up/echo"])[1]["task"]
    clerk = connect(CLERK, "--task", child)
    assert "hi" in clerk.call("up__echo", text="hi")[0]
    assert local.control("task.show", task=child)["state"] == "active"


def test_two_processes_of_one_identity_are_reported(local, connect):
    local.open_task(["up/echo"])
    one, two = connect(DESK), connect(DESK)
    assert "a" in one.call("up__echo", text="a")[0] and "b" in two.call("up__echo", text="b")[0]
    shown = local.control("agent.show", agent="desk")
    assert shown["shared"] and shown["sharedAs"] == "processes" and len(shown["places"]) == 2
    assert "used at two places" in local.log
    two.close()
    wait_until(lambda: not local.control("agent.show", agent="desk")["shared"], "the second to be gone")

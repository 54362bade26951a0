"""Closing and revoking, with everything open that can be: streams of the official client library, stdio programs, holds,
calls on a slow upstream; edges that do not answer; the gateway killed in the middle."""

import json
import os
import random
import signal
import threading
import time

import pytest

from harness import MODERN, ROOT, Control, ControlError, wait_until
from test_connect_clients import Agent

SLOW_S = 60
PROG = "prog/echo prog/never"


@pytest.fixture
def site(gateway, helpdesk, hostile, node):
    """help: HTTP with a secret; up: HTTP without; prog: stdio with a secret in its environment."""
    folders = [str(p) for p in (ROOT / "tests/peers", ROOT / "build/peers", ROOT / "node_modules",
                                (ROOT / "node_modules").resolve())]
    prog = {"command": str(node), "args": [str(ROOT / "tests/peers/hostile_stdio.mjs")], "answerWait": f"{SLOW_S}s",
            "env": {"KEY": {"secret": "prog-key"}}, "sandbox": {"read": folders},
            "operations": {"echo": {"effect": "read"}, "never": {"effect": "read"}}}
    up = {"url": hostile.url, "answerWait": f"{SLOW_S}s",
          "operations": {"echo": {"effect": "read"}, "never": {"effect": "read"}}}
    g = gateway(mcpServers={"help": helpdesk.server(answerWait=f"{SLOW_S}s"), "up": up, "prog": prog},
                people={"eve": {"roles": ["owner"]}},
                agents={"other": {"owner": "eve", "bearer": True, "assessed": "2026-10-01", "ambit": ["*/*"]}},
                secrets={"helpdesk-key": helpdesk.key, "prog-key": "k"})
    g.add_operator("bob")
    g.add_operator("eve")
    return g


def as_person(g, name):
    """Options of `ambit` that log in with a key."""
    return "--as", name, "--key", g.key_file(name)


def open_for_eve(g, operations):
    words = [w for o in operations for w in ("--operation", o)]
    return g.cli("task", "open", "--agent", "other", "--purpose", "p", *words, *as_person(g, "eve")).stdout.strip()


def programs(g):
    found = []
    for pid in g.pids():
        try:
            if b"hostile_stdio" in open(f"/proc/{pid}/cmdline", "rb").read():
                found.append(pid)
        except OSError:
            pass
    return found


def metric(g, name):
    text = g.get_health("/metrics")[1]
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " "))


class Client:
    """The official client with a call under way whose answer is a stream with progress."""

    def __init__(self, g, node, folder, task, era="auto", seconds=SLOW_S - 5):
        file = folder / f"token-{task}"
        file.write_text(g.token(task))
        before = metric(g, "ambit_edge_streams_total")
        self.agent = Agent(node, folder, era, "--url", g.url, "--token-file", file)
        self.answers = []
        self.thread = threading.Thread(target=self.call, args=(seconds,))
        self.thread.start()
        wait_until(lambda: metric(g, "ambit_edge_streams_total") > before, "the stream to be open")

    def call(self, seconds):
        self.answers.append((self.agent.step(call="help__slow_report", args={"seconds": seconds}, progress=True),
                             time.monotonic()))

    def end(self):
        """What the stream ended with, and when."""
        self.thread.join(20)
        assert self.answers, "the stream is still open"
        answer = self.answers[0]
        self.agent.close()
        return answer


def close(g, task, *more):
    done = g.cli("task", "close", task, "--wait", "--json", *more, timeout=40)
    return json.loads(done.stdout)


def in_thread(fn, *args):
    out = []
    thread = threading.Thread(target=lambda: out.append(fn(*args)))
    thread.start()
    return thread, out


def is_refused(g, token, tool="up__echo"):
    """A new connection with a token of a closed task."""
    return g.mcp(token=token, era=MODERN).call(tool, {}).refusal["decision"] == "deny"


# --- what is open is cut ---------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_stream_of_the_official_client_is_cut(site, node, tmp_path, era):
    task = site.open_task(["help/slow_report"])
    client = Client(site, node, tmp_path, task, era)
    receipt = close(site, task)
    closed = time.monotonic()
    answer, when = client.end()
    assert when < closed + 1
    text = json.dumps(answer)
    assert "task_ended" in text and "55 tickets" not in text, text
    assert receipt["state"] == "complete" and receipt["closes"] == "revoked"
    assert receipt["steps"]["streams"]["count"] == 1 and receipt["steps"]["calls"]["count"] == 1
    assert receipt["calls"] == {"unknown": 1}
    assert [(l["binding"], l["state"]) for l in receipt["leases"]] == [("help", "quarantined")]
    assert {n["what"].split()[0] for n in receipt["notDead"]} == {"the", "calls"}
    times = [receipt["steps"][s]["microseconds"] for s in ("refusing", "streams", "leases")]
    assert times == sorted(times) and times[-1] < 5_000_000
    site.verify()


def test_stdio_program_is_ended_before_the_receipt(site):
    task = site.open_task(PROG.split())
    token = site.token(task)
    before = set(programs(site))
    assert not site.mcp(token=token).call("prog__echo", {}).result.get("isError")
    mine = set(programs(site)) - before
    assert len(mine) == 1
    thread, out = in_thread(site.mcp(token=token).call, "prog__never", {})
    wait_until(lambda: metric(site, "ambit_edge_exchanges") >= 1, "the call to be under way")
    time.sleep(0.2)
    receipt = close(site, task)
    assert not mine & set(programs(site))
    thread.join(10)
    assert out[0].result["isError"]
    assert receipt["steps"]["programs"]["count"] == 1
    assert [(l["binding"], l["holder"], l["state"]) for l in receipt["leases"]] == [("prog", "program", "ended")]
    assert not any("secret" in n["what"] for n in receipt["notDead"])
    assert receipt["steps"]["programs"]["microseconds"] < 900_000  # killed, not asked


def test_completed_task_lets_its_program_end_in_order(site):
    task = site.open_task(PROG.split())
    site.mcp(task).call("prog__echo", {})
    receipt = close(site, task, "--completed")
    assert receipt["closes"] == "completed" and receipt["leases"][0]["state"] == "ended"


def test_call_on_a_slow_upstream_is_settled(site, hostile):
    task = site.open_task(["up/never", "up/echo"])
    client = site.mcp(task)
    thread, out = in_thread(client.call, "up__never", {})
    wait_until(lambda: hostile.calls("never") == 1, "the call to be sent")
    receipt = close(site, task)
    thread.join(10)
    assert out[0].result["isError"] and "task_ended" in out[0].text
    assert receipt["calls"] == {"unknown": 1} and receipt["leases"] == []
    assert receipt["steps"]["calls"]["microseconds"] < 3_000_000
    assert is_refused(site, client.token)


def test_holds_are_cancelled(site, helpdesk):
    task = site.open_task(["help/refund"])
    hold = site.mcp(task).call("help__refund", {"order": "A-1001", "amount_cents": 100, "reason": "r"}).hold
    receipt = close(site, task)
    assert receipt["steps"]["holds"]["count"] == 1
    assert site.control("hold.show", hold=hold)["state"] == "cancelled"
    assert site.approve(hold, check=False).returncode != 0
    assert not any(r.get("amount_cents") == 100 for r in helpdesk.refunds())


def test_closing_the_root_cuts_every_leaf(site, node, tmp_path):
    """Delegated work, with a stream open at the child: cut with its parent, and refused."""
    root = site.open_task(["help/slow_report", "up/echo", "ambit/delegate"])
    reply = site.mcp(root).call("ambit__delegate", {
        "agent": "clerk", "purpose": "part", "operations": ["help/slow_report"]})
    child = reply.result["structuredContent"]["task"]
    try:
        client = Client(site, node, tmp_path, child)
    except ControlError as e:  # granted, and to be redeemed by its agent's own proof: nothing can be open yet
        assert "granted" in e.message
        client = None
    receipt = close(site, root)
    states = {t["task"]: t["state"] for t in receipt["tasks"]}
    assert states == {root: "revoked", child: "cascaded"}
    if client:
        client.end()
        assert receipt["steps"]["streams"]["count"] == 1
    assert site.control("task.receipt", id=child)["receipt"] == receipt["receipt"]
    site.verify()


def test_suspended_agent_has_no_stream(site, node, tmp_path):
    task = site.open_task(["help/slow_report"])
    client = Client(site, node, tmp_path, task)
    site.cli("agent", "suspend", "desk", "--reason", "look first")
    begun = time.monotonic()
    answer, when = client.end()
    assert when < begun + 3 and "task_ended" in json.dumps(answer)
    receipt = wait_until(lambda: site.control("task.receipt", id=task), "the receipt")
    assert receipt["kind"] == "suspension" and receipt["by"] == "ann" and receipt["tasksTotal"] == 1
    assert "closes" not in receipt
    site.cli("agent", "resume", "desk")
    assert site.control("task.show", task=task)["live"]


# --- everything of somebody ------------------------------------------------------------------------------


def test_revoke_agent_owner_and_binding(site):
    def three():
        return [site.open_task(["up/echo"]), site.open_task(["up/echo", "help/read_ticket"]),
                open_for_eve(site, ["help/read_ticket"])]

    def live(tasks):
        return [site.control("task.show", task=t)["live"] for t in tasks]

    for words, left in ((("agent", "desk"), [False, False, True]), (("owner", "eve"), [True, True, False]),
                        (("binding", "help"), [True, False, False])):
        tasks = three()
        text = site.cli("revoke", *words, "--reason", "test", "--wait").stdout
        assert live(tasks) == left
        receipt = site.control("task.receipt", id=tasks[left.index(False)])
        assert receipt["kind"] == words[0] and receipt["name"] == words[1] and receipt["reason"] == "test"
        assert receipt["receipt"] in text and "refusing" in text and "revoked by ann" in text
        assert {t["task"] for t in receipt["tasks"]} >= {t for t, up in zip(tasks, left) if not up}
        for task in (t for t, up in zip(tasks, left) if up):
            site.close_task(task)
    site.verify()


def test_who_may_revoke(site):
    task = site.open_task(["up/echo"])
    eve, bob = as_person(site, "eve"), as_person(site, "bob")
    for words in (("agent", "desk"), ("owner", "ann"), ("binding", "up"), ("task", task)):
        for who in (eve, bob):
            done = site.cli("revoke", *words, *who, check=False)
            assert done.returncode == 1 and done.stderr, words
    assert site.control("task.show", task=task)["live"]
    for words in (("agent", "nobody"), ("binding", "nothing"), ("person", "ann"), ("task", "t0")):
        assert site.cli("revoke", *words, check=False).returncode == 1, words
    mine = open_for_eve(site, ["up/echo"])
    site.cli("revoke", "owner", "eve", *eve)
    assert not site.control("task.show", task=mine)["live"]


def test_receipt_as_a_table_and_as_it_was(site):
    task = site.open_task(["help/read_ticket"])
    site.mcp(task).call("help__read_ticket", {"ticket": 1})
    text = site.cli("task", "close", task, "--wait", "--reason", "done with it").stdout
    for word in (task, "revoked by ann", "done with it", "refusing", "streams", "durable", " ms", "quarantined",
                 "not dead: the secret of binding help", "ambit secret set"):
        assert word in text, word
    first = site.cli("task", "receipt", task, "--json").stdout
    assert site.cli("task", "receipt", json.loads(first)["receipt"], "--json").stdout == first
    leaf = [e["record"] for e in site.trace(task)["entries"] if e["record"]["type"] == "receipt"]
    assert leaf[0]["receipt"] == json.loads(first)["receipt"] and leaf[0]["status"] == "complete"
    assert site.cli("task", "receipt", "r00000000000000000000000000", check=False).returncode == 1


# --- ends that do not answer, and restarts ------------------------------------------------------------------


def test_edge_that_does_not_acknowledge_is_ended(site):
    task = site.open_task(["up/echo"])
    token = site.token(task)
    edge = site.role_pid("edge")
    os.kill(edge, signal.SIGSTOP)
    receipt = close(site, task)
    assert receipt["state"] == "complete" and any("did not acknowledge" in n for n in receipt["notes"])
    assert receipt["steps"]["streams"]["microseconds"] > 4_000_000
    wait_until(lambda: site.role_pid("edge") != edge, "another edge")
    wait_until(lambda: site.get_health()[0] == 200, "the gateway to be well")
    assert is_refused(site, token)


def test_core_killed_after_the_end_was_durable(site):
    """Acknowledged, then kill -9 while an edge has not cut yet: still closed, and finished by the next core."""
    task = site.open_task(PROG.split() + ["help/slow_report"])
    token = site.token(task)
    before = set(programs(site))
    site.mcp(token=token).call("prog__echo", {})
    mine = set(programs(site)) - before
    os.kill(site.role_pid("runner"), signal.SIGSTOP)
    early = site.close_task(task)
    assert early["state"] == "under_way" and early["steps"]["durable"]["done"]
    core = site.role_pid("core")
    os.kill(core, signal.SIGKILL)
    os.kill(site.role_pid("runner"), signal.SIGCONT)
    site.close_controls()
    wait_until(lambda: site.role_pid("core") != core and site.control("status"), "another core")
    receipt = wait_until(lambda: (lambda r: r if r["state"] != "under_way" else None)(
        site.control("task.receipt", id=task)), "the receipt", 20)
    assert receipt["receipt"] == early["receipt"] and receipt["state"] == "complete", receipt
    assert any("finished it at its next start" in n for n in receipt["notes"])
    assert receipt["leases"][0]["state"] == "ended"
    assert len(mine) == 1 and not mine & set(programs(site))
    wait_until(lambda: site.get_health()[0] == 200, "the gateway to be well")
    assert site.mcp(token=token, era=MODERN).call("prog__echo", {}).status == 401  # not even known any more
    site.verify()


def test_acknowledged_close_is_never_undone(gateway, hostile):
    """kill -9 of core at any moment of a closing: what was acknowledged is closed after the restart, and every closing
    that began has its receipt."""
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "read"}}}})
    acknowledged = undone = 0
    for _ in range(12):
        tasks = [g.open_task(["up/echo"]) for _ in range(3)]
        core = g.role_pid("core")
        control = Control(g.control_path)
        for i, task in enumerate(tasks):
            control.raw(json.dumps({"id": i, "method": "task.close", "params": {"task": task}}))
        time.sleep(random.random() * 0.006)
        os.kill(core, signal.SIGKILL)
        heard = set()
        try:
            for line in control.file:
                answer = json.loads(line)
                heard.add(tasks[answer["id"]])
                assert "result" in answer
        except OSError:
            pass
        control.close()
        g.close_controls()
        wait_until(lambda: g.role_pid("core") != core and g.control("status"), "another core")
        acknowledged += len(heard)
        live = {t["task"] for t in g.control("task.list")["tasks"] if t["live"]}
        for task in tasks:
            assert not (task in heard and task in live), "an acknowledged close was undone"
            if task in live:
                undone += 1
                g.close_task(task)
            wait_until(lambda: g.control("task.receipt", id=task)["state"] == "complete", "the receipt", 20)
    print(f"{acknowledged} acknowledged before the kill, {undone} not begun")
    g.verify()

"""Upstreams that change their tools, fall silent for good, or are away. Single faults: test_upstream_faults.py and _stdio.py."""

import time

import pytest

from harness import ROOT, wait_until

WAIT = {"answerWait": "2s"}


@pytest.fixture
def bad(gateway, hostile):
    tools = ["echo", "mutate"]
    return gateway(mcpServers={"up": {"url": hostile.url, "operations": {t: {"effect": "read"} for t in tools}, **WAIT}})


def test_a_changed_definition_is_hidden_until_accepted(bad):
    task = bad.open_task(["up/echo", "up/mutate"])
    m = bad.mcp(task)
    assert m.tools() == ["up__echo", "up__mutate"]
    m.call("up__mutate")
    bad.control("discover", {"binding": "up"})
    wait_until(lambda: m.tools() == ["up__mutate"], "the changed tool to be hidden")
    reply = m.call("up__echo", {"a": 1})
    assert reply.result["isError"] and "changed since it was reviewed" in reply.text
    shown = bad.control("pin.show", {"operation": "up/echo"})
    assert shown["pin"] == "changed" and shown["newDigest"] != shown["digest"]
    bad.control("pin.accept", {"operation": "up/echo", "digest": shown["newDigest"]})
    assert m.call("up__echo", {"a": 1}).result["structuredContent"] == {"a": 1}
    bad.verify()


@pytest.fixture
def program(gateway, node):
    tools = ["echo", "stop_reading"]
    server = {"command": str(node.resolve()), "args": [str(ROOT / "tests/peers/hostile_stdio.mjs")],
              "sandbox": {"read": [str(ROOT / "build/peers"), str(ROOT / "tests")]},
              "operations": {t: {"effect": "read"} for t in tools}, **WAIT}
    return gateway(mcpServers={"p": server})


def test_a_program_that_stops_reading_is_replaced(program):
    m = program.mcp(program.open_task(["p/stop_reading", "p/echo"]))
    assert m.call("p__stop_reading").result["isError"]

    def answers():
        reply = m.call("p__echo", {"a": 1})
        return not reply.result.get("isError")

    wait_until(answers, "a fresh program", seconds=30)


def test_an_upstream_that_is_away_is_named(gateway, hostile):
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "read"}}, **WAIT}})
    m = g.mcp(g.open_task(["up/echo"]))
    assert m.call("up__echo", {"a": 1}).result
    hostile.stop()
    time.sleep(0.2)
    reply = m.call("up__echo", {"a": 2})
    assert reply.result["isError"]
    assert "Nothing was sent" in reply.text, reply.text

    def outcomes():
        records = [e["record"] for e in g.trace(reply.refusal["call"])["entries"]]
        return [r["status"] for r in records if r["type"] == "outcome"]

    assert wait_until(outcomes, "the outcome") == ["not_sent"]

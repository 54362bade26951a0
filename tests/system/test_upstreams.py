"""Upstreams that misbehave, over HTTP and stdio: the agent gets a clear answer, the record gets one outcome, the gateway goes on."""

import time

import pytest

from harness import MODERN, ROOT, wait_until

WAIT = {"answerWait": "2s"}


def outcome_of(g, call):
    """The outcome of a call, once it is recorded."""

    def found():
        records = [e["record"] for e in g.trace(call)["entries"]]
        ends = [r for r in records if r["type"] == "outcome"]
        assert len(ends) <= 1, ends
        return ends

    return wait_until(found, f"the outcome of {call}")[0]


# What each fault of tests/peers/hostile_upstream.mjs becomes: words the agent reads, and the recorded status.
FAULTS = [
    ("die_at_once", {}, "closed the connection", "unknown"),
    ("die_mid_answer", {}, "closed the connection", "unknown"),
    ("die_mid_chunks", {}, "closed the connection", "unknown"),
    ("die_mid_sse", {}, "closed the connection", "unknown"),
    ("empty_sse", {}, "without a result", "unknown"),
    ("never", {}, "within 2 s", "unknown"),
    ("never_body", {}, "within 2 s", "unknown"),
    ("drip", {}, "within 2 s", "unknown"),
    ("garbage", {}, "not JSON", "unknown"),
    ("empty", {}, "", "unknown"),
    ("wrong_id", {}, "another id", "unknown"),
    ("array", {}, "array", "unknown"),
    ("result_and_error", {}, "", "unknown"),
    ("bad_utf8", {}, "", "unknown"),
    ("lone_surrogate", {}, "", "unknown"),
    ("dup_keys", {}, "twice", "unknown"),
    ("deep", {"depth": 300}, "deep", "unknown"),
    ("huge", {"megabytes": 20}, "large", "unknown"),
    ("huge_sse", {"megabytes": 20}, "", "unknown"),
    ("http500", {}, "500", "unknown"),
    ("http401", {}, "credential", "unknown"),
    ("redirect", {"location": "/elsewhere"}, "302", "unknown"),
    ("redirect307", {"location": "/mcp"}, "307", "unknown"),
]
GOOD = ["echo", "big_number", "two_answers", "ask_sampling", "stray_progress", "evil_headers", "wrong_type"]


@pytest.fixture
def bad(gateway, hostile):
    tools = [f[0] for f in FAULTS] + GOOD + ["echo_headers", "echo_params", "mutate"]
    return gateway(mcpServers={"up": {"url": hostile.url, "operations": {t: {"effect": "read"} for t in tools}, **WAIT}})


def test_every_fault_is_told_and_recorded(bad, era):
    m = bad.mcp(bad.open_task([f"up/{f[0]}" for f in FAULTS] + ["up/echo"]), era=era)
    for tool, args, words, status in FAULTS:
        reply = m.call(f"up__{tool}", args)
        assert reply.result["isError"] is True, tool
        text = reply.text
        assert words in text, (tool, text)
        assert "The record says unknown" in text, (tool, text)
        end = outcome_of(bad, reply.refusal["call"])
        assert end["status"] == status, (tool, end)
        # The next call finds a gateway as before.
        assert m.call("up__echo", {"after": tool}).result["structuredContent"] == {"after": tool}
    bad.verify()


def test_the_call_is_sent_once(bad, hostile):
    """Neither a broken connection nor a redirect makes the gateway send a call again."""
    m = bad.mcp(bad.open_task(["up/die_at_once", "up/die_mid_answer", "up/redirect307"]))
    for tool in ("die_at_once", "die_mid_answer", "redirect307"):
        m.call(f"up__{tool}", {"location": "/mcp"})
        assert hostile.calls(tool) == 1, tool


@pytest.mark.parametrize("tool", GOOD)
def test_odd_but_sound_answers_arrive(bad, tool):
    m = bad.mcp(bad.open_task([f"up/{tool}"]))
    reply = m.call(f"up__{tool}", {"a": 1})
    assert not reply.result.get("isError"), reply.text
    assert not set(reply.headers) - {"content-type", "content-length", "mcp-session-id", "transfer-encoding", "cache-control",
                                     "x-accel-buffering"}


def test_nothing_of_the_agents_request_crosses(bad, era):
    canary = "canary-7d1f0a"
    m = bad.mcp(bad.open_task(["up/echo_headers"]), era=era)
    m.start()
    body = {"jsonrpc": "2.0", "id": 4711, "method": "tools/call",
            "params": {"name": "up__echo_headers", "arguments": {}, "_meta": {"x/" + canary: canary}}}
    if era == MODERN:
        body["params"]["_meta"].update({"io.modelcontextprotocol/protocolVersion": MODERN,
                                        "io.modelcontextprotocol/clientCapabilities": {canary: {}}})
    extra = {"X-Canary": canary, "Cookie": f"c={canary}", "User-Agent": canary, "Referer": f"http://{canary}/",
             "X-Forwarded-For": canary, "Traceparent": canary, "Baggage": canary, "Mcp-Param-Canary": canary}
    reply = m.post(body, {**m.headers(body), **extra})
    assert "headers" in reply.result["structuredContent"], reply.result
    assert canary not in str(reply.result["structuredContent"]), reply.result
    assert m.token not in str(reply.result)


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


def test_five_megabytes_arrive_whole(bad):
    reply = bad.mcp(bad.open_task(["up/echo"])).call("up__echo", {"blob": "x" * 3_000_000})
    assert len(reply.result["structuredContent"]["blob"]) == 3_000_000


STDIO_FAULTS = [
    ("exit_mid_call", {}, "unknown"),
    ("crash", {}, "unknown"),
    ("never", {}, "unknown"),
    ("garbage_only", {}, "unknown"),
    ("wrong_id", {}, "unknown"),
]


@pytest.fixture
def program(gateway, node):
    tools = [f[0] for f in STDIO_FAULTS] + ["echo", "stop_reading", "long_line", "garbage_line", "answer_twice", "stderr_noise"]
    server = {"command": str(node.resolve()), "args": [str(ROOT / "tests/peers/hostile_stdio.mjs")],
              "sandbox": {"read": [str(ROOT / "build/peers"), str(ROOT / "tests")]},
              "operations": {t: {"effect": "read"} for t in tools}, **WAIT}
    return gateway(mcpServers={"p": server})


def test_every_fault_of_a_program_is_told_and_recorded(program, era):
    m = program.mcp(program.open_task([f"p/{f[0]}" for f in STDIO_FAULTS] + ["p/echo"]), era=era)
    for tool, args, status in STDIO_FAULTS:
        reply = m.call(f"p__{tool}", args)
        assert reply.result["isError"] is True, tool
        assert outcome_of(program, reply.refusal["call"])["status"] == status, tool
        # A program that ended is started anew; one that stays is asked again.
        assert m.call("p__echo", {"after": tool}).result["structuredContent"] == {"after": tool}, tool
    program.verify()


@pytest.mark.parametrize("tool", ["garbage_line", "answer_twice", "stderr_noise"])
def test_noise_of_a_program_does_no_harm(program, tool):
    m = program.mcp(program.open_task([f"p/{tool}", "p/echo"]))
    reply = m.call(f"p__{tool}", {"kilobytes": 200})
    assert not reply.result.get("isError"), reply.text
    assert m.call("p__echo", {"a": 1}).result["structuredContent"] == {"a": 1}


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
    assert outcome_of(g, reply.refusal["call"])["status"] == "not_sent"

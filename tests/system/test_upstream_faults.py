"""Every way in which tests/peers/hostile_upstream.mjs misbehaves: the agent gets a clear error, the record the right
outcome, and the gateway goes on."""

import pathlib
import re
import shutil
import socket
import tempfile
import threading
import time

import pytest

from harness import LEGACY, MODERN, Gateway, Hostile, wait_until

WAIT_S = 2
TOOLS = """echo echo_headers echo_params die_at_once die_mid_answer die_mid_chunks die_mid_sse empty_sse never
never_body drip garbage empty wrong_id wrong_type array result_and_error bad_utf8 lone_surrogate dup_keys deep
big_number huge huge_sse http500 http401 redirect redirect307 two_answers ask_sampling stray_progress mutate
evil_headers""".split()


def server(url, **more):
    return {"url": url, "answerWait": f"{WAIT_S}s", "operations": {t: {"effect": "read"} for t in TOOLS}, **more}


@pytest.fixture(scope="module")
def up(ambit_binary, node):
    """One gateway for all of it: each fault meets what the ones before have left."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ambit-test-", dir="/tmp"))
    folder.chmod(0o755)
    hostile = Hostile(node, folder)
    g = Gateway(ambit_binary, folder / "gateway", {"mcpServers": {"up": server(hostile.url)}})
    g.hostile = hostile
    try:
        g.start()
        g.pids_at_start = g.pids()
        yield g
        assert g.pids() == g.pids_at_start, f"a role died:\n{g.log[-3000:]}"
        g.verify()
    finally:
        status = g.stop()
        hostile.stop()
    assert status == 0, g.log[-3000:]
    assert "Sanitizer" not in g.log and "runtime error" not in g.log, g.log[-6000:]
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def task(up):
    return up.open_task([f"up/{t}" for t in TOOLS])


def outcome(g, call):
    """The one outcome of the call, as recorded."""
    def settled():
        return [e["record"] for e in g.trace(call)["entries"] if e["record"]["type"] == "outcome"]
    found = wait_until(settled, f"an outcome of {call}")
    assert len(found) == 1
    return found[0]


def outcomes_of(g, task):
    return [e["record"] for e in g.trace(task)["entries"] if e["record"]["type"] == "outcome"]


FAULTS = {
    # tool: (outcome, words of the error)
    "die_at_once": ("unknown", "closed the connection|connection broke"),
    "die_mid_answer": ("unknown", "closed the connection|connection broke"),
    "die_mid_chunks": ("unknown", "closed the connection|connection broke"),
    "die_mid_sse": ("unknown", "closed the connection|connection broke"),
    "empty_sse": ("unknown", "without a result"),
    "never": ("unknown", "within 2 s"),
    "never_body": ("unknown", "within 2 s"),
    "drip": ("unknown", "within 2 s"),
    "garbage": ("unknown", "not a valid message"),
    "empty": ("unknown", "nothing"),
    "wrong_id": ("unknown", "another id"),
    "wrong_type": ("unknown", "Content-Type"),
    "array": ("unknown", "not a valid message"),
    "result_and_error": ("unknown", "not a valid message"),
    "bad_utf8": ("unknown", "not a valid message"),
    "lone_surrogate": ("unknown", "not a valid message"),
    "dup_keys": ("unknown", "not a valid message"),
    "deep": ("unknown", "not a valid message"),
    "huge": ("unknown", "too large"),
    "huge_sse": ("unknown", "bytes|large|long"),
    "http500": ("unknown", "HTTP 500"),
    "http401": ("upstream_error", "credential"),
    "redirect": ("unknown", "HTTP 302"),
    "redirect307": ("unknown", "HTTP 307"),
}


@pytest.mark.parametrize("tool", FAULTS)
def test_fault_is_an_error_on_record_and_no_end(up, task, era, tool):
    status, words = FAULTS[tool]
    agent = up.mcp(task, era=era)
    asked = up.hostile.calls(tool)
    begun = time.monotonic()
    reply = agent.call(f"up__{tool}")
    took = time.monotonic() - begun
    assert reply.status == 200
    assert reply.result["isError"] is True, reply.message
    assert re.search(words, reply.text), reply.text
    assert ("check before you repeat it" if status == "unknown" else "renew that credential") in reply.text
    assert took < WAIT_S + 1.5
    assert reply.refusal["decision"] == "error" and reply.refusal["reason"] == "upstream"
    assert outcome(up, reply.refusal["call"])["status"] == status
    assert up.hostile.calls(tool) == asked + 1, "the gateway repeated a call"
    assert agent.call("up__echo", {"still": "there"}).result["structuredContent"] == {"still": "there"}


# --- misbehaviour that leaves the answer usable --------------------------------------------------------


@pytest.mark.parametrize("tool, text", [("two_answers", "first"), ("ask_sampling", "done"), ("stray_progress", "done"),
                                        ("evil_headers", "look at my headers")])
def test_first_answer_counts_and_nothing_else_crosses(up, task, era, tool, text):
    reply = up.mcp(task, era=era).call(f"up__{tool}")
    assert reply.text == text and not reply.result.get("isError")
    assert len(reply.messages) == 1, reply.messages
    assert "set-cookie" not in reply.headers and "access-control-allow-origin" not in reply.headers
    assert reply.headers.get("mcp-session-id") is None
    wait_until(lambda: [o["status"] for o in outcomes_of(up, task)] == ["ok"], "the outcome ok")


def test_number_that_no_float_holds_is_kept(up, task, era):
    reply = up.mcp(task, era=era).call("up__big_number")
    assert b"123456789012345678901234567890.000000000000000000001e5" in reply.body


def test_five_megabytes_are_relayed(up, task, era):
    reply = up.mcp(task, era=era).call("up__huge", {"megabytes": 5})
    assert not reply.result.get("isError") and len(reply.text) >= 5 << 20


def test_unknown_tool_is_refused_here(up, task, era):
    reply = up.mcp(task, era=era).request("tools/call", {"name": "up__nothing_like_it", "arguments": {}})
    assert reply.result["isError"] and reply.refusal["reason"] == "unknown_tool"


# --- nothing of the agent goes up ------------------------------------------------------------------------


def test_nothing_of_the_agents_request_but_its_arguments_goes_up(up, task, era):
    canary = "canary-7f3a"
    agent = up.mcp(task, era=era, headers={
        "Cookie": f"a={canary}", "X-Forwarded-For": canary, "X-Api-Key": canary, "Forwarded": f"for={canary}",
        "Proxy-Authorization": canary, "User-Agent": canary, "Referer": canary, "Traceparent": canary,
        "Last-Event-ID": canary, "X-Custom": canary, "Mcp-Param-Region": canary, "Accept-Language": canary})
    meta = {"canary": canary, "com.example/canary": {"deep": canary}, "traceparent": canary, "progressToken": canary}
    seen = agent.request("tools/call", {"name": "up__echo_headers", "arguments": {"x": 1}, "canary": canary}, meta)
    assert not seen.result.get("isError") and canary.encode() not in seen.body, seen.body
    assert agent.token.encode() not in seen.body and b"uthorization" not in seen.body
    names = sorted({name.lower() for name, _ in seen.result["structuredContent"]["headers"]})
    assert set(names) <= {"host", "content-type", "content-length", "accept", "accept-encoding", "connection",
                          "mcp-protocol-version", "mcp-session-id", "mcp-method", "mcp-name"}, names
    host = dict(seen.result["structuredContent"]["headers"])
    assert {k.lower(): v for k, v in host.items()}["host"] == f"127.0.0.1:{up.hostile.port}"

    params = agent.request("tools/call", {"name": "up__echo_params", "arguments": {"x": 1}, "canary": canary}, meta)
    sent = params.result["structuredContent"]["params"]
    assert canary not in str(sent), sent
    assert sent["arguments"] == {"x": 1} and sent["name"] == "echo_params"


@pytest.mark.parametrize("tool", ["redirect", "redirect307"])
def test_redirect_is_not_followed(up, task, era, tool):
    got = []
    elsewhere = socket.create_server(("127.0.0.1", 0))
    elsewhere.settimeout(0.3)
    port = elsewhere.getsockname()[1]
    reply = up.mcp(task, era=era).call(f"up__{tool}", {"location": f"http://127.0.0.1:{port}/mcp"})
    assert reply.result["isError"]
    with pytest.raises(TimeoutError):
        got.append(elsewhere.accept())
    elsewhere.close()
    assert not got


# --- time -----------------------------------------------------------------------------------------------


def test_agent_that_leaves_ends_the_call_if_modern(up, task):
    agent = up.mcp(task, era=MODERN, timeout=0.4)
    with pytest.raises(TimeoutError):
        agent.call("up__never")
    begun = time.monotonic()
    wait_until(lambda: outcomes_of(up, task), "the outcome")
    assert time.monotonic() - begun < WAIT_S - 0.7, "it waited for the upstream instead"
    [o] = outcomes_of(up, task)
    assert o["status"] == "unknown" and "left" in o["reason"]


def test_call_of_a_legacy_agent_that_left_is_finished_for_the_record(up, task):
    agent = up.mcp(task, era=LEGACY, timeout=0.4)
    agent.start()
    with pytest.raises(TimeoutError):
        agent.call("up__never")
    time.sleep(0.5)
    assert outcomes_of(up, task) == []
    wait_until(lambda: outcomes_of(up, task), "the outcome")
    [o] = outcomes_of(up, task)
    assert o["status"] == "unknown" and "within 2 s" in o["reason"]


def test_legacy_cancel_ends_the_call(up, task):
    agent = up.mcp(task, era=LEGACY)
    agent.start()
    other = up.mcp(token=agent.token, era=LEGACY)
    other.started, other.session = True, agent.session
    answers = []
    thread = threading.Thread(target=lambda: answers.append(agent.call("up__never")))
    thread.start()
    time.sleep(0.4)
    begun = time.monotonic()
    other.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": agent.next_id}})
    thread.join(10)
    assert time.monotonic() - begun < 0.7
    assert answers[0].result["isError"] and "cancelled" in answers[0].text


def test_end_of_the_task_cuts_calls_under_way(up, task, era):
    agent = up.mcp(task, era=era)
    agent.tools()
    answers = []
    thread = threading.Thread(target=lambda: answers.append(agent.call("up__never")))
    thread.start()
    time.sleep(0.4)
    begun = time.monotonic()
    up.close_task(task)
    thread.join(10)
    assert time.monotonic() - begun < 0.7
    assert answers[0].result["isError"] and "task_ended" in answers[0].text


def test_many_in_every_fault_at_once(up, task, era):
    """All faults together on many connections, each with the same JSON-RPC id; every agent gets its own answer."""
    token, wrong = up.token(task), []

    def play(n):
        agent = up.mcp(token=token, era=era)
        agent.start() if era == LEGACY else None
        for tool in ("echo", "die_mid_sse", "garbage", "echo", "wrong_id", "die_at_once", "echo"):
            agent.next_id = 6
            reply = agent.call(f"up__{tool}", {"n": n})
            if tool == "echo" and reply.result.get("structuredContent") != {"n": n}:
                wrong.append((n, reply.message))
            if tool != "echo" and not reply.result.get("isError"):
                wrong.append((n, reply.message))

    up.control("task.show", task=task)
    threads = [threading.Thread(target=play, args=(n,)) for n in range(12)]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    assert wrong == []

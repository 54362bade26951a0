"""Every way in which tests/peers/hostile_stdio.mjs misbehaves, through the runner; and two servers that do not."""

import pathlib
import shutil
import tempfile
import threading
import time

import pytest

from harness import ROOT, Gateway, wait_until

WAIT_S = 3
TOOLS = """echo print_env_names whoami exit_mid_call crash never stop_reading garbage_line garbage_only bad_utf8 long_line
wrong_id answer_twice ask_sampling stderr_noise stderr_secret""".split()
MODULES = ROOT / "node_modules"


@pytest.fixture(scope="module")
def up(ambit_binary, node):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ambit-test-", dir="/tmp"))
    folder.chmod(0o755)
    read = [str(p) for p in (ROOT / "tests/peers", ROOT / "build/peers", MODULES.resolve(), MODULES, ROOT / "examples/sample")]
    g = Gateway(ambit_binary, folder / "gateway", {"mcpServers": {
        "up": {"command": str(node), "args": [str(ROOT / "tests/peers/hostile_stdio.mjs")], "answerWait": f"{WAIT_S}s",
               "env": {"HELP_KEY": {"secret": "stdio-key"}}, "sandbox": {"read": read},
               "operations": {t: {"effect": "read"} for t in TOOLS}},
        "files": {"command": str(node), "sandbox": {"read": read},
                  "args": [str(MODULES / "@modelcontextprotocol/server-filesystem/dist/index.js"), str(ROOT / "examples/sample")],
                  "operations": {"read_text_file": {"effect": "read"}, "list_directory": {"effect": "read"}}}}})
    g.set_secret("stdio-key", "canary-in-the-environment")
    try:
        g.start()
        pids = [g.role_pid(r) for r in ("edge", "core", "keeper", "runner")]
        yield g
        assert [g.role_pid(r) for r in ("edge", "core", "keeper", "runner")] == pids, f"a role died:\n{g.log[-3000:]}"
        g.verify()
    finally:
        status = g.stop()
    assert status == 0
    assert "Sanitizer" not in g.log and "runtime error" not in g.log, g.log[-6000:]
    assert "canary-in-the-environment" not in g.log
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def task(up):
    return up.open_task([f"up/{t}" for t in TOOLS] + ["files/read_text_file", "files/list_directory"])


def outcomes(g, id):
    return [e["record"] for e in g.trace(id)["entries"] if e["record"]["type"] == "outcome"]


@pytest.mark.parametrize("tool", ["exit_mid_call", "crash", "never", "garbage_only", "wrong_id", "bad_utf8", "long_line"])
def test_fault_is_an_error_on_record_and_no_end(up, task, era, tool):
    agent = up.mcp(task, era=era)
    begun = time.monotonic()
    reply = agent.call(f"up__{tool}")
    assert time.monotonic() - begun < WAIT_S + 2
    assert reply.status == 200 and reply.result["isError"] is True, reply.message
    assert "check before you repeat it" in reply.text and reply.refusal["reason"] == "upstream"
    wait_until(lambda: outcomes(up, reply.refusal["call"]), "the outcome")
    [o] = outcomes(up, reply.refusal["call"])
    assert o["status"] == "unknown"
    again = agent.call("up__echo", {"still": "there"})
    assert again.result.get("structuredContent") == {"still": "there"}, again.text


@pytest.mark.parametrize("tool, text", [("answer_twice", "first"), ("ask_sampling", "done"), ("stderr_noise", "after noise"),
                                        ("stderr_secret", "after secret")])
def test_usable_answer(up, task, era, tool, text):
    agent = up.mcp(task, era=era)
    reply = agent.call(f"up__{tool}")
    assert reply.text == text, reply.text
    assert agent.call("up__echo", {"n": 1}).result["structuredContent"] == {"n": 1}


def test_garbage_before_the_answer(up, task, era):
    """A line that is no message is a protocol error or passed over; never an answer of its own."""
    agent = up.mcp(task, era=era)
    reply = agent.call("up__garbage_line")
    assert reply.text == "after garbage" or reply.result["isError"]
    assert agent.call("up__echo", {"n": 1}).result["structuredContent"] == {"n": 1}


def test_child_that_stops_reading(up, task, era):
    """It is fed until its pipe is full; every call ends, and other tasks' children are not held up."""
    agent = up.mcp(task, era=era)
    agent.call("up__stop_reading")
    begun = time.monotonic()
    reply = agent.call("up__echo", {"x": "y" * 1_000_000})
    assert reply.result["isError"] and time.monotonic() - begun < WAIT_S + 2
    other = up.mcp(up.open_task(["up/echo"]), era=era)
    assert other.call("up__echo", {"n": 1}).result["structuredContent"] == {"n": 1}


def test_each_task_has_a_child_of_its_own(up, task, era):
    mine = up.mcp(task, era=era)
    theirs = up.mcp(up.open_task(["up/whoami"]), era=era)
    pids = {agent.call("up__whoami").result["structuredContent"]["pid"] for agent in (mine, theirs, mine, theirs)}
    assert len(pids) == 2


def test_environment_holds_the_secret_and_nothing_of_ours(up, task, era):
    got = up.mcp(task, era=era).call("up__print_env_names").result["structuredContent"]
    assert got["help_key_sha256"]
    assert not [n for n in got["names"] if n.startswith("AMBIT") or n in ("SSH_AUTH_SOCK", "SUDO_USER")], got


def test_parallel_calls_to_one_child(up, task, era):
    token, wrong = up.token(task), []

    def play(n):
        agent = up.mcp(token=token, era=era)
        for i in range(4):
            agent.next_id = 0 if agent.started else agent.next_id
            reply = agent.call("up__echo", {"n": n, "i": i})
            if reply.result.get("structuredContent") != {"n": n, "i": i}:
                wrong.append((n, reply.message))
    threads = [threading.Thread(target=play, args=(n,)) for n in range(12)]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    assert wrong == []


def test_end_of_the_task_ends_its_child(up, era):
    task = up.open_task(["up/whoami", "up/never"])
    agent = up.mcp(task, era=era)
    agent.call("up__whoami")
    before = set(up.pids())
    up.close_task(task)
    wait_until(lambda: len(set(up.pids()) & before) < len(before), "the child to end")


def test_filesystem_server(up, task, era):
    agent = up.mcp(task, era=era)
    path = str(ROOT / "examples/sample")
    listing = agent.call("files__list_directory", {"path": path})
    assert not listing.result.get("isError") and "handbook.md" in listing.text, listing.text
    text = agent.call("files__read_text_file", {"path": f"{path}/prices.csv"})
    assert text.text == (ROOT / "examples/sample/prices.csv").read_text()
    outside = agent.call("files__read_text_file", {"path": "/etc/passwd"})
    assert outside.result["isError"] and "root:" not in outside.text
    wait_until(lambda: [o["status"] for o in outcomes(up, task)] == ["ok", "ok", "upstream_error"], "the outcomes")

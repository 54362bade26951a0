"""Upstreams of each era, and upstreams that are slow or change while they are being talked to."""

import http.server
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from harness import LEGACY, MODERN, ROOT, free_port, stop_process, wait_until

OPS = {"echo": {"effect": "read"}}


class Scripted(http.server.ThreadingHTTPServer):
    """A small MCP server of the modern or legacy era whose moves a test can change."""

    daemon_threads = True

    def __init__(self, era):
        super().__init__(("127.0.0.1", 0), Scripted.Handler)
        self.era, self.seen, self.sessions = era, [], 0
        self.silent = set()      # methods that are never answered
        self.hangs_up = False    # closes each connection after its answer
        self.forget = 0          # so many calls are answered 404: the session is gone
        self.url = f"http://127.0.0.1:{self.server_port}/mcp"
        self.tools = [{"name": "echo", "inputSchema": {"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"}, "n": {"type": "integer"}}}}]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def answer(self, status, body=None, **headers):
            data = json.dumps(body).encode() if body is not None else b""
            self.send_response(status)
            if data:
                self.send_header("Content-Type", "application/json")
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(data)))
            if self.server.hangs_up:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self):
            s = self.server
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            method = message["method"]
            s.seen.append((method, {k.lower(): v for k, v in self.headers.items()}, message.get("params")))
            if method in s.silent:
                time.sleep(30)
                return None
            if "id" not in message:
                return self.answer(202)
            body, more = {"jsonrpc": "2.0", "id": message["id"]}, {}
            modern = s.era == MODERN
            if modern and method == "server/discover":
                body["result"] = {"resultType": "complete", "supportedVersions": [MODERN], "capabilities": {"tools": {}},
                                  "serverInfo": {"name": "t", "version": "1"}, "ttlMs": 0, "cacheScope": "private"}
            elif not modern and method == "initialize":
                s.sessions += 1
                more["Mcp_Session_Id"] = f"session-{s.sessions}"
                body["result"] = {"protocolVersion": LEGACY, "capabilities": {"tools": {}},
                                  "serverInfo": {"name": "t", "version": "1"}}
            elif method == "tools/list":
                body["result"] = {"tools": s.tools}
                if modern:
                    body["result"] |= {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
            elif method == "tools/call":
                if s.forget:
                    s.forget -= 1
                    return self.answer(404)
                body["result"] = {"content": [], "structuredContent": message["params"]["arguments"]}
                if modern:
                    body["result"]["resultType"] = "complete"
            else:
                return self.answer(404 if modern else 400, {**body, "error": {"code": -32601, "message": "no"}})
            return self.answer(200, body, **more)


@pytest.fixture
def scripted():
    made = []
    def make(era=MODERN):
        made.append(Scripted(era))
        return made[-1]
    yield make
    for s in made:
        s.shutdown()
        s.server_close()


def outcomes(g, id):
    return [e["record"]["status"] for e in g.trace(id)["entries"] if e["record"]["type"] == "outcome"]


@pytest.mark.parametrize("behind", [LEGACY, MODERN])
@pytest.mark.parametrize("told", ["auto", "told"])
def test_four_combinations_of_eras(gateway, scripted, era, behind, told):
    up = scripted(behind)
    kind = {} if told == "auto" else {"era": "modern" if behind == MODERN else "legacy"}
    g = gateway(mcpServers={"up": {"url": up.url, "operations": OPS, **kind}})
    agent = g.mcp(g.open_task(["up/echo"]), era=era)
    assert agent.tools() == ["up__echo"]
    extra = {"Mcp-Param-Region": "eu"} if era == MODERN else {}
    message = {"name": "up__echo", "arguments": {"region": "eu", "n": 1}}
    reply = agent.request("tools/call", message, headers=extra)
    assert reply.result["structuredContent"] == {"region": "eu", "n": 1}
    assert ("resultType" in reply.result) == (era == MODERN)
    method, fields, _ = up.seen[-1]
    assert method == "tools/call"
    if behind == MODERN:
        assert fields["mcp-method"] == "tools/call" and fields["mcp-name"] == "echo" and fields["mcp-param-region"] == "eu"
        assert fields["mcp-protocol-version"] == MODERN and "mcp-session-id" not in fields
    else:
        assert fields["mcp-session-id"].startswith("session-") and fields["mcp-protocol-version"] == LEGACY
    if told == "told":
        assert {m for m, _, _ in up.seen}.isdisjoint({"initialize"} if behind == MODERN else {"server/discover"})


def test_mirrored_field_must_agree_with_its_argument(gateway, scripted):
    up = scripted()
    g = gateway(mcpServers={"up": {"url": up.url, "operations": OPS}})
    task = g.open_task(["up/echo"])
    agent = g.mcp(task, era=MODERN)
    call = {"name": "up__echo", "arguments": {"region": "eu"}}
    for extra in ({}, {"Mcp-Param-Region": "us"}, {"Mcp-Param-Region": "EU"}):
        reply = agent.request("tools/call", call, headers=extra)
        assert reply.status == 400 and reply.error["code"] == -32020, (extra, reply.body)
    assert "tools/call" not in [m for m, _, _ in up.seen]
    wait_until(lambda: outcomes(g, task) == ["not_sent"] * 3, "the outcomes")
    assert agent.request("tools/call", call, headers={"Mcp-Param-Region": "eu"}).status == 200
    assert agent.request("tools/call", {"name": "up__echo", "arguments": {"n": 1}}).status == 200


def test_lost_session_is_opened_again_once(gateway, scripted, era):
    up = scripted(LEGACY)
    g = gateway(mcpServers={"up": {"url": up.url, "operations": OPS}})
    task = g.open_task(["up/echo"])
    agent = g.mcp(task, era=era)
    assert agent.call("up__echo", {"n": 1}).result["structuredContent"] == {"n": 1}
    before = up.sessions
    up.forget = 1
    assert agent.call("up__echo", {"n": 2}).result["structuredContent"] == {"n": 2}
    assert up.sessions == before + 1 and up.seen[-1][1]["mcp-session-id"] == f"session-{up.sessions}"
    up.forget = 5
    reply = agent.call("up__echo", {"n": 3})
    assert reply.result["isError"] and "session" in reply.text
    assert up.forget == 3, "it was repeated more than once"
    up.forget = 0
    assert agent.call("up__echo", {"n": 4}).result["structuredContent"] == {"n": 4}


@pytest.mark.parametrize("behind, method", [(LEGACY, "initialize"), (LEGACY, "notifications/initialized"),
                                            (MODERN, "server/discover"), (MODERN, "tools/call")])
def test_upstream_that_falls_silent_while_being_opened(gateway, scripted, era, behind, method):
    up = scripted(behind)
    g = gateway(mcpServers={"up": {"url": up.url, "operations": OPS, "answerWait": "2s"}})
    up.silent.add(method)
    task = g.open_task(["up/echo"])
    agents = [g.mcp(task, era=era) for _ in range(4)]
    took, texts = [], []

    def play(agent):
        if era == LEGACY:
            agent.start()
        begun = time.monotonic()
        reply = agent.call("up__echo", {"n": 1})
        took.append(time.monotonic() - begun)
        texts.append((reply.result["isError"], reply.text))

    threads = [threading.Thread(target=play, args=(a,)) for a in agents]
    [t.start() for t in threads]
    [t.join(30) for t in threads]
    assert len(took) == 4 and max(took) < 3.5, took
    assert all(failed for failed, _ in texts), texts
    status = "unknown" if method == "tools/call" else "not_sent"
    wait_until(lambda: outcomes(g, task) == [status] * 4, f"{status}: {texts}")
    up.silent.clear()
    assert agents[0].call("up__echo", {"n": 2}).result["structuredContent"] == {"n": 2}


def test_keeper_that_hangs_ends_the_wait(gateway, helpdesk, era):
    g = gateway(mcpServers={"help": helpdesk.server(answerWait="2s")}, secrets={"helpdesk-key": helpdesk.key})
    task = g.open_task(["help/read_ticket"])
    agent = g.mcp(task, era=era)
    assert not agent.call("help__read_ticket", {"ticket": 1}).result.get("isError")
    keeper = g.role_pid("keeper")
    os.kill(keeper, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        reply = agent.call("help__read_ticket", {"ticket": 1})
        assert reply.result["isError"] and "Nothing was sent" in reply.text
        assert time.monotonic() - begun < 3
    finally:
        os.kill(keeper, signal.SIGCONT)
    wait_until(lambda: outcomes(g, task) == ["ok", "not_sent"], "the outcomes")
    assert not agent.call("help__read_ticket", {"ticket": 1}).result.get("isError")


def test_upstream_that_is_not_there(gateway, scripted, era):
    up = scripted()
    up.hangs_up = True
    g = gateway(mcpServers={"up": {"url": up.url, "operations": OPS}})
    task = g.open_task(["up/echo"])
    up.shutdown()
    up.socket.close()
    reply = g.mcp(task, era=era).call("up__echo", {})
    assert reply.result["isError"] and "connect" in reply.text and "Nothing was sent" in reply.text
    wait_until(lambda: outcomes(g, task) == ["not_sent"], "the outcome")


def test_core_that_hangs_answers_each_method_in_its_form(gateway, hostile, era):
    """Ten seconds, then an error that the client can read; never a tool's result for what is no call."""
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": OPS}})
    task = g.open_task(["up/echo"])
    agents = [g.mcp(task, era=era) for _ in range(2)]
    [a.tools() for a in agents]
    core, got = g.role_pid("core"), {}
    os.kill(core, signal.SIGSTOP)
    try:
        threads = [threading.Thread(target=lambda: got.update(list=agents[0].request("tools/list"))),
                   threading.Thread(target=lambda: got.update(call=agents[1].call("up__echo")))]
        [t.start() for t in threads]
        [t.join(15) for t in threads]
    finally:
        os.kill(core, signal.SIGCONT)
    assert "error" in got["list"].message and got["list"].status == 503
    assert got["call"].result["isError"] and got["call"].refusal["reason"] == "unavailable"
    wait_until(lambda: outcomes(g, task) == ["not_sent"], "the late go to be settled")
    assert hostile.calls("echo") == 0
    assert agents[0].tools() == ["up__echo"]


@pytest.fixture
def everything(node, tmp_path):
    port = free_port()
    log = (tmp_path / "everything.log").open("wb")
    process = subprocess.Popen([str(node), str(ROOT / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"),
                                "streamableHttp"], env={**os.environ, "PORT": str(port)}, stdin=subprocess.DEVNULL,
                               stdout=log, stderr=log)
    yield f"http://127.0.0.1:{port}/mcp", process
    stop_process(process)


def test_server_that_we_did_not_write(gateway, everything, era):
    url, process = everything
    g = gateway(mcpServers={"ev": {"url": url, "operations": {t: {"effect": "read"} for t in (
        "echo", "get-sum", "get-tiny-image", "get-structured-content", "trigger-long-running-operation")}}})
    tools = [t["operation"] for t in g.control("pin.list")["tools"] if t["operation"].startswith("ev/")]
    task = g.open_task(["ev/echo", "ev/get-sum", "ev/get-tiny-image", "ev/trigger-long-running-operation"])
    agent = g.mcp(task, era=era)
    assert len(tools) > 5 and len(agent.tools()) == 4
    assert agent.call("ev__echo", {"message": "hello"}).text == "Echo: hello"
    assert "5" in agent.call("ev__get-sum", {"a": 2, "b": 3}).text
    image = agent.call("ev__get-tiny-image").result["content"]
    assert [c["type"] for c in image].count("image") == 1
    reply = agent.request("tools/call", {"name": "ev__trigger-long-running-operation", "arguments": {"duration": 2, "steps": 4}},
                          {"progressToken": "mine"})
    progress = [m["params"] for m in reply.messages if m.get("method") == "notifications/progress"]
    assert [p["progressToken"] for p in progress] == ["mine"] * len(progress) and len(progress) >= 3
    values = [p["progress"] for p in progress]
    assert values == sorted(set(values)) and not reply.result.get("isError")

"""What an agent may get wrong, and what it is told: envelope, headers, tokens, sessions, origins."""

import base64
import json
import os
import pathlib
import shutil
import tempfile

import pytest

from harness import LEGACY, MODERN, ControlError, Gateway, Hostile, Mcp, free_port, wait_until

OPS = {t: {"effect": "read"} for t in ("echo", "never")}
HELP = ["help/read_ticket", "help/search_tickets"]
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
META = {VERSION_KEY: MODERN, "io.modelcontextprotocol/clientCapabilities": {}}


@pytest.fixture(scope="module")
def house(ambit_binary, node):
    """One gateway for all of it: bad input leaves nothing behind."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ambit-test-", dir="/tmp"))
    folder.chmod(0o755)
    hostile = Hostile(node, folder)
    g = Gateway(ambit_binary, folder / "gateway", {
        "mcpServers": {"up": {"url": hostile.url, "answerWait": "3s", "operations": OPS}}})
    g.hostile = hostile
    try:
        g.start()
        pids = g.pids()
        yield g
        assert g.pids() == pids, f"a role died:\n{g.log[-3000:]}"
        g.verify()
    finally:
        g.stop()
        hostile.stop()
    assert "Sanitizer" not in g.log and "runtime error" not in g.log, g.log[-6000:]
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def door(house):
    house.task = house.open_task([f"up/{t}" for t in OPS])
    house.before = house.hostile.calls("echo")
    house.echoed = lambda: house.hostile.calls("echo") - house.before
    return house


def modern(method, params=None, id=1, **meta):
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": {**(params or {}), "_meta": {**META, **meta}}}


def echo(args=None, id=1):
    return modern("tools/call", {"name": "up__echo", "arguments": args or {}}, id)


# --- the body ----------------------------------------------------------------------------------------------


BAD_BODIES = {
    "nothing": (b"", -32700),
    "not JSON": (b"hello", -32700),
    "cut off": (b'{"jsonrpc":"2.0","id":1', -32700),
    "something after it": (b'{"jsonrpc":"2.0","id":1,"method":"ping"} x', -32700),
    "bad UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":"\xc3\x28"}}', -32700),
    "lone surrogate": (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":"\\ud800"}}', -32700),
    "a key twice": (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}', -32700),
    "a key twice, below": (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"up__echo",'
                           b'"arguments":{"a":1,"\\u0061":2}}}', -32700),
    "deep": (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":' + b"[" * 5000 + b"]" * 5000 + b"}", -32700),
    "a batch": (b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]', -32600),
    "a number": (b"1", -32600),
    "no version": (b'{"id":1,"method":"tools/list"}', -32600),
    "version 1": (b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}', -32600),
    "id null": (b'{"jsonrpc":"2.0","id":null,"method":"tools/list"}', -32600),
    "id object": (b'{"jsonrpc":"2.0","id":{},"method":"tools/list"}', -32600),
    "params array": (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}', -32600),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_body(door, era, name):
    body, code = BAD_BODIES[name]
    agent = door.mcp(door.task, era=era)
    if era == LEGACY:
        agent.start()
    reply = agent.post(body, {**agent.headers(), "Mcp-Method": "tools/list"} if era == MODERN else None)
    assert reply.status == 400
    assert reply.error["code"] == code, reply.error
    assert door.echoed() == 0
    assert agent.call("up__echo", {"n": 1}).result["structuredContent"] == {"n": 1}


def test_wrong_content_type(door, era):
    agent = door.mcp(door.task, era=era)
    if era == LEGACY:
        agent.start()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""):
        reply = agent.post(echo(), {**agent.headers(echo()), "Content-Type": kind})
        assert reply.status in (400, 415), (kind, reply.status)
    headers = agent.headers(echo())
    del headers["Content-Type"]
    assert agent.post(echo(), headers).status in (400, 415)
    assert agent.call("up__echo").status == 200


def test_accept(door, era):
    agent = door.mcp(door.task, era=era)
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    if era == LEGACY:
        agent.start()
    else:
        message = modern("tools/list")
    for accept in ("text/html", "application/xml, image/*"):
        assert agent.post(message, {**agent.headers(message), "Accept": accept}).status == 406
    assert agent.post(message, {**agent.headers(message), "Accept": "*/*"}).status == 200


# --- tools and arguments --------------------------------------------------------------------------------------


def test_unknown_tool_and_tool_outside_the_task(gateway, hostile, era):
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": OPS}})
    task = g.open_task(["up/echo"])
    agent = g.mcp(task, era=era)
    for name in ("up__nothing", "nothing", "up__", "__echo", "up__echo__", "UP__echo", "up/echo", "é", "x" * 120):
        headers = None
        if name == "é" and era == MODERN:
            headers = {"Mcp-Name": "=?base64?" + base64.b64encode("é".encode()).decode() + "?="}
        reply = agent.request("tools/call", {"name": name, "arguments": {}}, headers=headers)
        assert reply.status == 200 and reply.result["isError"], (name, reply.body)
        assert reply.refusal["reason"] == "unknown_tool", (name, reply.refusal)
    reply = agent.call("up__never")
    assert reply.result["isError"] and reply.refusal["decision"] == "deny"
    assert agent.tools() == ["up__echo"]
    assert hostile.calls("never") == 0


def test_wrong_arguments(desk, helpdesk, era):
    agent = desk.mcp(desk.open_task(HELP), era=era)
    for args in ({}, {"ticket": "one"}, {"ticket": 1.5}, {"ticket": None}, {"ticket": [1]}):
        reply = agent.call("help__read_ticket", args)
        assert reply.result["isError"] and reply.refusal["reason"] == "arguments", reply.message
        assert "ticket" in reply.text and "Nothing was sent" in reply.text
    for args in ([], "x", 1):
        reply = agent.request("tools/call", {"name": "help__read_ticket", "arguments": args})
        assert reply.error["code"] == -32602
    assert agent.call("help__read_ticket", {"ticket": 1}).result["structuredContent"]["id"] == 1


@pytest.mark.parametrize("params", [{}, {"name": 1}, {"name": ""}, {"name": "x" * 1000}])
def test_bad_call_params(door, era, params):
    agent = door.mcp(door.task, era=era)
    if era == LEGACY:
        reply = agent.request("tools/call", params)
    else:
        message = modern("tools/call", params)
        reply = agent.post(message, {**agent.headers(), "Mcp-Method": "tools/call", "Mcp-Name": str(params.get("name", ""))})
    assert reply.error["code"] in (-32602, -32020), reply.message
    assert reply.status in (200, 400)


# --- modern: fields and envelope ---------------------------------------------------------------------------------


def test_missing_or_differing_fields(door):
    agent = door.mcp(door.task, era=MODERN)
    good = agent.headers(echo())
    for name, values in {"MCP-Protocol-Version": [None, "2025-11-25", "x"], "Mcp-Method": [None, "tools/list", "Tools/Call"],
                         "Mcp-Name": [None, "up__never", "UP__ECHO", "=?base64?%%?="]}.items():
        for value in values:
            headers = {k: v for k, v in good.items() if k != name}
            if value is not None:
                headers[name] = value
            reply = agent.post(echo(), headers)
            assert reply.status == 400 and reply.error["code"] == -32020, (name, value, reply.body)
            assert reply.message["id"] == 1
    assert door.echoed() == 0
    encoded = "=?base64?" + base64.b64encode(b"up__echo").decode() + "?="
    assert agent.post(echo(), {**good, "Mcp-Name": encoded}).status == 200


def test_unknown_version(door):
    agent = door.mcp(door.task, era=MODERN)
    message = modern("tools/list", **{VERSION_KEY: "2031-01-01"})
    reply = agent.post(message, {**agent.headers(message), "MCP-Protocol-Version": "2031-01-01"})
    assert reply.status == 400 and reply.error["code"] == -32022
    assert reply.error["data"]["requested"] == "2031-01-01" and MODERN in reply.error["data"]["supported"]


def test_envelope(door):
    agent = door.mcp(door.task, era=MODERN)
    message = modern("tools/list")
    del message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
    reply = agent.post(message, agent.headers(message))
    assert reply.status == 400 and reply.error["code"] == -32602
    for id in (7, "seven", 0, "", -3, 9007199254740993):
        reply = agent.post(modern("server/discover", id=id), agent.headers(modern("server/discover")))
        assert reply.status == 200 and reply.message["id"] == id and type(reply.message["id"]) is type(id)


def test_unknown_methods(door):
    agent = door.mcp(door.task, era=MODERN)
    for method in ("no/such", "initialize", "ping", "logging/setLevel", "resources/subscribe", "tools/Call"):
        message = modern(method)
        reply = agent.post(message, agent.headers(message))
        assert reply.status == 404 and reply.error["code"] == -32601, (method, reply.body)
    agent = door.mcp(door.task, era=LEGACY)
    for method in ("no/such", "server/discover", "resources/list", "prompts/get"):
        reply = agent.request(method)
        assert reply.status == 200 and reply.error["code"] == -32601, (method, reply.body)


# --- HTTP methods, sessions ------------------------------------------------------------------------------------------


def test_http_methods(door):
    agent = door.mcp(door.task, era=MODERN)
    for method in ("GET", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"):
        reply = agent.post(None, agent.headers(), method)
        assert reply.status == 405 and "POST" in reply.headers["allow"], method
    other = Mcp(f"http://127.0.0.1:{door.port}/other", agent.token, MODERN)
    assert other.post(echo()).status == 404
    assert Mcp(f"http://127.0.0.1:{door.port}/mcp/nothing", agent.token, MODERN).post(echo()).status == 404
    assert Mcp(f"http://127.0.0.1:{door.port}/mcp/ambit", agent.token, MODERN).post(echo()).status == 404


def test_session_is_needed_owned_and_ended(door):
    agent = door.mcp(door.task, era=LEGACY)
    agent.start()
    assert agent.tools()
    list_it = {"jsonrpc": "2.0", "id": 9, "method": "tools/list"}
    plain = {k: v for k, v in agent.headers().items() if k != "Mcp-Session-Id"}
    assert agent.post(list_it, plain).status == 400
    for wrong in ("x", agent.session[:-1] + "7", agent.session.upper(), agent.session + "x", "s" * 300):
        assert agent.post(list_it, {**plain, "Mcp-Session-Id": wrong}).status == 404, wrong
    stranger = door.mcp(door.open_task(["up/echo"]), era=LEGACY)
    reply = stranger.post(list_it, {**stranger.headers(), "Mcp-Session-Id": agent.session})
    assert reply.status == 404 and b"up__" not in reply.body
    call = {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "up__echo", "arguments": {}}}
    assert stranger.post(call, {**stranger.headers(), "Mcp-Session-Id": agent.session}).status == 404
    assert stranger.post(None, {**stranger.headers(), "Mcp-Session-Id": agent.session}, "DELETE").status == 404
    assert agent.tools()
    assert agent.post(None, None, "GET").status == 405
    assert agent.post(None, None, "DELETE").status == 204
    assert agent.post(list_it).status == 404
    assert agent.post(None, None, "DELETE").status == 404


def test_initialize_negotiates(door):
    agent = door.mcp(door.task, era=LEGACY)
    for asked, given in ((LEGACY, LEGACY), ("2025-06-18", "2025-06-18"), ("2025-03-26", LEGACY), ("2024-11-05", LEGACY),
                         ("2099-01-01", LEGACY)):
        reply = agent.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": asked, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}})
        assert reply.status == 200 and reply.result["protocolVersion"] == given, (asked, reply.message)
        assert reply.headers["mcp-session-id"]


# --- origin and host ---------------------------------------------------------------------------------------------------


def test_origin(gateway, hostile):
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": OPS}})
    agent = g.mcp(g.open_task(["up/echo"]), era=MODERN)
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{g.port}", "http://localhost"):
        for method in ("POST", "GET", "DELETE", "OPTIONS"):
            reply = agent.post(echo() if method == "POST" else None, {**agent.headers(echo()), "Origin": origin}, method)
            assert reply.status == 403, (origin, method)
    assert hostile.calls("echo") == 0
    port = free_port()
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": OPS}}, listen=[
        {"address": f"127.0.0.1:{port}", "bearer": True, "origins": ["https://desk.example"]}], start=False)
    g.port, g.url = port, f"http://127.0.0.1:{port}/mcp"
    g.start()
    agent = g.mcp(g.open_task(["up/echo"]), era=MODERN)
    assert agent.post(echo(), {**agent.headers(echo()), "Origin": "https://desk.example"}).status == 200
    assert agent.post(echo(), {**agent.headers(echo()), "Origin": "https://desk.example.evil"}).status == 403


def test_host(door):
    agent = door.mcp(door.task, era=MODERN)
    for host, status in (("evil.example", 403), (f"evil.example:{door.port}", 403), ("127.0.0.1", 403),
                         (f"localhost:{door.port}", 200), (f"127.0.0.1:{door.port}", 200), (f"LOCALHOST:{door.port}", 200)):
        assert agent.post(echo(), {**agent.headers(echo()), "Host": host}).status == status, host


# --- tokens -------------------------------------------------------------------------------------------------------------


def altered(token):
    head, body, sig = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    other = base64.urlsafe_b64encode(json.dumps({**claims, "exp": claims["exp"] + 100}).encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode().rstrip("=")
    i = len(sig) // 2
    return [f"{head}.{other}.{sig}", f"{none}.{body}.", f"{none}.{body}.{sig}", f"{head}.{body}.", f"{head}.{body}",
            f"{head}.{body}.{sig[:i]}{'A' if sig[i] != 'A' else 'B'}{sig[i + 1:]}", f"{token}.x", token + "=",
            token.swapcase(), "x", "a.b.c", "é"]


def test_tokens(door, era):
    token = door.token(door.task)
    good = Mcp(door.url, token, era)
    if era == LEGACY:
        good.start()
    message = echo() if era == MODERN else {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                                            "params": {"name": "up__echo", "arguments": {}}}
    headers = good.headers(message)

    def ask(value):
        h = {k: v for k, v in headers.items() if k != "Authorization"}
        if value is not None:
            h["Authorization"] = value.encode("utf-8").decode("latin-1")
        return good.post(message, h)

    assert ask(f"Bearer {token}").status == 200
    for value in (None, "", "Bearer", "Bearer ", f"Basic {token}", token, f"Bearer {token} {token}",
                  *(f"Bearer {bad}" for bad in altered(token))):
        reply = ask(value)
        assert reply.status == 401, (value, reply.status)
        challenge = reply.headers["www-authenticate"]
        assert challenge.startswith("Bearer ")
        assert ('error="invalid_token"' in challenge) == (value is not None), (value, challenge)
        assert token not in reply.body.decode()
    assert ask(f"bearer {token}").status == 200
    # In the query it is no token at all.
    assert Mcp(f"{door.url}", None, era).post(message, {k: v for k, v in headers.items() if k != "Authorization"}).status == 401
    assert door.echoed() == 2


def test_token_of_a_closed_task(door, era):
    task = door.open_task(["up/echo"])
    agent = door.mcp(task, era=era)
    assert agent.tools()
    door.close_task(task)
    reply = agent.call("up__echo")
    assert reply.status == 401 or (reply.result["isError"] and reply.refusal["decision"] == "deny")
    assert agent.request("tools/list").message.get("error")
    fresh = Mcp(door.url, agent.token, era)
    reply = fresh.request("tools/list") if era == MODERN else fresh.start()
    assert reply.status == 401 or "error" in reply.message
    with pytest.raises(ControlError):
        door.token(task)
    assert door.echoed() == 0


def test_agent_that_may_not_bear(gateway, hostile):
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": OPS}},
                agents={"mute": {"owner": "ann", "assessed": "2026-10-01", "assessedFor": "3650d", "ambit": ["up/*"],
                                 "select": {"uid": 12345}}})
    task = g.open_task(["up/echo"], agent="mute")
    try:
        token = g.token(task)
    except ControlError:
        return
    assert g.mcp(token=token, era=MODERN).call("up__echo").status == 401


def test_refusals_are_on_record(door, era):
    task = door.open_task(["up/echo"])
    reply = door.mcp(task, era=era).call("up__never")
    call = reply.refusal["call"]
    kinds = wait_until(lambda: [e["record"]["type"] for e in door.trace(call)["entries"] if e["record"]["type"] != "task_open"],
                       "the refusal")
    assert kinds == ["refusal"]


# --- a definition that changes ---------------------------------------------------------------------------------------------


def test_changed_definition_is_hidden_until_accepted(gateway, hostile, era):
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "read"}, "mutate": {"effect": "read"}}}})
    task = g.open_task(["up/echo", "up/mutate"])
    agent = g.mcp(task, era=era)
    assert sorted(agent.tools()) == ["up__echo", "up__mutate"]
    agent.call("up__mutate")
    g.control("discover", binding="up")
    wait_until(lambda: agent.tools() == ["up__mutate"], "the changed tool to be hidden")
    asked = hostile.calls("echo")
    reply = agent.call("up__echo", {"a": 1})
    assert reply.result["isError"] and reply.refusal, reply.message
    assert hostile.calls("echo") == asked
    [pin] = [t["pin"] for t in g.control("pin.list")["tools"] if t["operation"] == "up/echo"]
    assert pin == "changed"
    shown = g.control("pin.show", operation="up/echo")
    assert "last e-mail" in shown["newDefinition"]["description"]
    for digest in (shown["digest"], "", "0" * 64):
        with pytest.raises(ControlError):
            g.control("pin.accept", operation="up/echo", digest=digest)
    assert agent.tools() == ["up__mutate"]
    g.control("pin.accept", operation="up/echo", digest=shown["newDigest"])
    assert sorted(agent.tools()) == ["up__echo", "up__mutate"]
    assert agent.call("up__echo", {"a": 1}).result["structuredContent"] == {"a": 1}

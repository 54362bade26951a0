"""The live listener against HTTP that is hostile, slow, cut off or too much."""

import json
import os
import pathlib
import re
import socket
import threading
import time

import pytest

from harness import LEGACY, MODERN, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPS = {t: {"effect": "read"} for t in ("echo", "never", "huge")}


@pytest.fixture
def door(gateway, hostile):
    g = gateway(mcpServers={"up": {"url": hostile.url, "answerWait": "3s", "operations": OPS}})
    g.task = g.open_task([f"up/{t}" for t in OPS], calls=1000)
    return g


def dial(g, timeout=15):
    s = socket.create_connection(("127.0.0.1", g.port), timeout=timeout)
    return s


def read_all(s):
    data = b""
    try:
        while part := s.recv(65536):
            data += part
    except (ConnectionResetError, TimeoutError):
        pass
    return data


def head_and_body(s, data=b""):
    """One answer with a Content-Length; (status, head, body, rest)"""
    while b"\r\n\r\n" not in data:
        part = s.recv(65536)
        assert part, f"closed after {data!r}"
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    n = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    while len(rest) < n:
        part = s.recv(65536)
        assert part
        rest += part
    return int(head.split()[1]), head, rest[:n], rest[n:]


def call_bytes(g, token, tool, args, id=1, extra=""):
    body = json.dumps({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {
        "name": tool, "arguments": args, "_meta": {
            "io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}}})
    return (f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{g.port}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
            f"MCP-Protocol-Version: {MODERN}\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def still_serves(g):
    assert g.mcp(g.task).call("up__echo", {"a": 1}).result["structuredContent"] == {"a": 1}


# --- the vectors ------------------------------------------------------------------------------------------


def vectors():
    """name, bytes, whether it is legal: of http1/vectors.h in the folder AMBIT_SHARED or shared beside the sources."""
    places = [os.environ.get("AMBIT_SHARED"), ROOT / "shared", *(p / "shared" for p in ROOT.parents)]
    for place in places:
        file = place and pathlib.Path(place) / "http1/vectors.h"
        if file and file.exists():
            break
    else:
        return None
    out = []
    for line in file.read_text().splitlines():
        if line.startswith('V("'):
            strings = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
            data = b"".join(c_string(s) for s in strings[1:])
            out.append((strings[0], data, line.rstrip().endswith(",1),")))
    return out


def c_string(text):
    simple = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", '"': b'"'}
    out, i = b"", 0
    while i < len(text):
        if text[i] != "\\":
            out += text[i].encode()
            i += 1
        elif text[i + 1] == "x":
            out += bytes([int(text[i + 2:i + 4], 16)])
            i += 4
        else:
            out += simple[text[i + 1]]
            i += 2
    return out


def test_vectors(door):
    all_of_them = vectors()
    if all_of_them is None:
        pytest.skip("http1/vectors.h is not there (AMBIT_SHARED)")
    assert len(all_of_them) == 50 and sum(legal for _, _, legal in all_of_them) == 3
    wrong = []
    for name, data, legal in all_of_them:
        s = dial(door, timeout=5)
        s.sendall(data)
        if legal:
            status, head, _, rest = head_and_body(s)
            if status not in (401, 404, 405) or rest:
                wrong.append((name, head))
            # understood: the connection goes on
            s.sendall(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
            if head_and_body(s)[0] != 404:
                wrong.append((name, "second"))
        else:
            answer = read_all(s)
            if not re.match(rb"HTTP/1\.1 (4\d\d|50[15]) ", answer) or answer.count(b"\nHTTP/1.1 ") != 0:
                wrong.append((name, answer))
        s.close()
    assert wrong == []
    still_serves(door)


# --- connections -------------------------------------------------------------------------------------------


def test_pipelined_requests_are_answered_in_order(door):
    token = door.token(door.task)
    s = dial(door)
    s.sendall(b"".join(call_bytes(door, token, "up__echo", {"n": n}, id=n) for n in range(8)))
    rest = b""
    for n in range(8):
        status, _, body, rest = head_and_body(s, rest)
        message = json.loads(body)
        assert status == 200 and message["id"] == n and message["result"]["structuredContent"] == {"n": n}
    s.close()


def test_request_in_single_bytes(door):
    s = dial(door)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for b in call_bytes(door, door.token(door.task), "up__echo", {"n": 1}):
        s.sendall(bytes([b]))
    assert json.loads(head_and_body(s)[2])["result"]["structuredContent"] == {"n": 1}
    s.close()


def test_client_that_ends_its_side_is_gone(door):
    """Documented in door/http_server.h; the call under way is cancelled and its outcome recorded."""
    task = door.open_task(["up/never"])
    s = dial(door)
    s.sendall(call_bytes(door, door.token(task), "up__never", {}))
    time.sleep(0.3)
    s.shutdown(socket.SHUT_WR)
    begun = time.monotonic()
    assert read_all(s) == b""
    wait_until(lambda: [e for e in door.trace(task)["entries"] if e["record"]["type"] == "outcome"], "the outcome")
    assert time.monotonic() - begun < 1.5
    s.close()
    still_serves(door)


def test_half_a_body_then_silence_and_end(door):
    token = door.token(door.task)
    for cut in (1, 40, 200, 420):
        s = dial(door)
        s.sendall(call_bytes(door, token, "up__echo", {"n": 1})[:cut])
        s.shutdown(socket.SHUT_WR)
        assert read_all(s) == b""
        s.close()
    still_serves(door)


def test_body_over_the_limit(gateway, hostile):
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": OPS}}, limits={"requestBytes": 65536})
    g.task = g.open_task(["up/echo"])
    token = g.token(g.task)
    s = dial(g)
    s.sendall(call_bytes(g, token, "up__echo", {"x": "y" * 70000}))
    answer = read_all(s)
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
    s.close()
    # The same without a length told before: stopped at the limit.
    s = dial(g)
    head = call_bytes(g, token, "up__echo", {}).partition(b"Content-Length")[0]
    s.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
    try:
        for _ in range(40):
            s.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
    except OSError:
        pass
    assert read_all(s).startswith(b"HTTP/1.1 413 ")
    s.close()
    assert hostile.calls("echo") == 0
    still_serves(g)


def test_head_over_the_limit(door):
    s = dial(door)
    try:
        s.sendall(b"GET /mcp HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100_000)
    except OSError:
        pass
    assert re.match(rb"HTTP/1\.1 4(00|31) ", read_all(s))
    s.close()
    s = dial(door)
    s.sendall(b"GET /mcp HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n")
    assert re.match(rb"HTTP/1\.1 4(00|31) ", read_all(s))
    s.close()


@pytest.mark.heavy
def test_head_in_single_seconds_is_cut_by_the_deadline(door):
    """A byte a second: cut 10 s after the first, however regularly the next comes. The body likewise, at 30 s."""
    s = dial(door, timeout=1)
    begun = time.monotonic()
    with pytest.raises(OSError):
        for b in b"GET /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 60:
            s.sendall(bytes([b]))
            try:
                if s.recv(1000) == b"":
                    raise ConnectionError
            except TimeoutError:
                pass
    assert 9 < time.monotonic() - begun < 13
    s.close()

    s = dial(door, timeout=1)
    whole = call_bytes(door, door.token(door.task), "up__echo", {"n": 1, "pad": "x" * 200})
    head, _, body = whole.partition(b"\r\n\r\n")
    s.sendall(head + b"\r\n\r\n")
    begun = time.monotonic()
    with pytest.raises(OSError):
        for b in body:
            s.sendall(bytes([b]))
            try:
                if s.recv(1000) == b"":
                    raise ConnectionError
            except TimeoutError:
                pass
    assert 28 < time.monotonic() - begun < 35
    s.close()


# --- much at once -------------------------------------------------------------------------------------------


def rss(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) * 1024


def test_thousand_idle_connections_cost_little(door):
    if "asan" in str(door.binary):
        pytest.skip("memory is measured without sanitizers")
    edge = door.role_pid("edge")
    still_serves(door)
    before = rss(edge)
    # Each has asked something large once, so that what it keeps afterwards is counted too.
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", "pad": "x" * 100_000}).encode()
    request = (f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nContent-Type: application/json\r\n"
               f"Accept: application/json, text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
    idle = []
    for _ in range(1000):
        s = dial(door)
        s.sendall(request)
        head_and_body(s)
        idle.append(s)
    grown = rss(edge) - before
    still_serves(door)
    assert grown < 24 << 20, f"{grown / 1000} bytes each"
    [s.close() for s in idle]


def test_slow_reader_of_a_large_answer_stops_nobody(door):
    token = door.token(door.task)
    slow = []
    for n in range(4):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(30)
        s.connect(("127.0.0.1", door.port))
        s.sendall(call_bytes(door, token, "up__huge", {"megabytes": 5}, id=n))
        slow.append(s)
    time.sleep(0.3)
    agent = door.mcp(token=token)
    agent.call("up__echo", {})
    begun = time.monotonic()
    for n in range(20):
        assert agent.call("up__echo", {"n": n}).result["structuredContent"] == {"n": n}
    assert time.monotonic() - begun < 3
    # And whoever reads at last gets all of it.
    for n, s in enumerate(slow):
        status, _, body, _ = head_and_body(s)
        message = json.loads(body)
        assert message["id"] == n and len(message["result"]["content"][0]["text"]) >= 5 << 20
        s.close()


def test_clients_that_ask_and_never_read(door):
    """Pipelines large answers without reading: bounded, cut, and nobody else notices."""
    if "asan" in str(door.binary):
        pytest.skip("memory is measured without sanitizers")
    token, edge = door.token(door.task), door.role_pid("edge")
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(10)
    s.connect(("127.0.0.1", door.port))
    before = rss(edge)
    s.sendall(b"".join(call_bytes(door, token, "up__huge", {"megabytes": 5}, id=n) for n in range(40)))
    agent = door.mcp(token=token)
    top = 0
    for _ in range(20):
        agent.call("up__echo", {})
        top = max(top, rss(edge) - before)
        time.sleep(0.1)
    s.close()
    assert top < 120 << 20, f"{top >> 20} MB for one client"
    still_serves(door)


def test_fifty_clients_with_the_same_ids(door, era):
    token, wrong = door.token(door.task), []

    def play(n):
        agent = door.mcp(token=token, era=era)
        if era == LEGACY:
            agent.start()
        for i in range(6):
            agent.next_id = 0
            reply = agent.call("up__echo", {"client": n, "i": i})
            if reply.message["id"] != 1 or reply.result.get("structuredContent") != {"client": n, "i": i}:
                wrong.append((n, i, reply.message))
        agent.close()

    threads = [threading.Thread(target=play, args=(n,)) for n in range(50)]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    assert wrong == []

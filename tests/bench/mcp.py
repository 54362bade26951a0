"""The little of MCP that a benchmark says for itself: the opening, and single calls."""
import http.client
import json

BASE = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
VERSION = "2025-11-25"


def post(connection, path, headers, message):
    connection.request("POST", path, json.dumps(message), {**BASE, **headers})
    answer = connection.getresponse()
    return answer, answer.read()


def initialize(port, path, headers):
    """Opens a session, and gives the headers of what follows in it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    params = {"protocolVersion": VERSION, "capabilities": {},
              "clientInfo": {"name": "bench", "version": "1"}}
    answer, body = post(connection, path, headers,
                        {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
    if answer.status != 200:
        raise ConnectionError(f"initialize: {answer.status} {body[:300]}")
    headers = {**headers, "MCP-Protocol-Version": VERSION}
    session = answer.getheader("Mcp-Session-Id")
    if session:
        headers["Mcp-Session-Id"] = session
    post(connection, path, headers, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    connection.close()
    return headers


def call_message(id, tool="add"):
    return {"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": tool, "arguments": {"a": 1, "b": 2, "note": "call"}}}


def is_allowed(status, body):
    return status == 200 and b'"text":"3"' in body and b'"isError":true' not in body

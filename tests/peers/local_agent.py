"""A local process that is (or is not) an agent: it does what it is told on standard input, one word line each, and
answers with one JSON line.

    connect          a new connection to the agent socket; the old one is closed
    ask              tools/list over it: {"status": 200, "tools": [...]}, or {"gone": why}
    exec PROGRAM     execute PROGRAM with this script in the place of this one, the connection included
    orphan           fork, and let the parent end: the child goes on with the connection it inherited
    child            fork; the child goes on, without a connection
    pid              {"pid": N}
"""

import http.client
import json
import os
import socket
import sys

VERSION = "2026-07-28"


def connect(path):
    conn = http.client.HTTPConnection("localhost", timeout=10)
    conn.sock = socket.socket(socket.AF_UNIX)
    conn.sock.settimeout(10)
    conn.sock.connect(path)
    return conn


def adopt(fd):
    conn = http.client.HTTPConnection("localhost", timeout=10)
    conn.sock = socket.socket(fileno=fd)
    conn.sock.settimeout(10)
    return conn


def ask(conn):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": VERSION, "io.modelcontextprotocol/clientCapabilities": {}}}}
    try:
        conn.request("POST", "/mcp", json.dumps(message), {
            "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION, "Mcp-Method": "tools/list"})
        response = conn.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as e:
        return {"gone": repr(e)}
    if response.status != 200:
        return {"status": response.status}
    return {"status": 200, "tools": [t["name"] for t in json.loads(body)["result"]["tools"]]}


def main():
    path, conn = sys.argv[1], None
    if len(sys.argv) > 2:
        conn = adopt(int(sys.argv[2]))
    # Read byte by byte: what is not read yet is for the program that comes next.
    while True:
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(0, 1)
            if not byte:
                return
            line += byte
        word, _, rest = line.decode().strip().partition(" ")
        answer = {"done": word}
        if word == "connect":
            conn = None
            try:
                conn = connect(path)
            except OSError as e:
                answer = {"gone": repr(e)}
        elif word == "ask":
            answer = ask(conn) if conn else {"gone": "not connected"}
        elif word == "pid":
            answer = {"pid": os.getpid()}
        elif word == "exec":
            os.set_inheritable(conn.sock.fileno(), True)
            print(json.dumps(answer), flush=True)
            os.execv(rest, [rest, __file__, path, str(conn.sock.fileno())])
        elif word == "orphan":
            if os.fork():
                os._exit(0)
        elif word == "child":
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
                return
            conn = None
        print(json.dumps(answer), flush=True)


main()

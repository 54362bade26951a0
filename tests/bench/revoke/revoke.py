"""From the close of a task to its first refused call, under load; and to the last open stream that was cut.
Started by ./run; prints tables in Markdown."""
import argparse
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import gateway  # noqa: E402
import procs  # noqa: E402

EDGES_MS = (0.125, 0.25, 0.5, 1, 2, 4, 8, 10, 16, 32, 64, 128)


def part(values, p):
    return sorted(values)[int(p * (len(values) - 1))]


def histogram(values):
    lines, low = [], 0.0
    for high in (*EDGES_MS, float("inf")):
        n = sum(low <= v < high for v in values)
        if n:
            lines.append(f"    {low:7g} to {high:4g} ms {n:6d} {'#' * max(1, round(60 * n / len(values)))}")
        low = high
    return "\n".join(lines)


def row(name, values):
    return f"| {name} | {part(values, .5):.2f} | {part(values, .99):.2f} | {max(values):.2f} |"


def fresh(ambit, control):
    task = ambit.open_task(control)
    return task, control.ask("task.token", task=task, endpoint="queued")["token"]


def closings(ambit, programs, connections, rounds):
    """Closes one task after the other while all connections call; each close is of a task whose connection is at work."""
    control = ambit.control()
    callers = subprocess.Popen([os.path.join(programs, "callers"), str(ambit.port), "/mcp/queued", "add",
                                str(connections)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    slots = []
    for slot in range(connections):
        task, token = fresh(ambit, control)
        slots.append(task)
        print(slot, token, file=callers.stdin, flush=True)
    time.sleep(0.5)
    refused, inside, cut, durable, late = [], [], [], [], 0
    begun, calls = time.monotonic(), 0
    for i in range(rounds):
        slot = i % connections
        task, token = fresh(ambit, control)
        asked = time.monotonic_ns()
        receipt = control.ask("task.close", task=slots[slot], wait=True)
        answered = time.monotonic_ns()
        heard, at, last_allowed, calls = map(int, callers.stdout.readline().split())
        assert heard == slot and receipt["state"] == "complete", (heard, slot, receipt)
        refused.append((at - asked) / 1e6)
        late += last_allowed > answered
        steps = receipt["steps"]
        inside.append(steps["refusing"]["microseconds"] / 1e3)
        cut.append(steps["streams"]["microseconds"] / 1e3)
        durable.append(steps["durable"]["microseconds"] / 1e3)
        slots[slot] = task
        print(slot, token, file=callers.stdin, flush=True)
    rate = calls / (time.monotonic() - begun)
    callers.stdin.close()
    callers.wait()
    control.close()
    return refused, inside, cut, durable, late, rate


# ---- open streams ----

def open_stream(port, token):
    """A call of a slow tool with progress; returns once its first event has come."""
    s = socket.create_connection(("127.0.0.1", port), 20)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "slow_report", "arguments": {"seconds": 300}, "_meta": {
            "progressToken": 1, "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {}}}})
    s.sendall((f"POST /mcp/desk HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
               "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n"
               "Mcp-Method: tools/call\r\nMcp-Name: slow_report\r\n"
               f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
    got = b""
    while b"progressToken" not in got:
        more = s.recv(65536)
        if not more:
            raise SystemExit(f"no stream: {got[-500:]!r}")
        got += more
    return s


def watch_ends(streams, ends, ready):
    """When each stream ended, by its last chunk."""
    poll = selectors.DefaultSelector()
    for s in streams:
        s.setblocking(False)
        poll.register(s, selectors.EVENT_READ)
    ready.set()
    while poll.get_map():
        for key, _ in poll.select(10):
            data = key.fileobj.recv(65536)
            if not data or data.endswith(b"0\r\n\r\n"):
                ends.append(time.monotonic_ns())
                poll.unregister(key.fileobj)


def streams_cut(ambit, count, per_task):
    """Everything of an agent is revoked while its streams are open."""
    control = ambit.control()
    streams = []
    for i in range(count):
        if i % per_task == 0:
            task = control.ask("task.open", agent="bench", purpose="streams", deadline="2h", calls=1000,
                               operations=["desk/slow_report"])["task"]
            token = control.ask("task.token", task=task, endpoint="desk")["token"]
        streams.append(open_stream(ambit.port, token))
    ends, ready = [], threading.Event()
    watcher = threading.Thread(target=watch_ends, args=(streams, ends, ready))
    watcher.start()
    ready.wait()
    asked = time.monotonic_ns()
    receipt = control.ask("revoke", kind="agent", name="bench", wait=True)
    watcher.join(30)
    assert len(ends) == count and receipt["steps"]["streams"]["count"] == count, (len(ends), receipt)
    control.close()
    return (max(ends) - asked) / 1e6, receipt


def add_desk(ambit, port):
    path = os.path.join(ambit.folder, "ambit.json")
    config = json.load(open(path))
    config["mcpServers"]["desk"] = {"url": f"http://127.0.0.1:{port}/mcp", "answerWait": "10m",
                                    "headers": {"X-Api-Key": {"secret": "bench-key"}},
                                    "operations": {"slow_report": {"effect": "read"}}}
    config["agents"]["bench"]["ambit"].append("desk/*")
    json.dump(config, open(path, "w"), indent=1)
    with open(os.path.join(ambit.folder, "bench.cedar"), "a") as f:
        f.write('@id("desk") permit (principal, action == Ambit::Action::"desk/slow_report", resource);\n')


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--top", required=True)
    words.add_argument("--programs", required=True)
    words.add_argument("--connections", type=int, default=64)
    words.add_argument("--closes", type=int, default=1000)
    words.add_argument("--streams", type=int, default=200)
    args = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="ambit-bench-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        upstream_port, desk_port = procs.free_port(), procs.free_port()
        ambit = gateway.Ambit(os.path.join(args.top, "build/release/src/cmd/ambit"), folder, upstream_port)
        add_desk(ambit, desk_port)
        key = os.path.join(folder, "key")
        with open(key, "w") as f:
            f.write(gateway.SECRET)
        os.chmod(key, 0o600)
        with procs.Process([os.path.join(args.programs, "trivial_upstream"), str(upstream_port), gateway.SECRET_HEADER],
                           os.path.join(folder, "upstream.log")), \
             procs.Process([os.path.join(args.top, "build/peers/node"), "--no-warnings",
                            os.path.join(args.top, "examples/helpdesk/server.mjs"), "--port", str(desk_port), "--db",
                            os.path.join(folder, "desk.db"), "--key-file", key], os.path.join(folder, "desk.log")):
            procs.wait_port(upstream_port)
            procs.wait_port(desk_port)
            ambit.start()
            try:
                control = ambit.control()
                ambit.open_task(control)  # servers that need a secret are asked while a task may use them
                ambit.wait_tools()
                control.close()
                report(args, ambit)
            finally:
                ambit.stop()


def report(args, ambit):
    control = ambit.control()
    control.ask("discover", binding="desk")
    for _ in range(1000):
        if control.ask("status")["bindings"]["desk"]:
            break
        time.sleep(0.02)
    load = os.getloadavg()[0]
    refused, inside, cut, durable, late, rate = closings(ambit, args.programs, args.connections, args.closes)
    print(f"{args.closes} closes, {args.connections} connections calling without pause ({rate:,.0f} calls/s), "
          f"load average before {load:.1f}, after {os.getloadavg()[0]:.1f}\n")
    print("| milliseconds from the close | p50 | p99 | worst |\n| --- | --- | --- | --- |")
    print(row("sent to first refusal received", refused))
    print(row("accepted to refusing, in core", inside))
    print(row("accepted to every edge's acknowledgement", cut))
    print(row("accepted to durable", durable))
    print(f"\ncalls that began after the receipt and were allowed: {late}\n\nsent to first refusal received:\n")
    print(histogram(refused))
    lasts = [streams_cut(ambit, args.streams, 10) for _ in range(5)]
    print(f"\n{args.streams} open streams of {args.streams // 10} tasks, `revoke agent`, 5 times: last stream ended "
          f"{statistics.median(t for t, _ in lasts):.2f} ms after it was sent (worst {max(t for t, _ in lasts):.2f}); "
          f"edges had acknowledged "
          f"{statistics.median(r['steps']['streams']['microseconds'] for _, r in lasts) / 1e3:.2f} ms after it was accepted")
    if late:
        raise SystemExit("a call that began after the receipt was allowed")


main()

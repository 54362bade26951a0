"""Measures; prints tables in Markdown. Started by ./run."""
import argparse
import contextlib
import http.client
import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

import gateway
import mcp
import procs

NGINX = """
daemon off; master_process on; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/nb; proxy_temp_path {folder}/np;
  fastcgi_temp_path {folder}/nf; uwsgi_temp_path {folder}/nu; scgi_temp_path {folder}/ns;
  keepalive_requests 100000000;
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""


class Target:
    """Something that load can be sent to. pids: whose CPU time counts as its cost."""

    def __init__(self, name, port, path, pids, headers=lambda: {}, log=None):
        self.name, self.port, self.path, self.pids, self.headers = name, port, path, pids, headers
        self.log = log  # shown when the load fails


def run_load(programs, target, connections, seconds):
    headers = [f"{k}: {v}" for k, v in {**mcp.BASE, **target.headers()}.items()]
    before = procs.cpu_us(target.pids)
    done = subprocess.run([os.path.join(programs, "load"), str(target.port), target.path, "add",
                           str(connections), str(seconds), *headers], stdout=subprocess.PIPE)
    used = procs.cpu_us(target.pids) - before
    if not done.stdout:
        log = open(target.log).read()[-3000:] if target.log else ""
        raise SystemExit(f"{target.name}, {connections} connections: the load generator failed\n{log}")
    result = json.loads(done.stdout)
    result["cpu"] = used / max(result["all"], 1)
    return result


def median_of(results):
    keys = ("rate", "p50", "p99", "cpu")
    out = {k: statistics.median(r[k] for r in results) for k in keys}
    out["best_rate"] = max(r["rate"] for r in results)
    out["least_cpu"] = min(r["cpu"] for r in results)
    out["errors"] = sum(r["errors"] + r["lost"] for r in results)
    return out


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows])


# ---- the parts ----

def measure_load(args, targets, connections):
    """Rounds from the outside in, so that noise of the machine meets every target alike."""
    results = {}
    for _ in range(args.rounds):
        for target in targets:
            for n in connections:
                result = run_load(args.programs, target, n, args.seconds)
                results.setdefault((target.name, n), []).append(result)
    return {key: median_of(r) for key, r in results.items()}


def measure_closing(ambit, rounds):
    """From the sending of task.close to the arrival of the first refused answer, while a client
    calls without pause. A call that begins after the receipt and is allowed is a violation."""
    control, times, receipts, violations = ambit.control(), [], [], 0
    for _ in range(rounds):
        task = ambit.open_task(control)
        headers = ambit.headers(control, task)
        seen, stop = [], threading.Event()

        def caller():
            connection = http.client.HTTPConnection("127.0.0.1", ambit.port, timeout=20)
            for id in range(1, 1_000_000):
                begun = time.monotonic()
                answer, body = mcp.post(connection, "/mcp/queued", headers, mcp.call_message(id))
                allowed = mcp.is_allowed(answer.status, body)
                seen.append((begun, time.monotonic(), allowed))
                if not allowed or stop.is_set():
                    break
            connection.close()

        thread = threading.Thread(target=caller)
        thread.start()
        while len(seen) < 3:
            time.sleep(0.001)
        asked = time.monotonic()
        receipt = control.ask("task.close", task=task)
        closed = time.monotonic()
        thread.join(20)
        stop.set()
        if seen[-1][2]:
            raise SystemExit("no refusal followed the closing of a task")
        times.append((seen[-1][1] - asked) * 1e6)
        receipts.append(receipt["steps"]["refusing"]["microseconds"])
        violations += sum(1 for begun, _, allowed in seen if allowed and begun > closed)
    control.close()
    times.sort()
    return {"p50": times[len(times) // 2], "p99": times[int(0.99 * (len(times) - 1))],
            "max": times[-1], "rounds": rounds, "violations": violations,
            "inside_p50": statistics.median(receipts)}


def first_answer_ms(ambit, headers, message, path, is_answer):
    """Starts Ambit; milliseconds from exec to the first answer that counts."""
    begun = time.monotonic()
    ambit.start()
    while time.monotonic() - begun < 20:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", ambit.port, timeout=20)
            answer, body = mcp.post(connection, path, headers, message)
            connection.close()
            if is_answer(answer.status, body):
                return (time.monotonic() - begun) * 1000
        time.sleep(0.001)
    raise SystemExit("Ambit did not answer within 20 s of its start")


def measure_start(ambit, rounds):
    """Ambit is stopped when this begins, with a task open; and runs when it ends."""
    ambit.start()
    control = ambit.control()
    ambit.wait_tools()
    task = ambit.open_task(control)
    headers = {**ambit.headers(control, task, session=False)}
    control.close()
    ambit.stop()
    opening = {"jsonrpc": "2.0", "id": 0, "method": "initialize",
               "params": {"protocolVersion": mcp.VERSION, "capabilities": {},
                          "clientInfo": {"name": "bench", "version": "1"}}}
    opened = [first_answer_stop(ambit, headers, opening, lambda s, b: s == 200)
              for _ in range(rounds)]
    return {"initialize": statistics.median(opened), "worst": max(opened), "rounds": rounds}


def first_answer_stop(ambit, headers, message, is_answer):
    took = first_answer_ms(ambit, headers, message, "/mcp/queued", is_answer)
    ambit.stop()
    return took


def memory_of(pids):
    m = procs.memory_kb(pids)
    each = [(procs.role_of(p), procs.memory_kb([p])["Pss"]) for p in pids]
    return {"pss_mb": m["Pss"] / 1024, "rss_mb": m["Rss"] / 1024,
            "each": ", ".join(f"{r} {k / 1024:.1f}" for r, k in each)}


# ---- the whole ----

def start_nginx(stack, folder, upstream):
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not binary:
        return None
    port = procs.free_port()
    config = os.path.join(folder, "nginx.conf")
    with open(config, "w") as f:
        f.write(NGINX.format(folder=folder, port=port, upstream=upstream))
    process = stack.enter_context(
        procs.Process([binary, "-c", config, "-p", folder], os.path.join(folder, "nginx.log")))
    procs.wait_port(port)
    return Target("nginx, plain proxy", port, "/mcp", process.family())


def start_npm(stack, args, folder, upstream):
    node = os.path.join(args.top, "build/peers/node")
    package = os.path.join(args.top, "build/peers/bench/node_modules/@civic/passthrough-mcp-server")
    if not os.path.exists(node) or not os.path.isdir(package):
        return None
    port = procs.free_port()
    env = {**os.environ, "PORT": str(port), "TARGET_SERVER_TRANSPORT": "httpStream",
           "TARGET_SERVER_URL": f"http://127.0.0.1:{upstream}", "TARGET_SERVER_MCP_PATH": "/mcp",
           "LOG_LEVEL": "error"}
    process = stack.enter_context(procs.Process([node, os.path.join(package, "dist/cli.js")],
                                                os.path.join(folder, "npm.log"), env=env))
    procs.wait_port(port)
    return Target("@civic/passthrough-mcp-server", port, "/mcp", process.family(),
                  lambda: mcp.initialize(port, "/mcp", {}))


def ambit_targets(ambit):
    words = {"queued": "Ambit, record queued", "durable": "Ambit, record durable",
             "secret": "Ambit, queued, secret injected",
             "both": "Ambit, durable, secret injected"}

    def headers_for(binding):
        def headers():
            control = ambit.control()
            try:
                return ambit.headers(control, ambit.open_task(control), binding)
            finally:
                control.close()
        return headers

    return [Target(words[b], ambit.port, f"/mcp/{b}", ambit.process.family(), headers_for(b),
                   os.path.join(ambit.folder, "ambit.log")) for b in gateway.BINDINGS]


def version_of(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout.decode().strip().splitlines()[0]
    except (OSError, IndexError):
        return "not there"


def conditions(args):
    with open("/proc/loadavg") as f:
        load = f.read().split()[0]
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":")[1].strip() for line in f if "model name" in line), "?")
    return {"cores": os.cpu_count(), "processor": model, "kernel": platform.release(),
            "load before": load, "date": time.strftime("%Y-%m-%d"),
            "nginx": version_of([shutil.which("nginx") or "/usr/sbin/nginx", "-v"]),
            "node": version_of([os.path.join(args.top, "build/peers/node"), "--version"])}


def print_load(results, connections):
    rows = []
    for (name, n), r in results.items():
        base = results.get(("nginx, plain proxy", n))
        rows.append([name, n, f"{r['rate']:,.0f}", f"{r['p50']:,.0f}", f"{r['p99']:,.0f}",
                     f"{r['cpu']:.1f}", f"{r['least_cpu']:.1f}",
                     f"{r['cpu'] / base['cpu']:.1f}" if base and base["cpu"] else "",
                     f"{base['rate'] / r['rate']:.1f}" if base and r["rate"] else "", r["errors"]])
    rows.sort(key=lambda row: connections.index(row[1]))
    print(table(["target", "connections", "calls/s", "p50 us", "p99 us", "CPU us/call",
                 "least of rounds", "CPU, nginx = 1", "calls/s, nginx is x times", "wrong"], rows))


def options():
    p = argparse.ArgumentParser(prog="tests/bench/run")
    p.add_argument("--top", required=True, help=argparse.SUPPRESS)
    p.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    p.add_argument("--ambit", help="binary (default build/release/src/cmd/ambit)")
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--connections", default="1,16,64")
    p.add_argument("--quick", action="store_true", help="one round of 2 s at 16 connections")
    p.add_argument("--only", default="load,memory,start,close",
                   help="which of load, ambit (load without the peers), memory, start, close")
    p.add_argument("--json", help="write all figures to this file too")
    args = p.parse_args()
    if args.quick:
        args.seconds, args.rounds, args.connections = 2, 1, "16"
    args.ambit = os.path.abspath(args.ambit or os.path.join(args.top, "build/release/src/cmd/ambit"))
    args.parts = args.only.split(",")
    return args


def main():
    args = options()
    found = {"conditions": conditions(args)}
    connections = [int(n) for n in args.connections.split(",")]
    print(", ".join(f"{k} {v}" for k, v in found["conditions"].items()), flush=True)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ambit-bench-"))
        os.chmod(folder, 0o711)  # the roles run as other users
        upstream = procs.free_port()
        program = os.path.join(args.programs, "trivial_upstream")
        up = stack.enter_context(procs.Process([program, str(upstream), gateway.SECRET_HEADER],
                                               os.path.join(folder, "upstream.log")))
        procs.wait_port(upstream)
        ambit = gateway.Ambit(args.ambit, folder, upstream)
        if "start" in args.parts:
            found["start"] = measure_start(ambit, max(3, 3 * args.rounds))
            print("\nstart", found["start"], flush=True)
        ambit.start()
        stack.callback(ambit.stop)
        ambit.wait_tools()
        time.sleep(1)
        if "memory" in args.parts:
            found["idle"] = memory_of(ambit.process.family())
            print("\nidle", found["idle"], flush=True)
        targets = ambit_targets(ambit)
        if "load" in args.parts:
            peers = [Target("direct", upstream, "/mcp", [up.pid]),
                     start_nginx(stack, folder, upstream), start_npm(stack, args, folder, upstream)]
            targets = [t for t in peers if t] + targets
        if "load" in args.parts or "ambit" in args.parts:
            before = procs.cpu_by_role(ambit.process.family())
            results = measure_load(args, targets, connections)
            after = procs.cpu_by_role(ambit.process.family())
            print()
            print_load(results, connections)
            total = sum(after[k] - before[k] for k in after)
            print("\nAmbit's CPU by role:", ", ".join(
                f"{k.split(':')[0]} {100 * (after[k] - before[k]) / total:.0f}%" for k in after))
            found["load"] = [{"target": k[0], "connections": k[1], **r} for k, r in results.items()]
        if "memory" in args.parts:
            found["after load"] = memory_of(ambit.process.family())
            print("\nafter load", found["after load"], flush=True)
        if "close" in args.parts:
            found["close"] = measure_closing(ambit, 200 if not args.quick else 20)
            print("\nclose", found["close"], flush=True)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(found, f, indent=1)


main()

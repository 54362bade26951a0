"""Ambit as it is measured: a configuration, a policy, a client of the control socket."""
import json
import os
import socket
import subprocess
import time

import mcp
import procs

POLICY = """
@id("small-sums")
permit (principal == Ambit::Agent::"bench",
        action in [Ambit::Action::"queued/add", Ambit::Action::"durable/add",
                   Ambit::Action::"secret/add", Ambit::Action::"both/add"],
        resource)
when { context.args.a < 1000 && context.args.b < 1000 && context.args.note like "c*" };
"""
SECRET = "a-secret-only-the-keeper-holds"
SECRET_HEADER = f"X-Api-Key: {SECRET}"
BINDINGS = {  # name: (path upstream, durable, with a secret)
    "queued": ("/mcp", False, False),
    "durable": ("/mcp", True, False),
    "secret": ("/secret", False, True),
    "both": ("/secret", True, True),
}


class Control:
    """The control socket: one JSON object a line."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.id = 0

    def ask(self, method, **params):
        self.id += 1
        self.file.write(json.dumps({"id": self.id, "method": method, "params": params}) + "\n")
        self.file.flush()
        answer = json.loads(self.file.readline())
        if "error" in answer:
            raise SystemExit(f"{method}: {answer['error']}")
        return answer["result"]

    def close(self):
        self.file.close()
        self.socket.close()


class Ambit:
    def __init__(self, binary, folder, upstream_port):
        self.binary, self.folder = binary, folder
        self.port = procs.free_port()
        self.process = None
        operation = {"effect": "read", "args": {"a": "Long", "b": "Long", "note": "String"}}
        servers = {}
        for name, (path, durable, secret) in BINDINGS.items():
            servers[name] = {"url": f"http://127.0.0.1:{upstream_port}{path}", "era": "legacy",
                             "durableReads": durable, "operations": {"add": operation}}
            if secret:
                servers[name]["headers"] = {"X-Api-Key": {"secret": "bench-key"}}
        config = {
            "state": "state",
            "people": {"ann": {"roles": ["owner", "administrator"], "uid": os.getuid()}},
            "agents": {"bench": {"owner": "ann", "bearer": True, "assessed": "2026-10-01", "assessedFor": "3650d",
                                 "ambit": [f"{b}/*" for b in BINDINGS]}},
            "listen": [{"address": f"127.0.0.1:{self.port}", "bearer": True}],
            "policies": ["bench.cedar"],
            "mcpServers": servers,
        }
        with open(os.path.join(folder, "ambit.json"), "w") as f:
            json.dump(config, f, indent=1)
        with open(os.path.join(folder, "bench.cedar"), "w") as f:
            f.write(POLICY)
        subprocess.run([binary, "secret", "set", "bench-key", "-c", "ambit.json"], cwd=folder,
                       input=SECRET.encode(), check=True, stdout=subprocess.DEVNULL)

    def start(self):
        self.process = procs.Process([self.binary, "serve", "-c", "ambit.json"],
                                     os.path.join(self.folder, "ambit.log"), cwd=self.folder)

    def stop(self):
        self.process.stop()

    def control(self):
        path = os.path.join(self.folder, "state/control.sock")
        end = time.monotonic() + 20
        while True:
            try:
                return Control(path)
            except OSError:
                if time.monotonic() > end:
                    raise SystemExit("the control socket does not answer; log: " + open(os.path.join(self.folder, "ambit.log")).read()[-2000:])
                time.sleep(0.05)

    def wait_tools(self):
        """Until every binding's tool is known."""
        control, end = self.control(), time.monotonic() + 20
        while time.monotonic() < end:
            known = {t["operation"] for t in control.ask("tools")["tools"]}
            if known >= {f"{b}/add" for b in BINDINGS}:
                control.close()
                return
            time.sleep(0.05)
        raise SystemExit("Ambit does not know the tools of its upstream")

    def open_task(self, control, calls=1_000_000):
        task = control.ask("task.open", agent="bench", purpose="to be measured", deadline="2h",
                           operations=[f"{b}/add" for b in BINDINGS], calls=calls)["task"]
        return task

    def headers(self, control, task, binding="queued", session=True):
        """What a client of this task sends, with a fresh token and a session."""
        token = control.ask("task.token", task=task, endpoint=binding)["token"]
        headers = {"Authorization": f"Bearer {token}"}
        if session:
            headers = mcp.initialize(self.port, f"/mcp/{binding}", headers)
        return headers

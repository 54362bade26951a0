"""What the system tests stand on: a gateway with a private state folder on free ports, its control socket, its
command line, an MCP client that writes every byte itself, and the servers behind the gateway.

Nothing but the standard library. The fixtures are in conftest.py."""

import copy
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEGACY = "2025-11-25"
MODERN = "2026-07-28"

# Anybody may do anything that the guardrails let through; approvers decide on what is not their own.
POLICY = """
@id("agents-work")
permit (principal is Ambit::Agent, action in Ambit::Action::"call", resource);

@id("approvers-decide")
permit (principal is Ambit::Human, action == Ambit::Action::"approve", resource)
when { principal.roles.contains("approver") && principal.name != resource.owner };
"""


def free_port():
    """A port below those that the kernel hands out itself, so that no connection or other server takes it meanwhile."""
    while True:
        port = random.randrange(18000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_until(check, what, seconds=20.0, pause=0.02):
    """Returns the first true answer of check(); an exception of its own counts as no."""
    end = time.monotonic() + seconds
    last = None
    while True:
        try:
            answer = check()
            if answer:
                return answer
        except (OSError, AssertionError, http.client.HTTPException, ControlError) as e:
            last = e
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}" + (f": {last}" if last else ""))
        time.sleep(pause)


# --- control socket ---------------------------------------------------------------------------------


class ControlError(Exception):
    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code, self.message = error["code"], error["message"]


class Control:
    """The control socket: one JSON object a line. control("task.list") or control.call("task.show", task=ID)."""

    def __init__(self, path, timeout=20):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(str(path))
        self.file = self.sock.makefile("rb")
        self.greeting = json.loads(self.file.readline())
        self.next_id = 0

    def __call__(self, method, params=None, **more):
        self.next_id += 1
        self.raw(json.dumps({"id": self.next_id, "method": method, "params": {**(params or {}), **more}}))
        line = self.file.readline()
        if not line:
            raise ConnectionError("the control connection was closed")
        answer = json.loads(line)
        assert answer["id"] == self.next_id
        if "error" in answer:
            raise ControlError(answer["error"])
        return answer["result"]

    call = __call__

    def raw(self, line):
        self.sock.sendall(line.encode() + b"\n")

    def close(self):
        self.file.close()
        self.sock.close()


# --- MCP ----------------------------------------------------------------------------------------------


class Reply:
    """One HTTP answer. messages: the JSON-RPC messages in it, from a JSON body or an event stream."""

    def __init__(self, response, body):
        self.status, self.body = response.status, body
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.messages = []
        kind = self.headers.get("content-type", "").split(";")[0].strip()
        if kind == "application/json" and body:
            self.messages = [json.loads(body)]
        elif kind == "text/event-stream":
            self.messages = [json.loads(data) for data in sse_data(body)]

    @property
    def message(self):
        """The response in it: the last message."""
        assert self.messages, f"no JSON-RPC message in HTTP {self.status} {self.body[:300]!r}"
        return self.messages[-1]

    @property
    def result(self):
        assert "result" in self.message, f"no result: {self.message}"
        return self.message["result"]

    @property
    def error(self):
        assert "error" in self.message, f"no error: {self.message}"
        return self.message["error"]

    @property
    def text(self):
        """Text of a tool's result."""
        return "".join(part.get("text", "") for part in self.result["content"])

    @property
    def refusal(self):
        """What the gateway says of its refusal to programs; None where the result is no refusal."""
        return (self.result.get("_meta") or {}).get("dev.ambit/refusal")

    @property
    def hold(self):
        found = re.search(r"\bh[A-Za-z0-9_-]{10,}\b", self.text)
        assert found, f"no hold in: {self.text}"
        return found[0]


def sse_data(body):
    for block in body.decode().replace("\r\n", "\n").split("\n\n"):
        data = [line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
        if data and any(data):
            yield "\n".join(data)


class Mcp:
    """An MCP client over Streamable HTTP (TCP, or a Unix socket for `unix`), in either era, on http.client.

    Every request is one call of post(); a legacy client initializes itself at its first request."""

    def __init__(self, url=None, token=None, era=LEGACY, unix=None, timeout=30, headers=None, source=None):
        self.url = urllib.parse.urlsplit(url or "http://localhost/mcp")
        self.token, self.era, self.unix, self.timeout = token, era, unix, timeout
        self.extra = headers or {}
        self.source = source and (source, 0)
        self.session = None
        self.started = era == MODERN
        self.next_id = 0
        self.conn = None

    def connection(self):
        if self.conn is None:
            self.conn = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=self.timeout,
                                                   source_address=self.source)
            if self.unix:
                self.conn.sock = socket.socket(socket.AF_UNIX)
                self.conn.sock.settimeout(self.timeout)
                self.conn.sock.connect(str(self.unix))
        return self.conn

    def close(self):
        if self.conn:
            self.conn.close()
            self.conn = None

    def headers(self, message=None):
        h = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if self.token:
            h["Authorization"] = f"Bearer {self.token}"
        if self.era == MODERN:
            h["MCP-Protocol-Version"] = MODERN
            if message and "method" in message:
                h["Mcp-Method"] = message["method"]
                if message["method"] == "tools/call":
                    h["Mcp-Name"] = message["params"]["name"]
        elif self.session:
            h["Mcp-Session-Id"] = self.session
            h["MCP-Protocol-Version"] = LEGACY
        return {**h, **self.extra}

    def post(self, body, headers=None, method="POST"):
        """Sends bytes, a string or a JSON value, exactly so; headers=None means those of the era."""
        if headers is None:
            headers = self.headers(body if isinstance(body, dict) else None)
        if not isinstance(body, (bytes, str, type(None))):
            body = json.dumps(body)
        conn = self.connection()
        try:
            conn.request(method, self.url.path, body, headers)
            response = conn.getresponse()
            reply = Reply(response, response.read())
        except BaseException:
            self.close()
            raise
        if response.will_close:
            self.close()
        return reply

    def start(self):
        """Legacy: initialize. Returns the reply."""
        self.started = True
        reply = self.request("initialize", {
            "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "system-test", "version": "1"}})
        self.session = reply.headers.get("mcp-session-id")
        if reply.status == 200 and "result" in reply.message:
            self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return reply

    def request(self, method, params=None, meta=None, headers=None):
        if not self.started:
            self.start()
        self.next_id += 1
        params = dict(params or {})
        meta = dict(meta or {})
        if self.era == MODERN:
            meta = {"io.modelcontextprotocol/protocolVersion": MODERN,
                    "io.modelcontextprotocol/clientCapabilities": {}, **meta}
        if meta:
            params["_meta"] = meta
        message = {"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params}
        return self.post(message, {**self.headers(message), **headers} if headers else None)

    def tools(self):
        return [tool["name"] for tool in self.request("tools/list").result["tools"]]

    def call(self, name, args=None, meta=None, approval=None):
        """tools/call; approval is the id of the hold that was approved."""
        if approval:
            meta = {**(meta or {}), "dev.ambit/approval": approval}
        return self.request("tools/call", {"name": name, "arguments": args or {}}, meta)


# --- processes ------------------------------------------------------------------------------------------


def stop_process(process, seconds=10):
    if process is None:
        return None
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


class Upstream:
    """A server behind the gateway, started by its fixture. url is its MCP address."""

    def __init__(self, command, log, pattern):
        self.log = pathlib.Path(log)
        with self.log.open("wb") as out:
            self.process = subprocess.Popen([str(a) for a in command], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        found = wait_until(lambda: re.search(pattern, self.log.read_text()) or self.ended(), f"{command[1]} to listen")
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}/mcp"

    def ended(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"it ended with {self.process.returncode}: {self.log.read_text()}")

    def get(self, path, headers=None):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            conn.request("GET", path, headers=headers or {})
            return json.loads(conn.getresponse().read())
        finally:
            conn.close()

    def stop(self):
        return stop_process(self.process, 5)


class Hostile(Upstream):
    """tests/peers/hostile_upstream.mjs"""

    def __init__(self, node, folder, name="hostile"):
        super().__init__([node, ROOT / "tests/peers/hostile_upstream.mjs"], folder / f"{name}.log",
                         r"listening (\d+)\n")

    def calls(self, tool):
        """How often the tool was really asked for."""
        return self.get("/stats")["calls"].get(tool, 0)


class Helpdesk(Upstream):
    """examples/helpdesk, with a key of its own in .key"""

    def __init__(self, node, folder, key):
        self.key = key
        self.access = folder / "helpdesk-access.jsonl"
        key_file = folder / "helpdesk.key"
        key_file.write_text(key)
        key_file.chmod(0o600)
        super().__init__([node, "--no-warnings", ROOT / "examples/helpdesk/server.mjs", "--port", "0", "--db",
                          folder / "helpdesk.db", "--key-file", key_file, "--access-log", self.access],
                         folder / "helpdesk.log", r"listens on http://[^:]+:(\d+)/mcp\n")

    def refunds(self):
        return self.get("/debug/refunds", {"X-Api-Key": self.key})

    def server(self, **more):
        """Its entry for mcpServers; the secret "helpdesk-key" must be set."""
        return {"url": self.url, "headers": {"X-Api-Key": {"secret": "helpdesk-key"}}, "operations": {
            "search_tickets": {"effect": "read"},
            "read_ticket": {"effect": "read", "args": {"ticket": "Long"}},
            "add_note": {"effect": "write", "highImpact": False},
            "refund": {"effect": "transfer", "args": {"order": "String", "amount_cents": "Long"}},
            "close_ticket": {"effect": "write"},
            "slow_report": {"effect": "read"}}, **more}


# --- the gateway ------------------------------------------------------------------------------------------


def merged(base, over):
    """over laid upon base, objects member by member; a member None removes."""
    out = copy.deepcopy(base)
    for name, value in over.items():
        if value is None:
            out.pop(name, None)
        elif isinstance(value, dict) and isinstance(out.get(name), dict):
            out[name] = merged(out[name], value)
        else:
            out[name] = value
    return out


class Gateway:
    """`ambit serve` on free ports with its own folder. Started by the fixture `gateway`.

    ann owns the agent desk and is whoever runs the tests; bob is an approver by key, after add_operator("bob")."""

    def __init__(self, binary, folder, config=None, policies=POLICY):
        self.binary, self.dir = pathlib.Path(binary), pathlib.Path(folder)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.dir.chmod(0o755)
        self.port, self.metrics_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self.state = self.dir / "state"
        self.control_path, self.agent_path = self.state / "control.sock", self.state / "agent.sock"
        self.config_path, self.log_path = self.dir / "ambit.json", self.dir / "log"
        self.home = self.dir / "home"
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.process = None
        self.controls = []
        files = policies if isinstance(policies, dict) else {"test.cedar": policies}
        (self.dir / "policies").mkdir(exist_ok=True)
        for name, text in files.items():
            (self.dir / "policies" / name).write_text(text)
        self.config = merged({
            "state": "state",
            "people": {"ann": {"roles": ["owner", "administrator"], "uid": os.getuid()},
                       "bob": {"roles": ["approver"]}},
            "agents": {"desk": {"owner": "ann", "bearer": True, "assessed": "2026-10-01", "assessedFor": "3650d",
                                "ambit": ["*/*"], "delegates": ["clerk"]},
                       "clerk": {"owner": "ann", "bearer": True, "assessed": "2026-10-01", "assessedFor": "3650d", "ambit": ["*/*"]}},
            "listen": [{"address": f"127.0.0.1:{self.port}", "bearer": True}],
            "metrics": f"127.0.0.1:{self.metrics_port}",
            "policies": ["policies/*.cedar"],
            "mcpServers": {},
        }, config or {})
        self.write_config()

    def write_config(self):
        self.config_path.write_text(json.dumps(self.config, indent=1))

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # -- life

    def start(self, ready=True, catalogues=True):
        """ready: until it answers; catalogues: until the tools of every HTTP and stdio server are known
        (True), of the named ones only (a list), or without waiting (False)."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen([self.binary, "serve", "-c", self.config_path], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=self.dir, start_new_session=True)
        if ready:
            wait_until(self.is_ready, f"the gateway to answer\n{self.log[-2000:]}")
            if catalogues is not False:
                self.wait_catalogues(None if catalogues is True else catalogues)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"the gateway ended with {self.process.returncode}:\n{self.log[-4000:]}")
        return self.get_health()[0] == 200 and self.control("status")

    def get_health(self, path="/healthz"):
        conn = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=5)
        try:
            conn.request("GET", path)
            response = conn.getresponse()
            return response.status, response.read().decode()
        finally:
            conn.close()

    def wait_catalogues(self, names=None):
        def known():
            have = self.control("status")["bindings"]
            return all(have[name] for name in (have if names is None else names))
        # Servers that need a secret are asked for their tools when a person says so, or a live task may use them.
        have = self.control("status")["bindings"]
        for name in (have if names is None else names):
            if not have[name]:
                self.control("discover", {"binding": name})
        wait_until(known, f"the tools of {names or 'all servers'}; log:\n{self.log[-2000:]}")

    def stop(self):
        """SIGTERM; returns the exit status."""
        self.close_controls()
        return stop_process(self.process)

    def kill(self):
        """SIGKILL to the supervisor and every role, as when the machine goes down."""
        self.close_controls()
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def restart(self, **how):
        self.stop()
        return self.start(**how)

    def pids(self):
        """The supervisor and everything below it, parents first."""
        found = [self.process.pid]
        for pid in found:
            try:
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    found += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                pass
        return found

    def role_pid(self, role):
        """The process of "edge", "core", "keeper" or "runner"."""
        for pid in self.pids()[1:]:
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"role" in words and role.encode() in words:
                return pid
        raise AssertionError(f"no process of the role {role}")

    # -- the ways in

    def control(self, method=None, params=None, **more):
        """control("status") asks over a kept connection; control() gives a fresh connection of its own."""
        if method is None:
            fresh = Control(self.control_path)
            self.controls.append(fresh)
            return fresh
        if not self.controls:
            self.controls.append(Control(self.control_path))
        try:
            return self.controls[0](method, params, **more)
        except OSError:
            self.close_controls()
            raise

    def close_controls(self):
        for control in self.controls:
            control.close()
        self.controls = []

    def cli(self, *args, input=None, check=True, timeout=30):
        """Runs `ambit ARGS -c CONFIG`; stdout, stderr are text. check: it must succeed."""
        done = subprocess.run([str(self.binary), *map(str, args), "-c", str(self.config_path)], cwd=self.dir,
                              input=input if input is not None else "", capture_output=True, text=True,
                              timeout=timeout, env={**os.environ, "HOME": str(self.home)})
        assert not check or done.returncode == 0, f"ambit {' '.join(map(str, args))}: {done.stdout}{done.stderr}"
        return done

    def set_secret(self, name, value):
        self.cli("secret", "set", name, input=value)

    def key_file(self, person):
        return self.home / f"{person}.key"

    def add_operator(self, person):
        self.cli("operator", "add", person, "--out", self.key_file(person))

    def approve(self, hold, person="bob", check=True):
        return self.cli("hold", "approve", hold, "--as", person, "--key", self.key_file(person), "--yes", check=check)

    def deny(self, hold, person="bob", check=True):
        return self.cli("hold", "deny", hold, "--as", person, "--key", self.key_file(person), check=check)

    def open_task(self, operations, agent="desk", purpose="system test", **more):
        """Returns the id."""
        return self.control("task.open", agent=agent, purpose=purpose, operations=operations, **more)["task"]

    def close_task(self, task, **more):
        return self.control("task.close", task=task, **more)

    def token(self, task):
        return self.control("task.token", task=task)["token"]

    def mcp(self, task=None, token=None, era=LEGACY, **more):
        """A client with the token of the task, or with a given one ("" for none)."""
        return Mcp(self.url, token if token is not None else self.token(task), era, **more)

    def trace(self, id):
        return self.control("trace", id=id)

    def verify(self):
        """`ambit ledger verify`: its CompletedProcess, which succeeded."""
        return self.cli("ledger", "verify")

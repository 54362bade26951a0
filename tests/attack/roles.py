"""Plays `ambit serve` towards real role processes, and keeps the edges' ends of the channels in its own hands.

    roles = Roles(BINARY, FOLDER, CONFIGURATION, POLICIES, SECRETS)
    edge = roles.new_edge()                        # to core and keeper it is an edge process
    edge.call(token=T, tool="help__echo")          # -> Answer(type="GO" | "REFUSED" | ..., fields)
    edge.core.send("SIGN_JWT", claims=b"{}")      # whatever no edge may say

The gateway has no switch for this: core, keeper and runner are started exactly as src/role/supervisor.c does, and
cannot tell the difference. Frames: src/os/frame.h. Messages: src/ipc/message.c; the table below is written anew from
docs/formats, so a change of either side alone is noticed.

Nothing but the standard library."""

import array
import hashlib
import hmac
import json
import os
import pathlib
import secrets
import select
import signal
import socket
import sqlite3
import struct
import subprocess
import time

ROLES = ["none", "supervisor", "edge", "core", "keeper", "runner", "workload", "portal", "fetcher", "witness",
         "publisher"]
DIRECTORIES = {"store": 1, "keys": 2, "secrets": 3}
LISTENERS = {"door": 1, "metrics": 2, "agent": 3, "control": 4, "runner": 5, "workload": 6}

# B: u8, I: u32, q: i64, s: string with a u32 before it
PROOF = [("kind", "B"), ("listener", "I"), ("conn", "q"), ("token", "s"), ("task", "s"), ("cert", "s"), ("session", "s"),
         ("endpoint", "s"), ("htm", "s"), ("dpop", "s"), ("chain", "s"), ("peer", "s")]
PEER = [("role", "B"), ("index", "I")]
TEXT = [("text", "s")]
MESSAGES = {
    "SETUP": (1, [("index", "I"), ("config_name", "s"), ("config_dir", "s"), ("config", "s"), ("policies", "s"),
                  ("keeper_key", "s"), ("runner_key", "s"), ("addresses", "s"), ("runner_socket", "s"), ("tls", "s"),
                  ("upstream_tls", "s"), ("seal_key", "s"), ("uid", "q"), ("child_uid", "q"), ("own_uid", "q"),
                  ("started_us", "q")]),
    "LISTENER": (2, [("kind", "B"), ("index", "I")]),
    "PEER": (3, PEER),
    "DIRECTORY": (4, [("kind", "B")]),
    "START": (5, []), "DRAIN": (6, []), "READY": (7, []), "DRAINED": (8, []),
    "ACCUSE": (9, PEER),
    "CALL": (20, PROOF + [("tool", "s"), ("args", "s"), ("approval", "s"), ("session_era", "s")]),
    "LIST": (21, PROOF),
    "SESSION_OPEN": (22, PROOF + [("version", "s")]),
    "SESSION_END": (23, PROOF + [("version", "s")]),
    "OUTCOME": (24, [("call", "s"), ("status", "B"), ("http_status", "I"), ("bytes", "q"), ("rows", "q"),
                     ("tokens", "q"), ("upstream_us", "q"), ("first_us", "q"),
                     ("result_digest", "s"), ("error", "s")]),
    "CATALOG": (25, [("binding", "s"), ("definitions", "s"), ("error", "s")]),
    "CONN_CLOSED": (26, [("conn", "q")]),
    "METRICS": (27, []),
    "GO": (40, [("call", "s"), ("task", "s"), ("binding", "s"), ("tool", "s"), ("voucher", "s"), ("run_voucher", "s"),
                ("answer_wait_ms", "q"), ("txn", "s"), ("hold_answer", "B")]),
    "OUTCOME_RECORDED": (160, []),
    "REFUSED": (41, [("call", "s"), ("kind", "B"), ("text", "s"), ("policies", "s"), ("hold", "s"),
                     ("expires_ms", "q"), ("auth_error", "s"), ("dpop_nonce", "s")]),
    "RESULT": (42, [("call", "s"), ("result", "s")]),
    "LIST_ANSWER": (43, [("tools", "s")]),
    "SESSION_ANSWER": (44, [("session", "s")]),
    "CONN": (45, [("conn", "q"), ("agent", "s")]),
    "CUT": (46, [("task", "s")]),
    "DISCOVER": (47, [("binding", "s"), ("voucher", "s"), ("run_voucher", "s")]),
    "METRICS_ANSWER": (48, TEXT),
    "RELEASE": (60, [("voucher", "s")]),
    "SECRET": (61, [("values", "s")]),
    "NO_SECRET": (62, TEXT),
    "KEYS": (70, [("token_jwks", "s"), ("txn_jwks", "s"), ("checkpoint_vkey", "s")]),
    "SIGNED_TOKEN": (72, TEXT),
    "SIGN_CHECKPOINT": (73, [("size", "q"), ("root", "s")]),
    "SIGNED_CHECKPOINT": (74, TEXT),
    "NOT_SIGNED": (75, TEXT),
    "SECRETS_CHANGED": (76, []),
    "STOP_CHILD": (80, [("task", "s"), ("at_once", "B")]),
    "CUT_DONE": (140, [("streams", "I"), ("calls", "I")]),
    "CHILD_STOPPED": (141, [("programs", "I")]),
    "FETCH": (110, [("source", "s"), ("what", "B"), ("url", "s"), ("form", "s"), ("roots", "s")]),
    "FETCHED": (111, [("source", "s"), ("status", "I"), ("document", "s"), ("error", "s")]),
    "WORKLOAD_CONN": (100, [("conn", "q"), ("spiffe_id", "s")]),
    "WORKLOAD_END": (101, [("conn", "q")]),
    "WORKLOAD_BUNDLES": (102, [("bundles", "s"), ("refresh_s", "q")]),
    "WORKLOAD_GIVEN": (103, [("svid", "s"), ("not_after_s", "q")]),
    "WORKLOAD_REFUSED": (104, [("kind", "B"), ("text", "s")]),
    "WORKLOAD_ASK": (105, [("conn", "q"), ("want", "B"), ("of", "s")]),
    "WORKLOAD_CLOSED": (106, [("conn", "q")]),
    "LOOK": (107, [("sha256", "B")]),
    "LOOKED": (108, [("path", "s"), ("sha256", "s"), ("why", "s")]),
    "LOG_HAVE": (150, [("size", "q")]),
    "LOG_LEAVES": (151, [("first", "q"), ("entries", "s")]),
    "LOG_CHECKPOINT": (152, [("size", "q"), ("note", "s")]),
    "LOG_PUBLISHED": (153, [("size", "q"), ("why", "s")]),
    "PEOPLE_ASK": (130, [("session", "s"), ("line", "s")]),
    "PEOPLE_ANSWER": (131, TEXT),
    "OAUTH": (120, PROOF + [("endpoint_kind", "B"), ("form", "s")]),
    "OAUTH_ANSWER": (121, [("status", "I"), ("body", "s"), ("fields", "s")]),
    "SIGN_JWT": (90, [("kind", "B"), ("claims", "s")]),
    "SIGN_X509": (91, [("spiffe_id", "s"), ("spki", "s"), ("life_s", "q")]),
    "SIGNED_X509": (92, [("chain", "s"), ("not_after_s", "q")]),
    "BUNDLE": (93, [("jwks", "s"), ("roots", "s"), ("sequence", "q")]),
    "ROTATE": (94, [("kind", "B"), ("revoke", "B")]),
    "ROTATED": (95, [("old_kid", "s"), ("new_kid", "s"), ("sequence", "q")]),
    "TRUST": (96, [("anchors", "s"), ("document", "s"), ("sequence", "q"), ("refresh_s", "q")]),
    "SVID_WANTED": (97, [("listener", "I"), ("spki", "s")]),
    "SVID": (98, [("listener", "I"), ("chain", "s"), ("not_after_s", "q")]),
}
NAMES = {number: name for name, (number, _) in MESSAGES.items()}
PROOF_NONE, PROOF_TOKEN, PROOF_CONN = 0, 1, 2
OK, UPSTREAM_ERROR, REFUSED, NOT_SENT, UNKNOWN = 1, 2, 3, 4, 5
UNAUTHENTICATED, SESSION, DENIED, HELD, INPUT, UNKNOWN_TOOL, UNAVAILABLE = 1, 2, 3, 4, 5, 6, 7


def octets(value):
    return value if isinstance(value, (bytes, bytearray)) else str(value).encode()


def pack_str(value):
    return struct.pack("<I", len(octets(value))) + octets(value)


def pack_run(values):
    return b"".join(map(pack_str, values))


def unpack_run(data):
    out = []
    while data:
        n, = struct.unpack_from("<I", data)
        out.append(data[4:4 + n])
        data = data[4 + n:]
    return out


def pack(name, fields):
    known = [field for field, _ in MESSAGES[name][1]]
    assert set(fields) <= set(known), f"{name} has no {set(fields) - set(known)}"
    out = b""
    for field, kind in MESSAGES[name][1]:
        out += pack_str(fields.get(field, b"")) if kind == "s" else struct.pack("<" + kind, fields.get(field, 0))
    return out


def unpack(name, data):
    out, at = {}, 0
    for field, kind in MESSAGES[name][1]:
        if kind == "s":
            n, = struct.unpack_from("<I", data, at)
            out[field] = data[at + 4:at + 4 + n]
            at += 4 + n
        else:
            out[field], = struct.unpack_from("<" + kind, data, at)
            at += struct.calcsize("<" + kind)
    assert at == len(data), f"{len(data) - at} bytes too many in {name}"
    return out


def frame(number, payload=b"", id=0, flags=0, size=None):
    return struct.pack("<IHHQ", len(payload) if size is None else size, number, flags, id) + payload


class Answer:
    def __init__(self, type, id, fields, fd=None):
        self.type, self.id, self.fields, self.fd = type, id, fields, fd

    def __getitem__(self, field):
        return self.fields[field]

    def __repr__(self):
        return f"{self.type} {self.fields}"


class Channel:
    """One end of a channel between two roles."""

    def __init__(self, sock):
        self.sock, self.buffer, self.fds = sock, b"", []
        self.waiting = []  # read, and not asked for yet
        self.last_id = 0

    def new_id(self):
        self.last_id += 1
        return self.last_id

    def raw(self, data, fds=()):
        """False if the other side has closed."""
        try:
            extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            sent = self.sock.sendmsg([data], extra, socket.MSG_NOSIGNAL)
            while sent < len(data):
                if not select.select([], [self.sock], [], 10)[1]:
                    raise AssertionError("the role does not read")
                sent += self.sock.send(data[sent:], socket.MSG_NOSIGNAL)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def send(self, name, id=0, fd=None, **fields):
        return self.raw(frame(MESSAGES[name][0], pack(name, fields), id, 1 if fd is not None else 0),
                        [fd] if fd is not None else [])

    def receive(self, seconds=10.0):
        """The next message; None once the channel has ended. AssertionError if none comes."""
        end = time.monotonic() + seconds
        while True:
            if len(self.buffer) >= 16:
                size, number, flags, id = struct.unpack_from("<IHHQ", self.buffer)
                if len(self.buffer) >= 16 + size:
                    payload, self.buffer = self.buffer[16:16 + size], self.buffer[16 + size:]
                    if NAMES[number] == "CUT" and id:  # its number is core's own, and core waits for the answer
                        self.send("CUT_DONE", id, streams=0, calls=0)
                        id = 0
                    return Answer(NAMES[number], id, unpack(NAMES[number], payload),
                                  self.fds.pop(0) if flags & 1 else None)
            if not select.select([self.sock], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"no message in {seconds} s")
            try:
                data, fds, _, _ = socket.recv_fds(self.sock, 1 << 20, 4)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.buffer += data
            self.fds += fds

    def wait_for(self, want, seconds=10.0):
        """The first message, kept or new, for which want(message); others are kept. None at the end."""
        for i, message in enumerate(self.waiting):
            if want(message):
                return self.waiting.pop(i)
        end = time.monotonic() + seconds
        while True:
            message = self.receive(max(0, end - time.monotonic()))
            if message is None or want(message):
                return message
            self.waiting.append(message)

    def ask(self, name, seconds=10.0, **fields):
        id = self.new_id()
        if not self.send(name, id, **fields):
            return None
        return self.wait_for(lambda m: m.id == id, seconds)

    def drain(self, seconds=0.2):
        """Everything that comes within this time, kept messages first."""
        out, self.waiting = self.waiting, []
        try:
            while (message := self.receive(seconds)) is not None:
                out.append(message)
        except AssertionError:
            pass
        return out

    def is_closed(self, seconds=5.0):
        try:
            while (message := self.receive(seconds)) is not None:
                self.waiting.append(message)
        except AssertionError:
            return False
        return True

    def close(self):
        self.sock.close()


class Edge:
    """What core and keeper take for one edge process."""

    def __init__(self, roles, index, core, keeper):
        self.roles, self.index, self.core, self.keeper = roles, index, core, keeper

    def proof(self, token=None, conn=None, task=b"", session=b"", cert=b"", listener=0, kind=None, endpoint=b"", dpop=b""):
        if kind is None:
            kind = PROOF_TOKEN if token is not None else PROOF_CONN if conn is not None else PROOF_NONE
        return {"kind": kind, "listener": listener, "conn": conn or 0, "token": token or b"", "task": task,
                "session": session, "cert": cert, "endpoint": endpoint, "htm": b"POST", "dpop": dpop, "peer": b""}

    def call(self, tool="help__echo", args=b"{}", approval=b"", seconds=10.0, **proof):
        return self.core.ask("CALL", seconds, tool=tool, args=args, approval=approval,
                             session_era=b"2025-11-25", **self.proof(**proof))

    def list(self, **proof):
        return self.core.ask("LIST", **self.proof(**proof))

    def open_session(self, **proof):
        return self.core.ask("SESSION_OPEN", version=b"2025-11-25", **self.proof(**proof))

    def outcome(self, call, status=OK, error=b""):
        return self.core.send("OUTCOME", call=call, status=status, http_status=200, bytes=1, error=error)

    def release(self, voucher, seconds=10.0):
        return self.keeper.ask("RELEASE", seconds, voucher=voucher)

    def catalogue(self, binding, names):
        definitions = [{"name": n, "description": f"Does {n}", "inputSchema": {"type": "object"}} for n in names]
        return self.core.send("CATALOG", binding=binding, definitions=json.dumps(definitions))

    def close(self):
        self.core.close()
        self.keeper.close()


class Process:
    def __init__(self, binary, role, log):
        ours, theirs = socket.socketpair()
        null = os.open(os.devnull, os.O_RDWR)
        actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1),
                   (os.POSIX_SPAWN_DUP2, log.fileno(), 2), (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)]
        self.role = role
        self.pid = os.posix_spawn(str(binary), ["ambit", "role", role], {}, file_actions=actions)
        os.close(null)
        theirs.close()
        self.channel = Channel(ours)
        self.status = None

    def is_alive(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return self.status is None

    def end(self, sig=signal.SIGKILL):
        if self.is_alive():
            os.kill(self.pid, sig)
            _, self.status = os.waitpid(self.pid, 0)
        self.channel.close()


class Roles:
    """Core, keeper and runner, and any number of edges that we are."""

    def __init__(self, binary, folder, config, policies, secret_values):
        self.dir = pathlib.Path(folder)
        self.state = self.dir / "state"
        self.config = {**config, "state": "state", "uidBase": 0, "policies": ["all.cedar"]}
        self.config_path = self.dir / "ambit.json"
        self.config_path.write_text(json.dumps(self.config))
        (self.dir / "all.cedar").write_text(policies)
        self.keeper_key, self.runner_key = secrets.token_bytes(32), secrets.token_bytes(32)
        for name, value in secret_values.items():
            subprocess.run([str(binary), "secret", "set", name, "-c", str(self.config_path)], input=value.encode(),
                           check=True, capture_output=True)
        for name in ("store", "keys", "secrets", "run", "children"):
            (self.state / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log_path = self.dir / "log"
        self.log = self.log_path.open("ab")
        self.runner_socket = self.state / "run/runner.sock"
        self.edges = 0
        self.processes = {role: Process(binary, role, self.log) for role in ("keeper", "core", "runner")}
        for role in self.processes:
            self.setup(role, policies)
        for a, b in (("core", "keeper"), ("core", "runner"), ("runner", "keeper")):
            self.link(a, b)
        for process in self.processes.values():
            process.channel.send("START")
        for process in self.processes.values():
            ready = process.channel.receive(20)
            assert ready and ready.type == "READY", f"{process.role} did not start:\n{self.log_text()}"

    def setup(self, role, policies):
        channel = self.processes[role].channel
        channel.send("SETUP", config_name=str(self.config_path), config_dir=str(self.dir),
                     config=json.dumps(self.config), runner_socket=str(self.runner_socket), uid=-1, child_uid=-1,
                     own_uid=os.getuid(), policies=pack_run(["all.cedar", policies]) if role == "core" else b"",
                     keeper_key=self.keeper_key if role in ("core", "keeper") else b"",
                     runner_key=self.runner_key if role in ("core", "runner") else b"")
        for kind, owner, path in (("agent", "core", "agent.sock"), ("control", "core", "control.sock"),
                                  ("runner", "runner", "run/runner.sock"), ("workload", "core", "workload.sock")):
            if owner == role and (kind != "workload" or "identity" in self.config):
                with socket.socket(socket.AF_UNIX) as s:
                    s.bind(str(self.state / path))
                    s.listen()
                    channel.send("LISTENER", kind=LISTENERS[kind], fd=s.fileno())
        for kind, owner in (("store", "core"), ("keys", "keeper"), ("secrets", "keeper")):
            if owner == role:
                fd = os.open(self.state / kind, os.O_RDONLY | os.O_DIRECTORY)
                channel.send("DIRECTORY", kind=DIRECTORIES[kind], fd=fd)
                os.close(fd)

    def link(self, a, b, a_index=0, b_index=0):
        x, y = socket.socketpair()
        self.processes[a].channel.send("PEER", role=ROLES.index(b), index=b_index, fd=x.fileno())
        self.processes[b].channel.send("PEER", role=ROLES.index(a), index=a_index, fd=y.fileno())
        x.close()
        y.close()

    def new_edge(self):
        """A new edge process, as after a restart."""
        self.edges += 1
        ends = []
        for role in ("core", "keeper"):
            ours, theirs = socket.socketpair()
            ours.setblocking(True)
            self.processes[role].channel.send("PEER", role=ROLES.index("edge"), index=self.edges, fd=theirs.fileno())
            theirs.close()
            ends.append(Channel(ours))
        return Edge(self, self.edges, *ends)

    def new_peer(self, role):
        """Core's channel to a new process of this role, which we are."""
        ours, theirs = socket.socketpair()
        self.processes["core"].channel.send("PEER", role=ROLES.index(role), index=0, fd=theirs.fileno())
        theirs.close()
        return Channel(ours)

    def is_accused(self, edge, by, seconds=5.0, role="edge"):
        """True once that role has accused this edge, or whatever is of that role."""
        try:
            message = self.processes[by].channel.wait_for(
                lambda m: m.type == "ACCUSE" and ROLES[m["role"]] == role and (not edge or m["index"] == edge.index),
                seconds)
        except AssertionError:
            return False
        return message is not None

    def dead(self):
        return [role for role, process in self.processes.items() if not process.is_alive()]

    def log_text(self):
        return self.log_path.read_text(errors="replace")

    # -- what the owner does, on the control socket

    def control(self, method, **params):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(str(self.state / "control.sock"))
            lines = s.makefile("rb")
            lines.readline()
            s.sendall(json.dumps({"id": 1, "method": method, "params": params}).encode() + b"\n")
            answer = json.loads(lines.readline())
        assert "result" in answer, f"{method}: {answer}"
        return answer["result"]

    def open_task(self, operations, agent="desk", calls=10000):
        return self.control("task.open", agent=agent, purpose="attack", operations=operations, calls=calls)["task"]

    def token(self, task):
        return self.control("task.token", task=task)["token"]

    def agent_connection(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(self.state / "agent.sock"))
        return s

    def voucher(self, kind=1, call=None, digest=None, expires_ms=None, binding="help", secret="*", key=None, version=1):
        """A voucher as core makes them (src/crypto/voucher.h); with the right key unless another is given."""
        expires_ms = int(time.time() * 1000) + 20000 if expires_ms is None else expires_ms
        call = call or "c" + "".join(secrets.choice("0123456789abcdefghjkmnpqrstvwxyz") for _ in range(26))
        body = bytes([version, kind]) + octets(call) + (digest or bytes(32)) + struct.pack(">q", expires_ms)
        for name in (binding, secret):
            body += bytes([len(name)]) + name.encode().ljust(64, b"\0")
        assert len(body) == 199
        mac = hmac.new(self.keeper_key if key is None else key, b"ambit voucher v1\0" + body, hashlib.sha256).digest()
        return body + mac

    # -- the record

    def leaves(self):
        """All leaves of the ledger that are durable."""
        time.sleep(0.1)
        path, = (self.state / "store").glob("*.db")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as db:
            return [json.loads(body) for body, in db.execute("SELECT body FROM leaf ORDER BY idx")]

    def close(self):
        for role in ("runner", "core", "keeper"):
            self.processes[role].end()
        self.log.close()

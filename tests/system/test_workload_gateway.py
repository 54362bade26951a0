"""The SPIFFE Workload API of the real gateway, used by @grpc/grpc-js: SVIDs that openssl verifies, pushes, and what
ends them. The machine alone is in test_workload_api.py."""

import base64
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import harness
from harness import ROOT, wait_until

OK, INVALID, DENIED, UNIMPLEMENTED, UNAVAILABLE = 0, 3, 7, 12, 14
POLICY = harness.POLICY + """
@id("people-suspend")
permit (principal is Ambit::Human, action in [Ambit::Action::"suspend", Ambit::Action::"resume"], resource);
"""
CLIENT = ROOT / "tests/peers/workload_client.mjs"


def openssl(*words, input=None):
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, input=input).stdout


class Client:
    """A process of workload_client.mjs."""

    def __init__(self, node, socket, *words, run=(), **more):
        self.process = subprocess.Popen([str(w) for w in (*run, node, CLIENT, socket, *words)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def line(self):
        text = self.process.stdout.readline()
        assert text, self.process.stderr.read()
        return json.loads(text)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def house(gateway, node):
    """house(identity={}, **agents) -> a gateway with a Workload API, and .client(*words), .ask(METHOD, REQUEST)"""
    made = []

    def make(identity=None, run=(), **agents):
        ready = {name: {"owner": "ann", "assessed": "2026-10-01", **a} for name, a in agents.items()}
        g = gateway(policies=POLICY, identity={"workloadSocket": "workload.sock", **(identity or {})}, agents=ready)
        g.workload = g.dir / "workload.sock"

        def client(*words, run=(), **more):
            made.append(Client(node, g.workload, *words, run=run, **more))
            return made[-1]

        def ask(method, request=None, header="true", **more):
            c = client("call", method, json.dumps(request or {}), header, **more)
            out, errors = c.process.communicate(timeout=60)
            assert out, errors
            return json.loads(out)

        g.client, g.ask = client, ask
        return g

    yield make
    for c in made:
        c.end()


ME = {"select": {"uid": os.getuid()}}


def der(text):
    return base64.b64decode(text)


def save_pem(path, data):
    path.write_bytes(b"")
    rest = data
    while rest:  # certificates one after another
        length = int.from_bytes(rest[2:4], "big") + 4
        path.write_bytes(path.read_bytes() + openssl("x509", "-inform", "DER", input=rest[:length]))
        rest = rest[length:]
    return path


def check_svid(folder, svid):
    """As openssl sees it. Returns the SPIFFE ID in the certificate."""
    chain = der(svid["x509_svid"])
    leaf = chain[:int.from_bytes(chain[2:4], "big") + 4]
    save_pem(folder / "root.pem", der(svid["bundle"]))
    save_pem(folder / "chain.pem", chain[len(leaf):])
    save_pem(folder / "leaf.pem", leaf)
    for purpose in ("sslclient", "sslserver"):
        openssl("verify", "-purpose", purpose, "-CAfile", folder / "root.pem", "-untrusted", folder / "chain.pem",
                folder / "leaf.pem")
    public = openssl("pkey", "-inform", "DER", "-pubout", input=der(svid["x509_svid_key"]))
    assert public == openssl("x509", "-in", folder / "leaf.pem", "-pubkey", "-noout")
    text = openssl("x509", "-in", folder / "leaf.pem", "-noout", "-ext", "subjectAltName").decode()
    return text.split("URI:")[1].strip()


def serial(svid):
    return openssl("x509", "-inform", "DER", "-noout", "-serial", input=der(svid["x509_svid"]))


def test_x509_svid_is_one_that_openssl_verifies(house, tmp_path):
    g = house(a=ME)
    c = g.client("watch", "FetchX509SVID")
    [svid] = c.line()["answer"]["svids"]
    name = check_svid(tmp_path, svid)
    assert name == svid["spiffe_id"]
    assert name.startswith(f"spiffe://ambit.local/agent/a/pid-{c.process.pid}-")


def test_bundles(house):
    g = house(a=ME)
    [svid] = g.ask("FetchX509SVID")["answer"]["svids"]
    assert g.ask("FetchX509Bundles")["answer"]["bundles"] == {"spiffe://ambit.local": svid["bundle"]}
    jwks = json.loads(der(g.ask("FetchJWTBundles")["answer"]["bundles"]["spiffe://ambit.local"]))
    assert jwks["keys"] and all(k["use"] == "jwt-svid" and k["kid"] for k in jwks["keys"])


def test_jwt_svid(house):
    g = house(a=ME)
    answer = g.ask("FetchJWTSVID", {"audience": ["db"]})
    [svid] = answer["answer"]["svids"]
    claims = json.loads(base64.urlsafe_b64decode(svid["svid"].split(".")[1] + "=="))
    assert claims["sub"] == svid["spiffe_id"] and claims["aud"] == "db"
    assert 290 <= claims["exp"] - time.time() <= 301
    valid = g.ask("ValidateJWTSVID", {"audience": "db", "svid": svid["svid"]})
    assert valid["code"] == OK and valid["answer"]["spiffe_id"] == svid["spiffe_id"]
    assert g.ask("ValidateJWTSVID", {"audience": "other", "svid": svid["svid"]})["code"] == INVALID
    assert g.ask("ValidateJWTSVID", {"audience": "db", "svid": svid["svid"][:-8] + "AAAAAAAA"})["code"] == INVALID
    assert g.ask("FetchJWTSVID", {"audience": []})["code"] == INVALID
    assert g.ask("FetchJWTSVID", {"audience": ["db"], "spiffe_id": "spiffe://ambit.local/agent/b/1"})["code"] == DENIED
    [two] = g.ask("FetchJWTSVID", {"audience": ["db", "queue"]})["answer"]["svids"]
    assert g.ask("ValidateJWTSVID", {"audience": "queue", "svid": two["svid"]})["code"] == OK


def test_one_token_for_one_audience_until_half_of_its_life(house):
    g = house(a=ME)
    c = g.client("tokens", 3, "db")
    first, again, third = (c.line()["svid"] for _ in range(3))
    assert first == again == third
    assert g.client("tokens", 1, "db").line()["svid"] != first  # of another process


def test_wit_svid_behind_its_switch(house):
    g = house(a=ME)
    assert g.ask("FetchWITSVID")["code"] == UNIMPLEMENTED
    assert g.ask("FetchWITBundles")["code"] == UNIMPLEMENTED
    g = house(identity={"wit": True}, a=ME)
    [svid] = g.ask("FetchWITSVID")["answer"]["svids"]
    head, claims = (json.loads(base64.urlsafe_b64decode(p + "==")) for p in svid["wit_svid"].split(".")[:2])
    key = json.loads(svid["wit_svid_key"])
    assert head["typ"] == "wit+jwt" and head["kid"]
    assert claims["sub"] == svid["spiffe_id"] and "aud" not in claims
    assert {k: claims["cnf"]["jwk"][k] for k in ("kty", "crv", "x", "y", "alg")} == {
        k: key[k] for k in ("kty", "crv", "x", "y", "alg")}
    # The private key is the one that the token names: it signs, and the public one verifies.
    assert len(base64.urlsafe_b64decode(key["d"] + "==")) == 32
    bundle = g.ask("FetchWITBundles")["answer"]["bundles"]["spiffe://ambit.local"]
    assert head["kid"] in [k["kid"] for k in json.loads(bundle if bundle[0] == "{" else der(bundle))["keys"]]


def test_rotation_is_pushed_at_half_life_with_a_new_key(house, tmp_path):
    g = house(identity={"x509Life": "10s", "refreshHint": "1s", "caLife": "60s", "rootLife": "1h"}, a=ME)
    c = g.client("watch", "FetchX509SVID")
    seen = []
    begin = time.monotonic()
    while len({s["x509_svid"] for s in seen}) < 3:
        [svid] = c.line()["answer"]["svids"]
        check_svid(tmp_path, svid)
        seen.append(svid)
        assert time.monotonic() - begin < 30
    assert len({s["x509_svid_key"] for s in seen}) == len({s["x509_svid"] for s in seen})
    assert len({s["spiffe_id"] for s in seen}) == 1


def test_who_is_no_agent_gets_permission_denied(house):
    g = house(a={"select": {"uid": 61001}})
    for method in ("FetchX509SVID", "FetchX509Bundles", "FetchJWTBundles"):
        assert g.ask(method)["code"] == DENIED
    assert g.ask("FetchJWTSVID", {"audience": ["x"]})["code"] == DENIED


def test_suspended_agent_gets_permission_denied(house):
    assert house(a={**ME, "suspended": True}).ask("FetchX509SVID")["code"] == DENIED


def test_suspension_ends_streams(house):
    g = house(a=ME)
    c = g.client("watch", "FetchX509SVID")
    assert c.line()["answer"]["svids"]
    g.control("agent.suspend", agent="a", reason="test")
    begin = time.monotonic()
    assert c.line()["code"] == DENIED
    assert time.monotonic() - begin < 3
    assert g.ask("FetchX509SVID")["code"] == DENIED
    g.control("agent.resume", agent="a", reason="test")
    assert g.ask("FetchX509SVID")["code"] == OK


def test_revocation_ends_streams(house):
    g = house(a=ME, b={"select": {"uid": 61001}})
    [svid] = g.ask("FetchJWTSVID", {"audience": ["x"]})["answer"]["svids"]
    c = g.client("watch", "FetchX509SVID")
    assert c.line()["answer"]["svids"]
    g.control("identity.revoke", kind="id", name="spiffe://ambit.local/agent/a", reason="test")
    assert c.line()["code"] == DENIED
    assert g.ask("FetchX509SVID")["code"] == DENIED
    # Its token is not valid any more for who asks; who asks must be an agent himself.
    setpriv = ["setpriv", "--reuid", "61001", "--regid", "61001", "--clear-groups"]
    got = g.ask("ValidateJWTSVID", {"audience": "x", "svid": svid["svid"]}, run=setpriv)
    assert got["code"] == INVALID and "revoked" in got["details"], got


def test_launched_program_has_the_id_of_its_launch(house, ambit_binary, node, tmp_path):
    g = house(a={"launch": {"uid": os.getuid()}})
    assert g.ask("FetchX509SVID")["code"] == DENIED
    run = [ambit_binary, "run", "--socket", g.state / "launch.sock", "--"]
    ids = set()
    for _ in range(2):
        [svid] = g.ask("FetchX509SVID", run=run)["answer"]["svids"]
        ids.add(svid["spiffe_id"])
    assert len(ids) == 2 and all(i.startswith("spiffe://ambit.local/agent/a/l") for i in ids)
    env = subprocess.run([str(w) for w in (*run, "env")], capture_output=True, text=True, check=True).stdout
    assert f"SPIFFE_ENDPOINT_SOCKET=unix://{g.workload}\n" in env


def test_restarts_of_roles(house):
    g = house(a=ME)
    for role in ("workload", "keeper", "core"):
        os.kill(g.role_pid(role), signal.SIGKILL)
        wait_until(lambda: g.ask("FetchX509SVID")["code"] == OK, f"SVIDs after the end of {role}", 30, 0.2)


# --- adversarial: each must be refused, and nobody else may suffer ----------------------------------------------


class Http2:
    """tests/peers/workload_http2.mjs"""

    def __init__(self, process):
        self.process = process

    def line(self):
        text = self.process.stdout.readline()
        return json.loads(text) if text else {"ended": True, "bytes": 0}

    def start(self, method, **more):
        self.process.stdin.write(json.dumps({"method": method, **more}) + "\n")
        self.process.stdin.flush()

    def call(self, method, **more):
        """What it comes to at its end."""
        self.start(method, **more)
        while True:
            answer = self.line()
            if "bytes" in answer or "ended" in answer:
                return answer

    def end(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def http2(node):
    made = []

    def make(where, run=()):
        process = subprocess.Popen([str(w) for w in (*run, node, ROOT / "tests/peers/workload_http2.mjs", where)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        made.append(Http2(process))
        return made[-1]

    yield make
    for h in made:
        h.end()


def grpc_body(message):
    return base64.b64encode(b"\0" + len(message).to_bytes(4, "big") + message).decode()


def test_headers_and_bodies(house, http2):
    g = house(a=ME)
    h = http2(g.workload)
    for headers, http, grpc in [
            ({"workload.spiffe.io": None}, 200, INVALID),
            ({"workload.spiffe.io": "True"}, 200, INVALID),
            ({"workload.spiffe.io": "true "}, None, None),
            ({"workload.spiffe.io": ["true", "true"]}, 200, INVALID),
            ({"content-type": "application/json"}, 415, None),
            ({"content-type": "application/grpc-web"}, 415, None),
            ({":method": "GET"}, 405, None),
            ({"te": None}, 400, None)]:
        got = h.call("FetchJWTSVID", headers=headers, body=grpc_body(b"\x0a\x01a"))
        if http is None:  # trimmed by a client or refused; never an answer
            assert got.get("grpc") != "0" or got["bytes"], got
            continue
        assert got.get("http") == http, (headers, got)
        if grpc is not None:
            assert got["grpc"] == str(grpc), (headers, got)
    assert h.call("FetchJWTSVID", body=grpc_body(b"\x0a\xff\xff\x02" + b"a" * 40000))["grpc"] == "8"  # over the limit
    assert h.call("FetchJWTSVID", body=grpc_body(b"\xff\xff\xff"))["grpc"] == str(INVALID)
    assert h.call("NoSuchMethod")["grpc"] == str(UNIMPLEMENTED)
    assert h.call("FetchJWTSVID", body=grpc_body(b"\x0a\x01a"))["grpc"] == "0"


INHERIT = """
import os, signal, socket, subprocess, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
os.set_inheritable(s.fileno(), True)
command = [*sys.argv[3:], f"fd:{s.fileno()}"]
if sys.argv[2] == "exec":
    while not os.path.exists(os.environ["GO"]):  # not before core has seen who connects
        time.sleep(0.01)
    os.execv(command[0], command)
subprocess.Popen(command, close_fds=False)
signal.pause()
"""


def test_inherited_socket_ends_with_who_connected(house, http2, tmp_path):
    g = house(a=ME)
    (tmp_path / "inherit.py").write_text(INHERIT)
    h = http2("", run=["/usr/bin/python3", tmp_path / "inherit.py", g.workload, "fork"])
    # The last word, "", is the address; the script puts its own behind it.
    assert h.call("FetchJWTSVID", body=grpc_body(b"\x0a\x01a"))["grpc"] == "0"
    h.start("FetchX509SVID")
    while "first" not in h.line():
        pass
    h.process.kill()  # who connected; its child still has the socket, and our pipes
    answer = h.line()
    assert answer["grpc"] == str(DENIED), answer
    assert h.call("FetchJWTSVID", body=grpc_body(b"\x0a\x01a")).get("grpc") in (str(DENIED), None)


def test_exec_into_another_program(house, http2, node, tmp_path):
    mine = tmp_path / "agentpy"
    mine.write_bytes(pathlib.Path(os.path.realpath("/usr/bin/python3")).read_bytes())
    mine.chmod(0o755)
    g = house(a={"select": {"path": str(mine)}}, b={"select": {"path": os.path.realpath(node)}})
    (tmp_path / "inherit.py").write_text(INHERIT)
    # The connection is of agentpy, and by the time of the request the process is node, which is another agent.
    h = http2("", run=["env", f"GO={tmp_path / 'go'}", mine, tmp_path / "inherit.py", g.workload, "exec"])
    wait_until(lambda: "process attested" in g.log, "core to see who connects")
    (tmp_path / "go").touch()
    got = h.call("FetchX509SVID")
    # Core may have looked again before it asked: then the connection is over.
    assert got["bytes"] == 0 and (got.get("grpc") == str(DENIED) or got.get("error")), got
    assert "another program or another user by now" in g.log
    [svid] = g.ask("FetchX509SVID")["answer"]["svids"]
    assert "/agent/b/" in svid["spiffe_id"]


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name, value):
    """HPACK, without Huffman codes and without indexing."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


DATA, HEADERS, RST, SETTINGS, PING = 0, 1, 3, 4, 6
END_STREAM, END_HEADERS = 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)


def request(stream, method="FetchX509Bundles"):
    fields = [(":method", "POST"), (":scheme", "http"), (":path", f"/SpiffeWorkloadAPI/{method}"),
              (":authority", "x"), ("content-type", "application/grpc"), ("te", "trailers"),
              ("workload.spiffe.io", "true")]
    return (frame(HEADERS, END_HEADERS, stream, b"".join(literal(*f) for f in fields)) +
            frame(DATA, END_STREAM, stream, bytes(5)))


class Raw:
    """Bytes of our choice. The attested process is this one."""

    def __init__(self, g, more=b""):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(g.workload))
        self.was_reset = False  # a stream of ours
        self.send(PREFACE + more)

    def send(self, data):
        self.sock.sendall(data)

    def is_closed(self, seconds):
        """Reads whatever comes until the end."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                self.sock.settimeout(max(0.01, end - time.monotonic()))
                data = self.sock.recv(65536)
                self.was_reset |= b"\0\0\4\3\0\0\0\0\1" in data
                if not data:
                    return True
        except ConnectionError:
            return True
        except TimeoutError:
            pass
        return False

    def close(self):
        self.sock.close()


def pss(pid):
    """KB"""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1])


def hostile_bytes():
    bomb = literal("x-a", "a" * 120)
    yield "rapid reset", b"".join(request(1 + 2 * i) + frame(RST, 0, 1 + 2 * i, (8).to_bytes(4, "big"))
                                  for i in range(2000))
    # One large field in the dynamic table, referred to a thousand times.
    table = b"\x40" + bytes([3]) + b"x-a" + b"\x7f\xa1\x1e" + b"a" * 4000
    yield "HPACK bomb", frame(HEADERS, END_HEADERS, 1, table + b"\xbe" * 12000)
    yield "headers without an end", b"".join([frame(HEADERS, 0, 1, bomb)] + [frame(9, 0, 1, bomb * 100)] * 200)
    yield "flood of PING", frame(PING, 0, 0, bytes(8)) * 60000
    yield "flood of SETTINGS", frame(SETTINGS, 0, 0, b"\0\3\0\0\0\1") * 60000
    yield "a frame over the limit", frame(DATA, 0, 1, bytes(20000)) * 2
    yield "no HTTP/2", b"GET / HTTP/1.1\r\n\r\n" * 10


@pytest.mark.parametrize("name", [name for name, _ in hostile_bytes()])
def test_hostile_bytes_end_the_connection(house, name):
    g = house(a=ME)
    role = g.role_pid("workload")
    before = pss(role)
    raw = Raw(g)
    try:
        raw.send(dict(hostile_bytes())[name])
    except (ConnectionError, TimeoutError):
        pass  # it was cut while we wrote
    assert raw.is_closed(3 if name == "HPACK bomb" else 15) or (name == "HPACK bomb" and raw.was_reset)
    raw.close()
    assert g.role_pid("workload") == role
    assert pss(role) < before + 4096
    assert g.ask("FetchX509SVID")["code"] == OK


def test_slow_reader(house):
    """A hundred streams that are never read, on ten connections: small windows, full socket, no reader."""
    g = house(a=ME)
    role = g.role_pid("workload")
    before = pss(role)
    slow = [Raw(g, b"".join(request(1 + 2 * i) for i in range(100))) for _ in range(10)]
    time.sleep(3)
    assert g.ask("FetchX509SVID")["code"] == OK
    assert pss(role) < before + 20 * 1024, (before, pss(role))
    time.sleep(30)
    # Their streams are reset for not being read: what is left to read ends.
    assert g.ask("FetchX509SVID")["code"] == OK
    assert pss(role) < before + 8 * 1024, (before, pss(role))
    for s in slow:
        s.close()


def test_ten_thousand_idle_streams(house, capsys):
    g = house(a=ME)
    role = g.role_pid("workload")
    before = pss(role)
    c = g.client("many", 100, 10000)
    assert c.line() == {"open": 10000}
    during = pss(role)
    assert g.ask("FetchX509SVID")["code"] == OK
    with capsys.disabled():
        print(f"\n10,000 idle streams on 100 connections: {before} KB before, {during} KB with them")
    assert during - before < 64 * 1024
    c.end()
    wait_until(lambda: pss(role) < during, "their memory to be free again")


def test_a_thousand_connections(house, capsys):
    """The figure: role's memory, and how long a rotation takes to reach all of them."""
    # Bundles change when a key of tokens is published, a quarter of caLife before the old one ends.
    g = house(identity={"x509Life": "40s", "refreshHint": "1s", "caLife": "64s", "rootLife": "1h"}, a=ME)
    role = g.role_pid("workload")
    before = pss(role)
    c = g.client("pushes", 1000)
    assert c.line() == {"open": 1000}
    time.sleep(2)
    during = pss(role)
    pushed = c.line()
    with capsys.disabled():
        print(f"\n1,000 connections with a stream each: {before} KB before, {during} KB with them "
              f"({(during - before) / 1000:.1f} KB each); a push reached all in {pushed['ms']:.0f} ms")
    assert during < 20 * 1024

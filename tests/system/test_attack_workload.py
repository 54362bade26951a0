"""A hostile workload role, and a hostile witness, before core and keeper (tests/attack/roles.py): they get nothing for
anybody but the peers of connections that core gave them."""

import base64
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

import pytest

from harness import ROOT

sys.path.insert(0, str(ROOT / "tests/attack"))
import roles as r  # noqa: E402

CHECK, X509, JWT, WIT, VALID = 1, 2, 3, 4, 5
REFUSED_DENIED, REFUSED_INPUT, REFUSED_LATER = 1, 2, 3


@pytest.fixture(scope="module")
def spki():
    return subprocess.run("openssl ecparam -name prime256v1 -genkey -noout | openssl pkey -pubout -outform DER", shell=True,
                          check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def world(ambit_binary):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ambit-attack-", dir="/tmp"))
    folder.chmod(0o755)
    w = r.Roles(ambit_binary, folder, {
        "people": {"ann": {"roles": ["owner", "administrator"], "uid": os.getuid()}},
        "identity": {"workloadSocket": "state/workload.sock", "wit": True},
        "agents": {"local": {"owner": "ann", "assessed": "2026-10-01", "select": {"uid": os.getuid()}}},
        "mcpServers": {}}, 'permit (principal is Ambit::Agent, action in Ambit::Action::"call", resource);', {})
    yield w
    w.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def role(world):
    """The attacker's channel to core. Afterwards another one is served."""
    channel = world.new_peer("workload")
    assert channel.wait_for(lambda m: m.type == "WORKLOAD_BUNDLES", 10)
    yield channel
    channel.close()
    assert world.dead() == [], world.log_text()[-3000:]
    honest = world.new_peer("workload")
    peer, conn = connected(world, honest)
    assert honest.ask("WORKLOAD_ASK", conn=conn, want=CHECK).type == "WORKLOAD_GIVEN"
    peer.close()
    honest.close()


def connected(world, channel):
    """A connection of this process, and the number under which core handed it over."""
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(str(world.state / "workload.sock"))
    m = channel.wait_for(lambda m: m.type == "WORKLOAD_CONN")
    assert m["spiffe_id"].startswith(b"spiffe://ambit.local/agent/local/pid-%d-" % os.getpid())
    os.close(m.fd)
    return peer, m["conn"]


def kind_of(answer):
    assert answer.type == "WORKLOAD_REFUSED", answer
    return answer["kind"]


def test_connections_that_were_not_given(world, role, spki):
    peer, conn = connected(world, role)
    assert role.ask("WORKLOAD_ASK", conn=conn, want=X509, of=spki).type == "WORKLOAD_GIVEN"
    for other in (0, -1, conn + 1, conn + 100000, -conn, 2 ** 62):
        for want, of in ((X509, spki), (JWT, r.pack_run(["a"])), (CHECK, b"")):
            assert kind_of(role.ask("WORKLOAD_ASK", conn=other, want=want, of=of)) == REFUSED_DENIED
    peer.close()


def test_connection_of_an_edge_is_none(world, role, spki):
    edge = world.new_edge()
    agent = world.agent_connection()
    m = edge.core.wait_for(lambda m: m.type == "CONN")
    os.close(m.fd)
    assert kind_of(role.ask("WORKLOAD_ASK", conn=m["conn"], want=X509, of=spki)) == REFUSED_DENIED
    agent.close()
    edge.close()


def test_after_it_said_closed_there_is_nothing(world, role, spki):
    peer, conn = connected(world, role)
    role.send("WORKLOAD_CLOSED", conn=conn)
    assert kind_of(role.ask("WORKLOAD_ASK", conn=conn, want=X509, of=spki)) == REFUSED_DENIED
    role.send("WORKLOAD_CLOSED", conn=conn)  # twice is harmless
    peer.close()


def test_after_the_process_has_ended_there_is_nothing(world, role, spki):
    child = subprocess.Popen([sys.executable, "-c", f"""
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect({str(world.state / 'workload.sock')!r}); sys.stdin.read()"""],
                             stdin=subprocess.PIPE)
    m = role.wait_for(lambda m: m.type == "WORKLOAD_CONN")
    assert role.ask("WORKLOAD_ASK", conn=m["conn"], want=X509, of=spki).type == "WORKLOAD_GIVEN"
    child.kill()
    child.wait()
    # The descriptor that it passed to us is still connected.
    assert role.wait_for(lambda x: x.type == "WORKLOAD_END")["conn"] == m["conn"]
    assert kind_of(role.ask("WORKLOAD_ASK", conn=m["conn"], want=X509, of=spki)) == REFUSED_DENIED
    os.close(m.fd)
    child.stdin.close()


def test_another_role_does_not_inherit_connections(world, role, spki):
    peer, conn = connected(world, role)
    role.close()
    second = world.new_peer("workload")
    assert second.wait_for(lambda m: m.type == "WORKLOAD_BUNDLES")
    assert kind_of(second.ask("WORKLOAD_ASK", conn=conn, want=X509, of=spki)) == REFUSED_DENIED
    peer.close()
    second.close()


def test_what_is_not_a_key_or_an_audience(world, role, spki):
    peer, conn = connected(world, role)
    jwk = {"kty": "EC", "crv": "P-256", "alg": "ES256", "x": "A" * 43, "y": "A" * 43}
    for want, of in [
            (X509, b""), (X509, b"x"), (X509, spki[:-1]), (X509, spki + b"x"), (X509, spki[:-64] + bytes(64)),
            (JWT, b""), (JWT, b"\1\0\0\0"), (JWT, r.pack_run([""])), (JWT, r.pack_run(["a"] * 17)),
            (JWT, r.pack_run([b"\xff"])), (JWT, r.pack_run(["a" * 2000])),
            (WIT, b""), (WIT, b"{}"), (WIT, b"[" * 5000), (WIT, json.dumps(jwk).encode()),
            (WIT, json.dumps({"kty": "oct", "k": "AAAA"}).encode())]:
        assert kind_of(role.ask("WORKLOAD_ASK", conn=conn, want=want, of=of)) in (REFUSED_INPUT, REFUSED_LATER), (want, of)
    token = role.ask("WORKLOAD_ASK", conn=conn, want=JWT, of=r.pack_run(['x","sub":"spiffe://ambit.local/agent/b']))
    claims = json.loads(base64.urlsafe_b64decode(token["svid"].split(b".")[1] + b"=="))
    assert claims["sub"].startswith("spiffe://ambit.local/agent/local/"), "an audience became a claim"
    peer.close()


@pytest.mark.parametrize("name, fields", [
    ("WORKLOAD_ASK", {"want": 0}), ("WORKLOAD_ASK", {"want": 6}), ("WORKLOAD_ASK", {"want": 255}),
    ("SIGN_X509", {}), ("SIGN_JWT", {}), ("WORKLOAD_GIVEN", {}), ("CALL", {}), ("LOOKED", {}), ("WORKLOAD_END", {})])
def test_words_of_others_end_the_role(world, name, fields):
    channel = world.new_peer("workload")
    channel.send(name, id=1, **fields)
    assert channel.is_closed()
    assert world.is_accused(None, "core", role="workload")
    channel.close()
    assert world.dead() == []


def test_a_witness_says_nothing_that_was_not_asked(world):
    witness = world.new_peer("witness")
    for id in (0, 1, 77, 2 ** 63):
        witness.send("LOOKED", id=id, path="/bin/x", sha256=bytes(32))
    edge = world.new_edge()
    agent = world.agent_connection()
    m = edge.core.wait_for(lambda m: m.type == "CONN")  # core goes on
    os.close(m.fd)
    agent.close()
    edge.close()
    witness.send("CALL", id=1)
    assert witness.is_closed()
    assert world.is_accused(None, "core", role="witness")
    assert world.dead() == []


@pytest.mark.parametrize("lie", [
    {"type": "LOG_HAVE", "size": -1},                   # fewer than none
    {"type": "LOG_PUBLISHED", "size": 5, "why": ""},    # of what it was not sent
    {"type": "CALL"},                                   # not its to say
])
def test_a_publisher_that_lies_is_ended(world, lie):
    lie = dict(lie)
    publisher = world.new_peer("publisher")
    publisher.send(lie.pop("type"), id=0, **lie)
    assert publisher.is_closed()
    assert world.is_accused(None, "core", role="publisher")
    assert world.dead() == []


def test_a_publisher_that_acknowledges_what_it_was_not_sent_is_ended(world):
    publisher = world.new_peer("publisher")
    publisher.send("LOG_HAVE", id=0, size=0)
    publisher.send("LOG_HAVE", id=0, size=10 ** 9)
    assert publisher.is_closed()
    assert world.is_accused(None, "core", role="publisher")


def test_a_publisher_with_more_than_there_is_gets_nothing(world):
    publisher = world.new_peer("publisher")
    publisher.send("LOG_HAVE", id=0, size=10 ** 9)
    edge = world.new_edge()
    agent = world.agent_connection()
    m = edge.core.wait_for(lambda m: m.type == "CONN")  # core goes on
    os.close(m.fd)
    agent.close()
    edge.close()
    assert world.dead() == []

"""The SPIFFE Workload API of the real gateway, used by @grpc/grpc-js: SVIDs that openssl verifies, pushes, and what
ends them. The machine alone is in test_workload_api.py."""

import base64
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from harness import ROOT, wait_until

OK, INVALID, DENIED, UNIMPLEMENTED, UNAVAILABLE = 0, 3, 7, 12, 14
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
        g = gateway(identity={"workloadSocket": "workload.sock", **(identity or {})}, agents=ready)
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

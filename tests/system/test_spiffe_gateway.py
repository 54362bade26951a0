"""Workload API clients of other makers against the real gateway: what they get is verified by them, by openssl, by
jwcrypto and by npm's jose; it rotates without a gap, and ends."""

import base64
import json
import os
import shutil
import subprocess
import time

import pytest
from jwcrypto import jwk, jwt

from harness import ROOT
from spiffe_peers import Peer, commands

ME = {"select": {"uid": os.getuid()}}
DOMAIN = "spiffe://ambit.local"
JOSE = """
import { createLocalJWKSet, jwtVerify } from 'jose';
const [token, jwks, audience] = process.argv.slice(1);
const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(JSON.parse(jwks)), { audience, algorithms: ['ES256'] });
console.log(JSON.stringify({ payload, protectedHeader }));
"""


@pytest.fixture
def house(gateway):
    """house(identity={}, **agents) -> a gateway with a Workload API; .peer(NAME) -> a client of it"""
    made = []

    def make(identity=None, **agents):
        ready = {name: {"owner": "ann", "assessed": "2026-10-01", **a} for name, a in agents.items()}
        g = gateway(identity={"workloadSocket": "workload.sock", **(identity or {})}, agents=ready)
        g.workload = f"unix://{g.dir / 'workload.sock'}"

        def peer(name, **how):
            made.append(Peer(*commands()[name](), g.workload, **how))
            return made[-1]

        g.peer = peer
        return g

    yield make
    for peer in made:
        peer.stop()


@pytest.fixture(params=list(commands()))
def client(request):
    return request.param


def verify(folder, svid, bundle, purpose="sslclient"):
    """openssl's verdict on the chain, and its SPIFFE ID."""
    (folder / "roots.pem").write_text(bundle)
    (folder / "chain.pem").write_text(svid["chain"])
    subprocess.run(["openssl", "verify", "-purpose", purpose, "-CAfile", folder / "roots.pem", "-untrusted", folder / "chain.pem",
                    folder / "chain.pem"], check=True, capture_output=True)
    text = subprocess.run(["openssl", "x509", "-in", folder / "chain.pem", "-noout", "-ext", "subjectAltName"], check=True,
                          capture_output=True, text=True).stdout
    return text.split("URI:")[1].strip()


def instance(peer):
    return f"{DOMAIN}/agent/desk/pid-{peer.process.pid}-"


def test_x509_svid(house, client, tmp_path):
    g = house(desk=ME)
    peer = g.peer(client)
    svid, bundles = peer.ok("x509"), peer.ok("bundles")
    assert svid["id"].startswith(instance(peer))
    for purpose in ("sslclient", "sslserver"):
        assert verify(tmp_path, svid, bundles["x509"][DOMAIN], purpose) == svid["id"]
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=svid["key"], capture_output=True, text=True, check=True).stdout
    assert public == subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=svid["chain"], capture_output=True, text=True,
                                    check=True).stdout
    assert g.peer(client).ok("x509")["id"] != svid["id"]  # another process is another instance


def test_rotation_leaves_no_gap(house, client, tmp_path):
    g = house({"x509Life": "10s", "caLife": "60s", "refreshHint": "1s"}, desk=ME)
    peer = g.peer(client)
    seen = [peer.ok("x509")]
    for _ in range(2):
        seen.append(peer.ok("wait"))
        verify(tmp_path, seen[-1], peer.ok("bundles")["x509"][DOMAIN])  # openssl looks at the clock, too
    assert len({svid["chain"] for svid in seen}) == len({svid["key"] for svid in seen}) == 3
    assert len({svid["id"] for svid in seen}) == 1


def test_jwt_svid(house, client, node):
    g = house(desk=ME)
    peer = g.peer(client)
    svid = peer.ok("jwt", "db")
    assert svid["id"].startswith(instance(peer)) and svid["aud"] == ["db"]
    assert 290 <= svid["exp"] - time.time() <= 301
    assert peer.ok("remote", svid["token"], "db")["id"] == svid["id"]
    assert g.peer(client).ok("check", svid["token"], "db")["id"] == svid["id"]
    for refused in (("check", svid["token"], "queue"), ("remote", svid["token"], "queue"), ("as", f"{DOMAIN}/agent/other/1", "db"),
                    ("remote", svid["token"][:-8] + "AAAAAAAA", "db"), ("check", svid["token"][:-8] + "AAAAAAAA", "db")):
        assert "error" in peer.ask(*refused), refused


def jwks(g):
    """The JWT keys of the bundle, for libraries that know no other `use` than sig."""
    done = subprocess.run([ROOT / "build/peers/node", ROOT / "tests/peers/workload_client.mjs", g.dir / "workload.sock", "call",
                           "FetchJWTBundles", "{}"], capture_output=True, text=True, check=True)
    keys = json.loads(base64.b64decode(json.loads(done.stdout)["answer"]["bundles"][DOMAIN]))["keys"]
    return json.dumps({"keys": [{**key, "use": "sig"} for key in keys]})


def test_jwcrypto_and_jose_verify_a_jwt_svid(house, node):
    g = house(desk=ME)
    svid = g.peer("py-spiffe").ok("jwt", "db")
    keys = jwks(g)
    checked = jwt.JWT(jwt=svid["token"], key=jwk.JWKSet.from_json(keys), algs=["ES256"], check_claims={"aud": "db"})
    assert json.loads(checked.claims)["sub"] == svid["id"]
    assert json.loads(checked.header)["typ"] == "JWT"
    done = subprocess.run([node, "--input-type=module", "-e", JOSE, svid["token"], keys, "db"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["payload"]["sub"] == svid["id"]
    done = subprocess.run([node, "--input-type=module", "-e", JOSE, svid["token"], keys, "queue"], cwd=ROOT, capture_output=True, text=True)
    assert "unexpected \"aud\"" in done.stderr


@pytest.mark.heavy
def test_keys_of_tokens_rotate_before_they_are_used(house):
    g = house({"x509Life": "10s", "jwtLife": "10s", "caLife": "40s", "refreshHint": "1s"}, desk=ME)
    peer = g.peer("go-spiffe")
    known, kids = set(peer.ok("bundles")["jwt"][DOMAIN]), set()
    end = time.monotonic() + 60
    while len(kids) < 2 and time.monotonic() < end:
        svid = peer.ok("jwt", "db")  # go-spiffe verifies it with the bundle that was pushed to it
        kid = json.loads(base64.urlsafe_b64decode(svid["token"].split(".")[0] + "=="))["kid"]
        assert kid in known, "signed with a key that nobody had been told of"
        kids.add(kid)
        known = set(peer.ok("bundles")["jwt"][DOMAIN])
        time.sleep(0.2)
    assert len(kids) >= 2


def test_who_is_no_agent_gets_nothing(house, client):
    g = house(desk={"select": {"uid": os.getuid() + 1}})
    assert "error" in g.peer(client).ask("bundles")


def test_wit_svid(house):
    g = house({"wit": True}, desk=ME)
    peer = g.peer("go-spiffe")
    [svid] = peer.ok("wit")["svids"]
    assert svid["id"].startswith(instance(peer)) and svid["key"]
    off = house(desk=ME)
    assert off.peer("go-spiffe").ask("wit")["code"] == 12


# --- the checker of the SPIFFE documents' clauses ------------------------------------------------------------------


@pytest.fixture
def scc():
    """scc(KIND, WHAT): spiffe-compliance-checker finds nothing that a SPIFFE document says MUST be otherwise. It is
    taken from PATH: not every registry of modules has it."""
    program = shutil.which("scc")
    if not program:
        pytest.skip("scc (spiffe-compliance-checker) is not installed")

    def check(kind, what):
        done = subprocess.run([program, kind, "--format", "json", str(what)], capture_output=True, text=True)
        found = json.loads(done.stdout)
        assert done.returncode == 0, done.stdout
        return found

    return check


def test_compliance_checker_passes_what_we_hand_out(house, scc, tmp_path):
    g = house({"wit": True}, desk=ME)
    peer = g.peer("go-spiffe")
    x509 = peer.ok("x509")
    (tmp_path / "leaf.pem").write_text(x509["chain"].split("-----END")[0] + "-----END CERTIFICATE-----\n")
    said = [scc("id", x509["id"]), scc("x509-svid", tmp_path / "leaf.pem"), scc("jwt-svid", peer.ok("jwt", "db")["token"]),
            scc("wit-svid", peer.ok("wit")["svids"][0]["token"])]
    (tmp_path / "root.pem").write_text(peer.ok("bundles")["x509"][DOMAIN])
    for part in x509["chain"].split("-----END CERTIFICATE-----\n")[1:-1]:
        (tmp_path / "signer.pem").write_text(part + "-----END CERTIFICATE-----\n")
        said.append(scc("x509-svid", tmp_path / "signer.pem"))
    assert all(one["summary"]["passed"] >= 8 and not one["summary"]["warnings"] for one in said), said

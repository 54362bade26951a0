"""Agents that come in with an identity from elsewhere: tokens as Kubernetes and GitHub write them, signed by the npm
package jose, at the token endpoint; and SVIDs of a real SPIRE server and agent."""

import json
import os
import subprocess
import time

import pytest

from harness import free_port, wait_until
from issuer_peers import issuers, states, wait_state, web  # noqa: F401 (fixtures)
from oauth_kit import JWT_BEARER, SPIFFE, auth, new_key, proof  # noqa: F401 (fixtures)
from spire import Spire

ALGS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"]
KUBE = {"sub": "system:serviceaccount:ops:desk", "aud": ["ambit"],
        "kubernetes.io": {"namespace": "ops", "pod": {"name": "desk-0", "uid": "b7f0"}}}
GITHUB = {"sub": "repo:org/x:ref:refs/heads/main", "aud": "ambit", "repository": "org/x", "repository_id": "7",
          "ref": "refs/heads/main", "run_id": "4711"}


def agent(*proofs, **more):
    return {"owner": "ann", "assessed": "2026-10-01", "ambit": ["*/*"], "proofs": list(proofs), **more}


def bound_token(a, assertion):
    """A task token bound to a key by DPoP, or the error."""
    key = new_key()
    at = f"{a.url}/oauth/token"
    first = a.token({}, auth=assertion, proof=proof(key, "POST", at))
    if first.error != "use_dpop_nonce":
        return first.error
    made = proof(key, "POST", at, nonce=first.fields["dpop-nonce"])
    answer = a.token({}, auth=assertion, proof=made)
    return answer.json["access_token"] if answer.status == 200 else answer.error


@pytest.fixture
def kube(auth, issuers, web):  # noqa: F811
    """A gateway whose agents desk and clerk are workloads of the OIDC issuer."""
    issuers.publish(ALGS)
    a = auth(issuers={"ci": {"oidc": issuers.url, "ca": str(web.cert), "audiences": ["ambit"]}}, agents={
        "desk": agent({"issuer": "ci", "claims": {"sub": KUBE["sub"]}, "instance": "/kubernetes.io/pod/uid"},
                      {"issuer": "ci", "claims": {"repository": "org/x", "repository_id": "7", "ref": "refs/heads/*"},
                       "instance": "run_id"}),
        "clerk": agent({"issuer": "ci", "claims": {"sub": "system:serviceaccount:ops:*", "role": "clerk"}})})
    wait_state(a.g, "ci", lambda s: s["keys"] == len(ALGS))
    a.g.open_task(["up/echo"])

    def sign(claims, alg="RS256", header=None, over=None):
        now = int(time.time())
        claims = {"iss": issuers.url, "iat": now, "nbf": now, "exp": now + 300, **claims, **(over or {})}
        claims = {k: v for k, v in claims.items() if v is not None}
        return issuers.ask("/sign", alg=alg, claims=claims, header=header or {})["token"]

    a.sign = sign
    a.as_client = lambda token: {"client_assertion_type": JWT_BEARER, "client_assertion": token}
    return a


@pytest.mark.parametrize("claims", [KUBE, GITHUB], ids=["kubernetes", "github"])
def test_a_token_of_another_issuer_is_a_client(kube, claims):
    for alg in ALGS:
        assert bound_token(kube, kube.as_client(kube.sign(claims, alg))).count(".") == 2, alg


WRONG = {
    "another subject": dict(sub="system:serviceaccount:ops:desk2"),
    "another audience": dict(aud="vault"),
    "several audiences": dict(aud=["ambit", "vault"]),
    "no audience": dict(aud=None),
    "expired": dict(exp=int(time.time()) - 60),
    "not yet": dict(nbf=int(time.time()) + 3600),
    "of a year": dict(exp=int(time.time()) + 365 * 86400),
    "no end": dict(exp=None),
    "another issuer": dict(iss="https://elsewhere"),
    "two agents": dict(role="clerk"),
    "bound to a key": dict(cnf={"jkt": "x"}),
    "a logout token": dict(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
    "an agent's SPIFFE ID": dict(sub="spiffe://ambit.local/agent/desk/1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_token_that_is_refused(kube, case):
    answer = kube.token({}, auth=kube.as_client(kube.sign(KUBE, over=WRONG[case])))
    assert answer.status == 401 and answer.error == "invalid_client", answer.body


@pytest.mark.parametrize("header", [{"typ": "at+jwt"}, {"typ": "logout+jwt"}, {"typ": "dpop+jwt"}, {"kid": "other"},
                                    {"jku": "https://localhost/"}, {"jwk": {"kty": "oct", "k": "AA"}}])
def test_a_header_that_is_refused(kube, header):
    answer = kube.token({}, auth=kube.as_client(kube.sign(KUBE, header=header)))
    assert answer.status == 401 and answer.error == "invalid_client", answer.body


def test_keys_that_are_rotated_out(kube, issuers):  # noqa: F811
    old = kube.sign(KUBE)
    assert bound_token(kube, kube.as_client(old)).count(".") == 2
    issuers.publish(ALGS)
    os.kill(kube.g.role_pid("fetcher"), 9)  # asks for all keys anew
    wait_until(lambda: kube.token({}, auth=kube.as_client(old)).error == "invalid_client", "the old key to be refused")
    assert bound_token(kube, kube.as_client(kube.sign(KUBE))).count(".") == 2


def test_a_key_that_is_new(kube, issuers):  # noqa: F811
    """A token names a key that was not there yet: the issuer is asked before its time."""
    time.sleep(10)  # as often as strangers can make it ask
    issuers.publish(ALGS)
    new = kube.as_client(kube.sign(KUBE))
    wait_until(lambda: bound_token(kube, new).count(".") == 2, "the new key to be known", seconds=15, pause=0.5)


# --- SPIRE ------------------------------------------------------------------------------------------------


@pytest.fixture
def spire(tmp_path):
    s = Spire(tmp_path / "spire").start()
    yield s
    s.stop()


def fetch_jwt(spire, audience):
    """A JWT-SVID of the real agent for whoever runs the tests; entries take a while to arrive there."""
    def ask():
        done = subprocess.run([spire.programs / "spire-agent", "api", "fetch", "jwt", "-audience", audience, "-socketPath",
                               spire.agent_socket, "-output", "json"], capture_output=True, text=True)
        return done.returncode == 0 and json.loads(done.stdout)[0]["svids"][0]["svid"]
    return wait_until(ask, "a JWT-SVID of SPIRE", seconds=40, pause=0.5)


@pytest.mark.heavy
def test_spire_by_its_workload_api(auth, spire):  # noqa: F811
    """The fetcher is a workload of SPIRE, and so learns the bundle that proves SPIRE's other workloads."""
    domain = spire.domain
    a = auth(issuers={"spire": {"trustDomain": domain, "workloadSocket": str(spire.agent_socket)}}, agents={
        "desk": agent({"issuer": "spire", "id": f"spiffe://{domain}/ops/desk-*"})})
    a.g.open_task(["up/echo"])
    # Not registered there: the API has nothing to say to the gateway.
    assert "status 7" in wait_state(a.g, "spire", lambda s: s["problem"])["problem"]
    uid = os.stat(f"/proc/{a.g.role_pid('fetcher')}").st_uid
    spire.entry("/gateway", uid=uid)
    s = wait_state(a.g, "spire", lambda s: s["state"] == "current", 60)
    assert s["certificates"] == 1 and s["keys"] == 1 and s["problem"] == ""
    spire.entry("/ops/desk-1", uid=os.getuid())
    token = fetch_jwt(spire, a.url)
    assert bound_token(a, {"client_assertion_type": SPIFFE, "client_assertion": token}).count(".") == 2
    # The agent is away: what is in force stays, and the words say so.
    spire.stop()
    assert wait_state(a.g, "spire", lambda s: s["problem"])["state"] == "current"


@pytest.mark.heavy
def test_spire_by_its_bundle(auth, spire, tmp_path):  # noqa: F811
    """X.509-SVID and JWT-SVID of SPIRE against the bundle it prints; an entry that no rule names is nobody."""
    domain, path = spire.domain, tmp_path / "spire.json"
    path.write_text(spire.bundle())
    a = auth(issuers={"spire": {"trustDomain": domain, "bundleFile": str(path)}}, agents={
        "desk": agent({"issuer": "spire", "id": f"spiffe://{domain}/ops/desk"})})
    a.g.open_task(["up/echo"])
    wait_state(a.g, "spire", lambda s: s["state"] == "current" and s["certificates"] == 1 and s["keys"] == 1)
    assert states(a.g)["spire"]["sequence"] >= 1
    spire.entry("/ops/desk", uid=os.getuid())
    token = fetch_jwt(spire, a.url)
    assertion = {"client_assertion_type": SPIFFE, "client_assertion": token}
    assert bound_token(a, assertion).count(".") == 2
    assert bound_token(a, {**assertion, "client_assertion": fetch_jwt(spire, "vault")}) == "invalid_client"
    done = subprocess.run([spire.programs / "spire-agent", "api", "fetch", "x509", "-socketPath", spire.agent_socket,
                           "-write", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cert = (tmp_path / "svid.0.pem", tmp_path / "svid.0.key")
    assert a.use(a.get_token(cert=cert, auth={}), cert=cert).status == 200


@pytest.mark.heavy
def test_spire_by_its_bundle_endpoint(gateway, tmp_path):
    """https_spiffe: the endpoint shows SPIRE's own SVID, checked first with the bundle in the file and then with what it
    said itself."""
    port, path = free_port(), tmp_path / "spire.json"
    federation = f"""federation {{ bundle_endpoint {{ address = "127.0.0.1" port = {port} refresh_hint = "10s"
        profile "https_spiffe" {{}} }} }}"""
    s = Spire(tmp_path / "spire", federation=federation).start()
    try:
        path.write_text(s.bundle())
        issuer = {"trustDomain": s.domain, "endpoint": f"https://127.0.0.1:{port}", "profile": "https_spiffe",
                  "endpointId": f"spiffe://{s.domain}/spire/server", "bundleFile": str(path)}
        g = gateway(issuers={"spire": issuer})
        first = wait_state(g, "spire", lambda st: st["state"] == "current")
        assert first["certificates"] == 1 and first["keys"] == 1
        path.unlink()
        # Only the endpoint can confirm it now.
        wait_state(g, "spire", lambda st: st["confirmed"] > first["confirmed"] and not st["problem"], 40)
        g.stop()
        path.write_text(json.dumps({"keys": [], "spiffe_sequence": 1}))
        g.start()
        assert "no bundle" in wait_state(g, "spire", lambda st: st["problem"])["problem"]
    finally:
        s.stop()

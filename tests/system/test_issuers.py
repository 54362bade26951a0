"""Issuers elsewhere: their keys fetched by files and HTTPS, by the real fetcher inside its sandbox. The other side is
Node.js with the npm package jose (tests/peers/issuers.mjs), and certificates of the openssl program."""

import base64
import json
import os
import re
import subprocess

import pytest

from harness import ROOT, wait_until
from issuer_peers import Authority, Issuers, issuers, states, wait_state, web  # noqa: F401 (fixtures)


def has_keys(n):
    return lambda s: s["state"] == "current" and s["keys"] == n and not s["problem"]


def test_discovery_and_keys(gateway, issuers, web):
    issuers.publish(["RS256", "PS256", "ES256", "ES384", "EdDSA"])
    g = gateway(issuers={"ci": {"oidc": issuers.url, "ca": str(web.cert)}})
    s = wait_state(g, "ci", has_keys(5))
    assert s["kind"] == "oidc" and s["id"] == issuers.url and s["unusableKeys"] == 0
    assert re.search(rf"ci +oidc +{issuers.url} +current +\d+s +5", g.cli("identity", "issuers").stdout)
    # A fetcher that is killed comes back, and what is in force stays.
    issuers.publish(["RS256"])
    assert states(g)["ci"]["keys"] == 5
    os.kill(g.role_pid("fetcher"), 9)
    wait_state(g, "ci", has_keys(1))
    assert [path for _, path, _ in issuers.ask("/seen")][:2] == ["/.well-known/openid-configuration", "/jwks"]


def test_rsa_keys_without_alg_need_the_configuration(gateway, issuers, web):
    issuers.put("/jwks", issuers.ask("/keys", algs=["RS256"], bare=True))
    url = {"jwks": issuers.url + "/jwks", "ca": str(web.cert)}
    g = gateway(issuers={"a": {"oidc": "https://a", **url},
                         "b": {"oidc": "https://b", **url, "algorithms": ["RS256", "ES256"]}})
    assert wait_state(g, "a", lambda s: s["state"] == "current")["unusableKeys"] == 1
    wait_state(g, "b", has_keys(1))


REFUSED = {
    "redirect": (dict(status=302, headers={"location": "/elsewhere"}, body=""), "redirects (302)"),
    "error": (dict(status=500, body="boom"), "answered 500"),
    "page": (dict(body="<html>"), "discovery document"),
    "too large": (dict(body='{"a":"' + "x" * 4096 + '"},', repeat=300), "too large"),
    "endless head": (dict(headers={"x": "y" * 100000}, body=""), "head is too large"),
    "other issuer": (dict(body='{"issuer":"https://evil","jwks_uri":"https://evil/jwks"}'), "another issuer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_discovery_refused(gateway, issuers, web, case):
    how, says = REFUSED[case]
    issuers.put("/.well-known/openid-configuration", **how)
    issuers.put("/elsewhere", {"issuer": issuers.url, "jwks_uri": issuers.url + "/jwks"})
    g = gateway(issuers={"ci": {"oidc": issuers.url, "ca": str(web.cert)}})
    s = wait_state(g, "ci", lambda s: s["problem"])
    assert s["state"] == "waiting" and s["keys"] == 0
    assert says in s["problem"]
    assert "/elsewhere" not in [path for _, path, _ in issuers.ask("/seen")]


def test_keys_of_another_host_are_not_fetched(gateway, issuers, web):
    issuers.publish(["ES256"])
    for host in ("https://127.0.0.1:1", f"https://127.0.0.1:{issuers.port}", f"https://elsewhere:{issuers.port}",
                 f"http://localhost:{issuers.port}", "file://localhost"):
        issuers.put("/.well-known/openid-configuration", {"issuer": issuers.url, "jwks_uri": f"{host}/jwks"})
        g = gateway(issuers={"ci": {"oidc": issuers.url, "ca": str(web.cert)}})
        assert wait_state(g, "ci", lambda s: s["problem"])["state"] == "waiting"
        g.stop()


def test_who_the_server_is(gateway, node, issuers, tmp_path, web):
    """Another authority, another name, no answer at all."""
    issuers.publish(["ES256"])
    stranger = Authority(tmp_path, "stranger")
    wrong = Issuers(node, tmp_path, *web.issue("wrong", "DNS:elsewhere"), name="wrong")
    wrong.publish(["ES256"])
    g = gateway(issuers={"authority": {"oidc": issuers.url, "ca": str(stranger.cert)},
                         "name": {"oidc": wrong.url, "ca": str(web.cert)},
                         "nobody": {"oidc": "https://localhost:1", "ca": str(web.cert)},
                         "no.name": {"oidc": "https://no-such-host.invalid", "ca": str(web.cert)}})
    for name in ("authority", "name", "nobody", "no.name"):
        s = wait_state(g, name, lambda s: s["problem"])
        assert s["state"] == "waiting" and s["keys"] == 0
    assert "no address" in states(g)["no.name"]["problem"]
    wrong.stop()


def write_file(path, document):
    new = path.with_suffix(".new")
    new.write_text(document if isinstance(document, str) else json.dumps(document))
    new.replace(path)


def test_a_bundle_file_that_changes(gateway, tmp_path):
    far = Authority(tmp_path, "far", "spiffe://far")
    path = tmp_path / "far.json"
    write_file(path, {"keys": [far.jwk()], "spiffe_sequence": 5, "spiffe_refresh_hint": 300})
    g = gateway(issuers={"far": {"trustDomain": "far", "bundleFile": str(path)},
                         "none": {"trustDomain": "none", "bundleFile": str(tmp_path / "none.json")}})
    s = wait_state(g, "far", lambda s: s["state"] == "current")
    assert (s["certificates"], s["sequence"], s["refreshSeconds"]) == (1, 5, 300)
    wait_state(g, "none", lambda s: s["problem"] and s["state"] == "waiting")
    other = Authority(tmp_path, "other", "spiffe://far")
    write_file(path, {"keys": [far.jwk(), other.jwk()], "spiffe_sequence": 6})
    wait_state(g, "far", lambda s: s["certificates"] == 2 and s["sequence"] == 6)
    # Older, or the same number with other keys: what is in force stays.
    write_file(path, {"keys": [far.jwk()], "spiffe_sequence": 5})
    assert wait_state(g, "far", "older")["certificates"] == 2
    write_file(path, {"keys": [far.jwk()], "spiffe_sequence": 6})
    assert wait_state(g, "far", "other keys")["certificates"] == 2
    write_file(path, {"keys": [], "spiffe_sequence": 7})
    assert wait_state(g, "far", lambda s: s.get("sequence") == 7)["certificates"] == 0


@pytest.fixture
def endpoint(node, tmp_path):
    """A bundle endpoint that shows an SVID of its own trust domain."""
    far = Authority(tmp_path, "far", "spiffe://far")
    peer = Issuers(node, tmp_path, *far.issue("server", "critical,URI:spiffe://far/spire/server,DNS:localhost"), name="endpoint")
    peer.authority = far
    peer.bundle = lambda sequence, hint=1, more=(): {
        "keys": [far.jwk(), *more], "spiffe_sequence": sequence, "spiffe_refresh_hint": hint}
    peer.put("/bundle", peer.bundle(1))
    yield peer
    peer.stop()


def spiffe_issuer(endpoint, path, **more):
    write_file(path, endpoint.bundle(1))
    return {"trustDomain": "far", "endpoint": f"https://localhost:{endpoint.port}/bundle", "profile": "https_spiffe",
            "endpointId": "spiffe://far/spire/server", "bundleFile": str(path), **more}


def test_an_endpoint_that_shows_an_svid(gateway, endpoint, tmp_path):
    """https_spiffe: begun with a file, then from the endpoint, which is checked with what it gave last."""
    g = gateway(issuers={"far": spiffe_issuer(endpoint, tmp_path / "far.json")})
    wait_state(g, "far", lambda s: s["state"] == "current")
    wait_until(lambda: endpoint.ask("/seen"), "the endpoint to be asked")
    endpoint.put("/bundle", endpoint.bundle(2))
    wait_state(g, "far", lambda s: s.get("sequence") == 2)
    # A failed fetch keeps what there is and says so; the next good one takes the words back.
    endpoint.put("/bundle", status=503, body="")
    assert wait_state(g, "far", "503")["certificates"] == 1
    endpoint.put("/bundle", endpoint.bundle(1))
    assert wait_state(g, "far", "older")["sequence"] == 2
    endpoint.put("/bundle", endpoint.bundle(3))
    assert wait_state(g, "far", lambda s: s.get("sequence") == 3)["problem"] == ""


def test_an_endpoint_that_shows_another_identity(gateway, endpoint, tmp_path):
    """Its name is right, its authority too; who it says it is is not whom the configuration expects."""
    g = gateway(issuers={"far": spiffe_issuer(endpoint, tmp_path / "far.json", endpointId="spiffe://far/other")})
    wait_state(g, "far", "is not for spiffe://far/other")
    assert endpoint.ask("/seen") == []


def test_an_endpoint_under_the_web_is_no_svid(gateway, issuers, tmp_path, web):
    """The host is vouched for by an authority of the web, not by the trust domain."""
    far = Authority(tmp_path, "far", "spiffe://far")
    issuers.put("/bundle", {"keys": [far.jwk()], "spiffe_sequence": 9})
    issuers.bundle = lambda sequence: {"keys": [far.jwk()], "spiffe_sequence": sequence}
    g = gateway(issuers={"far": spiffe_issuer(issuers, tmp_path / "far.json"),
                         "web": {"trustDomain": "web", "endpoint": issuers.url + "/bundle", "ca": str(web.cert)}})
    wait_state(g, "web", lambda s: s.get("sequence") == 9)
    assert wait_state(g, "far", "certificate")["sequence"] == 1
    assert [path for _, path, _ in issuers.ask("/seen")].count("/bundle") == 1


# --- a Workload API ---------------------------------------------------------------------------------------


class WorkloadApi:
    """tests/peers/workload_server.mjs: one line of JSON says what it hands out from now on."""

    def __init__(self, node, folder):
        self.socket, self.log = folder / "workload.sock", folder / "workload.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen([str(node), str(ROOT / "tests/peers/workload_server.mjs"), str(self.socket)],
                                            stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, text=True)
        wait_until(lambda: "listening" in self.log.read_text(), "the Workload API to listen")
        self.socket.chmod(0o777)

    def say(self, **what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def give(self, *authorities, domain="far", keys=()):
        ders = b"".join(a.openssl("x509", "-in", a.cert, "-outform", "DER") for a in authorities)
        self.say(x509={f"spiffe://{domain}": base64.b64encode(ders).decode(), "spiffe://third": ""},
                 jwt={f"spiffe://{domain}": json.dumps({"keys": list(keys)})})

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


@pytest.fixture
def api(node, tmp_path):
    server = WorkloadApi(node, tmp_path)
    yield server
    if server.process.poll() is None:
        server.stop()


def test_a_workload_api_that_changes(gateway, issuers, api, tmp_path):
    far, next_one = Authority(tmp_path, "far", "spiffe://far"), Authority(tmp_path, "next", "spiffe://far")
    keys = [{k: v for k, v in key.items() if k not in ("use", "alg")} for key in issuers.ask("/keys", algs=["ES256", "RS256"])["keys"]]
    api.give(far, keys=keys[:1])
    g = gateway(issuers={"far": {"trustDomain": "far", "workloadSocket": str(api.socket)}})
    s = wait_state(g, "far", lambda s: s["state"] == "current")
    assert (s["certificates"], s["keys"]) == (1, 1) and "sequence" not in s
    api.give(far, next_one, keys=keys)
    wait_state(g, "far", lambda s: (s["certificates"], s["keys"]) == (2, 2))
    api.give(next_one, keys=keys[1:])
    wait_state(g, "far", lambda s: (s["certificates"], s["keys"]) == (1, 1))
    # What ends, or cannot be read, is said; what there is stays; and it is asked again.
    for what, says in (({"end": 7, "details": "no identity issued"}, "gRPC status 7: no identity issued"),
                       ({"big": 3 << 20}, "too long")):
        api.say(**what)
        assert wait_state(g, "far", says)["certificates"] == 1
        api.give(far, next_one, keys=keys)
        wait_state(g, "far", lambda s: s["certificates"] == 2 and not s["problem"], 40)
        api.give(next_one, keys=keys)
        wait_state(g, "far", lambda s: s["certificates"] == 1)
    api.give(far, domain="near")
    assert wait_state(g, "far", "no bundle of far")["certificates"] == 1
    api.stop()
    assert wait_state(g, "far", lambda s: s["problem"] and "no bundle of far" not in s["problem"])["state"] == "current"

"""A real SPIRE server and agent beside the gateway: each trusts the other's bundle, fetched from its bundle endpoint, and
a workload of either is known to the other."""

import base64
import json
import os
import subprocess

import pytest

from harness import ROOT, free_port, wait_until
from spiffe_peers import Peer, commands, go_peer
from spire import Spire
from oauth_kit import auth, new_key, proof, SPIFFE  # noqa: F401 (a fixture)
from test_http_tls import Ca

pytestmark = pytest.mark.heavy

OURS, THEIRS = "spiffe://ambit.local", "spiffe://spire.example"
ENDPOINT = f"{OURS}/ambit/bundle"
SVID_TOOL = ROOT / "build/asan/src/identity/svid_tool"


@pytest.fixture
def spire(tmp_path):
    """spire(**how) -> a running SPIRE whose agent knows this user as /agent/desk"""
    made = []

    def make(federates=(), **how):
        made.append(Spire(tmp_path / f"spire{len(made)}", **how).start())
        made[-1].entry("/agent/desk", os.getuid(), federates=federates)
        return made[-1]

    yield make
    for s in made:
        s.stop()


@pytest.fixture
def peer():
    """peer(MODE, SOCKET, *WORDS) -> a go-spiffe workload"""
    made = []

    def make(mode, socket, *words):
        made.append(Peer(go_peer("spiffe_peer") / "spiffe_peer", mode, f"unix://{socket}", *words))
        return made[-1]

    yield make
    for p in made:
        p.stop()


@pytest.fixture
def house(gateway, tmp_path):
    """A gateway with a Workload API and both profiles of a bundle endpoint."""
    ca = Ca(tmp_path, "ca")
    cert, key = ca.issue("web", "serverAuth", "IP:127.0.0.1,DNS:localhost")
    web, spiffe = free_port(), free_port()
    g = gateway(identity={"workloadSocket": "workload.sock"}, agents={"desk": {"owner": "ann", "assessed": "2026-10-01",
                                                                               "select": {"uid": os.getuid()}}},
                listen=[{"address": "127.0.0.1:0", "bearer": True},
                        {"address": f"127.0.0.1:{web}", "bundle": "web", "cert": str(cert), "key": str(key)},
                        {"address": f"127.0.0.1:{spiffe}", "bundle": "spiffe"}])
    g.roots, g.workload = ca.cert, g.dir / "workload.sock"
    g.endpoints = {"web": f"https://localhost:{web}/bundle", "spiffe": f"https://localhost:{spiffe}/bundle"}
    return g


def fetch(g, profile, *more):
    """Our bundle, as go-spiffe fetches and reads it."""
    out = subprocess.run([go_peer("spiffe_peer") / "spiffe_peer", "bundle", "ambit.local", g.endpoints[profile], profile, *more],
                         capture_output=True, text=True, timeout=60).stdout
    return json.loads(out)


def keys(document):
    return sorted(key.get("kid") or key["x5c"][0] for key in json.loads(document)["keys"] if key["use"] != "wit-svid")


def federation(profile, url):
    how = f'"https_spiffe" {{ endpoint_spiffe_id = "{ENDPOINT}" }}' if profile == "spiffe" else '"https_web" {}'
    return f'federation {{ federates_with "ambit.local" {{ bundle_endpoint_url = "{url}" bundle_endpoint_profile {how} }} }}'


# --- SVIDs of SPIRE, judged by us --------------------------------------------------------------------------------


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "rsa-2048"])
def test_we_verify_x509_svids_of_spire(spire, peer, tmp_path, key_type):
    s = spire(key_type=key_type)
    svid = peer("api", s.agent_socket).ok("x509")
    assert svid["id"] == f"{THEIRS}/agent/desk"
    (tmp_path / "bundle.json").write_text(s.bundle())
    ders = []
    for i, part in enumerate(svid["chain"].split("-----END CERTIFICATE-----")[:-1]):
        ders.append(tmp_path / f"{i}.der")
        ders[-1].write_bytes(base64.b64decode(part.split("-----BEGIN CERTIFICATE-----")[1]))

    def verdict(domain):
        return subprocess.run([SVID_TOOL, "x509", domain, tmp_path / "bundle.json", *ders], capture_output=True, text=True)

    assert verdict("spire.example").stdout.strip() == svid["id"], verdict("spire.example").stderr
    assert verdict("other.example").returncode == 1


# --- SPIRE as federation peer ------------------------------------------------------------------------------------


def test_go_spiffe_reads_our_bundle_endpoints(house, tmp_path):
    web = fetch(house, "web", house.roots)
    assert (web["x509"], web["id"], web["refresh_s"]) == (1, OURS, 60) and web["jwt"] >= 1 and web["sequence"] >= 1
    (tmp_path / "known.json").write_text(web["bundle"])
    assert fetch(house, "spiffe", tmp_path / "known.json", ENDPOINT)["bundle"] == web["bundle"]
    assert "error" in fetch(house, "spiffe", tmp_path / "known.json", f"{OURS}/agent/desk")
    stranger = Ca(tmp_path, "stranger")
    assert "error" in fetch(house, "web", stranger.cert)


@pytest.mark.parametrize("profile", ["web", "spiffe"])
def test_spire_fetches_our_bundle_and_knows_our_workloads(house, spire, peer, profile, tmp_path):
    s = spire(federation=federation(profile, house.endpoints[profile]), roots=house.roots)
    ours = fetch(house, "web", house.roots)["bundle"]
    if profile == "spiffe":  # something has to be known of us to begin with
        s.set_bundle("ambit.local", ours)
    s.ask("federation", "refresh", "-id", OURS)
    wait_until(lambda: keys(s.federated("ambit.local")) == keys(ours), "SPIRE to have our bundle")

    s.entry("/server", os.getuid(), federates=["ambit.local"], hint="server")
    theirs, mine = peer("api", s.agent_socket), peer("api", house.workload)
    token = mine.ok("jwt", "db")
    wait_until(lambda: OURS in theirs.ask("bundles").get("jwt", {}), "SPIRE's agent to hand our bundle out", 30)
    assert theirs.ok("check", token["token"], "db")["id"] == token["id"]
    assert theirs.ok("remote", token["token"], "db")["id"] == token["id"]  # by SPIRE itself
    assert "error" in theirs.ask("remote", token["token"], "queue")

    server = peer("serve", s.agent_socket, OURS)
    (tmp_path / "theirs.pem").write_text(s.ask("bundle", "show", output="pretty"))
    svid = mine.ok("x509")
    (tmp_path / "svid.pem").write_text(svid["chain"])
    (tmp_path / "svid.key").write_text(svid["key"])
    done = subprocess.run(["curl", "-sSk", "--noproxy", "*", "--cert", tmp_path / "svid.pem", "--key", tmp_path / "svid.key",
                           f"https://{server.hello['addr']}/"], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == f"{svid['id']} <nil>", done.stderr


# --- SPIRE as an issuer of our agents' identities ----------------------------------------------------------------


@pytest.fixture
def door(auth, spire, tmp_path):  # noqa: F811
    """A gateway whose agent "desk" is a workload of SPIRE, known by SPIRE's bundle in a file."""
    s = spire()
    bundle = tmp_path / "spire.json"
    bundle.write_text(s.bundle())
    a = auth(issuers={"spire": {"trustDomain": "spire.example", "bundleFile": str(bundle)}},
             agents={"desk": {"owner": "ann", "assessed": "2026-10-01", "ambit": ["*/*"],
                              "proofs": [{"issuer": "spire", "id": f"{THEIRS}/agent/desk"}]}})
    a.g.open_task(["up/echo"])
    a.spire = s
    return a


def test_workload_with_a_jwt_svid_of_spire_is_an_agent(door, peer):
    a, workload, key = door, peer("api", door.spire.agent_socket), new_key()

    def assertion(audience, path="/agent/desk"):
        svid = workload.ok("as", THEIRS + path, audience)
        return {"client_assertion_type": SPIFFE, "client_assertion": svid["token"]}

    a.spire.entry("/agent/other", os.getuid())
    wait_until(lambda: "error" not in workload.ask("as", f"{THEIRS}/agent/other", "x"), "SPIRE's agent to know of the other", 30)

    def ask(auth):  # noqa: F811
        where = f"{a.url}/oauth/token"
        first = a.token({}, auth=auth, proof=proof(key, "POST", where))
        nonce = first.fields.get("dpop-nonce")
        return a.token({}, auth=auth, proof=proof(key, "POST", where, nonce=nonce)) if nonce else first, nonce

    answer, nonce = ask(assertion(a.url))
    assert answer.status == 200, answer.body
    token = answer.json["access_token"]
    answer = a.use(token, "DPoP", headers=[("DPoP", proof(key, "POST", f"{a.url}/mcp", token, nonce))])
    assert answer.status == 200 and "up__echo" in answer.body.decode()
    assert a.use(token).status == 401  # without its key
    for refused in (assertion("elsewhere"), assertion(a.url, "/agent/other")):
        answer, _ = ask(refused)
        assert answer.error == "invalid_client", answer.body


MCP = ("Content-Type:application/json", "Accept:application/json,text/event-stream", "MCP-Protocol-Version:2026-07-28",
       "Mcp-Method:tools/list")


def test_go_spiffe_client_with_an_x509_svid_of_spire_is_an_agent(door, peer, tmp_path):
    a, workload = door, peer("dial", door.spire.agent_socket, door.server_ca, door.tls_url)
    form, call = tmp_path / "form", tmp_path / "call.json"
    form.write_text("grant_type=client_credentials")
    call.write_text(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}}))

    def ask_token():
        return workload.ok("/oauth/token", form, "Content-Type:application/x-www-form-urlencoded")

    answer = ask_token()
    assert answer["status"] == 200, answer
    token = json.loads(answer["body"])["access_token"]

    def use():
        return workload.ok("/mcp", call, *MCP, f"Authorization:Bearer+{token}")

    assert use()["status"] == 200 and "up__echo" in use()["body"]
    assert a.use(token).status == 401, "without its certificate"
    a.g.control("agent.suspend", agent="desk")
    refused = use()
    assert refused["status"] != 200 or "up__echo" not in refused["body"], refused
    assert ask_token()["status"] == 400
    a.g.control("agent.resume", agent="desk")
    assert use()["status"] == 200
    workload_id = {"kind": "id", "name": f"{THEIRS}/agent/desk"}
    a.g.control("identity.revoke", workload_id)
    gone = use()
    assert gone["status"] == 401, gone
    assert ask_token()["status"] == 401
    a.g.control("identity.lift", workload_id)
    assert ask_token()["status"] == 200


def test_listener_of_agents_lets_workloads_of_spire_in_while_its_bundle_says_so(gateway, spire, peer, tmp_path):
    s, bundle, port = spire(), tmp_path / "spire.json", free_port()
    bundle.write_text(s.bundle())
    ca = Ca(tmp_path, "ca")
    cert, key = ca.issue("web", "serverAuth", "IP:127.0.0.1,DNS:localhost")
    gateway(issuers={"spire": {"trustDomain": "spire.example", "bundleFile": str(bundle)}},
            agents={"desk": {"owner": "ann", "assessed": "2026-10-01",
                             "proofs": [{"issuer": "spire", "id": f"{THEIRS}/agent/desk"}]}},
            listen=[{"address": "127.0.0.1:0", "bearer": True},
                    {"address": f"127.0.0.1:{port}", "cert": str(cert), "key": str(key), "clientCa": "agents"}])
    workload = peer("dial", s.agent_socket, ca.cert, f"https://localhost:{port}")
    wait_until(lambda: workload.ask("/mcp").get("status") in (401, 405), "the handshake to be let in")
    document = json.loads(s.bundle())
    document["keys"] = [key for key in document["keys"] if key["use"] != "x509-svid"]
    document["spiffe_sequence"] += 1
    bundle.write_text(json.dumps(document))
    wait_until(lambda: "error" in workload.ask("/mcp"), "the handshake to be refused", 30, 0.2)


# --- workloads of both, with each other -------------------------------------------------------------------------


def test_workloads_of_both_speak_mutual_tls(house, spire, peer, tmp_path):
    """Each side proves itself to go-spiffe on the other, with the bundles that its own Workload API hands out."""
    s = spire()
    s.set_bundle("ambit.local", fetch(house, "web", house.roots)["bundle"])
    s.entry("/server", os.getuid(), federates=["ambit.local"])
    bundle = tmp_path / "spire.json"
    bundle.write_text(s.bundle())
    house.stop()
    house.config["issuers"] = {"spire": {"trustDomain": "spire.example", "bundleFile": str(bundle)}}
    house.write_config()
    house.start()
    mine = peer("api", house.workload)
    wait_until(lambda: THEIRS in mine.ok("bundles")["x509"], "our Workload API to hand SPIRE's bundle out")
    wait_until(lambda: OURS in peer("api", s.agent_socket).ok("bundles")["x509"], "SPIRE's agent to hand ours out", 30, 1)

    theirs = peer("serve", s.agent_socket, OURS)
    client = peer("dial", house.workload, THEIRS, f"https://{theirs.hello['addr']}")
    assert client.ok("/")["body"].startswith(f"{OURS}/agent/desk/pid-{client.process.pid}-")
    server = peer("serve", house.workload, THEIRS)
    caller = peer("dial", s.agent_socket, OURS, f"https://{server.hello['addr']}")
    assert caller.ok("/")["body"].startswith(f"{THEIRS}/")
    narrow = peer("serve", s.agent_socket, f"{OURS}/agent/other")
    assert "error" in peer("dial", house.workload, THEIRS, f"https://{narrow.hello['addr']}").ask("/")

"""The built-in SPIFFE issuer: what the keeper signs, judged by openssl, nginx and jwcrypto while its keys rotate and
while it is killed; the trust bundle's endpoints; agents' certificates at a listener of the gateway."""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest
from cryptography import x509
from jwcrypto import jwk, jws, jwt

from harness import MODERN, ROOT, ControlError, Mcp, free_port, stop_process, wait_until
from test_spiffe_gateway import scc  # noqa: F401 (a fixture)
from test_http_tls import Ca

sys.path.insert(0, str(ROOT / "tests/attack"))
import issuer as i  # noqa: E402

TD = "t.example"
DESK = f"spiffe://{TD}/agent/desk/1"
SHORT = {"x509Life": "15s", "jwtLife": "10s", "caLife": "40s", "rootLife": "66s", "refreshHint": "1s"}
LEAD_S = 3  # a key signs that long after it was made (src/identity/ca.h, CA_LEAD_HINTS) ...
LAG_S = 1  # ... in whole seconds, and we hear of it a moment later: what a consumer may be behind here


@pytest.fixture
def keeper(ambit_binary, tmp_path):
    made = []

    def make(**identity):
        made.append(i.Keeper(ambit_binary, tmp_path / "keeper", {"identity": identity}))
        return made[-1]

    yield make
    for k in made:
        if k.process.is_alive():
            k.stop()


def run(*command, good=True):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert (done.returncode == 0) is good, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def split_pem(text):
    end = "-----END CERTIFICATE-----\n"
    return [part + end for part in text.split(end) if part]


def openssl_verifies(folder, chain, roots, *more, good=True):
    leaf, *above = split_pem(chain)
    (folder / "leaf.pem").write_text(leaf)
    (folder / "above.pem").write_text("".join(above))
    (folder / "roots.pem").write_text(roots)
    run("openssl", "verify", "-x509_strict", *more, "-CAfile", folder / "roots.pem", "-untrusted", folder / "above.pem",
        folder / "leaf.pem", good=good)


def jwcrypto_verifies(token, keys):
    kid = json.loads(jws.base64url_decode(token.split(".")[0]))["kid"]
    [key] = [key for key in keys if key["kid"] == kid]
    return jwt.JWT(key=jwk.JWK(**{**key, "use": "sig"}), jwt=token)


# --- what is signed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", ["sslclient", "sslserver"])
def test_openssl_verifies_what_the_keeper_signs(keeper, tmp_path, purpose):
    k = keeper()
    chain, _, not_after = k.svid(DESK, 3600)
    openssl_verifies(tmp_path, chain, k.published.roots, "-purpose", purpose)
    openssl_verifies(tmp_path, chain, k.published.roots, "-attime", not_after + 1, good=False)
    leaf = x509.load_pem_x509_certificate(split_pem(chain)[0].encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [DESK]
    assert abs(not_after - time.time() - 3600) < 5


def test_jwcrypto_reads_every_kind_of_token(keeper):
    k = keeper()
    now = int(time.time())
    spki, _ = i.new_key()
    cases = [
        (i.JWT_SVID, {"sub": DESK, "aud": "reports", "iat": now, "exp": now + 300}, k.published.used_for("jwt-svid"), "JWT"),
        (i.WIT_SVID, {"sub": DESK, "exp": now + 3600, "cnf": {"jwk": i.jwk_of(spki)}}, k.published.used_for("wit-svid"),
         "wit+jwt"),
        (i.TASK_TOKEN, {"sub": "ann", "aud": f"https://{TD}/mcp", "exp": now + 300}, k.published.task, "at+jwt"),
        (i.TXN, {"sub": "ann", "aud": TD, "iat": now, "exp": now + 60, "txn": "1", "scope": "x", "req_wl": DESK},
         k.published.txn, "txntoken+jwt"),
    ]
    kids = set()
    for kind, claims, keys, typ in cases:
        token = jwcrypto_verifies(k.token(kind, claims), keys)
        head = json.loads(token.header)
        kids.add(head["kid"])
        assert head["typ"] == typ and claims.items() <= json.loads(token.claims).items()
    assert len(kids) == 4, "a key of its own for each kind"


def test_nginx_lets_in_who_has_an_svid(keeper, tmp_path):
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    k = keeper()
    port = free_port()
    files = {"roots.pem": k.published.roots}
    for name in ("server", "client"):
        chain, key, _ = k.svid(f"spiffe://{TD}/agent/{name}/1", 600)
        files |= {f"{name}.pem": chain, f"{name}.key": key}
    files["nginx.conf"] = f"""
        daemon off; pid {tmp_path}/nginx.pid; error_log stderr; events {{}}
        http {{ access_log off; client_body_temp_path {tmp_path}; proxy_temp_path {tmp_path}; fastcgi_temp_path {tmp_path};
            uwsgi_temp_path {tmp_path}; scgi_temp_path {tmp_path};
            server {{ listen 127.0.0.1:{port} ssl; ssl_certificate server.pem; ssl_certificate_key server.key;
                ssl_client_certificate roots.pem; ssl_verify_client on; ssl_verify_depth 2;
                location / {{ return 200 "$ssl_client_verify"; }} }} }}"""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    nginx = subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
                             stderr=subprocess.DEVNULL)
    try:
        context = ssl.create_default_context(cafile=str(tmp_path / "roots.pem"))
        context.check_hostname = False  # an SVID names a workload, not a host

        def get():
            conn = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=5)
            try:
                conn.request("GET", "/")
                response = conn.getresponse()
                return response.status, response.read().decode()
            finally:
                conn.close()

        wait_until(lambda: get()[0] == 400, "nginx to answer")
        context.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
        assert get() == (200, "SUCCESS")
    finally:
        stop_process(nginx)


# --- rotation ----------------------------------------------------------------------------------------------


class Watch:
    """What was signed and is alive, and what consumers hold that looked a refresh hint ago."""

    def __init__(self, keeper, folder):
        self.keeper, self.folder = keeper, folder
        self.alive, self.history, self.kids, self.signers = [], [keeper.published], set(), set()
        self.started, self.checked = time.time(), 0

    def look(self):
        published = self.keeper.published
        if published is not self.history[-1]:
            assert published.sequence >= self.history[-1].sequence
            self.history.append(published)

    def sign(self):
        k = self.keeper
        k.poll()
        self.look()
        now = int(time.time())
        chain, _, not_after = k.svid(DESK, 15)
        self.signers.add(split_pem(chain)[1])
        self.alive.append((not_after, chain, None))
        for kind, claims, of in (
                (i.JWT_SVID, {"sub": DESK, "aud": "q", "iat": now, "exp": now + 10}, lambda p: p.used_for("jwt-svid")),
                (i.TASK_TOKEN, {"sub": "ann", "aud": f"https://{TD}/mcp", "exp": now + 30}, lambda p: p.task)):
            token = k.token(kind, claims)
            self.kids.add(json.loads(jws.base64url_decode(token.split(".")[0]))["kid"])
            self.alive.append((claims["exp"], token, of))
        self.look()

    def check(self):
        now = time.time()
        self.alive = [one for one in self.alive if one[0] > now + 1]
        lagging = [p for p in self.history if p.at <= now - LAG_S][-1:] if now > self.started + LEAD_S + 15 else []
        for published in [self.history[-1], *lagging]:
            chains = [one for one in self.alive if one[2] is None]
            for _, chain, _ in chains[:1] + chains[-1:]:
                openssl_verifies(self.folder, chain, published.roots)
            for _, token, of in self.alive:
                if of:
                    jwcrypto_verifies(token, of(published))
                    self.checked += 1


def test_kill_in_the_middle_of_a_rotation(keeper, tmp_path):
    """Whenever it is killed, it comes back with the keys it had or those it was making: nothing that was published is
    lost, and what was signed verifies."""
    k = keeper(**SHORT)
    watch = Watch(k, tmp_path)
    rng = random.Random(7)
    made = 0
    for round_ in range(24):
        if round_ % 6 == 0:
            time.sleep(LEAD_S + 0.5)  # before the last one is in use there is no next
        watch.sign()
        before = k.published
        k.core.send("ROTATE", id=1000 + round_, kind=round_ % 6, revoke=0)
        time.sleep(rng.random() * 0.012)
        k.kill()
        k.start()
        watch.look()
        made += len(k.published.ids() - before.ids())
        assert before.ids() <= k.published.ids()
        assert (k.published.sequence == before.sequence) == (k.published.bundle == before.bundle)
        watch.check()
    assert 0 < made < 20, f"{made} rotations were finished: some should be, and some not"


@pytest.mark.heavy
def test_three_rotations_without_a_gap(keeper, tmp_path):
    k = keeper(**SHORT)
    watch = Watch(k, tmp_path)
    killed = 0
    while time.time() < watch.started + 75:
        watch.sign()
        watch.check()
        if int(time.time() - watch.started) // 9 > killed:
            killed += 1
            k.kill()
            k.start()
            watch.look()
        time.sleep(0.2)
    roots = {root for p in watch.history for root in split_pem(p.roots)}
    assert len(watch.signers) >= 4 and len(watch.kids) >= 6 and len(roots) >= 2 and killed >= 7
    assert watch.checked > 1000
    assert len(k.published.bundle["keys"]) < 20, "the old ones are forgotten"


# --- the bundle endpoint -----------------------------------------------------------------------------------


def get(port, context, path="/bundle", method="GET", headers=None):
    conn = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    try:
        conn.request(method, path, headers=headers or {})
        response = conn.getresponse()
        return response, response.read()
    finally:
        conn.close()


def insecure():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.fixture
def endpoints(gateway, tmp_path):
    """A gateway with both profiles of a bundle endpoint."""
    ca = Ca(tmp_path, "ca")
    cert, key = ca.issue("gateway", "serverAuth", "IP:127.0.0.1")
    g = gateway(start=False, trustDomain=TD)
    g.web, g.spiffe, g.ca = free_port(), free_port(), ca
    g.config["listen"] += [{"address": f"127.0.0.1:{g.web}", "bundle": "web", "cert": str(cert), "key": str(key)},
                           {"address": f"127.0.0.1:{g.spiffe}", "bundle": "spiffe"}]
    g.config["identity"] = SHORT
    g.write_config()
    return g.start()


def roots_of(document):
    return "".join(f"-----BEGIN CERTIFICATE-----\n{key['x5c'][0]}\n-----END CERTIFICATE-----\n"
                   for key in document["keys"] if key["use"] == "x509-svid")


def test_bundle_endpoint_web(endpoints):
    g = endpoints
    context = ssl.create_default_context(cafile=str(g.ca.cert))
    response, body = get(g.web, context)
    assert response.status == 200 and response.headers["content-type"] == "application/json"
    document = json.loads(body)
    assert document["spiffe_sequence"] >= 1 and document["spiffe_refresh_hint"] == 1
    assert {key["use"] for key in document["keys"]} == {"x509-svid", "jwt-svid", "wit-svid"}
    for key in document["keys"]:
        jwk.JWK(**{**key, "use": "sig"})
        assert "d" not in key
    assert "max-age=1" in response.headers["cache-control"]
    response, body = get(g.web, context, headers={"If-None-Match": response.headers["etag"]})
    assert response.status == 304 and not body
    for path in ("/", "/mcp", "/bundle/", "/bundle2"):
        assert get(g.web, context, path)[0].status == 404
    response, _ = get(g.web, context, method="POST")
    assert response.status == 405 and response.headers["allow"] == "GET"


def test_compliance_checker_passes_the_bundle(endpoints, scc, tmp_path):  # noqa: F811
    (tmp_path / "bundle.json").write_bytes(get(endpoints.web, insecure())[1])
    said = scc("bundle", tmp_path / "bundle.json")
    assert said["summary"]["passed"] >= 8 and not said["summary"]["warnings"], said


def test_bundle_endpoint_spiffe(endpoints, tmp_path):
    """Authenticated with the very bundle that it serves, over a rotation of its certificate."""
    g = endpoints
    _, body = get(g.web, ssl.create_default_context(cafile=str(g.ca.cert)))
    context = ssl.create_default_context(cadata=roots_of(json.loads(body)))
    context.check_hostname = False

    def leaf():
        with socket.create_connection(("127.0.0.1", g.spiffe), timeout=10) as s, context.wrap_socket(s) as tls:
            return tls.getpeercert(binary_form=True)

    first = leaf()
    names = x509.load_der_x509_certificate(first).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"spiffe://{TD}/ambit/bundle"]
    assert json.loads(get(g.spiffe, context)[1])["keys"] == json.loads(body)["keys"]
    wait_until(lambda: leaf() != first, "a new certificate at half life", 12)


def test_bundle_endpoints_survive_their_roles(endpoints):
    """Core and keeper are killed and come back; the endpoints serve on, with the same keys."""
    g = endpoints
    before = json.loads(get(g.spiffe, insecure())[1])
    for role in ("keeper", "core", "edge"):
        pid = g.role_pid(role)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: g.role_pid(role) not in (None, pid), f"a new {role}")
        after = json.loads(wait_until(lambda: get(g.spiffe, insecure())[1], "the endpoint"))
        assert {k["x"] for k in before["keys"]} <= {k["x"] for k in after["keys"]}
        before = after


# --- agents' certificates at a listener --------------------------------------------------------------------


@pytest.fixture
def agents_door(gateway, keeper, tmp_path, hostile):
    """A gateway whose TLS asks for certificates of its own agents, and such a certificate."""
    ca = Ca(tmp_path, "ca")
    cert, key = ca.issue("gateway", "serverAuth", "IP:127.0.0.1")
    k = keeper()
    chain, private, _ = k.svid(DESK, 3600)
    (tmp_path / "svid.pem").write_text(chain)
    (tmp_path / "svid.key").write_text(private)
    k.stop()
    port = free_port()
    g = gateway(start=False, trustDomain=TD, listen=[
        {"address": f"127.0.0.1:{port}", "cert": str(cert), "key": str(key), "clientCa": "agents"}])
    g.state.mkdir()
    shutil.copytree(k.folder / "keys", g.state / "keys")
    g.tls_port, g.ca, g.svid = port, ca, (tmp_path / "svid.pem", tmp_path / "svid.key")
    return g.start()


def enters(g, pair):
    context = ssl.create_default_context(cafile=str(g.ca.cert))
    if pair:
        context.load_cert_chain(*map(str, pair))
    try:
        response, _ = get(g.tls_port, context, "/mcp", "POST")
        return response.status
    except (ssl.SSLError, ConnectionError, http.client.HTTPException):
        return None


def test_only_agents_certificates_enter(agents_door, tmp_path):
    g = agents_door
    assert enters(g, g.svid) in (401, 415), "the certificate is let in, and opens nothing by itself"
    assert enters(g, None) is None
    assert enters(g, Ca(tmp_path, "stranger").issue("client", "clientAuth", f"URI:{DESK}")) is None
    assert enters(g, g.ca.issue("client", "clientAuth", f"URI:{DESK}")) is None


@pytest.fixture
def elsewhere(ambit_binary, tmp_path):
    """A keeper of another trust domain, and an SVID of it."""
    k = i.Keeper(ambit_binary, tmp_path / "elsewhere", {"trustDomain": "other.example"})
    chain, key, _ = k.svid("spiffe://other.example/agent/desk/1", 3600)
    k.svid_files = (tmp_path / "other.pem", tmp_path / "other.key")
    for path, text in zip(k.svid_files, (chain, key)):
        path.write_text(text)
    yield k
    k.stop()


def test_certificates_of_other_trust_domains_enter_while_their_bundle_counts(agents_door, elsewhere, tmp_path):
    """The bundle comes, and is replaced by one with other keys, while the gateway runs."""
    g = agents_door
    assert enters(g, elsewhere.svid_files) is None
    bundle = tmp_path / "other.bundle"
    bundle.write_text(json.dumps(elsewhere.published.bundle))
    g.config["issuers"] = {"there": {"trustDomain": "other.example", "bundleFile": str(bundle)}}
    g.write_config()
    g.restart()
    wait_until(lambda: enters(g, elsewhere.svid_files), "its agents to be let in")
    assert enters(g, g.svid)
    elsewhere.ask("ROTATE", kind=i.ROOT, revoke=1)
    replaced = tmp_path / "other.new"
    replaced.write_text(json.dumps(elsewhere.published.bundle))
    os.replace(replaced, bundle)
    wait_until(lambda: enters(g, elsewhere.svid_files) is None, "the old root to be gone", 30)
    assert enters(g, g.svid)


def test_gateways_federate_over_https_spiffe(gateway):
    """One gets the other's bundle from its endpoint, over a rotation of everything there."""
    there = gateway(start=False, trustDomain=TD, identity=SHORT)
    there.spiffe = free_port()
    there.config["listen"].append({"address": f"127.0.0.1:{there.spiffe}", "bundle": "spiffe"})
    there.write_config()
    there.start()
    first = there.dir / "first.bundle"
    first.write_text(json.dumps(there.control("identity.show")["bundle"]))
    here = gateway(trustDomain="here.example", issuers={"there": {
        "trustDomain": TD, "bundleFile": str(first), "endpoint": f"https://127.0.0.1:{there.spiffe}/bundle",
        "profile": "https_spiffe", "endpointId": f"spiffe://{TD}/ambit/bundle"}})
    wait_until(lambda: "keys of an issuer" in here.log, "the bundle to be fetched")
    before = here.log.count("keys of an issuer")
    there.control("identity.revoke", kind="jwt")
    wait_until(lambda: here.log.count("keys of an issuer") > before, "the new bundle to be fetched", 30)


def test_another_trust_domain_does_not_begin_on_old_keys(gateway):
    g = gateway(trustDomain=TD)
    g.stop()
    g.config["trustDomain"] = "other.example"
    g.write_config()
    g.start(ready=False)
    assert g.process.wait(20) != 0
    assert f"keys of trust domain {TD}" in g.log and "other.example" in g.log


# --- revocation --------------------------------------------------------------------------------------------


def records(g, type):
    """The leaves of that type, as `ambit ledger` could show them to anybody with the folder."""
    import sqlite3
    with sqlite3.connect(f"file:{g.state}/store/ambit.db?mode=ro", uri=True) as db:
        leaves = [json.loads(body) for body, in db.execute("SELECT body FROM leaf ORDER BY idx")]
    return [leaf for leaf in leaves if leaf["type"] == type]


@pytest.fixture
def desk(gateway, hostile):
    g = gateway(trustDomain=TD, mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "read"}}}})
    g.task = g.open_task(["up/echo"])
    return g


def test_revoked_identity_is_refused_at_the_next_request(desk):
    g = desk
    token = g.token(g.task)
    client = Mcp(g.url, token)
    assert client.call("up__echo", {"a": 1}).result["structuredContent"] == {"a": 1}
    g.control("identity.revoke", kind="id", name=f"spiffe://{TD}/agent/desk", reason="stolen laptop")
    reply = client.call("up__echo", {"a": 2})
    assert "is revoked" in json.dumps(reply.message) and "ann" in json.dumps(reply.message)
    shown = g.control("identity.show")
    assert [(e["kind"], e["name"], e["by"], e["reason"]) for e in shown["revoked"]] == [
        ("id", f"spiffe://{TD}/agent/desk", "ann", "stolen laptop")]
    g.kill()
    g.start()
    wait_until(lambda: "is revoked" in json.dumps(Mcp(g.url, token, MODERN).call("up__echo", {"a": 3}).message),
               "it to hold over the restart, once the keeper has told its keys", 5)
    g.control("identity.lift", kind="id", name=f"spiffe://{TD}/agent/desk")
    assert Mcp(g.url, token).call("up__echo", {"a": 4}).result["structuredContent"] == {"a": 4}
    assert [(e["state"], e["name"]) for e in records(g, "identity_change")] == [
        ("revoked", f"spiffe://{TD}/agent/desk"), ("lifted", f"spiffe://{TD}/agent/desk")]
    g.verify()


def test_revoked_token_key_ends_its_tokens_at_once(desk):
    g = desk
    old = g.token(g.task)
    assert Mcp(g.url, old).call("up__echo", {"a": 1}).result
    time.sleep(0.1)
    answer = g.control("identity.revoke", kind="task")
    assert answer["old"] != answer["new"]
    with pytest.raises(AssertionError):
        Mcp(g.url, old).call("up__echo", {"a": 2}).result
    new = g.token(g.task)
    assert json.loads(jws.base64url_decode(new.split(".")[0]))["kid"] == answer["new"]
    assert Mcp(g.url, new).call("up__echo", {"a": 3}).result["structuredContent"] == {"a": 3}
    [record] = wait_until(lambda: records(g, "identity_change"), "the record")
    assert (record["kind"], record["state"], record["before"], record["name"], record["by"]) == (
        "task", "revoked", answer["old"], answer["new"], "ann")


def test_revoked_ca_leaves_the_bundle_at_once(endpoints):
    """The endpoint's own certificate was of that CA: it has a new one as soon as the bundle has changed."""
    g = endpoints
    before = json.loads(get(g.spiffe, insecure())[1])
    answer = g.control("identity.revoke", kind="signer")
    assert answer["sequence"] > before["spiffe_sequence"]

    def renewed():
        after = json.loads(get(g.spiffe, insecure())[1])
        context = ssl.create_default_context(cadata=roots_of(after))
        context.check_hostname = False
        return json.loads(get(g.spiffe, context)[1])

    after = wait_until(renewed, "a certificate of the new CA", 5)
    roots = [{k["x"] for k in d["keys"] if k["use"] == "x509-svid"} for d in (before, after)]
    assert not roots[0] & roots[1]
    assert {k["x"] for k in before["keys"] if k["use"] == "jwt-svid"} <= {k["x"] for k in after["keys"]}


def test_rotation_by_hand_keeps_the_old_key(endpoints):
    g = endpoints
    time.sleep(LEAD_S + 1)
    before = json.loads(get(g.spiffe, insecure())[1])
    answer = g.control("identity.rotate", kind="jwt")
    after = wait_until(lambda: [d for d in [json.loads(get(g.spiffe, insecure())[1])]
                                if d["spiffe_sequence"] == answer["sequence"]], "the new bundle")[0]
    kids = [{k["kid"] for k in d["keys"] if k["use"] == "jwt-svid"} for d in (before, after)]
    assert kids[0] < kids[1] and kids[1] - kids[0] == {answer["new"]}
    with pytest.raises(ControlError, match="waits to be used"):
        g.control("identity.rotate", kind="jwt")


def test_only_administrators_touch_the_issuer(gateway):
    g = gateway(trustDomain=TD, people={"oma": {"roles": ["owner", "auditor"]}})
    g.add_operator("oma")
    as_oma = ("--as", "oma", "--key", g.key_file("oma"))
    assert g.cli("identity", "show", *as_oma).returncode == 0
    for words in (("rotate", "jwt"), ("revoke", "root"), ("revoke", "id", DESK), ("revoke", "id", DESK, "--lift")):
        done = g.cli("identity", *words, *as_oma, check=False)
        assert done.returncode != 0 and "does not have the role" in done.stderr
    assert not records(g, "identity_change")


@pytest.mark.parametrize("params,why", [
    ({"kind": "nonsense", "name": "x"}, "kind"), ({"kind": "id", "name": "desk"}, "SPIFFE|scheme|spiffe"),
    ({"kind": "id"}, "name"), ({"kind": "certificate", "name": "ab"}, "64"), ({"kind": "serial", "name": "xyz"}, "hexa"),
    ({"kind": "id", "name": DESK, "for": "soon"}, "duration"), ({"kind": "key", "name": "x", "reason": "r" * 501}, "500")])
def test_what_cannot_be_revoked(desk, params, why):
    with pytest.raises(ControlError, match=why):
        desk.control("identity.revoke", params)
    assert not records(desk, "identity_change")


def test_command_line(desk):
    g = desk
    name = f"spiffe://{TD}/agent/clerk"
    assert "trust domain t.example" in g.cli("identity", "show").stdout
    assert "revoked" in g.cli("identity", "revoke", "id", name, "--reason", "gone", "--for", "2h").stdout
    assert f"revoked  id {name}" in g.cli("identity", "show").stdout
    assert "lifted" in g.cli("identity", "revoke", "id", name, "--lift").stdout
    assert name not in g.cli("identity", "show").stdout
    assert "the new key is" in g.cli("identity", "revoke", "jwt").stdout

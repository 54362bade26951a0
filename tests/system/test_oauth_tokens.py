"""Tokens from end to end: SVIDs in, tokens out, tokens used. Clients of other makers do what they always do; what must be
refused is written byte by byte (reference, section 8: lists 3 to 7)."""

import json
import time

import pytest

from oauth_kit import (ACCESS, EXCHANGE, JWT_BEARER, SPIFFE, Issuer, auth, b64, claims_of, jwk, jws,  # noqa: F401
                       new_key, proof)


@pytest.fixture
def a(auth):
    """One task of desk, and the gateway."""
    a = auth()
    a.task = a.g.open_task(["up/echo", "up/echo_params"])
    return a


def step(a, do, agent="desk", **more):
    return {"do": do, "assertion": a.issuer.token(agent, a.url), **more}


# --- what works, by other people's clients ---------------------------------------------------------------


def test_oauth4webapi_dpop(a):
    _, token, read, claims, jose = a.run_ok(
        {"do": "discover", "issuer": a.url},
        step(a, "token", key="k", params={"resource": f"{a.url}/mcp"}, **{"as": "t"}),
        {"do": "call", "url": f"{a.url}/mcp", "key": "k", "token": {"$": "t"}},
        {"do": "validate", "url": f"{a.url}/mcp", "key": "k", "token": {"$": "t"}},
        {"do": "jose", "token": {"$": "t"}, "audience": f"{a.url}/mcp"})
    assert token["token_type"] == "dpop" and token["nonces"] == 1 and 0 < token["expires_in"] <= 300
    assert token["authorization_details"][0] == {"type": "ambit_task", "task": a.task}
    assert "refresh_token" not in token
    assert {t["name"] for t in read["body"]["result"]["tools"]} == {"up__echo", "up__echo_params"}
    for c in (claims, jose["payload"]):
        assert c["iss"] == a.url and c["aud"] == f"{a.url}/mcp" and c["sub"] == "ann"
        assert c["act"] == {"sub": "spiffe://ambit.local/agent/desk"} and c["task"]["id"] == a.task
    assert jose["protectedHeader"]["typ"] == "at+jwt" and jose["protectedHeader"]["alg"] == "ES256"


def test_oauth4webapi_mtls(a):
    cert = a.issuer.svid("desk")
    mtls = a.mtls(cert)
    _, token, *_ = a.run_ok(
        {"do": "discover", "issuer": a.url},
        {"do": "token", "mtls": mtls, "client_id": "spiffe://ambit.local/agent/desk", "as": "t",
         "params": {"resource": f"{a.tls_url}/mcp/up"}},
        {"do": "jose", "token": {"$": "t"}, "audience": f"{a.tls_url}/mcp/up"})
    assert token["token_type"] == "bearer"
    assert "x5t#S256" in claims_of(token["access_token"])["cnf"]
    good = a.use(token["access_token"], path="/mcp/up", cert=cert)
    assert good.status == 200 and {t["name"] for t in good.json["result"]["tools"]} == {"echo", "echo_params"}
    other = a.issuer.svid("clerk")
    assert a.use(token["access_token"], path="/mcp/up", cert=other).status == 401
    assert a.use(token["access_token"], path="/mcp/up", cert=a.issuer.svid("desk")).status == 401  # rotated
    assert a.use(token["access_token"], path="/mcp/up", tls=True).status == 401
    assert a.use(token["access_token"], path="/mcp/up").status == 401  # the plain listener
    # What a proxy would say of a certificate is nothing.
    for name in ("X-Forwarded-Client-Cert", "X-SSL-Client-Cert", "Client-Cert"):
        assert a.use(token["access_token"], path="/mcp/up", headers=[(name, cert[0].read_text().replace("\n", " "))]
                     ).status == 401


def test_openid_client(a):
    first, less, active = a.run_ok(
        step(a, "openid", issuer=a.url, client_id="spiffe://ambit.local/agent/desk", key="k", **{"as": "t"}),
        step(a, "openid", issuer=a.url, client_id="spiffe://ambit.local/agent/desk", key="k", type=EXCHANGE,
             params={"subject_token": {"$": "t"}, "subject_token_type": ACCESS, "scope": "up/echo"}, **{"as": "less"}),
        step(a, "openid_introspect", issuer=a.url, client_id="spiffe://ambit.local/agent/desk", token={"$": "less"}))
    assert first["token_type"] == "dpop" and less["issued_token_type"] == ACCESS
    assert active["active"] and active["task"]["operations"] == ["up/echo"]


def test_jwcrypto_reads_our_tokens(a):
    from jwcrypto import jwk as jwks, jwt
    key = new_key()
    token = a.get_token(key=key)
    keys = jwks.JWKSet.from_json(a.request("GET", "/oauth/jwks").body)
    checked = jwt.JWT(jwt=token, key=keys, algs=["ES256"], check_claims={"iss": a.url, "aud": f"{a.url}/mcp", "exp": None})
    assert json.loads(checked.claims)["task"]["id"] == a.task


def test_introspection_and_revocation_by_oauth4webapi(a):
    answers = a.run_ok(
        {"do": "discover", "issuer": a.url},
        step(a, "token", key="k", **{"as": "t"}),
        step(a, "introspect", "audit", token={"$": "t"}),
        step(a, "introspect", "clerk", token={"$": "t"}),
        {"do": "call", "url": f"{a.url}/mcp", "key": "k", "token": {"$": "t"}},
        step(a, "revoke", token={"$": "t"}),
        step(a, "introspect", "audit", token={"$": "t"}))
    assert answers[2]["active"] and answers[2]["task"]["id"] == a.task
    assert answers[3] == {"active": False} and answers[6] == {"active": False}
    assert answers[4]["status"] == 200


def test_a_holder_completes_its_task(a):
    key = new_key()
    token = a.get_token(key=key)
    answer = a.post("/oauth/revoke", {**a.assertion(), "token": token, "task": "complete"})
    assert answer.status == 200
    assert a.g.control("task.show", task=a.task)["state"] == "completed"
    assert a.use(token, "DPoP", headers=[("DPoP", proof(key, "POST", f"{a.url}/mcp", token, a.nonce()))]).status == 401
    made = proof(key, "POST", f"{a.url}/oauth/token", nonce=a.nonce())
    assert a.token({}, proof=made).error == "invalid_grant"


def test_revoked_stays_revoked(a):
    """Also when core is started anew."""
    cert = a.issuer.svid("desk")
    token = a.get_token({"resource": f"{a.tls_url}/mcp"}, cert=cert)
    other = a.get_token({"resource": f"{a.tls_url}/mcp"}, cert=cert)
    assert a.use(token, cert=cert).status == 200
    assert a.post("/oauth/revoke", {**a.assertion(), "token": token}).status == 200
    assert a.use(token, cert=cert).status == 401
    a.g.restart()
    assert a.use(other, cert=cert).status == 200
    assert a.use(token, cert=cert).status == 401


# --- what must be refused -----------------------------------------------------------------------------------


def bad_assertions(a):
    own, stranger = a.issuer, Issuer(a.folder, "stranger.example")
    now = int(time.time())
    good = own.token("desk", a.url)
    head, body, sig = good.split(".")
    yield "another audience", own.token("desk", "https://other.example")
    yield "two audiences", own.token("desk", [a.url, "https://other.example"])
    yield "no audience", own.token("desk", None)
    yield "expired", own.token("desk", a.url, exp=now - 60, iat=now - 400)
    yield "no exp", own.token("desk", a.url, exp=None)
    yield "exp as text", own.token("desk", a.url, exp=str(now + 60))
    yield "not valid yet", own.token("desk", a.url, nbf=now + 600)
    yield "an agent nobody knows", own.token("nobody", a.url)
    yield "no path", own.token("desk", a.url, path="")
    yield "a path that climbs", own.token("desk", a.url, path="/agent/clerk/../desk/1")
    yield "a trust domain nobody knows", stranger.token("desk", a.url)
    yield "another trust domain's key", own.token("desk", a.url, key=stranger.jwt_key)
    yield "our own trust domain, by them", jws(own.jwt_key, {"alg": "ES256", "kid": "jwt-1", "typ": "JWT"}, {
        "sub": "spiffe://ambit.local/agent/desk/1", "aud": a.url, "iat": now, "exp": now + 60})
    yield "no kid", own.token("desk", a.url, header={"kid": ""})
    yield "a kid that climbs", own.token("desk", a.url, header={"kid": "../jwt-1"})
    yield "a kid of SQL", own.token("desk", a.url, header={"kid": "' OR 1=1 --"})
    yield "the X.509 key", own.token("desk", a.url, key=own.root_key)
    yield "typ at+jwt", own.token("desk", a.url, header={"typ": "at+jwt"})
    yield "an embedded key", own.token("desk", a.url, key=new_key(), header={"jwk": jwk(new_key())})
    yield "crit", own.token("desk", a.url, header={"crit": ["b64"], "b64": False})
    yield "alg none", b64(b'{"alg":"none","typ":"JWT"}') + "." + body + "."
    yield "padding", good + "="
    yield "a fourth part", good + ".x"
    yield "an altered signature", f"{head}.{body}.{sig[:-2]}{'AA' if sig[-2:] != 'AA' else 'BB'}"
    yield "a task token", a.get_token(key=new_key())


def test_bad_assertions(a):
    for what, assertion in bad_assertions(a):
        answer = a.token({}, auth={"client_assertion_type": SPIFFE, "client_assertion": assertion})
        assert answer.status == 401 and answer.error == "invalid_client", (what, answer.body)
    good = a.issuer.token("desk", a.url)
    for params in ({"client_assertion_type": "urn:x", "client_assertion": good}, {"client_assertion": good},
                   {"client_assertion_type": SPIFFE, "client_assertion": good, "client_id": "clerk"},
                   {"client_id": "desk", "client_secret": "x"}, {"client_id": "desk"}):
        answer = a.token({}, auth=params)
        assert answer.status == 401 and answer.error == "invalid_client", (params, answer.body)
    with_iss = a.issuer.token("desk", a.url, iss="https://issuer.example")
    answer = a.token({}, auth={"client_assertion_type": JWT_BEARER, "client_assertion": with_iss},
                     proof=proof(new_key(), "POST", f"{a.url}/oauth/token", nonce=a.nonce()))
    assert answer.status == 200, answer.body


def test_bad_certificates(a):
    own, stranger = a.issuer, Issuer(a.folder, "stranger.example")
    td = "spiffe://peer.example"
    certs = {
        "another trust domain": stranger.svid("desk"),
        "another trust domain's, in our name": stranger.svid("desk", uris=[f"{td}/agent/desk/1"]),
        "two URIs": own.svid("desk", uris=[f"{td}/agent/desk/1", f"{td}/agent/clerk/1"]),
        "no URI": own.svid("desk", uris=[]),
        "a URI without path": own.svid("desk", uris=[td]),
        "not a SPIFFE ID": own.svid("desk", uris=["https://peer.example/agent/desk/1"]),
        "a CA": own.svid("desk", ca=True),
        "expired": own.svid("desk", before=-7200, life=-60),
        "not valid yet": own.svid("desk", before=600),
        "an agent nobody knows": own.svid("nobody"),
        "signed by itself": own.svid("desk", by=new_key()),
    }
    for what, cert in certs.items():
        answer = a.token({}, cert=cert)
        assert answer.status == 401 and answer.error == "invalid_client", (what, answer.body)
    answer = a.token({}, tls=True, auth={"grant_type": "client_credentials"})
    assert answer.status == 401
    # A good assertion does not make another agent's certificate good.
    answer = a.token({}, auth=a.assertion("desk"), cert=own.svid("clerk"))
    assert answer.error == "invalid_client"


def test_a_certificate_that_ends_takes_its_token_with_it(a):
    cert = a.issuer.svid("desk", life=4)
    token = a.get_token({"resource": f"{a.tls_url}/mcp"}, cert=cert)
    claims = claims_of(token)
    assert claims["exp"] - claims["iat"] <= 4
    assert a.use(token, cert=cert).status == 200
    time.sleep(max(0, claims["exp"] - time.time()) + 0.1)
    assert a.use(token, cert=cert).status == 401


def test_dpop_at_the_resource(auth):
    """Two edges share what was used up: a proof that one has seen is dead at the other."""
    a = auth(edges=2)
    a.g.open_task(["up/echo"])
    key, thief, url = new_key(), new_key(), f"{a.url}/mcp"
    token = a.get_token(key=key)
    nonce = a.nonce()
    good = lambda **more: proof(key, "POST", url, token, nonce, **more)

    def use(*proofs, scheme="DPoP", headers=()):
        return a.use(token, scheme, headers=[*(("DPoP", p) for p in proofs), *headers])

    once = good()
    assert use(once).status == 200
    for _ in range(12):  # whichever edge takes the connection
        again = use(once)
        assert again.status == 401 and 'error="invalid_dpop_proof"' in again.fields["www-authenticate"]
    now = int(time.time())
    bad = {
        "as Bearer": (use(good(), scheme="Bearer"), "invalid_token"),
        "no proof": (use(), "invalid_dpop_proof"),
        "two proofs": (use(good(), good()), "invalid_dpop_proof"),
        "another method": (use(good(htm="GET")), "invalid_dpop_proof"),
        "another path": (use(good(htu=f"{url}/up")), "invalid_dpop_proof"),
        "another host, named in Host too": (use(good(htu="http://evil.example/mcp"),
                                                headers=[("Host", f"localhost:{a.g.port}")]), "invalid_dpop_proof"),
        "no ath": (use(good(ath=None)), "invalid_dpop_proof"),
        "another token's ath": (use(good(ath=b64(b"x" * 32))), "invalid_dpop_proof"),
        "no jti": (use(good(jti=None)), "invalid_dpop_proof"),
        "far in the future": (use(good(iat=now + 3600)), "invalid_dpop_proof"),
        "in the window of skew, and beyond": (use(good(iat=now + 30)), "invalid_dpop_proof"),
        "too old": (use(good(iat=now - 3600)), "invalid_dpop_proof"),
        "a private key shown": (use(good(header={"jwk": {**jwk(key), "d": b64(b"1" * 32)}})), "invalid_dpop_proof"),
        "a symmetric key": (use(good(header={"jwk": {"kty": "oct", "k": b64(b"1" * 32)}})), "invalid_dpop_proof"),
        "no key": (use(good(header={"jwk": None})), "invalid_dpop_proof"),
        "no typ": (use(good(header={"typ": None})), "invalid_dpop_proof"),
        "alg none": (use(good(header={"alg": "none"})), "invalid_dpop_proof"),
        "another key": (use(proof(thief, "POST", url, token, nonce)), "invalid_token"),
        "no nonce": (use(proof(key, "POST", url, token)), "use_dpop_nonce"),
        "a made-up nonce": (use(proof(key, "POST", url, token, b64(b"1" * 24))), "use_dpop_nonce"),
    }
    for what, (answer, error) in bad.items():
        assert answer.status == 401, (what, answer.body)
        assert f'error="{error}"' in answer.fields["www-authenticate"], (what, answer.fields["www-authenticate"])
        assert ("dpop-nonce" in answer.fields) == (error == "use_dpop_nonce"), what
    # In the window of skew a proof still works once only.
    ahead = good(iat=now + 10)
    assert use(ahead).status == 200 and use(ahead).status == 401
    # A proof for the token endpoint is none for the resource, and the other way round.
    other = proof(key, "POST", f"{a.url}/oauth/token", nonce=nonce)
    assert use(other).status == 401
    assert a.token({}, proof=good()).error == "invalid_dpop_proof"


def test_a_nonce_does_not_outlive_core(a):
    key = new_key()
    token = a.get_token(key=key)
    nonce = a.nonce()
    kept = proof(key, "POST", f"{a.url}/mcp", token, nonce)
    a.g.restart()
    answer = a.use(token, "DPoP", headers=[("DPoP", kept)])
    assert answer.status == 401 and "use_dpop_nonce" in answer.fields["www-authenticate"], answer.body


def test_tokens_of_other_kinds(a):
    now = int(time.time())
    claims = claims_of(a.get_token(key=new_key()))
    for token in (a.issuer.token("desk", f"{a.url}/mcp"), jws(new_key(), {"alg": "ES256", "typ": "at+jwt"}, claims),
                  jws(a.issuer.jwt_key, {"alg": "ES256", "typ": "at+jwt", "kid": "jwt-1"}, claims),
                  proof(new_key(), "POST", f"{a.url}/mcp"),
                  jws(new_key(), {"alg": "ES256", "typ": "txntoken+jwt"}, {**claims, "txn": "x", "exp": now + 60})):
        assert a.use(token).status == 401


def exchange(a, subject, agent="desk", key=None, **params):
    made = proof(key or new_key(), "POST", f"{a.url}/oauth/token", nonce=a.nonce())
    return a.post("/oauth/token", {"grant_type": EXCHANGE, **a.assertion(agent), "subject_token": subject,
                                   "subject_token_type": ACCESS, **params}, [("DPoP", made)])


def test_exchange_only_narrows(a):
    whole = a.get_token(key=new_key())
    key = new_key()
    answer = exchange(a, whole, key=key, scope="up/echo", resource=f"{a.url}/mcp/up")
    assert answer.status == 200 and answer.json["issued_token_type"] == ACCESS
    less = answer.json["access_token"]
    assert claims_of(less)["exp"] <= claims_of(whole)["exp"]
    tools = a.use(less, "DPoP", path="/mcp/up",
                  headers=[("DPoP", proof(key, "POST", f"{a.url}/mcp/up", less, a.nonce()))])
    assert [t["name"] for t in tools.json["result"]["tools"]] == ["echo"]
    refused = {
        "wider": exchange(a, less, scope="up/echo_params"),
        "wider by pattern of what is not there": exchange(a, whole, scope="up/big"),
        "a wider resource": exchange(a, less, resource=f"{a.url}/mcp"),
        "another resource": exchange(a, whole, resource=f"{a.tls_url}/mcp"),
        "a foreign resource": exchange(a, whole, audience="https://api.example"),
        "an unknown constraint": exchange(a, whole, authorization_details='[{"type":"tool_call","actions":["up/echo"],'
                                                                          '"constraints":{"a":1}}]'),
        "an actor of its choice": exchange(a, whole, actor_token=whole, actor_token_type=ACCESS),
        "another agent": exchange(a, whole, agent="clerk"),
        "a refresh token": exchange(a, whole, requested_token_type="urn:ietf:params:oauth:token-type:refresh_token"),
        "a subject of another kind": exchange(a, a.issuer.token("desk", a.url)),
    }
    for what, answer in refused.items():
        assert answer.status == 400 and "access_token" not in answer.json, (what, answer.body)
    a.g.close_task(a.task)
    assert exchange(a, whole).error == "invalid_grant"


def test_suspended_agents_get_none(a):
    key = new_key()
    token = a.get_token(key=key)
    a.g.control("agent.suspend", agent="desk")
    assert a.token({}, proof=proof(key, "POST", f"{a.url}/oauth/token", nonce=a.nonce())).error == "access_denied"
    active = a.post("/oauth/introspect", {**a.assertion("audit"), "token": token}).json
    assert active == {"active": False}
    a.g.control("agent.resume", agent="desk")
    assert a.post("/oauth/introspect", {**a.assertion("audit"), "token": token}).json["active"]


# --- tasks that do not begin with a person ------------------------------------------------------------------


def test_an_agent_asks_for_a_task_and_waits(a):
    """Held for the owner; a stock client's poll gets the token once the owner consents, and another agent nothing."""
    key = new_key()
    wish = json.dumps([{"type": "ambit_task", "purpose": "read one", "operations": ["up/big"], "deadline": "5m"}])
    ask = lambda params, agent="clerk": a.post("/oauth/token", {**a.assertion(agent), **params}, [
        ("DPoP", proof(key, "POST", f"{a.url}/oauth/token", nonce=a.nonce()))])
    pending = ask({"grant_type": "client_credentials", "authorization_details": wish})
    assert pending.status == 400 and pending.error == "authorization_pending", pending.body
    poll = {"grant_type": "urn:openid:params:grant-type:ciba", "auth_req_id": pending.json["auth_req_id"]}
    assert pending.json["interval"] > 0 and pending.json["expires_in"] > 0
    assert ask(poll).error == "authorization_pending"
    assert ask(poll, "desk").error == "access_denied"
    assert ask({**poll, "auth_req_id": "x"}).error == "invalid_request"
    a.g.control("hold.approve", hold=pending.json["hold"])
    answer = ask(poll)
    assert answer.status == 200, answer.body
    claims = claims_of(answer.json["access_token"])
    assert claims["sub"] == "ann" and claims["authorization_details"][0]["actions"] == ["up/big"]
    wider = json.dumps([{"type": "ambit_task", "purpose": "all", "operations": ["up/big"], "owner": "bob"}])
    assert ask({"grant_type": "client_credentials", "authorization_details": wider}).error == "invalid_authorization_details"


# --- what servers behind the gateway get --------------------------------------------------------------------


def test_servers_get_a_token_of_the_call_and_never_the_agents(auth):
    a = auth()
    a.g.stop()
    a.g.config["mcpServers"]["up"]["identity"] = "txn"
    a.g.write_config()
    a.g.start()
    task = a.g.open_task(["up/echo_headers"])
    key = new_key()
    token = a.get_token({"resource": f"{a.url}/mcp/up"}, key=key)
    answers = a.run_ok(
        {"do": "discover", "issuer": a.url},
        step(a, "token", key="k", params={"resource": f"{a.url}/mcp/up"}, **{"as": "t"}),
        *[{"do": "call", "url": f"{a.url}/mcp/up", "key": "k", "token": {"$": "t"}, "method": "tools/call",
           "mcp": {"name": "echo_headers", "arguments": {"n": n}}, "headers": {"Mcp-Name": "echo_headers", "Txn-Token": "mine"}}
          for n in (1, 2)])
    seen = set()
    for answer in answers[2:]:
        headers = answer["body"]["result"]["structuredContent"]["headers"]
        fields = {}
        for name, value in headers:
            fields.setdefault(name.lower(), []).append(value)
        assert "authorization" not in fields and "dpop" not in fields
        [txn] = fields["txn-token"]
        assert not any(token in v or v == "mine" for values in fields.values() for v in values)
        [claims] = a.run_ok({"do": "discover", "issuer": a.url},
                            {"do": "jose", "token": txn, "typ": "txntoken+jwt", "audience": "ambit.local"})[1:]
        c = claims["payload"]
        assert c["sub"] == "ann" and c["scope"] == "up/echo_headers" and c["tctx"]["task"] == task
        assert c["req_wl"] == "spiffe://ambit.local/agent/desk" and c["act"]["sub"] == c["req_wl"]
        assert 0 < c["exp"] - c["iat"] <= 60
        assert a.g.trace(c["txn"])["entries"], "the record has the call that the token names"
        # It is no access token here, and nothing to exchange or to authenticate with.
        assert a.use(txn, path="/mcp/up").status == 401
        assert exchange(a, txn).status == 400
        assert a.token({}, auth={"client_assertion_type": SPIFFE, "client_assertion": txn}).status == 401
        seen.add(c["txn"])
    assert len(seen) == 2

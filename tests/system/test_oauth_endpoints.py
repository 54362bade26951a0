"""How clients find the authorization server, and what its endpoints make of bytes: metadata, keys, challenges, forms."""

import json
import os
import signal

import pytest

from harness import wait_until
from oauth_kit import auth, new_key, proof  # noqa: F401 (a fixture)

FORM = ("Content-Type", "application/x-www-form-urlencoded")


def test_stock_clients_find_their_way(auth):
    a = auth()
    server, federated, up = a.run_ok({"do": "discover", "issuer": a.url}, {"do": "resource", "url": f"{a.url}/mcp"},
                                     {"do": "resource", "url": f"{a.url}/mcp/up"})
    assert server["token_endpoint"] == f"{a.url}/oauth/token"
    assert server["jwks_uri"] == f"{a.url}/oauth/jwks"
    assert server["mtls_endpoint_aliases"]["token_endpoint"] == f"{a.tls_url}/oauth/token"
    assert "client_credentials" in server["grant_types_supported"]
    assert "refresh_token" not in server["grant_types_supported"]
    assert server["dpop_signing_alg_values_supported"] == ["ES256"]
    assert federated["resource"] == f"{a.url}/mcp" and federated["authorization_servers"] == [a.url]
    assert up["resource"] == f"{a.url}/mcp/up"
    answer = a.request("GET", "/.well-known/oauth-protected-resource")
    assert answer.json["resource"] == f"{a.url}/mcp" and answer.fields["cache-control"] == "no-store"
    # By its other name it is another resource, of the same authorization server.
    answer = a.request("GET", "/.well-known/oauth-protected-resource/mcp", tls=True)
    assert answer.json["resource"] == f"{a.tls_url}/mcp" and answer.json["authorization_servers"] == [a.url]
    for path in ("/.well-known/oauth-protected-resource/mcp/nothing", "/.well-known/oauth-protected-resource/mcp/ambit",
                 "/.well-known/oauth-protected-resource/other", "/.well-known/oauth-protected-resourcex",
                 "/.well-known/oauth-authorization-server/x", "/oauth", "/oauth/token/", "/oauth/nothing"):
        assert a.request("GET", path).status == 404, path


def test_keys_are_published(auth):
    a = auth()
    keys = a.request("GET", "/oauth/jwks").json["keys"]
    assert keys and all(k["kty"] == "EC" and k["crv"] == "P-256" and k["kid"] and "d" not in k for k in keys)
    assert len({k["kid"] for k in keys}) == len(keys)


def test_the_host_field_says_nothing(auth):
    a = auth()
    for path in ("/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp"):
        forged = a.request("GET", path, headers={"Host": "evil.example"})
        assert forged.status in (200, 400, 403) and b"evil" not in forged.body


@pytest.mark.parametrize("path, metadata", [("/mcp", "/mcp"), ("/mcp/up", "/mcp/up")])
def test_challenges(auth, path, metadata):
    a = auth()
    where = f'resource_metadata="{a.url}/.well-known/oauth-protected-resource{metadata}"'
    answer = a.use(None, path=path)
    offer = answer.fields["www-authenticate"]
    assert answer.status == 401 and offer.startswith("Bearer ") and ", DPoP " in offer
    assert offer.count(where) == 2 and "error" not in offer
    assert offer.count('scope="up/*"') == (2 if path == "/mcp/up" else 0)
    answer = a.use("nonsense", path=path)
    assert answer.status == 401 and answer.fields["www-authenticate"].startswith("Bearer ")
    assert 'error="invalid_token"' in answer.fields["www-authenticate"] and where in answer.fields["www-authenticate"]
    answer = a.use("nonsense", scheme="DPoP", path=path)
    assert answer.fields["www-authenticate"].startswith("DPoP ") and 'algs="ES256"' in answer.fields["www-authenticate"]


def test_off_means_off(auth):
    a = auth()
    a.g.stop()
    a.g.config["listen"] = [{"address": f"127.0.0.1:{a.g.port}", "bearer": True, "oauth": False}]
    a.g.write_config()
    a.g.start()
    for path in ("/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp", "/oauth/jwks",
                 "/oauth/token"):
        assert a.request("GET", path).status == 404, path
    assert "resource_metadata" not in a.use(None).fields["www-authenticate"]


BAD_FORMS = {
    "a parameter twice": "grant_type=client_credentials&grant_type=client_credentials",
    "a parameter twice, once escaped": "grant_type=client_credentials&grant%5Ftype=password",
    "empty pairs": "grant_type=client_credentials&&a=b",
    "a broken escape": "grant_type=client%2",
    "NUL": "grant_type=client_credentials%00",
    "not UTF-8": "grant_type=%ff%fe",
    "raw UTF-8": "grant_type=clienté",
    "JSON": json.dumps({"grant_type": "client_credentials"}),
    "too many": "&".join(f"p{i}=1" for i in range(40)),
    "too long": "a=" + "x" * 70000,
    "nothing": "",
    "an unknown grant": "grant_type=password&username=a&password=b",
    "a refresh token": "grant_type=refresh_token&refresh_token=x",
}


def test_forms_are_read_strictly(auth):
    a = auth()
    for what, form in BAD_FORMS.items():
        for path in ("/oauth/token", "/oauth/introspect", "/oauth/revoke"):
            answer = a.request("POST", path, form.encode(), [FORM])
            assert answer.status in (400, 401) and answer.error, (what, path, answer.body)
            assert answer.fields["cache-control"] == "no-store"
            assert "access_token" not in answer.json


def test_requests_are_read_strictly(auth):
    a = auth()
    good = "grant_type=client_credentials"
    assert a.request("GET", "/oauth/token").status == 405
    assert a.request("GET", "/oauth/token").fields["allow"] == "POST"
    assert a.request("POST", "/oauth/jwks", b"", [FORM]).status == 405
    assert a.request("POST", "/.well-known/oauth-authorization-server", b"", [FORM]).status == 405
    assert a.request("POST", "/oauth/token?grant_type=client_credentials", good.encode(), [FORM]).status == 400
    assert a.request("POST", "/oauth/token", good.encode(), [("Content-Type", "application/json")]).status == 400
    assert a.request("POST", "/oauth/token", good.encode(), []).status == 400
    assert a.request("POST", "/oauth/token", good.encode(), [FORM, FORM]).status == 400
    two = proof(new_key(), "POST", f"{a.url}/oauth/token")
    answer = a.request("POST", "/oauth/token", good.encode(), [FORM, ("DPoP", two), ("DPoP", two)])
    assert answer.status == 400 and answer.error == "invalid_dpop_proof"
    for value in ("Basic ZGVzazpzZWNyZXQ=", "Bearer x"):
        answer = a.request("POST", "/oauth/token", good.encode(), [FORM, ("Authorization", value)])
        assert answer.status == 401 and answer.error == "invalid_client"
    answer = a.request("POST", "/oauth/token", good.encode(), [FORM])
    assert answer.status == 401 and answer.error == "invalid_client" and "SVID" in answer.json["error_description"]


def test_core_away_is_said(auth):
    """The edge answers for a core that is not there, and goes on when it is back."""
    a = auth()
    os.kill(a.g.role_pid("core"), signal.SIGKILL)
    wait_until(lambda: a.request("GET", "/oauth/jwks").status == 200, "core to be back")
    assert a.request("GET", "/.well-known/oauth-authorization-server").status == 200

"""Signing in at an OpenID provider that we did not write (npm oidc-provider), in a real browser."""

import http.client
import json
import urllib.parse

import pytest

from test_people_consent import back, client, request  # noqa: F401 (fixtures)
from test_people_portal import ask, browser, cookies_of, portal  # noqa: F401 (fixtures)
from harness import ROOT, Upstream, free_port, wait_until


@pytest.fixture
def corp(gateway, node, tmp_path, hostile):
    """corp(**login) -> a gateway with a portal whose login provider runs; .as_user(**user) says who signs in there."""
    made = []

    def make(**login):
        port = free_port()
        origin = f"http://localhost:{port}"
        idp = Upstream([node, "--no-warnings", ROOT / "tests/peers/login_provider.mjs", f"{origin}/signin/callback"],
                       tmp_path / "idp.log", r"listening (\d+)\n")
        made.append(idp)
        g = gateway(
            issuers={"corp": {"oidc": f"http://127.0.0.1:{idp.port}"}},
            portal={"listen": f"127.0.0.1:{port}", "login": {"issuer": "corp", "clientId": "ambit", "name": "Corp", **login}},
            people={"ann": {"oidc": {"issuer": "corp", "sub": "u-ann"}}},
            agents={"desk": {"client": {"redirectUris": ["http://127.0.0.1/back"]}}},
            mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "write"}, "echo_params": {"effect": "read"}}}})
        g.portal_port, g.origin, g.idp = port, origin, f"http://127.0.0.1:{idp.port}"
        g.as_user = lambda **user: idp_get(idp, "/as?user=" + urllib.parse.quote(json.dumps(user)))
        wait_until(lambda: ask(g, "GET", "/signin").status == 200, "the portal")
        wait_until(lambda: '"current"' in json.dumps(g.control("identity.issuers")), "the provider's keys")
        return g

    yield make
    for idp in made:
        idp.stop()


def idp_get(idp, path):
    conn = http.client.HTTPConnection("127.0.0.1", idp.port, timeout=10)
    conn.request("GET", path)
    assert conn.getresponse().status == 200
    conn.close()


def sign_in(g, b):
    b.goto(g.origin + "/signin")
    b.click("#provider")
    b.wait_path("/")


def test_signs_in(corp, browser):  # noqa: F811
    g, b = corp(), browser()
    g.as_user(amr=["pwd", "mfa"])
    sign_in(g, b)
    assert b.content("#who") == "ann" and b.content("#method") == "oidc (pwd mfa)"
    session = g.control("person.show", name="ann")["signedIn"][0]
    assert session["method"] == "oidc" and session["acr"] == "silver" and session["amr"] == "pwd mfa"
    assert b.eval("location.search") == "" and "ambit" not in b.eval("document.cookie")


def test_unknown_person_is_nobody_here(corp, browser):  # noqa: F811
    g, b = corp(), browser()
    g.as_user(sub="u-mallory")
    b.goto(g.origin + "/signin")
    b.click("#provider")
    b.wait_for("document.body.innerText.includes('this gateway does not')")
    assert g.control("person.show", name="ann")["sessions"] == 0


def test_max_age_is_asked_for(corp, browser):  # noqa: F811
    """And checked in the ID token: src/people/oidc_test.c."""
    g, b = corp(maxAge=600), browser()
    assert "max_age=600" in ask(g, "GET", "/signin/provider").headers["Location"]
    g.as_user(age=300)
    sign_in(g, b)
    assert b.content("#who") == "ann"


def test_answers_are_bound_to_browser_and_sign_in(corp):
    """CSRF on login, code injection, mix-up: an answer without this browser's cookie, of another sign-in, of another issuer."""
    g = corp()
    begun = ask(g, "GET", "/signin/provider")
    assert begun.status == 303
    to = urllib.parse.urlsplit(begun.headers["Location"])
    params = dict(urllib.parse.parse_qsl(to.query))
    assert params["code_challenge_method"] == "S256" and params["response_type"] == "code" and params["nonce"]
    handle = cookies_of(begun)["ambit-login"]
    other = ask(g, "GET", "/signin/provider")
    other_params = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(other.headers["Location"]).query))

    def come_back(handle, **answer):
        cookie = {"Cookie": f"ambit-login={handle}"} if handle else {}
        return ask(g, "GET", "/signin/callback?" + urllib.parse.urlencode(answer), headers=cookie)

    good = {"code": "c", "state": params["state"], "iss": g.idp}
    for refused in (come_back(None, **good), come_back("A" * 43, **good), come_back(handle, **good),
                    come_back(handle, **good)):
        assert refused.status in (403, 400, 500, 503) and "ambit-session" not in cookies_of(refused)
    for change in ({"state": other_params["state"]}, {"state": ""}, {"iss": "https://evil.example"}, {"iss": ""}):
        fresh = ask(g, "GET", "/signin/provider")
        state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(fresh.headers["Location"]).query))["state"]
        refused = come_back(cookies_of(fresh)["ambit-login"], **{"code": "c", "state": state, "iss": g.idp, **change})
        assert refused.status == 403 and "ambit-session" not in cookies_of(refused), change
        assert "belongs to another" in refused.body or "comes from another" in refused.body, change
    twice = ask(g, "GET", f"/signin/callback?code=a&code=b&state={params['state']}")
    assert twice.status == 400


def test_consent_without_a_passkey_reaches_reading_only(corp, browser, client):  # noqa: F811
    g, b = corp(), browser()
    g.as_user(amr=["pwd"])
    sign_in(g, b)
    ask_for = lambda *ops: request(g, client, authorization_details=json.dumps(
        [{"type": "ambit_task", "purpose": "x", "operations": list(ops)}]))
    b.goto(g.origin + ask_for("up/echo"))
    b.wait_for("location.pathname.startsWith('/consent/')")
    assert len(b.eval("[...document.querySelectorAll('button[data-decision=consent]')].map(x => x.dataset.statement)")) == 1
    # The button is not there; the request by hand is refused by policy.
    status, text = b.eval("""(async () => {
        const answer = await fetch('/consent/decide', {method: 'POST', headers: {'Content-Type': 'application/json',
            'X-Ambit-Csrf': document.querySelector('meta[name="csrf"]').content}, body: JSON.stringify({
            request: location.pathname.split('/').pop(), decision: 'consent'})});
        return [answer.status, await answer.text()];
    })()""")
    assert status == 403 and "ambit-consent-beyond-reading" in text
    b.goto(g.origin + ask_for("up/echo_params"))
    b.wait_for("location.pathname.startsWith('/consent/')")
    b.click('button[data-decision="consent"]:not([data-statement])')
    assert len(back(client)["code"]) == 43


def test_consent_with_hardware_key_elsewhere(corp, browser, client):  # noqa: F811
    g, b = corp(), browser()
    g.as_user(amr=["hwk", "user"])
    sign_in(g, b)
    b.goto(g.origin + request(g, client))
    b.wait_for("location.pathname.startsWith('/consent/')")
    answer = b.eval("""(async () => (await fetch('/consent/decide', {method: 'POST', headers: {
        'Content-Type': 'application/json', 'X-Ambit-Csrf': document.querySelector('meta[name="csrf"]').content},
        body: JSON.stringify({request: location.pathname.split('/').pop(), decision: 'consent'})})).status)()""")
    assert answer == 200

"""The authorization endpoint (RFC 6749, 7636, 9207, 9396, 9700): an agent asks, its owner consents in a real browser."""

import base64
import hashlib
import http.client
import http.server
import json
import secrets
import subprocess
import threading
import urllib.parse

import pytest

from test_people_portal import ask, browser, enrol, invite, portal  # noqa: F401 (fixtures)
from harness import ROOT, wait_until


class Callback(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"back")

    def log_message(self, *args):
        pass


@pytest.fixture
def client():
    """The program that asks: a loopback address to which the browser is sent back."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Callback)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def consenting(portal, hostile):  # noqa: F811
    """A gateway whose agent desk is a client."""

    def make(**more):
        return portal(agents={"desk": {"client": {"redirectUris": ["http://127.0.0.1/back", "https://desk.example/back"]},
                                       "purpose": "<i>helps</i>"}},
                      mcpServers={"up": {"url": hostile.url, "operations": {
                          "echo": {"effect": "write"}, "echo_params": {"effect": "read"}}}}, **more)

    return make


def request(g, client=None, verifier=None, **changes):
    """The URL of a good request, but for the changes; None leaves a parameter out."""
    verifier = verifier or secrets.token_urlsafe(48)
    back = f"http://127.0.0.1:{client.server_port}/back" if client else "https://desk.example/back"
    params = {
        "response_type": "code", "client_id": "spiffe://ambit.local/agent/desk", "redirect_uri": back, "state": "s&1",
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "authorization_details": json.dumps([{"type": "ambit_task", "purpose": "mend <b>it</b>", "calls": 7,
                                              "deadline": "30m", "operations": ["up/echo"]}]), **changes}
    return "/authorize?" + urllib.parse.urlencode({k: v for k, v in params.items() if v is not None})


def back(client):
    path = wait_until(lambda: [p for p in client.asked if p.startswith("/back")], "the way back")[0]
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))


def test_owner_consents_by_passkey(consenting, browser, client):  # noqa: F811
    g, b = consenting(), browser()
    b.authenticator()
    enrol(b, g.first_link())
    b.goto(g.origin + request(g, client))
    b.wait_for("location.pathname.startsWith('/consent/')")
    text = b.text
    for words in ("mend <b>it</b>", "desk", "change data", "up/echo", "At most 7 calls", f"127.0.0.1:{client.server_port}/back"):
        assert words in text, words
    assert not b.has("main b") and not b.has("main i")
    assert "it only reads" not in text
    asked = b.path.split("/")[-1]
    b.click('button[data-decision="consent"]')
    answer = back(client)
    assert set(answer) == {"code", "state", "iss"} and answer["state"] == "s&1"
    assert answer["iss"] == f"http://127.0.0.1:{g.port}" and len(answer["code"]) == 43
    # What was signed says all of it, and is kept.
    evidence = g.control("evidence", id=asked)["evidence"][0]
    said = json.loads(evidence["statement"].split("\n")[1])
    assert said["task"]["operations"] == ["up/echo"] and said["agent"] == "desk" and said["decision"] == "consent"
    assert said["redirectUri"] == f"http://127.0.0.1:{client.server_port}/back"
    # Decided once.
    assert "decided" in ask(g, "GET", f"/consent/{asked}", headers={"Cookie": session_of(g, b)}).body
    assert answer["code"] not in g.log
    g.verify()


def session_of(g, b):
    return "; ".join(f"{c['name']}={c['value']}" for c in b.cdp("Network.getCookies", urls=[g.origin])["cookies"])


def test_owner_declines(consenting, browser, client):  # noqa: F811
    g, b = consenting(), browser()
    b.authenticator()
    enrol(b, g.first_link())
    b.goto(g.origin + request(g, client))
    b.wait_for("location.pathname.startsWith('/consent/')")
    b.click('button[data-decision="decline"]')
    assert back(client) == {"error": "access_denied", "state": "s&1", "iss": f"http://127.0.0.1:{g.port}"}


def test_stranger_signs_in_first_and_comes_back(consenting, browser, client):  # noqa: F811
    g, b = consenting(), browser()
    b.authenticator()
    enrol(b, g.first_link())
    b.click("header form button")
    b.wait_path("/signin")
    b.goto(g.origin + request(g, client))
    b.wait_path("/signin")
    b.click("#go")
    b.wait_for("location.pathname.startsWith('/consent/')")
    assert "up/echo" in b.text


def test_only_the_owner_consents(consenting, browser, client):  # noqa: F811
    g, b = consenting(people={"eve": {"roles": ["owner"]}}), browser()
    b.authenticator()
    enrol(b, invite(g, "eve"))
    b.goto(g.origin + request(g, client))
    b.wait_for("document.body.innerText.includes('alone may consent')")
    assert not b.has("button[data-decision]") and not client.asked


def test_nothing_is_sent_to_an_address_that_is_not_the_clients(consenting):
    """Open redirect, redirect prefix match, and an error that would go to a stranger."""
    g = consenting()
    for uri in ("https://evil.example/back", "https://desk.example/back/evil", "https://desk.example/back?x", "//evil.example",
                "https://desk.example.evil.example/back", "https://desk.example@evil.example/back", "javascript:alert(1)",
                "http://127.0.0.1.evil.example/back", "", None):
        answer = ask(g, "GET", request(g, redirect_uri=uri))
        assert answer.status in (400, 403) and "Location" not in answer.headers, uri
        assert "evil.example" not in answer.body
    for name in ("spiffe://ambit.local/agent/clerk", "nobody", "", None):
        answer = ask(g, "GET", request(g, client_id=name))
        assert answer.status in (400, 403) and "Location" not in answer.headers, name
    # A parameter that comes twice is nobody's.
    answer = ask(g, "GET", request(g) + "&redirect_uri=https%3A%2F%2Fevil.example%2Fback")
    assert answer.status == 400 and "Location" not in answer.headers


def test_errors_are_told_to_the_client_with_state_and_iss(consenting):
    """PKCE downgrade, other response types, tokens in URLs, tasks outside the ambit, mix-up (iss)."""
    g = consenting()
    details = lambda **task: json.dumps([{"type": "ambit_task", "purpose": "x", "operations": ["up/echo"], **task}])
    cases = [
        ({"code_challenge_method": "plain"}, "invalid_request"), ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"), ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"), ({"response_mode": "fragment"}, "invalid_request"),
        ({"request_uri": "https://evil.example/r"}, "request_uri_not_supported"), ({"scope": "openid"}, "invalid_scope"),
        ({"authorization_details": None}, "invalid_authorization_details"),
        ({"authorization_details": details(more=1)}, "invalid_authorization_details"),
        ({"authorization_details": details(purpose="")}, "invalid_authorization_details"),
        ({"authorization_details": details(deadline="soon")}, "invalid_authorization_details"),
        ({"authorization_details": details(operations=["up/none"])}, "invalid_authorization_details"),
    ]
    for change, code in cases:
        answer = ask(g, "GET", request(g, **change))
        assert answer.status == 303, (change, answer.body)
        to = urllib.parse.urlsplit(answer.headers["Location"])
        assert f"{to.scheme}://{to.netloc}{to.path}" == "https://desk.example/back"
        assert dict(urllib.parse.parse_qsl(to.query)) == {
            "error": code, "state": "s&1", "iss": f"http://127.0.0.1:{g.port}"}, change


def test_consent_cannot_be_given_without_the_person(consenting, browser, client):  # noqa: F811
    """With the session alone (a stolen cookie, a hostile portal): no code without the passkey."""
    g, b = consenting(), browser()
    b.authenticator()
    enrol(b, g.first_link())
    b.goto(g.origin + request(g, client))
    b.wait_for("location.pathname.startsWith('/consent/')")
    post = """(async (body) => {
        const answer = await fetch('/consent/decide', {method: 'POST', body: JSON.stringify(body), headers: {
            'Content-Type': 'application/json',
            'X-Ambit-Csrf': document.querySelector('meta[name="csrf"]').content}});
        return [answer.status, await answer.text()];
    })(%s)"""
    asked = b.path.split("/")[-1]
    status, text = b.eval(post % json.dumps({"request": asked, "decision": "consent"}))
    assert status == 403 and "signed with your passkey" in text
    # A signature over another statement: of the decline, or of another request.
    status, text = b.eval(post % json.dumps({"request": asked, "decision": "consent", "assertion": {
        "credential": "AAAA", "authenticatorData": "AAAA", "clientData": "AAAA", "signature": "AAAA"}}))
    assert status == 403
    assert not client.asked


def redeem(g, **form):
    conn = http.client.HTTPConnection("127.0.0.1", g.port, timeout=10)
    try:
        conn.request("POST", "/oauth/token", urllib.parse.urlencode(form),
                     {"Content-Type": "application/x-www-form-urlencoded"})
        response = conn.getresponse()
        return response.status, json.loads(response.read())
    finally:
        conn.close()


def test_code_becomes_the_task_and_a_second_use_ends_it(consenting, browser, client):  # noqa: F811
    g, b = consenting(), browser()
    b.authenticator()
    enrol(b, g.first_link())
    verifier = secrets.token_urlsafe(48)
    b.goto(g.origin + request(g, client, verifier, authorization_details=json.dumps(
        [{"type": "ambit_task", "purpose": "look", "operations": ["up/echo_params"], "calls": 3}])))
    b.wait_for("location.pathname.startsWith('/consent/')")
    asked = b.path.split("/")[-1]
    b.click('button[data-decision="consent"][data-statement]')
    use = {"grant_type": "authorization_code", "code": back(client)["code"], "code_verifier": verifier,
           "client_id": "spiffe://ambit.local/agent/desk", "redirect_uri": f"http://127.0.0.1:{client.server_port}/back"}
    status, answer = redeem(g, **use)
    assert status == 200, answer
    tasks = g.control("task.list")["tasks"]
    assert [t["purpose"] for t in tasks] == ["look"] and tasks[0]["callsLeft"] == 3 and tasks[0]["owner"] == "ann"
    records = [e["record"] for e in g.control("trace", id=tasks[0]["task"])["entries"]]
    assert next(r for r in records if r["type"] == "task_open")["by"] == f"consent:{asked}"
    mcp = g.mcp(token=answer["access_token"])
    assert mcp.tools() == ["up__echo_params"]
    status, again = redeem(g, **use)
    assert status == 400 and again["error"] == "invalid_grant"
    assert g.control("task.show", task=tasks[0]["task"])["state"] == "revoked"
    refused = mcp.call("up__echo_params")
    assert refused.refusal["decision"] == "deny" and "revoked" in refused.text, refused.text


@pytest.mark.parametrize("library", ["oauth4webapi", "openid-client"])
def test_stock_client_gets_a_task_from_its_owner(consenting, browser, client, node, library):  # noqa: F811
    """Discovery, PKCE, consent in the browser, `iss`, the code, a token bound by DPoP, a request with it."""
    g, b = consenting(), browser()
    b.authenticator()
    enrol(b, g.first_link())
    program = subprocess.Popen([node, ROOT / "tests/peers/code_client.mjs", library], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        details = [{"type": "ambit_task", "purpose": "look", "operations": ["up/echo_params"], "calls": 3}]
        print(json.dumps({"issuer": f"http://127.0.0.1:{g.port}", "client_id": "spiffe://ambit.local/agent/desk",
                          "redirect_uri": f"http://127.0.0.1:{client.server_port}/back", "mcp": g.url,
                          "details": json.dumps(details)}), file=program.stdin, flush=True)
        begun = json.loads(program.stdout.readline())
        assert begun.get("open", "").startswith(f"{g.origin}/authorize?"), begun
        b.goto(begun["open"])
        b.wait_for("location.pathname.startsWith('/consent/')")
        b.click('button[data-decision="consent"][data-statement]')
        back(client)
        came = f"http://127.0.0.1:{client.server_port}" + [p for p in client.asked if p.startswith("/back")][0]
        print(came, file=program.stdin, flush=True)
        got = json.loads(program.stdout.readline())
    finally:
        program.kill()
        program.wait()
    assert got.get("status") == 200, got
    assert got["token"]["token_type"].lower() == "dpop" and "refresh_token" not in got["token"]
    assert [tool["name"] for tool in got["body"]["result"]["tools"]] == ["up__echo_params"]
    tasks = g.control("task.list")["tasks"]
    assert [t["purpose"] for t in tasks] == ["look"] and tasks[0]["agent"] == "desk"

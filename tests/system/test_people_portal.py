"""People at the portal: a real browser enrols by the one-time link, signs in and decides; and what must be refused."""

import http.client
import json
import re
import ssl
import subprocess

import pytest

from browser import Browser
from harness import ROOT, Control, ControlError, free_port, wait_until

POLICY = """
@id("agents-work")
permit (principal is Ambit::Agent, action in Ambit::Action::"call", resource);

@id("approvers-decide-by-passkey")
permit (principal is Ambit::Human, action == Ambit::Action::"approve", resource)
when { principal.roles.contains("approver") && principal.name != resource.owner && context.method == "passkey" };
"""


@pytest.fixture
def portal(gateway):
    """portal(**configuration) -> a gateway with a portal; .origin, .first_link()"""

    def make(**config):
        port = free_port()
        g = gateway(portal={"listen": f"127.0.0.1:{port}"}, policies=config.pop("policies", POLICY), **config)
        g.portal_port, g.origin = port, f"http://localhost:{port}"
        g.first_link = lambda: wait_until(lambda: re.search(r"http://localhost:\d+/enrol#[\w-]{43}", g.log), "the link")[0]
        wait_until(lambda: ask(g, "GET", "/signin").status == 200, "the portal")
        return g

    return make


@pytest.fixture
def browser(node, tmp_path):
    made = []

    def make():
        made.append(Browser(node, tmp_path / f"browser{len(made)}"))
        return made[-1]

    yield make
    for b in made:
        b.close()


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read().decode()


def ask(g, method, path, body=None, headers=None):
    """One request, byte for byte as said."""
    conn = http.client.HTTPConnection("127.0.0.1", g.portal_port, timeout=10)
    try:
        conn.request(method, path, body, {"Host": f"localhost:{g.portal_port}", **(headers or {})})
        return Answer(conn.getresponse())
    finally:
        conn.close()


def cookies_of(answer):
    return dict(c.split(";")[0].split("=", 1) for c in answer.headers.get_all("Set-Cookie") or [])


def csrf_of(answer):
    return re.search(r'name="csrf" content="([\w-]{43})"', answer.body)[1]


def enrol(b, link):
    b.goto(link)
    b.click("#go")
    b.wait_path("/")


def invite(g, name):
    return g.control("person.invite", name=name)["url"]


def test_first_link_enrols_and_signs_in(portal, browser):
    g, b = portal(), browser()
    b.authenticator()
    link = g.first_link()
    enrol(b, link)
    assert b.content("#who") == "ann"
    assert b.content("#method").startswith("passkey (hwk user)")
    show = g.control("person.show", name="ann")
    assert show["passkeys"] == 1 and show["keys"][0]["algorithm"] == "ES256" and show["sessions"] == 1
    # The code has left the address bar, and the session is out of a script's reach.
    assert b.eval("location.hash") == "" and "ambit-session" not in b.eval("document.cookie")
    b.click("header form button")
    b.wait_path("/signin")
    assert g.control("person.show", name="ann")["sessions"] == 0
    b.click("#go")
    b.wait_path("/")
    assert b.content("#who") == "ann"
    # The link is used up, in another browser too.
    other = browser()
    other.authenticator()
    other.goto(link)
    other.click("#go")
    other.wait_for("document.getElementById('say').className === 'bad'", "the refusal")
    assert "used" in other.content("#say")
    assert g.control("person.show", name="ann")["passkeys"] == 1


def test_sessions_and_passkeys_survive_a_restart(portal, browser):
    g, b = portal(), browser()
    b.authenticator()
    enrol(b, g.first_link())
    g.stop()
    g.start()
    wait_until(lambda: ask(g, "GET", "/signin").status == 200, "the portal")
    assert g.log.count("Nobody has a passkey yet") == 1
    b.goto(g.origin + "/")
    b.wait_path("/")
    assert b.content("#who") == "ann"
    g.control("person.revoke", name="ann")
    b.goto(g.origin + "/")
    b.wait_path("/signin")
    b.click("#go")
    b.wait_for("document.getElementById('say').className === 'bad'", "the refusal")
    assert "not known" in b.content("#say")


def test_device_without_verification_is_refused(portal, browser):
    g, b = portal(), browser()
    b.authenticator(isUserVerified=False)
    b.goto(g.first_link())
    b.click("#go")
    b.wait_for("document.getElementById('say').className === 'bad'", "the refusal")
    assert g.control("person.show", name="ann")["passkeys"] == 0


def test_copied_key_is_noticed(portal, browser):
    """The counter of the device goes back: signing in is refused, and recorded."""
    g, b = portal(), browser()
    device = b.authenticator()
    enrol(b, g.first_link())
    for _ in range(2):
        b.click("header form button")
        b.wait_path("/signin")
        b.click("#go")
        b.wait_path("/")
    credential = b.cdp("WebAuthn.getCredentials", authenticatorId=device)["credentials"][0]
    b.cdp("WebAuthn.removeCredential", authenticatorId=device, credentialId=credential["credentialId"])
    b.cdp("WebAuthn.addCredential", authenticatorId=device, credential={**credential, "signCount": 0})
    b.click("header form button")
    b.wait_path("/signin")
    b.click("#go")
    b.wait_for("document.getElementById('say').className === 'bad'", "the refusal")
    assert "counter went backwards" in b.content("#say")


def test_approval_by_passkey(portal, browser, hostile):
    g = portal(mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "write"}}}})
    b = browser()
    b.authenticator()
    enrol(b, invite(g, "bob"))
    task = g.open_task(["up/echo"])
    mcp = g.mcp(task)
    hold = mcp.call("up__echo", {"a": "<b>1</b>"}).hold
    b.goto(g.origin + "/holds")
    b.click(f'a[href="/hold/{hold}"]')
    b.wait_path(f"/hold/{hold}")
    assert b.content("#arguments") == '{"a":"<b>1</b>"}'
    b.click('button[data-decision="approve"]')
    b.wait_for("document.getElementById('state').textContent === 'approved'", "the approval")
    assert mcp.call("up__echo", {"a": "<b>1</b>"}, approval=hold).result["structuredContent"] == {"a": "<b>1</b>"}
    records = [e["record"] for e in g.control("trace", id=str(task))["entries"]]
    approval = next(r for r in records if r["type"] == "approval")
    shown = g.cli("hold", "evidence", hold).stdout
    assert "the signature is good" in shown and hold in shown
    assert approval["method"] == "passkey" and approval["approver"] == "bob" and approval["assertion"]


def test_own_request_is_not_approvable(portal, browser, hostile):
    """Separation of duty is policy: an approver by passkey, of a call of her own task."""
    g = portal(people={"ann": {"roles": ["owner", "administrator", "approver"]}},
               mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "write"}}}})
    b = browser()
    b.authenticator()
    enrol(b, g.first_link())
    hold = g.mcp(g.open_task(["up/echo"])).call("up__echo", {"a": 1}).hold
    b.goto(f"{g.origin}/hold/{hold}")
    b.click('button[data-decision="approve"]')
    b.wait_for("document.getElementById('say').className === 'bad'", "the refusal")
    assert "may not decide" in b.content("#say")
    assert g.control("hold.show", hold=hold)["state"] == "pending"


def test_only_by_passkey(portal, hostile):
    """The same person by operator key: the policy demands a passkey."""
    g = portal(mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "write"}}}})
    g.add_operator("bob")
    hold = g.mcp(g.open_task(["up/echo"])).call("up__echo", {"a": 1}).hold
    refused = g.approve(hold, check=False)
    assert refused.returncode != 0 and "may not decide" in refused.stderr
    assert g.control("hold.show", hold=hold)["state"] == "pending"


# --- what must be refused, with every byte written here ---------------------------------------------------------


def test_every_answer_forbids_what_is_not_ours(portal):
    g = portal()
    for path in ("/", "/signin", "/enrol", "/portal.js", "/portal.css", "/nothing", "/hold/h1"):
        answer = ask(g, "GET", path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy, path
        assert answer.headers["X-Frame-Options"] == "DENY" and answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin" and answer.headers["Cache-Control"] == "no-store"
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie, cookie
        assert not re.search(r"<script(?! src=\"/portal.js\")|\son\w+=|style=", answer.body), path


def test_other_host_is_refused(portal):
    g = portal()
    for host in (f"127.0.0.1:{g.portal_port}", "localhost", f"evil.example:{g.portal_port}", f"LOCALHOST:{g.portal_port}"):
        assert ask(g, "GET", "/signin", headers={"Host": host}).status == 421, host


def post(g, path, body, page=None, **headers):
    """As our own script would, but for what is changed."""
    page = page or ask(g, "GET", "/signin")
    sent = {"Origin": g.origin, "Content-Type": "application/json", "X-Ambit-Csrf": csrf_of(page),
            "Cookie": "; ".join(f"{k}={v}" for k, v in cookies_of(page).items())}
    for name, value in headers.items():
        name = name.replace("_", "-")
        sent.pop(name, None)
        if value is not None:
            sent[name] = value
    return ask(g, "POST", path, body if isinstance(body, str) else json.dumps(body), sent)


def test_post_from_elsewhere_is_refused(portal):
    g = portal()
    assert post(g, "/signin/begin", {}).status == 200
    other = ask(g, "GET", "/signin")
    for changed in ({"Origin": None}, {"Origin": "null"}, {"Origin": "http://localhost"}, {"Origin": "http://evil.example"},
                    {"Origin": g.origin + "/"}, {"Origin": g.origin + ".evil.example"}, {"X_Ambit_Csrf": None},
                    {"X_Ambit_Csrf": "A" * 43}, {"X_Ambit_Csrf": csrf_of(other)}, {"Cookie": None},
                    {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}):
        assert post(g, "/signin/begin", {}, **changed).status == 403, changed
    for changed in ({"Content_Type": "text/plain"}, {"Content_Type": "application/x-www-form-urlencoded"}):
        assert post(g, "/signin/begin", {}, **changed).status == 400, changed
    for body in ("", "[]", "{", '{"a":1,"a":1}', "{}x"):
        assert post(g, "/signin/begin", body).status == 400, body
    assert ask(g, "GET", "/signin/begin").status == 405
    assert post(g, "/signin/begin", "x" * 70000).status in (413, 400)


def test_session_cookie_cannot_be_planted(portal, browser):
    """A second cookie of the same name, or one that is no session, makes nobody of the browser."""
    g, b = portal(), browser()
    b.authenticator()
    enrol(b, g.first_link())
    mine = next(c["value"] for c in b.cdp("Network.getCookies")["cookies"] if c["name"] == "ambit-session")
    home = lambda cookie: ask(g, "GET", "/", headers={"Cookie": cookie})
    assert home(f"ambit-session={mine}").status == 200
    for cookie in (f"ambit-session={mine}; ambit-session={mine}", f"ambit-session={mine[:-1]}", f"ambit-session={mine}A",
                   f"Ambit-Session={mine}", "ambit-session=" + "A" * 43):
        answer = home(cookie)
        assert answer.status == 303 and answer.headers["Location"] == "/signin", cookie


def test_next_page_is_one_of_ours(portal):
    g = portal()
    for asked, given in (("holds", "/holds"), ("tasks", "/tasks"), ("https://evil.example", "/"), ("//evil.example", "/"),
                         ("/holds", "/"), ("consent/x", "/"), ("holds%0d%0aSet-Cookie:a=b", "/"), ("javascript:alert(1)", "/")):
        page = ask(g, "GET", f"/signin?next={asked}")
        assert f'data-next="{given}"' in page.body, asked


def test_portal_cannot_ask_for_more_than_its_table(portal):
    """What the control socket offers to administrators is not to be had through a browser's session."""
    g = portal()
    with pytest.raises(ControlError, match="no method"):
        g.control("signin.begin")
    assert ask(g, "POST", "/task.open").status == 404


def test_sign_in_by_stranger_and_replay(portal):
    g = portal()
    page = ask(g, "GET", "/signin")
    begun = json.loads(post(g, "/signin/begin", {}, page).body)
    assert len(begun["challenge"]) == 43 and begun["rpId"] == "localhost"
    fake = {"credential": "AAAA", "authenticatorData": "AAAA", "clientData": "AAAA", "signature": "AAAA"}
    answer = post(g, "/signin/finish", {"handle": begun["handle"], "assertion": fake}, page)
    assert answer.status == 403 and "not known" in json.loads(answer.body)["error"]
    answer = post(g, "/signin/finish", {"handle": begun["handle"], "assertion": fake}, page)
    assert answer.status == 403 and "too long or was used" in json.loads(answer.body)["error"]
    assert post(g, "/enrol/begin", {"code": "A" * 43}, page).status == 403


def test_invite_needs_an_administrator(portal):
    g = portal()
    g.add_operator("bob")
    control = Control(g.control_path)
    try:
        url = control("person.invite", name="bob")["url"]
        assert re.fullmatch(rf"{re.escape(g.origin)}/enrol#[\w-]{{43}}", url)
        with pytest.raises(ControlError, match="not in the configuration"):
            control("person.invite", name="nobody")
    finally:
        control.close()
    refused = g.cli("person", "invite", "bob", "--as", "bob", "--key", g.key_file("bob"), check=False)
    assert refused.returncode != 0 and "role" in refused.stderr
    assert url.split("#")[1] not in g.log


def test_signature_is_good_for_others_too(portal, browser, hostile, node):
    """What was kept of an approval, checked by @simplewebauthn/server and nothing of ours."""
    g = portal(mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "write"}}}})
    b = browser()
    b.authenticator()
    enrol(b, invite(g, "bob"))
    hold = g.mcp(g.open_task(["up/echo"])).call("up__echo", {"a": 1}).hold
    b.goto(f"{g.origin}/hold/{hold}")
    b.click('button[data-decision="deny"]')
    b.wait_for("document.getElementById('state').textContent === 'denied'", "the decision")
    kept = json.loads(g.cli("hold", "evidence", hold, "--json").stdout)

    def verified(evidence):
        done = subprocess.run([node, "--no-warnings", ROOT / "tests/peers/verify_evidence.mjs"], cwd=ROOT, text=True,
                              input=json.dumps(evidence), capture_output=True, check=True)
        return json.loads(done.stdout)["verified"]

    assert kept["evidence"][0]["statement"].endswith("\ndeny\n")
    assert verified(kept)
    kept["evidence"][0]["statement"] = kept["evidence"][0]["statement"].replace("deny", "approve")
    assert not verified(kept)


def test_over_tls(gateway, tmp_path):
    """Beyond http: cookies that only this host can set, and Strict-Transport-Security."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    (tmp_path / "key.pem").chmod(0o600)
    port = free_port()
    gateway(portal={"listen": f"127.0.0.1:{port}", "cert": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")})
    context = ssl.create_default_context(cafile=tmp_path / "cert.pem")

    def page():
        conn = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
        try:
            conn.request("GET", "/signin")
            return Answer(conn.getresponse())
        finally:
            conn.close()

    answer = wait_until(page, "the portal")
    assert answer.status == 200 and "max-age" in answer.headers["Strict-Transport-Security"]
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-ambit-browser=") and "Secure" in cookie and "Path=/" in cookie and "Domain" not in cookie

"""A hostile portal before core (tests/attack/roles.py): it has the sessions it is shown, and no person's hand."""

import json
import os
import pathlib
import re
import shutil
import sys
import tempfile

import pytest

from harness import ROOT, wait_until

sys.path.insert(0, str(ROOT / "tests/attack"))
import roles as r  # noqa: E402

POLICY = """
@id("agents-work") permit (principal is Ambit::Agent, action in Ambit::Action::"call", resource);
@id("approvers-decide") permit (principal is Ambit::Human, action == Ambit::Action::"approve", resource);
"""


@pytest.fixture
def world(ambit_binary, node):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ambit-attack-", dir="/tmp"))
    folder.chmod(0o755)
    w = r.Roles(ambit_binary, folder, {
        "people": {"ann": {"roles": ["owner", "administrator", "approver"], "uid": os.getuid()}},
        "agents": {"desk": {"owner": "ann", "bearer": True, "assessed": "2026-10-01", "ambit": ["*/*"],
                            "client": {"redirectUris": ["https://desk.example/back"]}}},
        "listen": [{"address": "127.0.0.1:1", "bearer": True}],
        "portal": {"listen": "127.0.0.1:1", "origin": "http://localhost:8933"},
        "mcpServers": {"help": {"url": "http://127.0.0.1:9/mcp", "operations": {"pay": {"effect": "transfer"}}}},
    }, POLICY, {})
    w.edge = w.new_edge()
    w.edge.catalogue("help", ["pay"])
    w.portal = w.new_peer("portal")
    yield w
    w.close()
    shutil.rmtree(folder, ignore_errors=True)


def ask(world, method, session=b"", **params):
    answer = world.portal.ask("PEOPLE_ASK", session=session, line=json.dumps({"method": method, "params": params}))
    return json.loads(answer["text"])


def error(world, method, **more):
    return ask(world, method, **more)["error"]


CONTROL_ONLY = ["login", "status", "task.open", "task.token", "operator.add", "operator.remove", "person.invite", "person.revoke",
                "person.list", "pin.accept", "discover", "secrets.changed", "trace", "policy", "explain"]


def test_portal_has_its_own_table(world):
    for method in CONTROL_ONLY:
        assert "no method" in error(world, method, name="ann")["message"], method
    for method in ("task.list", "hold.list", "hold.approve", "task.close", "consent.show", "consent.decide", "evidence"):
        assert error(world, method)["code"] == "unauthenticated", method
        assert error(world, method, session=b"A" * 43)["code"] == "unauthenticated", method


def test_first_link_is_not_told_to_the_portal(world):
    link = wait_until(lambda: re.search(r"/enrol#([\w-]{43})", world.log_text()), "the link")[1]
    assert link not in json.dumps(ask(world, "session.show"))
    # Whoever has the link may enrol; the portal sees it only when a browser brings it.
    assert error(world, "enrol.begin", code="A" * 43)["code"] == "denied"
    begun = ask(world, "enrol.begin", code=link)["result"]
    assert begun["user"] == "ann"
    fake = {"credential": "AAAA", "authenticatorData": "AAAA", "clientData": "AAAA"}
    assert error(world, "enrol.finish", handle=begun["handle"], registration=fake)["code"] in ("input", "denied")


def test_garbage_is_answered_or_ends_the_portal_alone(world):
    for line in ("", "x", "[]", "{}", '{"method":1}', '{"method":"signin.begin","params":[]}', "{" * 500,
                 '{"method":"authorize.begin","params":{"query":[]}}', '{"method":"oidc.finish","params":{"code":{}}}',
                 '{"method":"signin.finish","params":{"assertion":{"credential":"%s"}}}' % ("A" * 100000)):
        answer = world.portal.ask("PEOPLE_ASK", session=b"", line=line)
        assert "text" in answer.fields, line[:40]
    for name in ("SIGN_JWT", "CALL", "RELEASE"):
        portal = world.new_peer("portal")
        portal.send(name)
        assert portal.is_closed(), name
    assert world.dead() == [], world.log_text()[-2000:]


def test_flood_of_requests_is_bounded(world):
    details = json.dumps([{"type": "ambit_task", "purpose": "x", "operations": ["help/pay"]}])
    query = {"response_type": "code", "client_id": "desk", "redirect_uri": "https://desk.example/back",
             "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256",
             "authorization_details": details}
    answers = [ask(world, "authorize.begin", query=query)["result"] for _ in range(1030)]
    assert sum("request" in a for a in answers) == 1024
    assert "temporarily_unavailable" in answers[-1]["redirect"]
    for _ in range(1100):
        ask(world, "signin.begin")
    assert "result" in ask(world, "signin.begin")
    assert world.dead() == []

"""Workload API clients of other makers against the machine of src/identity (workload_serve): what a workload gets, how
it changes, and how it ends."""

import time

import pytest

from spiffe_peers import Peer, commands
from test_workload_api import ID, openssl, serve  # noqa: F401 (a fixture)

TRUST_DOMAIN = "spiffe://example.org"


@pytest.fixture(params=list(commands()))
def peer(request, serve):  # noqa: F811
    made = Peer(*commands()[request.param](), f"unix://{serve.socket}")
    yield made
    made.stop()


@pytest.fixture
def go(serve):  # noqa: F811
    made = Peer(*commands()["go-spiffe"](), f"unix://{serve.socket}")
    yield made
    made.stop()


def pem(folder, name):
    return openssl("x509", "-in", folder / f"{name}.pem")


def test_x509_svid_and_its_rotation(serve, peer):
    first = peer.ok("x509")
    assert (first["id"], first["chain"]) == (ID, pem(serve.folder, "1.leaf"))
    assert first.get("hint") in ("internal", None)  # py-spiffe has no way to say it
    assert first["key"] == openssl("pkcs8", "-topk8", "-nocrypt", "-in", serve.folder / "1.key.pem")
    peer.send("wait")
    serve.do("rotate")
    second = peer.answer()
    assert (second["id"], second["chain"]) == (ID, pem(serve.folder, "2.leaf"))
    assert second["key"] == openssl("pkcs8", "-topk8", "-nocrypt", "-in", serve.folder / "2.key.pem")


def test_bundles_and_their_rotation(serve, peer):
    first = peer.ok("bundles")
    assert first["x509"] == {TRUST_DOMAIN: pem(serve.folder, "1.ca")}
    assert len(first["jwt"][TRUST_DOMAIN]) == 1
    serve.do("rotate")
    second = peer.ok("bundles")
    assert second["x509"] == {TRUST_DOMAIN: pem(serve.folder, "2.ca")}
    assert second["jwt"] != first["jwt"]


def test_jwt_svid(serve, peer):
    svid = peer.ok("jwt", "db", "queue")
    assert (svid["id"], sorted(svid["aud"])) == (ID, ["db", "queue"])
    assert abs(svid["exp"] - time.time() - 300) < 60
    assert peer.ok("as", ID, "db")["id"] == ID
    assert peer.ok("check", svid["token"], "queue")["id"] == ID
    assert peer.ok("remote", svid["token"], "queue")["id"] == ID
    assert "error" in peer.ask("check", svid["token"], "other")
    assert "error" in peer.ask("remote", svid["token"], "other")
    assert "error" in peer.ask("as", ID + "/x", "db")
    forged = svid["token"][:-4] + ("AAAA" if svid["token"][-4:] != "AAAA" else "BBBB")
    assert "error" in peer.ask("check", forged, "db")
    assert "error" in peer.ask("remote", forged, "db")


def test_who_has_no_identity_gets_none(serve, peer):
    peer.ok("jwt", "db")
    serve.do("nobody")
    begin = time.monotonic()
    assert "error" in peer.ask("jwt", "db")
    assert "error" in peer.ask("bundles")
    assert time.monotonic() - begin < 10  # refused, not left waiting


def test_watch_sees_rotation_and_the_end_of_the_identity(serve, go):
    go.ok("watch")
    first = go.event("x509")
    assert (first["chain"], first["bundles"][TRUST_DOMAIN]) == (pem(serve.folder, "1.leaf"), pem(serve.folder, "1.ca"))
    assert first["bundles"]["spiffe://other.example"] == pem(serve.folder, "1.ca")
    kids = go.event("jwt")["kids"]
    serve.do("rotate")
    second = go.event("x509")
    assert (second["chain"], second["bundles"][TRUST_DOMAIN]) == (pem(serve.folder, "2.leaf"), pem(serve.folder, "2.ca"))
    assert go.event("jwt")["kids"] != kids
    serve.do("nobody")
    serve.do("end")
    assert go.event("x509")["code"] == 7  # PermissionDenied
    assert go.event("jwt")["code"] == 7
    serve.do("known")
    again = go.event("x509")
    while "chain" not in again:  # it asks again by itself, on another connection
        assert again["code"] == 7
        again = go.event("x509")
    assert again["chain"] == pem(serve.folder, "2.leaf")


def test_wit_svid_is_not_served_unless_switched_on(serve, go):
    assert go.ask("wit")["code"] == 12  # Unimplemented

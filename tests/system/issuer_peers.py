"""Issuers of identities that others wrote, for tests: authorities of the openssl program, and an OIDC issuer of Node.js
with the npm package jose (tests/peers/issuers.mjs)."""

import base64
import http.client
import json
import re
import subprocess

import pytest

from harness import ROOT, stop_process, wait_until


class Authority:
    """A CA of the openssl program; san is what stands in subjectAltName of a certificate."""

    def __init__(self, folder, name, uri=None):
        self.folder, self.name = folder, name
        self.cert, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        more = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        if uri:
            more += ["-addext", f"subjectAltName=URI:{uri}"]
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-days", "2",
                     "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert, *more)

    def openssl(self, *args):
        return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True).stdout

    def issue(self, name, san):
        key, csr, cert, ext = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem", "ext"))
        ext.write_text(f"subjectAltName={san}\nkeyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n"
                       "extendedKeyUsage=serverAuth,clientAuth\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                     "-keyout", key, "-out", csr)
        self.openssl("x509", "-req", "-in", csr, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", "1",
                     "-extfile", ext, "-out", cert)
        return cert, key

    def jwk(self):
        """Its entry in a SPIFFE bundle."""
        der = self.openssl("x509", "-in", self.cert, "-outform", "DER")
        point = self.openssl("x509", "-in", self.cert, "-pubkey", "-noout")
        point = self.openssl_in(point, "pkey", "-pubin", "-outform", "DER")[-96:]
        x, y = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (point[:48], point[48:]))
        return {"kty": "EC", "crv": "P-384", "x": x, "y": y, "use": "x509-svid",
                "x5c": [base64.b64encode(der).decode()]}

    def openssl_in(self, data, *args):
        return subprocess.run(["openssl", *args], input=data, check=True, capture_output=True).stdout


class Issuers:
    """tests/peers/issuers.mjs, running."""

    def __init__(self, node, folder, cert, key, name="issuers"):
        log = folder / f"{name}.log"
        with log.open("wb") as out:
            self.process = subprocess.Popen([str(node), str(ROOT / "tests/peers/issuers.mjs"), str(cert), str(key)],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                            start_new_session=True)
        found = wait_until(lambda: re.search(r"listening (\d+) (\d+)\n", log.read_text()), "the issuers to listen")
        self.port, self.control = int(found[1]), int(found[2])
        self.url = f"https://localhost:{self.port}"

    def ask(self, where, **params):
        conn = http.client.HTTPConnection("127.0.0.1", self.control, timeout=20)
        try:
            conn.request("POST", where, json.dumps(params))
            return json.loads(conn.getresponse().read())
        finally:
            conn.close()

    def put(self, path, document=None, **how):
        body = how.pop("body", None)
        self.ask("/put", path=path, body=json.dumps(document) if body is None else body, **how)

    def publish(self, algs, **how):
        """New keys, and where they are."""
        self.put("/jwks", self.ask("/keys", algs=algs, **how))
        self.put("/.well-known/openid-configuration", {"issuer": self.url, "jwks_uri": self.url + "/jwks"})

    def stop(self):
        stop_process(self.process, 5)


@pytest.fixture
def web(tmp_path):
    return Authority(tmp_path, "web")


@pytest.fixture
def issuers(node, tmp_path, web):
    peer = Issuers(node, tmp_path, *web.issue("host", "DNS:localhost"))
    yield peer
    peer.stop()


def states(g):
    return {i["issuer"]: i for i in g.control("identity.issuers")["issuers"]}


def wait_state(g, name, what, seconds=20):
    """what: a predicate over the state, or the words that its problem must hold."""
    check = what if callable(what) else lambda s: what in s["problem"]
    try:
        return wait_until(lambda: check(states(g)[name]) and states(g)[name], f"issuer {name}", seconds)
    except AssertionError as e:
        raise AssertionError(f"{e}: {states(g)[name]}") from e

"""What the tests of the authorization server share: SVIDs of an issuer of our own making, DPoP proofs written byte by
byte, HTTP without a library between, and the clients of tests/peers/oauth_client.mjs.

The gateway trusts the issuer "peer" (trust domain peer.example) by a bundle file, and its agents are named by rules of
`proofs`, so that every certificate and every token here can be as wrong as a test wants it."""

import base64
import datetime
import hashlib
import http.client
import json
import ssl
import subprocess
import time
import urllib.parse
import uuid

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness import ROOT, free_port

TD = "peer.example"
SPIFFE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(token):
    return json.loads(unb64(token.split(".")[1]))


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def jwk(key):
    n = key.public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": b64(n.x.to_bytes(32, "big")), "y": b64(n.y.to_bytes(32, "big"))}


def sign(key, text):
    r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def jws(key, header, claims):
    text = ".".join(b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{text}.{sign(key, text)}"


def proof(key, method, url, token=None, nonce=None, header=None, **claims):
    """A DPoP proof; header and claims laid upon the honest ones, None removes a member."""
    body = {"jti": str(uuid.uuid4()), "htm": method, "htu": url, "iat": int(time.time())}
    if token:
        body["ath"] = b64(hashlib.sha256(token.encode()).digest())
    if nonce:
        body["nonce"] = nonce
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk(key)}
    merge = lambda base, over: {k: v for k, v in {**base, **(over or {})}.items() if v is not None}
    return jws(key, merge(head, header), merge(body, claims))


class Issuer:
    """A SPIFFE issuer: root, JWT key, and what it issues, right or wrong."""

    def __init__(self, folder, trust_domain=TD):
        self.folder, self.trust_domain = folder, trust_domain
        self.root_key, self.jwt_key, self.serial = new_key(), new_key(), 0
        self.root = self.certificate(self.root_key, self.root_key, f"spiffe://{trust_domain}", ca=True)
        self.file = folder / f"{trust_domain}.bundle.json"
        self.file.write_text(json.dumps({"spiffe_sequence": 1, "spiffe_refresh_hint": 60, "keys": [
            {**jwk(self.root_key), "use": "x509-svid",
             "x5c": [base64.b64encode(self.root.public_bytes(serialization.Encoding.DER)).decode()]},
            {**jwk(self.jwt_key), "use": "jwt-svid", "kid": "jwt-1"}]}))
        self.file.chmod(0o644)

    def certificate(self, key, by, *uris, ca=False, life=3600, before=-60, issuer=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "CA" if ca else "leaf")])
        top = issuer.subject if issuer is not None else name if ca else self.root.subject
        b = (x509.CertificateBuilder().subject_name(name).issuer_name(top).public_key(key.public_key())
             .serial_number(x509.random_serial_number())
             .not_valid_before(now + datetime.timedelta(seconds=before))
             .not_valid_after(now + datetime.timedelta(seconds=life))
             .add_extension(x509.BasicConstraints(ca, None), True)
             .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False), True)
             .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
             .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), False))
        if not ca:
            b = b.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH,
                                                       ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        if uris:
            b = b.add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(u) for u in uris]), False)
        return b.sign(by, hashes.SHA256())

    def svid(self, name, path=None, *, uris=None, ca=False, life=3600, before=-60, by=None):
        """An X.509-SVID as files: (certificate, key)."""
        self.serial += 1
        key = new_key()
        uris = uris if uris is not None else [f"spiffe://{self.trust_domain}{path or f'/agent/{name}/{self.serial}'}"]
        leaf = self.certificate(key, by or self.root_key, *uris, ca=ca, life=life, before=before, issuer=self.root)
        at = self.folder / f"{self.trust_domain}-{name}-{self.serial}"
        at.with_suffix(".pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        at.with_suffix(".key").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return at.with_suffix(".pem"), at.with_suffix(".key")

    def token(self, name, aud, path=None, key=None, header=None, **claims):
        """A JWT-SVID."""
        now = int(time.time())
        body = {"sub": f"spiffe://{self.trust_domain}{f'/agent/{name}/1' if path is None else path}", "aud": aud, "iat": now,
                "exp": now + 300, **claims}
        return jws(key or self.jwt_key, {"alg": "ES256", "kid": "jwt-1", "typ": "JWT", **(header or {})},
                   {k: v for k, v in body.items() if v is not None})


class Answer:
    def __init__(self, response):
        self.status, self.fields = response.status, {k.lower(): v for k, v in response.getheaders()}
        self.all = response.getheaders()
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json.get("error")


class Auth:
    """A gateway that serves OAuth, and its agents' ways to it."""

    def __init__(self, gateway, issuer, node, folder):
        self.g, self.issuer, self.node, self.folder = gateway, issuer, node, folder
        self.url = gateway.config["issuer"]
        self.tls_url = gateway.config["listen"][1]["url"]
        self.tls_port = urllib.parse.urlsplit(self.tls_url).port
        self.server_ca = folder / "server.pem"

    # -- bytes

    def request(self, method, path, body=None, headers=None, cert=None, tls=False):
        if tls or cert:
            context = ssl.create_default_context(cafile=self.server_ca)
            if cert:
                context.load_cert_chain(*cert)
            conn = http.client.HTTPSConnection("localhost", self.tls_port, timeout=20, context=context)
        else:
            conn = http.client.HTTPConnection("127.0.0.1", self.g.port, timeout=20)
        try:
            items = list((headers or {}).items()) if isinstance(headers, dict) or headers is None else headers
            conn.putrequest(method, path, skip_host=any(k.lower() == "host" for k, _ in items))
            if body is not None and not any(k.lower() == "content-length" for k, _ in items):
                items = [*items, ("Content-Length", str(len(body)))]
            for name, value in items:
                conn.putheader(name, value)
            conn.endheaders(body.encode() if isinstance(body, str) else body)
            return Answer(conn.getresponse())
        finally:
            conn.close()

    def post(self, path, params, headers=(), **more):
        fields = [("Content-Type", "application/x-www-form-urlencoded"), *headers]
        return self.request("POST", path, urllib.parse.urlencode(params), fields, **more)

    # -- an agent's ways

    def assertion(self, agent="desk", **claims):
        return {"client_assertion_type": SPIFFE, "client_assertion": self.issuer.token(agent, self.url, **claims)}

    def nonce(self):
        """The server's nonce of now."""
        key = new_key()
        answer = self.token({}, proof=proof(key, "POST", f"{self.url}/oauth/token"))
        assert answer.error == "use_dpop_nonce", answer.body
        return answer.fields["dpop-nonce"]

    def token(self, params, agent="desk", proof=None, auth=None, **more):
        """POST to the token endpoint: client_credentials unless params say otherwise."""
        auth = self.assertion(agent) if auth is None and "cert" not in more else auth or {}
        return self.post("/oauth/token", {"grant_type": "client_credentials", **auth, **params},
                         [("DPoP", proof)] if proof else [], **more)

    def get_token(self, params=None, agent="desk", key=None, **more):
        """The access token: DPoP-bound with key, else as the connection allows."""
        made = proof(key, "POST", f"{self.url}/oauth/token", nonce=self.nonce()) if key else None
        answer = self.token(params or {}, agent, made, **more)
        assert answer.status == 200, answer.body
        return answer.json["access_token"]

    def use(self, token, scheme="Bearer", path="/mcp", headers=(), **more):
        """tools/list with the token."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}})
        fields = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream"),
                  ("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/list"), *headers]
        if token is not None:
            fields.append(("Authorization", f"{scheme} {token}"))
        return self.request("POST", path, body, fields, **more)

    # -- other people's clients

    def run(self, *steps):
        """Runs the steps in tests/peers/oauth_client.mjs; returns an answer for each."""
        done = subprocess.run([self.node, "--no-warnings", ROOT / "tests/peers/oauth_client.mjs"], input=json.dumps(steps),
                              capture_output=True, text=True, timeout=60, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def run_ok(self, *steps):
        answers = self.run(*steps)
        for step, answer in zip(steps, answers):
            assert "ok" in answer, f"{step}: {answer}"
        return [a["ok"] for a in answers]

    def mtls(self, cert=None):
        return {"ca": str(self.server_ca), "name": "localhost",
                **({"cert": str(cert[0]), "key": str(cert[1])} if cert else {})}


def server_certificate(folder):
    key = new_key()
    now = datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - datetime.timedelta(minutes=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
            .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256()))
    (folder / "server.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    at = folder / "server.key"
    at.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()))
    at.chmod(0o600)


@pytest.fixture
def auth(gateway, hostile, node, tmp_path):
    """auth(**configuration) -> Auth: a gateway in front of the hostile server as "up", with a plain listener on
    loopback and one that asks for SVIDs."""

    def make(edges=1, **config):
        issuer = Issuer(tmp_path)
        server_certificate(tmp_path)
        (tmp_path / "server.pem").chmod(0o644)
        port, tls_port = free_port(), free_port()
        rule = lambda name: [{"issuer": "peer", "id": f"spiffe://{TD}/agent/{name}/*"}]
        agent = lambda name, **more: {"owner": "ann", "assessed": "2026-10-01", "ambit": ["*/*"], "bearer": False,
                                      "proofs": rule(name), **more}
        g = gateway(start=False, **{
            "issuer": f"http://127.0.0.1:{port}", "edges": edges,
            "listen": [{"address": f"127.0.0.1:{port}", "bearer": True},
                       {"address": f"127.0.0.1:{tls_port}", "url": f"https://localhost:{tls_port}", "svid": True,
                        "cert": str(tmp_path / "server.pem"), "key": str(tmp_path / "server.key")}],
            "issuers": {"peer": {"trustDomain": TD, "bundleFile": str(issuer.file)}},
            "agents": {"desk": agent("desk", delegates=["clerk"]), "clerk": agent("clerk"),
                       "audit": agent("audit", introspects=True)},
            "mcpServers": {"up": {"url": hostile.url, "operations": {
                "echo": {"effect": "read"}, "echo_params": {"effect": "read"}, "echo_headers": {"effect": "read"}, "big": {"effect": "write", "highImpact": False}}}},
            **config})
        g.port, g.url = port, f"http://127.0.0.1:{port}/mcp"
        g.start(catalogues=True)
        a = Auth(g, issuer, node, tmp_path)
        a.hostile = hostile
        return a

    return make

"""SVIDs and bundles of src/identity beside OpenSSL's own commands and jwcrypto: ours are good for them, theirs for us.
Drives svid_tool, a program of test builds (src/identity/svid_tool.c)."""

import base64
import json
import os
import pathlib
import re
import subprocess
import time

import pytest
from jwcrypto import jwk, jws, jwt

from harness import ROOT

AGENT = "spiffe://td/agent/triage/1"


def run(*command, good=True):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert (done.returncode == 0) is good, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def tool():
    path = pathlib.Path(os.environ.get("AMBIT_SVID_TOOL", ROOT / "build/asan/src/identity/svid_tool"))
    assert path.exists(), f"{path} is not built: meson setup build/asan -Dtests=true && ninja -C build/asan"
    return path


@pytest.fixture
def made(tool, tmp_path):
    """A folder with what the issuer makes, certificates and the key as PEM too."""
    run(tool, "make", tmp_path)
    for name in ("root", "signer", "leaf"):
        run("openssl", "x509", "-inform", "DER", "-in", tmp_path / f"{name}.der", "-out", tmp_path / f"{name}.pem")
    run("openssl", "pkey", "-inform", "DER", "-in", tmp_path / "leaf.key", "-out", tmp_path / "leaf.key.pem")
    return tmp_path


def keys_of(folder, use):
    return [key for key in json.loads((folder / "bundle.json").read_text())["keys"] if key["use"] == use]


# --- ours, judged by others ---------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", ["sslclient", "sslserver"])
def test_openssl_verifies(made, purpose):
    verify = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", made / "root.pem"]
    assert "OK" in run(*verify, "-untrusted", made / "signer.pem", made / "leaf.pem")
    run(*verify, made / "leaf.pem", good=False)
    later = int(time.time()) + 3700
    run(*verify, "-attime", later, "-untrusted", made / "signer.pem", made / "leaf.pem", good=False)


def test_openssl_reads(made):
    text = run("openssl", "x509", "-in", made / "leaf.pem", "-noout", "-text")
    for wanted in (
        r"Version: 3", r"Signature Algorithm: ecdsa-with-SHA256", r"Subject: *\n", r"NIST CURVE: P-256",
        r"Subject Alternative Name: critical\s+URI:" + AGENT + r"\n", r"Key Usage: critical\s+Digital Signature\n",
        r"Extended Key Usage: *\s+TLS Web Server Authentication, TLS Web Client Authentication\n",
        r"Basic Constraints: critical\s+CA:FALSE\n", r"Subject Key Identifier", r"Authority Key Identifier",
    ):
        assert re.search(wanted, text), f"{wanted} is not in\n{text}"
    for name, length in (("signer", 0), ("root", 1)):
        text = run("openssl", "x509", "-in", made / f"{name}.pem", "-noout", "-text")
        assert re.search(rf"Basic Constraints: critical\s+CA:TRUE, pathlen:{length}\n", text), text
        assert re.search(r"Key Usage: critical\s+Certificate Sign, CRL Sign\n", text), text
        assert re.search(r"URI:spiffe://td\n", text), text


def test_tls(made):
    """A handshake in which both sides show SVIDs and check the other's."""
    for side in ("server", "client"):
        (made / f"{side}.log").touch()
    common = ["-cert", made / "leaf.pem", "-key", made / "leaf.key.pem", "-cert_chain", made / "signer.pem",
              "-CAfile", made / "root.pem", "-verify_return_error", "-tls1_3"]
    with open(made / "server.log", "w") as log:
        server = subprocess.Popen([str(w) for w in ("openssl", "s_server", "-accept", "127.0.0.1:0", "-Verify", "4",
                                                    "-naccept", "1", *common)],
                                  stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 20
        while not (at := re.search(r"^ACCEPT (\S+)$", (made / "server.log").read_text(), re.M)):
            assert server.poll() is None and time.monotonic() < deadline, (made / "server.log").read_text()
            time.sleep(0.05)
        done = subprocess.run([str(w) for w in ("openssl", "s_client", "-connect", at[1], "-verify", "4", *common)],
                              input="Q\n", capture_output=True, text=True, timeout=20)
        assert "Verify return code: 0 (ok)" in done.stdout, done.stdout + done.stderr
    finally:
        server.kill()
        server.wait()


def test_jwcrypto_reads_bundle(made):
    document = json.loads((made / "bundle.json").read_text())
    assert document["spiffe_sequence"] == 1 and document["spiffe_refresh_hint"] == 60
    (authority,) = keys_of(made, "x509-svid")
    assert "kid" not in authority and "alg" not in authority
    assert base64.b64decode(authority["x5c"][0]) == (made / "root.der").read_bytes()
    members = {name: authority[name] for name in ("kty", "crv", "x", "y")}
    pem = run("openssl", "x509", "-in", made / "root.pem", "-noout", "-pubkey").encode()
    assert jwk.JWK(**members).thumbprint() == jwk.JWK.from_pem(pem).thumbprint()


def test_jwcrypto_verifies_token(made):
    (key,) = keys_of(made, "jwt-svid")
    key = {name: value for name, value in key.items() if name != "use"}
    assert jwk.JWK(**key).thumbprint() == key["kid"]
    token = jwt.JWT(jwt=(made / "token").read_text(), key=jwk.JWK(**key), algs=["ES256"],
                    check_claims={"aud": "reports", "sub": AGENT, "exp": None, "iat": None})
    header, claims = json.loads(token.header), json.loads(token.claims)
    assert header == {"alg": "ES256", "kid": key["kid"], "typ": "JWT"}
    assert claims["exp"] - claims["iat"] == 300


# --- judged by us ------------------------------------------------------------------------------------------


def test_we_verify_ours(tool, made):
    chain = [made / "leaf.der", made / "signer.der"]
    assert run(tool, "x509", "td", made / "bundle.json", *chain).strip() == AGENT
    assert "no bundle" in run(tool, "x509", "other", made / "bundle.json", *chain, good=False)
    assert run(tool, "jwt", "td", made / "bundle.json", "reports", made / "token").strip() == AGENT
    assert "audience" in run(tool, "jwt", "td", made / "bundle.json", "other", made / "token", good=False)


KINDS = {"P-256": ("EC", ["ec_paramgen_curve:P-256"]), "RSA": ("RSA", ["rsa_keygen_bits:2048"]), "Ed25519": ("ED25519", [])}


def foreign(folder, kind, uri="spiffe://elsewhere/ns/x", constraints="CA:FALSE"):
    """A CA and a leaf that the openssl command makes, and the bundle of it that jwcrypto writes."""
    algorithm, options = KINDS[kind]
    options = [word for option in options for word in ("-pkeyopt", option)]
    for name in ("ca", "leaf"):
        run("openssl", "genpkey", "-algorithm", algorithm, *options, "-out", folder / f"{name}.key")
    run("openssl", "req", "-x509", "-new", "-key", folder / "ca.key", "-out", folder / "ca.pem", "-days", "2",
        "-subj", "/C=US/O=SPIFFE", "-addext", "subjectAltName=URI:spiffe://elsewhere",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    run("openssl", "req", "-new", "-key", folder / "leaf.key", "-out", folder / "leaf.csr", "-subj", "/C=US/O=SPIRE")
    (folder / "ext").write_text(f"subjectAltName=URI:{uri}\nbasicConstraints=critical,{constraints}\n"
                                "keyUsage=critical,digitalSignature,keyAgreement\nextendedKeyUsage=serverAuth,clientAuth\n")
    run("openssl", "x509", "-req", "-in", folder / "leaf.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
        "-CAcreateserial", "-days", "1", "-extfile", folder / "ext", "-outform", "DER", "-out", folder / "leaf.der")
    run("openssl", "x509", "-in", folder / "ca.pem", "-outform", "DER", "-out", folder / "ca.der")
    pem = run("openssl", "x509", "-in", folder / "ca.pem", "-noout", "-pubkey").encode()
    entry = jwk.JWK.from_pem(pem).export_public(as_dict=True)
    entry.pop("kid", None)
    entry |= {"use": "x509-svid", "x5c": [base64.b64encode((folder / "ca.der").read_bytes()).decode()]}
    return entry


def write_bundle(folder, *entries):
    (folder / "foreign.json").write_text(json.dumps({"spiffe_sequence": 5, "keys": list(entries)}))
    return folder / "foreign.json"


@pytest.mark.parametrize("kind", KINDS)
def test_we_verify_others(tool, tmp_path, kind):
    bundle = write_bundle(tmp_path, foreign(tmp_path, kind))
    assert run(tool, "x509", "elsewhere", bundle, tmp_path / "leaf.der").strip() == "spiffe://elsewhere/ns/x"
    assert "no bundle" in run(tool, "x509", "td", bundle, tmp_path / "leaf.der", good=False)
    assert "CA" in run(tool, "x509", "elsewhere", bundle, tmp_path / "ca.der", good=False)


@pytest.mark.parametrize("uri,constraints,reason", [
    ("spiffe://elsewhere", "CA:FALSE", "not a workload"),
    ("spiffe://elsewhere/x,URI:spiffe://elsewhere/y", "CA:FALSE", "2 URIs"),
    ("spiffe://elsewhere/x", "CA:TRUE", "CA certificate"),
    ("spiffe://Elsewhere/x", "CA:FALSE", "lower-case"),
    ("https://elsewhere/x", "CA:FALSE", "spiffe://"),
])
def test_we_refuse_others(tool, tmp_path, uri, constraints, reason):
    bundle = write_bundle(tmp_path, foreign(tmp_path, "P-256", uri, constraints))
    assert reason in run(tool, "x509", "elsewhere", bundle, tmp_path / "leaf.der", good=False)


def foreign_token(folder, header=(), claims=(), kty="EC"):
    key = jwk.JWK.generate(kty=kty, **({"crv": "P-256"} if kty == "EC" else {"size": 2048}))
    header = {"alg": "ES256" if kty == "EC" else "RS256", "kid": "k", **dict(header)}
    claims = {"sub": "spiffe://elsewhere/x", "aud": ["reports"], "exp": int(time.time()) + 300, **dict(claims)}
    token = jws.JWS(json.dumps(claims))
    token.add_signature(key, None, json.dumps(header), None)
    (folder / "token").write_text(token.serialize(compact=True))
    entry = key.export_public(as_dict=True) | {"use": "jwt-svid", "kid": "k"}
    return write_bundle(folder, entry), folder / "token"


def test_we_verify_jwcrypto(tool, tmp_path):
    bundle, token = foreign_token(tmp_path)
    assert run(tool, "jwt", "elsewhere", bundle, "reports", token).strip() == "spiffe://elsewhere/x"


@pytest.mark.parametrize("change", [
    {"kty": "RSA"}, {"header": {"typ": "at+jwt"}}, {"header": {"kid": "other"}}, {"claims": {"exp": 1}},
    {"claims": {"aud": ["reports", "others"]}}, {"claims": {"sub": "spiffe://elsewhere"}},
], ids=str)
def test_we_refuse_jwcrypto(tool, tmp_path, change):
    bundle, token = foreign_token(tmp_path, **change)
    run(tool, "jwt", "elsewhere", bundle, "reports", token, good=False)

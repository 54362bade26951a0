"""The SPIFFE Workload API machine (src/identity) on a Unix socket, used by @grpc/grpc-js. The server is the test
program workload_serve; keys and certificates are made and checked by openssl."""

import base64
import json
import subprocess
import time

import pytest

from harness import ROOT, wait_until

SERVE = ROOT / "build/asan/src/identity/workload_serve"
ID = "spiffe://example.org/agent/one/1"
OK, INVALID, DENIED, UNIMPLEMENTED, UNAVAILABLE = 0, 3, 7, 12, 14


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, text=True).stdout


def make_svids(folder, version):
    """VERSION.leaf.der, VERSION.key.der, VERSION.bundle.der"""
    at = f"{folder}/{version}"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{at}.ca.key",
            "-out", f"{at}.ca.pem", "-subj", "/O=example", "-days", "2", "-addext", "subjectAltName=URI:spiffe://example.org",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{at}.key.pem",
            "-out", f"{at}.csr", "-subj", "/O=agent")
    (folder / f"{version}.ext").write_text(f"subjectAltName=URI:{ID}\nbasicConstraints=critical,CA:false\n"
                                           "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n")
    openssl("x509", "-req", "-in", f"{at}.csr", "-CA", f"{at}.ca.pem", "-CAkey", f"{at}.ca.key", "-days", "1",
            "-set_serial", version, "-extfile", f"{at}.ext", "-out", f"{at}.leaf.pem")
    openssl("x509", "-in", f"{at}.leaf.pem", "-outform", "DER", "-out", f"{at}.leaf.der")
    openssl("x509", "-in", f"{at}.ca.pem", "-outform", "DER", "-out", f"{at}.bundle.der")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", f"{at}.key.pem", "-outform", "DER", "-out", f"{at}.key.der")


class Serve:
    def __init__(self, folder, node):
        self.folder, self.node, self.socket = folder, node, folder / "agent.sock"
        for version in (1, 2):
            make_svids(folder, version)
        self.errors = open(folder / "serve.err", "w+")
        self.process = subprocess.Popen([SERVE, self.socket, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True)
        assert self.process.stdout.readline() == "ready\n", (folder / "serve.err").read_text()

    def do(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def client(self, *words):
        return subprocess.Popen([self.node, ROOT / "tests/peers/workload_client.mjs", self.socket, *map(str, words)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def call(self, method, request=None, header="true"):
        out, errors = self.client("call", method, json.dumps(request or {}), header).communicate(timeout=60)
        assert out, errors
        return json.loads(out)

    def stop(self):
        """What the sanitizers found, leaks too, makes the exit status."""
        self.process.stdin.close()
        status = self.process.wait(timeout=20)
        self.errors.seek(0)
        assert status == 0, self.errors.read()


@pytest.fixture
def serve(node, tmp_path):
    assert SERVE.exists(), f"{SERVE} is not built: meson setup build/asan -Dtests=true && ninja -C build/asan"
    s = Serve(tmp_path, node)
    yield s
    s.stop()


def der(folder, name):
    return base64.b64encode((folder / f"{name}.der").read_bytes()).decode()


def test_x509_svid_is_one_that_openssl_verifies(serve):
    answer = serve.call("FetchX509SVID")
    assert answer["code"] == OK
    [svid] = answer["answer"]["svids"]
    assert svid["spiffe_id"] == ID and svid["hint"] == "internal"
    for name in ("x509_svid", "x509_svid_key", "bundle"):
        (serve.folder / f"{name}.got").write_bytes(base64.b64decode(svid[name]))
    openssl("x509", "-inform", "DER", "-in", serve.folder / "bundle.got", "-out", serve.folder / "bundle.pem")
    openssl("x509", "-inform", "DER", "-in", serve.folder / "x509_svid.got", "-out", serve.folder / "leaf.pem")
    openssl("verify", "-purpose", "sslclient", "-CAfile", serve.folder / "bundle.pem", serve.folder / "leaf.pem")
    public = openssl("pkey", "-inform", "DER", "-in", serve.folder / "x509_svid_key.got", "-pubout")
    assert public == openssl("x509", "-in", serve.folder / "leaf.pem", "-pubkey", "-noout")
    assert answer["answer"]["federated_bundles"] == {"spiffe://other.example": svid["bundle"]}


def test_bundles(serve):
    assert serve.call("FetchX509Bundles")["answer"]["bundles"] == {"spiffe://example.org": der(serve.folder, "1.bundle")}
    jwks = serve.call("FetchJWTBundles")["answer"]["bundles"]["spiffe://example.org"]
    [key] = json.loads(base64.b64decode(jwks))["keys"]
    assert key["kty"] == "EC" and key["kid"]


def test_jwt_svid_goes_out_and_is_validated(serve):
    [svid] = serve.call("FetchJWTSVID", {"audience": ["db", "queue"]})["answer"]["svids"]
    assert svid["spiffe_id"] == ID
    valid = serve.call("ValidateJWTSVID", {"audience": "queue", "svid": svid["svid"]})
    assert valid["code"] == OK
    fields = valid["answer"]["claims"]["fields"]
    assert fields["sub"]["stringValue"] == ID
    assert [v["stringValue"] for v in fields["aud"]["listValue"]["values"]] == ["db", "queue"]
    assert abs(fields["exp"]["numberValue"] - time.time() - 300) < 60
    assert serve.call("ValidateJWTSVID", {"audience": "other", "svid": svid["svid"]})["code"] == INVALID
    assert serve.call("ValidateJWTSVID", {"audience": "db", "svid": svid["svid"][:-4] + "AAAA"})["code"] == INVALID
    assert serve.call("FetchJWTSVID", {"audience": ["db"], "spiffe_id": ID})["code"] == OK
    assert serve.call("FetchJWTSVID", {"audience": ["db"], "spiffe_id": ID + "/x"})["code"] == DENIED


def test_what_is_refused(serve):
    for header in ("-", "True", "1", ""):
        assert serve.call("FetchX509SVID", header=header)["code"] == INVALID
        assert serve.call("FetchJWTSVID", {"audience": ["a"]}, header=header)["code"] == INVALID
    assert serve.call("FetchJWTSVID")["code"] == INVALID
    assert serve.call("NoSuchMethod")["code"] == UNIMPLEMENTED
    assert serve.call("FetchWITSVID")["code"] == UNIMPLEMENTED
    serve.do("nobody")
    assert serve.call("FetchX509SVID") == {"code": DENIED, "details": "no identity issued"}
    assert serve.call("FetchJWTSVID", {"audience": ["a"]})["code"] == DENIED
    serve.do("starting")
    assert serve.call("FetchX509Bundles")["code"] == UNAVAILABLE
    serve.do("known")
    serve.do("wit")
    assert serve.call("FetchWITSVID")["answer"]["svids"][0]["wit_svid"] == "a.b.c"
    assert "spiffe://example.org" in serve.call("FetchWITBundles")["answer"]["bundles"]


def test_rotation_is_pushed_and_the_end_of_the_identity_too(serve):
    watch = serve.client("watch", "FetchX509SVID")
    first = json.loads(watch.stdout.readline())["answer"]["svids"][0]
    assert first["x509_svid"] == der(serve.folder, "1.leaf")
    serve.do("rotate")
    second = json.loads(watch.stdout.readline())["answer"]["svids"][0]
    assert second["x509_svid"] == der(serve.folder, "2.leaf")
    assert second["x509_svid_key"] == der(serve.folder, "2.key")
    serve.do("end")
    assert json.loads(watch.stdout.readline()) == {"code": DENIED, "details": "the identity has ended"}
    assert watch.wait(timeout=20) == 0


def test_a_thousand_streams(serve):
    many = serve.client("many", 20, 1000)
    assert json.loads(many.stdout.readline()) == {"open": 1000}
    assert serve.call("FetchX509SVID")["code"] == OK
    many.stdin.close()
    assert many.wait(timeout=20) == 0


def test_a_busy_client_is_not_taken_for_a_flood(serve):
    out, errors = serve.client("time", 4000).communicate(timeout=120)
    assert out, errors
    print(json.loads(out))


def test_clients_that_vanish_leave_the_server_up(serve):
    for _ in range(3):
        watch = serve.client("watch", "FetchX509Bundles")
        watch.stdout.readline()
        watch.kill()
        watch.wait()
    wait_until(lambda: serve.call("FetchX509SVID")["code"] == OK, "an answer after the clients were killed")

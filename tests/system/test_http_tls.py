"""TLS with client certificates on both sides: agents to us, we to an upstream."""

import hashlib
import http.server
import json
import re
import socket
import ssl
import subprocess
import threading

import pytest

from harness import LEGACY, MODERN, Mcp, free_port, wait_until

OPS = {"echo": {"effect": "read"}}


class Ca:
    """An authority made with the openssl program."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.key, self.cert = folder / f"{name}.key", folder / f"{name}.pem"
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                     f"/CN={name}", "-keyout", self.key, "-out", self.cert, "-addext", "basicConstraints=critical,CA:TRUE",
                     "-addext", "keyUsage=critical,keyCertSign")

    def openssl(self, *args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)

    def issue(self, name, usage, san=None):
        """(certificate file, key file)"""
        key, csr, cert, ext = (self.folder / f"{self.name}-{name}.{x}" for x in ("key", "csr", "pem", "ext"))
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout",
                     key, "-out", csr)
        ext.write_text(f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n"
                       + (f"subjectAltName={san}\n" if san else ""))
        self.openssl("x509", "-req", "-in", csr, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", "1",
                     "-extfile", ext, "-out", cert)
        return cert, key


def fingerprint(cert):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert.read_text())).hexdigest()


def client_context(ca, pair=None):
    context = ssl.create_default_context(cafile=str(ca.cert))
    if pair:
        context.load_cert_chain(*map(str, pair))
    return context


class TlsMcp(Mcp):
    """harness.Mcp over TLS."""

    def __init__(self, port, token, era, context):
        super().__init__(f"https://127.0.0.1:{port}/mcp", token, era, timeout=10)
        self.context = context

    def connection(self):
        if self.conn is None:
            conn = http.client.HTTPConnection("127.0.0.1", self.url.port, timeout=10)
            conn.sock = self.context.wrap_socket(socket.create_connection(("127.0.0.1", self.url.port), timeout=10),
                                                 server_hostname="127.0.0.1")
            self.conn = conn
        return self.conn


@pytest.fixture
def door(gateway, hostile, tmp_path):
    ca, other = Ca(tmp_path, "ca"), Ca(tmp_path, "stranger")
    cert, key = ca.issue("gateway", "serverAuth", "IP:127.0.0.1")
    port = free_port()
    g = gateway(start=False, mcpServers={"up": {"url": hostile.url, "operations": OPS}}, listen=[
        {"address": f"127.0.0.1:{port}", "cert": str(cert), "key": str(key), "clientCa": str(ca.cert)}])
    g.tls_port, g.ca, g.other = port, ca, other
    g.start()
    g.task = g.open_task(["up/echo"])
    return g


def refused_by_tls(door, context, token="x"):
    """In TLS 1.3 the client hears of it with its first read."""
    try:
        TlsMcp(door.tls_port, token, MODERN, context).call("up__echo")
    except (ssl.SSLError, ConnectionError, http.client.HTTPException, OSError):
        return True
    return False


def test_who_has_no_certificate_of_the_authority_stays_out(door, hostile):
    own = door.ca.issue("desk", "clientAuth")
    token = door.control("task.token", task=door.task, cert=fingerprint(own[0]))["token"]
    assert refused_by_tls(door, client_context(door.ca), token)
    assert refused_by_tls(door, client_context(door.ca, door.other.issue("desk", "clientAuth")), token)
    assert refused_by_tls(door, client_context(door.ca, door.ca.issue("server", "serverAuth")), token)
    old = client_context(door.ca, own)
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    assert refused_by_tls(door, old, token)
    plain = Mcp(f"http://127.0.0.1:{door.tls_port}/mcp", token, MODERN, timeout=5)
    with pytest.raises((OSError, http.client.HTTPException)):
        plain.call("up__echo")
    assert hostile.calls("echo") == 0
    assert not refused_by_tls(door, client_context(door.ca, own), token)
    assert hostile.calls("echo") == 1


def test_token_belongs_to_its_certificate(door, hostile, era):
    own, second = door.ca.issue("desk", "clientAuth"), door.ca.issue("other", "clientAuth")
    token = door.control("task.token", task=door.task, cert=fingerprint(own[0]))["token"]
    agent = TlsMcp(door.tls_port, token, era, client_context(door.ca, own))
    assert agent.call("up__echo", {"a": 1}).result["structuredContent"] == {"a": 1}
    assert agent.tools() == ["up__echo"]
    thief = TlsMcp(door.tls_port, token, era, client_context(door.ca, second))
    reply = thief.request("tools/list") if era == MODERN else thief.start()
    assert reply.status == 401 and "another client certificate" in reply.error["message"]
    bearer = TlsMcp(door.tls_port, door.token(door.task), era, client_context(door.ca, own))
    reply = bearer.request("tools/list") if era == MODERN else bearer.start()
    assert reply.status == 401
    if era == LEGACY:  # the session does not help the thief either
        thief.session, thief.started = agent.session, True
        assert thief.request("tools/list").status in (401, 404)
    assert hostile.calls("echo") == 1


# --- a small MCP server over HTTPS -------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((message.get("method"), self.connection.getpeercert()))
        if "id" not in message:
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        method = message["method"]
        body = {"jsonrpc": "2.0", "id": message["id"]}
        if method == "initialize":
            body["result"] = {"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": {"name": "t", "version": "1"}}
        elif method == "tools/list":
            body["result"] = {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}
        elif method == "tools/call":
            body["result"] = {"content": [], "structuredContent": message["params"]["arguments"]}
        else:
            body["error"] = {"code": -32601, "message": "no"}
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Https(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, pair, client_ca=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*map(str, pair))
        if client_ca:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(str(client_ca))
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, address):
        request.settimeout(10)
        try:
            with self.context.wrap_socket(request, server_side=True) as tls:
                super().finish_request(tls, address)
        except OSError:
            pass


@pytest.fixture
def https():
    made = []
    def make(*how):
        made.append(Https(*how))
        return made[-1]
    yield make
    for server in made:
        server.shutdown()
        server.server_close()


def test_upstream_over_https_with_a_client_certificate(gateway, https, tmp_path, era):
    ca = Ca(tmp_path, "up-ca")
    server = https(ca.issue("server", "serverAuth", "DNS:localhost,IP:127.0.0.1"), ca.cert)
    cert, key = ca.issue("ambit", "clientAuth")
    g = gateway(mcpServers={"up": {"url": f"https://localhost:{server.server_port}/mcp", "ca": str(ca.cert), "cert": str(cert),
                                   "key": str(key), "operations": OPS}})
    reply = g.mcp(g.open_task(["up/echo"]), era=era).call("up__echo", {"a": 1})
    assert reply.result["structuredContent"] == {"a": 1}
    [method, peer] = server.seen[-1]
    assert method == "tools/call" and (("commonName", "ambit"),) in peer["subject"]


@pytest.mark.parametrize("fault", ["another authority", "another name", "no client certificate", "system's authorities"])
def test_upstream_that_is_not_the_one_meant(gateway, https, tmp_path, fault):
    ca, other = Ca(tmp_path, "up-ca"), Ca(tmp_path, "stranger")
    name = "DNS:elsewhere.example" if fault == "another name" else "DNS:localhost,IP:127.0.0.1"
    server = https((other if fault == "another authority" else ca).issue("server", "serverAuth", name),
                   ca.cert if fault == "no client certificate" else None)
    more = {} if fault == "system's authorities" else {"ca": str(ca.cert)}
    g = gateway(catalogues=False, mcpServers={"up": {"url": f"https://localhost:{server.server_port}/mcp", "operations": OPS, **more}})
    wait_until(lambda: re.search(r'"binding":"up".*(certificate|TLS|broke|closed)|(certificate|TLS|broke|closed).*"binding":"up"', g.log),
               f"a reason in the log:\n{g.log}")
    reply = g.mcp(g.open_task(["up/echo"]), era=MODERN).call("up__echo", {"a": 1})
    assert reply.result["isError"]
    assert server.seen == []

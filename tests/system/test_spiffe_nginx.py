"""spiffe-helper keeps nginx's certificate, key and trusted authorities fresh from the Workload API (workload_serve) and
has it reload; nginx asks its clients for SVIDs, and shows its own to a server that uses go-spiffe."""

import base64
import json
import os
import subprocess

import pytest

from harness import free_port, stop_process, wait_until
from spiffe_peers import Peer, go_peer
from test_workload_api import ID, make_svids, openssl, serve  # noqa: F401 (a fixture)

HELPER = """
agent_address = "{socket}"
cert_dir = "{certs}"
svid_file_name = "svid.pem"
svid_key_file_name = "key.pem"
svid_bundle_file_name = "bundle.pem"
jwt_bundle_file_name = "jwks.json"
jwt_svids = [{{jwt_audience = "db", jwt_extra_audiences = ["queue"], jwt_svid_file_name = "db.jwt"}}]
pid_file_name = "{pid}"
renew_signal = "SIGHUP"
"""

NGINX = """
pid {folder}/nginx.pid; error_log {folder}/nginx.log info; {user}
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4;
  scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certs}/svid.pem; ssl_certificate_key {certs}/key.pem;
    ssl_client_certificate {certs}/bundle.pem; ssl_verify_client on;
    location / {{ return 200 "$ssl_client_verify $ssl_client_serial"; }}
    location /inner {{
      proxy_pass https://{inner}/; proxy_ssl_certificate {certs}/svid.pem; proxy_ssl_certificate_key {certs}/key.pem;
    }}
  }}
}}
"""


class Helper:
    """spiffe-helper as a service, and the files that it writes."""

    def __init__(self, socket, folder):
        self.certs, self.pid = folder / "certs", folder / "nginx.pid"
        self.certs.mkdir()
        (folder / "helper.conf").write_text(HELPER.format(socket=socket, certs=self.certs, pid=self.pid))
        self.log = open(folder / "helper.log", "w+")
        self.process = subprocess.Popen([go_peer("spiffe_helper") / "spiffe-helper", "-config", folder / "helper.conf"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        wait_until(lambda: (self.certs / "db.jwt").exists() and (self.certs / "svid.pem").exists(), "the files of spiffe-helper")

    def read(self, name):
        return (self.certs / name).read_text()

    def stop(self):
        stop_process(self.process)
        self.log.close()


@pytest.fixture
def helper(serve):  # noqa: F811
    made = Helper(serve.socket, serve.folder)
    yield made
    made.stop()


@pytest.fixture
def inner(serve):  # noqa: F811
    """A server of go-spiffe that lets in exactly this agent."""
    made = Peer(go_peer("spiffe_peer") / "spiffe_peer", "serve", f"unix://{serve.socket}", ID)
    yield made
    made.stop()


@pytest.fixture
def nginx(serve, helper, inner):  # noqa: F811
    port = free_port()
    config = serve.folder / "nginx.conf"
    config.write_text(NGINX.format(folder=serve.folder, certs=helper.certs, port=port, inner=inner.hello["addr"],
                                   user="user root;" if os.getuid() == 0 else ""))
    process = subprocess.Popen(["nginx", "-e", serve.folder / "nginx.log", "-c", config, "-g", "daemon off;"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: helper.pid.exists() and helper.pid.read_text().strip(), "nginx")
    yield f"https://127.0.0.1:{port}"
    stop_process(process)


def curl(url, certificate, key):
    done = subprocess.run(["curl", "-sS", "-k", "--noproxy", "*", "--cert", certificate, "--key", key, url], capture_output=True,
                          text=True, timeout=20)
    return done.stdout


def shown(url):
    """The certificate that the server shows."""
    address = url.removeprefix("https://")
    done = subprocess.run(["openssl", "s_client", "-connect", address], input="", capture_output=True, text=True, timeout=20)
    return subprocess.run(["openssl", "x509"], input=done.stdout, capture_output=True, text=True, check=True).stdout


def test_files_of_spiffe_helper(serve, helper):  # noqa: F811
    assert helper.read("svid.pem") == openssl("x509", "-in", serve.folder / "1.leaf.pem")
    assert helper.read("bundle.pem") == openssl("x509", "-in", serve.folder / "1.ca.pem")
    openssl("verify", "-purpose", "sslserver", "-CAfile", helper.certs / "bundle.pem", helper.certs / "svid.pem")
    claims = json.loads(base64.urlsafe_b64decode(helper.read("db.jwt").split(".")[1] + "=="))
    assert (claims["sub"], claims["aud"]) == (ID, ["db", "queue"])
    jwks = json.loads(helper.read("jwks.json"))
    assert "spiffe://example.org" in jwks or "example.org" in jwks, jwks


def test_nginx_serves_and_checks_svids_through_a_rotation(serve, helper, nginx):  # noqa: F811
    leaf, key = serve.folder / "1.leaf.pem", serve.folder / "1.key.pem"
    assert wait_until(lambda: curl(nginx, leaf, key), "an answer") == "SUCCESS 01"
    assert shown(nginx) == openssl("x509", "-in", leaf)
    make_svids(serve.folder, 3)  # the same names under an authority of a stranger
    stranger = (serve.folder / "3.leaf.pem", serve.folder / "3.key.pem")
    assert "SSL certificate error" in curl(nginx, *stranger)

    dial = Peer(go_peer("spiffe_peer") / "spiffe_peer", "dial", f"unix://{serve.socket}", ID, nginx)
    assert dial.ok("/")["body"] == "SUCCESS 01"
    assert dial.ok("/inner")["body"].strip() == f"{ID} <nil>"
    serve.do("rotate")
    wait_until(lambda: shown(nginx) == openssl("x509", "-in", serve.folder / "2.leaf.pem"), "nginx with the next SVID")
    assert wait_until(lambda: "SUCCESS 02" in dial.ok("/")["body"], "a client with the next SVID")
    assert dial.ok("/inner")["body"].strip() == f"{ID} <nil>"
    assert "SSL certificate error" in curl(nginx, leaf, key)  # its authority is gone from the bundle
    dial.stop()


def test_go_spiffe_refuses_a_server_that_is_not_who_it_should_be(serve, nginx):  # noqa: F811
    dial = Peer(go_peer("spiffe_peer") / "spiffe_peer", "dial", f"unix://{serve.socket}", "spiffe://example.org/agent/two", nginx)
    assert "unexpected ID" in dial.ask("/")["error"]
    dial.stop()

"""A SPIRE server and agent (tests/peers/go/spire) with a trust domain of their own, on loopback and Unix sockets: an
issuer of identities that we did not write. Nothing of it outlives stop().

    s = Spire(folder)
    s.entry("/agent/desk", uid=os.getuid())     # who runs as that user is spiffe://spire.example/agent/desk
    s.agent_socket                              # its Workload API"""

import json
import os
import subprocess

from harness import free_port, stop_process, wait_until
from spiffe_peers import go_peer

SERVER = """
server {{
  bind_address = "127.0.0.1"
  bind_port = "{port}"
  socket_path = "{folder}/server.sock"
  trust_domain = "{domain}"
  data_dir = "{folder}/server"
  log_level = "DEBUG"
  log_file = "{folder}/server.log"
  ca_ttl = "{ca_ttl}"
  default_x509_svid_ttl = "{svid_ttl}"
  default_jwt_svid_ttl = "{svid_ttl}"
  jwt_issuer = "https://{domain}"
  ca_key_type = "{key_type}"
  {federation}
}}
plugins {{
  DataStore "sql" {{ plugin_data {{ database_type = "sqlite3" connection_string = "{folder}/server/datastore.sqlite3" }} }}
  KeyManager "memory" {{ plugin_data {{}} }}
  NodeAttestor "join_token" {{ plugin_data {{}} }}
}}
"""

AGENT = """
agent {{
  data_dir = "{folder}/agent"
  log_level = "DEBUG"
  log_file = "{folder}/agent.log"
  server_address = "127.0.0.1"
  server_port = "{port}"
  socket_path = "{folder}/agent.sock"
  trust_domain = "{domain}"
  trust_bundle_path = "{folder}/bootstrap.pem"
}}
plugins {{
  NodeAttestor "join_token" {{ plugin_data {{}} }}
  KeyManager "memory" {{ plugin_data {{}} }}
  WorkloadAttestor "unix" {{ plugin_data {{}} }}
}}
"""


class Spire:
    """federation: the `federation` block of the server's configuration, as text. roots: a PEM file of the authorities of web
    servers that it trusts, in place of the system's."""

    def __init__(self, folder, domain="spire.example", federation="", ca_ttl="24h", svid_ttl="5m", key_type="ec-p256", roots=None):
        self.folder, self.domain, self.programs = folder, domain, go_peer("spire")
        self.agent_socket, self.server, self.agent = folder / "agent.sock", None, None
        for name in ("server", "agent"):
            (folder / name).mkdir(parents=True, mode=0o700)
        folder.chmod(0o755)
        values = {"folder": folder, "domain": domain, "port": free_port(), "federation": federation, "ca_ttl": ca_ttl,
                  "svid_ttl": svid_ttl, "key_type": key_type}
        (folder / "server.conf").write_text(SERVER.format(**values))
        (folder / "agent.conf").write_text(AGENT.format(**values))
        self.env = {**os.environ, **({"SSL_CERT_FILE": str(roots), "SSL_CERT_DIR": "/nonexistent"} if roots else {})}

    def start(self):
        try:
            self.server = self._run("spire-server", "server.conf")
            wait_until(lambda: self._healthy("spire-server", self.folder / "server.sock"), "the SPIRE server", seconds=60, pause=0.2)
            (self.folder / "bootstrap.pem").write_text(self.ask("bundle", "show", output="pretty"))
            token = json.loads(self.ask("token", "generate", "-spiffeID", f"spiffe://{self.domain}/node"))["value"]
            self.agent = self._run("spire-agent", "agent.conf", "-joinToken", token)
            wait_until(lambda: self._healthy("spire-agent", self.agent_socket), "the SPIRE agent", seconds=60, pause=0.2)
        except BaseException:
            self.stop()
            raise
        return self

    def _run(self, program, config, *more):
        out = open(self.folder / f"{program}.out", "w")
        return subprocess.Popen([self.programs / program, "run", "-config", self.folder / config, *more], env=self.env,
                                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)

    def _healthy(self, program, socket):
        return subprocess.run([self.programs / program, "healthcheck", "-socketPath", socket], capture_output=True).returncode == 0

    def ask(self, *words, output="json", input=None):
        done = subprocess.run([self.programs / "spire-server", *words, "-socketPath", self.folder / "server.sock", "-output", output],
                              capture_output=True, text=True, input=input)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def entry(self, path, uid, hint="", federates=(), parent="/node"):
        """Its id. The agent knows of it when it next asks the server."""
        more = [word for domain in federates for word in ("-federatesWith", f"spiffe://{domain}")]
        said = self.ask("entry", "create", "-parentID", f"spiffe://{self.domain}{parent}", "-spiffeID", f"spiffe://{self.domain}{path}",
                        "-selector", f"unix:uid:{uid}", "-hint", hint, *more)
        return json.loads(said)["results"][0]["entry"]["id"]

    def bundle(self):
        """Its bundle in SPIFFE's form."""
        done = subprocess.run([self.programs / "spire-server", "bundle", "show", "-format", "spiffe", "-socketPath",
                               self.folder / "server.sock"], capture_output=True, text=True, check=True)
        return done.stdout

    def federated(self, domain):
        """The bundle that it has of another trust domain."""
        done = subprocess.run([self.programs / "spire-server", "bundle", "list", "-id", f"spiffe://{domain}", "-format", "spiffe",
                               "-socketPath", self.folder / "server.sock"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def set_bundle(self, domain, text):
        """Lets it trust another trust domain, of the bundle in SPIFFE's form."""
        done = subprocess.run([self.programs / "spire-server", "bundle", "set", "-id", f"spiffe://{domain}", "-format", "spiffe",
                               "-socketPath", self.folder / "server.sock"], input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def log(self, name="server"):
        return (self.folder / f"{name}.log").read_text()

    def stop(self):
        for process in (self.agent, self.server):
            stop_process(process)

"""What a program that uses py-spiffe does with a Workload API. Commands on standard input, one a line; every answer is one
line of JSON.

    spiffe_peer.py ADDR

    x509             the SVID that X509Source has now
    wait             the same, after its next update
    jwt AUD...       a JWT-SVID from JwtSource, which it then validates with its bundles for the first audience
    as ID AUD        the same for that one of the workload's identities
    check TOKEN AUD  validates with the bundles of JwtSource
    remote TOKEN AUD has the Workload API validate
    bundles          X.509 and JWT bundles"""

import json
import sys
import threading

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from spiffe import JwtSource, JwtSvid, SpiffeId, WorkloadApiClient, X509Source

PATIENCE = 20


class Workload:
    def __init__(self, address):
        self.address = address
        self.client = WorkloadApiClient(address, default_timeout=PATIENCE)
        self.x509_source = self.jwt_source = None
        self.updated = threading.Event()

    def x509(self):
        if self.x509_source is None:
            self.x509_source = X509Source(socket_path=self.address, timeout_in_seconds=PATIENCE)
            self.x509_source.subscribe_for_updates(self.updated.set)
        svid = self.x509_source.svid
        return {"id": str(svid.spiffe_id),
                "chain": "".join(c.public_bytes(Encoding.PEM).decode() for c in svid.cert_chain),
                "key": svid.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()}

    def wait(self):
        if not self.updated.wait(PATIENCE):
            raise TimeoutError("no update")
        self.updated.clear()
        return self.x509()

    def tokens(self):
        if self.jwt_source is None:
            self.jwt_source = JwtSource(socket_path=self.address, timeout_in_seconds=PATIENCE)
        return self.jwt_source

    def jwt(self, *audience):
        return self.check(self.tokens().fetch_svid(set(audience)).token, audience[0])

    def one(self, spiffe_id, audience):
        return self.check(self.tokens().fetch_svid({audience}, SpiffeId(spiffe_id)).token, audience)

    def check(self, token, audience):
        domain = JwtSvid.parse_insecure(token, {audience}).spiffe_id.trust_domain
        bundle = self.tokens().get_bundle_for_trust_domain(domain)
        return describe(JwtSvid.parse_and_validate(token, bundle, {audience}))

    def remote(self, token, audience):
        return describe(self.client.validate_jwt_svid(token, audience))

    def bundles(self):
        x509 = self.client.fetch_x509_bundles()
        jwt = self.client.fetch_jwt_bundles()
        return {"x509": {f"spiffe://{b.trust_domain.name}": "".join(c.public_bytes(Encoding.PEM).decode() for c in b.x509_authorities)
                         for b in x509.bundles},
                "jwt": {f"spiffe://{b.trust_domain.name}": sorted(b.jwt_authorities) for b in jwt.bundles}}


def describe(svid):
    return {"id": str(svid.spiffe_id), "aud": sorted(svid.audience), "exp": svid.expiry, "token": svid.token}


def main():
    workload = Workload(sys.argv[1])
    commands = {"x509": workload.x509, "wait": workload.wait, "jwt": workload.jwt, "as": workload.one, "check": workload.check,
                "remote": workload.remote, "bundles": workload.bundles}
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        name, *words = line.split()
        try:
            said = commands[name](*words)
        except Exception as failure:  # every failure is an answer
            said = {"error": f"{type(failure).__name__}: {failure}"}
        print(json.dumps(said, default=str), flush=True)


main()

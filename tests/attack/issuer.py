"""The keeper by itself, with us as its supervisor and core: what the built-in issuer signs and publishes.

    keeper = Keeper(binary, folder, {"identity": {...}})
    chain, key = keeper.svid("spiffe://t.example/agent/desk/1")      # PEM, leaf first
    token = keeper.token(JWT_SVID, {"sub": ..., "aud": ..., "exp": ...})
    keeper.published                                                 # what core would know now
"""

import base64
import json
import os
import pathlib
import secrets
import socket
import ssl
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import roles as r

TASK_TOKEN, TXN, JWT_SVID, WIT_SVID = 1, 2, 3, 4
ROOT, SIGNER, JWT_KEY, WIT_KEY, TASK_KEY, TXN_KEY = range(6)


class Published:
    def __init__(self, keys, bundle):
        self.at = time.time()
        self.task, self.txn = (json.loads(keys[name])["keys"] for name in ("token_jwks", "txn_jwks"))
        self.bundle, self.sequence = json.loads(bundle["jwks"]), bundle["sequence"]
        self.roots = pem_of(bundle["roots"])

    def used_for(self, use):
        return [key for key in self.bundle["keys"] if key["use"] == use]

    def ids(self):
        """Everything in it, by name."""
        return {json.dumps(key, sort_keys=True) for key in self.bundle["keys"] + self.task + self.txn}


def pem_of(der):
    """Certificates that follow one another, as one PEM text."""
    out = ""
    while der:
        size = 4 + int.from_bytes(der[2:4], "big")  # DER: 30 82 and two bytes of length
        assert der[:2] == b"\x30\x82"
        out += ssl.DER_cert_to_PEM_cert(der[:size])
        der = der[size:]
    return out


def new_key():
    key = ec.generate_private_key(ec.SECP256R1())
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return spki, pem.decode()


def jwk_of(spki):
    point = spki[-64:]
    x, y = (base64.urlsafe_b64encode(half).rstrip(b"=").decode() for half in (point[:32], point[32:]))
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "x": x, "y": y}


class Keeper:
    def __init__(self, binary, folder, config):
        self.binary, self.folder = binary, pathlib.Path(folder)
        self.config = {"trustDomain": "t.example", "mcpServers": {}, **config}
        for name in ("keys", "secrets"):
            (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log = (self.folder / "keeper.log").open("ab")
        self.key = secrets.token_bytes(32)
        self.start()

    def start(self):
        self.process = r.Process(self.binary, "keeper", self.log)
        channel = self.process.channel
        channel.send("SETUP", config_name="ambit.json", config_dir=str(self.folder), config=json.dumps(self.config),
                     uid=-1, child_uid=-1, own_uid=os.getuid(), keeper_key=self.key)
        for kind in ("keys", "secrets"):
            fd = os.open(self.folder / kind, os.O_RDONLY | os.O_DIRECTORY)
            channel.send("DIRECTORY", kind=r.DIRECTORIES[kind], fd=fd)
            os.close(fd)
        ours, theirs = socket.socketpair()
        channel.send("PEER", role=r.ROLES.index("core"), index=0, fd=theirs.fileno())
        theirs.close()
        channel.send("START")
        ready = channel.receive(20)
        assert ready and ready.type == "READY", (self.folder / "keeper.log").read_text()
        self.core = r.Channel(ours)
        self.published = self.await_published()

    def await_published(self, seconds=10.0):
        keys = self.core.wait_for(lambda m: m.type == "KEYS", seconds)
        bundle = self.core.wait_for(lambda m: m.type == "BUNDLE", seconds)
        return Published(keys, bundle)

    def ask(self, name, **fields):
        """The answer; what was published before it is taken in first."""
        answer = self.core.ask(name, **fields)
        while any(m.type == "BUNDLE" for m in self.core.waiting):
            self.published = self.await_published()
        return answer

    def poll(self):
        """Takes in what was published meanwhile."""
        self.core.waiting = self.core.drain(0)
        while any(m.type == "BUNDLE" for m in self.core.waiting):
            self.published = self.await_published()

    def svid(self, spiffe_id, life_s=10):
        spki, key = new_key()
        answer = self.ask("SIGN_X509", spiffe_id=spiffe_id, spki=spki, life_s=life_s)
        assert answer.type == "SIGNED_X509", answer
        return pem_of(answer["chain"]), key, answer["not_after_s"]

    def token(self, kind, claims):
        answer = self.ask("SIGN_JWT", kind=kind, claims=json.dumps(claims))
        assert answer.type == "SIGNED_TOKEN", answer
        return answer["text"].decode()

    def kill(self):
        self.process.end()
        self.core.close()

    def stop(self):
        self.process.channel.send("DRAIN")
        _, self.process.status = os.waitpid(self.process.pid, 0)
        self.core.close()
        self.log.close()

"""Tokens that nobody signed, or somebody else: what a hostile edge can make by itself."""

import base64
import hashlib
import hmac
import json
import subprocess


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts(token):
    header, claims, signature = token.split(".")
    return json.loads(unb64(header)), json.loads(unb64(claims)), unb64(signature)


def join(header, claims, signature):
    return ".".join((b64(json.dumps(header).encode()), b64(json.dumps(claims).encode()), b64(signature)))


def es256(header, claims, folder):
    """Signed with a key made for the occasion; the openssl program has the curve, the library of Python has not."""
    key = folder / "forger.pem"
    if not key.exists():
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key], check=True)
    head = join(header, claims, b"").rstrip(".")
    der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=head.encode(), check=True,
                         capture_output=True).stdout
    numbers, at = b"", 2
    for _ in range(2):
        n = der[at + 1]
        numbers += der[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + n
    return f"{head}.{b64(numbers)}"


def hs256(header, claims, key):
    head = join(header, claims, b"").rstrip(".")
    return f"{head}.{b64(hmac.new(key, head.encode(), hashlib.sha256).digest())}"


def forgeries(token, other_task, public_jwk, folder):
    """{what: token}, each from a good one, none of which may be believed."""
    header, claims, signature = parts(token)
    wide = {**claims, "task": {**claims["task"], "id": other_task}}
    far = {**claims, "exp": claims["exp"] + 86400}
    flipped = bytearray(signature)
    flipped[-1] ^= 1
    good_head, good_claims, good_signature = token.split(".")
    return {
        "alg none": join({**header, "alg": "none"}, claims, b""),
        "alg none, signature kept": join({**header, "alg": "none"}, claims, signature),
        "alg None": join({**header, "alg": "None"}, claims, b""),
        "own key under the known id": es256(header, wide, folder),
        "own key under another id": es256({**header, "kid": "x"}, wide, folder),
        "own key without an id": es256({k: v for k, v in header.items() if k != "kid"}, wide, folder),
        "own key in the header": es256({**header, "jwk": public_jwk}, wide, folder),
        "own key by address": es256({**header, "jku": "http://127.0.0.1:9/keys"}, wide, folder),
        "HS256 with the public key": hs256({**header, "alg": "HS256"}, wide, json.dumps(public_jwk).encode()),
        "another task": join(header, wide, signature),
        "a later end": join(header, far, signature),
        "signature flipped": join(header, claims, bytes(flipped)),
        "signature of zeros": join(header, claims, bytes(64)),
        "signature cut": join(header, claims, signature[:-1]),
        "no signature": f"{good_head}.{good_claims}.",
        "two parts": f"{good_head}.{good_claims}",
        "four parts": f"{token}.{good_signature}",
        "padded": token + "=",
        "with a space": token + " ",
        "with a NUL": token + "\0",
        "typ JWT": es256({**header, "typ": "JWT"}, claims, folder),
        "empty": "",
        "dots": "..",
        "not base64url": token.replace(".", ".%", 1),
        "8 KiB": "A" * 8192,
    }

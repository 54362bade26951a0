#!/usr/bin/python3
"""Tokens from end to end: how much CPU time each process of the gateway spends on one, and how many a second that allows.

    tests/bench/tokens.py [--count N] [--ambit FILE]

A client in this process keeps one connection and asks COUNT times, by JWT-SVID with a DPoP proof over HTTP, and by
X.509-SVID over mTLS; proofs are signed beforehand. CPU time is read from /proc, so the figures hold on a busy machine; the
rate is what the busiest process would reach with a core of its own, and what all would reach on two cores. Needs
build/release."""

import argparse
import http.client
import json
import os
import pathlib
import ssl
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))

from harness import Gateway, free_port  # noqa: E402
from oauth_kit import SPIFFE, TD, Issuer, new_key, proof, server_certificate  # noqa: E402

ROLES = ("edge", "core", "keeper")
TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


def cpu_us(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(text[11]) + int(text[12])) * TICK_US


def measure(g, what, send, count):
    pids = {role: g.role_pid(role) for role in ROLES}
    before, began = {r: cpu_us(p) for r, p in pids.items()}, time.monotonic()
    for n in range(count):
        send(n)
    took = time.monotonic() - began
    each = {r: (cpu_us(p) - before[r]) / count for r, p in pids.items()}
    print(json.dumps({"what": what, "tokens": count, "cpu_us_each": {r: round(v, 1) for r, v in each.items()},
                      "one_client_per_second": round(count / took),
                      "busiest_allows_per_second": round(1e6 / max(each.values())),
                      "two_cores_allow_per_second": round(2e6 / sum(each.values()))}), flush=True)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--count", type=int, default=4000)
    args.add_argument("--ambit", default=ROOT / "build/release/src/cmd/ambit")
    o = args.parse_args()
    with tempfile.TemporaryDirectory(prefix="ambit-bench-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        issuer = Issuer(folder)
        server_certificate(folder)
        port, tls_port = free_port(), free_port()
        url = f"http://127.0.0.1:{port}"
        g = Gateway(o.ambit, folder / "gateway", {
            "issuer": url,
            "listen": [{"address": f"127.0.0.1:{port}", "bearer": True},
                       {"address": f"127.0.0.1:{tls_port}", "url": f"https://localhost:{tls_port}", "svid": True,
                        "cert": str(folder / "server.pem"), "key": str(folder / "server.key")}],
            "issuers": {"peer": {"trustDomain": TD, "bundleFile": str(issuer.file)}},
            "agents": {"desk": {"bearer": False, "proofs": [{"issuer": "peer", "id": f"spiffe://{TD}/agent/desk/*"}]}},
            "mcpServers": {"up": {"url": "http://127.0.0.1:9/", "operations": {"find": {"effect": "read"}}}}})
        g.port = port
        g.start(catalogues=False)
        try:
            g.open_task(["up/find"])
            run(g, issuer, folder, url, port, tls_port, o.count)
        finally:
            g.stop()


def run(g, issuer, folder, url, port, tls_port, count):
    key, fields = new_key(), {"Content-Type": "application/x-www-form-urlencoded"}
    form = lambda **more: urllib.parse.urlencode({"grant_type": "client_credentials", **more})
    plain = http.client.HTTPConnection("127.0.0.1", port)

    def post(conn, body, headers):
        conn.request("POST", "/oauth/token", body, headers)
        answer = conn.getresponse()
        text = answer.read()
        return answer, json.loads(text)

    signed = lambda nonce: proof(key, "POST", f"{url}/oauth/token", nonce=nonce)
    body = form(client_assertion_type=SPIFFE, client_assertion=issuer.token("desk", url))
    answer, _ = post(plain, body, {**fields, "DPoP": signed(None)})
    nonce = answer.getheader("DPoP-Nonce")
    proofs = [signed(nonce) for _ in range(count)]

    def by_dpop(n):
        answer, text = post(plain, body, {**fields, "DPoP": proofs[n]})
        assert answer.status == 200, text

    measure(g, "JWT-SVID and DPoP", by_dpop, count)
    context = ssl.create_default_context(cafile=folder / "server.pem")
    context.load_cert_chain(*issuer.svid("desk"))
    tls = http.client.HTTPSConnection("localhost", tls_port, context=context)

    def by_mtls(_):
        answer, text = post(tls, form(), fields)
        assert answer.status == 200, text

    measure(g, "X.509-SVID over mTLS", by_mtls, count)


if __name__ == "__main__":
    main()

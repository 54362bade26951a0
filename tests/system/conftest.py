"""Fixtures of the system tests; the classes behind them are in harness.py.

    def test_something(gateway, hostile, mcp):
        g = gateway(mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "read"}}}})
        task = g.open_task(["up/echo"])
        assert g.mcp(task).call("up__echo", {"a": 1}).result["structuredContent"] == {"a": 1}
"""

import os
import pathlib
import secrets
import shutil
import tempfile

import pytest

from harness import LEGACY, MODERN, POLICY, ROOT, Gateway, Helpdesk, Hostile


@pytest.fixture(scope="session")
def ambit_binary():
    path = pathlib.Path(os.environ.get("AMBIT_BINARY", ROOT / "build/release/src/cmd/ambit"))
    assert path.exists(), f"{path} is not built: meson setup build/release && ninja -C build/release"
    return path


@pytest.fixture(scope="session")
def node():
    path = ROOT / "build/peers/node"
    assert path.exists(), "build/peers/node is missing: tools/deps.sh test"
    return path


@pytest.fixture
def tmp_path(request):
    """In place of pytest's own, whose parent is closed to the users that a gateway started by root runs as."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="ambit-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    if os.environ.get("AMBIT_KEEP"):
        print(f"kept: {path}")
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def gateway(ambit_binary, tmp_path):
    """gateway(policies=TEXT or {FILE: TEXT}, start=True, secrets={NAME: VALUE}, **configuration) -> harness.Gateway

    The configuration given is laid upon the default (None removes a member); each call makes one more gateway."""
    made = []

    def make(policies=POLICY, start=True, secrets=None, catalogues=True, **config):
        g = Gateway(ambit_binary, tmp_path / f"gateway{len(made)}", config, policies)
        made.append(g)
        for name, value in (secrets or {}).items():
            g.set_secret(name, value)
        return g.start(catalogues=catalogues) if start else g

    yield make
    for g in made:
        g.stop()


@pytest.fixture
def hostile(node, tmp_path):
    """tests/peers/hostile_upstream.mjs, running: .url, .calls(TOOL)"""
    upstream = Hostile(node, tmp_path)
    yield upstream
    upstream.stop()


@pytest.fixture
def helpdesk(node, tmp_path):
    """examples/helpdesk, running: .url, .key, .refunds(), .server() for mcpServers"""
    upstream = Helpdesk(node, tmp_path, secrets.token_urlsafe(32))
    yield upstream
    upstream.stop()


@pytest.fixture
def desk(gateway, helpdesk):
    """A gateway before the helpdesk: binding "help", its key set, bob's operator key made."""
    g = gateway(mcpServers={"help": helpdesk.server()}, secrets={"helpdesk-key": helpdesk.key})
    g.add_operator("bob")
    return g


@pytest.fixture(params=[LEGACY, MODERN])
def era(request):
    """Both revisions of the protocol, one after the other."""
    return request.param

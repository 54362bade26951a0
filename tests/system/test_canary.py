"""A secret is where it is used and nowhere else: not with the agent, in no log, file, record, nor in the memory of
edge and core once the call is over."""

import base64
import hashlib
import os
import secrets
import sys
import time

import pytest

from harness import ROOT, wait_until

sys.path.insert(0, str(ROOT / "tests/fault"))
import canary  # noqa: E402
import record  # noqa: E402

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="reading the memory of other users' processes needs root")


class Site:
    def __init__(self, gateway, helpdesk, node):
        self.helpdesk, self.key = helpdesk, helpdesk.key
        self.prog_key = "prog-" + secrets.token_urlsafe(32)
        peers = ROOT / "tests/peers"
        prog = {"command": str(node), "args": [str(peers / "hostile_stdio.mjs")],
                "env": {"HELP_KEY": {"secret": "prog-key"}}, "sandbox": {"read": [str(peers), str(node.parent)]},
                "operations": {"echo": {"effect": "read"}, "print_env_names": {"effect": "read"},
                               "stderr_secret": {"effect": "read"}}}
        self.gateway = gateway(mcpServers={"help": helpdesk.server(), "prog": prog}, log="debug",
                               secrets={"helpdesk-key": self.key, "prog-key": self.prog_key})
        self.received = b""

    def client(self, era):
        mcp = self.gateway.mcp(self.gateway.open_task(["help/read_ticket", "help/search_tickets", "help/add_note",
                                                       "help/refund", "prog/echo", "prog/print_env_names",
                                                       "prog/stderr_secret"]), era=era)
        post = mcp.post

        def keep(*args, **more):
            reply = post(*args, **more)
            self.received += repr(reply.headers).encode() + reply.body
            return reply

        mcp.post = keep
        return mcp

    def work(self, era):
        """All kinds of answers: results, errors of the upstream, refusals, a hold."""
        mcp = self.client(era)
        mcp.tools()
        for i in range(30):
            assert not mcp.call("help__read_ticket", {"ticket": 1 + i % 3}).result.get("isError")
        mcp.call("help__search_tickets", {"query": ""})
        mcp.call("help__add_note", {"ticket": 1, "text": "looked at"})
        mcp.call("help__read_ticket", {"ticket": 99999})
        mcp.call("help__read_ticket", {"ticket": "x"})
        mcp.call("help__refund", {"order": "O-1001", "amount_cents": 1, "reason": "x"})
        mcp.call("help__delete_customer", {"customer": "x"})
        mcp.call("prog__echo", {"a": 1})
        env = mcp.call("prog__print_env_names").result["structuredContent"]
        assert env["help_key_sha256"] == hashlib.sha256(self.prog_key.encode()).hexdigest(), "the program has its key"
        return mcp


@pytest.fixture
def site(gateway, helpdesk, node):
    return Site(gateway, helpdesk, node)


def test_scanner_finds_what_is_there(tmp_path):
    secret = secrets.token_urlsafe(32)
    raw = secret.encode()
    for text in (raw, raw[::-1], raw.hex().encode(), raw.hex().upper().encode(), secret.encode("utf-16-le"),
                 *(base64.b64encode(b"x" * n + raw + b"tail") for n in range(4)),
                 *(base64.urlsafe_b64encode(b"Bearer "[:n] + raw) for n in range(4)),
                 "".join(f"%{b:02X}" for b in raw).encode()):
        assert canary.find(b"before" + text + b"after", secret), text
        (tmp_path / "file").write_bytes(b"\0" * 5000 + text)
        assert canary.find_in_files(tmp_path, secret)
    assert canary.find(raw[9:30], secret, pieces=True)
    assert not canary.find(secrets.token_bytes(100000), secret, pieces=True)


@as_root
def test_scanner_reads_memory():
    planted = "planted-" + secrets.token_urlsafe(32)
    assert canary.find_in_memory(os.getpid(), planted)[0]


def test_agent_sees_no_secret(site, era):
    site.work(era)
    assert len(site.received) > 5000
    for secret in (site.key, site.prog_key):
        assert canary.find(site.received, secret) == []


def test_secret_was_used(site):
    """Else the others prove nothing."""
    site.work("2025-11-25")
    lines = [line for line in site.helpdesk.access.read_text().splitlines() if '"tool":"read_ticket"' in line]
    assert len(lines) >= 30 and all('"key":true' in line for line in lines)


def test_no_log_file_or_record_holds_a_secret(site):
    site.work("2025-11-25").call("prog__stderr_secret")
    time.sleep(0.5)
    gateway = site.gateway
    folder = gateway.dir
    for secret in (site.key, site.prog_key):
        assert canary.find(gateway.log.encode(), secret) == []
        assert canary.find_in_files(folder, secret) == {}
    assert record.of_type(gateway, "intent"), "there is a record to look at"
    gateway.stop()
    for secret in (site.key, site.prog_key):
        assert canary.find_in_files(folder, secret) == {}
    sealed = list((gateway.state / "secrets").rglob("*"))
    assert any(path.is_file() and path.stat().st_size > 40 for path in sealed), "and the secrets are there, sealed"


def test_no_command_line_or_environment_holds_a_secret(site):
    site.work("2025-11-25")
    for pid in site.gateway.pids():
        for name in ("cmdline", "environ"):
            try:
                data = open(f"/proc/{pid}/{name}", "rb").read()
            except OSError:
                continue
            is_program = b"hostile_stdio" in open(f"/proc/{pid}/cmdline", "rb").read()
            assert canary.find(data, site.key) == []
            if not (is_program and name == "environ"):
                assert canary.find(data, site.prog_key) == [], f"{pid} {name}"


@as_root
@pytest.mark.parametrize("role", ["edge", "core"])
def test_memory_holds_no_secret_after_the_call(site, role, era):
    site.work(era)
    time.sleep(0.5)
    pid = site.gateway.role_pid(role)
    for name, secret in (("of the help desk", site.key), ("of the program", site.prog_key)):
        hits, seen = canary.find_in_memory(pid, secret)
        assert seen > 1 << 20
        assert hits == {}, f"{role} holds the secret {name}"


def is_kept_as_secret(pid, mapping):
    """In memory that is in no core dump and in no child (crypto/secret.h): VmFlags dd and wf."""
    span = mapping.split()[0]
    with open(f"/proc/{pid}/smaps") as smaps:
        text = smaps.read()
    flags = text[text.index(span):].split("VmFlags:")[1].split("\n")[0].split()
    return {"dd", "wf"} <= set(flags)


@as_root
def test_runner_holds_a_program_s_secret_only_to_strike_it_out_of_its_log(site):
    """While the program runs, and in memory made for that; nothing of it anywhere else, and nothing afterwards."""
    site.work("2025-11-25")
    time.sleep(0.5)
    gateway = site.gateway
    assert canary.find_in_memory(gateway.process.pid, site.prog_key)[0] == {}
    assert canary.find_in_memory(gateway.process.pid, site.key)[0] == {}
    runner = gateway.role_pid("runner")
    assert canary.find_in_memory(runner, site.key)[0] == {}
    hits, _ = canary.find_in_memory(runner, site.prog_key)
    assert all(is_kept_as_secret(runner, mapping) for mapping in hits), hits

    for task in gateway.control("task.list")["tasks"]:
        gateway.close_task(task["task"])
    discovery = 1  # its program serves no task and stays for ten minutes of idleness

    def programs():
        return sum(b"hostile_stdio" in open(f"/proc/{pid}/cmdline", "rb").read() for pid in gateway.pids())

    wait_until(lambda: programs() <= discovery, "the programs of the closed tasks to end")
    hits, _ = canary.find_in_memory(runner, site.prog_key)
    assert all(is_kept_as_secret(runner, mapping) for mapping in hits), hits


@as_root
def test_keeper_forgets_between_releases(site):
    """The keeper opens a secret anew for each release, and wipes it; its keys it keeps."""
    site.work("2025-11-25")
    time.sleep(0.5)
    pid = site.gateway.role_pid("keeper")
    assert [canary.find_in_memory(pid, secret)[0] for secret in (site.key, site.prog_key)] == [{}, {}]


@as_root
def test_edge_does_hold_the_secret_during_the_call(site, helpdesk):
    """The scanner sees it where it must be: else its silence afterwards means nothing."""
    gateway = site.gateway
    calls = record.Calls(gateway, gateway.token(gateway.open_task(["help/slow_report"])),
                         [("help__slow_report", {"seconds": 3})] * 4)
    wait_until(lambda: helpdesk.access.read_text().count('"tool":"slow_report"') >= 4, "the calls to be under way")
    program = gateway.mcp(gateway.open_task(["prog/echo"]))
    program.call("prog__echo", {})
    children = [pid for pid in gateway.pids() if b"hostile_stdio" in open(f"/proc/{pid}/cmdline", "rb").read()]
    assert any(canary.find(open(f"/proc/{pid}/environ", "rb").read(), site.prog_key) for pid in children)
    assert canary.find_in_memory(children[0], site.prog_key)[0]
    assert calls.results() == ["ok"] * 4

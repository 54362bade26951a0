"""The record: one intent before each call upstream and none too many, budgets that hold under load, and a close that
takes effect at once."""

import contextlib
import json
import os
import signal
import sqlite3
import statistics
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness import ROOT, wait_until

sys.path.insert(0, str(ROOT / "tests/fault"))
import record  # noqa: E402

QUIET = {"effect": "write", "highImpact": False}


class Witness:
    """An upstream that looks into the gateway's store whenever it is called: is the intent durable by now?"""

    def __init__(self):
        self.store = None
        self.lock = threading.Lock()
        self.calls = 0
        self.too_early = []
        self.before_answer = lambda: None
        witness = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                result = witness.answer(message)
                body = b"" if result is None else json.dumps(
                    {"jsonrpc": "2.0", "id": message.get("id"), "result": result}).encode()
                self.send_response(202 if result is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/mcp"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, message):
        method = message["method"]
        if method == "initialize":
            return {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                    "serverInfo": {"name": "witness", "version": "1"}}
        if method == "tools/list":
            return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in ("write", "read")]}
        if method == "tools/call":
            with self.lock:
                self.calls += 1
                if self.durable_intents() < self.calls:
                    self.too_early.append(self.calls)
            self.before_answer()
            return {"content": [{"type": "text", "text": "done"}]}
        return None if "id" not in message else {}

    def durable_intents(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=20)) as db:
            return db.execute("SELECT count(*) FROM leaf WHERE json_extract(body, '$.type') = 'intent'").fetchone()[0]


@pytest.fixture
def witness():
    w = Witness()
    yield w
    w.server.shutdown()


@pytest.mark.parametrize("tool,more", [("write", {}), ("read", {"durableReads": True})])
def test_intent_is_durable_before_the_call_reaches_its_upstream(gateway, witness, tool, more):
    g = gateway(mcpServers={"w": {"url": witness.url, "operations": {"write": QUIET, "read": {"effect": "read"}}, **more}})
    witness.store = g.state / "store/ambit.db"
    token = g.token(g.open_task([f"w/{tool}"], calls=1000))
    for _ in range(5):
        assert record.Calls(g, token, [(f"w__{tool}", {"n": n}) for n in range(20)]).results() == ["ok"] * 20
    assert witness.calls == 100
    assert witness.too_early == []


@pytest.mark.parametrize("effect,end", [("high", signal.SIGCONT), ("high", signal.SIGKILL), ("low", signal.SIGCONT)])
def test_answer_of_a_high_impact_call_waits_for_its_outcome(gateway, witness, effect, end):
    """Core stands still from before the upstream answers, so nothing more is committed."""
    high = effect == "high"
    g = gateway(mcpServers={"w": {"url": witness.url, "operations": {"write": {"effect": "write", "highImpact": high}}}},
                people={"ann": {"roles": ["owner", "administrator"], "uid": os.getuid()}, "bob": {"roles": ["approver"]}})
    witness.store = g.state / "store/ambit.db"
    agent, hold, replies = g.mcp(g.open_task(["w/write"])), None, []
    if high:
        g.add_operator("bob")
        hold = agent.call("w__write", {}).hold
        g.approve(hold)
    core = g.role_pid("core")
    witness.before_answer = lambda: os.kill(core, signal.SIGSTOP)
    thread = threading.Thread(target=lambda: replies.append(agent.call("w__write", {}, approval=hold)))
    thread.start()
    wait_until(lambda: witness.calls == 1, "the call upstream")
    thread.join(1.5)
    assert len(replies) == (0 if high else 1)
    os.kill(core, end)
    thread.join(20)
    reply = replies[0]
    if end == signal.SIGCONT:
        assert reply.text == "done"
        if high:
            assert [leaf["status"] for leaf in record.of_type(g, "outcome")] == ["ok"]
    else:
        assert "withheld" in reply.text and "done" not in reply.text and reply.refusal["reason"] == "unavailable"
        wait_until(lambda: [leaf["status"] for leaf in record.of_type(g, "outcome")] == ["unknown"], "the outcome")


def test_every_call_upstream_has_its_intent_and_every_intent_its_call(desk, helpdesk):
    task = desk.open_task(["help/read_ticket", "help/add_note", "help/refund", "help/slow_report"])
    mix = [("help__read_ticket", {"ticket": 1}), ("help__read_ticket", {"ticket": 999}),
           ("help__read_ticket", {"ticket": "x"}), ("help__add_note", {"ticket": 1, "text": "n"}),
           ("help__refund", {"order": "O-1001", "amount_cents": 1, "reason": "r"}), ("help__delete_customer", {}),
           ("help__nothing", {}), ("other__x", {}), ("help__slow_report", {"seconds": 0.2})] * 4
    record.Calls(desk, desk.token(task), mix).wait()
    wait_until(lambda: all(record.settlements(desk).values()), "all outcomes")
    upstream = [json.loads(line) for line in helpdesk.access.read_text().splitlines()]
    upstream = [line["tool"] for line in upstream if line["tool"]]
    intents = [leaf["tool"] for leaf in record.of_type(desk, "intent")]
    assert sorted(upstream) == sorted(intents)
    assert len(intents) == 16, "eight reads, four notes, four reports"
    statuses = record.assert_all_settled_once(desk)
    assert sum(statuses.values()) == 16 and statuses["ok"] >= 12
    refused = record.of_type(desk, "refusal")
    assert {leaf["reason"] for leaf in refused} >= {"arguments", "unknown_tool"}
    desk.verify()


@pytest.mark.parametrize("effect", [QUIET, {"effect": "read"}], ids=["write", "read"])
def test_budget_is_exact_under_concurrency(gateway, hostile, effect):
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": {"echo": effect}}})
    task = g.open_task(["up/echo"], calls=10)
    results = record.Calls(g, g.token(task), [("up__echo", {"n": n}) for n in range(50)]).results()
    assert results.count("ok") == 10 and results.count("refused") == 40
    assert hostile.calls("echo") == 10
    wait_until(lambda: len(record.of_type(g, "intent")) >= 10, "the intents of reads, which are sent when they are queued")
    intents = record.of_type(g, "intent")
    assert sorted(leaf["budget_left"] for leaf in intents) == list(range(10))
    assert g.control("task.show", task=task)["callsLeft"] == 0
    g.verify()


def test_budget_of_a_parent_bounds_its_children(gateway, hostile):
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": {"echo": QUIET}}})
    parent = g.open_task(["up/echo", "ambit/delegate"], calls=13)
    agent = g.mcp(parent)
    children = []
    for _ in range(3):
        reply = agent.call("ambit__delegate", {"agent": "clerk", "purpose": "a part", "operations": ["up/echo"], "calls": 6})
        assert not reply.result.get("isError"), reply.text
        children.append(next(task["task"] for task in g.control("task.list")["tasks"]
                             if task.get("parent") == parent and task["task"] not in children))
    left = g.control("task.show", task=parent)["callsLeft"]
    threads = [record.Calls(g, g.token(child), [("up__echo", {"n": n}) for n in range(10)]) for child in children]
    results = sum((calls.results() for calls in threads), [])
    assert results.count("ok") == min(18, left) == hostile.calls("echo")
    g.verify()


def test_close_refuses_at_once(gateway, hostile, capsys):
    """Twenty tasks under load: after the answer to the close nothing more is let through; the times are printed."""
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "read"}}}})
    waited, refusing = [], []
    for _ in range(20):
        task = g.open_task(["up/echo"], calls=100000)
        agent, other = g.mcp(task), g.mcp(task)
        assert record.result_of(agent.call("up__echo", {})) == "ok"
        last_ok, stop, first_refusal = [0.0], threading.Event(), []

        def run():
            while not stop.is_set():
                began = time.perf_counter()
                if record.result_of(other.call("up__echo", {})) == "ok":
                    last_ok[0] = began
                elif not first_refusal:
                    first_refusal.append(time.perf_counter())

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(0.02)
        asked = time.perf_counter()
        receipt = g.close_task(task)
        closed = time.perf_counter()
        assert record.result_of(agent.call("up__echo", {})) != "ok"
        wait_until(lambda: first_refusal, "the first refusal", 5, 0.001)
        stop.set()
        thread.join()
        assert last_ok[0] < closed, "a call that began after the receipt was let through"
        waited.append((first_refusal[0] - asked) * 1000)
        refusing.append(receipt["steps"]["refusing"]["microseconds"] / 1000)
    with capsys.disabled():
        print(f"\nclose to first refusal, of {len(waited)}: median {statistics.median(waited):.2f} ms, "
              f"worst {max(waited):.2f} ms; in the gateway: worst {max(refusing):.3f} ms")
    assert max(refusing) < 10
    assert statistics.median(waited) < 50


def test_nothing_is_recorded_of_arguments_but_commitments(desk):
    secretive = "sentence-that-is-no-business-of-the-ledger"
    agent = desk.mcp(desk.open_task(["help/search_tickets"]))
    agent.call("help__search_tickets", {"query": secretive})
    assert secretive not in json.dumps(record.leaves(desk))


def test_ledger_tells_when_it_was_changed(desk):
    agent = desk.mcp(desk.open_task(["help/read_ticket"]))
    for _ in range(5):
        agent.call("help__read_ticket", {"ticket": 1})
    vkey = desk.cli("ledger", "key").stdout.strip()
    assert desk.stop() == 0
    sound = json.loads(desk.cli("ledger", "verify", "--vkey", vkey, "--json").stdout)
    assert sound["ok"] and sound["signaturesChecked"] and sound["unsignedLeaves"] == 0 and sound["intents"] == 5
    other_key = vkey[:-6] + ("AAAAAA" if vkey[-6:] != "AAAAAA" else "BBBBBB")
    assert desk.cli("ledger", "verify", "--vkey", other_key, check=False).returncode != 0
    path = desk.state / "store/ambit.db"
    for sql in ("UPDATE leaf SET body = CAST(replace(CAST(body AS TEXT), 'desk', 'dusk') AS BLOB)"
                " WHERE json_extract(body, '$.type') = 'intent'",
                "DELETE FROM leaf WHERE idx = (SELECT max(idx) FROM leaf)",
                "UPDATE leaf SET hash = zeroblob(32) WHERE idx = 3",
                "DELETE FROM leaf WHERE idx = 4"):
        kept = path.read_bytes()
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute(sql)
            db.commit()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        done = desk.cli("ledger", "verify", "--vkey", vkey, check=False)
        assert done.returncode != 0, f"{sql}: {done.stdout}"
        for extra in ("-wal", "-shm"):
            if os.path.exists(f"{path}{extra}"):
                os.unlink(f"{path}{extra}")
        path.write_bytes(kept)
    desk.cli("ledger", "verify", "--vkey", vkey)

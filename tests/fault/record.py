"""Reads what a gateway has recorded, from its store, without asking it; and makes many calls at once."""

import collections
import contextlib
import http.client
import json
import sqlite3
import threading


def leaves(gateway):
    """All durable leaves of the ledger, in order; works beside a running gateway."""
    with contextlib.closing(sqlite3.connect(f"file:{gateway.state}/store/ambit.db?mode=ro", uri=True, timeout=20)) as db:
        return [json.loads(body) for body, in db.execute("SELECT body FROM leaf ORDER BY idx")]


def of_type(gateway, kind, **fields):
    return [leaf for leaf in leaves(gateway)
            if leaf["type"] == kind and all(leaf.get(name) == value for name, value in fields.items())]


def settlements(gateway):
    """{call: [status, ...]} for every intent; a second intent, or an outcome without one, is an AssertionError."""
    found = {}
    for leaf in leaves(gateway):
        if leaf["type"] == "intent":
            assert leaf["call"] not in found, f"two intents: {leaf}"
            found[leaf["call"]] = []
        elif leaf["type"] == "outcome":
            assert leaf["call"] in found, f"an outcome without an intent: {leaf}"
            found[leaf["call"]].append(leaf["status"])
    return found


def assert_all_settled_once(gateway):
    """Every intent has exactly one outcome. Returns how many there are of each status."""
    found = settlements(gateway)
    assert all(len(statuses) == 1 for statuses in found.values()), found
    return collections.Counter(statuses[0] for statuses in found.values())


class Calls:
    """Calls under way, each with a client and a thread of its own.

    calls = Calls(gateway, token, [("up__drip", {}), ...]); calls.results() -> ["ok", "error", "refused", ...]"""

    def __init__(self, gateway, token, calls, timeout=60):
        self.replies = [None] * len(calls)
        self.barrier = threading.Barrier(len(calls))
        self.threads = []
        for i, (tool, args) in enumerate(calls):
            client = gateway.mcp(token=token, timeout=timeout)
            self.threads.append(threading.Thread(target=self.run, args=(i, client, tool, args), daemon=True))
        for thread in self.threads:
            thread.start()

    def run(self, i, client, tool, args):
        try:
            client.start()
            self.barrier.wait(30)
            self.replies[i] = client.call(tool, args)
        except (OSError, http.client.HTTPException, threading.BrokenBarrierError, AssertionError) as e:
            self.replies[i] = e
        finally:
            client.close()

    def wait(self, seconds=60):
        for thread in self.threads:
            thread.join(seconds)
            assert not thread.is_alive(), "a call was never answered"
        return self.replies

    def results(self, seconds=60):
        return [result_of(reply) for reply in self.wait(seconds)]


def result_of(reply):
    """ok, refused (by the gateway), error (of the upstream or on the way), or lost (no answer in MCP)."""
    if isinstance(reply, Exception):
        return "lost"
    if not reply.messages or "result" not in reply.message:
        return "error"
    if reply.refusal:
        return "refused"
    return "error" if reply.result.get("isError") else "ok"

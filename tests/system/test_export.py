"""`ambit ledger export`: its lines against the database, and its OCSF events against the schema by foreign software."""

import contextlib
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys

import pytest

from harness import ROOT

sys.path.insert(0, str(ROOT / "tests/peers"))
import pypeers  # noqa: E402

DIGEST = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
CHAIN = {"task": "t01", "owner": "anna", "agent": "spiffe://example.org/agent/a", "instance": "i1", "parents": ["t00"]}
OPERATION = {"binding": "desk", "tool": "refund", "effect": "transfer"}
POLICY = {"policy": DIGEST, "policy_version": 3, "policies": ["refunds"]}
CALL = {"call": "c01", **CHAIN, **OPERATION}
GRANT = {"grants": DIGEST, "deadline": "2026-11-23T12:00:00.000Z", "calls": 9}
DECISION = {"hold": "h01", "call": "c01", "task": "t01", "approver": "bert", "method": "passkey", "digest": DIGEST}
# Every type of docs/formats/record.md, with every state and status that the mapping tells apart.
RECORDS = [
    *({"type": "intent", **CALL, "effect": e, **POLICY, "decision": "allow", "args": DIGEST, "budget_left": 4}
      for e in ("read", "advise", "write", "delete", "transfer", "approve", "export", "execute", "admin")),
    {"type": "intent", **CALL, **POLICY, "decision": "allow", "approval": "h01", "approver": "bert"},
    *({"type": "outcome", **CALL, "status": s, "latency_us": 1500, "bytes": 80, "result": DIGEST, "reason": "timeout"}
      for s in ("ok", "upstream_error", "refused", "not_sent", "unknown")),
    {"type": "outcome", **CHAIN, "call": "c02", "status": "unknown"},
    {"type": "refusal", "call": "c03", "decision": "deny", "reason": "identity"},
    {"type": "refusal", **CALL, **POLICY, "decision": "deny", "reason": "policy"},
    {"type": "task_open", **CHAIN, **GRANT, "by": "anna", "state": "granted"},
    *({"type": "task_change", **CHAIN, "state": s, "by": "anna"} for s in ("active", "suspended")),
    *({"type": "agent_change", "agent": "a", "state": s, "by": "anna"} for s in ("active", "suspended")),
    *({"type": "identity_change", "kind": "key", "name": "n", "state": s, "by": "anna"}
      for s in ("revoked", "lifted", "rotated")),
    {"type": "shared_use", "agent": "a", "reason": "processes", "owner": "anna"},
    {"type": "task_close", **CHAIN, "state": "completed", "by": "anna", "budget_left": 1},
    {"type": "delegation", **CHAIN, **GRANT, "child": "t02", "child_agent": "b"},
    {"type": "hold_open", **CALL, **POLICY, "hold": "h01", "decision": "hold", "digest": DIGEST,
     "expires": "2026-11-23T12:00:00.000Z"},
    {"type": "approval", **DECISION}, {"type": "denial", **DECISION, "reason": "no"},
    *({"type": "pin_change", "binding": "desk", "tool": "refund", "state": s, "after": DIGEST}
      for s in ("seen", "changed", "accepted", "removed")),
    {"type": "policy_load", "policy": DIGEST, "policy_version": 4, "before": DIGEST, "by": "anna"},
    *({"type": "operator_change", "name": "bert", "state": s, "by": "anna", "key": DIGEST} for s in ("added", "removed")),
    *({"type": "person_event", "state": s, "name": "bert", "method": "passkey"}
      for s in ("invited", "enrolled", "signed_in", "signed_out", "failed", "revoked")),
    {"type": "person_event", "state": "failed", "reason": "unknown"},
    *({"type": "consent", "request": "r01", "owner": "anna", "agent": "a", "decision": d, "method": "passkey", "digest": DIGEST}
      for d in ("consented", "declined")),
    {"type": "secret_set", "name": "token", "by": "anna"},
    {"type": "revocation", "receipt": "x01", "kind": "agent", "name": "a", "by": "anna"},
    *({"type": "receipt", "receipt": "x01", "digest": DIGEST, "status": s} for s in ("complete", "incomplete")),
    {"type": "start", "software": "0.1.0", "recovered": 0, "config": DIGEST},
    {"type": "of_a_later_version", "name": "n"},
]


def leaf_hash(body):
    return hashlib.sha256(b"\0" + body).digest()


@pytest.fixture
def ledger(gateway, hostile):
    """A stopped gateway's folder, and the index of the first of RECORDS that were put at its end."""
    g = gateway(mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "read"}}}})
    agent = g.mcp(g.open_task(["up/echo"]))
    assert not agent.call("up__echo", {}).result.get("isError")
    assert g.stop() == 0
    with contextlib.closing(sqlite3.connect(g.state / "store/ambit.db")) as db:
        g.first = db.execute("SELECT count(*) FROM leaf").fetchone()[0]
        for i, record in enumerate(RECORDS):
            body = json.dumps({"time": "2026-11-23T10:00:00.250Z", "v": 1, **record}, sort_keys=True,
                              separators=(",", ":")).encode()
            db.execute("INSERT INTO leaf(idx, hash, body) VALUES (?, ?, ?)", (g.first + i, leaf_hash(body), body))
        db.commit()
    return g


def export(g, *words, **more):
    return g.cli("ledger", "export", "--state", str(g.state), *words, **more)


def leaves(g):
    with contextlib.closing(sqlite3.connect(g.state / "store/ambit.db")) as db:
        return db.execute("SELECT idx, hash, body FROM leaf ORDER BY idx").fetchall()


def test_every_record_type_is_tried():
    page = (ROOT / "docs/formats/record.md").read_text().split("## Types")[1].split("\n## ")[0]
    types = {t for row in re.findall(r"^\| (`.*?) \|", page, re.M) for t in re.findall(r"`(\w+)`", row)}
    assert len(types) > 20
    assert not types - {r["type"] for r in RECORDS}


def test_json_lines_are_the_leaves(ledger):
    lines = export(ledger).stdout.splitlines()
    *records, last = lines
    stored = leaves(ledger)
    assert len(records) == len(stored) > len(RECORDS)
    for line, (index, digest, body) in zip(records, stored):
        parsed = json.loads(line)
        assert parsed["index"] == index
        assert line.encode().endswith(b',"record":' + body + b"}")
        assert leaf_hash(body) == digest
    checkpoint = json.loads(last)["checkpoint"]
    assert checkpoint["note"].splitlines()[1] == str(checkpoint["size"]) and checkpoint["size"] <= ledger.first


def test_ranges_join_without_gap(ledger, tmp_path):
    whole = export(ledger).stdout.splitlines()[:-1]
    out = tmp_path / "part"
    done = export(ledger, "--to", "3", "--out", str(out))
    assert "--from 3" in done.stderr
    rest = export(ledger, "--from", "3").stdout.splitlines()[:-1]
    assert out.read_text().splitlines()[:-1] + rest == whole
    assert out.stat().st_mode & 0o777 == 0o600
    assert export(ledger, "--out", str(out), check=False).returncode == 1


@pytest.mark.parametrize("words", [("--format", "xml"), ("--from", "-1"), ("--from", "x"), ("--from", "5", "--to", "5"),
                                   ("--to", "0"), ("--from", "99999999999999999999")])
def test_wrong_words_are_refused(ledger, words):
    assert export(ledger, *words, check=False).returncode == 2


@pytest.mark.parametrize("sql, said", [
    ("UPDATE leaf SET hash = zeroblob(32) WHERE idx = 3", "leaf 3 is not what its hash says"),
    ("UPDATE leaf SET body = CAST(replace(CAST(body AS TEXT), '\"v\":1', '\"v\":2') AS BLOB) WHERE idx = 2", "leaf 2 is not"),
    ("DELETE FROM leaf WHERE idx = 2", "leaf 2 is missing"),
])
def test_changed_leaves_are_not_exported(ledger, sql, said):
    with contextlib.closing(sqlite3.connect(ledger.state / "store/ambit.db")) as db:
        db.execute(sql)
        db.commit()
    for form in ("jsonl", "ocsf"):
        done = export(ledger, "--format", form, check=False)
        assert done.returncode == 1 and said in done.stderr


def test_trace_finds_what_was_done_for_an_owner(ledger):
    records = [(i, json.loads(body)) for i, _, body in leaves(ledger)]
    holds = {r["hold"] for _, r in records if r["type"] == "hold_open" and r.get("owner") == "anna"}
    calls = {r["call"] for _, r in records if r["type"] == "intent" and r.get("owner") == "anna"}
    wanted = [i for i, r in records if r.get("owner") == "anna" or r["type"] == "outcome" and r["call"] in calls
              or r["type"] == "approval" and r["hold"] in holds]
    found = json.loads(ledger.cli("trace", "--state", str(ledger.state), "--owner", "anna", "--json").stdout)
    assert [e["index"] for e in found["entries"]] == wanted
    assert found["matched"] == len(wanted) < found["read"] == len(records) and not found["cut"]
    counts = {(c["kind"], c["name"]): c["n"] for c in found["counts"]}
    assert counts["outcome", "unknown"] == 2 and counts["system", "desk"] == 11


def test_trace_is_readable_in_100_columns(ledger):
    shown = ledger.cli("trace", "--state", str(ledger.state), "--system", "desk/refund", "--limit", "20").stdout
    assert max(map(len, shown.splitlines())) <= 100
    for words in ("the newest 20:", "policy set 3  policies refunds", "for anna", "by bert  known by passkey"):
        assert words in shown
    assert ledger.cli("trace", "--owner", "anna", "t01", check=False).returncode == 2
    assert ledger.cli("trace", "--state", str(ledger.state), "--from", "noon", check=False).returncode == 1


def check_ocsf(events, *schema):
    return subprocess.run([pypeers.python(), "-B", ROOT / "tests/peers/python/ocsf_check.py", *schema], input=events,
                          capture_output=True, text=True)


def test_ocsf_is_valid_where_1_8_knows_it(ledger):
    events = export(ledger, "--format", "ocsf").stdout
    assert len(events.splitlines()) == len(leaves(ledger))
    done = check_ocsf(events)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = events.splitlines()[0].replace('"severity_id":1', '"severity_id":"1"')
    assert check_ocsf(broken + "\n").returncode == 1


@pytest.mark.skipif("AMBIT_OCSF" not in os.environ, reason="AMBIT_OCSF does not name a compiled schema of OCSF 1.9")
def test_ocsf_is_valid_in_1_9(ledger):
    events = export(ledger, "--format", "ocsf").stdout
    done = check_ocsf(events, os.environ["AMBIT_OCSF"])
    assert done.returncode == 0, done.stdout + done.stderr


def test_ocsf_says_what_came_of_it(ledger):
    events = [json.loads(line) for line in export(ledger, "--format", "ocsf", "--from", str(ledger.first)).stdout.splitlines()]
    seen = {(r["type"], r.get("status") or r.get("state") or r.get("decision") or r.get("reason")):
            (e["class_uid"], e["activity_id"], e["action_id"], e["disposition_id"], e["status_id"])
            for r, e in zip(RECORDS, events)}
    expected = {
        ("intent", "allow"): (6003, 99, 1, 8, 1), ("outcome", "ok"): (6003, 99, 1, 1, 1),
        ("outcome", "upstream_error"): (6003, 99, 1, 27, 2), ("outcome", "not_sent"): (6003, 99, 2, 27, 2),
        ("refusal", "deny"): (6003, 99, 2, 2, 2), ("hold_open", "hold"): (6003, 99, 99, 14, 99),
        ("approval", None): (3004, 99, 1, 8, 1), ("task_open", "granted"): (3003, 1, 3, 0, 1),
        ("person_event", "signed_in"): (3002, 1, 3, 0, 1), ("of_a_later_version", None): (0, 99, 3, 0, 1),
    }
    assert {k: seen[k] for k in expected} == expected
    for record, event in zip(RECORDS, events):
        assert event["time"] == 1795428000250
        assert json.loads(event["raw_data"])["type"] == record["type"] == event["metadata"]["event_code"]
        assert event["attestation_list"][0]["fingerprint"]["value"] == leaf_hash(event["raw_data"].encode()).hex()
        if "agent" in record and event["class_uid"] not in (0, 2004):
            assert event["ai_agent"]["uid"] == record["agent"]

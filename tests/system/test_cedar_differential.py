"""The Cedar engine against the official one, on fresh random cases; tests/cedar/run is the same with more of them."""

import pathlib
import re
import secrets
import subprocess
import sys

import pytest

from harness import ROOT

sys.path.insert(0, str(ROOT / "tests/cedar"))
import compare  # noqa: E402
import engines  # noqa: E402

FIXED = ["1", "2", "3", "4"]
CASES = 5000


@pytest.fixture(scope="module")
def report(ambit_binary):
    missing = engines.absent()
    if missing:
        pytest.skip(missing)
    seed = secrets.token_hex(4)
    print(f"the random seed is {seed}")
    seeds = [word for s in [*FIXED, seed] for word in ("--seed", s)]
    return subprocess.run([ROOT / "tests/cedar/run", "--cases", str(CASES), "--shrinks", "3", *seeds], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env={"AMBIT": str(ambit_binary), "PATH": "/usr/bin:/bin"})


def test_no_disagreement(report):
    assert report.returncode == 0, report.stdout
    assert re.search(rf"^{CASES} cases in \d+ s, 0 disagreements", report.stdout, re.M), report.stdout


def test_cases_of_every_sort(report):
    """Each call has answers of both sorts, and decisions have every outcome: the cases are worth comparing."""
    lines = dict(re.findall(r"^  (\w+) +\d+  (.*)$", report.stdout, re.M))
    both = ["checkParseContext", "checkParseEntities", "checkParsePolicySet", "checkParseSchema", "policyToJson", "policyToText",
            "templateToJson", "templateToText", "schemaToJson", "schemaToText", "policySetTextToParts"]
    assert not [call for call in both if not re.search(r"\bsuccess [1-9]", lines[call]) or not re.search(r"\bfailure [1-9]", lines[call])]
    assert all(re.search(rf"\b{outcome} \d\d", lines["validate"]) for outcome in ("valid", "invalid", "failure"))
    wanted = ["failure", "allow by policies", "deny by policies", "deny by default", "allow by policies, with errors", "deny by policies, with errors"]
    assert all(re.search(rf"\b{outcome} \d\d", lines["isAuthorized"]) for outcome in wanted), lines["isAuthorized"]


def decided(decision="allow", reason=("a",), errors=()):
    return {"type": "success", "warnings": [], "response": {"decision": decision, "diagnostics": {
        "reason": list(reason), "errors": [{"policyId": e, "error": {}} for e in errors]}}}


def validated(*policies):
    return {"type": "success", "validationErrors": [{"policyId": p, "error": {"code": None}} for p in policies],
            "validationWarnings": [], "otherWarnings": []}


FAILED = {"type": "failure", "errors": []}


@pytest.mark.parametrize("call, theirs, ours, how", [
    ("isAuthorized", decided(), decided("deny"), "decision"),
    ("isAuthorized", decided(), decided(reason=["a", "b"]), "reason"),
    ("isAuthorized", decided(), decided(errors=["b"]), "errors"),
    ("isAuthorized", decided(reason=["a", "b"]), decided(reason=["b", "a"]), None),
    ("isAuthorized", decided(), FAILED, "official success, ours failure"),
    ("isAuthorized", FAILED, decided(), "official failure, ours success"),
    ("isAuthorized", decided(), {"crashed": -11}, "official success, ours crashed"),
    ("isAuthorized", {"died": True}, decided(), None),
    ("validate", validated("a"), validated("b"), "validation errors"),
    ("validate", validated("a", "a"), validated("a"), None),
    ("policyToJson", {"type": "success", "json": {"a": 1}}, {"type": "success", "json": {"a": 2**53 + 1}}, "json"),
    ("policyToJson", FAILED, {"error": "there is no call of that name"}, "official failure, ours no answer"),
])
def test_differences_are_seen(call, theirs, ours, how):
    assert compare.difference(compare.facts(call, theirs), compare.facts(call, ours)) == how


def test_every_explained_difference_is_written_down():
    """The table that makes a disagreement pass is in the document, each entry by name."""
    import differential
    text = (ROOT / "docs/cedar-differential.md").read_text()
    assert not [entry["name"] for entry in differential.KNOWN if f"**{entry['name']}**" not in text]
    assert all(entry["cause"] and entry["upstream"] for entry in differential.KNOWN)
    assert pathlib.Path(differential.__file__).parent.name == "cedar"

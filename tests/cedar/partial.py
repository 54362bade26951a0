"""Partial evaluation against the official crate, on fresh random questions.

    tests/cedar/partial.py [--rounds N] [--seed S] [--show KIND]

A round is seven calls: four evaluations and three queries. Ours may know more than the official engine (a class it
leaves as a residual); it may never know less, nor anything else. Ends with 0, 1 where that is not so, 77 where one of
the two programs is not built: cedar_partial_peer (ninja) and tests/peers/cedar_crate (cargo). Other places than the
usual: CEDAR_PARTIAL_PEER, CEDAR_CRATE."""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = pathlib.Path(os.environ.get("CEDAR_PARTIAL_PEER", ROOT / "build/release/src/cedar/cedar_partial_peer"))
THEIRS = pathlib.Path(os.environ.get("CEDAR_CRATE", ROOT / "tests/peers/cedar_crate/target/release/cedar_crate"))


def key(value):
    return json.dumps(value, sort_keys=True)


def compare_tpe(ours, theirs):
    """Names of what differs; those that begin with "more" are ours knowing more."""
    for policy, own in ours["classes"].items():
        other = theirs["classes"][policy]
        if own != other:
            yield f"more: {own} where they have a residual" if other == "residual" else f"WRONG: {own}, they {other}"
    if ours["decision"] != theirs["decision"]:
        yield f"more: decision {ours['decision']}" if theirs["decision"] is None else f"WRONG: decision {ours['decision']}"


def compare_actions(ours, theirs):
    own = {key(x["action"]): x["decision"] for x in ours["actions"]}
    other = {key(x["action"]): x["decision"] for x in theirs["actions"]}
    for action in own.keys() | other.keys():
        mine, yours = own.get(action, "deny"), other.get(action, "deny")
        if mine != yours:
            yield f"more: action {mine}" if yours is None else f"WRONG: action {mine}, they {yours}"


def compare_entities(ours, theirs):
    if sorted(map(key, ours["entities"])) != sorted(map(key, theirs["entities"])):
        yield "WRONG: other entities"


COMPARE = {"tpe": compare_tpe, "queryAction": compare_actions, "queryResource": compare_entities, "queryPrincipal": compare_entities}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--show", help="print examples of differences whose name holds this")
    options = options.parse_args()
    for program in (OURS, THEIRS):
        if not program.exists():
            print(f"{program} is missing")
            return 77
    lines = subprocess.run([OURS, str(options.seed), str(options.rounds)], stdout=subprocess.PIPE, check=True).stdout
    answers = subprocess.run([THEIRS], input=lines, stdout=subprocess.PIPE, check=True).stdout
    found, calls, shown = collections.Counter(), collections.Counter(), 0
    for line, answer in zip(lines.splitlines(), answers.splitlines(), strict=True):
        asked, theirs = json.loads(line), json.loads(answer)
        ours = asked.pop("ours")
        calls[asked["call"]] += 1
        differences = [f"WRONG: an error: {ours.get('error')}, they {theirs.get('error')}"] if "error" in ours or "error" in theirs else list(
            COMPARE[asked["call"]](ours, theirs))
        for one in differences:
            found[one] += 1
            if options.show and options.show in one and shown < 20:
                shown += 1
                asked.pop("schema", None)
                print(one, json.dumps(asked), "OURS", json.dumps(ours), "THEIRS", json.dumps(theirs), sep="\n  ")
    print(dict(calls))
    for name, count in sorted(found.items()):
        print(f"{count:7} {name}")
    return 1 if any(name.startswith("WRONG") for name in found) else 0


if __name__ == "__main__":
    sys.exit(main())

"""Validation in both modes and at each level against the official crate, on random policies and on the corpus.

    tests/cedar/levels.py [--cases N] [--seed S] [--corpus FOLDER] [--show N]

A verdict is whether a policy passes in one mode at one level; it must be the same. So must the kind of a level error, of
a policy that has no other errors: what else is reported of a policy that fails is for people, and not compared. Ends
with 0, 1 where a verdict differs, 77 where one of the two programs is not built: cedar_levels_peer (ninja) and
tests/peers/cedar_crate (cargo). Other places than the usual: CEDAR_LEVELS_PEER, CEDAR_CRATE."""

import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys

import level_policies

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = pathlib.Path(os.environ.get("CEDAR_LEVELS_PEER", ROOT / "build/release/src/cedar/cedar_levels_peer"))
THEIRS = pathlib.Path(os.environ.get("CEDAR_CRATE", ROOT / "build/peers/cedar_crate/release/cedar_crate"))
CASES_AT_ONCE = 2000
LEVEL_KINDS = {"EntityDerefLevelViolation": "level-exceeded", "LiteralDerefTarget": "level-literal"}


def corpus(folder):
    for path in sorted(pathlib.Path(folder).glob("*.cedar")):
        for mode in ("strict", "permissive"):
            yield {"schema": path.with_suffix(".cedarschema").read_text(), "policies": path.read_text(), "mode": mode,
                   "levels": level_policies.LEVELS}


def generated(seed, count):
    source = random.Random(seed)
    for _ in range(count):
        yield level_policies.case(source)


def answers(program, lines):
    done = subprocess.run([program], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def difference(own, other):
    """Why two answers to one level differ, or None. Each: {policy: [kinds]} of the policies that fail."""
    if own.keys() != other.keys():
        return "VERDICT"
    for policy, kinds in other.items():
        if set(kinds) <= LEVEL_KINDS.keys() and {LEVEL_KINDS[kind] for kind in kinds} != set(own[policy]):
            return "LEVEL KIND"
    return None


def compare(cases, found, show):
    lines = "".join(json.dumps({"call": "validateLevel", **one}) + "\n" for one in cases)
    for one, own, other in zip(cases, answers(OURS, lines), answers(THEIRS, lines), strict=True):
        if "error" in own or "error" in other:
            differs = ("error" in own) != ("error" in other)
            found["PARSING DIFFERS" if differs else "both refuse the text"] += 1
            if differs and show > 0:
                print(own.get("error"), other.get("error"), one["policies"], sep="\n  ")
            continue
        for level, mine, theirs in zip(one["levels"], own["levels"], other["levels"], strict=True):
            found["verdicts"] += 1
            found["refused"] += bool(theirs)
            found["refused for the level alone"] += any(set(kinds) <= LEVEL_KINDS.keys() for kinds in theirs.values())
            differs = difference(mine, theirs)
            if differs:
                found[f"{differs} DIFFERS"] += 1
                if found[f"{differs} DIFFERS"] <= show:
                    print(differs, one["mode"], level, mine, theirs, one["policies"], sep="\n  ")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, default=5000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--corpus", help="a folder of .cedar and .cedarschema files, too")
    options.add_argument("--show", type=int, default=5)
    options = options.parse_args()
    for program in (OURS, THEIRS):
        if not program.exists():
            print(f"{program} is missing")
            return 77
    found = collections.Counter()
    cases = [*generated(options.seed, options.cases), *(corpus(options.corpus) if options.corpus else [])]
    for at in range(0, len(cases), CASES_AT_ONCE):
        compare(cases[at:at + CASES_AT_ONCE], found, options.show)
    for name, count in sorted(found.items()):
        print(f"{count:8} {name}")
    return 1 if any(name.endswith("DIFFERS") for name in found) else 0


if __name__ == "__main__":
    sys.exit(main())

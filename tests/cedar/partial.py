"""Partial evaluation and its queries against the official crate.

    tests/cedar/partial.py [--cases N] [--seed S] [--corpus DIR] [--show TEXT]

Cases are random (schemas, policies and data of generate.py, of which parts are forgotten), or the tests of the unpacked
corpus in DIR. Ours may know more than the official engine (a class or a decision that it leaves open); it may never
know less, nor anything else, nor take what it refuses. Ends with 0, 1 where that is not so, 77 where one of the two
programs is not built: cedar_partial_peer (ninja) and tests/peers/cedar_crate (cargo). Other places than the usual:
CEDAR_PARTIAL_PEER, CEDAR_CRATE."""

import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys

import data
import schemas
import text
import words
from exprs import environments

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = pathlib.Path(os.environ.get("CEDAR_PARTIAL_PEER", ROOT / "build/release/src/cedar/cedar_partial_peer"))
THEIRS = pathlib.Path(os.environ.get("CEDAR_CRATE", ROOT / "build/peers/cedar_crate/release/cedar_crate"))

# --- cases -----------------------------------------------------------------------------------------------------------


def plain(u):
    return u.get("__entity", u)


def forget(r, whole):
    """A call in which parts of a whole request and of its entities are missing."""
    kind = r.choice(["tpe", "tpe", "tpe", "queryAction", "queryResource", "queryPrincipal"])
    call = {"call": kind, **{k: whole[k] for k in ("schema", "policies", "context")}}
    for side in ("principal", "action", "resource"):
        call[side] = dict(plain(whole[side]))
    if kind in ("queryResource", "queryPrincipal"):
        del call["resource" if kind == "queryResource" else "principal"]["id"]
        return {**call, "entities": whole["entities"]}
    share = r.choice([0.1, 0.3, 0.6])
    for side in ("principal", "resource"):
        if r.random() < share:
            del call[side]["id"]
    if r.random() < (0.7 if kind == "queryAction" else share):
        call["context"] = None
    kept = []
    for one in whole["entities"]:
        if r.random() >= share:
            known = {"tags": {}, **one}
            kept.append({k: v for k, v in known.items() if k == "uid" or r.random() >= share / 2})
    return {**call, "entities": with_ancestors(kept)}


def with_ancestors(entities):
    """Whoever has known ancestors stands below such ones only."""
    key = lambda u: json.dumps(plain(u), sort_keys=True)
    unknown = {key(e["uid"]) for e in entities if "parents" not in e}
    while True:
        more = {key(e["uid"]) for e in entities if any(key(p) in unknown for p in e.get("parents", []))} - unknown
        if not more:
            break
        unknown |= more
    for e in entities:
        if key(e["uid"]) in unknown:
            e.pop("parents", None)
    return entities


def made_up(r):
    s = schemas.make(r)
    envs = environments(r, s)
    made = data.Data(r, s, guided=False)
    whole = made.request(envs[0])
    whole["entities"] = [e for e in data.Data(r, s, guided=True).entities()]
    likely = [plain(whole["principal"]), plain(whole["resource"])]
    options = {"unguarded": r.choice([0.0, 0.02, 0.2]), "wild": r.choice([0, 0, 0.02])}
    policies = data.Policies(r, s, envs[:r.randint(1, 2)], likely, **options)
    whole["policies"] = "\n".join(text.write(r, policies.policy(), 0.0) for _ in range(r.choice([1, 1, 1, 2, 3])))
    whole["schema"] = schemas.to_text(r, s, 0.0)
    return whole


def random_calls(seed, count):
    for number in range(count):
        r = random.Random(f"{seed} {number}")
        yield words.dump(forget(r, made_up(r)))


def corpus_calls(folder, seed, count):
    names = sorted(p.name.removesuffix(".cedarschema") for p in pathlib.Path(folder).glob("*.cedarschema"))
    r = random.Random(f"corpus {seed}")
    for name in r.sample(names, min(count, len(names))):
        part = lambda suffix: (pathlib.Path(folder) / (name + suffix)).read_text()
        test = json.loads(part(".json"))
        whole = {"schema": part(".cedarschema"), "policies": part(".cedar"), "entities": [e for e in json.loads(part(".entities.json")) if not is_action(e)]}
        for request in r.sample(test["requests"], 2):
            yield json.dumps(forget(r, {**whole, **{k: request[k] for k in ("principal", "action", "resource", "context")}}))


def is_action(entity):
    return plain(entity["uid"])["type"].split("::")[-1] == "Action"


# --- comparing -------------------------------------------------------------------------------------------------------
# Names of what differs; those that begin with "more" are ours knowing more.


def compare_tpe(ours, theirs):
    for policy, own in ours["classes"].items():
        other = theirs["classes"][policy]
        if own != other:
            yield f"more: {own} where they have a residual" if other == "residual" else f"WRONG: {own}, they {other}"
    if ours["decision"] != theirs["decision"]:
        yield f"more: decision {ours['decision']}" if theirs["decision"] is None else f"WRONG: decision {ours['decision']}"


def compare_actions(ours, theirs):
    key = lambda x: json.dumps(x, sort_keys=True)
    own = {key(x["action"]): x["decision"] for x in ours["actions"]}
    other = {key(x["action"]): x["decision"] for x in theirs["actions"]}
    for action in own.keys() | other.keys():
        mine, yours = own.get(action, "deny"), other.get(action, "deny")
        if mine != yours:
            yield f"more: action {mine}" if yours is None else f"WRONG: action {mine}, they {yours}"


def compare_entities(ours, theirs):
    key = lambda x: json.dumps(x, sort_keys=True)
    if sorted(map(key, ours["entities"])) != sorted(map(key, theirs["entities"])):
        yield "WRONG: other entities"


COMPARE = {"tpe": compare_tpe, "queryAction": compare_actions, "queryResource": compare_entities, "queryPrincipal": compare_entities}


def compare(call, ours, theirs):
    if "error" in ours and "error" in theirs:
        return ["refused by both"]
    if "error" in ours:
        return ["WRONG: refused by ours alone"]
    if "error" in theirs:
        return ["WRONG: refused by theirs alone"]
    return list(COMPARE[call](ours, theirs)) or ["the same"]


def answers(program, lines):
    return subprocess.run([program], input="".join(line + "\n" for line in lines).encode(), stdout=subprocess.PIPE, check=True).stdout.splitlines()


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, default=2000)
    options.add_argument("--seed", default="1")
    options.add_argument("--corpus", help="folder with the unpacked corpus")
    options.add_argument("--show", help="print cases with a difference whose name holds this")
    options = options.parse_args()
    for program in (OURS, THEIRS):
        if not program.exists():
            print(f"{program} is missing")
            return 77
    lines = list(corpus_calls(options.corpus, options.seed, options.cases) if options.corpus else random_calls(options.seed, options.cases))
    found, shown = collections.Counter(), 0
    for line, ours, theirs in zip(lines, answers(OURS, lines), answers(THEIRS, lines), strict=True):
        asked, ours, theirs = json.loads(line), json.loads(ours), json.loads(theirs)
        for one in compare(asked["call"], ours, theirs):
            found[asked["call"], one] += 1
            if options.show and options.show in one and shown < 10:
                shown += 1
                print(one, asked.pop("schema", ""), asked.pop("policies", ""), json.dumps(asked), "OURS", json.dumps(ours), "THEIRS", json.dumps(theirs), "", sep="\n")
    for (call, name), count in sorted(found.items()):
        print(f"{count:7} {call}: {name}")
    return 1 if any("WRONG" in name for _, name in found) else 0


if __name__ == "__main__":
    sys.exit(main())

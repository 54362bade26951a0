"""Tools as schemas and calls as requests, by the official generator 0.6.0 and by ours (profile mcp-generated).

    tools.py [--peer PROGRAM]

Two schemas are the same if the official engine resolves them to the same. Two requests are, if both are refused, or the
entities in them are the same trees: ids that are random there and paths here do not count, and floats that became ids
count as numbers. The package does not give the context, so every value is put into an object, which becomes an
entity. What differs must stand in tool_cases.py with its cause, and what stands there must differ.

Ends with 0 where that is so, 1 where not, 77 where a package is not installed (tools/deps.sh test)."""

import argparse
import collections
import datetime
import decimal
import fractions
import ipaddress
import json
import os
import pathlib
import re
import subprocess
import sys

import compare
import engines
import tool_cases as cases

GENERATOR = pathlib.Path(os.environ.get("CEDAR_GENERATOR", engines.PACKAGE.parent / "mcp-schema-generator-wasm"))
VERSION = "0.6.0"


def absent(peer):
    for path in (peer, engines.NODE, engines.PACKAGE, GENERATOR):
        if not path.exists():
            return f"{path} is missing"
    version = json.loads((GENERATOR / "package.json").read_text())["version"]
    return None if version == VERSION else f"the generator is {version}, not {VERSION}"


def line(stub, tools, options, given=None):
    return json.dumps({"stub": stub, "tools": json.dumps(tools), "options": options, "input": given})


def answers(command, lines):
    done = subprocess.run(command, input="\n".join(lines) + "\n", stdout=subprocess.PIPE, text=True, check=True, timeout=600)
    out = [json.loads(answer) for answer in done.stdout.splitlines()]
    assert len(out) == len(lines), f"{command[0]}: {len(out)} answers to {len(lines)} lines"
    return out


def both(peer, lines):
    return answers([engines.NODE, "--no-opt", engines.HERE / "generator.cjs", GENERATOR], lines), answers([peer], lines)


# --- schemas ---------------------------------------------------------------------------------------------------------


def plain(value):
    """Without the long names of built-in types, which either may use."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return re.sub("^__cedar::(Long|String|Bool|decimal|ipaddr|datetime|duration)$", r"\1", value) if isinstance(value, str) else value


def resolved(official, texts):
    """What the official engine makes of each; {"refused": ..} of what is no schema, which resolving alone does not see."""
    lines = [compare.line("", call, json.dumps(text)) for text in texts for call in ("checkParseSchema", "schemaToJsonWithResolvedTypes")]
    found = official.answers(lines)
    return [plain(b["json"]) if a["type"] == b["type"] == "success" else {"refused": a} for a, b in zip(found[::2], found[1::2])]


def schemas(peer):
    """name of each case: how it differs, None where it does not"""
    rows = [(name, tools, options) for name, tools in cases.TOOLS.items() for options in cases.OPTIONS]
    theirs, mine = both(peer, [line(cases.STUB, tools, options) for _, tools, options in rows])
    official = engines.Official()
    out = {}
    texts = [(t.get("schema") or "", m.get("schema", "")) for t, m in zip(theirs, mine)]
    pairs = zip(resolved(official, [t for t, _ in texts]), resolved(official, [m for _, m in texts]))
    official.close()
    for (name, _, options), t, m, (a, b) in zip(rows, theirs, mine, pairs):
        if t["isOk"] and "schema" in m:
            how = "our schema is none" if "refused" in b else "official wrong" if "refused" in a else None if a == b else "other schema"
        else:
            how = None if t["isOk"] == ("schema" in m) else "official refuses" if "schema" in m else "we refuse"
        out[name, *options] = how, (t.get("error") or "").split("\n")[0], m.get("error")
    return out


# --- requests ----------------------------------------------------------------------------------------------------------


UNITS = {"d": 86400000, "h": 3600000, "m": 60000, "s": 1000, "ms": 1}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def milliseconds(text):
    total = sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)(ms|[dhms])", text))
    return -total if text.startswith("-") else total


def instant(text):
    form = "%Y-%m-%d" if len(text) == 10 else "%Y-%m-%dT%H:%M:%S.%f%z" if "." in text else "%Y-%m-%dT%H:%M:%S%z"
    when = datetime.datetime.strptime(text, form)
    return (when if when.tzinfo else when.replace(tzinfo=datetime.timezone.utc)) - EPOCH


def extension(call):
    if call["fn"] == "offset":
        at, by = (extension(argument["__extn"]) for argument in call["args"])
        return ("datetime", at[1] + datetime.timedelta(milliseconds=by[1]))
    text = call.get("arg", call.get("args", [None])[0])
    read = {"decimal": fractions.Fraction, "ip": ipaddress.ip_interface, "datetime": instant, "duration": milliseconds}
    return call["fn"], read[call["fn"]](text)


def tree(value, entities):
    if isinstance(value, list):
        return "set", sorted((tree(inner, entities) for inner in value), key=repr)
    if not isinstance(value, dict):
        return value
    if "__extn" in value:
        return extension(value["__extn"])
    if "__entity" in value:
        return entity(value["__entity"], entities)
    return "record", sorted((key, tree(inner, entities)) for key, inner in value.items())


def entity(uid, entities):
    kind, name = uid["type"], uid["id"]
    if (kind, name) in entities:
        content = entities[kind, name]
        return kind, tree(content["attrs"], entities), tree(content.get("tags", {}), entities)
    if kind == "M::Float":
        return kind, decimal.Decimal(name).normalize()
    return kind, None if kind == "M::Unknown" else name


def trees(given):
    """Every entity that an argument became."""
    entities = {(e["uid"]["type"], e["uid"]["id"]): e for e in given if e["uid"]["type"] != "M::Action"}
    return sorted((entity(e["uid"], entities) for e in entities.values()), key=repr)


def wrapped(kind):
    inside = {"type": "object", "properties": {"v": kind}, "required": ["v"]}
    return cases.one({"x": inside}, ["x"])


def requests(peer):
    rows = [(kind, value, options) for options, kinds in cases.REQUEST_OPTIONS for kind in kinds for value in cases.VALUES]
    lines = [line(cases.PLAIN_STUB, wrapped(cases.TYPES[kind]), options, '{"params":{"tool":"t","args":{"x":{"v":%s}}}}' % value)
             for kind, value, options in rows]
    out = {}
    for (kind, value, options), t, m in zip(rows, *both(peer, lines)):
        if t["isOk"] and "entities" in m:
            a, b = trees(json.loads(t["entitiesJson"])), trees(m["entities"])
            how = None if (a, t["action"]) == (b, m["action"]) else f"other values: {a} and {b}"
        else:
            how = None if t["isOk"] == ("entities" in m) else "official refuses" if "entities" in m else "we refuse"
        out[kind, value, *options] = how, (t.get("error") or "").split("\n")[0], m.get("error")
    return out


# --- both --------------------------------------------------------------------------------------------------------------


def explained(rows, known):
    """Counts; what differs without a cause; causes without a difference."""
    tally, strange, used = collections.Counter(), [], set()
    for name, (how, theirs, mine) in rows.items():
        causes = [row for row in known if how and row.explains(name, how)]
        used.update((row.cause, name[0], name[1] if row.values else None) for row in causes)
        tally["explained" if causes else "DIFFER" if how else "refused by both" if theirs else "same"] += 1
        if how and not causes:
            strange.append((name, how, theirs, mine))
    claims = [(row.cause, which, value) for row in known for which in row.which for value in row.values or [None]]
    return tally, strange, [claim for claim in claims if claim not in used]


def main():
    parser = argparse.ArgumentParser(prog="tools.py")
    parser.add_argument("--peer", type=pathlib.Path, default=engines.ROOT / "build/release/src/cedar/cedar_tool_peer")
    given = parser.parse_args()
    missing = absent(given.peer)
    if missing:
        print(f"skipped: {missing}")
        return 77
    failed = False
    for what, rows_of, known in (("schemas", schemas, cases.SCHEMAS_DIFFER), ("requests", requests, cases.REQUESTS_DIFFER)):
        tally, strange, idle = explained(rows_of(given.peer), known)
        print(what + ": " + ", ".join(f"{n} {outcome}" for outcome, n in sorted(tally.items())))
        for name, how, theirs, mine in strange:
            print(f"DIFFER {name}: {how}\n    official: {theirs or 'made it'}\n    ours: {mine or 'made it'}")
        for cause, which, value in idle:
            print(f"IDLE   {which} {value or ''} does not differ any more: {cause}")
        failed = failed or strange or idle
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

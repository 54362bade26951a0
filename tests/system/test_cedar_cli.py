"""`ambit cedar` on files: options, exit codes and output, case by case. The exit codes are those of the official command
line 4.12; with $CEDAR_CLI naming it, every case is run through it too."""

import json
import os
import re
import subprocess

import pytest

from harness import ROOT

POLICIES = """\
@id("readers")
permit (principal in Team::"desk", action == Action::"view", resource)
when { resource.level <= principal.level };

@id("no-drafts")
forbid (principal, action, resource) when { resource.draft && !(context.preview) };

permit (principal == User::"root", action, resource);
"""
SCHEMA = """\
entity Team;
entity User in [Team] { level: Long };
entity Doc { level: Long, draft: Bool };
action view appliesTo { principal: [User], resource: [Doc], context: { preview: Bool } };
action drop appliesTo { principal: [User], resource: [Doc], context: { preview: Bool } };
"""
TEMPLATES = """\
@id("viewer")
permit (principal == ?principal, action == Action::"view", resource == ?resource);
permit (principal in ?principal, action, resource) when { principal has level };
"""


def uid(kind, name):
    return {"type": kind, "id": name}


ENTITIES = [
    {"uid": uid("User", "ann"), "attrs": {"level": 3}, "parents": [uid("Team", "desk")]},
    {"uid": uid("User", "bob"), "attrs": {"level": 1}, "parents": []},
    {"uid": uid("Doc", "plan"), "attrs": {"level": 2, "draft": False}, "parents": []},
    {"uid": uid("Doc", "sketch"), "attrs": {"level": 1, "draft": True}, "parents": []},
]
LEVEL_EST = {"effect": "permit", "principal": {"op": "All"}, "action": {"op": "All"}, "resource": {"op": "All"},
             "conditions": []}
SLOT_EST = {**LEVEL_EST, "principal": {"op": "==", "slot": "?principal"}}
SCHEMA_JSON = {"": {"entityTypes": {"User": {}, "Doc": {}},
                    "actions": {"view": {"appliesTo": {"principalTypes": ["User"], "resourceTypes": ["Doc"]}}}}}
LINK = [{"template_id": "viewer", "link_id": "ann-plan",
         "args": {"?principal": 'User::"ann"', "?resource": 'Doc::"plan"'}}]
REQUEST = {"principal": 'User::"ann"', "action": 'Action::"view"', "resource": 'Doc::"plan"',
           "context": {"preview": False}}
PARTLY = [{"uid": uid("User", "ann"), "attrs": {"level": 3}, "parents": [uid("Team", "desk")]},
          {"uid": uid("Team", "desk"), "attrs": {}, "parents": []}]

FILES = {
    "p.cedar": POLICIES, "s.cedarschema": SCHEMA, "t.cedar": TEMPLATES, "e.json": ENTITIES, "links.json": LINK,
    "empty.json": [], "none.json": "", "context.json": {"preview": False}, "preview.json": {"preview": True},
    "odd-context.json": {"preview": 1}, "one.json": LEVEL_EST, "slot.json": SLOT_EST, "s.json": SCHEMA_JSON,
    "set.json": {"staticPolicies": {"a": LEVEL_EST}, "templates": {"t": SLOT_EST},
                 "templateLinks": [{"templateId": "t", "newId": "l", "values": {"?principal": uid("User", "ann")}}]},
    "static.json": {"staticPolicies": {"a": LEVEL_EST}, "templates": {"t": SLOT_EST}, "templateLinks": []},
    "request.json": REQUEST, "half-request.json": {"principal": 'User::"ann"', "context": {}},
    "wrong.cedar": "permit (principal, action, resource) when { 1 + };", "unmatched.cedar": "permit (principal,",
    "untyped.cedar": 'permit (principal, action, resource) when { principal.level == "x" };',
    "never.cedar": 'permit (principal, action == Action::"view", resource) when { false };',
    "deep.cedar": 'permit (principal, action, resource) when { principal.level > 0 };',
    "fails.cedar": 'permit (principal, action, resource); forbid (principal, action, resource) when { principal.x };',
    "twice.cedar": '@id("a") permit (principal, action, resource); @id("a") permit (principal, action, resource);',
    "flat.cedar": "permit(principal,action,resource)when{true};", "wrong.json": "{", "wrong.cedarschema": "entity User",
    "laid.cedar": "permit (principal, action, resource)\nwhen { true };\n", "number.json": 5,
    "bad-entities.json": [{"uid": uid("User", "ann"), "attrs": {"level": "x"}, "parents": []}], "partly.json": PARTLY,
    "partly-request.json": {"principal_type": "User", "principal_eid": "ann", "action": 'Action::"view"',
                            "resource_type": "Doc"},
    "lone.cedar": 'permit (principal == User::"root", action, resource);', "loose.cedarschema": "entity A in [B];",
}

ANN = ["-l", 'User::"ann"', "-a", 'Action::"view"', "-r", 'Doc::"plan"']
BOB = ["-l", 'User::"bob"', "-a", 'Action::"view"', "-r", 'Doc::"plan"']
SKETCH = ["-l", 'User::"ann"', "-a", 'Action::"view"', "-r", 'Doc::"sketch"']
CONTEXT = ["-c", "context.json"]
BASE = ["-p", "p.cedar", "--entities", "e.json"]
KNOWN = ["--principal-type", "User", "--principal-eid", "ann", "-a", 'Action::"view"', "--resource-type", "Doc"]
TPE = ["tpe", "-s", "s.cedarschema", "--entities", "partly.json"]

# name: (arguments, exit code, what standard output has, standard input)
CASES = {
    "allow": (["authorize", *ANN, *CONTEXT, *BASE], 0, "ALLOW"),
    "deny by default": (["authorize", *BOB, *CONTEXT, *BASE], 2, "DENY"),
    "deny by forbid": (["authorize", *SKETCH, *CONTEXT, *BASE], 2, "DENY"),
    "another context": (["authorize", *SKETCH, "-c", "preview.json", *BASE], 0, "ALLOW"),
    "with a schema": (["authorize", *ANN, *CONTEXT, *BASE, "-s", "s.cedarschema"], 0, "ALLOW"),
    "the whole request": (["authorize", "--request-json", "request.json", *BASE], 0, "ALLOW"),
    "half a request": (["authorize", "--request-json", "half-request.json", *BASE], 1, ""),
    "both requests": (["authorize", "--request-json", "request.json", "-l", 'User::"ann"', *BASE], 2, ""),
    "no resource": (["authorize", *ANN[:4], *BASE], 1, ""),
    "no uid": (["authorize", "-l", "ann", *ANN[2:], *BASE], 1, ""),
    "reasons": (["authorize", "-v", *ANN, *CONTEXT, *BASE], 0, "readers"),
    "forbids as reasons": (["authorize", "-v", *SKETCH, *CONTEXT, *BASE], 2, "no-drafts"),
    "no reasons": (["authorize", "--verbose", *BOB, *CONTEXT, *BASE], 2, "note: no polic"),
    "an error": (["authorize", *ANN, "-p", "fails.cedar", "--entities", "e.json"], 0, "ALLOW"),
    "an error is told": (["authorize", *ANN, "-p", "fails.cedar", "--entities", "e.json"], 0, "policy1"),
    "timing": (["authorize", "-t", *ANN, *CONTEXT, *BASE], 0, "ALLOW"),
    "no entities": (["authorize", *ANN, "-p", "p.cedar"], 2, ""),
    "request not of the schema": (["authorize", "-l", 'Team::"desk"', *ANN[2:], *CONTEXT, *BASE, "-s", "s.cedarschema"],
                                  1, ""),
    "request not checked": (["authorize", "-l", 'Team::"desk"', *ANN[2:], *CONTEXT, *BASE, "-s", "s.cedarschema",
                             "--request-validation", "false"], 2, "DENY"),
    "odd context": (["authorize", *ANN, "-c", "odd-context.json", *BASE, "-s", "s.cedarschema"], 1, ""),
    "odd context, not checked": (["authorize", *ANN, "-c", "odd-context.json", "-p", "lone.cedar", "--entities", "e.json",
                                  "-s", "s.cedarschema", "--request-validation", "false"], 2, "DENY"),
    "context of another form": (["authorize", *ANN, "-c", "number.json", *BASE], 1, ""),
    "entities not of the schema": (["authorize", *ANN, *CONTEXT, "-p", "p.cedar", "--entities", "bad-entities.json",
                                    "-s", "s.cedarschema"], 1, ""),
    "policies with a mistake": (["authorize", *ANN, "-p", "wrong.cedar", "--entities", "e.json"], 1, ""),
    "an id twice": (["authorize", *ANN, "-p", "twice.cedar", "--entities", "e.json"], 1, ""),
    "no such file": (["authorize", *ANN, "-p", "nowhere.cedar", "--entities", "e.json"], 1, ""),
    "policies from standard input": (["authorize", *ANN, *CONTEXT, "--entities", "e.json"], 0, "ALLOW", POLICIES),
    "one policy in JSON": (["authorize", *ANN, "-p", "one.json", "--policy-format", "json", "--entities", "e.json"], 0,
                           "ALLOW"),
    "a set in JSON": (["authorize", "-v", *ANN, "-p", "set.json", "--policy-format", "json", "--entities", "e.json"], 0,
                      "  l\n"),
    "a template in JSON": (["authorize", *ANN, "-p", "slot.json", "--policy-format", "json", "--entities", "e.json"], 2,
                           "DENY"),
    "an unknown format": (["authorize", *ANN, "-p", "one.json", "--policy-format", "yaml", "--entities", "e.json"], 2, ""),
    "templates alone": (["authorize", *ANN, "-p", "t.cedar", "--entities", "e.json"], 2, "DENY"),
    "a link": (["authorize", "-v", *ANN, "-p", "t.cedar", "-k", "links.json", "--entities", "e.json"], 0, "ann-plan"),
    "an empty file of links": (["authorize", *ANN, "-p", "t.cedar", "-k", "none.json", "--entities", "e.json"], 2, "DENY"),
    "no file of links": (["authorize", *ANN, "-p", "t.cedar", "-k", "nowhere.json", "--entities", "e.json"], 1, ""),
    "a schema in JSON": (["authorize", *ANN, "-p", "one.json", "--policy-format", "json", "--entities", "empty.json", "-s",
                          "s.json", "--schema-format", "json"], 0, "ALLOW"),
    "an unknown option": (["authorize", "--nonsense"], 2, ""),

    "valid": (["validate", "-s", "s.cedarschema", "-p", "p.cedar"], 0, ""),
    "valid, from standard input": (["validate", "-s", "s.cedarschema"], 0, "", POLICIES),
    "not valid": (["validate", "-s", "s.cedarschema", "-p", "untyped.cedar"], 3, "policy0"),
    "a warning": (["validate", "-s", "s.cedarschema", "-p", "never.cedar"], 0, "warning"),
    "a warning denied": (["validate", "-s", "s.cedarschema", "-p", "never.cedar", "--deny-warnings"], 3, ""),
    "templates are valid": (["validate", "-s", "s.cedarschema", "-p", "t.cedar"], 0, ""),
    "links are valid": (["validate", "-s", "s.cedarschema", "-p", "t.cedar", "-k", "links.json"], 0, ""),
    "a level too low": (["validate", "-s", "s.cedarschema", "-p", "deep.cedar", "--level", "0"], 3, "policy0"),
    "a level that does": (["validate", "-s", "s.cedarschema", "-p", "deep.cedar", "--level", "1"], 0, ""),
    "no level": (["validate", "-s", "s.cedarschema", "-p", "deep.cedar", "--level", "x"], 2, ""),
    "policies cannot be read": (["validate", "-s", "s.cedarschema", "-p", "wrong.cedar"], 1, ""),
    "the schema cannot be read": (["validate", "-s", "wrong.cedarschema", "-p", "p.cedar"], 1, ""),
    "no schema": (["validate", "-p", "p.cedar"], 2, ""),
    "partial mode": (["validate", "-s", "s.cedarschema", "-p", "p.cedar", "--validation-mode", "partial"], 1, ""),
    "no such mode": (["validate", "-s", "s.cedarschema", "-p", "p.cedar", "--validation-mode", "lax"], 2, ""),

    "parse policies": (["check-parse", "-p", "p.cedar"], 0, ""),
    "parse standard input": (["check-parse"], 0, "", POLICIES),
    "parse nonsense": (["check-parse"], 1, "", "permit ("),
    "parse templates": (["check-parse", "-p", "t.cedar", "-k", "links.json"], 0, ""),
    "parse a schema": (["check-parse", "-s", "s.cedarschema"], 0, ""),
    "parse a wrong schema": (["check-parse", "-s", "wrong.cedarschema"], 1, ""),
    "parse entities": (["check-parse", "--entities", "e.json", "-s", "s.cedarschema"], 0, ""),
    "parse wrong entities": (["check-parse", "--entities", "bad-entities.json", "-s", "s.cedarschema"], 1, ""),
    "parse them without a schema": (["check-parse", "--entities", "bad-entities.json"], 0, ""),
    "parse an expression": (["check-parse", "--expression", "1 + 1"], 0, ""),
    "parse a wrong expression": (["check-parse", "--expression", "1 +"], 1, ""),
    "parse JSON": (["check-parse", "-p", "set.json", "--policy-format", "json"], 0, ""),

    "evaluate": (["evaluate", *ANN, "1 + 1"], 0, "2\n"),
    "evaluate a record": (["evaluate", *ANN, '{b: [1, "x"], "a b": User::"ann"}'], 0, '{"a b": User::"ann", "b": [1, "x"]}'),
    "evaluate with entities": (["evaluate", *ANN, "--entities", "e.json", "principal.level"], 0, "3\n"),
    "evaluate the context": (["evaluate", *ANN, *CONTEXT, "context"], 0, '{"preview": false}'),
    "evaluate what fails": (["evaluate", *ANN, "principal.level"], 1, ""),
    "evaluate nonsense": (["evaluate", *ANN, "1 +"], 1, ""),
    "evaluate for nobody": (["evaluate", "1 + 1"], 1, ""),
    "evaluate nothing": (["evaluate", *ANN], 2, ""),

    "format": (["format", "-p", "flat.cedar"], 0, FILES["laid.cedar"]),
    "format standard input": (["format"], 0, FILES["laid.cedar"], FILES["flat.cedar"]),
    "format checks": (["format", "-c", "-p", "flat.cedar"], 1, ""),
    "format finds it well": (["format", "-c", "-p", "laid.cedar"], 0, ""),
    "format narrow": (["format", "-l", "20", "-i", "1", "-p", "flat.cedar"], 0, "permit\n(principal, action"),
    "format nonsense": (["format", "-p", "unmatched.cedar"], 1, ""),
    "format and write nowhere": (["format", "-w"], 2, ""),
    "format, write and check": (["format", "-w", "-c", "-p", "flat.cedar"], 2, ""),
    "format of no width": (["format", "-l", "wide", "-p", "flat.cedar"], 2, ""),

    "policy to JSON": (["translate-policy", "--direction", "cedar-to-json", "-p", "flat.cedar"], 0, '"policy0"'),
    "policy to JSON keeps ids": (["translate-policy", "--direction", "cedar-to-json", "-p", "p.cedar"], 0, '"readers"'),
    "policy to Cedar": (["translate-policy", "--direction", "json-to-cedar", "-p", "one.json"], 0, "permit"),
    "policy set to Cedar": (["translate-policy", "--direction", "json-to-cedar", "-p", "static.json"], 0, "?principal"),
    "links have no text": (["translate-policy", "--direction", "json-to-cedar", "-p", "set.json"], 1, ""),
    "policy to nowhere": (["translate-policy", "-p", "p.cedar"], 2, ""),
    "policy of nonsense": (["translate-policy", "--direction", "json-to-cedar", "-p", "wrong.json"], 1, ""),

    "schema to JSON": (["translate-schema", "--direction", "cedar-to-json", "-s", "s.cedarschema"], 0, '"entityTypes"'),
    "schema to Cedar": (["translate-schema", "--direction", "json-to-cedar", "-s", "s.json"], 0, "entity Doc"),
    "schema resolved": (["translate-schema", "--direction", "cedar-to-json-with-resolved-types", "-s", "s.cedarschema"], 0,
                        '"Team"'),
    "schema from standard input": (["translate-schema", "--direction", "cedar-to-json"], 0, '"Team"', SCHEMA),
    "schema with a mistake": (["translate-schema", "--direction", "cedar-to-json", "-s", "wrong.cedarschema"], 1, ""),
    "schema to nowhere": (["translate-schema", "--direction", "up", "-s", "s.json"], 2, ""),
    "schema with loose ends": (["translate-schema", "--direction", "cedar-to-json", "-s", "loose.cedarschema"], 1, ""),

    "link": (["link", "-p", "t.cedar", "--template-id", "viewer", "-n", "x", "-a",
              '{"?principal": "User::\\"ann\\"", "?resource": "Doc::\\"plan\\""}'], 0, 'principal == User::"ann"'),
    "link half": (["link", "-p", "t.cedar", "--template-id", "viewer", "-n", "x", "-a",
                   '{"?principal": "User::\\"ann\\""}'], 1, ""),
    "link nothing": (["link", "-p", "t.cedar", "--template-id", "nope", "-n", "x", "-a", "{}"], 1, ""),
    "link to no uid": (["link", "-p", "t.cedar", "--template-id", "policy1", "-n", "x", "-a", '{"?principal": "ann"}'], 1,
                       ""),
    "link an id twice": (["link", "-p", "t.cedar", "--template-id", "policy1", "-n", "viewer", "-a",
                          '{"?principal": "User::\\"ann\\""}'], 1, ""),
    "link a slot that is none": (["link", "-p", "t.cedar", "--template-id", "policy1", "-n", "x", "-a", '{"?x": "A::\\"a\\""}'],
                                 2, ""),
    "link without values": (["link", "-p", "t.cedar", "--template-id", "policy1", "-n", "x"], 2, ""),
    "link with nonsense": (["link", "-p", "t.cedar", "--template-id", "policy1", "-n", "x", "-a", "{"], 2, ""),

    "tpe open": ([*TPE, *KNOWN, "-p", "p.cedar"], 4, "UNKNOWN"),
    "tpe deny": ([*TPE, *KNOWN, "-p", "lone.cedar"], 2, "DENY"),
    "tpe allow": ([*TPE, *KNOWN, "-p", "flat.cedar"], 0, "ALLOW"),
    "tpe of a file": ([*TPE, "--request-json", "partly-request.json", "-p", "p.cedar"], 4, "UNKNOWN"),
    "tpe without a type": ([*TPE, *KNOWN[2:], "-p", "p.cedar"], 1, ""),
    "tpe of an unknown action": ([*TPE, "--principal-type", "User", "-a", 'Action::"nope"', "--resource-type", "Doc", "-p",
                                  "p.cedar"], 1, ""),
    "tpe without a schema": (["tpe", "--entities", "partly.json", *KNOWN, "-p", "p.cedar"], 2, ""),
}

# Where the official command line ends otherwise: a link printed as Cedar text reads back as something else, and a schema
# is translated without looking whether its names exist.
OFFICIALLY = {"links have no text": 0, "schema with loose ends": 0}


@pytest.fixture
def files(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return tmp_path


def run(command, folder, arguments, stdin=None):
    return subprocess.run([*command, *arguments], cwd=folder, input=stdin or "", capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", CASES)
def test_cedar_cli(ambit_binary, files, name):
    arguments, code, said, stdin = [*CASES[name], None][:4]
    done = run([ambit_binary, "cedar"], files, arguments, stdin)
    assert (done.returncode, done.stdout if said not in done.stdout else said) == (code, said), done.stderr
    if code == 1 and arguments[:2] != ["format", "-c"]:
        assert done.stderr
    if os.environ.get("CEDAR_CLI"):
        official = run([os.environ["CEDAR_CLI"]], files, arguments, stdin)
        assert official.returncode == OFFICIALLY.get(name, code), official.stdout + official.stderr


def test_cedar_format_writes(ambit_binary, files):
    assert run([ambit_binary, "cedar"], files, ["format", "-w", "-p", "flat.cedar"]).stdout == ""
    assert (files / "flat.cedar").read_text() == FILES["laid.cedar"]


def test_cedar_link_remembers(ambit_binary, files):
    """Into a file that is not there yet, and behind what is there; authorize reads it back."""
    for name in ("ann", "bob"):
        values = json.dumps({"?principal": f'User::"{name}"', "?resource": 'Doc::"plan"'})
        done = run([ambit_binary, "cedar"], files, ["link", "-p", "t.cedar", "-k", "new.json", "--template-id", "viewer",
                                                    "-n", f"for-{name}", "-a", values])
        assert done.returncode == 0, done.stderr
    links = json.loads((files / "new.json").read_text())
    assert [link["link_id"] for link in links] == ["for-ann", "for-bob"]
    assert links[1]["args"]["?principal"] == 'User::"bob"'
    done = run([ambit_binary, "cedar"], files, ["authorize", "-v", *BOB, "-p", "t.cedar", "-k", "new.json", "--entities",
                                                "e.json"])
    assert (done.returncode, done.stdout) == (0, "ALLOW\nnote: decided by these policies:\n  for-bob\n")


def test_cedar_errors_name_the_place(ambit_binary, files):
    """human: with the line; plain: without; json: one object a line."""
    arguments = ["check-parse", "-p", "wrong.cedar", "-f"]
    human = run([ambit_binary, "cedar"], files, [*arguments, "human"]).stderr
    assert human.startswith("wrong.cedar:1:") and "^" in human
    plain = run([ambit_binary, "cedar"], files, [*arguments, "plain"]).stderr
    assert plain.startswith("wrong.cedar:1:") and "^" not in plain and plain.count("\n") == 1
    error = json.loads(run([ambit_binary, "cedar"], files, [*arguments, "json"]).stderr)
    assert set(error) == {"message", "help", "code", "url", "severity", "sourceLocations", "related"}
    assert error["sourceLocations"][0]["start"] == FILES["wrong.cedar"].index("}")


def test_cedar_verbs_are_the_official_ones(ambit_binary):
    """Each has an official counterpart but the last three, and says what it takes."""
    listed = run([ambit_binary, "cedar"], "/", ["--help"])
    assert listed.returncode == 0
    for verb in ("authorize", "validate", "check-parse", "evaluate", "format", "translate-policy", "translate-schema",
                 "link", "tpe", "batch", "tool-schema", "tool-request"):
        assert f"  {verb} " in listed.stdout
        told = run([ambit_binary, "cedar"], "/", [verb, "--help"])
        assert told.returncode == 0 and "example:" in told.stdout


def examples():
    """The page's files, and its commands with what each is said to print."""
    page = (ROOT / "docs/cedar.md").read_text()
    named = dict(re.findall(r"^`([\w.-]+)`:\n\n```\w+\n(.*?)```", page, re.S | re.M))
    commands = []
    for block in re.findall(r"```console\n(.*?)```", page, re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, told = part.partition("\n")
            code = re.search(r"^\[exit (\d)\]\n", told, re.M)
            commands.append((command, told[:code.start()] if code else told, int(code.group(1)) if code else 0))
    return named, commands


def test_cedar_manual_shows_what_happens(ambit_binary, tmp_path):
    named, commands = examples()
    assert len(named) >= 6 and len(commands) >= 15
    for name, text in named.items():
        (tmp_path / name).write_text(text)
    environment = {**os.environ, "PATH": f"{ambit_binary.parent}:{os.environ['PATH']}"}
    for command, told, code in commands:
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
        assert (done.stdout + done.stderr, done.returncode) == (told, code), command


# ---- batch ----


class Batch:
    def __init__(self, binary):
        self.process = subprocess.Popen([binary, "cedar", "batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, line):
        self.process.stdin.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def end(self):
        rest, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return rest


@pytest.fixture
def batch(ambit_binary):
    b = Batch(ambit_binary)
    yield b
    b.process.kill()
    b.process.communicate()


def test_cedar_batch_answers_before_the_next_line(batch):
    """Who waits for an answer gets it; ids come back as they were."""
    for i, ident in enumerate((1, "two", 3.5)):
        batch.send({"id": ident, "call": "checkParsePolicySet", "input": {"staticPolicies": POLICIES}})
        assert batch.answer() == {"id": ident, "output": {"type": "success"}}
    assert batch.end() == b""


def test_cedar_batch_goes_on_after_bad_lines(batch):
    lines = [b"nonsense\n", b"\n", b"  \n", b"[]\n", b'{"id":1,"id":2}\n', b'{"call":"validate"}\n',
             b'{"id":null,"call":"validate","input":1}\n', b'{"id":7,"call":"nope","input":1}\n', b'{"id":8}\n',
             b'{"id":9,"call":"checkParseSchema","input":"entity A;"}\n', b"[" * 100000 + b"\n", b'"\xff"\n']
    for line in lines:
        batch.send(line)
    out = [json.loads(line) for line in batch.end().splitlines()]
    assert [o["id"] for o in out] == [None] * 5 + [7, 8, 9, None, None]
    assert out[7] == {"id": 9, "output": {"type": "success"}}
    assert all(set(o) == {"id", "error"} and o["error"] for o in out if o["id"] != 9)


def test_cedar_batch_takes_a_last_line_without_an_end(batch):
    batch.send(b'{"id":1,"call":"getCedarLangVersion"}')
    assert json.loads(batch.end()) == {"id": 1, "output": "4.5"}


def test_cedar_batch_drops_a_line_that_is_too_long(batch):
    """And nothing behind it."""
    batch.send(b'{"id":1,"call":"checkParseSchema","input":"')
    for _ in range(70):
        batch.send(b"x" * (1 << 20))
    batch.send(b'"}\n')
    batch.send({"id": 2, "call": "getCedarVersion"})
    assert batch.answer()["id"] is None
    assert batch.answer() == {"id": 2, "output": "4.12.0"}


def test_cedar_batch_bounds_what_is_deep_and_large(batch):
    """An error or an answer, in bounded time, and the next line is worked on."""
    deep = "[" * 3000 + "]" * 3000
    chain = '{"&&": {"left": ' * 1000 + '{"Value": true}' + ', "right": {"Value": true}}}' * 1000
    calls = [("checkParsePolicySet", {"staticPolicies": "permit(principal,action,resource) when {" + "(" * 5000 + "1"}),
             ("checkParseContext", {"context": {"a": "DEEP"}}),
             ("policyToText", {**LEVEL_EST, "conditions": [{"kind": "when", "body": "CHAIN"}]}),
             ("policyToJson", "permit(principal,action,resource) when {" + " && ".join(["true"] * 300) + "};"),
             ("checkParseContext", {"context": {"a": list(range(200000))}}),
             ("checkParseEntities", {"entities": [{"uid": uid("T", str(i)), "attrs": {}, "parents": [uid("T", str(i + 1))]}
                                                  for i in range(5000)]}),
             ("checkParseSchema", "".join(f"type A{i} = Set<A{i + 1}>;" for i in range(3000)) + "type A3000 = Long;"),
             ("checkParseSchema", "type A = " + "{a:" * 3000 + "Long" + "}" * 3000 + ";"),
             ("getCedarVersion", None)]
    text = b"".join(json.dumps({"id": i, "call": call, "input": value}).encode() + b"\n"
                    for i, (call, value) in enumerate(calls))
    text = text.replace(b'"DEEP"', deep.encode()).replace(b'"CHAIN"', chain.encode())
    out, _ = batch.process.communicate(text, timeout=60)
    assert batch.process.returncode == 0
    answers = [json.loads(line) for line in out.splitlines()]
    assert [a["id"] for a in answers] == list(range(len(calls)))
    assert answers[-1]["output"] == "4.12.0"
    assert [a["output"]["type"] for a in answers[:4]] == ["failure", "failure", "success", "success"]
    assert answers[2]["output"]["text"].count("true") == 1001

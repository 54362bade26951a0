"""Tools as Cedar sees them: `ambit cedar tool-schema` and `tool-request` in a pipeline with `authorize`, in every profile; and both
against the official generator of schemas, and schemas made by hand against the official engine."""

import json
import subprocess
import sys

import pytest

from harness import ROOT

sys.path.insert(0, str(ROOT / "tests/cedar"))
import differential  # noqa: E402
import engines  # noqa: E402
import odd_schemas  # noqa: E402

TOOLS = {"tools": [{"name": "refund", "inputSchema": {
    "type": "object", "required": ["order", "amount"],
    "properties": {"order": {"type": "string"}, "amount": {"type": "number"}, "rush": {"type": "boolean"}}}}]}
AGENT = {"name": "desk", "owner": "ann", "tier": "1", "model": "m", "status": "active", "assessed": True}
FACTS = {"task": {"id": "t", "purpose": "p", "owner": "ann", "operations": ["desk/refund"], "depth": 0, "callsLeft": 1}, "chain": [],
         "time": {"hour": 9, "weekday": 1, "unix": 1}}
FILES = {
    "tools.json": TOOLS, "facts.json": FACTS, "agent.json": AGENT, "none.json": "", "list.json": [], "wrong.json": "{", "empty.json": {},
    "bad-tools.json": {"tools": [{"name": "a-b"}]}, "stub.cedarschema": "entity A;",
    "own.cedar": """permit (principal in Ambit::Owner::"ann", action == Ambit::Action::"desk/refund", resource == Ambit::System::"desk")
        when { context.args.amount.lessThanOrEqual(decimal("50.0")) && context.task.callsLeft > 0 };""",
    "mcp-generated.cedar": """permit (principal == MyMcpServer::User::"ann", action in MyMcpServer::Action::"call_tool", resource)
        when { context.input.amount.lessThanOrEqual(decimal("50.0")) };""",
    "agentcore.cedar": """permit (principal is AgentCore::OAuthUser, action == AgentCore::Action::"desk___refund",
        resource == AgentCore::Gateway::"desk")
        when { principal.hasTag("role") && principal.getTag("role") == "clerk" &&
               context.input.amount.lessThanOrEqual(decimal("50.0")) };""",
    "toolhive.cedar": """permit (principal in THVGroup::"desk", action == Action::"call_tool", resource == Tool::"refund")
        when { context has claim_role && context.claim_role == "clerk" && context has arg_amount &&
               context.arg_amount.lessThanOrEqual(decimal("50.0")) && resource in MCP::"desk" };""",
}
COMMON = ["--server", "desk", "--tools", "tools.json"]
# profile: (options of both verbs, of tool-request)
PROFILES = {
    "own": (["--effect", "export"], ["-l", 'Ambit::Agent::"desk"', "--claims", "agent.json", "--context", "facts.json"]),
    "mcp-generated": (["--numbers-as-decimal"], ["-l", 'User::"ann"']),
    "agentcore": ([], ["-l", 'AgentCore::OAuthUser::"ann"', "--claims", '{"role": "clerk"}']),
    "toolhive": (["--claim-types", '{"role": "String"}'],
                 ["-l", 'Client::"ann"', "--claims", '{"role": "clerk"}', "--group", "desk", "--group", "night"]),
}


@pytest.fixture
def files(tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return tmp_path


@pytest.fixture
def cedar(ambit_binary, files):
    def run(*arguments, stdin=""):
        return subprocess.run([ambit_binary, "cedar", *arguments], cwd=files, input=stdin, capture_output=True, text=True, timeout=60)
    return run


def request(cedar, profile, arguments, *more):
    both, own = PROFILES[profile]
    return cedar("tool-request", "--profile", profile, *COMMON, *both, *own, "--tool", "refund", "--arguments", arguments, *more)


# ---- the pipeline ----


@pytest.mark.parametrize("profile", PROFILES)
def test_tools_pipeline(cedar, files, profile):
    """A policy that is valid for the schema allows, denies, and never sees a number that has no exact form."""
    made = cedar("tool-schema", "--profile", profile, *COMMON, *PROFILES[profile][0])
    assert (made.returncode, made.stderr) == (0, "")
    (files / "made.cedarschema").write_text(made.stdout)
    policy = ["-p", f"{profile}.cedar"]
    checked = cedar("validate", "-s", "made.cedarschema", *policy)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for amount, code, said in (("49.9999", 0, "ALLOW\n"), ("50", 0, "ALLOW\n"), ("50.0001", 2, "DENY\n")):
        call = request(cedar, profile, '{"order": "o1", "amount": %s}' % amount)
        assert (call.returncode, call.stderr) == (0, "")
        for schema in ([], ["-s", "made.cedarschema"]):
            done = cedar("authorize", "--request-json", "-", *policy, *schema, stdin=call.stdout)
            assert (done.returncode, done.stdout, done.stderr) == (code, said, "")
    for amount in ("49.99999", '"49.12321"'):
        refused = request(cedar, profile, '{"order": "o1", "amount": %s}' % amount)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "`amount`" in refused.stderr and "49" not in refused.stderr


def test_tools_request_by_files(cedar, files):
    """The same in two files, as the official command wants them."""
    whole = json.loads(request(cedar, "agentcore", '{"order": "o1", "amount": 7}').stdout)
    (files / "entities.json").write_text(json.dumps(whole.pop("entities")))
    (files / "request.json").write_text(json.dumps(whole))
    assert set(whole) == {"principal", "action", "resource", "context"}
    done = cedar("authorize", "--request-json", "request.json", "--entities", "entities.json", "-p", "agentcore.cedar")
    assert (done.returncode, done.stdout) == (0, "ALLOW\n")
    done = cedar("authorize", "--request-json", "request.json", "-p", "agentcore.cedar")
    assert (done.returncode, "--entities" in done.stderr) == (2, True)


def test_tools_entities_given_go_before(cedar, files):
    """--entities replaces what came with the request."""
    call = request(cedar, "agentcore", '{"order": "o1", "amount": 7}').stdout
    (files / "entities.json").write_text("[]")
    done = cedar("authorize", "--request-json", "-", "--entities", "entities.json", "-p", "agentcore.cedar", stdin=call)
    assert (done.returncode, done.stdout) == (2, "DENY\n")


@pytest.mark.parametrize("profile", PROFILES)
def test_tools_schema_in_json(cedar, files, profile):
    """Both syntaxes are one schema."""
    given = ["tool-schema", "--profile", profile, *COMMON, *PROFILES[profile][0]]
    as_json = cedar(*given, "--json").stdout
    (files / "made.json").write_text(as_json)
    (files / "made.cedarschema").write_text(cedar(*given).stdout)
    again = cedar("translate-schema", "--direction", "cedar-to-json", "-s", "made.cedarschema")
    assert json.loads(again.stdout) == json.loads(as_json)
    done = cedar("validate", "-s", "made.json", "--schema-format", "json", "-p", f"{profile}.cedar")
    assert done.returncode == 0, done.stdout + done.stderr


# ---- options and exit codes ----

SCHEMA = ["tool-schema", "--profile", "agentcore"]
CALL = ["tool-request", "--profile", "agentcore", *COMMON, "-l", 'OAuthUser::"ann"', "--tool", "refund"]
GOOD = '{"order": "SECRET", "amount": 1}'
# name: (arguments, exit code, what is said, standard input)
CASES = {
    "standard input": ([*SCHEMA, "--server", "desk"], 0, "desk___refund", json.dumps(TOOLS)),
    "standard input by name": ([*SCHEMA, "--server", "desk", "--tools", "-"], 0, "desk___refund", json.dumps(TOOLS)),
    "no profile": (["tool-schema", *COMMON], 2, "--profile"),
    "unknown profile": (["tool-schema", "--profile", "mine", *COMMON], 2, "--profile"),
    "no server": ([*SCHEMA, "--tools", "tools.json"], 2, "--server"),
    "option of another profile": ([*SCHEMA, *COMMON, "--numbers-as-decimal"], 2, "--profile mcp-generated"),
    "unknown effect": (["tool-schema", "--profile", "own", *COMMON, "--effect", "mild"], 2, "--effect"),
    "unknown kind of server": (["tool-schema", "--profile", "own", *COMMON, "--server-kind", "warm"], 2, "--server-kind"),
    "kind of server": (["tool-schema", "--profile", "own", *COMMON, "--server-kind", "stdio", "--not-high-impact"], 0, "effect:admin"),
    "no such file": ([*SCHEMA, "--server", "desk", "--tools", "nowhere.json"], 1, "nowhere.json"),
    "no JSON": ([*SCHEMA, "--server", "desk", "--tools", "wrong.json"], 1, "wrong.json"),
    "no tools": ([*SCHEMA, "--server", "desk", "--tools", "empty.json"], 1, "empty.json"),
    "bad tools": ([*SCHEMA, "--server", "desk", "--tools", "bad-tools.json"], 1, "tool `a-b`"),
    "bad stub": (["tool-schema", "--profile", "mcp-generated", *COMMON, "--stub", "stub.cedarschema"], 1, "stub"),
    "bad types of claims": (["tool-schema", "--profile", "toolhive", *COMMON, "--claim-types", '{"sub": "Long"}'], 1, "claim `sub`"),
    "types of claims are no object": (["tool-schema", "--profile", "toolhive", *COMMON, "--claim-types", "list.json"], 1, "--claim-types"),
    "a call": ([*CALL, "--arguments", GOOD], 0, '"desk___refund'.replace('"', '\\"')),
    "nobody calls": ([*CALL[:-4], "--tool", "refund", "--arguments", GOOD], 2, "--principal"),
    "no tool": ([*CALL[:-2], "--arguments", GOOD], 2, "--tool"),
    "no uid": ([*CALL[:-4], "-l", "ann", "--tool", "refund", "--arguments", GOOD], 1, "--principal"),
    "principal of another type": ([*CALL[:-4], "-l", 'User::"ann"', "--tool", "refund", "--arguments", GOOD], 1, "AgentCore::OAuthUser"),
    "unknown tool": ([*CALL[:-2], "--tool", "pay", "--arguments", GOOD], 1, "`pay`"),
    "no arguments": (CALL, 1, "argument `order` is missing"),
    "arguments in a file": ([*CALL, "--arguments", "empty.json"], 1, "argument `order` is missing"),
    "arguments are no object": ([*CALL, "--arguments", "list.json"], 1, "--arguments"),
    "arguments are no JSON": ([*CALL, "--arguments", '{"order": SECRET}'], 1, "--arguments"),
    "one argument twice": ([*CALL, "--arguments", '{"order": "SECRET", "order": "SECRET"}'], 1, "--arguments"),
    "argument not declared": ([*CALL, "--arguments", '{"order": "SECRET", "amount": 1, "tip": "SECRET"}'], 1, "argument `tip`"),
    "argument of another type": ([*CALL, "--arguments", '{"order": "o", "amount": 1, "rush": "SECRET"}'], 1, "argument `rush`"),
    "claim of another type": ([*CALL, "--arguments", GOOD, "--claims", '{"role": ["SECRET"]}'], 1, "claim `role`"),
    "context not declared": ([*CALL, "--arguments", GOOD, "--context", '{"mood": "SECRET"}'], 1, "mood"),
    "context over the arguments": ([*CALL, "--arguments", GOOD, "--context", '{"input": {"order": "x", "amount": "1.0"}}'], 1, "a fact"),
    "resource": ([*CALL, "--arguments", GOOD, "-r", 'AgentCore::Gateway::"other"'], 0, "Gateway"),
    "resource of another type": ([*CALL, "--arguments", GOOD, "-r", 'Tool::"desk"'], 1, "--resource"),
    "both from standard input": (["authorize", "--request-json", "-"], 2, "standard input"),
}


@pytest.mark.parametrize("name", CASES)
def test_tools_cli(cedar, name):
    arguments, code, said, stdin = [*CASES[name], ""][:4]
    done = cedar(*arguments, stdin=stdin)
    assert done.returncode == code, done.stderr
    if code == 0:
        assert said in done.stdout and done.stderr == ""
    else:
        assert said in done.stderr and done.stdout == "" and "SECRET" not in done.stderr


# ---- beside the official ones ----


def test_tools_of_the_official_generator(ambit_binary):
    """Every difference has a cause in tests/cedar/tool_cases.py, and every cause there makes one."""
    release = ambit_binary.parents[2]
    subprocess.run(["ninja", "-C", release, "src/cedar/cedar_tool_peer"], stdout=subprocess.DEVNULL, check=True)
    done = subprocess.run([sys.executable, "-B", ROOT / "tests/cedar/tools.py", "--peer", release / "src/cedar/cedar_tool_peer"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip().removeprefix("skipped: "))
    assert done.returncode == 0, done.stdout[-8000:]
    assert "same" in done.stdout and "refused by both" in done.stdout


def test_odd_schemas():
    missing = engines.absent()
    if missing:
        pytest.skip(missing)
    official = engines.Official()
    tally, different = differential.check(official, odd_schemas.cases())
    official.close()
    assert tally["schemaToJson", "success"] > 80 and tally["schemaToJson", "failure"] > 100
    found = {(case[0].partition("/")[0], case[1]): how for case, _, _, how in different}
    assert found == {key: how for key, (how, _) in odd_schemas.EXPLAINED.items()}

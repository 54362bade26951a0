"""The documents against the tree and the program: links, file names, tests, members, methods, metrics, examples."""

import json
import pathlib
import re
import subprocess

import pytest

from harness import ROOT

PAGES = sorted(
    p for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tools").rglob("*.md"),
                *(ROOT / "examples").rglob("*.md")] if "node_modules" not in p.parts)
FOLDERS = ("src/", "tests/", "tools/", "docs/", "examples/")
METHODS_OF_MCP = ("tools/call", "tools/list")


def text_of(name):
    return (ROOT / name).read_text()


def quoted(text):
    """What stands in backticks outside of fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))


def block(name, kind, containing):
    for found in re.findall(rf"```{kind}\n(.*?)```", text_of(name), re.S):
        if containing in found:
            return found
    raise AssertionError(f"{name} has no {kind} block with {containing}")


def lines_of_table(source, start):
    """The string literals that begin the rows of a C table."""
    table = re.search(rf"{re.escape(start)}(.*?)\n}};", source, re.S)
    assert table, f"no table {start}"
    return re.findall(r'\{"([^"]+)"', table.group(1))


def test_there_are_pages():
    assert {"README.md", "ARCHITECTURE.md", "STYLE.md", "SECURITY.md", "CONTRIBUTING.md"} <= {p.name for p in PAGES}
    assert len(list((ROOT / "docs/adr").glob("[0-9][0-9][0-9][0-9]-*.md"))) >= 13
    assert len(text_of("ARCHITECTURE.md").splitlines()) <= 300


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            path = page.parent / target.split("#")[0]
            if not path.exists():
                wrong.append(target)
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_named_files_exist(page):
    wrong = []
    for name in quoted(page.read_text()):
        is_path = name.startswith(FOLDERS) and name not in METHODS_OF_MCP and not re.search(r"[A-Z]{4}|[*<… ]", name)
        if is_path and not (ROOT / name).exists():
            wrong.append(name)
    assert not wrong


def test_named_tests_exist():
    tests = "\n".join(p.read_text() for pattern in ("*_test.c", "test_*.py") for folder in ("src", "tests")
                      for p in (ROOT / folder).rglob(pattern))
    named = {name for page in PAGES for name in quoted(page.read_text()) if re.fullmatch(r"test_\w+", name)}
    assert named
    assert not [name for name in named if not re.search(rf"\b{name}\(", tests)]


def test_every_member_of_the_configuration_is_described():
    source = "".join(p.read_text() for p in sorted((ROOT / "src/conf").glob("*.c")))
    lists = re.findall(r"static const char \*const \w+_MEMBERS\[\] = \{(.*?)NULL\}", source, re.S)
    members = {m for found in lists for m in re.findall(r'"(\w+)"', found)}
    assert len(members) > 40
    described = set(quoted(text_of("docs/configuration.md")))
    assert not sorted(members - described)


def test_every_method_of_the_control_socket_is_described():
    methods = lines_of_table(text_of("src/door/admin.c"), "METHODS[] = {")
    assert len(methods) > 20
    described = quoted(text_of("docs/formats/control.md"))
    assert not [m for m in methods if m not in described]


def test_every_metric_is_described():
    core = re.findall(r'gauge\(out, "(\w+)"', text_of("src/role/core_metrics.c"))
    families = re.findall(r"# TYPE (ambit_\w+)", text_of("src/role/core_metrics.c") + text_of("src/role/edge.c"))
    names = {f"ambit_{name}" for name in core} | {f for f in families if not f.endswith("_")}
    assert len(names) > 10
    described = {re.sub(r"\{.*", "", name) for name in quoted(text_of("docs/ops.md")) if name.startswith("ambit_")}
    assert names == described


def test_every_guardrail_is_described():
    ids = re.findall(r'@id\("([^"]+)"\)', text_of("src/call/guardrails.cedar"))
    assert ids
    described = quoted(text_of("docs/policies.md"))
    assert not [i for i in ids if i not in described]


def test_named_commands_exist():
    commands = set(lines_of_table(text_of("src/cmd/main.c"), "COMMANDS[] = {"))
    named = set()
    for page in PAGES:
        for name in quoted(page.read_text()):
            found = re.match(r"ambit ([a-z]+)\b", name)
            if found and " v1" not in name:
                named.add(found.group(1))
        named |= set(re.findall(r"^(?:    |.*\$\()ambit ([a-z]+) (?!.*\bv1\b)", page.read_text(), re.M))
    assert {"serve", "task", "hold", "connect"} <= named
    assert not sorted(named - commands)


# ---- examples ----


def check(binary, folder, config, policies):
    (folder / "policies").mkdir(parents=True)
    (folder / "ambit.json").write_text(config)
    (folder / "policies/example.cedar").write_text(policies)
    done = subprocess.run([binary, "check", "-c", folder / "ambit.json", "--json"], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert json.loads(done.stdout)["ok"]


def test_the_first_configuration_and_policy_are_valid(ambit_binary, tmp_path):
    check(ambit_binary, tmp_path / "c", block("README.md", "json", '"people"'),
          block("README.md", "cedar", "refund-limit"))


def test_the_complete_example_is_valid(ambit_binary, tmp_path):
    check(ambit_binary, tmp_path / "c", block("docs/configuration.md", "json", '"trustDomain"'),
          block("docs/policies.md", "cedar", "money-by-key"))


def test_the_schema_is_shown_as_it_is(ambit_binary, tmp_path):
    folder = tmp_path / "c"
    check(ambit_binary, folder, block("README.md", "json", '"people"'), block("README.md", "cedar", "refund-limit"))
    schema = subprocess.run([ambit_binary, "policy", "schema", "-c", folder / "ambit.json"], capture_output=True,
                            text=True, check=True).stdout
    shown = block("docs/policies.md", "cedar", "namespace Ambit")
    head = schema[:schema.index('  action "effect:read"')]
    assert shown.startswith(head)
    refund = re.search(r'  action "helpdesk/refund".*?\n  };\n', schema, re.S).group(0)
    assert refund in shown


def test_rooms_of_cedar_depend_one_way():
    """A room of src/cedar includes headers of rooms before it only (tests and fuzz targets may use all)."""
    cedar = ROOT / "src" / "cedar"
    rooms = re.search(r"foreach room : \[(.*?)\]", (cedar / "meson.build").read_text(), re.S).group(1)
    rooms = re.findall(r"'(\w+)'", rooms)
    assert set(rooms) >= {p.name for p in cedar.iterdir() if p.is_dir()}
    wrong = []
    for level, room in enumerate(rooms):
        for path in sorted((cedar / room).glob("*.[ch]")):
            if path.stem.endswith(("_test", "_fuzz")):
                continue
            for used in re.findall(r'#include "cedar/(\w+)/', path.read_text()):
                if rooms.index(used) > level:
                    wrong.append(f"{room}/{path.name} includes cedar/{used}")
    assert not wrong, wrong


def test_every_attack_on_identity_has_the_tests_it_names():
    """docs/identity-adversarial.md: a file of tests, then tests of it and names of rows in it; or why there is none."""
    lists = re.split(r"^## (\d+)\. ", text_of("docs/identity-adversarial.md"), flags=re.M)
    assert [int(number) for number in lists[1::2]] == list(range(1, 11))
    wrong = []
    for number, section in zip(lists[1::2], lists[2::2]):
        rows = [line.split("|") for line in section.splitlines() if line.startswith("| ")][2:]
        assert rows, f"list {number} is empty"
        for _, attack, tests, _ in rows:
            source, held = "", not quoted(tests)
            for word in quoted(tests):
                if word.startswith(FOLDERS):
                    source = text_of(word)
                elif word.startswith('"'):
                    held = word in source
                    wrong += [] if held else [f"{number}, {attack}: no row {word}"]
                elif re.search(rf"^static void {word}\(|^def {word}\(", source, re.M):
                    held = True
                else:
                    wrong.append(f"{number}, {attack}: no {word}")
            if not held:
                wrong.append(f"{number}, {attack}: no test")
    assert not wrong

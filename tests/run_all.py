"""What ./test does once everything is installed: builds, runs every kind of test, and ends with one line

    N passed, N failed[, N skipped]

over all cases: each cmocka case, each replayed fuzz seed, each pytest case, each extra check of --all."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUT = ROOT / "build/test"
ASAN = ROOT / "build/asan"
RELEASE = ROOT / "build/release"
AMBIT = RELEASE / "src/cmd/ambit"
PYTHON = "/usr/bin/python3"
SHARED = ROOT.parent / "shared"  # third-party test data, where it was put beside the repository

# What a sanitizer finds ends the program; leaks count. UBSan would otherwise only print.
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


class Tally:
    """Cases by outcome; a failure is printed when it happens, a skip with its reason."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def fail(self, name, detail=""):
        self.failed.append(name)
        print(f"  FAILED  {name}")
        for line in detail.strip().splitlines()[-40:]:
            print(f"          {line}")

    def skip(self, name, reason):
        self.skipped.append((name, reason))
        print(f"  skipped {name}: {reason}")

    def check(self, name, done):
        if done.returncode == 0:
            self.passed += 1
        else:
            self.fail(name, done.stdout or "")
        return done.returncode == 0


def run(command, **env):
    """Output and errors together as text; never a terminal, never input."""
    return subprocess.run([str(word) for word in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", env={**os.environ, **env})


def stage(title):
    print(f"[{time.monotonic() - BEGIN:5.0f} s] {title}", flush=True)


BEGIN = time.monotonic()

def shared_files():
    """The third-party test data that is there, of what tests/skips names."""
    named = [line.partition("#")[2].strip() for line in (ROOT / "tests/skips").read_text().splitlines() if line[:1] != "#"]
    return sorted(name for name in named if name and any(pathlib.Path(os.environ["AMBIT_SHARED"]).glob(name)))


# --- building -------------------------------------------------------------------------------------------


def build(tally, folder, options=(), targets=(), **env):
    """True if it is built; a build that fails is one failed case."""
    name = folder.relative_to(ROOT)
    configured = folder / "configured"  # what meson looked for when it was: the shared test data may come and go
    wanted = "\n".join([*map(str, options), os.environ["AMBIT_SHARED"], *shared_files()])
    if not configured.exists() or configured.read_text() != wanted:
        again = ["--reconfigure"] if (folder / "build.ninja").exists() else []
        if not tally.check(f"meson setup {name}", run(["meson", "setup", *again, folder, *options], **env)):
            return False
        configured.write_text(wanted)
    done = run(["ninja", "-C", folder, *targets])
    if done.returncode:
        tally.fail(f"build of {name}", "\n".join(re.findall(r"^FAILED: .*|.*\b(?:error|warning): .*", done.stdout, re.M)))
    return done.returncode == 0


# --- unit tests ---------------------------------------------------------------------------------------------

CASE = re.compile(r"^\[\s*(OK|FAILED|SKIPPED)\s*\] (\S.*)$", re.M)


def count_unit(tally, test):
    """One test program of `meson test`: its cmocka cases, or itself where it has none."""
    name = test["name"].split(" / ")[-1]
    text = test.get("stdout", "") + "\n" + test.get("stderr", "")
    cases = {}
    for outcome, case in CASE.findall(text):
        if "test(s)" not in case and cases.get(case) != "FAILED":
            cases[case] = outcome
    for case, outcome in cases.items():
        if outcome == "OK":
            tally.passed += 1
        elif outcome == "SKIPPED":
            tally.skip(f"{name}: {case}", reason_in(text))
        else:
            tally.fail(f"{name}: {case}", text)
    ok = test["result"] in ("OK", "SKIP")
    if not ok and "FAILED" not in cases.values():
        tally.fail(f"{name}: {test['result']}, status {test['returncode']}", text)
    elif ok and not cases:
        if test["result"] == "SKIP":
            tally.skip(name, reason_in(text))
        else:
            tally.passed += 1


def reason_in(text):
    """Test programs say it on a line of its own: "skipped: REASON"."""
    found = re.search(r"^\W*skipped: (.*)$", text, re.M | re.I)
    return found[1] if found else "no reason given"


def unit_tests(tally):
    stage("unit tests")
    with tempfile.TemporaryDirectory(prefix="ambit-cedar-") as folder:
        archive = pathlib.Path(os.environ["AMBIT_SHARED"], "cedar/cedar-testdata.tar.xz")
        if archive.exists():  # once for all the programs that read it
            with tarfile.open(archive) as files:
                files.extractall(folder)
            os.environ["AMBIT_CEDAR_DATA"] = folder
        run_unit_programs(tally)
        os.environ.pop("AMBIT_CEDAR_DATA", None)


def run_unit_programs(tally):
    log = ASAN / "meson-logs/testlog.json"
    log.unlink(missing_ok=True)
    done = run(["meson", "test", "-C", ASAN, "--no-rebuild", "--print-errorlogs"], **SANITIZERS)
    if not log.exists():
        tally.fail("meson test", done.stdout)
        return
    tests = [json.loads(line) for line in log.read_text().splitlines()]
    for test in tests:
        count_unit(tally, test)
    if not tests:
        tally.fail("unit tests: there are none")


# --- fuzz seeds -----------------------------------------------------------------------------------------------


def replay_seeds(tally):
    stage("fuzz seeds")
    programs = {path.name: path for path in ASAN.glob("src/**/*_fuzz") if path.is_file()}
    for folder in sorted((ROOT / "tests/fuzz/seeds").iterdir()):
        seeds = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
        if folder.name not in programs:
            tally.fail(f"fuzz seeds {folder.name}: no such fuzz target")
        elif not seeds:
            tally.fail(f"fuzz seeds {folder.name}: the folder is empty")
        elif run([programs[folder.name], *seeds], **SANITIZERS).returncode == 0:
            tally.passed += len(seeds)
        else:
            for seed in seeds:
                tally.check(f"{folder.name} {seed.relative_to(ROOT)}",
                            run([programs[folder.name], seed], **SANITIZERS))


# --- system tests -----------------------------------------------------------------------------------------------


def run_system_file(path, marks):
    """One file of system tests in a pytest of its own: (path, what pytest did, its report)."""
    report = OUT / f"{path.stem}.xml"
    report.unlink(missing_ok=True)
    done = run([PYTHON, "-B", "-m", "pytest", "-c", "tests/pytest.ini", path, "-q", "-m", marks, f"--junitxml={report}"],
               AMBIT=str(AMBIT), AMBIT_BINARY=str(AMBIT))
    return path, done, report


def count_system_file(tally, path, done, report):
    if done.returncode == 5:  # none of its tests has these marks
        return
    if not report.exists():
        tally.fail(f"pytest {path.name}", done.stdout)
        return
    failed_before = len(tally.failed)
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname', '').split('.')[-1]}::{case.get('name')}"
        bad = [part for part in case if part.tag in ("failure", "error")]
        skipped = case.find("skipped")
        if bad:
            tally.fail(name, "\n".join(part.text or part.get("message", "") for part in bad))
        elif skipped is not None:
            tally.skip(name, skipped.get("message", "no reason given"))
        else:
            tally.passed += 1
    if done.returncode not in (0, 1) or (done.returncode and len(tally.failed) == failed_before):
        tally.fail(f"pytest of {path.name} ended with {done.returncode}", done.stdout)


def system_tests(tally, what, marks):
    """Two files at a time, the longest first: most of their time they wait."""
    stage(what)
    files = sorted((ROOT / "tests/system").glob("test_*.py"), key=lambda path: -path.stat().st_size)
    before = tally.passed + len(tally.failed)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for one in pool.map(lambda path: run_system_file(path, marks), files):
            count_system_file(tally, *one)
    if tally.passed + len(tally.failed) == before:
        tally.fail(f"{what}: there are none")


# --- the rest of --all ------------------------------------------------------------------------------------------


def strict_builds(tally):
    """True if the last of them, gcc's, stands: valgrind uses it."""
    built = False
    for compiler in ("clang", "gcc"):
        stage(f"every warning of {compiler} is an error")
        folder = ROOT / f"build/strict-{compiler}"
        options = ["-Dtests=true", "-Dwerror=true", "-Dbuildtype=release"]
        built = build(tally, folder, options, CC=compiler)
        tally.passed += built
    return built


def valgrind(tally):
    """The unit tests once more, without sanitizers, on the optimised code: reads of what was never written."""
    stage("valgrind")
    folder = ROOT / "build/strict-gcc"
    names = ["base/json", "http/http1", "mcp/server", "mcp/client", "cedar/cedar_lang", "hold/hold", "task/task", "ipc/message"]
    known = {test["name"]: test["cmd"] for test in json.loads(run(["meson", "introspect", folder, "--tests"]).stdout)}
    for name in names:
        done = run(["valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite",
                    *known.get(name, [f"no-test-{name}"])])
        tally.check(f"valgrind {name}", done)


def delegation_trees(tally):
    """The property test in full, on the optimised code: under the sanitizers it takes fewer trees."""
    stage("100,000 delegation trees")
    tally.check("task/narrow, 100,000 trees", run([ROOT / "build/strict-gcc/src/task_narrow"], TREES="100000"))


def demonstration(tally):
    stage("./run --once")
    done = run(["./run", "--once"])
    tally.check("./run --once", done)


# --- the end ----------------------------------------------------------------------------------------------------


def unlisted_skips(tally):
    """In CI, what is skipped without being expected in tests/skips is a failure. A pattern whose comment names a path
    below shared is good only where that path is missing."""
    allowed = []
    for line in (ROOT / "tests/skips").read_text().splitlines():
        pattern, _, comment = (part.strip() for part in line.partition("#"))
        if pattern and comment not in shared_files():
            allowed.append(pattern)
    for name, reason in tally.skipped:
        if not any(re.fullmatch(pattern, name) for pattern in allowed):
            tally.fail(f"{name}: skipped, which tests/skips does not allow ({reason})")


def main():
    parser = argparse.ArgumentParser(prog="./test", description="Builds and runs the tests.")
    parser.add_argument("--all", action="store_true", help="also strict builds, valgrind, ./run --once, heavy tests")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    os.environ.setdefault("AMBIT_SHARED", str(SHARED))
    OUT.mkdir(parents=True, exist_ok=True)
    tally = Tally()

    stage("building with address and undefined-behaviour sanitizers")
    options = ["-Dtests=true", "-Dbuildtype=debug", "-Doptimization=1", "-Db_sanitize=address,undefined"]
    if build(tally, ASAN, options):
        unit_tests(tally)
        replay_seeds(tally)
    stage("building the release")
    if build(tally, RELEASE):
        system_tests(tally, "system tests", "not heavy")
        if arguments.all:
            system_tests(tally, "heavy system tests", "heavy")
            demonstration(tally)
    if arguments.all:
        if strict_builds(tally):
            delegation_trees(tally)
            valgrind(tally)
    if os.environ.get("CI") == "true":
        unlisted_skips(tally)

    stage("done")
    for name in tally.failed:
        print(f"failed: {name}")
    skipped = f", {len(tally.skipped)} skipped" if tally.skipped else ""
    print(f"{tally.passed} passed, {len(tally.failed)} failed{skipped}")
    return 1 if tally.failed or not tally.passed else 0


sys.exit(main())

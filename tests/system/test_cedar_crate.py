"""The Cedar engine against the official Rust crate, for what its npm package does not offer: partial evaluation,
permissive validation, levels. Long runs; `./test --all` only."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from harness import ROOT

pytestmark = pytest.mark.heavy

sys.path.insert(0, str(ROOT / "tests/peers"))
import crates  # noqa: E402


@pytest.fixture(scope="module")
def official():
    """The peer built with exactly the crates of its lock file. Where there is cargo, a build that fails is a failure."""
    if not crates.cargo():
        pytest.skip("cargo is not installed, so the official Cedar crate cannot be built")
    return crates.build(ROOT / "tests/peers/cedar_crate", "cedar_crate")


def compare(script, official, peer, *options):
    """Runs a program of tests/cedar with both peers."""
    release = ROOT / "build/release"
    subprocess.run(["ninja", "-C", release, f"src/cedar/{peer}"], stdout=subprocess.DEVNULL, check=True)
    done = subprocess.run([sys.executable, "-B", ROOT / "tests/cedar" / script, *options], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env={**os.environ, "CEDAR_CRATE": str(official)})
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


@pytest.fixture(scope="module")
def corpus():
    """The folder of the official corpus's policies, unpacked; None where it is not there."""
    archive = pathlib.Path(os.environ.get("AMBIT_SHARED", ROOT.parent / "shared")) / "cedar/cedar-testdata.tar.xz"
    if not archive.exists():
        yield None
        return
    folder = ROOT / "build/test/cedar-corpus"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-xJf", archive, "-C", folder, "./corpus"], check=True)
    yield folder / "corpus"
    shutil.rmtree(folder)


def test_levels_of_random_policies(official):
    text = compare("levels.py", official, "cedar_levels_peer", "--cases", "30000")
    verdicts = {name: int(count) for count, name in (line.split(None, 1) for line in text.splitlines())}
    assert verdicts["verdicts"] > 150000
    assert verdicts["verdicts"] * 0.3 < verdicts["refused"] < verdicts["verdicts"] * 0.7
    assert verdicts["refused for the level alone"] > 10000


def test_levels_of_the_corpus(official, corpus):
    if not corpus:
        pytest.skip("no test data: cedar/cedar-testdata.tar.xz below the shared folder")
    assert "verdicts" in compare("levels.py", official, "cedar_levels_peer", "--cases", "0", "--corpus", str(corpus))


def test_partial_evaluation(official):
    assert "tpe" in compare("partial.py", official, "cedar_partial_peer", "--cases", "14000")

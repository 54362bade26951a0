"""Builds a Rust peer at exactly the crates of its lock file.

The lock files of the repository leave out where crates come from (`source`), so that they name no host; cargo says it for
this machine, and the line is put back in a copy. Every crate is still held to its version and checksum."""

import pathlib
import re
import shutil
import subprocess
import sys

PEERS = pathlib.Path(__file__).resolve().parents[2] / "build/peers"


def cargo():
    """The cargo program; None where there is none."""
    own = pathlib.Path.home() / ".cargo/bin/cargo"
    return shutil.which("cargo") or (str(own) if own.exists() else None)


def run(*command):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stdout[-4000:]}")


def registry():
    """What cargo writes as the source of a crate here."""
    probe = PEERS / "cargo-probe"
    (probe / "src").mkdir(parents=True, exist_ok=True)
    (probe / "src/main.rs").write_text("fn main() {}\n")
    (probe / "Cargo.toml").write_text('[package]\nname = "probe"\nversion = "0.0.0"\n[dependencies]\nitoa = "1"\n')
    lock = probe / "Cargo.lock"
    if not lock.exists():
        run(cargo(), "generate-lockfile", "--quiet", "--manifest-path", probe / "Cargo.toml")
    return re.search(r'^source = ".*"$', lock.read_text(), re.M)[0]


def build(project, name):
    """The program of that package, built from the folder project."""
    copy = PEERS / f"{name}-source"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(project, copy)
    lock = copy / "Cargo.lock"
    source = registry()
    lock.write_text(re.sub(r'^(version = .*)\n(?=checksum = )', lambda found: f"{found[1]}\n{source}\n", lock.read_text(), flags=re.M))
    target = PEERS / name
    run(cargo(), "build", "--release", "--locked", "--quiet", "--manifest-path", copy / "Cargo.toml", "--target-dir", target)
    return target / "release" / name


if __name__ == "__main__":  # crates.py PROJECT NAME: prints where the program is
    print(build(pathlib.Path(sys.argv[1]), sys.argv[2]))

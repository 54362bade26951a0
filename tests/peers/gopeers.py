"""Builds peers written in Go at exactly the modules of their go.sum, below build/peers/go.

A folder of tests/peers/go is a Go module: its go.mod names either programs of its own or, as `tool`, programs of others.
What was built is kept for as long as neither the folder nor the Go compiler changes."""

import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent / "go"
PEERS = pathlib.Path(__file__).resolve().parents[2] / "build/peers/go"
OLDEST = (1, 26)  # what go-spiffe's and SPIRE's go.mod ask for


def version(program):
    """(1, 26, 8), say; None where it does not say."""
    done = subprocess.run([program, "env", "GOVERSION"], capture_output=True, text=True, env={**os.environ, "GOTOOLCHAIN": "local"})
    found = re.fullmatch(r"go(\d+)\.(\d+)(?:\.(\d+))?\S*", done.stdout.strip())
    return tuple(int(part or 0) for part in found.groups()) if found else None


def go():
    """The go program; None where there is none or it is older than the peers need."""
    for program in (shutil.which("go"), "/usr/local/go/bin/go"):
        if program and os.access(program, os.X_OK) and (version(program) or (0,)) >= OLDEST:
            return program
    return None


def missing():
    """Why there are no Go peers here; None where there can be."""
    return None if go() else f"Go {OLDEST[0]}.{OLDEST[1]} or newer is not installed"


def tools(project):
    return re.findall(r"^(?:tool )?\t?(\S+/cmd/\S+)$", (project / "go.mod").read_text(), re.M)


def digest(project):
    said = hashlib.sha256(repr(version(go())).encode())
    for path in sorted(path for path in project.rglob("*") if path.is_file()):
        said.update(f"\n{path.relative_to(project)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return said.hexdigest()


def build(name):
    """The folder with the programs of tests/peers/go/NAME. A build that fails is an error with what the compiler said."""
    project, out = HERE / name, PEERS / name
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp, wanted = out / "installed", digest(project)
        if stamp.exists() and stamp.read_text() == wanted:
            return out
        stamp.unlink(missing_ok=True)
        done = subprocess.run([go(), "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", f"{out}/",
                               *(tools(project) or ["."])], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env={**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off"})
        if done.returncode != 0:
            raise RuntimeError(f"go build of {name}:\n{done.stdout[-4000:]}")
        stamp.write_text(wanted)
    return out


if __name__ == "__main__":  # gopeers.py NAME: prints the folder of the programs
    print(build(sys.argv[1]))

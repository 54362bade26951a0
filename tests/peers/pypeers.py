"""Installs peers from Python's package index, at exactly the versions and digests of tests/peers/python/requirements.txt,
into an environment of their own: build/peers/python."""

import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
HOME = pathlib.Path(__file__).resolve().parents[2] / "build/peers/python"
REQUIREMENTS = HERE / "python/requirements.txt"
SYSTEM = "/usr/bin/python3"


def run(*command):
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stdout[-4000:]}")
    return done.stdout


def python():
    """The Python that has the peers."""
    HOME.mkdir(parents=True, exist_ok=True)
    with open(HOME / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        own, stamp = HOME / "env/bin/python", HOME / "installed"
        wanted = hashlib.sha256(run(SYSTEM, "--version").encode() + str(HOME).encode() + REQUIREMENTS.read_bytes()).hexdigest()
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            shutil.rmtree(HOME / "env", ignore_errors=True)
            run(SYSTEM, "-m", "venv", HOME / "env")
            run(own, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--require-hashes", "--only-binary", ":all:",
                "-r", REQUIREMENTS)
            stamp.write_text(wanted)
    return own


if __name__ == "__main__":
    print(python())
    sys.exit(0)

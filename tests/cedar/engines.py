"""The two engines: each takes lines {"id","call","input"} and gives, for each, its answer as parsed JSON.

An answer is the call's output, or {"died": true} where the input killed the official engine, or {"crashed": ..} where
it killed ours."""

import json
import os
import pathlib
import subprocess
import threading

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
AMBIT = pathlib.Path(os.environ.get("AMBIT", ROOT / "build/release/src/cmd/ambit"))
PACKAGE = pathlib.Path(os.environ.get("CEDAR_WASM", ROOT / "build/peers/run/node_modules/@cedar-policy/cedar-wasm"))
NODE = pathlib.Path(os.environ.get("CEDAR_NODE", ROOT / "build/peers/node"))
VERSION = "4.12.0"


def absent():
    """What is missing for a comparison, or None."""
    for path in (AMBIT, NODE, PACKAGE):
        if not path.exists():
            return f"{path} is missing"
    version = json.loads((PACKAGE / "package.json").read_text())["version"]
    if version != VERSION and "CEDAR_WASM" not in os.environ:
        return f"the npm package is {version}, not {VERSION}"
    return None


class Official:
    """One Node.js at a time; a new one when it ends, which costs the case it ended at."""

    def __init__(self, package=PACKAGE):
        self.package, self.process = package, None

    def start(self):
        self.process = subprocess.Popen([NODE, "--no-opt", HERE / "oracle.cjs", self.package], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)

    def answers(self, lines):
        out = []
        while len(out) < len(lines):
            if self.process is None:
                self.start()
            out += self.some(lines[len(out):])
            if len(out) < len(lines):  # it aborted
                out.append({"died": True})
                self.process.wait()
                self.process = None
        return out

    def some(self, lines):
        def feed(to):
            try:
                to.write(b"".join(line.encode() + b"\n" for line in lines))
                to.flush()
            except OSError:
                pass  # it ended: the answers end, too
        feeder = threading.Thread(target=feed, args=(self.process.stdin,))
        feeder.start()
        out = []
        for _ in lines:
            answer = self.process.stdout.readline()
            if not answer.endswith(b"\n"):
                break
            read = json.loads(answer)
            out.append(read.get("output", read))
        feeder.join()
        return out

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


def ours(lines):
    out = []
    while len(out) < len(lines):
        rest = lines[len(out):]
        done = subprocess.run([AMBIT, "cedar", "batch"], input=b"".join(line.encode() + b"\n" for line in rest), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=600)
        answers = done.stdout.split(b"\n")[:-1]
        for answer in answers:
            read = json.loads(answer)
            out.append(read.get("output", read))
        if len(answers) < len(rest):
            out.append({"crashed": done.returncode, "text": done.stderr.decode(errors="replace")[-2000:]})
    return out

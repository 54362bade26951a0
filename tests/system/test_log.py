"""The published log: a directory of tiles and proofs of single records, checked by ambit, by hand and by others'
programs (golang.org/x/mod, Tessera's fsck), and refused after any change."""

import json
import random
import re
import shutil
import subprocess
import sys

import pytest

from harness import ROOT, wait_until

sys.path.insert(0, str(ROOT / "tests/peers"))
import gopeers  # noqa: E402

QUIET = {"effect": "write", "highImpact": False}


def covered(gateway, least):
    """Waits for a checkpoint over that many records."""
    def size():
        text = json.loads(gateway.cli("ledger", "verify", "--json").stdout)
        return text["leaves"] >= least and text["unsignedLeaves"] == 0
    wait_until(size, f"a checkpoint over {least} records", pause=0.3)


class Log:
    """A gateway that made `calls` calls, its key, and the directory that was written from its store."""

    def __init__(self, gateway, hostile, folder, calls):
        self.gateway = gateway(mcpServers={"up": {"url": hostile.url, "operations": {"echo": QUIET}}})
        client = self.gateway.mcp(self.gateway.open_task(["up/echo"], calls=calls))
        for i in range(calls):
            assert client.call("up__echo", {"a": i}).result
        covered(self.gateway, 2 * calls)
        self.vkey = self.gateway.cli("ledger", "key").stdout.strip()
        self.folder = folder / "log"
        self.gateway.cli("ledger", "tiles", "--out", self.folder)

    def files(self):
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def verify(self, **how):
        return self.gateway.cli("ledger", "verify", "--log", self.folder, "--vkey", self.vkey, "--json", **how)


def flipped(path, at):
    """Flips one bit of the byte there; a second time puts it back."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def call_of_first_intent(log):
    """(index, call) of the first intent, read from the bundle."""
    data = next(path for path in log.files() if "entries" in str(path)).read_bytes()
    index = 0
    while data:
        size = int.from_bytes(data[:2], "big")
        record = json.loads(data[2:2 + size])
        if record["type"] == "intent":
            return index, record["call"]
        index, data = index + 1, data[2 + size:]
    raise AssertionError("no intent")


def test_directory_and_proofs(gateway, hostile, tmp_path):
    log = Log(gateway, hostile, tmp_path, 3)
    sound = json.loads(log.verify().stdout)
    assert sound["ok"] and sound["signaturesChecked"] and sound["leaves"] == sound["size"] > 6
    before = {path: path.read_bytes() for path in log.files()}
    log.gateway.cli("ledger", "tiles", "--out", log.folder)
    assert before == {path: path.read_bytes() for path in log.files()}
    for path in before:
        at = random.randrange(path.stat().st_size)
        flipped(path, at)
        done = log.verify(check=False)
        assert done.returncode != 0, f"{path} with byte {at} changed passes"
        flipped(path, at)
    # A directory that was changed is not put right in silence.
    bundle = next(path for path in before if "entries" in str(path))
    flipped(bundle, 9)
    done = log.gateway.cli("ledger", "tiles", "--out", log.folder, check=False)
    assert done.returncode != 0 and "other bytes" in done.stderr
    flipped(bundle, 9)

    index, call = call_of_first_intent(log)
    proof = tmp_path / "record.tlog-proof"
    log.gateway.cli("ledger", "prove", call, "--out", proof)
    from_store, from_files = (log.gateway.cli("ledger", "prove", str(index), *where).stdout for where in
                              ((), ("--log", log.folder)))
    assert proof.read_text() == from_store == from_files
    checked = json.loads(log.gateway.cli("ledger", "prove", "--check", proof, "--vkey", log.vkey, "--json").stdout)
    assert checked["index"] == index and checked["record"]["call"] == call
    other = tmp_path / "other"
    other.write_text('{"type":"intent"}')
    done = log.gateway.cli("ledger", "prove", "--check", proof, "--vkey", log.vkey, "--entry", other, check=False)
    assert done.returncode == 1 and "does not fit" in done.stderr
    done = log.gateway.cli("ledger", "prove", "999999", check=False)
    assert done.returncode == 1 and "under the last checkpoint" in done.stderr

    # The recipe of docs/ledger.md, by hand.
    recipe = re.search(r"```bash\n(.*?)```", (ROOT / "docs/ledger.md").read_text(), re.S)[1]
    (tmp_path / "ambit.vkey").write_text(log.vkey + "\n")

    def by_hand():
        return subprocess.run(["bash", "-euo", "pipefail", "-c", recipe], cwd=tmp_path, capture_output=True, text=True)

    done = by_hand()
    assert done.returncode == 0 and f"record {index} is under the signed root" in done.stdout, done.stderr
    assert call in done.stdout
    text = proof.read_text()
    for old, new in ((f"index {index}", f"index {index + 1}"), ("extra ey", "extra ez"),
                     (text.split("\n\n")[1].split("\n")[2], "A" * 43 + "=")):
        assert old in text
        proof.write_text(text.replace(old, new))
        assert by_hand().returncode != 0, f"{new} passes"


@pytest.mark.heavy
def test_programs_of_others(gateway, hostile, tmp_path):
    """x/mod and fsck accept the directory; of each file, the first, the last and some byte changed is refused by both
    and by our verifier."""
    if gopeers.missing():
        pytest.skip(gopeers.missing())
    tlog, fsck = gopeers.build("tlog_peer") / "tlog_peer", gopeers.build("tessera") / "fsck"
    log = Log(gateway, hostile, tmp_path, 300)
    vkey = tmp_path / "ambit.vkey"
    vkey.write_text(log.vkey + "\n")
    origin = log.vkey.split("+")[0]

    def by_xmod():
        done = subprocess.run([tlog, log.folder, log.vkey], capture_output=True, text=True)
        return done.returncode == 0, done.stdout + done.stderr

    def by_fsck():  # its exit status is 0 whatever it found (v1.0.4): what it says counts
        done = subprocess.run([fsck, f"--storage_url=file://{log.folder}", f"--public_key={vkey}", f"--origin={origin}",
                               "--N=2", "--ui=false"], capture_output=True, text=True, timeout=60)
        return "Successfully fsck'd log" in done.stderr and "failed" not in done.stderr, done.stderr

    def sound():
        log.verify()
        (xmod, said), (whole, why) = by_xmod(), by_fsck()
        assert xmod and whole, said + why
        return said

    size = int((log.folder / "checkpoint").read_text().split("\n")[1])
    assert size > 600 and sound().startswith(f"{size} entries")
    classes = {re.sub(r"\d+(\.p/)?\d*$", r"\1", str(path.relative_to(log.folder))) for path in log.files()}
    assert classes == {"checkpoint", *(f"tile/{kind}/{part}" for kind in ("0", "entries") for part in ("", ".p/")),
                       "tile/1/.p/"}
    chance = random.Random(5)
    for path in log.files():
        length = path.stat().st_size
        for at in (0, chance.randrange(length), length - 1):
            flipped(path, at)
            passed = [log.verify(check=False).returncode == 0, by_xmod()[0], by_fsck()[0]]
            assert passed == [False] * 3, f"{path} with byte {at} changed: {passed}"
            flipped(path, at)
    sound()

    proof = tmp_path / "record.tlog-proof"
    for index in (0, 255, 256, size - 1):
        proof.write_text(log.gateway.cli("ledger", "prove", str(index)).stdout)
        done = subprocess.run([tlog, log.folder, log.vkey, proof], capture_output=True, text=True)
        assert done.stdout == f"{index} of {size}\n", done.stderr

    # Grown: the same directory goes on, and theirs still find every older size in it.
    task = log.gateway.open_task(["up/echo"], calls=130)
    client = log.gateway.mcp(task)
    for i in range(130):
        assert client.call("up__echo", {"a": i}).result
    covered(log.gateway, size + 260)
    old = shutil.copytree(log.folder, tmp_path / "old")
    log.gateway.cli("ledger", "tiles", "--out", log.folder)
    sound()
    for path in (path for path in old.rglob("*") if path.is_file() and path.name != "checkpoint"):
        now = log.folder / path.relative_to(old)
        assert not now.exists() or now.read_bytes() == path.read_bytes()

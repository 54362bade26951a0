"""`ambit serve` as a whole: who runs as whom, what comes back, how it ends.

Run by: /usr/bin/python3 -m pytest tests/system (AMBIT=path of the program, else build/*/src/cmd/ambit, newest).
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROLES = {"edge", "core", "keeper", "runner", "publisher"}
UID_BASE = 62900
IS_ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not IS_ROOT, reason="uids of their own need root")

STDIO_SERVER = """
import json, os, sys
for line in sys.stdin:
    m = json.loads(line)
    if "id" in m:
        def can(f):
            try:
                f()
                return True
            except OSError:
                return False
        seen = {"pid": os.getpid(), "uid": os.getuid(), "home": os.environ["HOME"], "env": sorted(os.environ),
                "read_state": can(lambda: os.listdir(os.environ["HOME"] + "/../../secrets")),
                "read_etc_shadow": can(lambda: open("/etc/shadow")),
                "write_home": can(lambda: open(os.environ["HOME"] + "/x", "w"))}
        print(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": {"seen": seen}}), flush=True)
"""


def program():
    if os.environ.get("AMBIT"):
        return os.environ["AMBIT"]
    found = sorted(ROOT.glob("build/*/src/cmd/ambit"), key=lambda p: p.stat().st_mtime)
    if not found:
        pytest.skip("ambit is not built")
    return str(found[-1])


def wait_for(what, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def status_of(pid):
    return dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


class Gateway:
    def __init__(self, folder):
        self.folder = folder
        self.log_path = folder / "log"
        self.config = {
            "trustDomain": "t.example",
            "listen": [{"address": "127.0.0.1:0", "bearer": True}],
            "people": {"anna": {"roles": ["owner"]}},
            "mcpServers": {
                "see": {
                    "command": "/usr/bin/python3",
                    "args": [str(folder / "server" / "server.py")],
                    "sandbox": {"read": [str(folder / "server")]},
                }
            },
        }
        (folder / "server").mkdir()
        (folder / "server" / "server.py").write_text(STDIO_SERVER)
        self.process = None

    def start(self, wait=True):
        (self.folder / "ambit.json").write_text(json.dumps(self.config))
        self.log_path.write_text("")
        self.process = subprocess.Popen(
            [program(), "serve", "-c", str(self.folder / "ambit.json")], stderr=self.log_path.open("w")
        )
        if wait:
            return wait_for(lambda: self.logged("ready"))
        return None

    def lines(self):
        return [json.loads(l) for l in self.log_path.read_text().splitlines() if l.startswith("{")]

    def logged(self, message, **fields):
        for l in self.lines():
            if l["message"] == message and all(l.get(k) == v for k, v in fields.items()):
                return l
        return None

    def count(self, message, **fields):
        return sum(
            l["message"] == message and all(l.get(k) == v for k, v in fields.items()) for l in self.lines()
        )

    def roles(self):
        out = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True
        ).stdout
        found = {}
        for line in out.splitlines():
            pid, *args = line.split()
            if args[1:2] == ["role"]:
                found[args[2]] = int(pid)
        return found

    def stop(self, signo=signal.SIGTERM):
        self.process.send_signal(signo)
        return self.process.wait(15)


@pytest.fixture
def gateway():
    folder = Path(tempfile.mkdtemp(prefix="ambit-test-"))
    folder.chmod(0o755)
    g = Gateway(folder)
    yield g
    if g.process and g.process.poll() is None:
        g.process.kill()
        g.process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def test_starts_and_drains(gateway):
    ready = gateway.start()
    assert ready["ms"] < 5000
    host, port = ready["listen"].rsplit(":", 1)
    socket.create_connection((host, int(port)), 2).close()
    assert set(gateway.roles()) == ROLES
    assert gateway.stop() == 0
    assert gateway.logged("stopped")
    assert not gateway.count("not everything had drained in time")
    assert not (gateway.folder / "state" / "agent.sock").exists()


def test_interrupt_drains_too(gateway):
    gateway.start()
    assert gateway.stop(signal.SIGINT) == 0


def test_each_role_is_walled_in(gateway):
    gateway.start()
    uids = set()
    for pid in gateway.roles().values():
        status = status_of(pid)
        assert status["NoNewPrivs"].strip() == "1"
        assert status["Seccomp"].strip() == "2"
        uids.add(status["Uid"].split()[0])
    if IS_ROOT:
        assert uids == {str(UID_BASE + i) for i in (0, 1, 2, 3, 9)}


CONFIGURED = {
    "workload": {"identity": {"workloadSocket": "workload.sock"}},
    "portal": {"portal": {"listen": "127.0.0.1:0"}},
}


def with_all_roles(gateway):
    for members in CONFIGURED.values():
        gateway.config.update(members)
    gateway.start()
    return gateway.roles()


def test_roles_that_are_configured_start_walled_in_and_drain(gateway):
    roles = with_all_roles(gateway)
    assert set(roles) == ROLES | set(CONFIGURED)
    uids = {"workload": UID_BASE + 5, "portal": UID_BASE + 6}
    for name in CONFIGURED:
        status = status_of(roles[name])
        assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
        assert int(status["CapEff"], 16) == 0 or not IS_ROOT
        assert not IS_ROOT or status["Uid"].split()[0] == str(uids[name])
    assert gateway.stop() == 0
    assert not gateway.count("not everything had drained in time")


@pytest.mark.parametrize("name", sorted(CONFIGURED))
def test_a_killed_role_that_was_configured_comes_back(gateway, name):
    before = with_all_roles(gateway)
    os.kill(before[name], signal.SIGKILL)
    wait_for(lambda: gateway.logged("role is back", of=name))
    after = wait_for(lambda: (r := gateway.roles()) and set(r) == ROLES | set(CONFIGURED) and r)
    assert after[name] != before[name] and after["core"] == before["core"]


@as_root
def test_capabilities_and_groups(gateway):
    gateway.start()
    for name, pid in gateway.roles().items():
        status = status_of(pid)
        # The runner gives children a uid of their own and ends them: SETGID, SETUID, KILL.
        expected = 0xE0 if name == "runner" else 0
        assert int(status["CapEff"], 16) == expected
        assert int(status["CapBnd"], 16) == expected
        assert status["Groups"].strip() == ""
    boss = status_of(gateway.process.pid)
    assert boss["NoNewPrivs"].strip() == "1"
    assert int(boss["CapEff"], 16) & ~0x1E0 == 0


@as_root
def test_files_belong_to_their_roles(gateway):
    gateway.start()
    state = gateway.folder / "state"
    for name, uid in {"store": 1, "keys": 2, "secrets": 2}.items():
        st = (state / name).stat()
        assert st.st_uid == UID_BASE + uid
        assert st.st_mode & 0o777 == 0o700
    st = (state / "run" / "runner.sock").stat()
    assert st.st_uid == UID_BASE and st.st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", sorted(ROLES))
def test_a_killed_role_comes_back(gateway, name):
    gateway.start()
    before = gateway.roles()
    os.kill(before[name], signal.SIGKILL)
    wait_for(lambda: gateway.logged("role is back", of=name))
    after = wait_for(lambda: (r := gateway.roles()) and set(r) == ROLES and r)
    assert after[name] != before[name]
    assert {k: v for k, v in after.items() if k != name} == {k: v for k, v in before.items() if k != name}
    assert gateway.stop() == 0


def test_back_off_grows(gateway):
    gateway.start()
    times = []
    for i in range(3):
        pid = wait_for(lambda: gateway.roles().get("edge"))
        begin = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: gateway.count("role is back", of="edge") > i)
        times.append(time.monotonic() - begin)
    assert times[0] >= 0.1 and times[1] >= 0.2 and times[2] >= 0.4


def test_roles_die_with_the_supervisor(gateway):
    gateway.start()
    pids = list(gateway.roles().values())
    gateway.process.kill()
    gateway.process.wait()

    def all_gone():
        return not any(Path(f"/proc/{p}").exists() and "State:\tZ" not in Path(f"/proc/{p}/status").read_text() for p in pids)

    wait_for(all_gone, 5)
    # Sockets that were left behind are no hindrance, and neither is the lock.
    gateway.start()
    assert gateway.stop() == 0


def test_second_instance_is_refused(gateway):
    gateway.start()
    second = subprocess.run(
        [program(), "serve", "-c", str(gateway.folder / "ambit.json")], capture_output=True, text=True, timeout=15
    )
    assert second.returncode == 1
    assert str(gateway.process.pid) in second.stderr and "lock" in second.stderr
    assert set(gateway.roles()) == ROLES
    assert gateway.stop() == 0


def test_bad_configuration_is_reported(gateway):
    gateway.config["agents"] = {"x": {"owner": "nobody"}}
    gateway.start(wait=False)
    assert gateway.process.wait(15) == 78
    assert "agents.x.owner" in gateway.log_path.read_text()


def test_a_role_that_cannot_run_stops_everything(gateway):
    gateway.start()
    assert gateway.stop() == 0
    (gateway.folder / "state" / "keys" / "seal.key").write_bytes(b"short")
    gateway.start(wait=False)
    assert gateway.process.wait(15) == 78
    assert "keys/seal.key must hold exactly 32 bytes" in gateway.log_path.read_text()
    assert gateway.logged("stopped")


@pytest.mark.heavy
def test_a_role_that_does_not_drain_is_killed(gateway):
    gateway.start()
    os.kill(gateway.roles()["core"], signal.SIGSTOP)
    assert gateway.stop() == 0
    assert gateway.logged("not everything had drained in time")
    assert gateway.logged("role was ended by a signal", of="core")


def test_hangup_says_what_it_does_not_do(gateway):
    gateway.start()
    gateway.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "restart to apply" in gateway.log_path.read_text())
    assert set(gateway.roles()) == ROLES


@as_root
def test_closed_parent_folder_is_explained(gateway):
    closed = gateway.folder / "closed"
    closed.mkdir(mode=0o700)
    gateway.config["state"] = str(closed / "state")
    gateway.start(wait=False)
    assert gateway.process.wait(15) == 78
    assert "chmod o+x" in gateway.log_path.read_text()


def test_one_user_for_all(gateway):
    gateway.config["uidBase"] = 0
    gateway.start()
    assert {status_of(p)["Uid"].split()[0] for p in gateway.roles().values()} == {str(os.geteuid())}
    assert gateway.stop() == 0


# ---- the runner's socket, as the edge's uid ----

ASK = """
import http.client, os, socket, sys
uid = int(sys.argv[2])
if uid >= 0:
    os.setgroups([]); os.setgid(uid); os.setuid(uid)
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
c = http.client.HTTPConnection("runner"); c.sock = s
c.request("POST", "/see/t1", '{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
r = c.getresponse()
sys.stdout.write(r.read().decode())
"""


def ask_runner(gateway, uid):
    path = gateway.folder / "state" / "run" / "runner.sock"
    return subprocess.run([sys.executable, "-c", ASK, str(path), str(uid)], capture_output=True, text=True, timeout=30)


def test_child_program_in_its_world(gateway):
    gateway.start()
    done = ask_runner(gateway, UID_BASE if IS_ROOT else -1)
    assert done.stdout, done.stderr + gateway.log_path.read_text()
    assert "result" in done.stdout, done.stdout + gateway.log_path.read_text()
    seen = json.loads(done.stdout)["result"]["seen"]
    assert seen["env"] == ["HOME", "LANG", "PATH", "TMPDIR"] or "LC_CTYPE" in seen["env"]
    assert seen["write_home"] and not seen["read_state"] and not seen["read_etc_shadow"]
    status = status_of(seen["pid"])
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    assert int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0
    if IS_ROOT:
        assert seen["uid"] == UID_BASE + 4
    assert gateway.stop() == 0
    assert not Path(f"/proc/{seen['pid']}").exists()


@as_root
def test_runner_serves_the_edge_alone(gateway):
    gateway.start()
    assert not ask_runner(gateway, 0).stdout  # root may connect, but is not the edge
    assert "Permission" in ask_runner(gateway, UID_BASE + 9).stderr
    wait_for(lambda: gateway.logged("a stranger at the runner's socket"))


# ---- secrets ----


def secret(gateway, *args, value=None):
    return subprocess.run(
        [program(), "secret", "-c", str(gateway.folder / "ambit.json"), *args],
        input=value,
        capture_output=True,
        text=True,
        timeout=15,
    )


@pytest.mark.parametrize("running", [False, True])
def test_secret_command(gateway, running):
    gateway.start()
    if not running:
        gateway.stop()
    assert secret(gateway, "set", "api", value="the value\n").returncode == 0
    assert secret(gateway, "list").stdout.split()[0] == "api"
    stored = gateway.folder / "state" / "secrets" / "api"
    assert stored.stat().st_uid == (UID_BASE + 2 if IS_ROOT else os.geteuid())
    assert stored.stat().st_mode & 0o777 == 0o600
    assert b"the value" not in stored.read_bytes()
    for bad in ["", "\n", "two\nlines", "x" * 20000]:
        assert secret(gateway, "set", "bad", value=bad).returncode == 1
    assert secret(gateway, "set", "api", "value on the command line").returncode == 2
    assert secret(gateway, "remove", "api").returncode == 0
    assert secret(gateway, "remove", "api").returncode == 1
    assert secret(gateway, "list").stdout == ""


def test_secret_before_the_first_start(gateway):
    (gateway.folder / "ambit.json").write_text(json.dumps(gateway.config))
    assert secret(gateway, "set", "api", value="v").returncode == 0
    gateway.start()
    assert secret(gateway, "list").stdout.split()[0] == "api"
    stored = gateway.folder / "state" / "secrets" / "api"
    assert stored.stat().st_uid == (UID_BASE + 2 if IS_ROOT else os.geteuid())
    assert gateway.stop() == 0

"""Which agent a local process is: the selectors of the configuration against the kernel's word, `ambit run`, and what
happens when the process ends, executes another program, or leaves its socket to a child."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from harness import ROOT, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="processes of several users need root")

PYTHON = os.path.realpath("/usr/bin/python3")
SCRIPT = ROOT / "tests/peers/local_agent.py"
UID, OTHER = 61001, 61002


class Process:
    """tests/peers/local_agent.py, by whichever program and user."""

    def __init__(self, command, user=None, groups=()):
        ids = {} if user is None else {"user": user, "group": user, "extra_groups": list(groups)}
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, cwd="/", **ids)

    def __call__(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"ended with {self.process.wait(5)}"
        return json.loads(answer)

    def is_agent(self):
        """Over a new connection."""
        self("connect")
        return self("ask").get("status") == 200

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def local(tmp_path):
    """local(gateway, program=PYTHON, user=UID, groups=(), run=None) -> Process"""
    made = []
    script = tmp_path / "local_agent.py"  # where every user can read it
    shutil.copy(SCRIPT, script)

    def make(g, program=PYTHON, user=UID, groups=(), run=None):
        command = [*(run or []), program, script, g.agent_path]
        made.append(Process(command, user, groups))
        return made[-1]

    yield make
    for p in made:
        p.end()


@pytest.fixture
def house(gateway, hostile):
    """house(**agents) -> a gateway where each of these agents has an open task with the tool up/echo"""
    def make(**agents):
        ready = {name: {"owner": "ann", "assessed": "2026-10-01", "ambit": ["*/*"], **a} for name, a in agents.items()}
        g = gateway(mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "read"}}}}, agents=ready)
        for name in agents:
            if not agents[name].get("suspended"):
                g.open_task(["up/echo"], agent=name)
        return g
    return make


def program(tmp_path, name="agentpy", extra=b""):
    """A program of its own that runs Python."""
    path = tmp_path / name
    path.write_bytes(pathlib.Path(PYTHON).read_bytes() + extra)
    path.chmod(0o755)
    return path


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def test_uid_gid_and_groups(house, local):
    g = house(a={"select": {"uid": UID, "groups": [61009]}}, b={"select": {"uid": OTHER, "gid": OTHER}})
    assert local(g, user=UID, groups=[61009, 61010]).is_agent()
    assert not local(g, user=UID, groups=[61010]).is_agent()
    assert local(g, user=OTHER).is_agent()
    assert not local(g, user=61003).is_agent()
    assert "no agent matches" in g.log


def test_path_of_the_program(house, local, tmp_path):
    mine, other = program(tmp_path), program(tmp_path, "other")
    g = house(a={"select": {"uid": UID, "path": str(mine)}})
    assert local(g, mine).is_agent()
    assert not local(g, other).is_agent()
    assert not local(g, mine, user=OTHER).is_agent()
    # A link to another program is that other program.
    (tmp_path / "link").symlink_to(other)
    assert not local(g, tmp_path / "link").is_agent()


def test_path_in_a_private_folder(house, local, tmp_path):
    private = tmp_path / "home"
    private.mkdir()
    os.chown(private, UID, UID)
    private.chmod(0o700)
    mine = program(private)
    assert local(house(a={"select": {"path": str(mine)}}), mine).is_agent()


def test_path_among_mounts_of_its_own_does_not_count(house, local, tmp_path):
    mine, other = program(tmp_path), program(tmp_path, "other")
    g = house(a={"select": {"uid": UID, "path": str(mine)}})
    unshare = ["unshare", "-m", "--propagation", "private", "sh", "-c"]
    same = [*unshare, f'exec setpriv --reuid {UID} --regid {UID} --clear-groups "$@"', "-"]
    fake = [*unshare, f'mount --bind {other} {mine}; exec setpriv --reuid {UID} --regid {UID} --clear-groups "$@"', "-"]
    assert local(g, mine, user=None, run=same).is_agent()
    assert not local(g, mine, user=None, run=fake).is_agent()
    assert "its path is another file" in g.log


def test_sha256_of_the_program(house, local, tmp_path):
    mine = program(tmp_path, extra=b"mine")
    g = house(a={"select": {"sha256": ["0" * 64, sha256(mine)]}})
    assert local(g, mine).is_agent()
    assert not local(g, PYTHON).is_agent()
    moved = tmp_path / "moved"
    shutil.copy2(mine, moved)
    p = local(g, moved)
    assert p.is_agent()  # the same bytes under another name
    p.end()  # what is executed cannot be written to
    with open(moved, "ab") as f:
        f.write(b"!")
    assert not local(g, moved).is_agent()


def test_exactly_one_agent_must_match(house, local, tmp_path):
    mine = program(tmp_path)
    g = house(a={"select": {"uid": UID}}, b={"select": {"path": str(mine)}})
    assert local(g).is_agent()
    assert not local(g, mine).is_agent()
    [line] = [json.loads(l) for l in g.log.splitlines() if "several agents match" in l]
    assert line["matching"] == "a, b" and line["uid"] == UID


def test_another_program_executed_later_is_not_the_agent(house, local, tmp_path):
    mine, other = program(tmp_path), program(tmp_path, "other")
    g = house(a={"select": {"uid": UID, "path": str(mine)}})
    p = local(g, mine)
    assert p.is_agent()
    p(f"exec {mine}")
    assert p("ask")["status"] == 200  # the same program again
    time.sleep(2.5)
    assert p("ask")["status"] == 200
    p(f"exec {other}")
    wait_until(lambda: p("ask").get("status") != 200, "the connection to lose its identity", 5)
    assert "another program or another user by now" in g.log
    assert not p.is_agent()


def test_an_inherited_socket_is_nobodys(house, local):
    g = house(a={"select": {"uid": UID}})
    p = local(g)
    assert p.is_agent()
    p("orphan")
    wait_until(lambda: "identity over" in g.log, "core to see the end of the process")
    assert p("ask").get("status") != 200
    assert p.is_agent()  # by itself it is one


def test_a_process_of_another_pid_namespace_that_is_not_seen_is_refused(house, local, ambit_binary):
    """From a gateway in a PID namespace of its own, we are pid 0."""
    # The agent is outside of what core sees, so the kernel names no process.
    g = house(a={"select": {"uid": UID}})
    inner = [*"unshare -p -f --mount-proc".split(), ambit_binary, "serve", "-c", g.config_path]
    g.stop()
    log = g.dir / "inner.log"
    with open(log, "wb") as out:
        served = subprocess.Popen([str(c) for c in inner], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: '"ready"' in log.read_text() or "ready" in log.read_text(), "the inner gateway", 20)
        assert not local(g).is_agent()
        wait_until(lambda: "does not name the process" in log.read_text(), "the refusal in the log")
    finally:
        for child in pathlib.Path(f"/proc/{served.pid}/task/{served.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGTERM)
        served.wait(20)


def start_as(pid, start):
    """Calls start() until the process that it starts has this number. In our own PID namespace the kernel lets root
    say which number was given last."""
    for _ in range(50):
        pathlib.Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        p = start()
        if p.process.pid == pid:
            return p
        p.end()
    pytest.skip("this machine does not let us choose a process number")


def test_a_number_that_is_used_again_is_another_process(house, local, ambit_binary):
    g = house(a={"launch": {"uid": 0}}, b={"select": {"uid": UID}})
    launched = local(g, user=None, run=launcher(g, ambit_binary))
    assert launched.is_agent()
    pid = launched.process.pid
    launched.end()
    again = start_as(pid, lambda: local(g, user=None))
    assert not again.is_agent()
    again.end()
    # An inherited socket of the one is not of the other, though the number is the same.
    first = local(g)
    assert first.is_agent()
    pid = first.process.pid
    first("orphan")
    first.process.wait()
    other = start_as(pid, lambda: local(g))
    assert first("ask").get("status") != 200
    assert other.is_agent()
    instances = [json.loads(line)["instance"] for line in g.log.splitlines() if '"process attested"' in line]
    assert len({i for i in instances if i.startswith(f"pid-{pid}-")}) == 2, instances


def test_closed_connections_leave_nothing_behind(house, local):
    g = house(a={"select": {"uid": UID}})
    p = local(g)
    assert p.is_agent()
    core = g.role_pid("core")
    before = len(os.listdir(f"/proc/{core}/fd"))
    for _ in range(50):
        assert p.is_agent()
    wait_until(lambda: len(os.listdir(f"/proc/{core}/fd")) <= before + 1, "core to forget them")


def test_the_witness_has_one_capability_and_can_only_read(house, tmp_path):
    g = house(a={"select": {"uid": UID, "path": "/bin/x"}})
    status = pathlib.Path(f"/proc/{g.role_pid('witness')}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["CapPrm"], 16) == int(fields["CapEff"], 16) == 1 << 19  # CAP_SYS_PTRACE
    assert fields["Seccomp"].strip() == "2" and fields["NoNewPrivs"].strip() == "1"
    assert fields["Uid"].split()[0] != "0"


def test_no_witness_where_nobody_asks_for_a_program(house):
    g = house(a={"select": {"uid": UID}})
    with pytest.raises(AssertionError):
        g.role_pid("witness")
    status = pathlib.Path(f"/proc/{g.process.pid}/status").read_text()
    assert all(int(line.split()[1], 16) & 1 << 19 == 0 for line in status.splitlines() if line.startswith("Cap"))


def test_a_witness_that_dies_comes_back(house, local, tmp_path):
    mine = program(tmp_path)
    g = house(a={"select": {"path": str(mine)}})
    p = local(g, mine)
    assert p.is_agent()
    os.kill(g.role_pid("witness"), signal.SIGKILL)
    wait_until(lambda: p.is_agent(), "attestation to work again", 10)


# --- ambit run ------------------------------------------------------------------------------------------------


def launcher(g, binary, *more):
    return [binary, "run", "--socket", g.state / "launch.sock", *more, "--"]


def test_run_makes_the_program_an_agent(house, local, ambit_binary):
    g = house(a={"launch": {"uid": 0}})
    run = launcher(g, ambit_binary, "--agent", "a")
    p = local(g, user=None, run=run)
    assert p.is_agent()
    assert not local(g, user=None).is_agent()  # the same user and program, not launched
    # The same process, whatever it executes; not its children.
    p(f"exec {PYTHON}")
    assert p.is_agent()
    pid = p("pid")["pid"]
    assert pid == p.process.pid  # it became the program
    p("child")
    assert not p.is_agent()


def test_run_as_another_user(house, local, ambit_binary):
    g = house(a={"launch": {"uid": 0}})
    p = local(g, user=None, run=launcher(g, ambit_binary, "--user", "nobody"))
    assert p.is_agent()
    status = pathlib.Path(f"/proc/{p.process.pid}/status").read_text()
    assert "\nUid:\t65534\t65534\t65534\t65534\n" in status


def test_descendants_where_the_configuration_says_so(house, local, ambit_binary):
    g = house(a={"launch": {"uid": 0, "descendants": True}})
    p = local(g, user=None, run=launcher(g, ambit_binary))
    assert p.is_agent()
    p("child")
    p("child")
    assert p.is_agent()
    p("orphan")  # its parent is nobody's now
    assert not p.is_agent()


def test_identity_ends_with_the_launched_process(house, local, ambit_binary):
    g = house(a={"launch": {"uid": 0, "descendants": True}})
    p = local(g, user=None, run=launcher(g, ambit_binary))
    p("child")
    assert p.is_agent()
    os.kill(p.process.pid, signal.SIGKILL)
    wait_until(lambda: p("ask").get("status") != 200, "the child to lose it", 5)
    assert not p.is_agent()
    assert "launch over" in g.log


def run(g, binary, *words, user=None, env=None):
    ids = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    return subprocess.run([str(w) for w in (*launcher(g, binary)[:-1], *words)], capture_output=True, text=True,
                          timeout=30, cwd="/", env={**os.environ, **(env or {})}, **ids)


def test_who_may_launch(house, ambit_binary):
    g = house(a={"launch": {"uid": UID}}, b={"launch": {"uid": UID}}, c={"select": {"uid": UID}},
              d={"launch": {"uid": UID}, "suspended": True})
    ok = run(g, ambit_binary, "--agent", "a", "--", "true", user=UID)
    assert ok.returncode == 0, ok.stderr
    for words, user, why in [
            (("--agent", "a"), OTHER, "no agent of the configuration matches"),
            ((), UID, "several agents of the configuration match"),
            (("--agent", "c"), UID, "no agent of the configuration matches"),
            (("--agent", "d"), UID, "suspended"),
            (("--agent", "x"), UID, "no agent of this name")]:
        done = run(g, ambit_binary, *words, "--", "true", user=user)
        assert done.returncode == 1 and why in done.stderr, done


def test_exit_status_signals_and_environment(house, ambit_binary, tmp_path):
    g = house(a={"launch": {"uid": 0}})
    assert run(g, ambit_binary, "--", "sh", "-c", "exit 7").returncode == 7
    assert run(g, ambit_binary, "--", "sh", "-c", "kill -TERM $$").returncode == -signal.SIGTERM
    assert run(g, ambit_binary, "--", "/no/such/program").returncode == 127
    assert run(g, ambit_binary, "--", "/etc/passwd").returncode == 126
    env = run(g, ambit_binary, "--", "env", env={"SPIFFE_ENDPOINT_SOCKET": "unix:///of/another"}).stdout
    assert f"AMBIT_AGENT_SOCKET={g.agent_path}\n" in env
    assert "SPIFFE_ENDPOINT_SOCKET" not in env  # this gateway has no Workload API
    fds = run(g, ambit_binary, "--", "ls", "/proc/self/fd").stdout.split()
    assert len(fds) == 4, fds  # 0, 1, 2 and the folder
    assert run(g, ambit_binary, "--").returncode == 2


def test_no_launch_socket_where_nobody_is_launched(house):
    assert not (house(a={"select": {"uid": UID}}).state / "launch.sock").exists()

"""What each role has: its uid, no capability, a filter of system calls, and no descriptor too many."""

import os
import pathlib
import re

import pytest

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="uids of their own, and other users' descriptors, need root")
ROLES = ["edge", "core", "keeper", "runner", "publisher"]


def status(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                if ":\t" in line)


def descriptors(pid):
    return {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}


def sockets_of(pid):
    """{inode: protocol} of the sockets that the process holds."""
    inodes = {re.search(r"\d+", target)[0] for target in descriptors(pid).values() if target.startswith("socket:")}
    found = {}
    for protocol, column in (("tcp", 9), ("tcp6", 9), ("udp", 9), ("udp6", 9), ("raw", 9), ("unix", 6), ("packet", 8),
                             ("netlink", 9)):
        path = pathlib.Path(f"/proc/{pid}/net/{protocol}")
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            words = line.split()
            if len(words) > column and words[column] in inodes:
                found[words[column]] = (protocol, words[7] if protocol == "unix" and len(words) > 7 else "")
    assert set(found) == inodes, "a socket of an unknown kind"
    return sorted(found.values())


@pytest.fixture
def busy(desk):
    """After work, so that what is opened on the way is seen too."""
    agent = desk.mcp(desk.open_task(["help/read_ticket"]))
    for _ in range(3):
        agent.call("help__read_ticket", {"ticket": 1})
    return desk


@as_root
def test_each_role_is_a_user_of_its_own(busy):
    uids = {}
    for role in ROLES:
        s = status(busy.role_pid(role))
        uid, gid = s["Uid"].split(), s["Gid"].split()
        assert len(set(uid)) == len(set(gid)) == 1 and uid[0] != "0" and gid[0] != "0", role
        assert s["Groups"].split() in ([], [gid[0]]), f"{role}: {s['Groups']}"
        uids[role] = uid[0]
    assert len(set(uids.values())) == len(ROLES), uids


@as_root
def test_no_role_has_a_capability_or_can_get_one(busy):
    setuid_setgid_kill = 1 << 7 | 1 << 6 | 1 << 5
    for role in ROLES:
        s = status(busy.role_pid(role))
        allowed = setuid_setgid_kill if role == "runner" else 0
        assert s["NoNewPrivs"].strip() == "1", role
        for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert int(s[name], 16) & ~allowed == 0, f"{role} {name} {s[name]}"


def test_every_role_has_a_filter_of_system_calls(busy):
    for role in ROLES:
        for thread in pathlib.Path(f"/proc/{busy.role_pid(role)}/task").iterdir():
            assert status(thread.name)["Seccomp"].strip() == "2", f"{role} thread {thread.name}"


@as_root
def test_keeper_has_nothing_but_its_channels_and_folders(busy):
    pid = busy.role_pid("keeper")
    kinds = sockets_of(pid)
    assert all(kind == ("unix", "") for kind in kinds), kinds
    assert len(kinds) == 4, "to the supervisor, core, the edge and the runner"
    files = {target for target in descriptors(pid).values() if target.startswith("/")}
    below = str(busy.state)
    assert {f for f in files if not f.startswith(("/dev/null", f"{below}/keys", f"{below}/secrets"))} <= \
        {str(busy.log_path)}, files


@as_root
def test_core_has_no_network(busy):
    kinds = sockets_of(busy.role_pid("core"))
    assert {kind for kind, _ in kinds} == {"unix"}, kinds
    named = {path for _, path in kinds if path}
    assert named == {str(busy.agent_path), str(busy.control_path)}, named
    files = {t for t in descriptors(busy.role_pid("core")).values() if t.startswith("/")}
    assert all(f.startswith(("/dev/null", f"{busy.state}/store", str(busy.log_path))) for f in files), files


@as_root
def test_edge_holds_no_file_and_runner_no_network(busy):
    files = {t for t in descriptors(busy.role_pid("edge")).values() if t.startswith("/")}
    assert files <= {"/dev/null", str(busy.log_path)}, files
    kinds = sockets_of(busy.role_pid("runner"))
    assert {kind for kind, _ in kinds} == {"unix"}, kinds


@as_root
def test_descriptors_are_few_and_do_not_grow(busy):
    agent = busy.mcp(busy.open_task(["help/read_ticket"], calls=1000))
    agent.call("help__read_ticket", {"ticket": 1})
    before = {role: len(descriptors(busy.role_pid(role))) for role in ROLES}
    for _ in range(200):
        agent.call("help__read_ticket", {"ticket": 1})
    after = {role: len(descriptors(busy.role_pid(role))) for role in ROLES}
    assert after == before
    assert all(n <= 40 for n in after.values()), after


@as_root
def test_supervisor_keeps_little(busy):
    """To give roles their uid, to end them, and to take from them what itself still has (SETPCAP)."""
    kept = 1 << 8 | 1 << 7 | 1 << 6 | 1 << 5
    s = status(busy.process.pid)
    for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
        assert int(s[name], 16) & ~kept == 0, f"{name} {s[name]}"


@as_root
def test_folders_are_closed_to_others(busy):
    for name, mode in (("store", 0o700), ("keys", 0o700), ("secrets", 0o700), ("log", 0o750)):
        st = (busy.state / name).stat()
        assert st.st_mode & 0o7777 == mode and st.st_uid != 0, name
        for path in (busy.state / name).rglob("*"):
            closed = 0o027 if name == "log" else 0o077  # the log may be served by a group
            assert path.is_dir() or path.stat().st_mode & closed == 0, path

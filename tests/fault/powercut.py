"""Power cuts, at the level of blocks: the store's driver works on ext4 on a device whose every write and flush is logged
(qemu-storage-daemon, blklogwrites, exported through FUSE); from the log the disk is put together as a cut would leave it,
mounted (which recovers its journal), judged, and checked by e2fsck.

What a cut leaves: all writes before the last flush before it; of those after, a random choice, in which each may also be
torn at a sector. Where sectors overlap, the later write wins. What was said when the log had n entries is owed by every
cut at n or later. A control run has its syncs removed by strace: it must be condemned, or nothing is proved.

Needs root, /dev/fuse and loop devices. All mounts are in a namespace of this process's own, and end with it:

    python3 tests/fault/powercut.py CUTS [nosync [SEED]]      prints one JSON object
"""

import collections
import concurrent.futures
import ctypes
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import syscalls  # noqa: E402

SECTOR = 512
FLUSH, FUA, DISCARD = 1, 2, 4
MAGIC = 0x6A736677736872
DISK_BYTES = 48 << 20
CALLS = 150
TOOLS = ["qemu-storage-daemon", "mkfs.ext4", "e2fsck", "strace", "mount", "umount"]
NO_SYNC = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:retval=0"]
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18

Write = collections.namedtuple("Write", "offset data flags")


def sh(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done


def missing():
    """Why it cannot run here, or nothing."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    absent = [tool for tool in TOOLS if not shutil.which(tool)]
    if absent:
        return f"not installed: {' '.join(absent)}"
    if os.geteuid() != 0:
        return "needs root"
    if not os.path.exists("/dev/fuse") or not os.path.exists("/dev/loop-control"):
        return "no FUSE or no loop devices here"
    with tempfile.TemporaryDirectory(prefix="ambit-probe-") as folder:
        image = pathlib.Path(folder, "image")
        subprocess.run(["truncate", "-s", "4M", image], check=True)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        pathlib.Path(folder, "on").mkdir()
        script = f"mount -o loop {image} {folder}/on && umount {folder}/on"
        probe = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True)
        return "" if probe.returncode == 0 else "loop devices may not be mounted here"


def own_mounts():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "no mount namespace of its own")


# --- the run whose writes are logged ---------------------------------------------------------------------------


class Device:
    """A file that is a disk: what is written to `exported` goes to an image and, in order, to `log`."""

    def __init__(self, folder):
        self.image, self.log, self.exported = folder / "image", folder / "log", folder / "exported"
        for path, size in ((self.image, DISK_BYTES), (self.log, 0), (self.exported, 0)):
            with open(path, "wb") as f:
                f.truncate(size)
        self.daemon = subprocess.Popen(
            ["qemu-storage-daemon", "--blockdev", f"driver=file,node-name=disk,filename={self.image}",
             "--blockdev", f"driver=file,node-name=log,filename={self.log}",
             "--blockdev", "driver=blklogwrites,node-name=logged,file=disk,log=log,log-super-update-interval=1",
             "--export", f"type=fuse,id=export,node-name=logged,mountpoint={self.exported},writable=on"],
            stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 10
        while self.exported.stat().st_size != DISK_BYTES:
            assert self.daemon.poll() is None, self.daemon.stderr.read()
            assert time.monotonic() < deadline, "the export did not appear"
            time.sleep(0.02)

    def end(self):
        self.daemon.terminate()
        self.daemon.wait(20)


def entries(path):
    """The log (dm-log-writes): a superblock, then of each write a header of one sector and its data."""
    with open(path, "rb") as f:
        magic, _, count, size = struct.unpack("<QQQI", f.read(28))
        assert magic == MAGIC, "not a log of writes"
        f.seek(size)
        for _ in range(count):
            sector, sectors, flags, _ = struct.unpack("<QQQQ", f.read(size)[:32])
            data = b"" if flags & DISCARD else f.read(sectors * size)
            yield Write(sector * size, data, flags)


def record(folder, sync=True):
    """The driver's run: (writes, index of the first of the run itself)."""
    device, on = Device(folder), folder / "on"
    on.mkdir()
    try:
        sh("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", "-J", "size=4", device.exported)
        sh("mount", "-o", "loop", device.exported, on)
        try:
            sh("sync", "-f", on)
            first = len(list(entries(device.log)))
            run = subprocess.run([*([] if sync else NO_SYNC), syscalls.DRIVER, "run", on / "store", folder / "said",
                                  folder / "forwarded", str(CALLS), device.log],
                                 env=syscalls.ENV, capture_output=True, text=True, timeout=300)
            assert run.returncode == 0, run.stderr
        finally:
            sh("umount", on)
    finally:
        device.end()
    return list(entries(device.log)), first


# --- what a cut leaves -------------------------------------------------------------------------------------------


def survivors(writes, choice):
    """Of the writes since the last flush, in order: all, none of some, or some of their sectors."""
    keep = choice.choice((0.1, 0.5, 0.9, 1.0))
    for write in writes:
        if choice.random() > keep:
            continue
        if len(write.data) > SECTOR and choice.random() < 0.2:
            for at in range(0, len(write.data), SECTOR):
                if choice.random() < 0.5:
                    yield Write(write.offset + at, write.data[at:at + SECTOR], 0)
        else:
            yield write


def put(image, writes):
    for write in writes:
        if write.data:
            image.seek(write.offset)
            image.write(write.data)


def plan(writes, first, cuts, seed):
    """Cut points, ascending: (entries written, seed of its choice, or None for just after a flush)."""
    choice = random.Random(seed)
    flushes = [i + 1 for i in range(first, len(writes)) if writes[i].flags & (FLUSH | FUA)]
    exact = syscalls.sample(flushes, max(2, cuts // 2))
    rest = [choice.randrange(first + 1, len(writes) + 1) for _ in range(cuts - len(exact))]
    return sorted([(n, None) for n in exact] + [(n, choice.randrange(1 << 30)) for n in rest], key=lambda cut: cut[0])


def disks(writes, points, folder):
    """For each point in turn an image of the disk as the cut leaves it."""
    base, done = folder / "base", 0
    with open(base, "w+b") as image:
        image.truncate(DISK_BYTES)
        for i, (n, seed) in enumerate(points):
            flushed = max((j + 1 for j in range(done, n) if writes[j].flags & FLUSH), default=done)
            put(image, writes[done:flushed])
            image.flush()
            done = flushed
            disk = folder / f"disk{i}"
            sh("cp", "--sparse=always", base, disk)
            with open(disk, "r+b") as cut:
                put(cut, survivors(writes[done:n], random.Random(seed)) if seed is not None else writes[done:n])
            yield n, disk


def judge(folder, n, disk):
    """What is wrong with that disk, or nothing."""
    on = pathlib.Path(tempfile.mkdtemp(dir=folder))
    try:
        mounted = subprocess.run(["mount", "-o", "loop", disk, on], capture_output=True, text=True)
        if mounted.returncode != 0:
            return f"cut at {n}: does not mount: {mounted.stderr.strip()}"
        try:
            done = subprocess.run([syscalls.DRIVER, "check", on / "store", folder / "said", folder / "forwarded", str(n)],
                                  env=syscalls.ENV, capture_output=True, text=True, timeout=120)
        finally:
            sh("umount", on)
        if done.returncode != 0:
            return f"cut at {n}: {done.stderr.strip()}"
        fsck = subprocess.run(["e2fsck", "-fn", disk], capture_output=True, text=True)
        return "" if fsck.returncode == 0 else f"cut at {n}: e2fsck: {fsck.stdout.strip()}"
    finally:
        on.rmdir()
        disk.unlink()


def cut_power(cuts, sync=True, seed=1):
    with tempfile.TemporaryDirectory(prefix="ambit-cut-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:
        folder = pathlib.Path(name)
        writes, first = record(folder, sync)
        points = plan(writes, first, cuts, seed)
        problems = []
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            waiting = collections.deque()
            for n, disk in disks(writes, points, folder):
                waiting.append(pool.submit(judge, folder, n, disk))
                if len(waiting) >= 4:
                    problems.append(waiting.popleft().result())
            problems += [one.result() for one in waiting]
        said = folder.joinpath("said").read_text().splitlines()
        return {"cuts": len(points), "flushes": sum(bool(w.flags & FLUSH) for w in writes[first:]),
                "writes": len(writes) - first, "said": len(said), "owed_at_some_cut": sum(
                    int(line.split()[0]) <= points[-1][0] for line in said), "problems": [p for p in problems if p]}


if __name__ == "__main__":
    own_mounts()
    print(json.dumps(cut_power(int(sys.argv[1]), sync=sys.argv[2:3] != ["nosync"], seed=int(sys.argv[3]) if sys.argv[3:] else 1)))

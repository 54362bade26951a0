"""The published log: a directory of tiles that a process of its own keeps up with the database, whatever happens to
either. Read here by a reader of its own, which knows only the C2SP documents (tlog-tiles, tlog-checkpoint)."""

import base64
import hashlib
import os
import signal
import sqlite3
import sys

from harness import ROOT, wait_until

sys.path.insert(0, str(ROOT / "tests/fault"))
import record  # noqa: E402


def tile(folder, kind, n, width):
    """The n-th tile of that kind: the narrow file, or the full one, which holds it."""
    groups = [f"{n % 1000:03d}"]
    while n >= 1000:
        n //= 1000
        groups.insert(0, f"x{n % 1000:03d}")
    path = folder / "tile" / kind / "/".join(groups)
    narrow = path.with_name(path.name + ".p") / str(width)
    return (narrow if width < 256 and narrow.exists() else path).read_bytes()


def entries(folder, size):
    found = []
    for n in range((size + 255) // 256):
        width = min(256, size - 256 * n)
        data = tile(folder, "entries", n, width)
        for _ in range(width):
            length = int.from_bytes(data[:2], "big")
            found.append(data[2:2 + length])
            data = data[2 + length:]
    return found


def root(hashes):
    """RFC 9162 section 2.1.1."""
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\1" + root(hashes[:k]) + root(hashes[k:])).digest()


def checkpoint(g):
    origin, size, hash, *_ = (g.state / "log/checkpoint").read_text().split("\n")
    return origin, int(size), base64.b64decode(hash)


def check(g):
    """Everything the checkpoint covers is there, gives its root, and is what the database holds. Returns the size."""
    origin, size, claimed = checkpoint(g)
    found = entries(g.state / "log", size)
    leaves = [hashlib.sha256(b"\0" + entry).digest() for entry in found]
    assert len(found) == size and root(leaves) == claimed
    for n in range((size + 255) // 256):
        assert tile(g.state / "log", "0", n, min(256, size - 256 * n))[:32 * 256] \
            .startswith(b"".join(leaves[256 * n:256 * (n + 1)]))
    with sqlite3.connect(f"file:{g.state}/store/ambit.db?mode=ro", uri=True) as db:
        rows = [bytes(body) for (body,) in db.execute("SELECT body FROM leaf WHERE idx < ? ORDER BY idx", (size,))]
    assert rows == found
    return size


def leaves(g):
    with sqlite3.connect(f"file:{g.state}/store/ambit.db?mode=ro", uri=True) as db:
        return db.execute("SELECT count(*) FROM leaf").fetchone()[0]


def caught_up(g):
    wait_until(lambda: (g.state / "log/checkpoint").exists() and checkpoint(g)[1] == leaves(g), "all leaves are published")
    return check(g)


def busy(gateway, hostile):
    return gateway(mcpServers={"up": {"url": hostile.url, "operations": {"echo": {"effect": "read"}}}})


def call(g, times):
    token = g.token(g.open_task(["up/echo"], calls=times))
    assert record.Calls(g, token, [("up__echo", {"n": n}) for n in range(times)]).results() == ["ok"] * times


def test_the_log_follows_the_database(gateway, hostile):
    g = busy(gateway, hostile)
    first = caught_up(g)
    call(g, 200)
    assert caught_up(g) >= first + 400
    assert g.control("status")["ledgerProblem"] == ""


def test_calls_go_on_without_the_publisher_and_the_log_catches_up(gateway, hostile):
    g = busy(gateway, hostile)
    call(g, 20)
    os.kill(g.role_pid("publisher"), signal.SIGSTOP)
    before = checkpoint(g)
    call(g, 300)
    assert checkpoint(g) == before
    os.kill(g.role_pid("publisher"), signal.SIGKILL)
    assert caught_up(g) > before[1] + 600


def test_a_log_that_was_touched_is_written_again(gateway, hostile):
    g = busy(gateway, hostile)
    call(g, 140)
    size = caught_up(g)
    g.stop()
    n, width = size // 256, size % 256
    path = g.state / f"log/tile/entries/{n:03d}.p/{width}"
    data = bytearray(path.read_bytes())
    data[9] ^= 1
    path.write_bytes(data)
    g.start()
    assert caught_up(g) >= size
    assert "written again from the database" in g.log


def test_a_log_with_more_than_the_database_is_left_alone_and_said(gateway, hostile):
    """As after the restore of an old copy: what it holds is the only copy of what is missing."""
    g = busy(gateway, hostile)
    g.stop()
    old = (g.state / "store/ambit.db").read_bytes()
    g.start()
    call(g, 20)
    size = caught_up(g)
    g.stop()
    for name in ("ambit.db-wal", "ambit.db-shm"):
        (g.state / "store" / name).unlink(missing_ok=True)
    (g.state / "store/ambit.db").write_bytes(old)
    g.start()
    wait_until(lambda: "more leaves than the database" in g.control("status")["ledgerProblem"], "status says so")
    assert checkpoint(g)[1] == size

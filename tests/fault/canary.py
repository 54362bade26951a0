"""Looks for a secret where it must not be, in every form in which it could have been written down."""

import base64
import pathlib

PIECE = 16  # bytes of the secret that are as good as a find: freed memory is overwritten in part


def spellings(secret, pieces=False):
    """{form: bytes}. pieces: also parts of it, for memory."""
    raw = secret.encode()
    forms = {
        "raw": raw, "reversed": raw[::-1],
        "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode(),
        "percent": "".join(f"%{b:02X}" for b in raw).encode(),
        "percent, lower case": "".join(f"%{b:02x}" for b in raw).encode(),
        "UTF-16": secret.encode("utf-16-le"), "UTF-16, big-endian": secret.encode("utf-16-be"),
        "JSON escapes": "".join(f"\\u{b:04x}" for b in raw).encode(),
    }
    # In base64 of a longer text its place modulo 3 decides, and the characters at both ends depend on neighbours.
    for shift in range(3):
        usual = base64.b64encode(b"\0" * shift + raw)
        inner = usual[[0, 2, 3][shift]:(len(raw) + shift) // 3 * 4 - 4]
        forms[f"base64 at {shift}"] = inner
        forms[f"base64url at {shift}"] = inner.translate(bytes.maketrans(b"+/", b"-_"))
    if pieces:
        for at in range(0, len(raw) - PIECE + 1, 3):
            forms[f"bytes {at} to {at + PIECE}"] = raw[at:at + PIECE]
    return forms


def find(data, secret, pieces=False):
    """The forms of the secret that stand in data."""
    return [form for form, spelt in spellings(secret, pieces).items() if spelt in data]


def find_in_files(folder, secret):
    """{path: forms} of all files below."""
    hits = {}
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file() and not path.is_symlink():
            found = find(path.read_bytes(), secret)
            if found:
                hits[str(path)] = found
    return hits


def regions(pid):
    """(name, bytes) of every readable mapping of a process."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, rights, _, _, _, *name = line.split(None, 5)
            low, high = (int(x, 16) for x in span.split("-"))
            if rights[0] != "r" or (name and name[0].strip() in ("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            mem.seek(low)
            try:
                yield f"{span} {name[0].strip() if name else ''}", mem.read(high - low)
            except (OSError, ValueError):
                continue


def find_in_memory(pid, secret, pieces=True):
    """{mapping: forms}, and the bytes that were looked at."""
    hits, seen = {}, 0
    for name, data in regions(pid):
        seen += len(data)
        found = find(data, secret, pieces)
        if found:
            hits[name] = found
    return hits, seen

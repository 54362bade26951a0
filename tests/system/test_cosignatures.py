"""Checkpoints, cosignatures and log policies made and judged by torchwood, which knows nothing of Ambit: what it accepts,
`ambit ledger witness` accepts, and what it refuses is refused."""

import itertools
import json
import subprocess

from spiffe_peers import go_peer

POLICIES = [
    "quorum none",
    "quorum a",
    "group g any a b c\nquorum g",
    "group g 2 a b c\nquorum g",
    "group g all a b c\nquorum g",
    "group x any a b\ngroup g all x c\nquorum g",
    "group x all b c\ngroup g any x a\nquorum g",
]


def peer(*words, **how):
    return subprocess.run([go_peer("cosign_peer") / "cosign_peer", *map(str, words)], capture_output=True, text=True, **how)


def verdicts(ambit, folder, policy, note):
    """Whether torchwood and Ambit accept; and what Ambit said."""
    (folder / "policy").write_text(policy)
    (folder / "checkpoint").write_text(note)
    theirs = peer("judge", folder / "policy", input=note)
    ours = subprocess.run([ambit, "ledger", "witness", "--policy", folder / "policy", "--checkpoint", folder / "checkpoint"],
                          capture_output=True, text=True)
    assert theirs.returncode in (0, 1) and ours.returncode in (0, 1), (theirs, ours)
    return theirs.returncode == 0, ours.returncode == 0, ours.stdout + ours.stderr


def test_policies_are_judged_as_torchwood_does(ambit_binary, tmp_path):
    made = json.loads(peer("make", 3, 1234).stdout)
    head = f"log {made['log']}\n" + "".join(f"witness {name} {vkey}\n" for name, vkey in zip("abc", made["witnesses"]))
    seen = set()
    for policy, count in itertools.product(POLICIES, range(4)):
        for lines in itertools.combinations(made["lines"], count):
            theirs, ours, said = verdicts(ambit_binary, tmp_path, f"{head}{policy}\n", made["note"] + "".join(lines))
            assert theirs == ours, (policy, lines, said)
            seen.add(ours)
    assert seen == {True, False}


def test_altered_checkpoints_are_refused_by_both(ambit_binary, tmp_path):
    made, other = (json.loads(peer("make", 1, 1234).stdout) for _ in range(2))
    policy = f"log {made['log']}\nwitness a {made['witnesses'][0]}\nquorum a\n"
    good = made["note"] + made["lines"][0]
    assert verdicts(ambit_binary, tmp_path, policy, good)[:2] == (True, True)
    for note in (good.replace("\n1234\n", "\n1235\n"), good.replace("ambit.example/log\n", "ambit.example/lag\n", 1), made["note"],
                 other["note"] + made["lines"][0], made["note"] + other["lines"][0], other["note"] + other["lines"][0]):
        assert verdicts(ambit_binary, tmp_path, policy, note)[:2] == (False, False), note

"""Runs cases through the official engine and ours and reports where they differ; see run."""

import argparse
import collections
import json
import multiprocessing
import pathlib
import re
import secrets
import sys
import time

import compare
import engines
import generate
import shrink

CHUNK = 250
OUT = engines.ROOT / "build/cedar-differential"
BESIDE = []  # the folder of another version of the npm package
KNOWN = json.loads((engines.HERE / "differences.json").read_text())


def known(call, source, theirs, mine, how):
    """The entry of differences.json that explains a disagreement, if one does: where all that it names is met."""
    for entry in KNOWN:
        if (re.fullmatch(entry["call"], call) and how in entry["how"] and re.search(entry.get("input", ""), source)
                and re.search(entry.get("official", ""), json.dumps(theirs)) and re.search(entry.get("ours", ""), json.dumps(mine))):
            return entry["name"]
    return None


def check(official, cases):
    """Counts for these cases, and what differs as (case, theirs, mine, how)."""
    lines = [compare.line(*case) for case in cases]
    answers = official.answers(lines), other_engine(lines)
    theirs, mine = (compare.all_facts(official, cases, a) for a in answers)
    tally, different = collections.Counter(), []
    for case, a, b, raw_a, raw_b in zip(cases, theirs, mine, *answers):
        kind, call = case[0].split("/")[-1], case[1]
        tally[call, "cases"] += 1
        tally[kind, "cases"] += 1
        how = compare.difference(a, b)
        if a["type"] == "died":
            outcome = "died"
        elif how is None:
            outcome = outcome_of(a)
        else:
            outcome = known(call, case[2], raw_a, raw_b, how)
            outcome = f"known: {outcome}" if outcome else "DIFFER"
            if outcome == "DIFFER":
                different.append((case, raw_a, raw_b, how))
        tally[call, outcome] += 1
        tally[kind, outcome] += 1
    return tally, different


def outcome_of(a):
    if "decision" in a:
        return a["decision"] + (" by policies" if a["reason"] else " by default") + (", with errors" if a["errors"] else "")
    if "validation errors" in a:
        return "invalid" if a["validation errors"] else "valid"
    return a["type"]


def other_engine(lines):
    """What is put to the test: ours, unless another version of the official one was asked for."""
    if not BESIDE:
        return engines.ours(lines)
    if not hasattr(other_engine, "official"):
        other_engine.official = engines.Official(pathlib.Path(BESIDE[0]))
    return other_engine.official.answers(lines)


def work(given):
    """One chunk, in a process of its own that keeps its Node.js."""
    seed, first, count, kind = given
    if not hasattr(work, "official"):
        work.official = engines.Official()
    return check(work.official, [generate.case(seed, n, kind) for n in range(first, first + count)])


def report(tally, names, title):
    print(f"\n{title}")
    for name in names:
        rows = {outcome: n for (what, outcome), n in tally.items() if what == name and outcome != "cases"}
        if rows:
            shares = ", ".join(f"{outcome} {n}" for outcome, n in sorted(rows.items(), key=lambda row: -row[1]))
            print(f"  {name:30} {tally[name, 'cases']:7}  {shares}")


def keep(different, shrinks):
    """Writes each disagreement below OUT, the first of each way of differing made small."""
    OUT.mkdir(parents=True, exist_ok=True)
    for old in OUT.glob("*.json"):
        old.unlink()
    official = engines.Official()
    ways = collections.Counter()
    for at, (case, theirs, mine, how) in enumerate(different):
        way = (case[0].split("/")[-1], case[1], how)
        ways[way] += 1
        source = case[2]
        if ways[way] <= 3 and shrinks > 0:
            shrinks -= 1
            source = shrink.shrink(official, case[1], source, how)
            line = compare.line(case[0], case[1], source)
            theirs, mine = official.answers([line])[0], engines.ours([line])[0]
            print(f"\nDIFFER ({how}) {case[0]} {case[1]}\n  input    {source[:1500]}\n  official {json.dumps(theirs)[:600]}\n  ours     {json.dumps(mine)[:600]}")
        (OUT / f"{at:05}.json").write_text(json.dumps({"id": case[0], "call": case[1], "how": how, "input": source, "official": theirs, "ours": mine}, indent=1))
    print("\nways to differ:")
    for (kind, call, how), n in ways.most_common():
        print(f"  {n:5}  {kind}: {call}: {how}")
    official.close()


def replayed(paths):
    """Cases from files that `keep` wrote, or from lines of calls."""
    out = []
    for path in map(pathlib.Path, paths):
        text = path.read_text()
        if path.suffix == ".json":
            one = json.loads(text)
            out.append((one["id"], one["call"], one["input"]))
            continue
        for line in text.splitlines():
            head, _, source = line.partition(',"input":')
            head = json.loads(head + "}")
            out.append((f"{path.name}/{head['id']}", head["call"], source[:-1]))
    return out


def main():
    parser = argparse.ArgumentParser(prog="tests/cedar/run", description="The differential test of the Cedar engine against the official one.")
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", action="append", help="may be given more than once; default: a random one")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kind", choices=generate.BY_NAME)
    parser.add_argument("--shrinks", type=int, default=12, help="how many disagreements are made small")
    parser.add_argument("--replay", nargs="+", metavar="FILE", help="cases of an earlier run, or lines of calls")
    parser.add_argument("--beside", metavar="FOLDER", help="another version of the official package, in the place of ours")
    given = parser.parse_args()
    if given.beside:
        BESIDE.append(given.beside)
        KNOWN.clear()
        given.shrinks = 0
    missing = engines.absent()
    if missing:
        print(f"skipped: {missing}")
        return 77
    begin = time.monotonic()
    tally, different = collections.Counter(), []
    if given.replay:
        results = [check(engines.Official(), replayed(given.replay))]
        seeds = []
    else:
        seeds = given.seed or [secrets.token_hex(4)]
        each = -(-given.cases // len(seeds))
        chunks = [(s, given.first + n, min(CHUNK, each - n), given.kind) for s in seeds for n in range(0, each, CHUNK)]
        pool = multiprocessing.Pool(given.jobs)
        results = pool.imap_unordered(work, chunks)
    for counted, found in results:
        tally.update(counted)
        different += found
    different.sort(key=lambda d: len(d[0][2]))
    if seeds:
        print(f"seeds {' '.join(seeds)}")
    calls = sorted({what for what, _ in tally} - set(generate.BY_NAME))
    report(tally, calls, "by call")
    report(tally, generate.BY_NAME, "by kind of case")
    total = sum(n for (what, outcome), n in tally.items() if what in calls and outcome == "cases")
    print(f"\n{total} cases in {time.monotonic() - begin:.0f} s, {len(different)} disagreements that nothing explains")
    if different:
        keep(different, given.shrinks)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())

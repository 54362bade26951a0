"""Makes a disagreement small: tries every removal of one part at a time, keeps the smallest input that still differs in the
same way, and starts again from it."""

import json
import time

import compare
import engines
import mutate

BATCH = 24
SECONDS_MAX = 10.0


def smaller(value):
    """Copies of a JSON value with one part less."""
    if isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
        for key, inner in value.items():
            if isinstance(inner, (dict, list)) and isinstance(inner, type(value)):
                yield inner
            for less in smaller(inner):
                yield {**value, key: less}
    elif isinstance(value, list):
        for at in range(len(value)):
            yield value[:at] + value[at + 1:]
        for at, inner in enumerate(value):
            for less in smaller(inner):
                yield value[:at] + [less] + value[at + 1:]
    elif isinstance(value, str):
        yield from shorter(value)


def shorter(text):
    parts = mutate.tokens(text)
    if len(parts) == 1 and len(text) > 1:
        parts = list(text)
    size = len(parts) // 2
    while size:
        for at in range(0, len(parts) - size + 1, max(1, size // 2)):
            yield "".join(parts[:at] + parts[at + size:])
        size = size // 2 if size > 4 else size - 1


def differing(official, call, sources, wanted):
    """Of `sources`, those that differ in the wanted way."""
    cases = [("", call, s) for s in sources]
    lines = [compare.line(*case) for case in cases]
    theirs = compare.all_facts(official, cases, official.answers(lines))
    mine = compare.all_facts(official, cases, engines.ours(lines))
    return [s for s, a, b in zip(sources, theirs, mine) if compare.difference(a, b) == wanted]


def shrink(official, call, source, wanted):
    """The smallest input found, as JSON text."""
    try:
        if differing(official, call, [json.dumps(json.loads(source))], wanted) != []:
            source = json.dumps(json.loads(source))
    except (ValueError, UnicodeError):
        return source
    end = time.monotonic() + SECONDS_MAX
    while True:
        tries = sorted({json.dumps(v) for v in smaller(json.loads(source))}, key=len)
        found = first_found(official, call, [t for t in tries if len(t) < len(source)], wanted, end)
        if found is None:
            return source
        source = found


def first_found(official, call, tries, wanted, end):
    """The shortest of `tries`, or nearly, that still differs."""
    for at in range(0, len(tries), BATCH):
        if time.monotonic() > end:
            break
        found = differing(official, call, tries[at:at + BATCH], wanted)
        if found:
            return min(found, key=len)
    return None

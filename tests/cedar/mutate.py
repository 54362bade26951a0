"""Small damage: to the tokens of a text, and to the nodes of a JSON value."""

import re

import data
import words

TOKEN = re.compile(r'//[^\n]*|"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|\d+|::|&&|\|\||[=!<>]=|\s+|.', re.S)
INSERTS = ["(", ")", "{", "}", "[", "]", ",", ";", ":", "::", ".", "?", "@", "==", "=", "!=", "<", ">", "<=", "!", "-", "+", "*", "/", "%", "&&", "&", "||", "|", "in",
           "is", "has", "like", "if", "then", "else", "true", "false", "principal", "action", "resource", "context", "when", "unless", "permit", "forbid",
           "?principal", "?resource", '""', '"a"', "0", "1", "9223372036854775808", "//", "/*", "\\", "'", '"', "#", "entity", "type", "namespace", "appliesTo", "enum", "tags",
           "attributes", "Set", "Set<", "Long", "String", "Bool", "@a", "@if(\"x\")", "@a(\"x\")", "__cedar", "__cedar::", "Action", "\u00a0", "\ufeff", "\0", "é", "a.b", "::a", "_"]


def tokens(text):
    return TOKEN.findall(text)


def repeated(r, source):
    """One stretch between commas or semicolons twice, or in another place."""
    parts = re.split(r"(?<=[,;{])", source)
    part = r.choice(parts)
    if r.random() < 0.4:
        parts.remove(part)
    parts.insert(r.randrange(len(parts) + 1), part)
    return "".join(parts)


def in_text(r, source, times=1):
    if r.random() < 0.1:
        return repeated(r, source)
    words_ = tokens(source)
    for _ in range(times):
        solid = [i for i, t in enumerate(words_) if not t.isspace()]
        if not solid:
            return r.choice(INSERTS)
        at = r.choice(solid)
        x = r.random()
        if x < 0.25:
            del words_[at]
        elif x < 0.35:
            words_.insert(at, words_[at])
        elif x < 0.5:
            other = r.choice(solid)
            words_[at], words_[other] = words_[other], words_[at]
        elif x < 0.75:
            words_.insert(at, r.choice([" ", ""]) + r.choice(INSERTS) + r.choice([" ", ""]))
        elif x < 0.95:
            words_[at] = r.choice([r.choice(INSERTS), words_[r.choice(solid)], r.choice(words.KEYWORDS), r.choice(words.SOFT)])
        else:
            words_[at] = words_[at][:-1] or " "
    return "".join(words_)


def spots(value, path=()):
    """The path of every node below the top."""
    out = []
    items = value.items() if isinstance(value, dict) and words.PAIRS not in value else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        out.append((*path, key))
        out += spots(inner, (*path, key))
    return out


def copied(value):
    if isinstance(value, dict):
        return {k: copied(v) for k, v in value.items()}
    return [copied(v) for v in value] if isinstance(value, list) else value


def in_json(r, value, keys=(), times=1):
    """A copy with `times` changes; `keys` are names worth trying as keys and strings."""
    out = copied(value)
    for _ in range(times):
        found = spots(out)
        if not found:
            return data.JUNK[r.randrange(len(data.JUNK))](r)
        path = r.choice(found)
        holder = out
        for step in path[:-1]:
            holder = holder[step]
        change(r, holder, path[-1], keys, out, found)
    return out


def change(r, holder, key, keys, whole, found):
    x = r.random()
    if x < 0.2:
        del holder[key]
    elif x < 0.45:
        holder[key] = r.choice(data.JUNK)(r)
    elif x < 0.55:
        node = whole
        for step in r.choice(found):
            node = node[step]
        holder[key] = copied(node)
    elif x < 0.58 and isinstance(holder[key], dict) and words.PAIRS not in holder[key]:
        holder[key] = list(holder[key].values())
    elif x < 0.65:
        holder[key] = r.choice([[holder[key]], {"a": holder[key]}, {r.choice(keys or ["type"]): holder[key]}])
    elif x < 0.72 and isinstance(holder[key], str):
        holder[key] = r.choice([words.mutated(r, holder[key]), r.choice(keys or ["a"]), words.ident(r)])
    elif isinstance(holder, dict):
        renamed(r, holder, key, keys)
    else:
        holder.insert(key, copied(holder[key]))


def renamed(r, holder, key, keys):
    x = r.random()
    if x < 0.4:
        holder[r.choice([*keys, words.ident(r)])] = holder.pop(key)
    elif x < 0.8:
        holder[r.choice([*keys, words.ident(r)])] = r.choice([copied(holder[key]), r.choice(data.JUNK)(r)])
    else:
        kept = dict(holder)
        holder.clear()
        pairs = [*kept.items(), (key, copied(kept[key]))]
        r.shuffle(pairs)
        holder[words.PAIRS] = pairs

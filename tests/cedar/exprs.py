"""Random expressions as policy JSON, mostly well typed for a schema model and one environment of it."""

import schemas
import words

BOOL, LONG, STRING = ("Bool",), ("Long",), ("String",)
METHODS = {"decimal": ["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"], "ipaddr": ["isInRange"]}
TESTS = ["isIpv4", "isIpv6", "isLoopback", "isMulticast"]
TO_LONG = ["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"]
ALL_CALLS = ["decimal", "ip", "datetime", "duration", "offset", "durationSince", "toDate", "toTime", *TESTS, *TO_LONG,
             *METHODS["decimal"], "isInRange"]
SIMPLE = [BOOL, LONG, STRING, ("Ext", "decimal"), ("Ext", "ipaddr"), ("Ext", "datetime"), ("Ext", "duration"), ("Set", LONG), ("Set", STRING),
          ("Rec", {"a": (LONG, True), "b": (STRING, False)})]


class Env:
    """One principal type, action and resource type of a model, and the type of the context."""

    def __init__(self, s, principal, action, resource):
        self.principal, self.action, self.resource = principal, action, resource
        self.context = s.record(s.actions[action].context) if action in s.actions else {}


def environments(r, s):
    """Environments that the model allows, in random order; one that it may not when there is none."""
    out = [Env(s, p, name, q) for name, a in s.actions.items() if a.applies for p in a.principals for q in a.resources]
    r.shuffle(out)
    types = list(s.entities) or ["T"]
    return out or [Env(s, r.choice(types), r.choice(list(s.actions) or [("", "view")]), r.choice(types))]


def action_type(name):
    return schemas.join(name[0], "Action")


def uid(kind, name):
    return {"__entity": {"type": kind, "id": name}}


def var(name):
    return {"Var": name}


def value(v):
    return {"Value": v}


def both(op, left, right):
    return {op: {"left": left, "right": right}}


def all_of(parts):
    out = parts[0]
    for part in parts[1:]:
        out = both("&&", out, part)
    return out


class Exprs:
    """`wild` is the share of places where an expression of another type stands; `bad` that of literals of extension
    types which are wrong; `unguarded` that of optional attributes read without asking; `raw` that of odd tokens,
    which only text can hold."""

    def __init__(self, r, s, env, wild=0.0, bad=0.0, unguarded=0.02, raw=0.0, deep=3):
        self.r, self.s, self.env, self.wild, self.bad, self.unguarded, self.raw, self.deep = r, s, env, wild, bad, unguarded, raw, deep
        self.paths = {}
        self.entities = []
        self.explore()

    # --- what can be reached from the variables ---

    def plain(self, t, depth=0):
        """`t` without names of common types."""
        t = self.s.resolve(t)
        if t[0] == "Set" and depth < 4:
            return ("Set", self.plain(t[1], depth + 1))
        if t[0] == "Rec" and depth < 4:
            return ("Rec", {k: (self.plain(v, depth + 1), q) for k, (v, q) in t[1].items()})
        return t

    def explore(self):
        env = self.env
        todo = [(var("principal"), ("Ent", env.principal), [], 0), (var("resource"), ("Ent", env.resource), [], 0),
                (var("context"), ("Rec", env.context), [], 0), (var("action"), ("Ent", action_type(env.action)), [], 0)]
        count = 0
        while todo and count < 80:
            expr, t, guards, depth = todo.pop(0)
            t = self.plain(t)
            count += 1
            self.paths.setdefault(repr(t), []).append((expr, guards))
            if t[0] == "Ent":
                self.entities.append((expr, t[1], guards))
            if depth >= 3:
                continue
            attrs = self.s.attributes(t[1]) if t[0] == "Ent" else t[1] if t[0] == "Rec" else {}
            for key, (inner, required) in attrs.items():
                more = guards if required else [*guards, {"has": {"left": expr, "attr": key}}]
                todo.append(({".": {"left": expr, "attr": key}}, inner, more, depth + 1))
            entity = self.s.entities.get(t[1]) if t[0] == "Ent" else None
            if entity and entity.tags and depth < 2:
                key = value(self.r.choice(words.STRINGS[:4]))
                todo.append((both("getTag", expr, key), entity.tags, [*guards, both("hasTag", expr, key)], depth + 1))

    def guarded(self, guards, expr, otherwise):
        if not guards or self.r.random() < self.unguarded:
            return expr
        if otherwise is None:
            return both("&&", all_of(guards), expr)
        return {"if-then-else": {"if": all_of(guards), "then": expr, "else": otherwise}}

    def path(self, t):
        known = self.paths.get(repr(t))
        if not known:
            return None
        expr, guards = self.r.choice(known)
        return self.guarded(guards, expr, None if t == BOOL else self.literal(t))

    # --- literals ---

    def literal(self, t, depth=0):
        r = self.r
        t = self.plain(t)
        kind = t[0]
        if kind == "Long":
            return value(words.long(r))
        if kind == "String":
            return value(words.string(r))
        if kind == "Bool":
            return value(r.random() < 0.6)
        if kind == "Ext":
            return self.extension(t[1])
        if kind == "Ent":
            return value(self.entity(t[1]))
        if kind == "Set":
            least = 0 if r.random() < 0.1 else 1
            return {"Set": [self.literal(t[1], depth + 1) for _ in range(r.randint(least, 3))]}
        return {"Record": {k: self.literal(v, depth + 1) for k, (v, q) in t[1].items() if q or r.random() < 0.7}}

    def extension(self, kind):
        name, text = words.EXTENSIONS[kind][0], words.literal(self.r, kind, self.bad)
        return {name: [value(text)]}

    def entity(self, name):
        r = self.r
        entity = self.s.entities.get(name)
        if name.endswith("Action"):
            ids = [n for ns, n in self.s.actions if schemas.join(ns, "Action") == name]
            return uid(name, r.choice(ids) if ids and r.random() < 0.95 else "nosuch")
        if entity and entity.enum:
            return uid(name, r.choice(entity.enum) if r.random() < 0.95 else "nosuch")
        return uid(name, r.choice(words.IDS))

    # --- expressions ---

    def any_type(self):
        r = self.r
        x = r.random()
        if x < 0.25 and self.entities:
            return ("Ent", r.choice(self.entities)[1])
        if x < 0.35 and self.s.entities:
            return ("Ent", r.choice(list(self.s.entities)))
        if x < 0.6 and self.paths:
            return eval(r.choice(list(self.paths)), {})  # the keys are tuples as repr wrote them
        return r.choice(SIMPLE)

    def make(self, t, depth=0):
        r = self.r
        if r.random() < self.wild:
            if r.random() < self.raw:
                return {"__raw": r.choice(words.ODD_TOKENS)}
            return self.wildly(depth) if r.random() < 0.3 else self.make(self.any_type(), depth + 1)
        if depth >= self.deep or r.random() < 0.25:
            return (self.path(t) if r.random() < 0.7 else None) or self.literal(t)
        if r.random() < 0.06:
            return {"if-then-else": {"if": self.make(BOOL, depth + 1), "then": self.make(t, depth + 1), "else": self.make(t, depth + 1)}}
        return getattr(self, t[0].lower())(t, depth + 1)

    def wildly(self, depth):
        """An operator on anything."""
        r = self.r
        a, b = (self.make(self.any_type(), depth + 2) for _ in range(2))
        op = r.choice(["==", "!=", "<", "<=", ">", ">=", "in", "&&", "||", "+", "-", "*", "contains", "containsAll", "containsAny", "isEmpty",
                       "hasTag", "getTag", "!", "neg", ".", "has", "like", "is", "call"])
        if op in ("isEmpty", "!", "neg"):
            return {op: {"arg": a}}
        if op in (".", "has"):
            return {op: {"left": a, "attr": words.attribute(r)}}
        if op == "like":
            return {"like": {"left": a, "pattern": self.pattern()}}
        if op == "is":
            return {"is": {"left": a, "entity_type": self.any_entity(), **({"in": b} if r.random() < 0.3 else {})}}
        if op == "call":
            return {r.choice(ALL_CALLS): [a, b][:r.choice([1, 1, 2, 2, 0])]}
        return both(op, a, b)

    def any_entity(self):
        return self.r.choice([*self.s.entities, "Nosuch", "App::Nosuch"])

    def pattern(self):
        return ["Wildcard" if self.r.random() < 0.4 else {"Literal": self.r.choice(["a", "b", "ab", "*", words.string(self.r)])} for _ in range(self.r.randrange(5))]

    def bool(self, t, depth):
        r = self.r
        x = r.random()
        if x < 0.22:
            return both(r.choice(["&&", "||"]), self.make(BOOL, depth), self.make(BOOL, depth))
        if x < 0.28:
            return {"!": {"arg": self.make(BOOL, depth)}}
        if x < 0.42:
            other = self.any_type()
            return both(r.choice(["==", "==", "!="]), self.make(other, depth), self.make(other, depth))
        if x < 0.54:
            other = r.choice([LONG, LONG, ("Ext", "datetime"), ("Ext", "duration")])
            return both(r.choice(["<", "<=", ">", ">="]), self.make(other, depth), self.make(other, depth))
        return r.choice([self.membership, self.having, self.patterns, self.sets, self.calls, self.kinds])(depth)

    def some_entity(self, depth):
        expr, name, guards = self.r.choice(self.entities)
        if self.r.random() < 0.2:
            return self.make(("Ent", name), depth), name, []
        return expr, name, guards

    def membership(self, depth):
        r = self.r
        expr, name, guards = self.some_entity(depth)
        if name.endswith("Action"):
            targets = [schemas.join(ns, "Action") for ns, _ in self.s.actions] or [name]
        else:
            targets = [name, *self.s.below(name)] if name in self.s.entities else [name]
        if r.random() < 0.05:
            targets = list(self.s.entities) or targets
        target = r.choice(targets)
        right = {"Set": [self.literal(("Ent", target)) for _ in range(r.randint(1, 3))]} if r.random() < 0.4 else self.make(("Ent", target), depth)
        return self.guarded(guards, both("in", expr, right), None)

    def having(self, depth):
        r = self.r
        if r.random() < 0.3:
            expr, name, guards = self.some_entity(depth)
            return self.guarded(guards, both("hasTag", expr, self.make(STRING, depth)), None)
        keyed = [(e, g, list(self.s.attributes(n))) for e, n, g in self.entities]
        keyed += [(e, g, list(eval(k, {})[1])) for k, found in self.paths.items() if k.startswith("('Rec'") for e, g in found]
        expr, guards, keys = r.choice(keyed)
        key = r.choice(keys) if keys and r.random() < 0.85 else words.attribute(r)
        if r.random() < 0.15:
            chain = [k for k in [key, *(words.ident(r) for _ in range(r.randint(1, 2)))] if k.isascii() and k.isidentifier()]
            return self.guarded(guards, {"has": {"left": expr, "attr": chain or [key]}}, None)
        return self.guarded(guards, {"has": {"left": expr, "attr": key}}, None)

    def patterns(self, depth):
        return {"like": {"left": self.make(STRING, depth), "pattern": self.pattern()}}

    def sets(self, depth):
        r = self.r
        known = [eval(k, {}) for k in self.paths if k.startswith("('Set'")]
        t = r.choice(known) if known and r.random() < 0.6 else r.choice([("Set", LONG), ("Set", STRING)])
        x = r.random()
        if x < 0.2:
            return {"isEmpty": {"arg": self.make(t, depth)}}
        if x < 0.55:
            return both("contains", self.make(t, depth), self.make(t[1], depth))
        return both(r.choice(["containsAll", "containsAny"]), self.make(t, depth), self.make(t, depth))

    def calls(self, depth):
        r = self.r
        kind = r.choice(["decimal", "ipaddr", "ipaddr"])
        left = self.make(("Ext", kind), depth)
        if kind == "ipaddr" and r.random() < 0.6:
            return {r.choice(TESTS): [left]}
        return {r.choice(METHODS[kind]): [left, self.make(("Ext", kind), depth)]}

    def kinds(self, depth):
        r = self.r
        expr, name, guards = self.some_entity(depth)
        kind = name if r.random() < 0.6 else self.any_entity()
        node = {"left": expr, "entity_type": kind}
        if r.random() < 0.3:
            node["in"] = self.make(("Ent", r.choice([kind, *self.s.below(kind)]) if kind in self.s.entities else kind), depth)
        return self.guarded(guards, {"is": node}, None)

    def long(self, t, depth):
        r = self.r
        x = r.random()
        if x < 0.6:
            return both(r.choice("+-*"), self.make(LONG, depth), self.make(LONG, depth))
        if x < 0.75:
            return {"neg": {"arg": self.make(LONG, depth)}}
        return {r.choice(TO_LONG): [self.make(("Ext", "duration"), depth)]}

    def string(self, t, depth):
        return self.path(t) or self.literal(t)

    def ext(self, t, depth):
        r = self.r
        x = r.random()
        if t[1] == "datetime" and x < 0.5:
            if x < 0.3:
                return {"offset": [self.make(t, depth), self.make(("Ext", "duration"), depth)]}
            return {"toDate": [self.make(t, depth)]}
        if t[1] == "duration" and x < 0.4:
            if x < 0.25:
                return {"durationSince": [self.make(("Ext", "datetime"), depth), self.make(("Ext", "datetime"), depth)]}
            return {"toTime": [self.make(("Ext", "datetime"), depth)]}
        return self.path(t) or self.literal(t)

    def set(self, t, depth):
        least = 0 if self.r.random() < 0.05 else 1
        return {"Set": [self.make(t[1], depth) for _ in range(self.r.randint(least, 3))]}

    def rec(self, t, depth):
        return {"Record": {k: self.make(v, depth) for k, (v, q) in t[1].items() if q or self.r.random() < 0.7}}

    def ent(self, t, depth):
        return self.path(t) or self.literal(t)

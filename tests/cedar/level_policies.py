"""Random policies for validation: mostly well typed, with as much noise as asked for, over two schemas whose types refer
to each other through attributes, records, sets and tags.

    case(random.Random(1)) -> {"schema", "policies", "mode", "levels"}

Noise is the chance that a part has another type than its place wants, that a guard is left out or comes too late, or
that a name is unknown. Without any, a policy may still fail: guards do not see through `if`."""

LEVELS = [None, 0, 1, 2, 3, 4]

# A type of the tables below: a name; "?" before it: optional; "{" before it: a set of it.
GALLERY = {
    "text": """
namespace Lib {
  type Rec = { a: Long, b?: String, who?: Lib::Person,
    deep: { mgr: Person, tag?: Set<Person>, deeper?: { x: Long, y?: Person } } };
  entity Person in [Team, Person] { name: String, age: Long, mgr: Person, buddy?: Person, home?: Place, rec: Rec,
    opt?: Rec, on: Bool, ip: ipaddr, d?: decimal, t: datetime, du: duration, mates: Set<Person>,
    nums: Set<Long> } tags String;
  entity Team in [Org] { lead: Person, size: Long, org?: Org } tags Set<String>;
  entity Org { name: String, head?: Person };
  entity Place enum ["rome", "oslo"];
  action go in [stop] appliesTo { principal: Person, resource: Team, context: { n: Long } };
  action stop;
}
entity Bot in [Lib::Team] { name: String, owner: Lib::Person, age?: Long, on: Bool } tags Long;
entity Doc in [Dir] { name: String, owner: Lib::Person, dir: Dir, size: Long, open: Bool, acl: Set<Lib::Person>,
  meta: { k: String, v?: Long } } tags Lib::Person;
entity Dir in [Dir] { owner: Bot, up?: Dir } tags { p: Lib::Person, q?: Long };
entity Lone;
action all;
action rd in [all];
action wr in [all];
action view in [rd] appliesTo { principal: [Lib::Person, Bot], resource: [Doc, Dir],
  context: { n: Long, s?: String, p: Lib::Person, r: Lib::Rec, d?: Doc } };
action edit in [wr] appliesTo { principal: [Lib::Person], resource: [Doc],
  context: { n?: Long, s: String, p?: Lib::Person, set: Set<Lib::Person> } };
action run in [all, rd] appliesTo { principal: [Bot], resource: [Lone, Dir, Lib::Place], context: {} };
action hello appliesTo { principal: [Lib::Person, Lib::Team], resource: [Lib::Org] };
""",
    "types": ["Lib::Person", "Lib::Team", "Lib::Org", "Lib::Place", "Bot", "Doc", "Dir", "Lone"],
    "actions": ['Action::"all"', 'Action::"rd"', 'Action::"wr"', 'Action::"view"', 'Action::"edit"', 'Action::"run"',
                'Action::"hello"', 'Lib::Action::"go"', 'Lib::Action::"stop"'],
    "attributes": {
        "Lib::Person": {"name": "s", "age": "l", "mgr": "Lib::Person", "buddy": "?Lib::Person", "home": "?Lib::Place",
                        "rec": "R", "opt": "?R", "on": "b", "ip": "ip", "d": "?d", "t": "t", "du": "du",
                        "mates": "{Lib::Person", "nums": "{l"},
        "Lib::Team": {"lead": "Lib::Person", "size": "l", "org": "?Lib::Org"},
        "Lib::Org": {"name": "s", "head": "?Lib::Person"},
        "Lib::Place": {},
        "Bot": {"name": "s", "owner": "Lib::Person", "age": "?l", "on": "b"},
        "Doc": {"name": "s", "owner": "Lib::Person", "dir": "Dir", "size": "l", "open": "b", "acl": "{Lib::Person", "meta": "M"},
        "Dir": {"owner": "Bot", "up": "?Dir"},
        "Lone": {},
        "R": {"a": "l", "b": "?s", "who": "?Lib::Person", "deep": "DP"},
        "DP": {"mgr": "Lib::Person", "tag": "?{Lib::Person", "deeper": "?DR"},
        "DR": {"x": "l", "y": "?Lib::Person"},
        "M": {"k": "s", "v": "?l"},
        "TD": {"p": "Lib::Person", "q": "?l"},
    },
    "tags": {"Lib::Person": "s", "Lib::Team": "{s", "Bot": "l", "Doc": "Lib::Person", "Dir": "TD"},
    "environments": [
        ("view", "Lib::Person", "Doc", {"n": "l", "s": "?s", "p": "Lib::Person", "r": "R", "d": "?Doc"}),
        ("view", "Bot", "Dir", {"n": "l", "s": "?s", "p": "Lib::Person", "r": "R", "d": "?Doc"}),
        ("edit", "Lib::Person", "Doc", {"n": "?l", "s": "s", "p": "?Lib::Person", "set": "{Lib::Person"}),
        ("run", "Bot", "Dir", {}), ("run", "Bot", "Lib::Place", {}), ("hello", "Lib::Team", "Lib::Org", {})],
}

TRIANGLE = {
    "text": """
entity U { mgr: U, o?: U, r: { u: U, v?: V }, n: Long, s: String, on: Bool } tags U;
entity V in [U] { u: U, n?: Long, s: String, on?: Bool, r: { u: U, v?: V } } tags String;
entity W in [V, W] { r: { u: V }, n: Bool };
action g;
action a in [g] appliesTo { principal: [U, V], resource: [U, V, W], context: { r: { u: U, v?: V }, n?: Long, u: V } };
action b in [g] appliesTo { principal: [W], resource: [U], context: { u?: U } };
action c appliesTo { principal: [V], resource: [W], context: { n: Long, on: Bool } };
""",
    "types": ["U", "V", "W"],
    "actions": ['Action::"g"', 'Action::"a"', 'Action::"b"', 'Action::"c"'],
    "attributes": {
        "U": {"mgr": "U", "o": "?U", "r": "R", "n": "l", "s": "s", "on": "b"},
        "V": {"u": "U", "n": "?l", "s": "s", "on": "?b", "r": "R"},
        "W": {"r": "R2", "n": "b"},
        "R": {"u": "U", "v": "?V"},
        "R2": {"u": "V"},
    },
    "tags": {"U": "U", "V": "s"},
    "environments": [("a", "U", "V", {"r": "R", "n": "?l", "u": "V"}), ("a", "V", "W", {"r": "R", "n": "?l", "u": "V"}),
                     ("b", "W", "U", {"u": "?U"}), ("c", "V", "W", {"n": "l", "on": "b"})],
}

SCALARS = {
    "s": ['""', '"a"', '"xyz"'],
    "l": ["0", "1", "5", "9223372036854775807"],
    "d": ['decimal("1.0")', 'decimal("2.55")', 'decimal("0.0001")', 'decimal("x")'],
    "ip": ['ip("10.0.0.1")', 'ip("::1")', 'ip("10.0.0.0/8")', 'ip("10.0.0")'],
    "t": ['datetime("2024-01-01")'],
    "du": ['duration("1h")'],
}
TAG_KEYS = ['"t"', '"t"', '"t"', '"t"', '"u"', "principal.name", "resource.name", "context.s", "principal.s",
            '(if principal == resource then "t" else "v")']


class Policies:
    def __init__(self, random, world, noise):
        self.random, self.world, self.noise = random, world, noise
        self.names = sorted({name for shape in world["attributes"].values() for name in shape} | {"nope"})
        self.guards = []  # what must be tested before the expression under construction

    def chance(self, p):
        return self.random.random() < p

    def one(self, *choices):
        return self.random.choice(choices)

    def entity_type(self):
        return self.random.choice(self.world["types"])

    # ---- leaves ----

    def entity(self, kind=None):
        if kind is None or self.chance(self.noise):
            kind = "Nope" if self.chance(0.01) else self.one(*self.world["types"], "Action")
        if kind == "Action":
            return self.one(*self.world["actions"]) if self.chance(0.97) else 'Action::"nope"'
        if kind == "Lib::Place":
            return f'{kind}::"{self.one("rome", "oslo", "oslo", "nope") if self.chance(0.3) else "rome"}"'
        return f'{kind}::"{self.one("x", "y", "z")}"'

    def attribute(self, name):
        if self.chance(self.noise * 0.3):
            name = self.one(*self.names)
        return f".{name}" if self.chance(0.9) else f'["{name}"]'

    def path(self, wanted, depth):
        """(what must be tested first, text) of a way from a variable to something of that type, or None."""
        found, shapes, tags = [], {**self.world["attributes"], "C": self.env[3]}, self.world["tags"]
        fits = {"ent": lambda t: t in self.world["types"], "rec": lambda t: t in shapes and t not in self.world["types"]}

        def walk(at, text, guards, depth):
            if fits.get(wanted, lambda t: t == wanted)(at):
                found.append((guards, text))
            if depth == 0 or at not in shapes:
                return
            for name, kind in self.random.sample(sorted(shapes[at].items()), min(4, len(shapes[at]))):
                test = [f"{text} has {name}"] if kind[0] == "?" else []
                walk(kind.lstrip("?"), text + self.attribute(name), guards + test, depth - 1)
            if at in tags and self.chance(0.5):
                key = self.one(*TAG_KEYS)
                walk(tags[at], f"{text}.getTag({key})", guards + [f"{text}.hasTag({key})"], depth - 1)

        variables = [("principal", self.env[1]), ("resource", self.env[2]), ("context", "C")]
        self.random.shuffle(variables)
        for name, kind in variables:
            walk(kind, name, [], depth)
        return self.one(*found) if found else None

    # ---- expressions ----

    def expr(self, wanted, depth):
        if self.chance(self.noise):
            wanted = self.one("b", "l", "s", "ent", "{l", "{s", "d", "ip", "t", "du", "rec")
        if depth > 0 and self.chance(0.1):
            return self.choice(wanted, depth - 1)
        if depth > 0 and self.chance(0.06):
            return self.taken(wanted, depth - 1)
        if self.chance(0.12 if wanted == "b" else 0.75):
            found = self.path(wanted, self.one(1, 2, 2, 3, 4))
            if found:
                dropped = 1 if found[0] and self.chance(self.noise * 0.5) else 0
                self.guards += found[0][:len(found[0]) - dropped]
                return found[1]
        return self.built(wanted, depth)

    def apart(self, wanted, depth):
        """An expression and its own guards."""
        kept, self.guards = self.guards, []
        text = self.expr(wanted, depth)
        guards, self.guards = self.guards, kept
        return text, guards

    def choice(self, wanted, depth):
        test, guards = self.apart("b", depth)
        then, more = self.apart(wanted, depth)
        otherwise = self.expr(wanted, depth)
        return f"(if {' && '.join([*guards, *more, test])} then {then} else {otherwise})"

    def taken(self, wanted, depth):
        name, inside = self.one("a", "u", "mgr", "r"), self.expr(wanted, depth)
        other = self.expr(self.one("b", "l", "ent", "s"), depth)
        if self.chance(0.3):
            return f"{{{name}: {{z: {inside}, w: {other}}}}}.{name}.z"
        return f"{{{name}: {inside}, other: {other}}}.{name}"

    def built(self, wanted, depth):
        def part(kind):
            return f"({self.expr(kind, depth - 1)})"

        if wanted == "b":
            return self.test(depth)
        if wanted == "l" and depth > 0 and self.chance(0.4):
            return f"{part('l')} {self.one('+', '-', '*')} {part('l')}"
        if wanted == "t" and depth > 0 and self.chance(0.3):
            return f"{part('t')}.offset({part('du')})"
        if wanted == "du" and depth > 0 and self.chance(0.3):
            return f"{part('t')}.durationSince({part('t')})"
        if wanted in SCALARS:
            return self.one(*SCALARS[wanted])
        if wanted == "ent":
            return self.entity() if self.chance(0.5) else self.one("principal", "resource", "action")
        if wanted in self.world["types"]:
            return self.entity(wanted)
        if wanted[0] == "{":
            n = 0 if self.chance(0.05) else self.one(1, 2, 3)
            return "[" + ", ".join(self.expr(wanted[1:], max(depth - 1, 0)) for _ in range(n)) + "]"
        return f"{{a: {self.expr('l', 0)}, {self.one('b', 'c', 'd')}: {self.expr(self.one('ent', 's'), 0)}}}"

    def test(self, depth):
        if depth <= 0:
            return self.one("true", "false", "principal == resource", "1 == 1", '"a" like "*"')
        return self.one(*TESTS)(self, depth - 1)

    def clause(self, depth):
        """A test behind its guards."""
        text, guards = self.apart("b", depth)
        guards = list(dict.fromkeys(guards))
        if self.chance(self.noise * 0.5):
            self.random.shuffle(guards)
        return f"({' && '.join([*guards, text])})"

    # ---- policies ----

    def scope(self, name, kind):
        other = self.entity(self.entity_type())
        forms = [name] * 4 + [f"{name} is {kind}"] * 2 + [
            f"{name} == {self.entity(kind)}", f"{name} in {other}", f"{name} in {self.entity(kind)}",
            f"{name} is {kind if self.chance(0.8) else self.entity_type()} in {other}"]
        if self.chance(0.1):
            forms = [f"{name} == ?{name}", f"{name} in ?{name}", f"{name} is {kind} in ?{name}"]
        return self.one(*forms)

    def action(self):
        actions = self.world["actions"]
        own = f'Action::"{self.env[0]}"' if self.chance(0.97) else self.entity("Action")
        group = ", ".join([own, *(self.one(*actions) for _ in range(self.one(0, 1, 2)))])
        return self.one("action", f"action == {own}", f"action == {own}", f"action in {self.one(*actions)}", f"action in [{group}]")

    def policy(self):
        self.env = self.one(*self.world["environments"])
        conditions = " ".join(f"{self.one('when', 'when', 'unless')} {{ {self.clause(self.one(1, 2, 2, 3, 3, 4))} }}"
                              for _ in range(self.one(0, 1, 1, 1, 2)))
        scope = ", ".join([self.scope("principal", self.env[1]), self.action(), self.scope("resource", self.env[2])])
        return f"{self.one('permit', 'forbid')}({scope}) {conditions};"


def pair(p, depth, kinds, operators):
    kind = p.one(*kinds)
    return f"({p.expr(kind, depth)}) {p.one(*operators)} ({p.expr(kind, depth)})"


def some(p, *kinds):
    """A kind among those given and the entity types."""
    return p.one(*kinds, p.entity_type(), p.entity_type())


def has(p, depth):
    chain = ".".join(p.one(*p.names) for _ in range(p.one(1, 1, 1, 2, 3)))
    return f"({p.expr(some(p, 'ent', 'rec'), depth)}) has {chain}"


def has_path(p, depth):
    found = p.path(p.one("ent", "rec"), 3)
    parts = found[1].split(".") if found else []
    if len(parts) < 2 or any(c in found[1] for c in "[("):
        return f"context has {p.one(*p.env[3], 'nope')}"
    return f"{parts[0]} has {'.'.join(parts[1:])}"


def is_in(p, depth):
    test = f"({p.expr(some(p, 'ent'), depth)}) is {p.entity_type()}"
    return test if p.chance(0.6) else f"{test} in ({p.expr(some(p, 'ent', '{' + p.entity_type()), depth)})"


def set_method(p, depth):
    kind = some(p, "l", "s")
    method = p.one("contains", "containsAll", "containsAny")
    return f"({p.expr('{' + kind, depth)}).{method}({p.expr(kind if method == 'contains' else '{' + kind, depth)})"


TESTS = [
    lambda p, d: f"({p.clause(d)} && {p.clause(d)})",
    lambda p, d: f"({p.clause(d)} || {p.clause(d)})",
    lambda p, d: f"!({p.clause(d)})",
    lambda p, d: pair(p, d, ["l", "s", "ent", "d", "ip", "b", "rec", "{l", p.entity_type(), p.entity_type()], ["==", "!="]),
    lambda p, d: pair(p, d, ["l", "l", "t", "du"], ["<", "<=", ">", ">="]),
    lambda p, d: f"({p.expr(some(p, 'ent'), d)}) in ({p.expr(some(p, 'ent', '{' + p.entity_type()), d)})",
    lambda p, d: f"({p.expr(some(p, 'ent'), d)}) in ({p.expr(some(p, 'ent', '{' + p.entity_type()), d)})",
    lambda p, d: f"{p.one('action', *p.world['actions'])} in {p.one(*p.world['actions'])}",
    lambda p, d: f"action in [{p.one(*p.world['actions'])}, {p.one(*p.world['actions'])}]",
    lambda p, d: f"action == {p.one(*p.world['actions'])}",
    is_in, is_in, has, has, has_path, has_path, set_method, set_method,
    lambda p, d: f"({p.expr(some(p, 'ent'), d)}).hasTag({p.expr('s', d)})",
    lambda p, d: f"({p.expr('s', d)}) like \"a*b\"",
    lambda p, d: f"({p.expr('{' + some(p, 'l', 's'), d)}).isEmpty()",
    lambda p, d: f"({p.expr('d', d)}).lessThan({p.expr('d', d)})",
    lambda p, d: f"({p.expr('ip', d)}).isInRange({p.expr('ip', d)})",
    lambda p, d: f"({p.expr('du', d)}).toHours() > {p.expr('l', 0)}",
]


def case(random):
    world = random.choice([GALLERY, GALLERY, TRIANGLE])
    policies = Policies(random, world, random.choice([0, 0, 0.005, 0.02, 0.05, 0.1]))
    return {"schema": world["text"], "policies": policies.policy(), "mode": random.choice(["strict", "permissive"]), "levels": LEVELS}

"""Random schemas as a small model, and the model as schema JSON and as schema text.

A type is a tuple: ("Long",) ("String",) ("Bool",) ("Ext", NAME) ("Set", TYPE) ("Rec", {KEY: (TYPE, REQUIRED)})
("Ent", FULL_NAME) ("Com", FULL_NAME). A model made with `wild` may name what does not exist, collide, or run in circles:
then only the engines know whether it is a schema."""

import words

NAMESPACES = ["", "", "", "App", "Acme::Web", "A"]
ENTITY_NAMES = ["User", "Group", "Doc", "Folder", "Team", "T"]
COMMON_NAMES = ["Info", "Addr", "Flag", "Tree"]
ACTION_NAMES = ["view", "edit", "del ete", "read", "all", "", "share"]
WILD_NAMES = ["Long", "String", "Bool", "Boolean", "Set", "Record", "Entity", "Extension", "ipaddr", "decimal", "datetime", "__cedar", "Action",
              "in", "if", "like", "has", "is", "true", "type", "entity", "namespace", "action", "User", "Info", "EntityOrCommon", "enum", "a b", "é", ""]
PRIMITIVES = [("Long",), ("String",), ("Bool",)]
EXTENSIONS = ["decimal", "ipaddr", "datetime", "duration"]
ANNOTATIONS = ["doc", "id", "if", "a", "in"]


class Entity:
    def __init__(self):
        self.parents, self.attrs, self.tags, self.enum, self.shape, self.notes = [], {}, None, None, None, {}


class Action:
    def __init__(self):
        self.parents, self.principals, self.resources, self.context, self.applies, self.notes = [], [], [], ("Rec", {}), True, {}


class Schema:
    def __init__(self):
        self.namespaces, self.entities, self.commons, self.actions, self.notes = [], {}, {}, {}, {}

    def resolve(self, t):
        for _ in range(8):
            if t[0] != "Com" or t[1] not in self.commons:
                return t
            t = self.commons[t[1]]
        return ("Long",)

    def record(self, t):
        t = self.resolve(t)
        return t[1] if t[0] == "Rec" else {}

    def attributes(self, name):
        entity = self.entities.get(name)
        return self.record(entity.shape or ("Rec", entity.attrs)) if entity else {}

    def below(self, name):
        """The entity types that can be ancestors of `name`."""
        seen, todo = [], [name]
        while todo:
            for up in self.entities[todo.pop()].parents:
                if up in self.entities and up not in seen:
                    seen.append(up)
                    todo.append(up)
        return seen


def join(namespace, name):
    return f"{namespace}::{name}" if namespace else name


def space_of(name):
    return name.rpartition("::")[0]


class Maker:
    def __init__(self, r, wild=0.0):
        self.r, self.wild, self.s = r, wild, Schema()

    def odd(self):
        return self.r.random() < self.wild

    def names(self, pool, least, most):
        chosen = self.r.sample(pool, self.r.randint(least, min(most, len(pool))))
        return [self.r.choice(WILD_NAMES) if self.odd() else name for name in chosen]

    def make(self):
        r, s = self.r, self.s
        s.namespaces = [""] if r.random() < 0.5 else list(dict.fromkeys(r.sample(NAMESPACES, r.randint(1, 3))))
        if self.odd():
            s.namespaces.append(r.choice(["__cedar", "A::__cedar", "if", "A::B", "Action", "type", "in::a", "é"]))
        for ns in s.namespaces:
            least = 1 if ns == s.namespaces[0] else 0
            for name in self.names(ENTITY_NAMES, least, 4):
                s.entities.setdefault(join(ns, name), Entity())
            for name in self.names(COMMON_NAMES, 0, 2):
                if self.odd() or join(ns, name) not in s.entities:
                    s.commons.setdefault(join(ns, name), None)
        if "" in s.namespaces:
            s.namespaces.sort(key=len)
            if r.random() < 0.95:
                self.unshadow()
        self.usable = []
        for name in s.commons:
            s.commons[name] = self.common(name)
            self.usable.append(name)
        for name, entity in s.entities.items():
            self.entity(name, entity)
        self.actions()
        for thing in [*s.entities.values(), *s.actions.values()]:
            if r.random() < 0.05:
                thing.notes = self.notes()
        s.notes = {ns: self.notes() for ns in s.namespaces if ns and r.random() < 0.05}
        return s

    def unshadow(self):
        """No name of the empty namespace may return in another."""
        s = self.s
        elsewhere = {n.rpartition("::")[2] for n in [*s.commons, *s.entities] if "::" in n}
        for names in (s.entities, s.commons):
            for name in [n for n in names if n in elsewhere]:
                del names[name]

    def notes(self):
        return {self.r.choice(ANNOTATIONS): words.string(self.r) for _ in range(self.r.randint(1, 2))}

    def common(self, name):
        return self.record(1) if self.r.random() < 0.6 else self.type(1)

    def type(self, depth):
        r = self.r
        x = r.random()
        if x < 0.42 or depth > 3:
            return r.choice(PRIMITIVES)
        if x < 0.55:
            return ("Ext", r.choice(EXTENSIONS))
        if x < 0.7:
            return ("Ent", self.entity_name())
        if x < 0.8:
            return ("Set", self.type(depth + 1))
        if x < 0.9 and (self.usable or self.odd()):
            return ("Com", r.choice(list(self.s.commons)) if self.odd() and self.s.commons else r.choice(self.usable or ["Nosuch"]))
        return self.record(depth + 1)

    def entity_name(self):
        if self.odd():
            return self.r.choice(["Nosuch", "A::Nosuch", "Action", "__cedar::Long", *WILD_NAMES])
        return self.r.choice(list(self.s.entities)) if self.s.entities else "Nosuch"

    def record(self, depth):
        r = self.r
        keys = {words.attribute(r) for _ in range(r.randrange(5))}
        return ("Rec", {key: (self.type(depth), r.random() < 0.6) for key in sorted(keys)})

    def entity(self, name, entity):
        r = self.r
        if r.random() < 0.12:
            entity.enum = list(dict.fromkeys(r.choice(words.IDS) for _ in range(r.randint(1, 3))))
            if self.odd():
                entity.enum = r.choice([[], ["a", "a"]])
            return
        plain = [n for n, e in self.s.entities.items() if e.enum is None or self.odd()]
        if plain and r.random() < 0.6:
            entity.parents = r.sample(plain, r.randint(1, min(2, len(plain))))
            if self.odd():
                entity.parents.append(self.entity_name())
        entity.attrs = self.record(0)[1]
        records = [c for c in self.usable if self.s.resolve(("Com", c))[0] == "Rec"]
        if (records or self.odd()) and r.random() < 0.15:
            entity.shape = ("Com", r.choice(records or self.usable or ["Nosuch"]))
        if r.random() < 0.3:
            entity.tags = self.type(1)

    def actions(self):
        r, s = self.r, self.s
        made = []
        for ns in s.namespaces:
            for name in r.sample(ACTION_NAMES, r.randint(1 if ns == s.namespaces[-1] else 0, 4)):
                if ("", name) in s.actions and not self.odd():
                    continue
                action = s.actions[(ns, name)] = Action()
                if made and r.random() < 0.4:
                    action.parents = [r.choice(made) for _ in range(r.randint(1, 2))]
                if self.odd():
                    action.parents.append(r.choice([(ns, "nosuch"), (ns, name), ("Nosuch", "x"), *s.actions]))
                made.append((ns, name))
                if r.random() < 0.2:
                    action.applies = False
                    continue
                action.principals = list(dict.fromkeys(self.entity_name() for _ in range(r.randint(1, 2))))
                action.resources = list(dict.fromkeys(self.entity_name() for _ in range(r.randint(1, 2))))
                if self.odd():
                    action.principals = r.choice([[], action.principals * 2])
                action.context = self.record(0) if r.random() < 0.8 else ("Rec", {})
                records = [c for c in self.usable if s.resolve(("Com", c))[0] == "Rec"]
                if (records and r.random() < 0.1) or self.odd():
                    action.context = ("Com", r.choice(records or self.usable or ["Nosuch"]))


def make(r, wild=0.0):
    return Maker(r, wild).make()


# --- schema JSON ---------------------------------------------------------------------------------------------------


def relative(r, name, here):
    """`name` as it may be written inside namespace `here`."""
    return name.rpartition("::")[2] if space_of(name) == here and r.random() < 0.6 else name


def type_json(r, t, here):
    kind = t[0]
    if kind in ("Long", "String", "Bool"):
        x = r.random()
        name = "Boolean" if kind == "Bool" and x < 0.7 else kind
        if x < 0.7 and name != "Bool":
            return {"type": name}
        return {"type": "EntityOrCommon", "name": r.choice(["", "", "__cedar::"]) + kind} if x < 0.9 else {"type": "__cedar::" + kind}
    if kind == "Ext":
        return {"type": "Extension", "name": t[1]} if r.random() < 0.7 else {"type": "EntityOrCommon", "name": r.choice(["", "__cedar::"]) + t[1]}
    if kind == "Set":
        return {"type": "Set", "element": type_json(r, t[1], here)}
    if kind == "Rec":
        out = {"type": "Record", "attributes": attributes_json(r, t[1], here)}
        if r.random() < 0.003:
            out["additionalAttributes"] = r.random() < 0.3
        return out
    name = relative(r, t[1], here)
    if kind == "Ent":
        return {"type": r.choice(["Entity", "Entity", "EntityOrCommon"]), "name": name}
    return {"type": name} if r.random() < 0.5 else {"type": "EntityOrCommon", "name": name}


def attributes_json(r, attrs, here):
    out = {}
    for key, (t, required) in attrs.items():
        out[key] = type_json(r, t, here)
        if not required or r.random() < 0.2:
            out[key]["required"] = required
        if r.random() < 0.02:
            out[key]["annotations"] = {"doc": "x"}
    return out


def entity_json(r, entity, here):
    out = {}
    if entity.enum is not None:
        out["enum"] = entity.enum
    else:
        if entity.parents or r.random() < 0.2:
            out["memberOfTypes"] = [relative(r, p, here) for p in entity.parents]
        if entity.shape or entity.attrs or r.random() < 0.2:
            out["shape"] = type_json(r, entity.shape or ("Rec", entity.attrs), here)
        if entity.tags:
            out["tags"] = type_json(r, entity.tags, here)
    if entity.notes:
        out["annotations"] = entity.notes
    return out


def action_json(r, action, here):
    out = {}
    if action.parents:
        out["memberOf"] = [{"id": n} if ns == here and r.random() < 0.6 else
                           {"id": n, "type": join(ns, "Action")} for ns, n in action.parents]
    if action.applies:
        out["appliesTo"] = {"principalTypes": [relative(r, p, here) for p in action.principals],
                            "resourceTypes": [relative(r, p, here) for p in action.resources]}
        if action.context != ("Rec", {}) or r.random() < 0.3:
            out["appliesTo"]["context"] = type_json(r, action.context, here)
    if action.notes:
        out["annotations"] = action.notes
    return out


def to_json(r, s):
    out = {}
    for ns in s.namespaces:
        part = out[ns] = {"entityTypes": {}, "actions": {}}
        for name, entity in s.entities.items():
            if space_of(name) == ns:
                part["entityTypes"][name.rpartition("::")[2]] = entity_json(r, entity, ns)
        for (where, name), action in s.actions.items():
            if where == ns:
                part["actions"][name] = action_json(r, action, ns)
        commons = {n.rpartition("::")[2]: type_json(r, t, ns) for n, t in s.commons.items() if space_of(n) == ns}
        if commons or r.random() < 0.1:
            part["commonTypes"] = commons
        if ns in s.notes:
            part["annotations"] = s.notes[ns]
    return out


# --- schema text ---------------------------------------------------------------------------------------------------


class Text:
    """Writes a model as tokens, with odd white space now and then."""

    def __init__(self, r, s, odd=0.02):
        self.r, self.s, self.odd, self.here = r, s, odd, ""

    def words(self, *tokens):
        return "".join(t + words.space(self.r, self.odd) for t in tokens if t)

    def name(self, text):
        """An action or attribute name: bare where it may be."""
        bare = text.isascii() and text.isidentifier() and text not in ("in", "if", "__cedar", "true", "false", "then", "else", "is", "like", "has")
        return text if bare and self.r.random() < 0.8 else words.quoted(self.r, text)

    def type(self, t):
        kind = t[0]
        if kind in ("Long", "String", "Bool"):
            return self.r.choice(["", "", "", "__cedar::"]) + kind
        if kind == "Ext":
            return self.r.choice(["", "", "", "__cedar::"]) + t[1]
        if kind == "Set":
            return f"Set<{self.type(t[1])}>"
        if kind == "Rec":
            return self.record(t[1])
        return relative(self.r, t[1], self.here)

    def record(self, attrs):
        items = [f"{'@doc ' if self.r.random() < 0.02 else ''}{self.name(k)}{'' if q else '?'}: {self.type(t)}" for k, (t, q) in attrs.items()]
        comma = "," if items and self.r.random() < 0.2 else ""
        return "{" + words.space(self.r, self.odd) + ", ".join(items) + comma + "}"

    def notes(self, notes):
        return "".join(f"@{k}({words.quoted(self.r, v)})\n" for k, v in notes.items())

    def list(self, names, brackets=0.5):
        names = [relative(self.r, n, self.here) for n in names]
        return names[0] if len(names) == 1 and self.r.random() < brackets else "[" + ", ".join(names) + "]"

    def entity(self, name, entity):
        out = self.notes(entity.notes) + self.words("entity", name.rpartition("::")[2])
        if entity.enum is not None:
            return out + self.words("enum", "[" + ", ".join(words.quoted(self.r, e) for e in entity.enum) + "]") + ";\n"
        if entity.parents:
            out += self.words("in", self.list(entity.parents))
        if entity.shape and self.r.random() < 0.05:  # which schema JSON can say and schema text cannot
            out += self.words("=", self.type(entity.shape))
        elif entity.shape:
            out += self.words("=", self.record(self.s.record(entity.shape)))
        elif entity.attrs or self.r.random() < 0.1:
            out += self.words("=" if self.r.random() < 0.7 else "", self.record(entity.attrs))
        if entity.tags:
            out += self.words("tags", self.type(entity.tags))
        return out + ";\n"

    def parent(self, where, name):
        if where == self.here and self.r.random() < 0.6:
            return self.name(name)
        return f"{join(where, 'Action')}::{words.quoted(self.r, name)}"

    def action(self, name, action):
        out = self.notes(action.notes) + self.words("action", self.name(name))
        if action.parents:
            parents = [self.parent(*p) for p in action.parents]
            out += self.words("in", parents[0] if len(parents) == 1 and self.r.random() < 0.5 else "[" + ", ".join(parents) + "]")
        if action.applies:
            parts = [f"principal: {self.list(action.principals)}", f"resource: {self.list(action.resources)}"]
            if action.context != ("Rec", {}) or self.r.random() < 0.3:
                parts.append(f"context: {self.type(action.context)}")
            if self.r.random() < 0.2:
                self.r.shuffle(parts)
            out += self.words("appliesTo", "{" + ", ".join(parts) + ("," if self.r.random() < 0.3 else "") + "}")
        return out + ";\n"

    def write(self):
        s, out = self.s, []
        for ns in s.namespaces:
            self.here = ns
            body = [f"type {n.rpartition('::')[2]} = {self.type(t)};\n" for n, t in s.commons.items() if space_of(n) == ns]
            body += [self.entity(n, e) for n, e in s.entities.items() if space_of(n) == ns]
            body += [self.action(n, a) for (where, n), a in s.actions.items() if where == ns]
            if self.r.random() < 0.2:
                self.r.shuffle(body)
            text = "".join(body)
            out.append(f"{self.notes(s.notes.get(ns, {}))}namespace {ns} {{\n{text}}}\n" if ns else text)
        return "".join(out)


def to_text(r, s, odd=0.02):
    return Text(r, s, odd).write()

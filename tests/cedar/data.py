"""Random policies, policy sets, entities, contexts and requests for a schema model."""

import schemas
import text
import words
from exprs import BOOL, Exprs, action_type


def plain_uid(kind, name):
    return {"type": kind, "id": name}


# --- policies --------------------------------------------------------------------------------------------------------


class Policies:
    """`options` are those of Exprs; `likely` are uids of the request, which scopes name more often."""

    def __init__(self, r, s, environments, likely=(), **options):
        self.r, self.s, self.environments, self.options, self.wild = r, s, environments, options, options.get("wild", 0.0)
        self.likely = {u["type"]: u for u in likely}

    def entity(self, name):
        if name in self.likely and self.r.random() < 0.6:
            return self.likely[name]
        entity = self.s.entities.get(name)
        ids = entity.enum if entity and entity.enum else words.IDS
        return plain_uid(name, self.r.choice(ids))

    def side(self, name, kind, slot):
        r = self.r
        if r.random() < self.wild / 2:
            kind = r.choice(["Nosuch", "A::Nosuch", *self.s.entities])
        ups = [kind, *self.s.below(kind)] if kind in self.s.entities else [kind]
        x = r.random()
        if slot:
            target = {"slot": "?" + name}
            if x < 0.4:
                return {"op": "==", **target}
            return {"op": "in", **target} if x < 0.75 else {"op": "is", "entity_type": kind, "in": target}
        if x < 0.4:
            return {"op": "All"}
        if x < 0.55:
            return {"op": "==", "entity": self.entity(kind)}
        if x < 0.75:
            return {"op": "in", "entity": self.entity(r.choice(ups))}
        if x < 0.9:
            return {"op": "is", "entity_type": kind}
        return {"op": "is", "entity_type": kind, "in": {"entity": self.entity(r.choice(ups))}}

    def action(self, name):
        r, actions = self.r, list(self.s.actions)
        x = r.random()
        if x < 0.35:
            return {"op": "All"}
        ups, todo = [name], [name]
        while todo and len(ups) < 10:
            for up in (self.s.actions[todo.pop()].parents if name in self.s.actions else []):
                if up in self.s.actions and up not in ups:
                    ups.append(up)
                    todo.append(up)
        if r.random() < self.wild / 2:
            name = r.choice([("", "nosuch"), ("Nosuch", "x"), *actions])
            ups = [name]
        uid = lambda n: plain_uid(action_type(n), n[1])
        if x < 0.65:
            return {"op": "==", "entity": uid(name)}
        if x < 0.8:
            return {"op": "in", "entity": uid(r.choice(ups))}
        chosen = [uid(r.choice(ups))] + [uid(r.choice(actions or [name])) for _ in range(r.randrange(3))]
        return {"op": "in", "entities": [] if r.random() < 0.03 else chosen}

    def policy(self, slots=False):
        r = self.r
        env = r.choice(self.environments)
        if self.likely and r.random() < 0.6:
            env = self.environments[0]
        both = [r.random() < 0.6, r.random() < 0.4] if slots else [False, False]
        if slots and not any(both):
            both[0] = True
        p = {"effect": "permit" if r.random() < 0.65 else "forbid", "principal": self.side("principal", env.principal, both[0]),
             "action": self.action(env.action), "resource": self.side("resource", env.resource, both[1]), "conditions": []}
        if p["action"]["op"] == "All" and r.random() < 0.6 and p["principal"]["op"] == "All":  # so that one environment is typed
            p["action"] = {"op": "==", "entity": plain_uid(action_type(env.action), env.action[1])}
            p["principal"] = {"op": "is", "entity_type": env.principal}
            if p["resource"]["op"] == "All":
                p["resource"] = {"op": "is", "entity_type": env.resource}
        exprs = Exprs(r, self.s, env, **self.options)
        for _ in range(r.choice([0, 1, 1, 1, 1, 2])):
            p["conditions"].append({"kind": "when" if r.random() < 0.8 else "unless", "body": exprs.make(BOOL)})
        if r.random() < 0.1:
            wrap(p, r.choice(["principal", "action", "resource"]))
        if r.random() < 0.1:
            p["annotations"] = {r.choice(["id", "doc", "if", "in", "a_b"]): words.string(r) for _ in range(r.randint(1, 2))}
        return p

    def set(self, count, odd=0.01, forms=("text", "map", "est", "mixed"), templates=True):
        """The JSON of a policy set in one of the forms that the calls take."""
        r = self.r
        form = r.choice(forms)
        policies = [self.policy() for _ in range(count)]
        write = lambda p: text.write(r, p, odd)
        if form == "text":
            out = {"staticPolicies": "\n".join(map(write, policies))}
        else:
            as_json = {"map": 0.0, "est": 1.0, "mixed": 0.5}[form]
            ids = self.ids(count)
            out = {"staticPolicies": {i: p if r.random() < as_json and printable(p) else write(p) for i, p in zip(ids, policies)}}
            if count == 1 and r.random() < 0.3:
                out["staticPolicies"] = list(out["staticPolicies"].values())
        if templates and r.random() < 0.25:
            self.add_templates(out, form, write)
        return out

    def ids(self, count):
        out = []
        for i in range(count):
            name = f"p{i}" if self.r.random() < 0.9 else words.string(self.r)
            out.append(name if name not in out else f"p{i}")
        return out

    def add_templates(self, out, form, write):
        r = self.r
        made = {f"t{i}": self.policy(slots=r.random() < 0.97) for i in range(r.randint(1, 3))}
        out["templates"] = {k: p if form in ("est", "mixed") and r.random() < 0.7 and printable(p) else write(p) for k, p in made.items()}
        out["templateLinks"] = []
        for i in range(r.randrange(5)):
            template = r.choice(list(made))
            values = {}
            for side in ("principal", "resource"):
                c = made[template][side]
                if "slot" in c or "slot" in (c.get("in") or {}):
                    env = r.choice(self.environments)
                    kind = c.get("entity_type", getattr(env, side))
                    ups = [kind, *self.s.below(kind)] if kind in self.s.entities and c["op"] != "==" else [kind]
                    values["?" + side] = self.entity(r.choice(ups))
            x = r.random()
            if x < 0.02 and values:
                values.popitem()
            elif x < 0.04:
                values[r.choice(["?principal", "?resource", "?x", "principal"])] = plain_uid("T", "a")
            out["templateLinks"].append({"templateId": template if x > 0.01 else "nosuch", "newId": f"l{i}" if x < 0.98 else "p0", "values": values})


def wrap(p, side):
    """The other way to write a uid in policy JSON."""
    if "entity" in p[side]:
        p[side]["entity"] = {"__entity": p[side]["entity"]}


def printable(p):
    """Whether it is policy JSON: odd tokens stand in text only."""
    return '"__raw"' not in words.dump(p)


# --- entities, contexts, requests ------------------------------------------------------------------------------------


class Data:
    """`loose` is the share of values of a wrong type, of missing and of additional attributes; `guided` says that a schema will tell
    what a bare string or a bare uid is meant to be."""

    def __init__(self, r, s, guided=False, loose=0.0, bad=0.0):
        self.r, self.s, self.guided, self.loose, self.bad = r, s, guided, loose, bad

    def entity(self, name):
        entity = self.s.entities.get(name)
        ids = entity.enum if entity and entity.enum and self.r.random() > self.loose else words.IDS[:5]
        return plain_uid(name, self.r.choice(ids))

    def value(self, t, depth=0):
        r = self.r
        if r.random() < self.loose:
            return self.junk()
        t = self.s.resolve(t)
        kind = t[0]
        if kind == "Long":
            return words.long(r)
        if kind == "String":
            return words.string(r)
        if kind == "Bool":
            return r.random() < 0.5
        if kind == "Ext":
            return self.extension(t[1])
        if kind == "Ent":
            u = self.entity(t[1])
            return u if self.guided and r.random() < 0.4 else {"__entity": u}
        if kind == "Set":
            return [self.value(t[1], depth + 1) for _ in range(r.randrange(4 if depth < 3 else 1))]
        return self.record(t[1], depth)

    def record(self, attrs, depth=0):
        r = self.r
        out = {}
        for key, (t, required) in attrs.items():
            if r.random() < (1 - self.loose if required else 0.6):
                out[key] = self.value(t, depth + 1)
        if r.random() < self.loose:
            out[words.attribute(r)] = self.junk()
        return out

    def extension(self, kind):
        r = self.r
        name, literal = words.EXTENSIONS[kind][0], words.literal(r, kind, self.bad)
        x = r.random()
        if self.guided and x < 0.3:
            return literal
        if x < 0.4:
            return {"fn": name, "arg": literal} if self.guided else {"__extn": {"fn": name, "args": [literal]}}
        if kind == "datetime" and x < 0.45:
            return {"__extn": {"fn": "offset", "args": [{"__extn": {"fn": "datetime", "arg": literal}}, {"__extn": {"fn": "duration", "arg": words.literal(r, "duration")}}]}}
        return {"__extn": {"fn": name, "arg": literal}}

    def junk(self):
        r = self.r
        return r.choice(JUNK)(r)

    def uid(self, u):
        return {"__entity": u} if self.r.random() < 0.3 else u

    def entities(self):
        r = self.r
        out, known = [], []
        for name in self.s.entities:
            for i in dict.fromkeys(self.entity(name)["id"] for _ in range(r.randrange(4))):
                known.append(plain_uid(name, i))
        for at, u in enumerate(known):
            entity = self.s.entities[u["type"]]
            above = [k for k in (known[:at] if r.random() > self.loose else known) if k["type"] in entity.parents or r.random() < self.loose]
            parents = r.sample(above, min(len(above), r.randrange(3)))
            if entity.parents and r.random() < 0.2:
                parents.append(self.entity(r.choice(entity.parents)))  # perhaps missing from the store
            one = {"uid": self.uid(u), "attrs": self.record(self.s.attributes(u["type"])), "parents": [self.uid(p) for p in parents if p != u or r.random() < self.loose]}
            if (entity.tags or r.random() < self.loose) and r.random() < 0.8:
                one["tags"] = {r.choice(words.STRINGS[:4]): self.value(entity.tags or ("Long",)) for _ in range(r.randrange(3))}
            out.append(one)
        if not self.guided:
            out += self.actions()
        if out and r.random() < 0.02 + self.loose:
            out.append(r.choice(out))
        r.shuffle(out)
        return out

    def actions(self):
        """Without a schema, the groups of actions are data."""
        r = self.r
        return [{"uid": plain_uid(action_type(n), n[1]), "attrs": {}, "parents": [plain_uid(action_type(p), p[1]) for p in a.parents]}
                for n, a in self.s.actions.items() if r.random() < 0.7]

    def request(self, env):
        r = self.r
        kind = action_type(env.action)
        principal, resource, name = self.entity(env.principal), self.entity(env.resource), env.action[1]
        context = self.record(env.context)
        x = r.random()
        if x < self.loose:
            principal = self.entity(r.choice([*self.s.entities, "Nosuch"]))
        elif x < 2 * self.loose:
            resource = self.entity(r.choice([*self.s.entities, "Nosuch"]))
        elif x < 3 * self.loose:
            kind, name = r.choice([(kind, "nosuch"), ("Nosuch::Action", name), ("Action", name), ("NotAction", name)])
        return {"principal": self.uid(principal), "action": self.uid(plain_uid(kind, name)), "resource": self.uid(resource), "context": context}


JUNK = [
    lambda r: None, lambda r: words.Raw(r.choice(["1.5", "1.0", "1e2", "-0", "0.0", "1E400", "-0.0", "9223372036854775808", "-9223372036854775809", "1e-1"])),
    lambda r: words.long(r), lambda r: words.string(r), lambda r: [], lambda r: {}, lambda r: r.random() < 0.5, lambda r: r.choice(words.TOO_LONG),
    lambda r: [1, "a", [True], {"a": {}}], lambda r: {words.attribute(r): words.long(r)}, lambda r: words.Pairs([("a", 1), ("a", r.choice([1, 2]))]),
    lambda r: {"__entity": {"type": r.choice(["User", "A b", "if", "", "A::", "A::B", "__cedar::A", "Action"]), "id": "a"}}, lambda r: {"__entity": r.choice([{"type": "User"}, {"id": "a"}, {}, "User::\"a\"", 1, None])},
    lambda r: {"__entity": {"type": "User", "id": "a", "more": 1}}, lambda r: {"__entity": {"type": "User", "id": "a"}, "x": 1}, lambda r: {"type": "User", "id": "a"},
    lambda r: {"__extn": {"fn": r.choice(["ip", "decimal", "nosuch", "", "offset", "lessThan", "isIpv4", "toDate", "datetime", "duration", "permit"]), "arg": r.choice(["1.0", "10.0.0.1", "x", 1, None])}},
    lambda r: {"__extn": r.choice([{"fn": "ip"}, {"arg": "1.0"}, {}, "1.0", {"fn": "decimal", "args": []}, {"fn": "decimal", "args": ["1.0", "1.0"]}, {"fn": "decimal", "arg": "1.0", "args": ["1.0"]}, {"fn": "ip", "arg": "::", "x": 1}, None])},
    lambda r: {"__extn": {"fn": "ip", "arg": "10.0.0.1"}, "x": 1}, lambda r: {"__extn": {"fn": "ip", "arg": {"__extn": {"fn": "ip", "arg": "::"}}}}, lambda r: {"__expr": "1 + 1"}, lambda r: {"__expr": "1", "a": 1},
    lambda r: {"__entity": {"type": "User", "id": "a"}, "__extn": {"fn": "ip", "arg": "::1"}}, lambda r: {"__extn": {"fn": "lessThan", "args": [{"__extn": {"fn": "decimal", "arg": "1.0"}}, {"__extn": {"fn": "decimal", "arg": words.literal(r, "decimal", 0.3)}}]}},
    lambda r: {"__extn": {"fn": "ip", "arg": words.literal(r, "ipaddr", 0.4)}}, lambda r: {"__extn": {"fn": "decimal", "arg": words.literal(r, "decimal", 0.4)}},
    lambda r: {"__extn": {"fn": "datetime", "arg": words.literal(r, "datetime", 0.4)}}, lambda r: {"__extn": {"fn": "duration", "arg": words.literal(r, "duration", 0.4)}},
    lambda r: words.Raw('"\\ud800"'), lambda r: words.Raw('"\\ud83d\\ude00"'), lambda r: words.Raw('"\\u0000"'), lambda r: words.Raw('{"\\udc00":1}'),
]

"""Cases for two engines that should agree: lines {"id","call","input"}, each made from (seed, number) alone.

    generate.py [--seed S] [--cases N] [--first K] [--kind NAME]

The kinds of cases stand in KINDS; each is a function of a random source to (call, input)."""

import argparse
import random
import sys

import data
import mutate
import schemas
import text
import words
from exprs import BOOL, LONG, Env, Exprs, all_of, both, environments, value

POLICY_KEYS = ["effect", "principal", "action", "resource", "conditions", "annotations", "op", "entity", "entities", "slot", "entity_type", "in", "kind", "body",
               "Value", "Var", "Slot", "Set", "Record", "==", "!=", "<", "&&", "||", "!", "neg", ".", "has", "like", "is", "if-then-else", "left", "right", "arg", "attr",
               "pattern", "Literal", "Wildcard", "contains", "isEmpty", "getTag", "decimal", "ip", "isIpv4", "lessThan", "offset", "nosuch", "All", "when", "permit", "?principal",
               "?resource", "__entity", "__extn", "type", "id", "Unknown", "unknown", "Error", "datetime", "toDate", "if", "then", "else", "context", "principal"]
SCHEMA_KEYS = ["entityTypes", "actions", "commonTypes", "annotations", "memberOfTypes", "shape", "tags", "enum", "type", "attributes", "required", "element", "name",
               "additionalAttributes", "memberOf", "id", "appliesTo", "principalTypes", "resourceTypes", "context", "Record", "Set", "Entity", "EntityOrCommon", "Extension",
               "String", "Long", "Boolean", "Bool", "ipaddr", "__cedar::Long", "Action", "User", "Group", "A::B", "", "__cedar"]
ENTITY_KEYS = ["uid", "attrs", "parents", "tags", "type", "id", "__entity", "__extn", "fn", "arg", "args", "a", "User"]
CALL_KEYS = ["principal", "action", "resource", "context", "schema", "validateRequest", "policies", "entities", "staticPolicies", "templates", "templateLinks",
             "templateId", "newId", "values", "validationSettings", "mode", *ENTITY_KEYS]


def schema_of(r, s, wild=False):
    return schemas.to_json(r, s) if r.random() < 0.5 else schemas.to_text(r, s, 0.15 if wild else 0.02)


def count_of(r):
    return r.choice([1, 1, 1, 2, 2, 3, 3, 4, 5, 8, 12, r.randint(1, 50)])


# --- decisions -------------------------------------------------------------------------------------------------------


def likely(call):
    return [u.get("__entity", u) for u in (call["principal"], call["resource"])]


def request(r, s, env, guided, loose=0.0, bad=0.0):
    made = data.Data(r, s, guided, loose, bad)
    return {**made.request(env), "entities": made.entities()}


def authorize_typed(r):
    """Typed policies, a schema, data that conforms to it: mostly a decision."""
    s = schemas.make(r)
    environment = environments(r, s)
    guided = r.random() < 0.75
    loose = r.choice([0, 0, 0, 0, 0.01, 0.05])
    call = request(r, s, environment[0], guided, loose, r.choice([0, 0, 0.1]))
    policies = data.Policies(r, s, environment[:r.randint(1, 3)], likely(call), bad=r.choice([0, 0, 0.05]), unguarded=r.choice([0.02, 0.3]), wild=r.choice([0, 0, 0.05]))
    call["policies"] = policies.set(count_of(r))
    if guided:
        call["schema"] = schema_of(r, s)
        if r.random() < 0.4:
            call["validateRequest"] = r.random() < 0.6
    return "isAuthorized", call


def authorize_wild(r):
    """No schema; operators on anything."""
    s = schemas.make(r)
    environment = environments(r, s)
    call = request(r, s, environment[0], False, r.choice([0, 0.02]), 0.05)
    policies = data.Policies(r, s, environment, likely(call), wild=r.choice([0.1, 0.25, 0.4]), bad=0.15, unguarded=0.5)
    call["policies"] = policies.set(count_of(r))
    return "isAuthorized", call


CONSTANT = schemas.Schema()
CONSTANT.entities = {"U": schemas.Entity(), "G": schemas.Entity()}
CONSTANT.entities["U"].parents = ["G"]
CONSTANT.actions = {("", "view"): schemas.Action()}
CONSTANT_ENV = Env(CONSTANT, "U", ("", "view"), "U")
EXTENSION_CALLS = {
    "decimal": ["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"],
    "ipaddr": ["isIpv4", "isIpv6", "isLoopback", "isMulticast", "isInRange", "isInRange"],
    "datetime": ["toDate", "toTime", "offset", "durationSince", "<", "<=", ">="],
    "duration": ["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays", "<", "<=", ">"],
}


def extension_test(r, exprs):
    """One boolean about literals of one extension type."""
    kind = r.choice(list(EXTENSION_CALLS))
    literal = lambda k=kind: exprs.extension(k)
    op = r.choice([*EXTENSION_CALLS[kind], "==", "!="])
    if op in ("==", "!=", "<", "<=", ">", ">="):
        return both(op, literal(), literal())
    if op in ("isIpv4", "isIpv6", "isLoopback", "isMulticast"):
        return {op: [literal()]}
    if op.startswith("to") and kind == "duration":
        return both(r.choice(["==", "<", ">="]), {op: [literal()]}, value(words.long(r)))
    if op == "toDate":
        return both(r.choice(["==", "<="]), {op: [literal()]}, r.choice([literal, lambda: {op: [literal()]}])())
    if op == "toTime":
        return both("<=", {op: [literal()]}, {"duration": [value(words.literal(r, "duration"))]})
    if op == "offset":
        return both(r.choice(["==", "<", ">="]), {op: [literal(), exprs.extension("duration")]}, literal())
    if op == "durationSince":
        return both(r.choice(["==", "<", ">="]), {op: [literal(), literal()]}, exprs.extension("duration"))
    return {op: [literal(), literal()]}


def constant_policies(r, make):
    """Several policies, each with one constant condition: each gives its own reason or error."""
    out = {}
    for i in range(r.randint(1, 12)):
        p = {"effect": r.choice(["permit", "permit", "forbid"]), "principal": {"op": "All"}, "action": {"op": "All"}, "resource": {"op": "All"},
             "conditions": [{"kind": r.choice(["when", "when", "unless"]), "body": make()}]}
        out[f"p{i}"] = p if r.random() < 0.3 and data.printable(p) else text.write(r, p)
    return {"staticPolicies": out}


def constant_call(policies, context=None):
    uid = lambda t, i: {"type": t, "id": i}
    return "isAuthorized", {"principal": uid("U", "a"), "action": uid("Action", "view"), "resource": uid("U", "b"), "context": context or {},
                            "policies": policies, "entities": [{"uid": uid("U", "a"), "attrs": {}, "parents": [uid("G", "g")]}]}


def authorize_extensions(r):
    exprs = Exprs(r, CONSTANT, CONSTANT_ENV, bad=r.choice([0, 0.2, 0.5]))
    return constant_call(constant_policies(r, lambda: extension_test(r, exprs)))


def authorize_longs(r):
    """Arithmetic at the limits of 64 bits."""
    exprs = Exprs(r, CONSTANT, CONSTANT_ENV, deep=2)

    def term(depth=0):
        x = r.random()
        if depth > 2 or x < 0.4:
            return value(r.choice([*words.LONGS[:5], *words.EDGE_LONGS]))
        if x < 0.55:
            return {"neg": {"arg": term(depth + 1)}}
        return both(r.choice("+-*"), term(depth + 1), term(depth + 1))

    def make():
        test = both(r.choice(["==", "<", "<=", ">", ">=", "!="]), term(), term())
        return test if r.random() < 0.8 else both(r.choice(["||", "&&"]), test, exprs.make(BOOL))
    return constant_call(constant_policies(r, make))


def authorize_strings(r):
    """Strings, patterns, sets and records as constants."""
    def pattern():
        return ["Wildcard" if r.random() < 0.4 else {"Literal": r.choice("ab*é\U0001f600\\")} for _ in range(r.randrange(6))]

    def pick(depth=0):
        x = r.random()
        if x < 0.5 or depth > 1:
            return value(r.choice([words.string(r), "".join(r.choice("ab*é") for _ in range(r.randrange(5)))]))
        if x < 0.7:
            return {"Set": [pick(depth + 1) for _ in range(r.randrange(4))]}
        if x < 0.8:
            return {"Record": {words.attribute(r): pick(depth + 1) for _ in range(r.randrange(3))}}
        return r.choice([value(1), value(True), {"decimal": [value("1.0")]}, {"ip": [value("::1")]}, {"Var": "principal"}, {"Var": "context"}])

    def make():
        x = r.random()
        if x < 0.35:
            return {"like": {"left": value("".join(r.choice("ab*é\U0001f600\\") for _ in range(r.randrange(7)))), "pattern": pattern()}}
        if x < 0.6:
            return both("==", pick(), pick())
        if x < 0.7:
            return {"has": {"left": pick(), "attr": words.attribute(r)}}
        sets = {"Set": [pick(1) for _ in range(r.randrange(4))]}
        if x < 0.8:
            return both("contains", sets, pick(1))
        return both(r.choice(["containsAll", "containsAny"]), sets, {"Set": [pick(1) for _ in range(r.randrange(4))]})
    return constant_call(constant_policies(r, make), {"a": 1})


def authorize_tokens(r):
    """Conditions around one odd token each."""
    exprs = Exprs(r, CONSTANT, CONSTANT_ENV, deep=1)

    def make():
        raw = {"__raw": r.choice(words.ODD_TOKENS)}
        x = r.random()
        return raw if x < 0.25 else both(r.choice(["==", "&&", "+", "<", "in", "||"]), raw, exprs.make(exprs.any_type()))
    policies = constant_policies(r, make)
    if r.random() < 0.7:
        policies = {"staticPolicies": dict(list(policies["staticPolicies"].items())[:1])}
    return constant_call(policies)


def authorize_damaged(r):
    """A sound call with changed JSON."""
    call, sound = r.choice([authorize_typed, authorize_wild, authorize_strings])(r)
    return call, mutate.in_json(r, sound, CALL_KEYS, r.choice([1, 1, 2]))


# --- validation ------------------------------------------------------------------------------------------------------


def validate(r, forms=("text", "map", "est", "mixed"), count=None, **options):
    s = schemas.make(r)
    policies = data.Policies(r, s, environments(r, s), **options)
    call = {"schema": schema_of(r, s), "policies": policies.set(count or r.choice([1, 1, 1, 2, 3, 6]), forms=forms)}
    if r.random() < 0.05:
        call["validationSettings"] = {"mode": "strict"}
    return "validate", call


def validate_sound(r):
    return validate(r, unguarded=0.0)


def validate_negative(r):
    return validate(r, wild=r.choice([0.02, 0.05, 0.1]), unguarded=0.1, bad=0.05)


def validate_raw(r):
    """Odd tokens in typed policies."""
    return validate(r, forms=("text",), count=1, wild=0.05, raw=0.8)


def validate_schema(r):
    """Sound policies against a schema with one change."""
    call, sound = validate_sound(r)
    schema = sound["schema"]
    sound["schema"] = mutate.in_text(r, schema) if isinstance(schema, str) else mutate.in_json(r, schema, SCHEMA_KEYS)
    return call, sound


def validate_damaged(r):
    call, sound = validate_sound(r)
    return call, mutate.in_json(r, sound, CALL_KEYS)


# --- policies as text and JSON -----------------------------------------------------------------------------------------


def a_policy(r, slots=None, **options):
    s = schemas.make(r)
    slots = r.random() < 0.3 if slots is None else slots
    return data.Policies(r, s, environments(r, s), **options).policy(slots), slots


def named(r, what, slots):
    """policyToJson and its kind; now and then for the wrong sort."""
    return ("template" if slots != (r.random() < 0.03) else "policy") + what


def policy_text_to_json(r):
    p, slots = a_policy(r, wild=r.choice([0, 0.1, 0.3]), bad=0.1)
    return named(r, "ToJson", slots), text.write(r, p, 0.05)


def policy_raw_to_json(r):
    p, slots = a_policy(r, wild=0.15, raw=0.9)
    return named(r, "ToJson", slots), text.write(r, p, 0.02)


def policy_damaged_text(r):
    p, slots = a_policy(r, wild=0.05, deep=2)
    source = mutate.in_text(r, text.write(r, p, 0.02), r.choice([1, 1, 2]))
    return (named(r, "ToJson", slots), source) if r.random() < 0.7 else ("checkParsePolicySet", {"staticPolicies": source})


def policy_json_to_text(r):
    p, slots = a_policy(r, wild=r.choice([0, 0.1, 0.3]), bad=0.1)
    return named(r, r.choice(["ToText", "ToText", "ToJson"]), slots), p


def policy_text_to_text(r):
    p, slots = a_policy(r, wild=0.1)
    return named(r, "ToText", slots), text.write(r, p, 0.02)


def policy_damaged_json(r):
    p, slots = a_policy(r, wild=0.1, deep=2)
    p = mutate.in_json(r, p, POLICY_KEYS, r.choice([1, 1, 2, 3]))
    x = r.random()
    if x < 0.8:
        return named(r, r.choice(["ToText", "ToJson"]), slots), p
    return "checkParsePolicySet", {"templates" if slots else "staticPolicies": {"p": p}}


def policy_set(r):
    s = schemas.make(r)
    policies = data.Policies(r, s, environments(r, s), wild=0.1, deep=2).set(count_of(r), odd=0.03)
    if r.random() < 0.5:
        policies = mutate.in_json(r, policies, CALL_KEYS + POLICY_KEYS)
    return "checkParsePolicySet", policies


def policy_set_text(r):
    s = schemas.make(r)
    maker = data.Policies(r, s, environments(r, s), deep=2)
    parts = [text.write(r, maker.policy(r.random() < 0.3), 0.02) for _ in range(r.randrange(5))]
    source = words.space(r, 0.3).join(parts)
    return "policySetTextToParts", mutate.in_text(r, source) if r.random() < 0.3 else source


def policy_format(r):
    p, _ = a_policy(r, slots=False, wild=0.1)
    source = text.write(r, p, r.choice([0.02, 0.2]))
    call = {"policyText": mutate.in_text(r, source) if r.random() < 0.2 else source}
    if r.random() < 0.5:
        call |= {"lineWidth": r.choice([0, 1, 20, 80, 1000]), "indentWidth": r.choice([0, 1, 2, 8])}
    return "formatPolicies", call


def request_environments(r):
    s = schemas.make(r)
    slots = r.random() < 0.3
    p = data.Policies(r, s, environments(r, s), wild=r.choice([0, 0.1]), deep=1).policy(slots)
    kind = "Template" if slots != (r.random() < 0.03) else "Policy"
    as_json = data.printable(p) and r.random() < 0.5
    return f"getValidRequestEnvs{kind}", [p if as_json else text.write(r, p), schema_of(r, s)]


# --- schemas -----------------------------------------------------------------------------------------------------------


def a_schema(r, wild):
    s = schemas.make(r, wild)
    return schemas.to_json(r, s) if r.random() < 0.5 else schemas.to_text(r, s, 0.05)


def schema_call(r):
    return r.choice(["checkParseSchema", "schemaToJson", "schemaToText"])


def schema_sound(r):
    return schema_call(r), a_schema(r, 0)


def schema_wild(r):
    return schema_call(r), a_schema(r, r.choice([0.02, 0.05, 0.1]))


def schema_damaged(r):
    source = a_schema(r, r.choice([0, 0, 0.02]))
    times = r.choice([1, 1, 2])
    return schema_call(r), mutate.in_text(r, source, times) if isinstance(source, str) else mutate.in_json(r, source, SCHEMA_KEYS, times)


def schema_resolved(r):
    source = schemas.to_text(r, schemas.make(r, r.choice([0, 0, 0.05])))
    return "schemaToJsonWithResolvedTypes", mutate.in_text(r, source) if r.random() < 0.2 else source


# --- entities and contexts -----------------------------------------------------------------------------------------------


def entities(r, loose, bad, damage=0):
    s = schemas.make(r)
    guided = r.random() < 0.6
    made = data.Data(r, s, guided, loose, bad).entities()
    if damage:
        made = mutate.in_json(r, made, ENTITY_KEYS, damage)
    call = {"entities": made}
    if guided:
        call["schema"] = schema_of(r, s)
    return "checkParseEntities", call


def entities_sound(r):
    return entities(r, 0.0, 0.0)


def entities_loose(r):
    return entities(r, r.choice([0.01, 0.05, 0.1]), r.choice([0, 0.2]))


def entities_damaged(r):
    return entities(r, 0.0, 0.0, r.choice([1, 1, 2]))


def context(r):
    s = schemas.make(r)
    env = environments(r, s)[0]
    guided = r.random() < 0.6
    loose = r.choice([0, 0, 0.03, 0.1])
    made = data.Data(r, s, guided, loose, r.choice([0, 0, 0.3])).request(env)
    call = {"context": made["context"]}
    if r.random() < 0.2:
        call["context"] = mutate.in_json(r, call["context"], ENTITY_KEYS)
    if guided:
        call["schema"] = schema_of(r, s)
    if guided != (r.random() < 0.05):
        call["action"] = made["action"]
    return "checkParseContext", call


# The kinds, each with its share.
KINDS = {
    authorize_typed: 22, authorize_wild: 8, authorize_extensions: 8, authorize_longs: 2, authorize_strings: 4, authorize_tokens: 3, authorize_damaged: 4,
    validate_sound: 6, validate_negative: 10, validate_raw: 1, validate_schema: 2, validate_damaged: 1,
    policy_text_to_json: 3, policy_raw_to_json: 2, policy_damaged_text: 4, policy_json_to_text: 4, policy_text_to_text: 1, policy_damaged_json: 4, policy_set: 2,
    policy_set_text: 1, policy_format: 2, request_environments: 1, schema_sound: 3, schema_wild: 3, schema_damaged: 4, schema_resolved: 1, entities_sound: 2, entities_loose: 3, entities_damaged: 2, context: 4,
}
BY_NAME = {kind.__name__: kind for kind in KINDS}


def case(seed, number, kind=None):
    """(id, call, input as JSON text)"""
    r = random.Random(f"{seed}/{number}")
    make = BY_NAME[kind] if kind else r.choices(list(KINDS), list(KINDS.values()))[0]
    call, given = make(r)
    ascii_only = r.random() < 0.5
    source = words.dump(given, ascii_only)
    if not ascii_only and any("\ud800" <= ch <= "\udfff" for ch in source):
        source = words.dump(given)
    return f"{seed}/{number}/{make.__name__}", call, source


def line(case_):
    return '{"id":"%s","call":"%s","input":%s}' % case_


def main():
    parser = argparse.ArgumentParser(prog="generate.py")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kind", choices=BY_NAME)
    given = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    for number in range(given.first, given.first + given.cases):
        print(line(case(given.seed, number, given.kind)))


if __name__ == "__main__":
    main()

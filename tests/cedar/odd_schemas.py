"""Odd schemas, by hand: each place of schema JSON with everything that could stand there, names and annotations at their limits,
what shadows what, circles, and texts that random generation seldom writes."""

import json

LONG = {"type": "Long"}
EMPTY = {"type": "Record", "attributes": {}}


def space(**members):
    return {"entityTypes": {}, "actions": {}, **members}


def top(**members):
    return {"": space(**members)}


def typed(t):
    """t as the type of an attribute."""
    return top(entityTypes={"E": {"shape": {"type": "Record", "attributes": {"x": t}}}})


def with_entity(e):
    return top(entityTypes={"E": e, "P": {}}, commonTypes={"R": EMPTY, "L": LONG})


def with_action(a, others=None):
    return top(entityTypes={"U": {}, "R": {}}, actions={"a": a, **(others or {"b": {}})},
               commonTypes={"C": {"type": "Record", "attributes": {"x": LONG}}, "L": LONG})


def applies(**members):
    return {"appliesTo": members}


def applies_with(context):
    return applies(principalTypes=["U"], resourceTypes=["R"], context=context)


SPACES = [
    {}, {"": {}}, top(), {"N": space()}, {"N M": space()}, {"N ::M": space()}, {"N::M": space()}, {"__cedar": space()}, {"N::__cedar": space()},
    {"in": space()}, top(annotations={}), top(annotations={"a": "b"}), {"N": space(annotations={"a": "b", "c": None, "if": ""})},
    {"N": space(annotations={"a b": "b"})}, {"N": space(annotations={"a": 1})}, {"N": space(annotations=None)}, top(foo=1),
    top(commonTypes=None), top(entityTypes=[]), top(entityTypes=None),
]
NAMES = ["A", " A", "A::B", "in", "__cedar", "Action", "", "a b", "Set", "1a"]
COMMON_NAMES = ["Bool", "Boolean", "Entity", "Extension", "Record", "Set", "String", "Long", "EntityOrCommon", "ipaddr", "decimal"]
TYPES = [
    LONG, {"type": "Bool"}, {"type": "Boolean"}, {"type": "String"}, {"type": "Long", "name": "x"}, {"type": "Long", "foo": 1},
    {"type": "Set"}, {"type": "Set", "element": LONG}, {"type": "Set", "element": LONG, "attributes": {}}, {"type": "Record"}, EMPTY,
    {**EMPTY, "additionalAttributes": False}, {**EMPTY, "additionalAttributes": True}, {**EMPTY, "additionalAttributes": None},
    {**EMPTY, "element": LONG}, {"type": "Entity"}, *({"type": "Entity", "name": n} for n in ["E", "F", "E::", " E", "Long"]),
    {"type": "EntityOrCommon"},
    *({"type": "EntityOrCommon", "name": n} for n in ["E", "Long", "Bool", "Boolean", "__cedar::Long", "Set"]),
    {"type": "Extension"}, *({"type": "Extension", "name": n} for n in ["ipaddr", "foo", "A::B"]),
    *({"type": t} for t in ["ipaddr", "__cedar::Long", "__cedar::Boolean", "E", "Foo", " Long", "A::B", 1]), {}, [], "Long", None,
    {"type": None}, {"type": "Long", "required": True}, {"type": "Long", "required": None}, {"type": "Long", "required": "x"},
    {"type": "Long", "annotations": {"a": "b", "c": None}}, {"type": "Long", "annotations": None},
    {"type": "Set", "element": {"type": "Long", "required": True}}, {"type": "Set", "element": {"type": "Long", "annotations": {}}},
    {"required": True, "type": "Record", "attributes": {"y": {"type": "Long", "required": False}}}, {"name": "E"},
    {"type": "Set", "element": None}, {"type": "Record", "attributes": None}, {"type": "Entity", "name": None},
    {"type": "Long", "element": None}, {"type": "in"}, {"type": "Entity", "name": "in"}, {"type": "Entity", "name": "__cedar"},
    {"type": "Action"}, {"type": "Entity", "name": "Action"},
]
ENTITIES = [
    {}, None, [], {"foo": 1}, *({"memberOfTypes": m} for m in [[], ["P"], ["P", "P"], None, ["R"], ["X"], [1], "P", [" P"], ["Action"]]),
    *({"shape": s} for s in [{"type": "R"}, {"type": "EntityOrCommon", "name": "R"}, {"type": "L"}, LONG, {"type": "Entity", "name": "P"}, None,
                             {**EMPTY, "annotations": {}}, {**EMPTY, "required": True}]),
    *({"tags": t} for t in [LONG, None, {"type": "R"}, {"type": "Long", "annotations": {"a": "b"}}]),
    *({"enum": e} for e in [[], ["a"], ["a", "a"], None, [1], "a"]), {"enum": ["a"], "shape": EMPTY}, {"enum": ["a"], "memberOfTypes": []},
    {"enum": ["a"], "tags": LONG}, {"enum": ["a"], "annotations": {"a": "b"}}, {"annotations": {"a": None}},
    {"enum": ["a\n\"\u0001\u200d\u0301"]},
]
ACTIONS = [
    {}, None, *({"attributes": a} for a in [{}, None, {"x": 1}]), {"foo": 1}, {"appliesTo": None}, applies(), applies(principalTypes=["U"]),
    applies(principalTypes=["U"], resourceTypes=[]), applies(principalTypes=[], resourceTypes=[]), applies(principalTypes=[], resourceTypes=["U"]),
    *(applies(principalTypes=p, resourceTypes=["R"]) for p in [["U"], ["U", "U"], None, ["C"], ["Action"]]),
    applies(principalTypes=["U"], resourceTypes=["R"], foo=1),
    *map(applies_with, [None, {"type": "C"}, {"type": "EntityOrCommon", "name": "C"}, {"type": "L"}, LONG, {"type": "Entity", "name": "U"}]),
    applies(principalTypes=[], resourceTypes=[], context={"type": "C"}), applies_with({**EMPTY, "additionalAttributes": True}),
    *({"memberOf": m} for m in [
        None, [], [{"id": "b"}], [{"id": "b"}, {"id": "b"}], *([{"id": "b", "type": t}] for t in ["Action", None, "Foo", "N::Action"]), [{"id": "x"}],
        ["b"], [{"type": "Action"}], [{"id": "b", "foo": 1}], [{"id": "a"}], [{"id": 1}], [{"__entity": {"id": "b", "type": "Action"}}], {"id": "b"}]),
    {"annotations": {"a": None, "b": ""}},
]
WHOLE = [
    with_action({"memberOf": [{"id": "b", "type": "Action"}]}, {"b": {}, "": {}, "x\"y\n\U0001f600\u0301": {}}),
    {"": {"entityTypes": {"U": {"memberOfTypes": [], "shape": EMPTY},
                          "V": {"shape": {"type": "Record", "attributes": {"a": {**EMPTY, "additionalAttributes": False}}, "additionalAttributes": False}},
                          "W": {"shape": {"type": "R"}}},
          "actions": {"a": {"memberOf": [], **applies(principalTypes=[], resourceTypes=[], context=EMPTY)},
                      "b": {"memberOf": None, "appliesTo": None, "attributes": None}},
          "annotations": {}, "commonTypes": {"R": {**EMPTY, "annotations": {}}}}},
    {"N": space(entityTypes={"T": {}}, commonTypes={"T": LONG})},
    top(entityTypes={"T": {}, "E": {"shape": {"type": "Record", "attributes": {"x": {"type": "Entity", "name": "T"}}}}}, commonTypes={"T": LONG}),
    {"": space(commonTypes={}), "N": space(entityTypes={"ipaddr": {}, "E": {"shape": {"type": "Record", "attributes": {
        "x": {"type": "ipaddr"}, "y": {"type": "EntityOrCommon", "name": "ipaddr"}}}}})},
    top(entityTypes={"ipaddr": {}, "E": {"shape": {"type": "Record", "attributes": {"x": {"type": "ipaddr"}}}}}),
    {"": space(entityTypes={"T": {}}), "N": space(commonTypes={"T": LONG})},
    top(commonTypes={"T": {"type": "U"}, "U": {"type": "T"}}), top(commonTypes={"T": {"type": "Set", "element": {"type": "T"}}}),
    top(entityTypes={"tags": {"tags": {"type": "Set", "element": {"type": "Record", "attributes": {
        "a": {"type": "Record", "attributes": {"b": LONG}}}}}}},
        actions={"a": applies(principalTypes=["tags"], resourceTypes=["tags"], context={"type": "Record", "attributes": {
            "a b": {"type": "Long", "required": False}, "in": LONG, "__cedar": LONG, "entity": LONG}})}),
]
TEXTS = [
    "", "entity A;", "namespace N {}", "entity A {x: Long, x: String};", 'entity A {x?: Long, "x": String}; type T = {a: Long, a: Bool};',
    "entity A, B in [A] {x: Long} tags Long;", "action a;", "action a in b; action b;", 'action a in [Action::"b", "b"]; action b;',
    "entity U; action a appliesTo {principal: U, resource: [U]};",
    'entity U; type C = {}; action a, "b c" appliesTo {principal: U, resource: [U], context: C};',
    '@a @b("x") namespace N { @c("") entity U { @d x: Set<Set<U>> }; @e type T = U; @f action a; }', 'entity E enum ["a","a"];',
    "type T = ipaddr; entity A { x: T, y: __cedar::Long, z: Bool, b: decimal };", "entity A { x: {} , y: { z?: A } };",
    "action a appliesTo { principal: A, resource: A, context: {x: A}}; entity A;",
    'action a in N::Action::"x"; namespace N { action x; action y in x;}', "entity A = {}; entity B in [];",
    "namespace A { entity X; } entity Y; namespace B { entity X; } entity Z;", "entity A { x : B }; type B = Long; entity B;",
    "namespace N { entity E; type T = E; action a appliesTo { principal: E, resource: E, context: {t: T, l: Long, i: ipaddr, e: E, x: "
    "__cedar::String}}; }",
    "namespace N { entity E; } namespace M { entity F { x: N::E, y: F}; type ipaddr = Long; entity G { i: ipaddr, j: __cedar::ipaddr, s: "
    "Set<ipaddr>} tags ipaddr; }",
    "type decimal = String; namespace N { entity A { x: decimal }; }", "entity decimal; namespace N { entity A { x: decimal }; }",
    "entity A in [A, A];", "type T = Long; type T = Long;",
]


def schemas():
    named = [what for n in NAMES for what in (top(entityTypes={n: {}}), top(commonTypes={n: LONG}))]
    return [*SPACES, *named, *(top(commonTypes={n: LONG}) for n in COMMON_NAMES), *map(typed, TYPES), *map(with_entity, ENTITIES),
            *map(with_action, ACTIONS), *WHOLE, *TEXTS]


# Where the engines differ besides what differences.json explains: (schema, call): (how, why).
EXPLAINED = {
    ("an entity type beside a common type", "schemaToText"): (
        "official success, ours failure", "what it prints reads back with the common type in the place of the entity type"),
    ("an entity type called like a built-in type", "schemaToText"): (
        "texts", "what it prints reads back with the entity type in the place of the built-in one; ours writes the long name"),
}
NAMED = {3: "an entity type beside a common type", 4: "an entity type called like a built-in type"}  # of WHOLE


def cases():
    """(id, call, input) for differential.check."""
    named = {id(WHOLE[at]): name for at, name in NAMED.items()}
    out = []
    for at, schema in enumerate(schemas()):
        calls = ["checkParseSchema", "schemaToJson", "schemaToText"] + ["schemaToJsonWithResolvedTypes"] * isinstance(schema, str)
        out += [(f"{named.get(id(schema), at)}/odd", call, json.dumps(schema)) for call in calls]
    return out

"""Tools, and values for their arguments, that the official generator of schemas and ours are compared on; and the
differences that are meant, each with its cause.

An input schema's property is called x unless the row is about names."""

STUB = """namespace M {
    @mcp_principal entity User;
    @mcp_context("session") type Session = { at: datetime, from: ipaddr };
    @mcp_resource entity McpServer;
    @mcp_action action "call_tool";
}"""
PLAIN_STUB = 'namespace M { @mcp_principal entity User; @mcp_resource entity McpServer; @mcp_action action "call_tool"; }'

STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
OBJECT = {"type": "object", "properties": {"s": STRING, "n": INTEGER}, "required": ["s"]}


def text_of(*values):
    return {"type": "string", "enum": list(values)}


def one(properties, required=(), defs=None, more=None, name="t"):
    schema = {"type": "object", "properties": properties, "required": list(required)}
    if defs:
        schema["$defs"] = defs
    return [{"name": name, "description": "d", "inputSchema": schema, **(more or {})}]


def bare(schema, **more):
    return [{"name": "t", "inputSchema": schema, **more}]


def ref(name):
    return {"$ref": f"#/$defs/{name}"}


def object_of(**properties):
    return {"type": "object", "properties": properties}


def array_of(items):
    return {"type": "array", "items": items}


# name: tools
TOOLS = {
    "scalars": one({"a": STRING, "b": INTEGER, "c": {"type": "boolean"}, "d": NUMBER, "e": {"type": "float"}, "f": {"type": "null"},
                    "g": {}}, ["a", "d"]),
    "formats": one({name: {"type": "string", "format": form} for name, form in
                    zip("abcdefgh", ["date", "date-time", "duration", "ipv4", "ipv6", "decimal", "uri", "email"])}),
    "enum": one({"e": text_of("a", "b", 'a"\n')}),
    "empty enum": one({"e": text_of()}),
    "enum of integers": one({"e": {"type": "integer", "enum": [1, 2]}}),
    "mixed enum": one({"e": text_of("a", 1)}),
    "arrays": one({"a": {"type": "array"}, "b": array_of(STRING), "c": array_of(array_of(INTEGER)), "d": array_of(False),
                   "e": array_of(text_of("x")), "f": array_of(object_of(z=STRING))}),
    "array of nonsense": one({"a": array_of(3)}),
    "tuples": one({"a": {"type": "array", "prefixItems": [STRING, object_of(q=INTEGER)], "items": False},
                   "b": {"type": "array", "prefixItems": [], "items": False},
                   "c": {"type": "array", "prefixItems": [STRING], "items": STRING},
                   "d": {"type": "array", "prefixItems": [STRING], "items": INTEGER},
                   "e": {"type": "array", "prefixItems": [STRING]}}),
    "choices": one({"a": {"type": ["string", "null"]}, "b": {"anyOf": [INTEGER, text_of("k"), object_of(o={"type": "boolean"})]},
                    "c": {"oneOf": [{"type": "null"}, NUMBER]}, "d": {"anyOf": []},
                    "e": {"type": ["object", "null"], "properties": {"x": STRING}, "required": ["x"]},
                    "f": {"type": ["array", "null"], "items": INTEGER}}),
    "objects": one({"o": {"type": "object"}, "m": {"type": "object", "additionalProperties": INTEGER},
                    "p": {**object_of(a=STRING, q={**object_of(r=text_of("x", "y")), "required": ["r"]}), "required": ["a"]},
                    "n": {**object_of(k=STRING), "additionalProperties": text_of("e")},
                    "u": {"type": "object", "additionalProperties": False}, "w": {"type": "object", "additionalProperties": True},
                    "z": {"type": "object", "additionalProperties": object_of(h=NUMBER)}}),
    "definitions": one({"a": ref("A"), "b": array_of(ref("B")), "c": ref("C"), "e": ref("E")}, defs={
        "A": object_of(next=ref("A"), v=INTEGER), "B": STRING, "C": ref("B"), "E": text_of("q")}),
    "definitions of the tool": one({"a": ref("A"), "b": ref("S")}, more={"$defs": {"A": INTEGER, "S": object_of(z=STRING)}}),
    "definitions of the server": {"result": {
        "tools": [{"name": "t", "inputSchema": object_of(a=ref("G"), b=ref("H"))}, {"name": "u", "inputSchema": object_of(a=ref("G"))}],
        "$defs": {"G": array_of(NUMBER), "H": object_of(g=ref("G"))}}},
    "no such definition": one({"a": ref("X")}),
    "reference elsewhere": one({"a": {"$ref": "http://x"}}),
    "circle of references": one({"a": ref("A")}, defs={"A": ref("B"), "B": ref("A")}),
    "circle through a choice": one({"a": ref("A")}, defs={"A": {"anyOf": [STRING, ref("A")]}}),
    "definition of an array": one({"a": ref("A")}, defs={"A": array_of(text_of("x"))}),
    "reserved name": one({"in": STRING}),
    "reserved name of an object": one({"in": object_of(a=STRING)}),
    "name with a dash": one({"a-b": STRING}),
    "name of an enum with a dash": one({"a-b": text_of("x")}),
    "name of an enum with colons": one({"a::b": text_of("x")}),
    "tool with a dash": one({"a": STRING}, name="my-tool"),
    "tool with a dash and types": one({"a": text_of("x")}, name="my-tool"),
    "tool with a reserved name": one({"a": STRING}, name="in"),
    "no type": one({"a": {"description": "x"}, "b": {"type": True}, "c": {"type": None}}),
    "unknown type": one({"a": {"type": "any"}}),
    "type of nonsense": one({"a": {"type": 3}}),
    "property of nonsense": one({"a": 3}),
    "no input schema": [{"name": "t"}],
    "no name": [{"inputSchema": {"type": "object"}}],
    "a single tool": bare({"type": "object"})[0],
    "parameters": [{"name": "t", "parameters": {"json": object_of(a=STRING)}}],
    "required is false": bare({**object_of(a=STRING), "required": False}),
    "required is a string": bare({**object_of(a=STRING), "required": "a"}),
    "two tools": [{"name": name, "inputSchema": object_of(a=text_of("x"))} for name in ("t", "u")],
    "two tools of one name": [{"name": "t", "inputSchema": {"type": "object"}}] * 2,
    "name of the stub's": one({"User": text_of("x")}),
    "name of the generator's": one({"Number": text_of("a"), "n": NUMBER}),
    "names of built-in types": one({"decimal": object_of(String=text_of("x"), s=STRING), "d": {"type": "string", "format": "decimal"}}),
    "name of the input": one({"Input": object_of(a=STRING)}),
    "output": one({"a": STRING}, more={"outputSchema": {**object_of(r=object_of(s=NUMBER)), "required": ["r"]}}),
    "one name at each depth": one({"a": object_of(a=object_of(a=object_of(a=text_of("z"))))}),
    "definition called as a property": one({"A": text_of("p"), "b": ref("A")}, defs={"A": text_of("q")}),
}
OPTIONS = [{}, {"objectsAsRecords": True}, {"flattenNamespaces": True}, {"eraseAnnotations": False},
           {"numbersAsDecimal": True, "includeOutputs": True}]

# name: the type of argument x
TYPES = {
    "boolean": {"type": "boolean"}, "integer": INTEGER, "number": NUMBER, "float": {"type": "float"}, "string": STRING,
    "enum": text_of("a", "b"), "null": {"type": "null"}, "date-time": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"}, "duration": {"type": "string", "format": "duration"},
    "ipv4": {"type": "string", "format": "ipv4"}, "ipv6": {"type": "string", "format": "ipv6"},
    "decimal": {"type": "string", "format": "decimal"}, "array": array_of(INTEGER), "array of anything": {"type": "array"},
    "tuple": {"type": "array", "prefixItems": [STRING, INTEGER], "items": False},
    "choice": {"anyOf": [{"type": "null"}, INTEGER, text_of("a", "b"), OBJECT]}, "object": OBJECT,
    "map": {**object_of(k=STRING), "additionalProperties": INTEGER}, "anything": {}, "array of objects": array_of(OBJECT),
    "nested": object_of(o=OBJECT, m={"type": "object", "additionalProperties": OBJECT}),
}
NUMBERS = ["integer", "number", "float", "decimal", "choice", "anything"]
OBJECTS = ["tuple", "choice", "object", "map", "anything", "array of objects", "nested"]
REQUEST_OPTIONS = [({}, TYPES), ({"numbersAsDecimal": True}, NUMBERS), ({"objectsAsRecords": True}, OBJECTS)]
# As they are written: a number that is read is a number that is rounded.
VALUES = [
    "true", "1", "-1", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1.0", "1e2", "1.5", "0.12345", "-0.0001",
    "922337203685477.5807", "922337203685477.5808", "922337203685477.1234", "9007199254740993", "1.50", "1e400", '"s"', '"a"', '"c"', '""', "null", "[]", "[1,2]",
    "[2,1,2]", '[1,"a"]', "[1.5]", '["s",1]', '["s"]', '[1,"s"]', "{}", '{"s":"x"}', '{"s":"x","n":2}', '{"s":"x","n":"y"}',
    '{"s":"x","q":1}', '{"s":"x","n":null}', '{"k":"v"}', '{"k":"v","a":1,"b":2}', '{"a":"s"}', '[{"s":"x"},{"s":"x"}]',
    '[{"s":"x"},{}]', '{"o":{"s":"x"},"m":{"q":{"s":"y"}}}', '"2024-01-01"', '"2024-01-01T00:00:00Z"',
    '"2024-01-01T00:00:00.123456Z"', '"2024-01-01T00:00:00.1Z"', '"2024-01-01T00:00:00.123000Z"', '"2024-01-01T00:00:00+01:00"',
    '"2024-01-01T00:00:00+0100"', '"2024-01-01T00:00:00"', '"2024-01-01T00:00:00-00:00"', '"2024-13-01"', '"2024-01-01t00:00:00z"',
    '"2016-12-31T23:59:60Z"', '"P1D"', '"P1Y"', '"P1M"', '"PT1H30M"', '"PT0.5S"', '"PT0.1234S"', '"P1W"', '"P1W2D"', '"PT"', '"P"',
    '"P0D"', '"-P1D"', '"1.2.3.4"', '"1.2.3.4/24"', '"::1"', '"2001:DB8::1"', '"::ffff:1.2.3.4"', '"01.2.3.4"', '"1.5"', '"1"',
    '"01.5"', '"-0.5"', '"1.55555"', '"922337203685477.5807"',
]


class Difference:
    """`which` names tools or types, `values` the arguments (all), `option` the one that it takes (any)."""

    def __init__(self, how, which, cause, values=None, option=None):
        self.how, self.which, self.cause, self.values, self.option = how, which, cause, values, option

    def explains(self, name, how):
        given = name[1:] if self.values is None else name[2:]
        return (self.how == how.partition(":")[0] and name[0] in self.which and (self.values is None or name[1] in self.values)
                and (self.option is None or self.option in given))


SCHEMAS_DIFFER = [
    Difference("official wrong", ["definitions"], "objects that contain themselves as records: its schema is none, a type in a circle; "
               "ours leaves the inner reference out", option="objectsAsRecords"),
    Difference("we refuse", ["circle through a choice"], "a choice that contains itself: its schema is none, a type in a circle"),
    Difference("we refuse", ["definition of an array"], "a definition whose name would serve two types: its schema is none"),
    Difference("we refuse", ["two tools of one name"], "two tools of one name: which of them a call is nobody could tell"),
    Difference("official refuses", ["reserved name", "name with a dash"], "a property's name need be a name of Cedar's only where a type is "
               "called by it"),
    Difference("official refuses", ["reserved name of an object"], "the same: flattened, the type is called Input_in",
               option="flattenNamespaces"),
    Difference("official refuses", ["tool with a reserved name"], "a tool's name need be a name of Cedar's only where a type is called by it"),
]
REQUESTS_DIFFER = [
    Difference("we refuse", ["number", "float"], "a number that is not exactly a decimal: it rounds", ["0.12345"], "numbersAsDecimal"),
    Difference("other values", ["number", "float"], "a large decimal: it goes through a double, and becomes .1250",
               ["922337203685477.1234"], "numbersAsDecimal"),
    Difference("official refuses", ["number", "float"], "the largest decimal: it goes through a double, and out of bounds",
               ["922337203685477.5807"], "numbersAsDecimal"),
    Difference("other values", ["float"], "an id of a float: it goes through a double, and becomes another number",
               ["9223372036854775807", "9007199254740993", "922337203685477.5807", "922337203685477.5808", "922337203685477.1234",
                "-9223372036854775808", "9223372036854775808"]),
    Difference("official refuses", ["float"], "a number beyond a double: as an id it is as good as another", ["1e400"]),
    Difference("we refuse", ["date-time", "date"], "finer than a millisecond: it cuts off", ['"2024-01-01T00:00:00.123456Z"']),
    Difference("we refuse", ["date-time", "date"], "a time without a zone: it takes it for UTC", ['"2024-01-01T00:00:00"']),
    Difference("we refuse", ["date-time", "date"], "a time with t and z: Cedar writes T and Z", ['"2024-01-01t00:00:00z"']),
    Difference("we refuse", ["duration"], "years and months have no length: it takes 365 and 30 days", ['"P1Y"', '"P1M"']),
    Difference("we refuse", ["duration"], "weeks stand alone in ISO 8601: it drops the days beside them", ['"P1W2D"']),
    Difference("we refuse", ["duration"], "finer than a millisecond: it cuts off", ['"PT0.1234S"']),
    Difference("we refuse", ["duration"], "PT without a part is no duration: it takes it for 0", ['"PT"']),
    Difference("we refuse", ["ipv4", "ipv6"], "Cedar reads no IPv4 inside IPv6: it makes the IPv4 address of it", ['"::ffff:1.2.3.4"']),
    Difference("official refuses", ["decimal"], "a decimal with a zero before it is one of Cedar's", ['"01.5"']),
    Difference("other values", ["nested"], "an object among a map's members: its request has a type called like the member, which its own "
               "schema does not declare", ['{"o":{"s":"x"},"m":{"q":{"s":"y"}}}']),
    Difference("official refuses", ["map"], "a map without other members: its request has a record where its own schema has an entity",
               ["{}", '{"k":"v"}'], "objectsAsRecords"),
]

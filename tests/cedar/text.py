"""Policy JSON as policy text, in one of its many spellings: parentheses that are not needed, odd white space, comments,
escapes, trailing commas."""

import words

ANY, OR, AND, RELATION, SUM, PRODUCT, UNARY, MEMBER = range(8)
BINARY = {"||": OR, "&&": AND, "==": RELATION, "!=": RELATION, "<": RELATION, "<=": RELATION, ">": RELATION, ">=": RELATION, "in": RELATION,
          "+": SUM, "-": SUM, "*": PRODUCT}
SET_METHODS = ("contains", "containsAll", "containsAny", "hasTag", "getTag")
FUNCTIONS = ("decimal", "ip", "datetime", "duration")
RESERVED = ("true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar")


class Policy:
    def __init__(self, r, odd=0.01, parens=0.06):
        self.r, self.odd, self.parens = r, odd, parens

    def gap(self):
        return words.space(self.r, self.odd)

    def uid(self, u):
        u = u.get("__entity", u)
        return f"{u['type']}::{words.quoted(self.r, u['id'])}"

    def bare(self, key):
        return key.isascii() and key.isidentifier() and key not in RESERVED

    def key(self, key):
        return key if self.bare(key) and self.r.random() < 0.9 else words.quoted(self.r, key)

    # --- expressions ---

    def expr(self, e, need=ANY):
        (op, node), = e.items()
        text, level = self.node(op, node)
        if level < need or self.r.random() < self.parens:
            return f"({text})"
        return text

    def node(self, op, node):
        if op in BINARY:
            return self.binary(op, node)
        if op in NODES:
            return NODES[op](self, node)
        if op in SET_METHODS:
            return f"{self.expr(node['left'], MEMBER)}.{op}({self.expr(node['right'])})", MEMBER
        return self.call(op, node)

    def binary(self, op, node):
        level = BINARY[op]
        left = level + 1 if level == RELATION else level
        return f"{self.expr(node['left'], left)}{self.gap()}{op}{self.gap()}{self.expr(node['right'], level + 1)}", level

    def call(self, name, args):
        first, rest = ("", args) if name in FUNCTIONS or not args else (self.expr(args[0], MEMBER) + ".", args[1:])
        return f"{first}{name}({', '.join(self.expr(a) for a in rest)})", MEMBER

    def value(self, v):
        if isinstance(v, bool):
            return ("true" if v else "false"), MEMBER
        if isinstance(v, int):
            return str(v), MEMBER if v >= 0 else UNARY
        if isinstance(v, str):
            return words.quoted(self.r, v), MEMBER
        if isinstance(v, list):
            return "[" + ", ".join(self.value(x)[0] for x in v) + "]", MEMBER
        if isinstance(v, dict) and "__entity" in v:
            return self.uid(v), MEMBER
        if isinstance(v, dict) and "__extn" in v:
            return self.value(v["__extn"]["arg"])
        return "{" + ", ".join(f"{words.quoted(self.r, k)}: {self.value(x)[0]}" for k, x in v.items()) + "}", MEMBER

    def attribute(self, node):
        left = self.expr(node["left"], MEMBER)
        if self.bare(node["attr"]) and self.r.random() < 0.9:
            return f"{left}.{node['attr']}", MEMBER
        return f"{left}[{words.quoted(self.r, node['attr'])}]", MEMBER

    def has(self, node):
        key = ".".join(node["attr"]) if isinstance(node["attr"], list) else self.key(node["attr"])
        return f"{self.expr(node['left'], SUM)} has {key}", RELATION

    def like(self, node):
        pattern = "".join("*" if p == "Wildcard" else words.quoted(self.r, p["Literal"], True)[1:-1] for p in node["pattern"])
        return f'{self.expr(node["left"], SUM)} like "{pattern}"', RELATION

    def kind(self, node):
        more = f" in {self.expr(node['in'], SUM)}" if "in" in node else ""
        return f"{self.expr(node['left'], SUM)} is {node['entity_type']}{more}", RELATION

    def condition(self, node):
        return f"if {self.expr(node['if'])} then {self.expr(node['then'])} else {self.expr(node['else'])}", ANY

    def unary(self, sign, arg):
        text = self.expr(arg, UNARY)
        return sign + (f"({text})" if text[:1] == "-" or text[:3] == "!!!" else text), UNARY

    def items(self, open_, texts, close):
        comma = "," if texts and self.r.random() < 0.03 else ""
        return open_ + f",{self.gap()}".join(texts) + comma + close, MEMBER

    # --- policies ---

    def scope(self, name, c):
        if c["op"] == "All":
            return name
        target = f"?{name}" if "slot" in c else self.uid(c["entity"]) if "entity" in c else ""
        if "entities" in c:
            target = "[" + ", ".join(self.uid(u) for u in c["entities"]) + "]"
        if c["op"] == "is":
            more = c.get("in")
            inside = "" if not more else " in ?" + name if "slot" in more else " in " + self.uid(more["entity"])
            return f"{name} is {c['entity_type']}{inside}"
        return f"{name}{self.gap()}{c['op']}{self.gap()}{target}"

    def policy(self, p):
        r = self.r
        out = "".join(f"@{k}{'(' + words.quoted(r, v) + ')' if v is not None else ''}{self.gap()}" for k, v in p.get("annotations", {}).items())
        comma = "," if r.random() < 0.05 else ""
        out += p["effect"] + self.gap() + "(" + f",{self.gap()}".join(self.scope(n, p[n]) for n in ("principal", "action", "resource")) + comma + ")"
        for c in p["conditions"]:
            out += f"{self.gap()}{c['kind']} {{{self.gap()}{self.expr(c['body'])}{self.gap()}}}"
        return out + ";"


NODES = {
    "__raw": lambda self, node: (node, MEMBER),
    "Value": lambda self, node: self.value(node),
    "Var": lambda self, node: (node, MEMBER),
    "Slot": lambda self, node: (node, MEMBER),
    "!": lambda self, node: self.unary("!", node["arg"]),
    "neg": lambda self, node: self.unary("-", node["arg"]),
    ".": Policy.attribute,
    "has": Policy.has,
    "like": Policy.like,
    "is": Policy.kind,
    "isEmpty": lambda self, node: (f"{self.expr(node['arg'], MEMBER)}.isEmpty()", MEMBER),
    "if-then-else": Policy.condition,
    "Set": lambda self, node: self.items("[", [self.expr(x) for x in node], "]"),
    "Record": lambda self, node: self.items("{", [f"{self.key(k)}: {self.expr(x)}" for k, x in node.items()], "}"),
}


def write(r, policy, odd=0.01):
    return Policy(r, odd).policy(policy)

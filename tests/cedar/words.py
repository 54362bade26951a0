"""Words of the language, ordinary and at the limits: names, strings, numbers, literals of extension types, and ways to
spell them in policy text."""

import json

KEYWORDS = ["true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar"]
SOFT = ["permit", "forbid", "when", "unless", "principal", "action", "resource", "context", "entity", "type", "namespace",
        "appliesTo", "attributes", "tags", "enum", "Set", "Long", "String", "Bool", "Boolean", "Record", "Entity",
        "Extension", "decimal", "ipaddr", "ip", "datetime", "duration", "EntityOrCommon", "Action", "contains", "isEmpty"]
PLAIN = ["a", "b", "c", "n", "s", "k1", "_x", "owner", "role", "x_y", "A0"]
IDS = ["a", "b", "c", "alice", "x y", "", "é", "0"]
ODD_STRINGS = ["\0", "\n", "\t\r", '"', "'", "\\", "*", "a*b", "\\*", "é", "\u0301", "日本", "\U0001f600", "\u2028", "\ufeff", "\u200b",
               "\u202eabc", "\x7f", "\x80", "\U0010ffff", "if", "__entity", "__extn", "a::b", "-1", "//", "?principal",
               "\u0430dmin", " ", "\xa0", "\ufffd"]
STRINGS = ["a", "b", "ab", "abc", "", "alice", "10.0.0.1", "1.0", "2024-01-01", "1d", "aXbXc", "日本語"]

I64_MAX = 2**63 - 1
I64_MIN = -(2**63)
LONGS = [0, 1, 2, 3, 7, 10, 42, 100, -1, -2, -10]
EDGE_LONGS = [I64_MAX, I64_MIN, I64_MAX - 1, I64_MIN + 1, 2**62, -(2**62), 2**31, -(2**31), 2**32, 2**53, 2**53 + 1, 3037000500,
              -3037000500, 4611686018427387904, 3074457345618258603]
TOO_LONG = [2**63, -(2**63) - 1, 2**64, 10**19, 10**30, -(10**30)]


def ident(r):
    x = r.random()
    if x < 0.9:
        return r.choice(PLAIN)
    return r.choice(SOFT) if x < 0.99 else r.choice(KEYWORDS)


def string(r):
    x = r.random()
    if x < 0.7:
        return r.choice(STRINGS)
    if x < 0.9:
        return r.choice(ODD_STRINGS)
    return "".join(r.choice("ab*\\\"'\0\né日\U0001f600") for _ in range(r.randrange(6)))


def attribute(r):
    """An attribute or key name: mostly an identifier, else any string."""
    x = r.random()
    return r.choice(PLAIN) if x < 0.85 else ident(r) if x < 0.93 else string(r)


def long(r):
    x = r.random()
    return r.choice(LONGS) if x < 0.75 else r.choice(EDGE_LONGS) if x < 0.95 else r.randrange(I64_MIN, I64_MAX + 1)


# --- literals of extension types: half near a limit, a share on its wrong side ------------------------------------

DECIMALS = ["0.0", "1.0", "-1.0", "0.5", "-0.5", "1.5", "2.25", "-0.0", "0.0001", "-0.0001", "00001.5", "-00.10", "1.0000", "1.2345",
            "922337203685477.5807", "-922337203685477.5808", "922337203685477.5806", "-922337203685477.5807"]
BAD_DECIMALS = ["1", ".5", "1.", "+1.0", "1.00000", "922337203685477.5808", "-922337203685477.5809", "922337203685478.0", "--1.0", "-",
                "", "1.0.0", " 1.0", "1.0 ", "1,0", "1e1", "0x1.0", "1.-5", "-.5", "1_0.0", "١.٠", "1.١", "99999999999999999999.0",
                "-1.", "1.0\0", "９.0", "922337203685477.58070"]
IPS = ["10.0.0.1", "10.0.0.1/24", "10.0.0.0/24", "0.0.0.0/0", "127.0.0.1", "127.0.0.0/8", "127.0.0.0/7", "127.255.255.255/32", "224.0.0.1",
       "239.255.255.255", "224.0.0.0/4", "224.0.0.0/3", "255.255.255.255", "10.0.0.1/32", "::1", "::", "::/0", "::1/128", "::1/127", "ff00::/8", "ff00::/7", "ffff::1",
       "1:2:3:4:5:6:7:8", "1::8", "::ffff:10.0.0.1", "::ffff:a00:1", "2001:DB8::1", "2001:db8::/32", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
       "1:2:3:4:5:6:1.2.3.4", "::1.2.3.4", "fe80::1", "a::b:0:0", "0:0:0:0:0:0:0:0", "0000:0000::0001"]
BAD_IPS = ["", "10.0.0", "10.0.0.1.2", "010.0.0.1", "10.0.0.256", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/01", "10.0.0.1/-1", "10.0.0.1/+1", "/24",
           "10.0.0.1/24/8", "::/129", "1::2::3", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7", ":1", "1:", "12345::", "::g", "::ffff:010.0.0.1",
           "::ffff:10.0.0", "::1%eth0", "[::1]", " 10.0.0.1", "10.0.0.1 ", "10..0.1", "0x10.0.0.1", "10.0.0.1/1000", ":::", "1:2:3:4:5:6:7:1.2.3.4",
           "1.2.3.4::", "::1.2.3.4:5", "00000::", "::/00", "::/0128", "10.0.0.1/0032", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "/", "١.1.1.1",
           "1111:1111:1111:1111:1111:1111:1111:1111/128", "1111:1111:1111:1111:1111:1111:1111:11111", "0.0.0.0/00", "00.0.0.0", "000.0.0.0"]
DATETIMES = ["2024-01-01", "2024-02-29", "1970-01-01", "0000-01-01", "9999-12-31", "1969-12-31", "2024-01-01T00:00:00Z", "2024-01-01T23:59:59Z",
             "2024-01-01T12:30:45.123Z", "2024-01-01T00:00:00+0100", "2024-01-01T00:00:00-0100", "2024-01-01T00:00:00.001+2359",
             "2024-01-01T00:00:00.999-2359", "0000-01-01T00:00:00+2359", "9999-12-31T23:59:59.999-2359", "1970-01-01T00:00:00.000Z",
             "1969-12-31T23:59:59.999Z", "2000-02-29T00:00:00Z", "2024-01-01T00:00:00+0000", "2024-01-01T00:00:00-0000"]
BAD_DATETIMES = ["", "2024", "2024-1-1", "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "2024-01-32", "2024-04-31",
                 "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.1Z",
                 "2024-01-01T00:00:00.12Z", "2024-01-01T00:00:00.1234Z", "2024-01-01T00:00:00+2400", "2024-01-01T00:00:00+0060", "2024-01-01T00:00:00+01:00", "2024-01-01T00:00:00+01",
                 "2024-01-01T00:00Z", "2024-01-01 00:00:00Z", "2024-01-01t00:00:00Z", "2024-01-01T00:00:00z", "+2024-01-01", "-2024-01-01", "12024-01-01",
                 "2024-01-01Z", " 2024-01-01", "2024-01-01 ", "2024-01-01T", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00.000", "２024-01-01", "2024-01-01T00:00:00ZZ",
                 "2024-01-01T00:00:00+00000", "2024-01-01T-1:00:00Z", "2024/01/01", "2024-01-01T00:00:00.+12Z", "2024-01-01T00:00:00+-100", "2024-+1-01"]
DURATIONS = ["0ms", "1ms", "1s", "1m", "1h", "1d", "-1ms", "-1d", "1d2h3m4s5ms", "1d5ms", "2h3m", "24h", "1440m", "86400s", "86400000ms", "9223372036854775807ms",
             "-9223372036854775808ms", "106751991167d", "-106751991167d", "106751991167d7h12m55s807ms", "-106751991167d7h12m55s808ms", "00001s", "-0s",
             "2562047788015h", "153722867280912m", "9223372036854775s", "9223372036854775s807ms", "0d0h0m0s0ms"]
BAD_DURATIONS = ["", "-", "1", "ms", "1h1h", "1s1m", "9223372036854775808ms", "-9223372036854775809ms", "106751991168d", "-106751991168d",
                 "106751991167d7h12m55s808ms", "-106751991167d7h12m55s809ms", "+1s", "1.5s", "1 s", " 1s", "1s ", "1S", "1D", "--1s", "1d-1h", "1y", "1w",
                 "18446744073709551616ms", "99999999999999999999d", "1ms1s", "1mss", "1sms", "d", "1dh", "9223372036854775s808ms", "１s", "1h 1m", "2562047788016h",
                 "153722867280913m", "9223372036854776s"]

EXTENSIONS = {"decimal": ("decimal", DECIMALS, BAD_DECIMALS), "ipaddr": ("ip", IPS, BAD_IPS),
              "datetime": ("datetime", DATETIMES, BAD_DATETIMES), "duration": ("duration", DURATIONS, BAD_DURATIONS)}


def literal(r, kind, bad=0.0):
    """The text of a literal of extension type `kind`; with probability `bad` likely a wrong one."""
    _, good, wrong = EXTENSIONS[kind]
    x = r.random()
    if x < bad:
        return r.choice(wrong) if r.random() < 0.6 else mutated(r, r.choice(good))
    return r.choice(good) if x < bad + 0.6 else MAKERS[kind](r)


def mutated(r, text):
    at = r.randrange(len(text) + 1)
    x = r.random()
    if x < 0.4:
        return text[:at] + text[at + 1:]
    return text[:at] + r.choice("0123456789.:/-+TZdhms é") + text[at + (x < 0.7):]


def make_decimal(r):
    whole = r.choice([str(r.randrange(10)), str(r.randrange(10**15)), "0" * r.randrange(4) + str(r.randrange(99)), "922337203685477"])
    return r.choice(["", "-"]) + whole + "." + "".join(r.choice("0123456789") for _ in range(r.choice([1, 1, 2, 3, 4, 4])))


def make_ip(r):
    if r.random() < 0.5:
        text = ".".join(str(r.choice([0, 1, 10, 127, 128, 192, 223, 224, 239, 240, 255, r.randrange(256)])) for _ in range(4))
        return text + (f"/{r.randrange(33)}" if r.random() < 0.5 else "")
    groups = [r.choice(["0", "1", "ff", "ff00", "ffff", "7f00", "abcd", f"{r.randrange(65536):x}"]) for _ in range(8)]
    text = ":".join(groups)
    if r.random() < 0.7:
        left = r.randrange(8)
        right = r.randrange(8 - left)
        text = ":".join(groups[:left]) + "::" + ":".join(groups[8 - right:])
    return text + (f"/{r.randrange(129)}" if r.random() < 0.5 else "")


def make_datetime(r):
    date = f"{r.choice([0, 4, 100, 400, 1582, 1600, 1900, 1969, 1970, 1999, 2000, 2023, 2024, 2100, 9999]):04}-{r.randrange(1, 13):02}-{r.randrange(1, 32):02}"
    if r.random() < 0.3:
        return date
    time = f"T{r.randrange(24):02}:{r.randrange(60):02}:{r.randrange(60):02}"
    millis = f".{r.randrange(1000):03}" if r.random() < 0.5 else ""
    zone = "Z" if r.random() < 0.4 else f"{r.choice('+-')}{r.randrange(24):02}{r.randrange(60):02}"
    return date + time + millis + zone


def make_duration(r):
    parts = [f"{r.choice([0, 1, 23, 59, 60, 1000, r.randrange(10**6)])}{unit}" for unit in ("d", "h", "m", "s", "ms") if r.random() < 0.5]
    return r.choice(["", "-"]) + ("".join(parts) or "0s")


MAKERS = {"decimal": make_decimal, "ipaddr": make_ip, "datetime": make_datetime, "duration": make_duration}

# --- spelling in policy text --------------------------------------------------------------------------------------

ESCAPES = {"\0": "\\0", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"', "'": "\\'"}


def quoted(r, text, star=False):
    """A string literal; `star` for a pattern, where a literal star is escaped. Some characters are escaped needlessly."""
    out = []
    for ch in text:
        x = r.random()
        if star and ch == "*":
            out.append("\\*" if x < 0.9 else "\\x2a")
        elif ch in ESCAPES and (ch in '\\"\r' or x < 0.8):
            out.append(ESCAPES[ch])
        elif x > 0.97:
            code = ord(ch)
            out.append(f"\\x{code:02x}" if code < 128 and x < 0.985 else f"\\u{{{code:x}}}")
        else:
            out.append(ch)
    return '"' + "".join(out) + '"'


# Literals that stand at, or on the wrong side of, a rule of the lexer.
ODD_TOKENS = ['"\\x7f"', '"\\x80"', '"\\xf"', '"\\u{d800}"', '"\\u{dfff}"', '"\\u{110000}"', '"\\u{10ffff}"', '"\\u{}"', '"\\u{0000001}"', '"\\u{000061}"',
              '"\\u{1_0}"', '"\\u{_1}"', '"\\u0061"', '"\\q"', '"\\*"', '"\\\n  a"', '"a\rb"', '"a\nb"', '"a\r\nb"', "'a'", '"a', '"\\"', '"\0"', '"\\e"',
              "9223372036854775807", "9223372036854775808", "-9223372036854775808", "- 9223372036854775808", "-(9223372036854775808)",
              "--9223372036854775808", "-9223372036854775809", "18446744073709551616", "00", "007", "1_0", "0x1", "1.0", "1e3", "1a", "+1", "!!!!true", "!!!!!true",
              "----1", "-----1", "- -1", "!-1", "-!true", "/*c*/1", "1//c\n", "#", "$", "@", "&", "|", "=", "1 / 2", "1 % 2", "a", "A::B", "A::\"\"", "::A", "A::",
              "principal.if", "principal[\"if\"]", "principal[if]", "principal.\"a\"", "principal has if", "principal has \"if\"", "principal has a.b.c",
              "principal has \"a\".b", "principal has a.\"b\"", "principal has a.b().c", "principal has (a)", "principal has a[\"b\"]", "{if: 1}", "{\"if\": 1}", "{a: 1, a: 2}", "{a: 1,}", "[1,]", "[,]",
              "{,}", "f()", "ip()", "ip(\"::\", \"::\")", "principal.ip(\"::\")", "contains(1)", "[1].contains()", "[1].contains(1, 2)", "[1].nosuch(1)",
              "principal like principal", "\"a\" like \"\\*\"", "\"a\" like \"\\x2a\"", "principal is principal", "principal is A::\"a\"", "principal is A in A::\"a\"",
              "1 < 2 < 3", "1 == 2 == 3", "1 in 2 in 3", "principal is A is B", "a.b", "?principal", "?resource", "?x", "principal.a.b[\"c\"].d", "if true then 1 else 2 + 3",
              "(if true then 1 else 2) + 3", "1 + if true then 1 else 2", "true && if true then true else false", "true is A", "principal in [A::\"a\", A::\"b\",]",
              "principal.contains", "principal.isEmpty", "decimal", "[].isEmpty()", "[].isEmpty(1)", "action.id", "1 == (2 == 3)", "!(1 == 2)", "- (1)", "(-1)", "(1)",
              "Action::\"a\" == action", "__cedar::String", "__cedar::A::\"x\"", "true::\"a\"", "if::\"a\"", "A::if::\"a\"", "is::\"a\"", "principal::\"a\"", "permit::\"a\"",
              "\u00a01", "\ufeff1", "1\u2028", "1\u200b", "1 /", "1 //", "a\u0301", "é"]
SPACES = [" ", " ", " ", " ", " ", " ", "  ", "\n", "\t", "\r\n", " // c\n", "\n//\"x\n", "\u00a0", "\u2003", "\x0b", "\x0c", "\u0085", "\u3000", "\r", "//\r\n"]


def space(r, odd):
    return r.choice(SPACES) if r.random() < odd else " "


PAIRS = "\0pairs"  # the key under which a dict holds (key, value) pairs, some perhaps equal, in place of its members


def dump(value, ascii_only=True):
    """JSON, with Pairs for objects that repeat a key and Raw for what a value could not say."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=ascii_only)}:{dump(v, ascii_only)}" for k, v in value.items) + "}"
    if isinstance(value, dict):
        if PAIRS in value:
            return dump(Pairs(value[PAIRS]), ascii_only)
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=ascii_only)}:{dump(v, ascii_only)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dump(v, ascii_only) for v in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


class Raw:
    def __init__(self, text):
        self.text = text


class Pairs:
    def __init__(self, items):
        self.items = items

/* The two escape alphabets: strings, and `like` patterns, which add \*. */
#include "cedar/text/lex.h"

struct unescaper {
    str raw;
    size_t at;
    bool pattern;
};

struct unit {
    uint32_t code;
    bool wild; /* a star, but not \* */
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static char at(const struct unescaper *u, size_t ahead)
{
    return u->at + ahead < u->raw.n ? u->raw.p[u->at + ahead] : '\0';
}

/* \x00 to \x7f; u->at is at the first digit. */
static bool hex_escape(struct unescaper *u, uint32_t *code)
{
    int high = hex_digit(at(u, 0)), low = hex_digit(at(u, 1));
    if (high < 0 || high > 7 || low < 0)
        return false;
    u->at += 2;
    *code = (uint32_t)(high * 16 + low);
    return true;
}

/* \u{...}; u->at is at the brace. Underscores may stand between the digits, not before the first.
 */
static bool unicode_escape(struct unescaper *u, uint32_t *code)
{
    if (at(u, 0) != '{')
        return false;
    uint32_t v = 0;
    unsigned digits = 0;
    for (u->at++; u->at < u->raw.n && at(u, 0) != '}'; u->at++) {
        int d = hex_digit(at(u, 0));
        if (at(u, 0) == '_' && digits > 0)
            continue;
        if (d < 0 || ++digits > 6)
            return false;
        v = v * 16 + (uint32_t)d;
    }
    if (at(u, 0) != '}' || digits == 0 || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return false;
    u->at++;
    *code = v;
    return true;
}

static bool simple_escape(char c, bool pattern, uint32_t *code)
{
    static const char from[] = "nrt\\0'\"*", to[] = "\n\r\t\\\0'\"*";
    for (size_t i = 0; i < (pattern ? 8u : 7u); i++) {
        if (from[i] == c) {
            *code = (unsigned char)to[i];
            return true;
        }
    }
    return false;
}

/* One byte of raw text, or one escape. */
static bool next_unit(struct unescaper *u, struct unit *out)
{
    char c = at(u, 0);
    *out = (struct unit){.code = (unsigned char)c, .wild = u->pattern && c == '*'};
    u->at++;
    if (c != '\\')
        return true;
    char e = at(u, 0);
    if (u->at >= u->raw.n)
        return false;
    u->at++;
    if (e != 'x' && e != 'u')
        return simple_escape(e, u->pattern, &out->code);
    bool ok = e == 'x' ? hex_escape(u, &out->code) : unicode_escape(u, &out->code);
    out->wild = u->pattern && out->code == '*'; /* only \* is a literal one, as in SDK 4.12 */
    return ok;
}

static size_t put_utf8(char *p, uint32_t c)
{
    if (c < 0x80) {
        p[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (char)(0xc0 | c >> 6);
        p[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (char)(0xe0 | c >> 12);
        p[1] = (char)(0x80 | (c >> 6 & 0x3f));
        p[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    p[0] = (char)(0xf0 | c >> 18);
    p[1] = (char)(0x80 | (c >> 12 & 0x3f));
    p[2] = (char)(0x80 | (c >> 6 & 0x3f));
    p[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Writes all units but the wild ones to p, which has room for raw.n bytes (no escape is shorter
 * than what it stands for); where a wild one stood is noted in cuts. */
static bool unescape_all(struct unescaper *u, char *p, size_t *n, size_t *cuts,
                         struct cedar_span *bad)
{
    *n = 0;
    for (size_t cut = 0; u->at < u->raw.n;) {
        size_t start = u->at;
        struct unit unit;
        bool escaped = u->raw.p[start] == '\\';
        if (!next_unit(u, &unit)) {
            size_t end = u->at < u->raw.n ? u->at + 1 : u->raw.n;
            *bad = (struct cedar_span){(uint32_t)start, (uint32_t)end};
            return false;
        }
        if (unit.wild)
            cuts[cut++] = *n;
        else if (escaped)
            *n += put_utf8(p + *n, unit.code);
        else
            p[(*n)++] = (char)unit.code;
    }
    return true;
}

bool cedar_unescape(struct arena *a, str raw, str *out, struct cedar_span *bad)
{
    if (str_find_char(raw, '\\', 0) < 0) {
        *out = raw;
        return true;
    }
    struct unescaper u = {.raw = raw};
    char *p = arena_alloc(a, raw.n);
    size_t n;
    if (!unescape_all(&u, p, &n, NULL, bad))
        return false;
    *out = str_of(p, n);
    return true;
}

bool cedar_unescape_pattern(struct arena *a, str raw, struct cedar_pattern *out,
                            struct cedar_span *bad)
{
    size_t stars = 0, n;
    for (size_t i = 0; i < raw.n; i++)
        stars += raw.p[i] == '*' || raw.p[i] == '\\'; /* at most: \x2a is a star, too */
    struct unescaper u = {.raw = raw, .pattern = true};
    char *p = arena_alloc(a, raw.n);
    size_t *cuts = ARENA_ARRAY(a, size_t, stars + 1);
    memset(cuts, 0xff, (stars + 1) * sizeof *cuts);
    if (!unescape_all(&u, p, &n, cuts, bad))
        return false;
    struct cedar_pattern made = {.pieces = ARENA_ARRAY(a, str, stars + 1)};
    size_t from = 0;
    for (size_t i = 0; i <= stars; i++) {
        size_t to = cuts[i] == SIZE_MAX ? n : cuts[i];
        made.pieces[made.count++] = str_of(p + from, to - from);
        from = to;
        if (cuts[i] == SIZE_MAX)
            break;
    }
    *out = made;
    return true;
}

bool cedar_pattern_match(const struct cedar_pattern *p, str s)
{
    str first = p->pieces[0], last = p->pieces[p->count - 1];
    if (p->count == 1)
        return str_eq(first, s);
    if (!str_starts(s, first))
        return false;
    s = str_skip(s, first.n);
    if (!str_ends(s, last))
        return false;
    s = str_take(s, s.n - last.n);
    /* What lies between is found piece by piece, each as early as possible: that never loses a
     * match. */
    for (size_t i = 1; i + 1 < p->count; i++) {
        ptrdiff_t found = str_find(s, p->pieces[i]);
        if (found < 0)
            return false;
        s = str_skip(s, (size_t)found + p->pieces[i].n);
    }
    return true;
}

/* Characters that cannot be seen, or that turn the direction of what follows them: written as
 * escapes, so that a text is what it looks like. First and last bytes of their UTF-8. */
static const struct {
    char first[4], last[4];
} unseen[] = {
    {"\xc2\x80", "\xc2\x9f"},         /* controls */
    {"\xc2\xad", "\xc2\xad"},         /* soft hyphen */
    {"\xd8\x9c", "\xd8\x9c"},         /* Arabic letter mark */
    {"\xe2\x80\x8b", "\xe2\x80\x8f"}, /* zero width, direction marks */
    {"\xe2\x80\xa8", "\xe2\x80\xae"}, /* separators, embeddings, overrides */
    {"\xe2\x81\xa0", "\xe2\x81\xaf"}, /* joiners, isolates */
    {"\xef\xbb\xbf", "\xef\xbb\xbf"}, /* byte order mark */
};

/* Bytes of the unseen character that s begins with, and its code point; 0 if it begins with none.
 */
static size_t unseen_char(str s, uint32_t *code)
{
    for (size_t i = 0; i < sizeof unseen / sizeof unseen[0]; i++) {
        size_t n = strlen(unseen[i].first);
        if (s.n < n || memcmp(s.p, unseen[i].first, n) < 0 || memcmp(s.p, unseen[i].last, n) > 0)
            continue;
        const unsigned char *p = (const unsigned char *)s.p;
        *code = n == 2 ? (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu)
                       : (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
        return n;
    }
    return 0;
}

static void quote_byte(struct buf *out, unsigned char c, bool pattern)
{
    static const char from[] = "\n\r\t", to[] = "nrt";
    const char *named = c ? strchr(from, c) : NULL;
    if (named)
        buf_printf(out, "\\%c", to[named - from]);
    else if (c == '\0')
        buf_put(out, S("\\0"));
    else if (c < 0x20 || c == 0x7f)
        buf_printf(out, "\\u{%x}", c);
    else if (c == '"' || c == '\\' || (pattern && c == '*'))
        buf_printf(out, "\\%c", c);
    else
        buf_putc(out, (char)c);
}

static void quote_inside(struct buf *out, str s, bool pattern)
{
    uint32_t code;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        size_t n = c < 0x80 ? 0 : unseen_char(str_skip(s, i), &code);
        if (n == 0) {
            quote_byte(out, c, pattern);
            continue;
        }
        buf_printf(out, "\\u{%x}", code);
        i += n - 1;
    }
}

void cedar_quote(struct buf *out, str s)
{
    buf_putc(out, '"');
    quote_inside(out, s, false);
    buf_putc(out, '"');
}

void cedar_quote_pattern(struct buf *out, const struct cedar_pattern *p)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < p->count; i++) {
        if (i)
            buf_putc(out, '*');
        quote_inside(out, p->pieces[i], true);
    }
    buf_putc(out, '"');
}

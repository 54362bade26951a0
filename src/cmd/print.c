#include "cmd/print.h"

/* ---- safe text ---- */

/* Code points that a terminal obeys or does not show. */
static bool is_unsafe(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0x0000, 0x001f}, {0x007f, 0x009f},   {0x00ad, 0x00ad},   {0x034f, 0x034f},
        {0x061c, 0x061c}, {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
        {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},
        {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},
        {0xe000, 0xf8ff}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

/* One code point of well-formed UTF-8; its length, or 0. */
static size_t decode(str s, uint32_t *out)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n > s.n || !str_is_utf8(str_take(s, n)))
        return 0;
    uint32_t c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3f);
    *out = c;
    return n;
}

void put_safe(struct buf *out, str s)
{
    while (s.n) {
        uint32_t c = 0;
        size_t n = decode(s, &c);
        if (n == 0) {
            buf_printf(out, "\\x%02x", (unsigned char)s.p[0]);
            n = 1;
        } else if (is_unsafe(c) && c > 0xffff) {
            buf_printf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                       0xdc00 + ((c - 0x10000) & 0x3ff));
        } else if (is_unsafe(c)) {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_put(out, str_take(s, n));
        }
        s = str_skip(s, n);
    }
}

str safe_dup(struct arena *a, str s)
{
    struct buf b = {0};
    put_safe(&b, s);
    str kept = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return kept;
}

/* ---- JSON ---- */

static void put_scalar(struct buf *out, const json *v)
{
    struct buf text = {0};
    json_write(&text, v);
    put_safe(out, buf_str(&text));
    buf_fini(&text);
}

static void put_line(struct buf *out, unsigned indent)
{
    buf_putc(out, '\n');
    for (unsigned i = 0; i < indent; i++)
        buf_putc(out, ' ');
}

/* Depth is bounded by json_read. */
void put_pretty(struct buf *out, const json *v, unsigned indent)
{
    bool is_obj = json_type(v) == JSON_OBJECT;
    str name;
    const json *value;
    bool first = true;
    if ((!is_obj && json_type(v) != JSON_ARRAY) || json_count(v) == 0) {
        put_scalar(out, v);
        return;
    }
    buf_putc(out, is_obj ? '{' : '[');
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &value); first = false) {
        if (!first)
            buf_putc(out, ',');
        put_line(out, indent + 2);
        if (is_obj) {
            struct buf key = {0};
            json_write_str(&key, name);
            put_safe(out, buf_str(&key));
            buf_fini(&key);
            buf_put(out, S(": "));
        }
        put_pretty(out, value, indent + 2);
    }
    put_line(out, indent);
    buf_putc(out, is_obj ? '}' : ']');
}

static size_t width_of(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void pad(struct buf *out, size_t from, size_t to)
{
    for (; from < to; from++)
        buf_putc(out, ' ');
}

static void put_value(struct buf *out, const json *v)
{
    const json *e;
    bool first = true;
    if (json_type(v) == JSON_STRING) {
        put_safe(out, json_str(v));
    } else if (json_type(v) != JSON_ARRAY) {
        put_scalar(out, v);
    } else {
        for (struct json_iter it = json_iter(v); json_next(&it, NULL, &e); first = false) {
            if (!first)
                buf_put(out, S(", "));
            if (json_type(e) == JSON_STRING)
                put_safe(out, json_str(e));
            else
                put_scalar(out, e);
        }
    }
}

void put_members(struct buf *out, const json *obj)
{
    size_t widest = 0;
    str name;
    const json *v;
    for (struct json_iter it = json_iter(obj); json_next(&it, &name, &v);)
        if (width_of(name) > widest)
            widest = width_of(name);
    for (struct json_iter it = json_iter(obj); json_next(&it, &name, &v);) {
        put_safe(out, name);
        pad(out, width_of(name), widest + 2);
        put_value(out, v);
        buf_putc(out, '\n');
    }
}

/* ---- tables ---- */

void table_add(struct table *t, str cell)
{
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        str *more = ARENA_ARRAY(t->a, str, t->cap);
        if (t->n)
            memcpy(more, t->cells, t->n * sizeof *more);
        t->cells = more;
    }
    t->cells[t->n++] = safe_dup(t->a, cell);
}

static void put_row(const struct table *t, const str *cells, const size_t *widths, struct buf *out)
{
    for (size_t i = 0; i < t->columns; i++) {
        buf_put(out, cells[i]);
        if (i + 1 < t->columns)
            pad(out, width_of(cells[i]), widths[i] + 2);
    }
    buf_putc(out, '\n');
}

void table_put(const struct table *t, struct buf *out)
{
    size_t *widths = ARENA_ARRAY(t->a, size_t, t->columns);
    str *heads = ARENA_ARRAY(t->a, str, t->columns);
    for (size_t i = 0; i < t->columns; i++) {
        heads[i] = str_z(t->heads[i]);
        widths[i] = heads[i].n;
    }
    for (size_t i = 0; i < t->n; i++)
        if (width_of(t->cells[i]) > widths[i % t->columns])
            widths[i % t->columns] = width_of(t->cells[i]);
    put_row(t, heads, widths, out);
    for (size_t i = 0; i + t->columns <= t->n; i += t->columns)
        put_row(t, &t->cells[i], widths, out);
}

void table_print(const struct table *t)
{
    struct buf b = {0};
    if (t->n)
        table_put(t, &b);
    else
        buf_put(&b, S("none\n"));
    print_buf(stdout, &b);
}

void print_buf(FILE *to, struct buf *b)
{
    str s = buf_str(b);
    if (s.n)
        fwrite(s.p, 1, s.n, to);
    buf_fini(b);
}

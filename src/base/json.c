#include "base/json.h"

#include <assert.h>
#include <stdlib.h>
#include <yyjson.h>

/* ---- yyjson over an arena ---- */

static void *on_malloc(void *ctx, size_t n)
{
    return arena_alloc(ctx, n);
}

static void *on_realloc(void *ctx, void *old, size_t old_n, size_t n)
{
    if (n <= old_n)
        return old;
    void *p = arena_alloc(ctx, n);
    if (old_n)
        memcpy(p, old, old_n);
    return p;
}

static void on_free(void *ctx, void *p)
{
    (void)ctx;
    (void)p;
}

/* ---- checks that yyjson leaves to us ---- */

static int name_cmp(const void *x, const void *y)
{
    return str_cmp(*(const str *)x, *(const str *)y);
}

enum { FEW_NAMES = 16 };

static bool has_duplicate_few(const json *obj, str *dup)
{
    str seen[FEW_NAMES], name;
    const json *v;
    size_t n = 0;
    for (struct json_iter it = json_iter(obj); json_next(&it, &name, &v);) {
        for (size_t i = 0; i < n; i++)
            if (str_eq(seen[i], name)) {
                *dup = name;
                return true;
            }
        seen[n++] = name;
    }
    return false;
}

static bool has_duplicate(const json *obj, str *dup)
{
    size_t n = json_count(obj), i = 0;
    if (n <= FEW_NAMES)
        return has_duplicate_few(obj, dup);
    str *names = calloc(n, sizeof *names);
    if (!names)
        abort();
    const json *v;
    for (struct json_iter it = json_iter(obj); json_next(&it, &names[i], &v);)
        i++;
    qsort(names, n, sizeof *names, name_cmp);
    bool found = false;
    for (i = 1; i < n && !found; i++)
        if (str_eq(names[i - 1], names[i])) {
            *dup = names[i];
            found = true;
        }
    free(names);
    return found;
}

/* A cheap pass over the bytes before the parser, so that its memory is bounded: nesting and values.
 */
static bool within_limits(str text, const struct json_limits *l, struct err *err)
{
    size_t depth = 0, values = 1;
    size_t depth_max = l->depth_max ? l->depth_max : 64;
    size_t values_max = l->values_max ? l->values_max : 1000000;
    bool in_string = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[') {
            values++;
            if (++depth > depth_max)
                return err_limit(err, "JSON is nested deeper than %zu levels", depth_max);
        } else if ((c == '}' || c == ']') && depth)
            depth--;
        else if (c == ',' && ++values > values_max)
            return err_limit(err, "JSON has more than %zu values", values_max);
    }
    return true;
}

static bool all_names_differ(const json *root, struct err *err)
{
    /* yyjson keeps a document's values in one array in text order, so the walk is a plain loop. */
    yyjson_val *v = (yyjson_val *)(uintptr_t)root;
    if (!unsafe_yyjson_is_ctn(v))
        return true;
    yyjson_val *end = unsafe_yyjson_get_next(v);
    for (; v < end; v++) {
        str dup;
        if (unsafe_yyjson_get_type(v) == YYJSON_TYPE_OBJ && has_duplicate(v, &dup))
            return err_input(err, "JSON object has the member \"%.*s\" twice",
                             (int)(dup.n > 60 ? 60 : dup.n), dup.p);
    }
    return true;
}

static bool read_insitu(struct arena *a, char *copy, size_t n, yyjson_read_flag flags,
                        const json **out, size_t *bad_at, struct err *err)
{
    yyjson_alc alc = {on_malloc, on_realloc, on_free, a};
    yyjson_read_err why;
    yyjson_doc *doc = yyjson_read_opts(copy, n, flags | YYJSON_READ_INSITU, &alc, &why);
    if (!doc) {
        *bad_at = why.pos;
        return err_input(err, "not JSON at byte %zu: %s", why.pos, why.msg);
    }
    *out = yyjson_doc_get_root(doc);
    return true;
}

static char *padded_copy(struct arena *a, str text)
{
    char *copy = arena_alloc(a, text.n + YYJSON_PADDING_SIZE);
    if (text.n)
        memcpy(copy, text.p, text.n);
    return copy;
}

bool json_read_based(struct arena *a, str text, const struct json_limits *limits, const json **out,
                     const char **base, struct err *err)
{
    static const struct json_limits defaults;
    const struct json_limits *l = limits ? limits : &defaults;
    size_t bytes_max = l->bytes_max ? l->bytes_max : 16 << 20, bad_at;
    const json *root;
    if (text.n > bytes_max)
        return err_limit(err, "JSON text over %zu bytes", bytes_max);
    if (text.n == 0)
        return err_input(err, "empty text where JSON is expected");
    if (!within_limits(text, l, err))
        return false;
    yyjson_read_flag flags = YYJSON_READ_NUMBER_AS_RAW;
    if (l->comments)
        flags |= YYJSON_READ_ALLOW_COMMENTS | YYJSON_READ_ALLOW_TRAILING_COMMAS;
    char *copy = padded_copy(a, text);
    if (!read_insitu(a, copy, text.n, flags, &root, &bad_at, err))
        return false;
    if (!all_names_differ(root, err))
        return false;
    *out = root;
    *base = copy;
    return true;
}

bool json_read(struct arena *a, str text, const struct json_limits *limits, const json **out,
               struct err *err)
{
    const char *base;
    return json_read_based(a, text, limits, out, &base, err);
}

static void line_and_column(str text, size_t at, unsigned *line, unsigned *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at && i < text.n; i++) {
        ++*column;
        if (text.p[i] == '\n') {
            ++*line;
            *column = 1;
        }
    }
}

bool json_read_file_text(struct arena *a, str name, str text, struct json_file *out,
                         struct err *err)
{
    static const struct json_limits limits = {.bytes_max = 4 << 20, .depth_max = 64};
    struct json_file f = {.name = str_dup(a, name)};
    size_t bad_at = 0;
    unsigned line, column;
    if (text.n > limits.bytes_max || !within_limits(text, &limits, err))
        return err_limit(err, "%.*s: over 4 MiB or too deep for a configuration file", STR(name));
    char *copy = padded_copy(a, text);
    f.text = text;
    f.base = copy;
    if (!read_insitu(a, copy, text.n,
                     YYJSON_READ_NUMBER_AS_RAW | YYJSON_READ_ALLOW_COMMENTS |
                         YYJSON_READ_ALLOW_TRAILING_COMMAS,
                     &f.root, &bad_at, err)) {
        line_and_column(text, bad_at, &line, &column);
        return err_in(err, "%.*s:%u:%u", STR(name), line, column);
    }
    if (!all_names_differ(f.root, err))
        return err_in(err, "%.*s", STR(name));
    *out = f;
    return true;
}

unsigned json_line(const struct json_file *f, str s)
{
    /* In-situ reading unescapes a string within its own bytes, so it starts where the text has it.
     */
    if (!s.p || s.p < f->base || s.p > f->base + f->text.n)
        return 0;
    unsigned line, column;
    line_and_column(f->text, (size_t)(s.p - f->base), &line, &column);
    return line;
}

/* ---- reading values ---- */

enum json_type json_type(const json *v)
{
    if (!v)
        return JSON_ABSENT;
    switch (yyjson_get_type((yyjson_val *)(uintptr_t)v)) {
    case YYJSON_TYPE_NULL:
        return JSON_NULL;
    case YYJSON_TYPE_BOOL:
        return JSON_BOOL;
    case YYJSON_TYPE_NUM:
    case YYJSON_TYPE_RAW:
        return JSON_NUMBER;
    case YYJSON_TYPE_STR:
        return JSON_STRING;
    case YYJSON_TYPE_ARR:
        return JSON_ARRAY;
    case YYJSON_TYPE_OBJ:
        return JSON_OBJECT;
    default:
        return JSON_ABSENT;
    }
}

const char *json_type_name(enum json_type t)
{
    static const char *const names[] = {"nothing",  "null",     "true or false", "a number",
                                        "a string", "an array", "an object"};
    return names[t];
}

static str text_of(const json *v)
{
    return str_of(v->uni.str, unsafe_yyjson_get_len((yyjson_val *)(uintptr_t)v));
}

str json_str(const json *v)
{
    return json_type(v) == JSON_STRING ? text_of(v) : (str){0};
}

bool json_bool(const json *v)
{
    return json_type(v) == JSON_BOOL && unsafe_yyjson_get_bool((yyjson_val *)(uintptr_t)v);
}

str json_number(const json *v)
{
    return json_type(v) == JSON_NUMBER ? text_of(v) : (str){0};
}

bool json_i64(const json *v, int64_t *out)
{
    return json_type(v) == JSON_NUMBER && str_to_i64(text_of(v), out);
}

size_t json_count(const json *v)
{
    enum json_type t = json_type(v);
    return t == JSON_ARRAY || t == JSON_OBJECT ? unsafe_yyjson_get_len((yyjson_val *)(uintptr_t)v)
                                               : 0;
}

struct json_iter json_iter(const json *v)
{
    size_t n = json_count(v);
    if (n == 0)
        return (struct json_iter){0};
    return (struct json_iter){v + 1, n, json_type(v) == JSON_OBJECT};
}

bool json_next(struct json_iter *it, str *name, const json **value)
{
    if (it->left == 0)
        return false;
    if (it->is_obj) {
        if (name)
            *name = text_of(it->at);
        it->at++;
    }
    *value = it->at;
    it->left--;
    it->at = unsafe_yyjson_get_next((yyjson_val *)(uintptr_t)it->at);
    return true;
}

const json *json_get(const json *obj, str name)
{
    if (json_type(obj) != JSON_OBJECT)
        return NULL;
    str key;
    const json *v;
    for (struct json_iter it = json_iter(obj); json_next(&it, &key, &v);)
        if (str_eq(key, name))
            return v;
    return NULL;
}

str json_get_str(const json *obj, str name)
{
    return json_str(json_get(obj, name));
}

/* ---- writing ---- */

static void before_value(struct jw *w)
{
    if (w->comma[w->depth])
        buf_putc(w->out, ',');
    w->comma[w->depth] = true;
}

static void open_ctn(struct jw *w, char c)
{
    before_value(w);
    buf_putc(w->out, c);
    assert(w->depth < JW_DEPTH_MAX);
    w->comma[++w->depth] = false;
}

static void close_ctn(struct jw *w, char c)
{
    assert(w->depth > 0);
    w->depth--;
    buf_putc(w->out, c);
}

void jw_obj(struct jw *w)
{
    open_ctn(w, '{');
}

void jw_end_obj(struct jw *w)
{
    close_ctn(w, '}');
}

void jw_arr(struct jw *w)
{
    open_ctn(w, '[');
}

void jw_end_arr(struct jw *w)
{
    close_ctn(w, ']');
}

void jw_key(struct jw *w, str name)
{
    before_value(w);
    json_write_str(w->out, name);
    buf_putc(w->out, ':');
    w->comma[w->depth] = false;
}

void jw_str(struct jw *w, str s)
{
    before_value(w);
    json_write_str(w->out, s);
}

void jw_i64(struct jw *w, int64_t v)
{
    before_value(w);
    buf_i64(w->out, v);
}

void jw_u64(struct jw *w, uint64_t v)
{
    before_value(w);
    buf_u64(w->out, v);
}

void jw_bool(struct jw *w, bool v)
{
    jw_raw(w, v ? S("true") : S("false"));
}

void jw_null(struct jw *w)
{
    jw_raw(w, S("null"));
}

void jw_raw(struct jw *w, str text)
{
    before_value(w);
    buf_put(w->out, text);
}

void jw_value(struct jw *w, const json *v)
{
    before_value(w);
    json_write(w->out, v);
}

void jw_kstr(struct jw *w, str name, str s)
{
    jw_key(w, name);
    jw_str(w, s);
}

void jw_ki64(struct jw *w, str name, int64_t v)
{
    jw_key(w, name);
    jw_i64(w, v);
}

void jw_kbool(struct jw *w, str name, bool v)
{
    jw_key(w, name);
    jw_bool(w, v);
}

void jw_kvalue(struct jw *w, str name, const json *v)
{
    jw_key(w, name);
    jw_value(w, v);
}

static void write_escape(struct buf *out, unsigned char c)
{
    static const char short_of[] = "btn\0fr"; /* 0x08..0x0d */
    if (c == '"' || c == '\\') {
        char e[2] = {'\\', (char)c};
        buf_put(out, str_of(e, 2));
    } else if (c >= 8 && c <= 13 && short_of[c - 8]) {
        char e[2] = {'\\', short_of[c - 8]};
        buf_put(out, str_of(e, 2));
    } else {
        buf_printf(out, "\\u%04x", c);
    }
}

void json_write_str(struct buf *out, str s)
{
    buf_putc(out, '"');
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_put(out, str_of(s.p + from, i - from));
        write_escape(out, c);
        from = i + 1;
    }
    if (s.n)
        buf_put(out, str_of(s.p + from, s.n - from));
    buf_putc(out, '"');
}

/* RFC 8785 section 3.2.3 sorts by UTF-16 code units. That differs from byte order only between
 * U+E000..U+FFFF and the planes above, whose code units are surrogates. */
static int utf16_name_cmp(const void *x, const void *y)
{
    str a = *(const str *)x, b = *(const str *)y;
    size_t n = a.n < b.n ? a.n : b.n, i = 0;
    while (i < n && a.p[i] == b.p[i])
        i++;
    if (i == n)
        return (a.n > b.n) - (a.n < b.n);
    unsigned char ca = (unsigned char)a.p[i], cb = (unsigned char)b.p[i];
    if (ca >= 0xf0 && cb >= 0xee && cb < 0xf0)
        return -1;
    if (cb >= 0xf0 && ca >= 0xee && ca < 0xf0)
        return 1;
    return ca < cb ? -1 : 1;
}

struct member {
    str name;
    const json *value;
};

static void write_value(struct buf *out, const json *v, bool canonical);

static void write_members(struct buf *out, const json *v, bool canonical)
{
    size_t n = json_count(v), i = 0;
    struct member few[FEW_NAMES];
    struct member *m = n <= FEW_NAMES ? few : calloc(n, sizeof *m);
    if (!m)
        abort();
    for (struct json_iter it = json_iter(v); json_next(&it, &m[i].name, &m[i].value);)
        i++;
    if (canonical)
        qsort(m, n, sizeof *m, utf16_name_cmp);
    for (i = 0; i < n; i++) {
        if (i)
            buf_putc(out, ',');
        json_write_str(out, m[i].name);
        buf_putc(out, ':');
        write_value(out, m[i].value, canonical);
    }
    if (m != few)
        free(m);
}

/* Recursion is bounded by the depth limit that the reader enforced. */
static void write_value(struct buf *out, const json *v, bool canonical)
{
    bool first = true;
    const json *e;
    switch (json_type(v)) {
    case JSON_ABSENT:
    case JSON_NULL:
        buf_put(out, S("null"));
        return;
    case JSON_BOOL:
        buf_put(out, json_bool(v) ? S("true") : S("false"));
        return;
    case JSON_NUMBER:
        buf_put(out, text_of(v));
        return;
    case JSON_STRING:
        json_write_str(out, text_of(v));
        return;
    case JSON_ARRAY:
        buf_putc(out, '[');
        for (struct json_iter it = json_iter(v); json_next(&it, NULL, &e); first = false) {
            if (!first)
                buf_putc(out, ',');
            write_value(out, e, canonical);
        }
        buf_putc(out, ']');
        return;
    case JSON_OBJECT:
        buf_putc(out, '{');
        write_members(out, v, canonical);
        buf_putc(out, '}');
        return;
    }
}

void json_write(struct buf *out, const json *v)
{
    write_value(out, v, false);
}

void json_write_canonical(struct buf *out, const json *v)
{
    write_value(out, v, true);
}

/* What one argument may be. Each part that stands is a bound; the parts are joined by "and". */
#include "task/grant_int.h"

#include <stdlib.h>

static const char *const MEMBERS[] = {"equals", "oneOf",     "prefix",   "min",
                                      "max",    "maxLength", "optional", NULL};

/* ---- numbers ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits of s from *at, at most `most`; how many there were. */
static size_t take_digits(str s, size_t *at, size_t most, grant_number *n)
{
    size_t count = 0;
    while (*at < s.n && is_digit(s.p[*at]) && count < most) {
        *n = *n * 10 + (s.p[*at] - '0');
        ++*at;
        count++;
    }
    return count;
}

bool grant_number_parse(str s, grant_number *out)
{
    grant_number n = 0;
    bool negative = s.n && s.p[0] == '-';
    size_t at = negative, begin = at, fraction = 0;
    size_t whole = take_digits(s, &at, 18, &n);
    if (whole == 0 || (whole > 1 && s.p[begin] == '0'))
        return false;
    if (at < s.n && s.p[at] == '.') {
        at++;
        fraction = take_digits(s, &at, GRANT_FRACTION_MAX, &n);
        if (fraction == 0)
            return false;
    }
    if (at != s.n)
        return false;
    for (; fraction < GRANT_FRACTION_MAX; fraction++)
        n *= 10;
    *out = negative ? -n : n;
    return true;
}

static bool number_of(const json *v, grant_number *out)
{
    return grant_number_parse(json_type(v) == JSON_NUMBER ? json_number(v) : json_str(v), out);
}

/* ---- prefixes ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Bytes that another reader may take for a separator, a dot or an end. */
static bool is_plain(str s)
{
    static const char *const codes[] = {"2e", "2f", "5c", "25", "00"};
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f || c == '\\')
            return false;
        for (size_t k = 0; c == '%' && i + 2 < s.n && k < sizeof codes / sizeof codes[0]; k++)
            if (lower(s.p[i + 1]) == codes[k][0] && lower(s.p[i + 2]) == codes[k][1])
                return false;
    }
    return true;
}

/* No ".", ".." or empty segment but the last. */
static bool is_straight(str path)
{
    str segment, rest = path;
    for (bool more = true; more;) {
        more = str_cut(rest, '/', &segment, &rest);
        if ((more && segment.n == 0) || str_eq(segment, S(".")) || str_eq(segment, S("..")))
            return false;
    }
    return is_plain(path);
}

/* Without "scheme://" or a leading '/'. */
static str path_of(str s)
{
    ptrdiff_t at = str_find(s, S("://"));
    if (at > 0 && str_find_char(str_take(s, (size_t)at), '/', 0) < 0)
        return str_skip(s, (size_t)at + 3);
    return str_starts(s, S("/")) ? str_skip(s, 1) : s;
}

static bool is_prefix(str s)
{
    return s.n && str_is_utf8(s) && (str_eq(s, S("/")) || path_of(s).n) && is_straight(path_of(s));
}

bool grant_has_prefix(str text, str prefix)
{
    if (str_ends(prefix, S("/")))
        prefix.n--;
    if (str_eq(text, prefix))
        return true;
    return str_starts(text, prefix) && text.n > prefix.n && text.p[prefix.n] == '/' &&
           is_straight(str_skip(text, prefix.n + 1));
}

/* ---- reading ---- */

static str canonical(struct arena *a, const json *v)
{
    struct buf b = {0};
    json_write_canonical(&b, v);
    str s = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return s;
}

static int by_text(const void *x, const void *y)
{
    return str_cmp(*(const str *)x, *(const str *)y);
}

static bool read_values(struct arena *a, const json *equals, const json *one_of,
                        struct constraint *c, struct err *err)
{
    const json *v;
    size_t n = 0, kept = 0;
    if (equals && one_of)
        return err_input(err, "has both \"equals\" and \"oneOf\"; keep one");
    if (!equals && !one_of)
        return true;
    if (one_of && (json_type(one_of) != JSON_ARRAY || json_count(one_of) == 0))
        return err_input(err, "\"oneOf\" must be an array with at least one value");
    if (json_count(one_of) > GRANT_VALUES_MAX)
        return err_limit(err, "\"oneOf\" has at most %d values", GRANT_VALUES_MAX);
    str *list = ARENA_ARRAY(a, str, equals ? 1 : json_count(one_of));
    if (equals)
        list[n++] = canonical(a, equals);
    else
        for (struct json_iter it = json_iter(one_of); json_next(&it, NULL, &v);)
            list[n++] = canonical(a, v);
    qsort(list, n, sizeof *list, by_text);
    for (size_t i = 0; i < n; i++) {
        if (list[i].n > GRANT_VALUE_BYTES_MAX)
            return err_limit(err, "a value has at most %d bytes", GRANT_VALUE_BYTES_MAX);
        if (kept == 0 || !str_eq(list[kept - 1], list[i]))
            list[kept++] = list[i];
    }
    c->values = list;
    c->values_n = kept;
    return true;
}

static bool read_bound(struct arena *a, const json *v, bool *has, grant_number *n, str *text,
                       struct err *err)
{
    if (!v)
        return true;
    if (!number_of(v, n))
        return err_input(err,
                         "\"min\" and \"max\" must be plain numbers, at most %d digits after the "
                         "point",
                         GRANT_FRACTION_MAX);
    *has = true;
    *text = str_dup(a, json_type(v) == JSON_NUMBER ? json_number(v) : json_str(v));
    return true;
}

static bool read_prefix(struct arena *a, const json *v, struct constraint *c, struct err *err)
{
    str s = json_str(v);
    if (!v)
        return true;
    if (s.n > GRANT_VALUE_BYTES_MAX || !is_prefix(s))
        return err_input(err, "\"prefix\" must be a path or URL without . and .. segments");
    c->prefix = str_dup(a, str_ends(s, S("/")) && s.n > 1 ? str_take(s, s.n - 1) : s);
    return true;
}

bool constraint_read(struct arena *a, str arg, const json *v, struct constraint *out,
                     struct err *err)
{
    struct constraint c = {.arg = str_dup(a, arg)};
    const json *length = json_get(v, S("maxLength")), *optional = json_get(v, S("optional"));
    if (json_type(v) != JSON_OBJECT)
        return err_input(err, "a constraint is an object such as {\"oneOf\": [\"a\", \"b\"]}");
    if (!grant_members_known(v, MEMBERS, "a constraint", err) ||
        !read_values(a, json_get(v, S("equals")), json_get(v, S("oneOf")), &c, err) ||
        !read_prefix(a, json_get(v, S("prefix")), &c, err) ||
        !read_bound(a, json_get(v, S("min")), &c.has_min, &c.min, &c.min_text, err) ||
        !read_bound(a, json_get(v, S("max")), &c.has_max, &c.max, &c.max_text, err))
        return false;
    if (c.has_min && c.has_max && c.min > c.max)
        return err_input(err, "\"min\" is above \"max\"");
    if (length && (!json_i64(length, &c.length) || c.length < 0))
        return err_input(err, "\"maxLength\" must be a whole number of characters");
    if (optional && json_type(optional) != JSON_BOOL)
        return err_input(err, "\"optional\" must be true or false");
    c.has_length = length != NULL;
    c.optional = json_bool(optional);
    *out = c;
    return true;
}

/* Members in the order of their names. */
void constraint_write(struct jw *w, const struct constraint *c)
{
    jw_obj(w);
    if (c->values_n == 1) {
        jw_key(w, S("equals"));
        jw_raw(w, c->values[0]);
    }
    if (c->has_max)
        jw_kstr(w, S("max"), c->max_text);
    if (c->has_length)
        jw_ki64(w, S("maxLength"), c->length);
    if (c->has_min)
        jw_kstr(w, S("min"), c->min_text);
    if (c->values_n > 1) {
        jw_key(w, S("oneOf"));
        jw_arr(w);
        for (size_t i = 0; i < c->values_n; i++)
            jw_raw(w, c->values[i]);
        jw_end_arr(w);
    }
    if (c->optional)
        jw_kbool(w, S("optional"), true);
    if (c->prefix.n)
        jw_kstr(w, S("prefix"), c->prefix);
    jw_end_obj(w);
}

/* ---- judging ---- */

static size_t characters(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static bool is_a_value(const struct constraint *c, const json *v)
{
    struct buf b = {.max = GRANT_VALUE_BYTES_MAX};
    json_write_canonical(&b, v);
    str text = buf_str(&b);
    bool found = !b.over && bsearch(&text, c->values, c->values_n, sizeof text, by_text);
    buf_fini(&b);
    return found;
}

bool constraint_admits(const struct constraint *c, const json *v, struct err *err)
{
    grant_number n;
    str text = json_str(v);
    bool is_text = json_type(v) == JSON_STRING;
    if (c->values_n && !is_a_value(c, v))
        return err_denied(err, "must be %s%.*s for this task",
                          c->values_n == 1 ? "" : "one of several values, such as ",
                          STR(str_take(c->values[0], 80)));
    if (c->prefix.n && !(is_text && grant_has_prefix(text, c->prefix)))
        return err_denied(err, "must be %.*s or lie below it for this task",
                          STR(str_take(c->prefix, 120)));
    if ((c->has_min || c->has_max) && !number_of(v, &n))
        return err_denied(err, "must be a plain number: this task bounds it");
    if (c->has_min && n < c->min)
        return err_denied(err, "must be at least %.*s for this task", STR(c->min_text));
    if (c->has_max && n > c->max)
        return err_denied(err, "must be at most %.*s for this task", STR(c->max_text));
    if (c->has_length && !(is_text && characters(text) <= (uint64_t)c->length))
        return err_denied(err, "must be a text of at most %lld characters for this task",
                          (long long)c->length);
    return true;
}

/* The values that the child really admits, each weighed by the parent. */
static bool values_within(const struct constraint *child, const struct constraint *parent,
                          struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct err ignored;
    for (size_t i = 0; i < child->values_n; i++) {
        const json *v;
        if (!json_read(&a, child->values[i], NULL, &v, err))
            return false;
        if (constraint_admits(child, v, &ignored) && !constraint_admits(parent, v, err))
            return false;
    }
    return true;
}

bool constraint_within(const struct constraint *child, const struct constraint *parent,
                       struct err *err)
{
    if (child->optional && !parent->optional)
        return err_denied(err, "may be left out here and not there");
    if (child->values_n)
        return values_within(child, parent, err);
    if (parent->values_n)
        return err_denied(err, "is bound to %zu values there and to none here", parent->values_n);
    if (parent->prefix.n && !(child->prefix.n && grant_has_prefix(child->prefix, parent->prefix)))
        return err_denied(err, "must stay below %.*s", STR(str_take(parent->prefix, 120)));
    if (parent->has_min && !(child->has_min && child->min >= parent->min))
        return err_denied(err, "must stay at least %.*s", STR(parent->min_text));
    if (parent->has_max && !(child->has_max && child->max <= parent->max))
        return err_denied(err, "must stay at most %.*s", STR(parent->max_text));
    if (parent->has_length && !(child->has_length && child->length <= parent->length))
        return err_denied(err, "must stay within %lld characters", (long long)parent->length);
    return true;
}

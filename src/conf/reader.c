#include "conf/reader.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((format(printf, 4, 0))) static void add(struct reader *r, struct at at,
                                                      bool is_warning, const char *fmt, va_list ap)
{
    struct conf_problems *p = r->problems;
    ARENA_GROW(r->a, p->list, p->n, p->cap);
    char text[600];
    vsnprintf(text, sizeof text, fmt, ap);
    p->list[p->n++] = (struct conf_problem){.warning = is_warning,
                                            .line = at.line,
                                            .where = at.path,
                                            .text = str_dup(r->a, str_z(text))};
    if (!is_warning)
        p->errors++;
}

void problem(struct reader *r, struct at at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(r, at, false, fmt, ap);
    va_end(ap);
}

void warning(struct reader *r, struct at at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(r, at, true, fmt, ap);
    va_end(ap);
}

static str join(struct reader *r, str path, str name)
{
    if (path.n == 0)
        return str_dup(r->a, name);
    return str_fmt(r->a, "%.*s.%.*s", STR(path), STR(name));
}

struct at at_member(struct reader *r, struct at obj, const char *name)
{
    str key;
    const json *v;
    for (struct json_iter it = json_iter(obj.v); json_next(&it, &key, &v);)
        if (str_eq(key, str_z(name)))
            return (struct at){v, join(r, obj.path, key), json_line(&r->file, key)};
    return (struct at){NULL, join(r, obj.path, str_z(name)), obj.line};
}

/* Edit distance of at most two, for "did you mean". */
static bool is_near(str a, str b)
{
    size_t i = 0, j = 0, edits = 0;
    while (i < a.n && j < b.n) {
        if (a.p[i] == b.p[j]) {
            i++, j++;
            continue;
        }
        if (++edits > 2)
            return false;
        if (a.n - i > b.n - j)
            i++;
        else if (a.n - i < b.n - j)
            j++;
        else
            i++, j++;
    }
    return edits + (a.n - i) + (b.n - j) <= 2;
}

static void unknown_member(struct reader *r, struct at at, str name, const char *const *names)
{
    struct buf known = {0};
    const char *near = NULL;
    for (const char *const *n = names; *n; n++) {
        buf_printf(&known, "%s%s", n == names ? "" : ", ", *n);
        if (!near && is_near(name, str_z(*n)))
            near = *n;
    }
    if (near)
        problem(r, at, "unknown member; did you mean \"%s\"?", near);
    else
        problem(r, at, "unknown member; known here: %.*s", STR(buf_str(&known)));
    buf_fini(&known);
}

bool at_object(struct reader *r, struct at at, const char *const *names)
{
    if (json_type(at.v) != JSON_OBJECT) {
        problem(r, at, "must be an object, not %s", json_type_name(json_type(at.v)));
        return false;
    }
    for (struct each e = each_of(r, at); each_next(&e);) {
        const char *const *n = names;
        while (*n && !str_eq(e.name, str_z(*n)))
            n++;
        if (!*n)
            unknown_member(r, e.at, e.name, names);
    }
    return true;
}

str at_str(struct reader *r, struct at at, str dflt)
{
    if (!at.v)
        return dflt;
    if (json_type(at.v) != JSON_STRING) {
        problem(r, at, "must be a string, not %s", json_type_name(json_type(at.v)));
        return dflt;
    }
    str s = json_str(at.v);
    if (str_find_char(s, 0, 0) >= 0) {
        problem(r, at, "must not hold a NUL character");
        return dflt;
    }
    return str_dup(r->a, s);
}

bool at_bool(struct reader *r, struct at at, bool dflt)
{
    if (!at.v)
        return dflt;
    if (json_type(at.v) != JSON_BOOL)
        problem(r, at, "must be true or false, not %s", json_type_name(json_type(at.v)));
    return json_type(at.v) == JSON_BOOL ? json_bool(at.v) : dflt;
}

int64_t at_int(struct reader *r, struct at at, int64_t dflt, int64_t min, int64_t max)
{
    int64_t v;
    if (!at.v)
        return dflt;
    if (!json_i64(at.v, &v) || v < min || v > max) {
        problem(r, at, "must be a whole number from %lld to %lld", (long long)min, (long long)max);
        return dflt;
    }
    return v;
}

int64_t at_duration(struct reader *r, struct at at, int64_t dflt_ms)
{
    int64_t ms = dflt_ms;
    str s = at_str(r, at, (str){0});
    if (at.v && !clock_parse_duration(s, &ms))
        problem(r, at, "must be a duration such as \"30s\", \"15m\", \"8h\" or \"2d\"");
    return ms;
}

static str absolute(struct reader *r, str path)
{
    if (path.n == 0 || path.p[0] == '/')
        return path;
    return str_fmt(r->a, "%.*s/%.*s", STR(r->dir), STR(path));
}

str at_path(struct reader *r, struct at at, str dflt)
{
    return absolute(r, at_str(r, at, dflt));
}

void at_str_list(struct reader *r, struct at at, str **out, size_t *n)
{
    if (!at.v)
        return;
    if (json_type(at.v) != JSON_ARRAY) {
        problem(r, at, "must be an array of strings, not %s", json_type_name(json_type(at.v)));
        return;
    }
    *out = ARENA_ARRAY(r->a, str, json_count(at.v));
    for (struct each e = each_of(r, at); each_next(&e);)
        (*out)[(*n)++] = at_str(r, e.at, (str){0});
}

void at_path_list(struct reader *r, struct at at, str **out, size_t *n)
{
    at_str_list(r, at, out, n);
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = absolute(r, (*out)[i]);
}

struct each each_of(struct reader *r, struct at at)
{
    return (struct each){.r = r, .it = json_iter(at.v), .parent = at};
}

bool each_next(struct each *e)
{
    const json *v;
    e->name = (str){0};
    if (!json_next(&e->it, &e->name, &v))
        return false;
    str label = e->name.p ? e->name : str_fmt(e->r->a, "%zu", e->index);
    unsigned line = json_line(&e->r->file, e->name);
    if (!line && json_type(v) == JSON_STRING)
        line = json_line(&e->r->file, json_str(v));
    e->at = (struct at){v, join(e->r, e->parent.path, label), line ? line : e->parent.line};
    e->index++;
    return true;
}

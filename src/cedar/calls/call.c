#include "cedar/calls/call.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- errors ---- */

void calls_note_add(struct call *c, struct calls_notes *to, struct calls_note note)
{
    if (to->count == to->cap) {
        size_t cap = to->cap ? to->cap * 2 : 8;
        struct calls_note *items = ARENA_ARRAY(c->a, struct calls_note, cap);
        if (to->count)
            memcpy(items, to->items, to->count * sizeof *items);
        to->items = items;
        to->cap = cap;
    }
    to->items[to->count++] = note;
}

void calls_fail(struct call *c, const char *fmt, ...)
{
    char text[sizeof((struct err *)0)->text + 100];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    calls_note_add(c, &c->errors, (struct calls_note){.text = str_dup(c->a, str_z(text))});
}

struct calls_note calls_note_of(const struct cedar_diags *d, const struct cedar_diag *one)
{
    return (struct calls_note){.text = one->text,
                               .help = one->help,
                               .code = one->code,
                               .severity = one->severity,
                               .span = one->span,
                               .in = d};
}

void calls_fail_diags(struct call *c, str what, const struct cedar_diags *d)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->items[i].severity != CEDAR_ERROR)
            continue;
        struct calls_note note = calls_note_of(d, &d->items[i]);
        note.text = str_fmt(c->a, "%.*s: %.*s", STR(what), STR(note.text));
        note.rest_from = i + 1;
        calls_note_add(c, &c->errors, note);
        return;
    }
    calls_fail(c, "%.*s: not readable", STR(what));
}

/* ---- writing ---- */

/* Messages quote what they are about, cut at some byte; what is left of a character there becomes
 * question marks, so that every answer is UTF-8. */
str calls_text(struct call *c, str s)
{
    if (str_is_utf8(s))
        return s;
    char *copy = arena_dup(c->a, s.p, s.n);
    for (size_t i = 0, n; i < s.n; i += n) {
        unsigned char lead = (unsigned char)s.p[i];
        n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        if (n > s.n - i || !str_is_utf8(str_of(s.p + i, n))) {
            copy[i] = '?';
            n = 1;
        }
    }
    return str_of(copy, s.n);
}

static void write_or_null(struct jw *w, str name, str text)
{
    jw_key(w, name);
    if (text.n)
        jw_str(w, text);
    else
        jw_null(w);
}

static void write_place(struct jw *w, const struct calls_note *note)
{
    jw_key(w, S("sourceLocations"));
    jw_arr(w);
    if (note->in && note->in->source.n) {
        jw_obj(w);
        jw_key(w, S("label"));
        jw_null(w);
        jw_ki64(w, S("start"), note->span.start);
        jw_ki64(w, S("end"), note->span.end);
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

static void write_note(struct call *c, const struct calls_note *note, bool with_rest)
{
    struct jw *w = &c->w;
    jw_obj(w);
    jw_kstr(w, S("message"), calls_text(c, note->text));
    write_or_null(w, S("help"), calls_text(c, note->help));
    write_or_null(w, S("code"), str_z(note->code));
    write_or_null(w, S("url"), (str){0});
    write_or_null(w, S("severity"), note->severity == CEDAR_WARNING ? S("warning") : (str){0});
    write_place(w, note);
    jw_key(w, S("related"));
    jw_arr(w);
    for (size_t i = note->rest_from; with_rest && i && i < note->in->count; i++) {
        struct calls_note other = calls_note_of(note->in, &note->in->items[i]);
        if (other.severity == CEDAR_ERROR)
            write_note(c, &other, false);
    }
    jw_end_arr(w);
    jw_end_obj(w);
}

void calls_write_note(struct call *c, const struct calls_note *note)
{
    write_note(c, note, true);
}

void calls_write_notes(struct call *c, str name, const struct calls_notes *notes)
{
    jw_key(&c->w, name);
    jw_arr(&c->w);
    for (size_t i = 0; i < notes->count; i++)
        calls_write_note(c, &notes->items[i]);
    jw_end_arr(&c->w);
}

void calls_success(struct call *c)
{
    jw_obj(&c->w);
    jw_kstr(&c->w, S("type"), S("success"));
}

void calls_failure(struct call *c, bool with_warnings)
{
    jw_obj(&c->w);
    jw_kstr(&c->w, S("type"), S("failure"));
    calls_write_notes(c, S("errors"), &c->errors);
    if (with_warnings)
        calls_write_notes(c, S("warnings"), &c->warnings);
    jw_end_obj(&c->w);
}

void calls_conclude(struct call *c)
{
    if (c->errors.count) {
        calls_failure(c, false);
        return;
    }
    calls_success(c);
    jw_end_obj(&c->w);
}

/* ---- arguments ---- */

static bool take_member(const struct calls_member *table, str name, const json *v, const json **out)
{
    for (size_t i = 0; table[i].name; i++) {
        if (str_eq(str_z(table[i].name), name)) {
            out[i] = v;
            return true;
        }
    }
    return false;
}

bool calls_members(struct call *c, const char *what, const json *v,
                   const struct calls_member *table, const json **out)
{
    const json *member;
    str name;
    size_t before = c->errors.count;
    for (size_t i = 0; table[i].name; i++)
        out[i] = NULL;
    if (json_type(v) != JSON_OBJECT) {
        calls_fail(c, "%s must be an object, not %s", what, json_type_name(json_type(v)));
        return false;
    }
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &member);)
        if (!take_member(table, name, member, out))
            calls_fail(c, "%s has no member \"%.*s\"", what, STR(str_take(name, 80)));
    for (size_t i = 0; table[i].name; i++)
        if (table[i].required && !out[i])
            calls_fail(c, "%s needs a member \"%s\"", what, table[i].name);
    return c->errors.count == before;
}

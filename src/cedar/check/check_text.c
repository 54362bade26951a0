/* Texts that are not what they seem.
 *
 * Of the values in the scope and the conditions: strings and patterns must not hold characters that
 * turn the direction of text, and must be of one script; names (ids of entities, attributes, keys)
 * in addition are made of characters that identifiers may have. So far this is SDK 4.12, which
 * looks at the values, however they are escaped. (Of patterns it sees an escaped form and misses
 * such characters; we do not.)
 *
 * Of the policy as it is written, comments and annotations included: characters that nobody sees.
 * That is ours alone, under a code of its own, and said once per policy if nothing else was. */
#include "cedar/check/check.h"
#include "cedar/text/unicode.h"

static bool turns_direction(uint32_t c)
{
    return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static bool is_hidden(uint32_t c)
{
    return turns_direction(c) || (c >= 0x200b && c <= 0x200f) || c == 0x061c || c == 0xfeff;
}

static bool is_foreign_to_names(uint32_t c)
{
    return !cedar_identifier_allows(c);
}

/* The first such character of s. */
static bool find_character(str s, bool (*is)(uint32_t), uint32_t *out)
{
    for (size_t i = 0; i < s.n;) {
        *out = cedar_code_point(s, &i);
        if (is(*out))
            return true;
    }
    return false;
}

static void check_scripts(struct checker *c, struct cedar_span span, const char *what, str s)
{
    size_t at = cedar_script_clash(s);
    if (at == s.n)
        return;
    uint32_t code = cedar_code_point(s, &at);
    check_report(
        c, FIND_MIXED_SCRIPTS, span,
        "this %s mixes scripts: U+%04X is of another one than what stands before it, or of none",
        what, (unsigned)code);
}

static void check_string(struct checker *c, struct cedar_span span, str s)
{
    uint32_t code;
    if (find_character(s, turns_direction, &code))
        check_report(c, FIND_TEXT_DIRECTION, span,
                     "this string holds U+%04X, which turns the direction of text", (unsigned)code);
    else
        check_scripts(c, span, "string", s);
}

static void check_name(struct checker *c, struct cedar_span span, str s)
{
    uint32_t code;
    if (find_character(s, turns_direction, &code))
        check_report(c, FIND_TEXT_DIRECTION, span,
                     "this name holds U+%04X, which turns the direction of text", (unsigned)code);
    else if (find_character(s, is_foreign_to_names, &code))
        check_report(c, FIND_NAME_CHARACTER, span,
                     "this name holds U+%04X, which is hard to see or to tell from others",
                     (unsigned)code);
    else
        check_scripts(c, span, "name", s);
}

static void check_pattern(struct checker *c, struct cedar_span span, const struct cedar_pattern *p)
{
    struct buf all = {0};
    for (size_t i = 0; i < p->count; i++)
        buf_put(&all, p->pieces[i]);
    check_string(c, span, buf_str(&all));
    buf_fini(&all);
}

static void check_expr(struct checker *c, const struct cedar_expr *e)
{
    if (e->kind == CEDAR_E_LITERAL && e->value.kind == CEDAR_STRING)
        check_string(c, e->span, cedar_str(e->value));
    else if (e->kind == CEDAR_E_LITERAL && e->value.kind == CEDAR_ENTITY)
        check_name(c, e->span, e->value.uid->id);
    else if (e->kind == CEDAR_E_ATTR)
        check_name(c, e->span, e->name);
    else if (e->kind == CEDAR_E_LIKE)
        check_pattern(c, e->span, e->pattern);
    for (uint32_t i = 0; i < e->name_count; i++)
        check_name(c, e->span, e->names[i]);
    for (uint32_t i = 0; i < e->kid_count; i++)
        check_expr(c, e->kids[i]);
}

static void check_written(struct checker *c)
{
    struct cedar_span span = c->policy->span;
    str text = str_take(c->d->source, span.end);
    for (size_t i = span.start, start = i; i < text.n; start = i) {
        if (!is_hidden(cedar_code_point(text, &i)))
            continue;
        check_report(c, FIND_SUSPICIOUS_TEXT, (struct cedar_span){(uint32_t)start, (uint32_t)i},
                     "an invisible character changes how this line looks");
        return;
    }
}

void check_texts(struct checker *c)
{
    const struct cedar_policy *p = c->policy;
    size_t before = c->d->warnings;
    for (unsigned v = CEDAR_PRINCIPAL; v <= CEDAR_RESOURCE; v++) {
        for (size_t i = 0; i < p->scope[v].uid_count; i++)
            check_name(c, p->scope[v].uids[i].span, p->scope[v].uids[i].uid.id);
    }
    for (size_t i = 0; i < p->condition_count; i++)
        check_expr(c, p->conditions[i].body);
    if (c->d->warnings == before)
        check_written(c);
}

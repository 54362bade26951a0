/* From one form of a policy to the other. */
#include "cedar/calls/call.h"
#include "cedar/policy/format.h"
#include "cedar/policy/policy_json.h"
#include "cedar/policy/print.h"

#include <stdlib.h>

enum { CONVERTED_BYTES_MAX = 64 << 20 };

/* ---- one policy ---- */

/* {"type": "success", name: what was made}, or the failure. */
static void answer_with(struct call *c, str name, bool ok, const struct buf *made, bool is_json,
                        const struct err *err)
{
    if (!ok) {
        calls_fail(c, "%s", err->text);
        calls_failure(c, false);
        return;
    }
    calls_success(c);
    jw_key(&c->w, name);
    if (is_json)
        jw_raw(&c->w, buf_str(made));
    else
        jw_str(&c->w, buf_str(made));
    jw_end_obj(&c->w);
}

static void to_json(struct call *c, const json *input, bool is_template)
{
    struct cedar_policy p;
    struct buf made = {.max = CONVERTED_BYTES_MAX};
    struct err err;
    str text;
    bool ok = true;
    if (!calls_read_policy(c, S("policy0"), input, is_template, &p, &text)) {
        calls_failure(c, false);
        return;
    }
    if (json_type(input) == JSON_STRING)
        ok = cedar_policy_to_json(&made, &p, &err);
    else
        calls_echo_policy(&made, input);
    answer_with(c, S("json"), ok, &made, true, &err);
    buf_fini(&made);
}

static void to_text(struct call *c, const json *input, bool is_template)
{
    struct cedar_policy p;
    struct buf made = {.max = CONVERTED_BYTES_MAX};
    struct err err;
    str text;
    bool ok = true;
    if (!calls_read_policy(c, S("policy0"), input, is_template, &p, &text)) {
        calls_failure(c, false);
        return;
    }
    if (json_type(input) == JSON_STRING)
        buf_put(&made, text);
    else if ((ok = cedar_policy_print(&made, &p, &err)))
        buf_truncate(&made, buf_len(&made) - 1); /* the line feed */
    answer_with(c, S("text"), ok, &made, false, &err);
    buf_fini(&made);
}

void calls_policy_to_json(struct call *c, const json *input)
{
    to_json(c, input, false);
}

void calls_template_to_json(struct call *c, const json *input)
{
    to_json(c, input, true);
}

void calls_policy_to_text(struct call *c, const json *input)
{
    to_text(c, input, false);
}

void calls_template_to_text(struct call *c, const json *input)
{
    to_text(c, input, true);
}

/* ---- a text of many, cut ---- */

static int by_id(const void *a, const void *b)
{
    const struct cedar_policy *x = a, *y = b;
    return str_cmp(x->id, y->id);
}

static void write_parts(struct call *c, str name, const struct cedar_policies *p, bool templates)
{
    jw_key(&c->w, name);
    jw_arr(&c->w);
    for (size_t i = 0; i < p->count; i++)
        if (p->items[i].is_template == templates)
            jw_str(&c->w, cedar_span_text(p->text, p->items[i].span));
    jw_end_arr(&c->w);
}

/* In the order of ids as texts (policy10 before policy2), like the official engine. */
void calls_text_to_parts(struct call *c, const json *input)
{
    struct cedar_policies p;
    struct cedar_diags *d = ARENA_NEW(c->a, struct cedar_diags);
    if (json_type(input) != JSON_STRING) {
        calls_fail(c, "the policies must be a text, not %s", json_type_name(json_type(input)));
        calls_failure(c, false);
        return;
    }
    if (!cedar_policies_parse(c->a, S("policies"), json_str(input), &p, d)) {
        calls_fail_diags(c, S("policies"), d);
        calls_failure(c, false);
        return;
    }
    if (p.count > 1)
        qsort(p.items, p.count, sizeof *p.items, by_id);
    calls_success(c);
    write_parts(c, S("policies"), &p, false);
    write_parts(c, S("policy_templates"), &p, true);
    jw_end_obj(&c->w);
}

/* ---- layout ---- */

/* A width, from 0 on or (the indentation) from below; absent: the default stays. */
static bool read_width(struct call *c, const char *name, const json *v, int64_t min, int64_t max,
                       int64_t *out)
{
    if (!v)
        return true;
    if (json_i64(v, out) && *out >= min && *out <= max && !str_eq(json_number(v), S("-0")))
        return true;
    calls_fail(c, "%s must be an integer of 32 bits", name);
    return false;
}

void calls_format(struct call *c, const json *input)
{
    static const struct calls_member members[] = {
        {"policyText", true}, {"lineWidth", false}, {"indentWidth", false}, {0}};
    const json *m[CALL_MEMBERS_MAX];
    int64_t line = CEDAR_FORMAT_DEFAULT.line_width, indent = CEDAR_FORMAT_DEFAULT.indent_width;
    struct cedar_diags *d = ARENA_NEW(c->a, struct cedar_diags);
    str made;
    bool ok = calls_members(c, "the call", input, members, m) &&
              read_width(c, "lineWidth", m[1], 0, UINT32_MAX, &line) &&
              read_width(c, "indentWidth", m[2], INT32_MIN, INT32_MAX, &indent);
    if (ok && json_type(m[0]) != JSON_STRING) {
        calls_fail(c, "policyText must be a text, not %s", json_type_name(json_type(m[0])));
        ok = false;
    }
    struct cedar_format_options how = {(uint32_t)line, (int32_t)indent};
    if (ok && !cedar_format(c->a, json_str(m[0]), &how, &made, d)) {
        calls_fail_diags(c, S("policies"), d);
        ok = false;
    }
    if (!ok) {
        calls_failure(c, false);
        return;
    }
    calls_success(c);
    jw_kstr(&c->w, S("formatted_policy"), made);
    jw_end_obj(&c->w);
}

/* ---- versions ---- */

void calls_sdk_version(struct call *c, const json *input)
{
    (void)input;
    jw_str(&c->w, S(CEDAR_SDK_VERSION));
}

void calls_lang_version(struct call *c, const json *input)
{
    (void)input;
    jw_str(&c->w, S(CEDAR_LANGUAGE_VERSION));
}

/* Policy sets as a call brings them: {staticPolicies: one text, an array or an object by id;
 * templates: an object by id; templateLinks: [{templateId, newId, values}]}. */
#include "cedar/calls/call.h"
#include "cedar/policy/link.h"
#include "cedar/policy/policy_json.h"

static void add(struct call *c, struct calls_policies *set, const struct cedar_policy *p, str text)
{
    struct err err;
    if (!cedar_policies_add(c->a, &set->all, p, &err)) {
        calls_fail(c, "policies: %s", err.text);
        return;
    }
    if (set->all.count > set->cap) {
        size_t cap = set->all.count * 2;
        str *texts = ARENA_ARRAY(c->a, str, cap);
        if (set->cap)
            memcpy(texts, set->texts, set->cap * sizeof *texts);
        set->texts = texts;
        set->cap = cap;
    }
    set->texts[set->all.count - 1] = text;
}

static bool read_text(struct call *c, str what, str text, struct cedar_policies *out)
{
    struct cedar_diags *d = ARENA_NEW(c->a, struct cedar_diags);
    if (cedar_policies_parse(c->a, S("policies"), text, out, d))
        return true;
    calls_fail_diags(c, what, d);
    return false;
}

static bool read_policy_text(struct call *c, str what, str id, str text, bool is_template,
                             struct cedar_policy *out)
{
    struct cedar_policies p;
    if (!read_text(c, what, text, &p))
        return false;
    if (p.count != 1) {
        calls_fail(c, "%.*s: the text holds %zu policies, and one is wanted", STR(what), p.count);
        return false;
    }
    if (p.items[0].is_template != is_template) {
        calls_fail(c, "%.*s: %s", STR(what),
                   is_template ? "it has no slot, so it is a policy and no template"
                               : "it has slots, so it is a template and no policy");
        return false;
    }
    *out = p.items[0];
    out->id = id;
    return true;
}

bool calls_read_policy(struct call *c, str id, const json *v, bool is_template,
                       struct cedar_policy *out, str *text)
{
    struct err err;
    str what =
        str_fmt(c->a, "%s `%.*s`", is_template ? "template" : "policy", STR(str_take(id, 80)));
    enum cedar_want want = is_template ? CEDAR_WANT_TEMPLATE : CEDAR_WANT_STATIC;
    *text = json_str(v);
    if (json_type(v) == JSON_STRING)
        return read_policy_text(c, what, id, *text, is_template, out);
    if (cedar_policy_from_json(c->a, v, id, want, out, &err))
        return true;
    calls_fail(c, "%s", err.text);
    return false;
}

static void add_one(struct call *c, struct calls_policies *set, str id, const json *v,
                    bool is_template)
{
    struct cedar_policy p;
    str text;
    if (calls_read_policy(c, id, v, is_template, &p, &text))
        add(c, set, &p, text);
}

static void add_text(struct call *c, struct calls_policies *set, str text)
{
    struct cedar_policies p;
    if (!read_text(c, S("policies"), text, &p))
        return;
    for (size_t i = 0; i < p.count; i++) {
        if (p.items[i].is_template) {
            calls_fail(c, "policies: %.*s is a template, which belongs in `templates`",
                       STR(p.items[i].id));
            return;
        }
    }
    for (size_t i = 0; i < p.count; i++)
        add(c, set, &p.items[i], text);
}

/* In an array nothing gives a policy an id of its own; two of a kind never go together. */
static str id_in_array(const json *v)
{
    return json_type(v) == JSON_STRING ? S("policy0") : S("JSON policy");
}

static void add_static(struct call *c, struct calls_policies *set, const json *v)
{
    const json *one;
    str id;
    switch (json_type(v)) {
    case JSON_STRING:
        add_text(c, set, json_str(v));
        return;
    case JSON_ARRAY:
        for (struct json_iter it = json_iter(v); json_next(&it, NULL, &one);)
            add_one(c, set, id_in_array(one), one, false);
        return;
    case JSON_OBJECT:
        for (struct json_iter it = json_iter(v); json_next(&it, &id, &one);)
            add_one(c, set, id, one, false);
        return;
    case JSON_ABSENT:
        return;
    default:
        calls_fail(c, "staticPolicies must be a text, an array or an object, not %s",
                   json_type_name(json_type(v)));
    }
}

static void add_templates(struct call *c, struct calls_policies *set, const json *v)
{
    const json *one;
    str id;
    if (v && json_type(v) != JSON_OBJECT)
        calls_fail(c, "templates must be an object, not %s", json_type_name(json_type(v)));
    else
        for (struct json_iter it = json_iter(v); json_next(&it, &id, &one);)
            add_one(c, set, id, one, true);
}

/* ---- links ---- */

struct slot_values {
    struct cedar_uid uids[2];
    const struct cedar_uid *principal, *resource; /* NULL: not given */
};

static bool read_values(struct call *c, const json *v, struct slot_values *out)
{
    const json *one;
    str name;
    *out = (struct slot_values){0};
    if (json_type(v) != JSON_OBJECT) {
        calls_fail(c, "the values of a link must be an object, not %s",
                   json_type_name(json_type(v)));
        return false;
    }
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &one);) {
        bool is_principal = str_eq(name, S("?principal"));
        if (!is_principal && !str_eq(name, S("?resource"))) {
            calls_fail(c, "a link fills ?principal and ?resource, not `%.*s`",
                       STR(str_take(name, 80)));
            return false;
        }
        if (!calls_read_uid(c, "the value of a slot", one, &out->uids[is_principal]))
            return false;
        *(is_principal ? &out->principal : &out->resource) = &out->uids[is_principal];
    }
    return true;
}

static void add_link(struct call *c, struct calls_policies *set, const json *v)
{
    static const struct calls_member members[] = {
        {"templateId", true}, {"newId", true}, {"values", true}, {0}};
    const json *m[CALL_MEMBERS_MAX];
    struct slot_values *values = ARENA_NEW(c->a, struct slot_values);
    struct cedar_policy made;
    struct err err;
    if (!calls_members(c, "a template link", v, members, m))
        return;
    if (json_type(m[0]) != JSON_STRING || json_type(m[1]) != JSON_STRING) {
        calls_fail(c, "a template link: templateId and newId must be strings");
        return;
    }
    if (!read_values(c, m[2], values))
        return;
    const struct cedar_policy *tmpl = cedar_policies_find(&set->all, json_str(m[0]));
    if (!tmpl)
        calls_fail(c, "there is no template `%.*s`", STR(str_take(json_str(m[0]), 80)));
    else if (!cedar_link(c->a, tmpl, json_str(m[1]), values->principal, values->resource, &made,
                         &err))
        calls_fail(c, "%s", err.text);
    else
        add(c, set, &made, set->texts[tmpl - set->all.items]);
}

static void add_links(struct call *c, struct calls_policies *set, const json *v)
{
    const json *one;
    if (v && json_type(v) != JSON_ARRAY)
        calls_fail(c, "templateLinks must be an array, not %s", json_type_name(json_type(v)));
    else
        for (struct json_iter it = json_iter(v); json_next(&it, NULL, &one);)
            add_link(c, set, one);
}

bool calls_read_policies(struct call *c, const json *v, struct calls_policies *out)
{
    static const struct calls_member members[] = {
        {"staticPolicies", false}, {"templates", false}, {"templateLinks", false}, {0}};
    const json *m[CALL_MEMBERS_MAX];
    size_t before = c->errors.count;
    *out = (struct calls_policies){0};
    if (!calls_members(c, "a policy set", v, members, m))
        return false;
    add_static(c, out, m[0]);
    add_templates(c, out, m[1]);
    add_links(c, out, m[2]);
    return c->errors.count == before;
}

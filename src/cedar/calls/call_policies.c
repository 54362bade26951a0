/* Policy sets as a call brings them: {staticPolicies: one text, an array or an object by id;
 * templates: an object by id; templateLinks: [{templateId, newId, values}]}. */
#include "cedar/calls/call.h"
#include "cedar/policy/link.h"
#include "cedar/policy/policy_set_json.h"

/* Of the policy that was added last. */
static void remember_text(struct call *c, struct calls_policies *set, str text)
{
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

bool calls_add_policy(struct call *c, struct calls_policies *set, const struct cedar_policy *p,
                      str text)
{
    struct err err;
    if (cedar_policies_add(c->a, &set->all, p, &err)) {
        remember_text(c, set, text);
        return true;
    }
    calls_fail(c, "policies: %s", err.text);
    return false;
}

bool calls_read_policy(struct call *c, str id, const json *v, bool is_template,
                       struct cedar_policy *out, str *text)
{
    struct err err;
    struct cedar_diags *d = ARENA_NEW(c->a, struct cedar_diags);
    enum cedar_want want = is_template ? CEDAR_WANT_TEMPLATE : CEDAR_WANT_STATIC;
    *text = json_str(v);
    if (json_type(v) == JSON_STRING) {
        if (cedar_policy_parse(c->a, id, *text, want, out, d))
            return true;
        calls_fail_diags(c, str_fmt(c->a, "policy `%.*s`", STR(str_take(id, 80))), d);
        return false;
    }
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
        (void)!calls_add_policy(c, set, &p, text);
}

bool calls_read_policies_text(struct call *c, str name, str text, bool with_templates,
                              struct calls_policies *set)
{
    struct cedar_policies p;
    struct cedar_diags *d = ARENA_NEW(c->a, struct cedar_diags);
    bool ok = true;
    if (!cedar_policies_parse(c->a, name, text, &p, d)) {
        calls_fail_diags(c, S("policies"), d);
        return false;
    }
    set->name = name;
    for (size_t i = 0; i < p.count; i++) {
        if (with_templates || !p.items[i].is_template)
            continue;
        calls_fail(c, "policies: %.*s is a template, which belongs in `templates`",
                   STR(p.items[i].id));
        return false;
    }
    for (size_t i = 0; i < p.count; i++)
        ok = calls_add_policy(c, set, &p.items[i], text) && ok;
    return ok;
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
        (void)!calls_read_policies_text(c, set->name, json_str(v), false, set);
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

static void add_link(struct call *c, struct calls_policies *set, const json *v)
{
    struct err err;
    if (!cedar_policies_add_link_json(c->a, &set->all, v, &err)) {
        calls_fail(c, "%s", err.text);
        return;
    }
    const struct cedar_policy *link = &set->all.items[set->all.count - 1];
    const struct cedar_policy *tmpl = cedar_policies_find(&set->all, link->template_id);
    remember_text(c, set, set->texts[tmpl - set->all.items]);
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
    *out = (struct calls_policies){.name = S("policies")};
    if (!calls_members(c, "a policy set", v, members, m))
        return false;
    add_static(c, out, m[0]);
    add_templates(c, out, m[1]);
    add_links(c, out, m[2]);
    return c->errors.count == before;
}

#include "cedar/calls/call.h"
#include "base/rand.h"
#include "cedar/check/conform.h"
#include "cedar/schema/typed_json.h"

bool calls_read_uid(struct call *c, const char *what, const json *v, struct cedar_uid *out)
{
    struct err err;
    if (cedar_uid_from_json(v, out, &err))
        return true;
    calls_fail(c, "%s: %s", what, err.text);
    return false;
}

/* ---- schema ---- */

const struct schema *calls_read_schema(struct call *c, const json *v)
{
    struct cedar_diags *d = ARENA_NEW(c->a, struct cedar_diags);
    const struct schema *schema = NULL;
    if (json_type(v) != JSON_STRING) {
        calls_fail(c, "schema: must be a text, not %s", json_type_name(json_type(v)));
        return NULL;
    }
    cedar_diags_init(d, c->a, S("schema"), json_str(v));
    if (!schema_read(c->a, json_str(v), &schema, d)) {
        calls_fail_diags(c, S("schema"), d);
        return NULL;
    }
    for (size_t i = 0; i < d->count; i++)
        calls_note_add(c, &c->warnings, calls_note_of(&d->items[i]));
    return schema;
}

/* ---- entities ---- */

/* A number that strangers cannot know. */
static uint64_t seed_of_call(void)
{
    uint64_t seed;
    rand_salt(&seed, sizeof seed);
    return seed;
}

static bool conform_all(struct call *c, const struct schema *schema,
                        const struct cedar_entities *store, size_t count)
{
    struct conform_fault fault;
    for (size_t i = 0; i < count; i++) {
        if (conform_entity(schema, store->items[i], &fault))
            continue;
        calls_fail(c, "entities: %s", fault.text);
        return false;
    }
    return true;
}

static bool add_actions(struct arena *a, const struct schema *schema, struct cedar_entities *store,
                        struct err *err)
{
    for (size_t i = 0; i < schema->action_count; i++) {
        const struct schema_action *x = &schema->actions[i];
        struct cedar_uid *parents = ARENA_ARRAY(a, struct cedar_uid, x->parents.count);
        if (cedar_entities_find(store, &x->uid))
            continue;
        for (size_t j = 0; j < x->parents.count; j++)
            parents[j] = schema->actions[x->parents.items[j]].uid;
        struct cedar_entity e = {
            .uid = x->uid, .parents = parents, .parent_count = x->parents.count};
        if (!cedar_entities_add(store, &e, err))
            return false;
    }
    return true;
}

bool calls_read_entities(struct call *c, const json *v, const struct schema *schema,
                         struct cedar_entities *out)
{
    struct typed_json typed = {.schema = schema};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    struct err err;
    cedar_entities_init(out, c->a, NULL, seed_of_call());
    bool ok = cedar_entities_from_json(out, v, schema ? &hook : NULL, &err);
    size_t given = out->count;
    ok = ok && (!schema || add_actions(c->a, schema, out, &err)) && cedar_entities_seal(out, &err);
    if (!ok) {
        calls_fail(c, "entities: %s", err.text);
        return false;
    }
    return !schema || conform_all(c, schema, out, given);
}

/* ---- context ---- */

bool calls_read_context(struct call *c, const json *v, const struct schema *schema,
                        const struct cedar_uid *action, struct cedar_value *out)
{
    struct typed_json typed = {.schema = schema};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    struct conform_fault fault;
    struct err err;
    bool is_typed = schema && action;
    if (is_typed && !(typed.action = schema_action(schema, action))) {
        calls_fail(c, "context: the schema has no action %.*s::\"%.*s\"", STR(action->type),
                   STR(str_take(action->id, 80)));
        return false;
    }
    if (!cedar_context_from_json(c->a, v, is_typed ? &hook : NULL, out, &err)) {
        calls_fail(c, "%s", err.text);
        return false;
    }
    if (is_typed && !conform_value(schema, typed.action->context, out, &fault)) {
        calls_fail(c, "context%s", fault.text);
        return false;
    }
    return true;
}

/* ---- policies ---- */

static const struct cedar_policies **add_text(struct call *c, struct calls_policies *set)
{
    if (set->count == set->cap) {
        size_t cap = set->cap ? set->cap * 2 : 8;
        const struct cedar_policies **texts = ARENA_ARRAY(c->a, const struct cedar_policies *, cap);
        if (set->count)
            memcpy(texts, set->texts, set->count * sizeof *texts);
        set->texts = texts;
        set->cap = cap;
    }
    return &set->texts[set->count++];
}

static struct cedar_policies *read_text(struct call *c, str what, str text)
{
    struct cedar_diags *d = ARENA_NEW(c->a, struct cedar_diags);
    struct cedar_policies *p = ARENA_NEW(c->a, struct cedar_policies);
    if (cedar_policies_parse(c->a, S("policies"), text, p, d))
        return p;
    calls_fail_diags(c, what, d);
    return NULL;
}

/* One policy alone; id empty: the one that its place in a text gives. */
static void read_policy(struct call *c, str id, const json *v, struct calls_policies *set)
{
    str what = str_fmt(c->a, "policy \"%.*s\"", STR(str_take(id, 80)));
    if (json_type(v) != JSON_STRING) {
        calls_fail(c, "%.*s: must be a text, not %s", STR(what), json_type_name(json_type(v)));
        return;
    }
    struct cedar_policies *p = read_text(c, what, json_str(v));
    if (!p)
        return;
    if (p->count != 1)
        calls_fail(c, "%.*s: the text holds %zu policies, and one is wanted", STR(what), p->count);
    else if (p->items[0].is_template)
        calls_fail(c, "%.*s: a template, where a policy is wanted", STR(what));
    else
        p->items[0].id = id.p ? id : p->items[0].id;
    *add_text(c, set) = p;
}

static void read_static(struct call *c, const json *v, struct calls_policies *set)
{
    const json *one;
    str id;
    struct cedar_policies *p;
    switch (json_type(v)) {
    case JSON_STRING:
        p = read_text(c, S("policies"), json_str(v));
        if (!p)
            return;
        for (size_t i = 0; i < p->count; i++)
            if (p->items[i].is_template)
                calls_fail(c, "policies: %.*s is a template", STR(p->items[i].id));
        *add_text(c, set) = p;
        return;
    case JSON_ARRAY:
        for (struct json_iter it = json_iter(v); json_next(&it, NULL, &one);)
            read_policy(c, S("policy0"), one, set);
        if (json_count(v) > 1)
            calls_fail(c, "policies: the id policy0 is taken (an array gives it to each)");
        return;
    case JSON_OBJECT:
        for (struct json_iter it = json_iter(v); json_next(&it, &id, &one);)
            read_policy(c, id, one, set);
        return;
    default:
        calls_fail(c, "staticPolicies must be a text, an array or an object, not %s",
                   json_type_name(json_type(v)));
    }
}

bool calls_read_policies(struct call *c, const json *v, struct calls_policies *out)
{
    static const struct calls_member members[] = {
        {"staticPolicies", false}, {"templates", false}, {"templateLinks", false}, {0}};
    const json *m[3];
    size_t before = c->errors.count;
    *out = (struct calls_policies){0};
    if (!calls_members(c, "a policy set", v, members, m))
        return false;
    if (m[0])
        read_static(c, m[0], out);
    if (json_count(m[1]) || json_count(m[2]))
        calls_fail(c, "templates are not read yet");
    return c->errors.count == before;
}

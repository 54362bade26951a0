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

static bool take_schema(struct call *c, bool ok, const struct cedar_diags *d)
{
    if (!ok)
        calls_fail_diags(c, S("schema"), d);
    for (size_t i = 0; ok && i < d->count; i++)
        calls_note_add(c, &c->warnings, calls_note_of(d, &d->items[i]));
    return ok;
}

bool calls_read_schema_text(struct call *c, str name, str text, bool is_json,
                            struct schema_source *out)
{
    struct cedar_diags *d = ARENA_NEW(c->a, struct cedar_diags);
    cedar_diags_init(d, c->a, name, text);
    return take_schema(c,
                       is_json ? schema_source_read_json(c->a, text, out, d)
                               : schema_source_read(c->a, text, out, d),
                       d);
}

bool calls_read_schema_source(struct call *c, const json *v, struct schema_source *out)
{
    struct cedar_diags *d = ARENA_NEW(c->a, struct cedar_diags);
    if (json_type(v) == JSON_STRING)
        return calls_read_schema_text(c, S("schema"), json_str(v), false, out);
    cedar_diags_init(d, c->a, S("schema"), (str){0});
    return take_schema(c, schema_source_read_value(c->a, v, out, d), d);
}

const struct schema *calls_read_schema(struct call *c, const json *v)
{
    struct schema_source source;
    return calls_read_schema_source(c, v, &source) ? source.schema : NULL;
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
                        const struct cedar_entities *store)
{
    struct conform_fault fault;
    for (size_t i = 0; i < store->count; i++) {
        if (conform_entity(schema, store->items[i], &fault))
            continue;
        calls_fail(c, "entities: %s", fault.text);
        return false;
    }
    return true;
}

/* Those that were not given. */
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

/* What was given is held against the schema by itself, before the schema's actions join: an action
 * that is given must bring its ancestors along. */
bool calls_read_entities(struct call *c, const json *v, const struct schema *schema,
                         struct cedar_entities *out)
{
    struct typed_json typed = {.schema = schema};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    struct cedar_entities *given = schema ? ARENA_NEW(c->a, struct cedar_entities) : out;
    struct err err;
    cedar_entities_init(given, c->a, NULL, seed_of_call());
    bool ok = cedar_entities_from_json(given, v, schema ? &hook : NULL, &err) &&
              cedar_entities_seal(given, &err);
    if (ok && schema) {
        if (!conform_all(c, schema, given))
            return false;
        cedar_entities_init(out, c->a, given, given->seed);
        ok = add_actions(c->a, schema, out, &err) && cedar_entities_seal(out, &err);
    }
    if (!ok)
        calls_fail(c, "entities: %s", err.text);
    return ok;
}

/* ---- context ---- */

/* The attributes that the type lists, all that are required among them. */
static bool has_shape(struct call *c, const struct ctype *type, const struct cedar_value *record)
{
    for (uint32_t i = 0; i < record->n; i++) {
        str name = record->fields[i].name;
        if (ctype_attr(type, name))
            continue;
        calls_fail(c, "context: attribute `%.*s` is not in the schema", STR(str_take(name, 80)));
        return false;
    }
    for (uint32_t i = 0; i < type->n; i++) {
        if (!type->attrs[i].required || cedar_record_get(record, type->attrs[i].name))
            continue;
        calls_fail(c, "context: attribute `%.*s` is missing",
                   STR(str_take(type->attrs[i].name, 80)));
        return false;
    }
    return true;
}

bool calls_read_context(struct call *c, const json *v, const struct schema *schema,
                        const struct cedar_uid *action, struct cedar_value *out)
{
    struct typed_json typed = {.schema = schema};
    struct cedar_json_hook hook = typed_json_hook(&typed);
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
    return !is_typed || has_shape(c, typed.action->context, out);
}

/* Partial requests and entities from JSON: what is absent or null is unknown. */
#include "cedar/partial/partial.h"
#include "cedar/schema/typed_json.h"

static bool is_given(const json *v)
{
    return json_type(v) != JSON_ABSENT && json_type(v) != JSON_NULL;
}

/* ---- requests ---- */

static bool read_text(const json *v, const char *name, bool required, str *out, struct err *err)
{
    const json *text = json_get(v, str_z(name));
    if (!is_given(text))
        return !required || err_input(err, "`%s` must be given", name);
    if (json_type(text) != JSON_STRING)
        return err_input(err, "`%s` must be a string", name);
    *out = json_str(text);
    return true;
}

static bool read_context(struct arena *a, const struct schema *s, const json *v,
                         struct partial_request *req, struct err *err)
{
    struct typed_json typed = {s, schema_action(s, &req->action)};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    struct cedar_value *context = ARENA_NEW(a, struct cedar_value);
    if (!is_given(v))
        return true;
    if (!cedar_context_from_json(a, v, &hook, context, err))
        return false;
    req->context = context;
    return true;
}

bool partial_request_from_json(struct arena *a, const struct schema *s, const json *v,
                               struct partial_request *out, struct err *err)
{
    struct partial_request req = {0};
    str action = {0};
    if (json_type(v) != JSON_OBJECT)
        return err_input(err, "a request must be an object, not %s", json_type_name(json_type(v)));
    if (!read_text(v, "principal_type", true, &req.principal.type, err) ||
        !read_text(v, "principal_eid", false, &req.principal.id, err) ||
        !read_text(v, "resource_type", true, &req.resource.type, err) ||
        !read_text(v, "resource_eid", false, &req.resource.id, err) ||
        !read_text(v, "action", true, &action, err) ||
        !cedar_uid_read(a, action, &req.action, err) ||
        !read_context(a, s, json_get(v, S("context")), &req, err))
        return false;
    req.principal.has_id = is_given(json_get(v, S("principal_eid")));
    req.resource.has_id = is_given(json_get(v, S("resource_eid")));
    *out = req;
    return true;
}

/* ---- entities ---- */

static bool read_record(struct partial_entities *e, const json *v, const struct cedar_uid *uid,
                        bool is_tag, const struct cedar_value **out, struct err *err)
{
    struct typed_json typed = {e->schema, NULL};
    struct cedar_json_hook hook = typed_json_hook(&typed);
    struct cedar_json_place at = {.entity = uid, .is_tag = is_tag};
    struct cedar_value *record = ARENA_NEW(e->arena, struct cedar_value);
    if (!is_given(v))
        return true;
    if (!cedar_record_from_json(e->arena, v, &hook, &at, record, err))
        return err_in(err, is_tag ? "tags" : "attrs");
    *out = record;
    return true;
}

static bool read_parents(struct arena *a, const json *v, struct partial_entity *out,
                         struct err *err)
{
    const json *one;
    if (!is_given(v))
        return true;
    if (json_type(v) != JSON_ARRAY)
        return err_input(err, "parents must be an array, not %s", json_type_name(json_type(v)));
    struct cedar_uid *parents = ARENA_ARRAY(a, struct cedar_uid, json_count(v));
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &one);)
        if (!cedar_uid_from_json(one, &parents[out->parent_count++], err))
            return err_in(err, "parents");
    out->parents = parents;
    out->has_parents = true;
    return true;
}

static bool read_entity(struct partial_entities *e, const json *v, struct err *err)
{
    struct partial_entity one = {0};
    if (json_type(v) != JSON_OBJECT)
        return err_input(err, "an entity must be an object, not %s", json_type_name(json_type(v)));
    if (!cedar_uid_from_json(json_get(v, S("uid")), &one.uid, err))
        return err_in(err, "uid");
    if (schema_is_action_type(one.uid.type))
        return err_input(err, "actions come from the schema: leave out %.*s::\"%.*s\"",
                         STR(one.uid.type), STR(str_take(one.uid.id, 80)));
    if (!read_record(e, json_get(v, S("attrs")), &one.uid, false, &one.attrs, err) ||
        !read_record(e, json_get(v, S("tags")), &one.uid, true, &one.tags, err) ||
        !read_parents(e->arena, json_get(v, S("parents")), &one, err))
        return err_in(err, "%.*s::\"%.*s\"", STR(one.uid.type), STR(str_take(one.uid.id, 80)));
    return partial_entities_add(e, &one, err);
}

bool partial_entities_from_json(struct partial_entities *e, const json *array, struct err *err)
{
    const json *v;
    if (json_type(array) != JSON_ARRAY)
        return err_input(err, "entities must be an array, not %s",
                         json_type_name(json_type(array)));
    for (struct json_iter it = json_iter(array); json_next(&it, NULL, &v);)
        if (!read_entity(e, v, err))
            return false;
    return true;
}

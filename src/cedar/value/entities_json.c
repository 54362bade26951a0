#include "cedar/value/entities_json.h"

#include "cedar/value/ext.h"
#include "cedar/text/lex.h"

#define NO_EXPR "`__expr` is no longer part of the format: use `__entity` or `__extn`"

/* ---- uids ---- */

/* {"type": string, "id": string}, whatever else is in it. */
static bool is_type_and_id(const json *v)
{
    return json_type(json_get(v, S("type"))) == JSON_STRING &&
           json_type(json_get(v, S("id"))) == JSON_STRING;
}

static bool type_and_id(const json *v, struct cedar_uid *out, struct err *err)
{
    struct cedar_uid uid = {json_get_str(v, S("type")), json_get_str(v, S("id"))};
    if (!cedar_is_type_name(uid.type))
        return err_input(err, "`%.*s` is no entity type", STR(uid.type));
    *out = uid;
    return true;
}

bool cedar_uid_from_json(const json *v, struct cedar_uid *out, struct err *err)
{
    const json *inner = json_get(v, S("__entity"));
    if (json_type(json_get(v, S("__expr"))) == JSON_STRING)
        return err_input(err, NO_EXPR);
    if (is_type_and_id(inner))
        v = inner;
    if (!is_type_and_id(v))
        return err_input(err, "an entity is written as {\"type\": \"..\", \"id\": \"..\"}");
    return type_and_id(v, out, err);
}

/* ---- values ---- */

static bool to_value(struct arena *a, const json *v, unsigned depth, struct cedar_value *out,
                     struct err *err);

/* The object's only member, if it has that name and an object as value. */
static const json *escape(const json *v, str name)
{
    const json *inner = json_count(v) == 1 ? json_get(v, name) : NULL;
    return json_type(inner) == JSON_OBJECT ? inner : NULL;
}

static bool to_set(struct arena *a, const json *v, unsigned depth, struct cedar_value *out,
                   struct err *err)
{
    struct cedar_value *items = ARENA_ARRAY(a, struct cedar_value, json_count(v));
    size_t n = 0;
    const json *e;
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &e);) {
        if (!to_value(a, e, depth + 1, &items[n++], err))
            return false;
    }
    *out = cedar_set_of(items, n);
    return true;
}

static bool to_record(struct arena *a, const json *v, unsigned depth, struct cedar_value *out,
                      struct err *err)
{
    struct cedar_field *fields = ARENA_ARRAY(a, struct cedar_field, json_count(v));
    size_t n = 0;
    const json *e;
    str name;
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &e);) {
        fields[n].name = name;
        if (!to_value(a, e, depth + 1, &fields[n++].value, err))
            return err_in(err, "%.*s", STR(name));
    }
    if (!cedar_record_of(fields, n, out))
        return err_input(err, "a record has the same name twice");
    return true;
}

static bool to_long(const json *v, int64_t *out, struct err *err)
{
    int64_t i;
    if (!json_i64(v, &i) || str_eq(json_number(v), S("-0")))
        return err_input(err, "%.*s is no integer of 64 bits", STR(json_number(v)));
    *out = i;
    return true;
}

/* Members beside those that an escape needs are ignored, but no number in them may be one that
 * Cedar does not have. */
static bool integers_only(const json *v, unsigned depth, struct err *err)
{
    const json *inner;
    int64_t i;
    if (depth > CEDAR_DEPTH_MAX)
        return err_limit(err, "the value nests deeper than %d levels", CEDAR_DEPTH_MAX);
    if (json_type(v) == JSON_NUMBER)
        return to_long(v, &i, err);
    if (json_type(v) == JSON_ARRAY || json_type(v) == JSON_OBJECT)
        for (struct json_iter it = json_iter(v); json_next(&it, NULL, &inner);)
            if (!integers_only(inner, depth + 1, err))
                return false;
    return true;
}

static bool to_extension(struct arena *a, const json *v, unsigned depth, struct cedar_value *out,
                         struct err *err)
{
    str name = json_get_str(v, S("fn"));
    const json *arg = json_get(v, S("arg")), *args = json_get(v, S("args")), *e;
    int fn = cedar_fn_find(name);
    if (fn < 0)
        return err_input(err, "there is no extension function `%.*s`", STR(name));
    size_t count = arg ? 1 : json_count(args), n = 0;
    struct cedar_value *values = ARENA_ARRAY(a, struct cedar_value, count);
    if (arg && !to_value(a, arg, depth + 1, &values[0], err))
        return false;
    for (struct json_iter it = json_iter(arg ? NULL : args); json_next(&it, NULL, &e);) {
        if (!to_value(a, e, depth + 1, &values[n++], err))
            return false;
    }
    return cedar_fn_call(a, (enum cedar_fn)fn, values, count, out, err);
}

bool cedar_json_is_call(const json *v)
{
    return json_type(json_get(v, S("fn"))) == JSON_STRING &&
           (json_get(v, S("arg")) || json_type(json_get(v, S("args"))) == JSON_ARRAY);
}

static bool is_escape(const json *v)
{
    const json *entity = escape(v, S("__entity")), *extension = escape(v, S("__extn"));
    return (entity && is_type_and_id(entity)) || (extension && cedar_json_is_call(extension)) ||
           (json_count(v) == 1 && json_type(json_get(v, S("__expr"))) == JSON_STRING);
}

static bool to_object(struct arena *a, const json *v, unsigned depth, struct cedar_value *out,
                      struct err *err)
{
    const json *entity = escape(v, S("__entity")), *extension = escape(v, S("__extn"));
    if (entity && is_type_and_id(entity)) {
        struct cedar_uid *uid = ARENA_NEW(a, struct cedar_uid);
        if (!integers_only(entity, depth, err) || !type_and_id(entity, uid, err))
            return false;
        *out = cedar_entity_value(uid);
        return true;
    }
    if (extension && cedar_json_is_call(extension))
        return integers_only(extension, depth, err) && to_extension(a, extension, depth, out, err);
    if (json_count(v) == 1 && json_type(json_get(v, S("__expr"))) == JSON_STRING)
        return err_input(err, NO_EXPR);
    return to_record(a, v, depth, out, err);
}

static bool to_value(struct arena *a, const json *v, unsigned depth, struct cedar_value *out,
                     struct err *err)
{
    int64_t i;
    if (depth > CEDAR_DEPTH_MAX)
        return err_limit(err, "the value nests deeper than %d levels", CEDAR_DEPTH_MAX);
    switch (json_type(v)) {
    case JSON_BOOL:
        *out = cedar_bool(json_bool(v));
        return true;
    case JSON_NUMBER:
        if (!to_long(v, &i, err))
            return false;
        *out = cedar_long(i);
        return true;
    case JSON_STRING:
        *out = cedar_string(json_str(v));
        return true;
    case JSON_ARRAY:
        return to_set(a, v, depth, out, err);
    case JSON_OBJECT:
        return to_object(a, v, depth, out, err);
    default:
        return err_input(err, "%s is no Cedar value", json_type_name(json_type(v)));
    }
}

bool cedar_value_from_json(struct arena *a, const json *v, struct cedar_value *out, struct err *err)
{
    return to_value(a, v, 0, out, err);
}

/* ---- attributes, tags, context ---- */

static bool hooked_value(struct arena *a, const struct cedar_json_hook *hook,
                         const struct cedar_json_place *at, const json *v, struct cedar_value *out,
                         struct err *err)
{
    bool taken = false;
    if (hook && !hook->convert(hook->ctx, a, at, v, out, &taken, err))
        return false;
    return taken || to_value(a, v, 1, out, err);
}

static bool hooked_record(struct arena *a, const struct cedar_json_hook *hook,
                          struct cedar_json_place at, const json *v, struct cedar_value *out,
                          struct err *err)
{
    struct cedar_field *fields = ARENA_ARRAY(a, struct cedar_field, json_count(v));
    size_t n = 0;
    const json *e;
    for (struct json_iter it = json_iter(v); json_next(&it, &at.name, &e); n++) {
        fields[n].name = at.name;
        if (!hooked_value(a, hook, &at, e, &fields[n].value, err))
            return err_in(err, "%.*s", STR(at.name));
    }
    if (!cedar_record_of(fields, n, out))
        return err_input(err, "a record has the same name twice");
    return true;
}

bool cedar_record_from_json(struct arena *a, const json *object, const struct cedar_json_hook *hook,
                            const struct cedar_json_place *at, struct cedar_value *out,
                            struct err *err)
{
    if (json_type(object) != JSON_OBJECT)
        return err_input(err, "expected an object, not %s", json_type_name(json_type(object)));
    return hooked_record(a, hook, *at, object, out, err);
}

bool cedar_context_from_json(struct arena *a, const json *object,
                             const struct cedar_json_hook *hook, struct cedar_value *out,
                             struct err *err)
{
    if (!object) {
        *out = cedar_empty_record;
        return true;
    }
    if (json_type(object) != JSON_OBJECT)
        return err_input(err, "the context must be an object, not %s",
                         json_type_name(json_type(object)));
    struct cedar_json_place at = {0};
    if (!hook && is_escape(object))
        return err_input(err, "the context must be a record, not an entity or extension value");
    return hooked_record(a, hook, at, object, out, err) || err_in(err, "context");
}

/* ---- entities ---- */

static bool to_parents(struct arena *a, const json *array, struct cedar_entity *out,
                       struct err *err)
{
    struct cedar_uid *parents = ARENA_ARRAY(a, struct cedar_uid, json_count(array));
    const json *e;
    for (struct json_iter it = json_iter(array); json_next(&it, NULL, &e);) {
        if (!cedar_uid_from_json(e, &parents[out->parent_count++], err))
            return false;
    }
    out->parents = parents;
    return true;
}

static bool member(const json *obj, str name, enum json_type type, bool optional, const json **out,
                   struct err *err)
{
    *out = json_get(obj, name);
    if (!*out && optional)
        return true;
    if (json_type(*out) != type)
        return err_input(err, "`%.*s` must be %s", STR(name), json_type_name(type));
    return true;
}

static bool add_entity(struct cedar_entities *s, const json *v, const struct cedar_json_hook *hook,
                       struct err *err)
{
    struct cedar_entity e = {0};
    const json *attrs, *tags, *parents;
    if (json_type(v) != JSON_OBJECT)
        return err_input(err, "an entity must be an object, not %s", json_type_name(json_type(v)));
    if (!cedar_uid_from_json(json_get(v, S("uid")), &e.uid, err))
        return err_in(err, "uid");
    struct cedar_json_place at = {.entity = &e.uid}, tag_at = {.entity = &e.uid, .is_tag = true};
    if (!member(v, S("attrs"), JSON_OBJECT, false, &attrs, err) ||
        !member(v, S("parents"), JSON_ARRAY, false, &parents, err) ||
        !member(v, S("tags"), JSON_OBJECT, true, &tags, err) ||
        !hooked_record(s->arena, hook, at, attrs, &e.attrs, err) ||
        !hooked_record(s->arena, hook, tag_at, tags, &e.tags, err) ||
        !to_parents(s->arena, parents, &e, err))
        return err_in(err, "%.*s::\"%.*s\"", STR(e.uid.type), STR(e.uid.id));
    return cedar_entities_add(s, &e, err);
}

bool cedar_entities_from_json(struct cedar_entities *s, const json *array,
                              const struct cedar_json_hook *hook, struct err *err)
{
    const json *v;
    if (json_type(array) != JSON_ARRAY)
        return err_input(err, "entities must be an array, not %s",
                         json_type_name(json_type(array)));
    for (struct json_iter it = json_iter(array); json_next(&it, NULL, &v);) {
        if (!add_entity(s, v, hook, err))
            return false;
    }
    return true;
}

#include "cedar/schema/typed_json.h"

static bool typed_value(struct arena *a, const struct ctype *t, const json *v, unsigned depth,
                        struct cedar_value *out, struct err *err);

/* ---- extension types ---- */

/* "text" where an extension type is expected. */
static bool typed_text(struct arena *a, enum ctype_ext ext, str text, struct cedar_value *out,
                       struct err *err)
{
    static const enum cedar_fn makers[] = {[CTYPE_DECIMAL] = CEDAR_FN_DECIMAL,
                                           [CTYPE_IPADDR] = CEDAR_FN_IP,
                                           [CTYPE_DATETIME] = CEDAR_FN_DATETIME,
                                           [CTYPE_DURATION] = CEDAR_FN_DURATION};
    struct cedar_value arg = cedar_string(text);
    return cedar_fn_call(a, makers[ext], &arg, 1, out, err);
}

/* The type that makes an argument of this kind more than plain JSON; NULL if it is plain. */
static const struct ctype *type_of_kind(uint8_t kind)
{
    static const uint8_t kinds[] = {[CTYPE_DECIMAL] = CEDAR_DECIMAL,
                                    [CTYPE_IPADDR] = CEDAR_IPADDR,
                                    [CTYPE_DATETIME] = CEDAR_DATETIME,
                                    [CTYPE_DURATION] = CEDAR_DURATION};
    for (size_t i = 0; i < CTYPE_EXT_COUNT; i++)
        if (kinds[i] == kind)
            return &ctype_exts[i];
    return NULL;
}

static bool typed_argument(struct arena *a, enum cedar_fn fn, size_t i, const json *v,
                           unsigned depth, struct cedar_value *out, struct err *err)
{
    const struct ctype *t = type_of_kind(cedar_fns[fn].args[i]);
    return t ? typed_value(a, t, v, depth, out, err) : cedar_value_from_json(a, v, out, err);
}

static bool typed_call(struct arena *a, const json *v, unsigned depth, struct cedar_value *out,
                       struct err *err)
{
    struct cedar_value values[2];
    const json *arg = json_get(v, S("arg")), *one;
    str name = json_get_str(v, S("fn"));
    int fn = cedar_fn_find(name);
    if (fn < 0)
        return err_input(err, "there is no extension function `%.*s`", STR(str_take(name, 80)));
    size_t count = arg ? 1 : json_count(json_get(v, S("args"))), n = 0;
    if (count != cedar_fns[fn].arity)
        return err_input(err, "%s takes %u arguments, not %zu", cedar_fns[fn].name,
                         cedar_fns[fn].arity, count);
    if (arg && !typed_argument(a, (enum cedar_fn)fn, 0, arg, depth + 1, &values[0], err))
        return false;
    for (struct json_iter it = json_iter(arg ? NULL : json_get(v, S("args")));
         json_next(&it, NULL, &one); n++)
        if (!typed_argument(a, (enum cedar_fn)fn, n, one, depth + 1, &values[n], err))
            return false;
    return cedar_fn_call(a, (enum cedar_fn)fn, values, count, out, err);
}

/* A call in its escape, a call without it, or the text of the value. */
static bool typed_extension(struct arena *a, enum ctype_ext ext, const json *v, unsigned depth,
                            struct cedar_value *out, struct err *err)
{
    const json *inner = json_get(v, S("__extn"));
    if (json_type(v) == JSON_STRING)
        return typed_text(a, ext, json_str(v), out, err);
    if (json_type(json_get(v, S("__expr"))) == JSON_STRING)
        return err_input(err, "`__expr` is no longer part of the format");
    if (cedar_json_is_call(inner) || cedar_json_is_call(v))
        return typed_call(a, cedar_json_is_call(inner) ? inner : v, depth, out, err);
    return err_input(err, "expected the text of a value of type %.*s, or a call that makes one",
                     STR(ctype_ext_name(ext)));
}

/* ---- the others ---- */

static bool typed_set(struct arena *a, const struct ctype *t, const json *v, unsigned depth,
                      struct cedar_value *out, struct err *err)
{
    struct cedar_value *items = ARENA_ARRAY(a, struct cedar_value, json_count(v));
    const json *one;
    size_t n = 0;
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &one);)
        if (!typed_value(a, t->elem, one, depth + 1, &items[n++], err))
            return false;
    *out = cedar_set_of(items, n);
    return true;
}

static bool typed_record(struct arena *a, const struct ctype *t, const json *v, unsigned depth,
                         struct cedar_value *out, struct err *err)
{
    struct cedar_field *fields = ARENA_ARRAY(a, struct cedar_field, json_count(v));
    const json *one;
    str name;
    size_t n = 0;
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &one); n++) {
        const struct ctype_attr *attr = ctype_attr(t, name);
        if (!attr)
            return err_input(err, "attribute `%.*s` is not in the schema", STR(str_take(name, 80)));
        fields[n].name = str_dup(a, name);
        if (!typed_value(a, attr->type, one, depth + 1, &fields[n].value, err))
            return err_in(err, "%.*s", STR(str_take(name, 80)));
    }
    if (!cedar_record_of(fields, n, out))
        return err_input(err, "a name occurs twice in a record");
    for (uint32_t i = 0; i < t->n; i++)
        if (t->attrs[i].required && !cedar_record_get(out, t->attrs[i].name))
            return err_input(err, "attribute `%.*s` is missing",
                             STR(str_take(t->attrs[i].name, 80)));
    return true;
}

static bool typed_entity(struct arena *a, const json *v, struct cedar_value *out, struct err *err)
{
    struct cedar_uid *uid = ARENA_NEW(a, struct cedar_uid);
    if (!cedar_uid_from_json(v, uid, err))
        return false;
    uid->type = str_dup(a, uid->type);
    uid->id = str_dup(a, uid->id);
    *out = cedar_entity_value(uid);
    return true;
}

static bool typed_value(struct arena *a, const struct ctype *t, const json *v, unsigned depth,
                        struct cedar_value *out, struct err *err)
{
    enum json_type is = json_type(v);
    if (depth > CEDAR_DEPTH_MAX) /* calls may nest in calls, whatever the type is */
        return err_limit(err, "the value nests deeper than %d levels", CEDAR_DEPTH_MAX);
    switch (t->kind) {
    case CTYPE_EXT:
        return typed_extension(a, t->ext, v, depth, out, err);
    case CTYPE_ENTITY:
        return typed_entity(a, v, out, err);
    case CTYPE_SET:
        return is == JSON_ARRAY ? typed_set(a, t, v, depth, out, err)
                                : err_input(err, "expected a set, not %s", json_type_name(is));
    case CTYPE_RECORD:
        return is == JSON_OBJECT ? typed_record(a, t, v, depth, out, err)
                                 : err_input(err, "expected a record, not %s", json_type_name(is));
    default:
        return cedar_value_from_json(a, v, out, err);
    }
}

static const struct ctype *expected(const struct typed_json *ctx, const struct cedar_json_place *at)
{
    const struct schema_etype *e = at->entity ? schema_etype(ctx->schema, at->entity->type) : NULL;
    const struct ctype *shape = e                            ? e->shape
                                : ctx->action && !at->entity ? ctx->action->context
                                                             : NULL;
    if (at->is_tag)
        return e ? e->tags : NULL;
    const struct ctype_attr *attr = shape ? ctype_attr(shape, at->name) : NULL;
    return attr ? attr->type : NULL;
}

static bool convert(void *ctx, struct arena *a, const struct cedar_json_place *at, const json *v,
                    struct cedar_value *out, bool *taken, struct err *err)
{
    const struct ctype *t = expected(ctx, at);
    *taken = t;
    return !t || typed_value(a, t, v, 1, out, err);
}

struct cedar_json_hook typed_json_hook(struct typed_json *ctx)
{
    return (struct cedar_json_hook){convert, ctx};
}

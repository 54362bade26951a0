#include "cedar/schema/typed_json.h"

static bool typed_value(struct arena *a, const struct ctype *t, const json *v,
                        struct cedar_value *out, struct err *err);

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

static bool typed_set(struct arena *a, const struct ctype *t, const json *v,
                      struct cedar_value *out, struct err *err)
{
    struct cedar_value *items = ARENA_ARRAY(a, struct cedar_value, json_count(v));
    const json *one;
    size_t n = 0;
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &one);)
        if (!typed_value(a, t->elem, one, &items[n++], err))
            return false;
    *out = cedar_set_of(items, n);
    return true;
}

static bool typed_record(struct arena *a, const struct ctype *t, const json *v,
                         struct cedar_value *out, struct err *err)
{
    struct cedar_field *fields = ARENA_ARRAY(a, struct cedar_field, json_count(v));
    const json *one;
    str name;
    size_t n = 0;
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &one); n++) {
        const struct ctype_attr *attr = ctype_attr(t, name);
        fields[n].name = str_dup(a, name);
        bool ok = attr ? typed_value(a, attr->type, one, &fields[n].value, err)
                       : cedar_value_from_json(a, one, &fields[n].value, err);
        if (!ok)
            return err_in(err, "%.*s", STR(str_take(name, 80)));
    }
    return cedar_record_of(fields, n, out) || err_input(err, "a name occurs twice in a record");
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

static bool is_escape(const json *v)
{
    return json_count(v) == 1 && (json_get(v, S("__entity")) || json_get(v, S("__extn")));
}

static bool typed_value(struct arena *a, const struct ctype *t, const json *v,
                        struct cedar_value *out, struct err *err)
{
    enum json_type is = json_type(v);
    if (t->kind == CTYPE_EXT && is == JSON_STRING)
        return typed_text(a, t->ext, json_str(v), out, err);
    if (t->kind == CTYPE_SET && is == JSON_ARRAY)
        return typed_set(a, t, v, out, err);
    if (t->kind == CTYPE_RECORD && is == JSON_OBJECT && !is_escape(v))
        return typed_record(a, t, v, out, err);
    if (t->kind == CTYPE_ENTITY && is == JSON_OBJECT)
        return typed_entity(a, v, out, err);
    return cedar_value_from_json(a, v, out, err);
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
    return !t || typed_value(a, t, v, out, err);
}

struct cedar_json_hook typed_json_hook(struct typed_json *ctx)
{
    return (struct cedar_json_hook){convert, ctx};
}

/* From arguments to values, each by what its type becomes. Errors name the argument by its path. */
#include "cedar/text/lex.h"
#include "cedar/tools/tool_parts.h"
#include "cedar/value/ext.h"

/* ---- paths ---- */

static size_t enter_name(struct tool_values *v, str name)
{
    size_t before = buf_len(&v->path);
    if (before)
        buf_putc(&v->path, '.');
    if (cedar_is_ident(name))
        buf_put(&v->path, name);
    else
        json_write_str(&v->path, name);
    return before;
}

static size_t enter_index(struct tool_values *v, size_t i)
{
    size_t before = buf_len(&v->path);
    buf_printf(&v->path, "[%zu]", i);
    return before;
}

static void leave(struct tool_values *v, size_t before)
{
    buf_truncate(&v->path, before);
}

/* The name of an entity that stands for the value here. */
static str here(struct tool_values *v)
{
    return str_dup(v->a, buf_str(&v->path));
}

static bool fault(struct tool_values *v, const char *what)
{
    str path = buf_str(&v->path);
    size_t n = path.n > 200 ? 200 : path.n;
    while (n < path.n && n > 0 && (path.p[n] & 0xc0) == 0x80)
        n--;
    return err_input(v->err, "argument `%.*s` %s", STR(str_take(path, n)), what);
}

static bool wrong(struct tool_values *v, const char *wanted, const json *value)
{
    ARENA_SCOPE struct arena a = {0};
    return fault(v, str_fmt(&a, "must be %s, got %s", wanted, json_type_name(json_type(value))).p);
}

/* Work that a stranger's arguments cause. */
static bool spend(struct tool_values *v, size_t steps)
{
    v->steps += steps;
    return v->steps <= TOOL_TYPE_STEPS_MAX ||
           err_limit(v->err, "the arguments are too deep or too many");
}

/* ---- scalars ---- */

static bool as_bool(struct tool_values *v, const struct tool_type *t, const json *value,
                    struct cedar_value *out)
{
    *out = cedar_bool(json_bool(value));
    return json_type(value) == JSON_BOOL || wrong(v, "true or false", value);
}

static bool as_long(struct tool_values *v, const struct tool_type *t, const json *value,
                    struct cedar_value *out)
{
    int64_t i;
    if (json_type(value) != JSON_NUMBER)
        return wrong(v, "a whole number", value);
    if (!json_i64(value, &i))
        return fault(v, "must be a whole number of 64 bits, written without fraction or exponent");
    *out = cedar_long(i);
    return true;
}

static bool as_string(struct tool_values *v, const struct tool_type *t, const json *value,
                      struct cedar_value *out)
{
    if (json_type(value) != JSON_STRING)
        return wrong(v, "a string", value);
    *out = cedar_string(json_str(value));
    for (size_t i = 0; t->kind == TOOL_ENUM && i < t->count; i++)
        if (str_eq(t->ids[i], json_str(value)))
            return true;
    return t->kind != TOOL_ENUM || fault(v, "is none of the values that the tool lists");
}

static bool as_decimal(struct tool_values *v, const struct tool_type *t, const json *value,
                       struct cedar_value *out)
{
    int64_t i;
    struct err err;
    bool text = t->kind == TOOL_DECIMAL;
    if (json_type(value) != (text ? JSON_STRING : JSON_NUMBER))
        return wrong(v, text ? "a decimal in a string" : "a number", value);
    if (t->kind == TOOL_INTEGER && !json_i64(value, &i))
        return as_long(v, t, value, out);
    if (text ? !cedar_decimal_read(json_str(value), &i, &err)
             : !tool_exact_decimal(json_number(value), &i))
        return fault(v, "is not exactly a decimal of at most four places");
    *out = cedar_decimal(i);
    return true;
}

static bool as_time(struct tool_values *v, const struct tool_type *t, const json *value,
                    struct cedar_value *out)
{
    int64_t ms;
    bool span = t->as == AS_DURATION;
    if (json_type(value) != JSON_STRING)
        return wrong(v, span ? "a duration in a string" : "a date in a string", value);
    if (span ? !tool_duration(json_str(value), &ms) : !tool_datetime(json_str(value), &ms))
        return fault(v, span ? "must be an ISO 8601 duration of weeks, or of days, hours, minutes "
                               "and seconds, no finer than a millisecond"
                             : "must be a date, or an RFC 3339 time with a zone, no finer than a "
                               "millisecond");
    *out = span ? cedar_duration(ms) : cedar_datetime(ms);
    return true;
}

static bool as_ip(struct tool_values *v, const struct tool_type *t, const json *value,
                  struct cedar_value *out)
{
    struct cedar_ip *ip = ARENA_NEW(v->a, struct cedar_ip);
    struct err err;
    if (json_type(value) != JSON_STRING)
        return wrong(v, "an IP address in a string", value);
    *out = (struct cedar_value){.kind = CEDAR_IPADDR, .ip = ip};
    return cedar_ip_read(json_str(value), ip, &err) || fault(v, "must be an IP address");
}

static bool as_present(struct tool_values *v, const struct tool_type *t, const json *value,
                       struct cedar_value *out)
{
    *out = cedar_bool(true);
    return true;
}

/* ---- entities ---- */

static struct cedar_value entity_value(struct tool_values *v, str type, str id)
{
    struct cedar_uid *uid = ARENA_NEW(v->a, struct cedar_uid);
    *uid = (struct cedar_uid){type, id};
    return cedar_entity_value(uid);
}

static bool as_opaque(struct tool_values *v, const struct tool_type *t, const json *value,
                      struct cedar_value *out)
{
    static const struct {
        const char *type, *wanted;
        enum json_type json;
    } opaque[TOOL_KINDS] = {[TOOL_UNKNOWN] = {"Unknown", "", JSON_ABSENT},
                            [TOOL_NUMBER] = {"Number", "a number", JSON_NUMBER},
                            [TOOL_FLOAT] = {"Float", "a number", JSON_NUMBER},
                            [TOOL_NULL] = {"Null", "null", JSON_NULL}};
    if (opaque[t->kind].json && json_type(value) != opaque[t->kind].json)
        return wrong(v, opaque[t->kind].wanted, value);
    str type = str_fmt(v->a, "%.*s::%s", STR(v->parts->space), opaque[t->kind].type);
    *out = entity_value(v, type,
                        t->kind == TOOL_NULL      ? S("null")
                        : t->kind == TOOL_UNKNOWN ? here(v)
                                                  : json_number(value));
    return true;
}

static bool as_enum(struct tool_values *v, const struct tool_type *t, const json *value, str space,
                    str name, struct cedar_value *out)
{
    if (!as_string(v, t, value, out))
        return false;
    *out = entity_value(v, tool_full_name(v->a, v->parts, space, name), json_str(value));
    return true;
}

static str inner_space(struct tool_values *v, str space, str name)
{
    return str_fmt(v->a, "%.*s::%.*s", STR(space), STR(name));
}

static const struct tool_field *field_of(const struct tool_type *t, str name)
{
    for (size_t i = 0; i < t->count; i++)
        if (str_eq(t->fields[i].name, name))
            return &t->fields[i];
    return NULL;
}

/* Members that are no properties, as tags. */
static bool tags_of(struct tool_values *v, const struct tool_type *t, const json *value, str space,
                    str name, struct cedar_value *out)
{
    struct cedar_field *tags = ARENA_ARRAY(v->a, struct cedar_field, json_count(value) + 1);
    str tag_name = str_fmt(v->a, "%.*sTag", STR(name)), key;
    const json *one;
    size_t n = 0;
    for (struct json_iter it = json_iter(value); json_next(&it, &key, &one);) {
        if (!spend(v, t->count))
            return false;
        if (field_of(t, key))
            continue;
        size_t before = enter_name(v, key);
        if (!tool_value(v, t->elem, one, space, tag_name, &tags[n].value))
            return false;
        leave(v, before);
        tags[n++].name = key;
    }
    return cedar_record_of(tags, n, out) || fault(v, "has one member twice");
}

/* The members of value that are properties of t. */
static bool record_of(struct tool_values *v, const struct tool_type *t, const json *value,
                      str space, struct cedar_value *out)
{
    struct cedar_field *fields = ARENA_ARRAY(v->a, struct cedar_field, t->count + 1);
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct tool_field *f = &t->fields[i];
        const json *one = json_get(value, f->name);
        if (!spend(v, json_count(value)))
            return false;
        bool presence = v->parts->profile->presence && f->type->nullable;
        if ((!one && !f->required) || (presence && json_type(one) == JSON_NULL))
            continue;
        size_t before = enter_name(v, f->name);
        if (!one)
            return fault(v, "is missing");
        if (f->type->as != AS_HIDDEN) {
            fields[n].name = f->name;
            if (!tool_value(v, f->type, one, space, f->name, &fields[n++].value))
                return false;
        }
        leave(v, before);
    }
    return cedar_record_of(fields, n, out) || fault(v, "has one member twice");
}

static bool no_others(struct tool_values *v, const struct tool_type *t, const json *value)
{
    const json *one;
    str key;
    for (struct json_iter it = json_iter(value); json_next(&it, &key, &one);) {
        if (!spend(v, t->count))
            return false;
        if (field_of(t, key))
            continue;
        (void)enter_name(v, key);
        return fault(v, "is not declared by the tool");
    }
    return true;
}

static bool as_entity(struct tool_values *v, const struct tool_type *t, const json *value,
                      str space, str name, struct cedar_value *out)
{
    struct cedar_entity e = {0};
    str inner = inner_space(v, space, name);
    if (json_type(value) != JSON_OBJECT)
        return wrong(v, "an object", value);
    if (!t->elem && !no_others(v, t, value))
        return false;
    if (!record_of(v, t, value, inner, &e.attrs) ||
        (t->elem && !tags_of(v, t, value, inner, name, &e.tags)))
        return false;
    e.uid = (struct cedar_uid){tool_full_name(v->a, v->parts, space, name), here(v)};
    *out = entity_value(v, e.uid.type, e.uid.id);
    return v->trying || cedar_entities_add(v->entities, &e, v->err);
}

/* ---- records and sets ---- */

static bool as_record(struct tool_values *v, const struct tool_type *t, const json *value,
                      str space, str name, struct cedar_value *out)
{
    if (json_type(value) != JSON_OBJECT)
        return wrong(v, "an object", value);
    return no_others(v, t, value) && record_of(v, t, value, inner_space(v, space, name), out);
}

static bool as_set(struct tool_values *v, const struct tool_type *t, const json *value, str space,
                   str name, struct cedar_value *out)
{
    const json *one;
    size_t n = 0;
    if (json_type(value) != JSON_ARRAY)
        return wrong(v, "an array", value);
    struct cedar_value *items = ARENA_ARRAY(v->a, struct cedar_value, json_count(value) + 1);
    for (struct json_iter it = json_iter(value); json_next(&it, NULL, &one); n++) {
        size_t before = enter_index(v, n);
        if (!tool_value(v, t->elem, one, space, name, &items[n]))
            return false;
        leave(v, before);
    }
    *out = cedar_set_of(items, n);
    return true;
}

static bool as_tuple(struct tool_values *v, const struct tool_type *t, const json *value, str space,
                     str name, struct cedar_value *out)
{
    struct cedar_field *fields = ARENA_ARRAY(v->a, struct cedar_field, t->count + 1);
    str inner = inner_space(v, space, name);
    struct json_iter it = json_iter(value);
    const json *one;
    if (json_type(value) != JSON_ARRAY)
        return wrong(v, "an array", value);
    if (json_count(value) != t->count)
        return fault(v, "has another number of elements than the tool declares");
    for (size_t i = 0; json_next(&it, NULL, &one); i++) {
        size_t before = enter_index(v, i);
        fields[i].name = str_fmt(v->a, "proj%zu", i);
        if (!tool_value(v, t->kids[i], one, inner, str_fmt(v->a, "Proj%zu", i), &fields[i].value))
            return false;
        leave(v, before);
    }
    return cedar_record_of(fields, t->count, out) || fault(v, "has too many elements");
}

/* Whether the value fits: nothing is added to the store, and why not is nobody's business. */
static bool fits(struct tool_values *v, const struct tool_type *t, const json *value, str space,
                 str name)
{
    struct err ignored, *err = v->err;
    struct cedar_value out;
    bool trying = v->trying;
    size_t before = buf_len(&v->path);
    v->trying = true;
    v->err = &ignored;
    bool ok = tool_value(v, t, value, space, name, &out);
    v->trying = trying;
    v->err = err;
    leave(v, before);
    return ok;
}

/* The first of the choices that fits. */
static bool as_union(struct tool_values *v, const struct tool_type *t, const json *value, str space,
                     str name, struct cedar_value *out)
{
    str inner = inner_space(v, space, name);
    for (size_t i = 0; i < t->count; i++) {
        str kid = str_fmt(v->a, "TypeChoice%zu", i);
        if (!fits(v, t->kids[i], value, inner, kid))
            continue;
        struct cedar_field *field = ARENA_NEW(v->a, struct cedar_field);
        field->name = str_fmt(v->a, "typeChoice%zu", i);
        return tool_value(v, t->kids[i], value, inner, kid, &field->value) &&
               (cedar_record_of(field, 1, out) || fault(v, "fits twice"));
    }
    return fault(v, "is of none of the types that the tool declares for it");
}

/* ---- any ---- */

static bool value_inside(struct tool_values *v, const struct tool_type *t, const json *value,
                         str space, str name, struct cedar_value *out)
{
    static bool (*const scalars[AS_REF + 1])(struct tool_values *, const struct tool_type *,
                                             const json *, struct cedar_value *) = {
        [AS_BOOL] = as_bool,       [AS_LONG] = as_long,       [AS_STRING] = as_string,
        [AS_DECIMAL] = as_decimal, [AS_DATETIME] = as_time,   [AS_DURATION] = as_time,
        [AS_IP] = as_ip,           [AS_PRESENT] = as_present, [AS_OPAQUE] = as_opaque};
    static bool (*const others[AS_REF + 1])(struct tool_values *, const struct tool_type *,
                                            const json *, str, str, struct cedar_value *) = {
        [AS_ENUM] = as_enum,     [AS_SET] = as_set,     [AS_RECORD] = as_record,
        [AS_ENTITY] = as_entity, [AS_TUPLE] = as_tuple, [AS_UNION] = as_union};
    if (t->nullable && json_type(value) == JSON_NULL)
        return fault(v, "is null, which policies cannot read: leave it out");
    if (scalars[t->as])
        return scalars[t->as](v, t, value, out);
    if (others[t->as])
        return others[t->as](v, t, value, space, name, out);
    if (t->as == AS_REF)
        return tool_value(v, t->def->type, value,
                          v->parts->profile->named_records ? t->def->space : space,
                          v->parts->profile->named_records ? t->def->name : name, out);
    return fault(v, "has no form that policies can read");
}

bool tool_value(struct tool_values *v, const struct tool_type *t, const json *value, str space,
                str name, struct cedar_value *out)
{
    if (!spend(v, v->depth < CEDAR_DEPTH_MAX ? 1 : TOOL_TYPE_STEPS_MAX))
        return false;
    v->depth++;
    bool ok = value_inside(v, t, value, space, name, out);
    v->depth--;
    return ok;
}

bool tool_arguments(struct arena *a, const struct tool_parts *p, const struct tool *t,
                    const json *args, struct cedar_entities *entities, struct cedar_value *out,
                    struct err *err)
{
    struct tool_values v = {.a = a, .parts = p, .entities = entities, .err = err};
    const struct tool_type input = {
        .kind = TOOL_OBJECT, .fields = t->input.fields, .count = t->input.count};
    str space = tool_types_space(a, p, t, S("Input"));
    if (args && json_type(args) != JSON_OBJECT)
        return err_input(err, "the arguments must be an object, got %s",
                         json_type_name(json_type(args)));
    bool ok = no_others(&v, &input, args) && record_of(&v, &input, args, space, out);
    buf_fini(&v.path);
    return ok;
}

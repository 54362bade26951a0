/* Policy JSON given back as policy JSON: as it came, but for what the reader passed over. A scope
 * keeps the members that say something, a uid its type and id, and no annotations are no member. */
#include "cedar/calls/call.h"

static void write_members(struct buf *out, const json *v, const char *const *names)
{
    bool any = false;
    buf_putc(out, '{');
    for (; *names; names++) {
        const json *one = json_get(v, str_z(*names));
        if (!one)
            continue;
        buf_printf(out, "%s\"%s\":", any ? "," : "", *names);
        json_write(out, one);
        any = true;
    }
    buf_putc(out, '}');
}

/* {type, id}, perhaps in __entity. */
static void write_uid(struct buf *out, const json *v)
{
    static const char *const names[] = {"type", "id", NULL};
    const json *inner = json_get(v, S("__entity"));
    if (inner)
        buf_put(out, S("{\"__entity\":"));
    write_members(out, inner ? inner : v, names);
    if (inner)
        buf_putc(out, '}');
}

static void write_uids(struct buf *out, const json *v)
{
    const json *one;
    size_t n = 0;
    buf_putc(out, '[');
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &one);) {
        buf_put(out, n++ ? S(",") : S(""));
        write_uid(out, one);
    }
    buf_putc(out, ']');
}

/* What is compared with: the first of these there is counts. */
static void write_target(struct buf *out, const json *v)
{
    const json *entity = json_get(v, S("entity")), *slot = json_get(v, S("slot"));
    if (entity) {
        buf_put(out, S("\"entity\":"));
        write_uid(out, entity);
    } else if (slot) {
        buf_put(out, S("\"slot\":"));
        json_write(out, slot);
    } else {
        buf_put(out, S("\"entities\":"));
        write_uids(out, json_get(v, S("entities")));
    }
}

static void write_scope(struct buf *out, const json *v)
{
    static const char *const only_op[] = {"op", NULL}, *const kind[] = {"op", "entity_type", NULL};
    str op = json_get_str(v, S("op"));
    bool is = str_eq(op, S("is"));
    const json *in = json_get(v, S("in"));
    if (str_eq(op, S("all"))) {
        buf_put(out, S("{\"op\":\"All\"}"));
        return;
    }
    write_members(out, v, is ? kind : only_op);
    if (!is && (str_eq(op, S("==")) || str_eq(op, S("in")))) {
        buf_truncate(out, buf_len(out) - 1);
        buf_putc(out, ',');
        write_target(out, v);
        buf_putc(out, '}');
    } else if (is && json_type(in) == JSON_OBJECT) {
        buf_truncate(out, buf_len(out) - 1);
        buf_put(out, S(",\"in\":{"));
        write_target(out, in);
        buf_put(out, S("}}"));
    }
}

static bool is_entity(const json *v)
{
    const json *inner = json_get(v, S("__entity"));
    return json_count(v) == 1 && json_type(json_get(inner, S("type"))) == JSON_STRING &&
           json_type(json_get(inner, S("id"))) == JSON_STRING;
}

static void write_value(struct buf *out, const json *v, bool is_data);

/* {"has": {"left", "attr"}} as an expression; not a record with such a member. */
static bool write_has(struct buf *out, const json *v)
{
    const json *has = json_count(v) == 1 ? json_get(v, S("has")) : NULL;
    const json *left = json_get(has, S("left")), *attr = json_get(has, S("attr"));
    if (!left || !attr)
        return false;
    buf_put(out, S("{\"has\":{\"left\":"));
    write_value(out, left, false);
    buf_put(out, S(",\"attr\":"));
    json_write(out, attr);
    buf_put(out, S("}}"));
    return true;
}

/* Any value below the conditions: data below "Value", else expressions. calls.h bounds the depth.
 */
static void write_value(struct buf *out, const json *v, bool is_data)
{
    bool is_object = json_type(v) == JSON_OBJECT;
    const json *one;
    str name;
    size_t n = 0;
    if (!is_object && json_type(v) != JSON_ARRAY) {
        json_write(out, v);
        return;
    }
    if (is_object && is_entity(v)) {
        write_uid(out, v);
        return;
    }
    if (is_object && !is_data && write_has(out, v))
        return;
    buf_putc(out, is_object ? '{' : '[');
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &one);) {
        buf_put(out, n++ ? S(",") : S(""));
        if (is_object) {
            json_write_str(out, name);
            buf_putc(out, ':');
        }
        write_value(out, one, is_data || (is_object && str_eq(name, S("Value"))));
    }
    buf_putc(out, is_object ? '}' : ']');
}

void calls_echo_policy(struct buf *out, const json *policy)
{
    const json *one;
    str name;
    size_t n = 0;
    buf_putc(out, '{');
    for (struct json_iter it = json_iter(policy); json_next(&it, &name, &one);) {
        if (str_eq(name, S("annotations")) && json_count(one) == 0)
            continue;
        buf_put(out, n++ ? S(",") : S(""));
        json_write_str(out, name);
        buf_putc(out, ':');
        if (str_eq(name, S("principal")) || str_eq(name, S("action")) ||
            str_eq(name, S("resource")))
            write_scope(out, one);
        else
            write_value(out, one, false);
    }
    buf_putc(out, '}');
}

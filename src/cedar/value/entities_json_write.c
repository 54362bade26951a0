/* Values and entities as JSON that entities_json.c reads as the same. Values nest deeper than
 * base/json's writer goes, so commas are placed here. */
#include "cedar/value/entities_json.h"

#include "cedar/value/ext.h"

static void put_member(struct buf *out, bool first, str name)
{
    if (!first)
        buf_putc(out, ',');
    json_write_str(out, name);
    buf_putc(out, ':');
}

/* ---- scalars ---- */

static void put_uid(struct buf *out, const struct cedar_uid *uid)
{
    buf_put(out, S("{\"type\":"));
    json_write_str(out, uid->type);
    buf_put(out, S(",\"id\":"));
    json_write_str(out, uid->id);
    buf_putc(out, '}');
}

static void put_literal(struct buf *out, const char *fn, void (*print)(struct buf *, int64_t),
                        int64_t v)
{
    buf_printf(out, "{\"__extn\":{\"fn\":\"%s\",\"arg\":\"", fn);
    print(out, v);
    buf_put(out, S("\"}}"));
}

/* A time that has no text is reached from one that has. */
static void put_datetime(struct buf *out, int64_t ms)
{
    if (cedar_datetime_has_text(ms)) {
        put_literal(out, "datetime", cedar_datetime_print, ms);
        return;
    }
    buf_put(out, S("{\"__extn\":{\"fn\":\"offset\",\"args\":["));
    put_literal(out, "datetime", cedar_datetime_print, 0);
    buf_putc(out, ',');
    put_literal(out, "duration", cedar_duration_print, ms);
    buf_put(out, S("]}}"));
}

static void put_ip(struct buf *out, const struct cedar_ip *ip)
{
    buf_put(out, S("{\"__extn\":{\"fn\":\"ip\",\"arg\":\""));
    cedar_ip_print(out, ip);
    buf_put(out, S("\"}}"));
}

/* ---- any ---- */

static bool put_record(struct buf *out, const struct cedar_value *v, struct err *err)
{
    static const str escapes[] = {{"__entity", 8}, {"__extn", 6}, {"__expr", 6}};
    buf_putc(out, '{');
    for (uint32_t i = 0; i < v->n; i++) {
        const struct cedar_field *f = &v->fields[i];
        for (size_t j = 0; j < sizeof escapes / sizeof *escapes; j++)
            if (str_eq(f->name, escapes[j]))
                return err_input(err, "a record with an attribute `%.*s` has no JSON form",
                                 STR(f->name));
        put_member(out, i == 0, f->name);
        if (!cedar_value_to_json(out, &f->value, err))
            return false;
    }
    buf_putc(out, '}');
    return true;
}

static bool put_set(struct buf *out, const struct cedar_value *v, struct err *err)
{
    buf_putc(out, '[');
    for (uint32_t i = 0; i < v->n; i++) {
        if (i)
            buf_putc(out, ',');
        if (!cedar_value_to_json(out, &v->items[i], err))
            return false;
    }
    buf_putc(out, ']');
    return true;
}

bool cedar_value_to_json(struct buf *out, const struct cedar_value *v, struct err *err)
{
    switch ((enum cedar_kind)v->kind) {
    case CEDAR_NONE:
        return err_input(err, "no value has no JSON form");
    case CEDAR_BOOL:
        buf_put(out, v->b ? S("true") : S("false"));
        break;
    case CEDAR_LONG:
        buf_i64(out, v->i);
        break;
    case CEDAR_STRING:
        json_write_str(out, cedar_str(*v));
        break;
    case CEDAR_ENTITY:
        buf_put(out, S("{\"__entity\":"));
        put_uid(out, v->uid);
        buf_putc(out, '}');
        break;
    case CEDAR_SET:
        return put_set(out, v, err);
    case CEDAR_RECORD:
        return put_record(out, v, err);
    case CEDAR_DECIMAL:
        put_literal(out, "decimal", cedar_decimal_print, v->i);
        break;
    case CEDAR_DATETIME:
        put_datetime(out, v->i);
        break;
    case CEDAR_DURATION:
        put_literal(out, "duration", cedar_duration_print, v->i);
        break;
    case CEDAR_IPADDR:
        put_ip(out, v->ip);
        break;
    }
    return true;
}

/* ---- entities ---- */

/* Tags may be called whatever they like: a reader knows that they are tags. */
static bool put_tags(struct buf *out, const struct cedar_value *tags, struct err *err)
{
    buf_put(out, S(",\"tags\":{"));
    for (uint32_t i = 0; i < tags->n; i++) {
        put_member(out, i == 0, tags->fields[i].name);
        if (!cedar_value_to_json(out, &tags->fields[i].value, err))
            return false;
    }
    buf_putc(out, '}');
    return true;
}

static bool put_entity(struct buf *out, const struct cedar_entity *e, struct err *err)
{
    buf_put(out, S("{\"uid\":"));
    put_uid(out, &e->uid);
    buf_put(out, S(",\"attrs\":"));
    if (!cedar_value_to_json(out, e->attrs.kind ? &e->attrs : &cedar_empty_record, err))
        return false;
    buf_put(out, S(",\"parents\":["));
    for (size_t i = 0; i < e->parent_count; i++) {
        if (i)
            buf_putc(out, ',');
        put_uid(out, &e->parents[i]);
    }
    buf_putc(out, ']');
    if (e->tags.n && !put_tags(out, &e->tags, err))
        return false;
    buf_putc(out, '}');
    return true;
}

bool cedar_entities_to_json(struct buf *out, const struct cedar_entities *s, struct err *err)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < s->count; i++) {
        if (i)
            buf_putc(out, ',');
        if (!put_entity(out, s->items[i], err))
            return err_in(err, "an entity of type `%.*s`",
                          STR(str_take(s->items[i]->uid.type, 80)));
    }
    buf_putc(out, ']');
    return true;
}

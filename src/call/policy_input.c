/* The context of a call: its task, its chain, the declared arguments as typed values, the time, the
 * approval. What has no exact Cedar form is refused, never rounded (design section 7). */
#include "call/policy_int.h"
#include "cedar/value/ext.h"

#include <time.h>

/* ---- arguments ---- */

static bool wrong(const struct conf_arg *arg, const json *v, struct err *err)
{
    return err_input(err, "argument `%.*s` must be %.*s, got %s", STR(arg->name), STR(arg->type),
                     json_type_name(json_type(v)));
}

static bool long_value(const json *v, struct cedar_value *out)
{
    int64_t i;
    if (!json_i64(v, &i))
        return false;
    *out = cedar_long(i);
    return true;
}

static bool string_value(const json *v, struct cedar_value *out)
{
    if (json_type(v) != JSON_STRING)
        return false;
    *out = cedar_string(json_str(v));
    return true;
}

static bool bool_value(const json *v, struct cedar_value *out)
{
    if (json_type(v) != JSON_BOOL)
        return false;
    *out = cedar_bool(json_bool(v));
    return true;
}

/* A JSON number or string that is exactly a decimal of at most four places. */
static bool decimal_value(const json *v, struct cedar_value *out)
{
    str text = json_type(v) == JSON_NUMBER ? json_number(v) : json_str(v);
    char room[40];
    if (text.n == 0 || text.n > 30)
        return false;
    memcpy(room, text.p, text.n);
    if (str_find_char(text, '.', 0) < 0) {
        memcpy(room + text.n, ".0", 2);
        text.n += 2;
    }
    int64_t scaled;
    struct err err;
    if (!cedar_decimal_read(str_of(room, text.n), &scaled, &err))
        return false;
    *out = cedar_decimal(scaled);
    return true;
}

static const struct {
    const char *type;
    bool (*read)(const json *v, struct cedar_value *out);
} READERS[] = {{"Long", long_value},
               {"String", string_value},
               {"Bool", bool_value},
               {"decimal", decimal_value}};

static bool (*reader_of(str type))(const json *, struct cedar_value *)
{
    for (size_t i = 0; i < sizeof READERS / sizeof READERS[0]; i++)
        if (str_eq(type, str_z(READERS[i].type)))
            return READERS[i].read;
    return NULL;
}

static bool set_value(const json *v, str type, struct arena *a, struct cedar_value *out)
{
    if (!str_starts(type, S("Set<")) || !str_ends(type, S(">")) || json_type(v) != JSON_ARRAY)
        return false;
    bool (*read)(const json *, struct cedar_value *) = reader_of(str_of(type.p + 4, type.n - 5));
    struct cedar_value *items = ARENA_ARRAY(a, struct cedar_value, json_count(v) + 1);
    size_t n = 0;
    const json *e;
    for (struct json_iter it = json_iter(v); read && json_next(&it, NULL, &e); n++)
        if (!read(e, &items[n]))
            return false;
    *out = cedar_set_of(items, n);
    return read != NULL;
}

static bool args_record(const struct policy_call *call, struct arena *a, struct cedar_value *out,
                        struct err *err)
{
    const struct conf_operation *op = call->tool->label;
    size_t n = 0;
    struct cedar_field *fields = ARENA_ARRAY(a, struct cedar_field, op ? op->args_n + 1 : 1);
    for (size_t i = 0; op && i < op->args_n; i++) {
        const struct conf_arg *arg = &op->args[i];
        const json *v = json_get(call->args, arg->name);
        bool (*read)(const json *, struct cedar_value *) = reader_of(arg->type);
        if (!v && arg->optional)
            continue;
        if (!v)
            return err_input(err, "argument `%.*s` is needed to decide on this call",
                             STR(arg->name));
        fields[n].name = arg->name;
        if (read ? !read(v, &fields[n].value) : !set_value(v, arg->type, a, &fields[n].value))
            return wrong(arg, v, err);
        n++;
    }
    return cedar_record_of(fields, n, out) || err_input(err, "an argument is declared twice");
}

/* ---- the rest ---- */

struct cedar_value policy_time(struct arena *a, int64_t now_ms)
{
    struct cedar_field *f = ARENA_ARRAY(a, struct cedar_field, 3);
    struct cedar_value out = cedar_empty_record;
    time_t sec = (time_t)(now_ms / 1000);
    struct tm tm;
    gmtime_r(&sec, &tm);
    f[0] = (struct cedar_field){S("hour"), cedar_long(tm.tm_hour)};
    f[1] = (struct cedar_field){S("unix"), cedar_long(sec)};
    f[2] = (struct cedar_field){S("weekday"), cedar_long(tm.tm_wday ? tm.tm_wday : 7)};
    (void)!cedar_record_of(f, 3, &out);
    return out;
}

static struct cedar_value task_record(const struct task *t, struct arena *a)
{
    struct cedar_value *ops = ARENA_ARRAY(a, struct cedar_value, t->operations_n + 1);
    struct cedar_field *f = ARENA_ARRAY(a, struct cedar_field, 6);
    struct cedar_value out = cedar_empty_record;
    for (size_t i = 0; i < t->operations_n; i++)
        ops[i] = cedar_string(t->operations[i]);
    f[0] = (struct cedar_field){S("callsLeft"), cedar_long(t->calls_left)};
    f[1] = (struct cedar_field){S("depth"), cedar_long(t->depth)};
    f[2] = (struct cedar_field){S("id"), cedar_string(id_str(&t->id))};
    f[3] = (struct cedar_field){S("operations"), cedar_set_of(ops, t->operations_n)};
    f[4] = (struct cedar_field){S("owner"), cedar_string(t->owner)};
    f[5] = (struct cedar_field){S("purpose"), cedar_string(t->purpose)};
    (void)!cedar_record_of(f, 6, &out);
    return out;
}

static struct cedar_value chain_set(const struct task *t, struct arena *a)
{
    struct cedar_value *items = ARENA_ARRAY(a, struct cedar_value, t->depth + 1);
    size_t n = 0;
    for (const struct task *p = t->parent; p; p = p->parent) {
        struct cedar_uid *uid = ARENA_NEW(a, struct cedar_uid);
        *uid = (struct cedar_uid){S("Ambit::Agent"), p->agent};
        items[n++] = cedar_entity_value(uid);
    }
    return cedar_set_of(items, n);
}

struct cedar_value policy_approval(const struct hold *h, struct arena *a)
{
    struct cedar_field *f = ARENA_ARRAY(a, struct cedar_field, 3);
    struct cedar_value out = cedar_empty_record;
    int64_t count = h ? (int64_t)h->approvers_n : HOLD_APPROVERS_MAX;
    f[0] = (struct cedar_field){S("approver"), cedar_string(h ? h->approver : S(""))};
    f[1] = (struct cedar_field){S("count"), cedar_long(count)};
    f[2] = (struct cedar_field){S("id"), cedar_string(h ? id_str(&h->id) : S(""))};
    (void)!cedar_record_of(f, 3, &out);
    return out;
}

bool policy_call_context(const struct policy_call *call, const struct policy_set *p,
                         bool with_approval, struct arena *a, struct cedar_value *out,
                         struct err *err)
{
    struct cedar_field *f = ARENA_ARRAY(a, struct cedar_field, 7);
    size_t n = 0;
    (void)p;
    if (!args_record(call, a, &f[n].value, err))
        return false;
    f[n++].name = S("args");
    f[n++] = (struct cedar_field){S("chain"), chain_set(call->task, a)};
    f[n++] =
        (struct cedar_field){S("effect"), cedar_string(effect_name(catalog_effect(call->tool)))};
    f[n++] = (struct cedar_field){S("operation"), cedar_string(call->tool->operation)};
    f[n++] = (struct cedar_field){S("task"), task_record(call->task, a)};
    f[n++] = (struct cedar_field){S("time"), policy_time(a, call->now_ms)};
    if (call->approval || with_approval)
        f[n++] = (struct cedar_field){S("approval"), policy_approval(call->approval, a)};
    return cedar_record_of(f, n, out) || err_input(err, "the context could not be built");
}

#include "cedar/partial/residue.h"

static const struct cedar_expr *value_of(struct evaluation *v, const struct cedar_value *x,
                                         struct cedar_span span);

static struct cedar_expr *call(struct evaluation *v, enum cedar_fn fn,
                               const struct cedar_expr *first, const struct cedar_expr *second,
                               struct cedar_span span)
{
    struct cedar_expr **kids = ARENA_ARRAY(v->arena, struct cedar_expr *, 2);
    kids[0] = (struct cedar_expr *)first;
    kids[1] = (struct cedar_expr *)second;
    struct cedar_expr *e = residue_node(v, CEDAR_E_CALL, kids, second ? 2 : 1, NULL, span);
    e->fn = fn;
    return e;
}

static struct cedar_expr *from_text(struct evaluation *v, enum cedar_fn fn, str text,
                                    struct cedar_span span)
{
    struct cedar_value s = cedar_string(str_dup(v->arena, text));
    return call(v, fn, residue_literal(v, s, span).e, NULL, span);
}

/* Years without four digits are reached from the epoch. */
static struct cedar_expr *datetime(struct evaluation *v, int64_t ms, struct cedar_span span)
{
    const int64_t year_0000 = -62167219200000, year_10000 = 253402300800000;
    struct buf b = {.max = 100};
    struct cedar_expr *e;
    if (ms >= year_0000 && ms < year_10000) {
        cedar_datetime_print(&b, ms);
        e = from_text(v, CEDAR_FN_DATETIME, buf_str(&b), span);
    } else {
        buf_printf(&b, "%lldms", (long long)ms);
        e = call(v, CEDAR_FN_OFFSET, from_text(v, CEDAR_FN_DATETIME, S("1970-01-01"), span),
                 from_text(v, CEDAR_FN_DURATION, buf_str(&b), span), span);
    }
    buf_fini(&b);
    return e;
}

static struct cedar_expr *extension(struct evaluation *v, const struct cedar_value *x,
                                    struct cedar_span span)
{
    struct buf b = {.max = 200};
    enum cedar_fn fn = CEDAR_FN_IP;
    if (x->kind == CEDAR_DATETIME)
        return datetime(v, x->i, span);
    if (x->kind == CEDAR_DECIMAL) {
        fn = CEDAR_FN_DECIMAL;
        cedar_decimal_print(&b, x->i);
    } else if (x->kind == CEDAR_DURATION) {
        fn = CEDAR_FN_DURATION;
        cedar_duration_print(&b, x->i);
    } else {
        cedar_ip_print(&b, x->ip);
    }
    struct cedar_expr *e = from_text(v, fn, buf_str(&b), span);
    buf_fini(&b);
    return e;
}

static struct cedar_expr *composite(struct evaluation *v, const struct cedar_value *x,
                                    struct cedar_span span)
{
    bool record = x->kind == CEDAR_RECORD;
    struct cedar_expr **kids = ARENA_ARRAY(v->arena, struct cedar_expr *, x->n);
    str *names = record ? ARENA_ARRAY(v->arena, str, x->n) : NULL;
    for (uint32_t i = 0; i < x->n && v->nodes <= PARTIAL_NODES_MAX; i++) {
        if (record)
            names[i] = x->fields[i].name;
        const struct cedar_value *one = record ? &x->fields[i].value : &x->items[i];
        kids[i] = (struct cedar_expr *)value_of(v, one, span);
    }
    if (v->nodes > PARTIAL_NODES_MAX)
        return residue_node(v, CEDAR_E_ERROR, NULL, 0, NULL, span);
    struct cedar_expr *e =
        residue_node(v, record ? CEDAR_E_RECORD : CEDAR_E_SET, kids, x->n, NULL, span);
    if (record) {
        e->names = names;
        e->name_count = x->n;
    }
    return e;
}

static const struct cedar_expr *value_of(struct evaluation *v, const struct cedar_value *x,
                                         struct cedar_span span)
{
    switch ((enum cedar_kind)x->kind) {
    case CEDAR_SET:
    case CEDAR_RECORD:
        return composite(v, x, span);
    case CEDAR_DECIMAL:
    case CEDAR_DATETIME:
    case CEDAR_DURATION:
    case CEDAR_IPADDR:
        return extension(v, x, span);
    default:
        return residue_literal(v, *x, span).e;
    }
}

const struct cedar_expr *reify(struct evaluation *v, const struct cedar_expr *e)
{
    struct cedar_expr **kids = NULL;
    if (e->kind == CEDAR_E_LITERAL && e->value.kind > CEDAR_ENTITY)
        return value_of(v, &e->value, e->span);
    for (uint32_t i = 0; i < e->kid_count && v->nodes <= PARTIAL_NODES_MAX; i++) {
        const struct cedar_expr *one = reify(v, e->kids[i]);
        if (one == e->kids[i])
            continue;
        if (!kids)
            kids = arena_dup(v->arena, e->kids, e->kid_count * sizeof *kids);
        kids[i] = (struct cedar_expr *)one;
    }
    return kids ? residue_node(v, e->kind, kids, e->kid_count, e, e->span) : e;
}

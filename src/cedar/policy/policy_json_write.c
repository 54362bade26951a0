/* Policies and expressions as JSON. */
#include "cedar/policy/policy_json.h"

static bool write_expr(struct buf *out, const struct cedar_expr *e, struct err *err);

/* ---- pieces ---- */

/* {"name": */
static void open_op(struct buf *out, const char *name)
{
    buf_printf(out, "{\"%s\":", name);
}

static void member(struct buf *out, const char *name, str value)
{
    buf_printf(out, "\"%s\":", name);
    json_write_str(out, value);
}

static void write_uid(struct buf *out, const struct cedar_uid *uid)
{
    buf_putc(out, '{');
    member(out, "type", uid->type);
    buf_putc(out, ',');
    member(out, "id", uid->id);
    buf_putc(out, '}');
}

/* ---- values ---- */

static void write_value(struct buf *out, const struct cedar_value *v);

static void write_extension(struct buf *out, const char *fn, str arg)
{
    buf_printf(out, "{\"__extn\":{\"fn\":\"%s\",\"arg\":", fn);
    json_write_str(out, arg);
    buf_put(out, S("}}"));
}

static void write_scaled(struct buf *out, const char *fn, void (*print)(struct buf *, int64_t),
                         int64_t v)
{
    struct buf text = {0};
    print(&text, v);
    write_extension(out, fn, buf_str(&text));
    buf_fini(&text);
}

/* Beyond the years that a literal can name, as an offset. */
static void write_datetime(struct buf *out, int64_t ms)
{
    struct buf text = {0};
    struct err ignored;
    int64_t back;
    cedar_datetime_print(&text, ms);
    if (cedar_datetime_read(buf_str(&text), &back, &ignored) && back == ms) {
        write_extension(out, "datetime", buf_str(&text));
    } else {
        buf_put(out, S("{\"__extn\":{\"fn\":\"offset\",\"args\":["));
        write_extension(out, "datetime", S("1970-01-01"));
        buf_putc(out, ',');
        write_scaled(out, "duration", cedar_duration_print, ms);
        buf_put(out, S("]}}"));
    }
    buf_fini(&text);
}

static void write_ip(struct buf *out, const struct cedar_ip *ip)
{
    struct buf text = {0};
    cedar_ip_print(&text, ip);
    write_extension(out, "ip", buf_str(&text));
    buf_fini(&text);
}

static void write_items(struct buf *out, const struct cedar_value *v)
{
    buf_putc(out, '[');
    for (uint32_t i = 0; i < v->n; i++) {
        if (i)
            buf_putc(out, ',');
        write_value(out, &v->items[i]);
    }
    buf_putc(out, ']');
}

static void write_fields(struct buf *out, const struct cedar_value *v)
{
    buf_putc(out, '{');
    for (uint32_t i = 0; i < v->n; i++) {
        if (i)
            buf_putc(out, ',');
        json_write_str(out, v->fields[i].name);
        buf_putc(out, ':');
        write_value(out, &v->fields[i].value);
    }
    buf_putc(out, '}');
}

static void write_value(struct buf *out, const struct cedar_value *v)
{
    switch (v->kind) {
    case CEDAR_BOOL:
        buf_put(out, v->b ? S("true") : S("false"));
        return;
    case CEDAR_LONG:
        buf_i64(out, v->i);
        return;
    case CEDAR_STRING:
        json_write_str(out, cedar_str(*v));
        return;
    case CEDAR_ENTITY:
        open_op(out, "__entity");
        write_uid(out, v->uid);
        buf_putc(out, '}');
        return;
    case CEDAR_SET:
        write_items(out, v);
        return;
    case CEDAR_RECORD:
        write_fields(out, v);
        return;
    case CEDAR_DECIMAL:
        write_scaled(out, "decimal", cedar_decimal_print, v->i);
        return;
    case CEDAR_DATETIME:
        write_datetime(out, v->i);
        return;
    case CEDAR_DURATION:
        write_scaled(out, "duration", cedar_duration_print, v->i);
        return;
    case CEDAR_IPADDR:
        write_ip(out, v->ip);
        return;
    default:
        buf_put(out, S("null"));
    }
}

/* ---- expressions: the kinds of one shape ---- */

static const char *const names[] = {
    [CEDAR_E_AND] = "&&",
    [CEDAR_E_OR] = "||",
    [CEDAR_E_NOT] = "!",
    [CEDAR_E_NEG] = "neg",
    [CEDAR_E_EQ] = "==",
    [CEDAR_E_NE] = "!=",
    [CEDAR_E_LT] = "<",
    [CEDAR_E_LE] = "<=",
    [CEDAR_E_GT] = ">",
    [CEDAR_E_GE] = ">=",
    [CEDAR_E_IN] = "in",
    [CEDAR_E_SUM] = "+",
    [CEDAR_E_PRODUCT] = "*",
    [CEDAR_E_CONTAINS] = "contains",
    [CEDAR_E_CONTAINS_ALL] = "containsAll",
    [CEDAR_E_CONTAINS_ANY] = "containsAny",
    [CEDAR_E_IS_EMPTY] = "isEmpty",
    [CEDAR_E_HAS_TAG] = "hasTag",
    [CEDAR_E_GET_TAG] = "getTag",
};

static const char *name_of(const struct cedar_expr *e, uint32_t operand)
{
    return e->kind == CEDAR_E_SUM && e->minus[operand] ? "-" : names[e->kind];
}

/* Two operands or more, nesting to the left. */
static bool write_operators(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    for (uint32_t i = e->kid_count - 1; i > 0; i--) {
        open_op(out, name_of(e, i));
        buf_put(out, S("{\"left\":"));
    }
    if (!write_expr(out, e->kids[0], err))
        return false;
    for (uint32_t i = 1; i < e->kid_count; i++) {
        buf_put(out, S(",\"right\":"));
        if (!write_expr(out, e->kids[i], err))
            return false;
        buf_put(out, S("}}"));
    }
    return true;
}

static bool write_unary(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    open_op(out, names[e->kind]);
    buf_put(out, S("{\"arg\":"));
    if (!write_expr(out, e->kids[0], err))
        return false;
    buf_put(out, S("}}"));
    return true;
}

/* ---- attributes ---- */

/* kids[0].name1.name2 with the first `count` names of the node. */
static bool write_access(struct buf *out, const struct cedar_expr *e, uint32_t count,
                         struct err *err)
{
    for (uint32_t i = 0; i < count; i++)
        buf_put(out, S("{\".\":{\"left\":"));
    if (!write_expr(out, e->kids[0], err))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        buf_putc(out, ',');
        member(out, "attr", e->kind == CEDAR_E_HAS ? e->names[i] : e->name);
        buf_put(out, S("}}"));
    }
    return true;
}

static bool write_one_has(struct buf *out, const struct cedar_expr *e, uint32_t i, struct err *err)
{
    buf_put(out, S("{\"has\":{\"left\":"));
    if (!write_access(out, e, i, err))
        return false;
    buf_putc(out, ',');
    member(out, "attr", e->names[i]);
    buf_put(out, S("}}"));
    return true;
}

/* `x has a.b.c` as x has a && x.a has b && x.a.b has c. */
static bool write_has(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    for (uint32_t i = 1; i < e->name_count; i++)
        buf_put(out, S("{\"&&\":{\"left\":"));
    if (!write_one_has(out, e, 0, err))
        return false;
    for (uint32_t i = 1; i < e->name_count; i++) {
        buf_put(out, S(",\"right\":"));
        if (!write_one_has(out, e, i, err))
            return false;
        buf_put(out, S("}}"));
    }
    return true;
}

/* ---- the other kinds ---- */

static size_t char_bytes(char first)
{
    unsigned char c = (unsigned char)first;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static void write_pattern(struct buf *out, const struct cedar_pattern *p)
{
    const char *comma = "";
    buf_putc(out, '[');
    for (size_t i = 0; i < p->count; i++) {
        if (i) {
            buf_printf(out, "%s\"Wildcard\"", comma);
            comma = ",";
        }
        for (str left = p->pieces[i]; left.n; comma = ",") {
            size_t n = char_bytes(left.p[0]);
            buf_printf(out, "%s{", comma);
            member(out, "Literal", str_take(left, n));
            buf_putc(out, '}');
            left = str_skip(left, n);
        }
    }
    buf_putc(out, ']');
}

static bool write_like(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    buf_put(out, S("{\"like\":{\"left\":"));
    if (!write_expr(out, e->kids[0], err))
        return false;
    buf_put(out, S(",\"pattern\":"));
    write_pattern(out, e->pattern);
    buf_put(out, S("}}"));
    return true;
}

static bool write_is(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    buf_put(out, S("{\"is\":{\"left\":"));
    if (!write_expr(out, e->kids[0], err))
        return false;
    buf_putc(out, ',');
    member(out, "entity_type", e->name);
    if (e->kid_count > 1) {
        buf_put(out, S(",\"in\":"));
        if (!write_expr(out, e->kids[1], err))
            return false;
    }
    buf_put(out, S("}}"));
    return true;
}

static bool write_if(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    static const str parts[] = {S("{\"if-then-else\":{\"if\":"), S(",\"then\":"), S(",\"else\":")};
    for (uint32_t i = 0; i < 3; i++) {
        buf_put(out, parts[i]);
        if (!write_expr(out, e->kids[i], err))
            return false;
    }
    buf_put(out, S("}}"));
    return true;
}

static bool write_list(struct buf *out, const struct cedar_expr *e, const char *name,
                       struct err *err)
{
    bool record = e->kind == CEDAR_E_RECORD;
    open_op(out, name);
    buf_putc(out, record ? '{' : '[');
    for (uint32_t i = 0; i < e->kid_count; i++) {
        if (i)
            buf_putc(out, ',');
        if (record) {
            json_write_str(out, e->names[i]);
            buf_putc(out, ':');
        }
        if (!write_expr(out, e->kids[i], err))
            return false;
    }
    buf_put(out, record ? S("}}") : S("]}"));
    return true;
}

static bool write_leaf(struct buf *out, const struct cedar_expr *e)
{
    if (e->kind == CEDAR_E_VAR) {
        buf_printf(out, "{\"Var\":\"%s\"}", cedar_var_names[e->var]);
        return true;
    }
    open_op(out, "Value");
    write_value(out, &e->value);
    buf_putc(out, '}');
    return true;
}

static bool write_expr(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    if (out->over) /* `has` repeats what is left of it, so the work must end here too */
        return err_limit(err, "the JSON text grows too long");
    switch (e->kind) {
    case CEDAR_E_LITERAL:
    case CEDAR_E_VAR:
        return write_leaf(out, e);
    case CEDAR_E_IF:
        return write_if(out, e, err);
    case CEDAR_E_NOT:
    case CEDAR_E_NEG:
    case CEDAR_E_IS_EMPTY:
        return write_unary(out, e, err);
    case CEDAR_E_HAS:
        return write_has(out, e, err);
    case CEDAR_E_LIKE:
        return write_like(out, e, err);
    case CEDAR_E_IS:
        return write_is(out, e, err);
    case CEDAR_E_ATTR:
        return write_access(out, e, 1, err);
    case CEDAR_E_SET:
        return write_list(out, e, "Set", err);
    case CEDAR_E_RECORD:
        return write_list(out, e, "Record", err);
    case CEDAR_E_CALL:
        return write_list(out, e, cedar_fns[e->fn].name, err);
    case CEDAR_E_ERROR:
        return write_list(out, e, "error", err);
    default:
        return write_operators(out, e, err);
    }
}

/* ---- scope ---- */

static void write_target(struct buf *out, const struct cedar_scope *s)
{
    if (s->slot) {
        buf_printf(
            out, "\"slot\":\"?%s\"",
            cedar_var_names[s->slot == CEDAR_SLOT_PRINCIPAL ? CEDAR_PRINCIPAL : CEDAR_RESOURCE]);
        return;
    }
    buf_put(out, S("\"entity\":"));
    write_uid(out, &s->uids[0].uid);
}

/* A list of one is written without the list, as the official engine does. */
static void write_targets(struct buf *out, const struct cedar_scope *s)
{
    if (s->uid_count == 1) {
        write_target(out, s);
        return;
    }
    buf_put(out, S("\"entities\":["));
    for (size_t i = 0; i < s->uid_count; i++) {
        if (i)
            buf_putc(out, ',');
        write_uid(out, &s->uids[i].uid);
    }
    buf_putc(out, ']');
}

static void write_is_scope(struct buf *out, const struct cedar_scope *s)
{
    member(out, "entity_type", s->type);
    if (s->op != CEDAR_SCOPE_IS_IN)
        return;
    buf_put(out, S(",\"in\":{"));
    write_target(out, s);
    buf_putc(out, '}');
}

static void write_scope(struct buf *out, const struct cedar_scope *s)
{
    static const struct {
        const char *op;
        void (*rest)(struct buf *out, const struct cedar_scope *s);
    } forms[] = {
        [CEDAR_SCOPE_ANY] = {"All", NULL},         [CEDAR_SCOPE_EQ] = {"==", write_target},
        [CEDAR_SCOPE_IN] = {"in", write_target},   [CEDAR_SCOPE_IN_SET] = {"in", write_targets},
        [CEDAR_SCOPE_IS] = {"is", write_is_scope}, [CEDAR_SCOPE_IS_IN] = {"is", write_is_scope},
    };
    buf_printf(out, "{\"op\":\"%s\"", forms[s->op].op);
    if (forms[s->op].rest) {
        buf_putc(out, ',');
        forms[s->op].rest(out, s);
    }
    buf_putc(out, '}');
}

/* ---- policy ---- */

static bool write_conditions(struct buf *out, const struct cedar_policy *p, struct err *err)
{
    buf_put(out, S(",\"conditions\":["));
    for (size_t i = 0; i < p->condition_count; i++) {
        buf_printf(out, "%s{\"kind\":\"%s\",\"body\":", i ? "," : "",
                   p->conditions[i].unless ? "unless" : "when");
        if (!write_expr(out, p->conditions[i].body, err))
            return false;
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
    return true;
}

static void write_annotations(struct buf *out, const struct cedar_policy *p)
{
    if (p->annotation_count == 0)
        return;
    buf_put(out, S(",\"annotations\":{"));
    for (size_t i = 0; i < p->annotation_count; i++) {
        const struct cedar_annotation *note = &p->annotations[i];
        if (i)
            buf_putc(out, ',');
        json_write_str(out, note->name);
        buf_putc(out, ':');
        if (note->has_value)
            json_write_str(out, note->value);
        else
            buf_put(out, S("null"));
    }
    buf_putc(out, '}');
}

static bool write_policy(struct buf *out, const struct cedar_policy *p, struct err *err)
{
    buf_printf(out, "{\"effect\":\"%s\"", p->effect == CEDAR_PERMIT ? "permit" : "forbid");
    for (enum cedar_var var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        buf_printf(out, ",\"%s\":", cedar_var_names[var]);
        write_scope(out, &p->scope[var]);
    }
    if (!write_conditions(out, p, err))
        return false;
    write_annotations(out, p);
    buf_putc(out, '}');
    return out->over ? err_limit(err, "the JSON text grows too long") : true;
}

bool cedar_policy_to_json(struct buf *out, const struct cedar_policy *p, struct err *err)
{
    size_t before = buf_len(out);
    if (write_policy(out, p, err))
        return true;
    buf_truncate(out, before);
    return err_in(err, "policy `%.*s`", STR(p->id));
}

bool cedar_expr_to_json(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    size_t before = buf_len(out);
    if (write_expr(out, e, err) && !out->over)
        return true;
    buf_truncate(out, before);
    return err_limit(err, "the JSON text grows too long");
}

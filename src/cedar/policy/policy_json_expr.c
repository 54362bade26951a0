/* Expressions from JSON. Each is an object of one member, whose name is looked up in a table. */
#include "cedar/policy/policy_json.h"

struct reader {
    struct arena *arena;
    struct err *err;
    unsigned level; /* of nesting, bounds the recursion */
};

struct op {
    str name;
    enum cedar_expr_kind kind;
    struct cedar_expr *(*read)(struct reader *r, const struct op *op, const json *body);
};

static struct cedar_expr *read_expr(struct reader *r, const json *v);
static const struct op *find_op(str name);

/* ---- nodes ---- */

static bool too_deep(struct reader *r)
{
    return err_limit(r->err, "the expression nests deeper than %d levels", CEDAR_DEPTH_MAX);
}

static bool enter(struct reader *r)
{
    if (r->level >= CEDAR_DEPTH_MAX)
        return too_deep(r);
    r->level++;
    return true;
}

static struct cedar_expr *node(struct reader *r, enum cedar_expr_kind kind,
                               struct cedar_expr **kids, size_t count)
{
    struct cedar_expr *e = ARENA_NEW(r->arena, struct cedar_expr);
    e->kind = kind;
    e->kids = kids;
    e->kid_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        if (kids[i]->depth > e->depth)
            e->depth = kids[i]->depth;
    }
    if (++e->depth <= CEDAR_DEPTH_MAX)
        return e;
    too_deep(r);
    return NULL;
}

static struct cedar_expr *literal(struct reader *r, struct cedar_value v)
{
    struct cedar_expr *e = node(r, CEDAR_E_LITERAL, NULL, 0);
    e->value = v;
    return e;
}

/* ---- members ---- */

static bool must_be(struct reader *r, const json *v, enum json_type type, str op)
{
    if (json_type(v) == type)
        return true;
    return err_input(r->err, "`%.*s` takes %s, not %s", STR(op), json_type_name(type),
                     json_type_name(json_type(v)));
}

/* All of `count` names must be there, and nothing else unless loose. The last `optional` of them
 * may be missing. */
static bool members(struct reader *r, str op, const json *body, const str *names, size_t count,
                    size_t optional, const json **found)
{
    str name;
    const json *e;
    if (!must_be(r, body, JSON_OBJECT, op))
        return false;
    for (struct json_iter it = json_iter(body); json_next(&it, &name, &e);) {
        size_t i = 0;
        while (i < count && !str_eq(names[i], name))
            i++;
        if (i == count)
            return err_input(r->err, "`%.*s` has no member `%.*s`", STR(op), STR(name));
        found[i] = e;
    }
    for (size_t i = 0; i + optional < count; i++) {
        if (!found[i])
            return err_input(r->err, "`%.*s` lacks the member `%.*s`", STR(op), STR(names[i]));
    }
    return true;
}

static bool read_kids(struct reader *r, const json *const *from, size_t count,
                      struct cedar_expr ***out)
{
    *out = ARENA_ARRAY(r->arena, struct cedar_expr *, count);
    for (size_t i = 0; i < count; i++) {
        (*out)[i] = read_expr(r, from[i]);
        if (!(*out)[i])
            return false;
    }
    return true;
}

/* The elements of an array, or the values of an object. */
static bool read_elements(struct reader *r, const json *v, struct cedar_expr ***out)
{
    size_t n = 0;
    const json **from = ARENA_ARRAY(r->arena, const json *, json_count(v));
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &from[n]);)
        n++;
    return read_kids(r, from, n, out);
}

/* ---- operators ---- */

static const str left_right[] = {S("left"), S("right")};

static struct cedar_expr *read_binary(struct reader *r, const struct op *op, const json *body)
{
    const json *m[2] = {0};
    struct cedar_expr **kids;
    if (!members(r, op->name, body, left_right, 2, 0, m) || !read_kids(r, m, 2, &kids))
        return NULL;
    return node(r, op->kind, kids, 2);
}

static struct cedar_expr *read_unary(struct reader *r, const struct op *op, const json *body)
{
    static const str names[] = {S("arg")};
    const json *m[1] = {0};
    struct cedar_expr **kids;
    if (!members(r, op->name, body, names, 1, 0, m) || !read_kids(r, m, 1, &kids))
        return NULL;
    return node(r, op->kind, kids, 1);
}

/* v as {"op": body}, if op makes nodes of that kind; NULL otherwise. */
static const json *as_chain(const json *v, enum cedar_expr_kind kind, const struct op **op)
{
    str name;
    const json *body;
    struct json_iter it = json_iter(v);
    if (json_type(v) != JSON_OBJECT || json_count(v) != 1 || !json_next(&it, &name, &body))
        return NULL;
    const struct op *found = find_op(name);
    if (!found || found->kind != kind)
        return NULL;
    *op = found;
    return body;
}

/* A chain nests to the left: followed here in a loop, and turned round at the end. */
static struct cedar_expr *read_chain(struct reader *r, const struct op *op, const json *body)
{
    enum cedar_expr_kind kind = op->kind;
    const json **from = NULL;
    bool *minus = NULL;
    size_t count = 0, cap = 0, sign_cap = 0;
    const json *m[2] = {0};
    for (; body; body = as_chain(m[0], kind, &op)) {
        m[0] = m[1] = NULL;
        if (!members(r, op->name, body, left_right, 2, 0, m))
            return NULL;
        ARENA_GROW(r->arena, from, count, cap);
        ARENA_GROW(r->arena, minus, count, sign_cap);
        minus[count] = str_eq(op->name, S("-"));
        from[count++] = m[1];
    }
    ARENA_GROW(r->arena, from, count, cap);
    ARENA_GROW(r->arena, minus, count, sign_cap);
    from[count++] = m[0];
    for (size_t i = 0; i < count / 2; i++) {
        const json *v = from[i];
        bool sign = minus[i];
        from[i] = from[count - 1 - i];
        minus[i] = minus[count - 1 - i];
        from[count - 1 - i] = v;
        minus[count - 1 - i] = sign;
    }
    struct cedar_expr **kids;
    struct cedar_expr *e = read_kids(r, from, count, &kids) ? node(r, kind, kids, count) : NULL;
    if (e && kind == CEDAR_E_SUM)
        e->minus = minus;
    return e;
}

static struct cedar_expr *read_if(struct reader *r, const struct op *op, const json *body)
{
    static const str names[] = {S("if"), S("then"), S("else")};
    const json *m[3] = {0};
    struct cedar_expr **kids;
    if (!members(r, op->name, body, names, 3, 0, m) || !read_kids(r, m, 3, &kids))
        return NULL;
    return node(r, op->kind, kids, 3);
}

static struct cedar_expr *read_attr(struct reader *r, const struct op *op, const json *body)
{
    static const str names[] = {S("left"), S("attr")};
    const json *m[2] = {0};
    struct cedar_expr **kids;
    if (!members(r, op->name, body, names, 2, 0, m) || !must_be(r, m[1], JSON_STRING, S("attr")) ||
        !read_kids(r, m, 1, &kids))
        return NULL;
    struct cedar_expr *e = node(r, op->kind, kids, 1);
    if (e)
        e->name = json_str(m[1]);
    return e;
}

static bool read_names(struct reader *r, const json *v, struct cedar_expr *e)
{
    const json *name;
    size_t count = json_type(v) == JSON_ARRAY ? json_count(v) : 1;
    if (count == 0 || count > CEDAR_DEPTH_MAX)
        return err_input(r->err, "`has` takes 1 to %d names", CEDAR_DEPTH_MAX);
    e->names = ARENA_ARRAY(r->arena, str, count);
    if (json_type(v) == JSON_STRING) {
        e->names[e->name_count++] = json_str(v);
        return true;
    }
    if (!must_be(r, v, JSON_ARRAY, S("attr")))
        return false;
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &name);) {
        if (!must_be(r, name, JSON_STRING, S("attr")))
            return false;
        e->names[e->name_count++] = json_str(name);
    }
    return true;
}

/* Other members are let pass here, as the official engine does. */
static struct cedar_expr *read_has(struct reader *r, const struct op *op, const json *body)
{
    const json *left = json_get(body, S("left")), *attr = json_get(body, S("attr"));
    struct cedar_expr **kids;
    if (!left || !attr) {
        err_input(r->err, "`has` takes an object with `left` and `attr`");
        return NULL;
    }
    if (!read_kids(r, &left, 1, &kids))
        return NULL;
    struct cedar_expr *e = node(r, op->kind, kids, 1);
    return e && read_names(r, attr, e) ? e : NULL;
}

/* ---- like ---- */

/* Adds one element: a wildcard begins the next piece, text lengthens the present one. */
static bool add_element(struct reader *r, const json *v, struct cedar_pattern *p, struct buf *text,
                        size_t *starts)
{
    if (str_eq(json_str(v), S("Wildcard"))) {
        starts[++p->count] = buf_len(text);
        return true;
    }
    const json *part = json_count(v) == 1 ? json_get(v, S("Literal")) : NULL;
    if (json_type(part) != JSON_STRING)
        return err_input(r->err,
                         "a pattern is made of \"Wildcard\" and {\"Literal\": \"text\"} only");
    buf_put(text, json_str(part));
    return true;
}

static bool fill_pattern(struct reader *r, const json *v, struct cedar_pattern *p, struct buf *text)
{
    const json *e;
    size_t *starts = ARENA_ARRAY(r->arena, size_t, json_count(v) + 2);
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &e);) {
        if (!add_element(r, e, p, text, starts))
            return false;
    }
    starts[++p->count] = buf_len(text);
    str all = str_dup(r->arena, buf_str(text));
    p->pieces = ARENA_ARRAY(r->arena, str, p->count);
    for (size_t i = 0; i < p->count; i++)
        p->pieces[i] = str_take(str_skip(all, starts[i]), starts[i + 1] - starts[i]);
    return true;
}

static struct cedar_expr *read_like(struct reader *r, const struct op *op, const json *body)
{
    static const str names[] = {S("left"), S("pattern")};
    const json *m[2] = {0};
    struct cedar_expr **kids;
    if (!members(r, op->name, body, names, 2, 0, m) ||
        !must_be(r, m[1], JSON_ARRAY, S("pattern")) || !read_kids(r, m, 1, &kids))
        return NULL;
    struct cedar_pattern *pattern = ARENA_NEW(r->arena, struct cedar_pattern);
    struct buf text = {0};
    bool ok = fill_pattern(r, m[1], pattern, &text);
    buf_fini(&text);
    struct cedar_expr *e = ok ? node(r, op->kind, kids, 1) : NULL;
    if (e)
        e->pattern = pattern;
    return e;
}

/* ---- is ---- */

static struct cedar_expr *read_is(struct reader *r, const struct op *op, const json *body)
{
    static const str names[] = {S("left"), S("entity_type"), S("in")};
    const json *m[3] = {0};
    struct cedar_expr **kids;
    if (!members(r, op->name, body, names, 3, 1, m))
        return NULL;
    str type = json_str(m[1]);
    if (!cedar_is_type_name(type)) {
        err_input(r->err, "`%.*s` is no entity type", STR(type));
        return NULL;
    }
    m[1] = json_type(m[2]) == JSON_NULL ? NULL : m[2];
    if (!read_kids(r, m, m[1] ? 2 : 1, &kids))
        return NULL;
    struct cedar_expr *e = node(r, op->kind, kids, m[1] ? 2 : 1);
    if (e)
        e->name = type;
    return e;
}

/* ---- composites ---- */

static struct cedar_expr *read_set(struct reader *r, const struct op *op, const json *body)
{
    struct cedar_expr **kids;
    if (!must_be(r, body, JSON_ARRAY, op->name) || !read_elements(r, body, &kids))
        return NULL;
    return node(r, op->kind, kids, json_count(body));
}

static str *names_of(struct reader *r, const json *object)
{
    const json *ignored;
    size_t n = 0;
    str *names = ARENA_ARRAY(r->arena, str, json_count(object));
    for (struct json_iter it = json_iter(object); json_next(&it, &names[n], &ignored);)
        n++;
    return names;
}

static struct cedar_expr *record(struct reader *r, const json *object, struct cedar_expr **kids)
{
    struct cedar_expr *e = node(r, CEDAR_E_RECORD, kids, json_count(object));
    if (!e)
        return NULL;
    e->names = names_of(r, object);
    e->name_count = e->kid_count;
    return e;
}

static struct cedar_expr *read_record(struct reader *r, const struct op *op, const json *body)
{
    struct cedar_expr **kids;
    if (!must_be(r, body, JSON_OBJECT, op->name) || !read_elements(r, body, &kids))
        return NULL;
    return record(r, body, kids);
}

static struct cedar_expr *call(struct reader *r, int fn, struct cedar_expr **kids, size_t count)
{
    struct cedar_expr *e = node(r, CEDAR_E_CALL, kids, count);
    if (e)
        e->fn = (enum cedar_fn)fn;
    return e;
}

static struct cedar_expr *read_call(struct reader *r, str name, const json *body)
{
    struct cedar_expr **kids;
    int fn = cedar_fn_find(name);
    if (fn < 0) {
        err_input(r->err, "there is no operator or function `%.*s`", STR(name));
        return NULL;
    }
    if (!must_be(r, body, JSON_ARRAY, name) || !read_elements(r, body, &kids))
        return NULL;
    return call(r, fn, kids, json_count(body));
}

/* ---- Value ---- */

static struct cedar_expr *read_value(struct reader *r, const json *v);

static bool read_values(struct reader *r, const json *v, struct cedar_expr ***out)
{
    size_t n = 0;
    const json *e;
    *out = ARENA_ARRAY(r->arena, struct cedar_expr *, json_count(v));
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &e); n++) {
        (*out)[n] = read_value(r, e);
        if (!(*out)[n])
            return false;
    }
    return true;
}

/* The object's only member, if it has that name and an object as value. */
static const json *escape(const json *v, str name)
{
    const json *inner = json_count(v) == 1 ? json_get(v, name) : NULL;
    return json_type(inner) == JSON_OBJECT ? inner : NULL;
}

static bool number_fits(struct reader *r, const json *v, int64_t *out)
{
    if (json_i64(v, out) && !str_eq(json_number(v), S("-0")))
        return true;
    return err_input(r->err, "%.*s is no integer of 64 bits", STR(json_number(v)));
}

/* An escape may have members beside those that count, of any kind; only numbers must be in range
 * there as well. */
static bool numbers_fit(struct reader *r, const json *v)
{
    int64_t ignored;
    const json *e;
    bool ok = true;
    if (json_type(v) == JSON_NUMBER)
        return number_fits(r, v, &ignored);
    if (!enter(r))
        return false;
    for (struct json_iter it = json_iter(v); ok && json_next(&it, NULL, &e);)
        ok = numbers_fit(r, e);
    r->level--;
    return ok;
}

static struct cedar_expr *read_entity(struct reader *r, str type, str id)
{
    if (!cedar_is_type_name(type)) {
        err_input(r->err, "`%.*s` is no entity type", STR(type));
        return NULL;
    }
    struct cedar_uid *uid = ARENA_NEW(r->arena, struct cedar_uid);
    *uid = (struct cedar_uid){type, id};
    return literal(r, cedar_entity_value(uid));
}

/* {"fn": name, "arg": value} or {"fn": name, "args": [..]}; evaluated with the rest, so its
 * arguments may be wrong. */
static struct cedar_expr *read_extension(struct reader *r, str name, const json *arg,
                                         const json *args)
{
    struct cedar_expr **kids;
    int fn = cedar_fn_find(name);
    if (fn < 0) {
        err_input(r->err, "there is no extension function `%.*s`", STR(name));
        return NULL;
    }
    if (!arg)
        return read_values(r, args, &kids) ? call(r, fn, kids, json_count(args)) : NULL;
    kids = ARENA_ARRAY(r->arena, struct cedar_expr *, 1);
    kids[0] = read_value(r, arg);
    return kids[0] ? call(r, fn, kids, 1) : NULL;
}

static struct cedar_expr *read_object(struct reader *r, const json *v)
{
    const json *entity = escape(v, S("__entity")), *extension = escape(v, S("__extn"));
    const json *type = json_get(entity, S("type")), *id = json_get(entity, S("id"));
    const json *fn = json_get(extension, S("fn")), *arg = json_get(extension, S("arg")),
               *args = json_get(extension, S("args"));
    struct cedar_expr **kids;
    if ((entity && !numbers_fit(r, entity)) || (extension && !numbers_fit(r, extension)))
        return NULL;
    if (json_type(type) == JSON_STRING && json_type(id) == JSON_STRING)
        return read_entity(r, json_str(type), json_str(id));
    if (json_type(fn) == JSON_STRING && (arg || json_type(args) == JSON_ARRAY))
        return read_extension(r, json_str(fn), arg, args);
    if (json_count(v) == 1 && json_type(json_get(v, S("__expr"))) == JSON_STRING) {
        err_input(r->err, "`__expr` is no longer part of the format: use `__entity` or `__extn`");
        return NULL;
    }
    return read_values(r, v, &kids) ? record(r, v, kids) : NULL;
}

static struct cedar_expr *read_plain(struct reader *r, const json *v)
{
    int64_t i;
    struct cedar_expr **kids;
    switch (json_type(v)) {
    case JSON_BOOL:
        return literal(r, cedar_bool(json_bool(v)));
    case JSON_STRING:
        return literal(r, cedar_string(json_str(v)));
    case JSON_ARRAY:
        return read_values(r, v, &kids) ? node(r, CEDAR_E_SET, kids, json_count(v)) : NULL;
    case JSON_OBJECT:
        return read_object(r, v);
    case JSON_NUMBER:
        return number_fits(r, v, &i) ? literal(r, cedar_long(i)) : NULL;
    default:
        err_input(r->err, "%s is no Cedar value", json_type_name(json_type(v)));
        return NULL;
    }
}

static struct cedar_expr *read_value(struct reader *r, const json *v)
{
    if (!enter(r))
        return NULL;
    struct cedar_expr *e = read_plain(r, v);
    r->level--;
    return e;
}

/* ---- leaves ---- */

static struct cedar_expr *read_literal(struct reader *r, const struct op *op, const json *body)
{
    (void)op;
    return read_plain(r, body);
}

static struct cedar_expr *read_var(struct reader *r, const struct op *op, const json *body)
{
    for (unsigned i = 0; i < 4; i++) {
        if (!str_eq(json_str(body), str_z(cedar_var_names[i])))
            continue;
        struct cedar_expr *e = node(r, op->kind, NULL, 0);
        e->var = (enum cedar_var)i;
        return e;
    }
    err_input(r->err, "`Var` is one of principal, action, resource, context");
    return NULL;
}

static struct cedar_expr *read_slot(struct reader *r, const struct op *op, const json *body)
{
    (void)op, (void)body;
    err_input(r->err, "a template slot cannot stand in a condition");
    return NULL;
}

/* ---- dispatch ---- */

static const struct op ops[] = {
    {S("Value"), CEDAR_E_LITERAL, read_literal},
    {S("Var"), CEDAR_E_VAR, read_var},
    {S("Slot"), CEDAR_E_VAR, read_slot},
    {S("!"), CEDAR_E_NOT, read_unary},
    {S("neg"), CEDAR_E_NEG, read_unary},
    {S("=="), CEDAR_E_EQ, read_binary},
    {S("!="), CEDAR_E_NE, read_binary},
    {S("<"), CEDAR_E_LT, read_binary},
    {S("<="), CEDAR_E_LE, read_binary},
    {S(">"), CEDAR_E_GT, read_binary},
    {S(">="), CEDAR_E_GE, read_binary},
    {S("in"), CEDAR_E_IN, read_binary},
    {S("&&"), CEDAR_E_AND, read_chain},
    {S("||"), CEDAR_E_OR, read_chain},
    {S("+"), CEDAR_E_SUM, read_chain},
    {S("-"), CEDAR_E_SUM, read_chain},
    {S("*"), CEDAR_E_PRODUCT, read_chain},
    {S("contains"), CEDAR_E_CONTAINS, read_binary},
    {S("containsAll"), CEDAR_E_CONTAINS_ALL, read_binary},
    {S("containsAny"), CEDAR_E_CONTAINS_ANY, read_binary},
    {S("isEmpty"), CEDAR_E_IS_EMPTY, read_unary},
    {S("hasTag"), CEDAR_E_HAS_TAG, read_binary},
    {S("getTag"), CEDAR_E_GET_TAG, read_binary},
    {S("."), CEDAR_E_ATTR, read_attr},
    {S("has"), CEDAR_E_HAS, read_has},
    {S("like"), CEDAR_E_LIKE, read_like},
    {S("is"), CEDAR_E_IS, read_is},
    {S("if-then-else"), CEDAR_E_IF, read_if},
    {S("Set"), CEDAR_E_SET, read_set},
    {S("Record"), CEDAR_E_RECORD, read_record},
};

static const struct op *find_op(str name)
{
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (str_eq(ops[i].name, name))
            return &ops[i];
    }
    return NULL;
}

static struct cedar_expr *dispatch(struct reader *r, const json *v)
{
    str name;
    const json *body;
    struct json_iter it = json_iter(v);
    if (json_type(v) != JSON_OBJECT || json_count(v) != 1 || !json_next(&it, &name, &body)) {
        err_input(r->err, "an expression is an object with one member, named by its operator");
        return NULL;
    }
    const struct op *op = find_op(name);
    return op ? op->read(r, op, body) : read_call(r, name, body);
}

static struct cedar_expr *read_expr(struct reader *r, const json *v)
{
    if (!enter(r))
        return NULL;
    struct cedar_expr *e = dispatch(r, v);
    r->level--;
    return e;
}

bool cedar_expr_from_json(struct arena *a, const json *v, struct cedar_expr **out, struct err *err)
{
    struct reader r = {.arena = a, .err = err};
    struct cedar_expr *e = read_expr(&r, v);
    if (e)
        *out = e;
    return e != NULL;
}

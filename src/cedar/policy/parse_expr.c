/* Expressions, by descent, one function for each level of precedence:
 *
 *     expr      if e then e else e | or
 *     or, and   chains
 *     relation  sum [== != < <= > >= in sum] | sum has names | sum like pattern | sum is T [in sum]
 *     sum, product, unary, member, primary
 *
 * Chains make one wide node; everything that nests passes through parse_expr or node(), which
 * count. */
#include "cedar/policy/parser.h"

#include <stdlib.h>

struct kids {
    struct cedar_expr **items;
    size_t count, cap;
};

static void *fail(struct parser *p, struct cedar_span span, const char *code, const char *help,
                  const char *text)
{
    cedar_diag(p->diags, CEDAR_ERROR, code, span, help, "%s", text);
    return NULL;
}

static void add_kid(struct parser *p, struct kids *k, struct cedar_expr *e)
{
    ARENA_GROW(p->arena, k->items, k->count, k->cap);
    k->items[k->count++] = e;
}

/* A node over those kids, from start to the last token taken. NULL where the tree gets too high. */
static struct cedar_expr *node(struct parser *p, enum cedar_expr_kind kind, uint32_t start,
                               const struct kids *kids)
{
    struct cedar_expr *e = ARENA_NEW(p->arena, struct cedar_expr);
    *e = (struct cedar_expr){.kind = kind, .span = span_from(p, start)};
    if (kids) {
        e->kids = kids->items;
        e->kid_count = (uint32_t)kids->count;
    }
    for (uint32_t i = 0; i < e->kid_count; i++) {
        if (e->kids[i]->depth > e->depth)
            e->depth = e->kids[i]->depth;
    }
    if (++e->depth > CEDAR_DEPTH_MAX)
        return fail(p, e->span, "too-deep", "split the condition over several when clauses",
                    "this expression nests too deeply");
    return e;
}

static struct cedar_expr *node1(struct parser *p, enum cedar_expr_kind kind, uint32_t start,
                                struct cedar_expr *a)
{
    struct cedar_expr **one = arena_dup(p->arena, &a, sizeof a);
    return node(p, kind, start, &(struct kids){one, 1, 1});
}

static struct cedar_expr *node2(struct parser *p, enum cedar_expr_kind kind, uint32_t start,
                                struct cedar_expr *a, struct cedar_expr *b)
{
    struct cedar_expr *both[] = {a, b};
    return node(p, kind, start, &(struct kids){arena_dup(p->arena, both, sizeof both), 2, 2});
}

static struct cedar_expr *literal(struct parser *p, uint32_t start, struct cedar_value v)
{
    struct cedar_expr *e = node(p, CEDAR_E_LITERAL, start, NULL);
    e->value = v;
    return e;
}

/* ---- primary ---- */

/* e, e, e up to the closing token, which is taken; a trailing comma is fine. */
static bool parse_list(struct parser *p, enum cedar_token_kind close, struct kids *out)
{
    while (!take_if(p, close)) {
        struct cedar_expr *e = parse_expr(p);
        if (!e)
            return false;
        add_kid(p, out, e);
        if (look_kind(p) == close)
            continue;
        if (!take_if(p, CEDAR_T_COMMA))
            return parse_expected(p, close == CEDAR_T_RPAREN ? "`,` or `)`" : "`,` or `]`",
                                  "put commas between, and close what was opened");
    }
    return true;
}

static struct cedar_expr *parse_set(struct parser *p)
{
    uint32_t start = take(p)->span.start;
    struct kids k = {0};
    return parse_list(p, CEDAR_T_RBRACKET, &k) ? node(p, CEDAR_E_SET, start, &k) : NULL;
}

static bool parse_key(struct parser *p, str *out)
{
    const struct cedar_token *t = look(p, 0);
    if (t->kind == CEDAR_T_STRING)
        return parse_string(p, out);
    if (t->kind != CEDAR_T_IDENT)
        return parse_expected(p, "a key",
                              "a record is written as {name: value, \"other name\": value}");
    if (cedar_is_reserved(t->text))
        return parse_reserved(p, t);
    *out = take(p)->text;
    return true;
}

static int name_order(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static bool keys_are_distinct(struct parser *p, struct cedar_span span, const str *names, size_t n)
{
    if (n < 2)
        return true;
    str *sorted = arena_dup(p->arena, names, n * sizeof *names);
    qsort(sorted, n, sizeof *sorted, name_order);
    for (size_t i = 1; i < n; i++) {
        if (!str_eq(sorted[i - 1], sorted[i]))
            continue;
        cedar_diag(p->diags, CEDAR_ERROR, "duplicate-key", span, "keep one of them",
                   "this record has the key `%.*s` twice", STR(sorted[i]));
        return false;
    }
    return true;
}

static struct cedar_expr *parse_record(struct parser *p)
{
    uint32_t start = take(p)->span.start;
    struct kids k = {0};
    str *names = NULL;
    size_t count = 0, cap = 0;
    while (!take_if(p, CEDAR_T_RBRACE)) {
        ARENA_GROW(p->arena, names, count, cap);
        if (!parse_key(p, &names[count]) ||
            !parse_token(p, CEDAR_T_COLON, "a record is written as {name: value}"))
            return NULL;
        struct cedar_expr *e = parse_expr(p);
        if (!e)
            return NULL;
        add_kid(p, &k, e);
        count++;
        if (look_kind(p) != CEDAR_T_RBRACE && !take_if(p, CEDAR_T_COMMA)) {
            parse_expected(p, "`,` or `}`", "put commas between: {name: value, other: value}");
            return NULL;
        }
    }
    if (!keys_are_distinct(p, span_from(p, start), names, count))
        return NULL;
    struct cedar_expr *e = node(p, CEDAR_E_RECORD, start, &k);
    if (e) {
        e->names = names;
        e->name_count = (uint32_t)count;
    }
    return e;
}

static struct cedar_expr *parse_number(struct parser *p)
{
    const struct cedar_token *t = take(p);
    int64_t v = 0;
    for (size_t i = 0; i < t->text.n; i++) {
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, t->text.p[i] - '0', &v))
            return fail(p, t->span, "number",
                        "numbers reach from -9223372036854775808 to 9223372036854775807",
                        "this number is too large");
    }
    return literal(p, t->span.start, cedar_long(v));
}

static const struct method {
    str name;
    enum cedar_expr_kind kind;
    size_t args;
} methods[] = {
    {S("contains"), CEDAR_E_CONTAINS, 1},        {S("containsAll"), CEDAR_E_CONTAINS_ALL, 1},
    {S("containsAny"), CEDAR_E_CONTAINS_ANY, 1}, {S("isEmpty"), CEDAR_E_IS_EMPTY, 0},
    {S("hasTag"), CEDAR_E_HAS_TAG, 1},           {S("getTag"), CEDAR_E_GET_TAG, 1},
};

static const struct method *method_find(str name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (str_eq(methods[i].name, name))
            return &methods[i];
    }
    return NULL;
}

static void *no_variable(struct parser *p, struct cedar_span span, str name)
{
    const char *help = advice_find(ADVICE_VARIABLE, name);
    bool is_bool = str_eq_nocase(name, S("true")) || str_eq_nocase(name, S("false"));
    if (cedar_fn_find(name) >= 0)
        help = "call it, as name(\"text\")";
    else if (look_kind(p) == CEDAR_T_COLON)
        help = "a record is written as {name: value}, in braces of its own";
    else if (name.p[0] >= 'A' && name.p[0] <= 'Z' && !is_bool)
        help = "an entity is written as Type::\"id\"; a type is tested with `is`";
    else if (!help)
        help = "variables are principal, action, resource and context; an entity is written as "
               "Type::\"id\", text in double quotes";
    cedar_diag(p->diags, CEDAR_ERROR, "name", span, help, "`%.*s` is no variable", STR(name));
    return NULL;
}

static void *no_function(struct parser *p, struct cedar_span span, str name)
{
    bool is_method = cedar_fn_find(name) >= 0 || method_find(name);
    cedar_diag(p->diags, CEDAR_ERROR, "name", span,
               is_method ? "write it as value.name(..)"
                         : "functions are ip, decimal, datetime and duration",
               is_method ? "`%.*s` is a method, not a function" : "there is no function `%.*s`",
               STR(name));
    return NULL;
}

static void *no_method(struct parser *p, struct cedar_span span, str name)
{
    bool is_function = cedar_fn_find(name) >= 0;
    const char *help = advice_find(ADVICE_METHOD, name);
    if (is_function)
        help = "write it as name(\"text\")";
    else if (!help)
        help =
            "methods are contains, containsAll, containsAny, isEmpty, hasTag, getTag and those of "
            "the extension types";
    cedar_diag(p->diags, CEDAR_ERROR, "name", span, help,
               is_function ? "`%.*s` is a function, not a method" : "there is no method `%.*s`",
               STR(name));
    return NULL;
}

/* A name that is neither variable nor keyword: an entity, or the call of an extension function. */
static struct cedar_expr *parse_named(struct parser *p)
{
    uint32_t start = look(p, 0)->span.start;
    str path;
    struct cedar_span span;
    if (!parse_path(p, &path, &span))
        return NULL;
    if (look_kind(p) == CEDAR_T_PATH) {
        struct cedar_uid *uid = ARENA_NEW(p->arena, struct cedar_uid);
        uid->type = path;
        return parse_entity_id(p, &uid->id) ? literal(p, start, cedar_entity_value(uid)) : NULL;
    }
    int fn = cedar_fn_find(path);
    if (look_kind(p) != CEDAR_T_LPAREN)
        return no_variable(p, span, path);
    if (fn < 0 || cedar_fns[fn].is_method)
        return no_function(p, span, path);
    take(p);
    struct kids k = {0};
    if (!parse_list(p, CEDAR_T_RPAREN, &k))
        return NULL;
    struct cedar_expr *e = node(p, CEDAR_E_CALL, start, &k);
    if (e)
        e->fn = (enum cedar_fn)fn;
    return e;
}

static struct cedar_expr *parse_word(struct parser *p)
{
    const struct cedar_token *t = look(p, 0);
    bool is_path = look(p, 1)->kind == CEDAR_T_PATH;
    bool is_true = str_eq(t->text, S("true"));
    if (!is_path && (is_true || str_eq(t->text, S("false")))) {
        take(p);
        return literal(p, t->span.start, cedar_bool(is_true));
    }
    for (unsigned v = 0; v < 4 && !is_path; v++) {
        if (!str_eq(t->text, str_z(cedar_var_names[v])))
            continue;
        take(p);
        if (look_kind(p) == CEDAR_T_LPAREN)
            return fail(p, span_from(p, t->span.start), "name",
                        "functions are ip, decimal, datetime and duration",
                        "a variable cannot be called");
        struct cedar_expr *e = node(p, CEDAR_E_VAR, t->span.start, NULL);
        e->var = (enum cedar_var)v;
        return e;
    }
    if (str_eq(t->text, S("if")))
        return fail(p, t->span, "syntax", "put it in parentheses: (if a then b else c)",
                    "`if` cannot stand inside another expression");
    const char *advice = advice_find(ADVICE_OPERAND, t->text);
    if (!is_path && advice)
        return fail(p, t->span, "reserved-word", advice, "an operator without what it is to test");
    return parse_named(p);
}

static struct cedar_expr *parse_primary(struct parser *p)
{
    const struct cedar_token *t = look(p, 0);
    struct cedar_expr *e;
    str s;
    switch (t->kind) {
    case CEDAR_T_IDENT:
        return parse_word(p);
    case CEDAR_T_NUMBER:
        return parse_number(p);
    case CEDAR_T_STRING:
        return parse_string(p, &s) ? literal(p, t->span.start, cedar_string(s)) : NULL;
    case CEDAR_T_LBRACKET:
        return parse_set(p);
    case CEDAR_T_LBRACE:
        return parse_record(p);
    case CEDAR_T_LPAREN:
        take(p);
        e = parse_expr(p);
        return e && parse_token(p, CEDAR_T_RPAREN, "close the parenthesis") ? e : NULL;
    case CEDAR_T_SLOT:
        return fail(p, t->span, "slot", "slots belong in the scope: principal == ?principal",
                    "a template slot cannot stand in a condition");
    default:
        parse_unfit(p, ADVICE_OPERAND, "an expression", "");
        return NULL;
    }
}

/* ---- member: what follows a primary after . [ ( ---- */

static struct cedar_expr *parse_method(struct parser *p, struct cedar_expr *on,
                                       const struct cedar_token *name)
{
    struct kids k = {0};
    add_kid(p, &k, on);
    take(p);
    if (!parse_list(p, CEDAR_T_RPAREN, &k))
        return NULL;
    const struct method *method = method_find(name->text);
    if (method && k.count != method->args + 1) {
        cedar_diag(p->diags, CEDAR_ERROR, "arguments", span_from(p, name->span.start), "",
                   "`%.*s` takes %zu argument%s, not %zu", STR(name->text), method->args,
                   method->args == 1 ? "" : "s", k.count - 1);
        return NULL;
    }
    if (method)
        return node(p, method->kind, on->span.start, &k);
    int fn = cedar_fn_find(name->text);
    if (fn < 0 || !cedar_fns[fn].is_method)
        return no_method(p, name->span, name->text);
    struct cedar_expr *e = node(p, CEDAR_E_CALL, on->span.start, &k);
    if (e)
        e->fn = (enum cedar_fn)fn;
    return e;
}

static struct cedar_expr *attribute(struct parser *p, struct cedar_expr *on, str name)
{
    struct cedar_expr *e = node1(p, CEDAR_E_ATTR, on->span.start, on);
    if (e)
        e->name = name;
    return e;
}

static struct cedar_expr *parse_dot(struct parser *p, struct cedar_expr *on)
{
    take(p);
    const struct cedar_token *name = look(p, 0);
    if (name->kind != CEDAR_T_IDENT) {
        bool in_number = on->kind == CEDAR_E_LITERAL && on->value.kind == CEDAR_LONG;
        parse_expected(p, "an attribute's name",
                       in_number ? ADVICE_NUMBERS
                                 : "a name with other characters is reached as [\"name\"]");
        return NULL;
    }
    const char *advice = advice_find(ADVICE_MEMBER, name->text);
    if (advice && look(p, 1)->kind == CEDAR_T_LPAREN) {
        cedar_diag(p->diags, CEDAR_ERROR, "reserved-word", name->span, advice,
                   "`%.*s` is an operator, not a method", STR(name->text));
        return NULL;
    }
    if (cedar_is_reserved(name->text)) {
        parse_reserved(p, name);
        return NULL;
    }
    take(p);
    return look_kind(p) == CEDAR_T_LPAREN ? parse_method(p, on, name)
                                          : attribute(p, on, name->text);
}

static struct cedar_expr *parse_index(struct parser *p, struct cedar_expr *on)
{
    str name;
    take(p);
    if (look_kind(p) != CEDAR_T_STRING) {
        parse_expected(p, "an attribute's name in quotes",
                       "only a literal string can be used; sets have no order");
        return NULL;
    }
    if (!parse_string(p, &name) || !parse_token(p, CEDAR_T_RBRACKET, "write it as [\"name\"]"))
        return NULL;
    return attribute(p, on, name);
}

static struct cedar_expr *parse_member(struct parser *p)
{
    struct cedar_expr *e = parse_primary(p);
    while (e) {
        if (look_kind(p) == CEDAR_T_DOT)
            e = parse_dot(p, e);
        else if (look_kind(p) == CEDAR_T_LBRACKET)
            e = parse_index(p, e);
        else if (look_kind(p) == CEDAR_T_LPAREN)
            return fail(p, look(p, 0)->span, "syntax",
                        "calls are written as name(..) or value.name(..)", "this cannot be called");
        else
            break;
    }
    return e;
}

/* ---- unary ---- */

static bool is_bare_number(const struct parser *p)
{
    enum cedar_token_kind next = look(p, 1)->kind;
    return look_kind(p) == CEDAR_T_NUMBER && next != CEDAR_T_DOT && next != CEDAR_T_LBRACKET &&
           next != CEDAR_T_LPAREN;
}

/* The digits after a minus: only so can the least number be written. */
static struct cedar_expr *negative_number(struct parser *p, uint32_t start)
{
    const struct cedar_token *t = look(p, 0);
    size_t zeros = 0;
    while (zeros < t->text.n && t->text.p[zeros] == '0')
        zeros++;
    int64_t v;
    if (str_eq(str_skip(t->text, zeros), S("9223372036854775808"))) {
        v = INT64_MIN;
        take(p);
    } else {
        const struct cedar_expr *e = parse_number(p);
        if (!e)
            return NULL;
        v = -e->value.i;
    }
    return literal(p, start, cedar_long(v));
}

static struct cedar_expr *parse_unary(struct parser *p)
{
    enum { SIGNS_MAX = 4 };
    enum cedar_token_kind sign = look_kind(p);
    uint32_t starts[SIGNS_MAX];
    unsigned count = 0;
    if (sign != CEDAR_T_NOT && sign != CEDAR_T_MINUS)
        return parse_member(p);
    while (look_kind(p) == sign) {
        if (count == SIGNS_MAX)
            return fail(p, look(p, 0)->span, "syntax", "two of them cancel out",
                        "more than four `!` or `-` in a row");
        starts[count++] = take(p)->span.start;
    }
    struct cedar_expr *e;
    if (sign == CEDAR_T_MINUS && is_bare_number(p))
        e = negative_number(p, starts[--count]);
    else
        e = parse_member(p);
    while (e && count > 0)
        e = node1(p, sign == CEDAR_T_NOT ? CEDAR_E_NOT : CEDAR_E_NEG, starts[--count], e);
    return e;
}

/* ---- product, sum ---- */

static struct cedar_expr *parse_product(struct parser *p)
{
    struct cedar_expr *first = parse_unary(p);
    if (!first)
        return NULL;
    struct kids k = {0};
    for (;;) {
        enum cedar_token_kind op = look_kind(p);
        if (op == CEDAR_T_SLASH || op == CEDAR_T_PERCENT)
            return fail(p, look(p, 0)->span, "operator",
                        "compute it before the call and pass it in the context",
                        op == CEDAR_T_SLASH ? "there is no division" : "there is no remainder");
        if (op != CEDAR_T_STAR)
            break;
        take(p);
        if (k.count == 0)
            add_kid(p, &k, first);
        struct cedar_expr *e = parse_unary(p);
        if (!e)
            return NULL;
        add_kid(p, &k, e);
    }
    return k.count ? node(p, CEDAR_E_PRODUCT, first->span.start, &k) : first;
}

static struct cedar_expr *parse_sum(struct parser *p)
{
    uint32_t start = look(p, 0)->span.start;
    struct cedar_expr *e = parse_product(p);
    if (!e || (look_kind(p) != CEDAR_T_PLUS && look_kind(p) != CEDAR_T_MINUS))
        return e;
    struct kids k = {0};
    add_kid(p, &k, e);
    bool *minus = NULL;
    size_t count = 0, cap = 0;
    ARENA_GROW(p->arena, minus, count, cap);
    minus[count++] = false;
    while (look_kind(p) == CEDAR_T_PLUS || look_kind(p) == CEDAR_T_MINUS) {
        ARENA_GROW(p->arena, minus, count, cap);
        minus[count++] = take(p)->kind == CEDAR_T_MINUS;
        e = parse_product(p);
        if (!e)
            return NULL;
        add_kid(p, &k, e);
    }
    e = node(p, CEDAR_E_SUM, start, &k);
    if (e)
        e->minus = minus;
    return e;
}

/* ---- relations ---- */

static struct cedar_expr *parse_has(struct parser *p, uint32_t start, struct cedar_expr *left)
{
    str *names = NULL;
    size_t count = 0, cap = 0;
    take(p);
    ARENA_GROW(p->arena, names, count, cap);
    if (look_kind(p) == CEDAR_T_STRING) {
        if (!parse_string(p, &names[count++]))
            return NULL;
    } else {
        do {
            const struct cedar_token *t = look(p, 0);
            if (t->kind != CEDAR_T_IDENT) {
                parse_expected(p, "an attribute's name",
                               "write it as `x has a`, `x has a.b` or `x has \"a\"`");
                return NULL;
            }
            if (cedar_is_reserved(t->text)) {
                parse_reserved(p, t);
                return NULL;
            }
            if (count == CEDAR_DEPTH_MAX)
                return fail(p, t->span, "too-deep", "", "too many names in a row");
            ARENA_GROW(p->arena, names, count, cap);
            names[count++] = take(p)->text;
        } while (take_if(p, CEDAR_T_DOT));
    }
    struct cedar_expr *e = node1(p, CEDAR_E_HAS, start, left);
    if (e) {
        e->names = names;
        e->name_count = (uint32_t)count;
    }
    return e;
}

static struct cedar_expr *parse_like(struct parser *p, uint32_t start, struct cedar_expr *left)
{
    const struct cedar_pattern *pattern;
    take(p);
    if (look_kind(p) != CEDAR_T_STRING) {
        parse_expected(p, "a pattern in quotes",
                       "a pattern is a literal string; * stands for any text");
        return NULL;
    }
    if (!parse_pattern(p, &pattern))
        return NULL;
    struct cedar_expr *e = node1(p, CEDAR_E_LIKE, start, left);
    if (e)
        e->pattern = pattern;
    return e;
}

static struct cedar_expr *parse_is(struct parser *p, uint32_t start, struct cedar_expr *left)
{
    str type;
    struct cedar_span span;
    struct kids k = {0};
    add_kid(p, &k, left);
    take(p);
    if (look_kind(p) != CEDAR_T_IDENT) {
        parse_expected(p, "an entity type", "write it as `x is Type`, without quotes");
        return NULL;
    }
    if (!parse_path(p, &type, &span))
        return NULL;
    if (look_word(p, S("in"))) {
        take(p);
        struct cedar_expr *in = parse_sum(p);
        if (!in)
            return NULL;
        add_kid(p, &k, in);
    }
    struct cedar_expr *e = node(p, CEDAR_E_IS, start, &k);
    if (e)
        e->name = type;
    return e;
}

static bool comparison(const struct parser *p, enum cedar_expr_kind *out)
{
    static const struct {
        enum cedar_token_kind token;
        enum cedar_expr_kind kind;
    } ops[] = {
        {CEDAR_T_EQ, CEDAR_E_EQ}, {CEDAR_T_NE, CEDAR_E_NE}, {CEDAR_T_LT, CEDAR_E_LT},
        {CEDAR_T_LE, CEDAR_E_LE}, {CEDAR_T_GT, CEDAR_E_GT}, {CEDAR_T_GE, CEDAR_E_GE},
    };
    if (look_word(p, S("in"))) {
        *out = CEDAR_E_IN;
        return true;
    }
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (look_kind(p) == ops[i].token) {
            *out = ops[i].kind;
            return true;
        }
    }
    return false;
}

static struct cedar_expr *parse_relation(struct parser *p)
{
    uint32_t start = look(p, 0)->span.start;
    enum cedar_expr_kind kind;
    struct cedar_expr *e = parse_sum(p);
    if (!e)
        return NULL;
    if (look_word(p, S("has"))) {
        e = parse_has(p, start, e);
    } else if (look_word(p, S("like"))) {
        e = parse_like(p, start, e);
    } else if (look_word(p, S("is"))) {
        e = parse_is(p, start, e);
    } else if (comparison(p, &kind)) {
        take(p);
        struct cedar_expr *right = parse_sum(p);
        e = right ? node2(p, kind, start, e, right) : NULL;
    } else if (look_kind(p) == CEDAR_T_ASSIGN) {
        enum cedar_token_kind next = look(p, 1)->kind;
        return fail(p, look(p, 0)->span, "operator",
                    next == CEDAR_T_GT   ? "write >= to compare; for `a implies b` write !a || b"
                    : next == CEDAR_T_LT ? "write <= to compare"
                                         : "write == to compare",
                    "there is no operator `=`");
    }
    if (e && (comparison(p, &kind) || look_word(p, S("has")) || look_word(p, S("like")) ||
              look_word(p, S("is"))))
        return fail(p, look(p, 0)->span, "operator", "put the first comparison in parentheses",
                    "comparisons cannot be chained");
    return e;
}

/* ---- and, or, if ---- */

static struct cedar_expr *parse_chain(struct parser *p, enum cedar_token_kind op,
                                      enum cedar_expr_kind kind,
                                      struct cedar_expr *(*part)(struct parser *p))
{
    uint32_t start = look(p, 0)->span.start;
    struct cedar_expr *e = part(p);
    if (!e || look_kind(p) != op)
        return e;
    struct kids k = {0};
    add_kid(p, &k, e);
    while (take_if(p, op)) {
        e = part(p);
        if (!e)
            return NULL;
        add_kid(p, &k, e);
    }
    return node(p, kind, start, &k);
}

static struct cedar_expr *parse_and(struct parser *p)
{
    return parse_chain(p, CEDAR_T_AND, CEDAR_E_AND, parse_relation);
}

static bool parse_keyword(struct parser *p, str word, const char *quoted)
{
    if (!look_word(p, word))
        return parse_expected(p, quoted, "write it as: if a then b else c");
    take(p);
    return true;
}

static struct cedar_expr *parse_if(struct parser *p)
{
    uint32_t start = take(p)->span.start;
    struct kids k = {0};
    struct cedar_expr *e = parse_expr(p);
    if (!e || !parse_keyword(p, S("then"), "`then`"))
        return NULL;
    add_kid(p, &k, e);
    e = parse_expr(p);
    if (!e || !parse_keyword(p, S("else"), "`else`"))
        return NULL;
    add_kid(p, &k, e);
    e = parse_expr(p);
    if (!e)
        return NULL;
    add_kid(p, &k, e);
    return node(p, CEDAR_E_IF, start, &k);
}

struct cedar_expr *parse_expr(struct parser *p)
{
    if (p->nesting >= CEDAR_DEPTH_MAX)
        return fail(p, look(p, 0)->span, "too-deep",
                    "split the condition over several when clauses",
                    "this expression nests too deeply");
    p->nesting++;
    struct cedar_expr *e =
        look_word(p, S("if")) ? parse_if(p) : parse_chain(p, CEDAR_T_OR, CEDAR_E_OR, parse_and);
    p->nesting--;
    return e;
}

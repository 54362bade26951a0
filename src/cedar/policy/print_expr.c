/* Expressions as text. Every kind has a level of precedence; what stands below the level that its
 * place asks for is put in parentheses. */
#include "cedar/policy/print.h"

enum level {
    ANYTHING, /* if */
    OR,
    AND,
    RELATION,
    SUM,
    PRODUCT,
    UNARY,
    MEMBER,
};

static const struct form {
    uint8_t level;
    uint8_t kid_level;
    const char *sign; /* between two operands, or the method's name */
} forms[] = {
    [CEDAR_E_LITERAL] = {MEMBER, 0, NULL},
    [CEDAR_E_VAR] = {MEMBER, 0, NULL},
    [CEDAR_E_IF] = {ANYTHING, ANYTHING, NULL},
    [CEDAR_E_AND] = {AND, RELATION, " && "},
    [CEDAR_E_OR] = {OR, AND, " || "},
    [CEDAR_E_NOT] = {UNARY, MEMBER, "!"},
    [CEDAR_E_NEG] = {UNARY, MEMBER, "-"},
    [CEDAR_E_EQ] = {RELATION, SUM, " == "},
    [CEDAR_E_NE] = {RELATION, SUM, " != "},
    [CEDAR_E_LT] = {RELATION, SUM, " < "},
    [CEDAR_E_LE] = {RELATION, SUM, " <= "},
    [CEDAR_E_GT] = {RELATION, SUM, " > "},
    [CEDAR_E_GE] = {RELATION, SUM, " >= "},
    [CEDAR_E_IN] = {RELATION, SUM, " in "},
    [CEDAR_E_SUM] = {SUM, PRODUCT, " + "},
    [CEDAR_E_PRODUCT] = {PRODUCT, UNARY, " * "},
    [CEDAR_E_HAS] = {RELATION, SUM, NULL},
    [CEDAR_E_LIKE] = {RELATION, SUM, NULL},
    [CEDAR_E_IS] = {RELATION, SUM, NULL},
    [CEDAR_E_ATTR] = {MEMBER, MEMBER, NULL},
    [CEDAR_E_CONTAINS] = {MEMBER, MEMBER, "contains"},
    [CEDAR_E_CONTAINS_ALL] = {MEMBER, MEMBER, "containsAll"},
    [CEDAR_E_CONTAINS_ANY] = {MEMBER, MEMBER, "containsAny"},
    [CEDAR_E_IS_EMPTY] = {MEMBER, MEMBER, "isEmpty"},
    [CEDAR_E_HAS_TAG] = {MEMBER, MEMBER, "hasTag"},
    [CEDAR_E_GET_TAG] = {MEMBER, MEMBER, "getTag"},
    [CEDAR_E_SET] = {MEMBER, ANYTHING, NULL},
    [CEDAR_E_RECORD] = {MEMBER, ANYTHING, NULL},
    [CEDAR_E_CALL] = {MEMBER, MEMBER, NULL},
    [CEDAR_E_ERROR] = {MEMBER, 0, NULL},
};

static bool print_at(struct buf *out, const struct cedar_expr *e, enum level least,
                     struct err *err);

static bool is_bare_name(str name)
{
    return cedar_is_ident(name) && !cedar_is_reserved(name);
}

static void print_name(struct buf *out, str name)
{
    if (is_bare_name(name))
        buf_put(out, name);
    else
        cedar_quote(out, name);
}

/* ---- has ---- */

static bool all_bare(const struct cedar_expr *e)
{
    for (uint32_t i = 0; i < e->name_count; i++) {
        if (!is_bare_name(e->names[i]))
            return false;
    }
    return true;
}

/* `x has a.b` is written so only where all names are identifiers. */
static bool is_spelled_out(const struct cedar_expr *e)
{
    return e->kind == CEDAR_E_HAS && e->name_count > 1 && !all_bare(e);
}

static void print_access(struct buf *out, str name)
{
    if (is_bare_name(name)) {
        buf_putc(out, '.');
        buf_put(out, name);
        return;
    }
    buf_putc(out, '[');
    cedar_quote(out, name);
    buf_putc(out, ']');
}

static bool print_spelled_out(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    for (uint32_t i = 0; i < e->name_count; i++) {
        if (i)
            buf_put(out, S(" && "));
        if (!print_at(out, e->kids[0], i ? MEMBER : SUM, err))
            return false;
        for (uint32_t j = 0; j < i; j++)
            print_access(out, e->names[j]);
        buf_put(out, S(" has "));
        print_name(out, e->names[i]);
    }
    return true;
}

static bool print_has(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    if (is_spelled_out(e))
        return print_spelled_out(out, e, err);
    if (!print_at(out, e->kids[0], SUM, err))
        return false;
    buf_put(out, S(" has "));
    for (uint32_t i = 0; i < e->name_count; i++) {
        if (i)
            buf_putc(out, '.');
        print_name(out, e->names[i]);
    }
    return true;
}

/* ---- the other kinds ---- */

static bool print_if(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    static const str words[] = {S("if "), S(" then "), S(" else ")};
    for (uint32_t i = 0; i < 3; i++) {
        buf_put(out, words[i]);
        if (!print_at(out, e->kids[i], ANYTHING, err))
            return false;
    }
    return true;
}

static bool print_operators(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    for (uint32_t i = 0; i < e->kid_count; i++) {
        if (i)
            buf_put(out,
                    e->kind == CEDAR_E_SUM && e->minus[i] ? S(" - ") : str_z(forms[e->kind].sign));
        if (!print_at(out, e->kids[i], forms[e->kind].kid_level, err))
            return false;
    }
    return true;
}

/* Up to four of the same sign may stand in a row. A number after a minus gets parentheses, or it
 * would become a negative number. */
static bool print_sign(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    enum { SIGNS_MAX = 4 };
    const struct cedar_expr *inner = e;
    unsigned signs = 0;
    for (; inner->kind == e->kind && signs < SIGNS_MAX; signs++) {
        buf_put(out, str_z(forms[e->kind].sign));
        inner = inner->kids[0];
    }
    bool number = e->kind == CEDAR_E_NEG && inner->kind == CEDAR_E_LITERAL &&
                  inner->value.kind == CEDAR_LONG && inner->value.i >= 0;
    if (!number)
        return print_at(out, inner, MEMBER, err);
    buf_printf(out, "(%lld)", (long long)inner->value.i);
    return true;
}

/* Kids from..., separated by commas. */
static bool print_list(struct buf *out, const struct cedar_expr *e, uint32_t from, const char *ends,
                       struct err *err)
{
    buf_putc(out, ends[0]);
    for (uint32_t i = from; i < e->kid_count; i++) {
        if (i > from)
            buf_put(out, S(", "));
        if (e->kind == CEDAR_E_RECORD) {
            print_name(out, e->names[i]);
            buf_put(out, S(": "));
        }
        if (!print_at(out, e->kids[i], ANYTHING, err))
            return false;
    }
    buf_putc(out, ends[1]);
    return true;
}

static bool print_method(struct buf *out, const struct cedar_expr *e, const char *name,
                         struct err *err)
{
    if (e->kid_count == 0)
        return err_input(err, "`%s` without a receiver cannot be written as Cedar text", name);
    if (!print_at(out, e->kids[0], MEMBER, err))
        return false;
    buf_putc(out, '.');
    buf_put(out, str_z(name));
    return print_list(out, e, 1, "()", err);
}

static bool print_call(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    const struct cedar_fn_info *fn = &cedar_fns[e->fn];
    if (fn->is_method)
        return print_method(out, e, fn->name, err);
    buf_put(out, str_z(fn->name));
    return print_list(out, e, 0, "()", err);
}

static bool print_test(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    if (!print_at(out, e->kids[0], SUM, err))
        return false;
    if (e->kind == CEDAR_E_LIKE) {
        buf_put(out, S(" like "));
        cedar_quote_pattern(out, e->pattern);
        return true;
    }
    buf_put(out, S(" is "));
    buf_put(out, e->name);
    if (e->kid_count == 1)
        return true;
    buf_put(out, S(" in "));
    return print_at(out, e->kids[1], SUM, err);
}

static bool print_bare(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    switch (e->kind) {
    case CEDAR_E_LITERAL:
        cedar_value_print(out, &e->value);
        return true;
    case CEDAR_E_VAR:
        buf_put(out, str_z(cedar_var_names[e->var]));
        return true;
    case CEDAR_E_IF:
        return print_if(out, e, err);
    case CEDAR_E_NOT:
    case CEDAR_E_NEG:
        return print_sign(out, e, err);
    case CEDAR_E_HAS:
        return print_has(out, e, err);
    case CEDAR_E_LIKE:
    case CEDAR_E_IS:
        return print_test(out, e, err);
    case CEDAR_E_ATTR:
        if (!print_at(out, e->kids[0], MEMBER, err))
            return false;
        print_access(out, e->name);
        return true;
    case CEDAR_E_SET:
        return print_list(out, e, 0, "[]", err);
    case CEDAR_E_RECORD:
        return print_list(out, e, 0, "{}", err);
    case CEDAR_E_CALL:
        return print_call(out, e, err);
    case CEDAR_E_ERROR:
        buf_put(out, S("error()"));
        return true;
    default:
        if (forms[e->kind].level == MEMBER)
            return print_method(out, e, forms[e->kind].sign, err);
        return print_operators(out, e, err);
    }
}

static enum level level_of(const struct cedar_expr *e)
{
    if (e->kind == CEDAR_E_LITERAL && e->value.kind == CEDAR_LONG && e->value.i < 0)
        return UNARY;
    return is_spelled_out(e) ? AND : (enum level)forms[e->kind].level;
}

static bool print_at(struct buf *out, const struct cedar_expr *e, enum level least, struct err *err)
{
    if (out->over) /* what is spelled out repeats itself, so the work must end here too */
        return err_limit(err, "the text grows too long");
    if (level_of(e) >= least)
        return print_bare(out, e, err);
    buf_putc(out, '(');
    if (!print_bare(out, e, err))
        return false;
    buf_putc(out, ')');
    return true;
}

bool cedar_expr_print(struct buf *out, const struct cedar_expr *e, struct err *err)
{
    size_t before = buf_len(out);
    if (print_at(out, e, ANYTHING, err) && !out->over)
        return true;
    if (out->over)
        err_limit(err, "the text grows too long");
    buf_truncate(out, before);
    return false;
}

/* Extension functions: their number of arguments, their types, and that constructors get literal
 * texts which they can read. */
#include "cedar/check/check.h"

static const struct {
    enum cedar_kind kind;
    const struct ctype *type;
    const char *text;
} kinds[] = {{CEDAR_BOOL, &ctype_bool, "a Bool"},
             {CEDAR_LONG, &ctype_long, "a Long"},
             {CEDAR_STRING, &ctype_string, "a String"},
             {CEDAR_DECIMAL, &ctype_exts[CTYPE_DECIMAL], "a decimal"},
             {CEDAR_IPADDR, &ctype_exts[CTYPE_IPADDR], "an ipaddr"},
             {CEDAR_DATETIME, &ctype_exts[CTYPE_DATETIME], "a datetime"},
             {CEDAR_DURATION, &ctype_exts[CTYPE_DURATION], "a duration"}};

static size_t kind_index(uint8_t kind)
{
    size_t i = 0;
    while (kinds[i].kind != (enum cedar_kind)kind)
        i++;
    return i;
}

static bool makes_from_text(enum cedar_fn fn)
{
    return fn == CEDAR_FN_DECIMAL || fn == CEDAR_FN_IP || fn == CEDAR_FN_DATETIME ||
           fn == CEDAR_FN_DURATION;
}

static bool right_count(struct checker *c, const struct cedar_expr *e)
{
    const struct cedar_fn_info *fn = &cedar_fns[e->fn];
    if (e->kid_count == fn->arity)
        return true;
    unsigned own = fn->is_method ? 1 : 0; /* the receiver is not counted by who writes it */
    check_report(c, FIND_ARGUMENT_COUNT, e->span, "%s takes %u argument%s, not %u", fn->name,
                 fn->arity - own, fn->arity - own == 1 ? "" : "s",
                 e->kid_count > own ? e->kid_count - own : 0);
    return false;
}

static bool readable(struct checker *c, const struct cedar_expr *e)
{
    if (!makes_from_text(e->fn) || e->kid_count != 1)
        return true;
    const struct cedar_expr *arg = e->kids[0];
    struct cedar_value out;
    struct err err;
    if (arg->kind != CEDAR_E_LITERAL || arg->value.kind != CEDAR_STRING ||
        cedar_fn_call(&c->scratch, e->fn, &arg->value, 1, &out, &err))
        return true;
    check_report(c, FIND_ARGUMENT_VALUE, arg->span, "%s cannot read this: %s",
                 cedar_fns[e->fn].name, err.text);
    return false;
}

static bool literal_arguments(struct checker *c, const struct cedar_expr *e)
{
    if (c->mode != CTYPE_STRICT || !makes_from_text(e->fn))
        return true;
    for (uint32_t i = 0; i < e->kid_count; i++) {
        if (e->kids[i]->kind == CEDAR_E_LITERAL)
            continue;
        check_report(c, FIND_ARGUMENT_NOT_LITERAL, e->kids[i]->span, "%s needs a literal text here",
                     cedar_fns[e->fn].name);
        return false;
    }
    return true;
}

struct answer check_call(struct checker *c, const struct caps *prior, const struct cedar_expr *e)
{
    const struct cedar_fn_info *fn = &cedar_fns[e->fn];
    bool ok = right_count(c, e);
    ok = readable(c, e) && ok;
    ok = literal_arguments(c, e) && ok;
    bool typed = ok;
    for (uint32_t i = 0; i < e->kid_count; i++) {
        if (!typed) {
            (void)check(c, prior, e->kids[i]); /* for what is wrong inside it */
            continue;
        }
        size_t k = kind_index(fn->args[i]);
        struct expectation want = {{kinds[k].type}, kinds[k].text};
        ok = check_as(c, prior, e->kids[i], &want).ok && ok;
    }
    return answer_after(answer_ok(kinds[kind_index(fn->result)].type), ok);
}

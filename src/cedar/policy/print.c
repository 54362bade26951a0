#include "cedar/policy/print.h"

static void print_uid(struct buf *out, const struct cedar_uid_at *at)
{
    cedar_uid_print(out, &at->uid);
}

/* The uid, or the slot in its place. */
static void print_target(struct buf *out, const struct cedar_scope *s)
{
    static const str slots[] = {
        [CEDAR_SLOT_PRINCIPAL] = S("?principal"),
        [CEDAR_SLOT_RESOURCE] = S("?resource"),
    };
    if (s->slot)
        buf_put(out, slots[s->slot]);
    else
        print_uid(out, &s->uids[0]);
}

static void print_uids(struct buf *out, const struct cedar_scope *s)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < s->uid_count; i++) {
        if (i)
            buf_put(out, S(", "));
        print_uid(out, &s->uids[i]);
    }
    buf_putc(out, ']');
}

static void print_scope(struct buf *out, enum cedar_var var, const struct cedar_scope *s)
{
    buf_put(out, str_z(cedar_var_names[var]));
    if (s->op == CEDAR_SCOPE_IS || s->op == CEDAR_SCOPE_IS_IN) {
        buf_put(out, S(" is "));
        buf_put(out, s->type);
    }
    if (s->op == CEDAR_SCOPE_EQ)
        buf_put(out, S(" == "));
    else if (s->op != CEDAR_SCOPE_ANY && s->op != CEDAR_SCOPE_IS)
        buf_put(out, S(" in "));
    if (s->op == CEDAR_SCOPE_IN_SET)
        print_uids(out, s);
    else if (s->op != CEDAR_SCOPE_ANY && s->op != CEDAR_SCOPE_IS)
        print_target(out, s);
}

static void print_annotation(struct buf *out, const struct cedar_annotation *note)
{
    buf_putc(out, '@');
    buf_put(out, note->name);
    if (note->has_value) {
        buf_putc(out, '(');
        cedar_quote(out, note->value);
        buf_putc(out, ')');
    }
    buf_putc(out, '\n');
}

static bool print_policy(struct buf *out, const struct cedar_policy *p, struct err *err)
{
    for (size_t i = 0; i < p->annotation_count; i++)
        print_annotation(out, &p->annotations[i]);
    buf_put(out, p->effect == CEDAR_PERMIT ? S("permit(") : S("forbid("));
    for (enum cedar_var var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        if (var)
            buf_put(out, S(", "));
        print_scope(out, var, &p->scope[var]);
    }
    buf_putc(out, ')');
    for (size_t i = 0; i < p->condition_count; i++) {
        buf_put(out, p->conditions[i].unless ? S("\nunless { ") : S("\nwhen { "));
        if (!cedar_expr_print(out, p->conditions[i].body, err))
            return err_in(err, "policy `%.*s`", STR(p->id));
        buf_put(out, S(" }"));
    }
    buf_put(out, S(";\n"));
    return out->over ? err_limit(err, "the text grows too long") : true;
}

static bool print_policies(struct buf *out, const struct cedar_policies *list, struct err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct cedar_policy *p = &list->items[i];
        if (cedar_policy_is_link(p))
            return err_input(err, "`%.*s` is linked from a template, which Cedar text cannot say",
                             STR(p->id));
        if (i)
            buf_putc(out, '\n');
        if (!print_policy(out, p, err))
            return false;
    }
    return true;
}

bool cedar_policy_print(struct buf *out, const struct cedar_policy *p, struct err *err)
{
    size_t before = buf_len(out);
    if (print_policy(out, p, err))
        return true;
    buf_truncate(out, before);
    return false;
}

bool cedar_policies_print(struct buf *out, const struct cedar_policies *list, struct err *err)
{
    size_t before = buf_len(out);
    if (print_policies(out, list, err))
        return true;
    buf_truncate(out, before);
    return false;
}

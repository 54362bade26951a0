/* `ambit cedar validate` and `check-parse`. */
#include "cedar/policy/parse.h"
#include "cmd/cedar.h"

/* ---- validate ---- */

static void put_findings(struct work *w, const struct calls_findings *all)
{
    for (size_t i = 0; i < all->count; i++) {
        for (size_t j = 0; j < all->items[i]->count; j++) {
            const struct cedar_diag *one = &all->items[i]->items[j];
            struct calls_note note = calls_note_of(all->items[i], one);
            note.text = str_fmt(w->call.a, "policy `%.*s`: %.*s", STR(one->policy), STR(one->text));
            work_put_note(w, &w->out, &note);
        }
    }
}

static int check(struct work *w, const struct schema *schema, const struct calls_policies *set,
                 const struct validate_options *how)
{
    struct calls_findings all = calls_check_policies(&w->call, schema, set, how);
    bool deny_warnings = args_has(&w->cli->args, "deny-warnings");
    bool passed = all.passed && (!deny_warnings || all.warnings == 0);
    put_findings(w, &all);
    buf_printf(&w->out, "%s: %zu polic%s", passed ? "valid" : "not valid", set->all.count,
               set->all.count == 1 ? "y" : "ies");
    if (all.warnings)
        buf_printf(&w->out, ", %zu warning%s", all.warnings, all.warnings == 1 ? "" : "s");
    buf_putc(&w->out, '\n');
    return passed ? 0 : EXIT_INVALID;
}

static bool read_level(struct work *w, struct validate_options *how)
{
    uint64_t level;
    how->has_level = args_has(&w->cli->args, "level");
    if (!how->has_level)
        return true;
    if (!str_to_u64(args_get(&w->cli->args, "level"), &level) || level > UINT32_MAX)
        return false;
    how->level = (uint32_t)level;
    return true;
}

int cedar_validate_verb(struct cli *c)
{
    static const char *const modes[] = {"strict", "permissive", "partial", NULL};
    struct work w;
    struct calls_policies set;
    struct validate_options how = {0};
    const struct schema *schema;
    size_t mode;
    work_begin(&w, c);
    if (!args_has(&c->args, "schema"))
        return cli_usage(c, "--schema FILE is missing");
    if (!read_level(&w, &how))
        return cli_usage(c, "--level must be a number");
    if (!work_choice(&w, "validation-mode", modes, &mode) || !work_policies(&w, false, &set) ||
        !work_schema(&w, &schema))
        return work_end(&w, EXIT_FAILED);
    if (mode == 2) {
        calls_fail(&w.call, "--validation-mode partial is not offered: give a whole schema");
        return work_end(&w, EXIT_FAILED);
    }
    how.mode = mode ? VALIDATE_PERMISSIVE : VALIDATE_STRICT;
    return work_end(&w, check(&w, schema, &set, &how));
}

/* ---- check-parse ---- */

static void parse_expression(struct work *w)
{
    str text = args_get(&w->cli->args, "expression");
    struct cedar_diags *d = ARENA_NEW(w->call.a, struct cedar_diags);
    if (!args_has(&w->cli->args, "expression") || cedar_expr_parse(w->call.a, text, d))
        return;
    d->name = S("expression");
    calls_fail_diags(&w->call, S("not readable"), d);
}

int cedar_check_parse_verb(struct cli *c)
{
    static const char *const what[] = {"policies", "schema", "entities", "expression"};
    struct work w;
    struct calls_policies set;
    const struct schema *schema;
    struct cedar_entities entities;
    bool any = false;
    for (size_t i = 0; i < sizeof what / sizeof what[0]; i++)
        any = any || args_has(&c->args, what[i]);
    work_begin(&w, c);
    if (!any || args_has(&c->args, "policies"))
        (void)!work_policies(&w, false, &set);
    parse_expression(&w);
    if (work_schema(&w, &schema))
        (void)!work_entities(&w, schema, &entities);
    return work_end(&w, 0);
}

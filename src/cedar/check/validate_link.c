#include "cedar/check/validate_link.h"

/* The findings about the scope alone; of them only that nothing applies is about the values. */
static bool some_action_applies(const struct schema *s, const struct cedar_policy *link,
                                struct cedar_diags *d)
{
    struct cedar_diags own;
    struct cedar_policy scope = *link;
    const char *code = finding_infos[FIND_NO_APPLICABLE_ACTION].code;
    scope.condition_count = 0;
    cedar_diags_init(&own, d->arena, d->name, d->source);
    if (validate_policy(s, &scope, NULL, &own))
        return true;
    for (size_t i = 0; i < own.count; i++) {
        if (own.items[i].code != code)
            continue;
        struct cedar_diag *one =
            finding_add(d, FIND_NO_APPLICABLE_ACTION, link->span, "%.*s", STR(own.items[i].text));
        if (one) {
            one->policy = link->id;
            one->help = own.items[i].help;
        }
        return false;
    }
    return true;
}

static bool slot_type_is_known(const struct schema *s, const struct cedar_policy *tmpl,
                               const struct cedar_policy *link, enum cedar_var var,
                               struct cedar_diags *d)
{
    const struct cedar_scope *scope = &link->scope[var];
    if (tmpl->scope[var].slot == CEDAR_SLOT_NONE || scope->uid_count == 0)
        return true;
    str type = scope->uids[0].uid.type;
    if (schema_is_action_type(type) || schema_etype(s, type))
        return true;
    struct cedar_diag *one =
        finding_add(d, FIND_UNKNOWN_ENTITY_TYPE, scope->span,
                    "the schema has no entity type `%.*s`, with which ?%s is filled",
                    STR(str_take(type, 120)), cedar_var_names[var]);
    if (one)
        one->policy = link->id;
    return false;
}

bool validate_link(const struct schema *s, const struct cedar_policy *tmpl,
                   const struct cedar_policy *link, struct cedar_diags *d)
{
    bool ok = slot_type_is_known(s, tmpl, link, CEDAR_PRINCIPAL, d);
    ok = slot_type_is_known(s, tmpl, link, CEDAR_RESOURCE, d) && ok;
    return some_action_applies(s, link, d) && ok;
}

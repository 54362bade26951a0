/* The head of a policy: (principal ..., action ..., resource ...). */
#include "cedar/policy/parser.h"

static bool scope_error(struct parser *p, struct cedar_span span, const char *help,
                        const char *text)
{
    cedar_diag(p->diags, CEDAR_ERROR, "scope", span, help, "%s", text);
    return false;
}

static bool is_action_type(str type)
{
    return str_eq(cedar_name_base(type), S("Action"));
}

static bool take_slot(struct parser *p, enum cedar_var var, struct cedar_scope *scope)
{
    const struct cedar_token *t = take(p);
    if (var == CEDAR_ACTION)
        return scope_error(p, t->span, "name the action, as Action::\"id\"",
                           "the action of a template cannot be left open");
    if (!str_eq(t->text, str_z(cedar_var_names[var])))
        return scope_error(p, t->span,
                           "use ?principal for the principal, ?resource for the resource",
                           "this slot does not belong here");
    scope->slot = var == CEDAR_PRINCIPAL ? CEDAR_SLOT_PRINCIPAL : CEDAR_SLOT_RESOURCE;
    return true;
}

static bool take_uid(struct parser *p, enum cedar_var var, struct cedar_uid_at *out)
{
    uint32_t start = look(p, 0)->span.start;
    struct cedar_span span;
    if (look_kind(p) != CEDAR_T_IDENT || look(p, 1)->kind != CEDAR_T_PATH)
        return parse_unfit(p, ADVICE_ENTITY, "an entity",
                           look_kind(p) == CEDAR_T_STRING ? "put its type in front: Type::\"id\""
                                                          : "an entity is written as Type::\"id\"");
    if (!parse_path(p, &out->uid.type, &span))
        return false;
    if (look_kind(p) != CEDAR_T_PATH) {
        str id = cedar_name_base(out->uid.type);
        str type = str_take(out->uid.type, out->uid.type.n - id.n);
        str help = str_fmt(p->arena, "put the id in quotes: %.*s\"%.*s\"", STR(type), STR(id));
        cedar_diag(p->diags, CEDAR_ERROR, "syntax", span, help.p,
                   "expected an entity, found the type `%.*s`", STR(out->uid.type));
        return false;
    }
    if (!parse_entity_id(p, &out->uid.id))
        return false;
    out->span = span_from(p, start);
    if (var == CEDAR_ACTION && !is_action_type(out->uid.type))
        return scope_error(p, out->span, "an action is written as Action::\"id\"",
                           "an action's type must be Action, or end in ::Action");
    return true;
}

static bool take_uid_list(struct parser *p, enum cedar_var var, struct cedar_scope *scope)
{
    size_t cap = 0;
    take(p);
    while (!take_if(p, CEDAR_T_RBRACKET)) {
        ARENA_GROW(p->arena, scope->uids, scope->uid_count, cap);
        unsigned parens = 0;
        while (take_if(p, CEDAR_T_LPAREN))
            parens++;
        if (!take_uid(p, var, &scope->uids[scope->uid_count]))
            return false;
        for (; parens > 0; parens--) {
            if (!parse_token(p, CEDAR_T_RPAREN, "close the parenthesis"))
                return false;
        }
        scope->uid_count++;
        if (look_kind(p) != CEDAR_T_RBRACKET &&
            !parse_token(p, CEDAR_T_COMMA, "separate the entities with commas"))
            return false;
    }
    return true;
}

/* What stands right of == or in. */
static bool parse_target(struct parser *p, enum cedar_var var, struct cedar_scope *scope)
{
    unsigned parens = 0;
    while (take_if(p, CEDAR_T_LPAREN))
        parens++;
    if (look_kind(p) == CEDAR_T_LBRACKET) {
        if (var != CEDAR_ACTION || scope->op != CEDAR_SCOPE_IN)
            return scope_error(p, look(p, 0)->span,
                               "only `action in [..]` takes a list; write one policy for each, or "
                               "use a condition",
                               "expected one entity, found a list");
        scope->op = CEDAR_SCOPE_IN_SET;
        if (!take_uid_list(p, var, scope))
            return false;
    } else if (look_kind(p) == CEDAR_T_SLOT) {
        if (!take_slot(p, var, scope))
            return false;
    } else {
        scope->uids = ARENA_NEW(p->arena, struct cedar_uid_at);
        scope->uid_count = 1;
        if (!take_uid(p, var, scope->uids))
            return false;
    }
    for (; parens > 0; parens--) {
        if (!parse_token(p, CEDAR_T_RPAREN,
                         var == CEDAR_ACTION
                             ? "a list of actions is written as [Action::\"a\", Action::\"b\"]"
                             : "close the parenthesis"))
            return false;
    }
    return true;
}

static bool parse_is(struct parser *p, enum cedar_var var, struct cedar_scope *scope)
{
    const struct cedar_token *word = take(p);
    if (var == CEDAR_ACTION)
        return scope_error(p, word->span, "use action == or action in",
                           "`is` cannot test the action");
    scope->op = CEDAR_SCOPE_IS;
    if (look_kind(p) != CEDAR_T_IDENT)
        return parse_unfit(p, ADVICE_TYPE, "an entity type",
                           "write it as `is Type`, without quotes");
    if (!parse_path(p, &scope->type, &scope->type_span))
        return false;
    if (look_kind(p) == CEDAR_T_EQ)
        return scope_error(p, look(p, 0)->span, "`== Type::\"id\"` alone says the type already",
                           "`is` and `==` cannot be used together");
    if (!look_word(p, S("in")))
        return true;
    take(p);
    scope->op = CEDAR_SCOPE_IS_IN;
    return parse_target(p, var, scope);
}

static bool parse_scope(struct parser *p, enum cedar_var var, struct cedar_scope *scope)
{
    static const char *const quoted[] = {"`principal`", "`action`", "`resource`"};
    const struct cedar_token *word = look(p, 0);
    if (word->kind != CEDAR_T_IDENT || !str_eq(word->text, str_z(cedar_var_names[var]))) {
        return parse_expected(p, quoted[var],
                              "the scope is written as (principal, action, resource)");
    }
    take(p);
    bool ok = true;
    if (look_kind(p) == CEDAR_T_COLON)
        return scope_error(p, look(p, 0)->span, "use `is`, as in: principal is User",
                           "a type cannot be given with `:`");
    if (look_word(p, S("is"))) {
        ok = parse_is(p, var, scope);
    } else if (look_word(p, S("in"))) {
        take(p);
        scope->op = CEDAR_SCOPE_IN;
        ok = parse_target(p, var, scope);
    } else if (take_if(p, CEDAR_T_EQ)) {
        scope->op = CEDAR_SCOPE_EQ;
        ok = parse_target(p, var, scope);
    }
    if (!ok)
        return false;
    scope->span = span_from(p, word->span.start);
    return true;
}

bool parse_scopes(struct parser *p, struct cedar_policy *policy)
{
    static const char *const help =
        "the scope takes `is`, `==` and `in` only; anything else belongs in when { ... }";
    if (!parse_token(p, CEDAR_T_LPAREN, "the scope is written as (principal, action, resource)"))
        return false;
    for (enum cedar_var var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        if (!parse_scope(p, var, &policy->scope[var]))
            return false;
        policy->is_template |= policy->scope[var].slot != CEDAR_SLOT_NONE;
        bool comma = take_if(p, CEDAR_T_COMMA);
        if (!comma && var < CEDAR_RESOURCE)
            return parse_unfit(p, ADVICE_SCOPE, "`,`", help);
    }
    if (!take_if(p, CEDAR_T_RPAREN))
        return parse_unfit(p, ADVICE_SCOPE, "`)`", help);
    return true;
}

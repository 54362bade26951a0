/* parser: the cursor over tokens that policy and expression parsing share. Internal to this folder.
 *
 * A function that returns false or NULL has reported why; its caller gives up the policy, and
 * parsing goes on after the next semicolon. */
#pragma once
#include "cedar/policy/advice.h"
#include "cedar/policy/ast.h"

struct parser {
    struct arena *arena;
    struct cedar_tokens tokens;
    size_t at;
    unsigned nesting;
    struct cedar_diags *diags;
    uint32_t last_end; /* of the token before this one */
};

static inline const struct cedar_token *look(const struct parser *p, size_t ahead)
{
    size_t i = p->at + ahead;
    return &p->tokens.items[i < p->tokens.count ? i : p->tokens.count - 1];
}
static inline enum cedar_token_kind look_kind(const struct parser *p)
{
    return look(p, 0)->kind;
}
static inline bool look_word(const struct parser *p, str word)
{
    return look_kind(p) == CEDAR_T_IDENT && str_eq(look(p, 0)->text, word);
}
static inline const struct cedar_token *take(struct parser *p)
{
    const struct cedar_token *t = look(p, 0);
    p->last_end = t->span.end;
    if (t->kind != CEDAR_T_END)
        p->at++;
    return t;
}
static inline bool take_if(struct parser *p, enum cedar_token_kind kind)
{
    if (look_kind(p) != kind)
        return false;
    take(p);
    return true;
}
static inline struct cedar_span span_from(const struct parser *p, uint32_t start)
{
    return (struct cedar_span){start, p->last_end};
}

/* Reports "expected X, found Y" at the present token. Returns false. */
bool parse_expected(struct parser *p, const char *what, const char *help);
/* The same, with the advice for what was found at this place; help where there is none. */
bool parse_unfit(struct parser *p, enum advice_place place, const char *what, const char *help);
MUST_USE bool parse_token(struct parser *p, enum cedar_token_kind kind, const char *help);
/* The same behind an expression that should have gone on with an operator, or ended. */
bool parse_operator(struct parser *p, const char *what);
/* A string token, unescaped. */
MUST_USE bool parse_string(struct parser *p, str *out);
/* Reports a reserved word used as a name. */
bool parse_reserved(struct parser *p, const struct cedar_token *word);
/* A::B::C; stops before a :: that a string or brace follows. */
MUST_USE bool parse_path(struct parser *p, str *out, struct cedar_span *span);
/* The :: "id" that follows a path. */
MUST_USE bool parse_entity_id(struct parser *p, str *out);

struct cedar_expr *parse_expr(struct parser *p);

/* ( principal.., action.., resource.. ) */
MUST_USE bool parse_scopes(struct parser *p, struct cedar_policy *policy);
MUST_USE bool parse_pattern(struct parser *p, const struct cedar_pattern **out);

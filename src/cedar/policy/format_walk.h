/* format_walk: the tokens of a text that is known to parse, written one after the other into a
 * layout, each with its comments. Internal to the formatter.
 *
 * Comments go with the tokens they were written at: those in front stand on lines of their own, the
 * one behind on the token's line with a break after it. There is one queue of them, in the order of
 * the text, and a token takes from its head all that belong to it or to tokens before it; so none
 * can be lost or change its place. */
#pragma once
#include "cedar/policy/ast.h"
#include "cedar/text/layout.h"

struct format_walk {
    str text;
    struct layout layout;
    struct cedar_tokens tokens;
    size_t at;
    struct cedar_comments comments;
    size_t next_comment;
    int32_t indent; /* columns per level */
};

static inline const struct cedar_token *format_look(const struct format_walk *w, size_t ahead)
{
    size_t i = w->at + ahead;
    return &w->tokens.items[i < w->tokens.count ? i : w->tokens.count - 1];
}
static inline bool format_sees(const struct format_walk *w, enum cedar_token_kind kind)
{
    return format_look(w, 0)->kind == kind;
}
static inline bool format_sees_word(const struct format_walk *w, str word)
{
    return format_sees(w, CEDAR_T_IDENT) && str_eq(format_look(w, 0)->text, word);
}

enum format_then {
    THEN_NOTHING = 0,
    THEN_SPACE,
    THEN_LINE,
    THEN_HARD,
};

/* The comments in front of the present token, ahead of it. */
void format_lead(struct format_walk *w);
/* The present token with its comments, then what is asked for; the break after a comment behind
 * the token takes the place of that. */
void format_put(struct format_walk *w, enum format_then then);
/* Steps over a comma that the result does not have; its comments go to the token behind it. */
void format_drop(struct format_walk *w);
/* Behind an item of a list that `close` ends: true with the comma and a line written when another
 * follows; false at the end, where a comma is dropped. */
bool format_comma(struct format_walk *w, enum cedar_token_kind close);

/* A name or an entity: A::B, A::"id". */
void format_path(struct format_walk *w);
void format_expr(struct format_walk *w);
/* From the first annotation to the semicolon. */
void format_policy(struct format_walk *w);

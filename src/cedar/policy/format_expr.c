/* Expressions for the formatter: the same descent as the parser's, over a text that it accepted, so
 * nothing is checked here and depth is bounded as there.
 *
 * Where lines break: `||` and `&&` end theirs and break with the clause they stand in; sums and
 * products break for themselves; `has`, `like` and `is` stand on lines of their own if they must;
 * comparisons do not break; members break before each . [ ( ; lists and parentheses are indented by
 * one, up to what stands behind the bracket, records and arguments by a level. */
#include "cedar/policy/format_walk.h"

static void space(struct format_walk *w)
{
    layout_text(&w->layout, S(" "));
}

void format_path(struct format_walk *w)
{
    format_put(w, THEN_NOTHING);
    while (format_sees(w, CEDAR_T_PATH)) {
        format_put(w, THEN_NOTHING);
        format_put(w, THEN_NOTHING);
    }
}

/* ---- primary ---- */

static void format_parens(struct format_walk *w)
{
    size_t group = layout_mark(&w->layout);
    format_put(w, THEN_NOTHING);
    size_t nest = layout_mark(&w->layout);
    format_expr(w);
    layout_nest(&w->layout, nest, 1);
    format_put(w, THEN_NOTHING);
    layout_group(&w->layout, group);
}

static void format_set(struct format_walk *w)
{
    format_put(w, THEN_NOTHING);
    if (!format_sees(w, CEDAR_T_RBRACKET)) {
        size_t nest = layout_mark(&w->layout);
        do
            format_expr(w);
        while (format_comma(w, CEDAR_T_RBRACKET));
        layout_nest(&w->layout, nest, 1);
    }
    format_put(w, THEN_NOTHING);
}

static void format_record(struct format_walk *w)
{
    format_put(w, THEN_NOTHING);
    if (!format_sees(w, CEDAR_T_RBRACE)) {
        size_t nest = layout_mark(&w->layout), group = layout_mark(&w->layout);
        layout_line(&w->layout);
        do {
            format_put(w, THEN_NOTHING);
            format_put(w, THEN_NOTHING);
            space(w);
            format_expr(w);
        } while (format_comma(w, CEDAR_T_RBRACE));
        layout_line(&w->layout);
        layout_group(&w->layout, group);
        layout_nest(&w->layout, nest, w->indent);
    }
    format_put(w, THEN_NOTHING);
}

static void format_primary(struct format_walk *w)
{
    if (format_sees(w, CEDAR_T_LPAREN))
        format_parens(w);
    else if (format_sees(w, CEDAR_T_LBRACKET))
        format_set(w);
    else if (format_sees(w, CEDAR_T_LBRACE))
        format_record(w);
    else
        format_path(w);
}

/* ---- member ---- */

static bool sees_access(const struct format_walk *w)
{
    return format_sees(w, CEDAR_T_DOT) || format_sees(w, CEDAR_T_LPAREN) ||
           format_sees(w, CEDAR_T_LBRACKET);
}

static void format_arguments(struct format_walk *w)
{
    format_put(w, THEN_NOTHING);
    if (!format_sees(w, CEDAR_T_RPAREN)) {
        size_t nest = layout_mark(&w->layout);
        layout_soft(&w->layout);
        do
            format_expr(w);
        while (format_comma(w, CEDAR_T_RPAREN));
        layout_nest(&w->layout, nest, w->indent);
        layout_soft(&w->layout);
    }
    format_put(w, THEN_NOTHING);
}

static void format_access(struct format_walk *w)
{
    if (format_sees(w, CEDAR_T_LPAREN)) {
        format_arguments(w);
        return;
    }
    bool is_index = format_sees(w, CEDAR_T_LBRACKET);
    format_put(w, THEN_NOTHING);
    format_put(w, THEN_NOTHING);
    if (is_index)
        format_put(w, THEN_NOTHING);
}

/* One token, and the next goes on with none of it. */
static bool sees_word_alone(const struct format_walk *w)
{
    enum cedar_token_kind next = format_look(w, 1)->kind;
    return !format_sees(w, CEDAR_T_LPAREN) && !format_sees(w, CEDAR_T_LBRACKET) &&
           !format_sees(w, CEDAR_T_LBRACE) && next != CEDAR_T_PATH && next != CEDAR_T_DOT &&
           next != CEDAR_T_LPAREN && next != CEDAR_T_LBRACKET;
}

static void format_member(struct format_walk *w)
{
    if (sees_word_alone(w)) {
        format_put(w, THEN_NOTHING);
        return;
    }
    size_t group = layout_mark(&w->layout);
    format_primary(w);
    if (sees_access(w)) {
        size_t nest = layout_mark(&w->layout);
        format_access(w);
        while (sees_access(w)) {
            layout_soft(&w->layout);
            format_access(w);
        }
        layout_nest(&w->layout, nest, w->indent);
    }
    layout_group(&w->layout, group);
}

static void format_unary(struct format_walk *w)
{
    while (format_sees(w, CEDAR_T_NOT) || format_sees(w, CEDAR_T_MINUS))
        format_put(w, THEN_NOTHING);
    format_member(w);
}

/* ---- operators ---- */

/* Parts with operators between them: the space before one never breaks, the line behind it may. */
static bool format_chain(struct format_walk *w, enum cedar_token_kind op,
                         enum cedar_token_kind other, void (*part)(struct format_walk *w))
{
    bool many = false;
    for (part(w); format_sees(w, op) || format_sees(w, other); part(w)) {
        many = true;
        space(w);
        format_put(w, THEN_LINE);
    }
    return many;
}

static void format_product(struct format_walk *w)
{
    size_t group = layout_mark(&w->layout);
    if (format_chain(w, CEDAR_T_STAR, CEDAR_T_STAR, format_unary))
        layout_group(&w->layout, group);
}

static void format_sum(struct format_walk *w)
{
    size_t group = layout_mark(&w->layout);
    if (format_chain(w, CEDAR_T_PLUS, CEDAR_T_MINUS, format_product))
        layout_group(&w->layout, group);
}

/* has, like: the word on a line of its own if it must. */
static void format_word_test(struct format_walk *w)
{
    layout_line(&w->layout);
    format_put(w, THEN_NOTHING);
    layout_line(&w->layout);
    size_t nest = layout_mark(&w->layout);
    format_member(w);
    layout_nest(&w->layout, nest, w->indent);
}

/* is T, is T in e: breaks only in front of `in`. */
static void format_is(struct format_walk *w)
{
    space(w);
    format_put(w, THEN_NOTHING);
    space(w);
    size_t nest = layout_mark(&w->layout);
    format_path(w);
    layout_nest(&w->layout, nest, w->indent);
    if (!format_sees_word(w, S("in")))
        return;
    layout_line(&w->layout);
    format_put(w, THEN_NOTHING);
    space(w);
    nest = layout_mark(&w->layout);
    format_sum(w);
    layout_nest(&w->layout, nest, w->indent);
}

static bool sees_comparison(const struct format_walk *w)
{
    enum cedar_token_kind k = format_look(w, 0)->kind;
    return (k >= CEDAR_T_EQ && k <= CEDAR_T_GT) || format_sees_word(w, S("in"));
}

static void format_relation(struct format_walk *w)
{
    size_t group = layout_mark(&w->layout);
    format_sum(w);
    if (format_sees_word(w, S("has")) || format_sees_word(w, S("like"))) {
        format_word_test(w);
        layout_group(&w->layout, group);
    } else if (format_sees_word(w, S("is"))) {
        format_is(w);
        layout_group(&w->layout, group);
    } else if (sees_comparison(w)) {
        space(w);
        format_put(w, THEN_NOTHING);
        space(w);
        format_sum(w);
    }
}

static void format_and(struct format_walk *w)
{
    (void)format_chain(w, CEDAR_T_AND, CEDAR_T_AND, format_relation);
}

/* ---- if ---- */

/* The word, and what stands behind it, indented. */
static void format_branch(struct format_walk *w)
{
    format_put(w, THEN_NOTHING);
    size_t nest = layout_mark(&w->layout);
    layout_line(&w->layout);
    format_expr(w);
    layout_nest(&w->layout, nest, w->indent);
}

static void format_if(struct format_walk *w)
{
    size_t group = layout_mark(&w->layout);
    for (unsigned branch = 0; branch < 3; branch++) {
        if (branch > 0)
            layout_line(&w->layout);
        format_branch(w);
    }
    layout_group(&w->layout, group);
}

void format_expr(struct format_walk *w)
{
    if (format_sees_word(w, S("if")))
        format_if(w);
    else
        (void)format_chain(w, CEDAR_T_OR, CEDAR_T_OR, format_and);
}

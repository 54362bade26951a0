/* Policies for the formatter, around their expressions.
 *
 * A scope of three bare variables stays on one line, any other takes a line for each; a clause is
 * on one line, or has its braces on lines of their own. */
#include "cedar/policy/format_walk.h"

/* ---- scope ---- */

static void format_target(struct format_walk *w);

static void format_list(struct format_walk *w)
{
    size_t group = layout_mark(&w->layout);
    format_put(w, THEN_NOTHING);
    if (!format_sees(w, CEDAR_T_RBRACKET)) {
        size_t nest = layout_mark(&w->layout);
        do
            format_target(w);
        while (format_comma(w, CEDAR_T_RBRACKET));
        layout_nest(&w->layout, nest, 1);
    }
    format_put(w, THEN_NOTHING);
    layout_group(&w->layout, group);
}

/* What stands right of == and in: an entity, a slot or a list, in parentheses or not. The parser
 * does not bound these, so they are counted. Lists do not nest. */
static void format_target(struct format_walk *w)
{
    size_t parens = 0;
    while (format_look(w, parens)->kind == CEDAR_T_LPAREN)
        parens++;
    size_t *marks = ARENA_ARRAY(w->layout.arena, size_t, 2 * parens + 1);
    for (size_t i = 0; i < parens; i++) {
        marks[2 * i] = layout_mark(&w->layout);
        format_put(w, THEN_NOTHING);
        marks[2 * i + 1] = layout_mark(&w->layout);
    }
    if (format_sees(w, CEDAR_T_LBRACKET))
        format_list(w);
    else
        format_path(w);
    for (size_t i = parens; i-- > 0;) {
        layout_nest(&w->layout, marks[2 * i + 1], 1);
        format_put(w, THEN_NOTHING);
        layout_group(&w->layout, marks[2 * i]);
    }
}

static void format_is(struct format_walk *w)
{
    size_t group = layout_mark(&w->layout), nest = layout_mark(&w->layout);
    size_t word = layout_mark(&w->layout);
    layout_line(&w->layout);
    format_put(w, THEN_NOTHING);
    layout_group(&w->layout, word);
    layout_line(&w->layout);
    format_path(w);
    layout_nest(&w->layout, nest, w->indent);
    layout_group(&w->layout, group);
}

/* principal, principal == e, principal in e, principal is T, principal is T in e */
static void format_variable(struct format_walk *w)
{
    format_lead(w);
    size_t all = layout_mark(&w->layout), left = layout_mark(&w->layout);
    format_put(w, THEN_NOTHING);
    if (format_sees_word(w, S("is")))
        format_is(w);
    if (!format_sees(w, CEDAR_T_EQ) && !format_sees_word(w, S("in")))
        return;
    layout_line(&w->layout);
    format_put(w, THEN_NOTHING);
    layout_group(&w->layout, left);
    size_t nest = layout_mark(&w->layout);
    layout_line(&w->layout);
    format_target(w);
    layout_nest(&w->layout, nest, w->indent);
    layout_group(&w->layout, all);
}

static void format_variables(struct format_walk *w, enum format_then between)
{
    for (unsigned i = 0; i < 3; i++) {
        format_variable(w);
        if (i < 2)
            format_put(w, between);
    }
    if (format_sees(w, CEDAR_T_COMMA))
        format_drop(w);
}

/* Present token is the parenthesis behind the effect. */
static bool is_bare_scope(const struct format_walk *w)
{
    return format_look(w, 2)->kind == CEDAR_T_COMMA && format_look(w, 4)->kind == CEDAR_T_COMMA &&
           (format_look(w, 6)->kind == CEDAR_T_COMMA || format_look(w, 6)->kind == CEDAR_T_RPAREN);
}

/* The effect and what the parentheses hold, up to the closing one. */
static void format_head(struct format_walk *w)
{
    format_lead(w);
    size_t group = layout_mark(&w->layout);
    format_put(w, THEN_NOTHING);
    layout_line(&w->layout);
    bool bare = is_bare_scope(w);
    format_put(w, THEN_NOTHING);
    layout_group(&w->layout, group);
    size_t inner = layout_mark(&w->layout), nest = layout_mark(&w->layout);
    if (!bare)
        layout_hard(&w->layout);
    format_variables(w, bare ? THEN_SPACE : THEN_HARD);
    layout_nest(&w->layout, nest, w->indent);
    if (bare)
        layout_group(&w->layout, inner);
    else
        layout_hard(&w->layout);
}

/* ---- clauses ---- */

static void format_clause(struct format_walk *w)
{
    format_lead(w);
    size_t all = layout_mark(&w->layout);
    format_put(w, THEN_LINE);
    format_lead(w);
    size_t inner = layout_mark(&w->layout), nest = layout_mark(&w->layout);
    format_put(w, THEN_LINE);
    format_lead(w);
    size_t body = layout_mark(&w->layout);
    format_expr(w);
    layout_group(&w->layout, body);
    layout_nest(&w->layout, nest, w->indent);
    layout_line(&w->layout);
    format_put(w, THEN_NOTHING);
    layout_group(&w->layout, inner);
    layout_group(&w->layout, all);
}

/* ---- annotations ---- */

/* @name, @name("text") */
static void format_annotation(struct format_walk *w)
{
    format_put(w, THEN_NOTHING);
    bool has_value = format_look(w, 1)->kind == CEDAR_T_LPAREN;
    format_put(w, has_value ? THEN_NOTHING : THEN_HARD);
    if (!has_value)
        return;
    format_put(w, THEN_NOTHING);
    format_put(w, THEN_NOTHING);
    format_put(w, THEN_HARD);
}

void format_policy(struct format_walk *w)
{
    while (format_sees(w, CEDAR_T_AT))
        format_annotation(w);
    format_head(w);
    bool more = format_look(w, 1)->kind != CEDAR_T_SEMICOLON;
    for (format_put(w, more ? THEN_HARD : THEN_NOTHING); more;) {
        format_clause(w);
        more = !format_sees(w, CEDAR_T_SEMICOLON);
        if (more)
            layout_hard(&w->layout);
    }
    format_put(w, THEN_NOTHING);
}

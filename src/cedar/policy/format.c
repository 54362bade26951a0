#include "cedar/policy/format.h"
#include "cedar/policy/format_walk.h"
#include "cedar/policy/same.h"

/* ---- tokens and comments ---- */

/* Of the comments in front of the present token: the one that trails its predecessor is taken. */
static const struct cedar_comment *comment_here(const struct format_walk *w)
{
    const struct cedar_comment *c = &w->comments.items[w->next_comment];
    return w->next_comment < w->comments.count && c->before <= w->at ? c : NULL;
}

void format_lead(struct format_walk *w)
{
    const struct cedar_comment *c = comment_here(w);
    if (!c)
        return;
    for (; c; c = comment_here(w)) {
        layout_hard(&w->layout);
        layout_text(&w->layout, c->text);
        w->next_comment++;
    }
    layout_hard(&w->layout);
}

static void put_text(struct format_walk *w, const struct cedar_token *t)
{
    str text = cedar_span_text(w->text, t->span);
    while (t->kind == CEDAR_T_NUMBER && text.n > 1 && text.p[0] == '0')
        text = str_skip(text, 1);
    layout_text(&w->layout, text);
}

void format_put(struct format_walk *w, enum format_then then)
{
    format_lead(w);
    put_text(w, format_look(w, 0));
    w->at++;
    const struct cedar_comment *c = comment_here(w);
    if (c && c->trails && c->before == w->at) {
        layout_text(&w->layout, S(" "));
        layout_text(&w->layout, c->text);
        w->next_comment++;
        then = THEN_HARD;
    }
    if (then == THEN_SPACE)
        layout_text(&w->layout, S(" "));
    else if (then == THEN_LINE)
        layout_line(&w->layout);
    else if (then == THEN_HARD)
        layout_hard(&w->layout);
}

/* A comment behind the comma remains one behind a token if nothing stands between. */
void format_drop(struct format_walk *w)
{
    size_t i = w->next_comment, count = w->comments.count;
    struct cedar_comment *c = w->comments.items;
    w->at++;
    while (i < count && c[i].before < w->at)
        i++;
    bool behind = i < count && c[i].before == w->at && c[i].trails;
    bool alone = i + 1 >= count || c[i + 1].before > w->at + 1 ||
                 (c[i + 1].before == w->at + 1 && !c[i + 1].trails);
    if (behind && alone)
        c[i].before++;
}

bool format_comma(struct format_walk *w, enum cedar_token_kind close)
{
    if (!format_sees(w, CEDAR_T_COMMA))
        return false;
    if (format_look(w, 1)->kind == close) {
        format_drop(w);
        return false;
    }
    format_put(w, THEN_LINE);
    return true;
}

/* ---- the text ---- */

/* What stands behind the last token, on lines of its own. */
static void write_rest(struct format_walk *w, struct buf *out)
{
    for (; w->next_comment < w->comments.count; w->next_comment++) {
        buf_put(out, w->comments.items[w->next_comment].text);
        buf_putc(out, '\n');
    }
}

static bool write_all(struct format_walk *w, uint32_t width, struct buf *out)
{
    ARENA_SCOPE struct arena scratch = {0};
    for (bool first = true; !format_sees(w, CEDAR_T_END); first = false) {
        if (!first)
            buf_put(out, S("\n\n"));
        w->layout = (struct layout){.arena = &scratch};
        format_policy(w);
        if (!layout_render(&w->layout, width, out))
            return false;
        arena_reset(&scratch);
    }
    buf_putc(out, '\n');
    write_rest(w, out);
    return !out->over;
}

static bool same_comments(const struct cedar_comments *a, const struct cedar_comments *b)
{
    for (size_t i = 0; a->count == b->count && i < a->count; i++) {
        if (!str_eq(a->items[i].text, b->items[i].text))
            return false;
    }
    return a->count == b->count;
}

/* The result, read again, must be what was read. */
static bool is_faithful(const struct cedar_policies *policies,
                        const struct cedar_comments *comments, str result)
{
    ARENA_SCOPE struct arena a = {0};
    struct cedar_policies again;
    struct cedar_tokens tokens;
    struct cedar_comments kept;
    struct cedar_diags d;
    return cedar_policies_parse(&a, S(""), result, &again, &d) &&
           cedar_lex_comments(&a, result, &tokens, &kept, &d) && same_comments(comments, &kept) &&
           cedar_policies_same(policies, &again);
}

static bool refuse(struct cedar_diags *d, const char *code, const char *help, const char *text)
{
    cedar_diag(d, CEDAR_ERROR, code, (struct cedar_span){0}, help, "%s", text);
    return false;
}

/* Parsed into the scratch arena first: of a good text nothing is to remain in the caller's. */
static bool parse(struct arena *scratch, struct arena *a, str text, struct cedar_policies *out,
                  struct cedar_diags *d)
{
    struct cedar_diags found;
    if (!cedar_policies_parse(scratch, S(""), text, out, &found))
        return cedar_policies_parse(a, S(""), text, out, d);
    cedar_diags_init(d, a, S(""), text);
    return true;
}

bool cedar_format(struct arena *a, str text, const struct cedar_format_options *options, str *out,
                  struct cedar_diags *d)
{
    ARENA_SCOPE struct arena scratch = {0};
    struct cedar_format_options o = options ? *options : CEDAR_FORMAT_DEFAULT;
    struct cedar_policies policies;
    struct format_walk w = {.text = text, .indent = o.indent_width};
    if (!parse(&scratch, a, text, &policies, d) ||
        !cedar_lex_comments(&scratch, text, &w.tokens, &w.comments, d))
        return false;
    struct buf made = {.max = CEDAR_TEXT_BYTES_MAX};
    bool ok = true;
    if (!write_all(&w, o.line_width, &made))
        ok = refuse(d, "too-long", "split long policies; use a smaller indentation",
                    "the text is too long to be formatted");
    else if (!is_faithful(&policies, &w.comments, buf_str(&made)))
        ok = refuse(d, "format", "format it by hand, and report this text",
                    "this text cannot be formatted without changing it");
    if (ok)
        *out = str_dup(a, buf_str(&made));
    buf_fini(&made);
    return ok;
}

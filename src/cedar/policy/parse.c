#include "cedar/policy/parse.h"
#include "cedar/policy/parser.h"
#include "cedar/text/names.h"

const char *const cedar_var_names[4] = {"principal", "action", "resource", "context"};

bool parse_expected(struct parser *p, const char *what, const char *help)
{
    const struct cedar_token *t = look(p, 0);
    struct cedar_span span = t->span;
    if (t->kind == CEDAR_T_END && p->last_end > 0)
        span = (struct cedar_span){p->last_end, p->last_end}; /* where something is to be added */
    if (t->kind == CEDAR_T_IDENT || t->kind == CEDAR_T_NUMBER)
        cedar_diag(p->diags, CEDAR_ERROR, "syntax", span, help, "expected %s, found `%.*s`", what,
                   STR(t->text));
    else
        cedar_diag(p->diags, CEDAR_ERROR, "syntax", span, help, "expected %s, found %s", what,
                   cedar_token_name(t->kind));
    return false;
}

bool parse_unfit(struct parser *p, enum advice_place place, const char *what, const char *help)
{
    str found = cedar_span_text(p->diags->source, look(p, 0)->span);
    const char *advice = advice_find(place, found);
    return parse_expected(p, what, advice ? advice : help);
}

bool parse_operator(struct parser *p, const char *what)
{
    const struct cedar_token *last = &p->tokens.items[p->at > 0 ? p->at - 1 : 0];
    bool glued = last->kind == CEDAR_T_NUMBER && last->span.end == look(p, 0)->span.start;
    if (glued && look_kind(p) == CEDAR_T_IDENT)
        return parse_expected(p, what, ADVICE_NUMBERS);
    if (look_kind(p) == CEDAR_T_NUMBER || look_kind(p) == CEDAR_T_STRING)
        return parse_expected(p, what, "arguments of a method stand in parentheses: .contains(1)");
    return parse_unfit(p, ADVICE_OPERATOR, what, "put && or || between two conditions");
}

bool parse_token(struct parser *p, enum cedar_token_kind kind, const char *help)
{
    if (look_kind(p) != kind)
        return parse_expected(p, cedar_token_name(kind), help);
    take(p);
    return true;
}

static bool bad_escape(struct parser *p, const struct cedar_token *t, struct cedar_span bad)
{
    struct cedar_span at = {t->span.start + 1 + bad.start, t->span.start + 1 + bad.end};
    cedar_diag(
        p->diags, CEDAR_ERROR, "escape", at,
        "known escapes: \\n \\r \\t \\\\ \\0 \\' \\\" \\x41 \\u{1F600}; \\* in `like` patterns "
        "only",
        "`%.*s` is no escape", STR(cedar_span_text(p->diags->source, at)));
    return false;
}

/* A carriage return may stand in a string only as \r, so that line-ending changes cannot alter it.
 */
static bool has_raw_return(struct parser *p, const struct cedar_token *t)
{
    ptrdiff_t i = str_find_char(t->text, '\r', 0);
    if (i < 0)
        return false;
    uint32_t at = t->span.start + 1 + (uint32_t)i;
    cedar_diag(p->diags, CEDAR_ERROR, "escape", (struct cedar_span){at, at + 1}, "write it as \\r",
               "a carriage return inside a string");
    return true;
}

bool parse_string(struct parser *p, str *out)
{
    const struct cedar_token *t = look(p, 0);
    struct cedar_span bad;
    if (t->kind != CEDAR_T_STRING)
        return parse_expected(p, "a string", "text stands in double quotes: \"text\"");
    if (has_raw_return(p, t))
        return false;
    if (!cedar_unescape(p->arena, t->text, out, &bad))
        return bad_escape(p, t, bad);
    take(p);
    return true;
}

bool parse_pattern(struct parser *p, const struct cedar_pattern **out)
{
    const struct cedar_token *t = look(p, 0);
    struct cedar_span bad;
    struct cedar_pattern *made = ARENA_NEW(p->arena, struct cedar_pattern);
    if (has_raw_return(p, t))
        return false;
    if (!cedar_unescape_pattern(p->arena, t->text, made, &bad))
        return bad_escape(p, t, bad);
    take(p);
    *out = made;
    return true;
}

bool parse_reserved(struct parser *p, const struct cedar_token *word)
{
    cedar_diag(p->diags, CEDAR_ERROR, "reserved-word", word->span,
               str_eq(word->text, S("__cedar"))
                   ? "choose another name"
                   : "choose another name; an attribute can be reached as [\"name\"], a record key "
                     "written as \"name\"",
               "`%.*s` is reserved and cannot be a name", STR(word->text));
    return false;
}

static str joined(struct arena *a, str left, str right)
{
    if (left.n == 0)
        return right;
    char *bytes = arena_alloc(a, left.n + 2 + right.n);
    memcpy(bytes, left.p, left.n);
    memcpy(bytes + left.n, "::", 2);
    memcpy(bytes + left.n + 2, right.p, right.n);
    return str_of(bytes, left.n + 2 + right.n);
}

bool parse_path(struct parser *p, str *out, struct cedar_span *span)
{
    uint32_t start = look(p, 0)->span.start;
    str path = {0};
    for (unsigned parts = 0;; parts++) {
        const struct cedar_token *word = look(p, 0);
        if (word->kind != CEDAR_T_IDENT)
            return parse_expected(p, "a name", "");
        if (cedar_is_reserved(word->text))
            return parse_reserved(p, word);
        if (parts > CEDAR_DEPTH_MAX)
            return parse_expected(p, "a shorter name", "this path has too many parts");
        take(p);
        path = joined(p->arena, path, word->text);
        if (look_kind(p) != CEDAR_T_PATH || look(p, 1)->kind == CEDAR_T_STRING ||
            look(p, 1)->kind == CEDAR_T_LBRACE)
            break;
        take(p);
    }
    *out = path;
    *span = span_from(p, start);
    return true;
}

bool parse_entity_id(struct parser *p, str *out)
{
    if (!parse_token(p, CEDAR_T_PATH, "an entity is written as Type::\"id\""))
        return false;
    if (look_kind(p) == CEDAR_T_LBRACE)
        return parse_expected(p, "a string", "an entity is written as Type::\"id\"");
    return parse_string(p, out);
}

/* ---- annotations ---- */

static bool parse_annotation(struct parser *p, struct cedar_policy *policy, size_t *cap,
                             struct cedar_names *names)
{
    uint32_t start = take(p)->span.start;
    struct cedar_annotation note = {.value = S("")};
    if (look_kind(p) != CEDAR_T_IDENT)
        return parse_expected(p, "the annotation's name", "write it as @name(\"text\")");
    const struct cedar_token *word = take(p);
    note.name = word->text;
    if (take_if(p, CEDAR_T_LPAREN)) {
        note.has_value = true;
        if (!parse_string(p, &note.value) ||
            !parse_token(p, CEDAR_T_RPAREN, "write an annotation as @name(\"text\")"))
            return false;
    }
    note.span = span_from(p, start);
    if (!cedar_names_add(names, note.name)) {
        cedar_diag(p->diags, CEDAR_ERROR, "duplicate-annotation", note.span,
                   "keep one of them, or give the other another name",
                   "this policy has @%.*s already", STR(note.name));
        return false;
    }
    ARENA_GROW(p->arena, policy->annotations, policy->annotation_count, *cap);
    policy->annotations[policy->annotation_count++] = note;
    return true;
}

static bool parse_annotations(struct parser *p, struct cedar_policy *policy)
{
    struct cedar_names names = {0};
    size_t cap = 0;
    bool ok = true;
    while (ok && look_kind(p) == CEDAR_T_AT)
        ok = parse_annotation(p, policy, &cap, &names);
    cedar_names_fini(&names);
    return ok;
}

const str *cedar_policy_annotation(const struct cedar_policy *p, str name)
{
    for (size_t i = 0; i < p->annotation_count; i++) {
        if (str_eq(p->annotations[i].name, name))
            return &p->annotations[i].value;
    }
    return NULL;
}

/* ---- conditions ---- */

static bool parse_condition(struct parser *p, struct cedar_policy *policy, size_t *cap)
{
    const struct cedar_token *word = look(p, 0);
    struct cedar_condition made = {.unless = str_eq(word->text, S("unless"))};
    if (!made.unless && !str_eq(word->text, S("when")))
        return parse_unfit(p, ADVICE_CLAUSE, "`when`, `unless` or `;`",
                           "a condition begins with when or unless; a semicolon ends the policy");
    take(p);
    if (!parse_token(p, CEDAR_T_LBRACE, "a condition is written as when { ... }"))
        return false;
    if (look_kind(p) == CEDAR_T_RBRACE)
        return parse_expected(p, "an expression",
                              "write the condition between the braces, or leave the clause out");
    made.body = parse_expr(p);
    if (!made.body)
        return false;
    if (look_kind(p) != CEDAR_T_RBRACE)
        return parse_operator(p, "an operator or `}`");
    take(p);
    made.span = span_from(p, word->span.start);
    ARENA_GROW(p->arena, policy->conditions, policy->condition_count, *cap);
    policy->conditions[policy->condition_count++] = made;
    return true;
}

/* ---- policies ---- */

static bool parse_effect(struct parser *p, struct cedar_policy *policy)
{
    if (look_word(p, S("permit")))
        policy->effect = CEDAR_PERMIT;
    else if (look_word(p, S("forbid")))
        policy->effect = CEDAR_FORBID;
    else
        return parse_unfit(p, ADVICE_EFFECT, "`permit` or `forbid`",
                           look_kind(p) == CEDAR_T_STRING
                               ? "an annotation is written as @name(\"text\")"
                               : "a policy is written as permit(principal, action, resource);");
    take(p);
    return true;
}

static bool parse_policy(struct parser *p, struct cedar_policy *policy)
{
    uint32_t start = look(p, 0)->span.start;
    size_t cap = 0;
    if (!parse_annotations(p, policy) || !parse_effect(p, policy) || !parse_scopes(p, policy))
        return false;
    while (look_kind(p) == CEDAR_T_IDENT) {
        if (!parse_condition(p, policy, &cap))
            return false;
    }
    if (!take_if(p, CEDAR_T_SEMICOLON))
        return parse_unfit(p, ADVICE_CLAUSE, "`;`", "every policy ends with a semicolon");
    policy->span = span_from(p, start);
    return true;
}

static void skip_to_next_policy(struct parser *p)
{
    while (look_kind(p) != CEDAR_T_END && look_kind(p) != CEDAR_T_SEMICOLON)
        take(p);
    take(p);
}

static void name_diags(struct cedar_diags *d, size_t from, str policy)
{
    for (size_t i = from; i < d->count; i++)
        d->items[i].policy = policy;
}

/* Nothing in a policy looks beyond its semicolon, so the parser sees one policy at a time. */
static bool next_policy(struct parser *p, struct cedar_lexer *l)
{
    cedar_lexer_next(l);
    p->tokens = l->tokens;
    p->at = 0;
    return look_kind(p) != CEDAR_T_END;
}

bool cedar_policies_parse(struct arena *a, str name, str text, struct cedar_policies *out,
                          struct cedar_diags *d)
{
    cedar_diags_init(d, a, name, text);
    ARENA_SCOPE struct arena scratch = {0}; /* tokens, and the list while it grows */
    struct parser p = {.arena = a, .diags = d};
    struct cedar_lexer lexer;
    if (!cedar_lexer_open(&lexer, &scratch, text, d))
        return false;
    struct cedar_policies made = {.name = name, .text = text};
    size_t cap = 0;
    while (next_policy(&p, &lexer)) {
        ARENA_GROW(&scratch, made.items, made.count, cap);
        struct cedar_policy *policy = &made.items[made.count];
        *policy = (struct cedar_policy){.id = str_fmt(a, "policy%zu", made.count)};
        made.count++;
        size_t said = d->count;
        p.nesting = 0;
        if (!parse_policy(&p, policy)) {
            name_diags(d, said, policy->id);
            skip_to_next_policy(&p);
        }
        if (d->errors >= CEDAR_DIAGS_MAX)
            break;
    }
    if (d->errors)
        return false;
    made.items = arena_dup(a, made.items, made.count * sizeof *made.items);
    *out = made;
    return true;
}

static bool is_wanted(const struct cedar_policies *p, enum cedar_want want, struct cedar_diags *d)
{
    struct cedar_span all = {0, (uint32_t)d->source.n};
    if (p->count != 1) {
        cedar_diag(d, CEDAR_ERROR, "count", all, "give each policy an id of its own",
                   "this text holds %zu policies, and one is wanted", p->count);
        return false;
    }
    bool is_template = p->items[0].is_template;
    if (is_template && want == CEDAR_WANT_STATIC)
        cedar_diag(d, CEDAR_ERROR, "template", p->items[0].span,
                   "link it, or replace its slots by entities",
                   "this is a template: it has a slot, where a policy is wanted");
    if (!is_template && want == CEDAR_WANT_TEMPLATE)
        cedar_diag(d, CEDAR_ERROR, "template", p->items[0].span,
                   "a template has ?principal or ?resource in its scope",
                   "this is no template: it has no slots");
    return d->errors == 0;
}

bool cedar_policy_parse(struct arena *a, str id, str text, enum cedar_want want,
                        struct cedar_policy *out, struct cedar_diags *d)
{
    struct cedar_policies p;
    bool ok = cedar_policies_parse(a, id, text, &p, d) && is_wanted(&p, want, d);
    name_diags(d, 0, id);
    if (!ok)
        return false;
    *out = p.items[0];
    out->id = id;
    return true;
}

struct cedar_expr *cedar_expr_parse(struct arena *a, str text, struct cedar_diags *d)
{
    cedar_diags_init(d, a, (str){0}, text);
    ARENA_SCOPE struct arena scratch = {0};
    struct parser p = {.arena = a, .diags = d};
    if (!cedar_lex(&scratch, text, &p.tokens, d))
        return NULL;
    struct cedar_expr *e = parse_expr(&p);
    if (e && look_kind(&p) != CEDAR_T_END)
        parse_operator(&p, "an operator or the end");
    return d->errors ? NULL : e;
}

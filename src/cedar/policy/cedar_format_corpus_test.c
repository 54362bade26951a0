/* The formatter on third-party policies (see testdata.h): all are formatted, at several widths,
 * with the same tokens and comments and the same policies, and formatting again changes nothing.
 * With a folder as its argument it takes that one. Skipped, and says so, without the data. */
#include "cedar/policy/format.h"
#include "cedar/policy/same.h"
#include "cedar/testdata.h"

#include <stdio.h>

static const uint32_t widths[] = {80, 30};
static const char *const folders[] = {
    "corpus",          "handwritten/tests/decimal", "handwritten/tests/example_use_cases",
    "validator-cases", "handwritten/tests/multi",   "handwritten/tests/ip",
};

struct tally {
    const struct testdata *data;
    const char *folder;
    size_t texts, comments, failed;
};

/* What stands before a closing bracket in x and not in y. */
static bool is_dropped(const struct cedar_token *t)
{
    return t->kind == CEDAR_T_COMMA &&
           (t[1].kind == CEDAR_T_RPAREN || t[1].kind == CEDAR_T_RBRACKET ||
            t[1].kind == CEDAR_T_RBRACE);
}

static bool same_token(const struct cedar_token *x, const struct cedar_token *y)
{
    str text = x->text;
    while (x->kind == CEDAR_T_NUMBER && text.n > 1 && text.p[0] == '0')
        text = str_skip(text, 1);
    return x->kind == y->kind && str_eq(text, y->text);
}

static bool same_tokens(const struct cedar_tokens *x, const struct cedar_tokens *y)
{
    size_t j = 0;
    for (size_t i = 0; i < x->count; i++) {
        if (is_dropped(&x->items[i]))
            continue;
        if (j >= y->count || !same_token(&x->items[i], &y->items[j++]))
            return false;
    }
    return j == y->count;
}

static bool same_comments(const struct cedar_comments *x, const struct cedar_comments *y)
{
    for (size_t i = 0; x->count == y->count && i < x->count; i++) {
        if (!str_eq(x->items[i].text, y->items[i].text))
            return false;
    }
    return x->count == y->count;
}

static const char *kept(struct arena *a, struct tally *t, str text, str out)
{
    struct cedar_tokens tokens[2];
    struct cedar_comments comments[2];
    struct cedar_policies policies[2];
    struct cedar_diags d;
    if (!cedar_policies_parse(a, S(""), text, &policies[0], &d) ||
        !cedar_policies_parse(a, S(""), out, &policies[1], &d) ||
        !cedar_policies_same(&policies[0], &policies[1]))
        return "other policies";
    if (!cedar_lex_comments(a, text, &tokens[0], &comments[0], &d) ||
        !cedar_lex_comments(a, out, &tokens[1], &comments[1], &d) ||
        !same_tokens(&tokens[0], &tokens[1]))
        return "other tokens";
    t->comments += comments[0].count;
    return same_comments(&comments[0], &comments[1]) ? NULL : "other comments";
}

static const char *check(struct arena *a, struct tally *t, str text, uint32_t width)
{
    struct cedar_format_options o = {.line_width = width, .indent_width = 2};
    struct cedar_diags d;
    str out, again;
    if (!cedar_format(a, text, &o, &out, &d))
        return "refused";
    const char *fault = kept(a, t, text, out);
    if (fault)
        return fault;
    if (!cedar_format(a, out, &o, &again, &d) || !str_eq(out, again))
        return "not the same twice";
    return NULL;
}

static void each(void *ctx, str name)
{
    struct tally *t = ctx;
    ARENA_SCOPE struct arena a = {0};
    str text;
    if (!testdata_read(t->data, &a, t->folder, name, ".cedar", &text)) {
        t->failed++;
        return;
    }
    t->texts++;
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        const char *fault = check(&a, t, text, widths[i]);
        if (!fault)
            continue;
        t->failed++;
        printf("%s/%.*s at %u: %s\n", t->folder, STR(name), widths[i], fault);
    }
}

int main(int argc, char **argv)
{
    struct testdata data;
    struct tally t = {.data = &data};
    if (!testdata_open(&data, argc > 1 ? argv[1] : NULL))
        return TESTDATA_SKIPPED;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        t.folder = folders[i];
        testdata_each(&data, t.folder, ".cedar", each, &t);
    }
    testdata_close(&data);
    printf("%zu texts, %zu comments, %zu failed\n", t.texts, t.comments, t.failed);
    return t.texts > 0 && t.failed == 0 ? 0 : 1;
}

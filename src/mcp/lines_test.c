#include "mcp/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* Feeds text in pieces of `step` bytes and writes the lines that come out, each with a bar after
 * it. */
static bool run(str text, size_t step, size_t max, struct buf *out)
{
    struct mcp_lines l = {.line_max = max};
    struct err err;
    str line;
    bool ok = true;
    while (text.n && ok) {
        ok = mcp_lines_feed(&l, str_take(text, step), &err);
        text = str_skip(text, step);
        while (ok && mcp_lines_next(&l, &line)) {
            buf_put(out, line);
            buf_putc(out, '|');
        }
    }
    ok = ok && mcp_lines_is_clean(&l);
    mcp_lines_fini(&l);
    return ok;
}

static void test_split(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        str text;
        const char *lines;
        bool clean;
    } rows[] = {
        {"two lines", S("{}\n[1]\n"), "{}|[1]|", true},
        {"CR LF", S("{}\r\n[1]\r\n"), "{}|[1]|", true},
        {"blank lines", S("\n\r\n  \n{}\n\n"), "{}|", true},
        {"byte order mark", S("\xef\xbb\xbf{}\n"), "{}|", true},
        {"byte order mark later", S("{}\n\xef\xbb\xbf{}\n"), "{}|\xef\xbb\xbf{}|", true},
        {"byte order mark on a blank line", S("\xef\xbb\xbf\n{}\n"), "{}|", true},
        {"no end", S("{}\n{"), "{}|", false},
        {"NUL inside", S("a\0b\n"), NULL, true},
        {"lone CR is no end", S("a\rb\n"), "a\rb|", true},
        {"at the limit", S("0123456789\n"), "0123456789|", true},
        {"at the limit with CR", S("0123456789\r\n"), "0123456789|", true},
        {"over the limit", S("{}\n01234567890\n"), "{}|", false},
        {"over the limit without end", S("{}\n0123456789012345"), "{}|", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t step = 1; step <= rows[i].text.n; step++) {
            struct buf out = {0};
            bool clean = run(rows[i].text, step, 10, &out);
            bool limit = str_starts(str_z(rows[i].name), S("over"));
            if (clean != rows[i].clean)
                fail_msg("%s, step %zu: clean %d", rows[i].name, step, clean);
            /* Where a line is over the limit, the feed that brings it may be the first one. */
            if (rows[i].lines && !limit && !str_eq(buf_str(&out), str_z(rows[i].lines)))
                fail_msg("%s, step %zu: %.*s", rows[i].name, step, STR(buf_str(&out)));
            buf_fini(&out);
        }
}

static void test_stays_bad(void **state)
{
    (void)state;
    struct mcp_lines l = {.line_max = 4};
    struct err err;
    assert_false(mcp_lines_feed(&l, S("0123456789"), &err));
    assert_int_equal(err.kind, ERR_PEER);
    assert_false(mcp_lines_feed(&l, S("\n{}\n"), &err));
    mcp_lines_fini(&l);
}

static void test_write(void **state)
{
    (void)state;
    struct buf b = {0};
    struct err err;
    assert_true(mcp_line_put(&b, S("{}"), &err));
    assert_true(str_eq(buf_str(&b), S("{}\n")));
    assert_false(mcp_line_put(&b, S("{\n}"), &err));
    assert_false(mcp_line_put(&b, S("{\r}"), &err));
    assert_false(mcp_line_put(&b, S(""), &err));
    assert_true(str_eq(buf_str(&b), S("{}\n")));
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_stays_bad),
        cmocka_unit_test(test_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

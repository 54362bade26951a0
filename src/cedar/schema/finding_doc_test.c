/* docs/cedar-findings.md has exactly the rows of the table, in its order, with its codes and
 * severities; meaning and advice are prose. */
#include "cedar/schema/finding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static const char PAGE[] = SOURCE_ROOT "/docs/cedar-findings.md";

static void read_page(struct buf *out)
{
    char piece[8192];
    size_t n;
    FILE *f = fopen(PAGE, "rbe");
    assert_non_null(f);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_put(out, str_of(piece, n));
    fclose(f);
}

static const char *severity_name(enum finding f, enum cedar_sdk sdk)
{
    return finding_infos[f].severity[sdk] == CEDAR_ERROR ? "error" : "warning";
}

static void test_page_is_the_table(void **state)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf page = {0};
    str rest, line;
    size_t next = 0;
    read_page(&page);
    rest = buf_str(&page);
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        if (!str_starts(line, S("| `")))
            continue;
        if (next == FIND_COUNT)
            fail_msg("a row too many: %.*s", STR(line));
        enum finding f = (enum finding)next++;
        str want = str_fmt(&a, "| `%s` | %s | %s | ", finding_infos[f].code,
                           severity_name(f, CEDAR_SDK_4_12), severity_name(f, CEDAR_SDK_4_13));
        if (!str_starts(line, want))
            fail_msg("wanted %.*s.., found %.*s", STR(want), STR(line));
        size_t bars = 0;
        for (size_t i = 0; i < line.n; i++)
            bars += line.p[i] == '|';
        if (bars != 6 || str_find(line, S("|  |")) >= 0)
            fail_msg("a row of five full columns, not %.*s", STR(line));
    }
    assert_int_equal(next, FIND_COUNT);
    buf_fini(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page_is_the_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

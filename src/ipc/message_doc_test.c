/* docs/formats/ipc.md says of every message exactly what the table says: number, name, sender,
 * receiver, phase, size, descriptor and fields. Its last column, the meaning, is prose. */
#include "ipc/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static const char PAGE[] = SOURCE_ROOT "/docs/formats/ipc.md";

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

static void put_roles(struct buf *out, unsigned set)
{
    bool more = false;
    for (unsigned r = ROLE_SUPERVISOR; r < ROLE_COUNT; r++)
        if (set & 1u << r) {
            buf_printf(out, "%s%s", more ? ", " : "", role_name((enum role)r));
            more = true;
        }
}

static void put_fields(struct buf *out, const struct pack_field *f)
{
    static const char *const kinds[] = {
        [FIELD_U8] = "u8", [FIELD_U32] = "u32", [FIELD_I64] = "i64", [FIELD_STR] = "str"};
    if (f->kind == FIELD_END)
        buf_put(out, S("none"));
    for (const struct pack_field *at = f; at->kind != FIELD_END; at++) {
        buf_printf(out, "%s`%s` %s", at == f ? "" : ", ", at->name, kinds[at->kind]);
        if (at->max)
            buf_printf(out, " %u", at->max);
    }
}

/* All of a row but its meaning. */
static void put_row(struct buf *out, const struct message *m)
{
    const char *phase = m->phases == PHASE_SETUP ? "setup"
                        : m->phases == PHASE_RUN ? "run"
                                                 : "setup, run";
    buf_printf(out, "| %u | `%s` | ", (unsigned)m->type, m->name);
    put_roles(out, m->from);
    buf_put(out, S(" | "));
    put_roles(out, m->to);
    buf_printf(out, " | %s | %u | %s | ", phase, (unsigned)m->size_max, m->with_fd ? "yes" : "no");
    put_fields(out, m->fields);
    buf_put(out, S(" | "));
}

/* The row of that number, or an empty str. */
static str find_row(str page, unsigned type)
{
    char start[16];
    str line;
    size_t n = (size_t)snprintf(start, sizeof start, "| %u | `", type);
    while (page.n) {
        str_cut(page, '\n', &line, &page);
        if (str_starts(line, str_of(start, n)))
            return line;
    }
    return (str){0};
}

static void test_every_message_has_its_row(void **state)
{
    (void)state;
    size_t n;
    unsigned wrong = 0;
    struct buf page = {0};
    const struct message *t = message_table(&n);
    read_page(&page);
    for (size_t i = 0; i < n; i++) {
        struct buf want = {0};
        put_row(&want, &t[i]);
        str row = find_row(buf_str(&page), t[i].type);
        if (!str_starts(row, buf_str(&want)) || row.n < buf_len(&want) + 10) {
            print_error("docs/formats/ipc.md: the row of message %u must begin with this, and tell "
                        "its meaning:\n%.*s\n",
                        (unsigned)t[i].type, STR(buf_str(&want)));
            wrong++;
        }
        buf_fini(&want);
    }
    buf_fini(&page);
    assert_int_equal(wrong, 0);
}

/* Rows of messages begin with a number and a name in backticks; nothing else on the page does. */
static void test_no_row_without_a_message(void **state)
{
    (void)state;
    size_t n, rows = 0;
    struct buf page = {0};
    str rest, line, head, number, name;
    read_page(&page);
    for (rest = buf_str(&page); rest.n;) {
        uint64_t type;
        str_cut(rest, '\n', &line, &rest);
        if (!str_starts(line, S("| ")) || !str_cut(str_skip(line, 2), '|', &head, &name) ||
            !str_starts(name, S(" `")) || !str_cut(head, ' ', &number, &head) ||
            !str_to_u64(number, &type))
            continue;
        rows++;
        if (!message_find((uint16_t)type))
            fail_msg("docs/formats/ipc.md has a row for message %u, which does not exist",
                     (unsigned)type);
    }
    (void)message_table(&n);
    assert_int_equal(rows, n);
    buf_fini(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message_has_its_row),
        cmocka_unit_test(test_no_row_without_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

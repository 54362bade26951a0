#include "http/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

enum { MAX = 64 };

/* All events as name|data|id; with a "BAD" at the end where the stream was refused. */
static void read_all(str in, size_t first, size_t step, struct buf *said, uint64_t *retry)
{
    struct sse s;
    sse_init(&s, MAX);
    enum sse_step got = SSE_MORE;
    for (size_t n = first; in.n && got != SSE_BAD; n = step) {
        str piece = str_take(in, n);
        in = str_skip(in, n);
        do {
            struct sse_event ev;
            struct err err;
            size_t used;
            got = sse_read(&s, piece, &used, &ev, &err);
            piece = str_skip(piece, used);
            if (got == SSE_EVENT)
                buf_printf(said, "%.*s|%.*s|%.*s\n", STR(ev.name), STR(ev.data), STR(ev.id));
        } while (got == SSE_EVENT);
    }
    if (got == SSE_BAD) {
        buf_put(said, S("BAD"));
        struct sse_event ev;
        struct err err;
        size_t used;
        assert_int_equal(sse_read(&s, S("data:x\n\n"), &used, &ev, &err), SSE_BAD);
        assert_int_equal(err.kind, ERR_LIMIT);
    }
    *retry = s.has_retry ? s.retry_ms : 0;
    sse_fini(&s);
}

#define LONG60 "data: 3456789012345678901234567890123456789012345678901234567890"
static const struct {
    const char *in, *want;
    uint64_t retry;
} cases[] = {
    {"", "", 0},
    {"data: a\n\n", "|a|\n", 0},
    {"data: a\r\n\r\n", "|a|\n", 0},
    {"data: a\r\r", "|a|\n", 0},
    {"data: a\r\n\n", "|a|\n", 0},
    {"data: a\r\ndata: b\r\n\r\n", "|a\nb|\n", 0},
    {"data: a\r\n\rdata: b\n\r", "|a|\n|b|\n", 0},
    {"data: a\r\r\ndata: b\r\r", "|a|\n|b|\n", 0},
    {"data: a\n", "", 0},
    {"data: a", "", 0},
    {"data:a\n\n", "|a|\n", 0},
    {"data:  a\n\n", "| a|\n", 0},
    {"data\n\n", "||\n", 0},
    {"data:\n\n", "||\n", 0},
    {"data\ndata\n\n", "|\n|\n", 0},
    {"data: a\ndata: b\ndata:\n\n", "|a\nb\n|\n", 0},
    {"event: e\ndata: a\n\ndata: b\n\n", "e|a|\n|b|\n", 0},
    {"event: e\nevent: f\ndata: a\n\n", "f|a|\n", 0},
    {"event: e\n\ndata: b\n\n", "|b|\n", 0},
    {"id: 1\ndata: a\n\ndata: b\n\n", "|a|1\n|b|1\n", 0},
    {"id: 1\n\ndata: b\n\n", "|b|1\n", 0},
    {"id: 1\ndata: a\n\nid\ndata: b\n\n", "|a|1\n|b|\n", 0},
    {"id: 7\ndata: \n\n", "||7\n", 0},
    {": comment\ndata: a\n:\n\n", "|a|\n", 0},
    {":data: a\n\n", "", 0},
    {"Data: a\nDATA: b\ndatax: c\n data: d\n\n", "", 0},
    {"retry: 1500\n\n", "", 1500},
    {"retry: 1500\nretry: +1\nretry: 1x\nretry:\n\n", "", 1500},
    {"retry: 99999999999999999999\n\n", "", 0},
    {"retry: 007\n", "", 7},
    {"\xef\xbb\xbf"
     "data: a\n\n",
     "|a|\n", 0},
    {"\xef\xbb\xbf\xef\xbb\xbf"
     "data: a\n\n",
     "", 0},
    {"data: a\n\n\xef\xbb\xbf"
     "data: b\n\n",
     "|a|\n", 0},
    {"\n\n\n\rdata: a\n\n\n\n", "|a|\n", 0},
    {"data: {\"a\":\"b: c\"}\n\n", "|{\"a\":\"b: c\"}|\n", 0},
    {LONG60 "\n\n", "|3456789012345678901234567890123456789012345678901234567890|\n", 0},
    {LONG60 "1\n\n", "BAD", 0},
    {LONG60 "1", "BAD", 0},
    {LONG60 "\nid\n\n", "BAD", 0},
    {LONG60 "\n:comment that is not counted\n\n",
     "|3456789012345678901234567890123456789012345678901234567890|\n", 0},
    {LONG60 "\n\n" LONG60 "\n\n",
     "|3456789012345678901234567890123456789012345678901234567890|\n"
     "|3456789012345678901234567890123456789012345678901234567890|\n",
     0},
    {"::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::\ndata: a\n\n", "|a|\n", 0},
    {":::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::::\ndata: a\n\n", "BAD", 0},
    {"x: 3456789012345678901234567890\ny: 3456789012345678901234567890\nz\nz\n\n", "", 0},
    {"x: 34567890123456789012345678901234567890\ny: 3456789012345678901234567890\n\n", "BAD", 0},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        str in = str_z(cases[i].in);
        for (size_t cut = 1; cut <= in.n + 1; cut++) {
            struct buf said = {0};
            uint64_t retry;
            read_all(in, cut, cut == in.n + 1 ? 1 : in.n, &said, &retry);
            if (!str_eq(buf_str(&said), str_z(cases[i].want)) || retry != cases[i].retry)
                fail_msg("case %zu \"%s\" cut at %zu: got \"%.*s\" retry %llu", i, cases[i].in, cut,
                         STR(buf_str(&said)), (unsigned long long)retry);
            buf_fini(&said);
        }
    }
}

static void test_nul_in_id(void **state)
{
    (void)state;
    struct buf said = {0};
    uint64_t retry;
    read_all(S("id: a\ndata: 1\n\nid: b\0c\ndata: 2\n\n"), 100, 100, &said, &retry);
    assert_true(str_eq(buf_str(&said), S("|1|a\n|2|a\n")));
    buf_fini(&said);
}

static void test_write(void **state)
{
    (void)state;
    struct buf out = {0};
    struct err err;
    struct sse_event ev = {.data = S("{\"a\":1}")};
    assert_true(sse_write(&out, &ev, &err));
    ev = (struct sse_event){.name = S("message"), .id = S("s/1"), .data = S("a\nb\r\nc\rd\n")};
    assert_true(sse_write(&out, &ev, &err));
    sse_write_keep_alive(&out);
    sse_write_retry(&out, 1000);
    assert_true(sse_write(&out, &(struct sse_event){0}, &err));
    assert_true(str_eq(buf_str(&out),
                       S("data: {\"a\":1}\n\n"
                         "event: message\nid: s/1\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"
                         ":\n\nretry: 1000\n\ndata: \n\n")));
    struct buf said = {0};
    uint64_t retry;
    read_all(buf_str(&out), 3, 3, &said, &retry);
    assert_true(str_eq(buf_str(&said), S("|{\"a\":1}|\nmessage|a\nb\nc\nd\n|s/1\n||s/1\n")));
    assert_int_equal(retry, 1000);
    buf_fini(&said);
    buf_fini(&out);
}

static void test_write_refused(void **state)
{
    (void)state;
    static const struct sse_event bad[] = {
        {.name = {"a\nb", 3}}, {.name = {"a\r", 2}}, {.id = {"a\ndata: x", 9}}, {.id = {"\0", 1}}};
    struct buf out = {.max = 40};
    struct err err;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(sse_write(&out, &bad[i], &err));
        assert_int_equal(err.kind, ERR_INPUT);
        assert_int_equal(buf_len(&out), 0);
    }
    struct sse_event big = {.data = S("a\nb\nc\nd\ne\nf")};
    assert_false(sse_write(&out, &big, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_int_equal(buf_len(&out), 0);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_nul_in_id),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "ledger/ledger_fix.h"
#include "ledger/search.h"

/* ---- times ---- */

static void test_times(void **state)
{
    (void)state;
    static const struct {
        const char *given, *want; /* NULL: refused */
    } cases[] = {
        {"2026-11-23", "2026-11-23"},
        {"2026-11-23T10:30", "2026-11-23T10:30"},
        {"2026-11-23T10:30Z", "2026-11-23T10:30"},
        {"2026-11-23T10:30:00Z", "2026-11-23T10:30:00"},
        {"2026-11-23T10:30:00.250Z", "2026-11-23T10:30:00.250"},
        {"1d", "1970-01-01T00:00:00.000Z"},
        {"10s", "1970-01-01T00:00:05.000Z"},
        {"", NULL},
        {"yesterday", NULL},
        {"2026-11", NULL},
        {"2026-02-30", NULL},
        {"2026-11-23Z", NULL},
        {"2026-11-23 10:30", NULL},
        {"2026-11-23T10:30:00+01:00", NULL},
        {"2026-11-23T10:3x", NULL},
        {"-1d", NULL},
    };
    ARENA_SCOPE struct arena a = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        str out = {0};
        struct err err;
        bool ok = search_time(&a, str_z(cases[i].given), 15000, &out, &err);
        if (ok != (cases[i].want != NULL) || (ok && !str_eq(out, str_z(cases[i].want))))
            fail_msg("%s gave %.*s", cases[i].given, STR(out));
    }
}

/* ---- matching ---- */

/* A log in which two agents work on two systems; the second record of a call or hold carries no
 * name. Each question names the lines that it is about. */
static const char *const LOG[] = {
    "{\"agent\":\"a\",\"owner\":\"anna\",\"task\":\"t1\",\"time\":\"2026-11-23T10:00:00.000Z\","
    "\"type\":\"task_open\",\"v\":1}",
    "{\"agent\":\"a\",\"binding\":\"desk\",\"call\":\"c1\",\"owner\":\"anna\",\"task\":\"t1\","
    "\"time\":\"2026-11-23T10:01:00.000Z\",\"tool\":\"refund\",\"type\":\"intent\",\"v\":1}",
    "{\"agent\":\"b\",\"binding\":\"mail\",\"call\":\"c2\",\"owner\":\"anna\",\"task\":\"t2\","
    "\"time\":\"2026-11-23T10:02:00.000Z\",\"tool\":\"send\",\"type\":\"intent\",\"v\":1}",
    "{\"call\":\"c2\",\"status\":\"unknown\",\"time\":\"2026-11-23T10:03:00.000Z\","
    "\"type\":\"outcome\",\"v\":1}",
    "{\"call\":\"c1\",\"status\":\"ok\",\"time\":\"2026-11-23T10:04:00.000Z\",\"type\":\"outcome\","
    "\"v\":1}",
    "{\"agent\":\"a\",\"binding\":\"desk\",\"call\":\"c3\",\"hold\":\"h1\",\"owner\":\"bert\","
    "\"task\":\"t3\",\"time\":\"2026-11-23T10:05:00.000Z\",\"tool\":\"close\","
    "\"type\":\"hold_open\",\"v\":1}",
    "{\"call\":\"c3\",\"hold\":\"h1\",\"state\":\"counted\",\"time\":\"2026-11-23T10:06:00.000Z\","
    "\"type\":\"approval\",\"v\":1}",
    "{\"call\":\"c3\",\"hold\":\"h1\",\"time\":\"2026-11-23T10:07:00.000Z\",\"type\":\"approval\","
    "\"v\":1}",
    "{\"call\":\"c9\",\"hold\":\"h9\",\"time\":\"2026-11-23T10:08:00.000Z\",\"type\":\"denial\","
    "\"v\":1}",
    "{\"agent\":\"b\",\"child\":\"t4\",\"child_agent\":\"a\",\"owner\":\"anna\",\"task\":\"t2\","
    "\"time\":\"2026-11-24T00:00:00.000Z\",\"type\":\"delegation\",\"v\":1}",
    /* the name asked for stands in a text, not in the member */
    "{\"agent\":\"b\",\"name\":\"\\\"agent\\\":\\\"a\\\"\",\"time\":\"2026-11-24T00:00:01.000Z\","
    "\"type\":\"person_event\",\"v\":1}",
};

static void test_questions(void **state)
{
    (void)state;
    const struct {
        struct trace_query q;
        const char *want; /* one character a line of the log */
    } cases[] = {
        {{.agent = S("")}, "xxxxxxxxxxx"},
        {{.agent = S("a")}, "xx--xxxx-x-"},
        {{.agent = S("b")}, "--xx-----xx"},
        {{.agent = S("c")}, "-----------"},
        {{.agent = S("\"")}, "-----------"},
        {{.owner = S("anna")}, "xxxxx----x-"},
        {{.owner = S("bert")}, "-----xxx---"},
        {{.owner = S("ann")}, "-----------"},
        {{.system = S("desk")}, "-x--xxxx---"},
        {{.system = S("desk/refund")}, "-x--x------"},
        {{.system = S("desk/send")}, "-----------"},
        {{.agent = S("a"), .owner = S("anna")}, "xx--x----x-"},
        {{.from = S("2026-11-24")}, "---------xx"},
        {{.to = S("2026-11-24")}, "xxxxxxxxx--"},
        {{.from = S("2026-11-23T10:02"), .to = S("2026-11-23T10:04")}, "--xx-------"},
        {{.agent = S("a"), .from = S("2026-11-23T10:04")}, "----xxxx-x-"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct search *s = search_new(&cases[i].q);
        char got[sizeof LOG / sizeof LOG[0] + 1] = {0};
        for (size_t k = 0; k < sizeof LOG / sizeof LOG[0]; k++)
            got[k] = search_matches(s, str_z(LOG[k])) ? 'x' : '-';
        search_free(s);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("question %zu: %s, not %s", i, got, cases[i].want);
    }
}

static void test_hostile_bytes(void **state)
{
    (void)state;
    static const char *const bodies[] = {"",
                                         "{",
                                         "\"type\":\"",
                                         "\"type\":\"outcome\",\"call\":\"",
                                         "\"type\":\"approval\"",
                                         "\"time\":\""};
    struct search *s = search_new(&(struct trace_query){.agent = S("a"), .from = S("2026")});
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        assert_false(search_matches(s, str_z(bodies[i])));
    search_free(s);
}

/* ---- a whole ledger ---- */

static uint64_t tally_of(const struct search_result *r, enum tally_kind kind, const char *name)
{
    for (size_t i = 0; i < r->tallies_n; i++)
        if (r->tallies[i].kind == kind && str_eq(r->tallies[i].name, str_z(name)))
            return r->tallies[i].n;
    return 0;
}

static void test_search(void **state)
{
    struct fix *f = *state;
    ARENA_SCOPE struct arena a = {0};
    struct search_result r;
    char call[8];
    fix_task(f, "t1", NULL, 100);
    for (int i = 0; i < 5; i++) {
        snprintf(call, sizeof call, "c%d", i);
        fix_submit(f, fix_intent(f, str_z(call), "t1", NULL, (str){0}));
        fix_submit(f, fix_outcome(f, str_z(call), "t1"));
    }
    const struct trace_query q = {.owner = S("anna"), .system = S("desk/desk_refund")};
    store_flush(f->s);
    OK(f, trace_search(store_view(f->s), &a, &q, 3, &r, &f->err));
    assert_int_equal(r.read, 11);
    assert_int_equal(r.matched, 10);
    assert_int_equal(r.n, 3);
    assert_int_equal(r.newest[0].index, 8);
    assert_int_equal(r.newest[2].index, 10);
    assert_true(str_eq(r.newest[1].type, S("intent")));
    assert_int_equal(tally_of(&r, TALLY_TYPE, "intent"), 5);
    assert_int_equal(tally_of(&r, TALLY_TYPE, "task_open"), 0);
    assert_int_equal(tally_of(&r, TALLY_DECISION, "allow"), 5);
    assert_int_equal(tally_of(&r, TALLY_OUTCOME, "ok"), 5);
    assert_int_equal(tally_of(&r, TALLY_SYSTEM, "desk"), 5);
    OK(f, trace_search(store_view(f->s), &a, &q, SEARCH_NEWEST_MAX, &r, &f->err));
    assert_int_equal(r.n, 10);
    assert_false(trace_search(store_view(f->s), &a, &q, 0, &r, &f->err));
    assert_false(trace_search(store_view(f->s), &a, &q, SEARCH_NEWEST_MAX + 1, &r, &f->err));
    OK(f,
       trace_search(store_view(f->s), &a, &(struct trace_query){.agent = S("x")}, 3, &r, &f->err));
    assert_int_equal(r.matched + r.n + r.tallies_n, 0);
}

/* More systems than are counted one by one: none is lost. */
static void test_many_names(void **state)
{
    struct fix *f = *state;
    ARENA_SCOPE struct arena a = {0};
    struct search_result r;
    uint64_t sum = 0;
    char name[16];
    for (int i = 0; i < SEARCH_TALLIES_MAX + 50; i++) {
        snprintf(name, sizeof name, "s%d", i);
        struct record_refusal rec = {.time_ms = 1000,
                                     .call = S("c1"),
                                     .op = {.binding = str_z(name)},
                                     .reason = S("policy")};
        struct store_txn *t = store_txn_new(f->s);
        store_leaf(t, record_refusal(&f->leaf, &rec), (str){0}, (str){0});
        fix_submit(f, t);
    }
    store_flush(f->s);
    OK(f, trace_search(store_view(f->s), &a, &(struct trace_query){0}, 1, &r, &f->err));
    assert_true(r.tallies_n <= SEARCH_TALLIES_MAX + TALLY_KINDS);
    assert_true(tally_of(&r, TALLY_SYSTEM, "others") > 0);
    for (size_t i = 0; i < r.tallies_n; i++)
        sum += r.tallies[i].kind == TALLY_SYSTEM ? r.tallies[i].n : 0;
    assert_int_equal(sum, SEARCH_TALLIES_MAX + 50);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fix_set_up, fix_tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_hostile_bytes),
        T(test_search),
        T(test_many_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

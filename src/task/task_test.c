#include "task/task.h"
#include "base/json.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char CONF[] =
    "{\"people\": {\"ann\": {\"roles\": [\"owner\"]}, \"bob\": {\"roles\": [\"owner\"]}},"
    " \"agents\": {"
    "  \"a\": {\"owner\": \"ann\", \"bearer\": true, \"assessed\": \"2026-01-01\", \"ambit\": "
    "[\"s/*\"], \"delegates\": [\"a\", \"b\"]},"
    "  \"c\": {\"owner\": \"ann\", \"bearer\": true, \"assessed\": \"2026-01-01\", \"ambit\": "
    "[\"s/*\"]},"
    "  \"b\": {\"owner\": \"ann\", \"bearer\": true, \"assessed\": \"2026-01-01\", \"ambit\": "
    "[\"s/*\"], \"delegates\": [\"a\", \"b\", \"c\"]},"
    "  \"new\": {\"owner\": \"ann\", \"bearer\": true, \"ambit\": [\"s/*\"]},"
    "  \"out\": {\"owner\": \"ann\", \"bearer\": true, \"assessed\": \"2026-01-01\", "
    "\"suspended\": true, \"ambit\": [\"s/*\"]}},"
    " \"policies\": [\"x\"],"
    " \"mcpServers\": {\"s\": {\"url\": \"http://127.0.0.1:1/\", \"operations\": {\"r\": "
    "{\"effect\": \"read\"},"
    "   \"w\": {\"effect\": \"write\"}}}, \"t\": {\"url\": \"http://127.0.0.1:1/\"}}}";

static struct arena conf_arena;
static struct conf conf;

static int setup(void **state)
{
    (void)state;
    struct conf_problems p = {0};
    return conf_read(&conf_arena, S("c"), S("/"), str_z(CONF), &conf, &p) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&conf_arena);
    return 0;
}

struct row {
    const char *agent, *owner, *purpose, *op;
    int64_t life_ms, calls;
    const char *refusal; /* NULL: opened */
};

static void test_open(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a", "ann", "p", "s/w", 0, 0, NULL},
        {"new", "ann", "p", "s/r", 0, 0, NULL},
        {"new", "ann", "p", "s/w", 0, 0, "no assessment"},
        {"new", "ann", "p", "s/unlabelled", 0, 0, "no assessment"},
        {"out", "ann", "p", "s/r", 0, 0, "suspended"},
        {"a", "bob", "p", "s/r", 0, 0, "owned by ann"},
        {"nobody", "ann", "p", "s/r", 0, 0, "no agent"},
        {"a", "ann", "", "s/r", 0, 0, "purpose"},
        {"a", "ann", "p", "t/r", 0, 0, "outside the ambit"},
        {"a", "ann", "p", "zzz/r", 0, 0, "no binding"},
        {"a", "ann", "p", "s/*", 0, 0, "one by one"},
        {"a", "ann", "p", "s", 0, 0, "one by one"},
        {"a", "ann", "p", "s/r", 8LL * 86400000, 0, "7 days"},
        {"a", "ann", "p", "s/r", -1, 0, "7 days"},
        {"a", "ann", "p", "s/r", 0, -1, "calls"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        str op = str_z(r->op);
        struct task_wish w = {.owner = str_z(r->owner),
                              .agent = str_z(r->agent),
                              .purpose = str_z(r->purpose),
                              .operations = &op,
                              .operations_n = 1,
                              .life_ms = r->life_ms,
                              .calls = r->calls};
        struct task *t = NULL;
        struct err err = {0};
        bool ok = task_new(&conf, &w, 1000, &t, &err);
        if (ok != (r->refusal == NULL) || (!ok && !strstr(err.text, r->refusal)))
            fail_msg("row %zu: %s", i, ok ? "opened" : err.text);
        task_free(t);
    }
}

static struct task *open_task(struct tasks *ts, struct task *parent, const char *agent, int64_t now,
                              int64_t life, int64_t calls, struct err *err)
{
    str ops[] = {S("s/r"), S("s/w")};
    struct task_wish w = {.owner = S("ann"),
                          .agent = str_z(agent),
                          .purpose = S("p"),
                          .operations = ops,
                          .operations_n = parent ? 1 : 2,
                          .life_ms = life,
                          .calls = calls,
                          .parent = parent};
    struct task *t = NULL;
    if (!task_new(&conf, &w, now, &t, err))
        return NULL;
    tasks_add(ts, t);
    return t;
}

static void test_ancestors_decide(void **state)
{
    (void)state;
    struct tasks ts = {0};
    struct err err;
    struct task *root = open_task(&ts, NULL, "a", 0, 10000, 5, &err);
    struct task *child = open_task(&ts, root, "b", 0, 0, 5, &err);
    struct task *leaf = open_task(&ts, child, "c", 0, 0, 5, &err);
    assert_non_null(leaf);
    assert_true(task_judge(leaf, 9999, &err));
    assert_false(task_judge(leaf, 10000, &err));
    for (int i = 0; i < 5; i++)
        task_debit(leaf, &(struct task_cost){0});
    assert_int_equal(root->calls_left, 0);
    assert_false(task_judge(leaf, 1, &err));
    assert_true(task_is_live(leaf, 1, &err));
    tasks_set_state(&ts, root, TASK_REVOKED, (str){0}, 5);
    assert_false(task_is_live(leaf, 1, &err));
    assert_non_null(strstr(err.text, "revoked"));
    tasks_sweep(&ts, 6);
    assert_non_null(tasks_find(&ts, id_str(&root->id))); /* it has children in memory */
    tasks_fini(&ts);
}

/* No chain ever widens: random trees, every child within every ancestor. */
static void test_no_chain_widens(void **state)
{
    (void)state;
    static const char *const names[] = {"s/r", "s/w", "s/x", "s/y", "t/r"};
    unsigned seed = 7, made = 0;
    for (int round = 0; round < 2000; round++) {
        struct tasks ts = {0};
        struct task *all[12];
        size_t n = 0;
        for (int i = 0; i < 12; i++) {
            str ops[5];
            size_t k = 0;
            for (int b = 0; b < 5; b++)
                if (rand_r(&seed) % 2)
                    ops[k++] = str_z(names[b]);
            struct task_wish w = {
                .owner = S("ann"),
                .agent = rand_r(&seed) % 2 ? S("a") : S("b"),
                .purpose = S("p"),
                .operations = ops,
                .operations_n = k,
                .life_ms = rand_r(&seed) % 3000,
                .calls = rand_r(&seed) % 12,
                .parent = n && rand_r(&seed) % 4 ? all[(unsigned)rand_r(&seed) % n] : NULL};
            struct task *t;
            struct err err;
            int64_t now = rand_r(&seed) % 2000;
            if (!task_new(&conf, &w, now, &t, &err))
                continue;
            tasks_add(&ts, t);
            all[n++] = t;
            made++;
            for (const struct task *p = t->parent; p; p = p->parent) {
                assert_true(t->deadline_ms <= p->deadline_ms);
                assert_true(t->calls_left <= p->calls_left);
                for (size_t o = 0; o < t->operations_n; o++)
                    assert_true(task_grants(p, t->operations[o]));
                assert_true(t->depth > p->depth && t->depth < TASK_DEPTH_MAX);
            }
        }
        tasks_fini(&ts);
    }
    assert_true(made > 2000);
}

static void test_claims(void **state)
{
    (void)state;
    ARENA_SCOPE struct arena a = {0};
    struct tasks ts = {0};
    struct err err;
    struct task *root = open_task(&ts, NULL, "a", 1000000, 100000, 5, &err);
    struct task *child = open_task(&ts, root, "b", 1000000, 0, 1, &err);
    struct buf b = {0};
    const json *c;
    int64_t exp;
    task_token_claims(child, &conf, (str){0}, (str){0}, false, 1000000, &b);
    assert_true(json_read(&a, buf_str(&b), NULL, &c, &err));
    assert_true(json_i64(json_get(c, S("exp")), &exp) &&
                exp == 1100); /* the task ends before the token would */
    assert_true(str_eq(json_get_str(c, S("sub")), S("ann")));
    const json *act = json_get(c, S("act"));
    assert_true(str_eq(json_get_str(act, S("sub")), S("spiffe://ambit.local/agent/b")));
    assert_true(
        str_eq(json_get_str(json_get(act, S("act")), S("sub")), S("spiffe://ambit.local/agent/a")));
    assert_null(json_get(c, S("cnf")));
    buf_fini(&b);
    tasks_fini(&ts);
}

static void test_restore(void **state)
{
    (void)state;
    struct tasks ts = {0};
    struct err err;
    struct task *t = open_task(&ts, NULL, "a", 5, 1000, 5, &err), *again;
    struct buf grants = {0};
    task_grants_write(t, &grants);
    struct task_row row = {.id = id_str(&t->id),
                           .owner = t->owner,
                           .agent = t->agent,
                           .purpose = t->purpose,
                           .grants = buf_str(&grants),
                           .opened_ms = 5,
                           .deadline_ms = t->deadline_ms,
                           .calls_left = 3,
                           .left = t->left};
    assert_true(task_restore(&row, NULL, &again, &err));
    assert_true(task_grants(again, S("s/w")) && !task_grants(again, S("s/z")));
    row.grants = S("{");
    struct task *bad;
    assert_false(task_restore(&row, NULL, &bad, &err));
    task_free(again);
    buf_fini(&grants);
    tasks_fini(&ts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),    cmocka_unit_test(test_ancestors_decide),
        cmocka_unit_test(test_claims),  cmocka_unit_test(test_no_chain_widens),
        cmocka_unit_test(test_restore),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

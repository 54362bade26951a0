/* What a transaction does, and what is read back: the same for every backend. */
#include "base/buf.h"
#include "store/row.h"
#include "store/store_fix.h"
#include "store/store_private.h"

static void test_commit_and_reopen(void **state)
{
    struct fix *f = *state;
    add_task(f, "t1", "", 5);
    add_task(f, "t2", "t1", 3);
    assert_int_equal(store_size(f->s), 2);
    uint64_t sum = f->tree.sum;
    fix_close(f);
    f->tree = (struct toy_tree){0};
    fix_open(f);
    assert_int_equal(f->tree.size, 2);
    assert_int_equal(f->tree.sum, sum);
    assert_int_equal(store_size(f->s), 2);
    assert_int_equal(leaves(f), 2);
    assert_int_equal(calls_left(f, "t2"), 3);
}

static bool copy_leaf(void *arg, const struct store_leaf_row *row)
{
    snprintf(arg, 100, "%d %.*s %.*s %.*s", (int)row->index, STR(row->body), STR(row->call),
             STR(row->task));
    return true;
}

static void test_guard_undoes_and_records(void **state)
{
    struct fix *f = *state;
    add_task(f, "parent", "", 0);
    add_task(f, "child", "parent", 5);
    struct got before = {0}, refused = {0}, after = {0};
    struct store_txn *t = txn(f);
    store_leaf(t, S("before"), S("c0"), S("child"));
    submit(f, t, &before);
    t = txn(f);
    store_task_debit(t, S("child"), 0, 2000);
    store_payload_insert(t, STORE_ON_GUARD, &(struct store_payload){S("c1"), S("salt"), S("{}")});
    store_task_debit(t, S("parent"), 0, 2000);
    store_leaf(t, S("intent"), S("c1"), S("child"));
    store_leaf_on_guard(t, S("refusal"), S("c1"), S("child"));
    submit(f, t, &refused);
    t = txn(f);
    store_task_debit(t, S("child"), 0, 2000);
    store_leaf(t, S("after"), S("c2"), S("child"));
    submit(f, t, &after);
    store_flush(f->s);
    assert_int_equal(before.committed, 1);
    assert_int_equal(refused.guarded, 1);
    assert_int_equal(refused.last.step, 2);
    assert_int_equal(refused.last.leaves, 1);
    assert_int_equal(refused.last.first_leaf, 3);
    assert_int_equal(after.committed, 1);
    assert_int_equal(after.last.first_leaf, 4);
    assert_int_equal(calls_left(f, "child"), 4);
    assert_int_equal(leaves(f), 5);
    char said[100] = "";
    assert_true(store_read_leaves(store_view(f->s), &(struct store_leaf_query){.call = S("c1")},
                                  copy_leaf, said, &f->err));
    assert_string_equal(said, "3 refusal c1 child");
    ARENA_SCOPE struct arena a = {0};
    struct store_payload p;
    assert_true(store_read_payload(store_view(f->s), &a, S("c1"), &p, &f->err));
    assert_true(str_eq(p.salt, S("salt")));
}

static void test_constraint_is_a_guard(void **state)
{
    struct fix *f = *state;
    struct store_operator row = {S("anna"), S("key"), 1, S("setup")};
    for (int i = 0; i < 2; i++) {
        struct store_txn *t = txn(f);
        store_meta_put(t, S("count"), i ? S("two") : S("one"));
        store_operator_insert(t, &row);
        assert_int_equal(run(f, t).outcome, i ? STORE_GUARDED : STORE_COMMITTED);
    }
    ARENA_SCOPE struct arena a = {0};
    str value;
    assert_true(store_read_meta(store_view(f->s), &a, S("count"), &value, &f->err));
    assert_true(str_eq(value, S("one")));
    /* a parent that does not exist */
    struct store_txn *t = txn(f);
    store_task_insert(t, &(struct store_task){.id = S("t9"), .parent = S("nobody")});
    assert_int_equal(run(f, t).outcome, STORE_GUARDED);
}

static void test_budget_is_exact(void **state)
{
    struct fix *f = *state;
    enum { BUDGET = 100, CALLS = 3000 };
    add_task(f, "root", "", BUDGET);
    add_task(f, "left", "root", BUDGET);
    add_task(f, "right", "root", 37);
    struct got g = {0};
    for (int i = 0; i < CALLS; i++) {
        struct store_txn *t = txn(f);
        store_task_debit(t, i % 2 ? S("left") : S("right"), 0, 2000);
        store_task_debit(t, S("root"), 0, 2000);
        store_leaf(t, S("intent"), (str){0}, S("root"));
        store_leaf_on_guard(t, S("refusal"), (str){0}, S("root"));
        submit(f, t, &g);
        if (i % 97 == 0)
            store_collect(f->s);
    }
    store_flush(f->s);
    assert_int_equal(g.done, CALLS);
    assert_int_equal(g.committed, BUDGET);
    assert_int_equal(g.guarded, CALLS - BUDGET);
    assert_int_equal(calls_left(f, "root"), 0);
    assert_int_equal(calls_left(f, "left") + calls_left(f, "right"), 37);
    assert_int_equal(leaves(f), CALLS + 3);
    struct store_stats st;
    store_stats(f->s, &st);
    assert_true(st.group_largest > 1);
    assert_int_equal(st.guarded, CALLS - BUDGET);
}

static enum store_outcome debit(struct fix *f, int64_t now_ms)
{
    struct store_txn *t = txn(f);
    store_task_debit(t, S("t1"), 0, now_ms);
    return run(f, t).outcome;
}

static void test_task_guards(void **state)
{
    struct fix *f = *state;
    add_task(f, "t1", "", 2);
    assert_int_equal(debit(f, 9000), STORE_GUARDED); /* the deadline itself is too late */
    assert_int_equal(debit(f, 8999), STORE_COMMITTED);
    struct store_txn *t = txn(f);
    store_task_child(t, S("t1"), 2000, 1);
    assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
    t = txn(f);
    store_task_child(t, S("t1"), 2000, 1);
    assert_int_equal(run(f, t).outcome, STORE_GUARDED);
    for (int i = 0; i < 2; i++) {
        t = txn(f);
        store_task_close(t, S("t1"), S("revoked"), 3000, S("owner"));
        assert_int_equal(run(f, t).outcome, i ? STORE_GUARDED : STORE_COMMITTED);
    }
    assert_int_equal(debit(f, 2000), STORE_GUARDED);
    t = txn(f);
    store_task_close(t, S("t1"), S("asleep"), 3000, (str){0});
    assert_int_equal(run(f, t).outcome, STORE_GUARDED);
}

static struct store_hold a_hold(const char *id)
{
    return (struct store_hold){.id = str_z(id),
                               .task = S("t1"),
                               .call = S("c1"),
                               .binding = S("b"),
                               .tool = S("x"),
                               .digest = S("dig"),
                               .args = S("{}"),
                               .effect = S("write"),
                               .state = S("approved"),
                               .created_ms = 1,
                               .expires_ms = 5000,
                               .policies = S("[]")};
}

static enum store_outcome consume(struct fix *f, str task, str digest, int64_t now_ms)
{
    struct store_txn *t = txn(f);
    store_hold_consume(t, S("h1"), task, digest, now_ms);
    return run(f, t).outcome;
}

static enum store_outcome decide(struct fix *f, const char *id, str state, int64_t now_ms)
{
    struct store_txn *t = txn(f);
    store_hold_decide(t, str_z(id), state, S("anna"), now_ms);
    return run(f, t).outcome;
}

static bool count_hold(void *arg, const struct store_hold *row)
{
    (void)row;
    ++*(int *)arg;
    return true;
}

static void test_hold_is_used_once(void **state)
{
    struct fix *f = *state;
    add_task(f, "t1", "", 5);
    for (int i = 1; i <= 3; i++) {
        char id[16];
        snprintf(id, sizeof id, "h%d", i);
        struct store_hold h = a_hold(id);
        struct store_txn *t = txn(f);
        store_hold_insert(t, &h);
        assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
    }
    assert_int_equal(consume(f, S("t1"), S("dig"), 100), STORE_GUARDED); /* still pending */
    assert_int_equal(decide(f, "h1", S("approved"), 5000), STORE_GUARDED);
    assert_int_equal(decide(f, "h1", S("approved"), 100), STORE_COMMITTED);
    assert_int_equal(decide(f, "h1", S("denied"), 100), STORE_GUARDED);
    assert_int_equal(consume(f, S("t1"), S("other"), 100), STORE_GUARDED);
    assert_int_equal(consume(f, S("t2"), S("dig"), 100), STORE_GUARDED);
    assert_int_equal(consume(f, S("t1"), S("dig"), 5000), STORE_GUARDED);
    assert_int_equal(consume(f, S("t1"), S("dig"), 4999), STORE_COMMITTED);
    assert_int_equal(consume(f, S("t1"), S("dig"), 4999), STORE_GUARDED);
    assert_int_equal(decide(f, "h2", S("denied"), 100), STORE_COMMITTED);
    int live = 0;
    assert_true(store_read_holds_live(store_view(f->s), count_hold, &live, &f->err));
    assert_int_equal(live, 1);
    struct store_txn *t = txn(f);
    store_hold_expire(t, S("h3"), 4999);
    assert_int_equal(run(f, t).outcome, STORE_GUARDED);
    t = txn(f);
    store_hold_cancel_task(t, S("t1"), 4999);
    store_hold_cancel_task(t, S("t1"), 4999);
    assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
    ARENA_SCOPE struct arena a = {0};
    struct store_hold h;
    assert_true(store_read_hold(store_view(f->s), &a, S("h3"), &h, &f->err));
    assert_true(str_eq(h.state, S("cancelled")));
    assert_false(store_read_hold(store_view(f->s), &a, S("h4"), &h, &f->err));
    assert_int_equal(f->err.kind, ERR_NOTFOUND);
}

static void test_one_outcome(void **state)
{
    struct fix *f = *state;
    struct store_txn *t = txn(f);
    store_open_call_insert(t, &(struct store_open_call){S("c1"), S("t1"), true});
    assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
    for (int i = 0; i < 2; i++) {
        t = txn(f);
        store_open_call_delete(t, S("c1"));
        store_leaf(t, S("outcome"), S("c1"), S("t1"));
        assert_int_equal(run(f, t).outcome, i ? STORE_GUARDED : STORE_COMMITTED);
    }
    assert_int_equal(leaves(f), 1);
}

static void test_limits(void **state)
{
    struct fix *f = *state;
    struct store_txn *t = txn(f);
    for (int i = 0; i <= STORE_STEPS_MAX; i++)
        store_task_debit(t, S("t"), 0, 1);
    assert_false(store_submit(f->s, t, NULL, NULL, &f->err));
    assert_int_equal(f->err.kind, ERR_LIMIT);
    static char big[STORE_LEAF_BYTES_MAX + 1];
    memset(big, 'x', sizeof big);
    t = txn(f);
    store_leaf(t, str_of(big, sizeof big), (str){0}, (str){0});
    assert_false(store_submit(f->s, t, NULL, NULL, &f->err));
    t = txn(f);
    store_leaf(t, (str){0}, (str){0}, (str){0});
    assert_false(store_submit(f->s, t, NULL, NULL, &f->err));
    t = txn(f);
    store_leaf(t, str_of(big, sizeof big - 1), (str){0}, (str){0});
    assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
}

/* ---- revocation ---- */

struct seen_leases {
    int n;
    char states[64];
};

static bool see_lease(void *arg, const struct store_lease *row)
{
    struct seen_leases *s = arg;
    s->n++;
    snprintf(s->states + strlen(s->states), sizeof s->states - strlen(s->states), "%.*s ",
             STR(row->state));
    return true;
}

static void leases_are(struct fix *f, const char *task, const char *states)
{
    struct seen_leases s = {0};
    assert_true(store_read_leases(store_view(f->s), str_z(task), see_lease, &s, &f->err));
    assert_string_equal(s.states, states);
}

static void lease_step(struct fix *f, const char *task, const char *binding, const char *state)
{
    struct store_lease row = {
        .task = str_z(task), .binding = str_z(binding), .state = str_z(state), .why = S("w")};
    struct store_txn *t = txn(f);
    if (state[0]) {
        store_lease_end(t, &row);
    } else {
        row.holder = S("edge");
        store_lease_open(t, &row);
    }
    assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
}

static void test_leases_go_one_way(void **state)
{
    struct fix *f = *state;
    lease_step(f, "t1", "a", "");
    lease_step(f, "t1", "b", "");
    lease_step(f, "t1", "b", ""); /* once */
    lease_step(f, "t2", "a", "");
    leases_are(f, "t1", "live live ");
    struct store_txn *t = txn(f);
    store_lease_revoke(t, S("t1"), 9);
    assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
    leases_are(f, "t1", "revoking revoking ");
    leases_are(f, "t2", "live ");
    lease_step(f, "t1", "a", "ended");
    lease_step(f, "t1", "a", "quarantined"); /* it is over */
    lease_step(f, "t1", "a", "");
    lease_step(f, "t1", "b", "quarantined");
    leases_are(f, "t1", "ended quarantined ");
    leases_are(f, "", "live "); /* what is not over */
}

static bool count_receipt(void *arg, const struct store_receipt *row)
{
    *(int *)arg += str_eq(row->state, S("open"));
    return true;
}

static void test_receipts(void **state)
{
    struct fix *f = *state;
    ARENA_SCOPE struct arena a = {0};
    struct store_receipt row = {.id = S("r1"), .kind = S("agent"), .name = S("n"), .by = S("ann")};
    struct store_receipt got;
    int open = 0;
    for (int i = 0; i < 2; i++) {
        struct store_txn *t = txn(f);
        store_receipt_insert(t, &row);
        store_receipt_task(t, row.id, S("t1"));
        store_receipt_task(t, row.id, S("t1")); /* twice is fine */
        assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
        row.id = S("r2");
    }
    assert_true(store_read_receipts_open(store_view(f->s), count_receipt, &open, &f->err));
    assert_int_equal(open, 2);
    for (int i = 0; i < 2; i++) {
        struct store_txn *t = txn(f);
        store_receipt_end(t, S("r1"), S("{}"));
        assert_int_equal(run(f, t).outcome, i ? STORE_GUARDED : STORE_COMMITTED);
    }
    assert_true(store_read_receipt(store_view(f->s), &a, S("r1"), &got, &f->err));
    assert_true(str_eq(got.body, S("{}")) && str_eq(got.state, S("ended")));
    assert_true(store_read_receipt(store_view(f->s), &a, S("t1"), &got, &f->err));
    assert_true(str_eq(got.id, S("r2"))); /* the newest */
    assert_false(store_read_receipt(store_view(f->s), &a, S("t2"), &got, &f->err));
    assert_int_equal(f->err.kind, ERR_NOTFOUND);
}

static bool on_revoked(void *arg, const struct store_revoked *row)
{
    struct buf *out = arg;
    buf_printf(out, "%.*s %.*s %lld %lld %.*s %.*s;", STR(row->kind), STR(row->name),
               (long long)row->at_ms, (long long)row->until_ms, STR(row->by), STR(row->reason));
    return true;
}

/* Entries are replaced, deleted only once, and swept when they are over. */
static void test_revoked(void **state)
{
    struct fix *f = *state;
    struct buf out = {0};
    struct store_revoked id = {S("id"), S("spiffe://td/a"), 5, 0, S("eve"), S("lost")};
    struct store_revoked key = {S("key"), S("k1"), 6, 100, S("eve"), (str){0}};
    struct store_txn *t = store_txn_new(f->s);
    store_revoked_put(t, &id);
    store_revoked_put(t, &key);
    key.at_ms = 7;
    store_revoked_put(t, &key);
    assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
    assert_true(store_read_revoked(store_view(f->s), on_revoked, &out, &f->err));
    assert_true(str_eq(buf_str(&out), S("id spiffe://td/a 5 0 eve lost;key k1 7 100 eve ;")));
    t = store_txn_new(f->s);
    store_revoked_sweep(t, 100);
    store_revoked_delete(t, id.kind, id.name);
    assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
    t = store_txn_new(f->s);
    store_revoked_delete(t, id.kind, id.name);
    assert_int_equal(run(f, t).outcome, STORE_GUARDED);
    buf_clear(&out);
    assert_true(store_read_revoked(store_view(f->s), on_revoked, &out, &f->err));
    assert_int_equal(buf_len(&out), 0);
    buf_fini(&out);
}

/* ---- reading ---- */

struct walked {
    struct fix *f;
    struct buf said;
    int rows, rows_max;
};

static bool on_child(void *ctx, const struct store_row *row)
{
    struct walked *w = ctx;
    buf_printf(&w->said, "(%.*s)", STR(store_row_str(row, 0)));
    return true;
}

/* id, parent (may be NULL), opened_ms; and its children, with the same view. */
static bool on_parent(void *ctx, const struct store_row *row)
{
    struct walked *w = ctx;
    str id = store_row_str(row, 0);
    buf_printf(&w->said, "%.*s %zu %lld %lld", STR(id), store_row_str(row, 1).n,
               (long long)store_row_i64(row, 1), (long long)store_row_i64(row, 2));
    struct store_param p[] = {STORE_STR(id), STORE_I64(1000)};
    assert_true(store_walk(store_view(w->f->s),
                           "SELECT id FROM task WHERE parent = ?1 AND opened_ms = ?2 ORDER BY id",
                           p, 2, on_child, w, &w->f->err));
    buf_printf(&w->said, ";");
    return ++w->rows < w->rows_max;
}

static void test_walk(void **state)
{
    static const struct {
        int rows_max;
        const char *said;
    } cases[] = {{9, "a 0 0 1000(b)(c);d 0 0 1000;"}, {1, "a 0 0 1000(b)(c);"}};
    struct fix *f = *state;
    add_task(f, "a", "", 1);
    add_task(f, "b", "a", 1);
    add_task(f, "c", "a", 1);
    add_task(f, "d", "", 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct walked w = {.f = f, .rows_max = cases[i].rows_max};
        assert_true(store_walk(store_view(f->s),
                               "SELECT id, parent, opened_ms FROM task WHERE parent IS NULL"
                               " ORDER BY id",
                               NULL, 0, on_parent, &w, &f->err));
        if (!str_eq(buf_str(&w.said), str_z(cases[i].said)))
            fail_msg("want %s, got %.*s", cases[i].said, STR(buf_str(&w.said)));
        buf_fini(&w.said);
    }
    assert_false(store_walk(store_view(f->s), "SELECT nothing FROM nowhere", NULL, 0, on_child,
                            NULL, &f->err));
    assert_true(f->err.text[0] != 0);
}

/* ---- budgets ---- */

#define NONE STORE_UNBOUNDED

/* A debit takes one call and the money, an answer what it was; a budget that is none stays none. */
static void test_budgets(void **state)
{
    static const struct {
        const char *id;
        struct store_budgets before;
        int64_t money;
        enum store_outcome outcome;
        struct store_budgets after; /* of an answer of 5 bytes, 6 rows, 7 tokens too */
    } cases[] = {
        {"none", {NONE, NONE, NONE, NONE}, 9, STORE_COMMITTED, {NONE, NONE, NONE, NONE}},
        {"all", {10, 10, 10, 10}, 9, STORE_COMMITTED, {5, 4, 3, 1}},
        {"exact", {1, 1, 1, 9}, 9, STORE_COMMITTED, {-4, -5, -6, 0}},
        {"poor", {NONE, NONE, NONE, 8}, 9, STORE_GUARDED, {NONE, NONE, NONE, 8}},
        {"bytes", {-1, NONE, NONE, NONE}, 0, STORE_GUARDED, {-6, NONE, NONE, NONE}},
        {"rows", {NONE, -1, NONE, NONE}, 0, STORE_GUARDED, {NONE, -7, NONE, NONE}},
        {"tokens", {NONE, NONE, -1, NONE}, 0, STORE_GUARDED, {NONE, NONE, -8, NONE}},
    };
    struct fix *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct store_task row = {.id = str_z(cases[i].id),
                                 .deadline_ms = 9000,
                                 .calls_left = 3,
                                 .left = cases[i].before};
        struct store_txn *t = txn(f);
        store_task_insert(t, &row);
        assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
        t = txn(f);
        store_task_debit(t, row.id, cases[i].money, 2000);
        assert_int_equal(run(f, t).outcome, cases[i].outcome);
        t = txn(f);
        store_task_answer(t, row.id, 5, 6, 7);
        assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
        assert_true(store_read_task(store_view(f->s), &a, row.id, &row, &f->err));
        assert_int_equal(row.calls_left, cases[i].outcome == STORE_COMMITTED ? 2 : 3);
        assert_int_equal(row.left.bytes, cases[i].after.bytes);
        assert_int_equal(row.left.rows, cases[i].after.rows);
        assert_int_equal(row.left.tokens, cases[i].after.tokens);
        assert_int_equal(row.left.money, cases[i].after.money);
    }
}

/* ---- the SQL itself ---- */

static void is_common(const char *sql)
{
    static const char *const refused[] = {"iif(",      "ifnull(",   "json_",    "rowid",
                                          "INSERT OR", "REPLACE",   "PRAGMA",   "AUTOINCREMENT",
                                          "strftime(", "datetime(", "unixepoch"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strstr(sql, refused[i]))
            fail_msg("only SQLite knows %s: %s", refused[i], sql);
}

/* What a step or a migration says is understood by SQLite and PostgreSQL; parameters are ?1 to ?n
 * without a gap. */
static void test_sql_is_common(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STORE_SCHEMA_VERSION; i++)
        is_common(STORE_MIGRATIONS[i]);
    for (unsigned i = STORE_STMT_NONE + 1; i < STORE_STMTS; i++) {
        unsigned seen = 0;
        const char *sql = STORE_SQL[i];
        assert_non_null(sql);
        is_common(sql);
        for (const char *p = strchr(sql, '?'); p; p = strchr(p + 1, '?')) {
            long n = strtol(p + 1, NULL, 10);
            if (n < 1 || n > STORE_STEP_PARAMS_MAX)
                fail_msg("parameters are ?1 to ?%d: %s", STORE_STEP_PARAMS_MAX, sql);
            seen |= 1u << (n - 1);
        }
        if (seen & (seen + 1))
            fail_msg("a number of a parameter is left out: %s", sql);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_CASE(test_commit_and_reopen),
        STORE_CASE(test_guard_undoes_and_records),
        STORE_CASE(test_constraint_is_a_guard),
        STORE_CASE(test_budget_is_exact),
        STORE_CASE(test_task_guards),
        STORE_CASE(test_hold_is_used_once),
        STORE_CASE(test_leases_go_one_way),
        STORE_CASE(test_receipts),
        STORE_CASE(test_one_outcome),
        STORE_CASE(test_walk),
        STORE_CASE(test_budgets),
        cmocka_unit_test(test_sql_is_common),
        STORE_CASE(test_limits),
        STORE_CASE(test_revoked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

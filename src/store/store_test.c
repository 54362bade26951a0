#include "base/clock.h"
#include "base/buf.h"
#include "store/read.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* A tree in name only: the "hash" is the index and the first bytes, the frontier a running sum. */
struct toy_tree {
    uint64_t size, sum;
};

static bool toy_restore(void *ctx, uint64_t size, str frontier, struct err *err)
{
    struct toy_tree *t = ctx;
    t->size = size;
    t->sum = 0;
    if (size == 0)
        return true;
    if (frontier.n != sizeof t->sum)
        return err_input(err, "toy frontier of %zu bytes", frontier.n);
    memcpy(&t->sum, frontier.p, sizeof t->sum);
    return true;
}

static void toy_append(void *ctx, str body, uint64_t *out_index, uint8_t out[STORE_HASH_BYTES])
{
    struct toy_tree *t = ctx;
    memset(out, 0, STORE_HASH_BYTES);
    memcpy(out, &t->size, sizeof t->size);
    memcpy(out + 8, body.p, body.n < 24 ? body.n : 24);
    for (size_t i = 0; i < body.n; i++)
        t->sum = t->sum * 31 + (uint8_t)body.p[i];
    *out_index = t->size++;
}

static size_t toy_save(void *ctx, uint64_t *out_size, uint8_t out[STORE_FRONTIER_BYTES_MAX])
{
    struct toy_tree *t = ctx;
    *out_size = t->size;
    memcpy(out, &t->sum, sizeof t->sum);
    return sizeof t->sum;
}

struct fix {
    char dir[80];
    int fd;
    struct toy_tree tree;
    struct store_options opt;
    struct store *s;
    struct err err;
};

static void fix_open(struct fix *f)
{
    f->opt.tree = (struct store_tree_ops){&f->tree, toy_restore, toy_append, toy_save};
    if (!store_open(f->fd, &f->opt, &f->s, &f->err))
        fail_msg("%s", f->err.text);
}

static void fix_close(struct fix *f)
{
    store_close(f->s);
    f->s = NULL;
}

static int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/tmp/ambit-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_true(store_dir_open(f->dir, true, &f->fd, &f->err));
    fix_open(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fix *f = *state;
    store_close(f->s);
    DIR *d = opendir(f->dir);
    for (struct dirent *e; d && (e = readdir(d));)
        unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(f->dir);
    close(f->fd);
    free(f);
    return 0;
}

struct got {
    unsigned done, committed, guarded, failed;
    struct store_result last;
    char why[400];
};

static void on_done(void *arg, const struct store_result *r)
{
    struct got *g = arg;
    g->done++;
    g->committed += r->outcome == STORE_COMMITTED;
    g->guarded += r->outcome == STORE_GUARDED;
    g->failed += r->outcome == STORE_FAILED;
    g->last = *r;
    if (r->err)
        snprintf(g->why, sizeof g->why, "%s", r->err->text);
}

static void submit(struct fix *f, struct store_txn *t, struct got *g)
{
    if (!store_submit(f->s, t, on_done, g, &f->err))
        fail_msg("%s", f->err.text);
}

/* Submits and waits for all. */
static struct store_result run(struct fix *f, struct store_txn *t)
{
    struct got g = {0};
    submit(f, t, &g);
    store_flush(f->s);
    assert_int_equal(g.done, 1);
    return g.last;
}

static struct store_txn *txn(struct fix *f)
{
    return store_txn_new(f->s);
}

static void add_task(struct fix *f, const char *id, const char *parent, int64_t calls)
{
    struct store_task row = {.id = str_z(id),
                             .parent = str_z(parent),
                             .owner = S("anna"),
                             .agent = S("spiffe://x/agent/a"),
                             .purpose = S("tidy up"),
                             .grants = S("[]"),
                             .opened_ms = 1000,
                             .deadline_ms = 9000,
                             .calls_left = calls};
    struct store_txn *t = txn(f);
    store_task_insert(t, &row);
    store_leaf(t, S("{\"type\":\"task_open\"}"), (str){0}, row.id);
    assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
}

static int64_t calls_left(struct fix *f, const char *id)
{
    ARENA_SCOPE struct arena a = {0};
    struct store_task row = {0};
    if (!store_read_task(store_view(f->s), &a, str_z(id), &row, &f->err))
        fail_msg("%s", f->err.text);
    return row.calls_left;
}

static bool count_leaf(void *arg, const struct store_leaf_row *row)
{
    uint64_t *next = arg;
    assert_int_equal(row->index, *next);
    ++*next;
    return true;
}

static uint64_t leaves(struct fix *f)
{
    uint64_t n = 0;
    assert_true(store_read_leaves(store_view(f->s), &(struct store_leaf_query){0}, count_leaf, &n,
                                  &f->err));
    return n;
}

/* ---- what a transaction does ---- */

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

static void test_wal_stays_short(void **state)
{
    struct fix *f = *state;
    fix_close(f);
    f->opt.wal_pages_max = 50;
    fix_open(f);
    add_task(f, "t1", "", 100000);
    for (int i = 0; i < 600; i++) {
        struct store_txn *t = txn(f);
        store_task_debit(t, S("t1"), 0, 2000);
        store_leaf(t, S("some leaf"), S("c"), S("t1"));
        assert_int_equal(run(f, t).outcome, STORE_COMMITTED);
    }
    struct stat st;
    assert_int_equal(fstatat(f->fd, "ambit.db-wal", &st, 0), 0);
    assert_true(st.st_size < 100 * 4200);
    struct store_stats stats;
    store_stats(f->s, &stats);
    assert_true(stats.wal_copies > 10);
}

/* ---- who may open what ---- */

static void test_second_gateway_refused(void **state)
{
    struct fix *f = *state;
    struct store *other = NULL;
    struct toy_tree tree = {0};
    struct store_options opt = {.tree = {&tree, toy_restore, toy_append, toy_save}};
    assert_false(store_open(f->fd, &opt, &other, &f->err));
    assert_int_equal(f->err.kind, ERR_DENIED);
    assert_non_null(strstr(f->err.text, "another gateway uses this store"));
    fix_close(f);
    assert_true(store_open(f->fd, &opt, &other, &f->err));
    store_close(other);
}

static void overwrite(struct fix *f, off_t at, size_t n)
{
    int fd = openat(f->fd, "ambit.db", O_RDWR);
    char junk[512];
    memset(junk, 0x5a, sizeof junk);
    for (size_t i = 0; i < n; i += sizeof junk)
        assert_int_equal(pwrite(fd, junk, sizeof junk, at + (off_t)i), sizeof junk);
    close(fd);
}

static void refuse(struct fix *f, const char *words)
{
    assert_false(store_open(f->fd, &f->opt, &f->s, &f->err));
    assert_int_equal(f->err.kind, ERR_INPUT);
    if (!strstr(f->err.text, words))
        fail_msg("want \"%s\" in: %s", words, f->err.text);
}

static void test_damaged_page_refused(void **state)
{
    struct fix *f = *state;
    for (int i = 0; i < 20; i++)
        add_task(f, (char[]){'a' + (char)i, 0}, "", 1);
    fix_close(f);
    overwrite(f, 2 * 4096, 3 * 4096);
    refuse(f, "ambit.db is damaged");
    refuse(f, "restore a backup");
}

static void test_damaged_header_refused(void **state)
{
    struct fix *f = *state;
    fix_close(f);
    overwrite(f, 0, 512);
    refuse(f, "ambit.db is damaged");
}

static void test_lost_leaf_refused(void **state)
{
    struct fix *f = *state;
    add_task(f, "t1", "", 1);
    fix_close(f);
    char cmd[256];
    snprintf(cmd, sizeof cmd,
             "command -v sqlite3 >/dev/null && sqlite3 %s/ambit.db 'DELETE FROM leaf'", f->dir);
    if (system(cmd) != 0) {
        print_message("skipped: the sqlite3 program is not installed\n");
        skip();
    }
    refuse(f, "leaves");
}

static void test_foreign_and_newer_refused(void **state)
{
    struct fix *f = *state;
    fix_close(f);
    char cmd[300];
    snprintf(cmd, sizeof cmd,
             "command -v sqlite3 >/dev/null && sqlite3 %s/ambit.db"
             " \"UPDATE meta SET value = '99' WHERE name = 'store.schema'\"",
             f->dir);
    if (system(cmd) != 0) {
        print_message("skipped: the sqlite3 program is not installed\n");
        skip();
    }
    refuse(f, "newer Ambit");
    snprintf(cmd, sizeof cmd, "sqlite3 %s/ambit.db 'PRAGMA application_id = 7' >/dev/null", f->dir);
    assert_int_equal(system(cmd), 0);
    refuse(f, "not a store of Ambit");
}

static void test_readonly_beside(void **state)
{
    struct fix *f = *state;
    add_task(f, "t1", "", 1);
    struct store_view *v = NULL;
    if (!store_open_readonly(f->dir, &v, &f->err))
        fail_msg("%s", f->err.text);
    assert_true(store_view_begin(v, &f->err));
    uint64_t n = 0;
    assert_true(store_read_leaves(v, &(struct store_leaf_query){0}, count_leaf, &n, &f->err));
    add_task(f, "t2", "", 1);
    uint64_t again = 0;
    assert_true(store_read_leaves(v, &(struct store_leaf_query){0}, count_leaf, &again, &f->err));
    store_view_end(v);
    assert_int_equal(n, 1);
    assert_int_equal(again, 1);
    n = 0;
    assert_true(store_read_leaves(v, &(struct store_leaf_query){0}, count_leaf, &n, &f->err));
    assert_int_equal(n, 2);
    store_view_close(v);
    assert_false(store_open_readonly("/tmp/ambit-no-such-directory", &v, &f->err));
}

/* Runs fn in a child; its exit status. */
static int in_child(int (*fn)(struct fix *f), struct fix *f)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(fn(f));
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int open_as_nobody(struct fix *f)
{
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 2;
    if (access(f->dir, X_OK) == 0)
        return 3; /* the parent was to be closed to us */
    struct store *s = NULL;
    if (!store_open(f->fd, &f->opt, &s, &f->err)) {
        fprintf(stderr, "%s\n", f->err.text);
        return 4;
    }
    struct store_txn *t = store_txn_new(s);
    store_leaf(t, S("as nobody"), (str){0}, (str){0});
    struct got g = {0};
    if (!store_submit(s, t, on_done, &g, &f->err))
        return 5;
    store_flush(s);
    uint64_t n = 0;
    if (!store_read_leaves(store_view(s), &(struct store_leaf_query){0}, count_leaf, &n, &f->err))
        return 6;
    store_close(s);
    return g.committed == 1 && n == 1 ? 0 : 7;
}

/* The directory is reached by its descriptor alone: its parent is closed to the user we become. */
static void test_without_a_path(void **state)
{
    struct fix *f = *state;
    if (geteuid() != 0) {
        print_message("skipped: needs root to become another user\n");
        skip();
    }
    fix_close(f);
    struct fix inner = *f;
    snprintf(inner.dir, sizeof inner.dir, "%.60s/in", f->dir);
    assert_true(store_dir_open(inner.dir, true, &inner.fd, &f->err));
    assert_int_equal(chown(inner.dir, 65534, 65534), 0);
    assert_int_equal(chmod(f->dir, 0700), 0);
    inner.opt.tree.ctx = &inner.tree;
    inner.tree = (struct toy_tree){0};
    int rc = in_child(open_as_nobody, &inner);
    DIR *d = opendir(inner.dir);
    for (struct dirent *e; d && (e = readdir(d));)
        unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(inner.dir);
    close(inner.fd);
    assert_int_equal(rc, 0);
}

/* ---- a full disk ---- */

static int fill_the_disk(struct fix *f)
{
    struct rlimit small = {1 << 20, 1 << 20};
    if (setrlimit(RLIMIT_FSIZE, &small) != 0)
        return 2;
    f->tree = (struct toy_tree){0};
    struct store *s = NULL;
    if (!store_open(f->fd, &f->opt, &s, &f->err))
        return 3;
    static char body[8000];
    memset(body, 'b', sizeof body);
    struct got g = {0};
    for (int i = 0; i < 1000; i++) {
        struct store_txn *t = store_txn_new(s);
        store_leaf(t, str_of(body, sizeof body), (str){0}, (str){0});
        if (!store_submit(s, t, on_done, &g, &f->err))
            return 4;
        store_flush(s);
        if (!g.failed && store_failed(s) && s)
            return 5;
    }
    if (g.failed == 0 || !store_failed(s) || g.done != 1000 || store_failure(s).n == 0)
        return 6;
    if (g.committed + g.failed != 1000 || g.last.outcome != STORE_FAILED || !g.why[0])
        return 7;
    int fd = openat(f->fd, "acknowledged", O_WRONLY | O_CREAT, 0600);
    if (write(fd, &g.committed, sizeof g.committed) != sizeof g.committed)
        return 8;
    store_close(s);
    return 0;
}

static void test_full_disk(void **state)
{
    struct fix *f = *state;
    fix_close(f);
    assert_int_equal(in_child(fill_the_disk, f), 0);
    unsigned acknowledged = 0;
    int fd = openat(f->fd, "acknowledged", O_RDONLY);
    assert_int_equal(read(fd, &acknowledged, sizeof acknowledged), sizeof acknowledged);
    close(fd);
    f->tree = (struct toy_tree){0};
    fix_open(f);
    assert_true(acknowledged > 10);
    /* exactly: the one that failed was rolled back, its frames have no commit mark */
    assert_int_equal(leaves(f), acknowledged);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_commit_and_reopen),
        T(test_guard_undoes_and_records),
        T(test_constraint_is_a_guard),
        T(test_budget_is_exact),
        T(test_task_guards),
        T(test_hold_is_used_once),
        T(test_leases_go_one_way),
        T(test_receipts),
        T(test_one_outcome),
        T(test_limits),
        T(test_revoked),
        T(test_wal_stays_short),
        T(test_second_gateway_refused),
        T(test_damaged_page_refused),
        T(test_damaged_header_refused),
        T(test_lost_leaf_refused),
        T(test_foreign_and_newer_refused),
        T(test_readonly_beside),
        T(test_without_a_path),
        T(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

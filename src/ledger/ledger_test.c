#include "ledger/ledger_fix.h"

#include <sqlite3.h>

/* ---- a small history ---- */

static void publish(struct fix *f, struct checkpointer *p, int64_t mono_ms)
{
    struct buf text = {0}, note = {0};
    assert_int_equal(checkpointer_wait_ms(p, mono_ms), 0);
    OK(f, checkpointer_begin(p, mono_ms, &text, &f->err));
    assert_int_equal(checkpointer_wait_ms(p, mono_ms), -1);
    OK(f, note_sign(buf_str(&text), S("ambit.example/log"), f->key, &note, &f->err));
    OK(f, checkpointer_finish(p, buf_str(&note), 5000, &f->err));
    store_flush(f->s);
    assert_int_equal(checkpointer_problem(p).n, 0);
    buf_fini(&text);
    buf_fini(&note);
}

static void add_hold(struct fix *f, const char *id, bool approve)
{
    str ids[] = {S("needs-approval")};
    struct store_hold row = {.id = str_z(id),
                             .task = S("t1"),
                             .call = str_z(id),
                             .binding = S("desk"),
                             .tool = S("desk_refund"),
                             .digest = S("digest"),
                             .args = S("{}"),
                             .effect = S("transfer"),
                             .created_ms = 1500,
                             .expires_ms = 9000,
                             .policies = S("[]")};
    struct record_hold_open open = {.time_ms = 1500,
                                    .hold = row.id,
                                    .call = row.call,
                                    .chain = fix_chain("t1", NULL),
                                    .op = {row.binding, row.tool, row.effect},
                                    .policy = {3, FIX_DIGEST, ids, 1},
                                    .args = FIX_DIGEST,
                                    .digest = S("digest"),
                                    .expires_ms = 9000};
    struct store_txn *t = store_txn_new(f->s);
    store_hold_insert(t, &row);
    store_leaf(t, record_hold_open(&f->leaf, &open), row.call, row.task);
    fix_submit(f, t);
    struct record_decision d = {.time_ms = 1600,
                                .hold = row.id,
                                .call = row.call,
                                .task = row.task,
                                .approver = S("bert"),
                                .method = S("passkey"),
                                .digest = S("digest"),
                                .reason = approve ? (str){0} : S("no")};
    t = store_txn_new(f->s);
    store_hold_decide(t, row.id, approve ? S("approved") : S("denied"), S("bert"), 1600);
    store_leaf(t, approve ? record_approval(&f->leaf, &d) : record_denial(&f->leaf, &d), row.call,
               row.task);
    fix_submit(f, t);
}

static const str T1 = S("t1");

/* Two tasks, an approved call with outcome, a denied one, a refusal, one call left open, two
 * checkpoints and two leaves after them. */
static void make_history(struct fix *f)
{
    struct checkpointer *p = NULL;
    OK(f, checkpointer_new(f->s, S("ambit.example/log"), &p, &f->err));
    OK(f, ledger_recover(f->s, &(struct record_start){900, S("0.1"), S("cfg"), 0}, NULL, &f->err));
    fix_task(f, "t1", NULL, 100);
    fix_task(f, "t2", &T1, 50);
    add_hold(f, "h1", true);
    add_hold(f, "h2", false);
    store_flush(f->s);
    publish(f, p, 1000);
    fix_submit(f, fix_intent(f, S("c1"), "t1", NULL, S("h1")));
    fix_submit(f, fix_outcome(f, S("c1"), "t1"));
    fix_submit(f, fix_intent(f, S("c2"), "t2", &T1, (str){0}));
    str ids[] = {S("never")};
    struct record_refusal no = {.time_ms = 2500,
                                .call = S("c3"),
                                .chain = fix_chain("t2", &T1),
                                .op = {S("desk"), S("desk_drop"), S("delete")},
                                .policy = {3, FIX_DIGEST, ids, 1},
                                .args = FIX_DIGEST,
                                .reason = S("policy")};
    struct store_txn *t = store_txn_new(f->s);
    store_leaf(t, record_refusal(&f->leaf, &no), S("c3"), S("t2"));
    fix_submit(f, t);
    store_flush(f->s);
    publish(f, p, 2000);
    struct record_secret_set secret = {2600, S("desk-key"), S("anna")};
    t = store_txn_new(f->s);
    store_leaf(t, record_secret_set(&f->leaf, &secret), (str){0}, (str){0});
    fix_submit(f, t);
    t = store_txn_new(f->s);
    struct record_task_close close = {
        2700, fix_chain("t2", &T1), S("completed"), S("by end"), S("anna"), 49};
    store_task_close(t, S("t2"), S("completed"), 2700, S("by end"));
    store_leaf(t, record_task_close(&f->leaf, &close), (str){0}, S("t2"));
    fix_submit(f, t);
    store_flush(f->s);
    assert_false(store_failed(f->s));
    checkpointer_free(p);
}

static void test_history_is_sound(void **state)
{
    struct fix *f = *state;
    make_history(f);
    struct ledger_report r;
    fix_verify(f, &r);
    if (!r.ok)
        fail_msg("%s", r.problem);
    assert_true(r.signatures_checked);
    assert_int_equal(r.leaves, 14);
    assert_int_equal(r.checkpoints, 2);
    assert_int_equal(r.intents, 2);
    assert_int_equal(r.outcomes, 1);
    assert_int_equal(r.refusals, 1);
    assert_int_equal(r.open_calls, 1);
    assert_string_equal(r.open[0], "c2");
    assert_int_equal(r.approvals, 1);
    assert_int_equal(r.denials, 1);
    assert_int_equal(r.unsigned_leaves, 2);
    uint64_t size = 0;
    uint8_t root[STORE_HASH_BYTES];
    OK(f, ledger_root(store_view(f->s), &size, root, &f->err));
    assert_int_equal(size, 14);
    assert_memory_equal(root, r.root, sizeof root);
}

static void test_wrong_key_is_refused(void **state)
{
    struct fix *f = *state;
    make_history(f);
    struct key *other = NULL;
    OK(f, key_generate(KEY_ED25519, &other, &f->err));
    OK(f, note_verifier(S("ambit.example/log"), NOTE_ED25519, other, &f->verifier, &f->err));
    buf_clear(&f->vkey);
    note_vkey_write(&f->verifier, &f->vkey);
    struct ledger_report r;
    fix_verify(f, &r);
    assert_false(r.ok);
    assert_false(r.problem_is_leaf);
    buf_clear(&f->vkey); /* no key: the rest is still checked */
    fix_verify(f, &r);
    assert_true(r.ok);
    assert_false(r.signatures_checked);
    key_free(other);
}

/* ---- one flipped byte ---- */

struct flip {
    sqlite3 *db;
    struct store_view *v;
    struct ledger_verify_options opt;
    struct fix *f;
    unsigned tried;
};

static void sql(struct flip *x, const char *text, int64_t key, const void *p, int n, bool is_text)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(x->db, text, -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_int64(st, 1, key);
    if (is_text)
        sqlite3_bind_text(st, 2, p, n, SQLITE_STATIC);
    else
        sqlite3_bind_blob(st, 2, p, n, SQLITE_STATIC);
    int rc = sqlite3_step(st);
    if (rc != SQLITE_DONE)
        fail_msg("%s: %s", text, sqlite3_errmsg(x->db));
    sqlite3_finalize(st);
}

/* Every stride-th byte of one column of every row; each flip must be found, and the report must be
 * sound again after. */
static void flip_column(struct flip *x, const char *table, const char *key, const char *column,
                        bool is_text, size_t stride)
{
    char read[200], write[200];
    snprintf(read, sizeof read, "SELECT %s, %s FROM %s WHERE %s IS NOT NULL", key, column, table,
             column);
    snprintf(write, sizeof write, "UPDATE %s SET %s = ?2 WHERE %s = ?1", table, column, key);
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(x->db, read, -1, &st, NULL), SQLITE_OK);
    struct row {
        int64_t key;
        int n;
        uint8_t bytes[4096];
    } *rows = calloc(64, sizeof *rows);
    size_t n = 0;
    for (; sqlite3_step(st) == SQLITE_ROW && n < 64; n++) {
        rows[n].key = sqlite3_column_int64(st, 0);
        rows[n].n = sqlite3_column_bytes(st, 1);
        memcpy(rows[n].bytes, sqlite3_column_blob(st, 1), (size_t)rows[n].n);
    }
    sqlite3_finalize(st);
    for (size_t r = 0; r < n; r++) {
        for (size_t i = r % stride; i < (size_t)rows[r].n; i += stride) {
            rows[r].bytes[i] ^= 1;
            sql(x, write, rows[r].key, rows[r].bytes, rows[r].n, is_text);
            struct ledger_report report;
            OK(x->f, ledger_verify(x->v, &x->opt, &report, &x->f->err));
            if (report.ok)
                fail_msg("a flip of byte %zu of %s.%s in row %lld was not found", i, table, column,
                         (long long)rows[r].key);
            assert_true(report.problem[0]);
            rows[r].bytes[i] ^= 1;
            x->tried++;
        }
        sql(x, write, rows[r].key, rows[r].bytes, rows[r].n, is_text);
    }
    free(rows);
}

static void test_every_flip_is_found(void **state)
{
    struct fix *f = *state;
    make_history(f);
    fix_close(f);
    char path[100];
    snprintf(path, sizeof path, "%s/ambit.db", f->dir);
    struct flip x = {.f = f, .opt = {.vkey = buf_str(&f->vkey)}};
    assert_int_equal(sqlite3_open(path, &x.db), SQLITE_OK);
    sqlite3_exec(x.db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    OK(f, store_open_readonly(f->dir, &x.v, &f->err));
    flip_column(&x, "leaf", "idx", "body", false, 11);
    flip_column(&x, "leaf", "idx", "hash", false, 5);
    flip_column(&x, "leaf", "idx", "call", true, 1);
    flip_column(&x, "leaf", "idx", "task", true, 1);
    flip_column(&x, "checkpoint", "size", "root", false, 3);
    flip_column(&x, "checkpoint", "size", "note", false, 1);
    flip_column(&x, "tree", "one", "frontier", false, 1);
    print_message("%u flips, each found\n", x.tried);
    struct ledger_report report;
    OK(f, ledger_verify(x.v, &x.opt, &report, &f->err));
    assert_true(report.ok);
    store_view_close(x.v);
    sqlite3_close(x.db);
    fix_open(f);
}

/* Rows taken away or moved. */
static void test_missing_rows_are_found(void **state)
{
    static const char *const DAMAGE[] = {
        "DELETE FROM leaf WHERE idx = (SELECT max(idx) FROM leaf)",
        "DELETE FROM leaf WHERE idx = 5",
        "DELETE FROM leaf",
        "UPDATE leaf SET idx = idx + 1000 WHERE idx = 13",
        "DELETE FROM open_call",
        "INSERT INTO open_call VALUES('c9', 't1', 1)",
        "UPDATE tree SET size = size + 1",
        "DELETE FROM tree",
        "UPDATE checkpoint SET size = size + 1 WHERE size = (SELECT max(size) FROM checkpoint)",
    };
    struct fix *f = *state;
    make_history(f);
    fix_close(f);
    char path[100];
    snprintf(path, sizeof path, "%s/ambit.db", f->dir);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (size_t i = 0; i < sizeof DAMAGE / sizeof DAMAGE[0]; i++) {
        assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "SAVEPOINT x", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_exec(db,
                     "CREATE TABLE keep_leaf AS SELECT * FROM leaf;"
                     "CREATE TABLE keep_open AS SELECT * FROM open_call;"
                     "CREATE TABLE keep_tree AS SELECT * FROM tree;"
                     "CREATE TABLE keep_cp AS SELECT * FROM checkpoint",
                     NULL, NULL, NULL);
        assert_int_equal(sqlite3_exec(db, DAMAGE[i], NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
        struct ledger_report r;
        fix_verify(f, &r);
        if (r.ok)
            fail_msg("not found: %s", DAMAGE[i]);
        char *why = NULL;
        sqlite3_exec(db,
                     "DELETE FROM leaf; DELETE FROM open_call; DELETE FROM tree;"
                     "DELETE FROM checkpoint; INSERT INTO leaf SELECT * FROM keep_leaf;"
                     "INSERT INTO open_call SELECT * FROM keep_open;"
                     "INSERT INTO tree SELECT * FROM keep_tree;"
                     "INSERT INTO checkpoint SELECT * FROM keep_cp; DROP TABLE keep_leaf;"
                     "DROP TABLE keep_open; DROP TABLE keep_tree; DROP TABLE keep_cp",
                     NULL, NULL, &why);
        assert_null(why);
        fix_sound(f);
    }
    sqlite3_close(db);
    fix_open(f);
}

/* One leaf changed by somebody who can write the database but not sign: its hash and the tree are
 * made to fit. */
struct rewrite {
    struct ledger_tree *tree;
    sqlite3 *db;
    uint64_t at;
    struct store_tree_ops ops;
};

static bool rewrite_leaf(void *arg, const struct store_leaf_row *row)
{
    struct rewrite *w = arg;
    char body[4096];
    uint64_t index;
    uint8_t hash[STORE_HASH_BYTES];
    memcpy(body, row->body.p, row->body.n);
    if (row->index == w->at)
        memcpy(body + str_find(row->body, S("anna")), "carl", 4);
    w->ops.append(w->ops.ctx, str_of(body, row->body.n), &index, hash);
    if (row->index != w->at)
        return true;
    sqlite3_stmt *st = NULL;
    sqlite3_prepare_v2(w->db, "UPDATE leaf SET body = ?1, hash = ?2 WHERE idx = ?3", -1, &st, NULL);
    sqlite3_bind_blob(st, 1, body, (int)row->body.n, SQLITE_STATIC);
    sqlite3_bind_blob(st, 2, hash, sizeof hash, SQLITE_STATIC);
    sqlite3_bind_int64(st, 3, (int64_t)row->index);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    return true;
}

static void put_frontier(struct rewrite *w)
{
    uint64_t size;
    uint8_t frontier[STORE_FRONTIER_BYTES_MAX];
    size_t n = w->ops.save(w->ops.ctx, &size, frontier);
    sqlite3_stmt *st = NULL;
    sqlite3_prepare_v2(w->db, "UPDATE tree SET frontier = ?1", -1, &st, NULL);
    sqlite3_bind_blob(st, 1, frontier, (int)n, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
}

static void test_rewritten_history(void **state)
{
    struct fix *f = *state;
    make_history(f);
    fix_close(f);
    char path[100];
    snprintf(path, sizeof path, "%s/ambit.db", f->dir);
    struct rewrite w = {.tree = ledger_tree_new(),
                        .at = 9}; /* covered by the second checkpoint only */
    w.ops = ledger_tree_ops(w.tree);
    assert_int_equal(sqlite3_open(path, &w.db), SQLITE_OK);
    struct store_view *v = NULL;
    OK(f, store_open_readonly(f->dir, &v, &f->err));
    OK(f, store_read_leaves(v, &(struct store_leaf_query){0}, rewrite_leaf, &w, &f->err));
    store_view_close(v);
    put_frontier(&w);
    struct ledger_report r;
    fix_verify(f, &r);
    assert_false(r.ok);
    assert_non_null(strstr(r.problem, "do not give the root that was signed"));
    assert_false(r.problem_is_leaf);
    assert_int_equal(r.problem_at, 12);
    sqlite3_close(w.db);
    ledger_tree_free(w.tree);
    fix_open(f);
}

/* ---- stories that the log must not tell, though every hash is right ---- */

static void add_leaf(struct fix *f, str body, str call, str task)
{
    struct store_txn *t = store_txn_new(f->s);
    store_leaf(t, body, call, task);
    fix_submit(f, t);
    store_flush(f->s);
}

static void expect_problem(struct fix *f, const char *words)
{
    struct ledger_report r;
    fix_verify(f, &r);
    if (r.ok || !strstr(r.problem, words))
        fail_msg("want \"%s\", got \"%s\"", words, r.problem);
    assert_int_equal(r.problem_at, 14);
}

static void test_outcome_without_intent(void **state)
{
    struct fix *f = *state;
    make_history(f);
    struct record_outcome r = {.time_ms = 1, .call = S("c9"), .chain = fix_chain("t1", NULL)};
    add_leaf(f, record_outcome(&f->leaf, &r), S("c9"), S("t1"));
    expect_problem(f, "no intent before");
}

static void test_second_outcome(void **state)
{
    struct fix *f = *state;
    make_history(f);
    struct record_outcome r = {.time_ms = 1, .call = S("c1"), .chain = fix_chain("t1", NULL)};
    add_leaf(f, record_outcome(&f->leaf, &r), S("c1"), S("t1"));
    expect_problem(f, "an outcome already");
}

static void forged_intent(struct fix *f, str call, const char *task, str approval)
{
    str ids[] = {S("p")};
    struct record_intent r = {.time_ms = 2000,
                              .call = call,
                              .chain = fix_chain(task, NULL),
                              .op = {S("desk"), S("desk_refund"), S("transfer")},
                              .policy = {3, FIX_DIGEST, ids, 1},
                              .args = FIX_DIGEST,
                              .approval = approval};
    add_leaf(f, record_intent(&f->leaf, &r), call, str_z(task));
}

static void test_second_intent(void **state)
{
    struct fix *f = *state;
    make_history(f);
    forged_intent(f, S("c1"), "t1", (str){0});
    expect_problem(f, "has an intent");
}

static void test_intent_after_close(void **state)
{
    struct fix *f = *state;
    make_history(f);
    forged_intent(f, S("c9"), "t2", (str){0});
    expect_problem(f, "task t2 was closed");
}

static void test_intent_of_unknown_task(void **state)
{
    struct fix *f = *state;
    make_history(f);
    forged_intent(f, S("c9"), "t9", (str){0});
    expect_problem(f, "not opened");
}

static void test_approval_used_twice(void **state)
{
    struct fix *f = *state;
    make_history(f);
    forged_intent(f, S("c9"), "t1", S("h1"));
    expect_problem(f, "not approved and unused");
}

static void test_denied_hold_used(void **state)
{
    struct fix *f = *state;
    make_history(f);
    forged_intent(f, S("c9"), "t1", S("h2"));
    expect_problem(f, "not approved and unused");
}

/* t1 was opened for the agent of fix_chain. */
static void test_delegators_are_checked(void **state)
{
    static const struct {
        str parents[2], delegators[2];
        size_t n;
        const char *words;
    } rows[] = {
        {{S("t1")}, {S("spiffe://example.org/agent/b")}, 1, "not the agent of that parent"},
        {{S("t1")}, {S("")}, 1, "not the agent of that parent"},
        {{S("t1"), S("t9")}, {S("spiffe://example.org/agent/a"), S("x")}, 2, "not the agent"},
        {{S("t1")}, {S("spiffe://example.org/agent/a")}, 1, "task t2 was closed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fix *f = *state;
        make_history(f);
        struct record_refusal r = {.time_ms = 1, .call = S("c9"), .reason = S("policy")};
        r.chain = fix_chain("t2", rows[i].parents);
        r.chain.parents_n = rows[i].n;
        r.chain.delegators = rows[i].delegators;
        add_leaf(f, record_refusal(&f->leaf, &r), S("c9"), S("t2"));
        if (i + 1 < sizeof rows / sizeof rows[0])
            expect_problem(f, rows[i].words);
        else
            fix_sound(f); /* the right one */
        assert_int_equal(fix_tear_down(state), 0);
        assert_int_equal(fix_set_up(state), 0);
    }
}

static void test_timings_are_checked(void **state)
{
    static const struct {
        struct record_timings t;
        const char *words; /* NULL: sound */
    } rows[] = {
        {{.committed_us = 50, .released_us = 50, .first_us = 50, .upstream_us = 50}, NULL},
        {{.committed_us = 51}, "committed_us is no part of latency_us"},
        {{.released_us = 51}, "released_us is no part of latency_us"},
        {{.upstream_us = 51}, "upstream_us is no part of latency_us"},
        {{.upstream_us = 20, .first_us = 21}, "first_us is no part of upstream_us"},
        {{.first_us = 1}, "first_us is no part of upstream_us"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fix *f = *state;
        make_history(f);
        struct record_outcome r = {.time_ms = 1,
                                   .call = S("c2"),
                                   .chain = fix_chain("t2", NULL),
                                   .latency_us = 50,
                                   .timings = rows[i].t};
        struct store_txn *t = store_txn_new(f->s);
        store_open_call_delete(t, S("c2"));
        fix_submit(f, t);
        add_leaf(f, record_outcome(&f->leaf, &r), S("c2"), S("t2"));
        if (rows[i].words)
            expect_problem(f, rows[i].words);
        else
            fix_sound(f);
        assert_int_equal(fix_tear_down(state), 0);
        assert_int_equal(fix_set_up(state), 0);
    }
}

static void test_approval_of_nothing(void **state)
{
    struct fix *f = *state;
    make_history(f);
    struct record_decision d = {.hold = S("h9"),
                                .call = S("c9"),
                                .task = S("t1"),
                                .approver = S("x"),
                                .method = S("cli"),
                                .digest = S("digest")};
    add_leaf(f, record_approval(&f->leaf, &d), S("c9"), S("t1"));
    expect_problem(f, "was not opened before");
}

static void test_odd_leaves(void **state)
{
    static const struct {
        const char *body, *words;
    } ODD[] = {
        {"{}", "unknown version"},
        {"not json", "not JSON"},
        {"{\"time\":\"x\",\"type\":\"start\",\"v\":1} ", "canonical"},
        {"{\"time\":\"x\",\"type\":\"start\",\"v\":1}", "without software"},
        {"{\"call\":\"c9\",\"decision\":\"deny\",\"delegators\":[\"a\"],\"reason\":\"x\","
         "\"time\":\"x\",\"type\":\"refusal\",\"v\":1}",
         "one delegator for each parent"},
        {"{\"time\":\"x\",\"type\":\"party\",\"v\":1}", "unknown type"},
        {"{\"time\":\"x\",\"type\":\"start\",\"v\":2}", "unknown version"},
    };
    struct fix *f = *state;
    make_history(f);
    for (size_t i = 0; i < sizeof ODD / sizeof ODD[0]; i++) {
        add_leaf(f, str_z(ODD[i].body), (str){0}, (str){0});
        expect_problem(f, ODD[i].words);
        void *next = NULL;
        assert_int_equal(fix_tear_down(state), 0);
        assert_int_equal(fix_set_up(&next), 0);
        *state = f = next;
        make_history(f);
    }
}

/* ---- checkpoints ---- */

static void test_rhythm(void **state)
{
    struct fix *f = *state;
    struct checkpointer *p = NULL;
    OK(f, checkpointer_new(f->s, S("ambit.example/log"), &p, &f->err));
    assert_int_equal(checkpointer_wait_ms(p, 100), -1);
    fix_task(f, "t1", NULL, 1000);
    store_flush(f->s);
    publish(f, p, 100);
    assert_int_equal(checkpointer_size(p), 1);
    assert_int_equal(checkpointer_wait_ms(p, 5000), -1);
    for (int i = 0; i < CHECKPOINT_BUSY_LEAVES; i++) {
        char call[20];
        snprintf(call, sizeof call, "c%d", i);
        fix_submit(f, fix_intent(f, str_z(call), "t1", NULL, (str){0}));
        if (i == 0) {
            store_flush(f->s);
            assert_int_equal(checkpointer_wait_ms(p, 150), CHECKPOINT_IDLE_MS - 50);
        }
    }
    store_flush(f->s);
    assert_int_equal(checkpointer_wait_ms(p, 150), CHECKPOINT_BUSY_MS - 50);
    assert_int_equal(checkpointer_wait_ms(p, 300), 0);
    publish(f, p, 300);
    checkpointer_free(p);
    fix_sound(f);
    /* taken up again: the note is there for the publisher */
    OK(f, checkpointer_new(f->s, S("ambit.example/log"), &p, &f->err));
    assert_int_equal(checkpointer_size(p), CHECKPOINT_BUSY_LEAVES + 1);
    assert_true(str_starts(checkpointer_note(p), S("ambit.example/log\n65\n")));
    checkpointer_free(p);
}

static void test_signer_is_checked(void **state)
{
    struct fix *f = *state;
    struct checkpointer *p = NULL;
    OK(f, checkpointer_new(f->s, S("ambit.example/log"), &p, &f->err));
    fix_task(f, "t1", NULL, 1000);
    store_flush(f->s);
    struct buf text = {0}, note = {0};
    OK(f, checkpointer_begin(p, 1, &text, &f->err));
    OK(f, note_sign(S("another text\n"), S("ambit.example/log"), f->key, &note, &f->err));
    assert_false(checkpointer_finish(p, buf_str(&note), 1, &f->err));
    assert_int_equal(f->err.kind, ERR_PEER);
    assert_false(checkpointer_finish(p, buf_str(&text), 1, &f->err));
    checkpointer_cancel(p, 10);
    assert_int_equal(checkpointer_wait_ms(p, 10), CHECKPOINT_IDLE_MS);
    buf_fini(&text);
    buf_fini(&note);
    checkpointer_free(p);
    assert_false(checkpointer_new(f->s, S("two words"), &p, &f->err));
}

/* ---- recovery ---- */

static void test_recovery(void **state)
{
    struct fix *f = *state;
    make_history(f);
    fix_close(f);
    fix_open(f);
    size_t n = 0;
    OK(f, ledger_recover(f->s, &(struct record_start){4000, S("0.1"), S("cfg"), 0}, &n, &f->err));
    assert_int_equal(n, 1);
    struct ledger_report r;
    fix_verify(f, &r);
    assert_true(r.ok);
    assert_int_equal(r.open_calls, 0);
    ARENA_SCOPE struct arena a = {0};
    struct trace t;
    OK(f, trace_call(store_view(f->s), &a, S("c2"), &t, &f->err));
    struct trace_entry *e = &t.entries[t.n - 1];
    assert_true(str_eq(e->type, S("outcome")));
    assert_true(str_eq(e->decision, S("unknown")));
    assert_true(str_eq(e->reason, S("restart")));
    assert_true(str_eq(e->agent, FIX_AGENT));
    const json *delegator = NULL;
    struct json_iter it = json_iter(json_get(e->leaf, S("delegators")));
    assert_true(json_next(&it, NULL, &delegator));
    assert_true(str_eq(json_str(delegator), FIX_AGENT));
}

/* ---- traces ---- */

static void expect_types(const struct trace *t, const char *const *types)
{
    size_t n = 0;
    for (; types[n]; n++)
        if (n >= t->n || !str_eq(t->entries[n].type, str_z(types[n])))
            fail_msg("entry %zu is not %s", n, types[n]);
    assert_int_equal(t->n, n);
}

static void test_trace(void **state)
{
    struct fix *f = *state;
    make_history(f);
    ARENA_SCOPE struct arena a = {0};
    struct trace t;
    OK(f, trace_call(store_view(f->s), &a, S("c2"), &t, &f->err));
    expect_types(&t, (const char *const[]){"task_open", "delegation", "task_open", "intent",
                                           "task_close", NULL});
    assert_int_equal(t.tasks_n, 2);
    assert_true(str_eq(t.tasks[0].id, S("t1")));
    assert_int_equal(t.entries[3].depth, 1);
    assert_true(str_eq(t.entries[3].policies, S("refunds")));
    assert_true(str_eq(t.entries[3].owner, S("anna")));

    OK(f, trace_call(store_view(f->s), &a, S("c1"), &t, &f->err));
    assert_true(str_eq(t.entries[t.n - 2].approver, S("bert")));
    assert_true(str_eq(t.entries[t.n - 2].hold, S("h1")));

    OK(f, trace_task(store_view(f->s), &a, S("t2"), false, &t, &f->err));
    expect_types(&t, (const char *const[]){"task_open", "delegation", "task_open", "intent",
                                           "refusal", "task_close", NULL});
    OK(f, trace_task(store_view(f->s), &a, S("t1"), false, &t, &f->err));
    assert_int_equal(t.n, 8);
    OK(f, trace_task(store_view(f->s), &a, S("t1"), true, &t, &f->err));
    assert_int_equal(t.n, 12);
    assert_false(trace_call(store_view(f->s), &a, S("c99"), &t, &f->err));
    assert_int_equal(f->err.kind, ERR_NOTFOUND);
    assert_false(trace_task(store_view(f->s), &a, S("t99"), false, &t, &f->err));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fix_set_up, fix_tear_down)
    const struct CMUnitTest tests[] = {
        T(test_history_is_sound),
        T(test_wrong_key_is_refused),
        T(test_every_flip_is_found),
        T(test_missing_rows_are_found),
        T(test_rewritten_history),
        T(test_outcome_without_intent),
        T(test_second_outcome),
        T(test_second_intent),
        T(test_intent_after_close),
        T(test_intent_of_unknown_task),
        T(test_approval_used_twice),
        T(test_denied_hold_used),
        T(test_delegators_are_checked),
        T(test_timings_are_checked),
        T(test_approval_of_nothing),
        T(test_odd_leaves),
        T(test_rhythm),
        T(test_signer_is_checked),
        T(test_recovery),
        T(test_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

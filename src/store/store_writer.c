/* The writer thread.
 *
 *     wait -> take all that is queued -> BEGIN -> each transaction -> tree -> COMMIT (fsync) ->
 * hand back -> wait |                                  |
 *                                          +---------- any error -------------+--> failed, for good
 *
 * A group is first tried without savepoints, because nearly all transactions pass and a savepoint
 * makes SQLite copy each page before it is changed. Only if a guard refuses after its transaction
 * has already changed something is the whole group rolled back and run once more, carefully: with a
 * savepoint for each transaction. The tree goes back too, to the frontier of the last commit.
 * Leaves come last in a transaction, after all that can refuse, so an index is never given out and
 * taken back within a pass. */
#include "store/store_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CACHE_KIB = 4 << 10, WAL_PAGES_MAX = 1000 };

/* What became of one transaction, or of a pass over the group. */
enum verdict {
    BROKEN =
        0, /* an error that ends the store; SQLite's own words are in db, or err has been written */
    PASSED,
    REFUSED,  /* a guard or constraint; nothing of it remains */
    CAREFULLY /* cannot be undone alone: run the group again with savepoints */
};

/* ---- one statement ---- */

static void bind(sqlite3_stmt *st, const struct store_txn *t, const struct txn_step *step)
{
    if (sqlite3_bind_parameter_count(st) != step->n)
        abort(); /* schema.h and store_sql.c disagree */
    for (int i = 0; i < step->n; i++) {
        const struct txn_param *p = &t->params[step->first + i];
        switch ((enum store_param_kind)p->kind) {
        case STORE_PARAM_I64:
            sqlite3_bind_int64(st, i + 1, p->value);
            break;
        case STORE_PARAM_STR:
            sqlite3_bind_text(st, i + 1, txn_at(t, (uint64_t)p->value), (int)p->len, SQLITE_STATIC);
            break;
        case STORE_PARAM_BLOB:
            sqlite3_bind_blob(st, i + 1, txn_at(t, (uint64_t)p->value), (int)p->len, SQLITE_STATIC);
            break;
        case STORE_PARAM_NULL:
        default:
            sqlite3_bind_null(st, i + 1);
        }
    }
}

static bool run(sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc == SQLITE_DONE;
}

/* REFUSED: it changed nothing though it had to, or broke a constraint. */
static enum verdict run_step(struct writer *w, const struct store_txn *t, unsigned i)
{
    const struct txn_step *step = &t->steps[i];
    sqlite3_stmt *st = w->stmts[step->stmt];
    bind(st, t, step);
    int rc = sqlite3_step(st);
    int changed = rc == SQLITE_DONE ? sqlite3_changes(w->db) : 0;
    if ((rc & 0xff) == SQLITE_CONSTRAINT) {
        sqlite3_reset(st);
        return REFUSED;
    }
    if (rc != SQLITE_DONE || sqlite3_reset(st) != SQLITE_OK)
        return BROKEN;
    return changed == 0 && step->when == STORE_MUST ? REFUSED : PASSED;
}

static void bind_text_or_null(sqlite3_stmt *st, int at, const char *p, uint32_t n)
{
    if (n)
        sqlite3_bind_text(st, at, p, (int)n, SQLITE_STATIC);
    else
        sqlite3_bind_null(st, at);
}

static bool append_leaf(struct writer *w, struct store_txn *t, const struct txn_leaf *l)
{
    uint64_t index = 0;
    uint8_t hash[STORE_HASH_BYTES];
    w->tree.append(w->tree.ctx, str_of(txn_at(t, l->body), l->body_n), &index, hash);
    sqlite3_stmt *st = w->stmts[STORE_LEAF_INSERT];
    sqlite3_bind_int64(st, 1, (int64_t)index);
    sqlite3_bind_blob(st, 2, hash, sizeof hash, SQLITE_STATIC);
    sqlite3_bind_blob(st, 3, txn_at(t, l->body), (int)l->body_n, SQLITE_STATIC);
    bind_text_or_null(st, 4, txn_at(t, l->call), l->call_n);
    bind_text_or_null(st, 5, txn_at(t, l->task), l->task_n);
    if (t->result.leaves++ == 0)
        t->result.first_leaf = index;
    return run(st);
}

/* ---- one transaction ---- */

/* Steps of the normal course; *refused is the one that refused, *applied how many came before it.
 */
static enum verdict run_steps(struct writer *w, struct store_txn *t, unsigned *applied)
{
    *applied = 0;
    for (unsigned i = 0; i < t->steps_n; i++) {
        if (t->steps[i].when == STORE_ON_GUARD)
            continue;
        enum verdict v = run_step(w, t, i);
        if (v == REFUSED)
            t->result.step = i;
        if (v != PASSED)
            return v;
        ++*applied;
    }
    return PASSED;
}

static bool record_refusal(struct writer *w, struct store_txn *t)
{
    t->result.outcome = STORE_GUARDED;
    for (unsigned i = 0; i < t->steps_n; i++)
        if (t->steps[i].when == STORE_ON_GUARD && run_step(w, t, i) == BROKEN)
            return false;
    return !t->has_guard_leaf || append_leaf(w, t, &t->guard_leaf);
}

static enum verdict run_txn(struct writer *w, struct store_txn *t)
{
    unsigned applied;
    t->result = (struct store_result){0};
    bool marked = w->careful && t->steps_n > 1;
    if (marked && !run(w->mark))
        return BROKEN;
    enum verdict v = run_steps(w, t, &applied);
    if (v == REFUSED && applied && !marked)
        return CAREFULLY;
    if (v == REFUSED && marked && !run(w->back))
        return BROKEN;
    if (v == BROKEN || (marked && !run(w->unmark)))
        return BROKEN;
    if (v == REFUSED)
        return record_refusal(w, t) ? REFUSED : BROKEN;
    for (unsigned i = 0; i < t->leaves_n; i++)
        if (!append_leaf(w, t, &t->leaves[i]))
            return BROKEN;
    t->result.outcome = STORE_COMMITTED;
    return PASSED;
}

/* ---- one group ---- */

static bool put_tree(struct writer *w)
{
    if (!w->tree.append)
        return true;
    uint64_t size = 0;
    uint8_t frontier[STORE_FRONTIER_BYTES_MAX];
    size_t n = w->tree.save(w->tree.ctx, &size, frontier);
    if (size == w->size)
        return true;
    sqlite3_stmt *st = w->stmts[STORE_TREE_PUT];
    sqlite3_bind_int64(st, 1, (int64_t)size);
    sqlite3_bind_blob(st, 2, frontier, (int)n, SQLITE_STATIC);
    if (!run(st))
        return false;
    w->size = size;
    w->frontier_n = n;
    memcpy(w->frontier, frontier, n);
    return true;
}

static enum verdict run_pass(struct writer *w, struct store_txn *group, bool careful)
{
    w->careful = careful;
    if (!run(w->begin))
        return BROKEN;
    for (struct store_txn *t = group; t; t = t->next) {
        enum verdict v = run_txn(w, t);
        if (v == BROKEN || v == CAREFULLY)
            return v;
    }
    return put_tree(w) && run(w->commit) ? PASSED : BROKEN;
}

static bool go_back(struct writer *w, struct err *err)
{
    if (!run(w->rollback))
        return false;
    return !w->tree.append ||
           w->tree.restore(w->tree.ctx, w->size, str_of((char *)w->frontier, w->frontier_n), err);
}

static void fail(struct store *s, struct err *why)
{
    if (store_failed(s))
        return;
    s->failure = *why;
    atomic_store_explicit(&s->failed, true, memory_order_release);
}

static void run_group(struct store *s, struct store_txn *group)
{
    struct err err = {0};
    if (!store_failed(s)) {
        enum verdict v = run_pass(&s->w, group, false);
        if (v == CAREFULLY)
            v = go_back(&s->w, &err) ? run_pass(&s->w, group, true) : BROKEN;
        if (v == PASSED)
            return;
        if (err.kind == ERR_NONE)
            store_file_error(&s->file, s->w.db, "commit", &err);
        fail(s, &err);
    }
    for (struct store_txn *t = group; t; t = t->next)
        t->result = (struct store_result){.outcome = STORE_FAILED, .err = &s->failure};
}

/* ---- the WAL ---- */

static int on_commit_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct writer *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

/* Passive: never waits for a reader. When all of it could be copied, the next commit begins the WAL
 * anew. */
static void copy_wal_back(struct store *s)
{
    struct writer *w = &s->w;
    if ((size_t)w->wal_pages < w->wal_pages_max || store_failed(s))
        return;
    int rc = sqlite3_wal_checkpoint_v2(w->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    w->wal_pages = 0;
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED) {
        struct err err = {0};
        store_file_error(&s->file, w->db, "copy the WAL back", &err);
        fail(s, &err);
    }
    pthread_mutex_lock(&s->mutex);
    s->stats.wal_copies++;
    pthread_mutex_unlock(&s->mutex);
}

/* ---- the thread ---- */

/* Waits; NULL when it is time to end and nothing is queued. */
static struct store_txn *take_group(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    while (!s->queue.first && !s->stop) {
        s->waiting = true;
        pthread_cond_wait(&s->wake, &s->mutex);
    }
    struct store_txn *group = s->queue.first, *last = group;
    for (unsigned n = 1; last && last->next && n < STORE_GROUP_MAX; n++)
        last = last->next;
    if (last) {
        s->queue.first = last->next;
        if (!last->next)
            s->queue.last = &s->queue.first;
        last->next = NULL;
    }
    pthread_mutex_unlock(&s->mutex);
    return group;
}

static void hand_back(struct store *s, struct store_txn *group)
{
    struct store_stats add = {.groups = 1};
    struct store_txn *last = group;
    for (struct store_txn *t = group; t; t = t->next) {
        add.txns++;
        add.guarded += t->result.outcome == STORE_GUARDED;
        add.leaves += t->result.leaves;
        last = t;
    }
    pthread_mutex_lock(&s->mutex);
    *s->finished.last = group;
    s->finished.last = &last->next;
    s->stats.groups += add.groups;
    s->stats.txns += add.txns;
    s->stats.guarded += add.guarded;
    s->stats.leaves += add.leaves;
    if (add.txns > s->stats.group_largest)
        s->stats.group_largest = add.txns;
    pthread_mutex_unlock(&s->mutex);
    uint64_t one = 1;
    if (write(s->notify_fd, &one, sizeof one) < 0)
        abort(); /* only a bug (a closed descriptor) can do that */
}

static void *writer_main(void *arg)
{
    struct store *s = arg;
    pthread_setname_np(pthread_self(), "ambit-writer");
    for (struct store_txn *group; (group = take_group(s)) != NULL;) {
        run_group(s, group);
        hand_back(s, group);
        copy_wal_back(s);
    }
    return NULL;
}

bool writer_start(struct store *s, struct err *err)
{
    sigset_t all, old;
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&s->thread, NULL, writer_main, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        errno = rc;
        return err_system(err, "store: start the writer thread");
    }
    s->thread_started = true;
    return true;
}

void writer_stop(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    s->thread_started = false;
}

/* ---- making ready ---- */

static bool prepare(struct store *s, const char *sql, sqlite3_stmt **out, struct err *err)
{
    if (sqlite3_prepare_v3(s->w.db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
        return store_file_error(&s->file, s->w.db, sql, err);
    return true;
}

static bool prepare_all(struct store *s, struct err *err)
{
    struct writer *w = &s->w;
    const struct {
        const char *sql;
        sqlite3_stmt **st;
    } own[] = {
        {"BEGIN IMMEDIATE", &w->begin}, {"COMMIT", &w->commit},      {"ROLLBACK", &w->rollback},
        {"SAVEPOINT one", &w->mark},    {"RELEASE one", &w->unmark}, {"ROLLBACK TO one", &w->back},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (!prepare(s, own[i].sql, own[i].st, err))
            return false;
    for (unsigned i = STORE_STMT_NONE + 1; i < STORE_STMTS; i++)
        if (!prepare(s, STORE_SQL[i], &w->stmts[i], err))
            return false;
    return true;
}

/* The tree continues where the last commit left it. */
static bool load_tree(struct store *s, struct err *err)
{
    struct writer *w = &s->w;
    sqlite3_stmt *st = NULL;
    if (!prepare(s, "SELECT size, frontier FROM tree", &st, err))
        return false;
    int rc = sqlite3_step(st);
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE;
    if (!ok)
        store_file_error(&s->file, w->db, "read the tree", err);
    if (rc == SQLITE_ROW) {
        w->size = (uint64_t)sqlite3_column_int64(st, 0);
        w->frontier_n = (size_t)sqlite3_column_bytes(st, 1);
        ok = w->frontier_n <= sizeof w->frontier ||
             err_input(err, "%s: the tree's frontier is too long", s->file.shown);
        if (ok && w->frontier_n)
            memcpy(w->frontier, sqlite3_column_blob(st, 1), w->frontier_n);
    }
    sqlite3_finalize(st);
    return ok &&
           (!w->tree.append ||
            w->tree.restore(w->tree.ctx, w->size, str_of((char *)w->frontier, w->frontier_n), err));
}

/* The tree must cover exactly the leaves that are there. */
static bool check_tree(struct store *s, struct err *err)
{
    int64_t next = 0;
    if (!store_file_number(&s->file, s->w.db, "SELECT ifnull(max(idx) + 1, 0) FROM leaf", &next,
                           err))
        return false;
    if ((uint64_t)next != s->w.size)
        return err_input(err, "%s is damaged: %lld leaves, but the tree has %llu", s->file.shown,
                         (long long)next, (unsigned long long)s->w.size);
    return true;
}

bool writer_init(struct store *s, const struct store_options *opt, struct err *err)
{
    struct writer *w = &s->w;
    w->tree = opt->tree;
    w->wal_pages_max = opt->wal_pages_max ? opt->wal_pages_max : WAL_PAGES_MAX;
    char cache[64];
    snprintf(cache, sizeof cache, "PRAGMA cache_size = -%zu",
             opt->cache_kib ? opt->cache_kib : CACHE_KIB);
    if (!store_file_exec(&s->file, w->db, cache, "set up", err) || !prepare_all(s, err) ||
        !load_tree(s, err) || !check_tree(s, err))
        return false;
    sqlite3_wal_hook(w->db, on_commit_wal, w);
    return true;
}

void writer_fini(struct store *s)
{
    struct writer *w = &s->w;
    sqlite3_stmt *own[] = {w->begin, w->commit, w->rollback, w->mark, w->unmark, w->back};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        sqlite3_finalize(own[i]);
    for (unsigned i = 0; i < STORE_STMTS; i++)
        sqlite3_finalize(w->stmts[i]);
    if (!w->db)
        return;
    if (store_failed(s)) /* after a failure nothing more is written, not even the WAL copied back */
        sqlite3_db_config(w->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(w->db);
}

/* A group of transactions as one SQLite transaction.
 *
 *     BEGIN -> each transaction -> tree -> COMMIT (fsync)
 *
 * A group is first tried without savepoints, because nearly all transactions pass and a savepoint
 * makes SQLite copy each page before it is changed. Only if a guard refuses after its transaction
 * has already changed something is the whole group rolled back and run once more, carefully: with a
 * savepoint for each transaction. The tree goes back too, to the frontier of the last commit.
 * Leaves come last in a transaction, after all that can refuse, so an index is never given out and
 * taken back within a pass. */
#include "store/sqlite_private.h"

#include <stdlib.h>

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
static enum verdict run_step(struct sqlite_db *w, const struct store_txn *t, unsigned i)
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

static bool append_leaf(struct sqlite_db *w, struct store_txn *t, const struct txn_leaf *l)
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
static enum verdict run_steps(struct sqlite_db *w, struct store_txn *t, unsigned *applied)
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

static bool record_refusal(struct sqlite_db *w, struct store_txn *t)
{
    t->result.outcome = STORE_GUARDED;
    for (unsigned i = 0; i < t->steps_n; i++)
        if (t->steps[i].when == STORE_ON_GUARD && run_step(w, t, i) == BROKEN)
            return false;
    return !t->has_guard_leaf || append_leaf(w, t, &t->guard_leaf);
}

static enum verdict run_txn(struct sqlite_db *w, struct store_txn *t)
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

static bool put_tree(struct sqlite_db *w)
{
    if (!w->tree.append)
        return true;
    uint64_t size = 0;
    uint8_t frontier[STORE_FRONTIER_BYTES_MAX];
    size_t n = w->tree.save(w->tree.ctx, &size, frontier);
    if (size == w->base.size)
        return true;
    sqlite3_stmt *st = w->stmts[STORE_TREE_PUT];
    sqlite3_bind_int64(st, 1, (int64_t)size);
    sqlite3_bind_blob(st, 2, frontier, (int)n, SQLITE_STATIC);
    if (!run(st))
        return false;
    w->base.size = size;
    w->frontier_n = n;
    memcpy(w->frontier, frontier, n);
    return true;
}

static enum verdict run_pass(struct sqlite_db *w, struct store_txn *group, bool careful)
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

static bool go_back(struct sqlite_db *w, struct err *err)
{
    if (!run(w->rollback))
        return false;
    return !w->tree.append || w->tree.restore(w->tree.ctx, w->base.size,
                                              str_of((char *)w->frontier, w->frontier_n), err);
}

static bool run_group(struct store_db *db, struct store_txn *group, struct err *err)
{
    struct sqlite_db *w = (struct sqlite_db *)db;
    *err = (struct err){0};
    enum verdict v = run_pass(w, group, false);
    if (v == CAREFULLY)
        v = go_back(w, err) ? run_pass(w, group, true) : BROKEN;
    if (v == PASSED)
        return true;
    return err->kind == ERR_NONE ? sqlite_file_error(&w->file, w->db, "commit", err) : false;
}

/* The WAL is copied back. Passive: never waits for a reader. When all of it could be copied, the
 * next commit begins the WAL anew. */
static bool upkeep(struct store_db *db, bool *copied, struct err *err)
{
    struct sqlite_db *w = (struct sqlite_db *)db;
    if ((size_t)w->wal_pages < w->wal_pages_max)
        return true;
    int rc = sqlite3_wal_checkpoint_v2(w->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    w->wal_pages = 0;
    *copied = true;
    return rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED ||
           sqlite_file_error(&w->file, w->db, "copy the WAL back", err);
}

const struct store_backend STORE_SQLITE = {
    .open = sqlite_open,
    .close = sqlite_close,
    .run_group = run_group,
    .upkeep = upkeep,
    .view_of = sqlite_view_of,
    .view_beside = sqlite_view_beside,
    .view_close = sqlite_view_close,
    .view_begin = sqlite_view_begin,
    .view_end = sqlite_view_end,
    .walk = sqlite_walk,
    .row_str = sqlite_row_str,
    .row_i64 = sqlite_row_i64,
};

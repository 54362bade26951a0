/* A SQLite store opened and closed: the directory's lock, the write connection, its statements, and
 * the tree as the last commit left it. */
#include "store/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { CACHE_KIB = 4 << 10, WAL_PAGES_MAX = 1000 };

static bool take_lock(struct sqlite_db *w, struct err *err)
{
    w->lock_fd = openat(w->file.dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (w->lock_fd < 0)
        return err_system(err, "%s: open the lock file", w->file.shown);
    if (flock(w->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        return err_denied(err, "%s: another gateway uses this store; stop it first", w->file.shown);
    return err_system(err, "%s: lock", w->file.shown);
}

static bool prepare(struct sqlite_db *w, const char *sql, sqlite3_stmt **out, struct err *err)
{
    if (sqlite3_prepare_v3(w->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
        return sqlite_file_error(&w->file, w->db, sql, err);
    return true;
}

static bool prepare_all(struct sqlite_db *w, struct err *err)
{
    const struct {
        const char *sql;
        sqlite3_stmt **st;
    } own[] = {
        {"BEGIN IMMEDIATE", &w->begin}, {"COMMIT", &w->commit},      {"ROLLBACK", &w->rollback},
        {"SAVEPOINT one", &w->mark},    {"RELEASE one", &w->unmark}, {"ROLLBACK TO one", &w->back},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (!prepare(w, own[i].sql, own[i].st, err))
            return false;
    for (unsigned i = STORE_STMT_NONE + 1; i < STORE_STMTS; i++)
        if (!prepare(w, STORE_SQL[i], &w->stmts[i], err))
            return false;
    return true;
}

/* The tree continues where the last commit left it. */
static bool load_tree(struct sqlite_db *w, struct err *err)
{
    sqlite3_stmt *st = NULL;
    if (!prepare(w, "SELECT size, frontier FROM tree", &st, err))
        return false;
    int rc = sqlite3_step(st);
    bool ok = rc == SQLITE_ROW || rc == SQLITE_DONE;
    if (!ok)
        sqlite_file_error(&w->file, w->db, "read the tree", err);
    if (rc == SQLITE_ROW) {
        w->base.size = (uint64_t)sqlite3_column_int64(st, 0);
        w->frontier_n = (size_t)sqlite3_column_bytes(st, 1);
        ok = w->frontier_n <= sizeof w->frontier ||
             err_input(err, "%s: the tree's frontier is too long", w->file.shown);
        if (ok && w->frontier_n)
            memcpy(w->frontier, sqlite3_column_blob(st, 1), w->frontier_n);
    }
    sqlite3_finalize(st);
    return ok &&
           (!w->tree.append || w->tree.restore(w->tree.ctx, w->base.size,
                                               str_of((char *)w->frontier, w->frontier_n), err));
}

/* The tree must cover exactly the leaves that are there. */
static bool check_tree(struct sqlite_db *w, struct err *err)
{
    int64_t next = 0;
    if (!sqlite_file_number(&w->file, w->db, "SELECT coalesce(max(idx) + 1, 0) FROM leaf", &next,
                            err))
        return false;
    if ((uint64_t)next != w->base.size)
        return err_input(err, "%s is damaged: %lld leaves, but the tree has %llu", w->file.shown,
                         (long long)next, (unsigned long long)w->base.size);
    return true;
}

static int on_commit_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct sqlite_db *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

static bool make_ready(struct sqlite_db *w, const struct store_options *opt, struct err *err)
{
    w->tree = opt->tree;
    w->wal_pages_max = opt->wal_pages_max ? opt->wal_pages_max : WAL_PAGES_MAX;
    char cache[64];
    snprintf(cache, sizeof cache, "PRAGMA cache_size = -%zu",
             opt->cache_kib ? opt->cache_kib : CACHE_KIB);
    if (!sqlite_file_exec(&w->file, w->db, cache, "set up", err) || !prepare_all(w, err) ||
        !load_tree(w, err) || !check_tree(w, err))
        return false;
    sqlite3_wal_hook(w->db, on_commit_wal, w);
    return true;
}

/* SQLite syncs the directory after it has made the WAL, and ignores an error of that: a power cut
 * could then take the whole WAL with all that was acknowledged. By now the WAL has been made. */
static bool sync_names(struct sqlite_db *w, struct err *err)
{
    if (fsync(w->file.dir_fd) != 0)
        return err_system(err, "%s: sync the directory", w->file.shown);
    return true;
}

static bool open_all(struct sqlite_db *w, int dir_fd, const struct store_options *opt,
                     struct err *err)
{
    if (!sqlite_file_init(&w->file, dir_fd, err) || !take_lock(w, err) ||
        !sqlite_file_connect(&w->file, true, &w->db, err))
        return false;
    if (!opt->skip_check && !sqlite_file_check(&w->file, w->db, err))
        return false;
    return sqlite_file_migrate(&w->file, w->db, true, err) && make_ready(w, opt, err) &&
           sync_names(w, err);
}

bool sqlite_open(int dir_fd, const struct store_options *opt, struct store_db **out,
                 struct err *err)
{
    struct sqlite_db *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->base.backend = &STORE_SQLITE;
    w->lock_fd = w->file.dir_fd = -1;
    if (!open_all(w, dir_fd, opt, err)) {
        /* The reason may be a sync that failed: what the WAL holds must not be synced again and
         * copied on the way out, as if that had succeeded. */
        sqlite_close(&w->base, true);
        return false;
    }
    *out = &w->base;
    return true;
}

void sqlite_close(struct store_db *db, bool failed)
{
    struct sqlite_db *w = (struct sqlite_db *)db;
    sqlite3_stmt *own[] = {w->begin, w->commit, w->rollback, w->mark, w->unmark, w->back};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        sqlite3_finalize(own[i]);
    for (unsigned i = 0; i < STORE_STMTS; i++)
        sqlite3_finalize(w->stmts[i]);
    if (w->db && failed) /* nothing more is written, not even the WAL copied back */
        sqlite3_db_config(w->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(w->db);
    sqlite_file_fini(&w->file);
    if (w->lock_fd >= 0)
        close(w->lock_fd);
    free(w);
}

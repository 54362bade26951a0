/* store_private: what the .c files of this folder share, and nobody else sees. */
#pragma once
#include "base/buf.h"
#include "store/read.h"
#include "store/store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

/* ---- the tables (store_sql.c) ---- */

#define STORE_FILE "ambit.db"
enum {
    STORE_SCHEMA_VERSION = 11,
    STORE_APPLICATION_ID = 0x416d6274, /* "Ambt": the file says whose it is */
};
extern const char *const STORE_SQL[STORE_STMTS]; /* by enum store_stmt; NULL for NONE */
extern const char *const STORE_MIGRATIONS[STORE_SCHEMA_VERSION]; /* [n] leads from n to n + 1 */

extern const char STORE_PEOPLE_TABLES[];   /* store_people.c */
extern const char STORE_REVOKE_TABLES[];   /* store_revoke.c */
extern const char STORE_IDENTITY_TABLES[]; /* store_identity.c */

/* ---- the file (store_file.c) ---- */

/* A SQLite file system that leaves names alone: SQLite's own would resolve /proc/self/fd/N/ambit.db
 * to the real path, whose parents we may not be able to walk. */
struct store_file {
    int dir_fd;      /* ours */
    char name[48];   /* /proc/self/fd/N/ambit.db */
    char shown[256]; /* for messages: where it was when we opened it */
    char vfs_name[32];
    sqlite3_vfs vfs;
};
MUST_USE bool store_file_init(struct store_file *f, int dir_fd, struct err *err);
void store_file_fini(struct store_file *f);
/* Connects with the settings that every connection has. writer: may write, create and lock. */
MUST_USE bool store_file_connect(struct store_file *f, bool writer, sqlite3 **out, struct err *err);
/* Raises what SQLite says; damage comes as ERR_INPUT with what to do. */
bool store_file_error(const struct store_file *f, sqlite3 *db, const char *doing, struct err *err);
/* Runs SQL that returns nothing. */
MUST_USE bool store_file_exec(struct store_file *f, sqlite3 *db, const char *sql, const char *doing,
                              struct err *err);
/* The first column of the first row as a number; 0 when there is no row. */
MUST_USE bool store_file_number(struct store_file *f, sqlite3 *db, const char *sql, int64_t *out,
                                struct err *err);
/* That this file is a store of a version we know; writer: also sets it up or brings it up to date.
 */
MUST_USE bool store_file_migrate(struct store_file *f, sqlite3 *db, bool writer, struct err *err);
MUST_USE bool store_file_check(struct store_file *f, sqlite3 *db, struct err *err);

/* ---- a transaction in the making (store_txn.c) ---- */

struct txn_step {
    uint8_t when, stmt, first, n; /* params[first .. first + n) */
};
struct txn_param {
    uint8_t kind;
    uint32_t len;
    int64_t value; /* the number, or where its bytes begin */
};
struct txn_leaf {
    uint32_t body, body_n, call, call_n, task, task_n; /* in bytes */
};
struct store_txn {
    struct store_txn *next; /* in the pool, the queue or the done list */
    store_done_fn *done;
    void *arg;
    bool over, has_guard_leaf;
    uint8_t steps_n, params_n, leaves_n;
    struct txn_leaf guard_leaf;
    struct txn_leaf leaves[STORE_LEAVES_MAX];
    struct buf bytes;
    struct store_result result; /* the writer's answer */
    struct txn_step steps[STORE_STEPS_MAX];
    struct txn_param params[STORE_PARAMS_MAX];
};
static inline const char *txn_at(const struct store_txn *t, uint64_t offset)
{
    return t->bytes.mem ? t->bytes.mem + offset : "";
}
struct store_txn *txn_alloc(void);
void txn_reset(struct store_txn *t); /* empty again; memory kept unless it is large */
void txn_free(struct store_txn *t);

/* ---- the store ---- */

struct txn_queue {
    struct store_txn *first, **last;
};
static inline void txn_queue_init(struct txn_queue *q)
{
    q->first = NULL;
    q->last = &q->first;
}
static inline void txn_queue_add(struct txn_queue *q, struct store_txn *t)
{
    t->next = NULL;
    *q->last = t;
    q->last = &t->next;
}

/* The writer thread's own: nobody else touches it after the thread has started. */
struct writer {
    sqlite3 *db;
    sqlite3_stmt *stmts[STORE_STMTS];
    sqlite3_stmt *begin, *commit, *rollback, *mark, *unmark, *back;
    struct store_tree_ops tree;
    /* The tree as of the last commit, to go back to. */
    uint64_t size;
    size_t frontier_n;
    uint8_t frontier[STORE_FRONTIER_BYTES_MAX];
    uint64_t leaves_before; /* of this group */
    bool careful;           /* this pass sets a savepoint for each transaction */
    size_t wal_pages_max;
    int wal_pages; /* as of the last commit */
};

struct store {
    struct store_file file;
    int lock_fd;
    struct store_view *view;
    struct writer w;

    pthread_t thread;
    bool thread_started;
    pthread_mutex_t mutex; /* guards queue, finished, waiting, stop, and stats */
    pthread_cond_t wake;
    struct txn_queue queue, finished;
    bool waiting, stop;
    struct store_stats stats;

    atomic_bool failed;
    struct err failure; /* written once, before failed is set */

    int notify_fd;
    /* the main thread's own */
    struct store_txn *pool;
    size_t pool_n, outstanding;
    uint64_t size;
};

/* Statements and tree made ready; then the thread (store_writer.c). */
MUST_USE bool writer_init(struct store *s, const struct store_options *opt, struct err *err);
MUST_USE bool writer_start(struct store *s, struct err *err);
void writer_stop(struct store *s); /* drains the queue first */
void writer_fini(struct store *s);

/* ---- reading (store_read.c) ---- */

struct store_view {
    struct store_file *file;
    struct store_file own; /* where it is not the store's */
    sqlite3 *db;
};
MUST_USE bool view_init(struct store_view *v, struct store_file *f, struct err *err);
void view_fini(struct store_view *v);

/* ---- readings in other files than store_read.c ---- */

/* One row; false ends the walk. */
typedef bool store_row_fn(void *ctx, sqlite3_stmt *st);
MUST_USE bool store_walk(struct store_view *v, const char *sql, const struct store_param *params,
                         size_t n, store_row_fn *row, void *ctx, struct err *err);
str store_column(sqlite3_stmt *st, int col);

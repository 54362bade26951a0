/* store_private: what the .c files of this folder share, and nobody else sees. */
#pragma once
#include "base/buf.h"
#include "store/backend.h"
#include "store/read.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- the tables (store_sql.c) ---- */

enum { STORE_SCHEMA_VERSION = 6 };
extern const char *const STORE_SQL[STORE_STMTS]; /* by enum store_stmt; NULL for NONE */
extern const char *const STORE_MIGRATIONS[STORE_SCHEMA_VERSION]; /* [n] leads from n to n + 1 */

extern const char STORE_PEOPLE_TABLES[];   /* store_people.c */
extern const char STORE_REVOKE_TABLES[];   /* store_revoke.c */
extern const char STORE_IDENTITY_TABLES[]; /* store_identity.c */

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

struct store {
    struct store_db *db; /* the writer thread's own once that has started */
    struct store_view *view;

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

/* The thread (store_writer.c). */
MUST_USE bool writer_start(struct store *s, struct err *err);
void writer_stop(struct store *s); /* drains the queue first */

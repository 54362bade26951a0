/* The writer thread.
 *
 *     wait -> take all that is queued -> commit as one (the backend) -> hand back -> upkeep -> wait
 *                                             |                                        |
 *                                             +------ any error ------> failed, for good
 */
#include "store/store_private.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void fail(struct store *s, const struct err *why)
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
        if (s->db->backend->run_group(s->db, group, &err))
            return;
        fail(s, &err);
    }
    for (struct store_txn *t = group; t; t = t->next)
        t->result = (struct store_result){.outcome = STORE_FAILED, .err = &s->failure};
}

static void keep_up(struct store *s)
{
    struct err err = {0};
    bool copied = false;
    if (store_failed(s))
        return;
    if (!s->db->backend->upkeep(s->db, &copied, &err))
        fail(s, &err);
    if (!copied)
        return;
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
        keep_up(s);
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

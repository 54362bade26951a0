/* The store as its owner sees it: opening and closing, submitting and collecting. */
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { POOL_MAX = STORE_GROUP_MAX };

bool store_dir_open(const char *path, bool create, int *out_fd, struct err *err)
{
    if (create && mkdir(path, 0700) != 0 && errno != EEXIST)
        return err_system(err, "store: create %s", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_system(err, "store: open %s", path);
    *out_fd = fd;
    return true;
}

static bool open_all(struct store *s, int dir_fd, const struct store_options *opt, struct err *err)
{
    if (!STORE_SQLITE.open(dir_fd, opt, &s->db, err))
        return false;
    s->notify_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->notify_fd < 0)
        return err_system(err, "store: eventfd");
    return s->db->backend->view_of(s->db, &s->view, err) && writer_start(s, err);
}

bool store_open(int dir_fd, const struct store_options *opt, struct store **out, struct err *err)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->notify_fd = -1;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->wake, NULL);
    txn_queue_init(&s->queue);
    txn_queue_init(&s->finished);
    if (!open_all(s, dir_fd, opt, err)) {
        /* As after any failure: nothing more is written on the way out. */
        store_view_close(s->view);
        s->view = NULL;
        if (s->db)
            s->db->backend->close(s->db, true);
        s->db = NULL;
        store_close(s);
        return false;
    }
    s->size = s->db->size;
    *out = s;
    return true;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    while (s->thread_started) {
        store_flush(s); /* the callbacks may submit again, and those are served too */
        writer_stop(s);
    }
    store_view_close(s->view);
    if (s->db)
        s->db->backend->close(s->db, store_failed(s));
    while (s->pool) {
        struct store_txn *t = s->pool;
        s->pool = t->next;
        txn_free(t);
    }
    if (s->notify_fd >= 0)
        close(s->notify_fd);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

/* ---- submitting ---- */

struct store_txn *store_txn_new(struct store *s)
{
    struct store_txn *t = s->pool;
    if (!t)
        return txn_alloc();
    s->pool = t->next;
    s->pool_n--;
    t->next = NULL;
    return t;
}

void store_txn_drop(struct store *s, struct store_txn *t)
{
    if (s->pool_n >= POOL_MAX) {
        txn_free(t);
        return;
    }
    txn_reset(t);
    t->next = s->pool;
    s->pool = t;
    s->pool_n++;
}

bool store_submit(struct store *s, struct store_txn *t, store_done_fn *done, void *arg,
                  struct err *err)
{
    if (t->over) {
        store_txn_drop(s, t);
        return err_limit(err,
                         "store: a transaction may have %d steps and leaves of %d bytes at most",
                         STORE_STEPS_MAX, STORE_LEAF_BYTES_MAX);
    }
    t->done = done;
    t->arg = arg;
    s->outstanding++;
    pthread_mutex_lock(&s->mutex);
    txn_queue_add(&s->queue, t);
    bool wake = s->waiting;
    s->waiting = false;
    pthread_mutex_unlock(&s->mutex);
    if (wake)
        pthread_cond_signal(&s->wake);
    return true;
}

/* ---- collecting ---- */

int store_notify_fd(const struct store *s)
{
    return s->notify_fd;
}

static void finish(struct store *s, struct store_txn *t)
{
    const struct store_result *r = &t->result;
    if (r->outcome != STORE_FAILED && r->leaves)
        s->size = r->first_leaf + r->leaves;
    s->outstanding--;
    if (t->done)
        t->done(t->arg, r);
    store_txn_drop(s, t);
}

size_t store_collect(struct store *s)
{
    uint64_t count;
    while (read(s->notify_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&s->mutex);
    struct store_txn *t = s->finished.first;
    txn_queue_init(&s->finished);
    pthread_mutex_unlock(&s->mutex);
    size_t n = 0;
    while (t) {
        struct store_txn *next = t->next;
        finish(s, t);
        t = next;
        n++;
    }
    return n;
}

void store_flush(struct store *s)
{
    while (s->outstanding) {
        struct pollfd p = {.fd = s->notify_fd, .events = POLLIN};
        if (poll(&p, 1, -1) > 0)
            store_collect(s);
    }
}

/* ---- asking ---- */

uint64_t store_size(const struct store *s)
{
    return s->size;
}

bool store_failed(const struct store *s)
{
    return atomic_load_explicit(&s->failed, memory_order_acquire);
}

str store_failure(const struct store *s)
{
    return store_failed(s) ? str_z(s->failure.text) : (str){0};
}

struct store_view *store_view(struct store *s)
{
    return s->view;
}

void store_stats(struct store *s, struct store_stats *out)
{
    pthread_mutex_lock(&s->mutex);
    *out = s->stats;
    pthread_mutex_unlock(&s->mutex);
    clockid_t clock;
    struct timespec ts;
    if (pthread_getcpuclockid(s->thread, &clock) == 0 && clock_gettime(clock, &ts) == 0)
        out->writer_cpu_us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

#include "net/loop_int.h"

#include <errno.h>
#include <stdlib.h>

/* Deferred calls may cause others without end (a fast source feeding a fast sink); after this many
 * rounds timers and other descriptors get their turn. */
enum { SETTLE_ROUNDS_MAX = 16 };

static void run_list(struct list *from)
{
    struct list batch;
    list_init(&batch);
    for (struct list *n; (n = list_first(from)) != NULL;) {
        list_remove(n);
        list_append(&batch, n);
    }
    for (struct list *n; (n = list_first(&batch)) != NULL;) {
        struct deferred *d = LIST_ENTRY(n, struct deferred, node);
        list_remove(n);
        d->fn(d->owner);
    }
}

static bool has_work(const struct loop *l)
{
    return !list_is_empty(&l->soon) || !list_is_empty(&l->flush);
}

static void on_idle(uv_idle_t *h)
{
    (void)h;
}

static void settle(struct loop *l)
{
    if (l->settling)
        abort(); /* the loop was run from one of its own callbacks */
    l->settling = true;
    for (unsigned i = 0; i < SETTLE_ROUNDS_MAX && has_work(l); i++) {
        if (!list_is_empty(&l->soon))
            run_list(&l->soon);
        else
            run_list(&l->flush);
    }
    l->settling = false;
    if (has_work(l))
        uv_idle_start(&l->idle, on_idle);
    else
        uv_idle_stop(&l->idle);
}

static void on_prepare(uv_prepare_t *h)
{
    settle(h->data);
}

static void on_check(uv_check_t *h)
{
    settle(h->data);
}

bool loop_new(struct loop **out, struct err *err)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    int rc = uv_loop_init(&l->uv);
    if (rc) {
        errno = -rc;
        free(l);
        return err_system(err, "cannot make an event loop");
    }
    list_init(&l->soon);
    list_init(&l->flush);
    l->clock_due_ms = INT64_MAX;
    l->scratch = malloc(LOOP_SCRATCH_BYTES);
    if (!l->scratch)
        abort();
    uv_prepare_init(&l->uv, &l->prepare);
    uv_check_init(&l->uv, &l->check);
    uv_idle_init(&l->uv, &l->idle);
    uv_timer_init(&l->uv, &l->clock);
    l->prepare.data = l->check.data = l->idle.data = l->clock.data = l;
    uv_prepare_start(&l->prepare, on_prepare);
    uv_check_start(&l->check, on_check);
    /* They serve the loop and are no reason for it to go on. */
    uv_unref((uv_handle_t *)&l->prepare);
    uv_unref((uv_handle_t *)&l->check);
    *out = l;
    return true;
}

void loop_run(struct loop *l)
{
    while (!l->stopped && loop_step(l, true))
        ;
    l->stopped = false;
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
}

bool loop_step(struct loop *l, bool wait)
{
    settle(l);
    if (l->stopped)
        wait = false;
    bool alive = uv_run(&l->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
    return alive || has_work(l);
}

static void close_handle(uv_handle_t *h)
{
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    while (has_work(l))
        settle(l);
    if (l->n_timers)
        abort(); /* its owner's memory may be gone already */
    close_handle((uv_handle_t *)&l->prepare);
    close_handle((uv_handle_t *)&l->check);
    close_handle((uv_handle_t *)&l->idle);
    close_handle((uv_handle_t *)&l->clock);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    if (uv_loop_close(&l->uv) != 0)
        abort(); /* a watch or a signal was left open */
    free(l->heap);
    free(l->scratch);
    free(l);
}

int64_t loop_now_ms(const struct loop *l)
{
    return (int64_t)uv_now(&l->uv);
}

static void enqueue(struct list *to, struct deferred *d, void (*fn)(void *owner), void *owner)
{
    if (list_is_linked(&d->node))
        return;
    d->fn = fn;
    d->owner = owner;
    list_append(to, &d->node);
}

void loop_defer(struct loop *l, struct deferred *d, void (*fn)(void *owner), void *owner)
{
    enqueue(&l->soon, d, fn, owner);
}

void loop_defer_flush(struct loop *l, struct deferred *d, void (*fn)(void *owner), void *owner)
{
    enqueue(&l->flush, d, fn, owner);
}

void deferred_cancel(struct deferred *d)
{
    list_remove(&d->node);
}

#include "net/timer.h"
#include "net/loop_int.h"

#include <stdlib.h>

/* A binary heap of (key, timer) by key. Invariant: heap[i].timer->slot == i + 1 and key <= due. */

static void place(struct loop *l, size_t i, struct timer_entry e)
{
    l->heap[i] = e;
    e.timer->slot = i + 1;
}

static void sift_up(struct loop *l, size_t i)
{
    struct timer_entry e = l->heap[i];
    while (i > 0 && l->heap[(i - 1) / 2].key_ms > e.key_ms) {
        place(l, i, l->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(l, i, e);
}

static void sift_down(struct loop *l, size_t i)
{
    struct timer_entry e = l->heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= l->n_timers)
            break;
        if (child + 1 < l->n_timers && l->heap[child + 1].key_ms < l->heap[child].key_ms)
            child++;
        if (l->heap[child].key_ms >= e.key_ms)
            break;
        place(l, i, l->heap[child]);
        i = child;
    }
    place(l, i, e);
}

static void on_clock(uv_timer_t *h);

/* The loop's clock goes off at the first key; going off too early is harmless, and cheaper than
 * moving it each time. */
static void arm_clock(struct loop *l)
{
    if (l->n_timers == 0) {
        uv_timer_stop(&l->clock);
        l->clock_due_ms = INT64_MAX;
        return;
    }
    int64_t key = l->heap[0].key_ms;
    if (key >= l->clock_due_ms)
        return;
    int64_t wait = key - loop_now_ms(l);
    uv_timer_start(&l->clock, on_clock, wait > 0 ? (uint64_t)wait : 0, 0);
    l->clock_due_ms = key;
}

void timer_start(struct timer *t, struct loop *l, int64_t ms, void (*fn)(void *owner), void *owner)
{
    t->loop = l;
    t->fn = fn;
    t->owner = owner;
    t->due_ms = loop_now_ms(l) + (ms > 0 ? ms : 1);
    if (t->slot) {
        struct timer_entry *e = &l->heap[t->slot - 1];
        if (t->due_ms >= e->key_ms)
            return;
        e->key_ms = t->due_ms;
        sift_up(l, t->slot - 1);
    } else {
        if (l->n_timers == l->cap_timers) {
            size_t cap = l->cap_timers ? 2 * l->cap_timers : 64;
            struct timer_entry *heap = realloc(l->heap, cap * sizeof *heap);
            if (!heap)
                abort();
            l->heap = heap;
            l->cap_timers = cap;
        }
        place(l, l->n_timers++, (struct timer_entry){t->due_ms, t});
        sift_up(l, l->n_timers - 1);
    }
    arm_clock(l);
}

void timer_stop(struct timer *t)
{
    if (!t->slot)
        return;
    struct loop *l = t->loop;
    size_t i = t->slot - 1;
    t->slot = 0;
    l->n_timers--;
    if (i < l->n_timers) {
        place(l, i, l->heap[l->n_timers]);
        sift_up(l, i);
        sift_down(l, i);
    }
    arm_clock(l);
}

/* Calls what is due. */
static void on_clock(uv_timer_t *h)
{
    struct loop *l = h->data;
    l->clock_due_ms = INT64_MAX;
    int64_t now = loop_now_ms(l);
    while (l->n_timers && l->heap[0].key_ms <= now) {
        struct timer *t = l->heap[0].timer;
        if (t->due_ms > l->heap[0].key_ms) {
            l->heap[0].key_ms = t->due_ms;
            sift_down(l, 0);
            continue;
        }
        timer_stop(t);
        t->fn(t->owner);
    }
    arm_clock(l);
}

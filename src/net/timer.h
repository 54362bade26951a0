/* timer: a moment in the future at which a function is called once. Embedded in its owner: nothing
 * to allocate or close. A timer must be stopped before its memory goes. Resolution 1 ms, never
 * early. Moving a timer later costs a store; starting, stopping and moving earlier O(log n). Any
 * number. Zero = a stopped timer. */
#pragma once
#include "net/loop.h"

struct timer {
    struct loop *loop;
    void (*fn)(void *owner);
    void *owner;
    int64_t due_ms; /* on loop_now_ms() */
    size_t slot;    /* 1 + place in the loop's heap; 0 = stopped */
};

/* (Re)starts: fn(owner) in `ms` (at least 1) from the loop's now, never from inside this call. The
 * timer is stopped when fn runs. */
void timer_start(struct timer *t, struct loop *l, int64_t ms, void (*fn)(void *owner), void *owner);
void timer_stop(struct timer *t); /* harmless if stopped */
static inline bool timer_is_armed(const struct timer *t)
{
    return t->slot != 0;
}

/* loop_int: what loop.c, timer.c and watch.c share. Private to src/net. */
#pragma once
#include "net/loop.h"
#include "net/timer.h"
#include <uv.h>

struct timer_entry {
    int64_t key_ms; /* <= timer->due_ms: a timer moved later is moved in the heap when its key comes
                       up */
    struct timer *timer;
};

enum { LOOP_SCRATCH_BYTES = 64 << 10 };

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle; /* active while work is left over: keeps the poll from waiting */
    uv_timer_t clock;
    struct list soon, flush; /* of struct deferred */
    struct timer_entry *heap;
    size_t n_timers, cap_timers;
    int64_t clock_due_ms; /* when `clock` goes off; INT64_MAX = it does not */
    bool stopped;
    bool settling;
    char *scratch; /* LOOP_SCRATCH_BYTES that any callback may use until it returns */
};

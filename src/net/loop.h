/* loop: the event loop of a role. One loop, one thread; nothing in src/net may be called from
 * another, except what is waited for by a watch (an eventfd, say).
 *
 * An iteration: due timers, ready descriptors, then "settling": first all deferred calls, then all
 * flushes, again until none is left. Connections and channels send in the flush, so everything
 * written in one iteration to one peer leaves in one system call. Owners are told of ends only from
 * the loop, never from inside a call they make, and memory goes only when no callback of its owner
 * is on the stack. */
#pragma once
#include "base/err.h"
#include "base/list.h"
#include <stddef.h>
#include <stdint.h>

struct loop;

MUST_USE bool loop_new(struct loop **out, struct err *err);
/* Runs until loop_stop(), or until nothing is left that could call anyone. */
void loop_run(struct loop *l);
/* The run that goes on, or else the next one, returns. */
void loop_stop(struct loop *l);
/* One iteration; with `wait`, blocks until something happens. For tests and shutdown. False when
 * nothing is left. */
bool loop_step(struct loop *l, bool wait);
/* Everything made on the loop must be closed first (asserted); runs what is left of the closing.
 * NULL is fine. */
void loop_free(struct loop *l);
/* Monotonic time as of the start of this iteration. */
int64_t loop_now_ms(const struct loop *l);

/* ---- deferred calls ---- */
/* Embedded in the owner; zero = not queued. Queued twice counts once. */
struct deferred {
    struct list node;
    void (*fn)(void *owner);
    void *owner;
};
/* After the current callbacks, in the same iteration. */
void loop_defer(struct loop *l, struct deferred *d, void (*fn)(void *owner), void *owner);
/* After all deferred calls: for gathering writes. */
void loop_defer_flush(struct loop *l, struct deferred *d, void (*fn)(void *owner), void *owner);
void deferred_cancel(struct deferred *d); /* harmless if not queued */

/* ---- descriptors of others ---- */
enum { WATCH_READ = 1, WATCH_WRITE = 2 };
struct watch;
/* fd stays the caller's and must stay open until the watch is closed; level-triggered. Works for
 * sockets, pipes, eventfd, pidfd; not for regular files. */
MUST_USE bool watch_new(struct loop *l, int fd, unsigned events,
                        void (*fn)(void *owner, unsigned events), void *owner, struct watch **out,
                        struct err *err);
void watch_set(struct watch *w, unsigned events); /* 0 = none */
/* No call comes after this; the memory goes by itself. NULL is fine. */
void watch_close(struct watch *w);

/* ---- signals ---- */
struct loop_signal;
MUST_USE bool loop_signal_new(struct loop *l, int signo, void (*fn)(void *owner, int signo),
                              void *owner, struct loop_signal **out, struct err *err);
void loop_signal_close(struct loop_signal *s);

/* stdio_child: one child program of a stdio server: started in its sandbox, spoken to in lines,
 * listened to on standard error, and ended for certain.
 *
 *     running -> stopping (stdin closed; TERM after 1 s; KILL after 3 s, its whole group) -> ended
 *
 * Its world: no environment but what the binding says and PATH, HOME, LANG, TMPDIR; a scratch
 * folder of its own as HOME and TMPDIR; the machine's program folders read-only, and the paths of
 * the binding; no network unless the binding says so; its own uid where the gateway has one for it;
 * no privileges to gain. What it writes to standard error is logged at debug level, line by line,
 * with its secrets struck out.
 *
 * Callbacks come from the loop only; on_end exactly once and last, then the memory goes. One
 * thread. */
#pragma once
#include "conf/conf.h"
#include "net/loop.h"

struct stdio_child;

struct stdio_child_ops {
    /* One line, without its end; not yet known to be JSON. */
    void (*on_line)(void *owner, str line);
    /* It has ended; why is for people, and quotes its last words on standard error. */
    void (*on_end)(void *owner, str why);
};

struct stdio_child_spec {
    const struct conf_binding *binding;
    str conf_dir; /* where a relative command starts */
    str scratch;  /* made here, an absolute path that is not there yet */
    int64_t uid;  /* -1: stay */
    str secrets;  /* run of name, value (ipc/pack.h); copied into secret memory */
};

MUST_USE bool stdio_child_new(struct loop *l, const struct stdio_child_spec *spec,
                              const struct stdio_child_ops *ops, void *owner,
                              struct stdio_child **out, struct err *err);
/* Queues one message (no line break in it). A child that does not read until the queue holds
 * STDIO_QUEUE_BYTES_MAX is killed. */
void stdio_child_send(struct stdio_child *c, str message);
void stdio_child_stop(struct stdio_child *c);                  /* twice is harmless */
void stdio_child_kill(struct stdio_child *c, const char *why); /* why: a literal, for on_end */
bool stdio_child_is_stopping(const struct stdio_child *c);

enum { STDIO_QUEUE_BYTES_MAX = 32 << 20 };

/* core_attest: which agent the process at the other end of a Unix socket is, and whether it still
 * is. One module for every socket on which core asks the kernel who connected.
 *
 *     attest -> facts of the kernel -> launched? -> else: exactly one agent's selectors match
 *            -> [look at the program file: role/witness.c] -> KNOWN ... -> OVER
 *
 * KNOWN is watched: it is OVER when the process ends (pidfd), when a recheck finds that the same
 * selectors no longer give the same agent (another uid by now, another program by execve), and when
 * the launch it stands on is over. A socket that a child inherited ends with the process that
 * connected.
 *
 * What is not seen: an execve between two rechecks (those with selectors on the program are
 * rechecked every second, and others at every request of the Workload API); and what the right
 * program was made to do by who may trace it, that is its own user.
 *
 * Callbacks come from core's loop, on_known and on_refused also from within attest_begin. One
 * thread. */
#pragma once
#include "net/timer.h"
#include "os/peer.h"
#include "role/attest_select.h"
#include "role/core_int.h"

enum { ATTEST_INSTANCE_SIZE = ATTESTED_INSTANCE_SIZE };

struct launch;
struct attest;

struct attest_ops {
    void (*on_known)(void *owner, struct attest *a);
    /* Logged already. why: for the peer, without what only the log should say. */
    void (*on_refused)(void *owner, const char *why);
    /* It was known and is not any more. The owner frees it, now or later. */
    void (*on_over)(void *owner, struct attest *a, const char *why);
};

struct attest {
    struct list node; /* in core.attests */
    struct core *core;
    const struct attest_ops *ops;
    void *owner;
    struct peer peer;
    struct watch *watch;
    struct arena arena; /* of the facts */
    struct attest_facts facts;
    bool for_launch; /* by the selectors of launchers */
    str wanted;      /* the agent asked for; empty: whichever */
    /* once known */
    const struct conf_agent *agent;
    const struct launch *launch; /* it stands on this one; NULL: on its selectors */
    char instance[ATTEST_INSTANCE_SIZE];
    bool known, over;
    /* rechecks: one at a time, with those that were asked for before it began */
    bool checking;
    struct list asking, waiting;
    struct attest_facts now;
    struct arena now_arena;
    unsigned unseen; /* rechecks in a row without an answer */
    unsigned holds;  /* looks under way, whose answers come back here */
    bool freed;      /* and gone with the last of them */
};

/* sock: asked for its peer, not kept. purpose: for the log, a literal. */
void attest_begin(struct core *c, int sock, const char *purpose, bool for_launch, str wanted,
                  const struct attest_ops *ops, void *owner);
/* Is it still what it was? done may come at once. When the answer is no, on_over has come before.
 * When it is freed meanwhile, done comes with false. */
void attest_recheck(struct attest *a, void (*done)(void *arg, bool still), void *arg);
/* No callback comes after this. */
void attest_free(struct attest *a); /* NULL is fine */
/* Once a second: rechecks of those that stand on their program file. */
void attest_tick(struct core *c);
/* Everything that stands on this launch is over. */
void attest_launch_over(struct core *c, const struct launch *l);

/* ---- core_look.c: the witness ---- */
/* m: until return; NULL: no answer, and why. */
typedef void look_done(void *arg, const struct msg_looked *m, const char *why);
void core_look(struct core *c, int pidfd, bool sha256, look_done *done, void *arg);
void core_on_looked(struct core *c, uint64_t id, const struct msg_looked *m);
void core_witness_lost(struct core *c);

/* ---- core_launch.c: `ambit run` ---- */
struct launch {
    struct core *core;
    struct peer peer; /* the process, whatever program it executes */
    struct watch *watch;
    const struct conf_agent *agent;
    char instance[ATTEST_INSTANCE_SIZE];
};
/* The launch that this process stands on: its own, or that of an ancestor where the configuration
 * says that descendants count. NULL: none. */
const struct launch *launch_of(struct core *c, const struct peer *p);
MUST_USE bool core_launch_listen(struct core *c, int fd, struct err *err);

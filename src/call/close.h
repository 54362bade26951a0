/* close: ending tasks at once, and proving it.
 *
 * A closing is one order to end a task, or everything of an agent, an owner or a binding, or (a
 * suspension) only to cut what is open in their name. Descendants go with their task. What happens,
 * in this order, each with its time since the order was accepted:
 *
 *     refusing   the state in memory is set: the next request of the task, and of all below it, is
 *                refused, and so is what was decided but not yet released
 *     streams    every edge has ended the calls and open event streams, and acknowledged it
 *     programs   the runner has ended their stdio programs and collected them
 *     holds      what waited for a person, or was approved and not used, is cancelled
 *     durable    the store has committed the end of every task
 *     calls      every call that was under way has its outcome
 *     leases     what became of each credential that was released for them (lease.h)
 *
 * and then the receipt (docs/formats/receipt.md) is stored, its digest recorded. It says as plainly
 * what is not dead. An order waits for its ends at most CLOSE_WAIT_MS_MAX; an edge that has not
 * acknowledged after CLOSE_ACK_MS_MAX is ended, which cuts its streams for certain.
 *
 * The order itself is durable before the tasks' ends are (table receipt), so that a gateway that
 * died in between finishes it at its next start: an acknowledged closing is never undone. Core's
 * main thread only. */
#pragma once
#include "call/gate.h"

enum {
    CLOSE_ACK_MS_MAX = 5 * 1000,
    CLOSE_WAIT_MS_MAX = 10 * 1000,
    CLOSE_REASON_BYTES_MAX = 200,
    CLOSE_LISTED_MAX = 1000, /* tasks and leases that a receipt names one by one */
};

enum close_kind {
    CLOSE_NONE = 0,
    CLOSE_TASK,
    CLOSE_AGENT,
    CLOSE_OWNER,
    CLOSE_BINDING,
    CLOSE_SUSPENSION, /* name: an agent, or a task's id; nothing is closed */
    CLOSE_KINDS,
};
str close_kind_name(enum close_kind k);
enum close_kind close_kind_parse(str s); /* CLOSE_NONE for anything unknown */

enum close_step {
    CLOSE_REFUSING = 0,
    CLOSE_STREAMS,
    CLOSE_PROGRAMS,
    CLOSE_HOLDS,
    CLOSE_DURABLE,
    CLOSE_CALLS,
    CLOSE_LEASES,
    CLOSE_STEPS,
};

/* One task of a closing. */
struct closed_task {
    struct id id;
    struct task *task; /* NULL: it was closed before a restart */
    enum task_state state;
};

struct closing {
    struct list node; /* in gate->closings */
    struct gate *g;
    uint64_t seq; /* under which edges and the runner acknowledge */
    struct id id; /* of the receipt: "r..." */
    enum close_kind kind;
    enum task_state state; /* what the named tasks become; TASK_NONE: a suspension */
    str name, reason, by;
    int64_t accepted_ms, accepted_us;
    bool resumed;    /* taken up again after a restart: times before it are not known */
    bool failed;     /* the store failed; the process is about to end */
    bool incomplete; /* something had not ended in time */
    bool ending;     /* the receipt is on its way to the store */
    struct {
        bool done;
        int64_t us; /* -1: not known */
        uint64_t count;
    } steps[CLOSE_STEPS];
    struct map by_id;
    struct closed_task *tasks;
    size_t tasks_n;
    struct {
        uint32_t life;
        size_t pending;
    } edges[GATE_EDGES_MAX];
    size_t edges_ended; /* because they did not acknowledge */
    bool edge_lost, runner_lost;
    bool awaits_runner; /* it was away, and may have programs of these tasks */
    size_t programs_pending, store_pending;
    uint64_t streams, calls_left, settled[OUTCOME_COUNT];
    struct lease **leases; /* of these tasks; this closing ends them */
    size_t leases_n, leases_quarantined;
    bool has_leaf;
    uint64_t leaf; /* of the first record of this closing */
    struct close_order *order;
    struct arena arena;
};

typedef void closing_fn(void *arg, const struct closing *c);

struct close_order {
    enum close_kind kind;
    str name;
    enum task_state state; /* of what is named: completed, revoked, expired; ignored for a
                            * suspension */
    str reason, by;
    closing_fn *durable; /* the end of the tasks is committed (or c->failed); may be NULL */
    closing_fn *ended;   /* the receipt is stored; may be NULL */
    void *arg;
};

/* Starts a closing; the strs are copied. Refusal has begun when this returns. Nothing that matches
 * is fine: the receipt says so. The id of the receipt is in *out if out is not NULL. */
void gate_close(struct gate *g, const struct close_order *o, struct id *out);
/* The receipt as it stands: an object, as docs/formats/receipt.md has it. */
void closing_write(const struct closing *c, struct jw *w);

/* An agent (or one task) was suspended: cuts everything open in its name and below it. */
void gate_cut_agent(struct gate *g, str agent_or_task, str reason, str by);

/* ---- what the ends say ---- */

/* False: the edge acknowledged what it was not asked for. */
MUST_USE bool gate_cut_done(struct gate *g, uint32_t edge, uint64_t seq,
                            const struct msg_cut_done *m, struct err *err);
void gate_child_stopped(struct gate *g, uint64_t seq, uint32_t programs);
void gate_runner_joined(struct gate *g);
void gate_runner_lost(struct gate *g); /* its programs have ended with it */
void gate_edge_joined(struct gate *g, uint32_t edge);

/* ---- for the other files of the gate ---- */
void closings_edge_lost(struct gate *g, uint32_t edge);
void closings_call_over(struct gate *g, const struct live_call *c); /* about to be forgotten */
void closings_tick(struct gate *g);
/* After a start: takes up what was under way. Tasks, holds and leases are there already. */
MUST_USE bool closings_restore(struct gate *g, struct err *err);
void closings_fini(struct gate *g);

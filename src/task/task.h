/* task: one piece of work, and the rules by which it may be opened and narrowed.
 *
 * A task has an owner, an agent, a purpose, the exact set of operations it may use, a number of
 * calls and a deadline. It is judged at every request by its own state and that of all its
 * ancestors, at that instant (task_judge), so closing one is a single store and needs no list of
 * descendants.
 *
 * struct tasks is the registry in core's memory; the store is the truth and is written by whoever
 * changes a task (call/, door/). Closed tasks stay until tasks_sweep() drops those whose tokens
 * have run out, so that a late request gets a true reason. One thread. */
#pragma once
#include "base/map.h"
#include "base/rand.h"
#include "conf/conf.h"

enum task_state {
    TASK_NONE = 0, /* never usable */
    TASK_ACTIVE,
    TASK_COMPLETED,
    TASK_REVOKED,
    TASK_EXPIRED,
    TASK_CASCADED,
};
str task_state_name(enum task_state s);
enum task_state task_state_parse(str s); /* TASK_NONE for anything unknown */

struct task {
    struct id id;
    struct task *parent;    /* NULL: opened by its owner */
    unsigned depth;         /* of ancestors */
    unsigned children;      /* opened so far */
    unsigned live_children; /* in the registry; keeps a closed parent in memory */
    unsigned uses;          /* calls under way; keep it in memory too */
    enum task_state state;
    str owner, agent, purpose;
    str *operations; /* "binding/tool", sorted, none twice */
    size_t operations_n;
    int64_t opened_ms, deadline_ms, closed_ms;
    int64_t calls_left;
    str reason;
    struct arena arena;
};

struct tasks {
    struct map by_id;
};

/* What is asked for. */
struct task_wish {
    str owner, agent, purpose;
    const str *operations;
    size_t operations_n;
    int64_t life_ms; /* 0: one hour, or what the parent has left */
    int64_t calls;   /* 0: 100, or what the parent has left */
    struct task *parent;
};
enum { TASK_LIFE_MS_DEFAULT = 3600 * 1000, TASK_CALLS_DEFAULT = 100, TASK_CALLS_MAX = 1000000 };

/* A new task (in no registry yet), or why not: ERR_INPUT for a malformed wish, ERR_DENIED for one
 * outside the agent's ambit or, for a child, not a strict narrowing of its parent: operations
 * within the parent's, calls and deadline not beyond its own, depth and fan-out within limits, an
 * agent the parent's agent may delegate to. Unowned, suspended or (beyond reading) unassessed
 * agents get none. */
MUST_USE bool task_new(const struct conf *conf, const struct task_wish *wish, int64_t now_ms,
                       struct task **out, struct err *err);
void task_free(struct task *t);

/* ---- registry: owns its tasks ---- */
void tasks_add(struct tasks *ts, struct task *t);
struct task *tasks_find(const struct tasks *ts, str id);
/* The only active task of an agent; NULL if there is none or more than one (then *count says so).
 */
struct task *tasks_only_of(const struct tasks *ts, str agent, int64_t now_ms, size_t *count);
/* Frees tasks that ended before keep_from_ms and have no live children. */
void tasks_sweep(struct tasks *ts, int64_t keep_from_ms);
void tasks_fini(struct tasks *ts);

/* True if the task and every ancestor are active and within their deadlines now, and each has a
 * call left. err says which one is not, and what to do. */
MUST_USE bool task_judge(const struct task *t, int64_t now_ms, struct err *err);
/* The same without budgets: for listing and joining. */
MUST_USE bool task_is_live(const struct task *t, int64_t now_ms, struct err *err);
bool task_grants(const struct task *t, str operation);
/* Takes one call from the task and every ancestor; judge first. */
void task_debit(struct task *t);
bool task_is_within(const struct task *t, const struct task *ancestor); /* itself included */

/* {"operations":[...]}, the form in which grants are stored and digested. */
void task_grants_write(const struct task *t, struct buf *out);
/* Rebuilds a task from its stored row (start-up). */
struct task_row {
    str id, owner, agent, purpose, grants;
    int64_t opened_ms, deadline_ms, calls_left, children;
};
MUST_USE bool task_restore(const struct task_row *row, struct task *parent, struct task **out,
                           struct err *err);

/* ---- task tokens (RFC 9068; design section 6) ---- */
/* The claims but for iss, which the keeper adds when it signs with typ at+jwt. cert: SHA-256 of the client certificate that
 * the token is to be bound to (cnf x5t#S256, RFC 8705), or empty for a bearer token. Life:
 * TASK_TOKEN_MS_MAX, 60 s where high, never beyond the task. */
void task_token_claims(const struct task *t, const struct conf *conf, str cert, bool high,
                       int64_t now_ms, struct buf *out);
/* spiffe://<trust domain>/agent/<name> */
str task_agent_id(struct arena *a, const struct conf *conf, str agent);

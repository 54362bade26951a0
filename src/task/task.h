/* task: one piece of work, and the rules by which it may be opened and narrowed.
 *
 * A task has an owner, an agent, a purpose, the exact set of operations it may use with bounds on
 * their arguments (task/grant.h), a ceiling for the data it may read, budgets and a deadline. It is
 * judged at every request by its own state and that of all its ancestors, at that instant
 * (task_judge), so closing one is a single store and needs no list of descendants.
 *
 *     requested -> active <-> suspended        and from each of them, once:
 *     granted   -> active                      completed | revoked | expired | cascaded
 *
 * Only `active` is usable; a state that is not known counts as none.
 *
 * struct tasks is the registry in core's memory; the store is the truth and is written by whoever
 * changes a task (call/, door/). Closed tasks stay until tasks_sweep() drops those whose tokens
 * have run out, so that a late request gets a true reason. A task takes some 400 bytes; equal
 * grants are shared. One thread. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "base/rand.h"
#include "conf/conf.h"
#include "task/grant.h"

enum task_state {
    TASK_NONE = 0, /* never usable */
    TASK_ACTIVE,
    TASK_COMPLETED,
    TASK_REVOKED,
    TASK_EXPIRED,
    TASK_CASCADED,
    TASK_SUSPENDED, /* by a person; reversible */
    TASK_GRANTED,   /* by a delegating task; its agent has not redeemed it yet */
    TASK_REQUESTED, /* by its agent; its owner has not decided yet */
    TASK_STATES,
};
str task_state_name(enum task_state s);
enum task_state task_state_parse(str s); /* TASK_NONE for anything unknown */
/* Not over: active, suspended, granted or requested. */
bool task_state_is_open(enum task_state s);

/* What answers and operations may cost in all, besides calls. TASK_UNBOUNDED: as much as they do.
 */
enum { TASK_CURRENCY_SIZE = 4 };
#define TASK_UNBOUNDED INT64_MAX
struct task_budgets {
    int64_t bytes, rows, tokens; /* of answers; told after the call, so they may end below zero */
    int64_t money;               /* minor units of the currency; taken before the call */
};

struct task {
    struct id id;
    enum task_state state;
    struct task *parent;                        /* NULL: opened by its owner */
    struct task *first_child, *older, *younger; /* in the registry */
    struct list node;       /* in the registry: of its agent's open tasks, or of those that ended */
    uint32_t heap_at;       /* in the registry, from 1; 0: not in the heap */
    uint8_t depth;          /* of ancestors */
    uint8_t levels;         /* how many more may stand below it */
    uint16_t children_max;  /* that it may open in all */
    unsigned children;      /* opened so far */
    unsigned live_children; /* in the registry; keeps a closed parent in memory */
    unsigned uses;          /* calls under way; keep it in memory too */
    str owner, agent, purpose, opened_by;
    struct grant_set *grants;
    const str *operations; /* names of the grants: "binding/tool", sorted, none twice */
    size_t operations_n;
    struct data_label ceiling;         /* what it may read at most */
    char currency[TASK_CURRENCY_SIZE]; /* of left.money; empty: none */
    int64_t opened_ms, deadline_ms, closed_ms;
    int64_t until_ms; /* granted and requested: it is over unless it became active before */
    int64_t calls_left;
    struct task_budgets left;
    str reason;  /* of being closed or suspended; its own memory */
    char text[]; /* owner, agent, purpose, opened_by */
};

struct tasks {
    struct map by_id;
    struct map by_agent; /* name -> struct agent_tasks */
    struct map sets;     /* grants as JSON -> struct grant_set, so that equal ones are one */
    struct list ended;   /* by time */
    struct task **heap;  /* of open tasks, the one that is due first on top */
    size_t heap_n, heap_cap;
};

/* What is asked for. Zero, NULL and empty mean "not said": the default, or what the parent has. */
struct task_wish {
    str owner, agent, purpose;
    str opened_by;         /* empty: the owner */
    const str *operations; /* without bounds, and */
    size_t operations_n;
    const struct task_grant *grants; /* with them; together at least one */
    size_t grants_n;
    struct data_label ceiling;
    struct task_budgets budgets;
    str currency;     /* of budgets.money: three capital letters */
    int levels;       /* delegation below it; TASK_NO_DELEGATION: none */
    int children_max; /* tasks that it may open; TASK_NO_DELEGATION: none */
    int64_t life_ms;  /* 0: one hour, or what the parent has left */
    int64_t calls;    /* 0: 100, or what the parent has left */
    struct task *parent;
    enum task_state state; /* it begins in: granted or requested, with until_ms; 0: active */
    int64_t until_ms;
};
enum {
    TASK_LIFE_MS_DEFAULT = 3600 * 1000,
    TASK_CALLS_DEFAULT = 100,
    TASK_CALLS_MAX = 1000000,
    TASK_NO_DELEGATION = -1,
};
#define TASK_BUDGET_MAX (INT64_C(1) << 53)

/* Members of a wish that stand in JSON (control door, templates, ambit/delegate, requests):
 * operations, ceiling, budgets, delegation, calls. What is absent is left as it is in *wish; what
 * is not known in them is refused. Strings live in the arena. */
MUST_USE bool task_wish_read(struct arena *a, const json *v, struct task_wish *wish,
                             struct err *err);
/* The same members, of an open task as it is now. */
void task_wish_write(struct jw *w, const struct task *t);

/* A new task (in no registry yet), or why not: ERR_INPUT for a malformed wish, ERR_DENIED for one
 * outside the agent's ambit or, for a child, no narrowing of its parent. Unowned, suspended or
 * (beyond reading) unassessed agents get none; what core knows of agents at run time is for the
 * caller to ask (task/agents.h). */
MUST_USE bool task_new(const struct conf *conf, const struct task_wish *wish, int64_t now_ms,
                       struct task **out, struct err *err);
void task_free(struct task *t);
/* Is what this child would be (a task in no registry, its parent set) no wider than its parent:
 * operations and bounds, ceiling, budgets, calls, deadline, depth, fan-out; and is its agent none
 * that the chain has already? The one place where it is decided. */
MUST_USE bool task_narrows(const struct task *parent, const struct task *child, int64_t now_ms,
                           struct err *err);

/* ---- registry (tasks.c): owns its tasks ---- */
void tasks_add(struct tasks *ts, struct task *t);
struct task *tasks_find(const struct tasks *ts, str id);
/* The only active task of an agent; NULL if there is none or more than one (then *count says so).
 * Looks at the agent's own tasks only. */
struct task *tasks_only_of(const struct tasks *ts, str agent, int64_t now_ms, size_t *count);
/* for (struct list *it = NULL; (t = tasks_next_of(ts, agent, &it));) : the open tasks of an agent.
 * The present one may change its state. */
struct task *tasks_next_of(const struct tasks *ts, str agent, struct list **it);
/* Every change of state goes through here. reason is copied; of an end also the time. */
void tasks_set_state(struct tasks *ts, struct task *t, enum task_state state, str reason,
                     int64_t now_ms);
/* It becomes active until another deadline. */
void tasks_begin(struct tasks *ts, struct task *t, int64_t deadline_ms);
/* An open task whose time is over, NULL: none. */
struct task *tasks_due(const struct tasks *ts, int64_t now_ms);
/* The next of t and all below it, parents first; begin with t itself. NULL: that was all. */
struct task *tasks_next_below(const struct task *t, const struct task *at);
/* Frees tasks that ended before keep_from_ms and have no live children. */
void tasks_sweep(struct tasks *ts, int64_t keep_from_ms);
void tasks_fini(struct tasks *ts);

/* ---- judging ---- */
/* True if the task and every ancestor are active and within their deadlines now, and each has
 * budgets left. err says which one is not, and what to do. */
MUST_USE bool task_judge(const struct task *t, int64_t now_ms, struct err *err);
/* The same without budgets: for listing and joining. */
MUST_USE bool task_is_live(const struct task *t, int64_t now_ms, struct err *err);
bool task_grants(const struct task *t, str operation);
/* What a call costs before it is made. */
struct task_cost {
    int64_t money;
    char currency[TASK_CURRENCY_SIZE];
};
/* May the task use this operation with these arguments: granted, within the bounds and the ceiling,
 * its amount affordable by it and every ancestor? op: as configured, NULL: unlabelled. An operation
 * that the task does not have passes: policy says so in its own words. */
MUST_USE bool task_admits(const struct task *t, const struct conf_operation *op, str operation,
                          const json *args, struct task_cost *out, struct err *err);
/* Takes one call and its cost from the task and every ancestor; judge first. */
void task_debit(struct task *t, const struct task_cost *cost);
void task_credit(struct task *t, const struct task_cost *cost); /* undoes a debit */
/* Takes what an answer was. */
void task_debit_answer(struct task *t, int64_t bytes, int64_t rows, int64_t tokens);
/* The money that a cost takes from this one task: 0 where it has no such budget. */
int64_t task_cost_for(const struct task *t, const struct task_cost *cost);
bool task_is_within(const struct task *t, const struct task *ancestor); /* itself included */

/* {"operations":[...], ...}, the form in which grants are stored and digested (formats/grant.md).
 * As granted: to be written before anything is used. */
void task_grants_write(const struct task *t, struct buf *out);
/* Rebuilds a task from its stored row (start-up). */
struct task_row {
    str id, owner, agent, purpose, opened_by, grants, state, reason;
    int64_t opened_ms, deadline_ms, until_ms, calls_left, children;
    struct task_budgets left;
};
MUST_USE bool task_restore(const struct task_row *row, struct task *parent, struct task **out,
                           struct err *err);

/* ---- templates: work that recurs, from the configuration ---- */
/* What a template stands for; purpose, life and calls of *wish stay where they are set. */
MUST_USE bool task_template_wish(struct arena *a, const struct conf_template *t,
                                 struct task_wish *wish, struct err *err);
/* Every template can be read and lies within its agent's ambit. */
MUST_USE bool task_templates_check(const struct conf *conf, struct err *err);

/* ---- task tokens (token.c; RFC 9068; design section 6) ---- */
/* The claims but for iss, which the keeper adds when it signs with typ at+jwt. cert: SHA-256 of the
 * client certificate that the token is to be bound to (cnf x5t#S256, RFC 8705), or empty for a
 * bearer token. Life: TASK_TOKEN_MS_MAX, 60 s where high, never beyond the task.
 * endpoint: the binding of the one endpoint it is for, empty: the federated one.
 * authorization_details (RFC 9396) carry the bounds of arguments, ceiling, budgets and delegation
 * too. */
void task_token_claims(const struct task *t, const struct conf *conf, str endpoint, str cert,
                       bool high, int64_t now_ms, struct buf *out);
/* The value of "authorization_details": one object of type tool_call. */
void task_authorization_details(struct jw *w, const struct task *t);
/* spiffe://<trust domain>/agent/<name> */
str task_agent_id(struct arena *a, const struct conf *conf, str agent);

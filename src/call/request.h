/* request: tasks that do not begin with a person: an agent asks for one, or is granted part of
 * another's and redeems it.
 *
 *     asked for:  policy allows -> active;  holds -> requested -> its owner consents -> active
 *     delegated:  granted -> redeemed by its agent with its own identity, once, in time -> active
 *
 * Whoever calls has proven the agent's identity (identify.c: an attested connection; OAuth: a
 * client's proof). Nothing here is a secret: a task's id opens nothing for anybody but its agent.
 * The texts of answers are for a model. On core's main thread; `done` may run at once. */
#pragma once
#include "call/gate.h"

/* A proven agent. */
struct asker {
    str agent;    /* name in the configuration */
    str instance; /* for the record; may be empty */
    str by;       /* the task's owner, who acts for an agent that has tokens only; else empty */
};

enum task_answer_kind { TASK_ANSWER_REFUSED = 0, TASK_ANSWER_HELD, TASK_ANSWER_GRANTED };
struct task_answer {
    enum task_answer_kind kind;
    struct task *task;       /* granted: it is active; held: requested */
    const struct hold *hold; /* held */
    str text;                /* what happened and what to do, for a model */
    str policies;            /* JSON array of the ids that decided */
};
typedef void task_answer_fn(void *arg, const struct task_answer *a);

/* Opens the task if policy (action open_task) allows it, holds it for the agent's owner if consent
 * would, else refuses. owner, agent, parent and state of the wish are set here. The same request
 * while it waits is the same hold. At most TASK_REQUESTS_MAX open at a time. */
void gate_task_request(struct gate *g, const struct task_wish *wish, const struct asker *who,
                       task_answer_fn *done, void *arg);
/* How a request stands that was held: by the id of its task. */
void gate_task_poll(struct gate *g, str task, const struct asker *who, task_answer_fn *done,
                    void *arg);
/* The agent takes up a task that was delegated to it. Once; what is refused is recorded.
 * ERR_DENIED.
 */
MUST_USE bool gate_redeem(struct gate *g, str task, const struct asker *who, struct task **out,
                          struct err *err);

/* Opens what task_new made: asks whether its agent may act, records, puts it into the registry. The
 * task is taken over; done gets it, or NULL and why. */
typedef void task_opened_fn(void *arg, struct task *t, str why);
void gate_open_task(struct gate *g, struct task *t, task_opened_fn *done, void *arg);

/* ---- consent: a hold on a request is decided ---- */
bool gate_hold_is_request(const struct hold *h);
/* May it begin still, now that this person consents? Asks the actions consent and open_task. */
MUST_USE bool gate_may_consent(struct gate *g, const struct policy_person *who,
                               const struct hold *h, int64_t now_ms, struct arena *a,
                               struct verdict *out, struct err *err);
/* Adds what follows from the decision to its transaction, after store_hold_decide. */
void gate_add_consent(struct gate *g, struct store_txn *txn, const struct hold *h, bool consent,
                      str by, int64_t now_ms);
/* And to memory, once it is durable. */
void gate_consented(struct gate *g, struct hold *h, bool consent, int64_t now_ms);

/* ---- several approvals of one call ---- */
/* How it stands if this person approves a held call too: DECISION_ALLOW: that is enough; HOLD: more
 * must approve (policies read context.approval.count); DENY: policies changed meanwhile, and no
 * number would do. */
MUST_USE bool gate_weigh_approvals(struct gate *g, const struct hold *h, str person, int64_t now_ms,
                                   struct arena *a, enum decision *out, struct err *err);

/* ---- for the spine ---- */
/* The steps and leaf of a new hold. */
void gate_add_hold(struct gate *g, struct store_txn *txn, const struct hold *h,
                   const struct task *t, str instance, const struct verdict *v);
/* Is this one of the operations that an agent calls without a task? */
bool gate_is_taskless(const struct catalog_tool *tool);
/* Carries one out and answers the edge. */
void gate_call_taskless(struct gate *g, uint32_t edge, uint64_t request, const struct msg_call *m,
                        const struct catalog_tool *tool);
/* Definitions of the two operations, as agents see them. */
str gate_request_definition(void);
str gate_redeem_definition(void);

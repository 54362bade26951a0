/* policy: the decision. From one call, its task and the catalogue to deny, hold or allow, by the
 * Cedar policies in force.
 *
 * A policy set is the shipped guardrails (guardrails.cedar) and the operator's files, parsed,
 * strictly validated against the generated schema (schema_text.h) and compiled; it has a digest
 * over all of it. It does not change: loading makes a new one. Zero means deny: so does any
 * evaluation error of any policy, and a request that does not conform to the schema. Loading also
 * warns of the operator's policies that may not protect (cedar/check/lint.h).
 *
 * Hold needs no language of its own: a call is held when it is denied as it stands and would be
 * allowed with an approval in the context (design section 7). One thread. */
#pragma once
#include "call/catalog.h"
#include "hold/hold.h"
#include "task/agents.h"
#include "task/task.h"

struct policy_set;

/* All problems are printed to *out_report (file:line:column, what, help) on failure; warnings on
 * success too. */
MUST_USE bool policy_load(const struct conf *conf, struct policy_set **out, struct buf *out_report,
                          struct err *err);
void policy_free(struct policy_set *p);
/* SHA-256 over schema and all policy texts, as base64url; the name of this version. */
str policy_digest(const struct policy_set *p);
size_t policy_count(const struct policy_set *p);

/* What policies read of agents (status, assessed, shared), as of now. The one thing of a set that
 * changes: it is asked with what is so at that moment. */
MUST_USE bool policy_agents_changed(struct policy_set *p, const struct agents *as, struct err *err);

enum decision { DECISION_DENY = 0, DECISION_HOLD, DECISION_ALLOW };
str decision_name(enum decision d);

struct verdict {
    enum decision decision;
    str *policies; /* ids of those that determined it; none for "nothing permits this" */
    size_t policies_n;
    str advice; /* what to do, from the policies' @advice; may be empty */
    bool error; /* a policy failed to evaluate */
};

struct policy_call {
    const struct conf *conf;
    const struct task *task;
    const struct catalog_tool *tool;
    const json *args;
    const struct hold *approval; /* NULL: none */
    int64_t now_ms;
};
/* False with ERR_INPUT if an argument does not fit its declared type: for the caller to mend. */
MUST_USE bool policy_decide(const struct policy_set *p, const struct policy_call *call,
                            struct arena *a, struct verdict *out, struct err *err);

/* May this person approve this hold, having come in by this method ("uid" or "key")? */
MUST_USE bool policy_may_approve(const struct policy_set *p, const struct conf *conf,
                                 const struct conf_person *person, str method, const struct hold *h,
                                 int64_t now_ms, struct arena *a, struct verdict *out,
                                 struct err *err);

/* ---- what is asked besides calls (policy_task.c) ---- */
/* A person, as the door knows it. */
struct policy_person {
    str name;       /* "uid:0" for one that the configuration does not know */
    unsigned roles; /* for one that it does not know; else those of the configuration count */
    str method;     /* uid, key, passkey, oidc; of a consent also oidc-hwk */
};
/* May an agent have this task (in no registry yet) without anybody's consent, with it (HOLD), or
 * not? approval: NULL, or the owner's consent. */
MUST_USE bool policy_open_task(const struct policy_set *p, const struct conf *conf,
                               const struct task *t, const struct hold *approval, int64_t now_ms,
                               struct arena *a, struct verdict *out, struct err *err);
/* May this person consent to it? */
MUST_USE bool policy_consent(const struct policy_set *p, const struct conf *conf,
                             const struct policy_person *who, const struct task *t, int64_t now_ms,
                             struct arena *a, struct verdict *out, struct err *err);
/* action: close_task, suspend or resume; of a task, or (the latter two) of an agent. */
MUST_USE bool policy_person_may(const struct policy_set *p, const struct policy_person *who,
                                str action, const struct task *t, const struct agent *agent,
                                int64_t now_ms, struct arena *a, struct verdict *out,
                                struct err *err);

/* The text of a policy by id, for explanations; empty if there is none. */
str policy_text(const struct policy_set *p, str id);

/* What a new hold is in the store and in the record, and when it has been approved enough. */
#include "call/request.h"

void gate_add_hold(struct gate *g, struct store_txn *txn, const struct hold *h,
                   const struct task *t, str instance, const struct verdict *v)
{
    ARENA_SCOPE struct arena a = {0};
    char hex[HASH_HEX_SIZE];
    uint8_t salt[RECORD_SALT_BYTES];
    struct record_commitment args, seen;
    record_commit(h->args, salt, &args);
    struct store_hold row = {.id = id_str(&h->id),
                             .task = id_str(&h->task),
                             .call = id_str(&h->call),
                             .binding = h->binding,
                             .tool = h->tool,
                             .digest = hash_hex(&h->digest, hex),
                             .args = h->args,
                             .effect = h->effect,
                             .created_ms = h->created_ms,
                             .expires_ms = h->expires_ms,
                             .policies = h->policies};
    store_hold_insert(txn, &row);
    record_commit_with(str_of((const char *)salt, sizeof salt), hash_str(&h->digest), &seen);
    struct record_hold_open r = {.time_ms = h->created_ms,
                                 .hold = id_str(&h->id),
                                 .call = id_str(&h->call),
                                 .chain = gate_chain(g, &a, t, instance),
                                 .op = {h->binding, h->tool, h->effect},
                                 .policy = gate_policy(g, v),
                                 .args = record_commitment_str(&args),
                                 .digest = record_commitment_str(&seen),
                                 .expires_ms = h->expires_ms};
    struct store_payload payload = {id_str(&h->call), str_of((const char *)salt, sizeof salt),
                                    h->args};
    store_payload_insert(txn, STORE_MUST, &payload);
    store_leaf(txn, record_hold_open(&g->scratch, &r), id_str(&h->call), id_str(&h->task));
}

bool gate_weigh_approvals(struct gate *g, const struct hold *h, str person, int64_t now_ms,
                          struct arena *a, enum decision *out, struct err *err)
{
    str operation = str_fmt(a, "%.*s/%.*s", STR(h->binding), STR(h->tool));
    const struct task *t = tasks_find(&g->tasks, id_str(&h->task));
    const struct catalog_tool *tool = catalog_operation(&g->catalog, operation);
    const json *args;
    struct verdict v;
    if (!t || !tool || !json_read(a, h->args, NULL, &args, err))
        return err_denied(err, "the task or the tool of this call is gone");
    struct hold so_far = *h; /* a copy to ask with; it is in no list */
    so_far.approver = person;
    if (so_far.approvers_n < HOLD_APPROVERS_MAX)
        so_far.approvers[so_far.approvers_n++] = person;
    struct policy_call call = {.conf = g->conf,
                               .task = t,
                               .tool = tool,
                               .args = args,
                               .approval = &so_far,
                               .now_ms = now_ms};
    if (!policy_decide(g->policy, &call, a, &v, err))
        return false;
    *out = v.decision;
    if (v.decision != DECISION_DENY)
        return true;
    so_far.approvers_n = HOLD_APPROVERS_MAX;
    if (!policy_decide(g->policy, &call, a, &v, err))
        return false;
    if (v.decision == DECISION_ALLOW)
        *out = DECISION_HOLD;
    return true;
}

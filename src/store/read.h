/* store/read: what is committed, row by row.
 *
 * A view is a read-only connection. Each function calls `each` for every row and returns when there
 * are no more, or when each returns false (which is no error). The strs in a row live until each
 * returns. Order is given per function. One thread per view; inside `each` other reads on the same
 * view are allowed.
 *
 * Keep them short on a running gateway: while a read is under way the WAL cannot be copied back. */
#pragma once
#include "base/arena.h"
#include "store/schema.h"

struct store_view;

/* For a look from outside, with or without a gateway running: takes no lock, changes nothing.
 * dir is a path. Errors as store_open. */
MUST_USE bool store_open_readonly(const char *dir, struct store_view **out, struct err *err);
void store_view_close(struct store_view *v); /* not for the view of a store */

/* Between these two, all reads see the same state. */
MUST_USE bool store_view_begin(struct store_view *v, struct err *err);
void store_view_end(struct store_view *v);

typedef bool store_task_fn(void *arg, const struct store_task *row);
typedef bool store_hold_fn(void *arg, const struct store_hold *row);
typedef bool store_pin_fn(void *arg, const struct store_pin *row);
typedef bool store_operator_fn(void *arg, const struct store_operator *row);
typedef bool store_revoked_fn(void *arg, const struct store_revoked *row);
typedef bool store_agent_fn(void *arg, const struct store_agent *row);
typedef bool store_open_call_fn(void *arg, const struct store_open_call *row);
typedef bool store_checkpoint_fn(void *arg, const struct store_checkpoint *row);

/* Those that are not over, parents before children (by opening time). */
MUST_USE bool store_read_tasks_open(struct store_view *v, store_task_fn *each, void *arg,
                                    struct err *err);
/* The newest first, in any state; at most limit. */
MUST_USE bool store_read_tasks_recent(struct store_view *v, size_t limit, store_task_fn *each,
                                      void *arg, struct err *err);
/* Children of a task in any state, by opening time. */
MUST_USE bool store_read_children(struct store_view *v, str parent, store_task_fn *each, void *arg,
                                  struct err *err);
/* One task in any state, copied into a. ERR_NOTFOUND. */
MUST_USE bool store_read_task(struct store_view *v, struct arena *a, str id, struct store_task *out,
                              struct err *err);

/* Pending and approved ones, by time of creation. */
MUST_USE bool store_read_holds_live(struct store_view *v, store_hold_fn *each, void *arg,
                                    struct err *err);
MUST_USE bool store_read_hold(struct store_view *v, struct arena *a, str id, struct store_hold *out,
                              struct err *err);

MUST_USE bool store_read_pins(struct store_view *v, store_pin_fn *each, void *arg, struct err *err);
MUST_USE bool store_read_operators(struct store_view *v, store_operator_fn *each, void *arg,
                                   struct err *err);
MUST_USE bool store_read_agents(struct store_view *v, store_agent_fn *each, void *arg,
                                struct err *err);
/* By time. */
MUST_USE bool store_read_revoked(struct store_view *v, store_revoked_fn *each, void *arg,
                                 struct err *err);
MUST_USE bool store_read_open_calls(struct store_view *v, store_open_call_fn *each, void *arg,
                                    struct err *err);
MUST_USE bool store_read_payload(struct store_view *v, struct arena *a, str call,
                                 struct store_payload *out, struct err *err);

struct store_leaf_row {
    uint64_t index;
    str hash, body;
    str call, task;
};
typedef bool store_leaf_fn(void *arg, const struct store_leaf_row *row);

/* By index, ascending. One of call and task may be given; from <= index < to (to 0: no end). */
struct store_leaf_query {
    str call, task;
    uint64_t from, to;
    size_t limit; /* 0: none */
};
MUST_USE bool store_read_leaves(struct store_view *v, const struct store_leaf_query *q,
                                store_leaf_fn *each, void *arg, struct err *err);

/* By size, ascending. */
MUST_USE bool store_read_checkpoints(struct store_view *v, store_checkpoint_fn *each, void *arg,
                                     struct err *err);
/* The largest, copied into a. ERR_NOTFOUND before the first. */
MUST_USE bool store_read_checkpoint_last(struct store_view *v, struct arena *a,
                                         struct store_checkpoint *out, struct err *err);

/* The tree as of the last commit that appended a leaf: its size and what save wrote. Empty tree: 0
 * and empty. */
MUST_USE bool store_read_tree(struct store_view *v, struct arena *a, uint64_t *out_size,
                              str *out_frontier, struct err *err);
/* ERR_NOTFOUND */
MUST_USE bool store_read_meta(struct store_view *v, struct arena *a, str name, str *out,
                              struct err *err);

/* People. */
typedef bool store_passkey_fn(void *arg, const struct store_passkey *row);
typedef bool store_session_fn(void *arg, const struct store_session *row);
typedef bool store_invite_fn(void *arg, const struct store_invite *row);
MUST_USE bool store_read_passkeys(struct store_view *v, store_passkey_fn *each, void *arg,
                                  struct err *err);
MUST_USE bool store_read_sessions(struct store_view *v, store_session_fn *each, void *arg,
                                  struct err *err);
MUST_USE bool store_read_invites(struct store_view *v, store_invite_fn *each, void *arg,
                                 struct err *err);
typedef bool store_evidence_fn(void *arg, const struct store_evidence *row);
/* All who signed this decision, by time. */
MUST_USE bool store_read_evidence(struct store_view *v, str id, store_evidence_fn *each, void *arg,
                                  struct err *err);

/* Revocation. */
typedef bool store_lease_fn(void *arg, const struct store_lease *row);
typedef bool store_receipt_fn(void *arg, const struct store_receipt *row);
typedef bool store_id_fn(void *arg, str id);
/* Of a task, by binding; task empty: all that are not over. */
MUST_USE bool store_read_leases(struct store_view *v, str task, store_lease_fn *each, void *arg,
                                struct err *err);
/* Those under way, oldest first. */
MUST_USE bool store_read_receipts_open(struct store_view *v, store_receipt_fn *each, void *arg,
                                       struct err *err);
/* By its own id, or the newest that covers the task of that id; copied into a. ERR_NOTFOUND. */
MUST_USE bool store_read_receipt(struct store_view *v, struct arena *a, str id,
                                 struct store_receipt *out, struct err *err);
/* The tasks that a receipt covers. */
MUST_USE bool store_read_receipt_tasks(struct store_view *v, str receipt, store_id_fn *each,
                                       void *arg, struct err *err);

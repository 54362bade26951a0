/* store/schema: the rows, and everything that may be done to them.
 *
 * A row struct is used both ways: by the functions here that add a step to a transaction, and by
 * the readers of store/read.h. Times are wall-clock milliseconds. Text that may be absent is empty
 * here and NULL in the table. Functions marked "guard" undo the transaction when they find nothing
 * to change.
 *
 * The SQL stands in store_sql.c, one table from enum store_stmt to its text. */
#pragma once
#include "store/txn.h"

/* ---- rows ---- */

/* What is left to a task besides calls; STORE_UNBOUNDED: no such budget. */
#define STORE_UNBOUNDED INT64_MAX
struct store_budgets {
    int64_t bytes, rows, tokens; /* may end below zero */
    int64_t money;
};

/* state of a task: active | suspended | granted | requested (open), then one of completed | revoked
 * | expired | cascaded, once. */
struct store_task {
    str id, parent; /* parent empty: opened by its owner */
    str owner, agent, purpose;
    str grants;    /* JSON */
    str opened_by; /* a person, an agent, "policy"; empty: not kept */
    str state;
    int64_t opened_ms, deadline_ms;
    int64_t calls_left;
    int64_t children; /* opened so far */
    int64_t closed_ms;
    str reason;       /* of closing or suspending */
    int64_t until_ms; /* granted, requested: it is over unless it became active before */
    struct store_budgets left;
};

/* What a person did to an agent at run time. */
struct store_agent {
    str name, state; /* active | suspended */
    str by, reason;
    int64_t at_ms;
};

/* state of a hold: pending -> approved | denied | expired | cancelled; approved -> used | expired |
 * cancelled. */
struct store_hold {
    str id, task, call, binding, tool;
    str digest; /* of exactly what the approver sees */
    str args;   /* canonical JSON */
    str effect;
    str state;
    int64_t created_ms, expires_ms;
    str approver;
    int64_t decided_ms;
    str policies;  /* JSON array of the ids that held it */
    str approvers; /* JSON array of those who approved so far, where it takes several */
};

/* A tool definition as it was reviewed. state: current | changed (hidden until reviewed). */
struct store_pin {
    str binding, tool, digest, definition, state;
    int64_t seen_ms;
};

struct store_operator {
    str name, public_key;
    int64_t added_ms;
    str added_by;
};

struct store_open_call {
    str id, task;
    bool high; /* high-impact: what it did upstream is unknown if the gateway dies now */
};

/* Kept apart from the leaf, which holds only a salted commitment, so that erasing it leaves proofs
 * whole. */
struct store_payload {
    str call, salt, args;
};

struct store_checkpoint {
    int64_t size;
    str root; /* 32 bytes */
    str note; /* the signed note */
    int64_t at_ms;
};

/* People: hashes are SHA-256, 32 bytes; what is hashed is never stored. */
struct store_passkey {
    str credential, person;
    str public_key; /* COSE_Key */
    int64_t counter, added_ms, used_ms;
};
struct store_session {
    str hash, person, method, amr, acr;
    int64_t auth_ms, created_ms, used_ms;
};
struct store_invite {
    str hash, person, made_by;
    int64_t created_ms, expires_ms;
};
/* A decision that a passkey signed, whole, so that anybody can check it later. */
struct store_evidence {
    str id; /* of the hold or the consent */
    str person, statement, public_key, credential, authn_data, client_data, signature;
    int64_t at_ms;
};

/* Revocation: one credential that was released for one (task, binding).
 * state: live -> revoking -> ended | quarantined. */
struct store_lease {
    str task, binding;
    str holder; /* who had it: edge (for single requests) | program (in its environment) */
    str state;
    int64_t opened_ms, changed_ms;
    str why; /* of the last state: what remains, or how it ended */
};
/* What one closing did. state: open (under way) -> ended. */
struct store_receipt {
    str id;
    str kind, name; /* task | agent | owner | binding | suspension, and which */
    str closes;     /* what the tasks become; empty: nothing, their streams are cut only */
    str by, reason;
    int64_t opened_ms;
    str state;
    str body; /* JSON (docs/formats/receipt.md); empty while open */
};

/* An identity declared dead (identity/revoked.h); kind: id | certificate | serial | key. */
struct store_revoked {
    str kind, name;
    int64_t at_ms, until_ms; /* until 0: no end */
    str by, reason;
};

/* ---- steps ---- */

enum store_stmt {
    STORE_STMT_NONE = 0,
    STORE_TASK_INSERT,
    STORE_TASK_STATE_INSERT,
    STORE_TASK_CLOSE,
    STORE_TASK_DEBIT,
    STORE_TASK_CHILD,
    STORE_TASK_SUSPEND,
    STORE_TASK_RESUME,
    STORE_TASK_BEGIN,
    STORE_TASK_ANSWER,
    STORE_AGENT_PUT,
    STORE_HOLD_INSERT,
    STORE_HOLD_DECIDE,
    STORE_HOLD_COUNT,
    STORE_HOLD_CONSUME,
    STORE_HOLD_EXPIRE,
    STORE_HOLD_CANCEL,
    STORE_HOLD_CANCEL_TASK,
    STORE_PIN_PUT,
    STORE_PIN_DELETE,
    STORE_OPERATOR_INSERT,
    STORE_OPERATOR_DELETE,
    STORE_OPEN_CALL_INSERT,
    STORE_OPEN_CALL_DELETE,
    STORE_PAYLOAD_INSERT,
    STORE_PAYLOAD_DELETE,
    STORE_CHECKPOINT_INSERT,
    STORE_META_PUT,
    STORE_PASSKEY_INSERT, /* people */
    STORE_PASSKEY_USE,
    STORE_PASSKEY_DELETE_OF,
    STORE_SESSION_INSERT,
    STORE_SESSION_TOUCH,
    STORE_SESSION_DELETE,
    STORE_SESSION_DELETE_OF,
    STORE_SESSION_SWEEP,
    STORE_INVITE_INSERT,
    STORE_INVITE_USE,
    STORE_INVITE_DELETE_OF,
    STORE_INVITE_SWEEP,
    STORE_EVIDENCE_INSERT,
    STORE_LEASE_OPEN, /* revocation */
    STORE_LEASE_REVOKE,
    STORE_LEASE_END,
    STORE_RECEIPT_INSERT,
    STORE_RECEIPT_TASK,
    STORE_RECEIPT_END,
    STORE_REVOKED_PUT, /* revoked identities */
    STORE_REVOKED_DELETE,
    STORE_REVOKED_SWEEP,
    STORE_LEAF_INSERT, /* the writer's own, as the next */
    STORE_TREE_PUT,
    STORE_STMTS
};

/* Guard: the id is new (and the parent, if any, exists). closed_ms and reason are ignored; an empty
 * state is active. */
void store_task_insert(struct store_txn *t, const struct store_task *row);
/* Guard: it was open. state: completed | revoked | expired | cascaded. */
void store_task_close(struct store_txn *t, str id, str state, int64_t closed_ms, str reason);
/* Guard: active, deadline in the future, every budget above zero and the money there; takes one
 * call and the money (0: none). Once for the task and for each ancestor. */
void store_task_debit(struct store_txn *t, str id, int64_t money, int64_t now_ms);
/* Takes what an answer was, in any state; none may be there. Likewise for each ancestor. */
void store_task_answer(struct store_txn *t, str id, int64_t bytes, int64_t rows, int64_t tokens);
/* Guard: active; becomes suspended. */
void store_task_suspend(struct store_txn *t, str id, str reason);
/* Guard: suspended; becomes active. */
void store_task_resume(struct store_txn *t, str id);
/* Guard: granted or requested (state says which), and its time not over; becomes active until
 * deadline_ms. */
void store_task_begin(struct store_txn *t, str id, str state, int64_t deadline_ms, int64_t now_ms);
/* Guard: active, deadline in the future, fewer than max children so far; counts one. */
void store_task_child(struct store_txn *t, str parent, int64_t now_ms, int64_t children_max);

/* Guard: new; its task exists. It is pending, whatever the row says of state, approver and
 * decided_ms. */
void store_hold_insert(struct store_txn *t, const struct store_hold *row);
/* Guard: pending and not expired. state: approved | denied. */
void store_hold_decide(struct store_txn *t, str id, str state, str approver, int64_t now_ms);
/* Guard: pending, not expired, and the approvers are those of before; one more approved. */
void store_hold_count(struct store_txn *t, str id, str approvers, str before, int64_t now_ms);
/* Guard: approved, for this digest and task, not expired; becomes used. */
void store_hold_consume(struct store_txn *t, str id, str task, str digest, int64_t now_ms);
/* Guard: pending or approved, and past its time; becomes expired. */
void store_hold_expire(struct store_txn *t, str id, int64_t now_ms);
/* Guard: pending or approved; becomes cancelled. */
void store_hold_cancel(struct store_txn *t, str id, int64_t now_ms);
/* Cancels all pending and approved holds of a task; none is fine. */
void store_hold_cancel_task(struct store_txn *t, str task, int64_t now_ms);

/* Adds or replaces by name. */
void store_agent_put(struct store_txn *t, const struct store_agent *row);

/* Adds or replaces by (binding, tool). */
void store_pin_put(struct store_txn *t, const struct store_pin *row);
/* Guard: it was there. */
void store_pin_delete(struct store_txn *t, str binding, str tool);

/* Guard: the name is new. */
void store_operator_insert(struct store_txn *t, const struct store_operator *row);
/* Guard: it was there. */
void store_operator_delete(struct store_txn *t, str name);

/* Guard: new. In the transaction of the intent. */
void store_open_call_insert(struct store_txn *t, const struct store_open_call *row);
/* Guard: it was open, so a call has exactly one outcome. In the transaction of the outcome. */
void store_open_call_delete(struct store_txn *t, str id);

/* Guard: new. when: STORE_MUST, or STORE_ON_GUARD for the arguments of a call refused at the
 * commit. */
void store_payload_insert(struct store_txn *t, enum store_when when,
                          const struct store_payload *row);
/* Guard: it was there. Erasure. */
void store_payload_delete(struct store_txn *t, str call);

/* Guard: no checkpoint of that size, and none larger. */
void store_checkpoint_insert(struct store_txn *t, const struct store_checkpoint *row);

/* Adds or replaces one named value (installation id, origin ...). Names beginning with "store." are
 * the store's. */
void store_meta_put(struct store_txn *t, str name, str value);

/* ---- people (store_people.c) ---- */

/* Guard: the credential is new. */
void store_passkey_insert(struct store_txn *t, const struct store_passkey *row);
/* Guard: it is there and the counter grows (or neither it nor the new one counts). */
void store_passkey_use(struct store_txn *t, str credential, int64_t counter, int64_t now_ms);
/* Guard: new. */
void store_session_insert(struct store_txn *t, const struct store_session *row);
void store_session_touch(struct store_txn *t, str hash, int64_t now_ms);
/* Guard: it was there. */
void store_session_delete(struct store_txn *t, str hash);
/* Guard: new. */
void store_invite_insert(struct store_txn *t, const struct store_invite *row);
/* Guard: it was there and is in time; it is gone after it. */
void store_invite_use(struct store_txn *t, str hash, int64_t now_ms);
/* Passkeys, sessions and invites of a person; none is fine. */
void store_person_revoke(struct store_txn *t, str person);
/* Sessions made or last used before, invites that ended before. */
void store_people_sweep(struct store_txn *t, int64_t created_ms, int64_t used_ms, int64_t now_ms);
/* Guard: none of that id by that person yet. */
void store_evidence_insert(struct store_txn *t, const struct store_evidence *row);

/* ---- revocation (store_revoke.c) ---- */

/* It is live from now on; one that is there already stays as it is. */
void store_lease_open(struct store_txn *t, const struct store_lease *row);
/* All live ones of a task are being revoked; none is fine. */
void store_lease_revoke(struct store_txn *t, str task, int64_t now_ms);
/* state: ended | quarantined. One that is over stays as it is. */
void store_lease_end(struct store_txn *t, const struct store_lease *row);
/* Guard: new. state and body are ignored: it is open. */
void store_receipt_insert(struct store_txn *t, const struct store_receipt *row);
/* The receipt covers this task; twice is fine. */
void store_receipt_task(struct store_txn *t, str receipt, str task);
/* Guard: it was open. */
void store_receipt_end(struct store_txn *t, str receipt, str body);
/* One of that kind and name is replaced. */
void store_revoked_put(struct store_txn *t, const struct store_revoked *row);
/* Guard: it was there. */
void store_revoked_delete(struct store_txn *t, str kind, str name);
void store_revoked_sweep(struct store_txn *t, int64_t now_ms); /* what is past its end */

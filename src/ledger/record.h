/* ledger/record: the leaves of the ledger, one builder for each type.
 *
 * A leaf is one JSON object in canonical form (RFC 8785: members sorted, no white space), at most
 * 65,535 bytes; the hash is over the bytes as stored. docs/formats/record.md is the contract with
 * those who read it: every field, its type and its meaning. Each function clears `out`, writes one
 * leaf and returns it (valid until out is used again); the empty str if it went over out->max (set
 * that to STORE_LEAF_BYTES_MAX), which store_submit then refuses.
 *
 * Privacy: leaves are kept for ever, so they hold ids, names from the configuration, digests and
 * salted commitments, never arguments, results or free text of a person. Empty strs and zero
 * pointers are left out of the leaf, where the field is marked optional. Pure; thread-safe. */
#pragma once
#include "base/buf.h"
#include "base/json.h"

enum {
    RECORD_VERSION = 1,
    RECORD_SALT_BYTES = 32,
    RECORD_DIGEST_TEXT = 43, /* base64url of 32 bytes */
};

/* Who: the identity chain of a call. Constant for the life of a task, so callers keep one per task.
 */
struct record_chain {
    str task;
    const str *parents; /* ids of the ancestors, nearest first */
    size_t parents_n;
    str owner;
    str agent;    /* SPIFFE ID without the instance, or the configured name */
    str instance; /* optional */
    /* Who handed it down: the agents of the ancestors, in their order; NULL, or as many as parents.
     */
    const str *delegators;
    str gateway; /* the name of the one that writes this; optional */
};

/* Which policy set, and which policies of it determined the decision. */
struct record_policy {
    int64_t version;
    str digest;
    const str *ids;
    size_t ids_n;
};

/* What: one use of one operation. */
struct record_operation {
    str binding, tool, effect;
};

/* A salted commitment to bytes that are kept elsewhere: SHA-256(salt || bytes), as base64url. */
struct record_commitment {
    char text[RECORD_DIGEST_TEXT + 1];
};
static inline str record_commitment_str(const struct record_commitment *c)
{
    return str_of(c->text, RECORD_DIGEST_TEXT);
}
/* A fresh salt and the commitment made with it. */
void record_commit(str bytes, uint8_t out_salt[RECORD_SALT_BYTES], struct record_commitment *out);
/* The commitment under a salt that is known (checking). */
void record_commit_with(str salt, str bytes, struct record_commitment *out);
/* Plain SHA-256 as base64url, for what nobody can guess or everybody may know (definitions, policy
 * sets). */
void record_digest(str bytes, struct record_commitment *out);

/* ---- calls ---- */

struct record_intent {
    int64_t time_ms;
    str call;
    struct record_chain chain;
    struct record_operation op;
    struct record_policy policy;
    str args;               /* commitment */
    str approval, approver; /* hold id and who; optional */
    int64_t budget_left;    /* calls left to the task after this one */
};
str record_intent(struct buf *out, const struct record_intent *r);

enum record_status {
    RECORD_UNKNOWN = 0, /* nobody knows whether it happened */
    RECORD_OK,
    RECORD_UPSTREAM_ERROR,
    RECORD_REFUSED,  /* by us, after the intent (e.g. the answer went over a limit) */
    RECORD_NOT_SENT, /* certainly did not reach the upstream */
};
str record_status_name(enum record_status s);

/* How long a call took to get where, in microseconds. Zero: it did not get there, or nobody knows.
 */
struct record_timings {
    /* Core's own clock, from the queueing of the intent. */
    int64_t committed_us; /* to its commit; a call that went before its commit has none */
    int64_t released_us;  /* to the word to forward it */
    /* The edge's word, from the sending of the request. */
    int64_t first_us;    /* to the first message of the answer */
    int64_t upstream_us; /* to the end of the answer */
};

struct record_outcome {
    int64_t time_ms;
    str call;
    struct record_chain chain;
    struct record_operation op;
    enum record_status status;
    int64_t latency_us; /* from the queueing of the intent to the end of the answer */
    int64_t bytes;      /* of the answer */
    str result;         /* commitment or digest of the answer; optional */
    str reason;         /* optional short code: "timeout", "reset", "schema" ... */
    struct record_timings timings;
};
str record_outcome(struct buf *out, const struct record_outcome *r);

struct record_refusal {
    int64_t time_ms;
    str call;
    struct record_chain chain; /* as far as it was known; may be all empty */
    struct record_operation op;
    struct record_policy policy;
    str args;   /* commitment; optional */
    str reason; /* short code: "policy", "budget", "task_closed", "identity", "commit" ... */
};
str record_refusal(struct buf *out, const struct record_refusal *r);

/* ---- tasks ---- */

struct record_task_open {
    int64_t time_ms;
    struct record_chain chain;
    str grants; /* digest of the grants */
    int64_t deadline_ms, calls;
    str opened_by; /* operator, owner or "policy" */
    str state;     /* granted | requested; empty: active */
    str purpose; /* commitment, since it is a person's free text; the salt lies under the task's id
                  * where those of calls lie */
};
str record_task_open(struct buf *out, const struct record_task_open *r);

struct record_task_close {
    int64_t time_ms;
    struct record_chain chain;
    str state; /* completed | revoked | expired | cascaded */
    str reason, closed_by;
    int64_t calls_left;
};
str record_task_close(struct buf *out, const struct record_task_close *r);

/* Between its opening and its end. */
struct record_task_change {
    int64_t time_ms;
    struct record_chain chain;
    str state; /* active | suspended */
    str by, reason;
    int64_t deadline_ms; /* of one that begins; 0: as it was */
};
str record_task_change(struct buf *out, const struct record_task_change *r);

struct record_agent_change {
    int64_t time_ms;
    str agent, state; /* active | suspended */
    str by, reason;
};
str record_agent_change(struct buf *out, const struct record_agent_change *r);

/* What was done to an identity, or to the issuer's keys. */
struct record_identity_change {
    int64_t time_ms;
    str kind;   /* id | certificate | serial | key, or of the issuer's keys: root | signer | jwt |
                 * wit | task | txn */
    str name;   /* of the identity; of the issuer's keys: the new one's id */
    str before; /* of the issuer's keys: the id of the one that signed until now; optional */
    str state;  /* revoked | lifted | rotated */
    str by;
};
str record_identity_change(struct buf *out, const struct record_identity_change *r);

/* One identity at two places at once. */
struct record_shared_use {
    int64_t time_ms;
    str agent, owner;
    str reason; /* processes | addresses | certificates | owners */
};
str record_shared_use(struct buf *out, const struct record_shared_use *r);

/* Written with the task_open of the child, in one transaction. */
struct record_delegation {
    int64_t time_ms;
    struct record_chain chain; /* of the parent, who delegates */
    str child, child_agent;
    str grants; /* digest of what the child gets */
    int64_t deadline_ms, calls;
};
str record_delegation(struct buf *out, const struct record_delegation *r);

/* ---- holds ---- */

struct record_hold_open {
    int64_t time_ms;
    str hold, call;
    struct record_chain chain;
    struct record_operation op;
    struct record_policy policy;
    str args;   /* commitment */
    str digest; /* of exactly what the approver sees; must cover a salt, or it can be guessed */
    int64_t expires_ms;
};
str record_hold_open(struct buf *out, const struct record_hold_open *r);

/* Used for approval and denial. */
struct record_decision {
    int64_t time_ms;
    str hold, call, task;
    str approver;
    str method;    /* how the approver was known: "passkey", "cli", ... */
    str digest;    /* that was signed */
    str assertion; /* the signature, base64url; optional */
    struct record_policy
        policy; /* that let this person decide; optional when ids_n and digest are empty */
    str reason; /* of a denial; short code; optional */
    str state;  /* "counted": one of several approvals that it takes; optional */
};
str record_approval(struct buf *out, const struct record_decision *r);
str record_denial(struct buf *out, const struct record_decision *r);

/* ---- what widens reach, and the gateway itself ---- */

struct record_pin_change {
    int64_t time_ms;
    str binding, tool;
    str before, after; /* digests; empty: was not, or is no more */
    str state;         /* seen | changed | accepted | removed */
    str by;            /* optional: who reviewed */
};
str record_pin_change(struct buf *out, const struct record_pin_change *r);

struct record_policy_load {
    int64_t time_ms;
    int64_t version;
    str digest, before; /* before optional */
    str by;
};
str record_policy_load(struct buf *out, const struct record_policy_load *r);

struct record_operator_change {
    int64_t time_ms;
    str name, key; /* key: digest of the public key */
    str state;     /* added | removed */
    str by;
};
str record_operator_change(struct buf *out, const struct record_operator_change *r);

/* What happens to people at the portal. */
struct record_person_event {
    int64_t time_ms;
    str name;   /* of the configuration; empty: nobody known (a failure) */
    str state;  /* invited | enrolled | signed_in | signed_out | failed | revoked */
    str method; /* passkey | oidc; optional */
    str key;    /* digest of the passkey's public key; optional */
    str by;     /* who did it, where that is another; optional */
    str reason; /* short code, of a failure; optional */
};
str record_person_event(struct buf *out, const struct record_person_event *r);

/* An owner consents to a task that a client asked for, or declines. */
struct record_consent {
    int64_t time_ms;
    str id; /* of the request */
    str owner, agent;
    str decision;                /* consented | declined */
    str method;                  /* passkey | oidc */
    str digest;                  /* of the statement that was signed, which holds a nonce */
    str assertion;               /* the passkey's signature, base64url; optional */
    str amr, acr;                /* of the owner's session; optional */
    int64_t auth_ms;             /* when the owner was verified; 0: not known */
    struct record_policy policy; /* optional when ids_n and digest are empty */
};
str record_consent(struct buf *out, const struct record_consent *r);

struct record_secret_set {
    int64_t time_ms;
    str name; /* never more than the name */
    str by;
};
str record_secret_set(struct buf *out, const struct record_secret_set *r);

struct record_start {
    int64_t time_ms;
    str software;      /* version of Ambit */
    str config;        /* digest of the configuration in force */
    int64_t recovered; /* calls that were found open and settled as unknown */
    str gateway;       /* its name; optional */
};
str record_start(struct buf *out, const struct record_start *r);

/* ---- revocation ---- */

/* Everything of an agent, an owner or a binding is closed, or cut because it is suspended; the
 * task_close of each task follows. */
struct record_revocation {
    int64_t time_ms;
    str receipt;
    str kind, name; /* agent | owner | binding | suspension, and which */
    str by, reason; /* reason optional */
};
str record_revocation(struct buf *out, const struct record_revocation *r);

/* A closing has ended: what it did stands in the receipt of this digest. */
struct record_receipt {
    int64_t time_ms;
    str receipt;
    str task;   /* that was closed; optional: not of one task */
    str digest; /* of the receipt's text */
    str status; /* complete | incomplete */
};
str record_receipt(struct buf *out, const struct record_receipt *r);

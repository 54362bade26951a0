/* hold: calls that wait for a person, and the approvals that come of them.
 *
 * A hold is bound to the digest of one exact call: task, binding, tool and canonical arguments
 * (crypto/digest.h). An approval is used once, by the very same call, before it expires; the
 * store's transaction has the last word on all three (store/schema.h, store_hold_consume).
 *
 *     pending -> approved -> used
 *        |          |-> expired | cancelled
 *        |-> denied | expired | cancelled
 *
 * struct holds is core's memory of those that are not over, plus those that ended a little while
 * ago, so that a late caller hears why. One thread. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "crypto/hash.h"
#include "task/task.h"

enum { HOLD_APPROVERS_MAX = 8 }; /* people whose approvals of one hold are counted */

enum hold_state {
    HOLD_NONE = 0,
    HOLD_PENDING,
    HOLD_APPROVED,
    HOLD_DENIED,
    HOLD_USED,
    HOLD_EXPIRED,
    HOLD_CANCELLED,
};
str hold_state_name(enum hold_state s);
enum hold_state hold_state_parse(str s);

struct hold {
    struct list node; /* in holds.all, by age */
    struct id id;
    struct id call; /* under which it was asked for */
    struct id task;
    str owner, agent, purpose;
    str opened_by; /* who opened the task */
    str binding, tool, effect;
    str args; /* canonical JSON: what the approver sees and what will be sent */
    struct hash digest;
    enum hold_state state;
    int64_t created_ms, expires_ms, decided_ms;
    str approver, method;              /* of the decision */
    str approvers[HOLD_APPROVERS_MAX]; /* who approved so far; policy says how many it takes */
    size_t approvers_n;
    str policies; /* JSON array of the policies that held it */
    struct arena arena;
};

struct holds {
    struct map by_id;
    struct list all;
};

void holds_init(struct holds *hs);
void holds_fini(struct holds *hs);
/* An empty hold, to be filled from its arena and added. */
struct hold *hold_new(void);
void holds_add(struct holds *hs, struct hold *h);
/* Undoes an add that could not be made durable. */
void holds_drop(struct holds *hs, struct hold *h);
struct hold *holds_find(const struct holds *hs, str id);
/* The hold of exactly this call that is approved and unexpired, else one that is pending, else
 * NULL. */
struct hold *holds_match(const struct holds *hs, const struct id *task, const struct hash *digest,
                         int64_t now_ms);
size_t holds_pending_of(const struct holds *hs, const struct id *task, int64_t now_ms);
/* The state as of now: a pending or approved one past its time is expired. */
enum hold_state hold_state_at(const struct hold *h, int64_t now_ms);
/* May this approval be used for this call? err says why not, in words for the caller. */
MUST_USE bool hold_usable(const struct hold *h, const struct id *task, const struct hash *digest,
                          int64_t now_ms, struct err *err);
/* Has this person approved it already? */
bool hold_counts(const struct hold *h, str person);
/* Frees those that ended before keep_from_ms. */
void holds_sweep(struct holds *hs, int64_t now_ms, int64_t keep_from_ms);

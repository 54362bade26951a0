/* index: which policies of a set can apply to a request. Internal to this folder.
 *
 * Scopes never fail, so leaving out policies whose scope cannot match changes neither decision nor
 * errors. Every uid and type named in a scope is interned to a number from 1 (0: not named by any
 * policy, so equal to none). Policies are put in buckets by action (any; exactly one; in a group),
 * and within a bucket under the most selective side of the rest of the scope. A request probes the
 * buckets of its action and the action's groups. */
#pragma once
#include "cedar/eval/code.h"

struct intern {
    uint64_t seed;
    struct cedar_uid *uids; /* of number i + 1 */
    uint64_t *hashes;
    size_t count, cap, hash_cap;
    uint32_t *slots; /* numbers; power of two */
    size_t slot_count;
};
uint32_t intern_add(struct arena *a, struct intern *t, struct cedar_uid uid);
uint32_t intern_find(const struct intern *t, uint64_t hash, const struct cedar_uid *uid);

/* A scope constraint in numbers. */
struct scope {
    uint8_t op; /* enum cedar_scope_op */
    uint32_t type;
    const uint32_t *uids;
    uint32_t uid_count;
};

/* What a request's principal, action or resource is, in numbers. */
struct side_facts {
    uint32_t self;
    uint32_t type;
    const uint32_t *in; /* itself and its ancestors, as far as policies name them */
    size_t in_count;
};

enum side {
    SIDE_RESOURCE_EQ = 0, /* from the most selective to the least */
    SIDE_PRINCIPAL_EQ,
    SIDE_RESOURCE_IN,
    SIDE_PRINCIPAL_IN,
    SIDE_RESOURCE_IS,
    SIDE_PRINCIPAL_IS,
    SIDE_ANY,
};

struct compiled {
    const struct cedar_policy *policy;
    const struct cedar_policies *text;
    struct scope scope[3];
    size_t code_from, code_to;
};

struct posting_list {
    uint32_t bucket, key;
    uint8_t side; /* enum side */
    bool used;
    uint32_t first, count; /* of postings */
};

struct bucket_ids {
    uint32_t eq, in; /* bucket numbers for `action == uid` and `action in uid`; 0: none */
};

struct cedar_set {
    struct arena arena;
    struct code code;
    struct compiled *policies;
    size_t count;
    struct intern uids, types;
    bool names_ancestors[3];    /* some policy has `in` on that side */
    struct bucket_ids *buckets; /* by number of the uid */
    uint8_t *bucket_sides; /* by bucket: bit for each side in use; bucket 0 holds policies for any
                              action */
    uint32_t bucket_count;
    struct posting_list *lists; /* hash table; power of two */
    size_t list_slots;
    uint32_t *postings;
};

void index_build(struct cedar_set *set);

/* Calls visit with each policy whose indexed parts fit, every policy at most once, in no useful
 * order. */
void index_select(const struct cedar_set *set, const struct side_facts facts[3],
                  void (*visit)(void *ctx, uint32_t policy), void *ctx);
/* The whole scope. */
bool scope_matches(const struct scope *s, const struct side_facts *f);

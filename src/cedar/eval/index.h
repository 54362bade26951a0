/* index: which policies of a set can apply to a request. Internal to this folder.
 *
 * Scopes never fail, so leaving out policies whose scope cannot match changes neither decision nor
 * errors. Policies are put in buckets by action (any; exactly one; in a group). A request looks at
 * the bucket of all actions, that of its own, and those of its action's groups. A small bucket is
 * gone through; in a large one the policies stand in lists under the most selective side of the
 * rest of their scope, and the request looks at those of its own uids, types and ancestors.
 *
 * Uids are compared by hash first, under one seed for policies and entities (code.h, struct key). A
 * list may hold policies of several uids of one hash; their scopes tell them apart. */
#pragma once
#include "cedar/eval/code.h"

enum wants { WANTS_TYPE = 1, WANTS_SAME = 2, WANTS_IN = 4 };

/* One policy as a decision needs it: this, then its code. Policies stand behind each other in the
 * order of the index; their places count units of 8 bytes. */
struct compiled {
    uint64_t hashes[2];  /* principal and resource: of ==, in, is..in */
    uint32_t keys[2];    /* the same, in code.keys */
    uint32_t types[2];   /* of is, is..in: in code.names */
    uint32_t number;     /* in the set */
    uint32_t code_count; /* instructions */
    uint8_t wants[2];    /* of principal and resource: enum wants */
    uint8_t effect;
    bool in_many; /* stands in several buckets: policy_source.buckets */
    struct instr code[];
};
enum { OF_PRINCIPAL = 0, OF_RESOURCE };

struct policy_source {
    const struct cedar_policy *policy;
    const struct cedar_policies *text;
    const uint32_t *buckets; /* numbers, ascending; only where there are several */
    uint32_t bucket_count;
};

struct bucket {
    uint32_t number;       /* from 1; 0: there is none */
    uint32_t first, count; /* of postings; where straight, of compiled */
    uint8_t sides;         /* a bit for each enum side in use */
    bool straight;         /* a small one whose policies stand together */
};

/* An action that some policy names; key.uid NULL: a free slot. */
struct action {
    struct key key;
    struct bucket exact, group; /* for action == it, and action in it */
};

struct posting_list {
    uint64_t key; /* hash of the uid or type; 0 where the side is open */
    uint32_t bucket;
    uint32_t first, count; /* of postings; count 0: free */
    uint8_t side;          /* enum side */
};

struct cedar_set {
    struct arena arena;
    struct code code;
    uint64_t *compiled;             /* struct compiled, one behind the other; no templates */
    struct policy_source *policies; /* by number */
    size_t count;
    struct bucket any_action;
    struct action *actions; /* hash table, power of two */
    size_t action_slots;
    bool has_groups;            /* some policy has `action in` */
    struct posting_list *lists; /* hash table of those of large buckets; power of two */
    size_t list_slots;
    uint32_t *postings; /* places in compiled */
};

static inline const struct compiled *compiled_at(const struct cedar_set *set, uint32_t place)
{
    return (const struct compiled *)&set->compiled[place];
}
static inline uint32_t compiled_units(const struct compiled *c)
{
    return (uint32_t)((sizeof *c + c->code_count * sizeof(struct instr) + 7) / 8);
}

/* Fills in all that finds policies; compiles their conditions in the order of use. grow: for what
 * is not needed afterwards. */
void index_build(struct cedar_set *set, struct arena *grow);

struct selection {
    const struct cedar_set *set;
    struct machine *machine;
    /* Is given n policies by their places in set->compiled; places NULL: first and those after it.
     */
    void (*visit)(struct selection *s, const uint32_t *places, uint32_t first, size_t n);
    uint32_t *groups; /* numbers of the buckets of the action's groups, in the order visited */
    size_t group_count;
};
/* Calls visit with all policies whose action fits, leaving out some whose other sides do not; in no
 * useful order, and a policy that stands in many buckets perhaps more than once. */
void index_select(struct selection *s);
/* Begins to fetch what that will look at for an action of this hash. */
static inline void index_prefetch(const struct cedar_set *set, uint64_t hash)
{
    const struct action *a = &set->actions[hash & (set->action_slots - 1)];
    const char *c = (const char *)&set->compiled[a->exact.straight ? a->exact.first : 0];
    __builtin_prefetch(a->key.uid);
    for (int line = 0; line < 6; line++)
        __builtin_prefetch(c + line * 64);
}
/* Whether an earlier bucket brought this policy, which stands in many. */
bool index_came_before(const struct selection *s, uint32_t number);

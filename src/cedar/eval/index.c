#include "cedar/eval/index.h"

#include <stdlib.h>

/* ---- interning ---- */

static void intern_place(struct intern *t, uint32_t number)
{
    size_t mask = t->slot_count - 1, i = t->hashes[number - 1] & mask;
    while (t->slots[i])
        i = (i + 1) & mask;
    t->slots[i] = number;
}

static void intern_grow(struct arena *a, struct intern *t)
{
    t->slot_count = t->slot_count ? t->slot_count * 2 : 64;
    t->slots = ARENA_ARRAY(a, uint32_t, t->slot_count);
    for (uint32_t n = 1; n <= t->count; n++)
        intern_place(t, n);
}

uint32_t intern_find(const struct intern *t, uint64_t hash, const struct cedar_uid *uid)
{
    size_t mask = t->slot_count - 1;
    if (t->slot_count == 0)
        return 0;
    for (size_t i = hash & mask; t->slots[i]; i = (i + 1) & mask) {
        uint32_t n = t->slots[i];
        if (t->hashes[n - 1] == hash && cedar_uid_eq(&t->uids[n - 1], uid))
            return n;
    }
    return 0;
}

uint32_t intern_add(struct arena *a, struct intern *t, struct cedar_uid uid)
{
    uint64_t hash = hash_uid(t->seed, &uid);
    uint32_t had = intern_find(t, hash, &uid);
    if (had)
        return had;
    PUSH(a, t->hashes, t->count, t->hash_cap, hash);
    t->count--;
    PUSH(a, t->uids, t->count, t->cap, uid);
    if (t->count * 2 > t->slot_count)
        intern_grow(a, t);
    else
        intern_place(t, (uint32_t)t->count);
    return (uint32_t)t->count;
}

/* ---- building ---- */

struct entry {
    uint32_t bucket, side, key, policy;
};

struct builder {
    struct cedar_set *set;
    struct arena scratch;
    struct entry *entries;
    size_t count, cap;
};

static enum side choose_side(const struct compiled *c, uint32_t *key)
{
    static const struct {
        enum cedar_var var;
        enum cedar_scope_op op;
        enum side side;
    } choices[] = {
        {CEDAR_RESOURCE, CEDAR_SCOPE_EQ, SIDE_RESOURCE_EQ},
        {CEDAR_PRINCIPAL, CEDAR_SCOPE_EQ, SIDE_PRINCIPAL_EQ},
        {CEDAR_RESOURCE, CEDAR_SCOPE_IN, SIDE_RESOURCE_IN},
        {CEDAR_RESOURCE, CEDAR_SCOPE_IS_IN, SIDE_RESOURCE_IN},
        {CEDAR_PRINCIPAL, CEDAR_SCOPE_IN, SIDE_PRINCIPAL_IN},
        {CEDAR_PRINCIPAL, CEDAR_SCOPE_IS_IN, SIDE_PRINCIPAL_IN},
        {CEDAR_RESOURCE, CEDAR_SCOPE_IS, SIDE_RESOURCE_IS},
        {CEDAR_PRINCIPAL, CEDAR_SCOPE_IS, SIDE_PRINCIPAL_IS},
    };
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        const struct scope *s = &c->scope[choices[i].var];
        if (s->op != choices[i].op)
            continue;
        *key = s->op == CEDAR_SCOPE_IS ? s->type : s->uids[0];
        return choices[i].side;
    }
    *key = 0;
    return SIDE_ANY;
}

static uint32_t bucket_for(struct cedar_set *set, uint32_t uid, bool in)
{
    uint32_t *b = in ? &set->buckets[uid].in : &set->buckets[uid].eq;
    if (!*b)
        *b = set->bucket_count++;
    return *b;
}

static void add_entry(struct builder *b, uint32_t bucket, uint32_t policy)
{
    struct entry e = {.bucket = bucket, .policy = policy};
    e.side = choose_side(&b->set->policies[policy], &e.key);
    PUSH(&b->scratch, b->entries, b->count, b->cap, e);
}

static void add_policy(struct builder *b, uint32_t policy)
{
    const struct compiled *c = &b->set->policies[policy];
    const struct scope *action = &c->scope[CEDAR_ACTION];
    if (c->policy->is_template)
        return;
    if (action->op == CEDAR_SCOPE_ANY)
        add_entry(b, 0, policy);
    for (uint32_t i = 0; i < action->uid_count; i++)
        add_entry(b, bucket_for(b->set, action->uids[i], action->op != CEDAR_SCOPE_EQ), policy);
}

static int entry_order(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->bucket != y->bucket)
        return x->bucket < y->bucket ? -1 : 1;
    if (x->side != y->side)
        return x->side < y->side ? -1 : 1;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->policy > y->policy) - (x->policy < y->policy);
}

static size_t list_slot(const struct cedar_set *set, uint32_t bucket, uint32_t side, uint32_t key)
{
    const uint64_t k1 = 0x9e3779b97f4a7c15, k2 = 0xd6e8feb86659fd93;
    uint64_t h = hash_fold(((uint64_t)bucket << 32 | key) ^ k1, k2 ^ side);
    return h & (set->list_slots - 1);
}

static struct posting_list *new_list(struct cedar_set *set, const struct entry *e, size_t first)
{
    size_t i = list_slot(set, e->bucket, e->side, e->key);
    while (set->lists[i].used)
        i = (i + 1) & (set->list_slots - 1);
    set->lists[i] = (struct posting_list){.bucket = e->bucket,
                                          .key = e->key,
                                          .side = (uint8_t)e->side,
                                          .used = true,
                                          .first = (uint32_t)first};
    set->bucket_sides[e->bucket] |= (uint8_t)(1u << e->side);
    return &set->lists[i];
}

static bool same_list(const struct entry *a, const struct entry *b)
{
    return a->bucket == b->bucket && a->side == b->side && a->key == b->key;
}

void index_build(struct cedar_set *set)
{
    struct builder b = {.set = set};
    set->buckets = ARENA_ARRAY(&set->arena, struct bucket_ids, set->uids.count + 1);
    set->bucket_count = 1;
    for (size_t i = 0; i < set->count; i++)
        add_policy(&b, (uint32_t)i);
    if (b.count)
        qsort(b.entries, b.count, sizeof *b.entries, entry_order);
    set->bucket_sides = ARENA_ARRAY(&set->arena, uint8_t, set->bucket_count);
    set->list_slots = 16;
    while (set->list_slots < b.count * 2)
        set->list_slots *= 2;
    set->lists = ARENA_ARRAY(&set->arena, struct posting_list, set->list_slots);
    set->postings = ARENA_ARRAY(&set->arena, uint32_t, b.count);
    struct posting_list *list = NULL;
    size_t n = 0;
    for (size_t i = 0; i < b.count; i++) {
        bool fresh = i == 0 || !same_list(&b.entries[i - 1], &b.entries[i]);
        if (fresh)
            list = new_list(set, &b.entries[i], n);
        else if (b.entries[i].policy == b.entries[i - 1].policy)
            continue; /* the same action twice in one list */
        set->postings[n++] = b.entries[i].policy;
        list->count++;
    }
    arena_fini(&b.scratch);
}

/* ---- asking ---- */

static bool is_one_of(uint32_t uid, const uint32_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i] == uid)
            return true;
    }
    return false;
}

bool scope_matches(const struct scope *s, const struct side_facts *f)
{
    switch ((enum cedar_scope_op)s->op) {
    case CEDAR_SCOPE_ANY:
        return true;
    case CEDAR_SCOPE_EQ:
        return s->uids[0] == f->self;
    case CEDAR_SCOPE_IN:
    case CEDAR_SCOPE_IN_SET:
        for (uint32_t i = 0; i < s->uid_count; i++) {
            if (is_one_of(s->uids[i], f->in, f->in_count))
                return true;
        }
        return false;
    case CEDAR_SCOPE_IS:
        return s->type == f->type;
    case CEDAR_SCOPE_IS_IN:
        return s->type == f->type && is_one_of(s->uids[0], f->in, f->in_count);
    }
    return false;
}

struct selection {
    const struct cedar_set *set;
    const struct side_facts *facts;
    void (*visit)(void *ctx, uint32_t policy);
    void *ctx;
    uint32_t via; /* the uid whose `action in` bucket this is; 0 otherwise */
};

/* A policy may stand in the buckets of several groups of one action: it counts in that of the first
 * it names. */
static bool is_first_bucket(const struct selection *s, uint32_t policy)
{
    const struct scope *action = &s->set->policies[policy].scope[CEDAR_ACTION];
    const struct side_facts *f = &s->facts[CEDAR_ACTION];
    if (s->via == 0 || action->uid_count == 1)
        return true;
    for (uint32_t i = 0; i < action->uid_count; i++) {
        if (is_one_of(action->uids[i], f->in, f->in_count))
            return action->uids[i] == s->via;
    }
    return false;
}

static void visit_list(const struct selection *s, uint32_t bucket, enum side side, uint32_t key)
{
    const struct cedar_set *set = s->set;
    size_t i = list_slot(set, bucket, side, key);
    for (; set->lists[i].used; i = (i + 1) & (set->list_slots - 1)) {
        const struct posting_list *l = &set->lists[i];
        if (l->bucket != bucket || l->side != side || l->key != key)
            continue;
        for (uint32_t p = l->first; p < l->first + l->count; p++) {
            if (is_first_bucket(s, set->postings[p]))
                s->visit(s->ctx, set->postings[p]);
        }
        return;
    }
}

static void visit_side(const struct selection *s, uint32_t bucket, const struct side_facts *f,
                       enum side eq, enum side in, enum side is)
{
    uint8_t sides = s->set->bucket_sides[bucket];
    if (f->self && (sides >> eq & 1))
        visit_list(s, bucket, eq, f->self);
    for (size_t i = 0; (sides >> in & 1) && i < f->in_count; i++)
        visit_list(s, bucket, in, f->in[i]);
    if (f->type && (sides >> is & 1))
        visit_list(s, bucket, is, f->type);
}

static void visit_bucket(const struct selection *s, uint32_t bucket)
{
    visit_side(s, bucket, &s->facts[CEDAR_RESOURCE], SIDE_RESOURCE_EQ, SIDE_RESOURCE_IN,
               SIDE_RESOURCE_IS);
    visit_side(s, bucket, &s->facts[CEDAR_PRINCIPAL], SIDE_PRINCIPAL_EQ, SIDE_PRINCIPAL_IN,
               SIDE_PRINCIPAL_IS);
    if (s->set->bucket_sides[bucket] >> SIDE_ANY & 1)
        visit_list(s, bucket, SIDE_ANY, 0);
}

void index_select(const struct cedar_set *set, const struct side_facts facts[3],
                  void (*visit)(void *ctx, uint32_t policy), void *ctx)
{
    struct selection s = {.set = set, .facts = facts, .visit = visit, .ctx = ctx};
    const struct side_facts *action = &facts[CEDAR_ACTION];
    visit_bucket(&s, 0);
    uint32_t exact = action->self ? set->buckets[action->self].eq : 0;
    if (exact)
        visit_bucket(&s, exact);
    for (size_t i = 0; i < action->in_count; i++) {
        s.via = action->in[i];
        uint32_t group = set->buckets[s.via].in;
        if (group)
            visit_bucket(&s, group);
    }
}

#include "cedar/eval/index.h"

#include <stdlib.h>

enum side {
    SIDE_RESOURCE_EQ = 0, /* from the most selective to the least */
    SIDE_PRINCIPAL_EQ,
    SIDE_RESOURCE_IN,
    SIDE_PRINCIPAL_IN,
    SIDE_RESOURCE_IS,
    SIDE_PRINCIPAL_IS,
    SIDE_ANY,
};

enum { SCAN_MAX = 16 }; /* policies in a small bucket */

/* ---- building ---- */

struct entry {
    uint64_t key;
    uint32_t bucket, policy;
    uint8_t side;
};

struct builder {
    struct cedar_set *set;
    struct arena *grow;
    struct entry *entries;
    size_t count, cap;
    struct bucket **buckets; /* by number */
    uint32_t bucket_count;
    size_t action_count;
    uint64_t *compiled; /* growing */
    size_t unit_count, unit_cap;
};

static uint64_t type_hash(const struct cedar_set *set, str type)
{
    return hash_bytes(set->code.seed, type);
}

static enum side choose_side(const struct cedar_set *set, const struct cedar_policy *p,
                             uint64_t *key)
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
        const struct cedar_scope *s = &p->scope[choices[i].var];
        if (s->op != choices[i].op)
            continue;
        *key = s->op == CEDAR_SCOPE_IS ? type_hash(set, s->type)
                                       : hash_uid(set->code.seed, &s->uids[0].uid);
        return choices[i].side;
    }
    *key = 0;
    return SIDE_ANY;
}

/* The action of that uid, or the free slot for it. */
static struct action *action_at(const struct cedar_set *set, uint64_t hash,
                                const struct cedar_uid *uid)
{
    for (size_t i = hash;; i++) {
        struct action *a = &set->actions[i & (set->action_slots - 1)];
        if (!a->key.uid || (a->key.hash == hash && cedar_uid_eq(a->key.uid, uid)))
            return a;
    }
}

/* Every action that policies name gets its place. */
static void collect_actions(struct builder *b)
{
    struct cedar_set *set = b->set;
    size_t most = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct cedar_scope *s = &set->policies[i].policy->scope[CEDAR_ACTION];
        for (size_t k = 0; k < s->uid_count; k++) {
            size_t key = code_key(&set->code, &s->uids[k].uid);
            most = key >= most ? key + 1 : most;
        }
    }
    for (set->action_slots = 16; set->action_slots < 2 * most;)
        set->action_slots *= 2;
    set->actions = ARENA_ARRAY(&set->arena, struct action, set->action_slots);
    for (size_t i = 0; i < most; i++) {
        const struct key *key = &set->code.keys[i];
        action_at(set, key->hash, key->uid)->key = *key;
    }
    b->action_count = most;
}

static void add_entry(struct builder *b, struct bucket *bucket, uint32_t policy)
{
    struct entry e = {.policy = policy};
    if (!bucket->number) {
        bucket->number = b->bucket_count;
        b->buckets[b->bucket_count++] = bucket;
    }
    e.bucket = bucket->number;
    e.side = (uint8_t)choose_side(b->set, b->set->policies[policy].policy, &e.key);
    PUSH(b->grow, b->entries, b->count, b->cap, e);
}

static int number_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* A policy may be reached through several groups of one action. */
static void note_buckets(struct builder *b, uint32_t policy, size_t first)
{
    struct policy_source *p = &b->set->policies[policy];
    size_t n = b->count - first;
    if (n < 2)
        return;
    uint32_t *numbers = ARENA_ARRAY(&b->set->arena, uint32_t, n);
    for (size_t i = 0; i < n; i++)
        numbers[i] = b->entries[first + i].bucket;
    qsort(numbers, n, sizeof *numbers, number_order);
    p->buckets = numbers;
    p->bucket_count = (uint32_t)n;
}

static void add_policy(struct builder *b, uint32_t policy)
{
    struct cedar_set *set = b->set;
    const struct cedar_policy *p = set->policies[policy].policy;
    const struct cedar_scope *s = &p->scope[CEDAR_ACTION];
    size_t first = b->count;
    if (p->is_template)
        return;
    if (s->op == CEDAR_SCOPE_ANY)
        add_entry(b, &set->any_action, policy);
    for (size_t i = 0; i < s->uid_count; i++) {
        const struct cedar_uid *uid = &s->uids[i].uid;
        struct action *a = action_at(set, hash_uid(set->code.seed, uid), uid);
        add_entry(b, s->op == CEDAR_SCOPE_EQ ? &a->exact : &a->group, policy);
        set->has_groups |= s->op != CEDAR_SCOPE_EQ;
    }
    note_buckets(b, policy, first);
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

static void compile_side(struct code *code, const struct cedar_scope *s, struct compiled *out,
                         int side)
{
    static const uint8_t wants[] = {
        [CEDAR_SCOPE_EQ] = WANTS_SAME,
        [CEDAR_SCOPE_IN] = WANTS_IN,
        [CEDAR_SCOPE_IS] = WANTS_TYPE,
        [CEDAR_SCOPE_IS_IN] = WANTS_TYPE | WANTS_IN,
    };
    out->wants[side] = wants[s->op];
    if (s->uid_count) {
        out->keys[side] = code_key(code, &s->uids[0].uid);
        out->hashes[side] = code->keys[out->keys[side]].hash;
    }
    if (s->type.n)
        out->types[side] = code_names(code, &s->type, 1);
}

static uint64_t *more_units(struct builder *b, size_t n)
{
    if (b->unit_count + n > b->unit_cap) {
        b->unit_cap = 2 * (b->unit_count + n);
        uint64_t *bigger = ARENA_ARRAY(b->grow, uint64_t, b->unit_cap);
        if (b->unit_count)
            memcpy(bigger, b->compiled, b->unit_count * sizeof *bigger);
        b->compiled = bigger;
    }
    b->unit_count += n;
    return b->compiled + b->unit_count - n;
}

/* Returns its place. */
static uint32_t compile_policy(struct builder *b, uint32_t number)
{
    const struct policy_source *from = &b->set->policies[number];
    struct code *code = &b->set->code;
    struct compiled head = {.number = number,
                            .effect = (uint8_t)from->policy->effect,
                            .in_many = from->bucket_count > 0};
    compile_side(code, &from->policy->scope[CEDAR_PRINCIPAL], &head, OF_PRINCIPAL);
    compile_side(code, &from->policy->scope[CEDAR_RESOURCE], &head, OF_RESOURCE);
    code->count = 0;
    code_conditions(code, from->policy);
    head.code_count = (uint32_t)code->count;
    size_t place = b->unit_count;
    struct compiled *out = (struct compiled *)more_units(b, compiled_units(&head));
    *out = head;
    if (head.code_count)
        memcpy(out->code, code->instrs, head.code_count * sizeof *code->instrs);
    return (uint32_t)place;
}

/* Entries to postings. What the same requests look at comes to lie together. */
static void place_policies(struct builder *b)
{
    struct cedar_set *set = b->set;
    uint32_t *place = ARENA_ARRAY(b->grow, uint32_t, set->count + 1); /* + 1 */
    size_t n = 0;
    set->postings = ARENA_ARRAY(&set->arena, uint32_t, b->count);
    for (size_t i = 0; i < b->count; i++) {
        const struct entry *e = &b->entries[i];
        struct bucket *bucket = b->buckets[e->bucket];
        if (!place[e->policy])
            place[e->policy] = compile_policy(b, e->policy) + 1;
        if (bucket->count == 0)
            bucket->first = (uint32_t)n;
        else if (entry_order(e - 1, e) == 0)
            continue; /* the same action twice in one policy */
        set->postings[n++] = place[e->policy] - 1;
        bucket->count++;
        bucket->sides |= (uint8_t)(1u << e->side);
    }
    set->compiled = arena_dup(&set->arena, b->compiled, b->unit_count * sizeof *b->compiled);
}

static void find_straight(struct builder *b)
{
    for (uint32_t i = 1; i < b->bucket_count; i++) {
        struct bucket *bucket = b->buckets[i];
        const uint32_t *places = b->set->postings + bucket->first;
        bucket->straight = bucket->count <= SCAN_MAX;
        for (uint32_t k = 1; bucket->straight && k < bucket->count; k++)
            bucket->straight =
                places[k] == places[k - 1] + compiled_units(compiled_at(b->set, places[k - 1]));
        if (bucket->straight)
            bucket->first = places[0];
    }
}

/* The list of that bucket, side and key, or the free place for it. */
static struct posting_list *list_at(const struct cedar_set *set, const struct bucket *b,
                                    enum side side, uint64_t key)
{
    const uint64_t k1 = 0x9e3779b97f4a7c15, k2 = 0xd6e8feb86659fd93;
    size_t i = hash_fold(key ^ k1, k2 ^ ((uint64_t)b->number << 8 | side));
    for (;; i++) {
        struct posting_list *l = &set->lists[i & (set->list_slots - 1)];
        if (l->count == 0 || (l->key == key && l->bucket == b->number && l->side == side))
            return l;
    }
}

/* Lists for the large buckets. An entry that is there twice has one posting. */
static void list_policies(struct builder *b)
{
    struct cedar_set *set = b->set;
    uint32_t at = 0;
    set->list_slots = 16;
    for (size_t i = 0; i < b->count; i++)
        set->list_slots *= i >= set->list_slots / 2 ? 2 : 1;
    set->lists = ARENA_ARRAY(&set->arena, struct posting_list, set->list_slots);
    for (size_t i = 0; i < b->count; i++) {
        const struct entry *e = &b->entries[i];
        const struct bucket *bucket = b->buckets[e->bucket];
        if (i > 0 && entry_order(e - 1, e) == 0)
            continue;
        if (bucket->count > SCAN_MAX) {
            struct posting_list *l = list_at(set, bucket, (enum side)e->side, e->key);
            if (l->count == 0)
                *l = (struct posting_list){
                    .key = e->key, .bucket = e->bucket, .side = e->side, .first = at};
            l->count++;
        }
        at++;
    }
}

void index_build(struct cedar_set *set, struct arena *grow)
{
    struct builder b = {.set = set, .grow = grow, .bucket_count = 1};
    collect_actions(&b);
    b.buckets = ARENA_ARRAY(grow, struct bucket *, 2 + 2 * b.action_count);
    for (size_t i = 0; i < set->count; i++)
        add_policy(&b, (uint32_t)i);
    if (b.count)
        qsort(b.entries, b.count, sizeof *b.entries, entry_order);
    place_policies(&b);
    list_policies(&b);
    find_straight(&b);
}

/* ---- asking ---- */

static void visit(struct selection *s, uint32_t first, size_t n)
{
    if (n)
        s->visit(s, s->set->postings + first, 0, n);
}

static void visit_list(struct selection *s, const struct bucket *b, enum side side, uint64_t key)
{
    const struct posting_list *l = list_at(s->set, b, side, key);
    visit(s, l->first, l->count);
}

static void visit_ancestors(struct selection *s, const struct bucket *b, enum side side,
                            const struct subject *of)
{
    visit_list(s, b, side, of->hash);
    for (size_t i = 0; i < of->ancestor_count; i++) {
        uint64_t hash = of->ancestors[i].hash;
        if (hash != of->hash && (i == 0 || hash != of->ancestors[i - 1].hash))
            visit_list(s, b, side, hash);
    }
}

static void visit_side(struct selection *s, const struct bucket *b, enum cedar_var var,
                       enum side eq, enum side in, enum side is)
{
    const struct subject *subject = &s->machine->subjects[var];
    if (b->sides >> eq & 1)
        visit_list(s, b, eq, subject->hash);
    if (b->sides >> in & 1)
        visit_ancestors(s, b, in, subject_known(s->machine, var));
    if (b->sides >> is & 1)
        visit_list(s, b, is, type_hash(s->set, subject->uid->type));
}

static void visit_bucket(struct selection *s, const struct bucket *b)
{
    if (b->straight) {
        s->visit(s, NULL, b->first, b->count);
        return;
    }
    if (b->count <= SCAN_MAX) {
        visit(s, b->first, b->count);
        return;
    }
    visit_side(s, b, CEDAR_RESOURCE, SIDE_RESOURCE_EQ, SIDE_RESOURCE_IN, SIDE_RESOURCE_IS);
    visit_side(s, b, CEDAR_PRINCIPAL, SIDE_PRINCIPAL_EQ, SIDE_PRINCIPAL_IN, SIDE_PRINCIPAL_IS);
    if (b->sides >> SIDE_ANY & 1)
        visit_list(s, b, SIDE_ANY, 0);
}

static void visit_group(struct selection *s, const struct action *a, size_t most)
{
    if (a->group.count == 0)
        return;
    if (!s->groups)
        s->groups = ARENA_ARRAY(s->machine->scratch, uint32_t, most);
    s->groups[s->group_count++] = a->group.number;
    visit_bucket(s, &a->group);
}

void index_select(struct selection *s)
{
    const struct cedar_set *set = s->set;
    const struct subject *subject = &s->machine->subjects[CEDAR_ACTION];
    const struct action *action = action_at(set, subject->hash, subject->uid);
    visit_bucket(s, &set->any_action);
    visit_bucket(s, &action->exact);
    if (!set->has_groups)
        return;
    subject = subject_known(s->machine, CEDAR_ACTION);
    visit_group(s, action, 1 + subject->ancestor_count);
    for (size_t i = 0; i < subject->ancestor_count; i++) {
        const struct cedar_ancestor *a = &subject->ancestors[i];
        visit_group(s, action_at(set, a->hash, a->uid), 1 + subject->ancestor_count);
    }
}

static bool stands_in(const struct policy_source *p, uint32_t bucket)
{
    size_t low = 0, high = p->bucket_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (p->buckets[mid] == bucket)
            return true;
        if (p->buckets[mid] < bucket)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

bool index_came_before(const struct selection *s, uint32_t number)
{
    for (size_t i = 0; i + 1 < s->group_count; i++) {
        if (stands_in(&s->set->policies[number], s->groups[i]))
            return true;
    }
    return false;
}

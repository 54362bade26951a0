#include "cedar/value/entities.h"

#include <stdlib.h>

#include "cedar/value/hash.h"

enum { SLOTS_MIN = 16 };

void cedar_entities_init(struct cedar_entities *s, struct arena *a,
                         const struct cedar_entities *base, uint64_t seed)
{
    *s = (struct cedar_entities){.arena = a, .base = base, .seed = base ? base->seed : seed};
}

/* ---- the table ---- */

static struct cedar_entity *find_own(const struct cedar_entities *s, uint64_t hash,
                                     const struct cedar_uid *uid)
{
    size_t mask = s->slot_count - 1;
    if (s->slot_count == 0)
        return NULL;
    for (size_t i = hash & mask; s->slots[i].entity; i = (i + 1) & mask) {
        if (s->slots[i].hash == hash && cedar_uid_eq(&s->slots[i].entity->uid, uid))
            return s->slots[i].entity;
    }
    return NULL;
}

const struct cedar_entity *cedar_entities_find_hashed(const struct cedar_entities *s, uint64_t hash,
                                                      const struct cedar_uid *uid)
{
    for (; s; s = s->base) {
        const struct cedar_entity *e = find_own(s, hash, uid);
        if (e)
            return e;
    }
    return NULL;
}

const struct cedar_entity *cedar_entities_find(const struct cedar_entities *s,
                                               const struct cedar_uid *uid)
{
    return cedar_entities_find_hashed(s, hash_uid(s->seed, uid), uid);
}

static void put_slot(struct cedar_entities *s, struct cedar_entity *e)
{
    size_t mask = s->slot_count - 1, i = e->hash & mask;
    while (s->slots[i].entity)
        i = (i + 1) & mask;
    s->slots[i] = (struct cedar_entity_slot){e->hash, e};
}

static void insert(struct cedar_entities *s, struct cedar_entity *e)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : SLOTS_MIN / 2;
        struct cedar_entity **items = ARENA_ARRAY(s->arena, struct cedar_entity *, s->cap);
        if (s->count)
            memcpy(items, s->items, s->count * sizeof *items);
        s->items = items;
        s->slot_count = s->cap * 2;
        s->slots = ARENA_ARRAY(s->arena, struct cedar_entity_slot, s->slot_count);
        for (size_t i = 0; i < s->count; i++)
            put_slot(s, s->items[i]);
    }
    s->items[s->count++] = e;
    put_slot(s, e);
}

/* ---- adding ---- */

static bool has_parent(const struct cedar_entity *e, const struct cedar_uid *uid)
{
    for (size_t i = 0; i < e->parent_count; i++) {
        if (cedar_uid_eq(&e->parents[i], uid))
            return true;
    }
    return false;
}

static bool same_parents(const struct cedar_entity *a, const struct cedar_entity *b)
{
    for (size_t i = 0; i < a->parent_count; i++) {
        if (!has_parent(b, &a->parents[i]))
            return false;
    }
    for (size_t i = 0; i < b->parent_count; i++) {
        if (!has_parent(a, &b->parents[i]))
            return false;
    }
    return true;
}

static bool is_action(const struct cedar_uid *uid)
{
    return str_eq(cedar_name_base(uid->type), S("Action"));
}

static bool check_parents(const struct cedar_entity *e, struct err *err)
{
    bool action = is_action(&e->uid);
    for (size_t i = 0; i < e->parent_count; i++) {
        const struct cedar_uid *parent = &e->parents[i];
        if (cedar_uid_eq(parent, &e->uid))
            return err_input(err, "%.*s::\"%.*s\" is its own parent", STR(e->uid.type),
                             STR(e->uid.id));
        if (action && !is_action(parent))
            return err_input(
                err, "action %.*s::\"%.*s\" has the parent %.*s::\"%.*s\", which is no action",
                STR(e->uid.type), STR(e->uid.id), STR(parent->type), STR(parent->id));
    }
    return true;
}

/* What is called alike shares one name, so that reading many entities reads few names. */
static str shared_name(struct cedar_entities *s, str name)
{
    str *known = &s->names[hash_bytes(s->seed, name) % (sizeof s->names / sizeof s->names[0])];
    if (!same_bytes(*known, name))
        *known = name;
    return *known;
}

/* In one piece with all that most decisions read of it: id, attributes, ancestors. */
static struct cedar_entity *keep(struct cedar_entities *s, const struct cedar_entity *e)
{
    enum { ALIGN = 16 };
    size_t fields = e->attrs.n * sizeof(struct cedar_field);
    size_t cap = e->parent_count * 2, ancestors = cap * sizeof(struct cedar_ancestor);
    size_t id = (e->uid.id.n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    char *at = arena_alloc(s->arena, sizeof *e + id + fields + ancestors);
    struct cedar_entity *kept = (struct cedar_entity *)at;
    *kept = *e;
    at += sizeof *e;
    if (e->uid.id.n)
        memcpy(at, e->uid.id.p, e->uid.id.n);
    kept->uid = (struct cedar_uid){shared_name(s, e->uid.type), str_of(at, e->uid.id.n)};
    struct cedar_field *attrs = (struct cedar_field *)(at + id);
    for (uint32_t i = 0; i < e->attrs.n; i++)
        attrs[i] =
            (struct cedar_field){shared_name(s, e->attrs.fields[i].name), e->attrs.fields[i].value};
    kept->attrs.fields = attrs;
    kept->ancestors = (struct cedar_ancestor *)(at + id + fields);
    kept->ancestor_cap = cap;
    return kept;
}

bool cedar_entities_add(struct cedar_entities *s, const struct cedar_entity *e, struct err *err)
{
    struct cedar_entity made = {
        .uid = e->uid,
        .attrs = e->attrs.kind == CEDAR_NONE ? cedar_empty_record : e->attrs,
        .tags = e->tags.kind == CEDAR_NONE ? cedar_empty_record : e->tags,
        .parents = e->parents,
        .parent_count = e->parent_count,
        .hash = hash_uid(s->seed, &e->uid),
    };
    if (!check_parents(e, err))
        return false;
    const struct cedar_entity *had = cedar_entities_find_hashed(s, made.hash, &made.uid);
    if (had) {
        if (cedar_value_eq(&had->attrs, &made.attrs) && cedar_value_eq(&had->tags, &made.tags) &&
            same_parents(had, &made))
            return true;
        return err_input(err, "%.*s::\"%.*s\" is there twice, with different content",
                         STR(made.uid.type), STR(made.uid.id));
    }
    if (s->sealed)
        return err_input(err, "the entity store is sealed");
    if (s->count >= CEDAR_ENTITIES_MAX)
        return err_limit(err, "more than %d entities", CEDAR_ENTITIES_MAX);
    insert(s, keep(s, &made));
    return true;
}

/* ---- sealing: ancestors of each, parents first, with a stack of our own ---- */

struct visit {
    struct cedar_entity *entity;
    size_t next; /* parent to look at */
    enum { NEW = 0, OPEN, DONE } state;
    struct visit *below;
};

struct sealing {
    struct cedar_entities *store;
    struct visit **by_slot; /* one for each entity, where the table has it */
    size_t pairs;
};

static int by_hash(const void *a, const void *b)
{
    const struct cedar_ancestor *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return cedar_uid_cmp(x->uid, y->uid);
}

static size_t unique(struct cedar_ancestor *all, size_t n)
{
    size_t kept = n > 0;
    if (n > 1)
        qsort(all, n, sizeof *all, by_hash);
    for (size_t i = 1; i < n; i++) {
        if (by_hash(&all[kept - 1], &all[i]) != 0)
            all[kept++] = all[i];
    }
    return kept;
}

static bool gather(struct sealing *g, struct cedar_entity *e, struct err *err)
{
    const struct cedar_entities *s = g->store;
    size_t most = e->parent_count, n = 0;
    for (size_t i = 0; i < e->parent_count; i++) {
        const struct cedar_entity *parent = cedar_entities_find(s, &e->parents[i]);
        most += parent ? parent->ancestor_count : 0;
    }
    g->pairs += most;
    if (g->pairs > CEDAR_ANCESTORS_MAX)
        return err_limit(err, "the entities have more than %d ancestors together",
                         CEDAR_ANCESTORS_MAX);
    struct cedar_ancestor *all = most <= e->ancestor_cap
                                     ? (struct cedar_ancestor *)e->ancestors
                                     : ARENA_ARRAY(s->arena, struct cedar_ancestor, most);
    for (size_t i = 0; i < e->parent_count; i++) {
        uint64_t hash = hash_uid(s->seed, &e->parents[i]);
        const struct cedar_entity *parent = cedar_entities_find_hashed(s, hash, &e->parents[i]);
        all[n++] = (struct cedar_ancestor){hash, parent ? &parent->uid : &e->parents[i]};
        for (size_t j = 0; parent && j < parent->ancestor_count; j++)
            all[n++] = parent->ancestors[j];
    }
    e->ancestors = all;
    e->ancestor_count = unique(all, n);
    return true;
}

static struct visit *visit_of(const struct sealing *g, const struct cedar_uid *uid)
{
    const struct cedar_entities *s = g->store;
    size_t mask = s->slot_count - 1;
    uint64_t hash = hash_uid(s->seed, uid);
    for (size_t i = hash & mask; s->slots[i].entity; i = (i + 1) & mask) {
        if (s->slots[i].hash == hash && cedar_uid_eq(&s->slots[i].entity->uid, uid))
            return g->by_slot[i];
    }
    return NULL;
}

/* The next parent that is in this store and not done yet; NULL when there is none. */
static struct visit *next_parent(const struct sealing *g, struct visit *v)
{
    while (v->next < v->entity->parent_count) {
        struct visit *parent = visit_of(g, &v->entity->parents[v->next++]);
        if (parent && parent->state != DONE)
            return parent;
    }
    return NULL;
}

static bool close_from(struct sealing *g, struct visit *root, struct err *err)
{
    struct visit *top = root;
    root->state = OPEN;
    while (top) {
        struct visit *parent = next_parent(g, top);
        if (!parent) {
            if (!gather(g, top->entity, err))
                return false;
            top->state = DONE;
            top = top->below;
        } else if (parent->state == OPEN) {
            return err_input(err, "%.*s::\"%.*s\" is its own ancestor",
                             STR(parent->entity->uid.type), STR(parent->entity->uid.id));
        } else {
            parent->state = OPEN;
            parent->below = top;
            top = parent;
        }
    }
    return true;
}

static bool no_parents(const struct cedar_entities *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->items[i]->parent_count)
            return false;
    }
    return true;
}

bool cedar_entities_seal(struct cedar_entities *s, struct err *err)
{
    bool ok = true;
    if (!s->sealed && !no_parents(s)) {
        ARENA_SCOPE struct arena scratch = {0};
        struct sealing g = {.store = s};
        g.by_slot = ARENA_ARRAY(&scratch, struct visit *, s->slot_count);
        struct visit *visits = ARENA_ARRAY(&scratch, struct visit, s->count);
        size_t n = 0;
        for (size_t i = 0; i < s->slot_count; i++) {
            if (!s->slots[i].entity)
                continue;
            visits[n].entity = s->slots[i].entity;
            g.by_slot[i] = &visits[n++];
        }
        for (size_t i = 0; ok && i < n; i++)
            ok = visits[i].state == DONE || close_from(&g, &visits[i], err);
    }
    s->sealed = ok;
    return ok;
}

/* ---- asking ---- */

size_t cedar_ancestors_from(const struct cedar_ancestor *ancestors, size_t n, uint64_t hash)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (ancestors[mid].hash < hash)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool cedar_entity_has_ancestor(const struct cedar_entities *s, const struct cedar_entity *e,
                               const struct cedar_uid *uid)
{
    if (e->ancestor_count == 0)
        return false;
    uint64_t hash = hash_uid(s->seed, uid);
    size_t i = cedar_ancestors_from(e->ancestors, e->ancestor_count, hash);
    for (; i < e->ancestor_count && e->ancestors[i].hash == hash; i++) {
        if (cedar_uid_eq(e->ancestors[i].uid, uid))
            return true;
    }
    return false;
}

bool cedar_entities_in(const struct cedar_entities *s, const struct cedar_uid *a,
                       const struct cedar_uid *b)
{
    if (cedar_uid_eq(a, b))
        return true;
    const struct cedar_entity *e = cedar_entities_find(s, a);
    return e && cedar_entity_has_ancestor(s, e, b);
}

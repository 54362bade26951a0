#include "cedar/partial/vary.h"

#include <assert.h>

/* ---- forgetting ---- */

/* With the ancestors of an entity those of its ancestors must be known. */
static void keep_ancestors(struct partial_entity *all, size_t n, const struct cedar_entities *store)
{
    for (size_t i = 0; i < n; i++) {
        const struct cedar_entity *whole = cedar_entities_find(store, &all[i].uid);
        for (size_t j = 0; all[i].has_parents && j < n; j++)
            if (cedar_entity_has_ancestor(store, whole, &all[j].uid))
                all[j].has_parents = true;
    }
}

static void know_parents(struct arena *a, struct partial_entity *one, const struct cedar_entity *e)
{
    struct cedar_uid *above = ARENA_ARRAY(a, struct cedar_uid, e->ancestor_count);
    for (size_t i = 0; i < e->ancestor_count; i++)
        above[i] = *e->ancestors[i].uid;
    one->parents = above;
    one->parent_count = e->ancestor_count;
}

void vary_forget(struct testgen *g, const struct vary *how, struct arena *a,
                 const struct cedar_request *req, const struct cedar_entities *store,
                 struct partial_request *partial, struct partial_entities *out)
{
    struct partial_entity *all = ARENA_ARRAY(a, struct partial_entity, store->count);
    struct err err;
    size_t n = 0;
    *partial = (struct partial_request){
        .principal = {req->principal.type, req->principal.id, !testgen_chance(g, how->principal)},
        .resource = {req->resource.type, req->resource.id, !testgen_chance(g, how->resource)},
        .action = req->action,
        .context = testgen_chance(g, how->context) ? NULL
                   : req->context                  ? req->context
                                                   : &cedar_empty_record};
    for (size_t i = 0; i < store->count; i++) {
        const struct cedar_entity *e = store->items[i];
        if (schema_is_action_type(e->uid.type) || testgen_chance(g, how->entity))
            continue;
        all[n++] = (struct partial_entity){
            .uid = e->uid,
            .attrs = testgen_chance(g, how->part) ? NULL : &e->attrs,
            .tags = testgen_chance(g, how->part) ? NULL : &e->tags,
            .has_parents = !testgen_chance(g, how->part),
        };
    }
    keep_ancestors(all, n, store);
    partial_entities_init(out, a, g->schema);
    for (size_t i = 0; i < n; i++) {
        if (all[i].has_parents)
            know_parents(a, &all[i], cedar_entities_find(store, &all[i].uid));
        assert(partial_entities_add(out, &all[i], &err));
    }
    assert(partial_entities_seal(out, &err));
}

/* ---- completing ---- */

static const struct partial_entity *known_of(const struct partial_entities *known,
                                             const struct cedar_uid *uid)
{
    for (size_t i = 0; i < known->count; i++)
        if (cedar_uid_eq(&known->items[i].uid, uid))
            return &known->items[i];
    return NULL;
}

/* Whether it stands above one whose ancestors are all known. */
static bool is_above(const struct partial_entities *known, const struct cedar_uid *uid)
{
    for (size_t i = 0; i < known->tree.count; i++)
        if (cedar_entity_has_ancestor(&known->tree, known->tree.items[i], uid))
            return true;
    return false;
}

static void agree(struct cedar_entity *e, const struct partial_entities *known)
{
    const struct partial_entity *k = known_of(known, &e->uid);
    if (k && k->attrs)
        e->attrs = *k->attrs;
    if (k && k->tags)
        e->tags = *k->tags;
    if (k && k->has_parents) {
        e->parents = k->parents;
        e->parent_count = k->parent_count;
    } else if (is_above(known, &e->uid)) {
        e->parent_count = 0;
    }
}

static bool covers(const struct cedar_entities random[2], const struct partial_entities *known)
{
    for (size_t i = 0; i < known->count; i++)
        if (!cedar_entities_find(&random[0], &known->items[i].uid) &&
            !cedar_entities_find(&random[1], &known->items[i].uid))
            return false;
    return true;
}

static void add_one(struct cedar_entities *store, const struct cedar_entity *from,
                    const struct partial_entities *known)
{
    struct cedar_entity e = *from;
    struct err err;
    agree(&e, known);
    assert(cedar_entities_add(store, &e, &err));
}

/* What is known is there; the rest is as testgen would have it, or not there. */
static void complete_store(struct testgen *g, struct arena *a, const struct partial_entities *known,
                           struct cedar_entities *store)
{
    struct cedar_entities random[2];
    struct err err;
    cedar_entities_init(store, a, NULL, 12345);
    testgen_entities(g, a, &random[0]);
    do
        testgen_entities(g, a, &random[1]);
    while (!covers(random, known));
    for (size_t i = 0; i < random[0].count; i++)
        add_one(store, random[0].items[i], known);
    for (size_t i = 0; i < known->count; i++)
        if (!cedar_entities_find(&random[0], &known->items[i].uid))
            add_one(store, cedar_entities_find(&random[1], &known->items[i].uid), known);
    assert(cedar_entities_seal(store, &err));
}

void vary_complete(struct testgen *g, struct arena *a, const struct partial_request *partial,
                   const struct partial_entities *known, struct cedar_request *req,
                   struct cedar_entities *store)
{
    *req = testgen_request(g, a);
    if (partial->principal.has_id)
        req->principal.id = partial->principal.id;
    if (partial->resource.has_id)
        req->resource.id = partial->resource.id;
    if (partial->context)
        req->context = partial->context;
    complete_store(g, a, known, store);
}

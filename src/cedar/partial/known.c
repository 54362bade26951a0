/* What is known of requests and entities: taken in, held against the schema, looked up. */
#include <stdlib.h>

#include "cedar/check/conform.h"
#include "cedar/partial/residue.h"
#include "cedar/schema/typed_json.h"

/* ---- entities ---- */

void partial_entities_init(struct partial_entities *e, struct arena *a, const struct schema *s)
{
    *e = (struct partial_entities){.arena = a, .schema = s};
    cedar_entities_init(&e->tree, a, NULL, 0);
}

static bool add_action(const struct partial_entities *e, const struct partial_entity *one,
                       struct err *err)
{
    const struct schema_action *x = schema_action(e->schema, &one->uid);
    str id = str_take(one->uid.id, 80);
    if (!x)
        return err_input(err, "the schema has no action \"%.*s\"", STR(id));
    bool same =
        one->attrs && one->attrs->n == 0 && one->tags && one->tags->n == 0 && one->has_parents;
    size_t direct = 0;
    for (size_t i = 0; same && i < one->parent_count; i++) {
        const struct schema_action *y = schema_action(e->schema, &one->parents[i]);
        same = y && schema_set_has(x->ancestors, y->index);
        direct += same && schema_set_has(x->parents, y->index);
    }
    return (same && direct >= x->parents.count) ||
           err_input(err, "action \"%.*s\" differs from its declaration", STR(id));
}

static bool conforms(const struct schema *s, const struct cedar_entity *e, unsigned parts,
                     struct err *err)
{
    struct conform_fault fault;
    return conform_entity_parts(s, e, parts, &fault) || err_input(err, "%s", fault.text);
}

static bool is_record(const struct cedar_value *v)
{
    return !v || v->kind == CEDAR_RECORD;
}

bool partial_entities_add(struct partial_entities *e, const struct partial_entity *one,
                          struct err *err)
{
    struct cedar_entity whole = {.uid = one->uid};
    unsigned parts = (one->attrs ? CONFORM_ATTRS : 0) | (one->tags ? CONFORM_TAGS : 0);
    if (schema_is_action_type(one->uid.type))
        return add_action(e, one, err);
    if (!is_record(one->attrs) || !is_record(one->tags))
        return err_input(err, "attributes and tags of an entity are records");
    whole.attrs = one->attrs ? *one->attrs : (struct cedar_value){0};
    whole.tags = one->tags ? *one->tags : (struct cedar_value){0};
    if (!conforms(e->schema, &whole, parts, err))
        return false;
    if (e->count == CEDAR_ENTITIES_MAX)
        return err_limit(err, "over %d entities", CEDAR_ENTITIES_MAX);
    struct cedar_entity node = {
        .uid = one->uid, .parents = one->parents, .parent_count = one->parent_count};
    if (one->has_parents && !cedar_entities_add(&e->tree, &node, err))
        return false;
    ARENA_GROW(e->arena, e->items, e->count, e->cap);
    e->items[e->count++] = *one;
    return true;
}

static int by_uid(const void *x, const void *y)
{
    return cedar_uid_cmp(&((const struct partial_entity *)x)->uid,
                         &((const struct partial_entity *)y)->uid);
}

static const struct partial_entity *find(const struct partial_entities *e,
                                         const struct cedar_uid *uid)
{
    struct partial_entity key = {.uid = *uid};
    return e->count ? bsearch(&key, e->items, e->count, sizeof key, by_uid) : NULL;
}

/* An ancestor is certain only if all ancestors of what leads to it are. Each entity that leads to
 * one is a node too, so it is enough to look at parents. */
static bool check_ancestors(const struct partial_entities *e, const struct cedar_entity *node,
                            struct err *err)
{
    if (!conforms(e->schema, node, CONFORM_ANCESTORS, err))
        return false;
    for (size_t i = 0; i < node->parent_count; i++) {
        const struct partial_entity *above = find(e, &node->parents[i]);
        if (above && !above->has_parents)
            return err_input(err,
                             "the ancestors of %.*s::\"%.*s\" are given and those of its parent "
                             "%.*s::\"%.*s\" are unknown: give both or neither",
                             STR(node->uid.type), STR(str_take(node->uid.id, 80)),
                             STR(above->uid.type), STR(str_take(above->uid.id, 80)));
    }
    return true;
}

bool partial_entities_seal(struct partial_entities *e, struct err *err)
{
    if (e->count > 1)
        qsort(e->items, e->count, sizeof *e->items, by_uid);
    for (size_t i = 1; i < e->count; i++)
        if (cedar_uid_eq(&e->items[i - 1].uid, &e->items[i].uid))
            return err_input(err, "%.*s::\"%.*s\" is given twice", STR(e->items[i].uid.type),
                             STR(str_take(e->items[i].uid.id, 80)));
    if (!cedar_entities_seal(&e->tree, err))
        return false;
    for (size_t i = 0; i < e->tree.count; i++)
        if (!check_ancestors(e, e->tree.items[i], err))
            return false;
    e->sealed = true;
    return true;
}

bool partial_entities_whole(struct partial_entities *e, const struct schema *s,
                            const struct cedar_entities *store, struct err *err)
{
    struct conform_fault fault;
    for (const struct cedar_entities *at = store; at; at = at->base) {
        if (!at->sealed)
            return err_input(err, "the entity store is not sealed");
        for (size_t i = 0; i < at->count; i++)
            if (!conform_entity(s, at->items[i], &fault))
                return err_input(err, "%s", fault.text);
    }
    *e = (struct partial_entities){.schema = s, .whole = store, .sealed = true};
    return true;
}

/* ---- look-ups ---- */

const struct cedar_value *known_attrs(const struct partial_entities *e, const struct cedar_uid *uid)
{
    if (schema_is_action_type(uid->type))
        return &cedar_empty_record;
    if (e->whole) {
        const struct cedar_entity *one = cedar_entities_find(e->whole, uid);
        return one ? &one->attrs : &cedar_empty_record;
    }
    const struct partial_entity *one = find(e, uid);
    return one ? one->attrs : NULL;
}

const struct cedar_value *known_tags(const struct partial_entities *e, const struct cedar_uid *uid)
{
    if (schema_is_action_type(uid->type))
        return &cedar_empty_record;
    if (e->whole) {
        const struct cedar_entity *one = cedar_entities_find(e->whole, uid);
        return one ? &one->tags : &cedar_empty_record;
    }
    const struct partial_entity *one = find(e, uid);
    return one ? one->tags : NULL;
}

bool known_exists(const struct partial_entities *e, const struct cedar_uid *uid)
{
    return e->whole ? cedar_entities_find(e->whole, uid) != NULL : find(e, uid) != NULL;
}

static bool can_be_in(const struct schema *s, str x, str y)
{
    const struct schema_etype *xt = schema_etype(s, x), *yt = schema_etype(s, y);
    return xt && yt && schema_etype_can_be_in(s, xt->index, yt->index);
}

enum tri known_in(const struct partial_entities *e, const struct cedar_uid *x,
                  const struct cedar_uid *y)
{
    if (cedar_uid_eq(x, y))
        return TRI_YES;
    if (schema_is_action_type(x->type)) {
        const struct schema_action *xa = schema_action(e->schema, x);
        const struct schema_action *ya = schema_action(e->schema, y);
        return xa && ya && schema_action_is_in(xa, ya) ? TRI_YES : TRI_NO;
    }
    if (e->whole)
        return cedar_entities_in(e->whole, x, y) ? TRI_YES : TRI_NO;
    const struct partial_entity *one = find(e, x);
    if (one && one->has_parents)
        return cedar_entities_in(&e->tree, x, y) ? TRI_YES : TRI_NO;
    return can_be_in(e->schema, x->type, y->type) ? TRI_UNKNOWN : TRI_NO;
}

/* ---- requests ---- */

static bool check_side(const struct schema *s, const struct partial_uid *uid,
                       struct schema_set types, const struct schema_action *x, const char *side,
                       struct err *err)
{
    const struct schema_etype *e = schema_etype(s, uid->type);
    if (!e || e->is_action)
        return err_input(err, "the schema has no entity type `%.*s` for the %s",
                         STR(str_take(uid->type, 120)), side);
    if (!schema_set_has(types, e->index))
        return err_input(err, "action \"%.*s\" does not apply to a %s of type `%.*s`",
                         STR(str_take(x->uid.id, 80)), side, STR(str_take(e->name, 120)));
    if (uid->has_id && e->is_enum && !map_get(&e->ids, uid->id))
        return err_input(err, "%s: `%.*s` has no entity \"%.*s\"", side, STR(e->name),
                         STR(str_take(uid->id, 80)));
    return true;
}

bool known_request_check(const struct schema *s, const struct partial_request *req, struct err *err)
{
    struct conform_fault fault;
    const struct schema_action *x = schema_action(s, &req->action);
    if (!x)
        return err_input(err, "the schema has no action %.*s::\"%.*s\"",
                         STR(str_take(req->action.type, 120)), STR(str_take(req->action.id, 80)));
    if (!check_side(s, &req->principal, x->principals, x, "principal", err) ||
        !check_side(s, &req->resource, x->resources, x, "resource", err))
        return false;
    if (req->context && !conform_value(s, x->context, req->context, &fault))
        return err_input(err, "context%s", fault.text);
    return true;
}

/* ---- agreement with what is whole ---- */

static bool agrees_uid(const struct partial_uid *known, const struct cedar_uid *uid)
{
    return str_eq(known->type, uid->type) && (!known->has_id || str_eq(known->id, uid->id));
}

static bool same_ancestors(const struct cedar_entities *xs, const struct cedar_entity *x,
                           const struct cedar_entities *ys, const struct cedar_entity *y)
{
    bool same = x->ancestor_count == y->ancestor_count;
    for (size_t i = 0; same && i < x->ancestor_count; i++)
        same = cedar_entity_has_ancestor(ys, y, x->ancestors[i].uid);
    return same;
}

static bool agrees_entity(const struct partial_entities *known, const struct partial_entity *one,
                          const struct cedar_entities *store, struct err *err)
{
    const struct cedar_entity *found = cedar_entities_find(store, &one->uid);
    const struct cedar_entity *node =
        one->has_parents ? cedar_entities_find(&known->tree, &one->uid) : NULL;
    bool same = found && (!one->attrs || cedar_value_eq(one->attrs, &found->attrs)) &&
                (!one->tags || cedar_value_eq(one->tags, &found->tags)) &&
                (!node || same_ancestors(&known->tree, node, store, found));
    return same ||
           err_input(err, "%.*s::\"%.*s\" %s", STR(one->uid.type), STR(str_take(one->uid.id, 80)),
                     found ? "differs from what was known of it"
                           : "was known and is missing from the store");
}

static size_t count_all(const struct cedar_entities *s)
{
    size_t n = 0;
    for (; s; s = s->base)
        n += s->count;
    return n;
}

static bool agrees_whole(const struct cedar_entities *known, const struct cedar_entities *store,
                         struct err *err)
{
    if (known == store)
        return true;
    if (count_all(known) != count_all(store))
        return err_input(err, "the store holds other entities than were known");
    for (const struct cedar_entities *at = known; at; at = at->base) {
        for (size_t i = 0; i < at->count; i++) {
            const struct cedar_entity *x = at->items[i];
            const struct cedar_entity *y = cedar_entities_find(store, &x->uid);
            if (!y || !cedar_value_eq(&x->attrs, &y->attrs) ||
                !cedar_value_eq(&x->tags, &y->tags) || !same_ancestors(known, x, store, y))
                return err_input(err, "%.*s::\"%.*s\" differs from what was known of it",
                                 STR(x->uid.type), STR(str_take(x->uid.id, 80)));
        }
    }
    return true;
}

/* An action that is in no group may be missing: nothing can be told from that. */
static bool agrees_actions(const struct schema *s, const struct cedar_entities *store,
                           struct err *err)
{
    for (size_t i = 0; i < s->action_count; i++) {
        const struct schema_action *x = &s->actions[i];
        if (x->ancestors.count && !cedar_entities_find(store, &x->uid))
            return err_input(err, "action \"%.*s\" is missing from the store",
                             STR(str_take(x->uid.id, 80)));
    }
    return true;
}

bool known_agrees(const struct partial_answer *answer, const struct cedar_request *req,
                  const struct cedar_entities *entities, struct err *err)
{
    const struct schema *s = answer->schema;
    const struct partial_request *known = answer->request;
    const struct cedar_value *context = req->context ? req->context : &cedar_empty_record;
    struct conform_fault fault;
    struct partial_entities whole;
    if (!conform_request(s, &req->principal, &req->action, &req->resource, context, &fault))
        return err_input(err, "%s", fault.text);
    if (!agrees_uid(&known->principal, &req->principal) ||
        !agrees_uid(&known->resource, &req->resource) ||
        !cedar_uid_eq(&known->action, &req->action) ||
        (known->context && !cedar_value_eq(known->context, context)))
        return err_input(err, "the request differs from what was known of it");
    if (!partial_entities_whole(&whole, s, entities, err) || !agrees_actions(s, entities, err))
        return false;
    if (answer->entities->whole)
        return agrees_whole(answer->entities->whole, entities, err);
    for (size_t i = 0; i < answer->entities->count; i++)
        if (!agrees_entity(answer->entities, &answer->entities->items[i], entities, err))
            return false;
    return true;
}

#include "cedar/schema/schema.h"
#include "cedar/schema/schema_resolve.h"

#include <stdlib.h>

/* ---- from references to sets ---- */

static int by_number(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

static struct schema_set as_set(uint32_t *items, size_t n)
{
    size_t kept = 0;
    if (n > 1)
        qsort(items, n, sizeof *items, by_number);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || items[kept - 1] != items[i])
            items[kept++] = items[i];
    return (struct schema_set){items, kept};
}

static struct schema_set entity_set(struct resolver *r, str space, struct raw_refs *refs)
{
    uint32_t *items = ARENA_ARRAY(r->a, uint32_t, refs->count);
    size_t n = 0;
    for (struct raw_ref *ref = refs->first; ref; ref = ref->next) {
        const struct schema_etype *e = schema_resolve_entity(r, space, &ref->name);
        if (e)
            items[n++] = e->index;
    }
    return as_set(items, n);
}

/* The action that a reference means: like any name, its own namespace first. */
static const struct schema_action *find_action(struct resolver *r, str space,
                                               const struct raw_ref *ref)
{
    str type = ref->name.text.n ? ref->name.text : S("Action");
    struct cedar_uid uid = {type, ref->id};
    if (space.n && !ref->name.qualified) {
        struct cedar_uid own = {schema_full_name(r->a, space, type), ref->id};
        if (schema_action(r->s, &own))
            return schema_action(r->s, &own);
    }
    return schema_action(r->s, &uid);
}

static struct schema_set action_set(struct resolver *r, str space, struct raw_refs *refs)
{
    uint32_t *items = ARENA_ARRAY(r->a, uint32_t, refs->count);
    size_t n = 0;
    for (struct raw_ref *ref = refs->first; ref; ref = ref->next) {
        const struct schema_action *x = find_action(r, space, ref);
        if (!x) {
            finding_add(r->d, FIND_SCHEMA_UNKNOWN_ACTION, ref->span, "there is no action `%.*s`",
                        STR(str_take(ref->id, 80)));
            continue;
        }
        items[n++] = x->index;
        ref->name.full = x->uid.type;
    }
    return as_set(items, n);
}

/* ---- the bodies of declarations ---- */

/* An attribute record of an entity type, or a context; keeps the empty one when there is an error.
 */
static void resolve_record(struct resolver *r, const struct raw_decl *d, const struct ctype **out)
{
    if (!d->shape)
        return;
    const struct ctype *t = schema_resolve_type(r, d->space, d->shape).type;
    if (t && t->kind != CTYPE_RECORD)
        finding_add(r->d, FIND_SCHEMA_NOT_RECORD, d->shape->span, "the %s must be a record",
                    d->kind == RAW_ACTION ? "context" : "shape");
    else if (t)
        *out = t;
}

/* One declaration of several names is resolved once; the names share the result. */
static void resolve_entities(struct resolver *r)
{
    struct raw_decl *last = NULL;
    for (size_t i = 0; i < r->s->etype_count; i++) {
        struct schema_etype *e = &r->s->etypes[i];
        struct raw_decl *d = r->etype_decls[i];
        if (!d)
            continue;
        if (d == last) {
            e->shape = e[-1].shape;
            e->tags = e[-1].tags;
            e->parents = e[-1].parents;
            continue;
        }
        last = d;
        resolve_record(r, d, &e->shape);
        if (d->tags)
            e->tags = schema_resolve_type(r, d->space, d->tags).type;
        e->parents = entity_set(r, d->space, &d->parents);
    }
}

static void resolve_actions(struct resolver *r)
{
    struct raw_decl *last = NULL;
    for (size_t i = 0; i < r->s->action_count; i++) {
        struct schema_action *x = &r->s->actions[i];
        struct raw_decl *d = r->action_decls[i];
        if (d == last) {
            x->principals = x[-1].principals;
            x->resources = x[-1].resources;
            x->context = x[-1].context;
            x->parents = x[-1].parents;
            continue;
        }
        last = d;
        resolve_record(r, d, &x->context);
        x->principals = entity_set(r, d->space, &d->principals);
        x->resources = entity_set(r, d->space, &d->resources);
        x->parents = action_set(r, d->space, &d->parents);
    }
}

static void resolve_commons(struct resolver *r)
{
    for (struct common_def *c = r->first_common; c; c = c->next) {
        struct raw_type by_name = {
            .kind = RAW_COMMON_NAME,
            .span = c->ref->span,
            .name = {.text = c->name, .span = c->ref->span, .qualified = true}};
        (void)schema_resolve_type(r, (str){0}, &by_name);
    }
}

static void check_envs(struct resolver *r)
{
    uint64_t envs = 0;
    for (size_t i = 0; i < r->s->action_count; i++) {
        const struct schema_action *x = &r->s->actions[i];
        envs += (uint64_t)x->principals.count * x->resources.count;
        if (envs <= SCHEMA_ENVS_MAX)
            continue;
        finding_add(r->d, FIND_SCHEMA_LIMIT, x->span,
                    "over %d combinations of principal type, action and resource type",
                    SCHEMA_ENVS_MAX);
        return;
    }
}

static void free_maps(void *arg)
{
    struct schema *s = arg;
    for (size_t i = 0; i < s->etype_count; i++)
        map_fini(&s->etypes[i].ids);
    map_fini(&s->by_name);
}

bool schema_resolve(struct arena *a, struct raw_schema *tree, str text, struct schema **out,
                    struct cedar_diags *d)
{
    size_t errors = d->errors;
    struct schema *s = ARENA_NEW(a, struct schema);
    s->text = text;
    arena_on_reset(a, free_maps, s);
    struct resolver r = {.a = a, .d = d, .s = s, .quiet = tree->from_json};
    schema_declare(&r, tree);
    resolve_commons(&r);
    resolve_entities(&r);
    resolve_actions(&r);
    if (d->errors == errors) {
        schema_close(&r);
        check_envs(&r);
    }
    map_fini(&r.commons);
    if (d->errors != errors)
        return false;
    *out = s;
    return true;
}

bool schema_tree_read(struct arena *a, str text, struct raw_schema *tree, const struct schema **out,
                      struct cedar_diags *d)
{
    struct schema *s;
    if (!schema_parse(a, text, tree, d) || !schema_resolve(a, tree, text, &s, d))
        return false;
    *out = s;
    return true;
}

bool schema_read(struct arena *a, str text, const struct schema **out, struct cedar_diags *d)
{
    struct raw_schema tree;
    return schema_tree_read(a, text, &tree, out, d);
}

/* ---- questions ---- */

const struct schema_etype *schema_etype(const struct schema *s, str name)
{
    return map_get(&s->by_name, name);
}

const struct schema_action *schema_action(const struct schema *s, const struct cedar_uid *uid)
{
    const struct schema_etype *e = map_get(&s->by_name, uid->type);
    return e && e->is_action ? map_get(&e->ids, uid->id) : NULL;
}

str schema_etype_name(const struct schema *s, uint32_t etype)
{
    return s && etype < s->etype_count ? s->etypes[etype].name : S("?");
}

bool schema_set_has(struct schema_set s, uint32_t n)
{
    size_t lo = 0, hi = s.count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s.items[mid] == n)
            return true;
        if (s.items[mid] < n)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

bool schema_action_is_in(const struct schema_action *x, const struct schema_action *y)
{
    return x == y || schema_set_has(x->ancestors, y->index);
}

static bool action_type_can_be_in(const struct schema *s, uint32_t x, uint32_t y)
{
    for (size_t i = 0; i < s->action_count; i++) {
        const struct schema_action *member = &s->actions[i];
        for (size_t j = 0; member->etype->index == x && j < member->ancestors.count; j++)
            if (s->actions[member->ancestors.items[j]].etype->index == y)
                return true;
    }
    return false;
}

bool schema_etype_can_be_in(const struct schema *s, uint32_t x, uint32_t y)
{
    if (x == y || schema_set_has(s->etypes[x].ancestors, y))
        return true;
    return s->etypes[x].is_action && s->etypes[y].is_action && action_type_can_be_in(s, x, y);
}

bool schema_is_action_type(str type)
{
    return str_eq(cedar_name_base(type), S("Action"));
}

#include "cedar/policy/link.h"

#include "base/map.h"

/* ---- templates ---- */

static bool fill(struct arena *a, const struct cedar_policy *tmpl, enum cedar_var var,
                 const struct cedar_uid *value, struct cedar_scope *scope, struct err *err)
{
    const char *name = cedar_var_names[var];
    if (!scope->slot && !value)
        return true;
    if (!scope->slot)
        return err_input(err, "template `%.*s` has no slot ?%s to be filled", STR(tmpl->id), name);
    if (!value)
        return err_input(err, "template `%.*s` needs a value for ?%s", STR(tmpl->id), name);
    scope->uids = ARENA_NEW(a, struct cedar_uid_at);
    scope->uids[0] = (struct cedar_uid_at){*value, scope->span};
    scope->uid_count = 1;
    scope->slot = CEDAR_SLOT_NONE;
    return true;
}

bool cedar_link(struct arena *a, const struct cedar_policy *tmpl, str id,
                const struct cedar_uid *principal, const struct cedar_uid *resource,
                struct cedar_policy *out, struct err *err)
{
    struct cedar_policy made = *tmpl;
    if (!tmpl->is_template)
        return err_input(err, "policy `%.*s` is no template: it has no slots", STR(tmpl->id));
    if (!fill(a, tmpl, CEDAR_PRINCIPAL, principal, &made.scope[CEDAR_PRINCIPAL], err) ||
        !fill(a, tmpl, CEDAR_RESOURCE, resource, &made.scope[CEDAR_RESOURCE], err))
        return false;
    made.id = id;
    made.template_id = tmpl->id.p ? tmpl->id : S("");
    made.is_template = false;
    *out = made;
    return true;
}

/* ---- lists ---- */

static void forget_ids(void *ids)
{
    map_fini(ids);
}

static bool enter_id(struct map *ids, str id, size_t number)
{
    if (map_get(ids, id))
        return false;
    map_put(ids, id, (void *)(uintptr_t)(number + 1));
    return true;
}

static bool refuse_twice(str id, struct err *err)
{
    return err_input(err, "two policies have the id `%.*s`", STR(id));
}

/* The list may have come from a reader, which keeps no index. */
static bool index_ids(struct arena *a, struct cedar_policies *list, struct err *err)
{
    struct map *ids = ARENA_NEW(a, struct map);
    arena_on_reset(a, forget_ids, ids);
    for (size_t i = 0; i < list->count; i++) {
        if (!enter_id(ids, list->items[i].id, i))
            return refuse_twice(list->items[i].id, err);
    }
    list->ids = ids;
    return true;
}

bool cedar_policies_add(struct arena *a, struct cedar_policies *list,
                        const struct cedar_policy *policy, struct err *err)
{
    enum { FIRST_CAP = 8 };
    if (!list->ids && !index_ids(a, list, err))
        return false;
    if (!enter_id(list->ids, policy->id, list->count))
        return refuse_twice(policy->id, err);
    if (list->count >= list->cap) {
        size_t cap = list->count ? list->count * 2 : FIRST_CAP;
        struct cedar_policy *items = ARENA_ARRAY(a, struct cedar_policy, cap);
        if (list->count)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = *policy;
    return true;
}

const struct cedar_policy *cedar_policies_find(const struct cedar_policies *list, str id)
{
    if (list->ids) {
        uintptr_t number = (uintptr_t)map_get(list->ids, id);
        return number ? &list->items[number - 1] : NULL;
    }
    for (size_t i = 0; i < list->count; i++) {
        if (str_eq(list->items[i].id, id))
            return &list->items[i];
    }
    return NULL;
}

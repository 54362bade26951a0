#include "cedar/schema/schema_same.h"

struct two {
    struct arena *a;
    const struct schema *x, *y;
    str *why;
};

static bool differ(struct two *t, const char *what, str where)
{
    *t->why = str_fmt(t->a, "%s of %.*s", what, STR(where));
    return false;
}

static bool same_etype(const struct two *t, uint32_t x, uint32_t y)
{
    return str_eq(schema_etype_name(t->x, x), schema_etype_name(t->y, y));
}

static bool same_type(const struct two *t, const struct ctype *x, const struct ctype *y)
{
    if (!x || !y)
        return x == y;
    if (x->kind != y->kind || x->n != y->n || x->open != y->open)
        return false;
    if (x->kind == CTYPE_SET)
        return same_type(t, x->elem, y->elem);
    if (x->kind == CTYPE_ENTITY)
        return x->n == 1 && same_etype(t, x->etypes[0], y->etypes[0]);
    if (x->kind == CTYPE_EXT)
        return x->ext == y->ext;
    for (uint32_t i = 0; x->kind == CTYPE_RECORD && i < x->n; i++)
        if (!str_eq(x->attrs[i].name, y->attrs[i].name) ||
            x->attrs[i].required != y->attrs[i].required ||
            !same_type(t, x->attrs[i].type, y->attrs[i].type))
            return false;
    return true;
}

static bool same_types_set(const struct two *t, struct schema_set x, struct schema_set y)
{
    for (size_t i = 0; i < x.count; i++) {
        const struct schema_etype *e = schema_etype(t->y, schema_etype_name(t->x, x.items[i]));
        if (!e || !schema_set_has(y, e->index))
            return false;
    }
    return x.count == y.count;
}

static bool same_actions_set(const struct two *t, struct schema_set x, struct schema_set y)
{
    for (size_t i = 0; i < x.count; i++) {
        const struct schema_action *other = schema_action(t->y, &t->x->actions[x.items[i]].uid);
        if (!other || !schema_set_has(y, other->index))
            return false;
    }
    return x.count == y.count;
}

static bool same_notes(const struct cedar_annotation *x, size_t xn,
                       const struct cedar_annotation *y, size_t yn)
{
    for (size_t i = 0; i < xn; i++) {
        size_t j = 0;
        while (j < yn && !str_eq(x[i].name, y[j].name))
            j++;
        if (j == yn || !str_eq(x[i].value, y[j].value))
            return false;
    }
    return xn == yn;
}

static bool same_ids(const struct schema_etype *x, const struct schema_etype *y)
{
    str id;
    void *ignored;
    for (size_t i = 0; map_next(&x->ids, &i, &id, &ignored);)
        if (!map_get(&y->ids, id))
            return false;
    return map_count(&x->ids) == map_count(&y->ids);
}

static bool same_entity(struct two *t, const struct schema_etype *x)
{
    const struct schema_etype *y = schema_etype(t->y, x->name);
    if (!y || x->is_action != y->is_action || x->is_enum != y->is_enum)
        return differ(t, "the kind", x->name);
    if (!same_type(t, x->shape, y->shape))
        return differ(t, "the attributes", x->name);
    if (!same_type(t, x->tags, y->tags))
        return differ(t, "the tags", x->name);
    if (!same_ids(x, y))
        return differ(t, "the ids", x->name);
    if (!same_types_set(t, x->parents, y->parents) ||
        !same_types_set(t, x->ancestors, y->ancestors))
        return differ(t, "the parents", x->name);
    return same_notes(x->annotations, x->annotation_count, y->annotations, y->annotation_count) ||
           differ(t, "the annotations", x->name);
}

static bool is_group(const struct schema_action *x)
{
    return x->principals.count == 0 || x->resources.count == 0;
}

static bool same_action(struct two *t, const struct schema_action *x)
{
    const struct schema_action *y = schema_action(t->y, &x->uid);
    if (!y || is_group(x) != is_group(y))
        return differ(t, "the kind", x->uid.id);
    if (!is_group(x) && (!same_types_set(t, x->principals, y->principals) ||
                         !same_types_set(t, x->resources, y->resources)))
        return differ(t, "what applies", x->uid.id);
    if (!is_group(x) && !same_type(t, x->context, y->context))
        return differ(t, "the context", x->uid.id);
    if (!same_actions_set(t, x->parents, y->parents) ||
        !same_actions_set(t, x->ancestors, y->ancestors))
        return differ(t, "the groups", x->uid.id);
    return same_notes(x->annotations, x->annotation_count, y->annotations, y->annotation_count) ||
           differ(t, "the annotations", x->uid.id);
}

bool schema_same(struct arena *a, const struct schema *x, const struct schema *y, str *why)
{
    struct two t = {a, x, y, why};
    if (x->etype_count != y->etype_count)
        return differ(&t, "the number", S("entity types"));
    if (x->action_count != y->action_count)
        return differ(&t, "the number", S("actions"));
    for (size_t i = 0; i < x->etype_count; i++)
        if (!same_entity(&t, &x->etypes[i]))
            return false;
    for (size_t i = 0; i < x->action_count; i++)
        if (!same_action(&t, &x->actions[i]))
            return false;
    return true;
}

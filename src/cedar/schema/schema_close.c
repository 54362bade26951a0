/* Closures of the two hierarchies: from "direct parents" to "all ancestors", by a walk from each
 * node. Schemas are shallow; dense ones run into SCHEMA_CLOSURE_MAX. */
#include <stdlib.h>

#include "cedar/schema/schema_resolve.h"

struct graph {
    struct arena *a;
    uint32_t count;
    struct schema_set (*parents)(const struct schema *s, uint32_t i);
    const struct schema *s;
    uint32_t *seen;  /* by node: the walk (from 1) that met it last */
    uint32_t *stack; /* of one walk; every node is pushed at most once */
    size_t steps;
};

static struct schema_set etype_parents(const struct schema *s, uint32_t i)
{
    return s->etypes[i].parents;
}

static struct schema_set action_parents(const struct schema *s, uint32_t i)
{
    return s->actions[i].parents;
}

static int by_number(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

/* False when the walk would be too long. */
static bool ancestors(struct graph *g, uint32_t from, struct schema_set *out)
{
    size_t top = 0;
    uint32_t at = from;
    for (size_t next = 0;; at = g->stack[next++]) {
        struct schema_set ps = g->parents(g->s, at);
        g->steps += ps.count + 1;
        if (g->steps > SCHEMA_CLOSURE_MAX)
            return false;
        for (size_t i = 0; i < ps.count; i++) {
            if (g->seen[ps.items[i]] == from + 1)
                continue;
            g->seen[ps.items[i]] = from + 1;
            g->stack[top++] = ps.items[i];
        }
        if (next == top)
            break;
    }
    uint32_t *items = top ? arena_dup(g->a, g->stack, top * sizeof *items) : NULL;
    if (top > 1)
        qsort(items, top, sizeof *items, by_number);
    *out = (struct schema_set){items, top};
    return true;
}

static struct graph graph_of(struct resolver *r, size_t count,
                             struct schema_set (*parents)(const struct schema *, uint32_t))
{
    return (struct graph){.a = r->a,
                          .s = r->s,
                          .count = (uint32_t)count,
                          .parents = parents,
                          .seen = ARENA_ARRAY(r->a, uint32_t, count),
                          .stack = ARENA_ARRAY(r->a, uint32_t, count)};
}

static void too_long(struct resolver *r, struct cedar_span span)
{
    finding_add(r->d, FIND_SCHEMA_LIMIT, span, "the hierarchy takes over %d steps to walk",
                SCHEMA_CLOSURE_MAX);
}

void schema_close(struct resolver *r)
{
    struct schema *s = r->s;
    struct graph types = graph_of(r, s->etype_count, etype_parents);
    for (uint32_t i = 0; i < types.count; i++) {
        if (!ancestors(&types, i, &s->etypes[i].ancestors)) {
            too_long(r, s->etypes[i].span);
            return;
        }
    }
    struct graph actions = graph_of(r, s->action_count, action_parents);
    for (uint32_t i = 0; i < actions.count; i++) {
        struct schema_action *x = &s->actions[i];
        for (size_t k = 0; k < x->parents.count; k++)
            s->actions[x->parents.items[k]].has_members = true;
        if (!ancestors(&actions, i, &x->ancestors)) {
            too_long(r, x->span);
            return;
        }
        if (schema_set_has(x->ancestors, i))
            finding_add(r->d, FIND_SCHEMA_CYCLE, x->span,
                        "action `%.*s` is, through its groups, a member of itself",
                        STR(str_take(x->uid.id, 80)));
    }
}

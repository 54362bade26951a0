#include "cedar/partial/residue.h"

static void push(struct chain *c, struct residue x)
{
    if (c->count == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 4;
        struct residue *bigger = ARENA_ARRAY(c->v->arena, struct residue, c->cap);
        if (c->count)
            memcpy(bigger, c->kids, c->count * sizeof *bigger);
        c->kids = bigger;
    }
    c->kids[c->count++] = x;
}

/* The value that ends the chain makes what stands before it needless, as far as that cannot fail.
 */
static void end_with(struct chain *c, struct residue last)
{
    while (c->count > 0 && !c->kids[c->count - 1].may_fail)
        c->count--;
    push(c, last);
    c->ended = true;
}

void chain_add(struct chain *c, struct residue x, unsigned kind)
{
    bool stop = c->kind == CEDAR_E_OR;
    if (c->ended)
        return;
    if (residue_is_known(x)) {
        if (x.e->value.b == stop)
            end_with(c, x);
        return;
    }
    push(c, x);
    c->ended = residue_is_error(x) || kind == (stop ? CTYPE_TRUE : CTYPE_FALSE);
}

struct residue chain_end(struct chain *c)
{
    bool may_fail = false;
    if (c->count == 0)
        return residue_bool(c->v, c->kind == CEDAR_E_AND, c->span);
    if (c->count == 1)
        return c->kids[0];
    struct cedar_expr **kids = ARENA_ARRAY(c->v->arena, struct cedar_expr *, c->count);
    for (size_t i = 0; i < c->count; i++) {
        kids[i] = (struct cedar_expr *)c->kids[i].e;
        may_fail = may_fail || c->kids[i].may_fail;
    }
    return (struct residue){residue_node(c->v, c->kind, kids, c->count, NULL, c->span), may_fail};
}

#include "cedar/check/typing.h"
#include "cedar/check/check.h"

static size_t slot_of(const struct typing *t, const struct cedar_expr *e)
{
    uint64_t h = (uint64_t)(uintptr_t)e * 0x9e3779b97f4a7c15;
    size_t i = (size_t)(h >> 32) & (t->slot_count - 1);
    while (t->slots[i].e && t->slots[i].e != e)
        i = (i + 1) & (t->slot_count - 1);
    return i;
}

const struct typing_fact *typing_of(const struct typing *t, const struct cedar_expr *e)
{
    if (t->slot_count == 0)
        return NULL;
    const struct typing_fact *found = &t->slots[slot_of(t, e)];
    return found->e ? found : NULL;
}

/* Keeps the notes when the checker is about to drop them. */
struct keeping {
    struct arena *a;
    struct typing *out;
};

static void keep_notes(struct checker *c, struct answer all)
{
    struct keeping *k = c->arg;
    struct typing *t = k->out;
    str address;
    void *value;
    t->slot_count = 8;
    while (t->slot_count < map_count(&c->notes) * 2)
        t->slot_count *= 2;
    t->slots = ARENA_ARRAY(k->a, struct typing_fact, t->slot_count);
    for (size_t i = 0; map_next(&c->notes, &i, &address, &value);) {
        const struct check_note *note = value;
        const struct cedar_expr *e;
        memcpy(&e, address.p, sizeof e);
        t->slots[slot_of(t, e)] = (struct typing_fact){
            e, (uint8_t)(note->type ? note->type->kind : CTYPE_NONE), note->guarded};
    }
}

bool typing_make(const struct schema *s, const struct cedar_policy *p,
                 const struct schema_action *action, uint32_t principal, uint32_t resource,
                 struct arena *a, struct typing *out, struct cedar_diags *d)
{
    struct checker c;
    struct typing made = {0};
    struct keeping k = {a, &made};
    checker_init(&c, s, p, NULL, d);
    c.on_env = keep_notes;
    c.arg = &k;
    check_names(&c);
    made.never = !check_one_env(&c, action, principal, resource);
    bool ok = c.errors == 0;
    checker_fini(&c);
    if (ok)
        *out = made;
    return ok;
}

#include "cedar/check/typing.h"
#include "cedar/check/check.h"

const struct typing_fact *typing_of(const struct typing *t, const struct cedar_expr *e)
{
    size_t i = (size_t)(((uint64_t)(uintptr_t)e * 0x9e3779b97f4a7c15) >> 32);
    for (; t->slot_count; i++) {
        const struct typing_fact *found = &t->slots[i & (t->slot_count - 1)];
        if (found->e == e)
            return found;
        if (!found->e)
            break;
    }
    return NULL;
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
    t->slot_count = c->notes.slot_count; /* and every note at its place: one hash serves both */
    t->slots = ARENA_ARRAY(k->a, struct typing_fact, t->slot_count);
    for (size_t i = 0; i < t->slot_count; i++) {
        const struct check_note *note = c->notes.slots[i].value;
        if (note)
            t->slots[i] = (struct typing_fact){
                c->notes.slots[i].e, (uint8_t)(note->type ? note->type->kind : CTYPE_NONE),
                note->guarded};
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

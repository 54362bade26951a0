#include "cedar/text/names.h"

static void note(struct cedar_names *n, str name)
{
    (void)map_put(&n->many, name, n); /* any value but NULL */
}

bool cedar_names_has(const struct cedar_names *n, str name)
{
    if (n->count > CEDAR_NAMES_FEW)
        return map_get(&n->many, name) != NULL;
    for (size_t i = 0; i < n->count; i++)
        if (str_eq(n->few[i], name))
            return true;
    return false;
}

bool cedar_names_add(struct cedar_names *n, str name)
{
    if (cedar_names_has(n, name))
        return false;
    if (n->count < CEDAR_NAMES_FEW)
        n->few[n->count] = name;
    else if (n->count > CEDAR_NAMES_FEW)
        note(n, name);
    n->count++;
    if (n->count == CEDAR_NAMES_FEW + 1) {
        for (size_t i = 0; i < CEDAR_NAMES_FEW; i++)
            note(n, n->few[i]);
        note(n, name);
    }
    return true;
}

void cedar_names_fini(struct cedar_names *n)
{
    map_fini(&n->many);
    *n = (struct cedar_names){0};
}

/* names: whether a name was there before, for lists in which no name may stand twice.
 *
 * Some hundred thousand names in one list are no harder than as many lists: the time is linear in
 * their bytes. Names are compared byte for byte. Zero is empty; a few names take no memory from the
 * heap, and they must stay where they are until fini. One thread at a time. */
#pragma once
#include "base/err.h"
#include "base/map.h"

enum { CEDAR_NAMES_FEW = 8 };

struct cedar_names {
    str few[CEDAR_NAMES_FEW];
    size_t count;
    struct map many; /* all of them, once they are more than a few */
};

/* False if the name is among them already. */
MUST_USE bool cedar_names_add(struct cedar_names *n, str name);
bool cedar_names_has(const struct cedar_names *n, str name);
void cedar_names_fini(struct cedar_names *n);

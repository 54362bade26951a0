/* schema_same: whether two models are one, for the test programs. Entity types are compared by
 * name, as each model has numbers of its own; actions, too. Lists and context of an action that
 * applies to nothing do not count: the human syntax cannot say them. */
#pragma once
#include "cedar/schema/schema.h"

/* On false *why names the first difference, in the arena. */
MUST_USE bool schema_same(struct arena *a, const struct schema *x, const struct schema *y,
                          str *why);

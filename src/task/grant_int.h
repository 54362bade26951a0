/* grant_int: one constrained argument, for grant.c. */
#pragma once
#include "task/grant.h"

MUST_USE bool constraint_read(struct arena *a, str arg, const json *v, struct constraint *out,
                              struct err *err);
/* v is there. */
MUST_USE bool constraint_admits(const struct constraint *c, const json *v, struct err *err);
MUST_USE bool constraint_within(const struct constraint *child, const struct constraint *parent,
                                struct err *err);
/* Every member of v is one of names (NULL ends them): what is not known is refused. */
MUST_USE bool grant_members_known(const json *v, const char *const *names, const char *what,
                                  struct err *err);

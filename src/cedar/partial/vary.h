/* vary: forgets parts of a request and a store at random, and completes what is left in other ways.
 * For tests only. */
#pragma once
#include "cedar/partial/partial.h"
#include "cedar/testgen.h"

/* What is forgotten, per mille. */
struct vary {
    unsigned principal, resource, context; /* the ids, the context */
    unsigned entity, part;                 /* an entity; each part of one that is kept */
};

/* req and store are whole and conform; out is sealed. */
void vary_forget(struct testgen *g, const struct vary *how, struct arena *a,
                 const struct cedar_request *req, const struct cedar_entities *store,
                 struct partial_request *partial, struct partial_entities *out);
/* Some other request and store of the generator's environment that agree with what is known. */
void vary_complete(struct testgen *g, struct arena *a, const struct partial_request *partial,
                   const struct partial_entities *known, struct cedar_request *req,
                   struct cedar_entities *store);

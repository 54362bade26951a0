/* testgen: random schemas' inhabitants for property tests: expressions, policies, entities and
 * requests for one schema. For tests only.
 *
 * Expressions are made as text, by type: mostly what strict validation accepts (optional attributes
 * and tags stand behind a test), and now and then what it refuses, as far as wild asks. The same
 * seed gives the same things on every machine. One thread. */
#pragma once
#include "cedar/cedar.h"
#include "cedar/schema/schema.h"

/* A path of attributes from an entity of some type, or from the context. */
struct testgen_source {
    uint32_t etype; /* SCHEMA_NO_TYPE: the context */
    str names[4];
    bool optional[4];
    size_t n;
    const struct ctype *type;
};

struct testgen {
    uint64_t state;
    struct arena *arena; /* of sources and types */
    const struct schema *schema;
    /* The environment that expressions are made for. */
    const struct schema_action *action;
    uint32_t principal, resource;
    unsigned wild; /* per mille: an operand of any type, or an access without its test */
    struct testgen_source *sources;
    size_t source_count, source_cap, fixed_sources; /* those of entities come first */
    const struct ctype **types;
    size_t type_count, type_cap;
};

/* Entities of all kinds: optional attributes, records in records, tags, hierarchies, extension
 * types, an enumerated type, actions in groups. */
extern const char testgen_schema[];

/* schema and a are borrowed. */
void testgen_init(struct testgen *g, struct arena *a, const struct schema *schema, uint64_t seed);
uint64_t testgen_next(struct testgen *g);
/* 0 .. n-1; n > 0. */
unsigned testgen_below(struct testgen *g, size_t n);
static inline bool testgen_chance(struct testgen *g, unsigned per_mille)
{
    return testgen_below(g, 1000) < per_mille;
}

/* Picks the action and the types of principal and resource. */
void testgen_env(struct testgen *g);
/* An expression of that type. depth: of operators, at most. */
void testgen_expr(struct testgen *g, struct buf *out, const struct ctype *t, unsigned depth);
/* A policy for the environment: effect, scope, up to three conditions. */
void testgen_policy(struct testgen *g, struct buf *out, unsigned depth);

/* A value that conforms to t. */
struct cedar_value testgen_value(struct testgen *g, struct arena *a, const struct ctype *t);
/* A uid of that type; the few ids there are repeat. */
struct cedar_uid testgen_uid(struct testgen *g, uint32_t etype);
/* A sealed store that conforms to the schema, its actions included. */
void testgen_entities(struct testgen *g, struct arena *a, struct cedar_entities *out);
/* Adds the schema's actions, as far as they are not there yet, to a store that is not sealed. */
void testgen_add_actions(const struct schema *s, struct arena *a, struct cedar_entities *out);
/* A request of the environment. */
struct cedar_request testgen_request(struct testgen *g, struct arena *a);

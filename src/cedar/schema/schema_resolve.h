/* schema_resolve: the state that the steps from a tree (schema_tree.h) to a model (schema.h) share.
 * Internal to the schema reader; one reading, one thread. */
#pragma once
#include "base/json.h"
#include "cedar/schema/finding.h"
#include "cedar/schema/schema.h"
#include "cedar/schema/schema_tree.h"

enum {
    SCHEMA_REF_DEPTH_MAX = 512
}; /* nesting of types plus hops from common type to common type */

/* A type with what it costs to walk. */
struct sized_type {
    const struct ctype *type; /* NULL: could not be resolved, and was reported */
    uint32_t nodes, depth;
};

enum def_state { DEF_NEW = 0, DEF_BUSY, DEF_DONE };

struct common_def {
    struct common_def *next;
    str name; /* full */
    struct raw_decl *decl;
    const struct raw_ref *ref; /* its name in the text */
    enum def_state state;
    struct sized_type type;
};

struct resolver {
    struct arena *a;
    struct cedar_diags *d;
    struct schema *s;
    struct map commons; /* full name -> struct common_def */
    struct common_def *first_common;
    struct raw_decl **etype_decls;  /* by etype index; NULL for types of actions */
    struct raw_decl **action_decls; /* by action index */
    unsigned depth;
    bool quiet; /* no warnings: SDK 4.12 has none for JSON */
};

/* What a reference may mean. */
enum ref_want { REF_TYPE, REF_ENTITY, REF_COMMON };

/* "NS::base", or base itself where space is empty. */
str schema_full_name(struct arena *a, str space, str base);
/* The type that raw means when it stands in a declaration of namespace space; notes in its names
 * what they mean. */
struct sized_type schema_resolve_type(struct resolver *r, str space, struct raw_type *raw);
/* The entity type that name means, noted in it; NULL, reported, if there is none or it is one of
 * actions. */
const struct schema_etype *schema_resolve_entity(struct resolver *r, str space,
                                                 struct raw_name *name);
/* "Bool" ... "duration"; NULL for any other name. */
const struct ctype *schema_builtin(str name);

/* Declares every name of the tree: duplicates, reserved names and shadowing. */
void schema_declare(struct resolver *r, struct raw_schema *tree);
/* Both hierarchies, from parents to ancestors. */
void schema_close(struct resolver *r);

/* All of it: from a tree to the model. text is what the model says it was read from. */
MUST_USE bool schema_resolve(struct arena *a, struct raw_schema *tree, str text,
                             struct schema **out, struct cedar_diags *d);
/* As schema_read and the readers of schema_json.h, and the tree is the caller's. */
MUST_USE bool schema_tree_read(struct arena *a, str text, struct raw_schema *tree,
                               const struct schema **out, struct cedar_diags *d);
MUST_USE bool schema_tree_read_json(struct arena *a, str text, struct raw_schema *tree,
                                    const struct schema **out, struct cedar_diags *d);
MUST_USE bool schema_tree_read_value(struct arena *a, const json *v, struct raw_schema *tree,
                                     const struct schema **out, struct cedar_diags *d);

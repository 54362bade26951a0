/* schema: which entity types, actions and attributes there are.
 *
 * schema_read takes the human syntax (`.cedarschema`), schema_json.h the JSON one, and both give
 * the resolved model: every name looked up, every common type expanded, both hierarchies closed.
 * The model is immutable, lives in the arena given and borrows the text, which must live as long.
 * Types are cedar/schema/type.h; an entity type is its index in schema.etypes. Actions' own types
 * ("Action", "NS::Action") are entity types too, marked is_action, without attributes.
 *
 * Names. A reference without "::" means the definition of that name in its own namespace, else the
 * one in the empty namespace; in each, a common type goes before an entity type; Bool, Long,
 * String, decimal, ipaddr, datetime and duration stand in the empty namespace unless it defines
 * those names itself, and are always reachable as __cedar::Long etc. A reference with "::" means
 * exactly that. No definition may have the base name of one in the empty namespace (RFC 70); the
 * same holds for actions. Cycles of common types and of actions are refused, those of entity types
 * are not.
 *
 * Stricter than SDK 4.12 in one point: an attribute named twice in one record is refused. There, in
 * the human syntax, all but the last are dropped unread, unknown types included; the grammar's
 * description does not say so, in JSON it is an error there too, and so it is in a record literal
 * of a policy (RFC 20). A schema that quietly means another thing than it says is not for us.
 *
 * Limits: CEDAR_TEXT_BYTES_MAX of text, and those below. Source: the Cedar schema grammar and name
 * resolution of SDK 4.12, RFC 24, 53, 70, 82. Reading is single-threaded; a finished schema may be
 * used by many threads. */
#pragma once
#include "base/map.h"
#include "cedar/policy/ast.h"
#include "cedar/schema/type.h"

enum {
    SCHEMA_TYPE_NODES_MAX = 64 << 10, /* of one type with its common types written out */
    SCHEMA_CLOSURE_MAX = 4 << 20,     /* (member, ancestor) pairs, per hierarchy */
    SCHEMA_ENVS_MAX = 1 << 20,        /* principal type x action x resource type */
};
#define SCHEMA_NO_TYPE UINT32_MAX

/* Some numbers, ascending, each once. */
struct schema_set {
    const uint32_t *items;
    size_t count;
};
bool schema_set_has(struct schema_set s, uint32_t n);

struct schema_etype {
    str name; /* "NS::User" */
    struct cedar_span span;
    bool is_action;
    bool is_enum;
    uint32_t index;
    const struct ctype *type;  /* a value that names an entity of this type */
    const struct ctype *shape; /* its attributes: a closed record */
    const struct ctype *tags;  /* what each of its tags holds; NULL: it can have none */
    struct map ids; /* is_enum: the ids there are; is_action: id -> struct schema_action */
    struct schema_set parents;   /* types whose entities may directly hold it */
    struct schema_set ancestors; /* closure of parents: itself only if its hierarchy has a cycle */
    const struct cedar_annotation *annotations;
    size_t annotation_count;
};

struct schema_action {
    struct cedar_uid uid;
    struct cedar_span span;
    uint32_t index;
    const struct schema_etype *etype;
    struct schema_set principals,
        resources;               /* entity types; both empty: a group, never requested */
    const struct ctype *context; /* a closed record */
    struct schema_set parents;   /* action indexes, as declared */
    struct schema_set ancestors; /* closure of parents, without itself */
    bool has_members;            /* it is a parent of some action */
    const struct cedar_annotation *annotations;
    size_t annotation_count;
};

struct schema {
    struct schema_etype *etypes;
    size_t etype_count;
    struct schema_action *actions; /* in the order of the text */
    size_t action_count;
    struct map by_name; /* name -> struct schema_etype */
    str text;
};

/* False when anything in the text is wrong; everything that was found is in d, which must have been
 * initialised with this text. Warnings do not make it fail. */
MUST_USE bool schema_read(struct arena *a, str text, const struct schema **out,
                          struct cedar_diags *d);

/* NULL if there is no such type. */
const struct schema_etype *schema_etype(const struct schema *s, str name);
/* NULL if there is no such action. */
const struct schema_action *schema_action(const struct schema *s, const struct cedar_uid *uid);
/* For messages; "?" for a number that is no type. */
str schema_etype_name(const struct schema *s, uint32_t etype);
/* True if an entity of type x can be `in` one of type y: same type, or y is an ancestor type. For
 * the types of actions this follows from the actions themselves. */
bool schema_etype_can_be_in(const struct schema *s, uint32_t x, uint32_t y);
/* True if action x is y or a member of y, at any distance. */
bool schema_action_is_in(const struct schema_action *x, const struct schema_action *y);
/* True for "Action" and for any "A::B::Action". */
bool schema_is_action_type(str type);

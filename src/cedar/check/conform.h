/* conform: requests and entities held against the schema, at run time.
 *
 * What validate.h promises of a policy holds only for requests and entities that conform: so the
 * gateway checks each request, and each entity before it enters the store. On success nothing is
 * allocated and nothing written; the cost is a few look-ups and one walk over the values. On
 * failure *fault says what is wrong, naming types, attributes and ids but never a value's content
 * (an argument may be a secret).
 *
 * Rules as SDK 4.12 validates requests and entities: the action must be declared and apply to the
 * types of principal and resource; the context is a closed record with all required attributes,
 * each of exactly the declared type; ids of enumerated types must be listed; actions must be
 * declared; ancestors must be of types that the schema allows above the entity's type. Pure;
 * thread-safe. */
#pragma once
#include "cedar/value/entities.h"
#include "cedar/schema/finding.h"
#include "cedar/schema/schema.h"

struct conform_fault {
    enum finding finding; /* FIND_REQUEST_.. or FIND_ENTITY_.. */
    char text[400];
};

MUST_USE bool conform_request(const struct schema *s, const struct cedar_uid *principal,
                              const struct cedar_uid *action, const struct cedar_uid *resource,
                              const struct cedar_value *context, struct conform_fault *fault);
/* e must come from a sealed store: its ancestors are checked, not only its parents. An entity that
 * is an action must be exactly as the schema declares it: no attributes, no tags, the same
 * ancestors. */
MUST_USE bool conform_entity(const struct schema *s, const struct cedar_entity *e,
                             struct conform_fault *fault);
enum conform_parts { CONFORM_ATTRS = 1, CONFORM_TAGS = 2, CONFORM_ANCESTORS = 4, CONFORM_ALL = 7 };
/* The same for its uid and some parts (a set of enum conform_parts) of an entity that is no action.
 */
MUST_USE bool conform_entity_parts(const struct schema *s, const struct cedar_entity *e,
                                   unsigned parts, struct conform_fault *fault);
/* True if v has exactly type t (a type of schema s). The fault's finding is FIND_REQUEST_CONTEXT
 * or, for an id that an enumerated type lacks or an undeclared action, FIND_REQUEST_ENUM_ID; its
 * text begins with the path of the offending part. */
MUST_USE bool conform_value(const struct schema *s, const struct ctype *t,
                            const struct cedar_value *v, struct conform_fault *fault);

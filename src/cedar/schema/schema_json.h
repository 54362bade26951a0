/* schema_json: schemas in the JSON syntax.
 *
 *     {"NS": {"entityTypes": {name: {"memberOfTypes": [..], "shape": type, "tags": type}
 *                                   or {"enum": [id ..]}},
 *             "actions": {name: {"memberOf": [{"id", "type"?} ..],
 *                                "appliesTo": {"principalTypes", "resourceTypes", "context"?}}},
 *             "commonTypes": {name: type}}}
 *
 * "" is the empty namespace. entityTypes, actions, principalTypes and resourceTypes are mandatory;
 * namespaces (but ""), entity types, actions, common types and attributes may have "annotations":
 * {name: string or null}. A type is {"type": ..} with String, Long, Boolean; Set and "element";
 * Record and "attributes", each of which may say "required": false; Entity, EntityOrCommon or
 * Extension and "name"; anything else is the name of a common type. EntityOrCommon is what a name
 * in the human syntax means; Entity and a common type's name look among those only; String, Long,
 * Boolean and Extension mean the built-in types whatever else is called so.
 *
 * Refused: unknown members, members twice, null (but for memberOf, appliesTo and attributes of an
 * action and type of a memberOf), names with white space, attributes of actions, records that are
 * open ("additionalAttributes": true), an empty enum. A shape may be a common type that is a
 * record. Unlike SDK 4.12, an array never stands for an object ([] for {}).
 *
 * Findings carry the path: `NS.entityTypes.User.shape.attributes.name: ...`; and, when the text was
 * given, the place in it. There are no warnings. Limits are those of schema.h, for the text and for
 * nesting. Source: the JSON schema format as SDK 4.12 reads it. */
#pragma once
#include "base/json.h"
#include "cedar/schema/schema.h"

/* As schema_read. d must have been initialised with this text. */
MUST_USE bool schema_read_json(struct arena *a, str text, const struct schema **out,
                               struct cedar_diags *d);
/* The same for JSON that was read already (by json_read: no name occurs twice). The tree is
 * borrowed as long as the schema lives. */
MUST_USE bool schema_read_json_value(struct arena *a, const json *v, const struct schema **out,
                                     struct cedar_diags *d);

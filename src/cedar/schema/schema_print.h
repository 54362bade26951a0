/* schema_print: a schema written out, in the human syntax or in JSON, whichever it came in.
 *
 * What is printed reads back, here and in SDK 4.12, as the same model. Order and names are those of
 * the source; comments are not kept (SDK 4.12 keeps none either).
 *
 * Not everything can be said in the human syntax, and schema_print_text then fails, as SDK 4.12
 * does: an entity type whose shape is the name of a common type; a common type and an entity type
 * of one name in one namespace (but the empty one). It also fails, where 4.12 prints something that
 * means another thing, for a JSON reference to an entity type of the empty namespace that a common
 * type has the name of. An action that applies to no principal or no resource type is printed as a
 * group, without lists and context. JSON can say everything.
 *
 * Resolved JSON has every name in full and says of each type reference whether it is an entity type
 * ("Entity") or a common or built-in one; it is what the npm package calls
 * schemaToJsonWithResolvedTypes.
 *
 * Results live in the arena. Limit: CEDAR_TEXT_BYTES_MAX of output. Pure; a source may be printed
 * by several threads. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "cedar/schema/schema.h"

struct raw_schema;

/* A schema with the tree it was written as. */
struct schema_source {
    const struct raw_schema *tree;
    const struct schema *schema;
};

/* As schema_read, schema_read_json and schema_read_json_value (schema_json.h). */
MUST_USE bool schema_source_read(struct arena *a, str text, struct schema_source *out,
                                 struct cedar_diags *d);
MUST_USE bool schema_source_read_json(struct arena *a, str text, struct schema_source *out,
                                      struct cedar_diags *d);
MUST_USE bool schema_source_read_value(struct arena *a, const json *v, struct schema_source *out,
                                       struct cedar_diags *d);

MUST_USE bool schema_print_text(struct arena *a, const struct schema_source *s, str *out,
                                struct err *err);
MUST_USE bool schema_print_json(struct arena *a, const struct schema_source *s, str *out,
                                struct err *err);
MUST_USE bool schema_print_resolved_json(struct arena *a, const struct schema_source *s, str *out,
                                         struct err *err);

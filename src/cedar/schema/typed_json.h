/* typed_json: JSON read with the schema at hand.
 *
 * Where the schema expects an extension type, a value may be its text ("10.0.0.1" as an ipaddr) or
 * a call without its escape ({"fn": "ip", "arg": ..}), in arguments too; where it expects an
 * entity,
 * {"type","id"} is read as that entity; sets must be arrays, and records objects with the
 * attributes that the schema lists. Everything else is read as without a schema; whether the result
 * conforms is for conform.h to say. Source: what SDK 4.12 refuses while it reads. Install
 * typed_json_hook in entities_json.h's readers. One hook serves one thread at a time. */
#pragma once
#include "cedar/value/entities_json.h"
#include "cedar/schema/schema.h"

struct typed_json {
    const struct schema *schema;
    const struct schema_action *action; /* whose context is read; NULL when entities are */
};
/* ctx must outlive the hook. */
struct cedar_json_hook typed_json_hook(struct typed_json *ctx);

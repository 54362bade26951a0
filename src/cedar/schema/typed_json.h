/* typed_json: JSON read with the schema at hand.
 *
 * Where the schema expects an extension type, a plain string is read as its text form ("10.0.0.1"
 * as an ipaddr); where it expects an entity, {"type","id"} is read as that entity. Everything else
 * is read as without a schema; whether the result conforms is for conform.h to say. Install
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

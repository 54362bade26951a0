/* tool_parts: what the files behind tool.h share; not for other folders. */
#pragma once
#include "mcp/tool.h"

bool mcp_is_tool_name(str s);
/* Every x-mcp-header annotation of a schema: where they are allowed into *params, anywhere else an
 * error. */
MUST_USE bool mcp_read_params(struct arena *a, const json *schema, const struct mcp_param **params,
                              size_t *count, struct err *err);

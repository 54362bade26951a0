/* field: HTTP fields as MCP uses them, without any HTTP code: names, values, and the encoding of
 * values that HTTP cannot carry.
 *
 * A value that is not plain ASCII, has blanks at its ends, or looks encoded already is carried as
 * =?base64?<RFC 4648 base64 of the UTF-8>?= . Pure; thread-safe.
 *
 * Source: MCP 2026-07-28 "Streamable HTTP", sections Value Encoding and Case Sensitivity. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct mcp_field {
    str name; /* compared ignoring case */
    str value;
};

enum mcp_found {
    MCP_FIELD_ABSENT = 0,
    MCP_FIELD_ONE,
    MCP_FIELD_TWICE, /* a field that may stand once stands twice: never pick one */
};

/* The value without blanks around it. */
enum mcp_found mcp_field_find(const struct mcp_field *fields, size_t count, str name, str *value);
/* True if a comma-separated Accept value admits the media type, wildcards and q=0 considered. */
bool mcp_accepts(str accept, str type, str subtype);
/* True if a Content-Type value names type/subtype, parameters ignored. */
bool mcp_is_media_type(str content_type, str media_type);

/* The field value that carries v; v itself where it is safe. */
str mcp_value_encode(struct arena *a, str v);
/* The value that a field value carries. False: characters that may not be there, or a bad encoding.
 */
MUST_USE bool mcp_value_decode(struct arena *a, str field_value, str *out);

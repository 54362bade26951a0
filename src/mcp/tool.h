/* tool: what a tool definition must be, what it is called here, and whether arguments fit it.
 *
 * A definition is data from a stranger. One that breaks a rule is dropped, alone, with a reason for
 * the log; it never makes a list fail. What is pinned (reviewed, digested) is `canonical`: RFC 8785
 * text of the whole definition, name, title, description, schemas, annotations, icons, _meta and
 * all. Annotations such as readOnlyHint are never read.
 *
 * Everything lives in the arena given; a struct mcp_tool borrows its definition. Pure; thread-safe.
 *
 * Sources: MCP 2026-07-28 "Tools" and "Custom Headers from Tool Parameters"; JSON Schema 2020-12
 * validation. */
#pragma once
#include "base/json.h"
#include "mcp/field.h"

enum {
    MCP_UPSTREAM_NAME_BYTES_MAX = 128, /* MCP 2025-11-25 "Tool Names" */
    MCP_SCHEMA_DEPTH_MAX = 32,         /* nested schemas in a definition */
    MCP_ARGUMENT_DEPTH_MAX = 16, /* levels of arguments that are checked; deeper ones are refused */
    MCP_HEADER_PARAMS_MAX = 16,
};

/* An argument that is mirrored into an HTTP field (`x-mcp-header`). */
struct mcp_param {
    str field;       /* "Mcp-Param-Region" */
    const str *path; /* names from the root of the arguments */
    size_t path_count;
    enum { MCP_PARAM_STRING, MCP_PARAM_INTEGER, MCP_PARAM_BOOLEAN } type;
};

struct mcp_tool {
    str name; /* as the upstream calls it */
    const json *definition;
    const json *input_schema;
    const json *output_schema; /* NULL if it has none */
    str canonical;             /* hash this to pin the tool */
    const struct mcp_param *params;
    size_t param_count;
};

/* False: the tool is to be dropped and err says why (ERR_PEER or ERR_LIMIT). Checks: name 1..128 of
 * A-Z a-z 0-9 _ - . , size, schema of type object, every x-mcp-header annotation, nesting. */
MUST_USE bool mcp_tool_read(struct arena *a, const json *definition, struct mcp_tool *out,
                            struct err *err);

/* The name that agents see: <binding>__<tool>, at most MCP_TOOL_NAME_BYTES_MAX bytes; a longer one
 * is cut and ends in _ and 8 hex digits that depend on both names only. An empty binding exposes
 * the tool's own name unchanged. The way back is the caller's table, never a split; two tools that
 * share an exposed name are the caller's to refuse. */
str mcp_exposed_name(struct arena *a, str binding, str tool);

/* Arguments (an object; NULL counts as {}) against an input schema. Looks at type, enum, const,
 * required, properties, additionalProperties: false, items, minimum, maximum, minLength, maxLength
 * (code points), minItems, maxItems at every level; other keywords are ignored: this catches
 * mistakes early and is no guard. err (ERR_INPUT) names the argument and what is expected, and
 * holds at most 60 bytes of any value. */
MUST_USE bool mcp_arguments_check(const json *schema, const json *arguments, struct err *err);

/* The mirrored value: false if the argument is absent or null (then no field is expected). *text is
 * the value before mcp_value_encode. An argument of another type than declared gives *text empty
 * and *bad true. */
bool mcp_param_value(const struct mcp_param *p, const json *arguments, str *text, bool *bad);

/* Two lines: a tool definition and arguments. Whatever they are, the checks end, errors have a
 * text, and an exposed name fits. */
#include "base/limits.h"
#include "mcp/tool.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    struct json_limits limits = {
        .bytes_max = 1 << 20, .depth_max = JSON_DEPTH_MAX, .values_max = 20000};
    str first, second;
    const json *definition, *arguments;
    struct mcp_tool t;
    struct err err = {0};
    str_cut(str_of((const char *)data, size), '\n', &first, &second);
    if (!json_read(&a, first, &limits, &definition, &err))
        return 0;
    if (!mcp_tool_read(&a, definition, &t, &err)) {
        if (!err.text[0])
            abort();
        return 0;
    }
    str name = mcp_exposed_name(&a, S("binding"), t.name);
    if (name.n > MCP_TOOL_NAME_BYTES_MAX)
        abort();
    if (!json_read(&a, second, &limits, &arguments, &err))
        return 0;
    err = (struct err){0};
    if (!mcp_arguments_check(t.input_schema, arguments, &err) && !err.text[0])
        abort();
    for (size_t i = 0; i < t.param_count; i++) {
        str text, back;
        bool bad;
        if (!mcp_param_value(&t.params[i], arguments, &text, &bad) || bad)
            continue;
        if (!mcp_value_decode(&a, mcp_value_encode(&a, text), &back) || !str_eq(text, back))
            abort();
    }
    return 0;
}

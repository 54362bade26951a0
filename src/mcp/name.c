/* The names of tools: what an upstream may call one, and what agents see. */
#include "base/limits.h"
#include "mcp/tool_parts.h"

enum { HASH_DIGITS = 8 };

bool mcp_is_tool_name(str s)
{
    if (s.n == 0 || s.n > MCP_UPSTREAM_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
        if (!ok)
            return false;
    }
    return true;
}

/* FNV-1a, 64 bits. It only has to tell apart what one operator binds; who could gain from two equal
 * names gains nothing, because the caller refuses the second. */
static uint64_t fnv(uint64_t h, str s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
    return h;
}

str mcp_exposed_name(struct arena *a, str binding, str tool)
{
    if (binding.n == 0)
        return str_dup(a, tool);
    str whole = str_fmt(a, "%.*s__%.*s", STR(binding), STR(tool));
    if (whole.n <= MCP_TOOL_NAME_BYTES_MAX)
        return whole;
    uint64_t h = fnv(fnv(fnv(0xcbf29ce484222325u, binding), str_of("\0", 1)), tool);
    str head = str_take(whole, MCP_TOOL_NAME_BYTES_MAX - HASH_DIGITS - 1);
    return str_fmt(a, "%.*s_%08x", STR(head), (unsigned)(h ^ h >> 32));
}

#include "mcp/revision.h"

struct revision_row {
    str text;
    bool served; /* to agents */
};

static const struct revision_row ROWS[MCP_REVISION_COUNT] = {
    [MCP_NO_REVISION] = {{0}, false},
    [MCP_2024_11_05] = {{"2024-11-05", 10}, false},
    [MCP_2025_03_26] = {{"2025-03-26", 10}, false},
    [MCP_2025_06_18] = {{"2025-06-18", 10}, true},
    [MCP_2025_11_25] = {{"2025-11-25", 10}, true},
    [MCP_2026_07_28] = {{"2026-07-28", 10}, true},
};

enum mcp_revision mcp_revision_of(str text)
{
    for (int r = MCP_NO_REVISION + 1; r < MCP_REVISION_COUNT; r++)
        if (str_eq(ROWS[r].text, text))
            return (enum mcp_revision)r;
    return MCP_NO_REVISION;
}

str mcp_revision_text(enum mcp_revision r)
{
    return r > MCP_NO_REVISION && r < MCP_REVISION_COUNT ? ROWS[r].text : (str){0};
}

bool mcp_is_served(enum mcp_revision r)
{
    return r > MCP_NO_REVISION && r < MCP_REVISION_COUNT && ROWS[r].served;
}

enum mcp_revision mcp_answer_initialize(str asked)
{
    enum mcp_revision r = mcp_revision_of(asked);
    return mcp_is_served(r) && !mcp_is_modern(r) ? r : MCP_NEWEST_LEGACY;
}

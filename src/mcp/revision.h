/* revision: the MCP protocol revisions that are spoken here, and which one is chosen.
 *
 * "Legacy" revisions open with `initialize` and may have a session; "modern" ones have neither and
 * describe themselves in every request. Towards agents we serve three. Towards upstreams two older
 * ones are also understood, because servers built on them still answer `initialize` with them and
 * their tools path is the same; arrays (batches, only ever in 2025-03-26) are refused everywhere.
 * Pure; thread-safe.
 *
 * Source: MCP 2026-07-28 "Versioning and Compatibility"; 2025-11-25 "Lifecycle". */
#pragma once
#include "base/str.h"

enum mcp_revision {
    MCP_NO_REVISION = 0,
    MCP_2024_11_05, /* upstreams only */
    MCP_2025_03_26, /* upstreams only */
    MCP_2025_06_18,
    MCP_2025_11_25,
    MCP_2026_07_28,
    MCP_REVISION_COUNT,
    MCP_NEWEST_LEGACY = MCP_2025_11_25,
    MCP_NEWEST_MODERN = MCP_2026_07_28,
};

/* MCP_NO_REVISION for any text that is none of them. */
enum mcp_revision mcp_revision_of(str text);
/* "2026-07-28"; empty for MCP_NO_REVISION. */
str mcp_revision_text(enum mcp_revision r);
static inline bool mcp_is_modern(enum mcp_revision r)
{
    return r >= MCP_2026_07_28;
}
/* True for those that agents may speak to us. */
bool mcp_is_served(enum mcp_revision r);
/* The revision with which to answer an `initialize` that asks for this one: the same where it is a
 * legacy one that we serve, else the newest legacy one; never an error. */
enum mcp_revision mcp_answer_initialize(str asked);

/* server_parts: what the files behind server.h share; not for other folders. */
#pragma once
#include "mcp/server.h"

enum {
    READ_SESSION_BYTES_MAX = 512,
    READ_NAME_BYTES_MAX = 256,
    READ_CURSOR_BYTES_MAX = 4096,
    READ_STATE_BYTES_MAX = 64 << 10,
};

/* One HTTP request while it is read. */
struct reading {
    struct arena *a;
    const struct mcp_http *http;
    struct mcp_request req;
    struct mcp_refusal *no;
    str version; /* MCP-Protocol-Version */
    enum mcp_found version_found;
    bool no_accept; /* there is no Accept field */
};

/* All return false, so that a refusal is one line. Texts are ours: no field value of a stranger is
 * repeated, since it need not be UTF-8. */
bool reading_no(struct reading *r, int status, enum rpc_code code, str message);
bool reading_no_rpc(struct reading *r, enum rpc_code code, str message);
bool reading_mismatch(struct reading *r, str message);
bool reading_unsupported(struct reading *r, str requested);

enum mcp_found reading_field(const struct reading *r, str name, str *value);
/* Mcp-Session-Id into req.session, if it is there. */
MUST_USE bool reading_session(struct reading *r);
/* The body: era, envelope, what it asks for. */
MUST_USE bool reading_message(struct reading *r);

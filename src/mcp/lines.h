/* lines: messages on a byte stream, one a line, as a stdio MCP server speaks.
 *
 * Reading tolerates a byte order mark at the very start, CR before LF, and blank lines; a line over
 * the limit ends the stream for good (there is no way to find the next message that a hostile
 * writer could not forge). Whether a line is JSON is rpc_read's to say. Writing refuses text with a
 * line break in it. One thread; owns its buffer.
 *
 * Source: MCP 2026-07-28 and 2025-11-25 "stdio". */
#pragma once
#include "base/buf.h"
#include "base/err.h"

struct mcp_lines {
    size_t line_max; /* bytes without the line end; 0: STDIO_LINE_BYTES_MAX */
    /* private */
    struct buf in;
    size_t partial; /* bytes fed since the last line feed */
    size_t taken;   /* of the line that was handed out last */
    bool begun, bad;
    bool ends_in_cr; /* the last byte fed, which may turn out to be part of a line end */
};

/* Adds what was read. False (ERR_PEER) from the moment a line is over the limit. */
MUST_USE bool mcp_lines_feed(struct mcp_lines *l, str bytes, struct err *err);
/* The next whole line, valid until the next feed or next; false when there is none yet. */
bool mcp_lines_next(struct mcp_lines *l, str *line);
/* At end of stream: true if nothing is left over (a last line without its end is no message). */
bool mcp_lines_is_clean(const struct mcp_lines *l);
void mcp_lines_fini(struct mcp_lines *l);

/* Appends message and a line feed. False (ERR_INPUT) if the message is empty or has CR or LF in it.
 */
MUST_USE bool mcp_line_put(struct buf *out, str message, struct err *err);

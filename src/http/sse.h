/* sse: event streams (WHATWG HTML 9.2, text/event-stream), read and written.
 *
 * Reading follows the standard's algorithm to the letter: lines end with CR LF, LF or CR; one byte
 * order mark at the start is dropped; comments and unknown fields are ignored; an event without a
 * data line is not dispatched (its id is kept); an event that the end of the stream cuts off is
 * dropped by asking for no more. Any split of the input gives the same events. Bytes are not
 * checked to be UTF-8: the reader of the data does that. The one addition is a limit: the lines of
 * one event, and any single line (comments too), may hold at most event_bytes. Memory: at most
 * about twice that. One thread at a time. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

struct sse_event {
    str name; /* empty stands for "message" */
    str data; /* lines joined by LF */
    str id;   /* read: the last id seen on the stream; written: omitted when empty */
};

enum sse_step {
    SSE_BAD = 0, /* ERR_LIMIT; stays so */
    SSE_MORE,    /* all input used */
    SSE_EVENT,   /* *ev is filled; call again with the rest of the input */
};

/* Owns its buffers: sse_init before, sse_fini after. */
struct sse {
    bool has_retry;    /* the peer has asked for a reconnection time, */
    uint64_t retry_ms; /* which is this */
    /* private */
    size_t event_bytes_max;
    size_t event_bytes; /* of the lines since the last dispatch */
    struct buf line, data, name, id;
    bool begun, after_cr, given, bad;
};

void sse_init(struct sse *s, size_t event_bytes_max);
void sse_fini(struct sse *s);
/* Reads on; *used is how much of in was taken. *ev points into s and lives until the next call. */
MUST_USE enum sse_step sse_read(struct sse *s, str in, size_t *used, struct sse_event *ev,
                                struct err *err);

/* Appends one event. CR, LF and CR LF in data start a new data line, so they are read back as LF.
 * Refuses (ERR_INPUT, nothing written) CR or LF in name or id and NUL in id; ERR_LIMIT when out is
 * full. */
MUST_USE bool sse_write(struct buf *out, const struct sse_event *ev, struct err *err);
/* A comment line that no reader sees: keeps idle connections open. */
void sse_write_keep_alive(struct buf *out);
/* Asks the reader to wait this long before it connects again. */
void sse_write_retry(struct buf *out, uint64_t ms);

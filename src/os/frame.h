/* frame: the bytes on a channel between two roles (docs/formats/ipc.md).
 *
 * A frame is a header of 16 bytes, little-endian, and a payload:
 *
 *     offset 0  u32  size of the payload
 *            4  u16  type
 *            6  u16  flags (bit 0: one descriptor accompanies this frame; the others must be 0)
 *            8  u64  id (of the request that this belongs to; 0 where there is none)
 *
 * Reading is pure: bytes in, one frame out. A role names the types it accepts, and the largest
 * payload of each, by a function; whatever else arrives is BAD and the channel must be closed.
 * Nothing is allocated. Thread-safe: no state. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

enum { FRAME_HEADER_BYTES = 16 };
enum { FRAME_FLAG_FD = 1 };

struct frame {
    uint16_t type;
    uint16_t flags;
    uint64_t id;
    str payload; /* borrowed from the bytes read */
};

enum frame_result {
    FRAME_BAD = 0, /* *err says why; the peer broke the protocol */
    FRAME_MORE,    /* the bytes so far are fine and do not make up a frame */
    FRAME_OK,
};

/* The most payload bytes of a frame of this type; 0 = the type is not allowed. A type whose frames
 * are empty is given 1. */
typedef uint32_t frame_size_max(void *arg, uint16_t type);

/* Reads the first frame of `in`. OK: *out is set and the caller drops frame_bytes(out) bytes when
 * it has finished with the payload. MORE: out->type and flags are set if in.n >=
 * FRAME_HEADER_BYTES. */
enum frame_result frame_read(str in, frame_size_max *size_max, void *arg, struct frame *out,
                             struct err *err);
static inline size_t frame_bytes(const struct frame *f)
{
    return FRAME_HEADER_BYTES + f->payload.n;
}
/* Appends one frame; out->over is set (and nothing written) if it does not fit. Payloads are
 * under 4 GiB (asserted). */
void frame_write(struct buf *out, uint16_t type, uint16_t flags, uint64_t id, str payload);

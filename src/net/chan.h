/* chan: frames (os/frame.h) between two roles over a Unix stream socket, on the loop.
 *
 * Sending queues and never blocks; everything queued in one iteration leaves in as few system calls
 * as its descriptors permit. A peer that sends a type or size that size_max() does not allow, an
 * unasked descriptor, or half a frame before its end, loses the channel; so does one that lets the
 * queue grow past IPC_QUEUE_BYTES_MAX. Like a conn: callbacks come from the loop only, on_close
 * exactly once and last, memory goes after it. */
#pragma once
#include "net/loop.h"
#include "os/frame.h"

struct chan;

struct chan_ops {
    /* payload lives until return. fd: -1, or a descriptor that is now the callee's. */
    void (*on_frame)(struct chan *ch, uint16_t type, uint64_t id, str payload, int fd);
    /* err NULL: chan_close() was called, or the peer ended at a frame's border (then
     * chan_is_eof()). */
    void (*on_close)(struct chan *ch, const struct err *err);
    frame_size_max *size_max; /* arg is the owner */
};

/* The descriptor belongs to the channel from here on, even on failure. */
MUST_USE bool chan_new(struct loop *l, int fd, const struct chan_ops *ops, void *owner,
                       struct chan **out, struct err *err);
void *chan_owner(const struct chan *ch);
/* fd (-1: none) moves to the channel, which closes it once sent or dropped. Ignored once closing.
 */
void chan_send(struct chan *ch, uint16_t type, uint64_t id, str payload, int fd);
size_t chan_out_len(const struct chan *ch); /* bytes queued */
/* From now on the memory of what was sent or delivered is wiped, as soon as nothing waits in it:
 * for channels that carry secrets. */
void chan_wipe_after_use(struct chan *ch);
/* Sends what is queued at the end of this iteration as far as it goes at once, then closes. Twice
 * is harmless. */
void chan_close(struct chan *ch);
bool chan_is_closing(const struct chan *ch);
bool chan_is_eof(const struct chan *ch);

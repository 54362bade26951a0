#include "os/frame.h"

#include <stdlib.h>

static uint16_t le16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const unsigned char *p)
{
    return (uint32_t)le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t le64(const unsigned char *p)
{
    return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

static void put_le(unsigned char *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++, v >>= 8)
        p[i] = (unsigned char)v;
}

static enum frame_result bad(bool raised)
{
    (void)raised;
    return FRAME_BAD;
}

enum frame_result frame_read(str in, frame_size_max *size_max, void *arg, struct frame *out,
                             struct err *err)
{
    if (in.n < FRAME_HEADER_BYTES)
        return FRAME_MORE;
    const unsigned char *p = (const unsigned char *)in.p;
    uint32_t size = le32(p);
    struct frame f = {.type = le16(p + 4), .flags = le16(p + 6), .id = le64(p + 8)};
    uint32_t max = size_max(arg, f.type);
    if (max == 0)
        return bad(err_peer(err, "frame type %u is not allowed here", f.type));
    if (size > max)
        return bad(err_peer(err, "frame of type %u has %u bytes, at most %u are allowed", f.type,
                            size, max));
    if (f.flags & ~FRAME_FLAG_FD)
        return bad(err_peer(err, "frame of type %u has unknown flags 0x%x", f.type, f.flags));
    enum frame_result r = FRAME_MORE;
    if (in.n - FRAME_HEADER_BYTES >= size) {
        f.payload = str_of(in.p + FRAME_HEADER_BYTES, size);
        r = FRAME_OK;
    }
    *out = f;
    return r;
}

void frame_write(struct buf *out, uint16_t type, uint16_t flags, uint64_t id, str payload)
{
    if (payload.n > UINT32_MAX)
        abort();
    unsigned char *p = (unsigned char *)buf_reserve(out, FRAME_HEADER_BYTES + payload.n);
    if (!p)
        return;
    put_le(p, payload.n, 4);
    put_le(p + 4, type, 2);
    put_le(p + 6, flags, 2);
    put_le(p + 8, id, 8);
    if (payload.n)
        memcpy(p + FRAME_HEADER_BYTES, payload.p, payload.n);
    buf_commit(out, FRAME_HEADER_BYTES + payload.n);
}

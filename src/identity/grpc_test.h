/* For the tests of grpc and workload_api: a client that writes every byte itself, and puts what
 * comes back into words:
 *
 *     H<stream>{name=value,...}   headers; with ! when the stream ends there
 *     D<stream>[bytes]            data, bytes below 0x20 as \xx
 *     R<stream>:<code>  G:<code>  RST_STREAM, GOAWAY
 *
 * Other frames are only counted. */
#pragma once
#include "identity/grpc.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

enum { DATA = 0, HEADERS = 1, PRIORITY = 2, RST = 3, SETTINGS = 4, PING = 6, GOAWAY = 7 };
enum { WINDOW = 8, CONTINUATION = 9, END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

struct client {
    struct buf in;   /* for the server */
    struct buf out;  /* from the server, not yet read */
    struct buf said; /* in words */
    nghttp2_hd_inflater *inflater;
    size_t pings, settings, data_bytes;
};

static inline void put_frame(struct buf *b, unsigned type, unsigned flags, unsigned id, str payload)
{
    char head[9] = {
        (char)(payload.n >> 16), (char)(payload.n >> 8), (char)payload.n, (char)type, (char)flags,
        (char)(id >> 24),        (char)(id >> 16),       (char)(id >> 8), (char)id};
    buf_put(b, str_of(head, 9));
    buf_put(b, payload);
}

static inline void put_u32(struct buf *b, uint32_t v)
{
    char p[4] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};
    buf_put(b, str_of(p, 4));
}

static inline void put_hpack_len(struct buf *b, size_t n)
{
    if (n < 127) {
        buf_putc(b, (char)n);
        return;
    }
    buf_putc(b, 127);
    for (n -= 127; n >= 128; n >>= 7)
        buf_putc(b, (char)(n | 0x80));
    buf_putc(b, (char)n);
}

/* A literal that is not indexed and not Huffman-coded. */
static inline void put_field(struct buf *b, str name, str value)
{
    buf_putc(b, 0);
    put_hpack_len(b, name.n);
    buf_put(b, name);
    put_hpack_len(b, value.n);
    buf_put(b, value);
}

static inline void put_preface(struct buf *b)
{
    buf_put(b, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    put_frame(b, SETTINGS, 0, 0, (str){0});
}

/* The usual fields, and one more unless its name is empty. */
static inline void put_usual(struct buf *b, str path, str name, str value)
{
    put_field(b, S(":method"), S("POST"));
    put_field(b, S(":scheme"), S("http"));
    put_field(b, S(":path"), path);
    put_field(b, S(":authority"), S("/run/agent.sock"));
    put_field(b, S("content-type"), S("application/grpc"));
    put_field(b, S("te"), S("trailers"));
    if (name.n)
        put_field(b, name, value);
}

static inline void put_head(struct buf *b, unsigned id, unsigned flags, str path, str name,
                            str value)
{
    struct buf block = {0};
    put_usual(&block, path, name, value);
    put_frame(b, HEADERS, flags | END_HEADERS, id, buf_str(&block));
    buf_fini(&block);
}

static inline void put_message(struct buf *b, unsigned id, unsigned flags, str message)
{
    struct buf data = {0};
    buf_putc(&data, 0);
    put_u32(&data, (uint32_t)message.n);
    buf_put(&data, message);
    put_frame(b, DATA, flags, id, buf_str(&data));
    buf_fini(&data);
}

static inline void put_call(struct buf *b, unsigned id, str path, str name, str value, str message)
{
    put_head(b, id, 0, path, name, value);
    put_message(b, id, END_STREAM, message);
}

static inline void client_fini(struct client *c)
{
    buf_fini(&c->in);
    buf_fini(&c->out);
    buf_fini(&c->said);
    if (c->inflater)
        nghttp2_hd_inflate_del(c->inflater);
    *c = (struct client){0};
}

static inline void say_headers(struct client *c, str block)
{
    const uint8_t *p = (const uint8_t *)block.p;
    size_t n = block.n;
    if (!c->inflater && nghttp2_hd_inflate_new(&c->inflater) != 0)
        abort();
    for (int flags = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
        nghttp2_nv nv;
        ssize_t took = nghttp2_hd_inflate_hd2(c->inflater, &nv, &flags, p, n, 1);
        if (took < 0)
            abort();
        p += took;
        n -= (size_t)took;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            buf_printf(&c->said, "%.*s=%.*s,", (int)nv.namelen, (char *)nv.name, (int)nv.valuelen,
                       (char *)nv.value);
    }
    nghttp2_hd_inflate_end_headers(c->inflater);
}

static inline void say_data(struct client *c, str data)
{
    c->data_bytes += data.n;
    for (size_t i = 0; i < data.n && i < 200; i++)
        if ((unsigned char)data.p[i] < 0x20)
            buf_printf(&c->said, "\\%02x", (unsigned char)data.p[i]);
        else
            buf_putc(&c->said, data.p[i]);
}

static inline unsigned u32_at(str s, size_t at)
{
    const unsigned char *p = (const unsigned char *)s.p + at;
    return (unsigned)p[0] << 24 | (unsigned)p[1] << 16 | (unsigned)p[2] << 8 | p[3];
}

static inline void say_frame(struct client *c, unsigned type, unsigned flags, unsigned id, str body)
{
    switch (type) {
    case HEADERS:
        buf_printf(&c->said, "H%u{", id);
        say_headers(c, body);
        buf_put(&c->said, flags & END_STREAM ? S("}! ") : S("} "));
        break;
    case DATA:
        buf_printf(&c->said, "D%u[", id);
        say_data(c, body);
        buf_put(&c->said, flags & END_STREAM ? S("]! ") : S("] "));
        break;
    case RST:
        buf_printf(&c->said, "R%u:%u ", id, u32_at(body, 0));
        break;
    case GOAWAY:
        buf_printf(&c->said, "G:%u ", u32_at(body, 4));
        break;
    case PING:
        c->pings++;
        break;
    case SETTINGS:
        c->settings++;
        break;
    default:
        break;
    }
}

/* What is in c->out becomes words; a frame that is not whole stays. */
static inline void client_read(struct client *c)
{
    for (;;) {
        str out = buf_str(&c->out);
        if (out.n < 9)
            return;
        size_t n = u32_at(out, 0) >> 8;
        if (out.n < 9 + n)
            return;
        say_frame(c, (unsigned char)out.p[3], (unsigned char)out.p[4], u32_at(out, 5) & 0x7fffffff,
                  str_of(out.p + 9, n));
        buf_consume(&c->out, 9 + n);
    }
}

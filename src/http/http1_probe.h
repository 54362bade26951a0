/* http1_probe: for tests and fuzz targets only. Runs the reader over a message that arrives in
 * pieces and writes down all it says, so that two readings can be compared as strings. */
#pragma once
#include "http/http1.h"

#include <stdlib.h>

struct probe {
    struct buf said; /* canonical dump of the events, without what a rewrite changes */
    struct buf body;
    struct http_head head;
    enum http1_step last; /* after the end of the stream */
    bool eof_ended;       /* only the end of the stream ended the message */
    int status;
    size_t left; /* bytes after the message */
    struct err err;
};

static inline void probe_fini(struct probe *p)
{
    buf_fini(&p->said);
    buf_fini(&p->body);
}

static inline void probe_head(struct buf *out, const struct http_head *h)
{
    buf_printf(out, "%.*s %.*s %.*s?%.*s host %.*s expect %d\n", STR(h->method), STR(h->target),
               STR(h->parts.path), STR(h->parts.query), STR(h->host), h->expect_continue);
    buf_printf(out, "status %d bodiless %d framing %d length %llu keep %d\n", h->status,
               h->bodiless, (int)h->framing, (unsigned long long)h->length, h->keep_alive);
    for (size_t i = 0; i < h->fields.n; i++) {
        buf_put(out, h->fields.v[i].name);
        buf_put(out, S("="));
        buf_put(out, h->fields.v[i].value);
        buf_put(out, S("\n"));
    }
}

/* Reads as far as `pending` goes; true while more is wanted. */
static inline bool probe_feed(struct probe *p, struct http1 *h, str pending, size_t *taken)
{
    *taken = 0;
    for (;;) {
        size_t used;
        str data;
        p->last = http1_read(h, str_skip(pending, *taken), &used, &data, &p->err);
        *taken += used;
        if (p->last == HTTP1_DATA)
            buf_put(&p->body, data);
        if (p->last == HTTP1_HEAD)
            p->head = h->head;
        else if (p->last != HTTP1_DATA)
            return p->last == HTTP1_MORE;
    }
}

/* Pieces of `first` bytes, then of `step` bytes each (0: all the rest). Each piece is handed over
 * in memory of its exact size that is freed afterwards, so that a reader that looks past it or
 * keeps a slice is found out. */
static inline void probe_run(struct probe *p, struct arena *a, enum http1_role role, bool to_head,
                             const struct http1_limits *limits, str msg, size_t first, size_t step)
{
    struct http1 h;
    size_t fed = 0, start = 0, taken, n = first;
    bool more = true;
    http1_init(&h, role, limits);
    http1_begin(&h, a, to_head);
    *p = (struct probe){0};
    while (more && fed < msg.n) {
        fed += n < msg.n - fed ? n : msg.n - fed;
        char *exact = malloc(fed - start + 1);
        if (!exact)
            abort();
        memcpy(exact, msg.p + start, fed - start);
        more = probe_feed(p, &h, str_of(exact, fed - start), &taken);
        free(exact);
        start += taken;
        n = step ? step : SIZE_MAX;
    }
    if (more) {
        p->last = http1_eof(&h, &p->err);
        p->eof_ended = p->last == HTTP1_END;
    }
    p->left = msg.n - start;
    p->status = h.status;
    probe_head(&p->said, &p->head);
    buf_put(&p->said, buf_str(&p->body));
    if (p->last == HTTP1_BAD)
        buf_printf(&p->said, "\nBAD %d %s", p->status, p->err.text);
}

/* Writes the message that was read, canonically; the body in chunks of `chunk` bytes where it is
 * chunked. */
static inline bool probe_write(const struct probe *p, enum http1_role role, size_t chunk,
                               struct buf *out, struct err *err)
{
    bool ok = role == HTTP1_REQUESTS ? http1_write_request(out, &p->head, err)
                                     : http1_write_response(out, &p->head, err);
    if (!ok)
        return false;
    str body = buf_str(&p->body);
    if (p->head.bodiless)
        return true;
    if (p->head.framing != HTTP_BODY_CHUNKED) {
        buf_put(out, body);
        return true;
    }
    for (; body.n; body = str_skip(body, chunk))
        http1_write_chunk(out, str_take(body, chunk));
    http1_write_last_chunk(out);
    return true;
}

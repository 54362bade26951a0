/* What grpc.c, grpc_head.c and grpc_mem.c share; for nobody else. */
#pragma once
#include "base/arena.h"
#include "identity/grpc.h"

#include <nghttp2/nghttp2.h>

enum head_fault {
    HEAD_OK = 0,
    HEAD_MALFORMED, /* not HTTP/2: reset */
    HEAD_TOO_LARGE, /* 431 */
    HEAD_METHOD,    /* 405 */
    HEAD_TYPE,      /* 415 */
    HEAD_TE,        /* 400 */
    HEAD_ENCODING,  /* UNIMPLEMENTED */
    HEAD_TIMEOUT,   /* grpc-timeout is not one: INVALID_ARGUMENT */
};

/* The fields of one request as they come. Since most connections are idle with a stream or two, its
 * memory does not outlive the request's head. The zero value is empty. */
struct head_read {
    struct arena arena;
    struct grpc_field *fields; /* GRPC_HEAD_FIELDS_MAX, lives as long as the arena's content */
    struct grpc_head head;
    size_t count, bytes;
    unsigned seen; /* bits of what may come once, see grpc_head.c */
    bool regular;  /* a field that is not a pseudo-header has come */
    str method, scheme, type, te, encoding, timeout, length;
    uint64_t content_length; /* UINT64_MAX: none */
    enum head_fault fault;   /* the first one found */
};
void head_begin(struct head_read *r);
void head_fini(struct head_read *r);
void head_field(struct head_read *r, str name, str value);
/* All fields have come: r->head is filled if it says HEAD_OK. */
enum head_fault head_end(struct head_read *r);

/* grpc-message: RFC 3986 percent-encoding of what is not 0x20..0x7e, and of '%'. At most
 * GRPC_STATUS_TEXT_BYTES_MAX bytes of text are taken. */
void head_put_text(struct buf *out, str text);

/* The buffer of a session for the frame that is being sent. */
struct grpc_pages {
    void *at; /* NULL: none */
    size_t n;
};
/* For a session; never fails. pages: zero, and kept as long as the session. */
nghttp2_mem grpc_mem(struct grpc_pages *pages);
/* No frame is being sent: what the buffer held is forgotten. */
void grpc_mem_idle(const struct grpc_pages *pages);

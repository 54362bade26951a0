/* http_server: HTTP/1.1 towards clients, for every door that speaks it: connections in, whole
 * requests out, answers back whole or as a stream.
 *
 * One request at a time a connection (what a client pipelines waits). A body is gathered up to the
 * limit, since doors judge whole messages; answers stream with back-pressure: http_stream_full()
 * says stop, on_drain says go on. A request is over when its answer has been written (http_respond,
 * http_stream_end) or the client has gone (on_gone, after which nothing may be written). Then its
 * memory goes, at the end of the loop's iteration.
 *
 * Every wait has a deadline: the first byte of a request IDLE_WAIT_MS_MAX, its head
 * HEAD_WAIT_MS_MAX, its body BODY_WAIT_MS_MAX, the client reading our answer as net/conn.h says.
 * Malformed requests are answered and the connection closed. Loop thread only. */
#pragma once
#include "base/arena.h"
#include "http/http1.h"
#include "net/conn.h"

struct http_server;
struct http_client; /* a connection from one client */

struct http_request {
    struct http_client *client;
    struct arena arena; /* lives until the request is over */
    struct http_head head;
    str body;
    void *owner; /* the door's, free to use */
};

struct http_server_ops {
    /* The whole request is there. Answer now or later. */
    void (*on_request)(struct http_request *r);
    /* The client went away before the answer was complete. */
    void (*on_gone)(struct http_request *r);
    /* A stream that was full has room again. May be NULL. */
    void (*on_drain)(struct http_request *r);
    /* The connection has ended. May be NULL. */
    void (*on_client_closed)(struct http_client *c);
};

struct http_server_opts {
    size_t body_bytes_max;
    const struct http_server_ops *ops;
    void *owner;
};

/* Serves a connection from now on; it takes it over from its listener or adopter. tag: the door's
 * word for where it came in. */
struct http_client *http_serve(const struct http_server_opts *opts, struct conn *conn,
                               uint64_t tag);
uint64_t http_client_tag(const struct http_client *c);
void *http_client_owner(const struct http_client *c); /* opts->owner */
struct conn *http_client_conn(const struct http_client *c);
/* Stops after the request under way, if any (draining). */
void http_client_finish(struct http_client *c);

struct http_answer {
    int status;
    str content_type; /* empty: no body */
    str body;
    const struct field *fields;
    size_t fields_n;
};
void http_respond(struct http_request *r, const struct http_answer *a);
/* Chunked answer of unknown length. */
void http_stream_begin(struct http_request *r, const struct http_answer *a);
void http_stream_write(struct http_request *r, str bytes);
bool http_stream_full(const struct http_request *r);
void http_stream_end(struct http_request *r);
/* The answer cannot be completed: the connection is cut, so that the client sees it. */
void http_cut(struct http_request *r);

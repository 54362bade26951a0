/* upstream: HTTP/1.1 towards the systems behind the gateway: one POST (or DELETE) at a time over
 * pooled connections.
 *
 * Every request is written from nothing: the target of the binding, the fields that MCP needs
 * (mcp/client.h), the credential, the vouchers. No field of the agent's request can get here,
 * because none is passed. Redirects are never followed, the Host is the binding's, and the address
 * is the one resolved when the gateway started (design section 11).
 *
 * A credential is in memory from the keeper's answer until the request has left: its buffers are
 * wiped (conn_write_secret). Idle connections are kept UPSTREAM_IDLE_MS, shorter than common
 * servers keep theirs, so that a request is not written into a closing connection. Loop thread
 * only. */
#pragma once
#include "base/list.h"
#include "conf/conf.h"
#include "http/http1.h"
#include "http/sse.h"
#include "mcp/client.h"
#include "net/conn.h"
#include "net/timer.h"

enum { UPSTREAM_IDLE_MS = 4000, UPSTREAM_IDLE_MAX = 64 };

/* Where one binding's requests go. */
struct upstream {
    const struct conf_binding *conf;
    struct loop *loop;
    struct addr addr;
    struct tls *tls;  /* NULL: plain */
    str tls_name;     /* whom the certificate must name */
    str host, target; /* of the URL; stdio: the runner's */
    size_t answer_bytes_max;
    struct list idle; /* connections that wait */
    size_t idle_n;
};

/* A field that carries a secret, or a voucher. The value is wiped by its owner after the request.
 */
struct upstream_secret {
    str name, prefix, value;
};

struct post;
struct post_ops {
    /* One JSON-RPC message, or an empty body with its status (202, errors). May be called several
     * times on an event stream. False: enough. The post is no longer the owner's, what is left of
     * the answer is read past, and on_end does not follow. */
    bool (*on_message)(void *owner, const struct mcp_answer *answer);
    /* Once, last, unless on_message has returned false. err NULL: the answer was complete. sent:
     * bytes may have reached the upstream. */
    void (*on_end)(void *owner, const struct err *err, bool sent);
};

struct post_request {
    str method;    /* "POST" */
    str principal; /* stdio: which child; else empty */
    const struct mcp_out *out;
    const struct upstream_secret *secrets;
    size_t secrets_n;
    int64_t wait_ms; /* for the whole answer */
    const struct post_ops *ops;
    void *owner;
};
/* NULL with *err: nothing was sent, and on_end does not follow. */
struct post *upstream_post(struct upstream *u, const struct post_request *req, struct err *err);
/* Ends it now, without on_end. */
void post_cancel(struct post *p);
void post_pause(struct post *p);
void post_resume(struct post *p);
uint64_t post_bytes(const struct post *p); /* of the answer so far */

void upstream_init(struct upstream *u, struct loop *loop, const struct conf_binding *conf);
void upstream_fini(struct upstream *u);

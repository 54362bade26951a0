/* oauth_door: the HTTP side of the authorization server, on the listeners of the MCP door that have
 * `oauth`. It reads requests strictly and hands the parameters to core, which judges everything
 * (call/oauth.h); what follows from the configuration alone it answers itself.
 *
 *     GET   /.well-known/oauth-authorization-server      RFC 8414, from the configuration
 *     GET   /.well-known/oauth-protected-resource[/mcp[/<binding>]]   RFC 9728, the same
 *     GET   /oauth/jwks                                  asked of core
 *     POST  /oauth/token, /oauth/introspect, /oauth/revoke            asked of core
 *
 * A form has each parameter once; a request has at most one DPoP field and no Authorization. No
 * address is made from the Host field. Every answer is Cache-Control: no-store. What core does not
 * answer in CORE_WAIT_MS_MAX is answered with 503. Loop thread only. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "conf/conf.h"
#include "door/http_server.h"
#include "ipc/message.h"
#include "net/timer.h"

struct oauth_door {
    struct loop *loop;
    const struct conf *conf;
    bool (*send)(void *ctx, enum role to, enum message_type type, uint64_t id, const void *msg);
    void *ctx;
    struct map asked; /* id -> struct oauth_asked */
    uint64_t next_id;
};

/* True: the request is this door's, and is or will be answered. */
bool oauth_door_request(struct oauth_door *d, struct http_request *r, uint32_t listener);
/* The client went away before the answer. */
void oauth_door_gone(struct oauth_door *d, struct http_request *r);
MUST_USE bool oauth_door_answer(struct oauth_door *d, uint64_t id, str payload, struct err *err);
void oauth_door_core_lost(struct oauth_door *d);

/* The addresses of the challenge of a 401 (RFC 9728 section 5.1). */
str oauth_metadata_url(struct arena *a, const struct conf_listener *l, str binding);
/* The value of WWW-Authenticate at an MCP endpoint (RFC 6750 section 3, RFC 9449 section 7.1).
 * error empty: nothing was shown, and both schemes are offered. */
str oauth_challenge(struct arena *a, const struct conf_listener *l, str binding, str error,
                    bool by_dpop);

/* ---- oauth_metadata.c ---- */
void oauth_write_server(struct buf *out, const struct conf *c);
void oauth_write_resource(struct buf *out, const struct conf *c, const struct conf_listener *l,
                          str binding);

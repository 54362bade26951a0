/* oauth: the authorization server in core (design section 6). The edge has parsed HTTP and the form
 * (door/oauth_door.h); everything is judged here.
 *
 *     endpoint    who asks                      what it does
 *     token       an agent that proves itself   a short token for one of its tasks, bound to a key
 *     introspect  an agent that proves itself   what a token is worth now (RFC 7662)
 *     revoke      the agent that holds it       ends a token, or the task itself (RFC 7009)
 *     jwks        anybody                       the keys that task tokens verify with
 *
 * A client is an agent. It proves itself by its X.509-SVID (RFC 8705 section 2.1), by a JWT-SVID or
 * by a token of a configured issuer as client assertion (RFC 7523); identity/trust.h judges both.
 * Grants: client_credentials, token exchange (RFC 8693), and what oauth_token.c lists. A token is
 * bound to the key of a DPoP proof (RFC 9449), else to the client's certificate (RFC 8705), else it
 * is a bearer token, where agent and listener may have those. It lives at most TASK_TOKEN_MS_MAX,
 * 60 s with high-impact operations, and never longer than its task or the proof that got it. There
 * are no refresh tokens: renewal is asking again.
 *
 * State: jtis of DPoP proofs for as long as they could be replayed (of all edges), the key of the
 * server nonces, revoked tokens until they expire. Core's main thread. */
#pragma once
#include "call/gate.h"

enum {
    OAUTH_PROOFS_MAX = 1 << 20, /* DPoP proofs remembered */
};

struct oauth *oauth_new(void);
void oauth_free(struct oauth *o); /* NULL is fine */

/* One request; exactly one OAUTH_ANSWER follows, now or when the keeper has signed. */
void gate_oauth(struct gate *g, uint32_t edge, uint64_t request, const struct msg_oauth *m);
/* Forgets what has run out. */
void oauth_sweep(struct oauth *o, int64_t now_ms);

/* ---- for identify.c and restore.c ---- */
/* What was revoked before the start and would still live. */
MUST_USE bool oauth_revoked_restore(struct gate *g, struct err *err);
bool oauth_is_revoked(const struct oauth *o, str jti);
/* Uses up a proof: its nonce must be ours, and its jti new. On failure c says what to tell the
 * client. */
MUST_USE bool oauth_take_proof(struct oauth *o, const struct dpop_proof *proof, int64_t now_s,
                               struct challenge *c, struct err *err);

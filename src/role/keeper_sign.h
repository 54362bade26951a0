/* keeper_sign: what the keeper signs for core besides checkpoints, and what it refuses even to it.
 *
 * A core that was taken over can open tasks and ask for tokens in anybody's name here; it must not
 * get words that hold elsewhere, or for long. So each kind has a key of its own, a type that the
 * keeper writes, a longest life, and claims that it must or must not have:
 *
 *     kind        typ            life at most          claims
 *     task token  at+jwt         TASK_TOKEN_MS_MAX     aud: one resource below our issuer URL;
 *                                                      iss is added
 *     txn         txntoken+jwt   TXN_TOKEN_MS_MAX      aud: our trust domain; txn, sub, scope,
 *                                                      req_wl, iat; iss is added
 *     JWT-SVID    JWT            identity.jwtLife      sub: a SPIFFE ID of ours; aud: a string, or
 *                                                      a list of at most JWT_AUD_MAX; exp, iat;
 *                                                      nothing else
 *     WIT-SVID    wit+jwt        identity.x509Life     sub: a SPIFFE ID of ours; cnf.jwk with its
 *                                                      alg: a public ES256 key; exp, iat, jti;
 *                                                      nothing else
 *
 * A SPIFFE ID of ours is spiffe://<trust domain>/agent/... or /ambit/...; X.509-SVIDs follow the
 * same rule. `exp` is always there and not past, `iat` not in the future. Errors are ERR_INPUT
 * (malformed) or ERR_DENIED. */
#pragma once
#include "role/keeper_keys.h"

/* Appends the token. */
MUST_USE bool keeper_sign_jwt(struct keeper_keys *k, enum sign_kind kind, str claims,
                              int64_t now_ms, struct buf *out, struct err *err);
/* As keyring_issue. */
MUST_USE bool keeper_sign_x509(struct keeper_keys *k, struct arena *a,
                               const struct msg_sign_x509 *ask, int64_t now_ms, str *chain,
                               int64_t *not_after_s, struct err *err);

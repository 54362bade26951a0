/* keeper_keys: the signing keys of an installation and what they sign.
 *
 * Sealed in state/keys: token.key (ES256, task tokens), checkpoint.key (Ed25519, the ledger), both
 * made at the first start, and checkpoint.last (the largest checkpoint signed: size and root). */
#pragma once
#include "broker/secrets.h"
#include "crypto/key.h"
#include "crypto/note.h"
#include "role/role.h"

struct keeper_keys {
    struct secrets secrets;
    struct key *token, *checkpoint;
    struct key_id token_kid;
    str origin;        /* of the ledger; borrowed from the configuration */
    struct buf issuer; /* of tokens: https:// and the trust domain */
    struct buf token_jwk, checkpoint_vkey;
    uint64_t last_size;
    struct hash last_root;
    bool has_last;
};

MUST_USE bool keeper_keys_open(struct keeper_keys *k, const struct role_env *env, struct err *err);
void keeper_keys_close(struct keeper_keys *k);

/* claims: a JSON object with exp, at most TASK_TOKEN_MS_MAX ahead, and without iss, which is added,
 * as are the type at+jwt and the key id. Refused: iss, an exp that is past. */
MUST_USE bool keeper_sign_token(const struct keeper_keys *k, str claims, int64_t now_ms,
                                struct buf *out, struct err *err);
/* ERR_DENIED: an earlier checkpoint says otherwise about this size, or this size is smaller than
 * the largest one signed (a ledger never shrinks). Signing the very same one again is fine. The
 * largest is on disk before its signature leaves. */
MUST_USE bool keeper_sign_checkpoint(struct keeper_keys *k, int64_t size, str root, struct buf *out,
                                     struct err *err);

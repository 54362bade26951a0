/* keeper_keys: the signing keys of an installation, and checkpoints.
 *
 * Sealed in state/keys: issuer (the keys of the built-in SPIFFE issuer and of tokens,
 * identity/keyring.h), checkpoint.key (Ed25519, the ledger), both made at the first start, and
 * checkpoint.last (the largest checkpoint signed: size and root). */
#pragma once
#include "broker/secrets.h"
#include "crypto/key.h"
#include "crypto/note.h"
#include "identity/keyring.h"
#include "role/role.h"

struct keeper_keys {
    struct secrets secrets;
    struct keyring *ring;
    struct key *checkpoint;
    str origin, trust_domain; /* borrowed from the configuration */
    const struct conf *conf;  /* borrowed */
    struct buf issuer;        /* `iss` of tokens */
    struct buf checkpoint_vkey;
    bool unpublished;       /* the ring has changed: tell core before anything is signed with it */
    struct key_id replaced; /* by the last keeper_rotate */
    uint64_t last_size;
    struct hash last_root;
    bool has_last;
};

MUST_USE bool keeper_keys_open(struct keeper_keys *k, const struct role_env *env, struct err *err);
void keeper_keys_close(struct keeper_keys *k);

/* The lives that a configuration asks for. */
struct ca_conf keeper_lives(const struct conf *c);
/* Makes, retires and forgets what is due. False: try again soon. */
MUST_USE bool keeper_tend(struct keeper_keys *k, int64_t now_s, struct err *err);
/* keyring_rotate or keyring_revoke, at a person's wish. Strings of *out are borrowed from k. */
MUST_USE bool keeper_rotate(struct keeper_keys *k, const struct msg_rotate *ask, int64_t now_s,
                            struct msg_rotated *out, struct err *err);
/* ERR_DENIED: an earlier checkpoint says otherwise about this size, or this size is smaller than
 * the largest one signed (a ledger never shrinks). Signing the very same one again is fine. The
 * largest is on disk before its signature leaves. */
MUST_USE bool keeper_sign_checkpoint(struct keeper_keys *k, int64_t size, str root, struct buf *out,
                                     struct err *err);

/* keyring: the keys of the built-in issuer, moved through their lives by ca.h: made when they are
 * due, kept, used, published, forgotten.
 *
 * Everything is one value that is stored whole: a change is worked out beside the ring, given to
 * `save`, and enters the ring only when it is on disk. So a process that dies in the middle finds
 * the ring as it was or as it was to be, and nobody has seen a key that will not be there again.
 *
 * Stored form, version 1 (all integers u64, big-endian; a string is its length and its bytes):
 *
 *     "ambit keyring 1\n", trust domain, sequence, last id, number of keys, then of each key
 *     id, kind, parent, made, use from, use until, end, gone,
 *     certificate (DER; empty for keys of tokens),
 *     private half (PKCS#8), or empty once it may not sign any more,
 *     public half (65 bytes) where there is no private one, or empty
 *
 * It holds private keys: whoever stores it seals it. Lives are not in it; they are the
 * configuration's.
 *
 * Owns its keys; what it hands out is borrowed until the next change. The caller gives the time.
 * One thread. */
#pragma once
#include "identity/ca.h"
#include "identity/x509_svid.h"

enum { KEYRING_BYTES_MAX = 60 << 10 };

struct keyring; /* opaque */

/* An empty ring: keyring_tend makes the first keys. ERR_INPUT: no trust domain, or lives as
 * ca_init. */
MUST_USE bool keyring_new(str trust_domain, const struct ca_conf *conf, struct keyring **out,
                          struct err *err);
/* ERR_INPUT: not one that was written here (ca_check), or of another trust domain. */
MUST_USE bool keyring_read(str trust_domain, const struct ca_conf *conf, str bytes,
                           struct keyring **out, struct err *err);
void keyring_free(struct keyring *k); /* NULL is fine; private halves are wiped */

/* ---- changes ---- */
struct keyring_disk {
    void *ctx;
    MUST_USE bool (*save)(void *ctx, str bytes, struct err *err); /* durable when it returns */
};
/* All that is due. *changed: something is new, so publish. False, and nothing has changed: it could
 * not be saved, or OpenSSL failed; try again soon. */
MUST_USE bool keyring_tend(struct keyring *k, int64_t now_s, const struct keyring_disk *disk,
                           bool *changed, struct err *err);
/* Makes the next key of that kind now; it is used after its lead. ERR_DENIED: one is waiting to be
 * used already. */
MUST_USE bool keyring_rotate(struct keyring *k, enum ca_kind kind, int64_t now_s,
                             const struct keyring_disk *disk, struct err *err);
/* Takes all keys of that kind out at once and makes a new one, which is used at once. A signing CA
 * takes its root along, since it is the root that stands in bundles, and a root its signing CAs. */
MUST_USE bool keyring_revoke(struct keyring *k, enum ca_kind kind, int64_t now_s,
                             const struct keyring_disk *disk, struct err *err);
int64_t keyring_wake_s(const struct keyring *k, int64_t now_s);

/* ---- use ---- */
struct keyring_key {
    struct ca_key life;
    const struct key *key; /* private */
    str kid;
};
/* False: there is none; tend first. */
bool keyring_current(const struct keyring *k, enum ca_kind kind, int64_t now_s,
                     struct keyring_key *out);
/* A leaf for this public key and its signing CA, concatenated. Never alive for longer than its
 * signer. ERR_DENIED: another trust domain, or a life over that of the configuration. */
MUST_USE bool keyring_issue(const struct keyring *k, struct arena *a, str spiffe_id, str spki,
                            int64_t life_s, int64_t now_s, str *chain, int64_t *not_after_s,
                            struct err *err);

/* ---- what others verify with ---- */
const struct ca *keyring_ca(const struct keyring *k);
str keyring_kid(const struct keyring *k, uint64_t id); /* empty: no such key */
/* The SPIFFE bundle, and its CA certificates concatenated. */
void keyring_bundle(const struct keyring *k, struct buf *jwks, struct buf *roots);
/* A JWK Set of the keys of one kind of token. */
void keyring_jwks(const struct keyring *k, enum ca_kind kind, struct buf *out);

/* dpop: proofs that a request comes from the holder of a key (RFC 9449), and the server's nonces.
 *
 * dpop_check reads one proof strictly: typ dpop+jwt, ES256, the public key in the header and no
 * private member in it; jti, htm, htu, iat; ath where a token comes with it (and only there),
 * nonce. htu must be one of the addresses that the configuration gives, byte by byte: the Host
 * field of a request plays no part. It does not know whether the proof was seen before
 * (call/replay.h), nor whose key it is: the caller compares the thumbprint.
 *
 * A nonce says when this process made it. It is not kept anywhere: a slot of time and its MAC under
 * a key of this process, so it is worth nothing to the next process, and with it no proof from
 * before a restart is. Pure but for dpop_nonces_init; results live in the arena. */
#pragma once
#include "base/arena.h"
#include "crypto/key.h"

enum {
    DPOP_AGE_S_MAX = 60,   /* how old a proof may be by its iat */
    DPOP_AHEAD_S_MAX = 15, /* how far in the future, for clocks that run ahead */
    DPOP_NONCE_S = 120,    /* a nonce is the newest for so long, and good for twice that */
    DPOP_NONCE_LEN = 32,   /* of its text */
    DPOP_JTI_BYTES_MAX = 128,
    DPOP_PROOF_BYTES_MAX = 4096,
};

struct dpop_want {
    str htm;        /* method of the request */
    const str *htu; /* addresses it may be for, without query; one of them, exactly */
    size_t htu_n;
    str token; /* access token that it comes with; empty: none (token endpoint) */
    int64_t now_s;
};

struct dpop_proof {
    struct key_id jkt; /* RFC 7638 thumbprint of the key */
    str jti, nonce;    /* nonce: empty if absent */
    int64_t iat_s;
    int64_t until_s; /* from here on its iat refuses it: how long a replay cache keeps it */
};

/* ERR_INPUT or ERR_DENIED; err says which rule, and quotes nothing. */
MUST_USE bool dpop_check(struct arena *a, str proof, const struct dpop_want *want,
                         struct dpop_proof *out, struct err *err);

/* ---- nonces ---- */
struct dpop_nonces {
    uint8_t key[HASH_LEN];
};
struct dpop_nonce {
    char s[DPOP_NONCE_LEN + 1];
};
void dpop_nonces_init(struct dpop_nonces *n); /* a fresh random key */
struct dpop_nonce dpop_nonce_now(const struct dpop_nonces *n, int64_t now_s);
/* Ours, and not too old. */
bool dpop_nonce_good(const struct dpop_nonces *n, str nonce, int64_t now_s);
/* Good, but there is a newer one that the client should be told. */
bool dpop_nonce_aging(const struct dpop_nonces *n, str nonce, int64_t now_s);

/* webauthn: strict reading of the three things that a browser's authenticator gives (W3C Web
 * Authentication level 2): clientDataJSON (5.8.1), authenticator data (6.1) and, inside that of a
 * registration, the public key as COSE_Key (RFC 9053).
 *
 * A signature proves only that a key signed some bytes; what they say is judged here. Refused:
 * another type, challenge or origin, a frame of another site (crossOrigin, topOrigin), another
 * relying party, a ceremony without the person's presence and verification (UP and UV), a backup
 * state that the key's kind does not allow, extensions (none is asked for), bytes left over, and
 * any key but the three below in the one encoding that CTAP2 prescribes. Everything read borrows
 * from the bytes given or lives in the arena. Pure; thread-safe. Errors never quote the input. */
#pragma once
#include "base/json.h"
#include "crypto/hash.h"

enum {
    WEBAUTHN_CLIENT_DATA_BYTES_MAX = 4096,
    WEBAUTHN_AUTHN_DATA_BYTES_MAX = 2048,
    WEBAUTHN_CREDENTIAL_BYTES_MAX = 1023, /* Web Authentication 4, "credential ID" */
    WEBAUTHN_COSE_BYTES_MAX = 272,
    WEBAUTHN_RAW_KEY_BYTES_MAX = 259,
};

/* Whose credentials they are: the host of the portal's origin. */
struct relying_party {
    str id;     /* "ambit.example.org" */
    str origin; /* "https://ambit.example.org" */
};

/* ---- clientDataJSON ---- */
enum webauthn_type { WEBAUTHN_NONE = 0, WEBAUTHN_CREATE, WEBAUTHN_GET };
/* True if it is of this type, for this origin and over exactly this challenge. Members that are
 * not known are passed over, as the standard demands. */
MUST_USE bool client_data_check(str json, enum webauthn_type type, const struct relying_party *rp,
                                str challenge, struct err *err);
/* The challenge inside, for looking up what it belongs to; it proves nothing. */
MUST_USE bool client_data_challenge(struct arena *a, str json, str *out, struct err *err);

/* ---- keys ---- */
enum cose_alg { COSE_NONE = 0, COSE_ALG_ES256 = -7, COSE_ALG_EDDSA = -8, COSE_ALG_RS256 = -257 };
struct cose_key {
    enum cose_alg alg;
    uint8_t raw[WEBAUTHN_RAW_KEY_BYTES_MAX]; /* ES256 x || y; Ed25519 32 bytes; RSA n || e */
    size_t raw_n;
};
/* Takes one key from the front of the bytes: *used says how many they were. */
MUST_USE bool cose_key_read(str bytes, size_t *used, struct cose_key *out, struct err *err);
const char *cose_alg_name(enum cose_alg alg); /* "ES256", "EdDSA", "RS256"; "none" */

/* ---- authenticator data ---- */
struct authn_data {
    uint32_t counter; /* 0 always: the authenticator keeps none */
    bool backup_able; /* may be copied to other devices (BE) */
    bool backed_up;   /* is (BS) */
    str aaguid;       /* of a registration: 16 bytes, the model */
    str credential;   /* of a registration */
    str cose;         /* of a registration: the key's bytes, as they came */
    struct cose_key key;
};
MUST_USE bool authn_data_read(str bytes, enum webauthn_type type, const struct relying_party *rp,
                              struct authn_data *out, struct err *err);

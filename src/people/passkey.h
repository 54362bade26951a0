/* passkey: a person's public key at an authenticator, and the two ceremonies with it.
 *
 * Registration (attestation "none": the browser withholds who made the device, so nothing vouches
 * for it but the one-time link that led here) gives id, key and counter. An assertion is checked in
 * full: what it says (people/webauthn.h), the signature (libfido2, which also demands presence and
 * verification), and the counter, which must grow where the authenticator keeps one: a copy of a
 * key that ought not to have copies shows there.
 *
 * An assertion over a *statement* is a signature that outlives the moment: the challenge is
 * SHA-256 of a text that says exactly what is decided (an approval, a consent). Kept with the text,
 * anybody can check it later with the public key: `struct evidence`, evidence_check().
 * Pure; thread-safe. About 140 us for ES256. */
#pragma once
#include "people/webauthn.h"

/* As it came from the browser; raw bytes. */
struct assertion {
    str credential, authn_data, client_data, signature;
};
enum { PASSKEY_SIGNATURE_BYTES_MAX = 256 };

/* The answer of navigator.credentials.create(): getAuthenticatorData() and clientDataJSON. */
MUST_USE bool passkey_registered(const struct relying_party *rp, str challenge, str authn_data,
                                 str client_data, struct authn_data *out, struct err *err);

/* counter: the last one seen. *counter_out: the one to keep. */
MUST_USE bool passkey_asserted(const struct relying_party *rp, const struct cose_key *key,
                               uint32_t counter, str challenge, const struct assertion *as,
                               uint32_t *counter_out, struct err *err);

/* How the person was verified, as RFC 8176 values: "hwk user" for a key that stays in its device,
 * "swk user" for one that may be copied. Of authenticator data that was checked. */
str passkey_amr(str authn_data);

/* The challenge that stands for a statement. */
static inline struct hash statement_challenge(str statement)
{
    return sha256(statement);
}

/* Kept for every decision by passkey; everything that a stranger needs to check it. */
struct evidence {
    str statement; /* the text whose SHA-256 was signed */
    str cose;      /* the public key, as registered */
    struct assertion assertion;
};
/* True if the key signed exactly this statement on this site, with the person verified. The
 * counter is a matter of the moment and not looked at. */
MUST_USE bool evidence_check(const struct relying_party *rp, const struct evidence *e,
                             struct err *err);

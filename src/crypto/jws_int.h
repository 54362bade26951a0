/* jws_int: the strict reading of a token's text, which jws.c (our own keys) and foreign.c (keys of
 * others) share; nobody else includes it. */
#pragma once
#include "crypto/jws.h"

struct jws_parts {
    str header, payload, sig; /* decoded */
    str signed_text;          /* header.payload as sent */
};
/* Three parts of strict base64url, within the limits of jws.h. */
MUST_USE bool jws_split(struct arena *a, str token, struct jws_parts *out, struct err *err);
/* An object of the members that jws.h allows, each of its type; `jwk` in proofs only. What alg and
 * typ say is for the caller to judge. */
MUST_USE bool jws_header(struct arena *a, str text, bool proof, const json **out, struct err *err);
/* As jws_verify demands of typ; NULL: absent. */
bool jws_typ_matches(const json *typ, str demand);

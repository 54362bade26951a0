/* hex and base64url (RFC 4648 section 5, without padding). Decoders are strict: the only accepted
 * text of some bytes is the one the encoder writes (no white space, no padding, trailing bits
 * zero). Thread-safe. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

void hex_encode(struct buf *out, str bytes); /* lower case */
str hex_dup(struct arena *a, str bytes);
MUST_USE bool hex_decode(struct arena *a, str text, str *out);

void base64url_encode(struct buf *out, str bytes);
str base64url_dup(struct arena *a, str bytes);
MUST_USE bool base64url_decode(struct arena *a, str text, str *out);
/* RFC 4648 section 4 with padding, for signed notes and MCP headers; equally strict. */
void base64_encode(struct buf *out, str bytes);
MUST_USE bool base64_decode(struct arena *a, str text, str *out);

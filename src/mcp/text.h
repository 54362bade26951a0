/* text: strings from strangers made fit to be shown: bounded, valid UTF-8, without control
 * characters. */
#pragma once
#include "base/json.h"

/* The first bytes of s, at most max, not cut within a code point. */
str mcp_text_take(str s, size_t max);
/* Writes s as a JSON string of at most max bytes: what is not UTF-8 becomes '?', control characters
 * (C0, DEL, C1) blanks; line feeds stay where lines is true. */
void mcp_put_text(struct jw *w, str s, size_t max, bool lines);

/* unicode: what of Unicode the language needs beyond its own letters.
 *
 * The tables are generated (tools/cedar_unicode.pl) and say which version of Unicode they are
 * of. All functions take UTF-8. Thread-safe: constant tables. */
#pragma once
#include "base/str.h"

/* The next code point of s at *i, which is moved behind it; *i < s.n, s is UTF-8. */
uint32_t cedar_code_point(str s, size_t *i);

/* Columns that s takes in a terminal: 2 for wide East Asian characters and emoji, 0 for combining
 * and invisible ones, 1 for all others. */
size_t cedar_width(str s);

/* May stand in a name without making it hard to tell from others: printable ASCII, and what UTS #39
 * allows in identifiers. */
bool cedar_identifier_allows(uint32_t c);
/* Offset of the first character that makes s a mix of scripts that are not written together (UTS
 * #39, 5.1), or that belongs to no script at all; s.n if there is none. Digits, punctuation and
 * other common characters go with all scripts. */
size_t cedar_script_clash(str s);

/* chars: the classes of bytes that HTTP and URL grammars are made of, as one table of 256 entries.
 *
 * Sources: tokens and field values RFC 9110 5.6.2 and 5.5; path and query RFC 3986 3.3 and 3.4;
 * host names RFC 1123 2.1 plus '_', which real internal names hold. Bytes of 0x80 and above are
 * allowed in field values only (obs-text). No state, any thread. */
#pragma once
#include "base/str.h"

enum {
    CH_TOKEN = 1,     /* method, field name, list member */
    CH_VALUE = 2,     /* HTAB, SP, visible ASCII, 0x80..0xff */
    CH_HEX = 4,       /* 0-9 a-f A-F */
    CH_DIGIT = 8,     /* 0-9 */
    CH_PATH = 16,     /* pchar without '%', and '/' */
    CH_QUESTION = 32, /* '?'; CH_PATH | CH_QUESTION is a query's class without '%' */
    CH_HOST = 64,     /* letter, digit, '-', '.', '_' */
};

extern const uint8_t chars_class[256];

static inline bool char_in(char c, unsigned classes)
{
    return (chars_class[(unsigned char)c] & classes) != 0;
}

/* How many leading bytes of s are in any of the classes. */
static inline size_t chars_span(str s, unsigned classes)
{
    size_t i = 0;
    while (i < s.n && char_in(s.p[i], classes))
        i++;
    return i;
}

/* All of s, which may be empty. */
static inline bool chars_all(str s, unsigned classes)
{
    return chars_span(s, classes) == s.n;
}

/* The value of a hexadecimal digit; c must be one. */
static inline unsigned char_hex(char c)
{
    return char_in(c, CH_DIGIT) ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

/* str: bytes as (pointer, length), passed by value.
 *
 * A str borrows; whoever made the bytes says how long they live. It need not be NUL-terminated and
 * may hold NUL. The zero value is the empty string. Nothing here allocates except where an arena is
 * the first argument. Thread-safe: no state. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct str {
    const char *p;
    size_t n;
} str;

struct arena;

/* A str from a string literal; the length is known at compile time. */
#define S(lit) ((str){("" lit), sizeof(lit) - 1})
/* For printf: printf("%.*s", STR(s)). */
#define STR(s) (int)(s).n, ((s).p ? (s).p : "")

static inline str str_of(const char *p, size_t n)
{
    return (str){p, n};
}
/* From a NUL-terminated string; NULL gives the empty str. */
static inline str str_z(const char *z)
{
    return (str){z, z ? strlen(z) : 0};
}
static inline bool str_eq(str a, str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool str_is_empty(str s)
{
    return s.n == 0;
}

/* Byte order, shorter first on a tie; <0, 0, >0. */
int str_cmp(str a, str b);
/* ASCII letters only; no locale. */
bool str_eq_nocase(str a, str b);
bool str_starts(str s, str prefix);
bool str_ends(str s, str suffix);
/* Index of the first c at or after from, or -1. */
ptrdiff_t str_find_char(str s, char c, size_t from);
/* Index of the first needle, or -1. An empty needle is at 0. */
ptrdiff_t str_find(str s, str needle);
/* s without its first n bytes (all of it if shorter). */
str str_skip(str s, size_t n);
str str_take(str s, size_t n);
/* Cuts s at the first sep: head is what is before it, *rest what is after. False (head = s, rest
 * empty) when there is none. */
bool str_cut(str s, char sep, str *head, str *rest);
/* Without leading and trailing bytes that are SP or HTAB. */
str str_trim(str s);
/* Decimal with an optional leading '-', no sign '+', no white space, no leading zeros beyond "0",
 * must use all of s and fit. */
bool str_to_i64(str s, int64_t *out);
/* As above without sign. */
bool str_to_u64(str s, uint64_t *out);
/* Compares in time that depends on the lengths only. */
bool str_eq_secret(str a, str b);
/* True if s is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
bool str_is_utf8(str s);
/* True if every byte is in 0x21..0x7e. */
bool str_is_visible_ascii(str s);
/* Shell-like match where '*' stands for any bytes; linear time, no recursion. */
bool str_match(str pattern, str s);

/* Copies into the arena; the copy has a NUL after it (not counted). */
str str_dup(struct arena *a, str s);
/* printf into the arena. */
str str_fmt(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* json: strict JSON in (RFC 8259 and I-JSON, RFC 7493), exact JSON out.
 *
 * Reading refuses: duplicate member names at any depth, text that is not UTF-8, lone surrogates,
 * NUL bytes outside strings, trailing bytes, and anything over the limits given. Numbers keep their
 * text: nothing is rounded, json_i64() succeeds only for an integer literal that fits. The tree
 * lives in the arena given and borrows nothing.
 *
 * Writing goes through `struct jw`, which places commas and escapes; it cannot produce bad JSON as
 * long as opens and closes match (asserted by jw_done). Threads: values may be read by several. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

typedef struct yyjson_val json; /* always used as const json *; NULL reads as "absent" everywhere */

enum json_type {
    JSON_ABSENT = 0, /* what a NULL pointer is */
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json_limits {
    size_t bytes_max;  /* of the text; 0: 16 MiB */
    size_t depth_max;  /* nested arrays and objects; 0: 64 */
    size_t values_max; /* all values together; 0: 1,000,000 */
    bool comments;     /* allow comments and trailing commas (configuration files only) */
};

MUST_USE bool json_read(struct arena *a, str text, const struct json_limits *limits,
                        const json **out, struct err *err);
/* As json_read; *base is the reader's copy of the text, in which every name and string of the tree
 * lies at the offset that it has in the text. */
MUST_USE bool json_read_based(struct arena *a, str text, const struct json_limits *limits,
                              const json **out, const char **base, struct err *err);
/* As json_read for a person's file: errors say "name:line:column: ...", and json_line() works on
 * its keys. */
struct json_file {
    str name;
    str text;         /* as read, comments and all; borrowed from the caller */
    const char *base; /* the reader's copy, in which the tree's strings lie at the same offsets */
    const json *root;
};
MUST_USE bool json_read_file_text(struct arena *a, str name, str text, struct json_file *out,
                                  struct err *err);
/* Line (from 1) of a member name or string value that came from that file; 0 if it did not. */
unsigned json_line(const struct json_file *f, str s);

enum json_type json_type(const json *v);
const char *json_type_name(enum json_type t); /* "a string", "an object" ... */
str json_str(const json *v);                  /* empty if it is not a string */
bool json_bool(const json *v);                /* false if it is not true */
str json_number(const json *v);               /* the literal's text; empty if not a number */
MUST_USE bool json_i64(const json *v, int64_t *out);
size_t json_count(const json *v); /* of elements or members */
const json *json_get(const json *obj, str name);
/* Shorthand for a member that must be a string; empty if absent or of another type. */
str json_get_str(const json *obj, str name);

struct json_iter {
    const json *at;
    size_t left;
    bool is_obj;
};
/* for (struct json_iter it = json_iter(v); json_next(&it, &name, &value);) ; name may be NULL.
 * Anything but an array or object has no elements. Order is that of the text. */
struct json_iter json_iter(const json *v);
bool json_next(struct json_iter *it, str *name, const json **value);

/* ---- writing ---- */
enum { JW_DEPTH_MAX = 32 };
struct jw {
    struct buf *out;
    unsigned depth;
    bool comma[JW_DEPTH_MAX + 1];
};
static inline struct jw jw(struct buf *out)
{
    return (struct jw){.out = out};
}
void jw_obj(struct jw *w);     /* { */
void jw_end_obj(struct jw *w); /* } */
void jw_arr(struct jw *w);
void jw_end_arr(struct jw *w);
void jw_key(struct jw *w, str name);
void jw_str(struct jw *w, str s);
void jw_i64(struct jw *w, int64_t v);
void jw_u64(struct jw *w, uint64_t v);
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
void jw_raw(struct jw *w, str text);        /* text must be one JSON value */
void jw_value(struct jw *w, const json *v); /* copies a tree; numbers verbatim, order kept */
/* name: value in one go */
void jw_kstr(struct jw *w, str name, str s);
void jw_ki64(struct jw *w, str name, int64_t v);
void jw_kbool(struct jw *w, str name, bool v);
void jw_kvalue(struct jw *w, str name, const json *v);

/* The escaped string with its quotes. */
void json_write_str(struct buf *out, str s);
void json_write(struct buf *out, const json *v);
/* Canonical form: RFC 8785 (members sorted by UTF-16 code units, its escapes, no white space),
 * except that numbers are written verbatim: two calls that differ in "1.0" and "1" are two calls.
 */
void json_write_canonical(struct buf *out, const json *v);

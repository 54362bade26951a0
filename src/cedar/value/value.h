/* value: what Cedar expressions are made of at run time.
 *
 * A value is 16 bytes, passed by value or by const pointer, immutable once made. What it points to
 * lives in the arena it was made in (or, for a borrowed string or uid, where the maker says). The
 * zero value is CEDAR_NONE: "no such value", never a legal operand.
 *
 * Sets hold no duplicates and are in canonical order (cedar_value_cmp); records are in byte order
 * of their names. So equality is one walk and never depends on how a value was made. Nesting is
 * bounded by CEDAR_DEPTH_MAX where values come from outside (JSON readers check it); builders must
 * not go deeper. Thread-safe: no state. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

static inline uint64_t load_bytes_(const char *p, size_t n)
{
    uint64_t w;
    uint32_t low, high;
    if (n == 8) {
        memcpy(&w, p, 8);
        return w;
    }
    memcpy(&low, p, 4);
    memcpy(&high, p + n - 4, 4);
    return (uint64_t)high << 32 | low;
}

/* str_eq for what is short most of the time. */
static inline bool same_bytes(str a, str b)
{
    if (a.n != b.n)
        return false;
    if (a.p == b.p || a.n == 0)
        return true;
    if (a.n < 4)
        return a.p[0] == b.p[0] && a.p[a.n / 2] == b.p[a.n / 2] && a.p[a.n - 1] == b.p[a.n - 1];
    if (a.n < 8)
        return load_bytes_(a.p, a.n) == load_bytes_(b.p, a.n);
    if (a.n > 32)
        return memcmp(a.p, b.p, a.n) == 0;
    for (size_t i = 0; i + 8 < a.n; i += 8) {
        if (load_bytes_(a.p + i, 8) != load_bytes_(b.p + i, 8))
            return false;
    }
    return load_bytes_(a.p + a.n - 8, 8) == load_bytes_(b.p + a.n - 8, 8);
}

/* An entity's name: type is a full path "A::B::T" without spaces, id any UTF-8. Borrowed bytes. */
struct cedar_uid {
    str type;
    str id;
};
static inline bool cedar_uid_eq(const struct cedar_uid *a, const struct cedar_uid *b)
{
    return a == b || (same_bytes(a->id, b->id) && same_bytes(a->type, b->type));
}
int cedar_uid_cmp(const struct cedar_uid *a, const struct cedar_uid *b);
/* Reads A::B::"id" with the escapes of a string literal. */
MUST_USE bool cedar_uid_read(struct arena *a, str text, struct cedar_uid *out, struct err *err);
/* True for a path of identifiers none of which is reserved: "A::B". */
bool cedar_is_type_name(str s);
/* What follows the last "::", and what stands before it (empty where there is none). */
str cedar_name_base(str type);
str cedar_name_space(str type);

enum cedar_kind {
    CEDAR_NONE = 0,
    CEDAR_BOOL,
    CEDAR_LONG,
    CEDAR_STRING,
    CEDAR_ENTITY,
    CEDAR_SET,
    CEDAR_RECORD,
    CEDAR_DECIMAL,  /* i: value * 10,000 */
    CEDAR_DATETIME, /* i: ms since 1970-01-01T00:00:00Z */
    CEDAR_DURATION, /* i: ms */
    CEDAR_IPADDR,
};
const char *
cedar_kind_name(enum cedar_kind k); /* "bool" "long" "string" "(entity)" ... as in errors */

struct cedar_field;
/* Host bits are kept as written. IPv4 uses the first four bytes. */
struct cedar_ip {
    uint8_t bytes[16];
    uint8_t is_v6;
    uint8_t prefix; /* 0..32 or 0..128 */
};

struct cedar_value {
    uint8_t kind; /* enum cedar_kind */
    uint32_t n;   /* bytes of a string, elements of a set, fields of a record */
    union {
        bool b;
        int64_t i;
        const char *s;
        const struct cedar_uid *uid;
        const struct cedar_value *items;
        const struct cedar_field *fields;
        const struct cedar_ip *ip;
    };
};

struct cedar_field {
    str name;
    struct cedar_value value;
};

/* ---- making ---- */
static inline struct cedar_value cedar_bool(bool b)
{
    return (struct cedar_value){.kind = CEDAR_BOOL, .b = b};
}
static inline struct cedar_value cedar_long(int64_t i)
{
    return (struct cedar_value){.kind = CEDAR_LONG, .i = i};
}
/* Borrows the bytes, which must be UTF-8 and fewer than 4 GiB. */
static inline struct cedar_value cedar_string(str s)
{
    return (struct cedar_value){.kind = CEDAR_STRING, .n = (uint32_t)s.n, .s = s.p};
}
/* Borrows the uid. */
static inline struct cedar_value cedar_entity_value(const struct cedar_uid *uid)
{
    return (struct cedar_value){.kind = CEDAR_ENTITY, .uid = uid};
}
static inline struct cedar_value cedar_datetime(int64_t ms)
{
    return (struct cedar_value){.kind = CEDAR_DATETIME, .i = ms};
}
static inline struct cedar_value cedar_duration(int64_t ms)
{
    return (struct cedar_value){.kind = CEDAR_DURATION, .i = ms};
}
static inline struct cedar_value cedar_decimal(int64_t ten_thousandths)
{
    return (struct cedar_value){.kind = CEDAR_DECIMAL, .i = ten_thousandths};
}
/* Sorts items in place, drops duplicates and keeps the array: it belongs to the value from now on.
 */
struct cedar_value cedar_set_of(struct cedar_value *items, size_t n);
/* Sorts fields in place and keeps the array. False if a name occurs twice. */
MUST_USE bool cedar_record_of(struct cedar_field *fields, size_t n, struct cedar_value *out);
/* Heap sort: in place, without memory or recursion, and with no bad case for a stranger to find. */
typedef bool cedar_less_fn(const void *base, size_t i, size_t j);
typedef void cedar_swap_fn(void *base, size_t i, size_t j);
void cedar_heap_sort(void *base, size_t n, cedar_less_fn *less, cedar_swap_fn *swap);
/* The empty record, for a request without context. */
extern const struct cedar_value cedar_empty_record;
/* Everything it points to is copied into the arena. */
struct cedar_value cedar_value_copy(struct arena *a, struct cedar_value v);

/* ---- reading ---- */
static inline str cedar_str(struct cedar_value v)
{
    return (str){v.s, v.n};
}
/* NULL if the record has no such field (or v is no record). */
const struct cedar_value *cedar_record_get(const struct cedar_value *record, str name);
bool cedar_value_eq(const struct cedar_value *a, const struct cedar_value *b);
/* A total order over all values, by kind first; of no meaning to the language. */
int cedar_value_cmp(const struct cedar_value *a, const struct cedar_value *b);
bool cedar_set_has(const struct cedar_value *set, const struct cedar_value *v);

/* ---- writing, in Cedar's own syntax: 1, "a", U::"x", [..], {"k": ..}, decimal("1.0") ---- */
void cedar_value_print(struct buf *out, const struct cedar_value *v);
void cedar_uid_print(struct buf *out, const struct cedar_uid *uid);

/* fields: the header fields of one message, in the order in which they came.
 *
 * Names keep their case and are compared without it (RFC 9110 5.1). The list grows in the arena
 * that is passed in; names and values are borrowed, so they must live as long as the list. How many
 * fields a stranger may send is bounded where they are read (limits.h: HTTP_FIELDS_MAX). The zero
 * value is an empty list. To walk it: for (size_t i = 0; i < f->n; i++) f->v[i].name ... No
 * threads. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct field {
    str name, value;
};

struct fields {
    struct field *v;
    size_t n, cap;
};

/* Appends. Checks nothing: readers have checked, writers check before they write. */
void fields_add(struct arena *a, struct fields *f, str name, str value);
/* How many fields have this name. */
size_t fields_count(const struct fields *f, str name);
/* The first field with this name; false (and *value untouched) when there is none. */
bool fields_first(const struct fields *f, str name, str *value);
/* For fields that may stand once: absent gives true and the empty str with *present false (present
 * may be NULL); twice or more is refused (ERR_INPUT), whether or not the values agree. */
MUST_USE bool fields_single(const struct fields *f, str name, str *value, bool *present,
                            struct err *err);
/* True if `token` is a member of the comma-separated lists in all fields of that name, without
 * case. Parameters (";q=1") are not part of a member's name; quoted strings are not understood. */
bool fields_list_has(const struct fields *f, str name, str token);
/* Removes every field with this name, keeping the order of the rest. */
void fields_remove(struct fields *f, str name);

/* A token of 1 or more bytes (RFC 9110 5.6.2). */
bool field_name_ok(str name);
/* No CTL but HTAB, no white space at either end; may be empty (RFC 9110 5.5). CR and LF are CTLs,
 * so a value that passes cannot end its line. */
bool field_value_ok(str value);
/* Fields that speak of one connection and are never relayed to the next (RFC 9110 7.6.1, and the
 * credentials for a proxy, RFC 9110 11.7). */
bool field_is_hop_by_hop(str name);

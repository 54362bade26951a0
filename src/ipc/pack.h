/* pack: the fields of a message between roles, described by a table instead of by code.
 *
 * A message is a C struct and an array of `struct pack_field` that says where each member lies and
 * how it travels: integers little-endian, a str as u32 length and bytes. Decoding borrows from the
 * payload, refuses short and long payloads, and allocates nothing. docs/formats/ipc.md is made from
 * the same tables. Pure. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

enum field_kind { FIELD_END = 0, FIELD_U8, FIELD_U32, FIELD_I64, FIELD_STR };

struct pack_field {
    enum field_kind kind;
    unsigned short offset;
    unsigned max; /* of a str, in bytes; 0: bounded by the message alone */
    const char *name;
};

#define FIELD(kind, type, member, max)                                                             \
    {                                                                                              \
        kind, offsetof(type, member), max, #member                                                 \
    }

void pack_fields(const struct pack_field *fields, const void *from, struct buf *out);
MUST_USE bool unpack_fields(const struct pack_field *fields, str payload, void *to,
                            struct err *err);

/* A run of strings inside one str field. */
void pack_str(struct buf *out, str s);
/* False at the end; *bad is set if the bytes are not such a run. */
bool unpack_str(str *run, str *out, bool *bad);

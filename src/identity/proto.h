/* proto: the wire format of Protocol Buffers, read and written, and messages described by tables.
 *
 * Source: protobuf.dev "Encoding" and the proto3 language guide; google/protobuf/struct.proto.
 * Messages here are shallow and few, so there is no code generator: a message is a C struct and a
 * table of its fields, and two functions turn one into the other.
 *
 * Reading: fields that the table does not name are skipped; a field of the wrong wire type, a
 * group (deprecated since 2008, needs nesting to skip), field number 0 or above 2^29-1, a varint
 * over 64 bits, a length that leaves the message, a string that is not UTF-8 and a map key that
 * comes twice refuse the message. Of a singular field that comes twice the last counts, as the
 * format demands. What is read borrows the input; only arrays of elements are allocated, in the
 * arena given, so a key in a message is never copied. Writing: singular fields that are empty are
 * left out (proto3), elements of lists never are.
 *
 * Pure, thread-safe. Errors: ERR_INPUT (broken), ERR_LIMIT. They never quote the input. */
#pragma once
#include "base/json.h"

enum {
    PROTO_NUMBER_MAX = (1 << 29) - 1, /* of a field */
    PROTO_ELEMENTS_MAX = 1024,        /* of one list or map */
    PROTO_FIELDS_MAX = 8192,          /* of one message, unknown ones too */
    PROTO_STRUCT_DEPTH_MAX = 16,      /* nested objects and arrays of a Struct */
    PROTO_STRUCT_VALUES_MAX = 4096,   /* all values of a Struct that is read */
};

/* ---- fields ---- */
enum proto_wire { PROTO_VARINT = 0, PROTO_I64 = 1, PROTO_LEN = 2, PROTO_I32 = 5 };
enum proto_step {
    PROTO_BAD = 0, /* err says why */
    PROTO_FIELD,   /* *f is filled */
    PROTO_END,     /* nothing is left */
};
struct proto_field {
    uint32_t number;
    enum proto_wire wire;
    uint64_t value; /* VARINT, I64, I32 */
    str bytes;      /* LEN; borrows the input */
};
/* Takes the next field off the front of *in, which on BAD is undefined. */
MUST_USE enum proto_step proto_next(str *in, struct proto_field *f, struct err *err);

void proto_put_varint(struct buf *out, uint32_t number, uint64_t v);
void proto_put_i64(struct buf *out, uint32_t number, uint64_t bits);
void proto_put_bytes(struct buf *out, uint32_t number, str bytes);
/* A message within a message: open, write its fields, close with what open returned. Both do
 * nothing harmful when out is over. */
size_t proto_open(struct buf *out, uint32_t number);
void proto_close(struct buf *out, size_t mark);

/* ---- messages by table ---- */
enum proto_kind {
    PROTO_STRING = 1, /* str, UTF-8 */
    PROTO_BYTES,      /* str; also a nested message that is read elsewhere, such as a Struct */
    PROTO_STRINGS,    /* struct proto_strs, each UTF-8 */
    PROTO_BYTES_LIST, /* struct proto_strs */
    PROTO_MESSAGES,   /* a list {pointer, count} of the struct that `of` describes */
    PROTO_MAP_STRING, /* struct proto_pairs: map<string, string> */
    PROTO_MAP_BYTES,  /* struct proto_pairs: map<string, bytes> */
};
struct proto_strs {
    const str *at;
    size_t n;
};
struct proto_pair {
    str key, value;
};
struct proto_pairs {
    const struct proto_pair *at;
    size_t n;
};
struct proto_member {
    uint32_t number;
    enum proto_kind kind;
    size_t offset;                /* in the struct */
    const struct proto_table *of; /* PROTO_MESSAGES only; tables must not form a cycle */
};
enum { PROTO_MEMBERS_MAX = 8 };
struct proto_table {
    const char *name;
    size_t size; /* of the struct */
    size_t n;    /* at most PROTO_MEMBERS_MAX */
    const struct proto_member *members;
};
/* Fills the struct at `out`, which is zero but for what the message has. On failure *out is as it
 * was. */
MUST_USE bool proto_decode(struct arena *a, const struct proto_table *t, str in, void *out,
                           struct err *err);
/* Appends. Strings are the caller's promise to be UTF-8; map keys to be distinct. False (ERR_LIMIT,
 * out as it was) when out is full. */
MUST_USE bool proto_encode(const struct proto_table *t, const void *msg, struct buf *out,
                           struct err *err);

/* ---- google.protobuf.Struct ---- */
/* Appends the fields of a Struct that says what the JSON object says. A number becomes a double, as
 * Struct has no other: past 2^53 it loses digits, past 1.8e308 it is refused (ERR_INPUT), as are
 * objects nested too deep (ERR_LIMIT). On failure out is as it was. */
MUST_USE bool proto_put_struct(struct buf *out, const json *object, struct err *err);
/* The other way: writes one JSON object. Numbers get 17 digits at most; what is not finite is
 * refused. On failure what `out` gained is of no use. */
MUST_USE bool proto_read_struct(str in, struct buf *out, struct err *err);

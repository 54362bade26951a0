#include "identity/proto.h"

#include <assert.h>

/* ---- fields ---- */

/* 1 to 10 bytes, seven bits each, low ones first; the tenth holds the last bit of 64. */
static bool take_varint(str *in, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < in->n && i < 10; i++) {
        uint64_t b = (unsigned char)in->p[i];
        if (i == 9 && b > 1)
            return false;
        v |= (b & 0x7f) << (7 * i);
        if (b < 0x80) {
            *in = str_skip(*in, i + 1);
            *out = v;
            return true;
        }
    }
    return false;
}

static bool take_fixed(str *in, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    if (in->n < n)
        return false;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)(unsigned char)in->p[i] << (8 * i);
    *in = str_skip(*in, n);
    *out = v;
    return true;
}

static bool take_len(str *in, str *out)
{
    uint64_t n;
    if (!take_varint(in, &n) || n > in->n)
        return false;
    *out = str_take(*in, (size_t)n);
    *in = str_skip(*in, (size_t)n);
    return true;
}

static bool take_value(str *in, struct proto_field *f)
{
    switch (f->wire) {
    case PROTO_VARINT:
        return take_varint(in, &f->value);
    case PROTO_I64:
        return take_fixed(in, 8, &f->value);
    case PROTO_I32:
        return take_fixed(in, 4, &f->value);
    case PROTO_LEN:
        return take_len(in, &f->bytes);
    }
    return false;
}

enum proto_step proto_next(str *in, struct proto_field *f, struct err *err)
{
    uint64_t tag;
    if (!in->n)
        return PROTO_END;
    if (!take_varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > PROTO_NUMBER_MAX) {
        (void)err_input(err, "a protobuf message has a field without a valid number");
        return PROTO_BAD;
    }
    *f = (struct proto_field){.number = (uint32_t)(tag >> 3), .wire = (enum proto_wire)(tag & 7)};
    if (!take_value(in, f)) {
        (void)err_input(err, "field %u of a protobuf message is cut off, a group, or too long",
                        (unsigned)f->number);
        return PROTO_BAD;
    }
    return PROTO_FIELD;
}

static size_t write_varint(char *p, uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        p[n++] = (char)(v | 0x80);
    p[n++] = (char)v;
    return n;
}

static void put_varint(struct buf *out, uint64_t v)
{
    char tmp[10];
    buf_put(out, str_of(tmp, write_varint(tmp, v)));
}

static void put_tag(struct buf *out, uint32_t number, enum proto_wire wire)
{
    put_varint(out, (uint64_t)number << 3 | wire);
}

void proto_put_varint(struct buf *out, uint32_t number, uint64_t v)
{
    put_tag(out, number, PROTO_VARINT);
    put_varint(out, v);
}

void proto_put_i64(struct buf *out, uint32_t number, uint64_t bits)
{
    put_tag(out, number, PROTO_I64);
    for (unsigned i = 0; i < 8; i++)
        buf_putc(out, (char)(bits >> (8 * i)));
}

void proto_put_bytes(struct buf *out, uint32_t number, str bytes)
{
    put_tag(out, number, PROTO_LEN);
    put_varint(out, bytes.n);
    buf_put(out, bytes);
}

/* One byte is kept for the length; proto_close makes room when it needs more. */
size_t proto_open(struct buf *out, uint32_t number)
{
    put_tag(out, number, PROTO_LEN);
    buf_putc(out, 0);
    return buf_len(out);
}

void proto_close(struct buf *out, size_t mark)
{
    static const char room[9] = {0};
    char len[10];
    if (out->over)
        return;
    assert(mark >= 1 && mark <= buf_len(out));
    size_t body = buf_len(out) - mark;
    size_t n = write_varint(len, body);
    buf_put(out, str_of(room, n - 1));
    if (out->over)
        return;
    char *at = out->mem + out->start + mark - 1;
    memmove(at + n, at + 1, body);
    memcpy(at, len, n);
}

/* ---- messages by table ---- */

struct any_list { /* what every list of a message looks like */
    void *at;
    size_t n;
};

static const struct proto_member *find(const struct proto_table *t, uint32_t number)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->members[i].number == number)
            return &t->members[i];
    return NULL;
}

static size_t element_size(const struct proto_member *m)
{
    switch (m->kind) {
    case PROTO_STRING:
    case PROTO_BYTES:
        return 0;
    case PROTO_STRINGS:
    case PROTO_BYTES_LIST:
        return sizeof(str);
    case PROTO_MAP_STRING:
    case PROTO_MAP_BYTES:
        return sizeof(struct proto_pair);
    case PROTO_MESSAGES:
        return m->of->size;
    }
    return 0;
}

/* Every field is well-formed and of a wire type that fits; how often each member comes. */
static bool count_members(const struct proto_table *t, str in, size_t *counts, struct err *err)
{
    struct proto_field f;
    enum proto_step step;
    for (size_t fields = 0; (step = proto_next(&in, &f, err)) == PROTO_FIELD; fields++) {
        const struct proto_member *m = find(t, f.number);
        if (fields == PROTO_FIELDS_MAX)
            return err_limit(err, "%s: over %d fields", t->name, (int)PROTO_FIELDS_MAX);
        if (!m)
            continue;
        if (f.wire != PROTO_LEN)
            return err_input(err, "%s: field %u has the wrong wire type", t->name, f.number);
        if (++counts[m - t->members] > PROTO_ELEMENTS_MAX && element_size(m))
            return err_limit(err, "%s: field %u has over %d elements", t->name, f.number,
                             (int)PROTO_ELEMENTS_MAX);
    }
    return step == PROTO_END || err_in(err, "%s", t->name);
}

static bool take_str(const struct proto_table *t, str bytes, bool text, str *out, struct err *err)
{
    if (text && !str_is_utf8(bytes))
        return err_input(err, "%s: a string is not UTF-8", t->name);
    *out = bytes;
    return true;
}

static bool take_pair(const struct proto_table *t, str in, bool text, struct any_list *list,
                      struct err *err)
{
    static const struct proto_member members[] = {
        {1, PROTO_STRING, offsetof(struct proto_pair, key), NULL},
        {2, PROTO_BYTES, offsetof(struct proto_pair, value), NULL},
    };
    static const struct proto_table entry = {"map entry", sizeof(struct proto_pair), 2, members};
    struct proto_pair pair, *all = list->at;
    if (!proto_decode(NULL, &entry, in, &pair, err) ||
        !take_str(&entry, pair.value, text, &pair.value, err))
        return err_in(err, "%s", t->name);
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(all[i].key, pair.key))
            return err_input(err, "%s: a map has a key twice", t->name);
    all[list->n++] = pair;
    return true;
}

/* The nesting is that of the tables, not of the input. */
static bool take_member(struct arena *a, const struct proto_table *t, const struct proto_member *m,
                        str bytes, void *to, struct err *err)
{
    struct any_list *list = to;
    switch (m->kind) {
    case PROTO_STRING:
    case PROTO_BYTES:
        return take_str(t, bytes, m->kind == PROTO_STRING, to, err);
    case PROTO_STRINGS:
    case PROTO_BYTES_LIST:
        return take_str(t, bytes, m->kind == PROTO_STRINGS, (str *)list->at + list->n++, err);
    case PROTO_MAP_STRING:
    case PROTO_MAP_BYTES:
        return take_pair(t, bytes, m->kind == PROTO_MAP_STRING, list, err);
    case PROTO_MESSAGES:
        return proto_decode(a, m->of, bytes, (char *)list->at + m->of->size * list->n++, err);
    }
    return false;
}

enum { STRUCT_BYTES_MAX = 256 };

bool proto_decode(struct arena *a, const struct proto_table *t, str in, void *out, struct err *err)
{
    size_t counts[PROTO_MEMBERS_MAX] = {0};
    _Alignas(max_align_t) char made[STRUCT_BYTES_MAX] = {0};
    struct proto_field f;
    assert(t->n <= PROTO_MEMBERS_MAX && t->size <= sizeof made);
    if (!count_members(t, in, counts, err))
        return false;
    for (size_t i = 0; i < t->n; i++) {
        size_t size = element_size(&t->members[i]);
        if (size && counts[i])
            ((struct any_list *)(void *)(made + t->members[i].offset))->at =
                arena_alloc_array(a, counts[i], size);
    }
    while (proto_next(&in, &f, err) == PROTO_FIELD) {
        const struct proto_member *m = find(t, f.number);
        if (m && !take_member(a, t, m, f.bytes, made + m->offset, err))
            return false;
    }
    memcpy(out, made, t->size);
    return true;
}

static void put_pair(struct buf *out, uint32_t number, const struct proto_pair *pair)
{
    size_t mark = proto_open(out, number);
    proto_put_bytes(out, 1, pair->key);
    proto_put_bytes(out, 2, pair->value);
    proto_close(out, mark);
}

static void put_message(const struct proto_table *t, const void *msg, struct buf *out);

static void put_member(const struct proto_member *m, const void *from, struct buf *out)
{
    const struct any_list *list = from;
    const str *one = from;
    if (m->kind == PROTO_STRING || m->kind == PROTO_BYTES) {
        if (one->n)
            proto_put_bytes(out, m->number, *one);
        return;
    }
    for (size_t i = 0; i < list->n; i++) {
        const void *at = (const char *)list->at + i * element_size(m);
        if (m->kind == PROTO_STRINGS || m->kind == PROTO_BYTES_LIST) {
            proto_put_bytes(out, m->number, *(const str *)at);
        } else if (m->kind == PROTO_MESSAGES) {
            size_t mark = proto_open(out, m->number);
            put_message(m->of, at, out);
            proto_close(out, mark);
        } else {
            put_pair(out, m->number, at);
        }
    }
}

static void put_message(const struct proto_table *t, const void *msg, struct buf *out)
{
    for (size_t i = 0; i < t->n; i++)
        put_member(&t->members[i], (const char *)msg + t->members[i].offset, out);
}

bool proto_encode(const struct proto_table *t, const void *msg, struct buf *out, struct err *err)
{
    size_t before = buf_len(out);
    put_message(t, msg, out);
    if (!out->over)
        return true;
    buf_truncate(out, before);
    return err_limit(err, "there is no room for a %s", t->name);
}

#include "ipc/pack.h"

static void put_le(struct buf *out, uint64_t v, size_t n)
{
    char bytes[8];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(v >> (8 * i));
    buf_put(out, str_of(bytes, n));
}

static uint64_t get_le(const char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)(unsigned char)p[i] << (8 * i);
    return v;
}

static size_t width(enum field_kind kind)
{
    return kind == FIELD_U8 ? 1 : kind == FIELD_I64 ? 8 : 4;
}

void pack_str(struct buf *out, str s)
{
    put_le(out, s.n, 4);
    buf_put(out, s);
}

void pack_fields(const struct pack_field *fields, const void *from, struct buf *out)
{
    for (const struct pack_field *f = fields; f->kind != FIELD_END; f++) {
        const char *at = (const char *)from + f->offset;
        uint8_t u8;
        uint32_t u32;
        uint64_t u64;
        switch (f->kind) {
        case FIELD_U8:
            memcpy(&u8, at, 1);
            put_le(out, u8, 1);
            break;
        case FIELD_U32:
            memcpy(&u32, at, 4);
            put_le(out, u32, 4);
            break;
        case FIELD_I64:
            memcpy(&u64, at, 8);
            put_le(out, u64, 8);
            break;
        case FIELD_STR:
            pack_str(out, *(const str *)(const void *)at);
            break;
        case FIELD_END:
            break;
        }
    }
}

static bool unpack_one(const struct pack_field *f, str *payload, char *at, struct err *err)
{
    size_t n = width(f->kind);
    if (payload->n < n)
        return err_peer(err, "message ends before field %s", f->name);
    uint64_t v = get_le(payload->p, n);
    *payload = str_skip(*payload, n);
    if (f->kind == FIELD_U8) {
        memcpy(at, &(uint8_t){(uint8_t)v}, 1);
    } else if (f->kind == FIELD_U32) {
        memcpy(at, &(uint32_t){(uint32_t)v}, 4);
    } else if (f->kind == FIELD_I64) {
        memcpy(at, &v, 8);
    } else {
        if (v > payload->n)
            return err_peer(err, "field %s is longer than its message", f->name);
        if (f->max && v > f->max)
            return err_peer(err, "field %s is over %u bytes", f->name, f->max);
        memcpy(at, &(str){payload->p, (size_t)v}, sizeof(str));
        *payload = str_skip(*payload, (size_t)v);
    }
    return true;
}

bool unpack_fields(const struct pack_field *fields, str payload, void *to, struct err *err)
{
    for (const struct pack_field *f = fields; f->kind != FIELD_END; f++)
        if (!unpack_one(f, &payload, (char *)to + f->offset, err))
            return false;
    if (payload.n)
        return err_peer(err, "message has %zu bytes after its last field", payload.n);
    return true;
}

bool unpack_str(str *run, str *out, bool *bad)
{
    if (run->n == 0)
        return false;
    uint64_t n = run->n >= 4 ? get_le(run->p, 4) : UINT64_MAX;
    if (run->n < 4 || n > run->n - 4) {
        *bad = true;
        return false;
    }
    *out = str_take(str_skip(*run, 4), (size_t)n);
    *run = str_skip(*run, 4 + (size_t)n);
    return true;
}

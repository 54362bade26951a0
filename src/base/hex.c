#include "base/hex.h"
#include "base/arena.h"

static const char HEX[] = "0123456789abcdef";
static const char URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char STD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void hex_encode(struct buf *out, str bytes)
{
    char *p = buf_reserve(out, bytes.n * 2);
    if (!p)
        return;
    for (size_t i = 0; i < bytes.n; i++) {
        p[2 * i] = HEX[(unsigned char)bytes.p[i] >> 4];
        p[2 * i + 1] = HEX[(unsigned char)bytes.p[i] & 15];
    }
    buf_commit(out, bytes.n * 2);
}

static str dup_of(struct arena *a, void (*encode)(struct buf *, str), str bytes)
{
    struct buf b = {0};
    encode(&b, bytes);
    str s = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return s;
}

str hex_dup(struct arena *a, str bytes)
{
    return dup_of(a, hex_encode, bytes);
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct arena *a, str text, str *out)
{
    if (text.n % 2)
        return false;
    char *p = arena_alloc(a, text.n / 2 + 1);
    for (size_t i = 0; i < text.n; i += 2) {
        int hi = hex_value(text.p[i]), lo = hex_value(text.p[i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        p[i / 2] = (char)(hi << 4 | lo);
    }
    *out = str_of(p, text.n / 2);
    return true;
}

static void encode(struct buf *out, str bytes, const char *alphabet, bool pad)
{
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        uint32_t v = (uint32_t)(unsigned char)bytes.p[i] << 16;
        if (left > 1)
            v |= (uint32_t)(unsigned char)bytes.p[i + 1] << 8;
        if (left > 2)
            v |= (uint32_t)(unsigned char)bytes.p[i + 2];
        char q[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63], alphabet[v >> 6 & 63],
                     alphabet[v & 63]};
        size_t keep = left > 2 ? 4 : left + 1;
        buf_put(out, str_of(q, keep));
        if (pad)
            buf_put(out, str_take(S("=="), 4 - keep));
    }
}

static int digit(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

static bool decode(struct arena *a, str text, const char *alphabet, str *out)
{
    if (text.n % 4 == 1)
        return false;
    char *p = arena_alloc(a, text.n / 4 * 3 + 3);
    size_t n = 0;
    uint32_t acc = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < text.n; i++) {
        int d = digit(text.p[i], alphabet);
        if (d < 0)
            return false;
        acc = acc << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            p[n++] = (char)(acc >> bits);
            acc &= (1u << bits) - 1;
        }
    }
    if (acc != 0)
        return false;
    *out = str_of(p, n);
    return true;
}

void base64url_encode(struct buf *out, str bytes)
{
    encode(out, bytes, URL, false);
}

str base64url_dup(struct arena *a, str bytes)
{
    return dup_of(a, base64url_encode, bytes);
}

bool base64url_decode(struct arena *a, str text, str *out)
{
    return decode(a, text, URL, out);
}

void base64_encode(struct buf *out, str bytes)
{
    encode(out, bytes, STD, true);
}

bool base64_decode(struct arena *a, str text, str *out)
{
    if (text.n % 4)
        return false;
    for (int i = 0; i < 2 && text.n && text.p[text.n - 1] == '='; i++)
        text.n--;
    return decode(a, text, STD, out);
}

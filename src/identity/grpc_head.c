#include "identity/grpc_int.h"
#include "http/chars.h"

void head_begin(struct head_read *r)
{
    head_fini(r);
    *r = (struct head_read){.content_length = UINT64_MAX};
    r->fields = ARENA_ARRAY(&r->arena, struct grpc_field, GRPC_HEAD_FIELDS_MAX);
}

void head_fini(struct head_read *r)
{
    arena_fini(&r->arena);
}

static void fault(struct head_read *r, enum head_fault f)
{
    if (r->fault == HEAD_OK)
        r->fault = f;
}

/* Fields that mean something to HTTP or gRPC may come once. */
static const struct {
    str name;
    size_t offset; /* of the str in head_read */
    bool must;
} known[] = {
    {{":method", 7}, offsetof(struct head_read, method), true},
    {{":scheme", 7}, offsetof(struct head_read, scheme), true},
    {{":path", 5}, offsetof(struct head_read, head.path), true},
    {{":authority", 10}, offsetof(struct head_read, head.authority), false},
    {{"content-type", 12}, offsetof(struct head_read, type), false},
    {{"te", 2}, offsetof(struct head_read, te), false},
    {{"grpc-encoding", 13}, offsetof(struct head_read, encoding), false},
    {{"grpc-timeout", 12}, offsetof(struct head_read, timeout), false},
    {{"content-length", 14}, offsetof(struct head_read, length), false},
};
enum { KNOWN = sizeof known / sizeof known[0] };

/* RFC 9113 8.2.2: they belong to a connection of HTTP/1.1. */
static bool is_of_connection(str name)
{
    static const str names[] = {{"connection", 10},
                                {"keep-alive", 10},
                                {"proxy-connection", 16},
                                {"transfer-encoding", 17},
                                {"upgrade", 7}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq(name, names[i]))
            return true;
    return false;
}

static bool is_name(str name)
{
    if (!name.n || !chars_all(name, CH_TOKEN))
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] >= 'A' && name.p[i] <= 'Z')
            return false;
    return !is_of_connection(name);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_value(str v)
{
    return chars_all(v, CH_VALUE) && !(v.n && (is_blank(v.p[0]) || is_blank(v.p[v.n - 1])));
}

static bool take_known(struct head_read *r, str name, str value)
{
    for (unsigned i = 0; i < KNOWN; i++) {
        if (!str_eq(name, known[i].name))
            continue;
        if (r->seen & 1u << i)
            fault(r, HEAD_MALFORMED);
        r->seen |= 1u << i;
        *(str *)(void *)((char *)r + known[i].offset) = value;
        return true;
    }
    return false;
}

void head_field(struct head_read *r, str name, str value)
{
    bool pseudo = str_starts(name, S(":"));
    r->bytes += name.n + value.n + 32;
    if (++r->count > GRPC_HEAD_FIELDS_MAX || r->bytes > GRPC_HEAD_BYTES_MAX)
        fault(r, HEAD_TOO_LARGE);
    if (!is_value(value) || (pseudo ? r->regular : !is_name(name)))
        fault(r, HEAD_MALFORMED);
    if (r->fault != HEAD_OK)
        return; /* nothing more is kept, whatever comes */
    r->regular = r->regular || !pseudo;
    name = str_dup(&r->arena, name);
    value = str_dup(&r->arena, value);
    if (!take_known(r, name, value) && pseudo)
        fault(r, HEAD_MALFORMED);
    if (!pseudo)
        r->fields[r->head.n++] = (struct grpc_field){name, value};
}

/* 1 to 8 digits and a unit; below one millisecond it is one. */
static bool read_timeout(str s, int64_t *ms)
{
    static const struct {
        char unit;
        int64_t times, by;
    } units[] = {{'H', 3600000, 1}, {'M', 60000, 1}, {'S', 1000, 1},
                 {'m', 1, 1},       {'u', 1, 1000},  {'n', 1, 1000000}};
    int64_t v = 0;
    if (s.n < 2 || s.n > 9 || !chars_all(str_take(s, s.n - 1), CH_DIGIT))
        return false;
    for (size_t i = 0; i + 1 < s.n; i++)
        v = v * 10 + (s.p[i] - '0');
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].unit == s.p[s.n - 1]) {
            *ms = (v * units[i].times + units[i].by - 1) / units[i].by;
            return true;
        }
    return false;
}

static bool has_head(const struct head_read *r)
{
    for (unsigned i = 0; i < KNOWN; i++)
        if (known[i].must && !(r->seen & 1u << i))
            return false;
    return (str_eq(r->scheme, S("http")) || str_eq(r->scheme, S("https"))) &&
           str_starts(r->head.path, S("/")) && str_is_visible_ascii(r->head.path);
}

enum head_fault head_end(struct head_read *r)
{
    r->head.fields = r->fields;
    r->head.timeout_ms = -1;
    if (r->fault != HEAD_OK)
        return r->fault;
    if (!has_head(r) || (r->length.n && !str_to_u64(r->length, &r->content_length)))
        return HEAD_MALFORMED;
    if (!str_eq(r->method, S("POST")))
        return HEAD_METHOD;
    if (!str_eq(r->type, S("application/grpc")) && !str_eq(r->type, S("application/grpc+proto")))
        return HEAD_TYPE;
    if (!str_eq(r->te, S("trailers")))
        return HEAD_TE;
    if (r->encoding.n && !str_eq(r->encoding, S("identity")))
        return HEAD_ENCODING;
    if (r->timeout.n && !read_timeout(r->timeout, &r->head.timeout_ms))
        return HEAD_TIMEOUT;
    return HEAD_OK;
}

void head_put_text(struct buf *out, str text)
{
    static const char hex[] = "0123456789ABCDEF";
    text = str_take(text, GRPC_STATUS_TEXT_BYTES_MAX);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            buf_putc(out, (char)c);
        } else {
            buf_putc(out, '%');
            buf_putc(out, hex[c >> 4]);
            buf_putc(out, hex[c & 15]);
        }
    }
}

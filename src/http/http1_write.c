/* The writer: a head is checked and measured, then written in one go. */
#include "http/chars.h"
#include "http/http1.h"

enum { LINE_EXTRA = 4 }; /* ": " and CR LF */

/* Everything between the start line and the empty line but the fields: at most five lines. */
enum { OWN_LINES_BYTES_MAX = 160 };

static bool fields_ok(const struct http_head *head, bool request, size_t *bytes, struct err *err)
{
    for (size_t i = 0; i < head->fields.n; i++) {
        str name = head->fields.v[i].name, value = head->fields.v[i].value;
        if (!field_name_ok(name))
            return err_input(err, "field %zu has a name that is not a token", i);
        if (!field_value_ok(value))
            return err_input(err, "the value of the field %.*s cannot stand in a field", STR(name));
        if (http_head_owns(request, name))
            return err_input(err, "%.*s is written from the head, not from its fields", STR(name));
        *bytes += name.n + value.n + LINE_EXTRA;
    }
    return true;
}

static char *put(char *p, str s)
{
    if (s.n)
        memcpy(p, s.p, s.n);
    return p + s.n;
}

static char *put_field(char *p, str name, str value)
{
    p = put(p, name);
    p = put(p, S(": "));
    p = put(p, value);
    return put(p, S("\r\n"));
}

static char *put_u64(char *p, uint64_t v, unsigned base)
{
    char tmp[20];
    size_t i = sizeof tmp;
    do
        tmp[--i] = "0123456789abcdef"[v % base];
    while ((v /= base) != 0);
    return put(p, str_of(tmp + i, sizeof tmp - i));
}

static char *put_rest(char *p, const struct http_head *head)
{
    for (size_t i = 0; i < head->fields.n; i++)
        p = put_field(p, head->fields.v[i].name, head->fields.v[i].value);
    if (head->framing == HTTP_BODY_LENGTH) {
        p = put(p, S("Content-Length: "));
        p = put_u64(p, head->length, 10);
        p = put(p, S("\r\n"));
    } else if (head->framing == HTTP_BODY_CHUNKED) {
        p = put_field(p, S("Transfer-Encoding"), S("chunked"));
    }
    if (!head->keep_alive || head->framing == HTTP_BODY_UNTIL_CLOSE)
        p = put_field(p, S("Connection"), S("close"));
    return put(p, S("\r\n"));
}

static bool request_ok(const struct http_head *head, struct err *err)
{
    struct url_target parts;
    struct url_host host;
    if (!field_name_ok(head->method) || str_eq(head->method, S("CONNECT")))
        return err_input(err, "the method is not a token, or is CONNECT");
    bool star = str_eq(head->target, S("*")) && str_eq(head->method, S("OPTIONS"));
    if (!star && !url_target_parse(head->target, &parts, err))
        return err_in(err, "request target");
    if (!url_host_parse(head->host, &host, err))
        return err_in(err, "Host");
    if (head->framing == HTTP_BODY_UNTIL_CLOSE)
        return err_input(err, "a request cannot end with its connection");
    return true;
}

bool http1_write_request(struct buf *out, const struct http_head *head, struct err *err)
{
    size_t bytes = head->method.n + head->target.n + head->host.n + OWN_LINES_BYTES_MAX;
    if (!request_ok(head, err) || !fields_ok(head, true, &bytes, err))
        return false;
    char *start = buf_reserve(out, bytes), *p = start;
    if (!start)
        return err_limit(err, "there is no room for a request head of %zu bytes", bytes);
    p = put(p, head->method);
    p = put(p, S(" "));
    p = put(p, head->target);
    p = put(p, S(" HTTP/1.1\r\n"));
    p = put_field(p, S("Host"), head->host);
    if (head->expect_continue)
        p = put_field(p, S("Expect"), S("100-continue"));
    p = put_rest(p, head);
    buf_commit(out, (size_t)(p - start));
    return true;
}

static bool response_ok(const struct http_head *head, struct err *err)
{
    bool none = head->framing == HTTP_BODY_NONE;
    if (head->status < 100 || head->status > 599 || head->status == 101)
        return err_input(err, "status %d cannot be written", head->status);
    if (head->status < 200 || head->status == 204)
        return none || err_input(err, "a %d response has no body", head->status);
    if (none && !head->bodiless && head->status != 304)
        return err_input(err, "a %d response needs a length, chunks or the end of its connection",
                         head->status);
    return true;
}

bool http1_write_response(struct buf *out, const struct http_head *head, struct err *err)
{
    str reason = http_reason(head->status);
    size_t bytes = reason.n + OWN_LINES_BYTES_MAX;
    if (!response_ok(head, err) || !fields_ok(head, false, &bytes, err))
        return false;
    char *start = buf_reserve(out, bytes), *p = start;
    if (!start)
        return err_limit(err, "there is no room for a response head of %zu bytes", bytes);
    p = put(p, S("HTTP/1.1 "));
    p = put_u64(p, (uint64_t)head->status, 10);
    p = put(p, S(" "));
    p = put(p, reason);
    p = put(p, S("\r\n"));
    p = put_rest(p, head);
    buf_commit(out, (size_t)(p - start));
    return true;
}

void http1_write_chunk(struct buf *out, str data)
{
    if (data.n == 0)
        return;
    char *start = buf_reserve(out, data.n + 20), *p = start;
    if (!start)
        return;
    p = put_u64(p, data.n, 16);
    p = put(p, S("\r\n"));
    p = put(p, data);
    p = put(p, S("\r\n"));
    buf_commit(out, (size_t)(p - start));
}

void http1_write_last_chunk(struct buf *out)
{
    buf_put(out, S("0\r\n\r\n"));
}

#include "mcp/field.h"

#include "base/hex.h"

enum mcp_found mcp_field_find(const struct mcp_field *fields, size_t count, str name, str *value)
{
    enum mcp_found found = MCP_FIELD_ABSENT;
    for (size_t i = 0; i < count; i++) {
        if (!str_eq_nocase(fields[i].name, name))
            continue;
        if (found)
            return MCP_FIELD_TWICE;
        found = MCP_FIELD_ONE;
        *value = str_trim(fields[i].value);
    }
    return found;
}

static bool is_q_zero(str params)
{
    str param, rest;
    for (bool more = true; more; params = rest) {
        more = str_cut(params, ';', &param, &rest);
        param = str_trim(param);
        if (param.n < 3 || (param.p[0] | 0x20) != 'q' || param.p[1] != '=')
            continue;
        bool zero = param.p[2] == '0';
        for (size_t i = 3; i < param.n; i++)
            zero = zero && (param.p[i] == '.' || param.p[i] == '0');
        return zero;
    }
    return false;
}

bool mcp_accepts(str accept, str type, str subtype)
{
    str item, rest, range, params, t, s;
    for (bool more = true; more; accept = rest) {
        more = str_cut(accept, ',', &item, &rest);
        if (!str_cut(item, ';', &range, &params))
            params = (str){0};
        if (!str_cut(str_trim(range), '/', &t, &s))
            continue;
        bool any = str_eq(t, S("*")) && str_eq(s, S("*"));
        bool match =
            any || (str_eq_nocase(t, type) && (str_eq(s, S("*")) || str_eq_nocase(s, subtype)));
        if (match && !is_q_zero(params))
            return true;
    }
    return false;
}

bool mcp_is_media_type(str content_type, str media_type)
{
    str type, params;
    str_cut(content_type, ';', &type, &params);
    return str_eq_nocase(str_trim(type), media_type);
}

#define SENTINEL_OPEN  S("=?base64?")
#define SENTINEL_CLOSE S("?=")

static bool is_field_text(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f || (unsigned char)s.p[i] > 0x7f)
            return false;
    return true;
}

static bool looks_encoded(str s)
{
    return s.n >= SENTINEL_OPEN.n + SENTINEL_CLOSE.n && str_starts(s, SENTINEL_OPEN) &&
           str_ends(s, SENTINEL_CLOSE);
}

str mcp_value_encode(struct arena *a, str v)
{
    if (v.n && is_field_text(v) && str_eq(str_trim(v), v) && !looks_encoded(v))
        return v;
    struct buf b = {0};
    buf_put(&b, SENTINEL_OPEN);
    base64_encode(&b, v);
    buf_put(&b, SENTINEL_CLOSE);
    str out = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return out;
}

bool mcp_value_decode(struct arena *a, str field_value, str *out)
{
    str v = str_trim(field_value), bytes;
    if (!is_field_text(v))
        return false;
    if (!looks_encoded(v)) {
        *out = v;
        return true;
    }
    str coded = str_of(v.p + SENTINEL_OPEN.n, v.n - SENTINEL_OPEN.n - SENTINEL_CLOSE.n);
    if (!base64_decode(a, coded, &bytes) || !str_is_utf8(bytes))
        return false;
    *out = bytes;
    return true;
}

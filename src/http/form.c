#include "http/form.h"
#include "http/chars.h"
#include "http/url.h"

/* What an encoder leaves as it is, and what it writes instead of the rest. Browsers keep *-._ ,
 * others follow RFC 3986 and keep ~ too. */
static bool is_encoded(str body)
{
    for (size_t i = 0; i < body.n; i++) {
        char c = body.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c && strchr("*-._~+%&=!'()", c));
        if (!plain)
            return false;
    }
    return true;
}

static bool is_text(str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return false;
    }
    return str_is_utf8(s);
}

static bool is_name(str s)
{
    return s.n > 0 && s.n <= FORM_NAME_BYTES_MAX && str_is_visible_ascii(s);
}

static bool has(const struct form *f, str name)
{
    for (size_t i = 0; i < f->n; i++)
        if (str_eq(f->v[i].name, name))
            return true;
    return false;
}

/* '=' splits a pair at its first place; a second one would be read differently by others. */
static bool pairs_are_plain(str body)
{
    str pair, rest = body, name, value;
    while (rest.n) {
        bool more = str_cut(rest, '&', &pair, &rest);
        str_cut(pair, '=', &name, &value);
        if (str_find_char(value, '=', 0) >= 0 || (more && rest.n == 0))
            return false;
    }
    return true;
}

bool form_read(struct arena *a, str body, struct form *out, struct err *err)
{
    struct form f = {.n = 0};
    str name, value;
    if (body.n > FORM_BYTES_MAX)
        return err_limit(err, "the form is over %d bytes", FORM_BYTES_MAX);
    if (!is_encoded(body) || !pairs_are_plain(body))
        return err_input(err, "the form is not encoded as application/x-www-form-urlencoded");
    for (str rest = body; rest.n;) {
        if (!url_form_next(a, &rest, &name, &value, err))
            return false;
        if (!is_name(name) || !is_text(value))
            return err_input(err, "a parameter's name or value is not plain text");
        if (has(&f, name))
            return err_input(err, "a parameter comes twice");
        if (f.n == FORM_ITEMS_MAX)
            return err_limit(err, "over %d parameters", FORM_ITEMS_MAX);
        f.v[f.n++] = (struct form_item){name, value};
    }
    *out = f;
    return true;
}

str form_get(const struct form *f, str name)
{
    for (size_t i = 0; i < f->n; i++)
        if (str_eq(f->v[i].name, name))
            return f->v[i].value;
    return (str){0};
}

bool form_is_type(str type)
{
    str media, parameter;
    str_cut(type, ';', &media, &parameter);
    parameter = str_trim(parameter);
    return str_eq_nocase(str_trim(media), S("application/x-www-form-urlencoded")) &&
           (!parameter.n || str_eq_nocase(parameter, S("charset=utf-8")));
}

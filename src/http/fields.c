#include "http/fields.h"
#include "http/chars.h"

void fields_add(struct arena *a, struct fields *f, str name, str value)
{
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 16;
        struct field *v = ARENA_ARRAY(a, struct field, cap);
        if (f->n)
            memcpy(v, f->v, f->n * sizeof *v);
        f->v = v;
        f->cap = cap;
    }
    f->v[f->n++] = (struct field){name, value};
}

size_t fields_count(const struct fields *f, str name)
{
    size_t count = 0;
    for (size_t i = 0; i < f->n; i++)
        count += str_eq_nocase(f->v[i].name, name);
    return count;
}

bool fields_first(const struct fields *f, str name, str *value)
{
    for (size_t i = 0; i < f->n; i++)
        if (str_eq_nocase(f->v[i].name, name)) {
            *value = f->v[i].value;
            return true;
        }
    return false;
}

bool fields_single(const struct fields *f, str name, str *value, bool *present, struct err *err)
{
    const struct field *hit = NULL;
    for (size_t i = 0; i < f->n; i++)
        if (str_eq_nocase(f->v[i].name, name)) {
            if (hit)
                return err_input(err, "the field %.*s may be sent only once", STR(name));
            hit = &f->v[i];
        }
    *value = hit ? hit->value : (str){0};
    if (present)
        *present = hit != NULL;
    return true;
}

bool fields_list_has(const struct fields *f, str name, str token)
{
    for (size_t i = 0; i < f->n; i++) {
        if (!str_eq_nocase(f->v[i].name, name))
            continue;
        str rest = f->v[i].value, member, params;
        while (rest.n) {
            str_cut(rest, ',', &member, &rest);
            str_cut(member, ';', &member, &params);
            if (str_eq_nocase(str_trim(member), token))
                return true;
        }
    }
    return false;
}

void fields_remove(struct fields *f, str name)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->n; i++)
        if (!str_eq_nocase(f->v[i].name, name))
            f->v[kept++] = f->v[i];
    f->n = kept;
}

bool field_name_ok(str name)
{
    return name.n > 0 && chars_all(name, CH_TOKEN);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool field_value_ok(str value)
{
    if (value.n && (is_blank(value.p[0]) || is_blank(value.p[value.n - 1])))
        return false;
    return chars_all(value, CH_VALUE);
}

bool field_is_hop_by_hop(str name)
{
    static const char *const names[] = {
        "connection", "keep-alive",     "proxy-connection",    "te",
        "trailer",    "upgrade",        "transfer-encoding",   "proxy-authenticate",
        "expect",     "http2-settings", "proxy-authorization", "proxy-authentication-info",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq_nocase(name, str_z(names[i])))
            return true;
    return false;
}

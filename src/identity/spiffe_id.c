#include "identity/spiffe_id.h"

#define SCHEME S("spiffe://")

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static bool is_segment_char(char c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

bool trust_domain_is_valid(str s)
{
    if (s.n == 0 || s.n > TRUST_DOMAIN_BYTES_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_lower_or_digit(s.p[i]))
            return false;
    return true;
}

static bool is_segment(str s)
{
    if (s.n == 0 || str_eq(s, S(".")) || str_eq(s, S("..")))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_segment_char(s.p[i]))
            return false;
    return true;
}

/* path is empty or begins with its slash. */
static bool check_path(str path, struct err *err)
{
    str one, rest = path;
    if (path.n == 0)
        return true;
    if (path.p[0] != '/')
        return err_input(err, "SPIFFE ID: a path begins with a slash");
    rest = str_skip(rest, 1);
    for (bool more = true; more;) {
        more = str_cut(rest, '/', &one, &rest);
        if (!is_segment(one))
            return err_input(err, "SPIFFE ID: a segment of the path is empty, is . or .., or has "
                                  "characters other than letters, digits, '.', '-' and '_'");
    }
    return true;
}

bool spiffe_id_parse(str text, struct spiffe_id *out, struct err *err)
{
    if (text.n > SPIFFE_ID_BYTES_MAX)
        return err_input(err, "SPIFFE ID: over %d bytes", SPIFFE_ID_BYTES_MAX);
    if (!str_starts(text, SCHEME))
        return err_input(err, "SPIFFE ID: does not begin with spiffe://");
    str rest = str_skip(text, SCHEME.n);
    ptrdiff_t slash = str_find_char(rest, '/', 0);
    struct spiffe_id id = {.text = text,
                           .trust_domain = slash < 0 ? rest : str_take(rest, (size_t)slash)};
    if (slash >= 0)
        id.path = str_skip(rest, (size_t)slash);
    if (!trust_domain_is_valid(id.trust_domain))
        return err_input(err,
                         "SPIFFE ID: a trust domain is 1 to %d lower-case letters, digits, "
                         "'.', '-' and '_', without user or port",
                         TRUST_DOMAIN_BYTES_MAX);
    if (!check_path(id.path, err))
        return false;
    *out = id;
    return true;
}

bool spiffe_id_parse_workload(str text, struct spiffe_id *out, struct err *err)
{
    struct spiffe_id id;
    if (!spiffe_id_parse(text, &id, err))
        return false;
    if (id.path.n == 0)
        return err_input(err, "SPIFFE ID: names a trust domain, not a workload in it");
    *out = id;
    return true;
}

bool spiffe_id_make(struct arena *a, str trust_domain, str path, struct spiffe_id *out,
                    struct err *err)
{
    /* A trust domain with a slash in it would move the border between the two. */
    if (!trust_domain_is_valid(trust_domain))
        return err_input(err, "SPIFFE ID: this is not a trust domain");
    if (SCHEME.n + trust_domain.n + path.n > SPIFFE_ID_BYTES_MAX)
        return err_input(err, "SPIFFE ID: over %d bytes", SPIFFE_ID_BYTES_MAX);
    if (!check_path(path, err))
        return false;
    str text = str_fmt(a, "spiffe://%.*s%.*s", STR(trust_domain), STR(path));
    return spiffe_id_parse(text, out, err);
}

struct spiffe_id spiffe_id_dup(struct arena *a, const struct spiffe_id *id)
{
    if (id->text.n == 0)
        return (struct spiffe_id){0};
    str text = str_dup(a, id->text);
    return (struct spiffe_id){
        .text = text,
        .trust_domain = str_take(str_skip(text, SCHEME.n), id->trust_domain.n),
        .path = str_skip(text, SCHEME.n + id->trust_domain.n),
    };
}

/* ---- agents ---- */

static bool is_agent_part(str s)
{
    return s.n <= AGENT_PART_BYTES_MAX && is_segment(s);
}

bool spiffe_agent_of(const struct spiffe_id *id, struct spiffe_agent *out, struct err *err)
{
    str name, instance;
    if (str_starts(id->path, S("/agent/")) &&
        str_cut(str_skip(id->path, 7), '/', &name, &instance) && is_agent_part(name) &&
        is_agent_part(instance)) {
        *out = (struct spiffe_agent){name, instance};
        return true;
    }
    return err_notfound(err, "not of the form spiffe://<trust domain>/agent/<name>/<instance>");
}

bool spiffe_agent_make(struct arena *a, str trust_domain, str name, str instance,
                       struct spiffe_id *out, struct err *err)
{
    if (!is_agent_part(name) || !is_agent_part(instance))
        return err_input(err,
                         "name and instance of an agent are 1 to %d letters, digits, '.', "
                         "'-' and '_'",
                         AGENT_PART_BYTES_MAX);
    return spiffe_id_make(a, trust_domain, str_fmt(a, "/agent/%.*s/%.*s", STR(name), STR(instance)),
                          out, err);
}

/* Any bytes, read as a URL, a Host, a target and form data: what is accepted keeps its promises. */
#include "http/chars.h"
#include "http/url.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* A URL put together again from its parts is read to the same parts. */
static void absolute(struct arena *a, str in)
{
    struct err err;
    struct url u, v;
    if (!url_parse(a, in, &u, &err))
        return;
    str again = str_fmt(a, "%s://%.*s%.*s", u.secure ? "https" : "http", STR(url_host_field(a, &u)),
                        STR(u.target));
    check(url_parse(a, again, &v, &err));
    check(u.secure == v.secure && u.port == v.port && u.host.kind == v.host.kind);
    check(str_eq(u.host.name, v.host.name) && str_eq(u.target, v.target));
    check(str_is_visible_ascii(u.target) && u.port != 0);
}

/* No reading of the path climbs: decode it fully, cut at both slashes, look at each segment. */
static void target(struct arena *a, str in)
{
    struct err err;
    struct url_target t;
    str path, segment;
    if (!url_target_parse(in, &t, &err))
        return;
    check(url_decode(a, t.path, false, &path, &err));
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] == '\\')
            ((char *)(uintptr_t)path.p)[i] = '/';
    for (bool more = true; more;) {
        more = str_cut(path, '/', &segment, &path);
        check(!str_eq(segment, S(".")) && !str_eq(segment, S("..")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 9000)
        return 0;
    ARENA_SCOPE struct arena a = {0};
    char *exact = malloc(size + 1);
    check(exact != NULL);
    if (size)
        memcpy(exact, data, size);
    str in = str_of(exact, size), rest = in, name, value;
    struct url_host host;
    struct err err;
    absolute(&a, in);
    target(&a, in);
    if (url_host_parse(in, &host, &err))
        check(host.name.n > 0 && host.has_port == (host.port != 0));
    while (rest.n && url_form_next(&a, &rest, &name, &value, &err))
        check(name.n > 0);
    free(exact);
    return 0;
}

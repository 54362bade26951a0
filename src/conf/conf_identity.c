/* The configuration's members "identity" and "portal". */
#include "conf/reader.h"

static const char *const IDENTITY_MEMBERS[] = {"workloadSocket", "wit", NULL};
static const char *const PORTAL_MEMBERS[] = {"listen", "origin", "cert", "key", NULL};

enum { UNIX_PATH_MAX_BYTES = 107 };

void read_identity(struct reader *r, struct at at, struct conf *c)
{
    if (!at.v || !at_object(r, at, IDENTITY_MEMBERS))
        return;
    struct at socket = at_member(r, at, "workloadSocket");
    c->workload_socket = at_path(r, socket, (str){0});
    c->wit = at_bool(r, at_member(r, at, "wit"), false);
    if (c->workload_socket.n > UNIX_PATH_MAX_BYTES)
        problem(r, socket, "a socket's path has at most %d bytes: choose a shorter one",
                UNIX_PATH_MAX_BYTES);
}

static bool is_origin(str s)
{
    str rest = str_starts(s, S("https://"))  ? str_skip(s, 8)
               : str_starts(s, S("http://")) ? str_skip(s, 7)
                                             : (str){0};
    return rest.n && str_find_char(rest, '/', 0) < 0 && str_find_char(rest, '?', 0) < 0 &&
           str_find_char(rest, '#', 0) < 0 && str_find_char(rest, '@', 0) < 0;
}

void read_portal(struct reader *r, struct at at, struct conf *c)
{
    struct conf_portal *p = &c->portal;
    if (!at.v || !at_object(r, at, PORTAL_MEMBERS))
        return;
    struct at listen = at_member(r, at, "listen"), origin = at_member(r, at, "origin");
    p->address = at_str(r, listen, (str){0});
    p->cert_file = at_path(r, at_member(r, at, "cert"), (str){0});
    p->key_file = at_path(r, at_member(r, at, "key"), (str){0});
    if (!p->address.n || str_find_char(p->address, ':', 0) < 0)
        problem(r, listen, "must be an address and a port, e.g. \"127.0.0.1:8933\"");
    bool loopback = address_is_loopback(p->address);
    if ((p->cert_file.n != 0) != (p->key_file.n != 0))
        problem(r, at, "TLS needs both \"cert\" and \"key\"");
    if (!loopback && !p->cert_file.n)
        problem(r, at, "an address beyond loopback needs TLS: give \"cert\" and \"key\"");
    p->origin = at_str(
        r, origin,
        loopback ? str_fmt(r->a, "%s://%.*s", p->cert_file.n ? "https" : "http", STR(p->address))
                 : (str){0});
    if (!is_origin(p->origin))
        problem(r, origin,
                "must be the URL that browsers see, without a path, e.g. "
                "\"https://ambit.example.org\"");
}

#include "net/addr.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/un.h>

static bool parse_port(str s, uint16_t *out)
{
    uint64_t v;
    if (!str_to_u64(s, &v) || v > 65535)
        return false;
    *out = (uint16_t)v;
    return true;
}

bool addr_from(str host, uint16_t port, struct addr *out, struct err *err)
{
    char z[INET6_ADDRSTRLEN + 1];
    struct addr a = {0};
    if (host.n >= sizeof z || memchr(host.p ? host.p : "", 0, host.n))
        return err_input(err, "\"%.*s\" is not a numeric address", STR(str_take(host, 60)));
    if (host.n)
        memcpy(z, host.p, host.n);
    z[host.n] = 0;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, z, &v4.sin_addr) == 1) {
        a.len = sizeof v4;
        memcpy(&a.ss, &v4, sizeof v4);
    } else if (inet_pton(AF_INET6, z, &v6.sin6_addr) == 1) {
        a.len = sizeof v6;
        memcpy(&a.ss, &v6, sizeof v6);
    } else {
        return err_input(err, "\"%s\" is not a numeric address", z);
    }
    *out = a;
    return true;
}

bool addr_unix(str path, struct addr *out, struct err *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (path.n == 0 || path.n >= sizeof un.sun_path)
        return err_input(err, "a Unix socket's path has 1 to %zu bytes, not %zu",
                         sizeof un.sun_path - 1, path.n);
    if (memchr(path.p, 0, path.n))
        return err_input(err, "a Unix socket's path holds no NUL");
    memcpy(un.sun_path, path.p, path.n);
    struct addr a = {.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1)};
    memcpy(&a.ss, &un, a.len);
    *out = a;
    return true;
}

bool addr_parse(str text, struct addr *out, struct err *err)
{
    if (str_starts(text, S("unix:")))
        return addr_unix(str_skip(text, 5), out, err);
    size_t colon = text.n;
    while (colon > 0 && text.p[colon - 1] != ':')
        colon--;
    uint16_t port;
    if (colon == 0 || !parse_port(str_skip(text, colon), &port))
        return err_input(err,
                         "\"%.*s\" is not an address; write it as 127.0.0.1:8443, "
                         "[::1]:8443, *:8443 or unix:/path",
                         STR(str_take(text, 100)));
    str host = str_take(text, colon - 1);
    if (str_eq(host, S("*")))
        host = S("::");
    else if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = str_of(host.p + 1, host.n - 2);
    else if (str_find_char(host, ':', 0) >= 0)
        return err_input(err, "an IPv6 address is written in brackets: [%.*s]:%u",
                         STR(str_take(host, 60)), port);
    return addr_from(host, port, out, err);
}

bool addr_resolve(str host, uint16_t port, struct addr *out, size_t max, size_t *out_n,
                  struct err *err)
{
    char name[256], service[8];
    if (host.n == 0 || host.n >= sizeof name || memchr(host.p, 0, host.n))
        return err_input(err, "\"%.*s\" is not a host name", STR(str_take(host, 60)));
    memcpy(name, host.p, host.n);
    name[host.n] = 0;
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list;
    int rc = getaddrinfo(name, service, &hints, &list);
    if (rc)
        return err_notfound(err, "cannot resolve \"%s\": %s", name, gai_strerror(rc));
    size_t n = 0;
    for (struct addrinfo *i = list; i && n < max; i = i->ai_next) {
        if (i->ai_family != AF_INET && i->ai_family != AF_INET6)
            continue;
        out[n] = (struct addr){.len = i->ai_addrlen};
        memcpy(&out[n++].ss, i->ai_addr, i->ai_addrlen);
    }
    freeaddrinfo(list);
    if (n == 0)
        return err_notfound(err, "\"%s\" has no IP address", name);
    *out_n = n;
    return true;
}

str addr_text(const struct addr *a, char out[ADDR_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    int n = 0;
    if (a->ss.ss_family == AF_INET && a->len) {
        const struct sockaddr_in *v4 = (const void *)&a->ss;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        n = snprintf(out, ADDR_TEXT_SIZE, "%s:%u", host, ntohs(v4->sin_port));
    } else if (a->ss.ss_family == AF_INET6 && a->len) {
        const struct sockaddr_in6 *v6 = (const void *)&a->ss;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        n = snprintf(out, ADDR_TEXT_SIZE, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else if (addr_is_unix(a)) {
        const struct sockaddr_un *un = (const void *)&a->ss;
        size_t head = offsetof(struct sockaddr_un, sun_path);
        size_t path = a->len > head ? strnlen(un->sun_path, a->len - head) : 0;
        n = snprintf(out, ADDR_TEXT_SIZE, "unix:%.*s", (int)path, un->sun_path);
    } else {
        n = snprintf(out, ADDR_TEXT_SIZE, "unknown");
    }
    return str_of(out, (size_t)n < ADDR_TEXT_SIZE ? (size_t)n : ADDR_TEXT_SIZE - 1);
}

bool addr_is_unix(const struct addr *a)
{
    return a->len && a->ss.ss_family == AF_UNIX;
}

bool addr_is_loopback(const struct addr *a)
{
    if (a->len && a->ss.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)&a->ss;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (a->len && a->ss.ss_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)&a->ss)->sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
    }
    return addr_is_unix(a);
}

uint16_t addr_port(const struct addr *a)
{
    if (a->len && a->ss.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)&a->ss)->sin_port);
    if (a->len && a->ss.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)&a->ss)->sin6_port);
    return 0;
}

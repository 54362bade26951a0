/* addr: socket addresses and their text: "127.0.0.1:8443", "[::1]:8443",
 * "unix:/run/ambit/edge.sock". */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include <sys/socket.h>

struct addr {
    struct sockaddr_storage ss;
    socklen_t len; /* 0 = no address */
};

enum { ADDR_TEXT_SIZE = 128 };

/* Numeric only; "*:port" is all IPv4 and IPv6 addresses. */
MUST_USE bool addr_parse(str text, struct addr *out, struct err *err);
/* Numeric host (IPv6 without brackets) and port. */
MUST_USE bool addr_from(str host, uint16_t port, struct addr *out, struct err *err);
MUST_USE bool addr_unix(str path, struct addr *out, struct err *err);
/* Names too, by the system's resolver. BLOCKS: at start only, never on a running loop. At most max
 * addresses, *out_n >= 1. */
MUST_USE bool addr_resolve(str host, uint16_t port, struct addr *out, size_t max, size_t *out_n,
                           struct err *err);
str addr_text(const struct addr *a, char out[ADDR_TEXT_SIZE]);
bool addr_is_unix(const struct addr *a);
/* 127.0.0.0/8, ::1, the same mapped into IPv6, or a Unix socket. */
bool addr_is_loopback(const struct addr *a);
uint16_t addr_port(const struct addr *a); /* 0 for Unix */

/* trivial_upstream: an MCP server that does as little as possible, so that what is measured in
 * front of it is the gateway. One thread, epoll, keep-alive. It has one tool, `add`, whose answer
 * is always the same; only the request's id is echoed. It keeps no session.
 *
 *     trivial_upstream PORT ['Name: value']
 *
 * With a second argument, a tools/call on a path that begins with /secret is answered with 401
 * unless the request carries exactly that header line. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_BYTES = 16 << 10, FDS_MAX = 4096, EVENTS = 64 };

struct client {
    size_t n;
    char in[IN_BYTES];
};

static struct client *clients[FDS_MAX];
static const char *wanted_header;

static const char *const INITIALIZE =
    "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},"
    "\"serverInfo\":{\"name\":\"trivial\",\"version\":\"1\"}}";
static const char *const TOOLS =
    "{\"tools\":[{\"name\":\"add\",\"description\":\"Adds two numbers\",\"inputSchema\":{"
    "\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"integer\"},"
    "\"note\":{\"type\":\"string\"}},\"required\":[\"a\",\"b\"]}}]}";
static const char *const RESULT = "{\"content\":[{\"type\":\"text\",\"text\":\"3\"}]}";

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void send_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return; /* answers are small: a peer that does not read loses its answer */
        p += sent;
        n -= (size_t)sent;
    }
}

static void send_status(int fd, const char *status)
{
    char out[128];
    int n = snprintf(out, sizeof out, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status);
    send_all(fd, out, (size_t)n);
}

static void send_result(int fd, const char *id, size_t id_n, const char *result)
{
    char out[2048];
    static const char before[] = "{\"jsonrpc\":\"2.0\",\"id\":", between[] = ",\"result\":";
    size_t body = sizeof before - 1 + id_n + sizeof between - 1 + strlen(result) + 1;
    int n = snprintf(out, sizeof out,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                     "%zu\r\n\r\n%s%.*s%s%s}",
                     body, before, (int)id_n, id, between, result);
    send_all(fd, out, (size_t)n);
}

static const char *find(const char *p, size_t n, const char *what)
{
    return memmem(p, n, what, strlen(what));
}

static bool has_wanted_header(const char *head, size_t n)
{
    size_t want = strlen(wanted_header);
    for (const char *at = head; (at = memmem(at, n - (size_t)(at - head), "\r\n", 2)); at += 2)
        if ((size_t)(head + n - at) > want + 4 && strncasecmp(at + 2, wanted_header, want) == 0 &&
            at[2 + want] == '\r')
            return true;
    return false;
}

static void answer(int fd, const char *head, size_t head_n, const char *body, size_t n)
{
    if (strncmp(head, "POST ", 5) != 0) {
        send_status(fd, "405 Method Not Allowed");
        return;
    }
    const char *id = find(body, n, "\"id\":");
    if (!id) {
        send_status(fd, "202 Accepted");
        return;
    }
    id += 5;
    size_t id_n = 0;
    while (id + id_n < body + n && id[id_n] != ',' && id[id_n] != '}')
        id_n++;
    if (find(body, n, "\"tools/call\"")) {
        bool locked = wanted_header && strncmp(head + 5, "/secret", 7) == 0;
        if (locked && !has_wanted_header(head, head_n))
            send_status(fd, "401 Unauthorized");
        else
            send_result(fd, id, id_n, RESULT);
    } else if (find(body, n, "\"tools/list\"")) {
        send_result(fd, id, id_n, TOOLS);
    } else if (find(body, n, "\"initialize\"")) {
        send_result(fd, id, id_n, INITIALIZE);
    } else {
        send_result(fd, id, id_n, "{}");
    }
}

static size_t content_length(const char *head, size_t n)
{
    for (const char *at = head; (at = memmem(at, n - (size_t)(at - head), "\r\n", 2)); at += 2)
        if (n - (size_t)(at - head) > 18 && strncasecmp(at + 2, "content-length:", 15) == 0)
            return strtoul(at + 17, NULL, 10);
    return 0;
}

static void drop(int fd)
{
    free(clients[fd]);
    clients[fd] = NULL;
    close(fd);
}

static void on_readable(int fd)
{
    struct client *c = clients[fd];
    ssize_t got = recv(fd, c->in + c->n, IN_BYTES - 1 - c->n, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            drop(fd);
        return;
    }
    c->n += (size_t)got;
    c->in[c->n] = 0;
    for (;;) {
        const char *end = memmem(c->in, c->n, "\r\n\r\n", 4);
        if (!end && c->n == IN_BYTES - 1) {
            drop(fd);
            return;
        }
        if (!end)
            return;
        size_t head = (size_t)(end - c->in) + 4;
        size_t whole = head + content_length(c->in, head);
        if (whole > IN_BYTES - 1) {
            drop(fd);
            return;
        }
        if (c->n < whole)
            return;
        answer(fd, c->in, head, c->in + head, whole - head);
        memmove(c->in, c->in + whole, c->n - whole);
        c->n -= whole;
    }
}

static void watch(int ep, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) != 0)
        fail("epoll_ctl");
}

static void on_new(int ep, int listener)
{
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (fd >= FDS_MAX || !(clients[fd] = calloc(1, sizeof **clients))) {
        close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(ep, fd);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event evs[EVENTS];
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ep = epoll_create1(0);
    if (argc < 2) {
        fprintf(stderr, "usage: trivial_upstream PORT ['Name: value']\n");
        return 2;
    }
    at.sin_port = htons((uint16_t)atoi(argv[1]));
    wanted_header = argc > 2 ? argv[2] : NULL;
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 512) != 0)
        fail("listen");
    watch(ep, listener);
    for (;;) {
        int n = epoll_wait(ep, evs, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (evs[i].data.fd == listener)
                on_new(ep, listener);
            else if (clients[evs[i].data.fd])
                on_readable(evs[i].data.fd);
        }
    }
}

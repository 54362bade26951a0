/* callers: N keep-alive connections that call one tool without pause, each with a token of its own.
 *
 *     callers PORT PATH TOOL CONNECTIONS
 *
 * Standard input: "SLOT TOKEN" lets that connection begin to call. When the first answer that is
 * not the upstream's result arrives, the connection rests, and standard output gets "SLOT NOW BEGUN
 * CALLS": when it arrived, when the last call that was allowed had been sent (both CLOCK_MONOTONIC
 * in nanoseconds), and how many calls all connections have made so far. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_BYTES = 32 << 10, TOKEN_BYTES = 4 << 10, CONNS_MAX = 1024 };

struct caller {
    int fd;
    int64_t sent_ns, allowed_ns;
    size_t n;
    char token[TOKEN_BYTES], in[IN_BYTES];
};

static struct caller *callers;
static int conns;
static const char *path, *tool;
static uint16_t port;
static unsigned long long calls;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void send_call(struct caller *c)
{
    char out[TOKEN_BYTES + 2048], body[600];
    int b = snprintf(body, sizeof body,
                     "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"tools/call\",\"params\":{"
                     "\"name\":\"%s\",\"arguments\":{\"a\":1,\"b\":2,\"note\":\"call\"},\"_meta\":{"
                     "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                     "\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
                     ++calls, tool);
    int n = snprintf(out, sizeof out,
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\n"
                     "Accept: application/json, text/event-stream\r\n"
                     "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
                     "Mcp-Name: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
                     path, port, tool, c->token, b, body);
    c->sent_ns = now_ns();
    if (send(c->fd, out, (size_t)n, MSG_NOSIGNAL) != n)
        fail("send");
}

/* Answers here have a length; a stream would be a mistake of the benchmark. */
static size_t whole_answer(const struct caller *c)
{
    const char *end = memmem(c->in, c->n, "\r\n\r\n", 4);
    const char *length = end ? strcasestr(c->in, "content-length:") : NULL;
    if (!end)
        return 0;
    if (!length || length > end) {
        fprintf(stderr, "an answer without length: %.300s\n", c->in);
        exit(1);
    }
    size_t whole = (size_t)(end - c->in) + 4 + strtoul(length + 15, NULL, 10);
    return c->n >= whole ? whole : 0;
}

static void on_readable(struct caller *c)
{
    ssize_t got = recv(c->fd, c->in + c->n, IN_BYTES - 1 - c->n, 0);
    if (got <= 0)
        fail("the server closed a connection");
    c->n += (size_t)got;
    c->in[c->n] = 0;
    size_t n = whole_answer(c);
    if (!n)
        return;
    bool allowed =
        memmem(c->in, n, "\"text\":\"3\"", 10) && !memmem(c->in, n, "isError\":true", 13);
    c->n -= n;
    memmove(c->in, c->in + n, c->n);
    if (allowed) {
        c->allowed_ns = c->sent_ns;
        send_call(c);
        return;
    }
    printf("%d %lld %lld %llu\n", (int)(c - callers), (long long)now_ns(), (long long)c->allowed_ns,
           calls);
    fflush(stdout);
}

static void on_command(void)
{
    static char in[64 << 10];
    static size_t n;
    ssize_t got = read(0, in + n, sizeof in - n);
    if (got <= 0)
        exit(0);
    n += (size_t)got;
    for (char *end; (end = memchr(in, '\n', n));) {
        char *token;
        long slot = strtol(in, &token, 10);
        *end = 0;
        if (slot < 0 || slot >= conns || strlen(token) >= TOKEN_BYTES)
            exit(2);
        snprintf(callers[slot].token, TOKEN_BYTES, "%s", token + 1);
        send_call(&callers[slot]);
        n -= (size_t)(end + 1 - in);
        memmove(in, end + 1, n);
    }
}

static int connect_one(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 5 || (conns = atoi(argv[4])) < 1 || conns > CONNS_MAX) {
        fprintf(stderr, "usage: callers PORT PATH TOOL CONNECTIONS\n");
        return 2;
    }
    port = (uint16_t)atoi(argv[1]);
    path = argv[2];
    tool = argv[3];
    callers = calloc((size_t)conns, sizeof *callers);
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN}, evs[64];
    if (!callers || ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, 0, &ev) != 0)
        fail("setup");
    for (int i = 0; i < conns; i++) {
        callers[i].fd = connect_one();
        ev.data.ptr = &callers[i];
        if (epoll_ctl(ep, EPOLL_CTL_ADD, callers[i].fd, &ev) != 0)
            fail("epoll_ctl");
    }
    for (;;) {
        int n = epoll_wait(ep, evs, 64, -1);
        for (int i = 0; i < n; i++)
            if (evs[i].data.ptr)
                on_readable(evs[i].data.ptr);
            else
                on_command();
    }
}

/* load: a closed loop of tools/call requests over N keep-alive connections, for SECONDS.
 *
 *     load PORT PATH TOOL CONNECTIONS SECONDS [HEADER...]
 *
 * Each connection has one call in flight. Every answer is checked: status 200, the id that was
 * sent, and the upstream's constant result. A wrong one counts as an error, and the first is shown.
 * Prints one JSON object: calls, errors, seconds, rate, and p50/p90/p99/max in microseconds. The
 * first tenth of the time warms up and is not counted ("all" counts its calls too, because CPU time
 * that the caller measures around this program includes them). */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_BYTES = 64 << 10, OUT_BYTES = 8 << 10, CONNS_MAX = 1024, SAMPLES_MAX = 8 << 20 };

struct peer {
    int fd;
    uint64_t id;
    int64_t sent_ns;
    size_t n;
    char in[IN_BYTES];
};

static struct peer *peers;
static char head[4096];
static const char *tool, *path;
static uint16_t port;
static uint64_t next_id = 1, calls, warm, errors;
static uint32_t *samples;
static size_t samples_n;
static int64_t counting_from;
static bool stopping;

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

static void send_call(struct peer *p)
{
    char out[OUT_BYTES], body[512];
    p->id = next_id++;
    int b =
        snprintf(body, sizeof body,
                 "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"tools/call\",\"params\":{\"name\":"
                 "\"%s\",\"arguments\":{\"a\":1,\"b\":2,\"note\":\"call\"}}}",
                 (unsigned long long)p->id, tool);
    int n = snprintf(out, sizeof out,
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%sContent-Length: %d\r\n\r\n%s",
                     path, port, head, b, body);
    p->sent_ns = now_ns();
    if (send(p->fd, out, (size_t)n, MSG_NOSIGNAL) != n)
        fail("send");
}

/* The length of the whole answer in p->in, or 0 if more is to come. */
static size_t whole_answer(const struct peer *p)
{
    const char *end = memmem(p->in, p->n, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head_n = (size_t)(end - p->in) + 4, length = 0;
    bool chunked = false;
    for (const char *at = p->in; at < end;
         at = (const char *)memmem(at, p->n - (size_t)(at - p->in), "\r\n", 2)) {
        at += at == p->in ? 0 : 2;
        if (strncasecmp(at, "content-length:", 15) == 0)
            length = strtoul(at + 15, NULL, 10);
        if (strncasecmp(at, "transfer-encoding: chunked", 26) == 0)
            chunked = true;
        if (at >= end)
            break;
    }
    if (!chunked)
        return p->n >= head_n + length ? head_n + length : 0;
    size_t at = head_n;
    for (;;) {
        const char *line = memmem(p->in + at, p->n - at, "\r\n", 2);
        if (!line)
            return 0;
        size_t chunk = strtoul(p->in + at, NULL, 16);
        at = (size_t)(line - p->in) + 2 + chunk + 2;
        if (at > p->n)
            return 0;
        if (chunk == 0)
            return at;
    }
}

static bool is_right(const struct peer *p, size_t n)
{
    char want[40];
    int w = snprintf(want, sizeof want, "\"id\":%llu", (unsigned long long)p->id);
    const char *id = memmem(p->in, n, want, (size_t)w);
    return strncmp(p->in, "HTTP/1.1 200", 12) == 0 && id && (id[w] < '0' || id[w] > '9') &&
           memmem(p->in, n, "\"text\":\"3\"", 10) && !memmem(p->in, n, "\"isError\":true", 14);
}

static void on_answer(struct peer *p, size_t n)
{
    int64_t now = now_ns();
    if (!is_right(p, n)) {
        if (errors++ == 0)
            fprintf(stderr, "first wrong answer (to id %llu): %.*s\n", (unsigned long long)p->id,
                    (int)(n < 1500 ? n : 1500), p->in);
    } else if (now < counting_from) {
        warm++;
    } else {
        calls++;
        if (samples_n < SAMPLES_MAX)
            samples[samples_n++] = (uint32_t)((now - p->sent_ns) / 1000);
    }
    memmove(p->in, p->in + n, p->n - n);
    p->n -= n;
    if (!stopping)
        send_call(p);
}

static void on_readable(struct peer *p)
{
    ssize_t got = recv(p->fd, p->in + p->n, IN_BYTES - p->n, 0);
    if (got <= 0) {
        fprintf(stderr, "the server closed a connection: %s\n", got ? strerror(errno) : "end");
        exit(1);
    }
    p->n += (size_t)got;
    for (size_t n; p->n && (n = whole_answer(p)) > 0;)
        on_answer(p, n);
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

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t at_part(double part)
{
    return samples_n ? samples[(size_t)(part * (double)(samples_n - 1))] : 0;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: load PORT PATH TOOL CONNECTIONS SECONDS [HEADER...]\n");
        return 2;
    }
    port = (uint16_t)atoi(argv[1]);
    path = argv[2];
    tool = argv[3];
    int conns = atoi(argv[4]);
    double seconds = atof(argv[5]);
    size_t used = 0;
    for (int i = 6; i < argc; i++)
        used += (size_t)snprintf(head + used, sizeof head - used, "%s\r\n", argv[i]);
    if (conns < 1 || conns > CONNS_MAX || used >= sizeof head) {
        fprintf(stderr, "too many connections or headers\n");
        return 2;
    }
    peers = calloc((size_t)conns, sizeof *peers);
    samples = malloc(SAMPLES_MAX * sizeof *samples);
    int ep = epoll_create1(0);
    if (!peers || !samples || ep < 0)
        fail("setup");
    for (int i = 0; i < conns; i++) {
        peers[i].fd = connect_one();
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &peers[i]};
        if (epoll_ctl(ep, EPOLL_CTL_ADD, peers[i].fd, &ev) != 0)
            fail("epoll_ctl");
    }
    int64_t start = now_ns(), end = start + (int64_t)(seconds * 1e9);
    counting_from = start + (int64_t)(seconds * 1e8);
    for (int i = 0; i < conns; i++)
        send_call(&peers[i]);
    struct epoll_event evs[64];
    while (now_ns() < end) {
        int n = epoll_wait(ep, evs, 64, 1000);
        for (int i = 0; i < n; i++)
            on_readable(evs[i].data.ptr);
    }
    double took = (double)(now_ns() - counting_from) / 1e9;
    /* Let what is in flight come home, so that every request was answered. */
    stopping = true;
    uint64_t counted = calls;
    size_t counted_samples = samples_n;
    for (int64_t until = now_ns() + 2000000000; now_ns() < until;) {
        if (calls + warm + errors >= next_id - 1)
            break;
        int n = epoll_wait(ep, evs, 64, 100);
        for (int i = 0; i < n; i++)
            on_readable(evs[i].data.ptr);
    }
    uint64_t lost = next_id - 1 - calls - warm - errors;
    uint64_t all = calls + warm + errors;
    samples_n = counted_samples;
    qsort(samples, samples_n, sizeof *samples, by_size);
    printf(
        "{\"calls\":%llu,\"all\":%llu,\"errors\":%llu,\"lost\":%llu,\"seconds\":%.3f,\"rate\":%.0f,"
        "\"p50\":%u,\"p90\":%u,\"p99\":%u,\"max\":%u}\n",
        (unsigned long long)counted, (unsigned long long)all, (unsigned long long)errors,
        (unsigned long long)lost, took, (double)counted / took, at_part(0.5), at_part(0.9),
        at_part(0.99), at_part(1));
    return errors || lost ? 1 : 0;
}

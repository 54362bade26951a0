/* CPU of a server for one request and its answer: `net_echo_bench [round trips]`. The server is a
 * process of its own, so its time is what the kernel counted for it; the client is not in the
 * figure. Beside our connections: libuv's own streams with uv_try_write, and bare epoll with read
 * and write, which is the floor. */
#include "net/conn.h"
#include "net/net_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

enum { MESSAGE_BYTES = 1000 };

/* ---- servers ---- */

static void on_server_data(struct conn *c)
{
    str in = conn_in(c);
    conn_deadline(c, 10000, "request head");
    conn_write(c, in);
    conn_consume(c, in.n);
}

static const struct conn_ops SERVER = {.on_data = on_server_data};

static void on_accept(void *owner, struct conn *c)
{
    conn_set_owner(c, &SERVER, NULL);
}

static void serve_conn(int fd, struct tls *tls)
{
    struct loop *l;
    struct listener *li;
    struct err err;
    struct listen_opts o = {.on_conn = on_accept, .tls = tls};
    if (!loop_new(&l, &err) || !listener_adopt(l, fd, &o, &li, &err))
        _exit(1);
    loop_run(l);
}

static void on_alloc(uv_handle_t *h, size_t n, uv_buf_t *out)
{
    static char scratch[65536];
    *out = uv_buf_init(scratch, sizeof scratch);
}

static void on_uv_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    if (n < 0) {
        uv_close((uv_handle_t *)s, NULL);
        return;
    }
    uv_buf_t b = uv_buf_init(buf->base, (unsigned)n);
    if (n && uv_try_write(s, &b, 1) != n)
        abort();
}

static void on_uv_conn(uv_stream_t *s, int status)
{
    uv_tcp_t *c = calloc(1, sizeof *c);
    uv_tcp_init(s->loop, c);
    uv_accept(s, (uv_stream_t *)c);
    uv_tcp_nodelay(c, 1);
    uv_read_start((uv_stream_t *)c, on_alloc, on_uv_read);
}

static void serve_uv(int fd, struct tls *tls)
{
    uv_tcp_t s;
    uv_tcp_init(uv_default_loop(), &s);
    uv_tcp_open(&s, fd);
    uv_listen((uv_stream_t *)&s, 128, on_uv_conn);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

static void serve_epoll(int fd, struct tls *tls)
{
    static char p[65536];
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd}, ev[128];
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    for (;;) {
        int n = epoll_wait(ep, ev, 128, -1);
        for (int i = 0; i < n; i++) {
            int s = ev[i].data.fd;
            if (s == fd) {
                e.data.fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
                epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
                continue;
            }
            ssize_t k = read(s, p, sizeof p);
            if (k <= 0)
                close(s);
            else if (write(s, p, (size_t)k) != k)
                abort();
        }
    }
}

/* ---- the client ---- */

struct run {
    long left, answered;
    size_t conns;
    bool done;
};

static char the_message[MESSAGE_BYTES];

static void ask(struct conn *c)
{
    struct run *r = conn_owner(c);
    if (r->left-- > 0)
        conn_write(c, str_of(the_message, MESSAGE_BYTES));
}

static void on_client_data(struct conn *c)
{
    struct run *r = conn_owner(c);
    if (conn_in(c).n < MESSAGE_BYTES)
        return;
    conn_consume(c, MESSAGE_BYTES);
    if (--r->answered == 0)
        r->done = true;
    ask(c);
}

static void on_client_close(struct conn *c, const struct err *err)
{
    if (err)
        printf("client: %s\n", err->text);
}

static const struct conn_ops CLIENT = {
    .on_open = ask, .on_data = on_client_data, .on_close = on_client_close};

static void measure(const char *name, void (*serve)(int fd, struct tls *tls), struct tls *st,
                    struct tls *ct, size_t conns, long trips)
{
    struct err err;
    struct loop *l;
    int fd;
    struct addr at = test_loopback(0);
    if (!listen_socket(&at, 0, &fd, &err))
        abort();
    at.len = sizeof at.ss;
    getsockname(fd, (struct sockaddr *)&at.ss, &at.len);
    pid_t pid = fork();
    if (pid == 0) {
        serve(fd, st);
        _exit(0);
    }
    close(fd);
    if (!loop_new(&l, &err))
        abort();
    struct run r = {.left = trips, .answered = trips};
    struct conn_opts o = {.tls = ct, .tls_name = S("gw.example")};
    int64_t start = (int64_t)uv_hrtime();
    for (size_t i = 0; i < conns; i++) {
        struct conn *c;
        if (!conn_connect(l, &at, &o, &CLIENT, &r, &c, &err))
            abort();
    }
    while (!r.done)
        loop_step(l, true);
    double wall = (double)((int64_t)uv_hrtime() - start) / 1e3;
    struct rusage u;
    kill(pid, SIGKILL);
    wait4(pid, NULL, 0, &u);
    double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
                 (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    double user = (double)u.ru_utime.tv_sec * 1e6 + (double)u.ru_utime.tv_usec;
    printf("%-14s %4zu conns  %6.2f us CPU (%5.2f user)  %7.0f/s\n", name, conns,
           cpu / (double)trips, user / (double)trips, (double)trips / wall * 1e6);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    long trips = argc > 1 ? atol(argv[1]) : 200000;
    struct err err;
    struct tls *st, *ct;
    struct test_cert *ca = test_cert_new(NULL, (struct test_cert_opts){.cn = "CA"});
    struct test_cert *crt =
        test_cert_new(ca, (struct test_cert_opts){.cn = "gw", .san = "DNS:gw.example"});
    struct tls_server_opts so = {.cert_pem = crt->cert_pem, .key_pem = crt->key_pem};
    struct tls_client_opts co = {.ca_pem = ca->cert_pem};
    if (!tls_server_new(&so, &st, &err) || !tls_client_new(&co, &ct, &err))
        abort();
    static const size_t CONNS[] = {1, 64};
    for (unsigned i = 0; i < 2; i++) {
        measure("epoll", serve_epoll, NULL, NULL, CONNS[i], trips);
        measure("uv streams", serve_uv, NULL, NULL, CONNS[i], trips);
        measure("conn", serve_conn, NULL, NULL, CONNS[i], trips);
        measure("conn with TLS", serve_conn, st, ct, CONNS[i], trips);
    }
    test_cert_free(ca);
    test_cert_free(crt);
    tls_unref(st);
    tls_unref(ct);
    return 0;
}

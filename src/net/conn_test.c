#include "net/net_test.h"

#include "base/clock.h"
#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- an echo server and a client that counts ---- */

struct server {
    struct listener *listener;
    size_t accepted, closed;
    struct tls_peer seen; /* of the last client, strings not kept */
    char seen_uri[200];
    bool has_failed;
    struct err why;
    size_t out_peak;
    bool is_slow; /* pauses its source while its out-buffer is full */
    struct conn *last;
};

static void on_server_open(struct conn *c)
{
    struct server *s = conn_owner(c);
    const struct tls_peer *p = conn_tls_peer(c);
    if (p) {
        s->seen = *p;
        if (p->n_uri_sans)
            snprintf(s->seen_uri, sizeof s->seen_uri, "%.*s", STR(p->uri_sans[0]));
    }
}

static void on_server_data(struct conn *c)
{
    struct server *s = conn_owner(c);
    str in = conn_in(c);
    conn_write(c, in);
    conn_consume(c, in.n);
    if (conn_out_len(c) > s->out_peak)
        s->out_peak = conn_out_len(c);
    if (conn_is_full(c))
        conn_pause(c);
}

static void on_server_drain(struct conn *c)
{
    conn_resume(c);
}

static void on_server_close(struct conn *c, const struct err *err)
{
    struct server *s = conn_owner(c);
    s->closed++;
    if (err) {
        s->has_failed = true;
        s->why = *err;
    }
}

static const struct conn_ops SERVER = {.on_open = on_server_open,
                                       .on_data = on_server_data,
                                       .on_drain = on_server_drain,
                                       .on_close = on_server_close};

static void on_accept(void *owner, struct conn *c)
{
    struct server *s = owner;
    s->accepted++;
    s->last = c;
    conn_set_owner(c, &SERVER, s);
}

struct client {
    struct buf got;
    size_t want; /* finishes after that many bytes */
    unsigned opened, closed;
    bool done; /* on_close came */
    bool has_err;
    struct err err;
    bool opened_flag;
};

static void on_client_open(struct conn *c)
{
    struct client *k = conn_owner(c);
    k->opened++;
    k->opened_flag = true;
}

static void on_client_data(struct conn *c)
{
    struct client *k = conn_owner(c);
    str in = conn_in(c);
    buf_put(&k->got, in);
    conn_consume(c, in.n);
    if (k->want && buf_len(&k->got) >= k->want)
        conn_finish(c);
}

static void on_client_close(struct conn *c, const struct err *err)
{
    struct client *k = conn_owner(c);
    k->closed++;
    k->done = true;
    if (err) {
        k->has_err = true;
        k->err = *err;
    }
}

static const struct conn_ops CLIENT = {
    .on_open = on_client_open, .on_data = on_client_data, .on_close = on_client_close};

struct fixture {
    struct loop *loop;
    struct server server;
    struct addr at;
};

static struct fixture *setup(const struct addr *at, struct tls *tls, size_t conns_max)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    struct err err;
    assert_true(loop_new(&f->loop, &err));
    struct listen_opts o = {
        .on_conn = on_accept, .owner = &f->server, .tls = tls, .conns_max = conns_max};
    assert_true(listener_new(f->loop, at, &o, &f->server.listener, &err));
    f->at = listener_addr(f->server.listener);
    return f;
}

static void teardown(struct fixture *f)
{
    listener_close(f->server.listener);
    assert_int_equal(listener_conns(f->server.listener), 0);
    loop_free(f->loop);
    free(f);
}

/* Waits until the server side of everything is gone too. */
static void drain(struct fixture *f)
{
    for (int i = 0; i < 200 && f->server.closed < f->server.accepted; i++)
        test_run_for(f->loop, 10);
    assert_int_equal(f->server.closed, f->server.accepted);
}

static void echo_once(struct fixture *f, const struct conn_opts *o, size_t n)
{
    struct client k = {.want = n, .got = {.max = 64 << 20}};
    struct conn *c;
    struct err err;
    assert_true(conn_connect(f->loop, &f->at, o, &CLIENT, &k, &c, &err));
    char *bytes = malloc(n);
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 31 >> 3);
    conn_write(c, str_of(bytes, n)); /* before it is open: must be kept */
    assert_true(test_run_until(f->loop, &k.done));
    if (k.has_err)
        print_message("%s\n", k.err.text);
    assert_false(k.has_err);
    assert_int_equal(k.opened, 1);
    assert_int_equal(k.closed, 1);
    assert_int_equal(buf_len(&k.got), n);
    assert_memory_equal(buf_str(&k.got).p, bytes, n);
    free(bytes);
    buf_fini(&k.got);
    drain(f);
}

static void test_echo_tcp(void **state)
{
    struct addr at = test_loopback(0);
    struct fixture *f = setup(&at, NULL, 0);
    assert_true(addr_is_loopback(&f->at));
    echo_once(f, NULL, 1);
    echo_once(f, NULL, 1000);
    echo_once(f, NULL, 5 << 20);
    assert_false(f->server.has_failed);
    teardown(f);
}

static void test_echo_unix(void **state)
{
    char dir[64], path[100];
    test_dir_make(dir);
    snprintf(path, sizeof path, "unix:%s/s", dir);
    struct addr at;
    struct err err;
    assert_true(addr_parse(str_z(path), &at, &err));
    struct fixture *f = setup(&at, NULL, 0);
    echo_once(f, NULL, 5 << 20);
    /* a second listener is refused while the first lives, and replaces its file afterwards */
    int fd;
    assert_false(listen_socket(&at, 0, &fd, &err));
    assert_int_equal(err.kind, ERR_DENIED);
    teardown(f);
    assert_true(listen_socket(&at, 0, &fd, &err));
    close(fd);
    test_dir_remove(dir);
}

/* ---- back-pressure ---- */

static void test_slow_reader(void **state)
{
    struct addr at = test_loopback(0);
    struct fixture *f = setup(&at, NULL, 0);
    struct client k = {.got = {.max = 64 << 20}};
    struct conn *c;
    struct err err;
    assert_true(conn_connect(f->loop, &f->at, &(struct conn_opts){.out_max = 40 << 20}, &CLIENT, &k,
                             &c, &err));
    assert_true(test_run_until(f->loop, &k.opened_flag));
    conn_pause(c); /* the client does not read */
    enum { TOTAL = 24 << 20 };
    static char bytes[TOTAL];
    conn_write(c, str_of(bytes, TOTAL));
    /* until everything between the two is full */
    size_t left = TOTAL;
    for (int i = 0; i < 100 && (left != conn_out_len(c) || left == TOTAL || !f->server.out_peak);
         i++) {
        left = conn_out_len(c);
        test_run_for(f->loop, 300);
    }
    /* The server stopped reading; what it holds is bounded, and the rest waits with the writer. */
    assert_true(f->server.out_peak >= CONN_OUT_BYTES_HIGH);
    assert_true(f->server.out_peak <= CONN_OUT_BYTES_HIGH + CONN_IN_BYTES_HIGH);
    assert_true(conn_out_len(c) > (4 << 20));
    k.want = TOTAL;
    conn_resume(c);
    assert_true(test_run_until(f->loop, &k.done));
    assert_false(k.has_err);
    assert_int_equal(buf_len(&k.got), TOTAL);
    buf_fini(&k.got);
    drain(f);
    teardown(f);
}

static void on_over(void *arg)
{
    *(bool *)arg = true;
}

/* Iterations that the loop makes in that time: a loop with nothing to do makes a few. */
static unsigned long iterations(struct loop *l, int64_t ms)
{
    struct timer t = {0};
    bool over = false;
    unsigned long n = 0;
    timer_start(&t, l, ms, on_over, &over);
    while (!over) {
        loop_step(l, true);
        n++;
    }
    return n;
}

static void test_in_mark(void **state)
{
    struct addr at = test_loopback(0);
    struct fixture *f = setup(&at, NULL, 0);
    /* An owner that consumes nothing: reading stops above the mark. */
    static const struct conn_ops LAZY = {.on_close = on_client_close};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    struct client k = {0};
    struct conn *c;
    struct err err;
    assert_true(conn_adopt(f->loop, pair[0], NULL, NULL, &LAZY, &k, &c, &err));
    static char bytes[1 << 16];
    for (int i = 0; i < 40; i++) {
        (void)!write(pair[1], bytes, sizeof bytes);
        test_run_for(f->loop, 2);
    }
    assert_true(conn_in(c).n >= CONN_IN_BYTES_HIGH);
    assert_true(conn_in(c).n <= 2 * CONN_IN_BYTES_HIGH);
    assert_true(iterations(f->loop, 50) < 10); /* waits, does not spin */
    size_t before = conn_in(c).n;
    conn_consume(c, before);
    test_run_for(f->loop, 5);
    assert_true(conn_in(c).n > 0); /* goes on by itself */
    close(pair[1]);
    conn_abort(c);
    conn_abort(c);
    assert_true(test_run_until(f->loop, &k.done));
    assert_int_equal(k.closed, 1);
    teardown(f);
}

static void test_out_max(void **state)
{
    struct addr at = test_loopback(0);
    struct fixture *f = setup(&at, NULL, 0);
    struct client k = {0};
    struct conn *c;
    struct err err;
    assert_true(
        conn_connect(f->loop, &f->at, &(struct conn_opts){.out_max = 1000}, &CLIENT, &k, &c, &err));
    static char bytes[1001];
    conn_write(c, str_of(bytes, sizeof bytes));
    assert_int_equal(k.closed, 0); /* never from inside a call */
    assert_true(test_run_until(f->loop, &k.done));
    assert_int_equal(k.err.kind, ERR_LIMIT);
    drain(f);
    teardown(f);
}

/* ---- ends and deadlines ---- */

static void test_deadline(void **state)
{
    struct addr at = test_loopback(0);
    struct fixture *f = setup(&at, NULL, 0);
    struct client k = {0};
    struct conn *c;
    struct err err;
    assert_true(conn_connect(f->loop, &f->at, NULL, &CLIENT, &k, &c, &err));
    assert_true(test_run_until(f->loop, &k.opened_flag));
    assert_int_equal(conn_deadline_left_ms(c), -1);
    conn_deadline(c, 10000, "request head");
    assert_true(conn_deadline_left_ms(c) > 9000);
    conn_deadline(c, 30, "request head");
    int64_t start = clock_mono_us();
    assert_true(test_run_until(f->loop, &k.done));
    assert_true(clock_mono_us() - start >= 28 * 1000);
    assert_string_equal(k.err.text, "no request head within 30 ms");
    assert_int_equal(k.err.kind, ERR_PEER);
    drain(f);
    teardown(f);
}

static void test_connect_refused(void **state)
{
    struct addr at = test_loopback(0);
    struct fixture *f = setup(&at, NULL, 0);
    int fd;
    struct err err;
    assert_true(listen_socket(&at, 0, &fd, &err));
    struct addr bound = {.len = sizeof bound.ss};
    getsockname(fd, (struct sockaddr *)&bound.ss, &bound.len);
    close(fd);
    struct client k = {0};
    struct conn *c;
    assert_true(conn_connect(f->loop, &bound, NULL, &CLIENT, &k, &c, &err));
    assert_true(test_run_until(f->loop, &k.done));
    assert_int_equal(k.opened, 0);
    assert_int_equal(k.err.kind, ERR_PEER);
    assert_non_null(strstr(k.err.text, "Connection refused"));
    teardown(f);
}

static void test_connect_timeout(void **state)
{
    struct addr at = test_loopback(0);
    struct fixture *f = setup(&at, NULL, 0);
    /* A listener with a full queue leaves further clients waiting. */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct addr bound = test_loopback(0);
    assert_int_equal(bind(fd, (struct sockaddr *)&bound.ss, bound.len), 0);
    assert_int_equal(listen(fd, 0), 0);
    getsockname(fd, (struct sockaddr *)&bound.ss, &bound.len);
    struct client k[8] = {0};
    struct conn *c[8];
    struct err err;
    for (int i = 0; i < 8; i++)
        assert_true(conn_connect(f->loop, &bound, &(struct conn_opts){.connect_ms = 150}, &CLIENT,
                                 &k[i], &c[i], &err));
    test_run_for(f->loop, 400);
    assert_true(k[7].done);
    assert_string_equal(k[7].err.text, "no connection within 150 ms");
    for (int i = 0; i < 8; i++)
        if (!k[i].done)
            conn_abort(c[i]);
    test_run_for(f->loop, 5);
    close(fd);
    teardown(f);
}

static void test_accept_cap(void **state)
{
    struct addr at = test_loopback(0);
    struct fixture *f = setup(&at, NULL, 3);
    struct client k[5] = {0};
    struct conn *c[5];
    struct err err;
    for (int i = 0; i < 5; i++) {
        assert_true(conn_connect(f->loop, &f->at, NULL, &CLIENT, &k[i], &c[i], &err));
        k[i].got.max = 100;
    }
    for (int i = 0; i < 5; i++)
        conn_write(c[i], S("x"));
    test_run_for(f->loop, 100);
    assert_int_equal(f->server.accepted, 3);
    assert_int_equal(listener_conns(f->server.listener), 3);
    conn_finish(c[0]);
    test_run_for(f->loop, 100);
    assert_int_equal(f->server.accepted, 4);
    for (int i = 1; i < 5; i++)
        conn_finish(c[i]);
    test_run_for(f->loop, 100);
    assert_int_equal(f->server.accepted, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(k[i].closed, 1);
        assert_false(k[i].has_err);
        /* the last one said its end before it was accepted, and reads nothing after that */
        assert_int_equal(buf_len(&k[i].got), i < 4 ? 1 : 0);
        buf_fini(&k[i].got);
    }
    drain(f);
    teardown(f);
}

static void test_peer_reset(void **state)
{
    struct addr at = test_loopback(0);
    struct fixture *f = setup(&at, NULL, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&f->at.ss, f->at.len), 0);
    test_run_for(f->loop, 10);
    conn_pause(
        f->server.last); /* must be noticed even by one who does not read, without spinning */
    struct linger now = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
    test_run_for(f->loop, 20);
    if (f->server.closed == 0)
        conn_write(f->server.last, S("x"));
    test_run_for(f->loop, 20);
    assert_int_equal(f->server.closed, 1);
    assert_true(f->server.has_failed);
    assert_int_equal(f->server.why.kind, ERR_PEER);
    teardown(f);
}

/* An answer that was queued before conn_finish arrives whole although the peer goes on sending. */
static void on_answer_data(struct conn *c)
{
    static char big[1 << 20];
    conn_consume(c, conn_in(c).n);
    if (conn_is_closing(c))
        fail();
    conn_write(c, str_of(big, sizeof big));
    conn_finish(c);
}

static const struct conn_ops ANSWER = {.on_data = on_answer_data, .on_close = on_server_close};

static void on_accept_answer(void *owner, struct conn *c)
{
    struct server *s = owner;
    s->accepted++;
    conn_set_owner(c, &ANSWER, s);
}

static void test_finish_delivers(void **state)
{
    struct loop *l;
    struct err err;
    assert_true(loop_new(&l, &err));
    struct server s = {0};
    struct addr at = test_loopback(0);
    struct listen_opts o = {.on_conn = on_accept_answer, .owner = &s};
    assert_true(listener_new(l, &at, &o, &s.listener, &err));
    at = listener_addr(s.listener);
    struct client k = {.got = {.max = 2 << 20}};
    struct conn *c;
    assert_true(conn_connect(l, &at, NULL, &CLIENT, &k, &c, &err));
    static char upload[300000];
    conn_write(c, str_of(upload, sizeof upload));
    assert_true(test_run_until(l, &k.done));
    assert_false(k.has_err);
    assert_int_equal(buf_len(&k.got), 1 << 20);
    test_run_for(l, 50);
    assert_int_equal(s.closed, 1);
    assert_false(s.has_failed);
    buf_fini(&k.got);
    listener_close(s.listener);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo_tcp),        cmocka_unit_test(test_echo_unix),
        cmocka_unit_test(test_slow_reader),     cmocka_unit_test(test_in_mark),
        cmocka_unit_test(test_out_max),         cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_connect_refused), cmocka_unit_test(test_connect_timeout),
        cmocka_unit_test(test_accept_cap),      cmocka_unit_test(test_peer_reset),
        cmocka_unit_test(test_finish_delivers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "net/net_test.h"

#include "net/tls_int.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* One exchange for each way in which two ends can, or cannot, agree. */

struct pki {
    struct test_cert *ca, *other_ca, *server, *server_expired, *server_ip, *client, *client_other,
        *client_expired, *client_many;
};

static struct pki *the_pki(void **state)
{
    return *state;
}

static int make_pki(void **state)
{
    struct pki *p = calloc(1, sizeof *p);
    p->ca = test_cert_new(NULL, (struct test_cert_opts){.cn = "Test CA"});
    p->other_ca = test_cert_new(NULL, (struct test_cert_opts){.cn = "Other CA"});
    p->server = test_cert_new(
        p->ca, (struct test_cert_opts){.cn = "gw", .san = "DNS:gw.example,URI:spiffe://td/gw"});
    p->server_expired = test_cert_new(
        p->ca, (struct test_cert_opts){.cn = "gw", .san = "DNS:gw.example", .is_expired = true});
    p->server_ip = test_cert_new(p->ca, (struct test_cert_opts){.cn = "ip", .san = "IP:127.0.0.1"});
    p->client = test_cert_new(
        p->ca, (struct test_cert_opts){.cn = "agent", .san = "URI:spiffe://td/agent/a/1"});
    p->client_other = test_cert_new(
        p->other_ca, (struct test_cert_opts){.cn = "agent", .san = "URI:spiffe://td/agent/a/1"});
    p->client_expired =
        test_cert_new(p->ca, (struct test_cert_opts){.cn = "agent", .is_expired = true});
    p->client_many = test_cert_new(
        p->ca, (struct test_cert_opts){.cn = "agent",
                                       .san = "URI:a:1,URI:a:2,URI:a:3,URI:a:4,URI:a:5,URI:a:6,"
                                              "URI:a:7,URI:a:8,URI:a:9"});
    *state = p;
    return 0;
}

static int free_pki(void **state)
{
    struct pki *p = *state;
    struct test_cert *all[] = {p->ca,         p->other_ca, p->server,       p->server_expired,
                               p->server_ip,  p->client,   p->client_other, p->client_expired,
                               p->client_many};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        test_cert_free(all[i]);
    free(p);
    return 0;
}

/* ---- both ends ---- */

struct end {
    struct loop *loop;
    bool is_server, opened, closed, has_err, has_cert;
    unsigned char sha256[32];
    char uri[64], cn[32], alpn[16], version[16];
    struct buf got;
    size_t want;
    struct err err;
};

static void on_open(struct conn *c)
{
    struct end *e = conn_owner(c);
    const struct tls_peer *p = conn_tls_peer(c);
    e->opened = true;
    assert_non_null(p);
    e->has_cert = p->has_cert;
    memcpy(e->sha256, p->sha256, sizeof e->sha256);
    if (p->n_uri_sans)
        snprintf(e->uri, sizeof e->uri, "%.*s", STR(p->uri_sans[0]));
    snprintf(e->cn, sizeof e->cn, "%.*s", STR(p->subject_cn));
    snprintf(e->alpn, sizeof e->alpn, "%.*s", STR(p->alpn));
    snprintf(e->version, sizeof e->version, "%.*s", STR(p->version));
}

static void on_data(struct conn *c)
{
    struct end *e = conn_owner(c);
    str in = conn_in(c);
    if (e->is_server)
        conn_write(c, in);
    else
        buf_put(&e->got, in);
    conn_consume(c, in.n);
    if (e->want && buf_len(&e->got) >= e->want)
        conn_finish(c);
}

static void on_close(struct conn *c, const struct err *err)
{
    struct end *e = conn_owner(c);
    e->closed = true;
    if (err) {
        e->has_err = true;
        e->err = *err;
    }
}

static const struct conn_ops OPS = {.on_open = on_open, .on_data = on_data, .on_close = on_close};

static void on_accept(void *owner, struct conn *c)
{
    conn_set_owner(c, &OPS, owner);
}

struct deal {
    struct tls_server_opts server;
    struct tls_client_opts client;
    str name, uri;
    size_t bytes;
};

/* Sends d->bytes there and back, or fails; what both ends saw. */
static void exchange(const struct deal *d, struct end *client, struct end *server)
{
    struct loop *l;
    struct err err;
    struct tls *st, *ct = NULL;
    assert_true(loop_new(&l, &err));
    if (!tls_server_new(&d->server, &st, &err) || !tls_client_new(&d->client, &ct, &err))
        fail_msg("%s", err.text);
    *server = (struct end){.is_server = true};
    *client = (struct end){.want = d->bytes, .got = {.max = 32 << 20}};
    struct listener *li;
    struct addr at = test_loopback(0);
    struct listen_opts lo = {.on_conn = on_accept, .owner = server, .tls = st};
    assert_true(listener_new(l, &at, &lo, &li, &err));
    at = listener_addr(li);
    struct conn_opts co = {.tls = ct, .tls_name = d->name, .tls_uri = d->uri, .connect_ms = 9000};
    struct conn *c;
    assert_true(conn_connect(l, &at, &co, &OPS, client, &c, &err));
    tls_unref(st);
    tls_unref(ct);
    char *bytes = calloc(1, d->bytes + 1);
    for (size_t i = 0; i < d->bytes; i++)
        bytes[i] = (char)(i * 7 >> 2);
    conn_write(c, str_of(bytes, d->bytes));
    assert_true(test_run_until(l, &client->closed));
    assert_true(test_run_until(l, &server->closed));
    if (!client->has_err) {
        assert_int_equal(buf_len(&client->got), d->bytes);
        assert_memory_equal(buf_str(&client->got).p, bytes, d->bytes);
    }
    free(bytes);
    buf_fini(&client->got);
    listener_close(li);
    loop_free(l);
}

static struct deal plain_deal(struct pki *p)
{
    return (struct deal){.server = {.cert_pem = p->server->cert_pem, .key_pem = p->server->key_pem},
                         .client = {.ca_pem = p->ca->cert_pem},
                         .name = S("gw.example"),
                         .bytes = 100};
}

static void with_client(struct deal *d, struct pki *p, struct test_cert *cert)
{
    d->server.client_ca_pem = p->ca->cert_pem;
    if (cert) {
        d->client.cert_pem = cert->cert_pem;
        d->client.key_pem = cert->key_pem;
    }
}

/* ---- what works ---- */

static void assert_fine(const struct end *c, const struct end *s)
{
    if (c->has_err || s->has_err)
        fail_msg("client: %s; server: %s", c->has_err ? c->err.text : "fine",
                 s->has_err ? s->err.text : "fine");
}

static void test_echo(void **state)
{
    struct end c, s;
    struct deal d = plain_deal(the_pki(state));
    exchange(&d, &c, &s);
    assert_fine(&c, &s);
    assert_string_equal(c.version, "TLSv1.3");
    assert_string_equal(c.alpn, "http/1.1");
    assert_string_equal(s.alpn, "http/1.1");
    assert_string_equal(c.uri, "spiffe://td/gw");
    assert_true(c.has_cert);
    assert_false(s.has_cert);
    d.bytes = 3 << 20;
    exchange(&d, &c, &s);
    assert_fine(&c, &s);
    d = plain_deal(the_pki(state));
    d.name = S("");
    d.uri = S("spiffe://td/gw");
    exchange(&d, &c, &s);
    assert_false(c.has_err);
    d.server.cert_pem = the_pki(state)->server_ip->cert_pem;
    d.server.key_pem = the_pki(state)->server_ip->key_pem;
    d.uri = S("");
    d.name = S("127.0.0.1");
    exchange(&d, &c, &s);
    assert_false(c.has_err);
    d = plain_deal(the_pki(state));
    d.server.alpn = S("h2,http/1.1");
    d.client.alpn = S("http/1.1,h2");
    exchange(&d, &c, &s);
    assert_string_equal(c.alpn, "h2"); /* the server's preference counts */
}

static void test_client_certificate(void **state)
{
    struct pki *p = the_pki(state);
    struct end c, s;
    struct deal d = plain_deal(p);
    with_client(&d, p, p->client);
    exchange(&d, &c, &s);
    assert_fine(&c, &s);
    assert_true(s.has_cert);
    assert_string_equal(s.uri, "spiffe://td/agent/a/1");
    assert_string_equal(s.cn, "agent");
    unsigned char want[32];
    unsigned n = 0;
    X509_digest(p->client->x509, EVP_sha256(), want, &n);
    assert_memory_equal(s.sha256, want, 32);
    d = plain_deal(p);
    with_client(&d, p, NULL);
    d.server.client_cert_optional = true;
    exchange(&d, &c, &s);
    assert_fine(&c, &s);
    assert_false(s.has_cert);
}

/* ---- what must not ---- */

static void refuse(const struct deal *d, bool by_client, const char *wants)
{
    struct end c, s;
    exchange(d, &c, &s);
    struct end *who = by_client ? &c : &s;
    if (!who->has_err || !strstr(who->err.text, wants))
        fail_msg("want \"%s\", got \"%s\"", wants, who->has_err ? who->err.text : "success");
    assert_false(who->opened);
    assert_int_equal(who->err.kind, ERR_PEER);
    assert_true(c.has_err && s.has_err);
}

static void test_refusals(void **state)
{
    struct pki *p = the_pki(state);
    struct deal d = plain_deal(p);
    d.client.ca_pem = p->other_ca->cert_pem;
    refuse(&d, true, "unable to get local issuer");
    d = plain_deal(p);
    d.name = S("evil.example");
    refuse(&d, true, "hostname mismatch");
    d.name = S("127.0.0.1");
    refuse(&d, true, "IP address mismatch");
    d = plain_deal(p);
    d.name = S("");
    d.uri = S("spiffe://td/g");
    refuse(&d, true, "is not for spiffe://td/g");
    d = plain_deal(p);
    d.server.cert_pem = p->server_expired->cert_pem;
    d.server.key_pem = p->server_expired->key_pem;
    refuse(&d, true, "certificate has expired");
    d = plain_deal(p);
    d.server.alpn = S("h2");
    refuse(&d, false, "no application protocol");
    d = plain_deal(p);
    /* a self-signed leaf that calls itself by the right name */
    d.server.cert_pem = p->other_ca->cert_pem;
    d.server.key_pem = p->other_ca->key_pem;
    refuse(&d, true, "refused");
}

/* A TLS 1.3 client is done before the server has judged its certificate: it learns of the refusal
 * later. */
static void refuse_client(const struct deal *d, const char *wants)
{
    struct end c, s;
    exchange(d, &c, &s);
    if (!s.has_err || !strstr(s.err.text, wants))
        fail_msg("want \"%s\", got \"%s\"", wants, s.has_err ? s.err.text : "success");
    assert_false(s.opened);
    assert_true(c.has_err);
}

static void test_client_refusals(void **state)
{
    struct pki *p = the_pki(state);
    struct deal d = plain_deal(p);
    with_client(&d, p, NULL);
    refuse_client(&d, "peer did not return a certificate");
    with_client(&d, p, p->client_other);
    refuse_client(&d, "refused");
    with_client(&d, p, p->client_expired);
    refuse_client(&d, "certificate has expired");
    with_client(&d, p, p->client_many);
    refuse_client(&d, "more than 8 URIs");
    d.server.client_cert_optional = true; /* optional does not mean any */
    with_client(&d, p, p->client_other);
    refuse_client(&d, "refused");
}

static void test_bad_material(void **state)
{
    struct pki *p = the_pki(state);
    struct tls *t;
    struct err err;
    struct tls_server_opts s = {.cert_pem = p->server->cert_pem, .key_pem = p->client->key_pem};
    assert_false(tls_server_new(&s, &t, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    s.key_pem = S("rubbish");
    assert_false(tls_server_new(&s, &t, &err));
    s.key_pem = p->server->key_pem;
    s.client_ca_pem = S("rubbish");
    assert_false(tls_server_new(&s, &t, &err));
    s.client_ca_pem = S("");
    s.cert_pem = S("");
    assert_false(tls_server_new(&s, &t, &err));
    struct tls_client_opts c = {0};
    assert_false(tls_client_new(&c, &t, &err)); /* no anchors, no trust */
    c.ca_pem = p->ca->cert_pem;
    c.cert_pem = p->client->cert_pem;
    assert_false(tls_client_new(&c, &t, &err));
    c.cert_pem = S("");
    assert_true(tls_client_new(&c, &t, &err));
    struct tls_session *session;
    assert_false(tls_session_new(t, S(""), S(""), &session, &err)); /* whom do we expect? */
    tls_unref(t);
}

/* ---- a peer that speaks no TLS, or too slowly, or breaks off ---- */

static void raw_peer(void **state, int64_t wait_ms, str bytes, bool hangs_up, const char *wants)
{
    struct pki *p = the_pki(state);
    struct loop *l;
    struct tls *t;
    struct err err;
    int pair[2];
    struct end e = {.is_server = true};
    struct conn *c;
    struct tls_server_opts o = {.cert_pem = p->server->cert_pem, .key_pem = p->server->key_pem};
    assert_true(loop_new(&l, &err));
    assert_true(tls_server_new(&o, &t, &err));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    assert_true(
        conn_adopt(l, pair[0], t, &(struct conn_opts){.connect_ms = wait_ms}, &OPS, &e, &c, &err));
    tls_unref(t);
    assert_int_equal(write(pair[1], bytes.p, bytes.n), bytes.n);
    if (hangs_up)
        close(pair[1]);
    assert_true(test_run_until(l, &e.closed));
    if (!e.has_err || !strstr(e.err.text, wants))
        fail_msg("want \"%s\", got \"%s\"", wants, e.has_err ? e.err.text : "success");
    assert_false(e.opened);
    if (!hangs_up)
        close(pair[1]);
    loop_free(l);
}

static void test_raw_peers(void **state)
{
    raw_peer(state, 9000, S("GET / HTTP/1.1\r\n\r\n"), false, "http request");
    raw_peer(state, 100, S("\x16\x03\x01"), false, "no TLS handshake within 100 ms");
    raw_peer(state, 9000, S("\x16\x03\x01"), true, "went away during the TLS handshake");
    raw_peer(state, 9000, S("\xff\xff\xff\xff\xff\xff\xff\xff\xff"), false, "TLS handshake failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),         cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_refusals),     cmocka_unit_test(test_client_refusals),
        cmocka_unit_test(test_bad_material), cmocka_unit_test(test_raw_peers),
    };
    return cmocka_run_group_tests(tests, make_pki, free_pki);
}

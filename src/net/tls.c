#include "net/tls_int.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

/* ---- errors ---- */

static const char *reason(void)
{
    unsigned long e = ERR_peek_last_error();
    const char *r = e ? ERR_reason_error_string(e) : NULL;
    return r ? r : "no reason given";
}

/* ---- a BIO over the two buffers of a session ---- */

static int on_bio_read(BIO *b, char *p, int n)
{
    struct tls_session *s = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    str in = buf_str(&s->in);
    if (in.n == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    str part = str_take(in, (size_t)n);
    memcpy(p, part.p, part.n);
    buf_consume(&s->in, part.n);
    return (int)part.n;
}

static int on_bio_write(BIO *b, const char *p, int n)
{
    struct tls_session *s = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    buf_put(&s->out, str_of(p, (size_t)n));
    return s->out.over ? -1 : n;
}

static long on_bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    (void)b, (void)num, (void)ptr;
    return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "session buffers");
    if (!m || !BIO_meth_set_read(m, on_bio_read) || !BIO_meth_set_write(m, on_bio_write) ||
        !BIO_meth_set_ctrl(m, on_bio_ctrl))
        abort();
    return m;
}

/* ---- contexts ---- */

/* A key that wants a passphrase is an error, never a question on the terminal. */
static int no_passphrase(char *p, int size, int rwflag, void *arg)
{
    (void)p, (void)size, (void)rwflag, (void)arg;
    return -1;
}

static BIO *pem_open(str pem)
{
    BIO *b = BIO_new_mem_buf(pem.n ? pem.p : "", (int)pem.n);
    if (!b)
        abort();
    return b;
}

static bool use_certificate(SSL_CTX *ctx, str pem, struct err *err)
{
    BIO *b = pem_open(pem);
    X509 *x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL);
    bool ok = x && SSL_CTX_use_certificate(ctx, x) == 1;
    X509_free(x);
    while (ok && (x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL)) != NULL)
        if (SSL_CTX_add0_chain_cert(ctx, x) != 1) {
            X509_free(x);
            ok = false;
        }
    BIO_free(b);
    if (!ok)
        return err_input(err, "the TLS certificate cannot be used: %s", reason());
    return true;
}

static bool use_key(SSL_CTX *ctx, str pem, struct err *err)
{
    BIO *b = pem_open(pem);
    EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL);
    BIO_free(b);
    bool ok = k && SSL_CTX_use_PrivateKey(ctx, k) == 1;
    EVP_PKEY_free(k);
    if (!ok)
        return err_input(err, "the TLS key cannot be used: %s", reason());
    if (SSL_CTX_check_private_key(ctx) != 1)
        return err_input(err, "the TLS key does not belong to the certificate");
    return true;
}

/* Trust anchors; names (may be NULL) also collects their subjects. */
static bool add_anchors(SSL_CTX *ctx, str pem, STACK_OF(X509_NAME) * names, struct err *err)
{
    BIO *b = pem_open(pem);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    size_t n = 0;
    bool ok = true;
    for (X509 *x; ok && (x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL)) != NULL; n++) {
        ok = X509_STORE_add_cert(store, x) == 1;
        if (ok && names) {
            X509_NAME *copy = X509_NAME_dup(X509_get_subject_name(x));
            if (!copy || !sk_X509_NAME_push(names, copy))
                abort();
        }
        X509_free(x);
    }
    BIO_free(b);
    if (!ok || n == 0)
        return err_input(err, "no CA certificate can be read: %s", reason());
    return true;
}

static bool set_alpn(struct tls *t, str list, struct err *err)
{
    if (list.n == 0)
        list = S("http/1.1");
    str name;
    while (list.n) {
        str_cut(list, ',', &name, &list);
        if (name.n == 0 || t->alpn_n + 1 + name.n > sizeof t->alpn)
            return err_input(err, "an ALPN list has names of 1 or more bytes and %zu bytes in all",
                             sizeof t->alpn);
        t->alpn[t->alpn_n++] = (unsigned char)name.n;
        memcpy(t->alpn + t->alpn_n, name.p, name.n);
        t->alpn_n += name.n;
    }
    return true;
}

/* A client that offers nothing we speak is refused (RFC 7301 section 3.2); one that offers none at
 * all is served. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *in, unsigned in_n, void *arg)
{
    struct tls *t = arg;
    (void)ssl;
    unsigned char *picked;
    if (SSL_select_next_proto(&picked, out_n, t->alpn, (unsigned)t->alpn_n, in, in_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = picked;
    return SSL_TLSEXT_ERR_OK;
}

static struct tls *tls_alloc(bool server)
{
    struct tls *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    t->refs = 1;
    t->server = server;
    t->bio = bio_method_new();
    t->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!t->ctx || !SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(t->ctx, "ECDHE+AESGCM:ECDHE+CHACHA20"))
        abort();
    SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_num_tickets(t->ctx, 0);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return t;
}

/* Judged by who reads it; nothing follows from its being there. */
static int take_any(int ok, X509_STORE_CTX *chain)
{
    (void)ok;
    X509_STORE_CTX_set_error(chain, X509_V_OK);
    return 1;
}

bool tls_server_new(const struct tls_server_opts *o, struct tls **out, struct err *err)
{
    ERR_clear_error();
    struct tls *t = tls_alloc(true);
    STACK_OF(X509_NAME) *names = NULL;
    if (!use_certificate(t->ctx, o->cert_pem, err) || !use_key(t->ctx, o->key_pem, err) ||
        !set_alpn(t, o->alpn, err))
        goto fail;
    SSL_CTX_set_alpn_select_cb(t->ctx, on_alpn, t);
    if (o->client_cert_any)
        SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, take_any);
    else if (o->client_ca_pem.n) {
        names = sk_X509_NAME_new_null();
        if (!names)
            abort();
        if (!add_anchors(t->ctx, o->client_ca_pem, names, err))
            goto fail;
        SSL_CTX_set_client_CA_list(t->ctx, names);
        SSL_CTX_set_verify(t->ctx,
                           SSL_VERIFY_PEER |
                               (o->client_cert_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT),
                           NULL);
    }
    *out = t;
    return true;
fail:
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    tls_unref(t);
    return false;
}

bool tls_client_new(const struct tls_client_opts *o, struct tls **out, struct err *err)
{
    ERR_clear_error();
    struct tls *t = tls_alloc(false);
    bool ok = add_anchors(t->ctx, o->ca_pem, NULL, err) && set_alpn(t, o->alpn, err);
    if (ok && (o->cert_pem.n || o->key_pem.n))
        ok = use_certificate(t->ctx, o->cert_pem, err) && use_key(t->ctx, o->key_pem, err);
    if (!ok) {
        tls_unref(t);
        return false;
    }
    if (SSL_CTX_set_alpn_protos(t->ctx, t->alpn, (unsigned)t->alpn_n) != 0)
        abort();
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    *out = t;
    return true;
}

struct tls *tls_ref(struct tls *t)
{
    t->refs++;
    return t;
}

void tls_unref(struct tls *t)
{
    if (!t || --t->refs)
        return;
    SSL_CTX_free(t->ctx);
    BIO_meth_free(t->bio);
    free(t);
}

#include "net/tls_int.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

/* One record decrypted at a time (RFC 8446 section 5.1). */
enum { RECORD_BYTES = 16 << 10, URI_BYTES_MAX = 2048, CHAIN_BYTES_MAX = 16 << 10 };

static bool set_name(SSL *ssl, str name, struct err *err)
{
    char z[256];
    if (name.n >= sizeof z || memchr(name.p, 0, name.n))
        return err_input(err, "\"%.*s\" is not a name for TLS", STR(str_take(name, 60)));
    memcpy(z, name.p, name.n);
    z[name.n] = 0;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, z) == 1)
        return true;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl, z) != 1 || SSL_set_tlsext_host_name(ssl, z) != 1)
        return err_input(err, "\"%s\" is not a name for TLS", z);
    return true;
}

bool tls_session_new(struct tls *t, str name, str uri, struct tls_session **out, struct err *err)
{
    if (!t->server && name.n == 0 && uri.n == 0)
        return err_input(err, "a TLS client must say whom it expects (tls_name or tls_uri)");
    struct tls_session *s = calloc(1, sizeof *s);
    SSL *ssl = SSL_new(t->ctx);
    BIO *bio = BIO_new(t->bio);
    if (!s || !ssl || !bio)
        abort();
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    s->ssl = ssl;
    s->tls = tls_ref(t);
    s->want_uri = str_dup(&s->mem, uri);
    if (t->server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    if (name.n && !set_name(ssl, name, err)) {
        tls_session_free(s);
        return false;
    }
    *out = s;
    return true;
}

void tls_session_free(struct tls_session *s)
{
    if (!s)
        return;
    SSL_free(s->ssl);
    tls_unref(s->tls);
    buf_fini(&s->in);
    buf_wipe(&s->out);
    arena_fini(&s->mem);
    free(s);
}

/* ---- the peer's certificate ---- */

static bool collect_uris(struct tls_session *s, X509 *x, struct err *err)
{
    bool ok = true;
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; ok && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type != GEN_URI)
            continue;
        const ASN1_IA5STRING *u = g->d.uniformResourceIdentifier;
        str uri = str_of((const char *)ASN1_STRING_get0_data(u), (size_t)ASN1_STRING_length(u));
        if (uri.n > URI_BYTES_MAX || !str_is_visible_ascii(uri))
            ok = err_peer(err, "the peer's certificate holds a URI that is none");
        else if (s->peer.n_uri_sans == TLS_URI_SANS_MAX)
            ok = err_limit(err, "the peer's certificate holds more than %d URIs", TLS_URI_SANS_MAX);
        else
            s->peer.uri_sans[s->peer.n_uri_sans++] = str_dup(&s->mem, uri);
    }
    GENERAL_NAMES_free(names);
    return ok;
}

/* Of a server's peer the list of what was sent does not hold the leaf. */
static bool collect_chain(struct tls_session *s, struct err *err)
{
    STACK_OF(X509) *sent = SSL_get_peer_cert_chain(s->ssl);
    struct buf all = {.max = CHAIN_BYTES_MAX};
    buf_put(&all, s->peer.leaf_der);
    for (int i = s->tls->server ? 0 : 1; i < sk_X509_num(sent); i++) {
        unsigned char *der = NULL;
        int n = i2d_X509(sk_X509_value(sent, i), &der);
        if (n <= 0)
            abort();
        buf_put(&all, str_of((const char *)der, (size_t)n));
        OPENSSL_free(der);
    }
    s->peer.chain_der = str_dup(&s->mem, buf_str(&all));
    bool ok = !all.over;
    buf_fini(&all);
    return ok || err_limit(err, "the peer's certificates are over %d bytes", CHAIN_BYTES_MAX);
}

static bool collect_peer(struct tls_session *s, struct err *err)
{
    struct tls_peer *p = &s->peer;
    p->version = str_z(SSL_get_version(s->ssl));
    const unsigned char *alpn;
    unsigned alpn_n;
    SSL_get0_alpn_selected(s->ssl, &alpn, &alpn_n);
    p->alpn = str_of((const char *)alpn, alpn_n);
    X509 *x = SSL_get0_peer_certificate(s->ssl);
    if (!x)
        return true;
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    if (n <= 0 || EVP_Digest(der, (size_t)n, p->sha256, NULL, EVP_sha256(), NULL) != 1)
        abort();
    p->leaf_der = str_dup(&s->mem, str_of((const char *)der, (size_t)n));
    OPENSSL_free(der);
    if (!collect_chain(s, err))
        return false;
    X509_NAME *subject = X509_get_subject_name(x);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0) {
        unsigned char *cn = NULL;
        int cn_n =
            ASN1_STRING_to_UTF8(&cn, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        if (cn_n > 0)
            p->subject_cn = str_dup(&s->mem, str_of((const char *)cn, (size_t)cn_n));
        OPENSSL_free(cn);
    }
    p->has_cert = true;
    return collect_uris(s, x, err);
}

static bool check_uri(const struct tls_session *s, struct err *err)
{
    if (s->want_uri.n == 0)
        return true;
    for (size_t i = 0; i < s->peer.n_uri_sans; i++)
        if (str_eq(s->peer.uri_sans[i], s->want_uri))
            return true;
    return err_peer(err, "the peer's certificate is not for %.*s", STR(str_take(s->want_uri, 200)));
}

/* ---- bytes ---- */

static bool raise(struct tls_session *s, const char *doing, struct err *err)
{
    long v = SSL_get_verify_result(s->ssl);
    if (v != X509_V_OK)
        return err_peer(err, "the peer's certificate was refused: %s",
                        X509_verify_cert_error_string(v));
    unsigned long e = ERR_peek_error();
    const char *r = e ? ERR_reason_error_string(e) : NULL;
    return err_peer(err, "%s failed: %s", doing, r ? r : "the peer broke off");
}

enum io tls_session_handshake(struct tls_session *s, struct err *err)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(s->ssl);
    if (rc == 1)
        return collect_peer(s, err) && check_uri(s, err) ? IO_OK : IO_ERROR;
    if (SSL_get_error(s->ssl, rc) == SSL_ERROR_WANT_READ)
        return IO_AGAIN;
    (void)raise(s, "the TLS handshake", err);
    return IO_ERROR;
}

enum io tls_session_read(struct tls_session *s, struct buf *plain, struct err *err)
{
    if (s->eof)
        return IO_EOF;
    for (;;) {
        char *p = buf_reserve(plain, RECORD_BYTES);
        if (!p) {
            (void)err_limit(err, "more than %zu bytes wait to be used", plain->max);
            return IO_ERROR;
        }
        size_t n = 0;
        ERR_clear_error();
        int rc = SSL_read_ex(s->ssl, p, RECORD_BYTES, &n);
        if (rc == 1) {
            buf_commit(plain, n);
            continue;
        }
        switch (SSL_get_error(s->ssl, rc)) {
        case SSL_ERROR_WANT_READ:
            return IO_AGAIN;
        case SSL_ERROR_ZERO_RETURN:
            s->eof = true;
            return IO_EOF;
        default:
            (void)raise(s, "TLS", err);
            return IO_ERROR;
        }
    }
}

bool tls_session_write(struct tls_session *s, str plain, struct err *err)
{
    while (plain.n) {
        size_t n = 0;
        ERR_clear_error();
        if (SSL_write_ex(s->ssl, plain.p, plain.n, &n) != 1)
            return raise(s, "TLS", err);
        plain = str_skip(plain, n);
    }
    return true;
}

void tls_session_shutdown(struct tls_session *s)
{
    ERR_clear_error();
    (void)SSL_shutdown(s->ssl);
    ERR_clear_error();
}

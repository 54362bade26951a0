#include "identity/x509_svid.h"
#include "base/hex.h"
#include "identity/cert.h"

#include <openssl/err.h>

/* ---- the leaf ---- */

static bool is_critical(const X509 *x, int nid)
{
    int at = X509_get_ext_by_NID(x, nid, -1);
    return at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x, at));
}

static bool check_usage(X509 *x, struct err *err)
{
    uint32_t flags = X509_get_extension_flags(x);
    uint32_t usage = X509_get_key_usage(x), extended = X509_get_extended_key_usage(x);
    if (flags & EXFLAG_CA)
        return err_denied(err, "X509-SVID: a CA certificate does not say who a peer is");
    if (flags & EXFLAG_PROXY)
        return err_denied(err, "X509-SVID: a proxy certificate");
    if (usage == UINT32_MAX || !is_critical(x, NID_key_usage))
        return err_denied(err, "X509-SVID: no critical key usage");
    if (!(usage & KU_DIGITAL_SIGNATURE) || (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)))
        return err_denied(err, "X509-SVID: its key usage is not that of a leaf");
    if (extended != UINT32_MAX &&
        (extended & (XKU_SSL_SERVER | XKU_SSL_CLIENT)) != (XKU_SSL_SERVER | XKU_SSL_CLIENT))
        return err_denied(err, "X509-SVID: its extended key usage lacks serverAuth or clientAuth");
    return true;
}

static bool read_id(struct arena *a, const X509 *x, struct spiffe_id *out, struct err *err)
{
    GENERAL_NAMES *names;
    str uri;
    size_t n = cert_uris(x, &names, &uri);
    uri = str_dup(a, uri);
    GENERAL_NAMES_free(names);
    if (n != 1)
        return err_denied(err, "X509-SVID: %zu URIs instead of exactly one", n);
    if (!spiffe_id_parse_workload(uri, out, err))
        return err_in(err, "X509-SVID");
    if (X509_NAME_entry_count(X509_get_subject_name(x)) == 0 &&
        !is_critical(x, NID_subject_alt_name))
        return err_denied(err, "X509-SVID: neither a subject nor a critical URI");
    return true;
}

static str hex_of(struct arena *a, const unsigned char *p, size_t n)
{
    return hex_dup(a, str_of((const char *)p, n));
}

static str serial_of(struct arena *a, const X509 *x)
{
    const ASN1_INTEGER *v = X509_get0_serialNumber(x);
    str hex = hex_of(a, ASN1_STRING_get0_data(v), (size_t)ASN1_STRING_length(v));
    while (hex.n > 1 && hex.p[0] == '0')
        hex = str_skip(hex, 1);
    return hex;
}

static str key_of_ca(struct arena *a, X509 *x)
{
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(x);
    unsigned char sha[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (id)
        return hex_of(a, ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
    return X509_digest(x, EVP_sha256(), sha, &n) == 1 ? hex_of(a, sha, n) : (str){0};
}

static bool read_leaf(struct arena *a, X509 *x, str der, struct x509_svid *out, struct err *err)
{
    struct x509_svid svid = {.thumbprint = sha256(der)};
    if (!check_usage(x, err) || !read_id(a, x, &svid.id, err) ||
        !cert_times(x, &svid.not_before_s, &svid.not_after_s, err))
        return false;
    svid.serial = serial_of(a, x);
    svid.dead_s = svid.not_after_s; /* OpenSSL refuses at notAfter already */
    *out = svid;
    return true;
}

bool x509_svid_read(struct arena *a, str der, struct x509_svid *out, struct err *err)
{
    X509 *x;
    if (!cert_read(der, &x, err))
        return false;
    bool ok = read_leaf(a, x, der, out, err);
    X509_free(x);
    return ok;
}

/* ---- the path ---- */

struct chain {
    X509 *leaf;
    STACK_OF(X509) * above; /* owns */
};

static void chain_fini(struct chain *c)
{
    X509_free(c->leaf);
    sk_X509_pop_free(c->above, X509_free);
}

static bool chain_read(struct chain *c, const str *ders, size_t n, struct err *err)
{
    c->above = sk_X509_new_null();
    if (!c->above || !sk_X509_reserve(c->above, X509_CHAIN_MAX))
        return err_system(err, "no memory for a chain");
    if (!cert_read(ders[0], &c->leaf, err))
        return false;
    for (size_t i = 1; i < n; i++) {
        X509 *x;
        if (!cert_read(ders[i], &x, err))
            return false;
        sk_X509_push(c->above, x);
        if (!cert_check_ca(x, err))
            return false;
    }
    return true;
}

/* The path is only as good as its shortest-lived certificate. */
static bool cap_life(struct arena *a, X509_STORE_CTX *ctx, struct x509_svid *svid, struct err *err)
{
    STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(ctx);
    for (int i = 0; i < sk_X509_num(path); i++) {
        int64_t from_s, to_s;
        if (!cert_times(sk_X509_value(path, i), &from_s, &to_s, err))
            return false;
        if (to_s < svid->dead_s)
            svid->dead_s = to_s;
        if (i > 0 && svid->signers_n < X509_CHAIN_MAX)
            svid->signers[svid->signers_n++] = key_of_ca(a, sk_X509_value(path, i));
    }
    return true;
}

static bool verify_path(struct arena *a, const struct chain *c, const struct bundle *b,
                        int64_t now_s, struct x509_svid *svid, struct err *err)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool ok;
    if (!ctx || X509_STORE_CTX_init(ctx, bundle_store(b), c->leaf, c->above) != 1) {
        ok = err_system(err, "OpenSSL cannot check a chain");
    } else {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, now_s);
        X509_VERIFY_PARAM_set_depth(param, X509_CHAIN_MAX - 1);
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
        ok = X509_verify_cert(ctx) == 1
                 ? cap_life(a, ctx, svid, err)
                 : err_denied(err, "X509-SVID of trust domain %.*s: %s", STR(svid->id.trust_domain),
                              X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static bool verify(struct arena *a, const struct chain *c, str leaf_der,
                   const struct bundles *trusted, int64_t now_s, struct x509_svid *out,
                   struct err *err)
{
    struct x509_svid svid;
    if (!read_leaf(a, c->leaf, leaf_der, &svid, err))
        return false;
    const struct bundle *b = bundles_get(trusted, svid.id.trust_domain);
    if (!b)
        return err_notfound(err, "X509-SVID: no bundle of its trust domain %.*s",
                            STR(svid.id.trust_domain));
    if (!verify_path(a, c, b, now_s, &svid, err))
        return false;
    *out = svid;
    return true;
}

bool x509_svid_verify(struct arena *a, const str *chain, size_t n, const struct bundles *trusted,
                      int64_t now_s, struct x509_svid *out, struct err *err)
{
    struct chain c = {0};
    if (n == 0)
        return err_input(err, "X509-SVID: no certificate");
    if (n > X509_CHAIN_MAX)
        return err_limit(err, "X509-SVID: over %d certificates", X509_CHAIN_MAX);
    if (now_s <= 0)
        return err_input(err, "X509-SVID: no sensible time to judge it by");
    bool ok = chain_read(&c, chain, n, err) && verify(a, &c, chain[0], trusted, now_s, out, err);
    chain_fini(&c);
    return ok;
}

/* ---- concatenated DER ---- */

/* The length of the SEQUENCE (X.690 section 8.1) that s begins with, 0 if there is none. */
static size_t sequence_length(str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    if (s.n < 2 || p[0] != 0x30)
        return 0;
    if (p[1] < 0x80)
        return 2 + (size_t)p[1] <= s.n ? 2 + (size_t)p[1] : 0;
    size_t bytes = p[1] & 0x7f, n = 0;
    if (bytes < 1 || bytes > 3 || s.n < 2 + bytes)
        return 0;
    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | p[2 + i];
    return n <= s.n - 2 - bytes ? 2 + bytes + n : 0;
}

bool x509_split(str der, str *out, size_t max, size_t *n, struct err *err)
{
    size_t count = 0, length;
    for (str rest = der; rest.n || count == 0; rest = str_skip(rest, length), count++) {
        length = sequence_length(rest);
        if (length == 0)
            return err_input(err, "not certificates in DER one after another");
        if (count == max)
            return err_limit(err, "over %zu certificates", max);
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = str_take(der, sequence_length(der));
        der = str_skip(der, out[i].n);
    }
    *n = count;
    return true;
}

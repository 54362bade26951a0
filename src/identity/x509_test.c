#include "identity/forge_test.h"
#include "identity/x509_svid.h"

#include <openssl/ec.h>

/* The rows below say how they differ from what is good. */
#pragma GCC diagnostic ignored "-Woverride-init"

static const int64_t NOW = FORGE_NOW;

struct pki {
    struct arena a;
    struct key *root, *signer, *leaf;
    str root_der, signer_der, chain[2]; /* leaf, signer */
    struct spiffe_id id;
    struct bundles trusted; /* of td */
    X509 *root_x, *signer_x;
};

static struct key *new_key(void)
{
    struct err err = {0};
    struct key *k = NULL;
    OK(key_generate(KEY_ES256, &k, &err));
    return k;
}

static void trust(struct bundles *set, str trust_domain, str der)
{
    struct err err = {0};
    struct bundle *b = NULL;
    OK(bundle_new(trust_domain, &b, &err));
    OK(bundle_add_x509(b, der, &err));
    OK(bundles_put(set, b, NULL, &err));
}

static void pki_init(struct pki *p)
{
    struct err err = {0};
    *p = (struct pki){.root = new_key(), .signer = new_key(), .leaf = new_key()};
    OK(x509_make_root(&p->a, p->root, S("td"), (struct x509_span){NOW, X509_ROOT_LIFE_S},
                      &p->root_der, &err));
    const struct x509_authority root = {p->root, p->root_der};
    OK(x509_issue_signer(&p->a, &root, p->signer, (struct x509_span){NOW, X509_SIGNER_LIFE_S},
                         &p->signer_der, &err));
    const struct x509_authority signer = {p->signer, p->signer_der};
    OK(spiffe_agent_make(&p->a, S("td"), S("triage"), S("1"), &p->id, &err));
    OK(x509_issue_leaf(&p->a, &signer, p->leaf, &p->id, (str){0},
                       (struct x509_span){NOW, X509_LEAF_LIFE_S}, &p->chain[0], &err));
    p->chain[1] = p->signer_der;
    trust(&p->trusted, S("td"), p->root_der);
    p->root_x = forge_open(p->root_der);
    p->signer_x = forge_open(p->signer_der);
}

static void pki_fini(struct pki *p)
{
    key_free(p->root);
    key_free(p->signer);
    key_free(p->leaf);
    bundles_fini(&p->trusted);
    X509_free(p->root_x);
    X509_free(p->signer_x);
    arena_fini(&p->a);
}

/* ---- what we issue ---- */

static bool is_critical(X509 *x, int nid)
{
    return X509_EXTENSION_get_critical(X509_get_ext(x, X509_get_ext_by_NID(x, nid, -1)));
}

static void check_common(X509 *x, X509 *issuer)
{
    BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get_serialNumber(x), NULL);
    assert_int_equal(X509_get_version(x), 2);
    assert_false(BN_is_negative(serial));
    assert_in_range(BN_num_bits(serial), 121, 128);
    assert_int_equal(X509_get_signature_nid(x), NID_ecdsa_with_SHA256);
    assert_int_equal(X509_verify(x, X509_get0_pubkey(issuer)), 1);
    assert_int_equal(X509_check_issued(issuer, x), X509_V_OK);
    const ASN1_OCTET_STRING *aki = X509_get0_authority_key_id(x);
    assert_non_null(aki);
    assert_int_equal(ASN1_OCTET_STRING_cmp(aki, X509_get0_subject_key_id(issuer)), 0);
    assert_true(is_critical(x, NID_basic_constraints) && is_critical(x, NID_key_usage));
    BN_free(serial);
}

static void test_issued(void **state)
{
    struct pki p;
    struct err err = {0};
    pki_init(&p);
    X509 *leaf = forge_open(p.chain[0]);
    check_common(p.root_x, p.root_x);
    check_common(p.signer_x, p.root_x);
    check_common(leaf, p.signer_x);
    assert_int_equal(X509_get_key_usage(p.root_x), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
    assert_int_equal(X509_get_key_usage(leaf), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER | XKU_SSL_CLIENT);
    assert_int_equal(X509_check_ca(p.root_x), 1);
    assert_int_equal(X509_check_ca(p.signer_x), 1);
    assert_int_equal(X509_check_ca(leaf), 0);
    assert_int_equal(X509_get_pathlen(p.root_x), 1);
    assert_int_equal(X509_get_pathlen(p.signer_x), 0);
    assert_int_not_equal(
        X509_NAME_cmp(X509_get_subject_name(p.root_x), X509_get_subject_name(p.signer_x)), 0);
    assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(leaf)), 0);
    assert_true(is_critical(leaf, NID_subject_alt_name));
    assert_false(is_critical(p.root_x, NID_subject_alt_name));
    struct x509_svid svid;
    OK(x509_svid_read(&p.a, p.chain[0], &svid, &err));
    assert_int_equal(svid.not_before_s, NOW - X509_CUSHION_S);
    assert_int_equal(svid.not_after_s, NOW + X509_LEAF_LIFE_S);
    /* With a subject the URI need not be critical. */
    const struct x509_authority signer = {p.signer, p.signer_der};
    str der;
    OK(x509_issue_leaf(&p.a, &signer, p.leaf, &p.id, S("triage"), (struct x509_span){NOW, 60}, &der,
                       &err));
    X509_free(leaf);
    leaf = forge_open(der);
    assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(leaf)), 1);
    assert_false(is_critical(leaf, NID_subject_alt_name));
    X509_free(leaf);
    pki_fini(&p);
}

static void test_issue_refused(void **state)
{
    struct pki p;
    struct err err = {0};
    pki_init(&p);
    const struct x509_authority root = {p.root, p.root_der}, signer = {p.signer, p.signer_der},
                                mixed = {p.root, p.signer_der}, as_ca = {p.leaf, p.chain[0]};
    const struct x509_span hour = {NOW, 3600};
    struct spiffe_id foreign, domain;
    struct key *ed = NULL, *pub = NULL;
    uint8_t raw[KEY_RAW_MAX];
    str der = {0};
    OK(spiffe_id_parse(S("spiffe://other/x"), &foreign, &err));
    OK(spiffe_id_parse(S("spiffe://td"), &domain, &err));
    OK(key_generate(KEY_ED25519, &ed, &err));
    size_t n = key_to_raw(p.signer, raw);
    OK(key_from_raw(KEY_ES256, str_of((char *)raw, n), &pub, &err));
    const struct x509_authority no_key = {pub, p.signer_der};
    NO(ERR_DENIED, x509_issue_leaf(&p.a, &signer, p.leaf, &foreign, (str){0}, hour, &der, &err));
    NO(ERR_INPUT, x509_issue_leaf(&p.a, &signer, p.leaf, &domain, (str){0}, hour, &der, &err));
    NO(ERR_INPUT, x509_issue_leaf(&p.a, &mixed, p.leaf, &p.id, (str){0}, hour, &der, &err));
    NO(ERR_DENIED, x509_issue_leaf(&p.a, &as_ca, p.leaf, &p.id, (str){0}, hour, &der, &err));
    NO(ERR_INPUT, x509_issue_leaf(&p.a, &no_key, p.leaf, &p.id, (str){0}, hour, &der, &err));
    NO(ERR_INPUT, x509_issue_leaf(&p.a, &signer, ed, &p.id, (str){0}, hour, &der, &err));
    NO(ERR_INPUT, x509_issue_leaf(&p.a, &signer, p.leaf, &p.id, S("a\nb"), hour, &der, &err));
    NO(ERR_DENIED, x509_issue_signer(&p.a, &signer, p.leaf, hour, &der, &err));
    NO(ERR_INPUT, x509_make_root(&p.a, p.root, S("TD"), hour, &der, &err));
    NO(ERR_INPUT, x509_make_root(&p.a, pub, S("td"), hour, &der, &err));
    NO(ERR_INPUT, x509_make_root(&p.a, ed, S("td"), hour, &der, &err));
    const struct x509_span bad[] = {
        {0, 3600},     {-5, 3600}, {NOW, 0}, {NOW, -1}, {NOW, X509_ROOT_LIFE_S_MAX + 1},
        {INT64_MAX, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        NO(ERR_INPUT, x509_issue_leaf(&p.a, &signer, p.leaf, &p.id, (str){0}, bad[i], &der, &err));
    const struct x509_span late = {NOW + X509_SIGNER_LIFE_S, 3600},
                           last = {NOW + X509_SIGNER_LIFE_S - 60, 3600};
    NO(ERR_DENIED, x509_issue_leaf(&p.a, &signer, p.leaf, &p.id, (str){0}, late, &der, &err));
    assert_null(der.p);
    /* A leaf does not outlive its signer. */
    struct x509_svid svid;
    OK(x509_issue_leaf(&p.a, &signer, p.leaf, &p.id, (str){0}, last, &der, &err));
    OK(x509_svid_read(&p.a, der, &svid, &err));
    assert_int_equal(svid.not_after_s, NOW + X509_SIGNER_LIFE_S);
    OK(x509_issue_leaf(&p.a, &root, p.leaf, &p.id, (str){0}, hour, &der, &err));
    OK(x509_svid_verify(&p.a, &der, 1, &p.trusted, NOW, &svid, &err));
    key_free(ed);
    key_free(pub);
    pki_fini(&p);
}

/* ---- what we accept ---- */

static void test_accepted(void **state)
{
    struct pki p;
    struct err err = {0};
    pki_init(&p);
    struct x509_svid svid;
    OK(x509_svid_verify(&p.a, p.chain, 2, &p.trusted, NOW, &svid, &err));
    assert_true(str_eq(svid.id.text, S("spiffe://td/agent/triage/1")));
    struct hash h = sha256(p.chain[0]);
    assert_true(hash_eq(&svid.thumbprint, &h));
    assert_int_equal(svid.dead_s, NOW + X509_LEAF_LIFE_S);
    OK(x509_svid_verify(&p.a, p.chain, 2, &p.trusted, svid.not_before_s, &svid, &err));
    OK(x509_svid_verify(&p.a, p.chain, 2, &p.trusted, svid.dead_s - 1, &svid, &err));
    int64_t bad[] = {svid.not_before_s - 1, svid.dead_s, NOW + X509_SIGNER_LIFE_S, 1};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        NO(ERR_DENIED, x509_svid_verify(&p.a, p.chain, 2, &p.trusted, bad[i], &svid, &err));
    NO(ERR_INPUT, x509_svid_verify(&p.a, p.chain, 2, &p.trusted, 0, &svid, &err));
    /* The root may be sent along; order above the leaf does not matter. */
    const str three[] = {p.chain[0], p.root_der, p.signer_der};
    OK(x509_svid_verify(&p.a, three, 3, &p.trusted, NOW, &svid, &err));
    /* A bundle may hold a CA that is not self-signed. */
    struct bundles partial = {0};
    trust(&partial, S("td"), p.signer_der);
    OK(x509_svid_verify(&p.a, p.chain, 1, &partial, NOW, &svid, &err));
    bundles_fini(&partial);
    pki_fini(&p);
}

static void test_chains_refused(void **state)
{
    struct pki p, q;
    struct err err = {0};
    struct x509_svid svid = {0};
    pki_init(&p);
    pki_init(&q); /* the same names, other keys */
    const struct bundles none = {0};
    NO(ERR_NOTFOUND, x509_svid_verify(&p.a, p.chain, 2, &none, NOW, &svid, &err));
    NO(ERR_DENIED, x509_svid_verify(&p.a, p.chain, 2, &q.trusted, NOW, &svid, &err));
    NO(ERR_DENIED, x509_svid_verify(&p.a, p.chain, 1, &p.trusted, NOW, &svid, &err));
    NO(ERR_INPUT, x509_svid_verify(&p.a, p.chain, 0, &p.trusted, NOW, &svid, &err));
    const str five[] = {p.chain[0], p.signer_der, p.root_der, p.root_der, p.root_der};
    NO(ERR_LIMIT, x509_svid_verify(&p.a, five, 5, &p.trusted, NOW, &svid, &err));
    OK(x509_svid_verify(&p.a, five, 4, &p.trusted, NOW, &svid, &err));
    const str swapped[] = {p.signer_der, p.chain[0]}, ca[] = {p.signer_der, p.root_der},
              twice[] = {p.chain[0], p.chain[0]}, mixed[] = {p.chain[0], q.signer_der};
    NO(ERR_DENIED, x509_svid_verify(&p.a, swapped, 2, &p.trusted, NOW, &svid, &err));
    NO(ERR_DENIED, x509_svid_verify(&p.a, ca, 2, &p.trusted, NOW, &svid, &err));
    NO(ERR_DENIED, x509_svid_verify(&p.a, &p.root_der, 1, &p.trusted, NOW, &svid, &err));
    NO(ERR_DENIED, x509_svid_verify(&p.a, twice, 2, &p.trusted, NOW, &svid, &err));
    NO(ERR_DENIED, x509_svid_verify(&p.a, mixed, 2, &p.trusted, NOW, &svid, &err));
    /* A CA that is trusted for one domain signs for another: the bundle follows the leaf's ID. */
    struct bundles both = {0};
    trust(&both, S("td"), p.root_der);
    trust(&both, S("other"), q.root_der);
    const struct forge f = {.name = "cross", GOOD_LEAF};
    str cross[] = {forge(&p.a, &f, key_evp(q.leaf), q.signer_x, key_evp(q.signer)), q.signer_der};
    NO(ERR_DENIED, x509_svid_verify(&p.a, cross, 2, &both, NOW, &svid, &err));
    /* A revoked domain: an empty bundle. */
    struct bundle *empty = NULL;
    OK(bundle_new(S("td"), &empty, &err));
    OK(bundles_put(&both, empty, NULL, &err));
    NO(ERR_DENIED, x509_svid_verify(&p.a, p.chain, 2, &both, NOW, &svid, &err));
    bundles_fini(&both);
    pki_fini(&p);
    pki_fini(&q);
}

/* Leaves under a signer that is good; only the first rows may pass. */
static const struct {
    struct forge f;
    enum err_kind kind;
} leaf_rows[] = {
    {{.name = "plain", GOOD_LEAF}, ERR_NONE},
    {{.name = "a DNS name too", GOOD_LEAF, .subject = true, .san = "DNS:a.b,URI:spiffe://td/x"},
     ERR_NONE},
    {{.name = "no extended usage", GOOD_LEAF, .extended = NULL}, ERR_NONE},
    {{.name = "no constraints", GOOD_LEAF, .constraints = NULL}, ERR_NONE},
    {{.name = "encipherment", GOOD_LEAF, .usage = "critical,digitalSignature,keyEncipherment"},
     ERR_NONE},
    {{.name = "two URIs", GOOD_LEAF, .san = "critical,URI:spiffe://td/x,URI:spiffe://td/y"},
     ERR_DENIED},
    {{.name = "two URIs, one of them not SPIFFE",
      GOOD_LEAF,
      .san = "critical,URI:https://td/x,URI:spiffe://td/y"},
     ERR_DENIED},
    {{.name = "names twice", GOOD_LEAF, .san_twice = true}, ERR_INPUT},
    {{.name = "no URI", GOOD_LEAF, .san = "critical,DNS:td"}, ERR_DENIED},
    {{.name = "no names", GOOD_LEAF, .san = NULL, .subject = true}, ERR_DENIED},
    {{.name = "another scheme", GOOD_LEAF, .san = "critical,URI:https://td/x"}, ERR_INPUT},
    {{.name = "no path", GOOD_LEAF, .san = "critical,URI:spiffe://td"}, ERR_INPUT},
    {{.name = "root path", GOOD_LEAF, .san = "critical,URI:spiffe://td/"}, ERR_INPUT},
    {{.name = "dots", GOOD_LEAF, .san = "critical,URI:spiffe://td/../x"}, ERR_INPUT},
    {{.name = "a port", GOOD_LEAF, .san = "critical,URI:spiffe://td:1/x"}, ERR_INPUT},
    {{.name = "upper case", GOOD_LEAF, .san = "critical,URI:spiffe://TD/x"}, ERR_INPUT},
    {{.name = "percent", GOOD_LEAF, .san = "critical,URI:spiffe://td/%78"}, ERR_INPUT},
    {{.name = "unknown trust domain", GOOD_LEAF, .san = "critical,URI:spiffe://other/x"},
     ERR_NOTFOUND},
    {{.name = "no subject and no critical URI", GOOD_LEAF, .san = "URI:spiffe://td/x"}, ERR_DENIED},
    {{.name = "a CA", GOOD_LEAF, .constraints = "critical,CA:TRUE"}, ERR_DENIED},
    {{.name = "may sign certificates", GOOD_LEAF, .usage = "critical,digitalSignature,keyCertSign"},
     ERR_DENIED},
    {{.name = "may sign lists", GOOD_LEAF, .usage = "critical,digitalSignature,cRLSign"},
     ERR_DENIED},
    {{.name = "may not sign", GOOD_LEAF, .usage = "critical,keyAgreement"}, ERR_DENIED},
    {{.name = "usage not critical", GOOD_LEAF, .usage = "digitalSignature"}, ERR_DENIED},
    {{.name = "no usage", GOOD_LEAF, .usage = NULL}, ERR_DENIED},
    {{.name = "server only", GOOD_LEAF, .extended = "serverAuth"}, ERR_DENIED},
    {{.name = "client only", GOOD_LEAF, .extended = "clientAuth"}, ERR_DENIED},
    {{.name = "mail only", GOOD_LEAF, .extended = "emailProtection"}, ERR_DENIED},
    {{.name = "expired", GOOD_LEAF, .from_s = FORGE_NOW - 9, .to_s = FORGE_NOW - 1}, ERR_DENIED},
    {{.name = "of the future", GOOD_LEAF, .from_s = FORGE_NOW + 1}, ERR_DENIED},
    {{.name = "ends before it begins", GOOD_LEAF, .from_s = FORGE_NOW + 5, .to_s = FORGE_NOW - 5},
     ERR_DENIED},
    {{.name = "version 1", .v1 = true, .subject = true}, ERR_INPUT},
    {{.name = "SHA-1", GOOD_LEAF, .sha1 = true}, ERR_NOTFOUND},
    {{.name = "unknown critical extension",
      GOOD_LEAF,
      .extra = NID_netscape_comment,
      .extra_value = "critical,hello"},
     ERR_DENIED},
    {{.name = "a comment", GOOD_LEAF, .extra = NID_netscape_comment, .extra_value = "hello"},
     ERR_NONE},
    {{.name = "two comments",
      GOOD_LEAF,
      .extra = NID_netscape_comment,
      .extra_value = "hello",
      .extra_twice = true},
     ERR_INPUT},
    {{.name = "a proxy certificate",
      GOOD_LEAF,
      .extra = NID_proxyCertInfo,
      .extra_value = "critical,DER:30:0c:30:0a:06:08:2b:06:01:05:05:07:15:01"},
     ERR_INPUT},
};

static void test_leaf_rows(void **state)
{
    struct pki p;
    pki_init(&p);
    for (size_t i = 0; i < sizeof leaf_rows / sizeof *leaf_rows; i++) {
        struct err err = {0};
        struct x509_svid svid;
        const struct forge *f = &leaf_rows[i].f;
        str chain[] = {forge(&p.a, f, key_evp(p.leaf), p.signer_x, key_evp(p.signer)),
                       p.signer_der};
        bool ok = x509_svid_verify(&p.a, chain, 2, &p.trusted, NOW, &svid, &err);
        if (ok != (leaf_rows[i].kind == ERR_NONE) || err.kind != leaf_rows[i].kind)
            fail_msg("%s: %s (kind %d)", f->name, ok ? "accepted" : err.text, err.kind);
    }
    pki_fini(&p);
}

/* Signing CAs under a root that is good, each with a leaf that is good. */
static const struct {
    struct forge f;
    bool ok;
} ca_rows[] = {
    {{.name = "plain", GOOD_CA}, true},
    {{.name = "no SPIFFE ID", GOOD_CA, .san = NULL}, true},
    {{.name = "an ID with a slash", GOOD_CA, .san = "URI:spiffe://td/"}, true},
    {{.name = "an ID of elsewhere", GOOD_CA, .san = "URI:spiffe://above"}, true},
    {{.name = "name constraint that fits",
      GOOD_CA,
      .extra = NID_name_constraints,
      .extra_value = "critical,permitted;URI:td"},
     true},
    {{.name = "name constraint that excludes",
      GOOD_CA,
      .extra = NID_name_constraints,
      .extra_value = "critical,permitted;URI:other"},
     false},
    {{.name = "no CA", GOOD_CA, .constraints = "critical,CA:FALSE"}, false},
    {{.name = "no constraints", GOOD_CA, .constraints = NULL}, false},
    {{.name = "no usage", GOOD_CA, .usage = NULL}, false},
    {{.name = "may not sign", GOOD_CA, .usage = "critical,cRLSign,digitalSignature"}, false},
    {{.name = "an ID with a path", GOOD_CA, .san = "URI:spiffe://td/x"}, false},
    {{.name = "two URIs", GOOD_CA, .san = "URI:spiffe://td,URI:spiffe://td"}, false},
    {{.name = "expired", GOOD_CA, .from_s = FORGE_NOW - 99, .to_s = FORGE_NOW - 1}, false},
    {{.name = "of the future", GOOD_CA, .from_s = FORGE_NOW + 1}, false},
    {{.name = "SHA-1", GOOD_CA, .sha1 = true}, false},
    {{.name = "version 1", .v1 = true, .subject = true}, false},
    {{.name = "unknown critical extension",
      GOOD_CA,
      .extra = NID_netscape_comment,
      .extra_value = "critical,hello"},
     false},
};

static void test_ca_rows(void **state)
{
    struct pki p;
    pki_init(&p);
    for (size_t i = 0; i < sizeof ca_rows / sizeof *ca_rows; i++) {
        struct err err = {0};
        struct x509_svid svid;
        const struct forge leaf = {.name = "leaf", GOOD_LEAF};
        str ca = forge(&p.a, &ca_rows[i].f, key_evp(p.signer), p.root_x, key_evp(p.root));
        X509 *x = forge_open(ca);
        str chain[] = {forge(&p.a, &leaf, key_evp(p.leaf), x, key_evp(p.signer)), ca};
        bool ok = x509_svid_verify(&p.a, chain, 2, &p.trusted, NOW, &svid, &err);
        if (ok != ca_rows[i].ok)
            fail_msg("%s: %s", ca_rows[i].f.name, ok ? "accepted" : err.text);
        X509_free(x);
    }
    /* A path longer than the signing CA allows. */
    struct err err = {0};
    struct x509_svid svid;
    const struct forge below = {.name = "below", GOOD_CA}, leaf = {.name = "leaf", GOOD_LEAF};
    str ca = forge(&p.a, &below, key_evp(p.leaf), p.signer_x, key_evp(p.signer));
    X509 *x = forge_open(ca);
    str deep[] = {forge(&p.a, &leaf, key_evp(p.root), x, key_evp(p.leaf)), ca, p.signer_der};
    NO(ERR_DENIED, x509_svid_verify(&p.a, deep, 3, &p.trusted, NOW, &svid, &err));
    X509_free(x);
    pki_fini(&p);
}

/* ---- keys of issuers elsewhere ---- */

static EVP_PKEY *explicit_p256(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *k = NULL;
    EVP_PKEY_keygen_init(ctx);
    EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1);
    EVP_PKEY_CTX_set_ec_param_enc(ctx, 0);
    EVP_PKEY_generate(ctx, &k);
    EVP_PKEY_CTX_free(ctx);
    return k;
}

static void try_issuer(EVP_PKEY *key, const char *what, bool wanted)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err = {0};
    struct bundle *b = NULL;
    assert_non_null(key);
    const struct forge root = {.name = what, GOOD_CA}, leaf = {.name = "leaf", GOOD_LEAF};
    str ca = forge(&a, &root, key, NULL, NULL);
    OK(bundle_new(S("td"), &b, &err));
    bool ok = bundle_add_x509(b, ca, &err);
    if (ok != wanted || (!ok && err.kind != ERR_NOTFOUND))
        fail_msg("%s as an authority: %s", what, ok ? "accepted" : err.text);
    X509 *x = forge_open(ca);
    struct bundles set = {0};
    struct x509_svid svid;
    EVP_PKEY *own = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    str chain[] = {forge(&a, &leaf, own, x, key)};
    OK(bundles_put(&set, b, NULL, &err));
    ok = x509_svid_verify(&a, chain, 1, &set, NOW, &svid, &err);
    if (ok != wanted)
        fail_msg("%s: %s", what, ok ? "accepted" : err.text);
    /* And as the key of a leaf. */
    chain[0] = forge(&a, &leaf, key, x, key);
    ok = x509_svid_verify(&a, chain, 1, &set, NOW, &svid, &err);
    if (ok != wanted)
        fail_msg("%s as a leaf: %s", what, ok ? "accepted" : err.text);
    X509_free(x);
    EVP_PKEY_free(own);
    EVP_PKEY_free(key);
    bundles_fini(&set);
}

static void test_kinds_of_key(void **state)
{
    try_issuer(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), "P-256", true);
    try_issuer(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048), "RSA 2048", true);
    try_issuer(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "Ed25519", true);
    try_issuer(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024), "RSA 1024", false);
    try_issuer(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"), "P-384", true);
    try_issuer(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521"), "P-521", false);
    try_issuer(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1"), "secp256k1", false);
    try_issuer(explicit_p256(), "P-256 by its numbers", false);
}

/* ---- bytes ---- */

static void test_each_byte(void **state)
{
    struct pki p;
    struct err err = {0};
    struct x509_svid svid;
    pki_init(&p);
    str chain[2] = {{arena_dup(&p.a, p.chain[0].p, p.chain[0].n), p.chain[0].n}, p.chain[1]};
    char *b = (char *)(uintptr_t)chain[0].p;
    for (size_t i = 0; i < chain[0].n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            b[i] = (char)(b[i] ^ (1 << bit));
            if (x509_svid_verify(&p.a, chain, 2, &p.trusted, NOW, &svid, &err))
                fail_msg("accepted with bit %d of byte %zu changed", bit, i);
            b[i] = (char)(b[i] ^ (1 << bit));
        }
        const str cut[] = {str_take(p.chain[0], i), p.chain[1]};
        assert_false(x509_svid_verify(&p.a, cut, 2, &p.trusted, NOW, &svid, &err));
    }
    const str longer[] = {str_fmt(&p.a, "%.*s", 0, ""), p.chain[1]};
    NO(ERR_INPUT, x509_svid_verify(&p.a, longer, 2, &p.trusted, NOW, &svid, &err));
    char *tail = arena_alloc(&p.a, p.chain[0].n + 1);
    memcpy(tail, p.chain[0].p, p.chain[0].n);
    const str more[] = {str_of(tail, p.chain[0].n + 1), p.chain[1]};
    NO(ERR_INPUT, x509_svid_verify(&p.a, more, 2, &p.trusted, NOW, &svid, &err));
    const str big[] = {str_of(arena_alloc(&p.a, CERT_BYTES_MAX + 1), CERT_BYTES_MAX + 1)};
    NO(ERR_INPUT, x509_svid_verify(&p.a, big, 1, &p.trusted, NOW, &svid, &err));
    pki_fini(&p);
}

static void test_split(void **state)
{
    struct pki p;
    struct err err = {0};
    str parts[3];
    size_t n = 9;
    pki_init(&p);
    struct buf b = {0};
    buf_put(&b, p.chain[0]);
    buf_put(&b, p.chain[1]);
    str both = buf_str(&b);
    OK(x509_split(both, parts, 3, &n, &err));
    assert_int_equal(n, 2);
    assert_true(str_eq(parts[0], p.chain[0]) && str_eq(parts[1], p.chain[1]));
    NO(ERR_LIMIT, x509_split(both, parts, 1, &n, &err));
    for (size_t i = 0; i < both.n; i++)
        if (i != p.chain[0].n)
            NO(ERR_INPUT, x509_split(str_take(both, i), parts, 3, &n, &err));
    static const str bad[] = {S(""),
                              S("\x30"),
                              S("\x31\x00"),
                              S("\x30\x80"),
                              S("\x30\x84\x00\x00\x00\x00"),
                              S("\x30\x83\xff\xff\xff"),
                              S("\x30\xff")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        NO(ERR_INPUT, x509_split(bad[i], parts, 3, &n, &err));
    assert_int_equal(n, 2);
    buf_fini(&b);
    pki_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_issued),       cmocka_unit_test(test_issue_refused),
        cmocka_unit_test(test_accepted),     cmocka_unit_test(test_chains_refused),
        cmocka_unit_test(test_leaf_rows),    cmocka_unit_test(test_ca_rows),
        cmocka_unit_test(test_kinds_of_key), cmocka_unit_test(test_each_byte),
        cmocka_unit_test(test_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

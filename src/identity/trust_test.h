/* trust_test: an installation, its issuer and its agents, for the unit tests of trust. */
#pragma once
#include "identity/identity_test.h"
#include "identity/jwt_svid.h"
#include "identity/trust.h"
#include "identity/x509_svid.h"

static const int64_t NOW_S = 1790000000, NOW = 1790000000000;

/* One SPIFFE issuer: keys, certificates, document. */
struct issuer {
    str trust_domain;
    struct key *root, *signer, *leaf, *jwt;
    str root_der, signer_der;
};

static struct key *new_key(void)
{
    struct err err = {0};
    struct key *k = NULL;
    OK(key_generate(KEY_ES256, &k, &err));
    return k;
}

static void issuer_init(struct issuer *i, struct arena *a, str trust_domain)
{
    struct err err = {0};
    *i = (struct issuer){.trust_domain = trust_domain,
                         .root = new_key(),
                         .signer = new_key(),
                         .leaf = new_key(),
                         .jwt = new_key()};
    OK(x509_make_root(a, i->root, trust_domain, (struct x509_span){NOW_S, X509_ROOT_LIFE_S},
                      &i->root_der, &err));
    const struct x509_authority root = {i->root, i->root_der};
    OK(x509_issue_signer(a, &root, i->signer, (struct x509_span){NOW_S, X509_SIGNER_LIFE_S},
                         &i->signer_der, &err));
}

static void issuer_fini(struct issuer *i)
{
    key_free(i->root);
    key_free(i->signer);
    key_free(i->leaf);
    key_free(i->jwt);
}

/* Leaf and signer, one after the other. */
static str issuer_chain(const struct issuer *i, struct arena *a, str path)
{
    struct err err = {0};
    struct spiffe_id id;
    str leaf;
    const struct x509_authority signer = {i->signer, i->signer_der};
    OK(spiffe_id_make(a, i->trust_domain, path, &id, &err));
    OK(x509_issue_leaf(a, &signer, i->leaf, &id, (str){0},
                       (struct x509_span){NOW_S, X509_LEAF_LIFE_S}, &leaf, &err));
    struct buf b = {0};
    buf_put(&b, leaf);
    buf_put(&b, i->signer_der);
    str out = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return out;
}

static str issuer_token(const struct issuer *i, struct arena *a, str path, str aud)
{
    struct err err = {0};
    struct spiffe_id id;
    struct buf b = {0};
    OK(spiffe_id_make(a, i->trust_domain, path, &id, &err));
    OK(jwt_svid_mint(i->jwt, S("k1"), &id, aud, NOW_S, JWT_SVID_LIFE_S, &b, &err));
    str out = str_dup(a, buf_str(&b));
    buf_fini(&b);
    return out;
}

static str issuer_document(const struct issuer *i, struct arena *a, int64_t sequence)
{
    struct err err = {0};
    struct bundle *b = NULL;
    struct buf text = {0};
    OK(bundle_new(i->trust_domain, &b, &err));
    OK(bundle_add_x509(b, i->root_der, &err));
    OK(bundle_add_jwt(b, i->jwt, S("k1"), &err));
    bundle_set_version(b, sequence, 60);
    bundle_write(b, &text);
    bundle_free(b);
    str out = str_dup(a, buf_str(&text));
    buf_fini(&text);
    return out;
}

static void conf_of(struct arena *a, str text, struct conf *out)
{
    struct conf_problems problems = {0};
    if (conf_read(a, S("ambit.json"), S("/"), text, out, &problems))
        return;
    struct buf b = {0};
    conf_problems_print(&problems, S("ambit.json"), &b);
    fail_msg("%.*s", STR(buf_str(&b)));
}

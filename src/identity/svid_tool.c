/* svid_tool: lets tests/system/test_identity_x509.py put these modules beside other software. Test
 * builds only.
 *
 *   svid_tool make DIR                  a trust domain td: DIR/{root,signer,leaf}.der, leaf.key
 *                                       (PKCS#8), bundle.json, token (aud "reports")
 *   svid_tool x509 TD BUNDLE DER...     checks a chain now, prints the SPIFFE ID
 *   svid_tool jwt TD BUNDLE AUD TOKEN   the same for a JWT-SVID, TOKEN being a file
 *
 * Status 0: done or good; 1: refused, and the reason on standard error; 2: misuse. */
#include "identity/jwt_svid.h"
#include "identity/x509_svid.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

static str read_file(struct arena *a, const char *path)
{
    static char bytes[BUNDLE_BYTES_MAX];
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(2);
    }
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    return str_dup(a, str_of(bytes, n));
}

static void write_file(const char *folder, const char *name, str bytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes.p, 1, bytes.n, f) != bytes.n || fclose(f) != 0) {
        perror(path);
        exit(2);
    }
}

static bool make_bundle(const char *folder, str root_der, const struct key *token_key, str kid,
                        struct err *err)
{
    struct bundle *b = NULL;
    struct buf text = {0};
    if (!bundle_new(S("td"), &b, err))
        return false;
    bundle_set_version(b, 1, 60);
    bool ok = bundle_add_x509(b, root_der, err) && bundle_add_jwt(b, token_key, kid, err);
    bundle_write(b, &text);
    if (ok)
        write_file(folder, "bundle.json", buf_str(&text));
    buf_fini(&text);
    bundle_free(b);
    return ok;
}

static bool make(const char *folder, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct key *root = NULL, *signer = NULL, *leaf = NULL, *token_key = NULL;
    struct secret *private_key = NULL;
    struct spiffe_id id;
    struct buf token = {0};
    str root_der, signer_der, leaf_der;
    const int64_t now_s = clock_wall_ms() / 1000;
    if (!key_generate(KEY_ES256, &root, err) || !key_generate(KEY_ES256, &signer, err) ||
        !key_generate(KEY_ES256, &leaf, err) || !key_generate(KEY_ES256, &token_key, err) ||
        !spiffe_agent_make(&a, S("td"), S("triage"), S("1"), &id, err))
        return false;
    struct key_id kid = key_id(token_key);
    if (!x509_make_root(&a, root, S("td"), (struct x509_span){now_s, X509_ROOT_LIFE_S}, &root_der,
                        err) ||
        !x509_issue_signer(&a, &(struct x509_authority){root, root_der}, signer,
                           (struct x509_span){now_s, X509_SIGNER_LIFE_S}, &signer_der, err) ||
        !x509_issue_leaf(&a, &(struct x509_authority){signer, signer_der}, leaf, &id, (str){0},
                         (struct x509_span){now_s, X509_LEAF_LIFE_S}, &leaf_der, err) ||
        !key_to_pkcs8(leaf, &private_key, err) ||
        !jwt_svid_mint(token_key, key_id_str(&kid), &id, S("reports"), now_s, JWT_SVID_LIFE_S,
                       &token, err) ||
        !make_bundle(folder, root_der, token_key, key_id_str(&kid), err))
        return false;
    write_file(folder, "root.der", root_der);
    write_file(folder, "signer.der", signer_der);
    write_file(folder, "leaf.der", leaf_der);
    write_file(folder, "leaf.key", secret_str(private_key));
    write_file(folder, "token", buf_str(&token));
    buf_fini(&token);
    secret_free(private_key);
    key_free(root);
    key_free(signer);
    key_free(leaf);
    key_free(token_key);
    return true;
}

static bool trust(struct arena *a, char **argv, struct bundles *set, struct err *err)
{
    struct bundle *b = NULL;
    return bundle_read(str_z(argv[2]), read_file(a, argv[3]), &b, err) &&
           bundles_put(set, b, NULL, err);
}

static bool check(int argc, char **argv, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    struct bundles set = {0};
    struct spiffe_id id = {0};
    const int64_t now_s = clock_wall_ms() / 1000;
    bool ok = trust(&a, argv, &set, err);
    if (ok && argv[1][0] == 'x') {
        str chain[16];
        struct x509_svid svid;
        size_t n = 0;
        for (int i = 4; i < argc && n < 16; i++)
            chain[n++] = read_file(&a, argv[i]);
        ok = x509_svid_verify(&a, chain, n, &set, now_s, &svid, err);
        id = ok ? svid.id : id;
    } else if (ok) {
        struct jwt_svid svid;
        ok = jwt_svid_verify(&a, read_file(&a, argv[5]), &set, str_z(argv[4]), now_s, &svid, err);
        id = ok ? svid.id : id;
    }
    if (ok)
        printf("%.*s\n", STR(id.text));
    bundles_fini(&set);
    return ok;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    const char *verb = argc > 2 ? argv[1] : "";
    bool ok;
    if (strcmp(verb, "make") == 0 && argc == 3)
        ok = make(argv[2], &err);
    else if ((strcmp(verb, "x509") == 0 && argc >= 5) || (strcmp(verb, "jwt") == 0 && argc == 6))
        ok = check(argc, argv, &err);
    else
        return 2;
    if (!ok)
        fprintf(stderr, "%s\n", err.text);
    return ok ? 0 : 1;
}

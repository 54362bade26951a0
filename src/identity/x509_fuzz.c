/* Certificates one after another, as a peer or a Workload API would send them: cut, read, and
 * checked against a bundle that never signed them. Nothing may be accepted, unless its last
 * certificate is a CA that we are told to trust: then what is accepted has an ID that parses. */
#include "identity/x509_svid.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* When the seeds were made: they are valid then. */
static const int64_t NOW = 1795409509;

static void against(const str *chain, size_t n, str authority, bool may_pass)
{
    struct err err = {0};
    ARENA_SCOPE struct arena a = {0};
    struct bundle *b = NULL;
    struct bundles set = {0};
    struct x509_svid svid;
    struct spiffe_id id;
    if (!bundle_new(S("td"), &b, &err))
        abort();
    if (authority.n && !bundle_add_x509(b, authority, &err)) {
        bundle_free(b);
        return;
    }
    if (!bundles_put(&set, b, NULL, &err))
        abort();
    if (x509_svid_verify(&a, chain, n, &set, NOW, &svid, &err)) {
        if (!may_pass || !spiffe_id_parse_workload(svid.id.text, &id, &err) ||
            !str_eq(id.trust_domain, S("td")) || svid.dead_s <= NOW || svid.not_before_s > NOW)
            abort();
    } else if (err.kind == ERR_NONE || !err.text[0]) {
        abort();
    }
    bundles_fini(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str in = str_of((const char *)data, size), parts[X509_CHAIN_MAX + 1];
    struct err err = {0};
    size_t n = 0, total = 0;
    ARENA_SCOPE struct arena a = {0};
    struct x509_svid svid;
    if (!x509_split(in, parts, X509_CHAIN_MAX + 1, &n, &err))
        return 0;
    for (size_t i = 0; i < n; i++)
        total += parts[i].n;
    if (total != size)
        abort();
    bool ok = x509_svid_read(&a, parts[0], &svid, &err);
    (void)ok;
    against(parts, n, (str){0}, false);
    against(parts, n, parts[n - 1], true);
    return 0;
}

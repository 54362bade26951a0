/* The two documents by which clients find their way: both follow from the configuration alone. */
#include "base/json.h"
#include "door/oauth_door.h"

static void put_list(struct jw *w, const char *name, const char *const *list)
{
    jw_key(w, str_z(name));
    jw_arr(w);
    for (; *list; list++)
        jw_str(w, str_z(*list));
    jw_end_arr(w);
}

static void put_url(struct jw *w, const char *name, str base, const char *path)
{
    struct buf url = {0};
    buf_put(&url, base);
    buf_put(&url, str_z(path));
    jw_kstr(w, str_z(name), buf_str(&url));
    buf_fini(&url);
}

static void put_endpoints(struct jw *w, str base)
{
    put_url(w, "token_endpoint", base, "/oauth/token");
    put_url(w, "introspection_endpoint", base, "/oauth/introspect");
    put_url(w, "revocation_endpoint", base, "/oauth/revoke");
}

static bool asks_for_certificate(const struct conf_listener *l)
{
    return l->oauth && (l->svid || l->client_ca_agents || l->client_ca_file.n);
}

/* Where a client certificate is asked for, if that is not where the issuer is (RFC 8705 section 5).
 */
static void put_aliases(struct jw *w, const struct conf *c)
{
    for (size_t i = 0; i < c->listeners_n; i++)
        if (asks_for_certificate(&c->listeners[i]) && !str_eq(c->listeners[i].url, c->issuer)) {
            jw_key(w, S("mtls_endpoint_aliases"));
            jw_obj(w);
            put_endpoints(w, c->listeners[i].url);
            jw_end_obj(w);
            return;
        }
}

static const char *const ES256[] = {"ES256", NULL};
static const char *const DETAILS[] = {"ambit_task", "tool_call", NULL};
static const char *const METHODS[] = {"tls_client_auth", "private_key_jwt", "spiffe_x509",
                                      "spiffe_jwt", NULL};
static const char *const WITH_PUBLIC[] = {
    "tls_client_auth", "private_key_jwt", "spiffe_x509", "spiffe_jwt", "none", NULL};

void oauth_write_server(struct buf *out, const struct conf *c)
{
    static const char *const grants[] = {
        "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:openid:params:grant-type:ciba", "authorization_code", NULL};
    static const char *const code[] = {"code", NULL}, *const none[] = {NULL};
    static const char *const s256[] = {"S256", NULL};
    bool people = c->portal.address.n > 0;
    struct jw w = jw(out);
    jw_obj(&w);
    jw_kstr(&w, S("issuer"), c->issuer);
    put_endpoints(&w, c->issuer);
    put_url(&w, "jwks_uri", c->issuer, "/oauth/jwks");
    put_aliases(&w, c);
    put_list(&w, "grant_types_supported", grants);
    put_list(&w, "response_types_supported", people ? code : none);
    if (people) {
        put_url(&w, "authorization_endpoint", c->portal.origin, "/authorize");
        put_list(&w, "code_challenge_methods_supported", s256);
        jw_kbool(&w, S("authorization_response_iss_parameter_supported"), true);
    }
    put_list(&w, "token_endpoint_auth_methods_supported", people ? WITH_PUBLIC : METHODS);
    put_list(&w, "token_endpoint_auth_signing_alg_values_supported", ES256);
    put_list(&w, "introspection_endpoint_auth_methods_supported", METHODS);
    put_list(&w, "introspection_endpoint_auth_signing_alg_values_supported", ES256);
    put_list(&w, "revocation_endpoint_auth_methods_supported", METHODS);
    put_list(&w, "revocation_endpoint_auth_signing_alg_values_supported", ES256);
    put_list(&w, "dpop_signing_alg_values_supported", ES256);
    put_list(&w, "authorization_details_types_supported", DETAILS);
    jw_kbool(&w, S("tls_client_certificate_bound_access_tokens"), true);
    jw_end_obj(&w);
}

void oauth_write_resource(struct buf *out, const struct conf *c, const struct conf_listener *l,
                          str binding)
{
    ARENA_SCOPE struct arena a = {0};
    static const char *const header[] = {"header", NULL};
    struct jw w = jw(out);
    jw_obj(&w);
    jw_kstr(&w, S("resource"), conf_resource(&a, l, binding));
    jw_key(&w, S("authorization_servers"));
    jw_arr(&w);
    jw_str(&w, c->issuer);
    jw_end_arr(&w);
    jw_kstr(&w, S("resource_name"),
            binding.n ? str_fmt(&a, "Ambit: %.*s", STR(binding)) : S("Ambit"));
    put_list(&w, "bearer_methods_supported", header);
    put_list(&w, "dpop_signing_alg_values_supported", ES256);
    put_list(&w, "authorization_details_types_supported", DETAILS);
    if (binding.n) {
        jw_key(&w, S("scopes_supported"));
        jw_arr(&w);
        jw_str(&w, str_fmt(&a, "%.*s/*", STR(binding)));
        jw_end_arr(&w);
    }
    jw_kbool(&w, S("tls_client_certificate_bound_access_tokens"), asks_for_certificate(l));
    jw_kbool(&w, S("dpop_bound_access_tokens_required"), !l->bearer && !asks_for_certificate(l));
    jw_end_obj(&w);
}

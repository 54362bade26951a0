/* oauth_kit_test: what the tests of the authorization server share over call/oauth_bed.h. */
#pragma once
#include "call/oauth_bed.h"

#define ISSUER   "https://gw.example"
#define TOKEN    ISSUER "/oauth/token"
#define MCP      ISSUER "/mcp"
#define SPIFFE   "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
#define JWT_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define EXCHANGE "urn:ietf:params:oauth:grant-type:token-exchange"
#define ACCESS   "urn:ietf:params:oauth:token-type:access_token"
#define CC       "grant_type", "client_credentials"

__attribute__((unused)) static const char *SHOP[] = {"shop/find", "shop/look", "ambit/delegate"};
__attribute__((unused)) static const char *ALL[] = {"shop/find", "shop/look", "shop/refund"};

static inline const char *z(struct bed *b, str s)
{
    return str_dup(&b->arena, s).p;
}

static inline const char *svid(struct bed *b, const char *path)
{
    return z(b, bed_svid(b, path, ISSUER));
}

/* Gets the server's nonce as a client does: by asking without one. */
static inline str learn_nonce(struct bed *b, struct key *k)
{
    struct proof p = {.listener = BED_TLS,
                      .dpop = dpop_make(&b->arena, k, S("first"), S("POST"), S(TOKEN), (str){0},
                                        (str){0}, clock_wall_ms() / 1000)};
    const char *const params[] = {
        CC, "client_assertion_type", SPIFFE, "client_assertion", svid(b, "/agent/desk/1"), NULL};
    bed_ask(b, OAUTH_TOKEN, p, params);
    bed_refused(b, "use_dpop_nonce");
    str nonce = bed_nonce(b);
    assert_true(nonce.n > 0);
    return nonce;
}

static inline str token_for(struct bed *b, struct key *k, str nonce, const char *jti,
                            const char *agent, const char *const *more)
{
    const char *params[24] = {CC, "client_assertion_type", SPIFFE, "client_assertion",
                              svid(b, agent)};
    size_t n = 6;
    for (; more && *more; more++)
        params[n++] = *more;
    struct proof p = {.listener = BED_TLS,
                      .dpop = dpop_make(&b->arena, k, str_z(jti), S("POST"), S(TOKEN), (str){0},
                                        nonce, clock_wall_ms() / 1000)};
    bed_ask(b, OAUTH_TOKEN, p, params);
    if (b->status != 200)
        fail_msg("%u %.*s", b->status, STR(b->body));
    return bed_member(b, "access_token");
}

static inline struct proof use(struct bed *b, struct key *k, str token, str nonce, const char *jti,
                               const char *htu)
{
    return (struct proof){.kind = PROOF_DPOP,
                          .listener = BED_TLS,
                          .token = token,
                          .dpop = dpop_make(&b->arena, k, str_z(jti), S("POST"), str_z(htu), token,
                                            nonce, clock_wall_ms() / 1000)};
}

static inline struct key *fresh_key(void)
{
    struct key *k;
    OK(key_generate(KEY_ES256, &k, &err));
    return k;
}

static inline const json *claims_of(struct bed *b, str token)
{
    str head, rest, body, sig, text;
    const json *v = NULL;
    struct err err;
    str_cut(token, '.', &head, &rest);
    str_cut(rest, '.', &body, &sig);
    assert_true(base64url_decode(&b->arena, body, &text));
    assert_true(json_read(&b->arena, text, NULL, &v, &err));
    return v;
}

static inline void ask_cc(struct bed *b, const char *const *more)
{
    const char *params[24] = {CC, "client_assertion_type", SPIFFE, "client_assertion",
                              svid(b, "/agent/desk/1")};
    size_t n = 6;
    for (; *more; more++)
        params[n++] = *more;
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, params);
}
#define ASK_CC(b, ...) ask_cc(b, (const char *const[]){__VA_ARGS__, NULL})

static inline void ask_exchange(struct bed *b, const char *agent, str subject,
                                const char *const *more)
{
    const char *params[24] = {"grant_type",    EXCHANGE,           "client_assertion_type",
                              SPIFFE,          "client_assertion", svid(b, agent),
                              "subject_token", z(b, subject),      "subject_token_type",
                              ACCESS};
    size_t n = 10;
    for (; *more; more++)
        params[n++] = *more;
    bed_ask(b, OAUTH_TOKEN, (struct proof){.listener = BED_LOOPBACK}, params);
}
#define EXCHANGE_IT(b, subject, ...)                                                               \
    ask_exchange(b, "/agent/desk/1", subject, (const char *const[]){__VA_ARGS__, NULL})

static inline unsigned call_with(struct bed *b, str token, const char *endpoint, const char *tool,
                                 const char *args)
{
    struct msg_call m = {.proof = {.kind = PROOF_TOKEN,
                                   .listener = BED_LOOPBACK,
                                   .token = token,
                                   .htm = S("POST"),
                                   .endpoint = str_z(endpoint)},
                         .tool = str_z(tool),
                         .args = str_z(args)};
    gate_call(&b->g, BED_EDGE, 9, &m);
    store_flush(b->g.store);
    return b->type == MSG_REFUSED ? b->refusal : 0;
}

static inline unsigned call(struct bed *b, str token, const char *endpoint, const char *tool)
{
    return call_with(b, token, endpoint, tool, "{}");
}

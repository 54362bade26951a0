/* oauth_bed: a gate with an issuer, a store and two agents, for the unit tests of the authorization
 * server. The keeper and the edge are played by the bed. Included by tests only. */
#pragma once
#include "call/dpop_test.h"
#include "call/gate_bed.h"
#include "call/oauth.h"
#include "identity/jwt_svid.h"
#include "identity/x509_svid.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct err err = {0};                                                                      \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

static const char BED_CONF[] =
    "{\"trustDomain\": \"td\", \"issuer\": \"https://gw.example\","
    " \"people\": {\"ann\": {\"roles\": [\"owner\"]}},"
    " \"agents\": {\"desk\": {\"owner\": \"ann\", \"assessed\": \"2026-01-01\", \"bearer\": true,"
    "   \"ambit\": [\"shop/*\", \"ambit/delegate\"], \"delegates\": [\"clerk\"]},"
    "  \"clerk\": {\"owner\": \"ann\", \"assessed\": \"2026-01-01\", \"bearer\": true, \"ambit\": "
    "[\"shop/*\"]},"
    "  \"audit\": {\"owner\": \"ann\", \"introspects\": true, \"bearer\": true}},"
    " \"listen\": [{\"address\": \"0.0.0.0:1\", \"cert\": \"c\", \"key\": \"k\", \"svid\": true},"
    "   {\"address\": \"127.0.0.1:2\", \"bearer\": true},"
    "   {\"address\": \"127.0.0.1:3\", \"bearer\": true, \"oauth\": false}],"
    " \"mcpServers\": {\"shop\": {\"url\": \"http://127.0.0.1:1/\", \"operations\": {"
    "   \"find\": {\"effect\": \"read\"}, \"look\": {\"effect\": \"read\"},"
    "   \"refund\": {\"effect\": \"transfer\"}}}}, \"policies\": [\"x\"]}";

enum { BED_EDGE = 1, BED_TLS = 0, BED_LOOPBACK = 1, BED_NO_OAUTH = 2 };

struct bed {
    struct arena arena;
    struct conf conf;
    struct gate g;
    struct ledger_tree *tree;
    struct key *token_key, *svid_key, *root, *signer, *leaf;
    str root_der, signer_der;
    char dir[BED_DIR_SIZE];
    int dir_fd;
    /* what the edge heard last */
    enum message_type type;
    unsigned status;
    str body, fields; /* in the arena */
    uint8_t refusal;
    str auth_error, nonce, text;
    /* of the keeper */
    bool keeper_waits;
    void (*signing)(void *arg, str token, str why);
    void *signing_arg;
    str signing_claims;
};

static inline bool bed_to_edge(void *ctx, uint32_t edge, enum message_type type, uint64_t id,
                               const void *msg)
{
    struct bed *b = ctx;
    (void)edge;
    (void)id;
    b->type = type;
    if (type == MSG_OAUTH_ANSWER) {
        const struct msg_oauth_answer *m = msg;
        b->status = m->status;
        b->body = str_dup(&b->arena, m->body);
        b->fields = str_dup(&b->arena, m->fields);
    } else if (type == MSG_REFUSED) {
        const struct msg_refused *m = msg;
        b->refusal = m->kind;
        b->auth_error = str_dup(&b->arena, m->auth_error);
        b->nonce = str_dup(&b->arena, m->dpop_nonce);
        b->text = str_dup(&b->arena, m->text);
    }
    return true;
}

static inline size_t bed_cut(void *ctx, uint64_t seq, str task, uint32_t out[GATE_EDGES_MAX])
{
    (void)ctx;
    (void)seq;
    (void)task;
    (void)out;
    return 0;
}

static inline bool bed_stop(void *ctx, uint64_t seq, str task, bool at_once)
{
    (void)ctx;
    (void)seq;
    (void)task;
    (void)at_once;
    return false;
}

/* What the keeper does: adds iss and signs. */
static inline void bed_sign_now(struct bed *b, str claims,
                                void (*done)(void *arg, str token, str why), void *arg)
{
    struct buf token = {0};
    struct key_id kid = key_id(b->token_key);
    str all =
        str_fmt(&b->arena, "{\"iss\":\"%.*s\",%.*s", STR(b->conf.issuer), STR(str_skip(claims, 1)));
    OK(jwt_sign(b->token_key, key_id_str(&kid), S("at+jwt"), all, &token, &err));
    done(arg, buf_str(&token), (str){0});
    buf_fini(&token);
}

static inline void bed_sign(void *ctx, enum sign_kind kind, str claims,
                            void (*done)(void *arg, str token, str why), void *arg)
{
    struct bed *b = ctx;
    assert_int_equal(kind, SIGN_TASK_TOKEN);
    if (!b->keeper_waits) {
        bed_sign_now(b, claims, done, arg);
        return;
    }
    b->signing = done;
    b->signing_arg = arg;
    b->signing_claims = str_dup(&b->arena, claims);
}

static inline void bed_trust(struct bed *b, int64_t now_s)
{
    struct bundle *own = NULL;
    struct buf doc = {0};
    OK(key_generate(KEY_ES256, &b->svid_key, &err));
    OK(key_generate(KEY_ES256, &b->root, &err));
    OK(key_generate(KEY_ES256, &b->signer, &err));
    OK(key_generate(KEY_ES256, &b->leaf, &err));
    OK(x509_make_root(&b->arena, b->root, S("td"), (struct x509_span){now_s, X509_ROOT_LIFE_S},
                      &b->root_der, &err));
    const struct x509_authority root = {b->root, b->root_der};
    OK(x509_issue_signer(&b->arena, &root, b->signer, (struct x509_span){now_s, X509_SIGNER_LIFE_S},
                         &b->signer_der, &err));
    OK(bundle_new(S("td"), &own, &err));
    OK(bundle_add_x509(own, b->root_der, &err));
    OK(bundle_add_jwt(own, b->svid_key, S("k1"), &err));
    bundle_set_version(own, 1, 60);
    bundle_write(own, &doc);
    bundle_free(own);
    b->g.trust = trust_new(&b->conf);
    OK(trust_set_own(b->g.trust, buf_str(&doc), (str){0}, 1, &err));
    buf_fini(&doc);
}

static inline void bed_tool(struct bed *b, const char *name)
{
    const json *def;
    struct catalog_tool *t;
    struct err err;
    str text = str_fmt(&b->arena, "{\"name\":\"%s\",\"inputSchema\":{\"type\":\"object\"}}", name);
    assert_true(json_read(&b->arena, text, NULL, &def, &err));
    assert_int_equal(catalog_put(&b->g.catalog, &b->conf, S("shop"), def, true, &t, &err),
                     CATALOG_NEW);
}

static inline int bed_setup(void **state)
{
    struct bed *b = calloc(1, sizeof *b);
    *state = b;
    bed_configure(&b->arena, BED_CONF,
                  "@id(\"all\") permit (principal is Ambit::Agent, action in "
                  "Ambit::Action::\"call\", resource);",
                  &b->conf);
    bed_make_dir(b->dir, &b->dir_fd);
    bed_open_gate(&b->g, &b->conf,
                  &(struct gate_out){.ctx = b,
                                     .to_edge = bed_to_edge,
                                     .cut = bed_cut,
                                     .stop_children = bed_stop,
                                     .sign_jwt = bed_sign},
                  b->dir_fd, &b->tree);
    bed_share_keys(&b->g);
    b->token_key = bed_token_key(&b->g);
    OK(gate_restore(&b->g, &err));
    bed_trust(b, clock_wall_ms() / 1000);
    bed_tool(b, "find");
    bed_tool(b, "look");
    bed_tool(b, "refund");
    return 0;
}

static inline int bed_teardown(void **state)
{
    struct bed *b = *state;
    bed_close_gate(&b->g, b->tree);
    bed_ledger_is_sound(b->dir);
    struct key *keys[] = {b->token_key, b->svid_key, b->root, b->signer, b->leaf};
    for (size_t i = 0; i < 5; i++)
        key_free(keys[i]);
    arena_fini(&b->arena);
    bed_remove_dir(b->dir, b->dir_fd);
    free(b);
    return 0;
}

/* ---- what a test does ---- */

static inline struct task *bed_task(struct bed *b, const char *agent, const char *ops[], size_t n,
                                    struct task *parent)
{
    str list[8];
    for (size_t i = 0; i < n; i++)
        list[i] = str_z(ops[i]);
    struct task_wish w = {.owner = S("ann"),
                          .agent = str_z(agent),
                          .purpose = S("p"),
                          .operations = list,
                          .operations_n = n,
                          .calls = 50,
                          .parent = parent};
    struct task *t;
    OK(task_new(&b->conf, &w, clock_wall_ms(), &t, &err));
    struct store_txn *txn = store_txn_new(b->g.store);
    gate_add_task_open(&b->g, txn, t, S("ann"));
    gate_submit(&b->g, txn, NULL, NULL);
    store_flush(b->g.store);
    tasks_add(&b->g.tasks, t);
    return t;
}

/* A JWT-SVID of the own trust domain. */
static inline str bed_svid(struct bed *b, const char *path, const char *aud)
{
    struct spiffe_id id;
    struct buf out = {0};
    OK(spiffe_id_make(&b->arena, S("td"), str_z(path), &id, &err));
    OK(jwt_svid_mint(b->svid_key, S("k1"), &id, str_z(aud), clock_wall_ms() / 1000, 300, &out,
                     &err));
    str s = str_dup(&b->arena, buf_str(&out));
    buf_fini(&out);
    return s;
}

/* Leaf and signer, DER; *hash: of the leaf. */
static inline str bed_chain(struct bed *b, const char *path, int64_t life_s, str *hash)
{
    struct spiffe_id id;
    str leaf;
    const struct x509_authority signer = {b->signer, b->signer_der};
    OK(spiffe_id_make(&b->arena, S("td"), str_z(path), &id, &err));
    OK(x509_issue_leaf(&b->arena, &signer, b->leaf, &id, (str){0},
                       (struct x509_span){clock_wall_ms() / 1000, life_s}, &leaf, &err));
    struct hash h = sha256(leaf);
    *hash = str_dup(&b->arena, hash_str(&h));
    struct buf both = {0};
    buf_put(&both, leaf);
    buf_put(&both, b->signer_der);
    str s = str_dup(&b->arena, buf_str(&both));
    buf_fini(&both);
    return s;
}

/* A request with these parameters: name, value, ..., NULL. */
static inline void bed_ask(struct bed *b, enum oauth_endpoint endpoint, struct proof proof,
                           const char *const *params)
{
    struct buf run = {0};
    for (size_t i = 0; params[i]; i++)
        pack_str(&run, str_z(params[i]));
    proof.htm = S("POST");
    struct msg_oauth m = {.proof = proof, .endpoint = (uint8_t)endpoint, .form = buf_str(&run)};
    b->status = 0;
    b->body = b->fields = (str){0};
    gate_oauth(&b->g, BED_EDGE, 1, &m);
    buf_fini(&run);
}

static inline str bed_member(struct bed *b, const char *name)
{
    const json *v;
    struct err err;
    if (!json_read(&b->arena, b->body, NULL, &v, &err))
        return (str){0};
    return json_get_str(v, str_z(name));
}

static inline void bed_refused(struct bed *b, const char *error)
{
    if (b->status < 400 || !str_eq(bed_member(b, "error"), str_z(error)))
        fail_msg("wanted %s, got %u %.*s", error, b->status, STR(b->body));
}

static inline str bed_nonce(struct bed *b)
{
    str run = b->fields, name, value = {0};
    bool bad = false;
    while (unpack_str(&run, &name, &bad) && unpack_str(&run, &value, &bad))
        if (str_eq(name, S("DPoP-Nonce")))
            return value;
    return (str){0};
}

/* Uses a token at an MCP endpoint: 0, or the kind of the refusal. */
static inline unsigned bed_use(struct bed *b, struct proof proof)
{
    proof.htm = S("POST");
    struct msg_list m = {.proof = proof};
    gate_list(&b->g, BED_EDGE, 2, &m);
    return b->type == MSG_REFUSED ? b->refusal : 0;
}

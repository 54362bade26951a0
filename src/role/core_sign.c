/* What core has the keeper sign besides checkpoints: tokens and certificates. And what the keeper
 * says of its own accord: the keys that all of it verifies with. */
#include "role/core_int.h"
#include "base/clock.h"
#include "base/log.h"
#include "identity/spiffe_id.h"
#include "identity/trust.h"

#include <stdio.h>
#include <stdlib.h>

/* Asked and not answered: more than any burst of honest requests leaves waiting. */
enum { SIGNINGS_MAX = 8192 };

struct signing {
    void (*token)(void *arg, str token, str why); /* one of the two */
    void (*chain)(void *arg, str chain, int64_t not_after_s, str why);
    void (*rotated)(void *arg, const struct msg_rotated *m, str why);
    void *arg;
};

static str key_of(uint64_t id, char room[24])
{
    return str_of(room, (size_t)snprintf(room, 24, "%llu", (unsigned long long)id));
}

static void done(const struct signing *s, str made, int64_t not_after_s, str why)
{
    if (s->rotated)
        s->rotated(s->arg, NULL, why);
    else if (s->token)
        s->token(s->arg, made, why);
    else
        s->chain(s->arg, made, not_after_s, why);
}

/* The id of the request; 0: refused here, and its asker has been told. */
static uint64_t begin(struct core *c, const struct signing *s)
{
    char room[24];
    if (!c->keeper) {
        done(s, (str){0}, 0, S("the keeper is restarting; try again"));
        return 0;
    }
    if (map_count(&c->signings) >= SIGNINGS_MAX) {
        done(s, (str){0}, 0, S("too much is waiting to be signed; try again"));
        return 0;
    }
    struct signing *kept = malloc(sizeof *kept);
    if (!kept)
        abort();
    *kept = *s;
    uint64_t id = core_new_id(c);
    map_put(&c->signings, key_of(id, room), kept);
    return id;
}

/* ---- for whom ----
 *
 * An SVID of an agent that is gone from the configuration, suspended or revoked is not even asked
 * for, whoever wants it. */

static bool may_have_svid(struct core *c, str spiffe_id, struct err *err)
{
    struct spiffe_id id;
    str name, rest;
    if (!revoked_check_id(&c->gate.revoked, spiffe_id, clock_wall_ms(), err))
        return false;
    if (!spiffe_id_parse(spiffe_id, &id, err) || !str_starts(id.path, S("/agent/")))
        return true; /* the keeper judges it */
    str_cut(str_skip(id.path, 7), '/', &name, &rest);
    if (!conf_agent(&c->env->conf, name))
        return err_denied(err, "there is no agent %.*s", STR(str_take(name, 64)));
    return agents_may(&c->gate.agents, name, err);
}

static bool may_have_jwt(struct core *c, enum sign_kind kind, str claims, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    const json *tree;
    if (kind != SIGN_JWT_SVID && kind != SIGN_WIT_SVID)
        return true;
    return jwt_payload(&a, claims, &tree, err) &&
           may_have_svid(c, json_get_str(tree, S("sub")), err);
}

void core_sign_jwt(void *ctx, enum sign_kind kind, str claims,
                   void (*token)(void *arg, str token, str why), void *arg)
{
    struct core *c = ctx;
    struct err err;
    if (!may_have_jwt(c, kind, claims, &err)) {
        token(arg, (str){0}, str_z(err.text));
        return;
    }
    uint64_t id = begin(c, &(struct signing){.token = token, .arg = arg});
    if (id)
        role_send(c->keeper, MSG_SIGN_JWT, id, &(struct msg_sign_jwt){(uint8_t)kind, claims});
}

void core_sign_x509(void *ctx, str spiffe_id, str spki, int64_t life_s,
                    void (*chain)(void *arg, str chain, int64_t not_after_s, str why), void *arg)
{
    struct core *c = ctx;
    struct err err;
    if (!may_have_svid(c, spiffe_id, &err)) {
        chain(arg, (str){0}, 0, str_z(err.text));
        return;
    }
    uint64_t id = begin(c, &(struct signing){.chain = chain, .arg = arg});
    if (id)
        role_send(c->keeper, MSG_SIGN_X509, id, &(struct msg_sign_x509){spiffe_id, spki, life_s});
}

void core_rotate(void *ctx, uint8_t kind, bool revoke,
                 void (*rotated)(void *arg, const struct msg_rotated *m, str why), void *arg)
{
    struct core *c = ctx;
    uint64_t id = begin(c, &(struct signing){.rotated = rotated, .arg = arg});
    if (id)
        role_send(c->keeper, MSG_ROTATE, id, &(struct msg_rotate){kind, revoke});
}

/* ---- answers ---- */

static bool finish(struct core *c, uint64_t id, bool is_token, str made, int64_t not_after_s,
                   str why)
{
    char room[24];
    struct signing *s = map_get(&c->signings, key_of(id, room));
    if (!s || (made.n && (s->rotated || is_token != (s->token != NULL))))
        return false;
    map_del(&c->signings, key_of(id, room));
    done(s, made, not_after_s, why);
    free(s);
    return true;
}

void core_on_signed_token(struct core *c, uint64_t id, str token)
{
    finish(c, id, true, token, 0, (str){0});
}

void core_on_signed_x509(struct core *c, uint64_t id, const struct msg_signed_x509 *m)
{
    finish(c, id, false, m->chain, m->not_after_s, (str){0});
}

void core_on_rotated(struct core *c, uint64_t id, const struct msg_rotated *m)
{
    char room[24];
    struct signing *s = map_get(&c->signings, key_of(id, room));
    if (!s || !s->rotated)
        return;
    map_del(&c->signings, key_of(id, room));
    s->rotated(s->arg, m, (str){0});
    free(s);
}

bool core_on_not_signed(struct core *c, uint64_t id, str why)
{
    return finish(c, id, false, (str){0}, 0, why);
}

void core_signings_fail(struct core *c)
{
    str id;
    void *v;
    for (size_t i = 0; map_next(&c->signings, &i, &id, &v);) {
        struct signing *s = v;
        done(s, (str){0}, 0, S("the keeper ended before it signed; try again"));
        map_del(&c->signings, id);
        free(s);
    }
}

/* ---- what the keeper publishes ---- */

static void keep(struct buf *to, str text)
{
    buf_clear(to);
    buf_put(to, text);
}

bool core_on_keys(struct core *c, const struct msg_keys *m, struct err *err)
{
    struct keyset keys = {0};
    if (!keyset_read(&keys, m->token_jwks, (str){0}, err))
        return false;
    keyset_fini(&c->gate.token_keys);
    c->gate.token_keys = keys;
    gate_tokens_forget(&c->gate); /* a key may be gone that they verified with */
    keep(&c->gate.token_jwks, m->token_jwks);
    keep(&c->gate.txn_jwks, m->txn_jwks);
    keep(&c->vkey, m->checkpoint_vkey);
    c->admin.vkey = buf_str(&c->vkey);
    return true;
}

bool core_on_bundle(struct core *c, const struct msg_bundle *m, struct err *err)
{
    if (!trust_set_own(c->gate.trust, m->jwks, (str){0}, m->sequence, err))
        return false;
    keep(&c->bundle.jwks, m->jwks);
    keep(&c->bundle.roots, m->roots);
    c->bundle.sequence = m->sequence;
    core_bundle_changed(c);
    return true;
}

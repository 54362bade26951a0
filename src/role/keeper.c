/* keeper: the process that holds keys and secrets, and talks to nobody but core, edges and the
 * runner.
 *
 *     core:    KEYS and BUNDLE go out to each new core and when they change; SIGN_JWT, SIGN_X509,
 *              SIGN_CHECKPOINT, SECRETS_CHANGED come in
 *     edge:    RELEASE against a voucher of kind SECRET_EDGE
 *     runner:  RELEASE against a voucher of kind SECRET_RUNNER
 *
 * What it refuses even to core: tokens and certificates that live too long or say what is not
 * core's to say (keeper_sign.h), and a checkpoint of the ledger that contradicts one it has signed.
 * What it refuses to anybody: a secret without a voucher, twice on one voucher, or to the wrong
 * role. */
#include "role/keeper_sign.h"
#include "base/clock.h"
#include "base/limits.h"
#include "crypto/hash.h"
#include "crypto/voucher.h"
#include "net/chan.h"
#include "net/timer.h"

#include <stdlib.h>

/* Of one voucher's life, VOUCHER_LIFE_MS: room for 17,000 releases a second. */
enum { VOUCHERS_MAX = 1 << 19 };
/* Keys are looked after when the ring asks for it, and as often in case the clock was set. */
enum { TEND_MS_MAX = 30 * 1000, TEND_AGAIN_MS = 1000 };

struct keeper {
    struct role_env *env;
    struct keeper_keys keys;
    struct secret *voucher_key;
    struct voucher_used *used;
    struct chan *core; /* NULL: away */
    struct timer tend;
};

/* ---- release ---- */

/* The headers or variables of a binding, whichever its kind has. */
static const struct conf_value *values_of(const struct conf_binding *b, size_t *n)
{
    *n = b->kind == BINDING_HTTP ? b->headers_n : b->kind == BINDING_STDIO ? b->env_n : 0;
    return b->kind == BINDING_HTTP ? b->headers : b->env;
}

/* `only`: the name in the voucher; "*" stands for all that the binding uses. */
static bool collect(const struct keeper *k, const struct conf_binding *b, str only, struct buf *run,
                    struct err *err)
{
    size_t n, found = 0;
    const struct conf_value *values = values_of(b, &n);
    for (size_t i = 0; i < n; i++) {
        struct secret *s;
        if (!values[i].secret.n || (!str_eq(only, S("*")) && !str_eq(only, values[i].secret)))
            continue;
        if (!secrets_get(&k->keys.secrets, values[i].secret, &s, err))
            return false;
        pack_str(run, values[i].secret);
        pack_str(run, secret_str(s));
        secret_free(s);
        found++;
    }
    if (!found)
        return err_denied(err, "%.*s uses no such secret", STR(b->name));
    return !run->over || err_limit(err, "the secrets of %.*s are too large", STR(b->name));
}

static bool check(struct keeper *k, enum role peer, str bytes, struct voucher *out, struct err *err)
{
    int64_t now_ms = clock_wall_ms();
    enum voucher_kind want = peer == ROLE_EDGE ? VOUCHER_SECRET_EDGE : VOUCHER_SECRET_RUNNER;
    if (!voucher_check(k->voucher_key, bytes, now_ms, out, err))
        return false;
    if (out->kind != want)
        return err_denied(err, "this voucher is not for the %s", role_name(peer));
    return voucher_used_take(k->used, out, now_ms, err);
}

static bool release(struct keeper *k, enum role peer, str payload, struct buf *run, struct err *err)
{
    struct msg_release m;
    struct voucher v;
    if (!message_unpack(MSG_RELEASE, payload, &m, err) || !check(k, peer, m.voucher, &v, err))
        return false;
    const struct conf_binding *b = conf_binding(&k->env->conf, v.binding);
    if (!b || b->kind != (peer == ROLE_EDGE ? BINDING_HTTP : BINDING_STDIO))
        return err_denied(err, "there is no such server for the %s", role_name(peer));
    return collect(k, b, v.secret, run, err);
}

static void on_release(struct keeper *k, enum role peer, struct chan *chan, uint64_t id,
                       str payload)
{
    struct err err = {0};
    struct buf run = {.max = 256 << 10};
    if (release(k, peer, payload, &run, &err)) {
        struct msg_secret m = {.values = buf_str(&run)};
        role_send(chan, MSG_SECRET, id, &m);
    } else {
        struct msg_text m = {.text = str_z(err.text)};
        log_warn("secret not released", LOG_STR("peer", str_z(role_name(peer))), LOG_ERR(&err));
        role_send(chan, MSG_NO_SECRET, id, &m);
    }
    buf_wipe(&run);
}

/* ---- what others verify with ---- */

static void publish(struct keeper *k)
{
    struct buf tokens = {0}, txns = {0}, jwks = {0}, roots = {0};
    if (!k->core || !k->keys.unpublished)
        return;
    k->keys.unpublished = false;
    keyring_jwks(k->keys.ring, CA_TASK, &tokens);
    keyring_jwks(k->keys.ring, CA_TXN, &txns);
    keyring_bundle(k->keys.ring, &jwks, &roots);
    struct msg_keys keys = {.token_jwks = buf_str(&tokens),
                            .txn_jwks = buf_str(&txns),
                            .checkpoint_vkey = buf_str(&k->keys.checkpoint_vkey)};
    struct msg_bundle bundle = {.jwks = buf_str(&jwks),
                                .roots = buf_str(&roots),
                                .sequence = keyring_ca(k->keys.ring)->sequence};
    role_send(k->core, MSG_KEYS, 0, &keys);
    role_send(k->core, MSG_BUNDLE, 0, &bundle);
    buf_fini(&tokens);
    buf_fini(&txns);
    buf_fini(&jwks);
    buf_fini(&roots);
}

/* ---- signing ---- */

/* What it is signed with is known before it is. */
static void answer(struct keeper *k, struct chan *chan, enum message_type type, uint64_t id,
                   bool ok, const struct buf *text, const struct err *err)
{
    struct msg_text m = {.text = ok ? buf_str(text) : str_z(err->text)};
    publish(k);
    if (!ok)
        log_error("not signed", LOG_ERR(err));
    role_send(chan, ok ? type : MSG_NOT_SIGNED, id, &m);
}

static void on_sign_jwt(struct keeper *k, enum role peer, struct chan *chan, uint64_t id,
                        str payload)
{
    struct msg_sign_jwt m;
    struct err err = {0};
    struct buf token = {.max = 8 << 10};
    bool ok =
        message_unpack(MSG_SIGN_JWT, payload, &m, &err) &&
        keeper_sign_jwt(&k->keys, (enum sign_kind)m.kind, m.claims, clock_wall_ms(), &token, &err);
    answer(k, chan, MSG_SIGNED_TOKEN, id, ok, &token, &err);
    buf_fini(&token);
}

static void on_sign_x509(struct keeper *k, enum role peer, struct chan *chan, uint64_t id,
                         str payload)
{
    ARENA_SCOPE struct arena a = {0};
    struct msg_sign_x509 m;
    struct msg_signed_x509 signed_x509;
    struct err err = {0};
    if (message_unpack(MSG_SIGN_X509, payload, &m, &err) &&
        keeper_sign_x509(&k->keys, &a, &m, clock_wall_ms(), &signed_x509.chain,
                         &signed_x509.not_after_s, &err)) {
        publish(k);
        role_send(chan, MSG_SIGNED_X509, id, &signed_x509);
        return;
    }
    answer(k, chan, MSG_NOT_SIGNED, id, false, NULL, &err);
}

static void on_rotate(struct keeper *k, enum role peer, struct chan *chan, uint64_t id, str payload)
{
    struct msg_rotate m;
    struct msg_rotated done;
    struct err err = {0};
    if (!message_unpack(MSG_ROTATE, payload, &m, &err) ||
        !keeper_rotate(&k->keys, &m, clock_wall_ms() / 1000, &done, &err)) {
        answer(k, chan, MSG_NOT_SIGNED, id, false, NULL, &err);
        return;
    }
    log_info(m.revoke ? "keys were revoked" : "a key was rotated",
             LOG_STR("kind", str_z(ca_kind_name((enum ca_kind)m.kind))),
             LOG_NUM("sequence", done.sequence));
    publish(k);
    role_send(chan, MSG_ROTATED, id, &done);
}

static void on_sign_checkpoint(struct keeper *k, enum role peer, struct chan *chan, uint64_t id,
                               str payload)
{
    struct msg_sign_checkpoint m;
    struct err err = {0};
    struct buf note = {.max = 8 << 10};
    bool ok = message_unpack(MSG_SIGN_CHECKPOINT, payload, &m, &err) &&
              keeper_sign_checkpoint(&k->keys, m.size, m.root, &note, &err);
    answer(k, chan, MSG_SIGNED_CHECKPOINT, id, ok, &note, &err);
    buf_fini(&note);
}

static void on_secrets_changed(struct keeper *k, enum role peer, struct chan *chan, uint64_t id,
                               str payload)
{
    /* Nothing is kept between releases, so there is nothing to forget; say it for the operator. */
    log_info("secrets changed");
}

/* ---- the issuer's keys ---- */

static void tend(void *owner)
{
    struct keeper *k = owner;
    int64_t now_ms = clock_wall_ms();
    int64_t wait_ms = TEND_MS_MAX;
    struct err err;
    if (!keeper_tend(&k->keys, now_ms / 1000, &err)) {
        log_error("the issuer's keys could not be renewed; trying again", LOG_ERR(&err));
        wait_ms = TEND_AGAIN_MS;
    } else {
        if (k->keys.unpublished && k->core)
            log_info("the issuer's keys have changed",
                     LOG_NUM("sequence", keyring_ca(k->keys.ring)->sequence));
        publish(k);
        wait_ms = keyring_wake_s(k->keys.ring, now_ms / 1000) * 1000 - now_ms;
    }
    if (wait_ms > TEND_MS_MAX)
        wait_ms = TEND_MS_MAX;
    timer_start(&k->tend, k->env->loop, wait_ms > 0 ? wait_ms : 1, tend, k);
}

/* ---- the role ---- */

static const struct {
    uint16_t type;
    void (*fn)(struct keeper *k, enum role peer, struct chan *chan, uint64_t id, str payload);
} REQUESTS[] = {
    {MSG_RELEASE, on_release},
    {MSG_SIGN_JWT, on_sign_jwt},
    {MSG_SIGN_X509, on_sign_x509},
    {MSG_ROTATE, on_rotate},
    {MSG_SIGN_CHECKPOINT, on_sign_checkpoint},
    {MSG_SECRETS_CHANGED, on_secrets_changed},
};

static void *start(struct role_env *env, struct err *err)
{
    struct keeper *k = calloc(1, sizeof *k);
    if (!k)
        abort();
    k->env = env;
    if (!keeper_keys_open(&k->keys, env, err) || !voucher_used_new(VOUCHERS_MAX, &k->used, err))
        return NULL;
    if (!secret_of(env->setup.keeper_key, &k->voucher_key, err))
        return NULL;
    /* SETUP lay in the arena; from here on the keys lie in secrets only. */
    crypto_wipe((void *)(uintptr_t)env->setup.keeper_key.p, env->setup.keeper_key.n);
    crypto_wipe((void *)(uintptr_t)env->setup.seal_key.p, env->setup.seal_key.n);
    timer_start(&k->tend, env->loop, 1, tend, k);
    return k;
}

static void on_peer(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct keeper *k = state;
    chan_wipe_after_use(chan);
    if (peer != ROLE_CORE)
        return;
    k->core = chan;
    k->keys.unpublished = true;
    publish(k);
}

static void on_peer_lost(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    struct keeper *k = state;
    if (k->core == chan)
        k->core = NULL;
}

static void on_message(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd)
{
    for (size_t i = 0; i < sizeof REQUESTS / sizeof REQUESTS[0]; i++)
        if (REQUESTS[i].type == type)
            REQUESTS[i].fn(state, peer, chan, id, payload);
}

int role_keeper(void)
{
    /* The last to be told to drain: nobody is left to ask anything. */
    static const struct role_ops ops = {.self = ROLE_KEEPER,
                                        .start = start,
                                        .on_peer = on_peer,
                                        .on_peer_lost = on_peer_lost,
                                        .on_message = on_message};
    return role_main(&ops);
}

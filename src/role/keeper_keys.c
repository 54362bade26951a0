#include "role/keeper_keys.h"
#include "base/clock.h"
#include "base/limits.h"

static bool load_key(struct keeper_keys *k, str name, enum key_alg alg, struct key **out,
                     struct err *err)
{
    struct secret *der;
    if (secrets_read_sealed(&k->secrets, S("key"), name, &der, err)) {
        bool ok = key_from_pkcs8(secret_str(der), out, err) &&
                  (key_alg(*out) == alg || err_input(err, "it is a key of another kind"));
        secret_free(der);
        return ok || err_in(err, "keys/%.*s", STR(name));
    }
    if (err->kind != ERR_NOTFOUND)
        return err_in(err, "keys/%.*s", STR(name));
    if (!key_generate(alg, out, err) || !key_to_pkcs8(*out, &der, err))
        return false;
    bool ok = secrets_write_sealed(&k->secrets, S("key"), name, secret_str(der), err);
    secret_free(der);
    return ok || err_in(err, "keys/%.*s", STR(name));
}

/* ---- the last checkpoint: u64 size, big-endian, and the root ---- */

enum { LAST_LEN = 8 + HASH_LEN };

static bool load_last(struct keeper_keys *k, struct err *err)
{
    struct secret *s;
    if (!secrets_read_sealed(&k->secrets, S("checkpoint"), S("checkpoint.last"), &s, err)) {
        if (err->kind == ERR_NOTFOUND)
            return true;
        return err_in(err, "keys/checkpoint.last");
    }
    bool ok = s->n == LAST_LEN;
    if (ok) {
        for (size_t i = 0; i < 8; i++)
            k->last_size = k->last_size << 8 | s->p[i];
        memcpy(k->last_root.b, s->p + 8, HASH_LEN);
        k->has_last = true;
    }
    secret_free(s);
    return ok || err_input(err, "keys/checkpoint.last is not what was written there");
}

static bool save_last(const struct keeper_keys *k, uint64_t size, const struct hash *root,
                      struct err *err)
{
    uint8_t b[LAST_LEN];
    for (size_t i = 0; i < 8; i++)
        b[i] = (uint8_t)(size >> (56 - 8 * i));
    memcpy(b + 8, root->b, HASH_LEN);
    return secrets_write_sealed(&k->secrets, S("checkpoint"), S("checkpoint.last"),
                                str_of((const char *)b, sizeof b), err);
}

/* ---- the issuer ---- */

static const str ISSUER_FILE = {"issuer", 6};

struct ca_conf keeper_lives(const struct conf *c)
{
    const struct conf_lives *l = &c->lives;
    return (struct ca_conf){.life_s = {[CA_ROOT] = l->root_s,
                                       [CA_SIGNER] = l->ca_s,
                                       [CA_TOKEN] = l->ca_s,
                                       [CA_WIT] = l->ca_s,
                                       [CA_TASK] = l->ca_s,
                                       [CA_TXN] = l->ca_s},
                            .svid_life_s = l->x509_s,
                            .jwt_life_s = l->jwt_s,
                            .wit_life_s = l->x509_s,
                            .task_life_s = TASK_TOKEN_MS_MAX / 1000,
                            .txn_life_s = TXN_TOKEN_MS_MAX / 1000,
                            .refresh_s = l->refresh_s};
}

static bool save_ring(void *ctx, str bytes, struct err *err)
{
    struct keeper_keys *k = ctx;
    return secrets_write_sealed(&k->secrets, S("issuer"), ISSUER_FILE, bytes, err) ||
           err_in(err, "keys/issuer");
}

bool keeper_tend(struct keeper_keys *k, int64_t now_s, struct err *err)
{
    bool changed;
    if (!keyring_tend(k->ring, now_s, &(struct keyring_disk){k, save_ring}, &changed, err))
        return false;
    k->unpublished |= changed;
    return true;
}

static str newest_kid(const struct keeper_keys *k, enum ca_kind kind)
{
    const struct ca *ca = keyring_ca(k->ring);
    for (unsigned i = ca->n; i > 0; i--)
        if (ca->keys[i - 1].kind == kind)
            return keyring_kid(k->ring, ca->keys[i - 1].id);
    return (str){0};
}

bool keeper_rotate(struct keeper_keys *k, const struct msg_rotate *ask, int64_t now_s,
                   struct msg_rotated *out, struct err *err)
{
    const struct keyring_disk disk = {k, save_ring};
    enum ca_kind kind = (enum ca_kind)ask->kind;
    struct keyring_key old;
    if (ask->kind >= CA_KINDS)
        return err_input(err, "no such kind of key");
    bool had = keyring_current(k->ring, kind, now_s, &old);
    struct key_id old_kid = had ? key_id(old.key) : (struct key_id){0};
    if (!(ask->revoke ? keyring_revoke : keyring_rotate)(k->ring, kind, now_s, &disk, err))
        return false;
    k->unpublished = true;
    k->replaced = old_kid;
    *out = (struct msg_rotated){.old_kid = had ? key_id_str(&k->replaced) : (str){0},
                                .new_kid = newest_kid(k, kind),
                                .sequence = keyring_ca(k->ring)->sequence};
    return true;
}

static bool load_ring(struct keeper_keys *k, const struct conf *c, struct err *err)
{
    struct secret *s;
    struct ca_conf lives = keeper_lives(c);
    if (secrets_read_sealed(&k->secrets, S("issuer"), ISSUER_FILE, &s, err)) {
        bool ok = keyring_read(c->trust_domain, &lives, secret_str(s), &k->ring, err);
        secret_free(s);
        if (!ok)
            return err_in(err, "keys/issuer");
    } else if (err->kind != ERR_NOTFOUND) {
        return err_in(err, "keys/issuer");
    } else if (!keyring_new(c->trust_domain, &lives, &k->ring, err)) {
        return err_in(err, "\"identity\"");
    }
    return keeper_tend(k, clock_wall_ms() / 1000, err);
}

/* ---- opening ---- */

static bool write_public(struct keeper_keys *k, struct err *err)
{
    struct note_verifier v;
    if (!note_verifier(k->origin, NOTE_ED25519, k->checkpoint, &v, err))
        return err_in(err, "\"origin\"");
    note_vkey_write(&v, &k->checkpoint_vkey);
    return true;
}

bool keeper_keys_open(struct keeper_keys *k, const struct role_env *env, struct err *err)
{
    int keys = env->directories[DIRECTORY_KEYS], secrets = env->directories[DIRECTORY_SECRETS];
    *k = (struct keeper_keys){.origin = env->conf.origin, .trust_domain = env->conf.trust_domain};
    if (keys < 0 || secrets < 0)
        return err_peer(err, "the folders of keys and secrets were not handed over");
    k->conf = &env->conf;
    buf_put(&k->issuer, env->conf.issuer);
    return secrets_open(&k->secrets, keys, secrets, env->setup.seal_key, err) &&
           load_key(k, S("checkpoint.key"), KEY_ED25519, &k->checkpoint, err) &&
           load_last(k, err) && load_ring(k, &env->conf, err) && write_public(k, err);
}

void keeper_keys_close(struct keeper_keys *k)
{
    secrets_close(&k->secrets);
    keyring_free(k->ring);
    key_free(k->checkpoint);
    buf_fini(&k->issuer);
    buf_fini(&k->checkpoint_vkey);
    *k = (struct keeper_keys){0};
}

/* ---- signing ---- */

bool keeper_sign_checkpoint(struct keeper_keys *k, int64_t size, str root, struct buf *out,
                            struct err *err)
{
    struct checkpoint c = {.origin = k->origin, .size = (uint64_t)size};
    struct buf text = {0};
    if (size < 0 || root.n != HASH_LEN)
        return err_input(err, "a checkpoint has a size and a root of %d bytes", HASH_LEN);
    memcpy(c.root.b, root.p, HASH_LEN);
    bool same = k->has_last && c.size == k->last_size && hash_eq(&c.root, &k->last_root);
    if (k->has_last && c.size <= k->last_size && !same)
        return err_denied(err,
                          "a checkpoint of size %llu is signed already and this one of size %llu "
                          "contradicts it: the ledger was forked or restored from an old copy",
                          (unsigned long long)k->last_size, (unsigned long long)c.size);
    bool ok = checkpoint_write(&c, &text, err) && (same || save_last(k, c.size, &c.root, err));
    if (ok) {
        k->has_last = true;
        k->last_size = c.size;
        k->last_root = c.root;
        ok = note_sign(buf_str(&text), k->origin, k->checkpoint, out, err);
    }
    buf_fini(&text);
    return ok;
}

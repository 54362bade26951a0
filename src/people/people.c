#include "people/people.h"
#include "base/hex.h"
#include "base/rand.h"

#include <stdlib.h>

static void *grab(size_t n)
{
    void *p = calloc(1, n);
    if (!p)
        abort();
    return p;
}

void bearer_new(struct bearer *out, struct hash *hash)
{
    uint8_t bytes[HASH_LEN];
    struct buf text = {.max = BEARER_TEXT, .wipe = true};
    rand_bytes(bytes, sizeof bytes);
    base64url_encode(&text, str_of((const char *)bytes, sizeof bytes));
    memcpy(out->s, buf_str(&text).p, BEARER_TEXT);
    out->s[BEARER_TEXT] = 0;
    *hash = sha256(bearer_str(out));
    buf_wipe(&text);
    crypto_wipe(bytes, sizeof bytes);
}

str sign_in_name(enum sign_in method)
{
    return method == SIGN_IN_PASSKEY ? S("passkey") : method == SIGN_IN_OIDC ? S("oidc") : (str){0};
}

bool session_has_amr(const struct person_session *s, str value)
{
    str rest = str_z(s->amr), word;
    while (rest.n) {
        str_cut(rest, ' ', &word, &rest);
        if (value.n && str_eq(word, value))
            return true;
    }
    return false;
}

/* ---- life ---- */

void people_init(struct people *p, const struct conf *conf)
{
    *p = (struct people){.conf = conf};
    list_init(&p->by_age);
    p->rp.origin = conf->portal.origin;
    p->rp.id = conf->portal.rp_id;
}

static bool load_passkey(void *arg, const struct store_passkey *row)
{
    struct people *p = arg;
    const struct conf_person *who = conf_person(p->conf, row->person);
    struct passkey *k = grab(sizeof *k);
    struct err err;
    size_t used;
    if (!who || !cose_key_read(row->public_key, &used, &k->key, &err)) {
        free(k);
        return true;
    }
    k->person = who;
    k->credential = row->credential;
    k->cose = row->public_key;
    k->counter = (uint32_t)row->counter;
    k->added_ms = row->added_ms;
    k->used_ms = row->used_ms;
    people_add_passkey(p, k, NULL);
    return true;
}

static bool load_session(void *arg, const struct store_session *row)
{
    struct people *p = arg;
    const struct conf_person *who = conf_person(p->conf, row->person);
    enum sign_in method = str_eq(row->method, S("oidc")) ? SIGN_IN_OIDC : SIGN_IN_PASSKEY;
    if (!who || row->hash.n != HASH_LEN || row->amr.n > AMR_BYTES_MAX || row->acr.n > AMR_BYTES_MAX)
        return true;
    struct person_session *s = grab(sizeof *s);
    s->person = who;
    s->method = method;
    memcpy(s->hash.b, row->hash.p, HASH_LEN);
    memcpy(s->amr, row->amr.n ? row->amr.p : "", row->amr.n);
    memcpy(s->acr, row->acr.n ? row->acr.p : "", row->acr.n);
    s->auth_ms = row->auth_ms;
    s->created_ms = row->created_ms;
    s->used_ms = s->stored_ms = row->used_ms;
    people_add_session(p, s);
    return true;
}

static bool load_invite(void *arg, const struct store_invite *row)
{
    people_add_invite(arg, row);
    return true;
}

bool people_load(struct people *p, struct store_view *v, int64_t now_ms, struct err *err)
{
    if (!store_read_passkeys(v, load_passkey, p, err) ||
        !store_read_sessions(v, load_session, p, err) ||
        !store_read_invites(v, load_invite, p, err))
        return false;
    people_sweep(p, now_ms);
    return true;
}

void passkey_free(struct passkey *k)
{
    if (!k)
        return;
    free((void *)(uintptr_t)k->credential.p);
    free((void *)(uintptr_t)k->cose.p);
    free(k);
}

void people_fini(struct people *p)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&p->passkeys, &i, &key, &v);)
        passkey_free(v);
    for (size_t i = 0; map_next(&p->sessions, &i, &key, &v);)
        free(v);
    for (size_t i = 0; map_next(&p->invites, &i, &key, &v);)
        free(v);
    for (size_t i = 0; map_next(&p->ceremonies, &i, &key, &v);)
        free(v);
    map_fini(&p->passkeys);
    map_fini(&p->sessions);
    map_fini(&p->invites);
    map_fini(&p->ceremonies);
    arena_fini(&p->arena);
}

static bool session_is_over(const struct person_session *s, int64_t now_ms)
{
    return now_ms < s->created_ms || now_ms - s->created_ms >= SIGNED_IN_LIFE_MS ||
           now_ms - s->used_ms >= SIGNED_IN_IDLE_MS;
}

static void drop_ceremony(struct people *p, struct ceremony *c)
{
    map_del(&p->ceremonies, hash_str(&c->hash));
    list_remove(&c->node);
    free(c);
}

void people_sweep(struct people *p, int64_t now_ms)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&p->sessions, &i, &key, &v);) {
        struct person_session *s = v;
        if (session_is_over(s, now_ms)) {
            map_del(&p->sessions, hash_str(&s->hash));
            free(s);
        }
    }
    for (size_t i = 0; map_next(&p->invites, &i, &key, &v);) {
        struct invite *inv = v;
        if (inv->expires_ms <= now_ms) {
            map_del(&p->invites, hash_str(&inv->hash));
            free(inv);
        }
    }
    LIST_EACH(&p->by_age, it)
    {
        struct ceremony *c = LIST_ENTRY(it, struct ceremony, node);
        if (c->expires_ms > now_ms)
            break;
        drop_ceremony(p, c);
    }
}

size_t people_passkeys_of(const struct people *p, const struct conf_person *who)
{
    size_t n = 0;
    str key;
    void *v;
    for (size_t i = 0; map_next(&p->passkeys, &i, &key, &v);)
        n += ((struct passkey *)v)->person == who;
    return n;
}

size_t people_sessions_of(const struct people *p, const struct conf_person *who)
{
    size_t n = 0;
    str key;
    void *v;
    for (size_t i = 0; map_next(&p->sessions, &i, &key, &v);)
        n += ((struct person_session *)v)->person == who;
    return n;
}

const struct conf_person *people_first(const struct people *p)
{
    static const unsigned wanted[] = {ROLE_ADMINISTRATOR, ROLE_OWNER};
    if (map_count(&p->passkeys) || !p->rp.id.n)
        return NULL;
    for (size_t w = 0; w < 2; w++)
        for (size_t i = 0; i < p->conf->people_n; i++)
            if (p->conf->people[i].roles & wanted[w])
                return &p->conf->people[i];
    return NULL;
}

bool people_count_failure(struct people *p, int64_t now_ms)
{
    if (now_ms / 60000 != p->failures_minute) {
        p->failures_minute = now_ms / 60000;
        p->failures = 0;
    }
    return p->failures++ < FAILURES_PER_MINUTE;
}

/* ---- links ---- */

bool people_invite(struct people *p, struct arena *a, const struct conf_person *who, str by,
                   int64_t now_ms, struct bearer *code, struct store_invite *row, struct err *err)
{
    struct hash hash;
    if (!p->rp.id.n)
        return err_input(err, "there is no \"portal\" in the configuration, so nobody could use "
                              "the link");
    people_sweep(p, now_ms);
    if (map_count(&p->invites) >= INVITES_MAX)
        return err_limit(err, "%d links wait to be used; they end after 15 minutes", INVITES_MAX);
    if (people_passkeys_of(p, who) >= PASSKEYS_PER_PERSON_MAX)
        return err_limit(err, "%.*s has %d passkeys; revoke them first (`ambit person revoke`)",
                         STR(who->name), PASSKEYS_PER_PERSON_MAX);
    bearer_new(code, &hash);
    *row = (struct store_invite){.hash = str_dup(a, hash_str(&hash)),
                                 .person = who->name,
                                 .made_by = by,
                                 .created_ms = now_ms,
                                 .expires_ms = now_ms + INVITE_LIFE_MS};
    return true;
}

void people_add_invite(struct people *p, const struct store_invite *row)
{
    const struct conf_person *who = conf_person(p->conf, row->person);
    if (!who || row->hash.n != HASH_LEN)
        return;
    struct invite *inv = grab(sizeof *inv);
    inv->person = who;
    inv->expires_ms = row->expires_ms;
    memcpy(inv->hash.b, row->hash.p, HASH_LEN);
    free(map_put(&p->invites, row->hash, inv));
}

str people_invite_url(const struct people *p, struct arena *a, const struct bearer *code)
{
    return str_fmt(a, "%.*s/enrol#%s", STR(p->rp.origin), code->s);
}

/* ---- ceremonies ---- */

static struct ceremony *begin(struct people *p, enum ceremony_kind kind, int64_t now_ms,
                              struct bearer *handle)
{
    struct ceremony *c = grab(sizeof *c);
    people_sweep(p, now_ms);
    if (map_count(&p->ceremonies) >= CEREMONIES_MAX) /* a flood drops the oldest, not the newest */
        drop_ceremony(p, LIST_ENTRY(list_first(&p->by_age), struct ceremony, node));
    bearer_new(handle, &c->hash);
    rand_bytes(c->challenge, sizeof c->challenge);
    c->kind = kind;
    c->expires_ms = now_ms + CEREMONY_LIFE_MS;
    map_put(&p->ceremonies, hash_str(&c->hash), c);
    list_append(&p->by_age, &c->node);
    return c;
}

static struct invite *find_invite(const struct people *p, const struct hash *hash, int64_t now_ms,
                                  struct err *err)
{
    struct invite *inv = map_get(&p->invites, hash_str(hash));
    if (inv && inv->expires_ms > now_ms)
        return inv;
    err_denied(err, "the link was used, has run out (15 minutes) or never was; ask an "
                    "administrator for another: `ambit person invite NAME`");
    return NULL;
}

bool people_begin_enrol(struct people *p, str code, int64_t now_ms, struct bearer *handle,
                        const struct ceremony **out, struct err *err)
{
    struct hash hash = sha256(code);
    struct invite *inv = find_invite(p, &hash, now_ms, err);
    if (!inv)
        return false;
    struct ceremony *c = begin(p, CEREMONY_ENROL, now_ms, handle);
    c->person = inv->person;
    c->invite = inv->hash;
    *out = c;
    return true;
}

bool people_begin_sign_in(struct people *p, int64_t now_ms, struct bearer *handle,
                          const struct ceremony **out, struct err *err)
{
    if (!p->rp.id.n)
        return err_input(err, "there is no \"portal\" in the configuration");
    *out = begin(p, CEREMONY_SIGN_IN, now_ms, handle);
    return true;
}

/* Out of the map in any case: a handle works once. */
static bool take(struct people *p, str handle, enum ceremony_kind kind, int64_t now_ms,
                 struct ceremony *out, struct err *err)
{
    struct hash hash = sha256(handle);
    struct ceremony *c = map_get(&p->ceremonies, hash_str(&hash));
    bool ok = c && c->kind == kind && c->expires_ms > now_ms;
    if (c) {
        *out = *c;
        drop_ceremony(p, c);
    }
    return ok || err_denied(err, "this page waited too long or was used already; reload it");
}

bool people_begin_oidc(struct people *p, str next, int64_t now_ms, const struct ceremony **out,
                       struct err *err)
{
    struct bearer handle;
    if (next.n > NEXT_BYTES_MAX)
        return err_input(err, "there is no such page");
    struct ceremony *c = begin(p, CEREMONY_OIDC, now_ms, &handle);
    c->handle = handle;
    memcpy(c->next, next.n ? next.p : "", next.n);
    *out = c;
    return true;
}

bool people_take_oidc(struct people *p, str handle, int64_t now_ms, struct ceremony *out,
                      struct err *err)
{
    return take(p, handle, CEREMONY_OIDC, now_ms, out, err);
}

bool people_finish_enrol(struct people *p, str handle, str credential, str authn_data,
                         str client_data, int64_t now_ms, struct passkey **out, struct hash *invite,
                         struct err *err)
{
    struct ceremony c;
    struct authn_data d;
    if (!take(p, handle, CEREMONY_ENROL, now_ms, &c, err) ||
        !find_invite(p, &c.invite, now_ms, err) ||
        !passkey_registered(&p->rp, str_of((const char *)c.challenge, sizeof c.challenge),
                            authn_data, client_data, &d, err))
        return false;
    if (!str_eq(d.credential, credential))
        return err_input(err, "the browser names another credential than the authenticator");
    if (people_passkey(p, d.credential))
        return err_input(err, "this passkey is enrolled already");
    struct passkey *k = grab(sizeof *k);
    *k = (struct passkey){.person = c.person,
                          .credential = d.credential,
                          .cose = d.cose,
                          .key = d.key,
                          .counter = d.counter,
                          .added_ms = now_ms};
    k->credential.p = memcpy(grab(d.credential.n), d.credential.p, d.credential.n);
    k->cose.p = memcpy(grab(d.cose.n), d.cose.p, d.cose.n);
    *out = k;
    *invite = c.invite;
    return true;
}

/* One answer for an unknown passkey and one of somebody else: who asks learns nothing. */
static bool not_known(struct err *err)
{
    return err_denied(err, "this passkey is not known here; use another, or ask an administrator "
                           "for an enrolment link");
}

bool people_finish_sign_in(struct people *p, str handle, const struct assertion *as, int64_t now_ms,
                           struct passkey **out, uint32_t *counter, struct err *err)
{
    struct ceremony c;
    if (!take(p, handle, CEREMONY_SIGN_IN, now_ms, &c, err))
        return false;
    struct passkey *k = people_passkey(p, as->credential);
    if (!k)
        return not_known(err);
    if (!passkey_asserted(&p->rp, &k->key, k->counter,
                          str_of((const char *)c.challenge, sizeof c.challenge), as, counter, err))
        return false;
    *out = k;
    return true;
}

bool people_signed(struct people *p, const struct conf_person *who, str statement,
                   const struct assertion *as, struct passkey **out, uint32_t *counter,
                   struct err *err)
{
    struct hash challenge = statement_challenge(statement);
    struct passkey *k = people_passkey(p, as->credential);
    if (!k || k->person != who)
        return not_known(err);
    if (!passkey_asserted(&p->rp, &k->key, k->counter, hash_str(&challenge), as, counter, err))
        return false;
    *out = k;
    return true;
}

void people_add_passkey(struct people *p, struct passkey *k, const struct hash *invite)
{
    if (!invite) { /* from the store: bytes that are not ours yet */
        k->credential.p = memcpy(grab(k->credential.n), k->credential.p, k->credential.n);
        k->cose.p = memcpy(grab(k->cose.n), k->cose.p, k->cose.n);
    }
    passkey_free(map_put(&p->passkeys, k->credential, k));
    if (invite)
        free(map_del(&p->invites, hash_str(invite)));
}

struct passkey *people_passkey(const struct people *p, str credential)
{
    return credential.n ? map_get(&p->passkeys, credential) : NULL;
}

void people_revoke(struct people *p, const struct conf_person *who)
{
    str key;
    void *v;
    for (size_t i = 0; map_next(&p->passkeys, &i, &key, &v);) {
        struct passkey *k = v;
        if (k->person == who) {
            map_del(&p->passkeys, k->credential);
            passkey_free(k);
        }
    }
    for (size_t i = 0; map_next(&p->sessions, &i, &key, &v);) {
        struct person_session *s = v;
        if (s->person == who)
            people_end_session(p, &s->hash);
    }
    for (size_t i = 0; map_next(&p->invites, &i, &key, &v);) {
        struct invite *inv = v;
        if (inv->person == who) {
            map_del(&p->invites, hash_str(&inv->hash));
            free(inv);
        }
    }
    LIST_EACH(&p->by_age, it)
    {
        struct ceremony *c = LIST_ENTRY(it, struct ceremony, node);
        if (c->person == who)
            drop_ceremony(p, c);
    }
}

/* ---- sessions ---- */

bool people_session_new(struct people *p, const struct conf_person *who, enum sign_in method,
                        str amr, str acr, int64_t auth_ms, int64_t now_ms, struct bearer *id,
                        struct person_session **out, struct err *err)
{
    if (amr.n > AMR_BYTES_MAX || acr.n > AMR_BYTES_MAX || !str_is_utf8(amr) || !str_is_utf8(acr))
        return err_input(err, "the sign-in's amr or acr is longer than %d bytes", AMR_BYTES_MAX);
    people_sweep(p, now_ms);
    if (people_sessions_of(p, who) >= SESSIONS_PER_PERSON_MAX)
        return err_limit(err, "%.*s is signed in %d times; sign out somewhere", STR(who->name),
                         SESSIONS_PER_PERSON_MAX);
    struct person_session *s = grab(sizeof *s);
    *s = (struct person_session){.person = who,
                                 .method = method,
                                 .auth_ms = auth_ms,
                                 .created_ms = now_ms,
                                 .used_ms = now_ms,
                                 .stored_ms = now_ms};
    memcpy(s->amr, amr.n ? amr.p : "", amr.n);
    memcpy(s->acr, acr.n ? acr.p : "", acr.n);
    bearer_new(id, &s->hash);
    *out = s;
    return true;
}

void people_add_session(struct people *p, struct person_session *s)
{
    free(map_put(&p->sessions, hash_str(&s->hash), s));
}

struct person_session *people_session(struct people *p, str id, int64_t now_ms)
{
    if (id.n != BEARER_TEXT)
        return NULL;
    struct hash hash = sha256(id);
    struct person_session *s = map_get(&p->sessions, hash_str(&hash));
    if (!s)
        return NULL;
    if (session_is_over(s, now_ms)) {
        people_end_session(p, &hash);
        return NULL;
    }
    s->used_ms = now_ms;
    return s;
}

void people_end_session(struct people *p, const struct hash *hash)
{
    free(map_del(&p->sessions, hash_str(hash)));
}

/* Issuers elsewhere: their documents, and how old those may get. */
#include "identity/trust_int.h"

#include <stdio.h>
#include <stdlib.h>

const char *trust_age_name(enum trust_age age)
{
    static const char *const NAMES[] = {[TRUST_WAITING] = "waiting",
                                        [TRUST_CURRENT] = "current",
                                        [TRUST_LATE] = "late",
                                        [TRUST_STALE] = "stale"};
    return (size_t)age < sizeof NAMES / sizeof *NAMES ? NAMES[age] : NAMES[0];
}

/* ---- which keys it may have ---- */

static struct foreign_rules rules_of(const struct conf_issuer *c)
{
    bool svid = c->kind == ISSUER_SPIFFE;
    unsigned named = 0;
    enum jwa rsa = JWA_NONE;
    size_t n_rsa = 0;
    for (size_t i = 0; i < c->algorithms_n; i++) {
        enum jwa alg = jwa_parse(c->algorithms[i]);
        named |= alg == JWA_NONE ? 0 : 1u << alg;
        if (alg != JWA_NONE && (JWA_SET_RSA & 1u << alg)) {
            rsa = alg;
            n_rsa++;
        }
    }
    if (c->algorithms_n == 0)
        rsa = svid ? JWA_RS256 : JWA_NONE;
    else if (n_rsa > 1)
        rsa = JWA_NONE;
    unsigned kind = svid ? JWA_SET_SVID : JWA_SET_ALL;
    return (struct foreign_rules){.algorithms = c->algorithms_n ? named & kind : kind,
                                  .rsa = rsa,
                                  .use = svid ? S("jwt-svid") : (str){0}};
}

void trust_issuers_init(struct trust *t)
{
    t->issuers = calloc(t->conf->issuers_n + 1, sizeof *t->issuers);
    t->wanted = calloc(t->conf->issuers_n + 1, sizeof *t->wanted);
    if (!t->issuers || !t->wanted)
        abort();
    for (size_t i = 0; i < t->conf->issuers_n; i++)
        t->issuers[i] = (struct trust_issuer){.conf = &t->conf->issuers[i],
                                              .rules = rules_of(&t->conf->issuers[i]),
                                              .confirmed_ms = -1};
}

void trust_issuers_fini(struct trust *t)
{
    for (size_t i = 0; i < t->conf->issuers_n; i++)
        foreign_keys_fini(&t->issuers[i].keys);
    free(t->issuers);
    free(t->wanted);
    bundles_fini(&t->foreign);
}

/* ---- age ---- */

static int64_t refresh_of(const struct trust *t, const struct trust_issuer *i)
{
    const struct bundle *b =
        i->conf->kind == ISSUER_SPIFFE ? bundles_get(&t->foreign, i->conf->trust_domain) : NULL;
    return b ? bundle_refresh_s(b) : TRUST_OIDC_REFRESH_S;
}

static enum trust_age age_of(const struct trust *t, const struct trust_issuer *i, int64_t now_ms)
{
    if (i->confirmed_ms < 0)
        return TRUST_WAITING;
    /* A clock that was set back makes nothing younger than it was. */
    int64_t age_ms = now_ms - i->confirmed_ms;
    if (age_ms >= i->conf->max_age_ms || age_ms < -i->conf->max_age_ms)
        return TRUST_STALE;
    return age_ms > TRUST_LATE_HINTS * refresh_of(t, i) * 1000 ? TRUST_LATE : TRUST_CURRENT;
}

static bool is_usable(const struct trust *t, const struct trust_issuer *i, int64_t now_ms,
                      struct err *err)
{
    switch (age_of(t, i, now_ms)) {
    case TRUST_WAITING:
        return err_notfound(err,
                            "no keys of issuer \"%.*s\" were fetched yet; `ambit identity "
                            "issuers` shows why",
                            STR(i->conf->name));
    case TRUST_STALE:
        return err_denied(err,
                          "the keys of issuer \"%.*s\" could not be fetched anew for too "
                          "long; `ambit identity issuers` shows why",
                          STR(i->conf->name));
    case TRUST_CURRENT:
    case TRUST_LATE:
        return true;
    }
    return false;
}

/* ---- by what a proof says of itself ---- */

bool trust_issuer_of_domain(const struct trust *t, str trust_domain, int64_t now_ms,
                            const struct trust_issuer **out, struct err *err)
{
    for (size_t i = 0; i < t->conf->issuers_n; i++)
        if (t->issuers[i].conf->kind == ISSUER_SPIFFE &&
            str_eq(t->issuers[i].conf->trust_domain, trust_domain)) {
            *out = &t->issuers[i];
            return is_usable(t, *out, now_ms, err);
        }
    return err_notfound(err, "trust domain %.*s is in no \"issuers\" of the configuration",
                        STR(trust_domain));
}

bool trust_issuer_of_url(const struct trust *t, str iss, int64_t now_ms,
                         const struct trust_issuer **out, struct err *err)
{
    for (size_t i = 0; i < t->conf->issuers_n; i++)
        if (t->issuers[i].conf->kind == ISSUER_OIDC && iss.n &&
            str_eq(t->issuers[i].conf->url, iss)) {
            *out = &t->issuers[i];
            return is_usable(t, *out, now_ms, err);
        }
    return err_notfound(err, "the token's `iss` is in no \"issuers\" of the configuration");
}

const struct bundle *trust_bundle(const struct trust *t, str trust_domain, int64_t now_ms)
{
    const struct trust_issuer *i;
    struct err err;
    if (str_eq(trust_domain, t->conf->trust_domain))
        return trust_own(t);
    return trust_issuer_of_domain(t, trust_domain, now_ms, &i, &err)
               ? bundles_get(&t->foreign, trust_domain)
               : NULL;
}

/* ---- documents ---- */

static struct trust_issuer *find(struct trust *t, str name)
{
    for (size_t i = 0; i < t->conf->issuers_n; i++)
        if (str_eq(t->issuers[i].conf->name, name))
            return &t->issuers[i];
    return NULL;
}

/* A bundle's certificates follow the rule of sequences in bundles_put, its token keys here: the
 * same number must have the same of both. */
static bool take_bundle(struct trust *t, struct trust_issuer *i, str document,
                        const struct foreign_keys *keys, bool *changed, struct err *err)
{
    str domain = i->conf->trust_domain;
    struct bundle *b;
    if (!bundle_read(domain, document, &b, err))
        return false;
    const struct bundle *old = bundles_get(&t->foreign, domain);
    bool same_keys = foreign_keys_same(&i->keys, keys), ok = true;
    if (old && bundle_sequence(b) >= 0 && bundle_sequence(b) == bundle_sequence(old) && !same_keys)
        ok = err_denied(err,
                        "bundle of %.*s: other token keys under the sequence %lld, which is "
                        "known",
                        STR(domain), (long long)bundle_sequence(b));
    if (ok && bundles_put(&t->foreign, b, changed, err)) {
        *changed |= !same_keys;
        return true;
    }
    bundle_free(b);
    return false;
}

static bool take(struct trust *t, struct trust_issuer *i, str document, bool *changed,
                 struct err *err)
{
    struct foreign_keys keys = {0};
    if (!foreign_keys_read(document, &i->rules, &keys, err))
        return false;
    bool ok = true;
    if (i->conf->kind == ISSUER_SPIFFE)
        ok = take_bundle(t, i, document, &keys, changed, err);
    else
        *changed = !foreign_keys_same(&i->keys, &keys);
    if (!ok) {
        foreign_keys_fini(&keys);
        return false;
    }
    foreign_keys_fini(&i->keys);
    i->keys = keys;
    return true;
}

bool trust_take(struct trust *t, str issuer, str document, int64_t now_ms, bool *changed,
                struct err *err)
{
    struct trust_issuer *i = find(t, issuer);
    bool differs = false;
    if (!i)
        return err_notfound(err, "no issuer \"%.*s\" in the configuration", STR(issuer));
    if (!take(t, i, document, &differs, err)) {
        trust_missed(t, issuer, str_z(err->text), now_ms);
        return err_in(err, "issuer %.*s", STR(issuer));
    }
    *changed = differs || i->confirmed_ms < 0;
    i->confirmed_ms = now_ms;
    i->problem[0] = 0;
    return true;
}

void trust_missed(struct trust *t, str issuer, str why, int64_t now_ms)
{
    struct trust_issuer *i = find(t, issuer);
    (void)now_ms;
    if (i)
        snprintf(i->problem, sizeof i->problem, "%.*s", STR(why));
}

bool trust_wanted(const struct trust *t, size_t i)
{
    bool wanted = t->wanted[i];
    t->wanted[i] = false;
    return wanted;
}

/* ---- for people ---- */

size_t trust_issuers(const struct trust *t)
{
    return t->conf->issuers_n;
}

void trust_state(const struct trust *t, size_t n, int64_t now_ms, struct trust_state *out)
{
    const struct trust_issuer *i = &t->issuers[n];
    const struct bundle *b =
        i->conf->kind == ISSUER_SPIFFE ? bundles_get(&t->foreign, i->conf->trust_domain) : NULL;
    *out = (struct trust_state){.issuer = i->conf,
                                .age = age_of(t, i, now_ms),
                                .confirmed_ms = i->confirmed_ms,
                                .refresh_s = refresh_of(t, i),
                                .sequence = b ? bundle_sequence(b) : -1,
                                .certificates = b ? bundle_x509_count(b) : 0,
                                .keys = i->keys.n,
                                .passed_over = i->keys.passed_over,
                                .problem = str_z(i->problem)};
}

#include "identity/ca.h"

#include <assert.h>
#include <string.h>

const char *ca_kind_name(enum ca_kind kind)
{
    static const char *const NAMES[CA_KINDS] = {
        [CA_ROOT] = "root CA",        [CA_SIGNER] = "signing CA",
        [CA_TOKEN] = "JWT-SVID key",  [CA_WIT] = "WIT-SVID key",
        [CA_TASK] = "task token key", [CA_TXN] = "transaction token key"};
    return NAMES[kind];
}

enum { DAY_S = 24 * 3600 };

struct ca_conf ca_conf_default(void)
{
    return (struct ca_conf){
        .life_s = {[CA_ROOT] = 365 * DAY_S,
                   [CA_SIGNER] = DAY_S,
                   [CA_TOKEN] = DAY_S,
                   [CA_WIT] = DAY_S,
                   [CA_TASK] = DAY_S,
                   [CA_TXN] = DAY_S},
        .svid_life_s = 3600,
        .jwt_life_s = 300,
        .wit_life_s = 3600,
        .task_life_s = 300,
        .txn_life_s = 120,
        .refresh_s = 60,
    };
}

/* ---- lives ---- */

enum { SIGNS_LEADS_MIN = 8, PREPARE_PART = 4 /* made in the last quarter of the one before */ };
#define TIME_MAX INT64_C(253402300799)

static int64_t lead_s(const struct ca_conf *c)
{
    return CA_LEAD_HINTS * c->refresh_s;
}

int64_t ca_signed_life_s(const struct ca_conf *c, enum ca_kind kind)
{
    const int64_t lives[CA_KINDS] = {
        [CA_ROOT] = c->life_s[CA_SIGNER], [CA_SIGNER] = c->svid_life_s, [CA_TOKEN] = c->jwt_life_s,
        [CA_WIT] = c->wit_life_s,         [CA_TASK] = c->task_life_s,   [CA_TXN] = c->txn_life_s};
    return lives[kind];
}

static bool is_certificate(enum ca_kind kind)
{
    return kind == CA_ROOT || kind == CA_SIGNER;
}

/* How long a key of that kind is there to sign, from its making. */
static int64_t signs_s(const struct ca_conf *c, enum ca_kind kind)
{
    return c->life_s[kind] - (is_certificate(kind) ? ca_signed_life_s(c, kind) : 0);
}

/* How long it stays, from its making. */
static int64_t stays_s(const struct ca_conf *c, enum ca_kind kind)
{
    return c->life_s[kind] + (is_certificate(kind) ? 0 : ca_signed_life_s(c, kind)) + 1 + CA_SKEW_S;
}

int64_t ca_slack_s(const struct ca *ca, enum ca_kind kind)
{
    return signs_s(&ca->conf, kind) / PREPARE_PART - lead_s(&ca->conf);
}

static bool in_range(int64_t v, int64_t min, int64_t max)
{
    return v >= min && v <= max;
}

/* That none lives too long, is renewed too often, or is needed more often than there is room for.
 */
static bool check_kind(const struct ca_conf *c, enum ca_kind kind, struct err *err)
{
    const char *name = ca_kind_name(kind);
    if (!in_range(c->life_s[kind], 1, CA_LIFE_S_MAX))
        return err_input(err, "the life of a %s is 1 to %d s", name, CA_LIFE_S_MAX);
    if (!in_range(ca_signed_life_s(c, kind), 1, CA_LIFE_S_MAX))
        return err_input(err, "the life of what a %s signs is 1 to %d s", name, CA_LIFE_S_MAX);
    int64_t signs = signs_s(c, kind);
    if (signs < SIGNS_LEADS_MIN * lead_s(c))
        return err_input(err,
                         "a %s must sign for %lld s at least: let it live longer, what it signs "
                         "shorter, or set a shorter refresh hint",
                         name, (long long)(SIGNS_LEADS_MIN * lead_s(c)));
    if (stays_s(c, kind) / (signs - signs / PREPARE_PART) + 2 > CA_KEYS_MAX)
        return err_input(err,
                         "a %s is renewed so often that more than %d were there at a time: let it "
                         "live longer, or what it signs shorter",
                         name, CA_KEYS_MAX);
    return true;
}

static bool check_conf(const struct ca_conf *c, struct err *err)
{
    if (!in_range(c->refresh_s, CA_REFRESH_S_MIN, CA_REFRESH_S_MAX))
        return err_input(err, "the refresh hint is %d to %d s", CA_REFRESH_S_MIN, CA_REFRESH_S_MAX);
    for (int kind = 0; kind < CA_KINDS; kind++)
        if (!check_kind(c, kind, err))
            return false;
    return true;
}

bool ca_init(struct ca *ca, const struct ca_conf *conf, struct err *err)
{
    if (!check_conf(conf, err))
        return false;
    *ca = (struct ca){.conf = *conf};
    return true;
}

static void refit(struct ca_key *k, const struct ca_conf *conf)
{
    int64_t below_s = ca_signed_life_s(conf, k->kind);
    if (!is_certificate(k->kind)) {
        if (k->end_s < k->use_until_s + below_s)
            k->end_s = k->use_until_s + below_s;
        k->gone_s = k->end_s + 1 + CA_SKEW_S;
    } else if (k->use_until_s > k->end_s - below_s) {
        k->use_until_s =
            k->end_s - below_s > k->use_from_s ? k->end_s - below_s : k->use_from_s + 1;
    }
}

bool ca_set_conf(struct ca *ca, const struct ca_conf *conf, struct err *err)
{
    if (!check_conf(conf, err))
        return false;
    ca->conf = *conf;
    for (unsigned i = 0; i < ca->n; i++)
        refit(&ca->keys[i], conf);
    return true;
}

static bool check_key(const struct ca *ca, unsigned i)
{
    const struct ca_key *k = &ca->keys[i];
    if (k->id == 0 || k->id > ca->last_id || (unsigned)k->kind >= CA_KINDS || k->early ||
        k->made_s < 0 || k->gone_s > TIME_MAX || k->made_s > k->use_from_s ||
        k->use_from_s >= k->use_until_s || k->use_until_s > k->end_s || k->end_s >= k->gone_s)
        return false;
    /* Ids grow, so that none stands there twice. */
    return (i == 0 || ca->keys[i - 1].id < k->id) && (k->kind == CA_SIGNER) == (k->parent != 0);
}

bool ca_check(const struct ca *ca, struct err *err)
{
    if (!check_conf(&ca->conf, err))
        return false;
    if (ca->n > CA_SLOTS_MAX || ca->sequence < 0)
        return err_input(err, "the state of the issuer is damaged");
    for (unsigned i = 0; i < ca->n; i++)
        if (!check_key(ca, i))
            return err_input(err, "the state of the issuer is damaged at key %u", i);
    return true;
}

/* ---- looking ---- */

bool ca_is_published(const struct ca_key *key)
{
    return key->kind == CA_ROOT || key->kind == CA_TOKEN || key->kind == CA_WIT;
}

const struct ca_key *ca_find(const struct ca *ca, uint64_t id)
{
    for (unsigned i = 0; i < ca->n; i++)
        if (ca->keys[i].id == id)
            return &ca->keys[i];
    return NULL;
}

static bool is_known_at(const struct ca_key *k, int64_t now_s)
{
    return k->made_s <= now_s + CA_SKEW_S;
}

bool ca_may_sign(const struct ca_key *key, int64_t now_s)
{
    return now_s < key->use_until_s;
}

/* Of the keys of a kind that may still sign, the one made last; `ready` asks for those only whose
 * time has come. */
static const struct ca_key *newest(const struct ca *ca, enum ca_kind kind, int64_t now_s,
                                   bool ready)
{
    const struct ca_key *best = NULL;
    for (unsigned i = 0; i < ca->n; i++) {
        const struct ca_key *k = &ca->keys[i];
        if (k->kind != kind || !is_known_at(k, now_s) || !ca_may_sign(k, now_s) ||
            (ready && k->use_from_s > now_s))
            continue;
        if (!best || k->made_s >= best->made_s)
            best = k;
    }
    return best;
}

/* Before their time, the one that was published first is the one that most have seen. */
static const struct ca_key *oldest(const struct ca *ca, enum ca_kind kind, int64_t now_s)
{
    const struct ca_key *best = NULL;
    for (unsigned i = 0; i < ca->n; i++) {
        const struct ca_key *k = &ca->keys[i];
        if (k->kind == kind && is_known_at(k, now_s) && ca_may_sign(k, now_s) &&
            (!best || k->made_s < best->made_s))
            best = k;
    }
    return best;
}

bool ca_current(const struct ca *ca, enum ca_kind kind, int64_t now_s, struct ca_key *out)
{
    const struct ca_key *k = newest(ca, kind, now_s, true);
    bool early = !k;
    if (early)
        k = oldest(ca, kind, now_s);
    if (!k)
        return false;
    *out = *k;
    out->early = early;
    return true;
}

/* When the one after it must be made. */
static int64_t successor_s(const struct ca_key *k)
{
    return k->use_until_s - (k->use_until_s - k->made_s) / PREPARE_PART;
}

bool ca_due(const struct ca *ca, int64_t now_s, enum ca_kind *kind)
{
    for (int i = 0; i < CA_KINDS; i++) {
        const struct ca_key *last = newest(ca, i, now_s, false);
        if (!last || now_s >= successor_s(last)) {
            *kind = i;
            return true;
        }
    }
    return false;
}

static int64_t sooner(int64_t best, int64_t at, int64_t now_s)
{
    return at > now_s && at < best ? at : best;
}

int64_t ca_wake_s(const struct ca *ca, int64_t now_s)
{
    int64_t best = INT64_MAX;
    for (unsigned i = 0; i < ca->n; i++) {
        const struct ca_key *k = &ca->keys[i];
        best = sooner(best, k->made_s - CA_SKEW_S, now_s);
        best = sooner(best, k->use_from_s, now_s);
        best = sooner(best, successor_s(k), now_s);
        best = sooner(best, k->use_until_s, now_s);
        best = sooner(best, k->gone_s, now_s);
    }
    return best;
}

/* ---- changing ---- */

bool ca_made(struct ca *ca, enum ca_kind kind, int64_t now_s, struct ca_key *out, struct err *err)
{
    assert((unsigned)kind < CA_KINDS);
    struct ca_key parent = {0};
    if (now_s < 0 || now_s > TIME_MAX - 2 * (int64_t)CA_LIFE_S_MAX - CA_SKEW_S - 1)
        return err_input(err, "the clock is wrong");
    if (ca->n == CA_SLOTS_MAX)
        return err_limit(err, "the issuer has %d keys already", CA_SLOTS_MAX);
    if (kind == CA_SIGNER && !ca_current(ca, CA_ROOT, now_s, &parent))
        return err_notfound(err, "no root CA that could sign a signing CA");
    struct ca_key k = {
        .id = ca->last_id + 1,
        .kind = kind,
        .parent = parent.id,
        .made_s = now_s,
        .use_from_s = now_s + lead_s(&ca->conf),
        .use_until_s = now_s + signs_s(&ca->conf, kind),
        .gone_s = now_s + stays_s(&ca->conf, kind),
    };
    k.end_s = k.gone_s - 1 - CA_SKEW_S;
    ca->last_id = k.id;
    ca->keys[ca->n++] = k;
    ca->sequence += ca_is_published(&k);
    *out = k;
    return true;
}

static void take_out(struct ca *ca, unsigned i, struct ca_key *out)
{
    *out = ca->keys[i];
    ca->n--;
    memmove(&ca->keys[i], &ca->keys[i + 1], (ca->n - i) * sizeof ca->keys[0]);
    ca->keys[ca->n] = (struct ca_key){0};
    ca->sequence += ca_is_published(out);
}

bool ca_sweep(struct ca *ca, int64_t now_s, struct ca_key *out)
{
    for (unsigned i = 0; i < ca->n; i++)
        if (ca->keys[i].gone_s <= now_s) {
            take_out(ca, i, out);
            return true;
        }
    return false;
}

bool ca_revoke(struct ca *ca, uint64_t id, struct ca_key *out)
{
    unsigned found = CA_SLOTS_MAX;
    for (unsigned i = 0; i < ca->n; i++) {
        if (ca->keys[i].parent == id && id != 0) {
            take_out(ca, i, out);
            return true;
        }
        if (ca->keys[i].id == id)
            found = i;
    }
    if (found == CA_SLOTS_MAX)
        return false;
    take_out(ca, found, out);
    return true;
}

void ca_retire(struct ca *ca, uint64_t id)
{
    for (unsigned i = 0; i < ca->n; i++)
        if (ca->keys[i].id == id)
            ca->keys[i].use_until_s = ca->keys[i].use_from_s + 1;
}

/* The configuration's member "identity". */
#include "conf/reader.h"

#include <stddef.h>

static const char *const IDENTITY_MEMBERS[] = {
    "workloadSocket", "wit", "x509Life", "jwtLife", "caLife", "rootLife", "refreshHint", NULL};

enum { UNIX_PATH_MAX_BYTES = 107 };

/* ---- lives of the issuer's keys and of what they sign ----
 *
 * The keeper has the last word (identity/ca.h); here stand the limits that a person can be told. */

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S, CA_SIGNS_HINTS = 24, KEYS_ALIVE = 8 };

static const struct life {
    const char *member;
    size_t offset;
    int64_t dflt_s, min_s, max_s;
} LIVES[] = {
    {"x509Life", offsetof(struct conf_lives, x509_s), HOUR_S, 10, 7 * DAY_S},
    {"jwtLife", offsetof(struct conf_lives, jwt_s), 300, 10, HOUR_S},
    {"caLife", offsetof(struct conf_lives, ca_s), DAY_S, 40, 90 * DAY_S},
    {"rootLife", offsetof(struct conf_lives, root_s), 365 * DAY_S, 60, 3650 * DAY_S},
    {"refreshHint", offsetof(struct conf_lives, refresh_s), 60, 1, HOUR_S},
};

/* A new CA must be known everywhere before the old one ends, and there is room for few of them. */
static void check_room(struct reader *r, struct at at, int64_t life_s, const char *below,
                       int64_t below_s, int64_t refresh_s)
{
    int64_t least_s = below_s + CA_SIGNS_HINTS * refresh_s;
    if (least_s < below_s + below_s / 4)
        least_s = below_s + below_s / 4;
    if (life_s < least_s)
        problem(r, at,
                "must be at least %lld seconds: \"%s\" and the greater of %d times \"refreshHint\" "
                "and a quarter of \"%s\"",
                (long long)least_s, below, CA_SIGNS_HINTS, below);
}

static void read_lives(struct reader *r, struct at at, struct conf_lives *out)
{
    for (size_t i = 0; i < sizeof LIVES / sizeof LIVES[0]; i++) {
        const struct life *l = &LIVES[i];
        struct at member = at.v ? at_member(r, at, l->member) : at;
        int64_t ms = at.v ? at_duration(r, member, l->dflt_s * 1000) : l->dflt_s * 1000;
        *(int64_t *)(void *)((char *)out + l->offset) = ms / 1000;
        if (ms / 1000 < l->min_s || ms / 1000 > l->max_s)
            problem(r, member, "must be %lld to %lld seconds", (long long)l->min_s,
                    (long long)l->max_s);
    }
    if (!at.v)
        return;
    check_room(r, at_member(r, at, "caLife"), out->ca_s, "x509Life", out->x509_s, out->refresh_s);
    check_room(r, at_member(r, at, "rootLife"), out->root_s, "caLife", out->ca_s, out->refresh_s);
    if (out->jwt_s > KEYS_ALIVE * out->ca_s)
        problem(r, at_member(r, at, "jwtLife"), "must be at most %d times \"caLife\"", KEYS_ALIVE);
}

void read_identity(struct reader *r, struct at at, struct conf *c)
{
    bool is_object = at.v && at_object(r, at, IDENTITY_MEMBERS);
    read_lives(r, is_object ? at : (struct at){0}, &c->lives);
    if (!is_object)
        return;
    struct at socket = at_member(r, at, "workloadSocket");
    c->workload_socket = at_path(r, socket, (str){0});
    c->wit = at_bool(r, at_member(r, at, "wit"), false);
    if (c->workload_socket.n > UNIX_PATH_MAX_BYTES)
        problem(r, socket, "a socket's path has at most %d bytes: choose a shorter one",
                UNIX_PATH_MAX_BYTES);
}

/* ---- bundle endpoints ---- */

bool read_listener_bundle(struct reader *r, struct at at, struct conf_listener *l)
{
    struct at member = at_member(r, at, "bundle");
    str kind = at_str(r, member, (str){0});
    bool tls = l->cert_file.n || l->key_file.n;
    if (!member.v)
        return false;
    l->bundle = str_eq(kind, S("web"))      ? BUNDLE_WEB
                : str_eq(kind, S("spiffe")) ? BUNDLE_SPIFFE
                                            : BUNDLE_NONE;
    l->oauth = false;
    if (!l->bundle)
        problem(r, member, "must be \"web\" or \"spiffe\"");
    if (l->bundle == BUNDLE_WEB && (!l->cert_file.n || !l->key_file.n))
        problem(r, at,
                "\"bundle\": \"web\" needs \"cert\" and \"key\", of an authority that browsers "
                "know too");
    if (l->bundle == BUNDLE_SPIFFE && tls)
        problem(r, at,
                "\"bundle\": \"spiffe\" has a certificate of the built-in issuer: leave \"cert\" "
                "and \"key\" out");
    if (l->bearer || l->svid || l->client_ca_file.n || l->client_ca_agents || l->origins_n)
        problem(r, at,
                "a listener with \"bundle\" serves the trust bundle to anybody and nothing else: "
                "only \"address\", \"cert\" and \"key\" go with it");
    return true;
}

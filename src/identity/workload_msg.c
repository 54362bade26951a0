#include "identity/workload_msg.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define M(number, kind, type, member)                                                              \
    {                                                                                              \
        number, PROTO_##kind, offsetof(struct type, member), NULL                                  \
    }
#define M_OF(number, type, member, table)                                                          \
    {                                                                                              \
        number, PROTO_MESSAGES, offsetof(struct type, member), &table                              \
    }
#define TABLE(var, name, type, members)                                                            \
    static const struct proto_table var = {name, sizeof(struct type), COUNT(members), members}

static const struct proto_table empty = {"request", sizeof(struct workload_empty), 0, NULL};

/* ---- X.509 ---- */
static const struct proto_member x509_svid_members[] = {
    M(1, STRING, workload_x509_svid, spiffe_id), M(2, BYTES, workload_x509_svid, chain),
    M(3, BYTES, workload_x509_svid, key),        M(4, BYTES, workload_x509_svid, bundle),
    M(5, STRING, workload_x509_svid, hint),
};
TABLE(x509_svid, "X509SVID", workload_x509_svid, x509_svid_members);
static const struct proto_member x509_svids_members[] = {
    M_OF(1, workload_x509_svids, svids, x509_svid),
    M(2, BYTES_LIST, workload_x509_svids, crl),
    M(3, MAP_BYTES, workload_x509_svids, federated),
};
TABLE(x509_svids, "X509SVIDResponse", workload_x509_svids, x509_svids_members);
static const struct proto_member x509_bundles_members[] = {
    M(1, BYTES_LIST, workload_x509_bundles, crl),
    M(2, MAP_BYTES, workload_x509_bundles, bundles),
};
TABLE(x509_bundles, "X509BundlesResponse", workload_x509_bundles, x509_bundles_members);

/* ---- JWT ---- */
static const struct proto_member jwt_ask_members[] = {
    M(1, STRINGS, workload_jwt_ask, audience),
    M(2, STRING, workload_jwt_ask, spiffe_id),
};
TABLE(jwt_ask, "JWTSVIDRequest", workload_jwt_ask, jwt_ask_members);
static const struct proto_member jwt_svid_members[] = {
    M(1, STRING, workload_jwt_svid, spiffe_id),
    M(2, STRING, workload_jwt_svid, svid),
    M(3, STRING, workload_jwt_svid, hint),
};
TABLE(jwt_svid, "JWTSVID", workload_jwt_svid, jwt_svid_members);
static const struct proto_member jwt_svids_members[] = {
    M_OF(1, workload_jwt_svids, svids, jwt_svid),
};
TABLE(jwt_svids, "JWTSVIDResponse", workload_jwt_svids, jwt_svids_members);
static const struct proto_member jwt_bundles_members[] = {
    M(1, MAP_BYTES, workload_jwt_bundles, bundles),
};
TABLE(jwt_bundles, "JWTBundlesResponse", workload_jwt_bundles, jwt_bundles_members);
static const struct proto_member validate_members[] = {
    M(1, STRING, workload_validate_ask, audience),
    M(2, STRING, workload_validate_ask, svid),
};
TABLE(validate_ask, "ValidateJWTSVIDRequest", workload_validate_ask, validate_members);
static const struct proto_member validated_members[] = {
    M(1, STRING, workload_validated, spiffe_id),
    M(2, BYTES, workload_validated, claims),
};
TABLE(validated, "ValidateJWTSVIDResponse", workload_validated, validated_members);

/* ---- WIT ---- */
static const struct proto_member wit_ask_members[] = {
    M(1, STRING, workload_wit_ask, spiffe_id),
};
TABLE(wit_ask, "WITSVIDRequest", workload_wit_ask, wit_ask_members);
static const struct proto_member wit_svid_members[] = {
    M(1, STRING, workload_wit_svid, spiffe_id),
    M(2, STRING, workload_wit_svid, svid),
    M(3, STRING, workload_wit_svid, key),
    M(4, STRING, workload_wit_svid, hint),
};
TABLE(wit_svid, "WITSVID", workload_wit_svid, wit_svid_members);
static const struct proto_member wit_svids_members[] = {
    M_OF(1, workload_wit_svids, svids, wit_svid),
};
TABLE(wit_svids, "WITSVIDResponse", workload_wit_svids, wit_svids_members);
static const struct proto_member wit_bundles_members[] = {
    M(1, MAP_STRING, workload_jwt_bundles, bundles),
};
TABLE(wit_bundles, "WITBundlesResponse", workload_jwt_bundles, wit_bundles_members);

#define PATH(name) "/SpiffeWorkloadAPI/" name
const struct workload_method_info workload_methods[WORKLOAD_METHODS] = {
    [WORKLOAD_FETCH_X509_SVID] = {PATH("FetchX509SVID"), &empty, &x509_svids, true, false},
    [WORKLOAD_FETCH_X509_BUNDLES] = {PATH("FetchX509Bundles"), &empty, &x509_bundles, true, false},
    [WORKLOAD_FETCH_JWT_SVID] = {PATH("FetchJWTSVID"), &jwt_ask, &jwt_svids, false, false},
    [WORKLOAD_FETCH_JWT_BUNDLES] = {PATH("FetchJWTBundles"), &empty, &jwt_bundles, true, false},
    [WORKLOAD_VALIDATE_JWT_SVID] = {PATH("ValidateJWTSVID"), &validate_ask, &validated, false,
                                    false},
    [WORKLOAD_FETCH_WIT_SVID] = {PATH("FetchWITSVID"), &wit_ask, &wit_svids, true, true},
    [WORKLOAD_FETCH_WIT_BUNDLES] = {PATH("FetchWITBundles"), &empty, &wit_bundles, true, true},
};

bool workload_method_find(str path, enum workload_method *out)
{
    for (unsigned m = 0; m < WORKLOAD_METHODS; m++)
        if (str_eq(path, str_z(workload_methods[m].path))) {
            *out = (enum workload_method)m;
            return true;
        }
    return false;
}

/* ---- what the specification demands beyond the format ---- */

static bool check_id(str id, struct err *err)
{
    if (!id.n)
        return true;
    if (id.n > WORKLOAD_ID_BYTES_MAX)
        return err_limit(err, "spiffe_id is over %d bytes", (int)WORKLOAD_ID_BYTES_MAX);
    return str_starts(id, S("spiffe://")) || err_input(err, "spiffe_id must begin with spiffe://");
}

static bool check_audience(str audience, struct err *err)
{
    if (!audience.n)
        return err_input(err, "audience must not be empty");
    return audience.n <= WORKLOAD_AUDIENCE_BYTES_MAX ||
           err_limit(err, "audience is over %d bytes", (int)WORKLOAD_AUDIENCE_BYTES_MAX);
}

static bool check_jwt_ask(const struct workload_jwt_ask *ask, struct err *err)
{
    if (!ask->audience.n)
        return err_input(err, "audience must be given");
    if (ask->audience.n > WORKLOAD_AUDIENCES_MAX)
        return err_limit(err, "over %d audiences", (int)WORKLOAD_AUDIENCES_MAX);
    for (size_t i = 0; i < ask->audience.n; i++)
        if (!check_audience(ask->audience.at[i], err))
            return false;
    return check_id(ask->spiffe_id, err);
}

bool workload_check_ask(enum workload_method m, const union workload_ask *ask, struct err *err)
{
    switch (m) {
    case WORKLOAD_FETCH_JWT_SVID:
        return check_jwt_ask(&ask->jwt, err);
    case WORKLOAD_VALIDATE_JWT_SVID:
        if (!check_audience(ask->validate.audience, err))
            return false;
        return ask->validate.svid.n || err_input(err, "svid must not be empty");
    case WORKLOAD_FETCH_WIT_SVID:
        return check_id(ask->wit.spiffe_id, err);
    default:
        return true;
    }
}

/* Members of the SVIDs that may be empty are those named "hint"; they are always the last. */
static bool check_svids(const struct proto_table *t, const void *list, size_t n, struct err *err)
{
    const struct proto_member *hint = &t->members[t->n - 1];
    if (!n)
        return err_notfound(err, "no identity for this caller");
    for (size_t i = 0; i < n; i++) {
        const char *at = (const char *)list + i * t->size;
        for (const struct proto_member *m = t->members; m < hint; m++)
            if (!((const str *)(const void *)(at + m->offset))->n)
                return err_input(err, "%s: field %u is empty", t->name, m->number);
        const str *mine = (const str *)(const void *)(at + hint->offset);
        for (size_t k = 0; mine->n && k < i; k++)
            if (str_eq(*mine, *(const str *)(const void *)((const char *)list + k * t->size +
                                                           hint->offset)))
                return err_input(err, "%s: two have the same hint", t->name);
    }
    return true;
}

static bool check_bundles(const struct proto_pairs *bundles, struct err *err)
{
    return bundles->n || err_notfound(err, "no bundle for this caller");
}

bool workload_check_answer(enum workload_method m, const union workload_answer *a, struct err *err)
{
    switch (m) {
    case WORKLOAD_FETCH_X509_SVID:
        return check_svids(&x509_svid, a->x509.svids.at, a->x509.svids.n, err);
    case WORKLOAD_FETCH_X509_BUNDLES:
        return check_bundles(&a->x509_bundles.bundles, err);
    case WORKLOAD_FETCH_JWT_SVID:
        return check_svids(&jwt_svid, a->jwt.svids.at, a->jwt.svids.n, err);
    case WORKLOAD_FETCH_JWT_BUNDLES:
        return check_bundles(&a->jwt_bundles.bundles, err);
    case WORKLOAD_VALIDATE_JWT_SVID:
        return (a->validated.spiffe_id.n && a->validated.claims.n) ||
               err_input(err, "ValidateJWTSVIDResponse: a field is empty");
    case WORKLOAD_FETCH_WIT_SVID:
        return check_svids(&wit_svid, a->wit.svids.at, a->wit.svids.n, err);
    case WORKLOAD_FETCH_WIT_BUNDLES:
        return check_bundles(&a->wit_bundles.bundles, err);
    case WORKLOAD_METHODS:
        break;
    }
    return err_input(err, "no such method");
}

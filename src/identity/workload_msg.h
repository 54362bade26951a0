/* workload_msg: the messages of the SPIFFE Workload API as structs.
 *
 * Source: SPIFFE Workload API, sections 5 (X.509), 6 (JWT) and 7 (WIT, incubating), field numbers
 * as in its workloadapi.proto. Requests without fields are read too (unknown fields are skipped).
 * Both directions, since Ambit is a server for its agents and a client of an outer issuer. What the
 * format allows and the specification forbids (an SVID without an id, hints that are not unique)
 * is found by workload_check, not here.
 *
 * Ownership, errors and limits as in proto.h: a decoded message borrows its input and the arena.
 * Buffers for messages with keys should have `wipe` set. Pure, thread-safe. */
#pragma once
#include "identity/proto.h"

enum workload_method {
    WORKLOAD_FETCH_X509_SVID,
    WORKLOAD_FETCH_X509_BUNDLES,
    WORKLOAD_FETCH_JWT_SVID,
    WORKLOAD_FETCH_JWT_BUNDLES,
    WORKLOAD_VALIDATE_JWT_SVID,
    WORKLOAD_FETCH_WIT_SVID,
    WORKLOAD_FETCH_WIT_BUNDLES,
    WORKLOAD_METHODS
};

struct workload_empty { /* X509SVIDRequest, X509BundlesRequest, JWTBundlesRequest, WITBundlesRequest
                         */
    char none;
};

/* ---- X.509 ---- */
struct workload_x509_svid {
    str spiffe_id;
    str chain;  /* DER certificates one after the other, leaf first */
    str key;    /* PKCS#8 DER, not encrypted: a secret */
    str bundle; /* DER certificates one after the other */
    str hint;
};
struct workload_x509_svids { /* X509SVIDResponse */
    struct {
        const struct workload_x509_svid *at;
        size_t n;
    } svids;
    struct proto_strs crl;
    struct proto_pairs federated; /* trust domain id -> DER certificates */
};
struct workload_x509_bundles { /* X509BundlesResponse */
    struct proto_strs crl;
    struct proto_pairs bundles;
};

/* ---- JWT ---- */
struct workload_jwt_ask { /* JWTSVIDRequest */
    struct proto_strs audience;
    str spiffe_id; /* empty: for all identities */
};
struct workload_jwt_svid {
    str spiffe_id, svid, hint;
};
struct workload_jwt_svids { /* JWTSVIDResponse */
    struct {
        const struct workload_jwt_svid *at;
        size_t n;
    } svids;
};
struct workload_jwt_bundles {   /* JWTBundlesResponse, WITBundlesResponse */
    struct proto_pairs bundles; /* trust domain id -> JWK Set */
};
struct workload_validate_ask { /* ValidateJWTSVIDRequest */
    str audience, svid;
};
struct workload_validated { /* ValidateJWTSVIDResponse */
    str spiffe_id;
    str claims; /* a google.protobuf.Struct: proto_put_struct, proto_read_struct */
};

/* ---- WIT ---- */
struct workload_wit_ask { /* WITSVIDRequest */
    str spiffe_id;        /* empty: for all identities */
};
struct workload_wit_svid {
    str spiffe_id;
    str svid;
    str key; /* JWK: a secret */
    str hint;
};
struct workload_wit_svids { /* WITSVIDResponse */
    struct {
        const struct workload_wit_svid *at;
        size_t n;
    } svids;
};

/* What is asked and answered:
 *
 *     method             asks with              is answered with        stream
 *     FETCH_X509_SVID    workload_empty         workload_x509_svids     yes
 *     FETCH_X509_BUNDLES workload_empty         workload_x509_bundles   yes
 *     FETCH_JWT_SVID     workload_jwt_ask       workload_jwt_svids      no
 *     FETCH_JWT_BUNDLES  workload_empty         workload_jwt_bundles    yes
 *     VALIDATE_JWT_SVID  workload_validate_ask  workload_validated      no
 *     FETCH_WIT_SVID     workload_wit_ask       workload_wit_svids      yes
 *     FETCH_WIT_BUNDLES  workload_empty         workload_jwt_bundles    yes
 */
union workload_ask {
    struct workload_empty empty;
    struct workload_jwt_ask jwt;
    struct workload_validate_ask validate;
    struct workload_wit_ask wit;
};
union workload_answer {
    struct workload_x509_svids x509;
    struct workload_x509_bundles x509_bundles;
    struct workload_jwt_svids jwt;
    struct workload_jwt_bundles jwt_bundles;
    struct workload_validated validated;
    struct workload_wit_svids wit;
    struct workload_jwt_bundles wit_bundles;
};
struct workload_method_info {
    const char *path; /* "/SpiffeWorkloadAPI/..." */
    const struct proto_table *ask, *answer;
    bool is_stream;
    bool is_wit;
};
extern const struct workload_method_info workload_methods[WORKLOAD_METHODS];
/* False if the path is none of them. */
MUST_USE bool workload_method_find(str path, enum workload_method *out);

/* Section 4.5 of the specification and the rules of each method. An ask: the fields that are
 * mandatory are there, audiences and ids within limits. An answer: at least one SVID or bundle
 * (ERR_NOTFOUND otherwise: the caller has no right to any), every mandatory field, hints unique. */
MUST_USE bool workload_check_ask(enum workload_method m, const union workload_ask *ask,
                                 struct err *err);
MUST_USE bool workload_check_answer(enum workload_method m, const union workload_answer *answer,
                                    struct err *err);
enum {
    WORKLOAD_AUDIENCES_MAX = 16,
    WORKLOAD_AUDIENCE_BYTES_MAX = 1024,
    WORKLOAD_ID_BYTES_MAX = 2048, /* SPIFFE ID, section 2.3 */
};

#include "ipc/message.h"
#include "base/limits.h"

static const char *const ROLES[ROLE_COUNT] = {"none",    "supervisor", "edge",     "core",
                                              "keeper",  "runner",     "workload", "portal",
                                              "fetcher", "witness",    "publisher"};

const char *role_name(enum role r)
{
    return r < ROLE_COUNT ? ROLES[r] : "none";
}

enum role role_parse(str s)
{
    for (unsigned i = 1; i < ROLE_COUNT; i++)
        if (str_eq(s, str_z(ROLES[i])))
            return (enum role)i;
    return ROLE_NONE;
}

const char *outcome_name(enum outcome o)
{
    static const char *const names[OUTCOME_COUNT] = {"none",    "ok",       "upstream_error",
                                                     "refused", "not_sent", "unknown"};
    return o < OUTCOME_COUNT ? names[o] : "none";
}

enum {
    ID_MAX = 64,
    NAME_MAX_BYTES = 256,
    TEXT_MAX = 4096,
    TOKEN_MAX = 8192,
    DIGEST = 32,
    VOUCHER_MAX = 1024,
    HTM_MAX = 16,
    CHAIN_MAX = 16 << 10,
    NOTE_MAX = 16 << 10,
};

#define END                                                                                        \
    {                                                                                              \
        FIELD_END, 0, 0, NULL                                                                      \
    }
#define U8(t, m)        FIELD(FIELD_U8, t, m, 0)
#define U32(t, m)       FIELD(FIELD_U32, t, m, 0)
#define I64(t, m)       FIELD(FIELD_I64, t, m, 0)
#define STRF(t, m, max) FIELD(FIELD_STR, t, m, max)
#define PROOF(t)                                                                                   \
    U8(t, proof.kind), U32(t, proof.listener), I64(t, proof.conn),                                 \
        STRF(t, proof.token, TOKEN_MAX), STRF(t, proof.task, ID_MAX), STRF(t, proof.cert, DIGEST), \
        STRF(t, proof.session, ID_MAX), STRF(t, proof.endpoint, NAME_MAX_BYTES),                   \
        STRF(t, proof.htm, HTM_MAX), STRF(t, proof.dpop, TEXT_MAX),                                \
        STRF(t, proof.chain, CHAIN_MAX), STRF(t, proof.peer, ID_MAX)

static const struct pack_field F_SETUP[] = {U32(struct msg_setup, index),
                                            STRF(struct msg_setup, config_name, 0),
                                            STRF(struct msg_setup, config_dir, 0),
                                            STRF(struct msg_setup, config, 0),
                                            STRF(struct msg_setup, policies, 0),
                                            STRF(struct msg_setup, keeper_key, DIGEST),
                                            STRF(struct msg_setup, runner_key, DIGEST),
                                            STRF(struct msg_setup, addresses, 0),
                                            STRF(struct msg_setup, runner_socket, 0),
                                            STRF(struct msg_setup, tls, 0),
                                            STRF(struct msg_setup, upstream_tls, 0),
                                            STRF(struct msg_setup, seal_key, DIGEST),
                                            I64(struct msg_setup, uid),
                                            I64(struct msg_setup, child_uid),
                                            I64(struct msg_setup, own_uid),
                                            I64(struct msg_setup, started_us),
                                            END};
static const struct pack_field F_LISTENER[] = {U8(struct msg_listener, kind),
                                               U32(struct msg_listener, index), END};
static const struct pack_field F_PEER[] = {U8(struct msg_peer, role), U32(struct msg_peer, index),
                                           END};
static const struct pack_field F_DIRECTORY[] = {U8(struct msg_directory, kind), END};
static const struct pack_field F_EMPTY[] = {END};
static const struct pack_field F_CALL[] = {PROOF(struct msg_call),
                                           STRF(struct msg_call, tool, NAME_MAX_BYTES),
                                           STRF(struct msg_call, args, 0),
                                           STRF(struct msg_call, approval, ID_MAX),
                                           STRF(struct msg_call, session_era, ID_MAX),
                                           END};
static const struct pack_field F_LIST[] = {PROOF(struct msg_list), END};
static const struct pack_field F_SESSION[] = {PROOF(struct msg_session),
                                              STRF(struct msg_session, version, ID_MAX), END};
static const struct pack_field F_OUTCOME[] = {STRF(struct msg_outcome, call, ID_MAX),
                                              U8(struct msg_outcome, status),
                                              U32(struct msg_outcome, http_status),
                                              I64(struct msg_outcome, bytes),
                                              I64(struct msg_outcome, rows),
                                              I64(struct msg_outcome, tokens),
                                              I64(struct msg_outcome, upstream_us),
                                              I64(struct msg_outcome, first_us),
                                              STRF(struct msg_outcome, result_digest, DIGEST),
                                              STRF(struct msg_outcome, error, TEXT_MAX),
                                              END};
static const struct pack_field F_CATALOG[] = {STRF(struct msg_catalog, binding, NAME_MAX_BYTES),
                                              STRF(struct msg_catalog, definitions, 0),
                                              STRF(struct msg_catalog, error, TEXT_MAX), END};
static const struct pack_field F_CONN_CLOSED[] = {I64(struct msg_conn_closed, conn), END};
static const struct pack_field F_GO[] = {STRF(struct msg_go, call, ID_MAX),
                                         STRF(struct msg_go, task, ID_MAX),
                                         STRF(struct msg_go, binding, NAME_MAX_BYTES),
                                         STRF(struct msg_go, tool, NAME_MAX_BYTES),
                                         STRF(struct msg_go, voucher, VOUCHER_MAX),
                                         STRF(struct msg_go, run_voucher, VOUCHER_MAX),
                                         I64(struct msg_go, answer_wait_ms),
                                         STRF(struct msg_go, txn, TOKEN_MAX),
                                         END};
static const struct pack_field F_REFUSED[] = {STRF(struct msg_refused, call, ID_MAX),
                                              U8(struct msg_refused, kind),
                                              STRF(struct msg_refused, text, TEXT_MAX),
                                              STRF(struct msg_refused, policies, 0),
                                              STRF(struct msg_refused, hold, ID_MAX),
                                              I64(struct msg_refused, expires_ms),
                                              STRF(struct msg_refused, auth_error, ID_MAX),
                                              STRF(struct msg_refused, dpop_nonce, ID_MAX),
                                              END};
static const struct pack_field F_RESULT[] = {STRF(struct msg_result, call, ID_MAX),
                                             STRF(struct msg_result, result, 0), END};
static const struct pack_field F_LIST_ANSWER[] = {STRF(struct msg_list_answer, tools, 0), END};
static const struct pack_field F_SESSION_ANSWER[] = {
    STRF(struct msg_session_answer, session, ID_MAX), END};
static const struct pack_field F_CONN[] = {I64(struct msg_conn, conn),
                                           STRF(struct msg_conn, agent, NAME_MAX_BYTES), END};
static const struct pack_field F_CUT[] = {STRF(struct msg_cut, task, ID_MAX), END};
static const struct pack_field F_CUT_DONE[] = {U32(struct msg_cut_done, streams),
                                               U32(struct msg_cut_done, calls), END};
static const struct pack_field F_STOP_CHILD[] = {STRF(struct msg_stop_child, task, ID_MAX),
                                                 U8(struct msg_stop_child, at_once), END};
static const struct pack_field F_CHILD_STOPPED[] = {U32(struct msg_child_stopped, programs), END};
static const struct pack_field F_DISCOVER[] = {STRF(struct msg_discover, binding, NAME_MAX_BYTES),
                                               STRF(struct msg_discover, voucher, VOUCHER_MAX),
                                               STRF(struct msg_discover, run_voucher, VOUCHER_MAX),
                                               END};
static const struct pack_field F_TEXT[] = {STRF(struct msg_text, text, 0), END};
static const struct pack_field F_WORKLOAD_CONN[] = {
    I64(struct msg_workload_conn, conn), STRF(struct msg_workload_conn, spiffe_id, 2048), END};
static const struct pack_field F_WORKLOAD_END[] = {I64(struct msg_workload_end, conn), END};
static const struct pack_field F_WORKLOAD_BUNDLES[] = {
    STRF(struct msg_workload_bundles, bundles, 0), I64(struct msg_workload_bundles, refresh_s),
    END};
static const struct pack_field F_WORKLOAD_GIVEN[] = {
    STRF(struct msg_workload_given, svid, 0), I64(struct msg_workload_given, not_after_s), END};
static const struct pack_field F_WORKLOAD_REFUSED[] = {
    U8(struct msg_workload_refused, kind), STRF(struct msg_workload_refused, text, TEXT_MAX), END};
static const struct pack_field F_WORKLOAD_ASK[] = {I64(struct msg_workload_ask, conn),
                                                   U8(struct msg_workload_ask, want),
                                                   STRF(struct msg_workload_ask, of, 0), END};
static const struct pack_field F_LOG_HAVE[] = {I64(struct msg_log_have, size), END};
static const struct pack_field F_LOG_LEAVES[] = {
    I64(struct msg_log_leaves, first), STRF(struct msg_log_leaves, entries, LOG_LEAVES_BYTES_MAX),
    END};
static const struct pack_field F_LOG_CHECKPOINT[] = {
    I64(struct msg_log_checkpoint, size), STRF(struct msg_log_checkpoint, note, NOTE_MAX), END};
static const struct pack_field F_LOG_PUBLISHED[] = {
    I64(struct msg_log_published, size), STRF(struct msg_log_published, why, TEXT_MAX), END};
static const struct pack_field F_LOOK[] = {U8(struct msg_look, sha256), END};
static const struct pack_field F_LOOKED[] = {STRF(struct msg_looked, path, TEXT_MAX),
                                             STRF(struct msg_looked, sha256, DIGEST),
                                             STRF(struct msg_looked, why, TEXT_MAX), END};
static const struct pack_field F_RELEASE[] = {STRF(struct msg_release, voucher, VOUCHER_MAX), END};
static const struct pack_field F_SECRET[] = {STRF(struct msg_secret, values, 0), END};
static const struct pack_field F_KEYS[] = {STRF(struct msg_keys, token_jwks, 0),
                                           STRF(struct msg_keys, txn_jwks, 0),
                                           STRF(struct msg_keys, checkpoint_vkey, TEXT_MAX), END};
static const struct pack_field F_SIGN_CHECKPOINT[] = {
    I64(struct msg_sign_checkpoint, size), STRF(struct msg_sign_checkpoint, root, DIGEST), END};

/* people */
static const struct pack_field F_PEOPLE_ASK[] = {
    STRF(struct msg_people_ask, session, ID_MAX),
    STRF(struct msg_people_ask, line, CONTROL_LINE_BYTES_MAX), END};
/* OAuth */
static const struct pack_field F_OAUTH[] = {PROOF(struct msg_oauth), U8(struct msg_oauth, endpoint),
                                            STRF(struct msg_oauth, form, 0), END};
static const struct pack_field F_OAUTH_ANSWER[] = {
    U32(struct msg_oauth_answer, status), STRF(struct msg_oauth_answer, body, 0),
    STRF(struct msg_oauth_answer, fields, TEXT_MAX), END};
/* The built-in issuer. */
enum { SPIFFE_MAX = 2048, SPKI_MAX = 1024 };
static const struct pack_field F_SIGN_JWT[] = {U8(struct msg_sign_jwt, kind),
                                               STRF(struct msg_sign_jwt, claims, TOKEN_MAX), END};
static const struct pack_field F_SIGN_X509[] = {STRF(struct msg_sign_x509, spiffe_id, SPIFFE_MAX),
                                                STRF(struct msg_sign_x509, spki, SPKI_MAX),
                                                I64(struct msg_sign_x509, life_s), END};
static const struct pack_field F_SIGNED_X509[] = {STRF(struct msg_signed_x509, chain, 0),
                                                  I64(struct msg_signed_x509, not_after_s), END};
static const struct pack_field F_BUNDLE[] = {STRF(struct msg_bundle, jwks, 0),
                                             STRF(struct msg_bundle, roots, 0),
                                             I64(struct msg_bundle, sequence), END};
static const struct pack_field F_ROTATE[] = {U8(struct msg_rotate, kind),
                                             U8(struct msg_rotate, revoke), END};
static const struct pack_field F_ROTATED[] = {STRF(struct msg_rotated, old_kid, ID_MAX),
                                              STRF(struct msg_rotated, new_kid, ID_MAX),
                                              I64(struct msg_rotated, sequence), END};
static const struct pack_field F_TRUST[] = {
    STRF(struct msg_trust, anchors, 0), STRF(struct msg_trust, document, 0),
    I64(struct msg_trust, sequence), I64(struct msg_trust, refresh_s), END};
static const struct pack_field F_SVID_WANTED[] = {
    U32(struct msg_svid_wanted, listener), STRF(struct msg_svid_wanted, spki, SPKI_MAX), END};
static const struct pack_field F_SVID[] = {U32(struct msg_svid, listener),
                                           STRF(struct msg_svid, chain, 0),
                                           I64(struct msg_svid, not_after_s), END};

static const struct pack_field F_FETCH[] = {STRF(struct msg_fetch, source, NAME_MAX_BYTES),
                                            U8(struct msg_fetch, what),
                                            STRF(struct msg_fetch, url, TEXT_MAX),
                                            STRF(struct msg_fetch, form, TOKEN_MAX),
                                            STRF(struct msg_fetch, roots, 0),
                                            END};
static const struct pack_field F_FETCHED[] = {
    STRF(struct msg_fetched, source, NAME_MAX_BYTES), U32(struct msg_fetched, status),
    STRF(struct msg_fetched, document, 0), STRF(struct msg_fetched, error, TEXT_MAX), END};

enum {
    BODY = HTTP_ANSWER_BYTES_MAX + (64 << 10),
    SETUP_MAX = 16 << 20,
    SMALL = 32 << 10,
    BUNDLE_MAX = 512 << 10,
    TRUST_MAX = 4 << 20,
};
#define B(role) (1u << ROLE_##role)
#define ANY_ROLE                                                                                   \
    (B(EDGE) | B(CORE) | B(KEEPER) | B(RUNNER) | B(WORKLOAD) | B(PORTAL) | B(FETCHER) |            \
     B(WITNESS) | B(PUBLISHER))
#define S_PHASE  PHASE_SETUP
#define R_PHASE  PHASE_RUN
#define SR_PHASE (PHASE_SETUP | PHASE_RUN)

static const struct message TABLE[] = {
    /* type, name, from, to, phases, size, with a descriptor, fields */
    {MSG_SETUP, "setup", B(SUPERVISOR), ANY_ROLE, S_PHASE, SETUP_MAX, false, F_SETUP},
    {MSG_LISTENER, "listener", B(SUPERVISOR), ANY_ROLE, S_PHASE, SMALL, true, F_LISTENER},
    {MSG_PEER, "peer", B(SUPERVISOR), ANY_ROLE, SR_PHASE, SMALL, true, F_PEER},
    {MSG_DIRECTORY, "directory", B(SUPERVISOR), B(CORE) | B(KEEPER) | B(PUBLISHER), S_PHASE, SMALL,
     true, F_DIRECTORY},
    {MSG_START, "start", B(SUPERVISOR), ANY_ROLE, S_PHASE, SMALL, false, F_EMPTY},
    {MSG_DRAIN, "drain", B(SUPERVISOR), ANY_ROLE, SR_PHASE, SMALL, false, F_EMPTY},
    {MSG_READY, "ready", ANY_ROLE, B(SUPERVISOR), R_PHASE, SMALL, false, F_EMPTY},
    {MSG_DRAINED, "drained", ANY_ROLE, B(SUPERVISOR), R_PHASE, SMALL, false, F_EMPTY},
    {MSG_ACCUSE, "accuse", B(KEEPER) | B(CORE) | B(RUNNER), B(SUPERVISOR), R_PHASE, SMALL, false,
     F_PEER},

    {MSG_CALL, "call", B(EDGE), B(CORE), R_PHASE, BODY, false, F_CALL},
    {MSG_LIST, "list", B(EDGE), B(CORE), R_PHASE, SMALL, false, F_LIST},
    {MSG_SESSION_OPEN, "session-open", B(EDGE), B(CORE), R_PHASE, SMALL, false, F_SESSION},
    {MSG_SESSION_END, "session-end", B(EDGE), B(CORE), R_PHASE, SMALL, false, F_SESSION},
    {MSG_OUTCOME, "outcome", B(EDGE), B(CORE), R_PHASE, SMALL, false, F_OUTCOME},
    {MSG_CATALOG, "catalog", B(EDGE), B(CORE), R_PHASE, BODY, false, F_CATALOG},
    {MSG_CONN_CLOSED, "conn-closed", B(EDGE), B(CORE), R_PHASE, SMALL, false, F_CONN_CLOSED},
    {MSG_METRICS, "metrics", B(EDGE), B(CORE), R_PHASE, SMALL, false, F_EMPTY},

    {MSG_GO, "go", B(CORE), B(EDGE), R_PHASE, SMALL, false, F_GO},
    {MSG_REFUSED, "refused", B(CORE), B(EDGE), R_PHASE, SMALL, false, F_REFUSED},
    {MSG_RESULT, "result", B(CORE), B(EDGE), R_PHASE, BODY, false, F_RESULT},
    {MSG_LIST_ANSWER, "list-answer", B(CORE), B(EDGE), R_PHASE, BODY, false, F_LIST_ANSWER},
    {MSG_SESSION_ANSWER, "session-answer", B(CORE), B(EDGE), R_PHASE, SMALL, false,
     F_SESSION_ANSWER},
    {MSG_CONN, "conn", B(CORE), B(EDGE), R_PHASE, SMALL, true, F_CONN},
    {MSG_CUT, "cut", B(CORE), B(EDGE), R_PHASE, SMALL, false, F_CUT},
    {MSG_DISCOVER, "discover", B(CORE), B(EDGE), R_PHASE, SMALL, false, F_DISCOVER},
    {MSG_METRICS_ANSWER, "metrics-answer", B(CORE), B(EDGE), R_PHASE, 1 << 20, false, F_TEXT},

    {MSG_RELEASE, "release", B(EDGE) | B(RUNNER), B(KEEPER), R_PHASE, SMALL, false, F_RELEASE},
    {MSG_SECRET, "secret", B(KEEPER), B(EDGE) | B(RUNNER), R_PHASE, 256 << 10, false, F_SECRET},
    {MSG_NO_SECRET, "no-secret", B(KEEPER), B(EDGE) | B(RUNNER), R_PHASE, SMALL, false, F_TEXT},

    {MSG_KEYS, "keys", B(KEEPER), B(CORE), R_PHASE, SMALL, false, F_KEYS},
    {MSG_SIGNED_TOKEN, "signed-token", B(KEEPER), B(CORE), R_PHASE, SMALL, false, F_TEXT},
    {MSG_SIGN_CHECKPOINT, "sign-checkpoint", B(CORE), B(KEEPER), R_PHASE, SMALL, false,
     F_SIGN_CHECKPOINT},
    {MSG_SIGNED_CHECKPOINT, "signed-checkpoint", B(KEEPER), B(CORE), R_PHASE, SMALL, false, F_TEXT},
    {MSG_NOT_SIGNED, "not-signed", B(KEEPER), B(CORE), R_PHASE, SMALL, false, F_TEXT},
    {MSG_SECRETS_CHANGED, "secrets-changed", B(CORE), B(KEEPER), R_PHASE, SMALL, false, F_EMPTY},

    {MSG_STOP_CHILD, "stop-child", B(CORE), B(RUNNER), R_PHASE, SMALL, false, F_STOP_CHILD},

    /* people */
    {MSG_PEOPLE_ASK, "people-ask", B(PORTAL), B(CORE), R_PHASE, 512 << 10, false, F_PEOPLE_ASK},
    {MSG_PEOPLE_ANSWER, "people-answer", B(CORE), B(PORTAL), R_PHASE, BODY, false, F_TEXT},
    {MSG_OAUTH, "oauth", B(EDGE), B(CORE), R_PHASE, 128 << 10, false, F_OAUTH},
    {MSG_OAUTH_ANSWER, "oauth-answer", B(CORE), B(EDGE), R_PHASE, 128 << 10, false, F_OAUTH_ANSWER},
    {MSG_SIGN_JWT, "sign-jwt", B(CORE), B(KEEPER), R_PHASE, SMALL, false, F_SIGN_JWT},
    {MSG_SIGN_X509, "sign-x509", B(CORE), B(KEEPER), R_PHASE, SMALL, false, F_SIGN_X509},
    {MSG_SIGNED_X509, "signed-x509", B(KEEPER), B(CORE), R_PHASE, SMALL, false, F_SIGNED_X509},
    {MSG_BUNDLE, "bundle", B(KEEPER), B(CORE), R_PHASE, BUNDLE_MAX, false, F_BUNDLE},
    {MSG_ROTATE, "rotate", B(CORE), B(KEEPER), R_PHASE, SMALL, false, F_ROTATE},
    {MSG_ROTATED, "rotated", B(KEEPER), B(CORE), R_PHASE, SMALL, false, F_ROTATED},
    {MSG_TRUST, "trust", B(CORE), B(EDGE), R_PHASE, TRUST_MAX, false, F_TRUST},
    {MSG_SVID_WANTED, "svid-wanted", B(EDGE), B(CORE), R_PHASE, SMALL, false, F_SVID_WANTED},
    {MSG_SVID, "svid", B(CORE), B(EDGE), R_PHASE, SMALL, false, F_SVID},
    {MSG_WORKLOAD_CONN, "workload-conn", B(CORE), B(WORKLOAD), R_PHASE, SMALL, true,
     F_WORKLOAD_CONN},
    {MSG_WORKLOAD_END, "workload-end", B(CORE), B(WORKLOAD), R_PHASE, SMALL, false, F_WORKLOAD_END},
    {MSG_WORKLOAD_BUNDLES, "workload-bundles", B(CORE), B(WORKLOAD), R_PHASE, 1 << 20, false,
     F_WORKLOAD_BUNDLES},
    {MSG_WORKLOAD_GIVEN, "workload-given", B(CORE), B(WORKLOAD), R_PHASE, SMALL, false,
     F_WORKLOAD_GIVEN},
    {MSG_WORKLOAD_REFUSED, "workload-refused", B(CORE), B(WORKLOAD), R_PHASE, SMALL, false,
     F_WORKLOAD_REFUSED},
    {MSG_WORKLOAD_ASK, "workload-ask", B(WORKLOAD), B(CORE), R_PHASE, SMALL, false, F_WORKLOAD_ASK},
    {MSG_WORKLOAD_CLOSED, "workload-closed", B(WORKLOAD), B(CORE), R_PHASE, SMALL, false,
     F_WORKLOAD_END},

    {MSG_LOOK, "look", B(CORE), B(WITNESS), R_PHASE, SMALL, true, F_LOOK},
    {MSG_LOOKED, "looked", B(WITNESS), B(CORE), R_PHASE, SMALL, false, F_LOOKED},

    {MSG_LOG_HAVE, "log-have", B(PUBLISHER), B(CORE), R_PHASE, SMALL, false, F_LOG_HAVE},
    {MSG_LOG_LEAVES, "log-leaves", B(CORE), B(PUBLISHER), R_PHASE, LOG_LEAVES_BYTES_MAX + SMALL,
     false, F_LOG_LEAVES},
    {MSG_LOG_CHECKPOINT, "log-checkpoint", B(CORE), B(PUBLISHER), R_PHASE, SMALL, false,
     F_LOG_CHECKPOINT},
    {MSG_LOG_PUBLISHED, "log-published", B(PUBLISHER), B(CORE), R_PHASE, SMALL, false,
     F_LOG_PUBLISHED},

    {MSG_FETCH, "fetch", B(CORE), B(FETCHER), R_PHASE, 512 << 10, false, F_FETCH},
    {MSG_FETCHED, "fetched", B(FETCHER), B(CORE), R_PHASE, (1 << 20) + SMALL, false, F_FETCHED},
    /* revocation */
    {MSG_CUT_DONE, "cut-done", B(EDGE), B(CORE), R_PHASE, SMALL, false, F_CUT_DONE},
    {MSG_CHILD_STOPPED, "child-stopped", B(RUNNER), B(CORE), R_PHASE, SMALL, false,
     F_CHILD_STOPPED},
};

enum { TABLE_N = sizeof TABLE / sizeof TABLE[0] };

const struct message *message_table(size_t *n)
{
    *n = TABLE_N;
    return TABLE;
}

const struct message *message_find(uint16_t type)
{
    for (size_t i = 0; i < TABLE_N; i++)
        if (TABLE[i].type == type)
            return &TABLE[i];
    return NULL;
}

uint32_t message_size_max(enum role from, enum role to, enum phase phase, uint16_t type)
{
    const struct message *m = message_find(type);
    if (!m || !(m->from & 1u << from) || !(m->to & 1u << to) || !(m->phases & phase))
        return 0;
    return m->size_max;
}

void message_pack(enum message_type type, const void *msg, struct buf *out)
{
    const struct message *m = message_find((uint16_t)type);
    if (m)
        pack_fields(m->fields, msg, out);
}

bool message_unpack(enum message_type type, str payload, void *msg, struct err *err)
{
    const struct message *m = message_find((uint16_t)type);
    if (!m)
        return err_peer(err, "no message of type %u", (unsigned)type);
    if (!unpack_fields(m->fields, payload, msg, err))
        return err_in(err, "%s", m->name);
    return true;
}

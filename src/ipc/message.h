/* message: every message that roles may exchange, in one table: who may send it to whom, in which
 * phase, with which fields, how large. A role hands each frame it receives to message_accepts();
 * what the table does not allow ends the channel and thereby the peer (design section 2). The frame
 * itself (length, type, request id, descriptor) is os/frame.h. Pure; strs of a decoded message
 * borrow from its payload. */
#pragma once
#include "ipc/pack.h"

enum role {
    ROLE_NONE = 0,
    ROLE_SUPERVISOR,
    ROLE_EDGE,
    ROLE_CORE,
    ROLE_KEEPER,
    ROLE_RUNNER,
    ROLE_WORKLOAD,
    ROLE_PORTAL,
    ROLE_FETCHER,
    ROLE_WITNESS,
    ROLE_PUBLISHER,
    ROLE_COUNT,
};
const char *role_name(enum role r);
enum role role_parse(str s); /* ROLE_NONE if unknown */

enum phase { PHASE_SETUP = 1, PHASE_RUN = 2 }; /* before and after START */

enum message_type {
    MSG_NONE = 0,
    /* supervisor and roles */
    MSG_SETUP = 1,
    MSG_LISTENER,
    MSG_PEER,
    MSG_DIRECTORY,
    MSG_START,
    MSG_DRAIN,
    MSG_READY,
    MSG_DRAINED,
    MSG_ACCUSE, /* this peer broke the rules: end it */
    /* edge -> core */
    MSG_CALL = 20,
    MSG_LIST,
    MSG_SESSION_OPEN,
    MSG_SESSION_END,
    MSG_OUTCOME,
    MSG_CATALOG,
    MSG_CONN_CLOSED,
    MSG_METRICS,
    /* core -> edge */
    MSG_GO = 40,
    MSG_REFUSED,
    MSG_RESULT,
    MSG_LIST_ANSWER,
    MSG_SESSION_ANSWER,
    MSG_CONN,
    MSG_CUT,
    MSG_DISCOVER,
    MSG_METRICS_ANSWER,
    /* edge and runner -> keeper, and back */
    MSG_RELEASE = 60,
    MSG_SECRET,
    MSG_NO_SECRET,
    /* core <-> keeper */
    MSG_KEYS = 70,
    MSG_SIGNED_TOKEN = 72,
    MSG_SIGN_CHECKPOINT,
    MSG_SIGNED_CHECKPOINT,
    MSG_NOT_SIGNED,
    MSG_SECRETS_CHANGED,
    /* core -> runner */
    MSG_STOP_CHILD = 80,
    /* the built-in issuer: core <-> keeper */
    MSG_SIGN_JWT = 90,
    MSG_SIGN_X509,
    MSG_SIGNED_X509,
    MSG_BUNDLE,
    MSG_ROTATE,
    MSG_ROTATED,
    MSG_TRUST,       /* core -> edge */
    MSG_SVID_WANTED, /* edge -> core */
    MSG_SVID,        /* core -> edge */
    /* core <-> workload: the SPIFFE Workload API */
    MSG_WORKLOAD_CONN = 100,
    MSG_WORKLOAD_END,
    MSG_WORKLOAD_BUNDLES,
    MSG_WORKLOAD_GIVEN,
    MSG_WORKLOAD_REFUSED,
    MSG_WORKLOAD_ASK,
    MSG_WORKLOAD_CLOSED,
    /* core <-> witness: program files of peers */
    MSG_LOOK,
    MSG_LOOKED,
    /* core <-> fetcher: documents from outside */
    MSG_FETCH = 110,
    MSG_FETCHED,
    /* OAuth: edge -> core, and back */
    MSG_OAUTH = 120,
    MSG_OAUTH_ANSWER,
    /* people: portal -> core, and back */
    MSG_PEOPLE_ASK = 130,
    MSG_PEOPLE_ANSWER,
    /* revocation: edge -> core, runner -> core */
    MSG_CUT_DONE = 140,
    MSG_CHILD_STOPPED = 141,
    /* the published log: core <-> publisher */
    MSG_LOG_HAVE = 150,
    MSG_LOG_LEAVES,
    MSG_LOG_CHECKPOINT,
    MSG_LOG_PUBLISHED,
};

/* What a LISTENER or DIRECTORY descriptor is for. */
enum listener_kind {
    LISTENER_NONE = 0,
    LISTENER_DOOR,
    LISTENER_METRICS,
    LISTENER_AGENT,
    LISTENER_CONTROL,
    LISTENER_RUNNER,
    LISTENER_WORKLOAD,
    LISTENER_PORTAL,
    LISTENER_LAUNCH,
};
enum directory_kind {
    DIRECTORY_NONE = 0,
    DIRECTORY_STORE,
    DIRECTORY_KEYS,
    DIRECTORY_SECRETS,
    DIRECTORY_LOG
};

struct msg_setup {
    uint32_t index; /* of the role among its kind (edges) */
    str config_name;
    str config_dir;
    str config;     /* text of the configuration file */
    str policies;   /* run of name, text, name, text, ... (core) */
    str keeper_key; /* 32 bytes: MACs vouchers for the keeper (core, keeper) */
    str runner_key; /* 32 bytes: MACs vouchers for the runner (core, runner) */
    str addresses;  /* run of binding (edge) or issuer (fetcher), numeric address: resolved once, by
                     * the supervisor */
    str runner_socket; /* path (edge, runner) */
    str tls;           /* run of listener index as text, cert PEM, key PEM, client CA PEM (edge) */
    str upstream_tls;  /* run of binding, CA PEM, cert PEM, key PEM (edge); the binding named "" has
                        * the system's CAs, which hold where a binding's own are empty */
    str seal_key;      /* 32 bytes, or empty: the keeper's folder holds it (keeper) */
    int64_t uid;       /* to become; -1: stay (roles started as root) */
    int64_t child_uid; /* of stdio children (runner); -1: stay */
    int64_t own_uid;   /* of the supervisor: an administrator on the control socket (core) */
    int64_t started_us; /* monotonic, when `ambit serve` began: for the start-up figure */
};
struct msg_listener {
    uint8_t kind;
    uint32_t index;
};
struct msg_peer {
    uint8_t role;
    uint32_t index;
};
struct msg_directory {
    uint8_t kind;
};
struct msg_empty {
    uint8_t zero;
};

/* How a request proves itself. Everything here is a claim of the edge until core has judged it. */
enum proof_kind { PROOF_NONE = 0, PROOF_TOKEN, PROOF_CONN, PROOF_DPOP };
struct proof {
    uint8_t kind;
    uint32_t listener; /* on which it came in (tokens) */
    int64_t conn;      /* attested connection (PROOF_CONN) */
    str token;         /* task token, as Bearer (PROOF_TOKEN) or as DPoP (PROOF_DPOP) */
    str task;          /* task the caller names (PROOF_CONN); empty: its only one */
    str cert;          /* SHA-256 of the client certificate, or empty */
    str session;       /* Mcp-Session-Id, or empty */
    str endpoint;      /* binding of a /mcp/<binding> endpoint; empty: the federated one */
    str htm;           /* method of the HTTP request; its address core knows by listener and path */
    str dpop;          /* the DPoP field, or empty */
    str chain;         /* client certificates, DER, leaf first; OAuth endpoints only */
    str peer;          /* address of the other side, without its port (tokens) */
};
struct msg_call {
    struct proof proof;
    str tool;        /* as the agent wrote it */
    str args;        /* canonical JSON object */
    str approval;    /* hold id the caller refers to, or empty */
    str session_era; /* negotiated or stated protocol version, for the record */
};
struct msg_list {
    struct proof proof;
};
struct msg_session {
    struct proof proof;
    str version;
};
struct msg_outcome {
    str call;
    uint8_t status; /* enum outcome */
    uint32_t http_status;
    int64_t bytes;
    int64_t rows, tokens;          /* of the answer, as it says itself */
    int64_t upstream_us, first_us; /* from the sending to the end and to the first message; or 0 */
    str result_digest;             /* 32 bytes or empty */
    str error;                     /* for the record; no payload */
};
enum outcome {
    OUTCOME_NONE = 0,
    OUTCOME_OK,
    OUTCOME_UPSTREAM_ERROR,
    OUTCOME_REFUSED,
    OUTCOME_NOT_SENT,
    OUTCOME_UNKNOWN,
    OUTCOME_COUNT,
};
const char *outcome_name(enum outcome o);

struct msg_catalog {
    str binding;
    str definitions; /* JSON array of tool definitions, or empty with error set */
    str error;
};
struct msg_conn_closed {
    int64_t conn;
};

struct msg_go {
    str call;
    str task;
    str binding;
    str tool;        /* upstream's own name */
    str voucher;     /* for the keeper; empty: this binding needs no secret */
    str run_voucher; /* for the runner (stdio bindings) */
    int64_t answer_wait_ms;
    str txn; /* transaction token for the server, or empty */
};
enum refusal_kind {
    REFUSAL_NONE = 0,
    REFUSAL_UNAUTHENTICATED, /* no usable proof: 401 */
    REFUSAL_SESSION,         /* unknown or ended session: 404 */
    REFUSAL_DENIED,
    REFUSAL_HELD,
    REFUSAL_INPUT, /* wrong arguments */
    REFUSAL_UNKNOWN_TOOL,
    REFUSAL_UNAVAILABLE, /* no record could be made, or a role is away */
};
struct msg_refused {
    str call; /* id in the record; empty if there was nothing to record */
    uint8_t kind;
    str text;     /* for the model and the person: what, by which rule, what to do */
    str policies; /* JSON array of determining policy ids */
    str hold;     /* id, when held */
    int64_t expires_ms;
    str auth_error; /* UNAUTHENTICATED: `error` of the challenge (RFC 6750, RFC 9449), or empty */
    str dpop_nonce; /* UNAUTHENTICATED: for the field DPoP-Nonce, or empty */
};
struct msg_result {
    str call;
    str result; /* JSON: a tools/call result that core itself produced */
};
struct msg_list_answer {
    str tools; /* run of exposed name, canonical definition */
};
struct msg_session_answer {
    str session;
};
struct msg_conn {
    int64_t conn;
    str agent;
};
struct msg_cut {
    str task;
};
/* Revocation. A CUT or STOP_CHILD whose request id is not 0 is acknowledged under that id, once
 * everything of the task is gone. */
struct msg_cut_done {
    uint32_t streams; /* open event streams that were ended */
    uint32_t calls;   /* calls in flight that were ended, streams among them */
};
struct msg_stop_child {
    str task;
    uint8_t at_once; /* no time to end in order: it is killed */
};
struct msg_child_stopped {
    uint32_t programs;
};
struct msg_discover {
    str binding;
    str voucher;
    str run_voucher;
};
struct msg_text {
    str text;
};

struct msg_release {
    str voucher;
};
struct msg_secret {
    str values; /* run of secret name, value */
};

struct msg_keys {
    str token_jwks;      /* JWK Set of all keys that task tokens verify with */
    str txn_jwks;        /* the same for transaction tokens */
    str checkpoint_vkey; /* C2SP verifier key of the ledger */
};
struct msg_sign_checkpoint {
    int64_t size;
    str root; /* 32 bytes */
};

/* ---- the built-in issuer ---- */

/* What the keeper signs for core as a JWT. Each kind has a key, a type, a longest life and rules
 * for its claims (role/keeper_sign.h). Answered by SIGNED_TOKEN or NOT_SIGNED. */
enum sign_kind {
    SIGN_NONE = 0,
    SIGN_TASK_TOKEN, /* at+jwt (RFC 9068) */
    SIGN_TXN,        /* txntoken+jwt */
    SIGN_JWT_SVID,   /* JWT */
    SIGN_WIT_SVID,   /* wit+jwt */
    SIGN_KINDS,
};
struct msg_sign_jwt {
    uint8_t kind; /* enum sign_kind */
    str claims;   /* JSON */
};
struct msg_sign_x509 {
    str spiffe_id;
    str spki; /* DER of the public key */
    int64_t life_s;
};
struct msg_signed_x509 {
    str chain; /* DER, one after another, leaf first */
    int64_t not_after_s;
};
struct msg_bundle {
    str jwks;         /* the SPIFFE bundle document */
    str roots;        /* its CA certificates, DER, one after another */
    int64_t sequence; /* grows with every change */
};

struct msg_rotate {
    uint8_t kind;   /* enum ca_kind (identity/ca.h) */
    uint8_t revoke; /* 1: the old ones are taken out at once; 0: they end in their time */
};
struct msg_rotated {
    str old_kid, new_kid; /* old: of the key that signed until now */
    int64_t sequence;     /* of the bundle */
};
/* What an edge needs to know of the issuer: whom to let in at the TLS layer, and what to serve. */
struct msg_trust {
    str anchors;  /* CA certificates of all bundles in force, DER, one after another */
    str document; /* the own bundle */
    int64_t sequence, refresh_s;
};
/* The edge that serves the bundle wants its X.509-SVID renewed, for a key that it made. Whose name
 * it gets is core's to say: spiffe://<trust domain>/ambit/bundle. */
struct msg_svid_wanted {
    uint32_t listener;
    str spki;
};
struct msg_svid {
    uint32_t listener;
    str chain; /* DER, leaf first; empty: not now */
    int64_t not_after_s;
};
/* ---- workload ---- */
struct msg_workload_conn { /* with the connection's descriptor */
    int64_t conn;
    str spiffe_id;
};
struct msg_workload_end {
    int64_t conn;
};
/* All of it each time. */
struct msg_workload_bundles {
    str bundles;       /* run of trust domain, its bundle as a SPIFFE bundle document; ours first */
    int64_t refresh_s; /* refresh hint of our own */
};
enum workload_want {
    WANT_NONE = 0,
    WANT_CHECK, /* may this peer be served what is known already? */
    WANT_X509,  /* of: SubjectPublicKeyInfo. Given: chain, not_after_s */
    WANT_JWT,   /* of: run of audiences. Given: token, not_after_s */
    WANT_WIT,   /* of: public JWK. Given: token, not_after_s */
    WANT_VALID, /* of: SPIFFE ID of a token that is valid otherwise: is it revoked? */
    WANT_COUNT,
};
struct msg_workload_ask {
    int64_t conn;
    uint8_t want;
    str of;
};
struct msg_workload_given {
    str svid;
    int64_t not_after_s;
};
enum workload_refusal {
    WORKLOAD_REFUSED_NONE = 0,
    WORKLOAD_REFUSED_DENIED, /* this peer has no identity, now */
    WORKLOAD_REFUSED_INPUT,  /* what it asked for is wrong */
    WORKLOAD_REFUSED_LATER,  /* no signature to be had now */
};
struct msg_workload_refused {
    uint8_t kind;
    str text;
};

/* ---- witness ---- */
struct msg_look { /* with a pidfd */
    uint8_t sha256;
};
struct msg_looked {
    str path;   /* of the program file; empty: none that counts */
    str sha256; /* 32 bytes, if asked for */
    str why;    /* what is missing above, and why */
};

/* ---- the published log ----
 *
 * The publisher says first how many leaves its folder holds, whole and sound. Core sends the rest
 * in order, at most LOG_AHEAD_MAX leaves beyond what is published, then the note of each
 * checkpoint that covers them; each is answered by MSG_LOG_PUBLISHED, or by a reason why not. */
enum { LOG_LEAVES_BYTES_MAX = 1 << 20 };
struct msg_log_have {
    int64_t size;
};
struct msg_log_leaves {
    int64_t first; /* index of the first */
    str entries; /* run of: length in two bytes, big-endian, and so many bytes (C2SP tlog-tiles) */
};
struct msg_log_checkpoint {
    int64_t size;
    str note; /* signed */
};
struct msg_log_published {
    int64_t size; /* of the checkpoint that anybody can now read */
    str why;      /* what is in the way; empty: it is published */
};

/* ---- fetcher ----
 *
 * source is the name of one of the configuration's `issuers`: it says which file, socket, host,
 * address and authorities; nothing else can be reached. A GET or POST is answered once, with the
 * id of the request; a watch as often as the other side speaks, and last with an error. For the
 * exchange of a code (OpenID Connect Core section 3.1.3) core sends FETCH_POST with the form that
 * the token endpoint wants; the client is a public one with PKCE, so no secret passes. */
enum fetch_what {
    FETCH_NONE = 0,
    FETCH_FILE,  /* the issuer's file */
    FETCH_GET,   /* url */
    FETCH_POST,  /* form to url; an answer with another status than 200 is an answer */
    FETCH_WATCH, /* the issuer's Workload API: its bundles, as they change */
    FETCH_COUNT,
};
struct msg_fetch {
    str source;
    uint8_t what;
    str url;   /* of the source's own scheme, host and port */
    str form;  /* application/x-www-form-urlencoded */
    str roots; /* https_spiffe: the CA certificates of the endpoint's trust domain, DER one after
                  another */
};
struct msg_fetched {
    str source;
    uint32_t status; /* of HTTP; 200 for what is not HTTP; 0: none */
    str document;
    str error; /* empty: document is what there is */
};

/* ---- people ---- */

/* A line of the control door (docs/formats/control.md), asked in the name of a browser's session;
 * the answer is the door's line. */
struct msg_people_ask {
    str session; /* as the browser has it; empty: signed in as nobody */
    str line;
};

/* ---- OAuth ---- */

enum oauth_endpoint {
    OAUTH_NONE = 0,
    OAUTH_TOKEN,      /* RFC 6749 section 3.2 */
    OAUTH_INTROSPECT, /* RFC 7662 */
    OAUTH_REVOKE,     /* RFC 7009 */
    OAUTH_JWKS,       /* RFC 7517 section 5 */
    OAUTH_ENDPOINTS,
};
struct msg_oauth {
    struct proof proof;
    uint8_t endpoint; /* enum oauth_endpoint */
    str form;         /* run of parameter, value: each name once, none empty */
};
struct msg_oauth_answer {
    uint32_t status; /* HTTP */
    str body;        /* JSON, or empty */
    str fields;      /* run of field name, value */
};

/* One row of the table. */
struct message {
    enum message_type type;
    const char *name;
    unsigned from, to; /* bit sets of 1 << enum role */
    unsigned phases;
    uint32_t size_max;
    bool with_fd;
    const struct pack_field *fields;
};
const struct message *message_find(uint16_t type); /* NULL if there is none */
const struct message *message_table(size_t *n);

/* The largest payload that `to` accepts from `from` for this type in this phase; 0: not allowed.
 * Fits os/frame.h. */
uint32_t message_size_max(enum role from, enum role to, enum phase phase, uint16_t type);
void message_pack(enum message_type type, const void *msg, struct buf *out);
MUST_USE bool message_unpack(enum message_type type, str payload, void *msg, struct err *err);

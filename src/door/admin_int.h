/* admin_int: one request on the control door, as its handlers see it. */
#pragma once
#include "door/admin.h"

struct request {
    struct admin *ad;
    struct gate *g;
    struct admin_peer *peer;
    const json *params;
    str id; /* JSON text, echoed */
    struct arena *a;
    int64_t now_ms;
};

/* Enough to answer later. */
struct later {
    struct admin *ad;
    uint64_t conn;
    char id[64];
    void *arg;
};
struct later *later_new(struct request *r, void *arg); /* freed by its user */

void answer_error(struct request *r, const struct err *err);
void answer_text(struct request *r, str result_json);
void later_error(struct later *l, const char *code, str message);
void later_text(struct later *l, str result_json);
/* Name of the person for the record: "ann", or "uid:0". */
str who_is(struct request *r);
MUST_USE bool param_str(struct request *r, str name, str *out, struct err *err); /* must be there */

typedef void handler(struct request *r);
handler on_task_open, on_task_list, on_task_show, on_task_token; /* admin_task.c */
handler on_task_suspend, on_task_resume, on_task_history, on_agent_list, on_agent_show,
    on_agent_suspend, on_agent_resume;                             /* admin_state.c */
handler on_hold_list, on_hold_show, on_hold_approve, on_hold_deny; /* admin_hold.c */
handler on_trace, on_explain, on_tools, on_pin_list, on_pin_show, on_pin_accept, on_status,
    on_policy, on_discover;                                     /* admin_read.c */
handler on_authorize_begin, on_consent_show, on_consent_decide; /* admin_consent.c */
/* admin_people.c */
handler on_evidence; /* admin_signed.c */
handler on_person_list, on_person_show, on_person_invite, on_person_revoke;
handler on_oidc_begin, on_oidc_finish; /* admin_oidc.c */
handler on_session_show, on_session_end, on_sign_in_begin, on_sign_in_finish, on_enrol_begin,
    on_enrol_finish;
handler on_operator_add, on_operator_remove, on_operator_list, on_login,
    on_secrets_changed;                            /* admin.c */
handler on_identity_issuers;                       /* admin_issuers.c */
handler on_task_close, on_task_receipt, on_revoke; /* admin_revoke.c */
/* May this person do that (action of a policy) to the task, or to the agent? err says by which
 * policy not. */
MUST_USE bool may_do(struct request *r, str action, const struct task *t, const struct agent *agent,
                     struct err *err);
/* By the parameter "task". */
struct task *named_task(struct request *r, struct err *err);
handler on_identity_show, on_identity_rotate, on_identity_revoke,
    on_identity_lift; /* admin_identity.c */
void write_task(struct jw *w, const struct task *t, int64_t now_ms);

/* How the asker is known, as policies and records have it: uid, key, passkey or oidc. */
str asker_method(const struct request *r);

/* ---- decisions (admin_signed.c): one check for operator keys and passkeys ----
 *
 * Who came in by key or through the portal signs each decision, over a statement that says exactly
 * what is decided. */
enum { CREDENTIAL_BYTES_MAX = WEBAUTHN_CREDENTIAL_BYTES_MAX };
struct signed_decision {
    str method;    /* uid | key | passkey */
    str signature; /* base64url; empty with uid */
    struct evidence evidence;
    bool by_passkey;
    uint32_t counter;
};
/* The signature that the request brings is one of the asker over this statement. */
MUST_USE bool decision_signed(struct request *r, str statement, struct signed_decision *out,
                              struct err *err);
/* Keeps what a passkey signed under this id, in the transaction of the decision. */
void decision_keep(struct request *r, struct store_txn *t, str id, const struct signed_decision *d);
/* A passkey's use, to be told to memory after the commit. */
struct passkey_use {
    uint32_t counter;
    size_t credential_n;
    char credential[CREDENTIAL_BYTES_MAX];
};
void passkey_use_of(struct passkey_use *u, str credential, uint32_t counter);
void passkey_used(struct people *p, const struct passkey_use *u, int64_t now_ms);
/* {"credential","authenticatorData","clientData","signature"}, each base64url. */
MUST_USE bool read_assertion(struct request *r, const json *v, struct assertion *out,
                             struct err *err);

/* ---- coming to a session (admin_people.c), by whatever way ---- */
struct coming;
/* NULL: too many sessions. */
struct coming *coming_new(struct request *r, const struct conf_person *who, enum sign_in method,
                          str amr, str acr, int64_t auth_ms, struct err *err);
/* Where the browser goes then: a page of the portal, empty: the first. */
void coming_next(struct coming *c, const char *next);
/* Adds session and record, submits, and answers with the session's id when it is durable. */
void coming_submit(struct request *r, struct coming *c, struct store_txn *t, str state, str key);
/* Answers with the error, and records the failure. */
void person_failed(struct request *r, str name, str method, const struct err *err);

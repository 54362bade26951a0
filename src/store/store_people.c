/* People: passkeys, sessions, one-time links, and what passkeys signed. Tables, steps, readings. */
#include "store/store_private.h"

/* evidence outlives the passkey that made it, so it holds the key itself. */
const char STORE_PEOPLE_TABLES[] =
    "CREATE TABLE passkey("
    "  credential BLOB PRIMARY KEY NOT NULL, person TEXT NOT NULL, public_key BLOB NOT NULL,"
    "  counter INTEGER NOT NULL, added_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL)"
    "  STRICT, WITHOUT ROWID;"
    "CREATE TABLE person_session("
    "  hash BLOB PRIMARY KEY NOT NULL CHECK(length(hash) = 32), person TEXT NOT NULL,"
    "  method TEXT NOT NULL CHECK(method IN ('passkey', 'oidc')), amr TEXT NOT NULL,"
    "  acr TEXT NOT NULL, auth_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    "  used_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE invite("
    "  hash BLOB PRIMARY KEY NOT NULL CHECK(length(hash) = 32), person TEXT NOT NULL,"
    "  made_by TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL)"
    "  STRICT, WITHOUT ROWID;"
    "CREATE TABLE evidence("
    "  id TEXT NOT NULL, person TEXT NOT NULL, statement TEXT NOT NULL,"
    "  public_key BLOB NOT NULL, credential BLOB NOT NULL, authenticator_data BLOB NOT NULL,"
    "  client_data BLOB NOT NULL, signature BLOB NOT NULL, at_ms INTEGER NOT NULL,"
    "  PRIMARY KEY(id, person)) STRICT;";

/* ---- steps ---- */

void store_passkey_insert(struct store_txn *t, const struct store_passkey *r)
{
    store_step(t, STORE_MUST, STORE_PASSKEY_INSERT, STORE_BLOB(r->credential), STORE_STR(r->person),
               STORE_BLOB(r->public_key), STORE_I64(r->counter), STORE_I64(r->added_ms));
}

void store_passkey_use(struct store_txn *t, str credential, int64_t counter, int64_t now_ms)
{
    store_step(t, STORE_MUST, STORE_PASSKEY_USE, STORE_BLOB(credential), STORE_I64(counter),
               STORE_I64(now_ms));
}

void store_session_insert(struct store_txn *t, const struct store_session *r)
{
    store_step(t, STORE_MUST, STORE_SESSION_INSERT, STORE_BLOB(r->hash), STORE_STR(r->person),
               STORE_STR(r->method), STORE_STR(r->amr), STORE_STR(r->acr), STORE_I64(r->auth_ms),
               STORE_I64(r->created_ms));
}

void store_session_touch(struct store_txn *t, str hash, int64_t now_ms)
{
    store_step(t, STORE_PLAIN, STORE_SESSION_TOUCH, STORE_BLOB(hash), STORE_I64(now_ms));
}

void store_session_delete(struct store_txn *t, str hash)
{
    store_step(t, STORE_MUST, STORE_SESSION_DELETE, STORE_BLOB(hash));
}

void store_invite_insert(struct store_txn *t, const struct store_invite *r)
{
    store_step(t, STORE_MUST, STORE_INVITE_INSERT, STORE_BLOB(r->hash), STORE_STR(r->person),
               STORE_STR(r->made_by), STORE_I64(r->created_ms), STORE_I64(r->expires_ms));
}

void store_invite_use(struct store_txn *t, str hash, int64_t now_ms)
{
    store_step(t, STORE_MUST, STORE_INVITE_USE, STORE_BLOB(hash), STORE_I64(now_ms));
}

void store_person_revoke(struct store_txn *t, str person)
{
    store_step(t, STORE_PLAIN, STORE_PASSKEY_DELETE_OF, STORE_STR(person));
    store_step(t, STORE_PLAIN, STORE_SESSION_DELETE_OF, STORE_STR(person));
    store_step(t, STORE_PLAIN, STORE_INVITE_DELETE_OF, STORE_STR(person));
}

void store_people_sweep(struct store_txn *t, int64_t created_ms, int64_t used_ms, int64_t now_ms)
{
    store_step(t, STORE_PLAIN, STORE_SESSION_SWEEP, STORE_I64(created_ms), STORE_I64(used_ms));
    store_step(t, STORE_PLAIN, STORE_INVITE_SWEEP, STORE_I64(now_ms));
}

void store_evidence_insert(struct store_txn *t, const struct store_evidence *r)
{
    store_step(t, STORE_MUST, STORE_EVIDENCE_INSERT, STORE_STR(r->id), STORE_STR(r->person),
               STORE_STR(r->statement), STORE_BLOB(r->public_key), STORE_BLOB(r->credential),
               STORE_BLOB(r->authn_data), STORE_BLOB(r->client_data), STORE_BLOB(r->signature),
               STORE_I64(r->at_ms));
}

/* ---- readings ---- */

struct passkey_walk {
    store_passkey_fn *each;
    void *arg;
};

static bool on_passkey(void *ctx, const struct store_row *from)
{
    struct passkey_walk *w = ctx;
    struct store_passkey row = {.credential = store_row_str(from, 0),
                                .person = store_row_str(from, 1),
                                .public_key = store_row_str(from, 2),
                                .counter = store_row_i64(from, 3),
                                .added_ms = store_row_i64(from, 4),
                                .used_ms = store_row_i64(from, 5)};
    return w->each(w->arg, &row);
}

bool store_read_passkeys(struct store_view *v, store_passkey_fn *each, void *arg, struct err *err)
{
    struct passkey_walk w = {each, arg};
    return store_walk(v,
                      "SELECT credential, person, public_key, counter, added_ms, used_ms"
                      " FROM passkey ORDER BY added_ms",
                      NULL, 0, on_passkey, &w, err);
}

struct session_walk {
    store_session_fn *each;
    void *arg;
};

static bool on_session(void *ctx, const struct store_row *from)
{
    struct session_walk *w = ctx;
    struct store_session row = {.hash = store_row_str(from, 0),
                                .person = store_row_str(from, 1),
                                .method = store_row_str(from, 2),
                                .amr = store_row_str(from, 3),
                                .acr = store_row_str(from, 4),
                                .auth_ms = store_row_i64(from, 5),
                                .created_ms = store_row_i64(from, 6),
                                .used_ms = store_row_i64(from, 7)};
    return w->each(w->arg, &row);
}

bool store_read_sessions(struct store_view *v, store_session_fn *each, void *arg, struct err *err)
{
    struct session_walk w = {each, arg};
    return store_walk(v,
                      "SELECT hash, person, method, amr, acr, auth_ms, created_ms, used_ms"
                      " FROM person_session ORDER BY created_ms",
                      NULL, 0, on_session, &w, err);
}

struct invite_walk {
    store_invite_fn *each;
    void *arg;
};

static bool on_invite(void *ctx, const struct store_row *from)
{
    struct invite_walk *w = ctx;
    struct store_invite row = {.hash = store_row_str(from, 0),
                               .person = store_row_str(from, 1),
                               .made_by = store_row_str(from, 2),
                               .created_ms = store_row_i64(from, 3),
                               .expires_ms = store_row_i64(from, 4)};
    return w->each(w->arg, &row);
}

bool store_read_invites(struct store_view *v, store_invite_fn *each, void *arg, struct err *err)
{
    struct invite_walk w = {each, arg};
    return store_walk(v,
                      "SELECT hash, person, made_by, created_ms, expires_ms FROM invite"
                      " ORDER BY created_ms",
                      NULL, 0, on_invite, &w, err);
}

struct evidence_walk {
    store_evidence_fn *each;
    void *arg;
};

static bool on_evidence(void *ctx, const struct store_row *from)
{
    struct evidence_walk *w = ctx;
    struct store_evidence row = {.id = store_row_str(from, 0),
                                 .person = store_row_str(from, 1),
                                 .statement = store_row_str(from, 2),
                                 .public_key = store_row_str(from, 3),
                                 .credential = store_row_str(from, 4),
                                 .authn_data = store_row_str(from, 5),
                                 .client_data = store_row_str(from, 6),
                                 .signature = store_row_str(from, 7),
                                 .at_ms = store_row_i64(from, 8)};
    return w->each(w->arg, &row);
}

bool store_read_evidence(struct store_view *v, str id, store_evidence_fn *each, void *arg,
                         struct err *err)
{
    struct evidence_walk w = {each, arg};
    struct store_param p[] = {STORE_STR(id)};
    return store_walk(v,
                      "SELECT id, person, statement, public_key, credential, authenticator_data,"
                      " client_data, signature, at_ms FROM evidence WHERE id = ?1"
                      " ORDER BY at_ms, person",
                      p, 1, on_evidence, &w, err);
}

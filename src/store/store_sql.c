/* All SQL that writes, and the shape of the tables. Readers have theirs beside the code
 * (store_read.c). */
#include "store/store_private.h"

/* Why so:
 *   task / task_state   what never changes apart from what every call changes, so that a debit
 * rewrites a row of 60 bytes and not the task's grants. leaf                the log; idx has no
 * gaps. call and task are only ways to find a leaf. payload             apart from leaf, so that it
 * can be erased; secure_delete (on in sqlite_file.c) wipes it. tree                one row, in the
 * same transaction as the leaves it covers. STRICT everywhere: a value of a wrong type is refused,
 * not stored. */
static const char V1[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE task("
    "  id TEXT PRIMARY KEY NOT NULL, parent TEXT REFERENCES task(id), owner TEXT NOT NULL,"
    "  agent TEXT NOT NULL, purpose TEXT NOT NULL, grants TEXT NOT NULL,"
    "  opened_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX task_parent ON task(parent) WHERE parent IS NOT NULL;"
    "CREATE TABLE task_state("
    "  id TEXT PRIMARY KEY NOT NULL REFERENCES task(id),"
    "  state TEXT NOT NULL"
    "    CHECK(state IN ('active', 'completed', 'revoked', 'expired', 'cascaded')),"
    "  deadline_ms INTEGER NOT NULL, calls_left INTEGER NOT NULL CHECK(calls_left >= 0),"
    "  children INTEGER NOT NULL, closed_ms INTEGER, reason TEXT) STRICT, WITHOUT ROWID;"
    "CREATE INDEX task_active ON task_state(id) WHERE state = 'active';"

    "CREATE TABLE hold("
    "  id TEXT PRIMARY KEY NOT NULL, task TEXT NOT NULL REFERENCES task(id), call TEXT NOT NULL,"
    "  binding TEXT NOT NULL, tool TEXT NOT NULL, digest TEXT NOT NULL, args TEXT NOT NULL,"
    "  effect TEXT NOT NULL,"
    "  state TEXT NOT NULL CHECK("
    "    state IN ('pending', 'approved', 'denied', 'used', 'expired', 'cancelled')),"
    "  created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, approver TEXT,"
    "  decided_ms INTEGER, policies TEXT NOT NULL) STRICT;"
    "CREATE INDEX hold_live ON hold(task) WHERE state IN ('pending', 'approved');"

    "CREATE TABLE pin("
    "  binding TEXT NOT NULL, tool TEXT NOT NULL, digest TEXT NOT NULL, definition TEXT NOT NULL,"
    "  state TEXT NOT NULL CHECK(state IN ('current', 'changed')), seen_ms INTEGER NOT NULL,"
    "  PRIMARY KEY(binding, tool)) STRICT;"

    "CREATE TABLE operator("
    "  name TEXT PRIMARY KEY NOT NULL, public_key TEXT NOT NULL, added_ms INTEGER NOT NULL,"
    "  added_by TEXT NOT NULL) STRICT;"

    "CREATE TABLE leaf("
    "  idx INTEGER PRIMARY KEY, hash BLOB NOT NULL CHECK(length(hash) = 32), body BLOB NOT NULL,"
    "  call TEXT, task TEXT) STRICT;"
    "CREATE INDEX leaf_call ON leaf(call) WHERE call IS NOT NULL;"
    "CREATE INDEX leaf_task ON leaf(task) WHERE task IS NOT NULL;"
    "CREATE TABLE tree("
    "  one INTEGER PRIMARY KEY CHECK(one = 1), size INTEGER NOT NULL, frontier BLOB NOT NULL)"
    "  STRICT;"
    "CREATE TABLE checkpoint("
    "  size INTEGER PRIMARY KEY, root BLOB NOT NULL CHECK(length(root) = 32), note BLOB NOT NULL,"
    "  at_ms INTEGER NOT NULL) STRICT;"

    "CREATE TABLE open_call("
    "  id TEXT PRIMARY KEY NOT NULL, task TEXT NOT NULL, high INTEGER NOT NULL)"
    "  STRICT, WITHOUT ROWID;"
    "CREATE TABLE payload("
    "  call TEXT PRIMARY KEY NOT NULL, salt BLOB NOT NULL, args TEXT NOT NULL)"
    "  STRICT, WITHOUT ROWID;";

/* Tasks that are suspended, granted or requested, their budgets, and agents that a person
 * suspended. A CHECK cannot be changed, so the table is made anew. */
static const char V3[] =
    "CREATE TABLE task_state_2("
    "  id TEXT PRIMARY KEY NOT NULL REFERENCES task(id),"
    "  state TEXT NOT NULL CHECK(state IN ('active', 'suspended', 'granted', 'requested',"
    "    'completed', 'revoked', 'expired', 'cascaded')),"
    "  deadline_ms INTEGER NOT NULL, calls_left INTEGER NOT NULL CHECK(calls_left >= 0),"
    "  children INTEGER NOT NULL, closed_ms INTEGER, reason TEXT,"
    "  until_ms INTEGER NOT NULL, bytes_left INTEGER NOT NULL, rows_left INTEGER NOT NULL,"
    "  tokens_left INTEGER NOT NULL, money_left INTEGER NOT NULL CHECK(money_left >= 0))"
    "  STRICT, WITHOUT ROWID;"
    "INSERT INTO task_state_2 SELECT id, state, deadline_ms, calls_left, children, closed_ms,"
    "  reason, 0, 9223372036854775807, 9223372036854775807, 9223372036854775807,"
    "  9223372036854775807 FROM task_state;"
    "DROP TABLE task_state;"
    "ALTER TABLE task_state_2 RENAME TO task_state;"
    "CREATE INDEX task_open ON task_state(id)"
    "  WHERE state IN ('active', 'suspended', 'granted', 'requested');"
    "ALTER TABLE task ADD COLUMN opened_by TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE agent("
    "  name TEXT PRIMARY KEY NOT NULL, state TEXT NOT NULL CHECK(state IN ('active', 'suspended')),"
    "  changed_by TEXT NOT NULL, reason TEXT, at_ms INTEGER NOT NULL) STRICT;";

/* Who approved a hold that takes more than one: a JSON array of names. */
static const char V6[] = "ALTER TABLE hold ADD COLUMN approvers TEXT NOT NULL DEFAULT '[]';";

const char *const STORE_MIGRATIONS[STORE_SCHEMA_VERSION] = {
    V1, STORE_PEOPLE_TABLES, V3, STORE_REVOKE_TABLES, STORE_IDENTITY_TABLES, V6};

const char *const STORE_SQL[STORE_STMTS] = {
    [STORE_TASK_INSERT] = "INSERT INTO task(id, parent, owner, agent, purpose, grants, opened_ms,"
                          " opened_by) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [STORE_TASK_STATE_INSERT] =
        "INSERT INTO task_state(id, state, deadline_ms, calls_left, children, until_ms,"
        " bytes_left, rows_left, tokens_left, money_left)"
        " VALUES(?1, ?5, ?2, ?3, ?4, ?6, ?7, ?8, ?9, ?10)",
    [STORE_TASK_CLOSE] = "UPDATE task_state SET state = ?2, closed_ms = ?3, reason = ?4"
                         " WHERE id = ?1 AND state IN ('active', 'suspended', 'granted',"
                         " 'requested')",
    [STORE_TASK_DEBIT] = "UPDATE task_state SET calls_left = calls_left - 1, money_left ="
                         " CASE money_left WHEN 9223372036854775807 THEN money_left"
                         " ELSE money_left - ?3 END"
                         " WHERE id = ?1 AND state = 'active' AND deadline_ms > ?2"
                         " AND calls_left > 0 AND bytes_left > 0 AND rows_left > 0"
                         " AND tokens_left > 0 AND money_left >= ?3",
    [STORE_TASK_ANSWER] =
        "UPDATE task_state SET"
        " bytes_left = CASE bytes_left WHEN 9223372036854775807 THEN bytes_left"
        " ELSE bytes_left - ?2 END,"
        " rows_left = CASE rows_left WHEN 9223372036854775807 THEN rows_left"
        " ELSE rows_left - ?3 END,"
        " tokens_left = CASE tokens_left WHEN 9223372036854775807 THEN tokens_left"
        " ELSE tokens_left - ?4 END WHERE id = ?1",
    [STORE_TASK_SUSPEND] = "UPDATE task_state SET state = 'suspended', reason = ?2"
                           " WHERE id = ?1 AND state = 'active'",
    [STORE_TASK_RESUME] = "UPDATE task_state SET state = 'active', reason = NULL"
                          " WHERE id = ?1 AND state = 'suspended'",
    [STORE_TASK_BEGIN] = "UPDATE task_state SET state = 'active', deadline_ms = ?3, until_ms = 0"
                         " WHERE id = ?1 AND state = ?2 AND state IN ('granted', 'requested')"
                         " AND deadline_ms > ?4 AND until_ms > ?4",
    [STORE_AGENT_PUT] = "INSERT INTO agent(name, state, changed_by, reason, at_ms)"
                        " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(name) DO UPDATE SET"
                        " state = ?2, changed_by = ?3, reason = ?4, at_ms = ?5",
    [STORE_TASK_CHILD] = "UPDATE task_state SET children = children + 1 WHERE id = ?1"
                         " AND state = 'active' AND deadline_ms > ?2 AND children < ?3",

    [STORE_HOLD_INSERT] = "INSERT INTO hold(id, task, call, binding, tool, digest, args, effect,"
                          " state, created_ms, expires_ms, policies)"
                          " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', ?9, ?10, ?11)",
    [STORE_HOLD_DECIDE] = "UPDATE hold SET state = ?2, approver = ?3, decided_ms = ?4"
                          " WHERE id = ?1 AND state = 'pending' AND expires_ms > ?4",
    [STORE_HOLD_COUNT] = "UPDATE hold SET approvers = ?2 WHERE id = ?1 AND state = 'pending'"
                         " AND approvers = ?3 AND expires_ms > ?4",
    [STORE_HOLD_CONSUME] = "UPDATE hold SET state = 'used' WHERE id = ?1 AND state = 'approved'"
                           " AND task = ?2 AND digest = ?3 AND expires_ms > ?4",
    [STORE_HOLD_EXPIRE] = "UPDATE hold SET state = 'expired' WHERE id = ?1"
                          " AND state IN ('pending', 'approved') AND expires_ms <= ?2",
    [STORE_HOLD_CANCEL] = "UPDATE hold SET state = 'cancelled', decided_ms = ?2 WHERE id = ?1"
                          " AND state IN ('pending', 'approved')",
    [STORE_HOLD_CANCEL_TASK] = "UPDATE hold SET state = 'cancelled', decided_ms = ?2"
                               " WHERE task = ?1 AND state IN ('pending', 'approved')",

    [STORE_PIN_PUT] = "INSERT INTO pin(binding, tool, digest, definition, state, seen_ms)"
                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(binding, tool) DO UPDATE SET"
                      " digest = ?3, definition = ?4, state = ?5, seen_ms = ?6",
    [STORE_PIN_DELETE] = "DELETE FROM pin WHERE binding = ?1 AND tool = ?2",
    [STORE_OPERATOR_INSERT] = "INSERT INTO operator(name, public_key, added_ms, added_by)"
                              " VALUES(?1, ?2, ?3, ?4)",
    [STORE_OPERATOR_DELETE] = "DELETE FROM operator WHERE name = ?1",

    [STORE_OPEN_CALL_INSERT] = "INSERT INTO open_call(id, task, high) VALUES(?1, ?2, ?3)",
    [STORE_OPEN_CALL_DELETE] = "DELETE FROM open_call WHERE id = ?1",
    [STORE_PAYLOAD_INSERT] = "INSERT INTO payload(call, salt, args) VALUES(?1, ?2, ?3)",
    [STORE_PAYLOAD_DELETE] = "DELETE FROM payload WHERE call = ?1",
    [STORE_CHECKPOINT_INSERT] = "INSERT INTO checkpoint(size, root, note, at_ms)"
                                " SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS"
                                " (SELECT 1 FROM checkpoint WHERE size >= ?1)",
    [STORE_META_PUT] = "INSERT INTO meta(name, value) VALUES(?1, ?2)"
                       " ON CONFLICT(name) DO UPDATE SET value = ?2",

    /* people */
    [STORE_PASSKEY_INSERT] = "INSERT INTO passkey(credential, person, public_key, counter,"
                             " added_ms, used_ms) VALUES(?1, ?2, ?3, ?4, ?5, 0)",
    [STORE_PASSKEY_USE] = "UPDATE passkey SET counter = ?2, used_ms = ?3 WHERE credential = ?1"
                          " AND (counter < ?2 OR (counter = 0 AND ?2 = 0))",
    [STORE_PASSKEY_DELETE_OF] = "DELETE FROM passkey WHERE person = ?1",
    [STORE_SESSION_INSERT] = "INSERT INTO person_session(hash, person, method, amr, acr, auth_ms,"
                             " created_ms, used_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
    [STORE_SESSION_TOUCH] = "UPDATE person_session SET used_ms = ?2 WHERE hash = ?1",
    [STORE_SESSION_DELETE] = "DELETE FROM person_session WHERE hash = ?1",
    [STORE_SESSION_DELETE_OF] = "DELETE FROM person_session WHERE person = ?1",
    [STORE_SESSION_SWEEP] = "DELETE FROM person_session WHERE created_ms < ?1 OR used_ms < ?2",
    [STORE_INVITE_INSERT] = "INSERT INTO invite(hash, person, made_by, created_ms, expires_ms)"
                            " VALUES(?1, ?2, ?3, ?4, ?5)",
    [STORE_INVITE_USE] = "DELETE FROM invite WHERE hash = ?1 AND expires_ms > ?2",
    [STORE_INVITE_DELETE_OF] = "DELETE FROM invite WHERE person = ?1",
    [STORE_INVITE_SWEEP] = "DELETE FROM invite WHERE expires_ms <= ?1",
    [STORE_EVIDENCE_INSERT] = "INSERT INTO evidence(id, person, statement, public_key, credential,"
                              " authenticator_data, client_data, signature, at_ms)"
                              " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",

    /* revocation */
    [STORE_LEASE_OPEN] = "INSERT INTO lease(task, binding, holder, state, opened_ms, changed_ms,"
                         " why) VALUES(?1, ?2, ?3, 'live', ?4, ?4, '')"
                         " ON CONFLICT(task, binding) DO NOTHING",
    [STORE_LEASE_REVOKE] = "UPDATE lease SET state = 'revoking', changed_ms = ?2"
                           " WHERE task = ?1 AND state = 'live'",
    [STORE_LEASE_END] = "UPDATE lease SET state = ?3, changed_ms = ?4, why = ?5"
                        " WHERE task = ?1 AND binding = ?2 AND state IN ('live', 'revoking')",
    [STORE_RECEIPT_INSERT] = "INSERT INTO receipt(id, kind, name, closes, by, reason, opened_ms,"
                             " state, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 'open', '')",
    [STORE_RECEIPT_TASK] = "INSERT INTO receipt_task(task, receipt) VALUES(?1, ?2)"
                           " ON CONFLICT(task, receipt) DO NOTHING",
    [STORE_RECEIPT_END] = "UPDATE receipt SET state = 'ended', body = ?2"
                          " WHERE id = ?1 AND state = 'open'",

    /* revoked identities */
    [STORE_REVOKED_PUT] = "INSERT INTO revoked(kind, name, at_ms, until_ms, by, reason)"
                          " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(kind, name) DO UPDATE SET"
                          " at_ms = ?3, until_ms = ?4, by = ?5, reason = ?6",
    [STORE_REVOKED_DELETE] = "DELETE FROM revoked WHERE kind = ?1 AND name = ?2",
    [STORE_REVOKED_SWEEP] = "DELETE FROM revoked WHERE until_ms > 0 AND until_ms <= ?1",

    [STORE_LEAF_INSERT] = "INSERT INTO leaf(idx, hash, body, call, task)"
                          " VALUES(?1, ?2, ?3, ?4, ?5)",
    [STORE_TREE_PUT] = "INSERT INTO tree(one, size, frontier) VALUES(1, ?1, ?2)"
                       " ON CONFLICT(one) DO UPDATE SET size = ?1, frontier = ?2",
};

/* control: the client of the control socket: one question at a time, waiting for its answer.
 *
 * Lines of JSON as docs/formats/control.md lists them. A connection is known by the kernel's word
 * on who we are, and by control_login as an operator. What is read lives in the arena given to
 * control_open. Errors carry the gateway's own text. One thread. */
#pragma once
#include "base/json.h"
#include "crypto/key.h"

struct control {
    int fd; /* -1: closed */
    struct arena *a;
    struct buf in;
    str nonce, person, version; /* of the greeting */
    str operator_name;          /* logged in as; empty: not by key */
    struct key *key;            /* of the operator; owned */
    int64_t last_id;
};

enum { CONTROL_WAIT_S = 60 };

MUST_USE bool control_open(struct control *c, struct arena *a, str socket_path, struct err *err);
void control_close(struct control *c); /* a zero value with fd -1 is fine */
/* Takes the key over, also on failure. */
MUST_USE bool control_login(struct control *c, str name, struct key *key, struct err *err);
/* params: one JSON object as text, empty for none. */
MUST_USE bool control_call(struct control *c, str method, str params, const json **result,
                           struct err *err);
/* An operator's private key: PKCS#8 as base64 text in a file that nobody else may read. */
MUST_USE bool control_read_key(const char *path, struct key **out, struct err *err);

/* portal: the pages that people reach with a browser: sign in, enrol, consent, decide.
 *
 * It shows and asks; core decides. Every page is written on the server from core's answers
 * (docs/formats/control.md); the little JavaScript there is does what only a browser can do, speak
 * to the authenticator. No state is kept here: a browser holds the id of its session in a cookie,
 * which goes to core with every question.
 *
 * What is refused before core hears of it: a Host other than that of the configured origin; a POST
 * whose Origin is not exactly ours, or that lacks the token which binds it to this browser and
 * session; a body over PORTAL_BODY_BYTES_MAX. Every answer forbids framing, inline scripts,
 * anything from elsewhere, and caching. Nothing secret stands in a URL but the one-time link's
 * code, in the fragment, which browsers do not send. Loop thread only. */
#pragma once
#include "door/http_server.h"
#include "ipc/message.h"

struct conf;
struct portal_door;

enum { PORTAL_BODY_BYTES_MAX = 64 << 10, PORTAL_WAIT_MS = 10 * 1000 };

struct portal_door_opts {
    struct loop *loop;
    const struct conf *conf;
    /* Queues a question to core; false: it is away. */
    bool (*ask)(void *ctx, uint64_t id, const struct msg_people_ask *m);
    void *ctx;
};
struct portal_door *portal_door_new(const struct portal_door_opts *o);
void portal_door_serve(struct portal_door *d, struct conn *conn);
/* The answer to a question, as core's line. */
void portal_door_answer(struct portal_door *d, uint64_t id, str line);
/* Core is gone: what waits is answered with "try again". */
void portal_door_core_lost(struct portal_door *d);
/* Questions that wait longer than PORTAL_WAIT_MS are given up; to be called about once a second. */
void portal_door_tick(struct portal_door *d);
size_t portal_door_busy(const struct portal_door *d);

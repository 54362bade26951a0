/* What browsers ask, through the portal. The portal is treated as an edge is: it speaks for the
 * session ids it is shown and for nobody else (door/admin.h, admin_portal_line). */
#include "role/core_int.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/chan.h"

#include <stdio.h>
#include <stdlib.h>

enum { PEOPLE_TICKS = 60, ASKS_MAX = 1024 };

struct portal_ask {
    uint64_t id; /* the portal's */
};

static str key_of(uint64_t n, char room[24])
{
    return str_of(room, (size_t)snprintf(room, 24, "%llu", (unsigned long long)n));
}

bool core_portal_load(struct core *c, struct err *err)
{
    people_init(&c->gate.people, &c->env->conf);
    authorizations_init(&c->gate.authorizations);
    return people_load(&c->gate.people, store_view(c->gate.store), clock_wall_ms(), err);
}

/* ---- the first link ---- */

/* To the terminal and not to the log: it is for whoever started the gateway, once. */
static void on_first_link(void *arg, const struct store_result *res)
{
    char *text = arg;
    if (res->outcome == STORE_COMMITTED) {
        fputs(text, stderr);
        fflush(stderr);
    }
    crypto_wipe(text, strlen(text));
    free(text);
}

void core_portal_begin(struct core *c)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    str url;
    const struct conf_person *who = people_first(&c->gate.people);
    if (!who)
        return;
    char *text = calloc(1, 1024);
    if (!text)
        abort();
    if (!admin_first_invite(&c->admin, &a, who, &url, on_first_link, text, &err)) {
        log_warn("no link for the first passkey", LOG_ERR(&err));
        free(text);
        return;
    }
    snprintf(text, 1024,
             "Nobody has a passkey yet. To enrol the first, for %.*s, open this link within 15 "
             "minutes; it works once:\n\n    %.*s\n\n",
             STR(who->name), STR(url));
    crypto_wipe((void *)(uintptr_t)url.p, url.n);
}

/* ---- questions ---- */

void core_portal_tick(struct core *c, int64_t now_ms)
{
    if (c->env->conf.portal.address.n && c->ticks % PEOPLE_TICKS == 0)
        admin_people_tick(&c->admin, now_ms);
}

void core_portal_peer(struct core *c, struct chan *chan)
{
    str key;
    void *v;
    c->portal = chan;
    if (chan)
        chan_wipe_after_use(chan); /* sessions and links pass here */
    for (size_t i = 0; map_next(&c->portal_asks, &i, &key, &v);) {
        map_del(&c->portal_asks, key);
        free(v);
    }
}

void core_portal_message(struct core *c, struct chan *chan, uint16_t type, uint64_t id, str payload)
{
    struct msg_people_ask m;
    struct err err;
    char room[24];
    if (type != MSG_PEOPLE_ASK)
        return;
    if (!message_unpack(MSG_PEOPLE_ASK, payload, &m, &err)) {
        role_kill_peer(chan, &err);
        return;
    }
    if (map_count(&c->portal_asks) >= ASKS_MAX) {
        err_limit(&err, "over %d questions of the portal wait", ASKS_MAX);
        role_kill_peer(chan, &err);
        return;
    }
    struct portal_ask *ask = calloc(1, sizeof *ask);
    if (!ask)
        abort();
    ask->id = id;
    uint64_t conn = ++c->next_conn;
    map_put(&c->portal_asks, key_of(conn, room), ask);
    admin_portal_line(&c->admin, conn, m.session, m.line);
}

bool core_portal_reply(struct core *c, uint64_t conn, str line)
{
    char room[24];
    struct portal_ask *ask = map_del(&c->portal_asks, key_of(conn, room));
    if (!ask)
        return false;
    if (c->portal)
        role_send(c->portal, MSG_PEOPLE_ANSWER, ask->id, &(struct msg_text){line});
    free(ask);
    return true;
}

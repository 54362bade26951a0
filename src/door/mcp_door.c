/* The door itself: what core and keeper say, connections coming and going, and what is left when a
 * role goes away. */
#include "door/mcp_int.h"
#include "base/limits.h"

#include <stdlib.h>

/* ---- messages ---- */

union core_message {
    struct msg_go go;
    struct msg_refused refused;
    struct msg_result result;
    struct msg_list_answer list;
    struct msg_session_answer session;
    struct msg_cut cut;
    struct msg_discover discover;
    struct msg_empty empty;
};

/* Ends every call of the task, streams with a last event that says why, and its sessions with
 * upstreams; then says so to core, where it asked (id not 0). */
static void cut_task(struct mcp_door *d, uint64_t id, str task)
{
    struct msg_cut_done done = {0};
    LIST_EACH(&d->exchanges, it)
    {
        struct exchange *x = LIST_ENTRY(it, struct exchange, node);
        if (!x->task.n || !str_eq(x->task, task))
            continue;
        done.calls++;
        done.streams += x->streaming && x->http;
        call_cancel(x, "task_ended");
    }
    sessions_end_of(d, task);
    if (id)
        (void)d->o.send(d->o.ctx, ROLE_CORE, MSG_CUT_DONE, id, &done);
}

static bool core_message(struct mcp_door *d, uint16_t type, uint64_t id, str payload,
                         struct err *err)
{
    union core_message m = {0};
    struct map_key room;
    if (type == MSG_OAUTH_ANSWER)
        return oauth_door_answer(&d->oauth, id, payload, err);
    if (!message_unpack((enum message_type)type, payload, &m, err))
        return false;
    if (type == MSG_CUT) {
        cut_task(d, id, m.cut.task);
        return true;
    }
    if (type == MSG_DISCOVER) {
        discover(d, &m.discover);
        return true;
    }
    struct exchange *x = map_del(&d->asked, id_key(id, &room));
    if (!x)
        return true;
    x->asked = 0;
    timer_stop(&x->timer);
    if (type == MSG_GO)
        call_go(x, &m.go);
    else if (type == MSG_OUTCOME_RECORDED)
        call_recorded(x);
    else if (type == MSG_REFUSED)
        exchange_refused(x, &m.refused);
    else if (type == MSG_RESULT)
        exchange_result(x, &m.result);
    else if (type == MSG_LIST_ANSWER)
        exchange_known(x, &m.list);
    else if (type == MSG_SESSION_ANSWER)
        exchange_session(x, &m.session);
    return true;
}

static bool keeper_message(struct mcp_door *d, uint16_t type, uint64_t id, str payload,
                           struct err *err)
{
    union {
        struct msg_secret secret;
        struct msg_text text;
    } m = {0};
    struct map_key room;
    if (!message_unpack((enum message_type)type, payload, &m, err))
        return false;
    struct job *j = map_del(&d->released, id_key(id, &room));
    if (!j)
        return true;
    if (type == MSG_SECRET) {
        buf_put(&j->secrets, m.secret.values);
        j->on_secret(j, NULL);
    } else {
        struct err why = {0};
        err_denied(&why, "%.*s", STR(str_take(m.text.text, 300)));
        j->on_secret(j, &why);
    }
    return true;
}

bool mcp_door_message(struct mcp_door *d, enum role from, uint16_t type, uint64_t id, str payload,
                      struct err *err)
{
    return from == ROLE_KEEPER ? keeper_message(d, type, id, payload, err)
                               : core_message(d, type, id, payload, err);
}

static void core_lost(struct mcp_door *d)
{
    oauth_door_core_lost(&d->oauth);
    LIST_EACH(&d->exchanges, it)
    {
        struct exchange *x = LIST_ENTRY(it, struct exchange, node);
        if (x->stage == STAGE_RECORD) {
            call_unrecorded(x);
            exchange_free(x);
        } else if (x->asked) {
            exchange_answer_refused(
                x, S("The gateway restarted before it could decide. Nothing was sent. Try again."),
                S("error"), S("unavailable"), (str){0});
            exchange_free(x);
        } else {
            /* Its outcome could not be recorded any more; the new core settles it as unknown. */
            call_cancel(x, "core_lost");
        }
    }
}

static void keeper_lost(struct mcp_door *d)
{
    str id;
    void *v;
    for (size_t i = 0; map_next(&d->released, &i, &id, &v);) {
        struct job *j = v;
        struct err err = {0};
        err_peer(&err, "the keeper is restarting");
        map_del(&d->released, id);
        j->on_secret(j, &err);
    }
}

void mcp_door_peer_lost(struct mcp_door *d, enum role who)
{
    if (who == ROLE_CORE)
        core_lost(d);
    else if (who == ROLE_KEEPER)
        keeper_lost(d);
}

/* ---- clients ---- */

struct door_client {
    struct list node;
    struct http_client *client;
};

static void on_gone(struct http_request *r)
{
    struct exchange *x = r->owner;
    if (!x) {
        struct mcp_door *d = http_client_owner(r->client);
        oauth_door_gone(&d->oauth, r);
        return;
    }
    x->http = NULL;
    if (x->stage == STAGE_ASKED)
        return; /* core's answer will find nobody, and a GO is then settled as not sent */
    call_gone(x);
}

static void on_drain(struct http_request *r)
{
    struct exchange *x = r->owner;
    if (x)
        call_drain(x);
}

static void on_client_closed(struct http_client *c)
{
    struct mcp_door *d = http_client_owner(c);
    uint64_t tag = http_client_tag(c);
    if (tag & TAG_ATTESTED) {
        struct msg_conn_closed m = {.conn = (int64_t)(tag & ~TAG_ATTESTED)};
        (void)d->o.send(d->o.ctx, ROLE_CORE, MSG_CONN_CLOSED, 0, &m);
    }
    LIST_EACH(&d->clients, it)
    {
        struct door_client *dc = LIST_ENTRY(it, struct door_client, node);
        if (dc->client == c) {
            list_remove(&dc->node);
            free(dc);
            return;
        }
    }
}

static const struct http_server_ops SERVER_OPS = {.on_request = exchange_request,
                                                  .on_gone = on_gone,
                                                  .on_drain = on_drain,
                                                  .on_client_closed = on_client_closed};

static void serve(struct mcp_door *d, struct conn *conn, uint64_t tag)
{
    struct http_server_opts o = {
        .body_bytes_max = d->o.conf->request_bytes_max, .ops = &SERVER_OPS, .owner = d};
    struct door_client *dc = calloc(1, sizeof *dc);
    if (!dc)
        abort();
    dc->client = http_serve(&o, conn, tag);
    list_prepend(&d->clients, &dc->node);
    if (d->draining)
        http_client_finish(dc->client);
}

void mcp_door_serve(struct mcp_door *d, struct conn *conn, uint32_t listener)
{
    serve(d, conn, listener);
}

void mcp_door_serve_attested(struct mcp_door *d, struct conn *conn, int64_t attested)
{
    serve(d, conn, (uint64_t)attested | TAG_ATTESTED);
}

/* ---- the door ---- */

enum { SESSION_IDLE_MS = 10 * 60 * 1000, SWEEP_MS = 60 * 1000 };

static void on_sweep(void *owner)
{
    struct mcp_door *d = owner;
    sessions_sweep(d, SESSION_IDLE_MS);
    timer_start(&d->sweep, d->o.loop, SWEEP_MS, on_sweep, d);
}

struct mcp_door *mcp_door_new(const struct mcp_door_opts *o)
{
    struct mcp_door *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    d->o = *o;
    d->oauth =
        (struct oauth_door){.loop = o->loop, .conf = o->conf, .send = o->send, .ctx = o->ctx};
    list_init(&d->exchanges);
    list_init(&d->clients);
    d->self =
        (struct mcp_self){.name = S("ambit"), .title = S("Ambit"), .version = S(AMBIT_VERSION)};
    timer_start(&d->sweep, o->loop, SWEEP_MS, on_sweep, d);
    return d;
}

void mcp_door_drain(struct mcp_door *d)
{
    d->draining = true;
    LIST_EACH(&d->clients, it)
    http_client_finish(LIST_ENTRY(it, struct door_client, node)->client);
}

size_t mcp_door_busy(const struct mcp_door *d)
{
    return d->busy + map_count(&d->oauth.asked);
}

const struct mcp_door_counts *mcp_door_counts(const struct mcp_door *d)
{
    return &d->counts;
}

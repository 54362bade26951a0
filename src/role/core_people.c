/* The control socket: accepted by core itself, known by the kernel's credentials, one JSON object a
 * line. */
#include "role/core_int.h"
#include "base/limits.h"
#include "base/log.h"
#include "os/peer.h"

#include <stdio.h>
#include <stdlib.h>

enum { PEOPLE_MAX = 64, PERSON_IDLE_MS = 10 * 60 * 1000 };

struct person_conn {
    struct core *core;
    struct conn *conn;
    struct admin_peer peer;
};

static str key_of(uint64_t n, char room[24])
{
    return str_of(room, (size_t)snprintf(room, 24, "%llu", (unsigned long long)n));
}

static void on_data(struct conn *conn)
{
    struct person_conn *p = conn_owner(conn);
    conn_deadline(conn, PERSON_IDLE_MS, "request");
    for (;;) {
        str in = conn_in(conn);
        ptrdiff_t end = str_find_char(in, '\n', 0);
        if (end < 0 && in.n > CONTROL_LINE_BYTES_MAX) {
            conn_abort(conn);
            return;
        }
        if (end < 0 || conn_is_closing(conn))
            return;
        admin_line(&p->core->admin, &p->peer, str_take(in, (size_t)end));
        conn_consume(conn, (size_t)end + 1);
    }
}

static void on_close(struct conn *conn, const struct err *err)
{
    struct person_conn *p = conn_owner(conn);
    char room[24];
    (void)err;
    map_del(&p->core->people, key_of(p->peer.conn, room));
    free(p);
}

static const struct conn_ops OPS = {.on_data = on_data, .on_close = on_close};

static void on_person(void *owner, struct conn *conn)
{
    struct core *c = owner;
    struct peer peer;
    struct err err;
    char room[24];
    struct buf greeting = {0};
    if (!peer_attest(conn_fd(conn), &peer, &err)) {
        log_warn("control connection refused", LOG_ERR(&err));
        return; /* not taken over, hence dropped */
    }
    struct person_conn *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    *p = (struct person_conn){.core = c, .conn = conn};
    admin_greet(&c->admin, ++c->next_conn, (int64_t)peer.uid, &p->peer, &greeting);
    peer_fini(&peer);
    map_put(&c->people, key_of(p->peer.conn, room), p);
    conn_set_owner(conn, &OPS, p);
    conn_deadline(conn, PERSON_IDLE_MS, "request");
    conn_write(conn, buf_str(&greeting));
    buf_fini(&greeting);
}

bool core_people_listen(struct core *c, int fd, struct err *err)
{
    struct listen_opts o = {.conns_max = PEOPLE_MAX,
                            .in_mark = 2 * CONTROL_LINE_BYTES_MAX,
                            .on_conn = on_person,
                            .owner = c};
    return listener_adopt(c->env->loop, fd, &o, &c->control, err);
}

void core_reply(void *ctx, uint64_t conn, str line)
{
    struct core *c = ctx;
    char room[24];
    struct person_conn *p = map_get(&c->people, key_of(conn, room));
    if (p)
        conn_write(p->conn, line);
    else
        (void)core_portal_reply(c, conn, line);
}

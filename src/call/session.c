/* Legacy MCP sessions: an id that belongs to one task, one listener and (where attested) one
 * process, which may use several connections. */
#include "call/request.h"
#include "base/clock.h"

#include <stdlib.h>

enum { SESSIONS_MAX = 65536 };

static void refuse(struct gate *g, uint32_t edge, uint64_t request, enum refusal_kind kind,
                   const char *text)
{
    struct msg_refused no = {.kind = (uint8_t)kind, .text = str_z(text), .policies = S("[]")};
    g->out.to_edge(g->out.ctx, edge, MSG_REFUSED, request, &no);
}

static struct session *session_new(struct gate *g, const struct caller *who,
                                   const struct msg_session *m, int64_t now_ms)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->id = id_new('s');
    if (who->task)
        s->task = who->task->id;
    s->listener = m->proof.listener;
    if (who->instance.n && who->instance.n < sizeof s->instance)
        memcpy(s->instance, who->instance.p, who->instance.n);
    s->used_ms = now_ms;
    if (m->version.n && m->version.n < sizeof s->version)
        memcpy(s->version, m->version.p, m->version.n);
    map_put(&g->sessions, id_str(&s->id), s);
    return s;
}

/* An attested agent that has no task yet may have a session, to ask for one. */
static bool without_task(struct gate *g, uint32_t edge, const struct proof *p, int64_t now_ms,
                         struct caller *out)
{
    struct asker asker;
    enum refusal_kind kind;
    struct err err;
    size_t n;
    if (p->task.n || !gate_identify_agent(g, edge, p, now_ms, &asker, &kind, &err) ||
        tasks_only_of(&g->tasks, asker.agent, now_ms, &n) || n)
        return false;
    *out = (struct caller){.instance = asker.instance};
    return true;
}

void gate_session_open(struct gate *g, uint32_t edge, uint64_t request, const struct msg_session *m)
{
    struct caller who = {0};
    enum refusal_kind kind;
    struct err err;
    int64_t now_ms = clock_wall_ms();
    struct msg_session first = *m;
    first.proof.session = (str){0};
    if (!gate_identify(g, edge, &first.proof, now_ms, &who, &kind, &err) &&
        !without_task(g, edge, &first.proof, now_ms, &who)) {
        gate_answer_unidentified(g, edge, request, kind, &who, &err);
        return;
    }
    if (map_count(&g->sessions) >= SESSIONS_MAX) {
        refuse(g, edge, request, REFUSAL_UNAVAILABLE,
               "too many sessions are open; try again later");
        return;
    }
    struct session *s = session_new(g, &who, m, now_ms);
    struct msg_session_answer yes = {.session = id_str(&s->id)};
    g->out.to_edge(g->out.ctx, edge, MSG_SESSION_ANSWER, request, &yes);
}

void gate_session_end(struct gate *g, uint32_t edge, uint64_t request, const struct msg_session *m)
{
    struct caller who = {0};
    enum refusal_kind kind;
    struct err err;
    struct asker asker;
    enum refusal_kind why;
    struct err ignored;
    if (!gate_identify(g, edge, &m->proof, clock_wall_ms(), &who, &kind, &err) &&
        !gate_identify_agent(g, edge, &m->proof, clock_wall_ms(), &asker, &why, &ignored)) {
        gate_answer_unidentified(g, edge, request, kind, &who, &err);
        return;
    }
    free(map_del(&g->sessions, m->proof.session));
    struct msg_session_answer gone = {0};
    g->out.to_edge(g->out.ctx, edge, MSG_SESSION_ANSWER, request, &gone);
}

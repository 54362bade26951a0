/* What a closing asks of edges and the runner, and what they say of it (call/close.h). */
#include "role/core_int.h"
#include "base/log.h"

size_t core_cut(void *ctx, uint64_t seq, str task, uint32_t out[GATE_EDGES_MAX])
{
    struct core *c = ctx;
    size_t n = 0;
    for (size_t i = 0; i < CORE_EDGES_MAX; i++)
        if (c->edges[i].life) {
            role_send(c->edges[i].chan, MSG_CUT, seq, &(struct msg_cut){task});
            out[n++] = c->edges[i].life;
        }
    return n;
}

bool core_stop_children(void *ctx, uint64_t seq, str task, bool at_once)
{
    struct core *c = ctx;
    struct msg_stop_child m = {.task = task, .at_once = at_once};
    if (c->runner)
        role_send(c->runner, MSG_STOP_CHILD, seq, &m);
    return c->runner != NULL;
}

void core_end_edge(void *ctx, uint32_t life, const char *why)
{
    struct chan *chan = core_edge_chan(ctx, life);
    struct err err = {0};
    err_peer(&err, "%s", why);
    if (chan)
        role_kill_peer(chan, &err);
}

void core_on_runner_message(struct core *c, struct chan *chan, uint16_t type, uint64_t id,
                            str payload)
{
    struct msg_child_stopped m;
    struct err err;
    if (!message_unpack((enum message_type)type, payload, &m, &err))
        role_kill_peer(chan, &err);
    else if (type == MSG_CHILD_STOPPED)
        gate_child_stopped(&c->gate, id, m.programs);
}

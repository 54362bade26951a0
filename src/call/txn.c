/* Transaction tokens for backends (draft-ietf-oauth-transaction-tokens-10; `act` and `agentic_ctx`
 * of draft-araut-oauth-transaction-tokens-for-agents): a server behind the gateway learns who asked
 * for what, by a token of our own for exactly one call. The agent's token never goes there.
 *
 * The keeper signs while the intent is being committed, so a call that waits for its record waits
 * no longer for its token:
 *
 *     allowed -> txn_begin -+-> signed ----+-> released
 *                           +-> recorded --+
 */
#include "base/clock.h"
#include "base/hex.h"
#include "call/gate_int.h"

#include <stdlib.h>

enum { TXN_LIFE_S = 60 };

static void write_act(struct jw *w, const struct gate *g, struct arena *a, const struct task *t)
{
    unsigned open = 0;
    for (; t; t = t->parent, open++) {
        jw_key(w, S("act"));
        jw_obj(w);
        jw_kstr(w, S("sub"), task_agent_id(a, g->conf, t->agent));
    }
    while (open--)
        jw_end_obj(w);
}

static void write_contexts(struct jw *w, const struct gate *g, struct arena *a,
                           const struct live_call *c, str args, str instance)
{
    const struct conf_agent *agent = conf_agent(g->conf, c->task->agent);
    struct hash h = sha256(args);
    jw_key(w, S("tctx")); /* what is done */
    jw_obj(w);
    jw_kstr(w, S("task"), id_str(&c->task->id));
    jw_kstr(w, S("tool"), c->tool);
    jw_kstr(w, S("effect"), c->effect);
    jw_kstr(w, S("args_sha256"), base64url_dup(a, hash_str(&h)));
    jw_end_obj(w);
    jw_key(w, S("rctx")); /* how it was asked for */
    jw_obj(w);
    if (instance.n)
        jw_kstr(w, S("instance"), instance);
    jw_end_obj(w);
    jw_key(w, S("agentic_ctx"));
    jw_obj(w);
    jw_kstr(w, S("agent"), c->task->agent);
    if (agent && agent->model.n)
        jw_kstr(w, S("model"), agent->model);
    jw_ki64(w, S("delegations"), c->task->depth);
    jw_end_obj(w);
}

static void write_claims(const struct gate *g, const struct live_call *c, str args, str instance,
                         int64_t now_ms, struct buf *out)
{
    ARENA_SCOPE struct arena a = {0};
    int64_t exp_s = now_ms / 1000 + TXN_LIFE_S;
    for (const struct task *t = c->task; t; t = t->parent)
        exp_s = t->deadline_ms / 1000 < exp_s ? t->deadline_ms / 1000 : exp_s;
    struct jw w = jw(out);
    jw_obj(&w);
    jw_ki64(&w, S("iat"), now_ms / 1000);
    jw_ki64(&w, S("exp"), exp_s);
    jw_kstr(&w, S("aud"), g->conf->trust_domain);
    jw_kstr(&w, S("txn"), id_str(&c->id));
    jw_kstr(&w, S("sub"), c->task->owner);
    jw_kstr(&w, S("scope"), str_fmt(&a, "%.*s/%.*s", STR(c->binding), STR(c->tool)));
    jw_kstr(&w, S("req_wl"), task_agent_id(&a, g->conf, c->task->agent));
    write_act(&w, g, &a, c->task);
    write_contexts(&w, g, &a, c, args, instance);
    jw_end_obj(&w);
}

struct txn_asked {
    struct gate *g;
    struct id call;
};

static void on_signed(void *arg, str token, str why)
{
    struct txn_asked *q = arg;
    struct live_call *c = map_get(&q->g->live, id_str(&q->call));
    (void)why;
    if (c && !c->closing && c->txn_state == TXN_ASKED) {
        c->txn = str_dup(&c->arena, token);
        c->txn_state = token.n ? TXN_SIGNED : TXN_FAILED;
        if (c->txn_waits)
            live_release(q->g, c, c->txn_args);
    }
    free(q);
}

void txn_begin(struct gate *g, struct live_call *c, str args, str instance)
{
    struct buf claims = {.max = JWS_BYTES_MAX};
    struct txn_asked *q = malloc(sizeof *q);
    if (!q)
        abort();
    *q = (struct txn_asked){g, c->id};
    c->txn_state = TXN_ASKED;
    write_claims(g, c, args, instance, clock_wall_ms(), &claims);
    g->out.sign_jwt(g->out.ctx, SIGN_TXN, buf_str(&claims), on_signed, q);
    buf_fini(&claims);
}

bool txn_must_wait(struct live_call *c, str args)
{
    if (c->txn_state != TXN_ASKED)
        return false;
    c->txn_waits = true;
    c->txn_args = str_dup(&c->arena, args);
    return true;
}

/* What a task token says (RFC 9068; design section 6). */
#include "call/oauth_int.h"
#include "base/hex.h"

/* act: outermost is the holder, nested are the delegators (RFC 8693 section 4.1). It comes from the
 * task, so no client can choose it. */
static void write_act(struct jw *w, const struct oauth_request *r, const struct task *t)
{
    unsigned depth = 0;
    jw_key(w, S("act"));
    for (; t; t = t->parent, depth++) {
        if (depth)
            jw_key(w, S("act"));
        jw_obj(w);
        jw_kstr(w, S("sub"), task_agent_id(r->a, r->g->conf, t->agent));
    }
    while (depth--)
        jw_end_obj(w);
}

static void write_operations(struct jw *w, str name, const struct oauth_wanted *want)
{
    const str *ops = want->narrowed ? want->operations : want->task->operations;
    size_t n = want->narrowed ? want->operations_n : want->task->operations_n;
    jw_key(w, name);
    jw_arr(w);
    for (size_t i = 0; i < n; i++)
        jw_str(w, ops[i]);
    jw_end_arr(w);
}

static void write_details(struct jw *w, const struct oauth_wanted *want)
{
    jw_key(w, S("authorization_details"));
    jw_arr(w);
    if (want->narrowed) {
        jw_obj(w);
        jw_kstr(w, S("type"), S("tool_call"));
        write_operations(w, S("actions"), want);
        jw_end_obj(w);
    } else {
        task_authorization_details(w, want->task);
    }
    jw_end_arr(w);
}

/* authority_hash (a name of the OAuth Mission draft): of the operations and their bounds. Bounds
 * hold for a narrowed token too: core judges calls by the task. */
static void write_task(struct jw *w, const struct oauth_request *r, const struct oauth_wanted *want)
{
    const struct task *t = want->task;
    struct buf grants = {0};
    struct jw g = jw(&grants);
    grant_set_write(&g, t->grants);
    struct hash h = sha256(buf_str(&grants));
    buf_fini(&grants);
    jw_key(w, S("task"));
    jw_obj(w);
    jw_kstr(w, S("id"), id_str(&t->id));
    if (t->parent)
        jw_kstr(w, S("parent"), id_str(&t->parent->id));
    jw_kstr(w, S("authority_hash"), base64url_dup(r->a, hash_str(&h)));
    if (want->narrowed)
        write_operations(w, S("operations"), want);
    /* Whoever is an agent by another trust domain's word: so that its ID can be revoked. */
    if (str_starts(r->who.subject, S("spiffe://")) && !str_eq(r->who.subject, r->who.spiffe_id))
        jw_kstr(w, S("holder"), r->who.subject);
    jw_end_obj(w);
}

static void write_cnf(struct jw *w, const struct oauth_request *r)
{
    if (!r->has_jkt && !r->cert.n)
        return;
    jw_key(w, S("cnf"));
    jw_obj(w);
    if (r->has_jkt)
        jw_kstr(w, S("jkt"), key_id_str(&r->jkt));
    else
        jw_kstr(w, S("x5t#S256"), base64url_dup(r->a, r->cert));
    jw_end_obj(w);
}

void oauth_claims(const struct oauth_request *r, const struct oauth_wanted *want,
                  int64_t expires_ms, struct buf *out)
{
    struct id jti = id_new('j');
    struct jw w = jw(out);
    jw_obj(&w);
    jw_kstr(&w, S("aud"), want->resource);
    jw_kstr(&w, S("sub"), want->task->owner);
    jw_kstr(&w, S("client_id"), r->who.spiffe_id);
    jw_ki64(&w, S("iat"), r->now_ms / 1000);
    jw_ki64(&w, S("exp"), expires_ms / 1000);
    jw_kstr(&w, S("jti"), id_str(&jti));
    write_act(&w, r, want->task);
    write_details(&w, want);
    write_task(&w, r, want);
    write_cnf(&w, r);
    jw_end_obj(&w);
}

bool oauth_is_high(const struct gate *g, const struct oauth_wanted *want)
{
    const str *ops = want->narrowed ? want->operations : want->task->operations;
    size_t n = want->narrowed ? want->operations_n : want->task->operations_n;
    for (size_t i = 0; i < n; i++) {
        const struct catalog_tool *tool = catalog_operation(&g->catalog, ops[i]);
        if (!tool || catalog_is_high_impact(tool))
            return true;
    }
    return false;
}

/* What people read on the control door: traces, explanations, tools, pins, the policy set, the
 * status. */
#include "door/admin_int.h"
#include "base/hex.h"
#include "base/limits.h"
#include "ledger/trace.h"

void on_trace(struct request *r)
{
    struct err err;
    struct trace tr;
    str id;
    struct store_view *v = store_view(r->g->store);
    bool ok = param_str(r, S("id"), &id, &err);
    if (ok)
        ok = id_is_valid(id, 't') ? trace_task(v, r->a, id, true, &tr, &err)
                                  : trace_call(v, r->a, id, &tr, &err);
    if (!ok) {
        answer_error(r, &err);
        return;
    }
    struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&b);
    trace_write(&w, &tr);
    if (b.over) {
        err_limit(&err, "the trace is too long for one answer; ask for a call, or read it offline "
                        "with --state");
        answer_error(r, &err);
    } else {
        answer_text(r, buf_str(&b));
    }
    buf_fini(&b);
}

/* A call's decision with the text of every policy that determined it. */
void on_explain(struct request *r)
{
    struct err err;
    struct trace tr;
    str id;
    if (!param_str(r, S("call"), &id, &err) ||
        !trace_call(store_view(r->g->store), r->a, id, &tr, &err)) {
        answer_error(r, &err);
        return;
    }
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_key(&w, S("decisions"));
    jw_arr(&w);
    for (size_t i = 0; i < tr.n; i++) {
        const json *ids = json_get(tr.entries[i].leaf, S("policies")), *pid;
        if (!json_get(tr.entries[i].leaf, S("policy")))
            continue;
        jw_obj(&w);
        jw_kvalue(&w, S("record"), tr.entries[i].leaf);
        jw_key(&w, S("policies"));
        jw_arr(&w);
        for (struct json_iter it = json_iter(ids); json_next(&it, NULL, &pid);) {
            jw_obj(&w);
            jw_kstr(&w, S("id"), json_str(pid));
            jw_kstr(&w, S("text"), policy_text(r->g->policy, json_str(pid)));
            jw_end_obj(&w);
        }
        jw_end_arr(&w);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_kstr(&w, S("inForce"), policy_digest(r->g->policy));
    jw_end_obj(&w);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

static str pin_name(const struct catalog_tool *t)
{
    return t->state == PIN_CURRENT ? S("current") : S("changed");
}

void on_tools(struct request *r)
{
    size_t n;
    struct catalog_tool **all = catalog_sorted(&r->g->catalog, r->a, &n);
    struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_key(&w, S("tools"));
    jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        jw_obj(&w);
        jw_kstr(&w, S("operation"), all[i]->operation);
        jw_kstr(&w, S("name"), all[i]->exposed);
        jw_kstr(&w, S("effect"), effect_name(catalog_effect(all[i])));
        jw_kbool(&w, S("highImpact"), catalog_is_high_impact(all[i]));
        jw_kbool(&w, S("labelled"), all[i]->label != NULL);
        jw_kstr(&w, S("pin"), pin_name(all[i]));
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

void on_pin_list(struct request *r)
{
    on_tools(r);
}

static struct catalog_tool *named_tool(struct request *r, struct err *err)
{
    str op;
    if (!param_str(r, S("operation"), &op, err))
        return NULL;
    struct catalog_tool *t = catalog_operation(&r->g->catalog, op);
    if (!t)
        err_notfound(err, "there is no tool %.*s; `ambit tools` lists them", STR(str_take(op, 80)));
    return t;
}

void on_pin_show(struct request *r)
{
    struct err err;
    struct catalog_tool *t = named_tool(r, &err);
    if (!t) {
        answer_error(r, &err);
        return;
    }
    struct buf b = {.max = HTTP_ANSWER_BYTES_MAX};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("operation"), t->operation);
    jw_kstr(&w, S("pin"), pin_name(t));
    jw_kstr(&w, S("digest"), hex_dup(r->a, hash_str(&t->digest)));
    jw_key(&w, S("definition"));
    jw_raw(&w, t->def.canonical);
    if (t->state == PIN_CHANGED) {
        jw_kstr(&w, S("newDigest"), hex_dup(r->a, hash_str(&t->changed)));
        jw_key(&w, S("newDefinition"));
        jw_raw(&w, t->changed_text);
    }
    jw_end_obj(&w);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

/* The reviewer names the digest that was looked at, so nothing newer is accepted unseen. */
void on_pin_accept(struct request *r)
{
    struct err err;
    char hex[HASH_HEX_SIZE];
    struct catalog_tool *t = named_tool(r, &err);
    str digest = json_get_str(r->params, S("digest"));
    bool ok = t != NULL;
    if (ok && t->state == PIN_CHANGED && !str_eq(digest, hash_hex(&t->changed, hex)))
        ok = err_input(&err,
                       "the digest is not that of the changed definition; look at it with `ambit "
                       "pin show %.*s`",
                       STR(t->operation));
    str before = ok ? base64url_dup(r->a, hash_str(&t->digest)) : (str){0};
    ok = ok && catalog_accept(&r->g->catalog, t, &err);
    if (!ok) {
        answer_error(r, &err);
        return;
    }
    struct store_pin row = {.binding = t->binding,
                            .tool = t->tool,
                            .digest = hash_hex(&t->digest, hex),
                            .definition = t->def.canonical,
                            .state = S("current"),
                            .seen_ms = r->now_ms};
    struct record_pin_change rec = {.time_ms = r->now_ms,
                                    .binding = t->binding,
                                    .tool = t->tool,
                                    .before = before,
                                    .after = base64url_dup(r->a, hash_str(&t->digest)),
                                    .state = S("accepted"),
                                    .by = who_is(r)};
    struct store_txn *txn = store_txn_new(r->g->store);
    store_pin_put(txn, &row);
    store_leaf(txn, record_pin_change(&r->g->scratch, &rec), (str){0}, (str){0});
    gate_submit(r->g, txn, NULL, NULL);
    answer_text(r, S("{\"ok\":true}"));
}

void on_policy(struct request *r)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("digest"), policy_digest(r->g->policy));
    jw_ki64(&w, S("policies"), (int64_t)policy_count(r->g->policy));
    jw_end_obj(&w);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

void on_discover(struct request *r)
{
    struct err err;
    str binding;
    if (!param_str(r, S("binding"), &binding, &err)) {
        answer_error(r, &err);
        return;
    }
    r->ad->out.discover(r->ad->out.ctx, binding);
    answer_text(r, S("{\"ok\":true}"));
}

void on_status(struct request *r)
{
    struct buf b = {0};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_kstr(&w, S("version"), S(AMBIT_VERSION));
    jw_kstr(&w, S("person"), r->peer->person ? r->peer->person->name : (str){0});
    jw_ki64(&w, S("tasks"), (int64_t)map_count(&r->g->tasks.by_id));
    jw_ki64(&w, S("callsInFlight"), (int64_t)map_count(&r->g->live));
    jw_ki64(&w, S("ledgerSize"), (int64_t)store_size(r->g->store));
    jw_kstr(&w, S("ledgerKey"), r->ad->vkey);
    r->ad->out.status(r->ad->out.ctx, &w);
    jw_end_obj(&w);
    answer_text(r, buf_str(&b));
    buf_fini(&b);
}

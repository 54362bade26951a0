/* tools/list: what this task could be allowed or have held, by the same engine that decides calls;
 * and what upstreams say their tools are. */
#include "call/request.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/log.h"

/* Arguments are unknown while listing, so a tool is shown when the task names it and it is
 * reviewed; every call is decided on its own. */
static bool is_listed(const struct catalog_tool *t, const struct task *task, str endpoint)
{
    if (t->state != PIN_CURRENT || !task_grants(task, t->operation))
        return false;
    return endpoint.n == 0 || str_eq(endpoint, t->binding);
}

/* What an agent sees that has no task yet: how to get one. */
static void list_taskless(struct gate *g, uint32_t edge, uint64_t request, const struct msg_list *m)
{
    ARENA_SCOPE struct arena a = {0};
    size_t n;
    struct catalog_tool **all = catalog_sorted(&g->catalog, &a, &n);
    struct buf run = {.max = HTTP_ANSWER_BYTES_MAX};
    for (size_t i = 0; i < n; i++) {
        if (!gate_is_taskless(all[i]) ||
            (m->proof.endpoint.n && !str_eq(m->proof.endpoint, all[i]->binding)))
            continue;
        pack_str(&run, m->proof.endpoint.n ? all[i]->tool : all[i]->exposed);
        pack_str(&run, all[i]->def.canonical);
    }
    struct msg_list_answer yes = {.tools = buf_str(&run)};
    g->out.to_edge(g->out.ctx, edge, MSG_LIST_ANSWER, request, &yes);
    buf_fini(&run);
}

void gate_list(struct gate *g, uint32_t edge, uint64_t request, const struct msg_list *m)
{
    ARENA_SCOPE struct arena a = {0};
    struct caller who = {0};
    enum refusal_kind kind;
    struct err err = {0}, ignored;
    struct asker asker;
    bool ok = gate_identify(g, edge, &m->proof, clock_wall_ms(), &who, &kind, &err);
    enum refusal_kind why = kind;
    if (!ok && !who.task &&
        gate_identify_agent(g, edge, &m->proof, clock_wall_ms(), &asker, &kind, &ignored)) {
        list_taskless(g, edge, request, m);
        return;
    }
    if (!ok) {
        gate_answer_unidentified(g, edge, request, why, &who, &err);
        return;
    }
    size_t n;
    struct catalog_tool **all = catalog_sorted(&g->catalog, &a, &n);
    struct buf run = {.max = HTTP_ANSWER_BYTES_MAX};
    for (size_t i = 0; i < n; i++) {
        if (!is_listed(all[i], who.task, m->proof.endpoint) ||
            !caller_may_use(&who, all[i]->operation))
            continue;
        pack_str(&run, m->proof.endpoint.n ? all[i]->tool : all[i]->exposed);
        pack_str(&run, all[i]->def.canonical);
    }
    struct msg_list_answer yes = {.tools = buf_str(&run)};
    g->out.to_edge(g->out.ctx, edge, MSG_LIST_ANSWER, request, &yes);
    buf_fini(&run);
}

/* ---- what upstreams say ---- */

static const char *news_state(enum catalog_news news)
{
    return news == CATALOG_NEW ? "seen" : "changed";
}

static void record_pin(struct gate *g, const struct catalog_tool *t, enum catalog_news news)
{
    ARENA_SCOPE struct arena a = {0};
    const struct hash *now = news == CATALOG_NEW ? &t->digest : &t->changed;
    str before = news == CATALOG_NEW ? (str){0} : base64url_dup(&a, hash_str(&t->digest));
    struct record_pin_change r = {.time_ms = clock_wall_ms(),
                                  .binding = t->binding,
                                  .tool = t->tool,
                                  .before = before,
                                  .after = base64url_dup(&a, hash_str(now)),
                                  .state = str_z(news_state(news)),
                                  .by = S("upstream")};
    struct store_txn *txn = store_txn_new(g->store);
    if (news == CATALOG_NEW) {
        char hex[HASH_HEX_SIZE];
        struct store_pin row = {.binding = t->binding,
                                .tool = t->tool,
                                .digest = hash_hex(&t->digest, hex),
                                .definition = t->def.canonical,
                                .state = S("current"),
                                .seen_ms = r.time_ms};
        store_pin_put(txn, &row);
    }
    store_leaf(txn, record_pin_change(&g->scratch, &r), (str){0}, (str){0});
    gate_submit(g, txn, NULL, NULL);
}

static void take_definition(struct gate *g, str binding, const json *definition)
{
    struct catalog_tool *t;
    struct err err;
    enum catalog_news news =
        catalog_put(&g->catalog, g->conf, binding, definition, false, &t, &err);
    switch (news) {
    case CATALOG_BAD:
        log_warn("tool definition dropped", LOG_STR("binding", binding), LOG_ERR(&err));
        break;
    case CATALOG_NEW:
        record_pin(g, t, news);
        break;
    case CATALOG_DIFFERS:
        log_warn("tool definition changed: hidden until accepted",
                 LOG_STR("operation", t->operation));
        record_pin(g, t, news);
        break;
    case CATALOG_SAME:
    case CATALOG_DIFFERS_STILL:
        break;
    }
}

void gate_catalog(struct gate *g, const struct msg_catalog *m)
{
    ARENA_SCOPE struct arena a = {0};
    struct json_limits limits = {
        .bytes_max = HTTP_ANSWER_BYTES_MAX, .depth_max = JSON_DEPTH_MAX, .values_max = 1000000};
    const json *list, *def;
    struct err err;
    const struct conf_binding *b = conf_binding(g->conf, m->binding);
    if (!b || b->kind == BINDING_INTERNAL)
        return;
    if (m->error.n) {
        log_warn("upstream could not be asked for its tools", LOG_STR("binding", b->name),
                 LOG_STR("error", m->error));
        return;
    }
    if (!json_read(&a, m->definitions, &limits, &list, &err)) {
        log_warn("upstream's list of tools cannot be read", LOG_STR("binding", b->name),
                 LOG_ERR(&err));
        return;
    }
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &def);)
        take_definition(g, b->name, def);
    log_info("catalogue read", LOG_STR("binding", b->name),
             LOG_NUM("tools", (int64_t)json_count(list)));
}

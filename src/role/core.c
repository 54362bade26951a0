/* The core role: state, decisions, the record. This file wires the gate, the control door, the
 * store and the other roles together; each decision is made elsewhere (call/, door/admin). */
#include "role/core_attest.h"
#include "role/core_int.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/log.h"
#include "call/oauth.h"
#include "ledger/recover.h"
#include "net/chan.h"
#include "store/read.h"

#include <stdlib.h>
#include <unistd.h>

enum { TICK_MS = 1000, DISCOVER_AGAIN_TICKS = 3, RECHECK_TICKS = 300, DRAIN_STEP_MS = 20 };

/* ---- edges ---- */

struct chan *core_edge_chan(struct core *c, uint32_t life)
{
    for (size_t i = 0; i < CORE_EDGES_MAX; i++)
        if (c->edges[i].life == life && life)
            return c->edges[i].chan;
    return NULL;
}

struct core_edge *core_any_edge(struct core *c)
{
    for (size_t i = 0; i < CORE_EDGES_MAX; i++) {
        struct core_edge *e = &c->edges[c->next_edge++ % CORE_EDGES_MAX];
        if (e->life)
            return e;
    }
    return NULL;
}

uint64_t core_new_id(struct core *c)
{
    return ++c->next_id;
}

static uint32_t life_of(struct core *c, const struct chan *chan)
{
    for (size_t i = 0; i < CORE_EDGES_MAX; i++)
        if (c->edges[i].life && c->edges[i].chan == chan)
            return c->edges[i].life;
    return 0;
}

static bool to_edge(void *ctx, uint32_t life, enum message_type type, uint64_t id, const void *msg)
{
    struct chan *chan = core_edge_chan(ctx, life);
    if (chan)
        role_send(chan, type, id, msg);
    return chan != NULL;
}

/* ---- discovery: edges fetch the tools of upstreams ----
 *
 * It may take a credential, and an edge must gain nothing that no live task was granted. So servers
 * that need one are asked while a live task may use them, or when a person says so. */

static void discover_one(struct core *c, const struct conf_binding *b, uint32_t life)
{
    struct vouchers v;
    struct id id = id_new('c');
    c->asked_ms[b - c->env->conf.bindings] = loop_now_ms(c->env->loop);
    for (size_t i = 0; i < CORE_EDGES_MAX; i++) {
        if (!c->edges[i].life || (life && c->edges[i].life != life))
            continue;
        gate_vouchers(&c->gate, b, &id, S("discover"), (str){0}, S("{}"), clock_wall_ms(), &v);
        struct msg_discover m = {.binding = b->name,
                                 .voucher = str_of((const char *)v.keeper, v.keeper_n),
                                 .run_voucher = str_of((const char *)v.runner, v.runner_n)};
        role_send(c->edges[i].chan, MSG_DISCOVER, 0, &m);
        id = id_new('c');
    }
}

static bool is_server(const struct conf_binding *b)
{
    return b->kind != BINDING_INTERNAL;
}

void core_discover(struct core *c, uint32_t life)
{
    for (size_t i = 0; i < c->env->conf.bindings_n; i++) {
        const struct conf_binding *b = &c->env->conf.bindings[i];
        if (is_server(b) && gate_may_discover(&c->gate, b, clock_wall_ms()))
            discover_one(c, b, life);
    }
}

/* Those that have not answered are asked again, one question at a time. */
static void discover_missing(void *ctx)
{
    struct core *c = ctx;
    int64_t now = loop_now_ms(c->env->loop);
    for (size_t i = 0; i < c->env->conf.bindings_n; i++) {
        const struct conf_binding *b = &c->env->conf.bindings[i];
        bool waiting = c->asked_ms[i] && now - c->asked_ms[i] < 2 * CORE_WAIT_MS_MAX;
        if (is_server(b) && !waiting && !map_get(&c->catalogs, b->name) &&
            gate_may_discover(&c->gate, b, clock_wall_ms()))
            discover_one(c, b, 0);
    }
}

static void on_discover_asked(void *ctx, str binding)
{
    struct core *c = ctx;
    const struct conf_binding *b = conf_binding(&c->env->conf, binding);
    if (b && is_server(b))
        discover_one(c, b, 0);
}

static void on_secrets_changed(void *ctx)
{
    struct core *c = ctx;
    if (c->keeper)
        role_send(c->keeper, MSG_SECRETS_CHANGED, 0, &(struct msg_empty){0});
    core_discover(c, 0);
}

static void on_catalog(struct core *c, const struct msg_catalog *m)
{
    const struct conf_binding *b = conf_binding(&c->env->conf, m->binding);
    gate_catalog(&c->gate, m);
    if (b)
        c->asked_ms[b - c->env->conf.bindings] = 0;
    if (b && !m->error.n)
        map_put(&c->catalogs, b->name, (void *)(uintptr_t)b);
}

/* ---- messages ---- */

static void on_edge_message(struct core *c, struct chan *chan, uint16_t type, uint64_t id,
                            str payload)
{
    union {
        struct msg_call call;
        struct msg_list list;
        struct msg_session session;
        struct msg_outcome outcome;
        struct msg_catalog catalog;
        struct msg_conn_closed closed;
        struct msg_cut_done cut_done;
        struct msg_svid_wanted svid_wanted;
        struct msg_empty empty;
        struct msg_oauth oauth;
    } m = {0};
    struct err err;
    struct buf text = {0};
    uint32_t life = life_of(c, chan);
    bool ok = message_unpack((enum message_type)type, payload, &m, &err);
    if (ok)
        switch (type) {
        case MSG_CALL:
            gate_call(&c->gate, life, id, &m.call);
            break;
        case MSG_LIST:
            gate_list(&c->gate, life, id, &m.list);
            break;
        case MSG_SESSION_OPEN:
            gate_session_open(&c->gate, life, id, &m.session);
            break;
        case MSG_SESSION_END:
            gate_session_end(&c->gate, life, id, &m.session);
            break;
        case MSG_OUTCOME:
            ok = gate_outcome(&c->gate, life, id, &m.outcome, &err);
            break;
        case MSG_CATALOG:
            on_catalog(c, &m.catalog);
            break;
        case MSG_CONN_CLOSED:
            core_agents_conn_closed(c, life, m.closed.conn);
            break;
        case MSG_CUT_DONE:
            ok = gate_cut_done(&c->gate, life, id, &m.cut_done, &err);
            break;
        case MSG_SVID_WANTED:
            ok = core_on_svid_wanted(c, life, &m.svid_wanted, &err);
            break;
        case MSG_OAUTH:
            gate_oauth(&c->gate, life, id, &m.oauth);
            break;
        case MSG_METRICS:
            core_metrics(c, &text);
            role_send(chan, MSG_METRICS_ANSWER, id, &(struct msg_text){buf_str(&text)});
            break;
        default:
            break;
        }
    buf_fini(&text);
    if (!ok)
        role_kill_peer(chan, &err);
}

static void on_keeper_message(struct core *c, struct chan *chan, uint16_t type, uint64_t id,
                              str payload)
{
    union {
        struct msg_keys keys;
        struct msg_bundle bundle;
        struct msg_signed_x509 x509;
        struct msg_rotated rotated;
        struct msg_text text;
    } m = {0};
    struct err err;
    bool ok = message_unpack((enum message_type)type, payload, &m, &err);
    if (ok)
        switch (type) {
        case MSG_KEYS:
            ok = core_on_keys(c, &m.keys, &err);
            break;
        case MSG_BUNDLE:
            ok = core_on_bundle(c, &m.bundle, &err);
            break;
        case MSG_SIGNED_TOKEN:
            core_on_signed_token(c, id, m.text.text);
            break;
        case MSG_SIGNED_X509:
            core_on_signed_x509(c, id, &m.x509);
            break;
        case MSG_ROTATED:
            core_on_rotated(c, id, &m.rotated);
            break;
        case MSG_SIGNED_CHECKPOINT:
            core_on_checkpoint(c, m.text.text);
            break;
        case MSG_NOT_SIGNED:
            if (!core_on_not_signed(c, id, m.text.text) && c->publishing)
                core_on_checkpoint_refused(c, m.text.text);
            break;
        default:
            break;
        }
    if (!ok)
        role_kill_peer(chan, &err);
}

static void on_workload_message(struct core *c, struct chan *chan, uint16_t type, uint64_t id,
                                str payload)
{
    struct err err;
    if (!core_on_workload(c, type, id, payload, &err))
        role_kill_peer(chan, &err);
}

static void on_witness_message(struct core *c, struct chan *chan, uint16_t type, uint64_t id,
                               str payload)
{
    struct msg_looked m;
    struct err err;
    (void)type;
    if (message_unpack(MSG_LOOKED, payload, &m, &err))
        core_on_looked(c, id, &m);
    else
        role_kill_peer(chan, &err);
}

static void on_fetcher_message(struct core *c, struct chan *chan, uint16_t type, uint64_t id,
                               str payload)
{
    struct msg_fetched m;
    struct err err;
    (void)type;
    if (message_unpack(MSG_FETCHED, payload, &m, &err))
        core_on_fetched(c, id, &m);
    else
        role_kill_peer(chan, &err);
}

/* ---- who comes and goes: a new one may come before the end of the last has been heard ---- */

static void keeper_joined(struct core *c, uint32_t index, struct chan *chan)
{
    (void)index;
    c->keeper = chan;
    core_publish_later(c);
}

static void keeper_lost(struct core *c, struct chan *chan)
{
    if (c->keeper != chan)
        return;
    c->keeper = NULL;
    core_signings_fail(c);
    core_publishing_fails(c);
}

static void runner_joined(struct core *c, uint32_t index, struct chan *chan)
{
    (void)index;
    c->runner = chan;
    gate_runner_joined(&c->gate);
}

static void runner_lost(struct core *c, struct chan *chan)
{
    if (c->runner != chan)
        return;
    c->runner = NULL;
    gate_runner_lost(&c->gate);
}

static void fetcher_joined(struct core *c, uint32_t index, struct chan *chan)
{
    (void)index;
    core_fetch_peer(c, chan);
}

static void fetcher_lost(struct core *c, struct chan *chan)
{
    if (c->fetcher == chan)
        core_fetch_peer(c, NULL);
}

static void portal_joined(struct core *c, uint32_t index, struct chan *chan)
{
    (void)index;
    core_portal_peer(c, chan);
}

static void portal_lost(struct core *c, struct chan *chan)
{
    if (c->portal == chan)
        core_portal_peer(c, NULL);
}

static void witness_joined(struct core *c, uint32_t index, struct chan *chan)
{
    (void)index;
    core_witness_lost(c);
    c->witness = chan;
}

static void witness_lost(struct core *c, struct chan *chan)
{
    if (c->witness == chan)
        core_witness_lost(c);
}

static void publisher_joined(struct core *c, uint32_t index, struct chan *chan)
{
    (void)index;
    core_log_peer(c, chan);
}

static void publisher_lost(struct core *c, struct chan *chan)
{
    if (c->log.chan == chan)
        core_log_peer(c, NULL);
}

static void workload_joined(struct core *c, uint32_t index, struct chan *chan)
{
    (void)index;
    core_workload_peer(c, chan);
}

static void workload_lost(struct core *c, struct chan *chan)
{
    if (c->workload == chan)
        core_workload_lost(c);
}

static void edge_joined(struct core *c, uint32_t index, struct chan *chan)
{
    for (size_t i = 0; i < CORE_EDGES_MAX; i++)
        if (!c->edges[i].life) {
            c->edges[i] = (struct core_edge){++c->lives, index, chan, 0};
            core_send_trust(c, chan);
            core_discover(c, c->lives);
            gate_edge_joined(&c->gate, c->lives);
            return;
        }
    log_error("more edges than core has room for");
}

static void edge_lost(struct core *c, struct chan *chan)
{
    uint32_t life = life_of(c, chan);
    if (!life)
        return;
    for (size_t i = 0; i < CORE_EDGES_MAX; i++)
        if (c->edges[i].life == life)
            c->edges[i] = (struct core_edge){0};
    core_agents_edge_lost(c, life);
    gate_edge_lost(&c->gate, life);
}

static const struct {
    void (*joined)(struct core *c, uint32_t index, struct chan *chan);
    void (*message)(struct core *c, struct chan *chan, uint16_t type, uint64_t id, str payload);
    void (*lost)(struct core *c, struct chan *chan);
} PEERS[ROLE_COUNT] = {
    [ROLE_EDGE] = {edge_joined, on_edge_message, edge_lost},
    [ROLE_KEEPER] = {keeper_joined, on_keeper_message, keeper_lost},
    [ROLE_RUNNER] = {runner_joined, core_on_runner_message, runner_lost},
    [ROLE_WORKLOAD] = {workload_joined, on_workload_message, workload_lost},
    [ROLE_PORTAL] = {portal_joined, core_portal_message, portal_lost},
    [ROLE_FETCHER] = {fetcher_joined, on_fetcher_message, fetcher_lost},
    [ROLE_WITNESS] = {witness_joined, on_witness_message, witness_lost},
    [ROLE_PUBLISHER] = {publisher_joined, core_log_message, publisher_lost},
};

static void on_message(void *state, enum role peer, uint32_t index, struct chan *chan,
                       uint16_t type, uint64_t id, str payload, int fd)
{
    (void)index;
    if (fd >= 0)
        close(fd);
    if (PEERS[peer].message)
        PEERS[peer].message(state, chan, type, id, payload);
}

static void on_peer(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    if (PEERS[peer].joined)
        PEERS[peer].joined(state, index, chan);
}

static void on_peer_lost(void *state, enum role peer, uint32_t index, struct chan *chan)
{
    (void)index;
    if (PEERS[peer].lost)
        PEERS[peer].lost(state, chan);
}

/* ---- time and the store ---- */

/* Nothing may be forwarded that cannot be recorded: without a store there is no gateway. */
static void die_of_store(struct core *c)
{
    log_error("the store failed; ending so that nothing goes unrecorded",
              LOG_STR("error", store_failure(c->gate.store)));
    _exit(1);
}

static void on_store(void *owner, unsigned events)
{
    struct core *c = owner;
    (void)events;
    store_collect(c->gate.store);
    if (store_failed(c->gate.store))
        die_of_store(c);
    core_log_step(c);
    core_publish_later(c);
}

static void on_tick(void *owner)
{
    struct core *c = owner;
    c->ticks++;
    gate_tick(&c->gate, clock_wall_ms());
    core_portal_tick(c, clock_wall_ms());
    attest_tick(c);
    core_workload_tick(c);
    core_fetch_tick(c);
    if (c->ticks % RECHECK_TICKS == 0)
        core_discover(c, 0);
    else if (c->ticks % DISCOVER_AGAIN_TICKS == 0)
        discover_missing(c);
    core_publish_later(c);
    timer_start(&c->tick, c->env->loop, TICK_MS, on_tick, c);
}

static void drain_step(void *owner)
{
    struct core *c = owner;
    int64_t waited = loop_now_ms(c->env->loop) - c->drain_from_ms;
    bool quiet = map_count(&c->gate.live) == 0;
    bool published = checkpointer_size(c->checkpointer) == store_size(c->gate.store) &&
                     (c->log.published == checkpointer_size(c->checkpointer) || c->log.refused);
    if ((quiet && published) || waited > DRAIN_WAIT_MS_MAX / 2) {
        store_flush(c->gate.store);
        store_close(c->gate.store);
        role_drained(c->env);
        return;
    }
    core_publish_later(c);
    timer_start(&c->tick, c->env->loop, DRAIN_STEP_MS, drain_step, c);
}

static void on_drain(void *state)
{
    struct core *c = state;
    listener_close(c->control);
    listener_close(c->agents);
    listener_close(c->launch);
    listener_close(c->workload_listener);
    c->control = c->agents = c->launch = c->workload_listener = NULL;
    c->drain_from_ms = loop_now_ms(c->env->loop);
    timer_start(&c->tick, c->env->loop, 0, drain_step, c);
}

/* ---- start ---- */

static bool open_ledger(struct core *c, struct err *err)
{
    struct role_env *env = c->env;
    struct record_commitment config;
    size_t recovered;
    c->tree = ledger_tree_new();
    struct store_options o = {.tree = ledger_tree_ops(c->tree)};
    if (!store_open(env->directories[DIRECTORY_STORE], &o, &c->gate.store, err))
        return false;
    record_digest(env->setup.config, &config);
    struct record_start start = {.time_ms = clock_wall_ms(),
                                 .software = S(AMBIT_VERSION),
                                 .config = record_commitment_str(&config),
                                 .gateway = env->conf.gateway};
    if (!ledger_recover(c->gate.store, &start, &recovered, err))
        return false;
    if (recovered)
        log_warn("calls were open when the gateway ended: settled as unknown",
                 LOG_NUM("calls", (int64_t)recovered));
    return checkpointer_new(c->gate.store, env->conf.origin, &c->checkpointer, err);
}

static bool load_policies(struct core *c, struct err *err)
{
    struct buf report = {0};
    bool ok = policy_load(&c->env->conf, &c->gate.policy, &report, err);
    if (buf_len(&report))
        log_warn("policies", LOG_STR("report", buf_str(&report)));
    buf_fini(&report);
    if (!ok)
        return false;
    ARENA_SCOPE struct arena a = {0};
    str before = {0}, version;
    int64_t n = 0;
    struct store_view *v = store_view(c->gate.store);
    if (!store_read_meta(v, &a, S("policy.digest"), &before, err))
        before = (str){0};
    if (store_read_meta(v, &a, S("policy.version"), &version, err))
        (void)!str_to_i64(version, &n);
    c->gate.policy_version = n;
    if (str_eq(before, policy_digest(c->gate.policy)))
        return true;
    c->gate.policy_version = ++n;
    struct record_policy_load r = {.time_ms = clock_wall_ms(),
                                   .version = n,
                                   .digest = policy_digest(c->gate.policy),
                                   .before = before,
                                   .by = S("configuration")};
    struct store_txn *t = store_txn_new(c->gate.store);
    store_meta_put(t, S("policy.digest"), policy_digest(c->gate.policy));
    store_meta_put(t, S("policy.version"), str_fmt(&a, "%lld", (long long)n));
    store_leaf(t, record_policy_load(&c->gate.scratch, &r), (str){0}, (str){0});
    gate_submit(&c->gate, t, NULL, NULL);
    return true;
}

static bool listen_all(struct core *c, struct err *err)
{
    for (size_t i = 0; i < c->env->listeners_n; i++) {
        const struct role_listener *l = &c->env->listeners[i];
        if (l->kind == LISTENER_CONTROL && !core_people_listen(c, l->fd, err))
            return false;
        if (l->kind == LISTENER_AGENT && !core_agents_listen(c, l->fd, err))
            return false;
        if (l->kind == LISTENER_WORKLOAD && !core_workload_listen(c, l->fd, err))
            return false;
        if (l->kind == LISTENER_LAUNCH && !core_launch_listen(c, l->fd, err))
            return false;
    }
    return true;
}

static bool start_gate(struct core *c, struct err *err)
{
    struct admin_out out = {.ctx = c,
                            .reply = core_reply,
                            .discover = on_discover_asked,
                            .task_opened = discover_missing,
                            .fetch = core_fetch,
                            .status = core_status,
                            .show_issuer = core_show_issuer,
                            .rotate = core_rotate,
                            .identities_revoked = core_identities_revoked,
                            .secrets_changed = on_secrets_changed};
    c->gate.conf = &c->env->conf;
    c->gate.scratch.max = STORE_LEAF_BYTES_MAX;
    c->gate.out = (struct gate_out){.ctx = c,
                                    .to_edge = to_edge,
                                    .cut = core_cut,
                                    .stop_children = core_stop_children,
                                    .end_edge = core_end_edge,
                                    .sign_jwt = core_sign_jwt,
                                    .sign_x509 = core_sign_x509,
                                    .fetch = core_fetch};
    holds_init(&c->gate.holds);
    c->gate.trust = trust_new(&c->env->conf);
    core_fetch_start(c);
    return secret_of(c->env->setup.keeper_key, &c->gate.keeper_key, err) &&
           secret_of(c->env->setup.runner_key, &c->gate.runner_key, err) && open_ledger(c, err) &&
           load_policies(c, err) && gate_restore(&c->gate, err) && core_portal_load(c, err) &&
           admin_init(&c->admin, &c->gate, &out, c->env->setup.own_uid, err) &&
           watch_new(c->env->loop, store_notify_fd(c->gate.store), WATCH_READ, on_store, c,
                     &c->store_watch, err) &&
           listen_all(c, err);
}

static void *start(struct role_env *env, struct err *err)
{
    struct core *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->env = env;
    list_init(&c->attests);
    c->asked_ms = ARENA_ARRAY(&env->arena, int64_t, env->conf.bindings_n + 1);
    if (!start_gate(c, err)) {
        free(c); /* the process ends with this error */
        return NULL;
    }
    timer_start(&c->tick, env->loop, TICK_MS, on_tick, c);
    core_portal_begin(c);
    return c;
}

int role_core(void)
{
    static const struct role_ops ops = {.self = ROLE_CORE,
                                        .start = start,
                                        .on_peer = on_peer,
                                        .on_peer_lost = on_peer_lost,
                                        .on_message = on_message,
                                        .on_drain = on_drain};
    return role_main(&ops);
}

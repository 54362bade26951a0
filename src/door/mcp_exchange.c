/* One HTTP request of an agent: what it is, what core says of it, and the answer. */
#include "door/mcp_int.h"
#include "base/hex.h"
#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>

str id_key(uint64_t id, struct map_key *room)
{
    memcpy(room->s, &id, sizeof id);
    return str_of(room->s, sizeof id);
}

/* ---- answers ---- */

static void respond(struct exchange *x, int status, str body, const struct field *fields, size_t n)
{
    if (!x->http)
        return;
    struct http_answer a = {.status = status,
                            .content_type = body.n ? S("application/json") : (str){0},
                            .body = body,
                            .fields = fields,
                            .fields_n = n};
    struct http_request *r = x->http;
    x->http = NULL;
    http_respond(r, &a);
}

static void stream_event(struct exchange *x, str data)
{
    struct buf out = {0};
    struct err err;
    if (x->http && sse_write(&out, &(struct sse_event){.data = data}, &err))
        http_stream_write(x->http, buf_str(&out));
    buf_fini(&out);
}

void exchange_answer_json(struct exchange *x, str body)
{
    if (!x->http)
        return;
    if (!x->streaming) {
        respond(x, 200, body, NULL, 0);
        return;
    }
    struct http_request *r = x->http;
    stream_event(x, body);
    x->http = NULL;
    http_stream_end(r);
}

static void answer_refusal(struct exchange *x, const struct mcp_refusal *no)
{
    struct field allow = {S("Allow"), no->allow};
    respond(x, no->status, no->body, &allow, no->allow.n ? 1 : 0);
}

/* A call's refusal is a result that the model reads; anything else's a JSON-RPC error. */
void exchange_answer_refused(struct exchange *x, str text, str decision, str reason,
                             str policies_json)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf body = {0};
    struct err err;
    const json *list = NULL, *p;
    if (!x->http)
        return;
    if (x->req.what != MCP_TOOLS_CALL) {
        if (x->req.id.n)
            rpc_put_error(&body, x->req.id, -31003, text);
        respond(x, 503, buf_str(&body), NULL, 0);
        buf_fini(&body);
        return;
    }
    if (policies_json.n)
        (void)!json_read(&a, policies_json, NULL, &list, &err);
    str *ids = ARENA_ARRAY(&a, str, json_count(list) + 1);
    size_t n = 0;
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &p);)
        ids[n++] = json_str(p);
    struct mcp_refused why = {.text = text,
                              .decision = decision,
                              .reason = reason,
                              .call = x->call,
                              .policies = ids,
                              .policy_count = n};
    mcp_put_refused_result(&body, &x->req, &x->door->self, &why);
    exchange_answer_json(x, buf_str(&body));
    buf_fini(&body);
}

/* ---- life ---- */

void exchange_free(struct exchange *x)
{
    struct mcp_door *d = x->door;
    struct map_key room;
    if (x->asked)
        map_del(&d->asked, id_key(x->asked, &room));
    if (x->http) { /* every path answers; should one not, the agent sees a cut connection */
        x->http->owner = NULL;
        http_cut(x->http);
    }
    job_fini(&x->job);
    timer_stop(&x->timer);
    list_remove(&x->node);
    d->busy--;
    arena_fini(&x->arena);
    free(x);
}

static struct exchange *exchange_new(struct mcp_door *d, struct http_request *r)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (!x)
        abort();
    x->door = d;
    x->http = r;
    r->owner = x;
    list_append(&d->exchanges, &x->node);
    d->busy++;
    d->counts.requests++;
    return x;
}

/* ---- asking core ---- */

static void on_core_silent(void *owner)
{
    struct exchange *x = owner;
    exchange_answer_refused(x,
                            S("The gateway could not decide in time. Nothing was sent. Try again."),
                            S("error"), S("unavailable"), (str){0});
    /* It stays known until core answers or goes: a late GO must be settled as not sent. */
}

static void read_authorization(str value, struct proof *p)
{
    static const struct {
        const char *scheme;
        enum proof_kind kind;
    } schemes[] = {{"Bearer ", PROOF_TOKEN}, {"DPoP ", PROOF_DPOP}};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i].scheme);
        if (value.n > n && str_eq_nocase(str_take(value, n), str_z(schemes[i].scheme))) {
            p->kind = (uint8_t)schemes[i].kind;
            p->token = str_skip(value, n);
        }
    }
}

/* "127.0.0.1:50000" -> "127.0.0.1" */
static str without_port(str address)
{
    size_t n = address.n;
    while (n && address.p[n - 1] != ':')
        n--;
    return str_take(address, n ? n - 1 : address.n);
}

static struct proof proof_of(struct exchange *x)
{
    struct http_request *r = x->http;
    uint64_t tag = http_client_tag(r->client);
    const struct tls_peer *peer = conn_tls_peer(http_client_conn(r->client));
    struct proof p = {.session = x->session, .endpoint = x->endpoint, .htm = r->head.method};
    str value;
    struct err err;
    if (tag & TAG_ATTESTED) {
        p.kind = PROOF_CONN;
        p.conn = (int64_t)(tag & ~TAG_ATTESTED);
        if (fields_single(&r->head.fields, S("Ambit-Task"), &value, NULL, &err))
            p.task = str_take(value, 64);
        return p;
    }
    p.listener = (uint32_t)tag;
    p.peer = without_port(conn_peer_text(http_client_conn(r->client)));
    if (peer && peer->has_cert)
        p.cert = str_of((const char *)peer->sha256, 32);
    if (!fields_single(&r->head.fields, S("DPoP"), &p.dpop, NULL, &err) || p.dpop.n > 4096)
        p.dpop = (str){0}; /* two proofs are none */
    if (fields_single(&r->head.fields, S("Authorization"), &value, NULL, &err) && value.n < 8000)
        read_authorization(value, &p);
    return p;
}

static void ask(struct exchange *x, enum message_type type, const void *msg)
{
    struct mcp_door *d = x->door;
    struct map_key room;
    x->stage = STAGE_ASKED;
    x->asked = ++d->next_id;
    map_put(&d->asked, id_key(x->asked, &room), x);
    timer_start(&x->timer, d->o.loop, CORE_WAIT_MS_MAX, on_core_silent, x);
    if (d->o.send(d->o.ctx, ROLE_CORE, type, x->asked, msg))
        return;
    exchange_answer_refused(x, S("The gateway is restarting. Nothing was sent. Try again."),
                            S("error"), S("unavailable"), (str){0});
    exchange_free(x);
}

/* "/mcp" is all bindings together, "/mcp/<binding>" one of them. */
static bool endpoint_of(struct exchange *x, str path, str *out)
{
    if (str_eq(path, S("/mcp")) || str_eq(path, S("/mcp/"))) {
        *out = (str){0};
        return true;
    }
    if (!str_starts(path, S("/mcp/")))
        return false;
    *out = str_skip(path, 5);
    const struct conf_binding *b = conf_binding(x->door->o.conf, *out);
    return b && b->kind != BINDING_INTERNAL;
}

static void ask_call(struct exchange *x)
{
    struct buf args = {.max = x->door->o.conf->request_bytes_max + 1024};
    if (x->req.arguments)
        json_write_canonical(&args, x->req.arguments);
    else
        buf_put(&args, S("{}"));
    struct msg_call m = {.proof = proof_of(x),
                         .tool = str_take(x->req.name, 250),
                         .args = buf_str(&args),
                         .approval =
                             str_take(json_get_str(x->req.meta, S("dev.ambit/approval")), 60),
                         .session_era = mcp_revision_text(x->req.revision)};
    x->door->counts.calls++;
    x->progress.token = str_dup(&x->arena, x->req.progress_token);
    ask(x, MSG_CALL, &m);
    buf_fini(&args);
}

static void cancel_other(struct exchange *x)
{
    LIST_EACH(&x->door->exchanges, it)
    {
        struct exchange *o = LIST_ENTRY(it, struct exchange, node);
        if (o != x && o->http && x->session.n && str_eq(o->session, x->session) &&
            str_eq(o->req.id, x->req.cancels)) {
            o->cancel_asked = true;
            call_cancel(o, "cancelled");
            return;
        }
    }
}

static void ask_by_kind(struct exchange *x)
{
    struct msg_list list = {.proof = proof_of(x)};
    struct msg_session session = {.proof = list.proof};
    switch (x->req.what) {
    case MCP_TOOLS_CALL:
        ask_call(x);
        return;
    case MCP_INITIALIZE:
        session.version = mcp_revision_text(mcp_answer_initialize(x->req.asked_version));
        ask(x, MSG_SESSION_OPEN, &session);
        return;
    case MCP_END_SESSION:
        ask(x, MSG_SESSION_END, &session);
        return;
    case MCP_OPEN_STREAM: {
        struct mcp_refusal no;
        mcp_refuse_http_method(&no);
        answer_refusal(x, &no);
        exchange_free(x);
        return;
    }
    default:
        /* Everything else is answered here, once core has said that the caller is somebody. */
        ask(x, MSG_LIST, &list);
    }
}

/* What an agent holds as its session id is core's id and the revision it was opened with. */
static str session_text(struct arena *a, str id, enum mcp_revision r)
{
    return str_fmt(a, "%.*s.%u", STR(id), (unsigned)r);
}

static bool split_session(str text, str *id, enum mcp_revision *r)
{
    str rev;
    uint64_t n;
    if (!str_cut(text, '.', id, &rev) || !id_is_valid(*id, 's') || !str_to_u64(rev, &n) ||
        n >= MCP_REVISION_COUNT || !mcp_is_served((enum mcp_revision)n) ||
        mcp_is_modern((enum mcp_revision)n))
        return false;
    *r = (enum mcp_revision)n;
    return true;
}

static bool take_session(struct exchange *x, struct mcp_refusal *no)
{
    enum mcp_revision r = MCP_NO_REVISION;
    str id;
    if (!mcp_needs_session(&x->req))
        return true;
    if (split_session(x->req.session, &id, &r))
        x->session = str_dup(&x->arena, id);
    return mcp_server_in_session(&x->http->arena, &x->req, r, no);
}

static struct mcp_http http_of(struct http_request *r)
{
    struct mcp_http in = {.method = r->head.method, .body = r->body};
    struct mcp_field *fields = ARENA_ARRAY(&r->arena, struct mcp_field, r->head.fields.n + 1);
    for (size_t i = 0; i < r->head.fields.n; i++)
        fields[in.field_count++] =
            (struct mcp_field){r->head.fields.v[i].name, r->head.fields.v[i].value};
    fields[in.field_count++] = (struct mcp_field){S("Host"), r->head.host};
    in.fields = fields;
    return in;
}

bool exchange_params_agree(struct exchange *x, const struct mcp_tool *tool)
{
    struct mcp_http in = http_of(x->http);
    struct mcp_refusal no = {0};
    if (mcp_server_check_params(&x->http->arena, &x->req, &in, tool, &no))
        return true;
    answer_refusal(x, &no);
    return false;
}

void exchange_request(struct http_request *r)
{
    struct mcp_door *d = http_client_owner(r->client);
    uint64_t tag = http_client_tag(r->client);
    if (!(tag & TAG_ATTESTED) && oauth_door_request(&d->oauth, r, (uint32_t)tag))
        return;
    struct exchange *x = exchange_new(d, r);
    struct mcp_server_rules rules = {.body_bytes_max = d->o.conf->request_bytes_max};
    struct mcp_http in = http_of(r);
    struct mcp_refusal no = {0};
    str endpoint = {0}, hosts[3];
    if (!(tag & TAG_ATTESTED)) {
        const struct conf_listener *l = &d->o.conf->listeners[(uint32_t)tag];
        str port = l->address;
        while (str_find_char(port, ':', 0) >= 0)
            port = str_skip(port, (size_t)str_find_char(port, ':', 0) + 1);
        rules.origins = l->origins;
        rules.origin_count = l->origins_n;
        hosts[0] = l->address;
        hosts[1] = str_fmt(&r->arena, "localhost:%.*s", STR(port));
        hosts[2] = str_fmt(&r->arena, "127.0.0.1:%.*s", STR(port));
        rules.hosts = hosts;
        /* Beyond loopback the name is whatever the certificate says; only plain listeners are
         * checked. */
        rules.host_count = l->cert_file.n ? 0 : 3;
    }
    bool known = endpoint_of(x, r->head.parts.path, &endpoint);
    if (!known) {
        respond(x, 404, (str){0}, NULL, 0);
    } else if (!mcp_server_read(&r->arena, &rules, &in, &x->req, &no) || !take_session(x, &no)) {
        answer_refusal(x, &no);
    } else {
        x->endpoint = str_dup(&x->arena, endpoint);
        ask_by_kind(x);
        return;
    }
    exchange_free(x);
}

/* ---- core answered ---- */

static void unauthenticated(struct exchange *x, const struct msg_refused *m)
{
    uint64_t tag = http_client_tag(x->http->client);
    static const struct conf_listener none;
    const struct conf_listener *l =
        tag & TAG_ATTESTED ? &none : &x->door->o.conf->listeners[(uint32_t)tag];
    str value, error = m->auth_error;
    bool shown = fields_first(&x->http->head.fields, S("Authorization"), &value);
    bool dpop = shown && (str_starts(error, S("invalid_dpop")) || m->dpop_nonce.n ||
                          str_eq_nocase(str_take(value, 5), S("DPoP ")));
    if (shown && !error.n)
        error = S("invalid_token"); /* of a scheme that is none here */
    struct field f[2] = {
        {S("WWW-Authenticate"), oauth_challenge(&x->arena, l, x->endpoint, error, dpop)},
        {S("DPoP-Nonce"), m->dpop_nonce}};
    struct buf body = {0};
    rpc_put_error(&body, x->req.id.n ? x->req.id : S("null"), -31001, m->text);
    respond(x, 401, buf_str(&body), f, m->dpop_nonce.n ? 2 : 1);
    buf_fini(&body);
}

void exchange_refused(struct exchange *x, const struct msg_refused *m)
{
    struct buf body = {0};
    x->call = str_dup(&x->arena, m->call);
    if (!x->http) {
        exchange_free(x);
        return;
    }
    if (m->kind == REFUSAL_UNAUTHENTICATED) {
        unauthenticated(x, m);
    } else if (m->kind == REFUSAL_SESSION) {
        rpc_put_error(&body, x->req.id.n ? x->req.id : S("null"), -31002,
                      S("The session is not known: initialize again."));
        respond(x, 404, buf_str(&body), NULL, 0);
    } else if (x->req.what == MCP_TOOLS_CALL) {
        static const struct {
            const char *decision, *reason;
        } words[] = {
            [REFUSAL_NONE] = {"deny", "policy"},
            [REFUSAL_UNAUTHENTICATED] = {"deny", "identity"},
            [REFUSAL_SESSION] = {"deny", "session"},
            [REFUSAL_DENIED] = {"deny", "policy"},
            [REFUSAL_HELD] = {"hold", "approval"},
            [REFUSAL_INPUT] = {"error", "arguments"},
            [REFUSAL_UNKNOWN_TOOL] = {"error", "unknown_tool"},
            [REFUSAL_UNAVAILABLE] = {"error", "unavailable"},
        };
        unsigned k = m->kind <= REFUSAL_UNAVAILABLE ? m->kind : REFUSAL_DENIED;
        exchange_answer_refused(x, m->text, str_z(words[k].decision), str_z(words[k].reason),
                                m->policies);
    } else if (x->req.id.n) {
        rpc_put_error(&body, x->req.id, -31003, m->text);
        respond(x, 200, buf_str(&body), NULL, 0);
    } else {
        respond(x, 403, (str){0}, NULL, 0);
    }
    buf_fini(&body);
    exchange_free(x);
}

static void answer_tools(struct exchange *x, str run, struct buf *out)
{
    struct arena *a = &x->http->arena;
    str name, text, scan = run;
    bool bad = false;
    size_t n = 0, count = 0;
    while (unpack_str(&scan, &name, &bad) && unpack_str(&scan, &text, &bad))
        count++;
    struct mcp_listed *list = ARENA_ARRAY(a, struct mcp_listed, count + 1);
    while (unpack_str(&run, &name, &bad) && unpack_str(&run, &text, &bad)) {
        struct err err;
        list[n].name = str_dup(a, name);
        if (json_read(a, text, NULL, &list[n].definition, &err))
            n++;
    }
    mcp_put_tools(out, &x->req, &x->door->self, list, n, (str){0}, 0);
}

void exchange_known(struct exchange *x, const struct msg_list_answer *m)
{
    struct buf out = {.max = HTTP_ANSWER_BYTES_MAX + 1024};
    if (!x->http) {
        exchange_free(x);
        return;
    }
    switch (x->req.what) {
    case MCP_DISCOVER:
        mcp_put_discover(&out, x->req.id, &x->door->self, 60000);
        break;
    case MCP_PING:
        mcp_put_empty(&out, &x->req, &x->door->self);
        break;
    case MCP_TOOLS_LIST:
        answer_tools(x, m->tools, &out);
        break;
    case MCP_CANCELLED:
        cancel_other(x);
        break;
    default:
        break;
    }
    if (out.over) {
        buf_fini(&out);
        rpc_put_error(&out, x->req.id, -31003,
                      S("The tools of this task are too many to list in one answer."));
    }
    if (buf_len(&out))
        respond(x, 200, buf_str(&out), NULL, 0);
    else
        respond(x, 202, (str){0}, NULL, 0);
    buf_fini(&out);
    exchange_free(x);
}

void exchange_session(struct exchange *x, const struct msg_session_answer *m)
{
    struct buf out = {0};
    if (x->http && x->req.what == MCP_INITIALIZE) {
        enum mcp_revision r = mcp_answer_initialize(x->req.asked_version);
        struct field f = {S("Mcp-Session-Id"), session_text(&x->arena, m->session, r)};
        mcp_put_initialize(&out, x->req.id, r, &x->door->self);
        respond(x, 200, buf_str(&out), &f, 1);
    } else {
        respond(x, 204, (str){0}, NULL, 0);
    }
    buf_fini(&out);
    exchange_free(x);
}

void exchange_result(struct exchange *x, const struct msg_result *m)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf out = {0};
    const json *result;
    struct err err;
    if (x->http && json_read(&a, m->result, NULL, &result, &err)) {
        mcp_put_call_result(&out, &x->req, result);
        exchange_answer_json(x, buf_str(&out));
    }
    buf_fini(&out);
    exchange_free(x);
}

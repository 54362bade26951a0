#include "role/runner.h"
#include "base/clock.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "mcp/field.h"

/* What may be asked of a program, and whether each use needs core's word. */
static const struct {
    const char *method;
    enum rpc_kind kind;
    bool voucher;
} METHODS[] = {
    {"initialize", RPC_REQUEST, false},
    {"notifications/initialized", RPC_NOTIFICATION, false},
    {"notifications/cancelled", RPC_NOTIFICATION, false},
    {"ping", RPC_REQUEST, false},
    {"tools/list", RPC_REQUEST, false},
    {"server/discover", RPC_REQUEST, false},
    {"tools/call", RPC_REQUEST, true},
};

struct route {
    const struct conf_binding *binding;
    str principal;
};

static bool find_route(struct runner *r, const struct http_head *head, struct route *out,
                       int *out_status, struct err *err)
{
    str binding, principal, path = head->parts.path;
    *out_status = 405;
    if (!str_eq(head->method, S("POST")))
        return err_input(err, "only POST is taken");
    *out_status = 404;
    if (head->parts.has_query || !str_starts(path, S("/")) ||
        !str_cut(str_skip(path, 1), '/', &binding, &principal) || !conf_name_is_valid(binding) ||
        !conf_name_is_valid(principal))
        return err_notfound(err, "the path must be /SERVER/PRINCIPAL");
    out->binding = conf_binding(&r->env->conf, binding);
    out->principal = principal;
    if (!out->binding || out->binding->kind != BINDING_STDIO)
        return err_notfound(err, "there is no stdio server %.*s", STR(binding));
    return true;
}

/* A field that may stand once, base64url; absent is empty. */
static bool voucher_field(struct arena *a, const struct http_head *head, str name, str *out,
                          struct err *err)
{
    str text;
    bool present;
    if (!fields_single(&head->fields, name, &text, &present, err))
        return false;
    *out = (str){0};
    if (present && (!base64url_decode(a, text, out) || out->n != VOUCHER_LEN))
        return err_input(err, "%.*s is not a voucher", STR(name));
    return true;
}

/* The digest is made from what will be sent, not from what the edge says of it. */
static bool check_voucher(struct runner *r, struct arena *a, const struct route *route,
                          const struct http_head *head, const struct rpc_message *m,
                          struct err *err)
{
    struct voucher v;
    str bytes, tool = json_get_str(m->params, S("name"));
    struct buf args = {0};
    const json *given = json_get(m->params, S("arguments"));
    int64_t now_ms = clock_wall_ms();
    if (!tool.n || (given && json_type(given) != JSON_OBJECT))
        return err_input(err, "tools/call needs a name, and arguments that are an object");
    if (!voucher_field(a, head, S("Ambit-Run-Voucher"), &bytes, err))
        return false;
    if (!bytes.n)
        return err_denied(err, "a call needs a voucher");
    if (!voucher_check(r->voucher_key, bytes, now_ms, &v, err))
        return false;
    if (given)
        json_write_canonical(&args, given);
    else
        buf_put(&args, S("{}"));
    struct hash digest = call_digest(route->principal, route->binding->name, tool, buf_str(&args));
    buf_fini(&args);
    if (v.kind != VOUCHER_STDIO_CALL || !str_eq(v.binding, route->binding->name) ||
        !hash_eq(&digest, &v.request))
        return err_denied(err, "the voucher is for another call");
    return voucher_used_take(r->used, &v, now_ms, err);
}

static bool check_method(const struct rpc_message *m, bool *voucher, int *out_status,
                         struct err *err)
{
    for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++)
        if (METHODS[i].kind == m->kind && str_eq(m->method, str_z(METHODS[i].method))) {
            *voucher = METHODS[i].voucher;
            return true;
        }
    *out_status = 403;
    return err_denied(err, "this method is not passed on to a program");
}

/* The instance that the sender knows, if it names one. */
static bool find_program(struct runner *r, const struct route *route, const struct http_head *head,
                         struct program **out, int *out_status, struct err *err)
{
    str known;
    bool present;
    *out_status = 400;
    if (!fields_single(&head->fields, S("Ambit-Child"), &known, &present, err))
        return false;
    *out = program_find(r, route->binding->name, route->principal);
    *out_status = 409;
    if (present && (!*out || !str_eq(known, id_str(&(*out)->id))))
        return err_notfound(err, "the program was started anew: initialize it again");
    return true;
}

static bool fill_call(struct arena *a, const struct request *q, const struct rpc_message *m,
                      struct call *call, struct err *err)
{
    const json *token = json_get(json_get(m->params, S("_meta")), S("progressToken"));
    call->client_id = m->id;
    if (token && !rpc_id_text(a, token, &call->progress_token))
        return err_input(err, "the progress token must be a string or an integer");
    call->sse = token && mcp_accepts(q->accept, S("text"), S("event-stream"));
    return true;
}

enum verdict request_take(struct runner *r, struct arena *a, const struct request *q,
                          struct call *call, int *out_status, struct err *err)
{
    struct route route = {0};
    struct rpc_message m;
    struct rpc_fault fault;
    struct program *p;
    str secret_voucher;
    bool voucher = false;
    if (!find_route(r, q->head, &route, out_status, err))
        return VERDICT_REFUSED;
    *out_status = 400;
    if (!rpc_read(a, q->body, NULL, &m, &fault, err)) {
        call->client_id = fault.id;
        return VERDICT_REFUSED;
    }
    call->client_id = m.id;
    if (!check_method(&m, &voucher, out_status, err) || !fill_call(a, q, &m, call, err) ||
        !find_program(r, &route, q->head, &p, out_status, err))
        return VERDICT_REFUSED;
    if (m.kind == RPC_NOTIFICATION) {
        if (p)
            program_notify(p, &m);
        return VERDICT_ACCEPTED;
    }
    *out_status = 503;
    if (p && p->calls_n >= PROGRAM_CALLS_MAX) {
        (void)err_limit(err, "%d calls wait for this program", PROGRAM_CALLS_MAX);
        return VERDICT_REFUSED;
    }
    *out_status = 403;
    if (!voucher_field(a, q->head, S("Ambit-Secret-Voucher"), &secret_voucher, err) ||
        (voucher && !check_voucher(r, a, &route, q->head, &m, err)))
        return VERDICT_REFUSED;
    if (!p &&
        !program_start(r, route.binding, route.principal, secret_voucher, &p, out_status, err))
        return VERDICT_REFUSED;
    program_request(p, call, &m);
    return VERDICT_WAIT;
}

#include "mcp/rpc.h"

#include "base/limits.h"
#include "mcp/text.h"

enum { ERROR_TEXT_BYTES_MAX = 1000 };

bool rpc_id_text(struct arena *a, const json *v, str *out)
{
    int64_t n;
    if (json_type(v) == JSON_STRING) {
        struct buf b = {.max = RPC_ID_BYTES_MAX};
        json_write_str(&b, json_str(v));
        bool fits = !b.over;
        if (fits)
            *out = str_dup(a, buf_str(&b));
        buf_fini(&b);
        return fits;
    }
    /* "-0" is an integer that no two programs echo alike. */
    if (!json_i64(v, &n) || json_number(v).n > 19 || str_eq(json_number(v), S("-0")))
        return false;
    *out = str_dup(a, json_number(v));
    return true;
}

static bool bad(struct rpc_fault *fault, enum rpc_code code, str id)
{
    *fault = (struct rpc_fault){code, id};
    return false;
}

static bool read_params(const json *root, struct rpc_message *m, struct err *err)
{
    const json *params = json_get(root, S("params"));
    m->params = params;
    return !params || json_type(params) == JSON_OBJECT ||
           err_input(err, "params must be an object");
}

static bool read_call(const json *root, const json *id, struct rpc_message *m, struct err *err)
{
    const json *method = json_get(root, S("method"));
    m->kind = id ? RPC_REQUEST : RPC_NOTIFICATION;
    m->method = json_str(method);
    if (m->method.n == 0 || m->method.n > RPC_METHOD_BYTES_MAX || !str_is_visible_ascii(m->method))
        return err_input(err, "method must be 1 to %d visible ASCII characters",
                         RPC_METHOD_BYTES_MAX);
    if (json_get(root, S("result")) || json_get(root, S("error")))
        return err_input(err, "a message cannot be a request and a response");
    return read_params(root, m, err);
}

static bool read_failure(const json *error, struct rpc_message *m, struct err *err)
{
    const json *text = json_get(error, S("message"));
    m->kind = RPC_ERROR;
    m->error_text = json_str(text);
    m->error_data = json_get(error, S("data"));
    if (!json_i64(json_get(error, S("code")), &m->code) || json_type(text) != JSON_STRING)
        return err_input(err, "error must be an object with an integer code and a message");
    return true;
}

static bool read_response(const json *root, const json *id, struct rpc_message *m, struct err *err)
{
    const json *result = json_get(root, S("result")), *error = json_get(root, S("error"));
    if (!result == !error)
        return err_input(err, "a message must have one of method, result and error");
    if (error)
        return read_failure(error, m, err);
    m->kind = RPC_RESULT;
    m->result = result;
    if (!id)
        return err_input(err, "a result must have an id");
    return json_type(result) == JSON_OBJECT || err_input(err, "result must be an object");
}

bool rpc_read(struct arena *a, str text, const struct json_limits *limits, struct rpc_message *out,
              struct rpc_fault *fault, struct err *err)
{
    static const struct json_limits defaults = {.bytes_max = HTTP_ANSWER_BYTES_MAX,
                                                .depth_max = JSON_DEPTH_MAX,
                                                .values_max = JSON_VALUES_MAX};
    struct rpc_message m = {0};
    const json *root;
    if (!json_read(a, text, limits ? limits : &defaults, &root, err))
        return bad(fault, RPC_PARSE_ERROR, (str){0});
    if (json_type(root) != JSON_OBJECT) {
        err_input(err, "a message must be one JSON object, got %s",
                  json_type_name(json_type(root)));
        return bad(fault, RPC_INVALID_REQUEST, (str){0});
    }
    const json *id = json_get(root, S("id"));
    bool is_call = json_get(root, S("method")) != NULL;
    /* JSON-RPC answers what it could not read with an id of null; nothing else may carry one. */
    if (json_type(id) == JSON_NULL && !is_call && json_get(root, S("error")))
        id = NULL;
    if (id && !rpc_id_text(a, id, &m.id)) {
        err_input(err, "id must be a string or an integer");
        return bad(fault, RPC_INVALID_REQUEST, (str){0});
    }
    if (!str_eq(json_get_str(root, S("jsonrpc")), S("2.0"))) {
        err_input(err, "jsonrpc must be \"2.0\"");
        return bad(fault, RPC_INVALID_REQUEST, m.id);
    }
    if (!(is_call ? read_call(root, id, &m, err) : read_response(root, id, &m, err)))
        return bad(fault, RPC_INVALID_REQUEST, m.id);
    *out = m;
    return true;
}

/* ---- writing ---- */

static struct jw begin(struct buf *out, str id)
{
    struct jw w = jw(out);
    jw_obj(&w);
    jw_kstr(&w, S("jsonrpc"), S("2.0"));
    if (id.n) {
        jw_key(&w, S("id"));
        jw_raw(&w, id);
    }
    return w;
}

void rpc_end(struct jw *w)
{
    jw_end_obj(w);
}

struct jw rpc_begin_result(struct buf *out, str id)
{
    struct jw w = begin(out, id);
    jw_key(&w, S("result"));
    return w;
}

struct jw rpc_begin_request(struct buf *out, str id, str method)
{
    struct jw w = begin(out, id);
    jw_kstr(&w, S("method"), method);
    jw_key(&w, S("params"));
    return w;
}

struct jw rpc_begin_notification(struct buf *out, str method)
{
    return rpc_begin_request(out, (str){0}, method);
}

void rpc_put_error_data(struct buf *out, str id, int64_t code, str message, str data)
{
    struct jw w = begin(out, id);
    jw_key(&w, S("error"));
    jw_obj(&w);
    jw_ki64(&w, S("code"), code);
    jw_key(&w, S("message"));
    mcp_put_text(&w, message, ERROR_TEXT_BYTES_MAX, false);
    if (data.n) {
        jw_key(&w, S("data"));
        jw_raw(&w, data);
    }
    jw_end_obj(&w);
    rpc_end(&w);
}

void rpc_put_error(struct buf *out, str id, int64_t code, str message)
{
    rpc_put_error_data(out, id, code, message, (str){0});
}

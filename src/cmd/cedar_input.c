/* What the verbs of `ambit cedar` read. */
#include "cmd/cedar.h"
#include "cedar/policy/link.h"
#include "cedar/policy/policy_set_json.h"
#include "cedar/check/conform.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 64 << 20, READ_BYTES = 64 << 10 };

/* ---- files ---- */

static bool read_all(int fd, struct buf *b, struct err *err)
{
    for (;;) {
        char *room = buf_reserve(b, READ_BYTES);
        if (!room)
            return err_limit(err, "over %d MiB", FILE_BYTES_MAX >> 20);
        ssize_t n = read(fd, room, READ_BYTES);
        if (n == 0)
            return true;
        if (n > 0)
            buf_commit(b, (size_t)n);
        else if (errno != EINTR)
            return err_system(err, "cannot be read");
    }
}

static bool read_named(struct work *w, str name, int fd, str *out)
{
    struct buf b = {.max = FILE_BYTES_MAX + READ_BYTES};
    struct err err;
    bool ok = fd >= 0 ? read_all(fd, &b, &err) : err_system(&err, "cannot be opened");
    if (ok)
        *out = str_dup(w->call.a, buf_str(&b));
    else
        calls_fail(&w->call, "%.*s: %s", STR(name), err.text);
    buf_fini(&b);
    return ok;
}

bool work_file(struct work *w, str path, str *out)
{
    int fd = open(str_dup(w->call.a, path).p, O_RDONLY | O_CLOEXEC);
    bool ok = read_named(w, path, fd, out);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool work_input(struct work *w, const char *option, str *name, str *text)
{
    str given = args_get(&w->cli->args, option);
    bool is_file = args_has(&w->cli->args, option) && !str_eq(given, S("-"));
    *name = is_file ? given : S("standard input");
    return is_file ? work_file(w, given, text) : read_named(w, *name, STDIN_FILENO, text);
}

bool work_json(struct work *w, str name, str text, const json **out)
{
    static const struct json_limits limits = {.bytes_max = FILE_BYTES_MAX,
                                              .depth_max = CEDAR_POLICY_JSON_DEPTH_MAX,
                                              .values_max = 8 << 20};
    struct err err;
    if (json_read(w->call.a, text, &limits, out, &err))
        return true;
    calls_fail(&w->call, "%.*s: %s", STR(name), err.text);
    return false;
}

static bool read_json_file(struct work *w, const char *option, const json **out)
{
    str path = args_get(&w->cli->args, option), text;
    return work_file(w, path, &text) && work_json(w, path, text, out);
}

static const char *const FORMATS[] = {"cedar", "json", NULL};

/* ---- policies ---- */

/* @id("name") renames what it stands at. */
static bool read_cedar(struct work *w, str name, str text, struct calls_policies *out)
{
    struct cedar_policies p;
    struct cedar_diags *d = ARENA_NEW(w->call.a, struct cedar_diags);
    bool ok = true;
    out->name = name;
    if (!cedar_policies_parse(w->call.a, name, text, &p, d)) {
        calls_fail_diags(&w->call, S("policies"), d);
        return false;
    }
    for (size_t i = 0; i < p.count; i++) {
        const str *id = cedar_policy_annotation(&p.items[i], S("id"));
        if (id)
            p.items[i].id = *id;
        ok = calls_add_policy(&w->call, out, &p.items[i], text) && ok;
    }
    return ok;
}

/* One policy, one template, or a set. */
static bool read_json(struct work *w, str name, str text, struct calls_policies *out)
{
    static const char *const of_set[] = {"staticPolicies", "templates", "templateLinks"};
    const json *v;
    struct cedar_policy p;
    struct err err;
    bool is_set = false;
    if (!work_json(w, name, text, &v))
        return false;
    for (size_t i = 0; i < sizeof of_set / sizeof of_set[0]; i++)
        is_set = is_set || json_get(v, str_z(of_set[i]));
    if (is_set)
        return calls_read_policies(&w->call, v, out);
    if (cedar_policy_from_json(w->call.a, v, S("JSON policy"), CEDAR_WANT_EITHER, &p, &err))
        return calls_add_policy(&w->call, out, &p, (str){0});
    calls_fail(&w->call, "%.*s: %s", STR(name), err.text);
    return false;
}

bool work_link(struct work *w, struct calls_policies *set, str template_id, str link_id,
               const json *values)
{
    struct cedar_uid *uids = ARENA_ARRAY(w->call.a, struct cedar_uid, 2);
    const struct cedar_uid *filled[2] = {NULL, NULL};
    const struct cedar_policy *tmpl = cedar_policies_find(&set->all, template_id);
    const json *v;
    str name;
    struct cedar_policy link;
    struct err err;
    for (struct json_iter it = json_iter(values); json_next(&it, &name, &v);) {
        bool is_resource = str_eq(name, S("?resource"));
        if (!is_resource && !str_eq(name, S("?principal"))) {
            calls_fail(&w->call, "`%.*s` is no slot: they are ?principal and ?resource",
                       STR(str_take(name, 80)));
            return false;
        }
        if (!cedar_uid_read(w->call.a, json_str(v), &uids[is_resource], &err)) {
            calls_fail(&w->call, "%.*s: %s", STR(name), err.text);
            return false;
        }
        filled[is_resource] = &uids[is_resource];
    }
    if (!tmpl)
        err_input(&err, "there is no template `%.*s`", STR(str_take(template_id, 80)));
    if (tmpl && cedar_link(w->call.a, tmpl, link_id, filled[0], filled[1], &link, &err))
        return calls_add_policy(&w->call, set, &link, set->texts[tmpl - set->all.items]);
    calls_fail(&w->call, "%s", err.text);
    return false;
}

/* [{"template_id", "link_id", "args"}] */
static bool read_links(struct work *w, bool may_lack, struct calls_policies *set)
{
    str path = str_dup(w->call.a, args_get(&w->cli->args, "template-linked")), text;
    const json *list, *one;
    if (!args_has(&w->cli->args, "template-linked") || (may_lack && access(path.p, F_OK) != 0))
        return true;
    if (!work_file(w, path, &text))
        return false;
    if (text.n == 0)
        return true;
    if (!work_json(w, path, text, &list))
        return false;
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &one);) {
        if (!work_link(w, set, json_get_str(one, S("template_id")), json_get_str(one, S("link_id")),
                       json_get(one, S("args"))))
            return false;
    }
    if (json_type(list) == JSON_ARRAY)
        return true;
    calls_fail(&w->call, "%.*s: links are an array", STR(path));
    return false;
}

bool work_policies(struct work *w, bool new_links, struct calls_policies *out)
{
    str name, text;
    size_t format;
    *out = (struct calls_policies){.name = S("policies")};
    return work_choice(w, "policy-format", FORMATS, &format) &&
           work_input(w, "policies", &name, &text) &&
           (format ? read_json : read_cedar)(w, name, text, out) && read_links(w, new_links, out);
}

bool work_policies_json(struct work *w, struct calls_policies *out)
{
    str name, text;
    *out = (struct calls_policies){.name = S("policies")};
    return work_input(w, "policies", &name, &text) && read_json(w, name, text, out);
}

/* ---- schema, entities ---- */

bool work_schema(struct work *w, const struct schema **out)
{
    str path = args_get(&w->cli->args, "schema"), text;
    struct schema_source source;
    size_t format;
    *out = NULL;
    if (!work_choice(w, "schema-format", FORMATS, &format))
        return false;
    if (!args_has(&w->cli->args, "schema"))
        return true;
    if (!work_file(w, path, &text) ||
        !calls_read_schema_text(&w->call, path, text, format == 1, &source))
        return false;
    *out = source.schema;
    return true;
}

bool work_request_json(struct work *w, const json **out)
{
    str name, text;
    if (!w->request && args_has(&w->cli->args, "request-json") &&
        (!work_input(w, "request-json", &name, &text) || !work_json(w, name, text, &w->request)))
        return false;
    *out = w->request;
    return true;
}

bool work_entities(struct work *w, const struct schema *schema, struct cedar_entities *out)
{
    const json *v, *whole = NULL;
    struct err err;
    if (args_has(&w->cli->args, "entities"))
        return read_json_file(w, "entities", &v) && calls_read_entities(&w->call, v, schema, out);
    if (!work_request_json(w, &whole))
        return false;
    if (json_get(whole, S("entities")))
        return calls_read_entities(&w->call, json_get(whole, S("entities")), schema, out);
    cedar_entities_init(out, w->call.a, NULL, 0);
    return cedar_entities_seal(out, &err);
}

/* ---- requests ---- */

static bool read_uid(struct work *w, const char *what, str text, struct cedar_uid *out)
{
    struct err err;
    if (!text.n)
        calls_fail(&w->call, "the request needs a %s, such as --%s 'Type::\"id\"'", what, what);
    else if (cedar_uid_read(w->call.a, text, out, &err))
        return true;
    else
        calls_fail(&w->call, "%s: %s", what, err.text);
    return false;
}

static str part_of(struct work *w, const json *whole, const char *name)
{
    return whole ? json_get_str(whole, str_z(name)) : args_get(&w->cli->args, name);
}

static bool read_context(struct work *w, const json *whole, const struct schema *schema,
                         struct work_request *out)
{
    const json *v = json_get(whole, S("context"));
    out->context = cedar_empty_record;
    out->req.context = &out->context;
    if (whole && !v) {
        calls_fail(&w->call, "the request has no member \"context\"");
        return false;
    }
    if (!whole && args_has(&w->cli->args, "context") && !read_json_file(w, "context", &v))
        return false;
    return !v || calls_read_context(&w->call, v, schema, &out->req.action, &out->context);
}

bool work_request(struct work *w, const struct schema *schema, struct work_request *out)
{
    static const char *const bools[] = {"true", "false", NULL};
    const json *whole = NULL;
    struct cedar_request *req = &out->req;
    struct conform_fault fault;
    size_t unchecked;
    if (!work_choice(w, "request-validation", bools, &unchecked))
        return false;
    if (!work_request_json(w, &whole))
        return false;
    bool ok = read_uid(w, "principal", part_of(w, whole, "principal"), &req->principal);
    ok = read_uid(w, "action", part_of(w, whole, "action"), &req->action) && ok;
    ok = read_uid(w, "resource", part_of(w, whole, "resource"), &req->resource) && ok;
    if (!ok || !read_context(w, whole, schema, out))
        return false;
    if (!schema || unchecked ||
        conform_request(schema, &req->principal, &req->action, &req->resource, &out->context,
                        &fault))
        return true;
    calls_fail(&w->call, "request: %s", fault.text);
    return false;
}

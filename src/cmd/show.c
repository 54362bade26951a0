/* `ambit show`: the configuration as it is in force, every default filled in. Of headers and
 * environment variables only the names: a value might be a secret that somebody wrote there. */
#include "cmd/cli.h"
#include "base/hex.h"

static void write_strs(struct jw *w, str name, const str *list, size_t n)
{
    jw_key(w, name);
    jw_arr(w);
    for (size_t i = 0; i < n; i++)
        jw_str(w, list[i]);
    jw_end_arr(w);
}

static void write_set(struct jw *w, str name, str value)
{
    if (value.n)
        jw_kstr(w, name, value);
}

static void write_person(struct jw *w, const struct conf_person *p)
{
    static const struct {
        unsigned bit;
        const char *name;
    } roles[] = {{ROLE_OWNER, "owner"},
                 {ROLE_APPROVER, "approver"},
                 {ROLE_REVIEWER, "reviewer"},
                 {ROLE_AUDITOR, "auditor"},
                 {ROLE_ADMINISTRATOR, "administrator"}};
    jw_key(w, p->name);
    jw_obj(w);
    jw_key(w, S("roles"));
    jw_arr(w);
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (p->roles & roles[i].bit)
            jw_str(w, str_z(roles[i].name));
    jw_end_arr(w);
    if (p->uid >= 0)
        jw_ki64(w, S("uid"), p->uid);
    jw_end_obj(w);
}

static void write_groups(struct jw *w, const struct conf_select *s)
{
    jw_key(w, S("groups"));
    jw_arr(w);
    for (size_t i = 0; i < s->groups_n; i++)
        jw_i64(w, s->groups[i]);
    jw_end_arr(w);
}

static void write_hashes(struct jw *w, const struct conf_select *s)
{
    struct buf hex = {0};
    jw_key(w, S("sha256"));
    jw_arr(w);
    for (size_t i = 0; i < s->sha256_n; i++) {
        buf_clear(&hex);
        hex_encode(&hex, s->sha256[i]);
        jw_str(w, buf_str(&hex));
    }
    jw_end_arr(w);
    buf_fini(&hex);
}

static void write_select(struct jw *w, str name, const struct conf_select *s, bool descendants)
{
    if (!s->any)
        return;
    jw_key(w, name);
    jw_obj(w);
    if (s->uid >= 0)
        jw_ki64(w, S("uid"), s->uid);
    if (s->gid >= 0)
        jw_ki64(w, S("gid"), s->gid);
    if (s->groups_n)
        write_groups(w, s);
    write_set(w, S("path"), s->path);
    if (s->sha256_n)
        write_hashes(w, s);
    write_set(w, S("unit"), s->unit);
    write_set(w, S("cgroup"), s->cgroup);
    if (descendants)
        jw_kbool(w, S("descendants"), true);
    jw_end_obj(w);
}

static void write_agent(struct jw *w, const struct conf_agent *g)
{
    jw_key(w, g->name);
    jw_obj(w);
    jw_kstr(w, S("owner"), g->owner);
    write_set(w, S("purpose"), g->purpose);
    write_set(w, S("tier"), g->tier);
    write_set(w, S("model"), g->model);
    write_set(w, S("modelVersion"), g->model_version);
    jw_kbool(w, S("suspended"), g->suspended);
    jw_kbool(w, S("assessed"), g->assessed_ms != 0);
    jw_ki64(w, S("assessedForMs"), g->assessed_for_ms);
    jw_kbool(w, S("bearer"), g->bearer);
    write_select(w, S("select"), &g->select, false);
    write_select(w, S("launch"), &g->launch, g->launch_descendants);
    write_strs(w, S("ambit"), g->ambit, g->ambit_n);
    write_strs(w, S("delegates"), g->delegates, g->delegates_n);
    jw_end_obj(w);
}

static void write_values(struct jw *w, str name, const struct conf_value *v, size_t n)
{
    if (!n)
        return;
    jw_key(w, name);
    jw_obj(w);
    for (size_t i = 0; i < n; i++) {
        jw_key(w, v[i].name);
        jw_obj(w);
        if (v[i].secret.n)
            jw_kstr(w, S("secret"), v[i].secret);
        else
            jw_ki64(w, S("literalBytes"), (int64_t)v[i].literal.n);
        jw_end_obj(w);
    }
    jw_end_obj(w);
}

static void write_label(struct jw *w, const struct conf_operation *op)
{
    if (op->label.level) {
        jw_key(w, S("label"));
        jw_obj(w);
        jw_kstr(w, S("confidentiality"), confidentiality_name(op->label.level));
        jw_key(w, S("categories"));
        label_categories_write(w, op->label.categories);
        jw_end_obj(w);
    }
    if (op->amount.arg.n) {
        jw_key(w, S("amount"));
        jw_obj(w);
        jw_kstr(w, S("arg"), op->amount.arg);
        jw_kstr(w, S("currency"), str_z(op->amount.currency));
        jw_ki64(w, S("scale"), op->amount.scale);
        jw_end_obj(w);
    }
}

static void write_templates(struct jw *w, const struct conf *c)
{
    jw_key(w, S("templates"));
    jw_obj(w);
    for (size_t i = 0; i < c->templates_n; i++) {
        const struct conf_template *t = &c->templates[i];
        jw_key(w, t->name);
        jw_obj(w);
        jw_kstr(w, S("agent"), t->agent);
        write_set(w, S("purpose"), t->purpose);
        jw_ki64(w, S("deadlineMs"), t->life_ms);
        write_strs(w, S("users"), t->users, t->users_n);
        jw_key(w, S("grants"));
        jw_raw(w, t->grants);
        jw_end_obj(w);
    }
    jw_end_obj(w);
}

static void write_operations(struct jw *w, const struct conf_binding *b)
{
    jw_key(w, S("operations"));
    jw_obj(w);
    for (size_t i = 0; i < b->operations_n; i++) {
        const struct conf_operation *op = &b->operations[i];
        jw_key(w, op->tool);
        jw_obj(w);
        jw_kstr(w, S("effect"), effect_name(op->effect));
        jw_kbool(w, S("highImpact"), op->high_impact);
        write_label(w, op);
        jw_key(w, S("args"));
        jw_obj(w);
        for (size_t k = 0; k < op->args_n; k++) {
            jw_key(w, op->args[k].name);
            struct buf type = {0};
            buf_printf(&type, "%.*s%s", STR(op->args[k].type), op->args[k].optional ? "?" : "");
            jw_str(w, buf_str(&type));
            buf_fini(&type);
        }
        jw_end_obj(w);
        jw_end_obj(w);
    }
    jw_end_obj(w);
}

static void write_binding(struct jw *w, const struct conf_binding *b)
{
    static const char *const kinds[] = {"none", "http", "stdio", "internal"};
    static const char *const eras[] = {"auto", "modern", "legacy"};
    jw_key(w, b->name);
    jw_obj(w);
    jw_kstr(w, S("type"), str_z(kinds[b->kind]));
    jw_kstr(w, S("era"), str_z(eras[b->era]));
    write_set(w, S("url"), b->url);
    write_set(w, S("ca"), b->ca_file);
    write_set(w, S("cert"), b->cert_file);
    write_set(w, S("key"), b->key_file);
    write_values(w, S("headers"), b->headers, b->headers_n);
    if (b->kind == BINDING_STDIO) {
        jw_kstr(w, S("command"), b->command);
        write_strs(w, S("args"), b->args, b->args_n);
        write_values(w, S("env"), b->env, b->env_n);
        write_set(w, S("cwd"), b->cwd);
        write_strs(w, S("readPaths"), b->read_paths, b->read_paths_n);
        write_strs(w, S("writePaths"), b->write_paths, b->write_paths_n);
        jw_kbool(w, S("network"), b->network);
    }
    write_operations(w, b);
    jw_kbool(w, S("durableReads"), b->durable_reads);
    jw_ki64(w, S("answerWaitMs"), b->answer_wait_ms);
    jw_end_obj(w);
}

static void write_listener(struct jw *w, const struct conf_listener *l)
{
    jw_obj(w);
    jw_kstr(w, S("address"), l->address);
    jw_kbool(w, S("bearer"), l->bearer);
    write_set(w, S("cert"), l->cert_file);
    write_set(w, S("key"), l->key_file);
    write_set(w, S("clientCa"), l->client_ca_agents ? S("agents") : l->client_ca_file);
    if (l->bundle)
        jw_kstr(w, S("bundle"), l->bundle == BUNDLE_WEB ? S("web") : S("spiffe"));
    write_strs(w, S("origins"), l->origins, l->origins_n);
    jw_end_obj(w);
}

static void write_general(struct jw *w, const struct conf *c)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    jw_kstr(w, S("file"), c->file);
    jw_kstr(w, S("trustDomain"), c->trust_domain);
    jw_kstr(w, S("origin"), c->origin);
    jw_kstr(w, S("state"), c->state_dir);
    jw_key(w, S("sockets"));
    jw_obj(w);
    jw_kstr(w, S("agent"), c->agent_socket);
    jw_kstr(w, S("control"), c->control_socket);
    if (conf_launches(c))
        jw_kstr(w, S("launch"), c->launch_socket);
    jw_end_obj(w);
    jw_key(w, S("identity"));
    jw_obj(w);
    write_set(w, S("workloadSocket"), c->workload_socket);
    jw_kbool(w, S("wit"), c->wit);
    jw_end_obj(w);
    write_set(w, S("metrics"), c->metrics_address);
    jw_ki64(w, S("edges"), c->edges);
    jw_ki64(w, S("uidBase"), c->uid_base);
    jw_kstr(w, S("log"), str_z(levels[c->log_level]));
    jw_key(w, S("limits"));
    jw_obj(w);
    jw_ki64(w, S("requestBytes"), (int64_t)c->request_bytes_max);
    jw_ki64(w, S("answerBytes"), (int64_t)c->answer_bytes_max);
    jw_ki64(w, S("connections"), c->connections_max);
    jw_ki64(w, S("answerWaitMs"), c->answer_wait_ms);
    jw_ki64(w, S("holdLifeMs"), c->hold_life_ms);
    jw_ki64(w, S("redeemWaitMs"), c->redeem_wait_ms);
    jw_ki64(w, S("sharedWindowMs"), c->shared_window_ms);
    jw_end_obj(w);
}

static void write_conf(struct jw *w, const struct conf *c)
{
    jw_obj(w);
    write_general(w, c);
    jw_key(w, S("listen"));
    jw_arr(w);
    for (size_t i = 0; i < c->listeners_n; i++)
        write_listener(w, &c->listeners[i]);
    jw_end_arr(w);
    jw_key(w, S("people"));
    jw_obj(w);
    for (size_t i = 0; i < c->people_n; i++)
        write_person(w, &c->people[i]);
    jw_end_obj(w);
    jw_key(w, S("agents"));
    jw_obj(w);
    for (size_t i = 0; i < c->agents_n; i++)
        write_agent(w, &c->agents[i]);
    jw_end_obj(w);
    write_templates(w, c);
    jw_key(w, S("policies"));
    jw_arr(w);
    for (size_t i = 0; i < c->policies_n; i++)
        jw_str(w, c->policies[i].name);
    jw_end_arr(w);
    jw_key(w, S("mcpServers"));
    jw_obj(w);
    for (size_t i = 0; i < c->bindings_n; i++)
        write_binding(w, &c->bindings[i]);
    jw_end_obj(w);
    jw_end_obj(w);
}

static int show(struct cli *c)
{
    struct buf text = {0}, out = {0};
    struct jw w = jw(&text);
    const json *v;
    write_conf(&w, &c->conf);
    if (!json_read(&c->arena, buf_str(&text), NULL, &v, &c->err)) {
        buf_fini(&text);
        return cli_failed(c);
    }
    if (c->json)
        json_write(&out, v);
    else
        put_pretty(&out, v, 0);
    buf_putc(&out, '\n');
    print_buf(stdout, &out);
    buf_fini(&text);
    return 0;
}

static const struct verb SHOW[] = {
    {NULL, NEEDS_CONF, 0, 0, "[-c FILE]",
     "The configuration in force as JSON, defaults filled in, never a secret.",
     "ambit show -c /etc/ambit/ambit.json", NULL, show},
};

int cmd_show(int argc, char **argv)
{
    return verbs_run("show", SHOW, 1, argc, argv);
}

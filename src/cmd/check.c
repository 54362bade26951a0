/* `ambit check` and `ambit policy`: is what stands in the files right? Without a gateway, but for
 * `policy explain`. */
#include "cmd/cli.h"
#include "call/policy.h"
#include "call/schema_text.h"

static size_t count_bindings(const struct conf *conf)
{
    size_t n = 0;
    for (size_t i = 0; i < conf->bindings_n; i++)
        n += conf->bindings[i].kind != BINDING_INTERNAL;
    return n;
}

/* Loads the policies of c->conf; problems and warnings go to standard error. */
static bool load_policies(struct cli *c, size_t *out_n, str *out_digest)
{
    struct policy_set *set = NULL;
    struct buf report = {0};
    bool ok = policy_load(&c->conf, &set, &report, &c->err);
    print_buf(stderr, &report);
    if (!ok)
        return false;
    *out_n = policy_count(set);
    *out_digest = str_dup(&c->arena, policy_digest(set));
    policy_free(set);
    return true;
}

static int check(struct cli *c)
{
    size_t policies;
    str digest;
    int status = cli_conf(c, true);
    if (status)
        return status;
    if (!task_templates_check(&c->conf, &c->err) || !load_policies(c, &policies, &digest)) {
        cli_failed(c);
        return EXIT_CONFIG;
    }
    if (c->json)
        printf(
            "{\"ok\":true,\"agents\":%zu,\"bindings\":%zu,\"policies\":%zu,\"digest\":\"%.*s\"}\n",
            c->conf.agents_n, count_bindings(&c->conf), policies, STR(digest));
    else
        printf("ok: %zu agent%s, %zu binding%s, %zu policies\n", c->conf.agents_n,
               c->conf.agents_n == 1 ? "" : "s", count_bindings(&c->conf),
               count_bindings(&c->conf) == 1 ? "" : "s", policies);
    return 0;
}

static int policy_check(struct cli *c)
{
    size_t policies;
    str digest;
    if (!load_policies(c, &policies, &digest)) {
        cli_failed(c);
        return EXIT_CONFIG;
    }
    if (c->json)
        printf("{\"ok\":true,\"policies\":%zu,\"digest\":\"%.*s\"}\n", policies, STR(digest));
    else
        printf("ok: %zu policies, digest %.*s\n", policies, STR(digest));
    return 0;
}

static int policy_schema(struct cli *c)
{
    struct buf b = {0};
    schema_text_write(&c->conf, &b);
    print_buf(stdout, &b);
    return 0;
}

/* ---- explain ---- */

static void put_decision(struct buf *out, const json *d, str in_force)
{
    const json *record = json_get(d, S("record")), *p;
    str type = json_get_str(record, S("type")), decision = json_get_str(record, S("decision"));
    str set = json_get_str(record, S("policy"));
    put_safe(out, json_get_str(record, S("time")));
    buf_put(out, S("  "));
    put_safe(out, decision.n ? decision : type);
    if (json_get_str(record, S("binding")).n) {
        buf_put(out, S("  "));
        put_safe(out, json_get_str(record, S("binding")));
        buf_putc(out, '/');
        put_safe(out, json_get_str(record, S("tool")));
    }
    if (json_get_str(record, S("approver")).n) {
        buf_put(out, S("  by "));
        put_safe(out, json_get_str(record, S("approver")));
    }
    buf_putc(out, '\n');
    if (set.n && !str_eq(set, in_force))
        buf_put(out, S("  (by a policy set that is no longer in force; the texts are today's)\n"));
    if (json_count(json_get(d, S("policies"))) == 0)
        buf_put(out, S("  no policy permits it\n"));
    for (struct json_iter it = json_iter(json_get(d, S("policies"))); json_next(&it, NULL, &p);) {
        str text = json_get_str(p, S("text")), line;
        buf_put(out, S("  policy "));
        put_safe(out, json_get_str(p, S("id")));
        buf_putc(out, '\n');
        while (text.n) {
            str_cut(text, '\n', &line, &text);
            buf_put(out, S("    "));
            put_safe(out, line);
            buf_putc(out, '\n');
        }
    }
}

static int policy_explain(struct cli *c)
{
    struct buf params = {0}, out = {0};
    struct jw w = jw(&params);
    const json *result, *d;
    jw_obj(&w);
    jw_kstr(&w, S("call"), c->args.pos[0]);
    jw_end_obj(&w);
    if (!cli_call(c, S("explain"), &params, &result))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    const json *list = json_get(result, S("decisions"));
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &d);)
        put_decision(&out, d, json_get_str(result, S("inForce")));
    if (json_count(list) == 0)
        buf_put(&out,
                S("no policy was asked about this call; `ambit trace` shows what happened\n"));
    print_buf(stdout, &out);
    return 0;
}

static const struct verb CHECK[] = {
    {NULL, HAS_CONF, 0, 0, "[-c FILE]", "Check the configuration and its policies, offline.",
     "ambit check -c /etc/ambit/ambit.json", NULL, check},
};
static const struct verb POLICY[] = {
    {"check", NEEDS_CONF, 0, 0, "[-c FILE]",
     "Check the policies against the configuration, offline.", "ambit policy check", NULL,
     policy_check},
    {"schema", NEEDS_CONF, 0, 0, "[-c FILE]",
     "The Cedar schema that policies are checked against, made from the configuration.",
     "ambit policy schema > ambit.cedarschema", NULL, policy_schema},
    {"explain", NEEDS_GATEWAY, 1, 1, "CALL",
     "What was decided on a call, with the text of the policies that decided.",
     "ambit policy explain c01J...", NULL, policy_explain},
};

int cmd_check(int argc, char **argv)
{
    return verbs_run("check", CHECK, 1, argc, argv);
}

int cmd_policy(int argc, char **argv)
{
    return verbs_run("policy", POLICY, sizeof POLICY / sizeof POLICY[0], argc, argv);
}

/* `ambit agent`: what the gateway knows of agents; suspend one at once, and resume it. */
#include "cmd/cli.h"

static const struct opt SUSPEND_OPTS[] = {{"reason", 0, OPT_VALUE, "TEXT", "why, for the record"},
                                          {0}};

static void put_agent(struct cli *c, struct buf *params)
{
    struct jw w = jw(params);
    jw_obj(&w);
    jw_kstr(&w, S("agent"), c->args.pos[0]);
    jw_end_obj(&w);
}

static int agent_list(struct cli *c)
{
    static const char *const heads[] = {"AGENT", "STATE",  "OWNER",    "TIER",
                                        "TASKS", "SHARED", "ASSESSED", "MODEL"};
    struct table t = {.a = &c->arena, .heads = heads, .columns = 8};
    const json *result, *agent;
    if (!cli_call(c, S("agent.list"), NULL, &result))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    for (struct json_iter it = json_iter(json_get(result, S("agents")));
         json_next(&it, NULL, &agent);) {
        bool assessed = json_bool(json_get(agent, S("assessed")));
        str until = json_get_str(agent, S("assessedUntil"));
        table_add(&t, json_get_str(agent, S("agent")));
        table_add(&t, json_get_str(agent, S("state")));
        table_add(&t, json_get_str(agent, S("owner")));
        table_add(&t, json_get_str(agent, S("tier")));
        table_add(&t, json_number(json_get(agent, S("tasks"))));
        table_add(&t, json_bool(json_get(agent, S("shared"))) ? S("yes") : S("no"));
        table_add(&t, assessed  ? str_fmt(&c->arena, "until %.*s", STR(str_take(until, 10)))
                      : until.n ? S("no more")
                                : S("never"));
        table_add(&t, json_get_str(agent, S("model")));
    }
    table_print(&t);
    return 0;
}

static int agent_show(struct cli *c)
{
    struct buf params = {0}, b = {0};
    const json *result;
    put_agent(c, &params);
    if (!cli_call(c, S("agent.show"), &params, &result))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    put_members(&b, result);
    print_buf(stdout, &b);
    return 0;
}

static int agent_suspend(struct cli *c)
{
    return cli_change(c, S("agent"), S("agent.suspend"),
                      "suspended: every request in its name is refused until it is resumed");
}

static int agent_resume(struct cli *c)
{
    return cli_change(c, S("agent"), S("agent.resume"), "active again");
}

static const struct verb VERBS[] = {
    {"list", NEEDS_GATEWAY, 0, 0, "", "All agents and how they are.", "ambit agent list", NULL,
     agent_list},
    {"show", NEEDS_GATEWAY, 1, 1, "AGENT", "One agent, and where its identity was seen.",
     "ambit agent show desk", NULL, agent_show},
    {"suspend", NEEDS_GATEWAY, 1, 1, "AGENT [--reason TEXT]",
     "Refuse every request in its name, at once.",
     "ambit agent suspend desk --reason \"odd refunds\"", SUSPEND_OPTS, agent_suspend},
    {"resume", NEEDS_GATEWAY, 1, 1, "AGENT", "Let it go on.", "ambit agent resume desk", NULL,
     agent_resume},
};

int cmd_agent(int argc, char **argv)
{
    return verbs_run("agent", VERBS, sizeof VERBS / sizeof VERBS[0], argc, argv);
}

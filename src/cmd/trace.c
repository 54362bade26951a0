/* `ambit trace`: who did what, for whom and by whose decision. One call or one task comes from the
 * running gateway, or from the state folder (or a copy of it) without one; all that an agent did,
 * an owner answers for or a system was asked is searched in the folder, so that the gateway is not
 * kept busy with it. */
#include "cmd/cli.h"
#include "base/clock.h"
#include "base/rand.h"
#include "ledger/search.h"

static const struct opt OPTS[] = {
    {"state", 0, OPT_VALUE, "DIR", "read this state folder, without a gateway"},
    {"agent", 0, OPT_VALUE, "AGENT", "what this agent did"},
    {"owner", 0, OPT_VALUE, "OWNER", "what was done for this owner"},
    {"system", 0, OPT_VALUE, "BINDING[/TOOL]", "what this system was asked"},
    {"from", 0, OPT_VALUE, "TIME", "a day, a time in UTC, or how long ago (2h)"},
    {"to", 0, OPT_VALUE, "TIME", "until then"},
    {"limit", 0, OPT_VALUE, "N", "show the newest N records (default: 100)"},
    {0}};

enum { COLUMNS = 100, INDENT = 4, LIMIT_DEFAULT = 100 };

/* ---- offline: the same object that the gateway gives ---- */

static bool read_offline(struct cli *c, str id, const json **out)
{
    str dir = str_fmt(&c->arena, "%.*s/store", STR(args_get(&c->args, "state")));
    struct json_limits limits = {.bytes_max = 1 << 30, .values_max = 50000000};
    struct buf text = {.max = 1 << 30};
    struct jw w = jw(&text);
    struct store_view *v;
    struct trace t;
    if (!store_open_readonly(dir.p, &v, &c->err))
        return false;
    bool ok = id_is_valid(id, 't') ? trace_task(v, &c->arena, id, true, &t, &c->err)
                                   : trace_call(v, &c->arena, id, &t, &c->err);
    if (ok)
        trace_write(&w, &t);
    ok = ok && json_read(&c->arena, buf_str(&text), &limits, out, &c->err);
    store_view_close(v);
    buf_fini(&text);
    return ok;
}

/* ---- the account ---- */

static void put_chain(struct buf *out, const json *tasks)
{
    const json *t;
    unsigned depth = 0;
    for (struct json_iter it = json_iter(tasks); json_next(&it, NULL, &t);) {
        bool child = json_get_str(t, S("parent")).n > 0;
        depth = child ? depth + 1 : 0;
        put_safe(out, json_get_str(t, S("task")));
        buf_put(out, S("  "));
        if (child) {
            buf_put(out, S("for "));
            put_safe(out, json_get_str(t, S("parent")));
            buf_put(out, S("  "));
        }
        put_safe(out, json_get_str(t, S("owner")));
        buf_put(out, S(" -> "));
        put_safe(out, json_get_str(t, S("agent")));
        buf_put(out, S(" -> \""));
        put_safe(out, json_get_str(t, S("purpose")));
        buf_put(out, S("\"  ("));
        put_safe(out, json_get_str(t, S("state")));
        buf_put(out, S(", opened "));
        put_safe(out, json_get_str(t, S("opened")));
        buf_put(out, S(")\n"));
    }
}

/* A record is phrases; one that would pass the last column goes to a line of its own. */
struct line {
    struct buf *out, phrase;
    size_t at;
    unsigned indent;
};

static void end_phrase(struct line *l, const char *gap)
{
    size_t n = buf_len(&l->phrase), space = l->at ? strlen(gap) : 0;
    if (n && l->at + space + n > COLUMNS && l->at > l->indent) {
        buf_printf(l->out, "\n%*s", (int)l->indent, "");
        l->at = l->indent;
    } else if (n) {
        buf_put(l->out, str_take(str_z(gap), space));
        l->at += space;
    }
    buf_put(l->out, buf_str(&l->phrase));
    l->at += n;
    buf_clear(&l->phrase);
}

/* What is said of each record besides time, type and operation, in this order. */
static const struct {
    const char *field, *before, *after;
    bool wide; /* only where records of many tasks stand together */
} DETAILS[] = {
    {"decision", "", "", false},        {"status", "", "", false},
    {"state", "", "", false},           {"reason", "because ", "", false},
    {"owner", "for ", "", true},        {"agent", "agent ", "", true},
    {"task", "task ", "", true},        {"approver", "by ", "", false},
    {"method", "known by ", "", false}, {"approval", "with ", "", false},
    {"hold", "hold ", "", false},       {"by", "by ", "", false},
    {"child", "to ", "", false},        {"child_agent", "of ", "", false},
    {"expires", "until ", "", false},   {"deadline", "until ", "", false},
    {"calls", "", " calls", false},     {"budget_left", "", " calls left", false},
    {"latency_us", "", " us", false},   {"bytes", "", " bytes", false},
};

static void put_details(struct line *l, const json *r, bool wide)
{
    for (size_t i = 0; i < sizeof DETAILS / sizeof DETAILS[0]; i++) {
        const json *v = json_get(r, str_z(DETAILS[i].field));
        str text = json_type(v) == JSON_NUMBER ? json_number(v) : json_str(v);
        if (!text.n || (DETAILS[i].wide && !wide))
            continue;
        buf_put(&l->phrase, str_z(DETAILS[i].before));
        put_safe(&l->phrase, text);
        buf_put(&l->phrase, str_z(DETAILS[i].after));
        end_phrase(l, "  ");
    }
}

static void put_policies(struct line *l, const json *r)
{
    const json *v, *policies = json_get(r, S("policies"));
    size_t left = json_count(policies);
    str version = json_number(json_get(r, S("policy_version")));
    if (!left)
        return;
    if (version.n) {
        buf_printf(&l->phrase, "policy set %.*s", STR(version));
        end_phrase(l, "  ");
    }
    buf_put(&l->phrase, S("policies "));
    for (struct json_iter it = json_iter(policies); json_next(&it, NULL, &v);) {
        put_safe(&l->phrase, json_str(v));
        buf_put(&l->phrase, --left ? S(",") : S(""));
        end_phrase(l, str_ends(buf_str(l->out), S(",")) ? " " : "  ");
    }
}

static void put_record(struct buf *out, const json *r, unsigned depth, bool wide)
{
    struct line l = {.out = out, .indent = 2 * depth + INDENT};
    str call = json_get_str(r, S("call")), binding = json_get_str(r, S("binding"));
    put_safe(&l.phrase, json_get_str(r, S("time")));
    buf_printf(&l.phrase, "  %*s", (int)(2 * depth), "");
    size_t at = buf_len(&l.phrase);
    put_safe(&l.phrase, json_get_str(r, S("type")));
    while ((call.n || binding.n) && buf_len(&l.phrase) - at < 11)
        buf_putc(&l.phrase, ' ');
    end_phrase(&l, "");
    put_safe(&l.phrase, call);
    end_phrase(&l, " ");
    if (binding.n) {
        put_safe(&l.phrase, binding);
        buf_putc(&l.phrase, '/');
        put_safe(&l.phrase, json_get_str(r, S("tool")));
        buf_put(&l.phrase, S(" ("));
        put_safe(&l.phrase, json_get_str(r, S("effect")));
        buf_putc(&l.phrase, ')');
        end_phrase(&l, " ");
    }
    put_details(&l, r, wide);
    put_policies(&l, r);
    buf_fini(&l.phrase);
    buf_putc(out, '\n');
}

static void put_entry(struct buf *out, const json *entry)
{
    int64_t depth = 0;
    if (!json_i64(json_get(entry, S("depth")), &depth) || depth < 0 || depth > 16)
        depth = 0;
    put_record(out, json_get(entry, S("record")), (unsigned)depth, false);
}

/* ---- many ---- */

static bool is_wide(const struct cli *c)
{
    static const char *const WIDE[] = {"agent", "owner", "system", "from", "to", "limit"};
    for (size_t i = 0; i < sizeof WIDE / sizeof WIDE[0]; i++)
        if (args_has(&c->args, WIDE[i]))
            return true;
    return false;
}

static bool read_query(struct cli *c, struct trace_query *q, size_t *limit)
{
    const struct {
        const char *name;
        str *to;
    } times[] = {{"from", &q->from}, {"to", &q->to}};
    uint64_t n = LIMIT_DEFAULT;
    str given = args_get(&c->args, "limit");
    q->agent = args_get(&c->args, "agent");
    q->owner = args_get(&c->args, "owner");
    q->system = args_get(&c->args, "system");
    for (size_t i = 0; i < 2; i++)
        if (args_has(&c->args, times[i].name) &&
            !search_time(&c->arena, args_get(&c->args, times[i].name), clock_wall_ms(), times[i].to,
                         &c->err))
            return err_in(&c->err, "--%s", times[i].name);
    if (given.n && (!str_to_u64(given, &n) || n == 0 || n > SEARCH_NEWEST_MAX))
        return err_input(&c->err, "--limit takes a number from 1 to %d", SEARCH_NEWEST_MAX);
    *limit = (size_t)n;
    return true;
}

static void print_found_json(const struct search_result *r)
{
    struct buf b = {.max = 1 << 30};
    struct jw w = jw(&b);
    jw_obj(&w);
    jw_ki64(&w, S("read"), (int64_t)r->read);
    jw_ki64(&w, S("matched"), (int64_t)r->matched);
    jw_key(&w, S("counts"));
    jw_arr(&w);
    for (size_t i = 0; i < r->tallies_n; i++) {
        jw_obj(&w);
        jw_kstr(&w, S("kind"), tally_kind_name(r->tallies[i].kind));
        jw_kstr(&w, S("name"), r->tallies[i].name);
        jw_ki64(&w, S("n"), (int64_t)r->tallies[i].n);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_key(&w, S("entries"));
    jw_arr(&w);
    for (size_t i = 0; i < r->n; i++)
        trace_entry_write(&w, &r->newest[i]);
    jw_end_arr(&w);
    jw_kbool(&w, S("cut"), r->matched > r->n);
    jw_end_obj(&w);
    buf_putc(&b, '\n');
    print_buf(stdout, &b);
}

static void put_summary(struct buf *out, const struct search_result *r)
{
    struct line l = {.out = out, .indent = INDENT + 6};
    buf_printf(out, "%llu of %llu records\n", (unsigned long long)r->matched,
               (unsigned long long)r->read);
    for (size_t i = 0; i < r->tallies_n; i++) {
        const struct tally *t = &r->tallies[i];
        if (i == 0 || r->tallies[i - 1].kind != t->kind) {
            buf_printf(out, "%s  %-8.*s", i ? "\n" : "", STR(tally_kind_name(t->kind)));
            l.at = l.indent;
        }
        put_safe(&l.phrase, t->name);
        buf_printf(&l.phrase, " %llu", (unsigned long long)t->n);
        end_phrase(&l, "  ");
    }
    buf_fini(&l.phrase);
    buf_put(out, r->tallies_n ? S("\n\n") : S(""));
    if (r->matched > r->n)
        buf_printf(out, "the newest %zu:\n", r->n);
}

static int trace_many(struct cli *c)
{
    struct trace_query q = {0};
    struct search_result r;
    struct store_view *v;
    size_t limit;
    str state = args_get(&c->args, "state");
    if (c->args.pos_n)
        return cli_usage(c, "one call or task, or --agent, --owner, --system, --from and --to");
    if (!read_query(c, &q, &limit))
        return cli_failed(c);
    if (!state.n) {
        int status = cli_conf(c, false);
        if (status)
            return status;
        state = c->conf.state_dir;
    }
    str dir = str_fmt(&c->arena, "%.*s/store", STR(state));
    if (!store_open_readonly(dir.p, &v, &c->err))
        return cli_failed(c);
    bool ok = trace_search(v, &c->arena, &q, limit, &r, &c->err);
    store_view_close(v);
    if (!ok)
        return cli_failed(c);
    if (c->json) {
        print_found_json(&r);
        return 0;
    }
    struct buf out = {.max = 1 << 30};
    put_summary(&out, &r);
    for (size_t i = 0; i < r.n; i++)
        put_record(&out, r.newest[i].leaf, 0, true);
    print_buf(stdout, &out);
    return 0;
}

/* ---- one ---- */

static int trace(struct cli *c)
{
    const json *result, *e;
    struct buf out = {.max = 1 << 30}, params = {0};
    if (is_wide(c))
        return trace_many(c);
    if (!c->args.pos_n)
        return cli_usage(c, "say which call or task, or --agent, --owner or --system");
    str id = c->args.pos[0];
    if (args_has(&c->args, "state")) {
        if (!read_offline(c, id, &result))
            return cli_failed(c);
    } else {
        int status = cli_gateway(c);
        if (status)
            return status;
        struct jw w = jw(&params);
        jw_obj(&w);
        jw_kstr(&w, S("id"), id);
        jw_end_obj(&w);
        if (!cli_call(c, S("trace"), &params, &result))
            return EXIT_FAILED;
    }
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    put_chain(&out, json_get(result, S("tasks")));
    buf_putc(&out, '\n');
    for (struct json_iter it = json_iter(json_get(result, S("entries"))); json_next(&it, NULL, &e);)
        put_entry(&out, e);
    if (json_bool(json_get(result, S("cut"))))
        buf_put(&out, S("... there is more; trace the calls one by one\n"));
    print_buf(stdout, &out);
    return 0;
}

static const struct verb TRACE[] = {
    {NULL, HAS_CONF | MAY_NEED_GATEWAY, 0, 1,
     "CALL|TASK | [--agent A] [--owner O] [--system S] [--from T] [--to T]",
     "Who did what, for whom and by whose decision.", "ambit trace --owner anna --from 8h", OPTS,
     trace},
};

int cmd_trace(int argc, char **argv)
{
    return verbs_run("trace", TRACE, 1, argc, argv);
}

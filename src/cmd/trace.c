/* `ambit trace`: who did what, for whom and by whose decision, for one call or one task. From the
 * running gateway, or from the state folder (or a copy of it) without one. */
#include "cmd/cli.h"
#include "base/clock.h"
#include "base/rand.h"
#include "ledger/trace.h"

static const struct opt OPTS[] = {
    {"state", 0, OPT_VALUE, "DIR", "read this state folder, without a gateway"}, {0}};

/* ---- offline: the same object that the gateway gives ---- */

static void write_trace(struct jw *w, const struct trace *t)
{
    char opened[CLOCK_TEXT_SIZE];
    jw_obj(w);
    jw_key(w, S("tasks"));
    jw_arr(w);
    for (size_t i = 0; i < t->tasks_n; i++) {
        const struct store_task *k = &t->tasks[i];
        jw_obj(w);
        jw_kstr(w, S("task"), k->id);
        jw_kstr(w, S("parent"), k->parent);
        jw_kstr(w, S("owner"), k->owner);
        jw_kstr(w, S("agent"), k->agent);
        jw_kstr(w, S("purpose"), k->purpose);
        jw_kstr(w, S("state"), k->state);
        jw_kstr(w, S("opened"), clock_text(k->opened_ms, opened));
        jw_end_obj(w);
    }
    jw_end_arr(w);
    jw_key(w, S("entries"));
    jw_arr(w);
    for (size_t i = 0; i < t->n; i++) {
        jw_obj(w);
        jw_ki64(w, S("index"), (int64_t)t->entries[i].index);
        jw_ki64(w, S("depth"), t->entries[i].depth);
        jw_kvalue(w, S("record"), t->entries[i].leaf);
        jw_end_obj(w);
    }
    jw_end_arr(w);
    jw_kbool(w, S("cut"), t->cut);
    jw_end_obj(w);
}

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
        write_trace(&w, &t);
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

static void put_list(struct buf *out, const char *before, const json *list)
{
    const json *v;
    bool first = true;
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &v); first = false) {
        buf_put(out, first ? str_z(before) : S(", "));
        put_safe(out, json_str(v));
    }
}

/* What is said of each record besides time, type and operation, in this order. */
static const struct {
    const char *field, *words;
} DETAILS[] = {
    {"decision", ""},       {"status", ""},          {"state", ""},          {"reason", "because "},
    {"approver", "by "},    {"method", "known by "}, {"approval", "with "},  {"hold", "hold "},
    {"by", "by "},          {"child", "to "},        {"child_agent", "of "}, {"expires", "until "},
    {"deadline", "until "},
};
static const struct {
    const char *field, *before, *after;
} NUMBERS[] = {{"calls", "", " calls"},
               {"budget_left", "", " calls left"},
               {"latency_us", "", " us"},
               {"bytes", "", " bytes"}};

static void put_entry(struct buf *out, const json *entry)
{
    const json *r = json_get(entry, S("record"));
    str type = json_get_str(r, S("type")), binding = json_get_str(r, S("binding"));
    int64_t depth = 0;
    if (!json_i64(json_get(entry, S("depth")), &depth) || depth > 16)
        depth = 0;
    put_safe(out, json_get_str(r, S("time")));
    buf_printf(out, "  %*s", (int)(2 * depth), "");
    size_t at = buf_len(out);
    put_safe(out, type);
    while (buf_len(out) - at < 11)
        buf_putc(out, ' ');
    if (json_get_str(r, S("call")).n) {
        buf_putc(out, ' ');
        put_safe(out, json_get_str(r, S("call")));
    }
    if (binding.n) {
        buf_putc(out, ' ');
        put_safe(out, binding);
        buf_putc(out, '/');
        put_safe(out, json_get_str(r, S("tool")));
        buf_put(out, S(" ("));
        put_safe(out, json_get_str(r, S("effect")));
        buf_putc(out, ')');
    }
    for (size_t i = 0; i < sizeof DETAILS / sizeof DETAILS[0]; i++) {
        str v = json_get_str(r, str_z(DETAILS[i].field));
        if (!v.n)
            continue;
        buf_printf(out, "  %s", DETAILS[i].words);
        put_safe(out, v);
    }
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        str v = json_number(json_get(r, str_z(NUMBERS[i].field)));
        if (v.n)
            buf_printf(out, "  %s%.*s%s", NUMBERS[i].before, STR(v), NUMBERS[i].after);
    }
    put_list(out, "  policies ", json_get(r, S("policies")));
    buf_putc(out, '\n');
}

static int trace(struct cli *c)
{
    const json *result, *e;
    struct buf out = {.max = 1 << 30}, params = {0};
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
    {NULL, MAY_NEED_GATEWAY, 1, 1, "CALL|TASK [--state DIR]",
     "Who did what, for whom and by whose decision.", "ambit trace c01J...", OPTS, trace},
};

int cmd_trace(int argc, char **argv)
{
    return verbs_run("trace", TRACE, 1, argc, argv);
}

/* A closing in words: names of kinds and steps, and the receipt (docs/formats/receipt.md). */
#include "call/close.h"
#include "call/lease.h"
#include "base/clock.h"

static const char *const KINDS[CLOSE_KINDS] = {"none",  "task",    "agent",
                                               "owner", "binding", "suspension"};

str close_kind_name(enum close_kind k)
{
    return str_z(KINDS[k < CLOSE_KINDS ? k : CLOSE_NONE]);
}

enum close_kind close_kind_parse(str s)
{
    for (unsigned i = 1; i < CLOSE_KINDS; i++)
        if (str_eq(s, str_z(KINDS[i])))
            return (enum close_kind)i;
    return CLOSE_NONE;
}

static const char *const STEPS[CLOSE_STEPS] = {
    [CLOSE_REFUSING] = "refusing", [CLOSE_STREAMS] = "streams", [CLOSE_PROGRAMS] = "programs",
    [CLOSE_HOLDS] = "holds",       [CLOSE_DURABLE] = "durable", [CLOSE_CALLS] = "calls",
    [CLOSE_LEASES] = "leases",
};

static void write_steps(const struct closing *c, struct jw *w)
{
    jw_key(w, S("steps"));
    jw_obj(w);
    for (size_t i = 0; i < CLOSE_STEPS; i++) {
        jw_key(w, str_z(STEPS[i]));
        jw_obj(w);
        jw_kbool(w, S("done"), c->steps[i].done);
        if (c->steps[i].done) {
            jw_key(w, S("microseconds"));
            if (c->steps[i].us < 0)
                jw_null(w);
            else
                jw_i64(w, c->steps[i].us);
            jw_ki64(w, S("count"), (int64_t)c->steps[i].count);
        }
        jw_end_obj(w);
    }
    jw_end_obj(w);
}

static void write_tasks(const struct closing *c, struct jw *w)
{
    jw_ki64(w, S("tasksTotal"), (int64_t)c->tasks_n);
    jw_key(w, S("tasks"));
    jw_arr(w);
    for (size_t i = 0; i < c->tasks_n && i < CLOSE_LISTED_MAX; i++) {
        jw_obj(w);
        jw_kstr(w, S("task"), id_str(&c->tasks[i].id));
        if (c->tasks[i].state != TASK_NONE)
            jw_kstr(w, S("state"), task_state_name(c->tasks[i].state));
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

static void write_calls(const struct closing *c, struct jw *w)
{
    jw_key(w, S("calls"));
    jw_obj(w);
    for (unsigned i = 1; i < OUTCOME_COUNT; i++)
        if (c->settled[i])
            jw_ki64(w, str_z(outcome_name((enum outcome)i)), (int64_t)c->settled[i]);
    jw_end_obj(w);
}

static void write_leases(const struct closing *c, struct jw *w)
{
    jw_ki64(w, S("leasesTotal"), (int64_t)c->leases_n);
    jw_key(w, S("leases"));
    jw_arr(w);
    for (size_t i = 0; i < c->leases_n && i < CLOSE_LISTED_MAX; i++) {
        const struct lease *l = c->leases[i];
        jw_obj(w);
        jw_kstr(w, S("task"), id_str(&l->task));
        jw_kstr(w, S("binding"), l->binding_name);
        jw_kstr(w, S("holder"), l->in_program ? S("program") : S("edge"));
        jw_kstr(w, S("state"), lease_state(l));
        if (l->why.n)
            jw_kstr(w, S("why"), l->why);
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

/* ---- what is not dead ---- */

static void remains(struct jw *w, str what, str why)
{
    jw_obj(w);
    jw_kstr(w, S("what"), what);
    jw_kstr(w, S("why"), why);
    jw_end_obj(w);
}

static void write_quarantined(const struct closing *c, struct jw *w)
{
    size_t n = 0;
    for (size_t i = 0; i < c->leases_n; i++) {
        ARENA_SCOPE struct arena a = {0};
        const struct lease *l = c->leases[i];
        if (!l->quarantined || n++ >= CLOSE_LISTED_MAX)
            continue;
        remains(w,
                str_fmt(&a, "the secret of binding %.*s, released for task %s",
                        STR(l->binding_name), l->task.s),
                l->why);
    }
}

static void write_remains(const struct closing *c, struct jw *w)
{
    jw_key(w, S("notDead"));
    jw_arr(w);
    write_quarantined(c, w);
    if (c->settled[OUTCOME_UNKNOWN])
        remains(w, S("calls that were sent and cut"),
                S("what they did at the system is not known; `ambit trace` names them"));
    if (!c->steps[CLOSE_STREAMS].done && c->incomplete)
        remains(w, S("streams at an edge"), S("an edge has not acknowledged the cut"));
    if (!c->steps[CLOSE_PROGRAMS].done && c->incomplete)
        remains(w, S("stdio programs of the tasks"),
                S("the runner has not confirmed that they have ended"));
    if (!c->steps[CLOSE_CALLS].done && c->incomplete)
        remains(w, S("calls under way"), S("their outcome is not recorded yet"));
    jw_end_arr(w);
}

static void write_notes(const struct closing *c, struct jw *w)
{
    static const str LOST = S("an edge ended meanwhile, and its streams with it"),
                     PRESSED = S("an edge that did not acknowledge was ended, and its streams "
                                 "with it"),
                     RUNNER = S("the runner ended meanwhile, and its programs with it"),
                     RESUMED = S("the gateway ended during the closing and finished it at its next "
                                 "start: times are not known");
    jw_key(w, S("notes"));
    jw_arr(w);
    if (c->edges_ended)
        jw_str(w, PRESSED);
    else if (c->edge_lost)
        jw_str(w, LOST);
    if (c->runner_lost)
        jw_str(w, RUNNER);
    if (c->resumed)
        jw_str(w, RESUMED);
    jw_end_arr(w);
}

void closing_write(const struct closing *c, struct jw *w)
{
    char at[CLOCK_TEXT_SIZE];
    jw_obj(w);
    jw_kstr(w, S("receipt"), id_str(&c->id));
    jw_kstr(w, S("kind"), close_kind_name(c->kind));
    jw_kstr(w, S("name"), c->name);
    jw_kstr(w, S("state"),
            !c->ending      ? S("under_way")
            : c->incomplete ? S("incomplete")
                            : S("complete"));
    if (c->state != TASK_NONE)
        jw_kstr(w, S("closes"), task_state_name(c->state));
    jw_kstr(w, S("by"), c->by);
    jw_kstr(w, S("reason"), c->reason);
    jw_kstr(w, S("accepted"), clock_text(c->accepted_ms, at));
    if (c->has_leaf)
        jw_ki64(w, S("leaf"), (int64_t)c->leaf);
    write_steps(c, w);
    write_tasks(c, w);
    write_calls(c, w);
    write_leases(c, w);
    write_remains(c, w);
    write_notes(c, w);
    jw_end_obj(w);
}

/* What tasks need of the configuration: templates, the review of agents, labels and amounts of
 * operations. */
#include "base/clock.h"
#include "base/limits.h"
#include "conf/reader.h"

static const char *const TEMPLATE_MEMBERS[] = {"agent",   "purpose",  "operations",
                                               "ceiling", "users",    "delegation",
                                               "budgets", "deadline", NULL};
static const char *const LABEL_MEMBERS[] = {"confidentiality", "categories", NULL};
static const char *const AMOUNT_MEMBERS[] = {"arg", "currency", "scale", NULL};

static const char *const LEVELS[] = {"none", "public", "internal", "confidential", "restricted"};
static const char *const CATEGORIES[] = {"pii", "payment", "credential", "own"};
static const char *const TIERS[] = {"low", "medium", "high", "critical"};
enum {
    LEVELS_N = sizeof LEVELS / sizeof LEVELS[0],
    CATEGORIES_N = sizeof CATEGORIES / sizeof CATEGORIES[0],
    TIERS_N = sizeof TIERS / sizeof TIERS[0],
};

str confidentiality_name(uint8_t level)
{
    return str_z(LEVELS[level < LEVELS_N ? level : 0]);
}

bool confidentiality_parse(str s, uint8_t *out)
{
    for (uint8_t i = 1; i < LEVELS_N; i++)
        if (str_eq(s, str_z(LEVELS[i]))) {
            *out = i;
            return true;
        }
    return false;
}

bool label_category_parse(str s, uint8_t *bits)
{
    for (unsigned i = 0; i < CATEGORIES_N; i++)
        if (str_eq(s, str_z(CATEGORIES[i]))) {
            *bits = (uint8_t)(*bits | 1u << i);
            return true;
        }
    return false;
}

void label_categories_write(struct jw *w, uint8_t bits)
{
    jw_arr(w);
    for (unsigned i = 0; i < CATEGORIES_N; i++)
        if (bits & 1u << i)
            jw_str(w, str_z(CATEGORIES[i]));
    jw_end_arr(w);
}

void read_label(struct reader *r, struct at at, struct data_label *out)
{
    str *names = NULL;
    size_t n = 0;
    if (!at.v || !at_object(r, at, LABEL_MEMBERS))
        return;
    struct at level = at_member(r, at, "confidentiality"), list = at_member(r, at, "categories");
    if (!confidentiality_parse(at_str(r, level, (str){0}), &out->level))
        problem(r, level, "must be \"public\", \"internal\", \"confidential\" or \"restricted\"");
    at_str_list(r, list, &names, &n);
    for (size_t i = 0; i < n; i++)
        if (!label_category_parse(names[i], &out->categories))
            problem(r, list, "\"%.*s\" is no category; known: pii, payment, credential, own",
                    STR(names[i]));
}

void read_amount(struct reader *r, struct at at, struct conf_amount *out)
{
    if (!at.v || !at_object(r, at, AMOUNT_MEMBERS))
        return;
    out->arg = at_str(r, at_member(r, at, "arg"), (str){0});
    str currency = at_str(r, at_member(r, at, "currency"), (str){0});
    out->scale = (uint8_t)at_int(r, at_member(r, at, "scale"), 0, 0, 6);
    bool named = currency.n == 3;
    for (size_t i = 0; i < currency.n; i++)
        named = named && currency.p[i] >= 'A' && currency.p[i] <= 'Z';
    if (!out->arg.n || !named)
        problem(r, at,
                "needs \"arg\", the argument that holds the amount, and \"currency\", e.g. "
                "\"EUR\"; \"scale\" is 2 where the argument says 12.50 and not 1250");
    else
        memcpy(out->currency, currency.p, currency.n);
}

void read_agent_review(struct reader *r, struct at agent, struct conf_agent *g)
{
    struct at tier = at_member(r, agent, "tier"), assessed = at_member(r, agent, "assessed");
    g->tier = at_str(r, tier, S("medium"));
    g->model = at_str(r, at_member(r, agent, "model"), (str){0});
    g->model_version = at_str(r, at_member(r, agent, "modelVersion"), (str){0});
    g->assessed_for_ms =
        at_duration(r, at_member(r, agent, "assessedFor"), INT64_C(365) * 24 * 3600 * 1000);
    bool known = false;
    for (size_t i = 0; i < TIERS_N; i++)
        known = known || str_eq(g->tier, str_z(TIERS[i]));
    if (!known)
        problem(r, tier, "must be \"low\", \"medium\", \"high\" or \"critical\"");
    if (assessed.v && !clock_parse_date(at_str(r, assessed, (str){0}), &g->assessed_ms))
        problem(r, assessed, "must be a date such as \"2026-10-01\"");
    if (g->assessed_ms && !conf_agent_is_assessed(g, clock_wall_ms()))
        warning(r, assessed,
                "the assessment is no longer valid: the agent gets no task beyond reading until "
                "it is assessed again");
}

void read_task_limits(struct reader *r, struct at limits, struct conf *c)
{
    c->redeem_wait_ms = at_duration(r, at_member(r, limits, "redeemWait"), REDEEM_WAIT_MS);
    c->shared_window_ms = at_duration(r, at_member(r, limits, "sharedWindow"), SHARED_WINDOW_MS);
}

/* ---- templates ---- */

static void put_member(struct jw *w, struct reader *r, struct at at, const char *name)
{
    struct at m = at_member(r, at, name);
    if (m.v)
        jw_kvalue(w, str_z(name), m.v);
}

static void read_template(struct reader *r, struct each *e, const struct conf *c,
                          struct conf_template *t)
{
    struct buf grants = {0};
    struct jw w = jw(&grants);
    t->name = str_dup(r->a, e->name);
    if (!conf_name_is_valid(t->name))
        problem(r, e->at, "a template's name is made of letters, digits, - _ .");
    if (!at_object(r, e->at, TEMPLATE_MEMBERS))
        return;
    struct at agent = at_member(r, e->at, "agent"), users = at_member(r, e->at, "users");
    t->agent = at_str(r, agent, (str){0});
    t->purpose = at_str(r, at_member(r, e->at, "purpose"), (str){0});
    t->life_ms = at_duration(r, at_member(r, e->at, "deadline"), 3600 * 1000);
    at_str_list(r, users, &t->users, &t->users_n);
    if (!conf_agent(c, t->agent))
        problem(r, agent, "\"%.*s\" is not in \"agents\"", STR(t->agent));
    for (size_t i = 0; i < t->users_n; i++)
        if (!conf_person(c, t->users[i]))
            problem(r, users, "\"%.*s\" is not in \"people\"", STR(t->users[i]));
    if (json_count(at_member(r, e->at, "operations").v) == 0)
        problem(r, e->at, "needs \"operations\", e.g. [\"helpdesk/read_ticket\"]");
    if (t->life_ms > TASK_LIFE_MS_MAX)
        problem(r, e->at, "a task lives at most 7 days");
    jw_obj(&w);
    put_member(&w, r, e->at, "budgets");
    put_member(&w, r, e->at, "ceiling");
    put_member(&w, r, e->at, "delegation");
    put_member(&w, r, e->at, "operations");
    jw_end_obj(&w);
    t->grants = str_dup(r->a, buf_str(&grants));
    buf_fini(&grants);
}

void read_templates(struct reader *r, struct at at, struct conf *c)
{
    if (at.v && json_type(at.v) != JSON_OBJECT)
        problem(r, at, "must be an object of names");
    c->templates = ARENA_ARRAY(r->a, struct conf_template, json_count(at.v) + 1);
    for (struct each e = each_of(r, at); each_next(&e);)
        read_template(r, &e, c, &c->templates[c->templates_n++]);
}

/* Wishes, stored grants and templates as JSON (docs/formats/grant.md). */
#include "base/limits.h"
#include "task/grant_int.h"
#include "task/task_int.h"

#include <stdlib.h>

static const char *const CEILING[] = {"confidentiality", "categories", NULL};
static const char *const BUDGETS[] = {"calls", "bytes", "rows", "tokens", "money", NULL};
static const char *const MONEY[] = {"currency", "minor", NULL};
static const char *const DELEGATION[] = {"depth", "children", NULL};

/* ---- reading ---- */

static bool is_object(const json *v, const char *const *members, const char *what, struct err *err)
{
    if (json_type(v) != JSON_OBJECT)
        return err_input(err, "%s must be an object", what);
    return grant_members_known(v, members, what, err);
}

static bool read_ceiling(const json *v, struct task_wish *w, struct err *err)
{
    const json *level = json_get(v, S("confidentiality")), *list = json_get(v, S("categories")), *c;
    struct data_label l = {CONFIDENTIALITY_RESTRICTED, LABEL_CATEGORIES_ALL};
    if (!v)
        return true;
    if (!is_object(v, CEILING, "a ceiling", err))
        return false;
    if (level && !confidentiality_parse(json_str(level), &l.level))
        return err_input(err,
                         "\"confidentiality\" is public, internal, confidential or restricted");
    if (list && json_type(list) != JSON_ARRAY)
        return err_input(err, "\"categories\" must be an array");
    if (list)
        l.categories = 0;
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &c);)
        if (!label_category_parse(json_str(c), &l.categories))
            return err_input(err, "\"categories\" are pii, payment, credential and own");
    w->ceiling = l;
    return true;
}

static bool read_count(const json *v, str name, int64_t *out, struct err *err)
{
    const json *n = json_get(v, name);
    if (n && (!json_i64(n, out) || *out < 1 || *out > TASK_BUDGET_MAX))
        return err_input(err, "\"%.*s\" must be a whole number above 0", STR(name));
    return true;
}

static bool read_budgets(struct arena *a, const json *v, struct task_wish *w, struct err *err)
{
    const json *money = json_get(v, S("money"));
    if (!v)
        return true;
    if (!is_object(v, BUDGETS, "budgets", err) ||
        (money && !is_object(money, MONEY, "a budget of money", err)) ||
        !read_count(v, S("calls"), &w->calls, err) ||
        !read_count(v, S("bytes"), &w->budgets.bytes, err) ||
        !read_count(v, S("rows"), &w->budgets.rows, err) ||
        !read_count(v, S("tokens"), &w->budgets.tokens, err) ||
        !read_count(money, S("minor"), &w->budgets.money, err))
        return false;
    if (money)
        w->currency = str_dup(a, json_get_str(money, S("currency")));
    if (money && (!w->budgets.money || !w->currency.n))
        return err_input(err, "a budget of money is {\"currency\": \"EUR\", \"minor\": 5000}");
    return true;
}

static bool read_depth(const json *v, str name, int max, int *out, struct err *err)
{
    const json *n = json_get(v, name);
    int64_t i;
    if (!n)
        return true;
    if (!json_i64(n, &i) || i < 0 || i > max)
        return err_input(err, "\"%.*s\" must be a whole number up to %d", STR(name), max);
    *out = i ? (int)i : TASK_NO_DELEGATION;
    return true;
}

static bool read_delegation(const json *v, struct task_wish *w, struct err *err)
{
    if (!v)
        return true;
    return is_object(v, DELEGATION, "delegation", err) &&
           read_depth(v, S("depth"), TASK_DEPTH_MAX, &w->levels, err) &&
           read_depth(v, S("children"), TASK_CHILDREN_MAX, &w->children_max, err);
}

bool task_wish_read(struct arena *a, const json *v, struct task_wish *wish, struct err *err)
{
    struct task_wish w = *wish;
    const json *list = json_get(v, S("operations"));
    struct task_grant *grants;
    if (json_count(list) > TASK_OPERATIONS_MAX)
        return err_limit(err, "a task has at most %d operations", TASK_OPERATIONS_MAX);
    if (list) {
        if (!grants_read(a, list, &grants, &w.grants_n, err))
            return false;
        w.grants = grants;
    }
    if (!read_ceiling(json_get(v, S("ceiling")), &w, err) ||
        !read_budgets(a, json_get(v, S("budgets")), &w, err) ||
        !read_delegation(json_get(v, S("delegation")), &w, err))
        return false;
    if (json_get(v, S("calls")) && !json_i64(json_get(v, S("calls")), &w.calls))
        return err_input(err, "\"calls\" must be a whole number");
    *wish = w;
    return true;
}

/* ---- writing: members in the order of their names ---- */

static void write_budgets(struct jw *w, const struct task *t, bool with_calls)
{
    const struct {
        str name;
        int64_t left;
    } rows[] = {{S("bytes"), t->left.bytes},
                {S("calls"), with_calls ? t->calls_left : TASK_UNBOUNDED},
                {S("rows"), t->left.rows},
                {S("tokens"), t->left.tokens}};
    jw_obj(w);
    for (size_t i = 0; i < 2; i++)
        if (rows[i].left != TASK_UNBOUNDED)
            jw_ki64(w, rows[i].name, rows[i].left);
    if (t->currency[0]) {
        jw_key(w, S("money"));
        jw_obj(w);
        jw_kstr(w, S("currency"), str_z(t->currency));
        jw_ki64(w, S("minor"), t->left.money);
        jw_end_obj(w);
    }
    for (size_t i = 2; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].left != TASK_UNBOUNDED)
            jw_ki64(w, rows[i].name, rows[i].left);
    jw_end_obj(w);
}

static bool has_budgets(const struct task *t)
{
    return t->currency[0] || t->left.bytes != TASK_UNBOUNDED || t->left.rows != TASK_UNBOUNDED ||
           t->left.tokens != TASK_UNBOUNDED;
}

static bool has_ceiling(const struct task *t)
{
    return t->ceiling.level != CONFIDENTIALITY_RESTRICTED ||
           t->ceiling.categories != LABEL_CATEGORIES_ALL;
}

static void write_ceiling(struct jw *w, const struct data_label *l)
{
    jw_key(w, S("ceiling"));
    jw_obj(w);
    jw_key(w, S("categories"));
    label_categories_write(w, l->categories);
    jw_kstr(w, S("confidentiality"), confidentiality_name(l->level));
    jw_end_obj(w);
}

static void write_delegation(struct jw *w, const struct task *t)
{
    jw_key(w, S("delegation"));
    jw_obj(w);
    jw_ki64(w, S("children"), t->children_max);
    jw_ki64(w, S("depth"), t->levels);
    jw_end_obj(w);
}

void task_wish_write(struct jw *w, const struct task *t)
{
    jw_key(w, S("budgets"));
    write_budgets(w, t, true);
    write_ceiling(w, &t->ceiling);
    write_delegation(w, t);
    jw_key(w, S("operations"));
    grant_set_write(w, t->grants);
}

static bool has_limits(const struct task *t)
{
    return t->levels != TASK_DEPTH_MAX - 1 - t->depth || t->children_max != TASK_CHILDREN_MAX;
}

void task_grants_write(const struct task *t, struct buf *out)
{
    struct jw w = jw(out);
    jw_obj(&w);
    if (has_budgets(t)) {
        jw_key(&w, S("budgets"));
        write_budgets(&w, t, false);
    }
    if (has_ceiling(t))
        write_ceiling(&w, &t->ceiling);
    if (has_limits(t))
        write_delegation(&w, t);
    jw_key(&w, S("operations"));
    grant_set_write(&w, t->grants);
    jw_end_obj(&w);
}

/* ---- restoring ---- */

static void restore_rest(struct task *t, const struct task_row *row, const struct task_wish *w)
{
    t->opened_ms = row->opened_ms;
    t->deadline_ms = row->deadline_ms;
    t->until_ms = row->until_ms;
    t->calls_left = row->calls_left;
    t->left = row->left;
    if (w->currency.n == TASK_CURRENCY_SIZE - 1)
        memcpy(t->currency, w->currency.p, w->currency.n);
    t->ceiling.level = w->ceiling.level ? w->ceiling.level : CONFIDENTIALITY_RESTRICTED;
    t->ceiling.categories = w->ceiling.level ? w->ceiling.categories : LABEL_CATEGORIES_ALL;
    int levels = w->levels ? w->levels : TASK_DEPTH_MAX - 1 - t->depth;
    int children = w->children_max ? w->children_max : TASK_CHILDREN_MAX;
    t->levels = (uint8_t)(levels < 0 ? 0 : levels);
    t->children_max = (uint16_t)(children < 0 ? 0 : children);
}

bool task_restore(const struct task_row *row, struct task *parent, struct task **out,
                  struct err *err)
{
    ARENA_SCOPE struct arena scratch = {0};
    const json *grants;
    struct task_wish w = {0};
    if (!id_is_valid(row->id, 't'))
        return err_input(err, "stored task has no valid id");
    if (!json_read(&scratch, row->grants, NULL, &grants, err) ||
        !task_wish_read(&scratch, grants, &w, err))
        return err_in(err, "task %.*s", STR(row->id));
    struct task *t = task_alloc(row->owner, row->agent, row->purpose, row->opened_by);
    memcpy(t->id.s, row->id.p, ID_LEN);
    t->parent = parent;
    t->depth = (uint8_t)(parent ? parent->depth + 1 : 0);
    t->state = row->state.n ? task_state_parse(row->state) : TASK_ACTIVE;
    task_take_grants(t, grant_set_new(w.grants, w.grants_n));
    restore_rest(t, row, &w);
    if (row->reason.n) {
        char *copy = malloc(row->reason.n);
        if (!copy)
            abort();
        memcpy(copy, row->reason.p, row->reason.n);
        t->reason = str_of(copy, row->reason.n);
    }
    *out = t;
    return true;
}

/* ---- templates ---- */

bool task_template_wish(struct arena *a, const struct conf_template *t, struct task_wish *wish,
                        struct err *err)
{
    struct task_wish w = *wish;
    const json *v;
    w.agent = t->agent;
    w.purpose = w.purpose.n ? w.purpose : t->purpose;
    w.life_ms = w.life_ms && w.life_ms < t->life_ms ? w.life_ms : t->life_ms;
    int64_t calls = w.calls;
    if (!json_read(a, t->grants, NULL, &v, err) || !task_wish_read(a, v, &w, err))
        return err_in(err, "template %.*s", STR(t->name));
    if (calls && (!w.calls || calls < w.calls))
        w.calls = calls;
    *wish = w;
    return true;
}

bool task_templates_check(const struct conf *conf, struct err *err)
{
    for (size_t i = 0; i < conf->templates_n; i++) {
        ARENA_SCOPE struct arena a = {0};
        const struct conf_template *t = &conf->templates[i];
        const struct conf_agent *agent = conf_agent(conf, t->agent);
        struct task_wish w = {0};
        if (!agent)
            return err_notfound(err, "template %.*s: there is no agent \"%.*s\"", STR(t->name),
                                STR(t->agent));
        if (!task_template_wish(&a, t, &w, err))
            return false;
        if (w.grants_n == 0)
            return err_input(err, "template %.*s names no operation", STR(t->name));
        for (size_t k = 0; k < w.grants_n; k++)
            if (!conf_agent_covers(agent, w.grants[k].operation))
                return err_denied(err, "template %.*s: %.*s is outside the ambit of agent %.*s",
                                  STR(t->name), STR(w.grants[k].operation), STR(agent->name));
    }
    return true;
}

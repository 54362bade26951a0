/* Opening, narrowing and judging tasks. */
#include "task/task.h"
#include "base/limits.h"
#include "task/task_int.h"

#include <stdlib.h>

static const char *const STATES[] = {"none",     "active",    "completed", "revoked",  "expired",
                                     "cascaded", "suspended", "granted",   "requested"};
_Static_assert(sizeof STATES / sizeof STATES[0] == TASK_STATES, "each state has its name");

str task_state_name(enum task_state s)
{
    return str_z(STATES[s < TASK_STATES ? s : TASK_NONE]);
}

enum task_state task_state_parse(str s)
{
    for (unsigned i = 1; i < TASK_STATES; i++)
        if (str_eq(s, str_z(STATES[i])))
            return (enum task_state)i;
    return TASK_NONE;
}

bool task_state_is_open(enum task_state s)
{
    return s == TASK_ACTIVE || s == TASK_SUSPENDED || s == TASK_GRANTED || s == TASK_REQUESTED;
}

/* ---- opening ---- */

static str put_text(struct task *t, size_t *at, str s)
{
    if (s.n)
        memcpy(t->text + *at, s.p, s.n);
    str kept = str_of(t->text + *at, s.n);
    *at += s.n;
    return kept;
}

struct task *task_alloc(str owner, str agent, str purpose, str opened_by)
{
    size_t at = 0;
    struct task *t = calloc(1, sizeof *t + owner.n + agent.n + purpose.n + opened_by.n + 1);
    if (!t)
        abort();
    t->owner = put_text(t, &at, owner);
    t->agent = put_text(t, &at, agent);
    t->purpose = put_text(t, &at, purpose);
    t->opened_by = put_text(t, &at, opened_by);
    return t;
}

void task_take_grants(struct task *t, struct grant_set *set)
{
    grant_set_unref(t->grants);
    t->grants = set;
    t->operations = set->operations;
    t->operations_n = set->n;
}

static bool check_numbers(const struct task_wish *w, struct err *err)
{
    const struct task_budgets *b = &w->budgets;
    if (w->life_ms < 0 || w->life_ms > (int64_t)TASK_LIFE_MS_MAX)
        return err_input(err, "a task lives at most 7 days");
    if (w->calls < 0 || w->calls > TASK_CALLS_MAX)
        return err_input(err, "a task has at most %d calls", TASK_CALLS_MAX);
    const int64_t all[] = {b->bytes, b->rows, b->tokens, b->money};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] < 0 || all[i] > TASK_BUDGET_MAX)
            return err_input(err, "a budget is a whole number from 1 to 2^53");
    bool named = w->currency.n == TASK_CURRENCY_SIZE - 1;
    for (size_t i = 0; i < w->currency.n; i++)
        named = named && w->currency.p[i] >= 'A' && w->currency.p[i] <= 'Z';
    if ((b->money || w->currency.n) && !(b->money && named))
        return err_input(err, "a budget of money needs an amount in minor units and a currency of "
                              "three capital letters, e.g. EUR");
    if (w->levels < TASK_NO_DELEGATION || w->levels > TASK_DEPTH_MAX)
        return err_input(err, "delegation is at most %d levels deep", TASK_DEPTH_MAX);
    if (w->children_max < TASK_NO_DELEGATION || w->children_max > TASK_CHILDREN_MAX)
        return err_input(err, "a task opens at most %d others", TASK_CHILDREN_MAX);
    return true;
}

static bool check_form(const struct task_wish *w, struct err *err)
{
    if (w->purpose.n == 0)
        return err_input(err, "a task needs a purpose: say in a sentence what it is for");
    if (w->purpose.n > TASK_PURPOSE_BYTES_MAX || !str_is_utf8(w->purpose))
        return err_input(err, "the purpose must be UTF-8 of at most %d bytes",
                         TASK_PURPOSE_BYTES_MAX);
    if (w->operations_n + w->grants_n == 0)
        return err_input(err, "a task needs at least one operation, e.g. helpdesk/read_ticket");
    if (w->operations_n > TASK_OPERATIONS_MAX || w->grants_n > TASK_OPERATIONS_MAX ||
        w->operations_n + w->grants_n > TASK_OPERATIONS_MAX)
        return err_limit(err, "a task has at most %d operations", TASK_OPERATIONS_MAX);
    for (size_t i = 0; i < w->operations_n; i++)
        if (!grant_operation_check(w->operations[i], err))
            return false;
    for (size_t i = 0; i < w->grants_n; i++)
        if (!grant_operation_check(w->grants[i].operation, err))
            return false;
    return check_numbers(w, err);
}

static bool needs_assessment(const struct conf *conf, str operation)
{
    str binding, tool;
    str_cut(operation, '/', &binding, &tool);
    const struct conf_binding *b = conf_binding(conf, binding);
    const struct conf_operation *op = b ? conf_operation(b, tool) : NULL;
    return !op || (op->effect != EFFECT_READ && b->kind != BINDING_INTERNAL);
}

/* One operation against what its agent may ever be granted. */
static bool check_operation(const struct conf *conf, const struct conf_agent *agent, str op,
                            bool assessed, struct err *err)
{
    str binding, tool;
    str_cut(op, '/', &binding, &tool);
    if (!conf_binding(conf, binding))
        return err_notfound(err, "%.*s: there is no binding \"%.*s\"", STR(op), STR(binding));
    if (!conf_agent_covers(agent, op))
        return err_denied(err, "%.*s is outside the ambit of agent %.*s", STR(op),
                          STR(agent->name));
    if (!assessed && needs_assessment(conf, op))
        return err_denied(err,
                          "%.*s goes beyond reading, and agent %.*s has no assessment%s: set "
                          "\"assessed\" in the configuration after assessing it",
                          STR(op), STR(agent->name),
                          agent->assessed_ms ? " that is still valid" : "");
    return true;
}

static bool check_agent(const struct conf *conf, const struct task *t, struct err *err)
{
    const struct conf_agent *agent = conf_agent(conf, t->agent);
    if (!agent)
        return err_notfound(err, "there is no agent \"%.*s\" in the configuration",
                            STR(str_take(t->agent, 64)));
    if (agent->suspended)
        return err_denied(err, "agent %.*s is suspended", STR(agent->name));
    if (!str_eq(agent->owner, t->owner))
        return err_denied(err, "agent %.*s is owned by %.*s; only its owner opens tasks for it",
                          STR(agent->name), STR(agent->owner));
    bool assessed = conf_agent_is_assessed(agent, t->opened_ms);
    for (size_t i = 0; i < t->operations_n; i++)
        if (!check_operation(conf, agent, t->operations[i], assessed, err))
            return false;
    return true;
}

/* ---- narrowing: every clause narrows or refuses; nothing here can widen ---- */

static bool check_chain(const struct task *p, const struct task *c, struct err *err)
{
    if (c->depth != p->depth + 1 || c->depth >= TASK_DEPTH_MAX)
        return err_denied(err, "delegation is at most %d levels deep", TASK_DEPTH_MAX);
    if (p->levels == 0)
        return err_denied(err, "task %s may not be delegated further", p->id.s);
    if (c->levels >= p->levels || c->children_max > p->children_max)
        return err_denied(err, "a child task cannot delegate more than its parent may");
    if (p->children >= p->children_max)
        return err_denied(err, "task %s has delegated %u times already, which is the limit",
                          p->id.s, p->children);
    for (const struct task *at = p; at; at = at->parent)
        if (str_eq(at->agent, c->agent))
            return err_denied(err,
                              "agent %.*s stands in the chain of this task already: work is not "
                              "delegated in a circle",
                              STR(c->agent));
    return true;
}

static bool check_bounds(const struct task *p, const struct task *c, struct err *err)
{
    for (size_t i = 0; i < c->grants->n; i++) {
        const struct task_grant *g = &c->grants->grants[i];
        const struct task_grant *of = grants_find(p->grants->grants, p->grants->n, g->operation);
        if (!of)
            return err_denied(err, "%.*s is not in the delegating task's own set",
                              STR(g->operation));
        if (!grant_within(g, of, err))
            return false;
    }
    if (c->ceiling.level > p->ceiling.level || (c->ceiling.categories & ~p->ceiling.categories))
        return err_denied(err, "a child task cannot read what its parent may not");
    return true;
}

static bool check_budgets(const struct task *p, const struct task *c, struct err *err)
{
    if (c->calls_left > p->calls_left)
        return err_denied(err,
                          "a child task cannot have more calls than its parent has left (%lld)",
                          (long long)p->calls_left);
    if (c->left.bytes > p->left.bytes || c->left.rows > p->left.rows ||
        c->left.tokens > p->left.tokens)
        return err_denied(err, "a child task cannot have more bytes, rows or tokens than its "
                               "parent has left");
    if (p->currency[0] && (strcmp(p->currency, c->currency) != 0 || c->left.money > p->left.money))
        return err_denied(err, "a child task cannot spend more than its parent has left (%lld %s)",
                          (long long)p->left.money, p->currency);
    return true;
}

bool task_narrows(const struct task *p, const struct task *c, int64_t now_ms, struct err *err)
{
    if (!task_is_live(p, now_ms, err))
        return false;
    if (!str_eq(p->owner, c->owner))
        return err_denied(err, "a child task has its parent's owner");
    if (c->deadline_ms > p->deadline_ms)
        return err_denied(err, "a child task cannot outlive its parent");
    return check_chain(p, c, err) && check_bounds(p, c, err) && check_budgets(p, c, err);
}

static bool check_may_delegate(const struct conf *conf, const struct task *p, str to,
                               struct err *err)
{
    const struct conf_agent *from = conf_agent(conf, p->agent);
    for (size_t i = 0; from && i < from->delegates_n; i++)
        if (str_eq(from->delegates[i], to))
            return true;
    return err_denied(err, "agent %.*s may not delegate to %.*s", STR(p->agent), STR(to));
}

/* ---- defaults ---- */

static int64_t or_parents(int64_t wish, int64_t parents)
{
    return wish ? wish : parents;
}

static void set_budgets(struct task *t, const struct task_wish *w)
{
    static const struct task_budgets none = {TASK_UNBOUNDED, TASK_UNBOUNDED, TASK_UNBOUNDED,
                                             TASK_UNBOUNDED};
    const struct task_budgets *p = w->parent ? &w->parent->left : &none;
    t->left = (struct task_budgets){.bytes = or_parents(w->budgets.bytes, p->bytes),
                                    .rows = or_parents(w->budgets.rows, p->rows),
                                    .tokens = or_parents(w->budgets.tokens, p->tokens),
                                    .money = or_parents(w->budgets.money, p->money)};
    if (w->currency.n == TASK_CURRENCY_SIZE - 1)
        memcpy(t->currency, w->currency.p, w->currency.n);
    else if (w->parent)
        memcpy(t->currency, w->parent->currency, sizeof t->currency);
}

static void set_delegation(struct task *t, const struct task_wish *w)
{
    const struct task *p = w->parent;
    int levels = p ? p->levels - 1 : TASK_DEPTH_MAX - 1;
    int children = p ? p->children_max : TASK_CHILDREN_MAX;
    if (w->levels)
        levels = w->levels == TASK_NO_DELEGATION ? 0 : w->levels;
    if (w->children_max)
        children = w->children_max == TASK_NO_DELEGATION ? 0 : w->children_max;
    t->depth = (uint8_t)(p ? p->depth + 1 : 0);
    t->levels = (uint8_t)(levels < 0 ? 0 : levels);
    t->children_max = (uint16_t)children;
}

/* An agent need not repeat what its parent was bound to: an operation named without bounds gets
 * the parent's. One with bounds of its own is compared as it stands. */
static bool set_grants(struct task *t, const struct task_wish *w, struct err *err)
{
    ARENA_SCOPE struct arena a = {0};
    const struct grant_set *of = w->parent ? w->parent->grants : NULL;
    size_t n = 0;
    struct task_grant *list = ARENA_ARRAY(&a, struct task_grant, w->operations_n + w->grants_n + 1);
    for (size_t i = 0; i < w->operations_n; i++) {
        const struct task_grant *p = of ? grants_find(of->grants, of->n, w->operations[i]) : NULL;
        list[n++] = p ? *p : (struct task_grant){.operation = w->operations[i]};
    }
    for (size_t i = 0; i < w->grants_n; i++) {
        const struct task_grant *g = &w->grants[i];
        const struct task_grant *p =
            of && !g->args_n ? grants_find(of->grants, of->n, g->operation) : NULL;
        list[n++] = p ? *p : *g;
    }
    if (!grants_sort(list, &n, err))
        return false;
    struct buf text = {.max = GRANT_LIST_BYTES_MAX};
    struct jw out = jw(&text);
    task_take_grants(t, grant_set_new(list, n));
    grant_set_write(&out, t->grants);
    bool over = text.over;
    buf_fini(&text);
    return !over ||
           err_limit(err, "the grants of a task have at most %d bytes", GRANT_LIST_BYTES_MAX);
}

static void set_times(struct task *t, const struct task_wish *w, int64_t now_ms)
{
    const struct task *p = w->parent;
    t->opened_ms = now_ms;
    t->deadline_ms = now_ms + (w->life_ms ? w->life_ms : TASK_LIFE_MS_DEFAULT);
    t->calls_left = w->calls ? w->calls : TASK_CALLS_DEFAULT;
    if (p && !w->life_ms && t->deadline_ms > p->deadline_ms)
        t->deadline_ms = p->deadline_ms;
    if (p && !w->calls && t->calls_left > p->calls_left)
        t->calls_left = p->calls_left;
    t->state = w->state ? w->state : TASK_ACTIVE;
    t->until_ms = w->until_ms;
    if (t->state != TASK_ACTIVE && t->until_ms > t->deadline_ms)
        t->until_ms = t->deadline_ms;
}

bool task_new(const struct conf *conf, const struct task_wish *w, int64_t now_ms, struct task **out,
              struct err *err)
{
    static const struct data_label top = {CONFIDENTIALITY_RESTRICTED, LABEL_CATEGORIES_ALL};
    if (!check_form(w, err))
        return false;
    struct task *t =
        task_alloc(w->owner, w->agent, w->purpose, w->opened_by.n ? w->opened_by : w->owner);
    t->id = id_new('t');
    t->parent = w->parent;
    t->ceiling = w->ceiling.level ? w->ceiling : w->parent ? w->parent->ceiling : top;
    set_budgets(t, w);
    set_delegation(t, w);
    set_times(t, w, now_ms);
    if (!set_grants(t, w, err) || !check_agent(conf, t, err) ||
        (w->parent && (!task_is_live(w->parent, now_ms, err) ||
                       !check_may_delegate(conf, w->parent, w->agent, err) ||
                       !task_narrows(w->parent, t, now_ms, err)))) {
        task_free(t);
        return false;
    }
    *out = t;
    return true;
}

void task_free(struct task *t)
{
    if (!t)
        return;
    grant_set_unref(t->grants);
    free((void *)(uintptr_t)t->reason.p);
    free(t);
}

/* ---- judging ---- */

static bool judge_state(const struct task *t, int64_t now_ms, struct err *err)
{
    const char *before = t->reason.n ? ": " : "";
    if (task_state_is_open(t->state) && now_ms >= t->deadline_ms)
        return err_denied(err, "task %s ended at its deadline; ask its owner %.*s for a new one",
                          t->id.s, STR(t->owner));
    switch (t->state) {
    case TASK_ACTIVE:
        return true;
    case TASK_SUSPENDED:
        return err_denied(err, "task %s is suspended%s%.*s; its owner %.*s can resume it", t->id.s,
                          before, STR(t->reason), STR(t->owner));
    case TASK_GRANTED:
        return err_denied(err, "task %s has not been redeemed by its agent %.*s yet", t->id.s,
                          STR(t->agent));
    case TASK_REQUESTED:
        return err_denied(err, "task %s waits for its owner %.*s to decide on it", t->id.s,
                          STR(t->owner));
    default:
        return err_denied(err, "task %s is %.*s%s%.*s; ask its owner %.*s for a new one", t->id.s,
                          STR(task_state_name(t->state)), before, STR(t->reason), STR(t->owner));
    }
}

static bool judge_budgets(const struct task *t, struct err *err)
{
    const struct {
        int64_t left;
        const char *what;
    } rows[] = {{t->calls_left, "has used all its calls"},
                {t->left.bytes, "has read as many bytes of answers as it may"},
                {t->left.rows, "has read as many rows as it may"},
                {t->left.tokens, "has used as many model tokens as it may"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].left <= 0)
            return err_denied(err, "task %s %s; ask its owner %.*s for a new one", t->id.s,
                              rows[i].what, STR(t->owner));
    return true;
}

bool task_judge(const struct task *t, int64_t now_ms, struct err *err)
{
    for (const struct task *at = t; at; at = at->parent)
        if (!judge_state(at, now_ms, err) || !judge_budgets(at, err))
            return false;
    return true;
}

bool task_is_live(const struct task *t, int64_t now_ms, struct err *err)
{
    for (const struct task *at = t; at; at = at->parent)
        if (!judge_state(at, now_ms, err))
            return false;
    return true;
}

bool task_grants(const struct task *t, str operation)
{
    return grants_find(t->grants->grants, t->grants->n, operation) != NULL;
}

bool task_is_within(const struct task *t, const struct task *ancestor)
{
    for (; t; t = t->parent)
        if (t == ancestor)
            return true;
    return false;
}

/* ---- what a call may be and costs ---- */

static bool check_ceiling(const struct task *t, const struct conf_operation *op, str operation,
                          struct err *err)
{
    static const struct data_label worst = {CONFIDENTIALITY_RESTRICTED, LABEL_CATEGORIES_ALL};
    struct data_label l = op && op->label.level ? op->label : worst;
    if (l.level <= t->ceiling.level && !(l.categories & ~t->ceiling.categories))
        return true;
    return err_denied(err, "%.*s reads %s data beyond this task's ceiling (%.*s)", STR(operation),
                      op && op->label.level ? "labelled" : "unlabelled",
                      STR(confidentiality_name(t->ceiling.level)));
}

/* The amount in minor units. */
static bool amount_of(const struct conf_operation *op, const json *args, int64_t *out,
                      struct err *err)
{
    const json *v = json_get(args, op->amount.arg);
    grant_number n, unit = 1;
    for (int i = op->amount.scale; i < GRANT_FRACTION_MAX; i++)
        unit *= 10;
    if (!v || !grant_number_parse(json_type(v) == JSON_NUMBER ? json_number(v) : json_str(v), &n) ||
        n < 0 || n % unit || n / unit > TASK_BUDGET_MAX)
        return err_denied(err,
                          "argument `%.*s` must be a plain amount of %s, because this task has a "
                          "budget of money",
                          STR(op->amount.arg), op->amount.currency);
    *out = (int64_t)(n / unit);
    return true;
}

static bool check_money(const struct task *t, const struct conf_operation *op, str operation,
                        const json *args, struct task_cost *cost, struct err *err)
{
    if (op && !op->amount.arg.n && op->effect != EFFECT_TRANSFER)
        return true;
    for (const struct task *at = t; at; at = at->parent) {
        if (!at->currency[0])
            continue;
        if (!op || !op->amount.arg.n)
            return err_denied(err,
                              "%.*s does not say what it costs, and task %s has a budget of money: "
                              "the operation needs \"amount\" in the configuration",
                              STR(operation), at->id.s);
        if (!cost->currency[0] && !amount_of(op, args, &cost->money, err))
            return false;
        memcpy(cost->currency, op->amount.currency, sizeof cost->currency);
        if (strcmp(at->currency, cost->currency) != 0)
            return err_denied(err, "%.*s costs %s, and task %s has a budget of %s", STR(operation),
                              cost->currency, at->id.s, at->currency);
        if (cost->money > at->left.money)
            return err_denied(err, "it costs %lld and task %s has %lld %s left, in minor units",
                              (long long)cost->money, at->id.s, (long long)at->left.money,
                              at->currency);
    }
    return true;
}

bool task_admits(const struct task *t, const struct conf_operation *op, str operation,
                 const json *args, struct task_cost *out, struct err *err)
{
    const struct task_grant *g = grants_find(t->grants->grants, t->grants->n, operation);
    struct task_cost cost = {0};
    if (g && (!grant_admits(g, args, err) || !check_ceiling(t, op, operation, err) ||
              !check_money(t, op, operation, args, &cost, err)))
        return false;
    *out = cost;
    return true;
}

int64_t task_cost_for(const struct task *t, const struct task_cost *cost)
{
    return t->currency[0] ? cost->money : 0;
}

static void take(int64_t *left, int64_t n)
{
    if (*left != TASK_UNBOUNDED && __builtin_sub_overflow(*left, n, left))
        *left = INT64_MIN;
}

void task_debit(struct task *t, const struct task_cost *cost)
{
    for (; t; t = t->parent) {
        t->calls_left--;
        take(&t->left.money, task_cost_for(t, cost));
    }
}

void task_credit(struct task *t, const struct task_cost *cost)
{
    for (; t; t = t->parent) {
        t->calls_left++;
        take(&t->left.money, -task_cost_for(t, cost));
    }
}

void task_debit_answer(struct task *t, int64_t bytes, int64_t rows, int64_t tokens)
{
    for (; t; t = t->parent) {
        take(&t->left.bytes, bytes);
        take(&t->left.rows, rows);
        take(&t->left.tokens, tokens);
    }
}

/* See lint.h. Each policy is checked once more in all environments, and then walked: what holds in
 * one environment is looked at in on_env, what holds in all of them afterwards. */
#include "cedar/check/lint.h"
#include "cedar/check/check.h"
#include "cedar/text/names.h"

#include <stdarg.h>
#include <stdio.h>

/* What is known of all the policies and of the place where they work, for each of them. */
struct lint_facts {
    struct arena arena;
    struct map absences;            /* path_key -> struct absence: forbids that want it absent */
    struct cedar_names known_types; /* of the entities that are known */
};

struct linter {
    const struct schema *s;
    const struct cedar_policy *p;
    struct lint_options how;
    struct lint_facts *facts;
    struct cedar_diags *d;
    struct arena arena;   /* of this policy */
    bool *applies, *acts; /* by action: its scope admits it; its conditions may hold there */
    bool *dot_safe;       /* by number of expression: it is tested for ".." too */
    size_t dot_safe_cap;
};

/* ---- saying it ---- */

static struct cedar_diag *say(struct linter *l, enum finding f, struct cedar_span span,
                              const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static struct cedar_diag *say(struct linter *l, enum finding f, struct cedar_span span,
                              const char *fmt, ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct cedar_diag *one = finding_add_for(l->d, CEDAR_SDK_4_12, f, span, text);
    if (one)
        one->policy = l->p->id;
    return one;
}

static void help(struct linter *l, struct cedar_diag *one, str text)
{
    if (one)
        one->help = str_dup(l->d->arena, text);
}

static bool is_forbid(const struct linter *l)
{
    return l->p->effect == CEDAR_FORBID;
}

/* ---- can it fail? ---- */

static bool is_request_var(const struct cedar_expr *e)
{
    return e->kind == CEDAR_E_VAR && (e->var == CEDAR_PRINCIPAL || e->var == CEDAR_RESOURCE);
}

static bool is_stored(const struct linter *l, const struct cedar_expr *e)
{
    if (is_request_var(e))
        return l->how.stored;
    return e->kind == CEDAR_E_LITERAL && e->value.kind == CEDAR_ENTITY && l->how.known &&
           cedar_entities_find(l->how.known, e->value.uid);
}

static bool may_overflow(const struct cedar_expr *e)
{
    if (e->kind == CEDAR_E_CALL)
        return e->fn == CEDAR_FN_OFFSET || e->fn == CEDAR_FN_DURATION_SINCE ||
               e->fn == CEDAR_FN_TO_DATE;
    return e->kind == CEDAR_E_SUM || e->kind == CEDAR_E_PRODUCT || e->kind == CEDAR_E_NEG;
}

/* True if it was reported: what stands inside it need not be. */
static bool lint_failure(struct linter *l, const struct cedar_expr *e,
                         const struct check_note *note)
{
    struct cedar_diag *one;
    if (!is_forbid(l))
        return false;
    if (may_overflow(e)) {
        one = say(l, FIND_FORBID_CAN_FAIL, e->span,
                  "this may overflow, and a forbid that fails does not forbid");
        help(l, one, S("compare the parts with limits of their own, without arithmetic"));
        return true;
    }
    if (e->kind != CEDAR_E_ATTR || !note->bare || is_stored(l, e->kids[0]))
        return false;
    one = say(l, FIND_FORBID_CAN_FAIL, e->span,
              "this fails if the entity is not in the store, and a forbid that fails does not "
              "forbid");
    help(l, one,
         str_fmt(&l->arena, "turn it round: forbid `unless { .. has %.*s && .. }`",
                 STR(str_take(e->name, 80))));
    return true;
}

/* ---- is it false by its types? ---- */

static const char *const false_texts[] = {
    [CEDAR_E_EQ] = "these two can never be equal",
    [CEDAR_E_NE] = "these two can never be equal, so this is always true",
    [CEDAR_E_IN] = "the one can never be in the other",
    [CEDAR_E_IS] = "this can never be so",
    [CEDAR_E_HAS] = "there is no such attribute",
    [CEDAR_E_HAS_TAG] = "this can have no tags",
};

static void guess_attr(struct name_guess *g, const struct ctype *t)
{
    for (uint32_t i = 0; t && t->kind == CTYPE_RECORD && i < t->n; i++)
        name_guess_try(g, t->attrs[i].name);
}

/* For `x has a` with x a variable: a name that some environment of the scope would know. */
static str guess_has(struct linter *l, const struct cedar_expr *e)
{
    struct name_guess g = {.wanted = e->names[0]};
    if (e->kids[0]->kind == CEDAR_E_VAR && e->kids[0]->var == CEDAR_CONTEXT)
        for (size_t i = 0; i < l->s->action_count; i++)
            if (l->applies[i])
                guess_attr(&g, l->s->actions[i].context);
    return g.best;
}

static void lint_false(struct linter *l, const struct cedar_expr *e, const struct check_note *note)
{
    if (e->kind >= sizeof false_texts / sizeof *false_texts || !false_texts[e->kind] ||
        note->never < note->seen)
        return;
    struct cedar_diag *one = say(l, FIND_ALWAYS_FALSE, e->span, "%s", false_texts[e->kind]);
    str guess = one && e->kind == CEDAR_E_HAS ? guess_has(l, e) : (str){0};
    if (guess.n)
        help(l, one, str_fmt(&l->arena, "did you mean `%.*s`?", STR(guess)));
}

/* ---- does it match paths by how they are written? ---- */

static bool is_path_start(str s)
{
    return (str_starts(s, S("/")) && s.n > 1) || str_starts(s, S("./")) || str_starts(s, S("~/")) ||
           str_find(s, S("://")) >= 0;
}

static bool is_path_pattern(const struct cedar_pattern *p)
{
    return p->count > 1 && is_path_start(p->pieces[0]);
}

static bool names_dots(const struct cedar_pattern *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (str_find(p->pieces[i], S("..")) >= 0)
            return true;
    return false;
}

static void mark_dot_safe(struct linter *l, uint32_t number)
{
    size_t cap = l->dot_safe_cap ? l->dot_safe_cap : 64;
    while (cap <= number)
        cap *= 2;
    if (cap > l->dot_safe_cap) {
        l->dot_safe = arena_grown(&l->arena, l->dot_safe, sizeof(bool), l->dot_safe_cap, cap);
        l->dot_safe_cap = cap;
    }
    l->dot_safe[number] = true;
}

static void find_dot_safe(struct linter *l, struct checker *c, const struct cedar_expr *e)
{
    if (e->kind == CEDAR_E_LIKE && names_dots(e->pattern))
        mark_dot_safe(l, expr_number(c, e->kids[0]));
    for (uint32_t i = 0; i < e->kid_count; i++)
        find_dot_safe(l, c, e->kids[i]);
}

static void lint_pattern(struct linter *l, struct checker *c, const struct cedar_expr *e)
{
    if (e->kind != CEDAR_E_LIKE || !is_path_pattern(e->pattern) || names_dots(e->pattern))
        return;
    uint32_t n = expr_number(c, e->kids[0]);
    if (n < l->dot_safe_cap && l->dot_safe[n])
        return;
    str start = str_take(e->pattern->pieces[0], 60);
    say(l, FIND_PATH_PATTERN, e->span, "this also matches `%.*s../..`, which is somewhere else",
        STR(start));
}

/* ---- is everybody it names there? ---- */

static void lint_uid(struct linter *l, const struct cedar_uid *uid, struct cedar_span span)
{
    const struct cedar_entities *known = l->how.known;
    struct name_guess g = {.wanted = uid->id};
    if (!known || schema_is_action_type(uid->type) || cedar_entities_find(known, uid) ||
        !cedar_names_has(&l->facts->known_types, uid->type))
        return;
    struct cedar_diag *one = say(l, FIND_UNKNOWN_ENTITY, span, "there is no %.*s::\"%.*s\"",
                                 STR(uid->type), STR(str_take(uid->id, 80)));
    for (size_t i = 0; one && i < known->count; i++)
        if (str_eq(known->items[i]->uid.type, uid->type))
            name_guess_try(&g, known->items[i]->uid.id);
    if (g.best.n)
        help(l, one,
             str_fmt(&l->arena, "did you mean %.*s::\"%.*s\"?", STR(uid->type), STR(g.best)));
}

/* ---- the walk, when all environments are known ---- */

static void lint_expr(struct linter *l, struct checker *c, const struct cedar_expr *e, bool failure)
{
    const struct check_note *note = check_note_any(c, e);
    if (!note)
        return; /* dead code */
    if (failure && lint_failure(l, e, note))
        failure = false;
    lint_false(l, e, note);
    lint_pattern(l, c, e);
    if (e->kind == CEDAR_E_LITERAL && e->value.kind == CEDAR_ENTITY)
        lint_uid(l, e->value.uid, e->span);
    for (uint32_t i = 0; i < e->kid_count; i++)
        lint_expr(l, c, e->kids[i], failure);
}

/* ---- can the requester leave out what it looks at? ---- */

/* The path context.a.b that e stands for, as names in order; false if it is no such path. */
enum { PATH_MAX_NAMES = 32 };
struct context_path {
    str names[PATH_MAX_NAMES];
    size_t count;
};

static bool path_of(const struct cedar_expr *e, struct context_path *out)
{
    if (e->kind == CEDAR_E_VAR && e->var == CEDAR_CONTEXT)
        return true;
    if (e->kind != CEDAR_E_ATTR || !path_of(e->kids[0], out) || out->count == PATH_MAX_NAMES)
        return false;
    out->names[out->count++] = e->name;
    return true;
}

static bool path_of_has(const struct cedar_expr *e, struct context_path *out)
{
    *out = (struct context_path){.count = 0};
    if (e->kind != CEDAR_E_HAS || !path_of(e->kids[0], out) ||
        out->count + e->name_count > PATH_MAX_NAMES)
        return false;
    for (uint32_t i = 0; i < e->name_count; i++)
        out->names[out->count++] = e->names[i];
    return true;
}

/* Two paths are one if their keys are. */
static str path_key(struct arena *a, const struct context_path *path)
{
    struct buf key = {0};
    for (size_t i = 0; i < path->count; i++) {
        buf_u64(&key, path->names[i].n);
        buf_putc(&key, ':');
        buf_put(&key, path->names[i]);
    }
    str kept = str_dup(a, buf_str(&key));
    buf_fini(&key);
    return kept;
}

/* The part of the path that may be absent: all records, one attribute of them optional. */
static bool is_optional(const struct ctype *context, const struct context_path *path)
{
    const struct ctype *t = context;
    for (size_t i = 0; i < path->count && t->kind == CTYPE_RECORD; i++) {
        const struct ctype_attr *attr = ctype_attr(t, path->names[i]);
        if (!attr)
            return false;
        if (!attr->required)
            return true;
        t = attr->type;
    }
    return false;
}

static bool is_literal_false(const struct cedar_expr *e)
{
    return e->kind == CEDAR_E_LITERAL && e->value.kind == CEDAR_BOOL && !e->value.b;
}

/* Calls fn for each `has` below e on whose truth (wanted) or falsity e's own depends. */
typedef void on_has(struct linter *l, struct checker *c, const struct cedar_expr *has, bool wanted,
                    void *arg);
static void each_has(struct linter *l, struct checker *c, const struct cedar_expr *e, bool wanted,
                     on_has *fn, void *arg)
{
    uint32_t first = 0;
    switch (e->kind) {
    case CEDAR_E_HAS:
        fn(l, c, e, wanted, arg);
        return;
    case CEDAR_E_NOT:
        wanted = !wanted;
        break;
    case CEDAR_E_IF: /* with any other `else` both outcomes of the test are thought of */
        first = is_literal_false(e->kids[2]) ? 0 : 1;
        break;
    case CEDAR_E_AND:
    case CEDAR_E_OR:
        break;
    default:
        return;
    }
    for (uint32_t i = first; i < e->kid_count; i++)
        each_has(l, c, e->kids[i], wanted, fn, arg);
}

static void each_has_of(struct linter *l, struct checker *c, const struct cedar_policy *p,
                        on_has *fn, void *arg)
{
    for (size_t i = 0; i < p->condition_count; i++)
        each_has(l, c, p->conditions[i].body, !p->conditions[i].unless, fn, arg);
}

/* A forbid that a path is absent may satisfy. */
struct absence {
    const struct absence *next;
    const struct cedar_policy *policy;
};

static void on_absence(struct linter *l, struct checker *c, const struct cedar_expr *has,
                       bool wanted, void *arg)
{
    struct lint_facts *facts = arg;
    struct context_path path;
    if (wanted || !path_of_has(has, &path))
        return;
    str key = path_key(&facts->arena, &path);
    const struct absence *others = map_get(&facts->absences, key);
    if (others && others->policy == l->p)
        return;
    struct absence *x = ARENA_NEW(&facts->arena, struct absence);
    *x = (struct absence){others, l->p};
    (void)map_put(&facts->absences, key, x);
}

/* Whether scope y admits all that x admits, as far as is plain from how they are written. */
static bool is_as_wide(const struct cedar_scope *y, const struct cedar_scope *x)
{
    if (y->op == CEDAR_SCOPE_ANY)
        return true;
    if (y->op != x->op || y->slot != x->slot || y->uid_count != x->uid_count ||
        !str_eq(y->type, x->type))
        return false;
    for (size_t i = 0; i < x->uid_count; i++)
        if (!cedar_uid_eq(&x->uids[i].uid, &y->uids[i].uid))
            return false;
    return true;
}

static bool absence_is_forbidden(struct linter *l, struct checker *c,
                                 const struct context_path *path)
{
    const struct absence *x = map_get(&l->facts->absences, path_key(&l->arena, path));
    for (; x; x = x->next) {
        const struct cedar_policy *p = x->policy;
        c->steps++;
        if (is_as_wide(&p->scope[0], &l->p->scope[0]) &&
            is_as_wide(&p->scope[1], &l->p->scope[1]) && is_as_wide(&p->scope[2], &l->p->scope[2]))
            return true;
    }
    return false;
}

static void on_presence(struct linter *l, struct checker *c, const struct cedar_expr *has,
                        bool wanted, void *arg)
{
    struct context_path path;
    struct check_note *note = check_note_any(c, has);
    if (!wanted || !check_note_of(c, has) || note->said || !path_of_has(has, &path) ||
        (l->how.theirs.n && !str_eq(path.names[0], l->how.theirs)) ||
        !is_optional(c->env.types[CEDAR_CONTEXT], &path))
        return;
    note->said = true;
    if (absence_is_forbidden(l, c, &path))
        return;
    str name = str_take(path.names[path.count - 1], 80);
    struct cedar_diag *one =
        say(l, FIND_OMITTED_ARGUMENT, has->span,
            "`%.*s` is optional: a request that leaves it out is not forbidden", STR(name));
    help(l, one,
         str_fmt(&l->arena,
                 "make it required in the schema, or turn the rule round: forbid "
                 "`unless { .. has %.*s && .. }`",
                 STR(name)));
}

/* ---- what its scope names ---- */

/* Marks what is marked and every group that it is in. */
static bool *with_groups(struct linter *l, const bool *marked)
{
    bool *all = ARENA_ARRAY(&l->arena, bool, l->s->action_count + 1);
    for (size_t i = 0; i < l->s->action_count; i++) {
        struct schema_set above = l->s->actions[i].ancestors;
        all[i] = all[i] || marked[i];
        for (size_t k = 0; marked[i] && k < above.count; k++)
            all[above.items[k]] = true;
    }
    return all;
}

static void lint_scope(struct linter *l)
{
    const struct cedar_scope *actions = &l->p->scope[CEDAR_ACTION];
    for (int v = CEDAR_PRINCIPAL; v <= CEDAR_RESOURCE; v++)
        for (size_t i = 0; i < l->p->scope[v].uid_count; i++)
            lint_uid(l, &l->p->scope[v].uids[i].uid, l->p->scope[v].uids[i].span);
    if (!is_forbid(l) || actions->uid_count == 0)
        return;
    const bool *applies = with_groups(l, l->applies), *acts = with_groups(l, l->acts);
    for (size_t i = 0; i < actions->uid_count; i++) {
        const struct cedar_uid_at *at = &actions->uids[i];
        const struct schema_action *y = schema_action(l->s, &at->uid);
        if (!y || !applies[y->index])
            say(l, FIND_FORBID_EMPTY_GROUP, at->span,
                "no action in %.*s::\"%.*s\" applies to such a principal and resource",
                STR(at->uid.type), STR(str_take(at->uid.id, 80)));
        else if (!acts[y->index])
            say(l, FIND_FORBID_NEVER, at->span, "for %.*s::\"%.*s\" its conditions can never hold",
                STR(at->uid.type), STR(str_take(at->uid.id, 80)));
    }
}

static bool called_impossible(const struct linter *l)
{
    for (size_t i = 0; i < l->d->count; i++)
        if (l->d->items[i].code == finding_infos[FIND_IMPOSSIBLE_POLICY].code &&
            str_eq(l->d->items[i].policy, l->p->id))
            return true;
    return false;
}

/* ---- annotations ---- */

static str lowered(struct arena *a, str s)
{
    char *p = arena_dup(a, s.p, s.n);
    for (size_t i = 0; i < s.n; i++)
        p[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
    return str_of(p, s.n);
}

static void lint_annotations(struct linter *l)
{
    for (size_t i = 0; i < l->p->annotation_count && l->how.annotations; i++) {
        const struct cedar_annotation *x = &l->p->annotations[i];
        struct name_guess g = {.wanted = lowered(&l->arena, x->name)};
        bool known = false;
        for (const char *const *name = l->how.annotations; *name; name++) {
            known = known || str_eq(x->name, str_z(*name));
            name_guess_try(&g, str_z(*name));
        }
        if (known || !g.best.n)
            continue;
        struct cedar_diag *one =
            say(l, FIND_ANNOTATION_NAME, x->span, "nobody reads @%.*s", STR(str_take(x->name, 80)));
        help(l, one, str_fmt(&l->arena, "did you mean @%.*s?", STR(g.best)));
    }
}

/* ---- policies ---- */

static void on_env(struct checker *c, struct answer all)
{
    struct linter *l = c->arg;
    uint32_t action = c->env.action->index;
    l->applies[action] = true;
    l->acts[action] = l->acts[action] || !answer_is_false(all);
    if (is_forbid(l))
        each_has_of(l, c, l->p, on_presence, NULL);
}

static void lint_conditions(struct linter *l, struct checker *c)
{
    const struct cedar_policy *p = l->p;
    for (size_t i = 0; i < p->condition_count; i++)
        find_dot_safe(l, c, p->conditions[i].body);
    for (size_t i = 0; i < p->condition_count; i++)
        lint_expr(l, c, p->conditions[i].body, true);
}

static void lint_policy(struct linter *l)
{
    ARENA_SCOPE struct arena unsaid = {0};
    struct cedar_diags errors;
    struct checker c;
    cedar_diags_init(&errors, &unsaid, S(""), l->d->source);
    checker_init(&c, l->s, l->p, NULL, &errors);
    l->applies = ARENA_ARRAY(&l->arena, bool, l->s->action_count + 1);
    l->acts = ARENA_ARRAY(&l->arena, bool, l->s->action_count + 1);
    c.on_env = on_env;
    c.arg = l;
    struct check_tally t = check_envs(&c);
    if (c.errors == 0) {
        if (l->p->is_template && l->how.unlinked)
            say(l, FIND_UNLINKED_TEMPLATE, l->p->span,
                "this is a template, and nobody fills its slots: it is never evaluated");
        if (t.possible)
            lint_scope(l);
        else if (is_forbid(l) && !called_impossible(l))
            say(l, FIND_FORBID_NEVER, l->p->span, "this can never forbid anything");
        lint_conditions(l, &c);
        lint_annotations(l);
    }
    checker_fini(&c);
}

static void collect_facts(struct linter *l, const struct cedar_policies *ps)
{
    const struct cedar_entities *known = l->how.known;
    for (size_t i = 0; known && i < known->count; i++)
        (void)!cedar_names_add(&l->facts->known_types, known->items[i]->uid.type);
    for (size_t i = 0; i < ps->count; i++) {
        l->p = &ps->items[i];
        if (is_forbid(l))
            each_has_of(l, NULL, l->p, on_absence, l->facts);
    }
}

void lint_policies(const struct schema *s, const struct cedar_policies *ps,
                   const struct lint_options *how, struct cedar_diags *d)
{
    struct lint_facts facts = {0};
    struct linter base = {.s = s, .d = d, .facts = &facts};
    if (how)
        base.how = *how;
    collect_facts(&base, ps);
    for (size_t i = 0; i < ps->count; i++) {
        struct linter l = base;
        l.p = &ps->items[i];
        lint_policy(&l);
        arena_fini(&l.arena);
    }
    map_fini(&facts.absences);
    cedar_names_fini(&facts.known_types);
    arena_fini(&facts.arena);
}

/* Runs stack code. Every operator checks its operands; the first that does not fit ends the policy.
 */
#include "cedar/eval/code.h"

/* ---- the three subjects ---- */

static bool hash_less(const void *base, size_t i, size_t j)
{
    const struct cedar_ancestor *all = base;
    return all[i].hash < all[j].hash;
}

static void ancestor_swap(void *base, size_t i, size_t j)
{
    struct cedar_ancestor *all = base, t = all[i];
    all[i] = all[j];
    all[j] = t;
}

/* Policies and entities were hashed under different seeds. */
static void rehash_ancestors(const struct machine *m, struct subject *s)
{
    struct cedar_ancestor *all =
        arena_dup(m->scratch, s->ancestors, s->ancestor_count * sizeof *all);
    for (size_t i = 0; i < s->ancestor_count; i++)
        all[i].hash = hash_uid(m->code->seed, all[i].uid);
    cedar_heap_sort(all, s->ancestor_count, hash_less, ancestor_swap);
    s->ancestors = all;
}

void subject_look_up(const struct machine *m, struct subject *s)
{
    bool same_seed = m->entities->seed == m->code->seed;
    s->looked_up = true;
    s->entity = same_seed ? cedar_entities_find_hashed(m->entities, s->hash, s->uid)
                          : cedar_entities_find(m->entities, s->uid);
    if (!s->entity)
        return;
    s->ancestors = s->entity->ancestors;
    s->ancestor_count = s->entity->ancestor_count;
    if (!same_seed)
        rehash_ancestors(m, s);
}

void machine_init(struct machine *m, const struct code *code, const struct cedar_request *req,
                  const struct cedar_entities *entities, struct arena *scratch,
                  struct cedar_value *small)
{
    const struct cedar_uid *uids[3] = {&req->principal, &req->action, &req->resource};
    m->code = code;
    m->entities = entities;
    m->scratch = scratch;
    m->stack = code->stack_max <= STACK_SMALL
                   ? small
                   : ARENA_ARRAY(scratch, struct cedar_value, code->stack_max);
    for (enum cedar_var var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        m->subjects[var] =
            (struct subject){.uid = uids[var], .hash = hash_uid(code->seed, uids[var])};
        m->vars[var] = cedar_entity_value(uids[var]);
    }
    memset(m->path_keys, 0xff, sizeof m->path_keys);
    m->vars[CEDAR_CONTEXT] = req->context ? *req->context : cedar_empty_record;
}

/* ---- errors ---- */

static bool type_error(const char *want, const struct cedar_value *got, struct err *err)
{
    return err_input(err, "type error: expected %s, got %s", want, cedar_kind_name(got->kind));
}

static bool want(enum cedar_kind kind, const struct cedar_value *v, struct err *err)
{
    return v->kind == kind || type_error(cedar_kind_name(kind), v, err);
}

/* ---- entities ---- */

static const struct cedar_entity *entity_of(struct machine *m, const struct cedar_uid *uid)
{
    for (enum cedar_var var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        if (uid == m->subjects[var].uid)
            return subject_known(m, var)->entity;
    }
    return cedar_entities_find(m->entities, uid);
}

static bool no_entity(const struct cedar_uid *uid, struct err *err)
{
    return err_input(err, "entity `%.*s::\"%.*s\"` does not exist", STR(uid->type), STR(uid->id));
}

static bool no_attr(const char *what, const struct cedar_uid *uid, str name, struct err *err)
{
    return err_input(err, "`%.*s::\"%.*s\"` does not have the %s `%.*s`", STR(uid->type),
                     STR(uid->id), what, STR(name));
}

/* NULL: it has none. */
static inline const struct cedar_value *attribute(struct machine *m, str name,
                                                  const struct cedar_value *v, struct err *err)
{
    const struct cedar_value *found = NULL;
    if (v->kind == CEDAR_RECORD) {
        found = cedar_record_get(v, name);
        if (!found)
            err_input(err, "record does not have the attribute `%.*s`", STR(name));
    } else if (v->kind == CEDAR_ENTITY) {
        const struct cedar_entity *e = entity_of(m, v->uid);
        found = e ? cedar_record_get(&e->attrs, name) : NULL;
        if (!e)
            no_entity(v->uid, err);
        else if (!found)
            no_attr("attribute", v->uid, name, err);
    } else {
        type_error("a record or an entity", v, err);
    }
    return found;
}

/* What the names lead to; NULL: err says why. Policies read the same things again and again, so
 * what was found is remembered until the request is decided. */
static inline const struct cedar_value *path(struct machine *m, uint8_t var, uint32_t first,
                                             size_t n, struct err *err)
{
    const struct cedar_value *v = &m->vars[var];
    uint32_t key = first << 2 | var, at = first % PATHS_KEPT;
    if (n == 0)
        return v;
    if (m->path_keys[at] == key)
        return m->paths[at];
    for (size_t i = 0; i < n && v; i++)
        v = attribute(m, m->code->names[first + i], v, err);
    if (v) {
        m->path_keys[at] = key;
        m->paths[at] = v;
    }
    return v;
}

/* x has a.b is (x has a) && (x.a has b). */
static bool has(struct machine *m, const str *names, size_t n, struct cedar_value *v,
                struct err *err)
{
    struct cedar_value at = *v;
    for (size_t i = 0; i < n; i++) {
        const struct cedar_value *found = NULL;
        if (at.kind == CEDAR_RECORD) {
            found = cedar_record_get(&at, names[i]);
        } else if (at.kind == CEDAR_ENTITY) {
            const struct cedar_entity *e = entity_of(m, at.uid);
            found = e ? cedar_record_get(&e->attrs, names[i]) : NULL;
        } else {
            return type_error("a record or an entity", &at, err);
        }
        if (!found) {
            *v = cedar_bool(false);
            return true;
        }
        at = *found;
    }
    *v = cedar_bool(true);
    return true;
}

static bool tag(struct machine *m, bool get, struct cedar_value *v, struct err *err)
{
    if (!want(CEDAR_ENTITY, &v[0], err) || !want(CEDAR_STRING, &v[1], err))
        return false;
    str name = cedar_str(v[1]);
    const struct cedar_uid *uid = v[0].uid;
    const struct cedar_entity *e = entity_of(m, uid);
    const struct cedar_value *found = e ? cedar_record_get(&e->tags, name) : NULL;
    if (!get) {
        v[0] = cedar_bool(found != NULL);
        return true;
    }
    if (!e)
        return no_entity(uid, err);
    if (!found)
        return no_attr("tag", uid, name, err);
    v[0] = *found;
    return true;
}

static bool is_in(struct machine *m, const struct cedar_uid *uid, const struct cedar_uid *other)
{
    if (cedar_uid_eq(uid, other))
        return true;
    const struct cedar_entity *e = entity_of(m, uid);
    return e && cedar_entity_has_ancestor(m->entities, e, other);
}

/* On the right: an entity, or a set of nothing but entities. */
static bool in(struct machine *m, struct cedar_value *v, struct err *err)
{
    if (!want(CEDAR_ENTITY, &v[0], err))
        return false;
    const struct cedar_uid *uid = v[0].uid;
    bool found = false;
    if (v[1].kind == CEDAR_ENTITY) {
        found = is_in(m, uid, v[1].uid);
    } else if (v[1].kind == CEDAR_SET) {
        for (uint32_t i = 0; i < v[1].n; i++) {
            if (!want(CEDAR_ENTITY, &v[1].items[i], err))
                return false;
        }
        for (uint32_t i = 0; i < v[1].n && !found; i++)
            found = is_in(m, uid, v[1].items[i].uid);
    } else {
        return type_error("an entity or a set of entities", &v[1], err);
    }
    v[0] = cedar_bool(found);
    return true;
}

/* The right side is known, and with it its hash. */
static bool in_key(struct machine *m, const struct key *key, struct cedar_value *v, struct err *err)
{
    if (!want(CEDAR_ENTITY, v, err))
        return false;
    for (enum cedar_var var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        if (v->uid != m->subjects[var].uid)
            continue;
        *v = cedar_bool(subject_in(subject_known(m, var), key->hash, key));
        return true;
    }
    *v = cedar_bool(is_in(m, v->uid, key->uid));
    return true;
}

static bool is_type(str type, const struct cedar_value *v, bool *out, struct err *err)
{
    if (!want(CEDAR_ENTITY, v, err))
        return false;
    *out = str_eq(v->uid->type, type);
    return true;
}

/* ---- numbers ---- */

static bool arithmetic(enum op op, struct cedar_value *v, struct err *err)
{
    int64_t r;
    bool over;
    if (!want(CEDAR_LONG, &v[0], err) || !want(CEDAR_LONG, &v[1], err))
        return false;
    if (op == OP_ADD)
        over = __builtin_add_overflow(v[0].i, v[1].i, &r);
    else if (op == OP_SUB)
        over = __builtin_sub_overflow(v[0].i, v[1].i, &r);
    else
        over = __builtin_mul_overflow(v[0].i, v[1].i, &r);
    if (over)
        return err_input(err, "integer overflow: %lld %c %lld", (long long)v[0].i,
                         op == OP_ADD   ? '+'
                         : op == OP_SUB ? '-'
                                        : '*',
                         (long long)v[1].i);
    v[0] = cedar_long(r);
    return true;
}

static inline bool is_ordered(enum op op, int64_t a, int64_t b)
{
    return op == OP_LT ? a < b : op == OP_LE ? a <= b : op == OP_GT ? a > b : a >= b;
}

/* op: OP_EQ .. OP_GE. */
static bool compare(enum op op, struct cedar_value *v, const struct cedar_value *right,
                    struct err *err)
{
    if (op == OP_EQ || op == OP_NE) {
        *v = cedar_bool(cedar_value_eq(v, right) == (op == OP_EQ));
        return true;
    }
    uint8_t kind = v->kind;
    if (kind != CEDAR_LONG && kind != CEDAR_DATETIME && kind != CEDAR_DURATION)
        return type_error("long, datetime or duration", v, err);
    if (!want(kind, right, err))
        return false;
    int64_t a = v->i, b = right->i;
    *v = cedar_bool(is_ordered(op, a, b));
    return true;
}

static bool negate(struct cedar_value *v, struct err *err)
{
    if (!want(CEDAR_LONG, v, err))
        return false;
    if (v->i == INT64_MIN)
        return err_input(err, "integer overflow: -(%lld)", (long long)v->i);
    v->i = -v->i;
    return true;
}

/* ---- sets, records, calls ---- */

static bool contains(enum op op, struct cedar_value *v, struct err *err)
{
    if (!want(CEDAR_SET, &v[0], err))
        return false;
    if (op == OP_CONTAINS) {
        v[0] = cedar_bool(cedar_set_has(&v[0], &v[1]));
        return true;
    }
    if (!want(CEDAR_SET, &v[1], err))
        return false;
    bool all = op == OP_CONTAINS_ALL, r = all;
    for (uint32_t i = 0; i < v[1].n && r == all; i++)
        r = cedar_set_has(&v[0], &v[1].items[i]);
    v[0] = cedar_bool(r);
    return true;
}

static void make_set(const struct machine *m, struct cedar_value *v, size_t n)
{
    struct cedar_value *items = arena_dup(m->scratch, v, n * sizeof *v);
    *v = cedar_set_of(items, n);
}

static bool make_record(const struct machine *m, const str *names, struct cedar_value *v, size_t n,
                        struct err *err)
{
    struct cedar_field *fields = ARENA_ARRAY(m->scratch, struct cedar_field, n);
    for (size_t i = 0; i < n; i++)
        fields[i] = (struct cedar_field){names[i], v[i]};
    return cedar_record_of(fields, n, v) || err_input(err, "a record has the same name twice");
}

static bool like(const struct cedar_pattern *p, struct cedar_value *v, struct err *err)
{
    if (!want(CEDAR_STRING, v, err))
        return false;
    *v = cedar_bool(cedar_pattern_match(p, cedar_str(*v)));
    return true;
}

/* ---- tests ---- */

static inline bool is_equal(const struct cedar_value *a, const struct cedar_value *b)
{
    if (a->kind == CEDAR_STRING && b->kind == CEDAR_STRING)
        return same_bytes(cedar_str(*a), cedar_str(*b));
    return cedar_value_eq(a, b);
}

/* The rarer tests. */
static __attribute__((noinline)) bool test_other(struct machine *m, const struct instr *i,
                                                 const struct cedar_value *found, bool *out,
                                                 struct err *err)
{
    const struct code *c = m->code;
    struct cedar_value v = *found;
    bool ok = true;
    if (i->test <= TEST_GE)
        ok = compare((enum op)(i->test - TEST_EQ + OP_EQ), &v, &c->consts[i->arg], err);
    else if (i->test == TEST_TRUE)
        ok = want(CEDAR_BOOL, &v, err);
    else if (i->test == TEST_HAS)
        ok = has(m, c->names + i->arg, 1, &v, err);
    else if (i->test == TEST_IN_KEY)
        ok = in_key(m, &c->keys[i->arg], &v, err);
    else if (i->test == TEST_LIKE)
        ok = like(c->patterns[i->arg], &v, err);
    else
        v = cedar_bool(cedar_set_has(&c->consts[i->arg], &v));
    *out = v.b;
    return ok;
}

static inline bool test(struct machine *m, const struct instr *i, bool *out, struct err *err)
{
    const struct cedar_value *found = path(m, i->var, i->wide, i->path, err);
    const struct cedar_value *right = &m->code->consts[i->arg];
    if (!found)
        return false;
    if (i->test <= TEST_NE) {
        *out = is_equal(found, right) == (i->test == TEST_EQ);
        return true;
    }
    if (i->test <= TEST_GE && found->kind == CEDAR_LONG && right->kind == CEDAR_LONG) {
        *out = is_ordered((enum op)(i->test - TEST_EQ + OP_EQ), found->i, right->i);
        return true;
    }
    if (i->test == TEST_TRUE && found->kind == CEDAR_BOOL) {
        *out = found->b;
        return true;
    }
    return test_other(m, i, found, out, err);
}

/* ---- the loop ---- */

/* Instructions that look at the stack only. v is the first of their operands. */
static bool run_plain(struct machine *m, const struct instr *i, struct cedar_value *v,
                      struct err *err)
{
    const struct code *c = m->code;
    const struct cedar_value *found;
    bool b;
    switch ((enum op)i->op) {
    case OP_ATTR:
        found = attribute(m, c->names[i->arg], v, err);
        if (found)
            *v = *found;
        return found != NULL;
    case OP_HAS:
        return has(m, c->names + i->arg, i->wide, v, err);
    case OP_HAS_TAG:
    case OP_GET_TAG:
        return tag(m, i->op == OP_GET_TAG, v, err);
    case OP_NOT:
        if (!want(CEDAR_BOOL, v, err))
            return false;
        v->b = !v->b;
        return true;
    case OP_NEG:
        return negate(v, err);
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
        return arithmetic((enum op)i->op, v, err);
    case OP_EQ:
    case OP_NE:
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE:
        return compare((enum op)i->op, &v[0], &v[1], err);
    case OP_IN:
        return in(m, v, err);
    case OP_IN_KEY:
        return in_key(m, &c->keys[i->arg], v, err);
    case OP_IS:
        if (!is_type(c->names[i->arg], v, &b, err))
            return false;
        *v = cedar_bool(b);
        return true;
    case OP_LIKE:
        return like(c->patterns[i->arg], v, err);
    case OP_CONTAINS:
    case OP_CONTAINS_ALL:
    case OP_CONTAINS_ANY:
        return contains((enum op)i->op, v, err);
    case OP_IS_EMPTY:
        if (!want(CEDAR_SET, v, err))
            return false;
        *v = cedar_bool(v->n == 0);
        return true;
    case OP_SET:
        make_set(m, v, i->arg);
        return true;
    case OP_RECORD:
        return make_record(m, c->names + i->arg, v, i->wide, err);
    case OP_CALL:
        return cedar_fn_call(m->scratch, (enum cedar_fn)i->arg, v, i->wide, v, err);
    default:
        return want(CEDAR_BOOL, v, err); /* OP_BOOL */
    }
}

/* How many values an instruction takes. */
static size_t operands(const struct instr *i)
{
    switch ((enum op)i->op) {
    case OP_SET:
        return i->arg;
    case OP_RECORD:
    case OP_CALL:
        return i->wide;
    case OP_ATTR:
    case OP_HAS:
    case OP_NOT:
    case OP_NEG:
    case OP_IN_KEY:
    case OP_IS:
    case OP_LIKE:
    case OP_IS_EMPTY:
    case OP_BOOL:
        return 1;
    default:
        return 2;
    }
}

enum outcome machine_run(struct machine *m, const struct instr *code, size_t count, struct err *err)
{
    const struct code *c = m->code;
    const struct cedar_value *found;
    struct cedar_value *top = m->stack; /* one past the last value */
    bool b;
    for (size_t at = 0; at < count;) {
        const struct instr *i = &code[at++];
        switch ((enum op)i->op) {
        case OP_CONST:
            *top++ = c->consts[i->arg];
            break;
        case OP_PATH:
            found = path(m, i->var, i->arg, i->wide, err);
            if (!found)
                return RUN_FAILED;
            *top++ = *found;
            break;
        case OP_TEST:
        case OP_WHEN_TEST:
        case OP_UNLESS_TEST:
            if (!test(m, i, &b, err))
                return RUN_FAILED;
            if (i->op == OP_TEST)
                *top++ = cedar_bool(b);
            else if (b == (i->op == OP_UNLESS_TEST))
                return RUN_FALSE;
            break;
        case OP_AND:
        case OP_OR:
            if (!want(CEDAR_BOOL, &top[-1], err))
                return RUN_FAILED;
            if (top[-1].b == (i->op == OP_OR))
                at = i->arg;
            else
                top--;
            break;
        case OP_FAIL:
            (void)err_input(err, "this part of the policy always fails");
            return RUN_FAILED;
        case OP_IS_OR_JUMP:
            if (!is_type(c->names[i->wide], &top[-1], &b, err))
                return RUN_FAILED;
            if (!b) {
                top[-1] = cedar_bool(false);
                at = i->arg;
            }
            break;
        case OP_JUMP:
            at = i->arg;
            break;
        case OP_JUMP_UNLESS:
            if (!want(CEDAR_BOOL, --top, err))
                return RUN_FAILED;
            if (!top->b)
                at = i->arg;
            break;
        case OP_WHEN:
        case OP_UNLESS:
            if (!want(CEDAR_BOOL, --top, err))
                return RUN_FAILED;
            if (top->b == (i->op == OP_UNLESS))
                return RUN_FALSE;
            break;
        default: {
            struct cedar_value *first = top - operands(i);
            if (!run_plain(m, i, first, err))
                return RUN_FAILED;
            top = first + 1;
        }
        }
    }
    return RUN_TRUE;
}

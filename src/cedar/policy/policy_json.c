/* The head of a policy from JSON; expressions are in policy_json_expr.c. */
#include "cedar/policy/policy_json.h"

#include "cedar/value/entities_json.h"

const struct json_limits cedar_policy_json_limits = {
    .bytes_max = CEDAR_TEXT_BYTES_MAX,
    .depth_max = CEDAR_POLICY_JSON_DEPTH_MAX,
};

/* ---- members ---- */

enum { MEMBERS_MAX = 6 };

struct shape {
    const char *what;
    str names[MEMBERS_MAX];
    uint8_t required, all; /* the first so many, and how many there are */
};

/* Fills found[] in the order of the names. Refuses any other member, and the lack of one. */
static bool members(const json *v, const struct shape *shape, const json **found, struct err *err)
{
    str name;
    const json *e;
    if (json_type(v) != JSON_OBJECT)
        return err_input(err, "%s must be an object, not %s", shape->what,
                         json_type_name(json_type(v)));
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &e);) {
        uint8_t i = 0;
        while (i < shape->all && !str_eq(shape->names[i], name))
            i++;
        if (i == shape->all)
            return err_input(err, "%s has no member `%.*s`", shape->what, STR(name));
        found[i] = e;
    }
    for (uint8_t i = 0; i < shape->required; i++) {
        if (!found[i])
            return err_input(err, "%s lacks the member `%.*s`", shape->what, STR(shape->names[i]));
    }
    return true;
}

/* ---- scope ---- */

static bool to_uid(const json *v, enum cedar_var var, struct cedar_uid *out, struct err *err)
{
    if (!cedar_uid_from_json(v, out, err))
        return false;
    if (var == CEDAR_ACTION && !str_eq(cedar_name_base(out->type), S("Action")))
        return err_input(err, "an action's type must be Action, or end in ::Action, not `%.*s`",
                         STR(out->type));
    return true;
}

static bool to_slot(const json *v, enum cedar_var var, enum cedar_slot *out, struct err *err)
{
    static const struct {
        str name;
        enum cedar_var var;
        enum cedar_slot slot;
    } slots[] = {
        {S("?principal"), CEDAR_PRINCIPAL, CEDAR_SLOT_PRINCIPAL},
        {S("?resource"), CEDAR_RESOURCE, CEDAR_SLOT_RESOURCE},
    };
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        if (!str_eq(json_str(v), slots[i].name) || slots[i].var != var)
            continue;
        *out = slots[i].slot;
        return true;
    }
    if (var == CEDAR_ACTION)
        return err_input(err, "the action cannot be left open");
    return err_input(err, "the slot here must be `?%s`", cedar_var_names[var]);
}

/* "entity" or "slot"; where both are given, the entity counts. */
static bool to_target(struct arena *a, const json *v, enum cedar_var var, struct cedar_scope *out,
                      struct err *err)
{
    const json *entity = json_get(v, S("entity")), *slot = json_get(v, S("slot"));
    if (!entity && slot)
        return to_slot(slot, var, &out->slot, err);
    if (!entity)
        return err_input(err, "this needs an `entity` or a `slot`");
    out->uids = ARENA_NEW(a, struct cedar_uid_at);
    out->uid_count = 1;
    return to_uid(entity, var, &out->uids[0].uid, err);
}

static bool to_eq(struct arena *a, const json *v, enum cedar_var var, struct cedar_scope *out,
                  struct err *err)
{
    out->op = CEDAR_SCOPE_EQ;
    return to_target(a, v, var, out, err);
}

static bool to_in(struct arena *a, const json *v, enum cedar_var var, struct cedar_scope *out,
                  struct err *err)
{
    const json *list = json_get(v, S("entities")), *e;
    out->op = CEDAR_SCOPE_IN;
    if (var != CEDAR_ACTION || json_get(v, S("entity")))
        return to_target(a, v, var, out, err);
    if (json_type(list) != JSON_ARRAY)
        return err_input(err, "this needs an `entity`, or an array of `entities`");
    out->op = CEDAR_SCOPE_IN_SET;
    out->uids = ARENA_ARRAY(a, struct cedar_uid_at, json_count(list));
    for (struct json_iter it = json_iter(list); json_next(&it, NULL, &e);) {
        if (!to_uid(e, var, &out->uids[out->uid_count++].uid, err))
            return false;
    }
    return true;
}

static bool to_is(struct arena *a, const json *v, enum cedar_var var, struct cedar_scope *out,
                  struct err *err)
{
    enum { OP, TYPE, IN };
    static const struct shape shape = {
        "`is`", {[OP] = S("op"), [TYPE] = S("entity_type"), [IN] = S("in")}, 2, 3};
    const json *m[MEMBERS_MAX] = {0};
    if (!members(v, &shape, m, err))
        return false;
    out->type = json_str(m[TYPE]);
    if (!cedar_is_type_name(out->type))
        return err_input(err, "`%.*s` is no entity type", STR(out->type));
    out->op = CEDAR_SCOPE_IS;
    if (json_type(m[IN]) == JSON_ABSENT || json_type(m[IN]) == JSON_NULL)
        return true;
    out->op = CEDAR_SCOPE_IS_IN;
    return to_target(a, m[IN], var, out, err);
}

static bool to_any(struct arena *a, const json *v, enum cedar_var var, struct cedar_scope *out,
                   struct err *err)
{
    (void)a, (void)v, (void)var, (void)err;
    out->op = CEDAR_SCOPE_ANY;
    return true;
}

static bool to_scope(struct arena *a, const json *v, enum cedar_var var, struct cedar_scope *out,
                     struct err *err)
{
    static const struct {
        str op;
        bool for_action;
        bool (*read)(struct arena *, const json *, enum cedar_var, struct cedar_scope *,
                     struct err *);
    } ops[] = {
        {S("All"), true, to_any}, {S("all"), true, to_any}, {S("=="), true, to_eq},
        {S("in"), true, to_in},   {S("is"), false, to_is},
    };
    const char *what = cedar_var_names[var];
    if (json_type(v) != JSON_OBJECT)
        return err_input(err, "%s: expected an object with `op`, found %s", what,
                         json_type_name(json_type(v)));
    str op = json_get_str(v, S("op"));
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (str_eq(ops[i].op, op) && (ops[i].for_action || var != CEDAR_ACTION))
            return ops[i].read(a, v, var, out, err) || err_in(err, "%s", what);
    }
    return err_input(err, "%s: the member `op` must be one of All, ==, in%s", what,
                     var == CEDAR_ACTION ? "" : ", is");
}

/* ---- conditions and annotations ---- */

static bool to_condition(struct arena *a, const json *v, struct cedar_condition *out,
                         struct err *err)
{
    enum { KIND, BODY };
    static const struct shape shape = {
        "a condition", {[KIND] = S("kind"), [BODY] = S("body")}, 2, 2};
    const json *m[MEMBERS_MAX] = {0};
    if (!members(v, &shape, m, err))
        return false;
    out->unless = str_eq(json_str(m[KIND]), S("unless"));
    if (!out->unless && !str_eq(json_str(m[KIND]), S("when")))
        return err_input(err, "the kind of a condition is `when` or `unless`");
    return cedar_expr_from_json(a, m[BODY], &out->body, err);
}

static bool to_conditions(struct arena *a, const json *v, struct cedar_policy *p, struct err *err)
{
    const json *e;
    if (json_type(v) != JSON_ARRAY)
        return err_input(err, "`conditions` must be an array, not %s",
                         json_type_name(json_type(v)));
    p->conditions = ARENA_ARRAY(a, struct cedar_condition, json_count(v));
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &e);) {
        if (!to_condition(a, e, &p->conditions[p->condition_count++], err))
            return err_in(err, "condition %zu", p->condition_count);
    }
    return true;
}

static bool to_annotations(struct arena *a, const json *v, struct cedar_policy *p, struct err *err)
{
    const json *e;
    str name;
    if (!v)
        return true;
    if (json_type(v) != JSON_OBJECT)
        return err_input(err, "`annotations` must be an object, not %s",
                         json_type_name(json_type(v)));
    p->annotations = ARENA_ARRAY(a, struct cedar_annotation, json_count(v));
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &e);) {
        if (!cedar_is_ident(name))
            return err_input(err, "an annotation cannot be named `%.*s`", STR(name));
        bool has_value = json_type(e) == JSON_STRING;
        if (!has_value && json_type(e) != JSON_NULL)
            return err_input(err, "annotation `%.*s` must be a string or null, not %s", STR(name),
                             json_type_name(json_type(e)));
        p->annotations[p->annotation_count++] = (struct cedar_annotation){
            .name = name, .value = has_value ? json_str(e) : S(""), .has_value = has_value};
    }
    return true;
}

/* ---- policy ---- */

static bool to_effect(const json *v, enum cedar_effect *out, struct err *err)
{
    if (!str_eq(json_str(v), S("permit")) && !str_eq(json_str(v), S("forbid")))
        return err_input(err, "`effect` must be \"permit\" or \"forbid\"");
    *out = str_eq(json_str(v), S("permit")) ? CEDAR_PERMIT : CEDAR_FORBID;
    return true;
}

static bool is_wanted(const struct cedar_policy *p, enum cedar_want want, struct err *err)
{
    if (want == CEDAR_WANT_STATIC && p->is_template)
        return err_input(err, "this is a template: it has a slot, and must be linked first");
    if (want == CEDAR_WANT_TEMPLATE && !p->is_template)
        return err_input(err, "this is no template: it has no slots");
    return true;
}

static bool to_policy(struct arena *a, const json *v, struct cedar_policy *out, struct err *err)
{
    enum { EFFECT, PRINCIPAL, ACTION, RESOURCE, CONDITIONS, ANNOTATIONS };
    static const struct shape shape = {"a policy",
                                       {[EFFECT] = S("effect"),
                                        [PRINCIPAL] = S("principal"),
                                        [ACTION] = S("action"),
                                        [RESOURCE] = S("resource"),
                                        [CONDITIONS] = S("conditions"),
                                        [ANNOTATIONS] = S("annotations")},
                                       5,
                                       6};
    const json *m[MEMBERS_MAX] = {0};
    if (!members(v, &shape, m, err) || !to_effect(m[EFFECT], &out->effect, err) ||
        !to_annotations(a, m[ANNOTATIONS], out, err))
        return false;
    for (enum cedar_var var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        if (!to_scope(a, m[PRINCIPAL + var], var, &out->scope[var], err))
            return false;
        out->is_template |= out->scope[var].slot != CEDAR_SLOT_NONE;
    }
    return to_conditions(a, m[CONDITIONS], out, err);
}

bool cedar_policy_from_json(struct arena *a, const json *v, str id, enum cedar_want want,
                            struct cedar_policy *out, struct err *err)
{
    struct cedar_policy made = {.id = id};
    if (!to_policy(a, v, &made, err) || !is_wanted(&made, want, err))
        return err_in(err, "policy `%.*s`", STR(id));
    *out = made;
    return true;
}

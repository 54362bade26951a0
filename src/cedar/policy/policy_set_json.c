#include "cedar/policy/policy_set_json.h"

#include "cedar/policy/link.h"
#include "cedar/value/entities_json.h"

/* ---- reading ---- */

static bool only(const json *v, const char *what, const str *names, size_t count, struct err *err)
{
    str name;
    const json *e;
    if (json_type(v) != JSON_OBJECT)
        return err_input(err, "%s must be an object, not %s", what, json_type_name(json_type(v)));
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &e);) {
        size_t i = 0;
        while (i < count && !str_eq(names[i], name))
            i++;
        if (i == count)
            return err_input(err, "%s has no member `%.*s`", what, STR(name));
    }
    return true;
}

static bool must_be(const json *v, enum json_type type, const char *what, struct err *err)
{
    if (!v || json_type(v) == type)
        return true;
    return err_input(err, "%s must be %s, not %s", what, json_type_name(type),
                     json_type_name(json_type(v)));
}

bool cedar_policies_add_json(struct arena *a, struct cedar_policies *list, str id,
                             const json *policy, enum cedar_want want, struct err *err)
{
    struct cedar_policy p;
    return cedar_policy_from_json(a, policy, id, want, &p, err) &&
           cedar_policies_add(a, list, &p, err);
}

/* Index 0: ?principal, 1: ?resource; NULL where there is none. */
static bool read_values(struct arena *a, const json *v, const struct cedar_uid *values[2],
                        struct err *err)
{
    static const str slots[] = {S("?principal"), S("?resource")};
    if (!only(v, "`values`", slots, 2, err))
        return false;
    for (size_t i = 0; i < 2; i++) {
        const json *value = json_get(v, slots[i]);
        if (!value)
            continue;
        struct cedar_uid *uid = ARENA_NEW(a, struct cedar_uid);
        if (!cedar_uid_from_json(value, uid, err))
            return err_in(err, "%.*s", STR(slots[i]));
        values[i] = uid;
    }
    return true;
}

static bool link_text(const json *link, str name, str *out, struct err *err)
{
    const json *v = json_get(link, name);
    if (json_type(v) != JSON_STRING)
        return err_input(err, "a template link needs `%.*s`, a string", STR(name));
    *out = json_str(v);
    return true;
}

bool cedar_policies_add_link_json(struct arena *a, struct cedar_policies *list, const json *link,
                                  struct err *err)
{
    static const str names[] = {S("templateId"), S("newId"), S("values")};
    const struct cedar_uid *values[2] = {NULL, NULL};
    struct cedar_policy p;
    str template_id, id;
    if (!only(link, "a template link", names, 3, err) ||
        !link_text(link, names[0], &template_id, err) || !link_text(link, names[1], &id, err))
        return false;
    const struct cedar_policy *tmpl = cedar_policies_find(list, template_id);
    if (!tmpl)
        return err_input(err, "link `%.*s`: there is no template `%.*s`", STR(id),
                         STR(template_id));
    if (!read_values(a, json_get(link, names[2]), values, err) ||
        !cedar_link(a, tmpl, id, values[0], values[1], &p, err))
        return err_in(err, "link `%.*s`", STR(id));
    return cedar_policies_add(a, list, &p, err);
}

static bool add_all(struct arena *a, const json *v, const char *what, enum cedar_want want,
                    struct cedar_policies *list, struct err *err)
{
    str id;
    const json *e;
    if (!must_be(v, JSON_OBJECT, what, err))
        return false;
    for (struct json_iter it = json_iter(v); json_next(&it, &id, &e);) {
        if (!cedar_policies_add_json(a, list, id, e, want, err))
            return err_in(err, "%s", what);
    }
    return true;
}

static bool add_links(struct arena *a, const json *v, struct cedar_policies *list, struct err *err)
{
    const json *e;
    if (!must_be(v, JSON_ARRAY, "templateLinks", err))
        return false;
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &e);) {
        if (!cedar_policies_add_link_json(a, list, e, err))
            return err_in(err, "templateLinks");
    }
    return true;
}

bool cedar_policies_from_json(struct arena *a, const json *v, struct cedar_policies *out,
                              struct err *err)
{
    static const str names[] = {S("staticPolicies"), S("templates"), S("templateLinks")};
    struct cedar_policies made = {0};
    if (!only(v, "a policy set", names, 3, err) ||
        !add_all(a, json_get(v, names[0]), "staticPolicies", CEDAR_WANT_STATIC, &made, err) ||
        !add_all(a, json_get(v, names[1]), "templates", CEDAR_WANT_TEMPLATE, &made, err) ||
        !add_links(a, json_get(v, names[2]), &made, err))
        return false;
    *out = made;
    return true;
}

/* ---- writing ---- */

static bool write_all(struct buf *out, const struct cedar_policies *list, bool templates,
                      struct err *err)
{
    const char *comma = "";
    for (size_t i = 0; i < list->count; i++) {
        const struct cedar_policy *p = &list->items[i];
        if (p->is_template != templates || cedar_policy_is_link(p))
            continue;
        buf_put(out, str_z(comma));
        json_write_str(out, p->id);
        buf_putc(out, ':');
        if (!cedar_policy_to_json(out, p, err))
            return false;
        comma = ",";
    }
    return true;
}

static void write_value(struct buf *out, const char *comma, const char *slot,
                        const struct cedar_uid *uid)
{
    buf_printf(out, "%s\"?%s\":{\"type\":", comma, slot);
    json_write_str(out, uid->type);
    buf_put(out, S(",\"id\":"));
    json_write_str(out, uid->id);
    buf_putc(out, '}');
}

static bool write_link(struct buf *out, const struct cedar_policies *list,
                       const struct cedar_policy *p, struct err *err)
{
    const struct cedar_policy *tmpl = cedar_policies_find(list, p->template_id);
    const char *comma = "";
    if (!tmpl)
        return err_input(err, "link `%.*s`: there is no template `%.*s`", STR(p->id),
                         STR(p->template_id));
    buf_put(out, S("{\"templateId\":"));
    json_write_str(out, p->template_id);
    buf_put(out, S(",\"newId\":"));
    json_write_str(out, p->id);
    buf_put(out, S(",\"values\":{"));
    for (enum cedar_var var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        if (!tmpl->scope[var].slot)
            continue;
        write_value(out, comma, cedar_var_names[var], &p->scope[var].uids[0].uid);
        comma = ",";
    }
    buf_put(out, S("}}"));
    return true;
}

static bool write_links(struct buf *out, const struct cedar_policies *list, struct err *err)
{
    const char *comma = "";
    for (size_t i = 0; i < list->count; i++) {
        if (!cedar_policy_is_link(&list->items[i]))
            continue;
        buf_put(out, str_z(comma));
        if (!write_link(out, list, &list->items[i], err))
            return false;
        comma = ",";
    }
    return true;
}

static bool write_set(struct buf *out, const struct cedar_policies *list, struct err *err)
{
    buf_put(out, S("{\"staticPolicies\":{"));
    if (!write_all(out, list, false, err))
        return false;
    buf_put(out, S("},\"templates\":{"));
    if (!write_all(out, list, true, err))
        return false;
    buf_put(out, S("},\"templateLinks\":["));
    if (!write_links(out, list, err))
        return false;
    buf_put(out, S("]}"));
    return out->over ? err_limit(err, "the JSON text grows too long") : true;
}

bool cedar_policies_to_json(struct buf *out, const struct cedar_policies *list, struct err *err)
{
    size_t before = buf_len(out);
    if (write_set(out, list, err))
        return true;
    buf_truncate(out, before);
    return false;
}

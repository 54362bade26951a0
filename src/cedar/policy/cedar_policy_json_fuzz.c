/* Any bytes as a policy or a policy set in JSON, or as policy text: refused with a reason, or taken
 * there and back: what is printed reads back as the same tree, what is written as JSON too. */
#include "cedar/policy/ast_equal.h"
#include "cedar/policy/parse.h"
#include "cedar/policy/policy_set_json.h"
#include "cedar/policy/print.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_BYTES_MAX = 1 << 16 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Forms of `has` that are spelled out and make trees deeper: in JSON all with several names, in
 * text those with a name that needs quotes. */
struct spelled {
    bool json, text;
};

static void look_for_has(const struct cedar_expr *e, struct spelled *out)
{
    for (uint32_t i = 0; i < e->name_count; i++) {
        bool many = e->kind == CEDAR_E_HAS && e->name_count > 1;
        out->json |= many;
        out->text |= many && (!cedar_is_ident(e->names[i]) || cedar_is_reserved(e->names[i]));
    }
    for (uint32_t i = 0; i < e->kid_count; i++)
        look_for_has(e->kids[i], out);
}

/* False when the JSON text grew too long. */
static bool json_keeps(struct arena *a, const struct cedar_policy *p, bool deeper)
{
    struct buf b = {.max = OUT_BYTES_MAX};
    struct cedar_policy again;
    struct err err;
    const json *v;
    if (!cedar_policy_to_json(&b, p, &err)) {
        require(b.over && err.kind == ERR_LIMIT);
        buf_fini(&b);
        return false;
    }
    if (json_read(a, buf_str(&b), &cedar_policy_json_limits, &v, &err) &&
        cedar_policy_from_json(a, v, S("p"), CEDAR_WANT_EITHER, &again, &err))
        require(ast_policy_equal(a, p, &again, AST_MEANING));
    else
        require(err.kind == ERR_LIMIT && (deeper || buf_len(&b) > CEDAR_POLICY_JSON_DEPTH_MAX));
    buf_fini(&b);
    return true;
}

static void text_keeps(struct arena *a, const struct cedar_policy *p, bool deeper)
{
    struct buf b = {.max = OUT_BYTES_MAX};
    struct cedar_policy again;
    struct cedar_diags d;
    struct err err;
    if (!cedar_policy_print(&b, p, &err))
        require(b.over || err.kind == ERR_INPUT);
    else if (cedar_policy_parse(a, S("p"), buf_str(&b), CEDAR_WANT_EITHER, &again, &d))
        require(ast_policy_equal(a, p, &again, deeper ? AST_MEANING : AST_EXACT));
    else
        require(deeper && str_eq(str_z(d.items[0].code), S("too-deep")));
    buf_fini(&b);
}

static void check(const struct cedar_policies *p)
{
    for (size_t i = 0; i < p->count; i++) {
        ARENA_SCOPE struct arena a = {0};
        struct spelled spelled = {false, false};
        const struct cedar_policy *one = &p->items[i];
        for (size_t j = 0; j < one->condition_count; j++) {
            require(one->conditions[j].body->depth <= CEDAR_DEPTH_MAX);
            look_for_has(one->conditions[j].body, &spelled);
        }
        /* what JSON cannot hold is too large to be compared spelled out */
        if (json_keeps(&a, one, spelled.json) || !spelled.text)
            text_keeps(&a, one, spelled.text);
    }
}

static void set_keeps(struct arena *a, const struct cedar_policies *p)
{
    struct buf b = {.max = OUT_BYTES_MAX};
    struct cedar_policies again;
    struct err err;
    const json *v;
    if (cedar_policies_to_json(&b, p, &err) &&
        json_read(a, buf_str(&b), &cedar_policy_json_limits, &v, &err) &&
        cedar_policies_from_json(a, v, &again, &err))
        require(again.count == p->count);
    else
        require(err.kind == ERR_LIMIT);
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    str text = str_of((const char *)data, size);
    struct cedar_policies p = {0};
    struct cedar_policy one;
    struct cedar_diags d;
    struct err err;
    const json *v;
    if (!size || data[0] != '{') {
        if (cedar_policies_parse(&a, S(""), text, &p, &d))
            check(&p);
        return 0;
    }
    if (!json_read(&a, text, &cedar_policy_json_limits, &v, &err))
        return 0;
    if (cedar_policies_from_json(&a, v, &p, &err)) {
        check(&p);
        set_keeps(&a, &p);
    } else if (cedar_policy_from_json(&a, v, S("p"), CEDAR_WANT_EITHER, &one, &err)) {
        p = (struct cedar_policies){.items = &one, .count = 1};
        check(&p);
    }
    return 0;
}

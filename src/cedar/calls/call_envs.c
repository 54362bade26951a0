/* getValidRequestEnvsPolicy and getValidRequestEnvsTemplate. */
#include "cedar/calls/call.h"
#include "cedar/check/request_envs.h"

#include <stdlib.h>

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const str *)a, *(const str *)b);
}

static void write_sorted(struct call *c, str name, str *texts, size_t n)
{
    if (n > 1)
        qsort(texts, n, sizeof *texts, by_text);
    jw_key(&c->w, name);
    jw_arr(&c->w);
    for (size_t i = 0; i < n; i++)
        jw_str(&c->w, texts[i]);
    jw_end_arr(&c->w);
}

static void write_types(struct call *c, str name, const struct schema *s, struct schema_set set)
{
    str *texts = ARENA_ARRAY(c->a, str, set.count);
    for (size_t i = 0; i < set.count; i++)
        texts[i] = s->etypes[set.items[i]].name;
    write_sorted(c, name, texts, set.count);
}

static void write_actions(struct call *c, str name, const struct schema *s, struct schema_set set)
{
    str *texts = ARENA_ARRAY(c->a, str, set.count);
    struct buf b = {0};
    for (size_t i = 0; i < set.count; i++) {
        cedar_uid_print(&b, &s->actions[set.items[i]].uid);
        texts[i] = str_dup(c->a, buf_str(&b));
        buf_clear(&b);
    }
    buf_fini(&b);
    write_sorted(c, name, texts, set.count);
}

/* This call's failure has one text and no list. */
static void write_failure(struct call *c)
{
    jw_obj(&c->w);
    jw_kstr(&c->w, S("type"), S("failure"));
    jw_kstr(&c->w, S("error"), calls_text(c, c->errors.items[0].text));
    jw_end_obj(&c->w);
}

/* Takes two arguments: [policy, schema]. */
static void answer(struct call *c, const json *input, bool is_template)
{
    const json *args[2] = {0}, *one;
    size_t n = 0;
    struct cedar_policy p;
    struct request_env_sets envs;
    const struct schema *schema = NULL;
    str text;
    if (json_type(input) == JSON_ARRAY && json_count(input) == 2) {
        for (struct json_iter it = json_iter(input); json_next(&it, NULL, &one);)
            args[n++] = one;
        if (calls_read_policy(c, S("policy0"), args[0], is_template, &p, &text))
            schema = calls_read_schema(c, args[1]);
    } else {
        calls_fail(c, "the input must be an array of two: the policy and the schema");
    }
    if (!schema) {
        write_failure(c);
        return;
    }
    request_envs(c->a, schema, &p, &envs);
    calls_success(c);
    write_types(c, S("principals"), schema, envs.principals);
    write_actions(c, S("actions"), schema, envs.actions);
    write_types(c, S("resources"), schema, envs.resources);
    jw_end_obj(&c->w);
}

void calls_envs_of_policy(struct call *c, const json *input)
{
    answer(c, input, false);
}

void calls_envs_of_template(struct call *c, const json *input)
{
    answer(c, input, true);
}

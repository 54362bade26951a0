/* Our side of tests/cedar/levels.py: validation in each mode and at each level. One JSON object a
 * line, as tests/peers/cedar_crate takes and gives them:
 *
 *     {"schema", "policies", "mode": "strict" or "permissive", "levels": [null, 0, 1 ..]}
 *     {"levels": [{policy: [kinds of errors] ..} ..]}  or  {"error": text} */
#include "base/json.h"
#include "cedar/check/validate.h"
#include "cedar/policy/parse.h"

#include <stdio.h>
#include <stdlib.h>

/* A policy's errors, each code once; nothing for a policy without. */
static void write_policy(struct jw *w, const struct cedar_policy *p, const struct cedar_diags *d)
{
    bool any = false;
    for (size_t i = 0; i < d->count; i++) {
        bool known = d->items[i].severity != CEDAR_ERROR;
        for (size_t j = 0; j < i && !known; j++)
            known = d->items[j].code == d->items[i].code;
        if (known)
            continue;
        if (!any) {
            jw_key(w, p->id);
            jw_arr(w);
        }
        any = true;
        jw_str(w, str_z(d->items[i].code));
    }
    if (any)
        jw_end_arr(w);
}

static void write_level(struct jw *w, struct arena *a, const struct schema *s,
                        const struct cedar_policies *ps, const struct validate_options *how)
{
    jw_obj(w);
    for (size_t i = 0; i < ps->count; i++) {
        struct cedar_diags d;
        cedar_diags_init(&d, a, S(""), ps->text);
        (void)!validate_policy(s, &ps->items[i], how, &d);
        write_policy(w, &ps->items[i], &d);
    }
    jw_end_obj(w);
}

static void answer(struct arena *a, const json *asked, struct jw *w)
{
    const struct schema *s;
    struct cedar_policies ps;
    struct cedar_diags d;
    const json *level;
    bool permissive = str_eq(json_get_str(asked, S("mode")), S("permissive"));
    str text = json_get_str(asked, S("schema"));
    jw_obj(w);
    cedar_diags_init(&d, a, S("schema"), text);
    if (!schema_read(a, text, &s, &d) ||
        !cedar_policies_parse(a, S("policies"), json_get_str(asked, S("policies")), &ps, &d)) {
        jw_kstr(w, S("error"), d.items[0].text);
    } else {
        jw_key(w, S("levels"));
        jw_arr(w);
        for (struct json_iter it = json_iter(json_get(asked, S("levels")));
             json_next(&it, NULL, &level);) {
            int64_t n = 0;
            struct validate_options how = {.mode =
                                               permissive ? VALIDATE_PERMISSIVE : VALIDATE_STRICT,
                                           .has_level = json_i64(level, &n)};
            how.level = (uint32_t)n;
            write_level(w, a, s, &ps, &how);
        }
        jw_end_arr(w);
    }
    jw_end_obj(w);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while ((n = getline(&line, &room, stdin)) > 0) {
        ARENA_SCOPE struct arena a = {0};
        struct buf out = {0};
        struct jw w = jw(&out);
        const json *asked;
        struct err err;
        if (!json_read(&a, str_of(line, (size_t)n), NULL, &asked, &err)) {
            (void)fprintf(stderr, "%s\n", err.text);
            return EXIT_FAILURE;
        }
        answer(&a, asked, &w);
        buf_putc(&out, '\n');
        (void)fwrite(buf_str(&out).p, 1, buf_len(&out), stdout);
        buf_fini(&out);
    }
    free(line);
    return EXIT_SUCCESS;
}

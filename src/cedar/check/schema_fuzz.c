/* Any bytes as a schema, and, after a NUL, as policies checked against it: no crash, no leak,
 * bounded time, and verdicts that agree with the findings. */
#include "cedar/policy/parse.h"
#include "cedar/check/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool x)
{
    if (!x)
        __builtin_trap();
}

static void check_policies(struct arena *a, const struct schema *s, str text,
                           enum validate_mode mode, bool *ok)
{
    struct cedar_policies ps;
    struct cedar_diags d;
    *ok = false;
    if (!cedar_policies_parse(a, S("policies"), text, &ps, &d))
        return;
    *ok = validate_policies(s, &ps, &(struct validate_options){.mode = mode}, &d);
    require(*ok == (d.errors == 0));
    struct buf b = {.max = 1 << 20};
    cedar_diags_print(&d, &b);
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    str schema, policies;
    struct cedar_diags d;
    const struct schema *s;
    (void)str_cut(str_of((const char *)data, size), '\0', &schema, &policies);
    cedar_diags_init(&d, &a, S("schema"), schema);
    bool read = schema_read(&a, schema, &s, &d);
    require(read == (d.errors == 0));
    for (size_t i = 0; i < d.count; i++)
        require(d.items[i].span.start <= d.items[i].span.end && d.items[i].span.end <= schema.n);
    if (!read)
        return 0;
    bool strict, permissive;
    check_policies(&a, s, policies, VALIDATE_STRICT, &strict);
    check_policies(&a, s, policies, VALIDATE_PERMISSIVE, &permissive);
    require(permissive || !strict); /* strict mode never lets more through */
    return 0;
}

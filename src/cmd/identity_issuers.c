/* `ambit identity issuers`: whose proofs of identity count besides our own, and how fresh their
 * keys are. */
#include "cmd/identity_issuers.h"

static str seconds_text(struct cli *c, const json *v)
{
    int64_t s;
    if (!json_i64(v, &s))
        return S("never");
    return s < 120    ? str_fmt(&c->arena, "%llds", (long long)s)
           : s < 7200 ? str_fmt(&c->arena, "%lldm", (long long)s / 60)
                      : str_fmt(&c->arena, "%lldh", (long long)s / 3600);
}

static str count_text(struct cli *c, const json *issuer)
{
    int64_t certificates, keys;
    if (!json_i64(json_get(issuer, S("certificates")), &certificates))
        certificates = 0;
    if (!json_i64(json_get(issuer, S("keys")), &keys))
        keys = 0;
    return str_fmt(&c->arena, "%lld", (long long)(certificates + keys));
}

int identity_issuers(struct cli *c)
{
    static const char *const heads[] = {"ISSUER", "KIND", "ID", "STATE", "AGE", "KEYS", "PROBLEM"};
    struct table t = {.a = &c->arena, .heads = heads, .columns = 7};
    const json *result, *v;
    if (!cli_call(c, S("identity.issuers"), NULL, &result))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    for (struct json_iter it = json_iter(json_get(result, S("issuers")));
         json_next(&it, NULL, &v);) {
        table_add(&t, json_get_str(v, S("issuer")));
        table_add(&t, json_get_str(v, S("kind")));
        table_add(&t, json_get_str(v, S("id")));
        table_add(&t, json_get_str(v, S("state")));
        table_add(&t, seconds_text(c, json_get(v, S("ageSeconds"))));
        table_add(&t, count_text(c, v));
        table_add(&t, json_get_str(v, S("problem")));
    }
    table_print(&t);
    return 0;
}

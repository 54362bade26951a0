/* `ambit person`: who the people are, the one-time links by which their passkeys come in, and
 * taking all of it away. */
#include "cmd/cli.h"

static bool ask_about(struct cli *c, str method, const json **result)
{
    struct buf params = {0};
    struct jw w = jw(&params);
    jw_obj(&w);
    jw_kstr(&w, S("name"), c->args.pos[0]);
    jw_end_obj(&w);
    return cli_call(c, method, &params, result);
}

static void print_roles(const json *person)
{
    const json *role;
    bool first = true;
    for (struct json_iter it = json_iter(json_get(person, S("roles"))); json_next(&it, NULL, &role);
         first = false)
        printf("%s%.*s", first ? "" : ",", STR(json_str(role)));
}

static int person_list(struct cli *c)
{
    const json *result, *p;
    if (!cli_call(c, S("person.list"), NULL, &result))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    for (struct json_iter it = json_iter(json_get(result, S("people")));
         json_next(&it, NULL, &p);) {
        printf("%-20.*s passkeys %.*s, sessions %.*s, ", STR(json_get_str(p, S("name"))),
               STR(json_number(json_get(p, S("passkeys")))),
               STR(json_number(json_get(p, S("sessions")))));
        print_roles(p);
        putchar('\n');
    }
    return 0;
}

static int person_show(struct cli *c)
{
    const json *p, *item;
    if (!ask_about(c, S("person.show"), &p))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(p);
        return 0;
    }
    printf("name     %.*s\nroles    ", STR(json_get_str(p, S("name"))));
    print_roles(p);
    printf("\noidc     %s\n", json_bool(json_get(p, S("oidc"))) ? "yes" : "no");
    for (struct json_iter it = json_iter(json_get(p, S("keys"))); json_next(&it, NULL, &item);)
        printf("passkey  %.*s  %.*s  added %.*s  used %.*s\n",
               STR(json_get_str(item, S("passkey"))), STR(json_get_str(item, S("algorithm"))),
               STR(json_get_str(item, S("added"))),
               STR(json_get(item, S("used")) ? json_get_str(item, S("used")) : S("never")));
    for (struct json_iter it = json_iter(json_get(p, S("signedIn"))); json_next(&it, NULL, &item);)
        printf("session  by %.*s (%.*s) since %.*s, used %.*s\n",
               STR(json_get_str(item, S("method"))),
               STR(safe_dup(&c->arena, json_get_str(item, S("amr")))),
               STR(json_get_str(item, S("since"))), STR(json_get_str(item, S("used"))));
    return 0;
}

static int person_invite(struct cli *c)
{
    const json *result;
    if (!ask_about(c, S("person.invite"), &result))
        return EXIT_FAILED;
    if (c->json) {
        cli_print_json(result);
        return 0;
    }
    printf(
        "Give this link to %.*s over a way that nobody else reads; it works once, until %.*s:\n\n"
        "    %.*s\n\n",
        STR(json_get_str(result, S("name"))), STR(json_get_str(result, S("expires"))),
        STR(json_get_str(result, S("url"))));
    return 0;
}

static int person_revoke(struct cli *c)
{
    const json *result;
    if (!ask_about(c, S("person.revoke"), &result))
        return EXIT_FAILED;
    if (c->json)
        cli_print_json(result);
    else
        printf("%.*s has no passkey, no session and no link any more\n", STR(c->args.pos[0]));
    return 0;
}

static const struct verb VERBS[] = {
    {"list", NEEDS_GATEWAY, 0, 0, "", "Who there is, with passkeys and sessions.",
     "ambit person list", NULL, person_list},
    {"show", NEEDS_GATEWAY, 1, 1, "NAME", "One person's passkeys and sessions.",
     "ambit person show ann", NULL, person_show},
    {"invite", NEEDS_GATEWAY, 1, 1, "NAME",
     "Make a one-time link with which a person enrols a passkey.", "ambit person invite ann", NULL,
     person_invite},
    {"revoke", NEEDS_GATEWAY, 1, 1, "NAME", "Take away all passkeys, sessions and links.",
     "ambit person revoke ann", NULL, person_revoke},
};

int cmd_person(int argc, char **argv)
{
    return verbs_run("person", VERBS, sizeof VERBS / sizeof VERBS[0], argc, argv);
}

/* cedar: what the verbs of `ambit cedar` have in common: options, files, complaints.
 *
 * Each verb takes the options of the official command of that name (cedar-policy-cli 4.12), if
 * there is one, and ends as that one: 0 done (allow), 1 failed, 2 deny or wrongly called, 3
 * policies that do not validate, 4 not decided (tpe). Results go to standard output, complaints to
 * standard error. */
#pragma once
#include "cedar/calls/call.h"
#include "cedar/policy/policy_json.h"
#include "cmd/cli.h"

enum { EXIT_DENY = 2, EXIT_INVALID = 3, EXIT_UNDECIDED = 4 };

/* ---- options: rows for the verbs' tables ---- */
#define OPT_REQUEST_JSON                                                                           \
    {                                                                                              \
        "request-json", 0, OPT_VALUE, "FILE", "the whole request, in place of the four before"     \
    }
#define OPTS_REQUEST                                                                               \
    {"principal", 'l', OPT_VALUE, "UID", "who asks: User::\"ann\""},                               \
        {"action", 'a', OPT_VALUE, "UID", "what for: Action::\"view\""},                           \
        {"resource", 'r', OPT_VALUE, "UID", "and on what: Doc::\"a.txt\""},                        \
        {"context", 'c', OPT_VALUE, "FILE", "JSON object; without it the context is empty"},       \
        OPT_REQUEST_JSON,                                                                          \
    {                                                                                              \
        "request-validation", 0, OPT_VALUE, "BOOL",                                                \
            "hold the request against the schema (default: true)"                                  \
    }
#define OPTS_POLICIES                                                                              \
    {"policies", 'p', OPT_VALUE, "FILE", "policies and templates (default: standard input)"},      \
        {"policy-format", 0, OPT_VALUE, "FORMAT", "cedar or json (default: cedar)"},               \
    {                                                                                              \
        "template-linked", 'k', OPT_VALUE, "FILE", "links of templates, as `link` writes them"     \
    }
#define OPTS_SCHEMA                                                                                \
    {"schema", 's', OPT_VALUE, "FILE", "the schema"},                                              \
    {                                                                                              \
        "schema-format", 0, OPT_VALUE, "FORMAT", "cedar or json (default: cedar)"                  \
    }
#define OPT_ENTITIES                                                                               \
    {                                                                                              \
        "entities", 0, OPT_VALUE, "FILE", "JSON array of entities"                                 \
    }
#define OPTS_TOOLS                                                                                 \
    {"profile", 0, OPT_VALUE, "PROFILE", "own, mcp-generated, agentcore or toolhive"},             \
        {"server", 0, OPT_VALUE, "NAME", "the name that the server goes by"},                      \
        {"tools", 0, OPT_VALUE, "FILE", "tools/list's answer (default: standard input)"},          \
        {"stub", 0, OPT_VALUE, "FILE", "mcp-generated: the schema with @mcp_principal .."},        \
        {"outputs", 0, OPT_FLAG, NULL, "mcp-generated: types of results, too"},                    \
        {"objects-as-records", 0, OPT_FLAG, NULL, "mcp-generated: objects are no entities"},       \
        {"numbers-as-decimal", 0, OPT_FLAG, NULL, "mcp-generated: numbers are no entities"},       \
        {"flatten-namespaces", 0, OPT_FLAG, NULL, "mcp-generated: one namespace for all"},         \
        {"keep-annotations", 0, OPT_FLAG, NULL, "mcp-generated: with the stub's @mcp_ .."},        \
        {"effect", 0, OPT_VALUE, "EFFECT", "own: of the operations (default: admin)"},             \
        {"not-high-impact", 0, OPT_FLAG, NULL, "own: the operations are not high-impact"},         \
        {"server-kind", 0, OPT_VALUE, "KIND", "own: http, stdio or internal (default: http)"},     \
    {                                                                                              \
        "claim-types", 0, OPT_VALUE, "JSON",                                                       \
            "toolhive: of claims: {\"sub\": \"String\"}, or a file"                                \
    }
#define OPT_TIMING                                                                                 \
    {                                                                                              \
        "timing", 't', OPT_FLAG, NULL, "also say how long the decision took"                       \
    }
#define OPT_ERROR_FORMAT                                                                           \
    {                                                                                              \
        "error-format", 'f', OPT_VALUE, "FORMAT",                                                  \
            "of complaints: human, plain or json (default: human)"                                 \
    }

/* ---- the work of one verb ---- */
struct work {
    struct cli *cli;
    struct call call;    /* complaints gather in its errors and warnings */
    struct buf out;      /* the result */
    const json *request; /* --request-json, once it was read */
    bool misused;        /* the command was called wrongly */
};

void work_begin(struct work *w, struct cli *cli);
/* Prints the result and the complaints. status, but EXIT_FAILED (or EXIT_USAGE) if there were
 * errors. */
int work_end(struct work *w, int status);
/* Writes one complaint as --error-format says. The text gets the kind ("error") before it. */
void work_put_note(struct work *w, struct buf *out, const struct calls_note *note);
/* The number of the option's value among `names` (ending with NULL), 0 if it was not given. False
 * after a complaint for any other value: the command was called wrongly. */
MUST_USE bool work_choice(struct work *w, const char *option, const char *const *names,
                          size_t *out);

/* ---- cedar_input.c: readers. False after a complaint. ---- */
MUST_USE bool work_file(struct work *w, str path, str *out);
/* The file that the option names; "-", and without the option: standard input. */
MUST_USE bool work_input(struct work *w, const char *option, str *name, str *text);
MUST_USE bool work_json(struct work *w, str name, str text, const json **out);
/* new_links: a file of links that does not exist is an empty one. */
MUST_USE bool work_policies(struct work *w, bool new_links, struct calls_policies *out);
/* In JSON whatever --policy-format says, without links. */
MUST_USE bool work_policies_json(struct work *w, struct calls_policies *out);
/* *out is NULL where the option was not given. */
MUST_USE bool work_schema(struct work *w, const struct schema **out);
/* Of --entities, else the member "entities" of --request-json, else none. */
MUST_USE bool work_entities(struct work *w, const struct schema *schema,
                            struct cedar_entities *out);
/* *out is NULL where the option was not given. */
MUST_USE bool work_request_json(struct work *w, const json **out);
struct work_request {
    struct cedar_request req;
    struct cedar_value context;
};
/* Values live in the cli's arena; *out must not move afterwards. */
MUST_USE bool work_request(struct work *w, const struct schema *schema, struct work_request *out);
/* {"?principal": "Type::\"id\"", ..} fills the slots of a template; the link is added to the set.
 */
MUST_USE bool work_link(struct work *w, struct calls_policies *set, str template_id, str link_id,
                        const json *values);

/* ---- the verbs ---- */
int cedar_authorize_verb(struct cli *c), cedar_evaluate_verb(struct cli *c);   /* cedar_decide.c */
int cedar_validate_verb(struct cli *c), cedar_check_parse_verb(struct cli *c); /* cedar_check.c */
int cedar_format_verb(struct cli *c), cedar_link_verb(struct cli *c);          /* cedar_write.c */
int cedar_translate_policy_verb(struct cli *c), cedar_translate_schema_verb(struct cli *c);
int cedar_tpe_verb(struct cli *c);   /* cedar_tpe.c */
int cedar_batch_verb(struct cli *c); /* cedar_batch.c */
int cedar_tool_schema_verb(struct cli *c),
    cedar_tool_request_verb(struct cli *c); /* cedar_tools.c */

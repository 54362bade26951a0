/* `ambit cedar`: the policy engine alone, on files; no configuration, no gateway. */
#include "cmd/cedar.h"

/* ---- complaints ---- */

static const char *const ERROR_FORMATS[] = {"human", "plain", "json", NULL};
enum { FORMAT_HUMAN, FORMAT_PLAIN, FORMAT_JSON };

void work_begin(struct work *w, struct cli *cli)
{
    *w = (struct work){.cli = cli, .call = {.a = &cli->arena}};
}

static void put_plain(struct buf *out, const struct calls_note *note, bool excerpt)
{
    struct cedar_diag one = {.severity = note->severity,
                             .span = note->span,
                             .code = note->code,
                             .text = note->text,
                             .help = excerpt ? note->help : (str){0}};
    struct buf b = {0};
    if (excerpt && note->code && note->in && note->in->source.n) {
        cedar_diag_print(note->in, &one, &b);
    } else {
        if (note->in && note->in->name.n)
            buf_printf(&b, "%.*s:", STR(note->in->name));
        if (note->in && note->in->source.n) {
            struct cedar_place at = cedar_place(note->in->source, note->span.start);
            buf_printf(&b, "%u:%u:", at.line, at.column);
        }
        if (buf_len(&b))
            buf_putc(&b, ' ');
        buf_printf(&b, "%s: %.*s\n", note->severity == CEDAR_ERROR ? "error" : "warning",
                   STR(note->text));
    }
    for (str rest = buf_str(&b), line; rest.n;) {
        str_cut(rest, '\n', &line, &rest);
        put_safe(out, line);
        buf_putc(out, '\n');
    }
    buf_fini(&b);
}

void work_put_note(struct work *w, struct buf *out, const struct calls_note *note)
{
    size_t format = 0;
    (void)!work_choice(w, "error-format", ERROR_FORMATS, &format);
    if (format == FORMAT_JSON) {
        struct call c = {.a = w->call.a, .w = jw(out)};
        calls_write_note(&c, note);
        buf_putc(out, '\n');
        return;
    }
    put_plain(out, note, format == FORMAT_HUMAN);
    for (size_t i = note->rest_from; i && i < note->in->count; i++) {
        struct calls_note other = calls_note_of(note->in, &note->in->items[i]);
        if (other.severity == CEDAR_ERROR)
            put_plain(out, &other, format == FORMAT_HUMAN);
    }
}

int work_end(struct work *w, int status)
{
    struct buf complaints = {0};
    for (size_t i = 0; i < w->call.warnings.count; i++)
        work_put_note(w, &complaints, &w->call.warnings.items[i]);
    for (size_t i = 0; i < w->call.errors.count; i++)
        work_put_note(w, &complaints, &w->call.errors.items[i]);
    print_buf(stdout, &w->out);
    fflush(stdout);
    print_buf(stderr, &complaints);
    if (w->misused)
        return EXIT_USAGE;
    return w->call.errors.count ? EXIT_FAILED : status;
}

bool work_choice(struct work *w, const char *option, const char *const *names, size_t *out)
{
    str value = args_get(&w->cli->args, option);
    *out = 0;
    if (!args_has(&w->cli->args, option))
        return true;
    for (size_t i = 0; names[i]; i++) {
        if (!str_eq(value, str_z(names[i])))
            continue;
        *out = i;
        return true;
    }
    calls_fail(&w->call, "--%s: there is no `%.*s`", option, STR(str_take(value, 80)));
    w->misused = true;
    return false;
}

/* ---- verbs ---- */

static const struct opt AUTHORIZE[] = {
    OPTS_REQUEST,
    OPTS_POLICIES,
    OPTS_SCHEMA,
    OPT_ENTITIES,
    {"verbose", 'v', OPT_FLAG, NULL, "also name the policies that decided"},
    OPT_TIMING,
    OPT_ERROR_FORMAT,
    {0}};
static const struct opt VALIDATE[] = {
    OPTS_SCHEMA,
    OPTS_POLICIES,
    {"deny-warnings", 0, OPT_FLAG, NULL, "let warnings fail the policies"},
    {"validation-mode", 0, OPT_VALUE, "MODE", "strict or permissive (default: strict)"},
    {"level", 0, OPT_VALUE, "N", "also: no entity is read more than N steps from the request"},
    OPT_ERROR_FORMAT,
    {0}};
static const struct opt CHECK_PARSE[] = {
    OPTS_POLICIES,    {"expression", 0, OPT_VALUE, "TEXT", "one expression"},
    OPTS_SCHEMA,      OPT_ENTITIES,
    OPT_ERROR_FORMAT, {0}};
static const struct opt EVALUATE[] = {
    OPTS_REQUEST, OPTS_SCHEMA, OPT_ENTITIES, OPT_ERROR_FORMAT, {0}};
static const struct opt FORMAT[] = {
    {"policies", 'p', OPT_VALUE, "FILE", "policies and templates (default: standard input)"},
    {"line-width", 'l', OPT_VALUE, "N", "columns (default: 80)"},
    {"indent-width", 'i', OPT_VALUE, "N", "columns of a level (default: 2)"},
    {"write", 'w', OPT_FLAG, NULL, "write the result into the file"},
    {"check", 'c', OPT_FLAG, NULL, "fail if the text changes"},
    OPT_ERROR_FORMAT,
    {0}};
static const struct opt TRANSLATE_POLICY[] = {
    {"direction", 0, OPT_VALUE, "DIRECTION", "cedar-to-json or json-to-cedar"},
    {"policies", 'p', OPT_VALUE, "FILE", "policies and templates (default: standard input)"},
    OPT_ERROR_FORMAT,
    {0}};
static const struct opt TRANSLATE_SCHEMA[] = {
    {"direction", 0, OPT_VALUE, "DIRECTION",
     "json-to-cedar, cedar-to-json or cedar-to-json-with-resolved-types"},
    {"schema", 's', OPT_VALUE, "FILE", "the schema (default: standard input)"},
    OPT_ERROR_FORMAT,
    {0}};
static const struct opt LINK[] = {
    OPTS_POLICIES,
    {"template-id", 0, OPT_VALUE, "ID", "the template"},
    {"new-id", 'n', OPT_VALUE, "ID", "the id of the link"},
    {"arguments", 'a', OPT_VALUE, "JSON", "what fills the slots: {\"?principal\": \"User::..\"}"},
    OPT_ERROR_FORMAT,
    {0}};
static const struct opt TPE[] = {
    {"principal-type", 0, OPT_VALUE, "TYPE", "the type of who asks"},
    {"principal-eid", 0, OPT_VALUE, "ID", "and the id, where it is known"},
    {"action", 'a', OPT_VALUE, "UID", "what for: Action::\"view\""},
    {"resource-type", 0, OPT_VALUE, "TYPE", "the type of the resource"},
    {"resource-eid", 0, OPT_VALUE, "ID", "and the id, where it is known"},
    {"context", 'c', OPT_VALUE, "FILE", "JSON object; without it the context is unknown"},
    OPT_REQUEST_JSON,
    OPTS_POLICIES,
    OPTS_SCHEMA,
    OPT_ENTITIES,
    OPT_TIMING,
    OPT_ERROR_FORMAT,
    {0}};

static const struct opt TOOL_SCHEMA[] = {
    OPTS_TOOLS, {"json", 0, OPT_FLAG, NULL, "as schema JSON"}, OPT_ERROR_FORMAT, {0}};
static const struct opt TOOL_REQUEST[] = {
    OPTS_TOOLS,
    {"principal", 'l', OPT_VALUE, "UID", "who calls: Client::\"ann\""},
    {"claims", 0, OPT_VALUE, "JSON", "what is known of the caller: an object, or a file"},
    {"group", 0, OPT_LIST, "ID", "toolhive: a group of the caller; may be repeated"},
    {"resource", 'r', OPT_VALUE, "UID", "on what (default: the server)"},
    {"context", 'c', OPT_VALUE, "JSON", "what else the context has: an object, or a file"},
    {"tool", 0, OPT_VALUE, "NAME", "the tool called"},
    {"arguments", 0, OPT_VALUE, "JSON", "its arguments: an object, or a file (default: {})"},
    OPT_ERROR_FORMAT,
    {0}};

static const struct verb CEDAR[] = {
    {"authorize", 0, 0, 0, "[REQUEST] [-p FILE] [-s FILE] --entities FILE",
     "Decide one request: ALLOW (0) or DENY (2).",
     "ambit cedar authorize -l 'User::\"ann\"' -a 'Action::\"view\"' -r 'Doc::\"a\"' "
     "-p desk.cedar --entities entities.json",
     AUTHORIZE, cedar_authorize_verb},
    {"validate", 0, 0, 0, "-s FILE [-p FILE]", "Hold policies against a schema: 0 or 3.",
     "ambit cedar validate -s desk.cedarschema -p desk.cedar", VALIDATE, cedar_validate_verb},
    {"check-parse", 0, 0, 0, "[-p FILE] [-s FILE] [--entities FILE]",
     "See whether files can be read.", "ambit cedar check-parse -p desk.cedar", CHECK_PARSE,
     cedar_check_parse_verb},
    {"evaluate", 0, 1, 1, "[REQUEST] EXPRESSION", "Print the value of one expression.",
     "ambit cedar evaluate -l 'User::\"ann\"' -a 'Action::\"view\"' -r 'Doc::\"a\"' '1 + 1'",
     EVALUATE, cedar_evaluate_verb},
    {"format", 0, 0, 0, "[-p FILE]", "Lay policies out, comments and all.",
     "ambit cedar format -w -p desk.cedar", FORMAT, cedar_format_verb},
    {"translate-policy", 0, 0, 0, "--direction DIRECTION [-p FILE]",
     "Policies from text to JSON, or back.",
     "ambit cedar translate-policy --direction cedar-to-json -p desk.cedar", TRANSLATE_POLICY,
     cedar_translate_policy_verb},
    {"translate-schema", 0, 0, 0, "--direction DIRECTION [-s FILE]",
     "A schema from text to JSON, or back.",
     "ambit cedar translate-schema --direction cedar-to-json -s desk.cedarschema", TRANSLATE_SCHEMA,
     cedar_translate_schema_verb},
    {"link", 0, 0, 0, "--template-id ID --new-id ID --arguments JSON [-p FILE] [-k FILE]",
     "Fill the slots of a template.",
     "ambit cedar link -p desk.cedar -k links.json --template-id policy0 -n ann -a "
     "'{\"?principal\": \"User::\\\"ann\\\"\"}'",
     LINK, cedar_link_verb},
    {"tpe", 0, 0, 0, "[REQUEST] [-p FILE] -s FILE --entities FILE",
     "Decide a request that is known in part: ALLOW (0), DENY (2) or UNKNOWN (4).",
     "ambit cedar tpe --principal-type User -a 'Action::\"view\"' --resource-type Doc "
     "-p desk.cedar -s desk.cedarschema --entities entities.json",
     TPE, cedar_tpe_verb},
    {"batch", 0, 0, 0, "", "Answer calls from standard input, one line of JSON each.",
     "ambit cedar batch < calls.jsonl", NULL, cedar_batch_verb},
    {"tool-schema", 0, 0, 0, "--profile PROFILE --server NAME [--tools FILE]",
     "Tools of an MCP server as a schema.",
     "ambit cedar tool-schema --profile agentcore --server desk --tools tools.json", TOOL_SCHEMA,
     cedar_tool_schema_verb},
    {"tool-request", 0, 0, 0,
     "--profile PROFILE --server NAME [--tools FILE] --principal UID --tool NAME [--arguments "
     "JSON]",
     "A call of a tool as a request, with its entities.",
     "ambit cedar tool-request --profile agentcore --server desk --tools tools.json "
     "-l 'AgentCore::OAuthUser::\"ann\"' --tool refund --arguments '{\"amount\": 12.5}' "
     "| ambit cedar authorize --request-json - -p desk.cedar",
     TOOL_REQUEST, cedar_tool_request_verb},
};

int cmd_cedar(int argc, char **argv)
{
    return verbs_run("cedar", CEDAR, sizeof CEDAR / sizeof CEDAR[0], argc, argv);
}

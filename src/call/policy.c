/* Loading a policy set, and asking it. */
#include "call/policy_int.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/rand.h"
#include "call/schema_text.h"
#include "cedar/eval/guard.h"
#include "cedar/check/lint.h"
#include "guardrails.h"

#include <stdlib.h>

str decision_name(enum decision d)
{
    static const char *const names[] = {"deny", "hold", "allow"};
    return str_z(names[d]);
}

/* ---- loading ---- */

static bool parse_text(struct policy_set *p, str name, str text, struct cedar_policies *out,
                       struct cedar_diags *d)
{
    return cedar_policies_parse(&p->arena, name, text, out, d) &&
           validate_policies(p->schema, out, NULL, d);
}

static bool read_schema(struct policy_set *p, struct buf *report, struct err *err)
{
    struct buf text = {0};
    struct cedar_diags d;
    schema_text_write(p->conf, &text);
    str kept = str_dup(&p->arena, buf_str(&text));
    buf_fini(&text);
    cedar_diags_init(&d, &p->arena, S("generated schema"), kept);
    if (schema_read(&p->arena, kept, &p->schema, &d))
        return true;
    cedar_diags_print(&d, report);
    return err_input(err, "the schema made from the configuration is not valid: look at the "
                          "\"args\" types of its operations");
}

/* diags: one list a text. */
static bool parse_all(struct policy_set *p, struct cedar_diags *diags, struct err *err)
{
    p->texts = ARENA_ARRAY(&p->arena, struct cedar_policies, p->texts_n);
    bool ok = parse_text(p, S("guardrails.cedar"), str_z(GUARDRAILS), &p->texts[0], &diags[0]);
    for (size_t i = 1; i < p->texts_n; i++) {
        const struct conf_policy_file *f = &p->conf->policies[i - 1];
        ok = parse_text(p, f->name, str_dup(&p->arena, f->text), &p->texts[i], &diags[i]) && ok;
    }
    return ok || err_input(err, "the policies are not valid; nothing was loaded");
}

/* The operator's texts only: ours are tested to give no warning. */
static void lint_all(struct policy_set *p, struct cedar_diags *diags)
{
    static const char *const annotations[] = {"id", "advice", NULL};
    struct lint_options how = {.stored = true,
                               .unlinked = true,
                               .theirs = S("args"),
                               .known = &p->known,
                               .annotations = annotations};
    for (size_t i = 1; i < p->texts_n; i++)
        lint_policies(p->schema, &p->texts[i], &how, &diags[i]);
}

static str base_name(str path)
{
    while (path.n && memchr(path.p, '/', path.n))
        path = str_skip(path, (size_t)((const char *)memchr(path.p, '/', path.n) - path.p) + 1);
    return path;
}

/* A policy is known by its @id, else by file and place. Two of one name would make records
 * ambiguous. */
static bool name_policies(struct policy_set *p, struct err *err)
{
    struct map seen = {0};
    size_t n = cedar_set_count(p->set);
    bool ok = true;
    p->ids = ARENA_ARRAY(&p->arena, str, n + 1);
    for (size_t i = 0; i < n && ok; i++) {
        const struct cedar_policy *policy = cedar_set_policy(p->set, i);
        const str *id = cedar_policy_annotation(policy, S("id"));
        p->ids[i] = id && id->n
                        ? *id
                        : str_fmt(&p->arena, "%.*s:%.*s",
                                  STR(base_name(cedar_set_text(p->set, i)->name)), STR(policy->id));
        if (p->ids[i].n > 128 || map_put(&seen, p->ids[i], p))
            ok = err_input(err,
                           "two policies are called \"%.*s\" (or the name is over 128 bytes): give "
                           "each its own @id",
                           STR(str_take(p->ids[i], 128)));
    }
    map_fini(&seen);
    return ok;
}

static void digest_all(struct policy_set *p)
{
    struct sha256 sum;
    sha256_begin(&sum);
    for (size_t i = 0; i < p->texts_n; i++) {
        uint64_t n = p->texts[i].text.n;
        sha256_add(&sum, str_of((const char *)&n, sizeof n));
        sha256_add(&sum, p->texts[i].text);
    }
    struct buf schema = {0};
    schema_text_write(p->conf, &schema);
    sha256_add(&sum, buf_str(&schema));
    buf_fini(&schema);
    struct hash h = sha256_end(&sum);
    p->digest = base64url_dup(&p->arena, hash_str(&h));
}

static bool compile(struct policy_set *p, struct err *err)
{
    const struct cedar_policies **texts =
        ARENA_ARRAY(&p->arena, const struct cedar_policies *, p->texts_n);
    for (size_t i = 0; i < p->texts_n; i++)
        texts[i] = &p->texts[i];
    p->set = cedar_compile_typed(p->schema, texts, p->texts_n, p->seed, err);
    return p->set != NULL;
}

static bool load(struct policy_set *p, struct cedar_diags *diags, struct err *err)
{
    if (!parse_all(p, diags, err) || !compile(p, err) || !name_policies(p, err) ||
        !policy_known_entities(p, NULL, clock_wall_ms(), err) ||
        !policy_entities_conform(p, &p->known, err))
        return false;
    lint_all(p, diags);
    digest_all(p);
    return true;
}

bool policy_load(const struct conf *conf, struct policy_set **out, struct buf *out_report,
                 struct err *err)
{
    struct policy_set *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->conf = conf;
    p->texts_n = conf->policies_n + 1;
    rand_bytes(&p->seed, sizeof p->seed);
    struct cedar_diags *diags = ARENA_ARRAY(&p->arena, struct cedar_diags, p->texts_n);
    bool ok = read_schema(p, out_report, err) && load(p, diags, err);
    for (size_t i = 0; i < p->texts_n; i++)
        cedar_diags_print(&diags[i], out_report);
    if (ok)
        *out = p;
    else
        policy_free(p);
    return ok;
}

void policy_free(struct policy_set *p)
{
    if (!p)
        return;
    cedar_set_free(p->set);
    arena_fini(&p->known_arena);
    arena_fini(&p->arena);
    free(p);
}

str policy_digest(const struct policy_set *p)
{
    return p->digest;
}

size_t policy_count(const struct policy_set *p)
{
    return cedar_set_count(p->set);
}

str policy_text(const struct policy_set *p, str id)
{
    for (size_t i = 0; i < cedar_set_count(p->set); i++)
        if (str_eq(p->ids[i], id))
            return cedar_span_text(cedar_set_text(p->set, i)->text,
                                   cedar_set_policy(p->set, i)->span);
    return (str){0};
}

/* ---- asking ---- */

static void add_advice(struct buf *out, const struct cedar_policy *policy)
{
    const str *advice = cedar_policy_annotation(policy, S("advice"));
    if (!advice || !advice->n)
        return;
    if (buf_len(out))
        buf_putc(out, ' ');
    buf_put(out, *advice);
}

void policy_explain(const struct policy_set *p, const struct cedar_verdict *cv, struct arena *a,
                    struct verdict *v)
{
    const struct cedar_response *res = &cv->response;
    struct buf advice = {.max = 2000};
    v->policies = ARENA_ARRAY(a, str, res->reason_count + res->error_count + 1);
    for (size_t i = 0; i < res->reason_count; i++) {
        v->policies[v->policies_n++] = p->ids[res->reasons[i]];
        add_advice(&advice, cedar_set_policy(p->set, res->reasons[i]));
    }
    for (size_t i = 0; i < res->error_count; i++)
        v->policies[v->policies_n++] = p->ids[res->errors[i].policy];
    v->error = cv->failed;
    v->decision = cv->allowed ? DECISION_ALLOW : DECISION_DENY;
    v->advice = str_dup(a, buf_str(&advice));
    buf_fini(&advice);
}

bool policy_decide(const struct policy_set *p, const struct policy_call *call, struct arena *a,
                   struct verdict *out, struct err *err)
{
    struct cedar_value context;
    struct verdict v = {0};
    struct cedar_request req = {
        .principal = {S("Ambit::Agent"), call->task->agent},
        .action = {S("Ambit::Action"), schema_action_of(a, call->tool->conf, call->tool->label)},
        .resource = {S("Ambit::System"), call->tool->binding},
        .context = &context,
    };
    if (!policy_call_context(call, p, false, a, &context, err))
        return false;
    struct cedar_verdict as_it_stands = cedar_enforce(p->set, p->schema, &req, &p->known, a);
    policy_explain(p, &as_it_stands, a, &v);
    if (v.decision == DECISION_DENY && !v.error && !call->approval) {
        /* Denied as it stands; would an approval change that? */
        if (!policy_call_context(call, p, true, a, &context, err))
            return false;
        struct cedar_verdict with = cedar_enforce(p->set, p->schema, &req, &p->known, a);
        if (with.allowed && !v.policies_n)
            policy_explain(p, &with, a, &v); /* no policy forbids it: these would let it through */
        if (with.allowed)
            v.decision = DECISION_HOLD;
    }
    *out = v;
    return true;
}

/* call: what the calls have in common: arguments by table, errors in lists, answers. Internal.
 *
 * A reader (calls_read_*) gives false or NULL after it has put the reason on c->errors; several may
 * run before the call gives up, so that everything that is wrong is told at once. */
#pragma once
#include "cedar/calls/calls.h"
#include "cedar/cedar.h"
#include "cedar/schema/schema_print.h"

/* One error or warning, as it will be written. */
struct calls_note {
    str text, help;
    const char *code; /* NULL: none */
    enum cedar_severity severity;
    struct cedar_span span; /* empty: it is about no place in a text */
    bool has_span;
    const struct cedar_diags *rest; /* of that text, from number rest_from on: written as related */
    size_t rest_from;
};

struct calls_notes {
    struct calls_note *items;
    size_t count, cap;
};

struct call {
    struct arena *a;
    struct jw w;
    struct calls_notes errors, warnings;
};

typedef void calls_fn(struct call *c, const json *input);

/* ---- call.c: errors ---- */
void calls_fail(struct call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));
/* The first error of d, the others related; `what` says of which text. */
void calls_fail_diags(struct call *c, str what, const struct cedar_diags *d);
void calls_note_add(struct call *c, struct calls_notes *to, struct calls_note note);
struct calls_note calls_note_of(const struct cedar_diag *d);

/* ---- call.c: answers ---- */
/* {"type": "success" - the caller goes on with members and jw_end_obj. */
void calls_success(struct call *c);
/* The whole answer for a call that failed; with_warnings adds that list. */
void calls_failure(struct call *c, bool with_warnings);
void calls_write_note(struct call *c, const struct calls_note *note);
void calls_write_notes(struct call *c, str name, const struct calls_notes *notes);
/* {"type":"success"}, or the failure. */
void calls_conclude(struct call *c);

/* A message as it may be written: with whole characters only. */
str calls_text(struct call *c, str s);

/* ---- call.c: arguments ---- */
struct calls_member {
    const char *name;
    bool required;
};
enum { CALL_MEMBERS_MAX = 8 };
/* v must be an object with no member beside those of the table, whose end is a NULL name. out[i] is
 * the i-th member; NULL: absent. */
MUST_USE bool calls_members(struct call *c, const char *what, const json *v,
                            const struct calls_member *table, const json **out);

/* ---- call_read.c ---- */
MUST_USE bool calls_read_uid(struct call *c, const char *what, const json *v,
                             struct cedar_uid *out);
/* Text or JSON. Warnings go to c->warnings. */
MUST_USE bool calls_read_schema_source(struct call *c, const json *v, struct schema_source *out);
/* NULL: it failed. */
const struct schema *calls_read_schema(struct call *c, const json *v);
/* schema may be NULL. Action entities of the schema are in the store. */
MUST_USE bool calls_read_entities(struct call *c, const json *v, const struct schema *schema,
                                  struct cedar_entities *out);
/* With a schema and an action, the action must be known and the context have the attributes that
 * it wants; whether their values conform is not looked at. */
MUST_USE bool calls_read_context(struct call *c, const json *v, const struct schema *schema,
                                 const struct cedar_uid *action, struct cedar_value *out);

/* ---- call_policies.c ---- */
/* A policy set: static policies, templates and links in one list, and the text that each stands in
 * (empty for what came as JSON). */
struct calls_policies {
    struct cedar_policies all;
    str *texts; /* as many as there are policies */
    size_t cap;
};
/* One policy (or template) alone, as text or as JSON; *text is empty for the latter. */
MUST_USE bool calls_read_policy(struct call *c, str id, const json *v, bool is_template,
                                struct cedar_policy *out, str *text);
MUST_USE bool calls_read_policies(struct call *c, const json *v, struct calls_policies *out);

/* ---- the calls ---- */
calls_fn calls_is_authorized, calls_validate; /* call_decide.c */
calls_fn calls_policy_to_json, calls_policy_to_text, calls_template_to_json, calls_template_to_text,
    calls_text_to_parts, calls_format, calls_lang_version, calls_sdk_version;  /* call_convert.c */
calls_fn calls_schema_to_json, calls_schema_to_text, calls_schema_to_resolved; /* call_schema.c */
calls_fn calls_envs_of_policy, calls_envs_of_template;                         /* call_envs.c */

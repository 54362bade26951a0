/* call: what the calls have in common: arguments by table, errors in lists, answers. Internal to
 * this room and to `ambit cedar`, which reads its files by the same readers.
 *
 * A reader (calls_read_*) gives false or NULL after it has put the reason on c->errors; several may
 * run before the call gives up, so that everything that is wrong is told at once. */
#pragma once
#include "cedar/calls/calls.h"
#include "cedar/cedar.h"
#include "cedar/check/validate.h"
#include "cedar/schema/schema_print.h"

/* One error or warning, as it will be written. */
struct calls_note {
    str text, help;
    const char *code; /* NULL: none */
    enum cedar_severity severity;
    struct cedar_span span;
    const struct cedar_diags *in; /* the text that span is of; NULL: it is about no text */
    size_t rest_from;             /* errors of `in` from this on are related; 0: none */
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
struct calls_note calls_note_of(const struct cedar_diags *d, const struct cedar_diag *one);

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
/* Warnings go to c->warnings. The name is for messages. */
MUST_USE bool calls_read_schema_text(struct call *c, str name, str text, bool is_json,
                                     struct schema_source *out);
/* Text or JSON. */
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
    str name;   /* of the texts, for messages */
    str *texts; /* as many as there are policies */
    size_t cap;
};
/* All of a text; templates only where they may stand. *set may hold others already. */
MUST_USE bool calls_read_policies_text(struct call *c, str name, str text, bool with_templates,
                                       struct calls_policies *set);
/* One more; text: where it stands. */
MUST_USE bool calls_add_policy(struct call *c, struct calls_policies *set,
                               const struct cedar_policy *p, str text);
/* One policy (or template) alone, as text or as JSON; *text is empty for the latter. */
MUST_USE bool calls_read_policy(struct call *c, str id, const json *v, bool is_template,
                                struct cedar_policy *out, str *text);
MUST_USE bool calls_read_policies(struct call *c, const json *v, struct calls_policies *out);

/* ---- call_decide.c ---- */
/* What went wrong when the policy was evaluated. */
struct calls_note calls_note_of_policy(struct call *c, const struct calls_policies *set,
                                       uint32_t policy, str text);

struct calls_findings {
    const struct cedar_diags **items; /* one for each policy */
    size_t count;
    bool passed; /* no errors */
    size_t warnings;
};
/* All policies, templates and links against the schema. */
struct calls_findings calls_check_policies(struct call *c, const struct schema *schema,
                                           const struct calls_policies *set,
                                           const struct validate_options *how);

/* ---- the calls ---- */
calls_fn calls_is_authorized, calls_validate; /* call_decide.c */
calls_fn calls_policy_to_json, calls_policy_to_text, calls_template_to_json, calls_template_to_text,
    calls_text_to_parts, calls_format, calls_lang_version, calls_sdk_version;  /* call_convert.c */
calls_fn calls_schema_to_json, calls_schema_to_text, calls_schema_to_resolved; /* call_schema.c */
calls_fn calls_envs_of_policy, calls_envs_of_template;                         /* call_envs.c */

/* ---- call_echo.c ---- */
/* Policy JSON that was read without an error, given back: without what the reader passed over. */
void calls_echo_policy(struct buf *out, const json *policy);

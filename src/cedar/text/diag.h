/* diag: what is wrong with a text of ours (policies, schema), where, and how to mend it.
 *
 * A list of diagnostics belongs to one text and lives in one arena. At most CEDAR_DIAGS_MAX are
 * kept; what comes after is counted only. Spans are byte offsets into the text, [start, end). The
 * zero severity is an error. Texts name the thing and stay on one line; they may quote the text
 * itself. One thread at a time. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"

struct cedar_span {
    uint32_t start, end;
};

enum cedar_severity {
    CEDAR_ERROR = 0,
    CEDAR_WARNING,
};

enum { CEDAR_DIAGS_MAX = 100 };

struct cedar_diag {
    enum cedar_severity severity;
    const char
        *code; /* stable, for tests and tools: "parse", "reserved-word", "type-mismatch" ... */
    struct cedar_span span;
    str text;
    str help;   /* what to write instead; may be empty */
    str policy; /* id of the policy it is about; empty where there is none */
};

struct cedar_diags {
    struct arena *arena; /* set by cedar_diags_init */
    str name;            /* of the text, for "name:line:column"; may be empty */
    str source;          /* the text itself */
    struct cedar_diag *items;
    size_t count, cap;
    size_t errors, warnings; /* all that were reported, kept or not */
};

void cedar_diags_init(struct cedar_diags *d, struct arena *a, str name, str source);
/* Adds one and returns it, so that the caller may set its policy; NULL when the list
 * is full. fmt makes the text. */
struct cedar_diag *cedar_diag(struct cedar_diags *d, enum cedar_severity severity, const char *code,
                              struct cedar_span span, const char *help, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

struct cedar_place {
    unsigned line, column; /* from 1; the column counts code points */
};
struct cedar_place cedar_place(str source, uint32_t offset);

/* "name:line:column: error: text [code]\n  <the source line>\n  ^^^^\n  help: ...\n" for one, or
 * for all.
 */
void cedar_diag_print(const struct cedar_diags *d, const struct cedar_diag *one, struct buf *out);
void cedar_diags_print(const struct cedar_diags *d, struct buf *out);

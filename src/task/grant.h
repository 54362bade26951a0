/* grant: one operation that a task may use, and what its arguments must be.
 *
 * A grant names "binding/tool" and, for some arguments, a constraint. A constraint has one or more
 * parts, all of which must hold: one of some values, a path prefix, a range of numbers, a greatest
 * length. A constrained argument must be there unless the constraint says otherwise: leaving it out
 * is not a way around it. docs/formats/grant.md is the JSON form.
 *
 * grant_within is the subset relation on which delegation, templates and requests stand: every part
 * that the parent has stands in the child, no broader. What is not known is refused when it is
 * read, so nothing here is ever skipped. Everything read lives in the arena given. Pure. */
#pragma once
#include "base/json.h"

enum {
    GRANT_ARGS_MAX = 16,             /* constrained arguments of one grant */
    GRANT_VALUES_MAX = 64,           /* of one constraint */
    GRANT_VALUE_BYTES_MAX = 1024,    /* of one value or prefix, as JSON */
    GRANT_LIST_BYTES_MAX = 32 << 10, /* of all grants of a task, as JSON */
    GRANT_FRACTION_MAX = 9,          /* digits of a number, after the point; 18 before it */
};

/* A number exactly: value times 10^GRANT_FRACTION_MAX. */
__extension__ typedef __int128 grant_number;

struct constraint {
    str arg;           /* a member of the arguments, at the top */
    bool optional;     /* it may be left out */
    const str *values; /* canonical JSON texts, sorted; none: any value */
    size_t values_n;
    str prefix; /* empty: any */
    bool has_min, has_max, has_length;
    str min_text, max_text; /* as they were written */
    grant_number min, max;
    int64_t length; /* characters of a string, at most */
};

struct task_grant {
    str operation;
    const struct constraint *args; /* sorted by name, none twice */
    size_t args_n;
};

/* "binding/tool", one by one: no pattern. */
MUST_USE bool grant_operation_check(str operation, struct err *err);
/* A string, or {"operation": ..., "args": {...}}. */
MUST_USE bool grant_read(struct arena *a, const json *v, struct task_grant *out, struct err *err);
/* An array of these, sorted by operation. The same operation twice is refused unless both are equal
 * (then it stands once). */
MUST_USE bool grants_read(struct arena *a, const json *list, struct task_grant **out, size_t *n,
                          struct err *err);
/* Sorts and removes doubles in place; as grants_read. */
MUST_USE bool grants_sort(struct task_grant *list, size_t *n, struct err *err);
void grant_write(struct jw *w, const struct task_grant *g);
void constraint_write(struct jw *w, const struct constraint *c);

/* May the operation be called with these arguments? ERR_DENIED says which argument and what it must
 * be. */
MUST_USE bool grant_admits(const struct task_grant *g, const json *args, struct err *err);
/* Does parent admit all that child admits? ERR_DENIED names the argument. */
MUST_USE bool grant_within(const struct task_grant *child, const struct task_grant *parent,
                           struct err *err);
/* The one for this operation, NULL: not granted. list sorted. */
const struct task_grant *grants_find(const struct task_grant *list, size_t n, str operation);

/* An immutable list of grants in one piece of memory, shared by the tasks that have the same. */
struct grant_set {
    unsigned refs;
    size_t n;
    struct task_grant *grants; /* sorted by operation */
    str *operations;           /* their names, in the same order */
};
/* list: as grants_sort leaves it. One reference is the caller's. */
struct grant_set *grant_set_new(const struct task_grant *list, size_t n);
struct grant_set *grant_set_ref(struct grant_set *s);
void grant_set_unref(struct grant_set *s); /* NULL is fine */
/* The JSON array of its grants. */
void grant_set_write(struct jw *w, const struct grant_set *s);

/* A plain decimal ("12", "-0.5"): no exponent, no sign '+', no leading zeros. */
bool grant_number_parse(str text, grant_number *out);
/* Is text prefix, or below it at a segment boundary, without segments that lead elsewhere? */
bool grant_has_prefix(str text, str prefix);

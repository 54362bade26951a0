/* ast: policies as they were written.
 *
 * Everything lives in the arena the parser was given and is immutable afterwards; names and strings
 * are unescaped copies or borrow the text, which must live as long. Every node knows its place
 * in the text. Sugar is kept (!=, >, >=, `has a.b.c`, chains), so that tools can show what was
 * written; what it means is said at each kind.
 *
 * A walk may recurse: expr->depth is the height of the tree (a leaf has 1) and never exceeds
 * CEDAR_DEPTH_MAX. Chains of && || + - * are one node with many kids, so they are wide, not deep.
 */
#pragma once
#include "cedar/text/diag.h"
#include "cedar/value/ext.h"
#include "cedar/text/lex.h"
#include "cedar/value/value.h"

enum cedar_var {
    CEDAR_PRINCIPAL = 0,
    CEDAR_ACTION,
    CEDAR_RESOURCE,
    CEDAR_CONTEXT,
};
extern const char *const cedar_var_names[4];

enum cedar_expr_kind {
    CEDAR_E_LITERAL, /* value: bool, long, string or entity */
    CEDAR_E_VAR,     /* var */
    CEDAR_E_IF,      /* kids: condition, then, else */
    CEDAR_E_AND,     /* kids: 2 or more, left to right, stops at the first false */
    CEDAR_E_OR,      /* likewise, stops at the first true */
    CEDAR_E_NOT,     /* kids: 1 */
    CEDAR_E_NEG,     /* kids: 1; never a number literal that could be folded */
    CEDAR_E_EQ,      /* kids: 2, for all comparisons */
    CEDAR_E_NE,      /* !(a == b) */
    CEDAR_E_LT,
    CEDAR_E_LE,
    CEDAR_E_GT,           /* !(a <= b) */
    CEDAR_E_GE,           /* !(a < b) */
    CEDAR_E_IN,           /* kids: 2 */
    CEDAR_E_SUM,          /* kids: 2 or more; kid i is subtracted where minus[i], else added */
    CEDAR_E_PRODUCT,      /* kids: 2 or more */
    CEDAR_E_HAS,          /* kids: 1; names: 1 or more. `x has a.b` is x has a && x.a has b */
    CEDAR_E_LIKE,         /* kids: 1; pattern */
    CEDAR_E_IS,           /* kids: 1, or 2 for `is T in e`; name: the type. a is T && a in e */
    CEDAR_E_ATTR,         /* kids: 1; name */
    CEDAR_E_CONTAINS,     /* kids: 2 */
    CEDAR_E_CONTAINS_ALL, /* kids: 2 */
    CEDAR_E_CONTAINS_ANY, /* kids: 2 */
    CEDAR_E_IS_EMPTY,     /* kids: 1 */
    CEDAR_E_HAS_TAG,      /* kids: 2 */
    CEDAR_E_GET_TAG,      /* kids: 2 */
    CEDAR_E_SET,          /* kids: 0 or more */
    CEDAR_E_RECORD,       /* kids and names: as many of each, as written, names distinct */
    CEDAR_E_CALL,  /* fn; kids: the arguments, the receiver first; their number is not checked */
    CEDAR_E_ERROR, /* fails when it is evaluated; in residuals only, no text reads as it */
};

struct cedar_expr {
    enum cedar_expr_kind kind;
    uint32_t depth;
    struct cedar_span span;
    struct cedar_expr **kids;
    uint32_t kid_count, name_count;
    union {
        struct cedar_value value;            /* LITERAL */
        enum cedar_var var;                  /* VAR */
        const bool *minus;                   /* SUM */
        str *names;                          /* HAS, RECORD: name_count */
        const struct cedar_pattern *pattern; /* LIKE */
        str name;                            /* IS, ATTR */
        enum cedar_fn fn;                    /* CALL */
    };
};

enum cedar_slot {
    CEDAR_SLOT_NONE = 0,
    CEDAR_SLOT_PRINCIPAL,
    CEDAR_SLOT_RESOURCE,
};

enum cedar_scope_op {
    CEDAR_SCOPE_ANY = 0,
    CEDAR_SCOPE_EQ,     /* uids[0], or the slot */
    CEDAR_SCOPE_IN,     /* uids[0], or the slot */
    CEDAR_SCOPE_IN_SET, /* action only: uids[0..], may be none */
    CEDAR_SCOPE_IS,     /* type */
    CEDAR_SCOPE_IS_IN,  /* type, and uids[0] or the slot */
};

struct cedar_uid_at {
    struct cedar_uid uid;
    struct cedar_span span;
};

struct cedar_scope {
    enum cedar_scope_op op;
    enum cedar_slot slot; /* in the place of uids[0] */
    struct cedar_span span;
    str type;
    struct cedar_span type_span;
    struct cedar_uid_at *uids;
    size_t uid_count;
};

struct cedar_annotation {
    str name, value; /* @name alone has the value "" */
    bool has_value;
    struct cedar_span span;
};

struct cedar_condition {
    bool unless;
    struct cedar_expr *body;
    struct cedar_span span;
};

enum cedar_effect {
    CEDAR_FORBID = 0,
    CEDAR_PERMIT,
};

struct cedar_policy {
    str id; /* policy0, policy1 ... in the order of the text */
    enum cedar_effect effect;
    struct cedar_span span;               /* from the first annotation to the semicolon */
    struct cedar_annotation *annotations; /* names distinct */
    size_t annotation_count;
    struct cedar_scope scope[3];        /* by CEDAR_PRINCIPAL, CEDAR_ACTION, CEDAR_RESOURCE */
    struct cedar_condition *conditions; /* all must hold, first to last */
    size_t condition_count;
    bool is_template; /* has a slot: never evaluated as it is */
    str template_id;  /* of the template it was linked from (link.h); p is NULL otherwise */
};
static inline bool cedar_policy_is_link(const struct cedar_policy *p)
{
    return p->template_id.p != NULL;
}

/* What a reader of one policy may give back. */
enum cedar_want {
    CEDAR_WANT_STATIC = 0,
    CEDAR_WANT_TEMPLATE,
    CEDAR_WANT_EITHER,
};

/* Static policies, templates and links, in one list. What was not read from Cedar text has an empty
 * text, and spans of nothing. */
struct cedar_policies {
    str name; /* of the text */
    str text;
    struct cedar_policy *items;
    size_t count;
    size_t cap;      /* this and the next belong to cedar_policies_add (link.h) */
    struct map *ids; /* of the items: number from 1; NULL until something is added */
};

/* The annotation's value; NULL if the policy has none of that name. */
const str *cedar_policy_annotation(const struct cedar_policy *p, str name);
static inline str cedar_span_text(str source, struct cedar_span s)
{
    return str_take(str_skip(source, s.start), s.end - s.start);
}

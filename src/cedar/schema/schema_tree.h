/* schema_tree: a schema as it was written, between its parser and the resolver. Internal to the
 * schema reader. Everything lives in one arena; lists are in the order of the text. */
#pragma once
#include "cedar/policy/ast.h"

/* A name as written: "A::B::C" joined without spaces. */
struct raw_name {
    str text;
    struct cedar_span span;
    bool qualified;
};

enum raw_type_kind { RAW_NAME, RAW_SET, RAW_RECORD };

struct raw_attr {
    struct raw_attr *next;
    str name;
    struct cedar_span span;
    struct raw_type *type;
    bool optional;
};

struct raw_type {
    enum raw_type_kind kind;
    struct cedar_span span;
    struct raw_name name;   /* RAW_NAME */
    struct raw_type *elem;  /* RAW_SET */
    struct raw_attr *attrs; /* RAW_RECORD */
    size_t attr_count;
};

/* A list of names, ids or references; a reference to an action has both. */
struct raw_ref {
    struct raw_ref *next;
    struct raw_name name; /* text empty: no type given (an action reference by id alone) */
    str id;
    struct cedar_span span;
};

struct raw_refs {
    struct raw_ref *first, *last;
    size_t count;
};

enum raw_decl_kind { RAW_ENTITY, RAW_ENUM, RAW_ACTION, RAW_COMMON };

struct raw_decl {
    struct raw_decl *next;
    enum raw_decl_kind kind;
    struct cedar_span span;
    str space;             /* its namespace; empty for none */
    struct raw_refs names; /* what it declares; id holds each name */
    struct raw_refs parents;
    struct raw_type *shape; /* entity: record or NULL; common: the type; action: context or NULL */
    struct raw_type *tags;
    struct raw_refs ids; /* enum */
    bool applies;        /* action: has an appliesTo */
    struct raw_refs principals, resources;
    const struct cedar_annotation *annotations;
    size_t annotation_count;
};

struct raw_space {
    struct raw_space *next;
    struct raw_name name;
};

struct raw_schema {
    struct raw_decl *decls, *last_decl;
    size_t decl_count;
    struct raw_space *spaces, *last_space; /* named ones */
};

/* False when the text is no schema; why is in d. Stops at the first syntax error. */
MUST_USE bool schema_parse(struct arena *a, str text, struct raw_schema *out,
                           struct cedar_diags *d);

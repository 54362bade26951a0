/* schema_tree: a schema as it was written, in either syntax, between its reader and the resolver;
 * the printers work from it too. Internal to the schema room. Everything lives in one arena; lists
 * are in the order of the text.
 *
 * Spans are places in the human syntax. In a tree read from JSON a span's start is the number of a
 * place (schema_json.c), which becomes a path when something is reported. */
#pragma once
#include "cedar/policy/ast.h"

/* A name as written: "A::B::C" joined without spaces. */
struct raw_name {
    str text;
    struct cedar_span span;
    bool qualified;
    str full; /* set by the resolver: what it means; a built-in type's name stays as written */
    bool is_entity; /* set by the resolver: full is an entity type */
};

enum raw_type_kind {
    RAW_NAME, /* a common type, an entity type or a built-in one, in this order */
    RAW_SET,
    RAW_RECORD,
    /* what only JSON can say, but for the name of a context */
    RAW_ENTITY_NAME, /* an entity type and nothing else */
    RAW_COMMON_NAME, /* a common type or a built-in one */
    RAW_BUILTIN,     /* String, Long, Boolean: never another definition of that name */
    RAW_EXTENSION,   /* decimal, ipaddr ..: likewise */
};

struct raw_attr {
    struct raw_attr *next;
    str name;
    struct cedar_span span;
    struct raw_type *type;
    bool optional;
    const struct cedar_annotation *annotations;
    size_t annotation_count;
};

struct raw_type {
    enum raw_type_kind kind;
    struct cedar_span span;
    struct raw_name name;   /* all but RAW_SET and RAW_RECORD */
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
    struct raw_type *shape; /* entity: its attributes or NULL; common: the type; action: context or
                               NULL */
    struct raw_type *tags;
    struct raw_refs ids; /* enum */
    bool has_parents;    /* action: its groups are given, be it as an empty list */
    bool applies; /* action: what it applies to is given. In the human syntax always: there an
                     action without appliesTo applies to nothing, and JSON says so */
    struct raw_refs principals, resources;
    const struct cedar_annotation *annotations;
    size_t annotation_count;
};

struct raw_space {
    struct raw_space *next;
    struct raw_name name;
    const struct cedar_annotation *annotations;
    size_t annotation_count;
};

struct raw_schema {
    struct raw_decl *decls, *last_decl;
    size_t decl_count;
    struct raw_space *spaces, *last_space; /* named ones; the declarations of one stand together */
    bool from_json;
    bool bare; /* JSON: the empty namespace is given, be it without declarations */
};

/* The first declaration of a namespace at or after d. Namespaces are walked in the order of
 * raw_schema.spaces, each from where the one before ended; the empty one from the start:
 * for (d = raw_decl_of(s->decls, space); d; d = raw_decl_of(d->next, space)). */
static inline const struct raw_decl *raw_decl_of(const struct raw_decl *d, str space)
{
    while (d && (d->space.n == 0) != (space.n == 0))
        d = d->next;
    return d && str_eq(d->space, space) ? d : NULL;
}

/* False when the text is no schema; why is in d. Stops at the first syntax error. */
MUST_USE bool schema_parse(struct arena *a, str text, struct raw_schema *out,
                           struct cedar_diags *d);

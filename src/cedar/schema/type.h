/* type: the static types of Cedar values, and how they relate.
 *
 * A type is an immutable tree in some arena: a schema's own types live as long as the schema, those
 * the checker makes live for one check. Trees share subtrees freely. Entity types are numbers: the
 * index of the type in its schema (schema.h), so types of two schemas must never meet.
 *
 * The lattice has a bottom (never), singleton booleans below bool, and, in permissive mode only,
 * unions of entity types and width subtyping of records. Strict mode relates two entity types only
 * when they are the same, and two records only when they have the same attributes with the same
 * "required" marks; that is what keeps strictly typed policies analysable.
 *
 * Source of the rules: Cedar language 4.5 as SDK 4.12 checks it. Thread-safe: no state. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

struct schema;

enum ctype_kind {
    CTYPE_NONE = 0, /* no type: what an expression has that could not be typed */
    CTYPE_NEVER,
    CTYPE_TRUE,
    CTYPE_FALSE,
    CTYPE_BOOL,
    CTYPE_LONG,
    CTYPE_STRING,
    CTYPE_SET,
    CTYPE_RECORD,
    CTYPE_ENTITY,
    CTYPE_ANY_ENTITY,
    CTYPE_EXT,
};

enum ctype_ext { CTYPE_DECIMAL, CTYPE_IPADDR, CTYPE_DATETIME, CTYPE_DURATION, CTYPE_EXT_COUNT };

/* How wide the relations below are; the checker's mode. */
enum ctype_mode { CTYPE_STRICT = 0, CTYPE_PERMISSIVE };

struct ctype_attr {
    str name;
    const struct ctype *type;
    bool required;
};

struct ctype {
    enum ctype_kind kind;
    bool open;  /* record: may hold attributes that are not listed (checker only, never from a
                   schema) */
    uint32_t n; /* record: attributes; entity: types in the union */
    union {
        const struct ctype *elem;       /* set; NULL: a set of anything */
        const struct ctype_attr *attrs; /* record; ascending by name, no name twice */
        const uint32_t *etypes;         /* entity; ascending, at least one */
        enum ctype_ext ext;
    };
};

extern const struct ctype ctype_never, ctype_true, ctype_false, ctype_bool, ctype_long,
    ctype_string, ctype_any_set, ctype_any_record, ctype_any_entity, ctype_any_entity_set;
extern const struct ctype ctype_exts[CTYPE_EXT_COUNT];

static inline const struct ctype *ctype_of_bool(bool b)
{
    return b ? &ctype_true : &ctype_false;
}
static inline bool ctype_is_boolean(const struct ctype *t)
{
    return t->kind == CTYPE_TRUE || t->kind == CTYPE_FALSE || t->kind == CTYPE_BOOL;
}

const struct ctype *ctype_set(struct arena *a, const struct ctype *elem);
const struct ctype *ctype_entity(struct arena *a, uint32_t etype);
/* Sorts attrs by name in place and keeps the array; names must be distinct. */
const struct ctype *ctype_record(struct arena *a, struct ctype_attr *attrs, size_t n, bool open);

/* The attribute of a record type, NULL if it lists none of that name. Binary search. */
const struct ctype_attr *ctype_attr(const struct ctype *record, str name);
/* True if an entity type's union holds etype. */
bool ctype_has_etype(const struct ctype *t, uint32_t etype);

bool ctype_equal(const struct ctype *x, const struct ctype *y);
/* The nodes of the tree, up to max: what it may cost to compare it. */
size_t ctype_size(const struct ctype *t, size_t max);
bool ctype_is_subtype(const struct ctype *x, const struct ctype *y, enum ctype_mode mode);
/* True only if no value has both types. Errs towards false: sets are never disjoint (the empty
 * set). */
bool ctype_is_disjoint(const struct ctype *x, const struct ctype *y);

/* Why two types have no common supertype; for the help text of the finding. */
enum ctype_clash {
    CLASH_NONE = 0, /* they have one */
    CLASH_KIND,
    CLASH_ENTITY,        /* two entity types, strict */
    CLASH_ENTITY_RECORD, /* an entity and a record */
    CLASH_WIDTH,         /* records with different attributes, strict */
    CLASH_REQUIRED,      /* one attribute required here and optional there, strict */
};
/* The least type above both, in arena a; NULL, with the reason in *why, if there is none. */
const struct ctype *ctype_lub(struct arena *a, const struct ctype *x, const struct ctype *y,
                              enum ctype_mode mode, enum ctype_clash *why);

/* As a person would write it in a schema; entity names come from s. Output is bounded: deep and
 * wide types end in "...". */
void ctype_print(struct buf *out, const struct schema *s, const struct ctype *t);
/* "decimal", "ipaddr", "datetime", "duration". */
str ctype_ext_name(enum ctype_ext e);

/* tool_parts: what the files of tool_map share: input schemas as trees of types, and what becomes
 * of each in a profile. Internal. */
#pragma once
#include "base/buf.h"
#include "base/map.h"
#include "cedar/tools/tool_map.h"

enum tool_kind {
    TOOL_UNKNOWN = 0,
    TOOL_BOOL,
    TOOL_INTEGER,
    TOOL_NUMBER,
    TOOL_FLOAT,
    TOOL_STRING,
    TOOL_ENUM,
    TOOL_DECIMAL,
    TOOL_DATETIME,
    TOOL_DURATION,
    TOOL_IP,
    TOOL_NULL,
    TOOL_ARRAY,
    TOOL_TUPLE,
    TOOL_UNION,
    TOOL_OBJECT,
    TOOL_MAP, /* an object that takes members of other names, too */
    TOOL_REF,
    TOOL_KINDS,
};

/* What a value becomes. */
enum tool_as {
    AS_HIDDEN = 0,
    AS_BOOL,
    AS_LONG,
    AS_STRING,
    AS_DECIMAL,
    AS_DATETIME,
    AS_DURATION,
    AS_IP,
    AS_PRESENT, /* toolhive: no more than that it is there */
    AS_OPAQUE,  /* an entity of the profile's Null, Number, Float or Unknown */
    AS_ENUM,    /* an enumerated entity */
    AS_SET,
    AS_RECORD,
    AS_ENTITY,
    AS_TUPLE, /* record proj0 .. */
    AS_UNION, /* record typeChoice0 .. */
    AS_REF,   /* what it refers to */
};

struct tool_field {
    str name;
    struct tool_type *type;
    bool required;
};

struct tool_def {
    struct tool_def *next;
    str name, space; /* space: the namespace of the types made from it */
    struct tool_type *type;
};

struct tool_type {
    enum tool_kind kind;
    enum tool_as as;
    uint8_t state;             /* of finding out `as` */
    bool nullable;             /* X or null, as X */
    struct tool_type *elem;    /* ARRAY; MAP: its other members */
    struct tool_type **kids;   /* TUPLE, UNION */
    struct tool_field *fields; /* OBJECT, MAP */
    str *ids;                  /* ENUM */
    size_t count;              /* of kids, fields or ids */
    str ref;                   /* REF */
    const struct tool_def *def;
};

struct tool_params {
    struct tool_field *fields;
    size_t count;
    struct tool_def *defs;
};

struct tool {
    str name;
    str action; /* its id */
    struct tool_params input, output;
    struct tool_def *defs;
    const json *annotations;
};

/* Facts of the stub that shape requests (mcp-generated). */
struct tool_stub {
    str space;
    const struct raw_schema *tree;
};

struct tool_parts {
    const struct tool_profile *profile;
    const struct tool_options *options;
    str server;
    struct tool *tools;
    size_t count;
    struct map by_name;
    struct tool_def *defs;
    struct tool_stub stub;
    str space; /* of the profile's own types; empty: none */
};

struct tool_writer;
struct tool_profile {
    const char *name, *space;
    uint8_t as[TOOL_KINDS];
    bool nullable;      /* "X or null" is X */
    bool presence;      /* of a null where null may stand, it is said that it is there */
    bool named_records; /* a record is a common type, not written out */
    const char *sep;    /* between server and tool in the id of an action; NULL: the tool alone */
    const char *action; /* the id that the actions of all tools have; NULL: each its own */
    bool (*layout)(struct tool_writer *w);
    bool (*request)(struct arena *a, const struct tool_parts *p, const struct tool *t,
                    const struct tool_call *call, struct cedar_entities *entities,
                    struct tool_request *out, struct err *err);
};

/* ---- reading (tool_read.c) ---- */
MUST_USE bool tool_parts_read(struct arena *a, const json *tools, struct tool_parts *p,
                              struct err *err);
/* What becomes of each type in the profile, from the outside in. */
MUST_USE bool tool_settle(const struct tool_parts *p, struct err *err);

/* ---- the schema's text (tool_type_text.c, tool_layout.c) ---- */
struct tool_space {
    struct tool_space *next;
    str name;
    struct buf text;
};

struct tool_writer {
    struct arena *a;
    const struct tool_parts *parts;
    struct buf *out;                        /* the profile's own namespace */
    struct tool_space *spaces, *last_space; /* others, as they were met */
    struct map spaces_by_name;
    size_t bytes;        /* of their text */
    struct map declared; /* full names */
    size_t steps;
    unsigned depth;
    bool clash; /* a type has the name of a built-in one */
    str prefix; /* of the names of built-in types */
    struct err *err;
};

/* The type's name or form; declares the entity types it needs in namespace space under name. */
MUST_USE bool tool_put_type(struct tool_writer *w, struct buf *out, const struct tool_type *t,
                            str space, str name);
/* { "a": T, "b"?: U } of what is not hidden. */
MUST_USE bool tool_put_record(struct tool_writer *w, struct buf *out, const struct tool_field *f,
                              size_t n, str space);
/* type full = text; in its namespace. */
MUST_USE bool tool_put_common(struct tool_writer *w, str full, str text);
/* Notes a name; false if it was taken. */
MUST_USE bool tool_declare(struct tool_writer *w, str full);
/* "Space::tool::Input", and with flatten_namespaces "Space::tool_Input"; where its declaration
 * stands, and the last name there. */
str tool_full_name(struct arena *a, const struct tool_parts *p, str space, str name);
/* The namespace of the types of a tool's input or output. */
str tool_types_space(struct arena *a, const struct tool_parts *p, const struct tool *t, str part);

bool tool_layout_own(struct tool_writer *w);
bool tool_layout_generated(struct tool_writer *w);
bool tool_layout_agentcore(struct tool_writer *w);
bool tool_layout_toolhive(struct tool_writer *w);

/* ---- values (tool_value.c) ---- */
struct tool_values {
    struct arena *a;
    const struct tool_parts *parts;
    struct cedar_entities *entities;
    struct buf path; /* of the argument being read */
    size_t steps;
    unsigned depth;
    bool trying; /* a choice of a union: its errors are not the caller's */
    struct err *err;
};
MUST_USE bool tool_value(struct tool_values *v, const struct tool_type *t, const json *value,
                         str space, str name, struct cedar_value *out);
/* What the arguments become, as a record, with the types of the tool's input. */
MUST_USE bool tool_arguments(struct arena *a, const struct tool_parts *p, const struct tool *t,
                             const json *args, struct cedar_entities *entities,
                             struct cedar_value *out, struct err *err);
/* A JSON number that is exactly a decimal of at most four places. */
bool tool_exact_decimal(str text, int64_t *out);
/* RFC 3339 with a zone and no more than milliseconds, or a date. */
bool tool_datetime(str text, int64_t *out);
/* ISO 8601 of weeks, days, hours, minutes and seconds to the millisecond. */
bool tool_duration(str text, int64_t *out);

bool tool_request_own(struct arena *a, const struct tool_parts *p, const struct tool *t,
                      const struct tool_call *call, struct cedar_entities *entities,
                      struct tool_request *out, struct err *err);
bool tool_request_generated(struct arena *a, const struct tool_parts *p, const struct tool *t,
                            const struct tool_call *call, struct cedar_entities *entities,
                            struct tool_request *out, struct err *err);
bool tool_request_agentcore(struct arena *a, const struct tool_parts *p, const struct tool *t,
                            const struct tool_call *call, struct cedar_entities *entities,
                            struct tool_request *out, struct err *err);
bool tool_request_toolhive(struct arena *a, const struct tool_parts *p, const struct tool *t,
                           const struct tool_call *call, struct cedar_entities *entities,
                           struct tool_request *out, struct err *err);

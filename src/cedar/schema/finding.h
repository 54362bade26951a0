/* finding: everything that can be wrong with a schema, a policy checked against it, or a request or
 * entity held against it: one row each, with its stable code, its severity and what to do about it.
 *
 * The severity column is the place where one SDK version differs from another: 4.13 made
 * "no-applicable-action" a warning. Codes are for tests, tools and people who look them up
 * (docs/cedar-findings.md lists them all); they never change meaning. Thread-safe: a constant
 * table. */
#pragma once
#include "cedar/text/diag.h"

/* Whose verdicts are given. Zero is the stricter one, and what the gateway uses. */
enum cedar_sdk {
    CEDAR_SDK_4_12 = 0,
    CEDAR_SDK_4_13,
    CEDAR_SDK_COUNT,
};

enum finding {
    /* the schema itself */
    FIND_SCHEMA_SYNTAX = 0,
    FIND_SCHEMA_RESERVED,
    FIND_SCHEMA_DUPLICATE,
    FIND_SCHEMA_SHADOW,
    FIND_SCHEMA_UNKNOWN_TYPE,
    FIND_SCHEMA_UNKNOWN_ACTION,
    FIND_SCHEMA_CYCLE,
    FIND_SCHEMA_NOT_RECORD,
    FIND_SCHEMA_APPLIES_TO,
    FIND_SCHEMA_LIMIT,
    FIND_SCHEMA_SHADOWS_BUILTIN,
    FIND_SCHEMA_SHADOWS_ENTITY,
    /* names in policies */
    FIND_UNKNOWN_ENTITY_TYPE,
    FIND_UNKNOWN_ACTION,
    FIND_UNKNOWN_ENUM_ID,
    FIND_NO_APPLICABLE_ACTION,
    /* types in policies */
    FIND_UNEXPECTED_TYPE,
    FIND_INCOMPATIBLE_TYPES,
    FIND_UNKNOWN_ATTRIBUTE,
    FIND_OPTIONAL_ATTRIBUTE,
    FIND_UNSAFE_TAG,
    FIND_NO_TAGS,
    FIND_EMPTY_SET,
    FIND_ARGUMENT_COUNT,
    FIND_ARGUMENT_VALUE,
    FIND_ARGUMENT_NOT_LITERAL,
    FIND_TOO_MUCH,
    /* how far policies reach into the entity graph (level.h) */
    FIND_LEVEL_EXCEEDED,
    FIND_LEVEL_LITERAL,
    /* policies that validate and yet are suspicious */
    FIND_IMPOSSIBLE_POLICY,
    FIND_TEXT_DIRECTION,
    FIND_NAME_CHARACTER,
    FIND_MIXED_SCRIPTS,
    FIND_SUSPICIOUS_TEXT,
    /* policies that validate and yet may not protect (lint.h) */
    FIND_FORBID_NEVER,
    FIND_FORBID_CAN_FAIL,
    FIND_FORBID_EMPTY_GROUP,
    FIND_OMITTED_ARGUMENT,
    FIND_ALWAYS_FALSE,
    FIND_UNKNOWN_ENTITY,
    FIND_PATH_PATTERN,
    FIND_ANNOTATION_NAME,
    FIND_UNLINKED_TEMPLATE,
    /* requests */
    FIND_REQUEST_ACTION,
    FIND_REQUEST_PRINCIPAL_TYPE,
    FIND_REQUEST_RESOURCE_TYPE,
    FIND_REQUEST_PRINCIPAL,
    FIND_REQUEST_RESOURCE,
    FIND_REQUEST_ENUM_ID,
    FIND_REQUEST_CONTEXT,
    /* entities */
    FIND_ENTITY_TYPE,
    FIND_ENTITY_ENUM_ID,
    FIND_ENTITY_MISSING_ATTRIBUTE,
    FIND_ENTITY_UNEXPECTED_ATTRIBUTE,
    FIND_ENTITY_ATTRIBUTE_TYPE,
    FIND_ENTITY_UNEXPECTED_TAG,
    FIND_ENTITY_TAG_TYPE,
    FIND_ENTITY_ANCESTOR,
    FIND_ENTITY_ACTION,
    FIND_COUNT,
};

struct finding_info {
    const char *code;
    enum cedar_severity severity[CEDAR_SDK_COUNT];
    const char *help; /* NULL where only the place can tell */
};
extern const struct finding_info finding_infos[FIND_COUNT];

/* Reports one at span with the row's severity (for 4.12) and code; the help is the row's. The
 * result may get another help or a policy id; NULL when the list is full. */
struct cedar_diag *finding_add(struct cedar_diags *d, enum finding f, struct cedar_span span,
                               const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The same with a text that is made already, and the severity of one SDK version. */
struct cedar_diag *finding_add_for(struct cedar_diags *d, enum cedar_sdk sdk, enum finding f,
                                   struct cedar_span span, const char *text);
/* The closest of the known names within a third of its length of changes; empty if there is none.
 */
struct name_guess {
    str wanted, best;
    size_t distance;
};
void name_guess_try(struct name_guess *g, str known);

#include "cedar/schema/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* By SDK version: 4.12, 4.13. */
#define ERR                                                                                        \
    {                                                                                              \
        CEDAR_ERROR, CEDAR_ERROR                                                                   \
    }
#define WARN                                                                                       \
    {                                                                                              \
        CEDAR_WARNING, CEDAR_WARNING                                                               \
    }
#define WARN_FROM_4_13                                                                             \
    {                                                                                              \
        CEDAR_ERROR, CEDAR_WARNING                                                                 \
    }

const struct finding_info finding_infos[FIND_COUNT] = {
    [FIND_SCHEMA_SYNTAX] = {"schema-syntax", ERR, NULL},
    [FIND_SCHEMA_RESERVED] = {"schema-reserved", ERR, "choose another name"},
    [FIND_SCHEMA_DUPLICATE] = {"schema-duplicate", ERR, "keep one of them"},
    [FIND_SCHEMA_SHADOW] = {"schema-shadow", ERR,
                            "rename one of them, or move it out of the empty namespace"},
    [FIND_SCHEMA_UNKNOWN_TYPE] = {"schema-unknown-type", ERR, NULL},
    [FIND_SCHEMA_UNKNOWN_ACTION] = {"schema-unknown-action", ERR, "declare it, or mend its name"},
    [FIND_SCHEMA_CYCLE] = {"schema-cycle", ERR, "break the cycle"},
    [FIND_SCHEMA_NOT_RECORD] = {"schema-not-record", ERR, "use a record: {..}"},
    [FIND_SCHEMA_APPLIES_TO] = {"schema-applies-to", ERR,
                                "an action that is only a group has no appliesTo at all"},
    [FIND_SCHEMA_LIMIT] = {"schema-limit", ERR, "split or simplify it"},
    [FIND_SCHEMA_SHADOWS_BUILTIN] = {"schema-shadows-builtin", WARN,
                                     "the built-in type remains reachable as __cedar::.."},
    [FIND_SCHEMA_SHADOWS_ENTITY] = {"schema-shadows-entity", WARN,
                                    "references in this namespace mean the common type"},

    [FIND_UNKNOWN_ENTITY_TYPE] = {"unknown-entity-type", ERR, NULL},
    [FIND_UNKNOWN_ACTION] = {"unknown-action", ERR, NULL},
    [FIND_UNKNOWN_ENUM_ID] = {"unknown-enum-id", ERR, "use one of the ids the schema lists"},
    [FIND_NO_APPLICABLE_ACTION] = {"no-applicable-action", WARN_FROM_4_13, NULL},

    [FIND_UNEXPECTED_TYPE] = {"unexpected-type", ERR, NULL},
    [FIND_INCOMPATIBLE_TYPES] = {"incompatible-types", ERR, NULL},
    [FIND_UNKNOWN_ATTRIBUTE] = {"unknown-attribute", ERR, NULL},
    [FIND_OPTIONAL_ATTRIBUTE] = {"optional-attribute", ERR, NULL},
    [FIND_UNSAFE_TAG] = {"unsafe-tag", ERR, "test with .hasTag(..) && first"},
    [FIND_NO_TAGS] = {"no-tags", ERR, "declare `tags` for the entity type in the schema"},
    [FIND_EMPTY_SET] = {"empty-set", ERR, "use .isEmpty() to test for an empty set"},
    [FIND_ARGUMENT_COUNT] = {"argument-count", ERR, NULL},
    [FIND_ARGUMENT_VALUE] = {"argument-value", ERR, NULL},
    [FIND_ARGUMENT_NOT_LITERAL] = {"argument-not-literal", ERR,
                                   "write the text between quotes, or let the schema give the "
                                   "attribute the extension type"},
    [FIND_TOO_MUCH] = {"too-much", ERR, "split the policy, or shorten the list of types"},

    [FIND_LEVEL_EXCEEDED] = {"level-exceeded", ERR,
                             "raise the level, or put what is read here into the context"},
    [FIND_LEVEL_LITERAL] = {"level-literal", ERR,
                            "start from principal, action, resource or context: only what they "
                            "reach is loaded"},

    [FIND_IMPOSSIBLE_POLICY] = {"impossible-policy", WARN,
                                "its conditions contradict the schema or each other"},
    [FIND_TEXT_DIRECTION] = {"text-direction", WARN,
                             "remove it: what is shown is not what is compared"},
    [FIND_NAME_CHARACTER] = {"name-character", WARN,
                             "make sure that the entity or attribute has this very name"},
    [FIND_MIXED_SCRIPTS] = {"mixed-scripts", WARN,
                            "type it anew if it was meant to be of one script"},
    [FIND_SUSPICIOUS_TEXT] =
        {"suspicious-text", WARN,
         "write such characters as escapes (\\u{..}) so that readers see them"},

    [FIND_FORBID_NEVER] = {"forbid-never", WARN,
                           "mend its scope or its conditions: as it stands it protects nothing"},
    [FIND_FORBID_CAN_FAIL] = {"forbid-can-fail", WARN, NULL},
    [FIND_FORBID_EMPTY_GROUP] = {"forbid-empty-group", WARN,
                                 "give it members in the schema, or mend its name"},
    [FIND_OMITTED_ARGUMENT] = {"omitted-argument", WARN, NULL},
    [FIND_ALWAYS_FALSE] = {"always-false", WARN,
                           "compare its sides with the schema: this part never applies"},
    [FIND_UNKNOWN_ENTITY] = {"unknown-entity", WARN, NULL},
    [FIND_PATH_PATTERN] = {"path-pattern", WARN,
                           "match a path that was made canonical beforehand, or also refuse "
                           "\"*..*\""},
    [FIND_ANNOTATION_NAME] = {"annotation-name", WARN, NULL},
    [FIND_UNLINKED_TEMPLATE] = {"unlinked-template", WARN,
                                "write an entity in the place of the slot"},

    [FIND_REQUEST_ACTION] = {"request-action", ERR, NULL},
    [FIND_REQUEST_PRINCIPAL_TYPE] = {"request-principal-type", ERR, NULL},
    [FIND_REQUEST_RESOURCE_TYPE] = {"request-resource-type", ERR, NULL},
    [FIND_REQUEST_PRINCIPAL] = {"request-principal", ERR, NULL},
    [FIND_REQUEST_RESOURCE] = {"request-resource", ERR, NULL},
    [FIND_REQUEST_ENUM_ID] = {"request-enum-id", ERR, NULL},
    [FIND_REQUEST_CONTEXT] = {"request-context", ERR, NULL},

    [FIND_ENTITY_TYPE] = {"entity-type", ERR, NULL},
    [FIND_ENTITY_ENUM_ID] = {"entity-enum-id", ERR, NULL},
    [FIND_ENTITY_MISSING_ATTRIBUTE] = {"entity-missing-attribute", ERR, NULL},
    [FIND_ENTITY_UNEXPECTED_ATTRIBUTE] = {"entity-unexpected-attribute", ERR, NULL},
    [FIND_ENTITY_ATTRIBUTE_TYPE] = {"entity-attribute-type", ERR, NULL},
    [FIND_ENTITY_UNEXPECTED_TAG] = {"entity-unexpected-tag", ERR, NULL},
    [FIND_ENTITY_TAG_TYPE] = {"entity-tag-type", ERR, NULL},
    [FIND_ENTITY_ANCESTOR] = {"entity-ancestor", ERR, NULL},
    [FIND_ENTITY_ACTION] = {"entity-action", ERR, NULL},
};

struct cedar_diag *finding_add_for(struct cedar_diags *d, enum cedar_sdk sdk, enum finding f,
                                   struct cedar_span span, const char *text)
{
    const struct finding_info *info = &finding_infos[f];
    return cedar_diag(d, info->severity[sdk], info->code, span, info->help, "%s", text);
}

struct cedar_diag *finding_add(struct cedar_diags *d, enum finding f, struct cedar_span span,
                               const char *fmt, ...)
{
    char text[390];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text - 3, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof text - 3) {
        size_t end = sizeof text - 4;
        while (end > 0 && (text[end - 1] & 0x80))
            end--; /* never half a character */
        memcpy(text + end, "...", 4);
    }
    return finding_add_for(d, CEDAR_SDK_4_12, f, span, text);
}

enum { GUESS_BYTES_MAX = 64 };

/* Number of bytes to insert, drop or change to make one of the other. */
static size_t edit_distance(str x, str y)
{
    size_t row[GUESS_BYTES_MAX + 1];
    for (size_t j = 0; j <= y.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= x.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= y.n; j++) {
            size_t best = diagonal + (x.p[i - 1] != y.p[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[y.n];
}

void name_guess_try(struct name_guess *g, str known)
{
    if (known.n > GUESS_BYTES_MAX || g->wanted.n > GUESS_BYTES_MAX || known.n == 0)
        return;
    size_t allowed = ((g->wanted.n > known.n ? g->wanted.n : known.n) + 2) / 3;
    size_t distance = edit_distance(g->wanted, known);
    if (distance > allowed || (g->best.n && distance >= g->distance))
        return;
    g->best = known;
    g->distance = distance;
}

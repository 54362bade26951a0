/* catalog: the tools that exist, as pinned, and what agents call them.
 *
 * A tool's whole definition is digested when it is first seen; that pin is kept in the store. A
 * definition that differs from its pin is hidden and uncallable until a person accepts it (`ambit
 * pin accept`): design section 10. Operator labels (effect, readable arguments) come from the
 * configuration; a server's own annotations are never read. Core's alone; one thread. */
#pragma once
#include "base/map.h"
#include "conf/conf.h"
#include "crypto/hash.h"
#include "mcp/tool.h"

enum pin_state { PIN_NONE = 0, PIN_CURRENT, PIN_CHANGED };

struct catalog_tool {
    str binding, tool;
    str operation; /* "binding/tool" */
    str exposed;   /* on the federated endpoint */
    const struct conf_binding *conf;
    const struct conf_operation *label; /* NULL: unlabelled, hence admin */
    enum pin_state state;
    struct mcp_tool def; /* the pinned definition */
    struct hash digest;  /* of def.canonical */
    struct hash changed; /* PIN_CHANGED: digest of what the upstream says now */
    str changed_text;    /* and its canonical text */
    struct arena arena;  /* of the definition */
    struct arena changed_arena;
};

struct catalog {
    struct map by_operation; /* owns the tools */
    struct map by_exposed;
};

enum effect catalog_effect(const struct catalog_tool *t);
bool catalog_is_high_impact(const struct catalog_tool *t);

/* What an upstream's definition turned out to be. */
enum catalog_news {
    CATALOG_BAD = 0,
    CATALOG_SAME,
    CATALOG_NEW,
    CATALOG_DIFFERS,
    CATALOG_DIFFERS_STILL
};

/* Takes one definition from an upstream (or, with pinned set, from the store at start). CATALOG_BAD
 * with err: it breaks a rule or shares its exposed name with another tool; it is left out. */
enum catalog_news catalog_put(struct catalog *c, const struct conf *conf, str binding,
                              const json *definition, bool pinned, struct catalog_tool **out,
                              struct err *err);
/* Makes the changed definition the pinned one. */
MUST_USE bool catalog_accept(struct catalog *c, struct catalog_tool *t, struct err *err);
struct catalog_tool *catalog_operation(const struct catalog *c, str operation);
/* The tool an agent means: endpoint empty: by exposed name; else the binding's own tool name. */
struct catalog_tool *catalog_find(const struct catalog *c, struct arena *a, str endpoint, str name);
/* All tools in a stable order (by operation), in the arena. */
struct catalog_tool **catalog_sorted(const struct catalog *c, struct arena *a, size_t *n);
void catalog_fini(struct catalog *c);

/* Compiling whole sets. */
#include <stdlib.h>

#include "cedar/eval/index.h"

/* The arrays have grown to their size. */
static void keep_code(struct code *c)
{
    c->instrs = NULL;
    c->consts = arena_dup(c->keep, c->consts, c->const_count * sizeof *c->consts);
    c->names = arena_dup(c->keep, c->names, c->name_count * sizeof *c->names);
    c->hints = arena_dup(c->keep, c->hints, c->hint_count * sizeof *c->hints);
    c->keys = arena_dup(c->keep, c->keys, c->key_count * sizeof *c->keys);
    c->patterns = arena_dup(c->keep, c->patterns, c->pattern_count * sizeof *c->patterns);
    c->grow = NULL;
    c->tables = NULL;
    c->schema = NULL;
}

struct cedar_set *cedar_compile(const struct cedar_policies *const *texts, size_t text_count,
                                uint64_t seed, struct err *err)
{
    return cedar_compile_typed(NULL, texts, text_count, seed, err);
}

struct cedar_set *cedar_compile_typed(const struct schema *schema,
                                      const struct cedar_policies *const *texts, size_t text_count,
                                      uint64_t seed, struct err *err)
{
    size_t count = 0, n = 0;
    for (size_t t = 0; t < text_count; t++)
        count += texts[t]->count;
    if (count > CEDAR_POLICIES_MAX) {
        err_limit(err, "more than %d policies", CEDAR_POLICIES_MAX);
        return NULL;
    }
    struct cedar_set *set = calloc(1, sizeof *set);
    if (!set)
        abort();
    ARENA_SCOPE struct arena grow = {0};
    set->code = (struct code){.keep = &set->arena,
                              .grow = &grow,
                              .tables = code_tables_new(&grow),
                              .seed = seed,
                              .schema = schema};
    set->count = count;
    set->policies = ARENA_ARRAY(&set->arena, struct policy_source, count);
    for (size_t t = 0; t < text_count; t++) {
        for (size_t i = 0; i < texts[t]->count; i++)
            set->policies[n++] =
                (struct policy_source){.policy = &texts[t]->items[i], .text = texts[t]};
    }
    index_build(set, &grow);
    keep_code(&set->code);
    return set;
}

void cedar_set_free(struct cedar_set *set)
{
    if (!set)
        return;
    arena_fini(&set->arena);
    free(set);
}

size_t cedar_set_count(const struct cedar_set *set)
{
    return set->count;
}

const struct cedar_policy *cedar_set_policy(const struct cedar_set *set, size_t i)
{
    return set->policies[i].policy;
}

const struct cedar_policies *cedar_set_text(const struct cedar_set *set, size_t i)
{
    return set->policies[i].text;
}

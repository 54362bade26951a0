/* What policies know besides the call: all that the configuration names, as entities, and what is
 * so of agents now. */
#include "call/policy_int.h"
#include "cedar/check/conform.h"
#include "cedar/schema/schema.h"

struct cedar_value policy_roles(struct arena *a, unsigned bits)
{
    static const struct {
        unsigned bit;
        const char *name;
    } roles[] = {{ROLE_OWNER, "owner"},
                 {ROLE_APPROVER, "approver"},
                 {ROLE_REVIEWER, "reviewer"},
                 {ROLE_AUDITOR, "auditor"},
                 {ROLE_ADMINISTRATOR, "administrator"}};
    struct cedar_value *items = ARENA_ARRAY(a, struct cedar_value, 5);
    size_t n = 0;
    for (size_t i = 0; i < 5; i++)
        if (bits & roles[i].bit)
            items[n++] = cedar_string(str_z(roles[i].name));
    return cedar_set_of(items, n);
}

bool policy_add_entity(struct cedar_entities *s, struct arena *a, str type, str id,
                       struct cedar_field *fields, size_t n, const struct cedar_uid *parents,
                       size_t parents_n, struct err *err)
{
    struct cedar_entity e = {.uid = {type, id}, .parents = parents, .parent_count = parents_n};
    struct cedar_field *copy = arena_dup(a, fields, n * sizeof *fields);
    return cedar_record_of(copy, n, &e.attrs) && cedar_entities_add(s, &e, err);
}

static bool add_actions(struct policy_set *p, struct err *err)
{
    const struct schema *schema = p->schema;
    for (size_t i = 0; i < schema->action_count; i++) {
        const struct schema_action *act = &schema->actions[i];
        struct cedar_uid *parents =
            ARENA_ARRAY(&p->known_arena, struct cedar_uid, act->parents.count + 1);
        for (size_t k = 0; k < act->parents.count; k++)
            parents[k] = schema->actions[act->parents.items[k]].uid;
        struct cedar_entity e = {
            .uid = act->uid, .parents = parents, .parent_count = act->parents.count};
        if (!cedar_entities_add(&p->known, &e, err))
            return false;
    }
    return true;
}

static bool add_agents(struct policy_set *p, const struct agents *as, int64_t now_ms,
                       struct err *err)
{
    for (size_t i = 0; i < p->conf->agents_n; i++) {
        const struct conf_agent *g = &p->conf->agents[i];
        const struct agent *now = as ? &as->list[i] : NULL;
        bool active = now ? agent_is_active(now) : !g->suspended;
        bool assessed = now ? now->assessed : conf_agent_is_assessed(g, now_ms);
        struct cedar_uid *owner = ARENA_NEW(&p->known_arena, struct cedar_uid);
        *owner = (struct cedar_uid){S("Ambit::Owner"), g->owner};
        struct cedar_field fields[] = {
            {S("name"), cedar_string(g->name)},
            {S("owner"), cedar_string(g->owner)},
            {S("tier"), cedar_string(g->tier)},
            {S("model"), cedar_string(g->model)},
            {S("modelVersion"), cedar_string(g->model_version)},
            {S("shared"), cedar_bool(now && now->shared)},
            {S("status"), cedar_string(active ? S("active") : S("suspended"))},
            {S("assessed"), cedar_bool(assessed)}};
        if (!policy_add_entity(&p->known, &p->known_arena, S("Ambit::Agent"), g->name, fields, 8,
                               owner, 1, err))
            return false;
    }
    return true;
}

static bool add_people(struct policy_set *p, struct err *err)
{
    for (size_t i = 0; i < p->conf->people_n; i++) {
        const struct conf_person *person = &p->conf->people[i];
        struct cedar_field fields[] = {{S("name"), cedar_string(person->name)},
                                       {S("roles"), policy_roles(&p->known_arena, person->roles)}};
        if (!policy_add_entity(&p->known, &p->known_arena, S("Ambit::Human"), person->name, fields,
                               2, NULL, 0, err) ||
            !policy_add_entity(&p->known, &p->known_arena, S("Ambit::Owner"), person->name, NULL, 0,
                               NULL, 0, err))
            return false;
    }
    return true;
}

static bool add_systems(struct policy_set *p, struct err *err)
{
    static const char *const kinds[] = {"none", "http", "stdio", "internal"};
    for (size_t i = 0; i < p->conf->bindings_n; i++) {
        const struct conf_binding *b = &p->conf->bindings[i];
        struct cedar_field fields[] = {{S("name"), cedar_string(b->name)},
                                       {S("kind"), cedar_string(str_z(kinds[b->kind]))}};
        if (!policy_add_entity(&p->known, &p->known_arena, S("Ambit::System"), b->name, fields, 2,
                               NULL, 0, err))
            return false;
    }
    return true;
}

bool policy_known_entities(struct policy_set *p, const struct agents *as, int64_t now_ms,
                           struct err *err)
{
    cedar_entities_init(&p->known, &p->known_arena, NULL, p->seed);
    return add_actions(p, err) && add_agents(p, as, now_ms, err) && add_people(p, err) &&
           add_systems(p, err) && cedar_entities_seal(&p->known, err);
}

bool policy_entities_conform(const struct policy_set *p, const struct cedar_entities *s,
                             struct err *err)
{
    struct conform_fault fault;
    for (size_t i = 0; i < s->count; i++)
        if (!conform_entity(p->schema, s->items[i], &fault))
            return err_input(err, "an entity is not as the schema says: %s", fault.text);
    return true;
}

bool policy_agents_changed(struct policy_set *p, const struct agents *as, struct err *err)
{
    struct cedar_entities before = p->known;
    struct arena kept = p->known_arena;
    p->known_arena = (struct arena){0};
    if (policy_known_entities(p, as, 0, err) && policy_entities_conform(p, &p->known, err)) {
        arena_fini(&kept);
        return true;
    }
    arena_fini(&p->known_arena);
    p->known = before;
    p->known_arena = kept;
    return false;
}

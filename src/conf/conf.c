#include "conf/conf.h"
#include "base/json.h"

static const struct {
    const char *name;
    enum effect effect;
} EFFECTS[] = {
    {"read", EFFECT_READ},     {"advise", EFFECT_ADVISE},     {"write", EFFECT_WRITE},
    {"delete", EFFECT_DELETE}, {"transfer", EFFECT_TRANSFER}, {"approve", EFFECT_APPROVE},
    {"export", EFFECT_EXPORT}, {"execute", EFFECT_EXECUTE},   {"admin", EFFECT_ADMIN},
};

str effect_name(enum effect e)
{
    for (size_t i = 0; i < sizeof EFFECTS / sizeof EFFECTS[0]; i++)
        if (EFFECTS[i].effect == e)
            return str_z(EFFECTS[i].name);
    return S("none");
}

bool effect_parse(str s, enum effect *out)
{
    for (size_t i = 0; i < sizeof EFFECTS / sizeof EFFECTS[0]; i++)
        if (str_eq(s, str_z(EFFECTS[i].name))) {
            *out = EFFECTS[i].effect;
            return true;
        }
    return false;
}

bool conf_name_is_valid(str name)
{
    if (name.n == 0 || name.n > 64)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && (i == 0 || (c != '_' && c != '-' && c != '.')))
            return false;
    }
    return true;
}

const struct conf_person *conf_person(const struct conf *c, str name)
{
    for (size_t i = 0; i < c->people_n; i++)
        if (str_eq(c->people[i].name, name))
            return &c->people[i];
    return NULL;
}

const struct conf_agent *conf_agent(const struct conf *c, str name)
{
    for (size_t i = 0; i < c->agents_n; i++)
        if (str_eq(c->agents[i].name, name))
            return &c->agents[i];
    return NULL;
}

const struct conf_issuer *conf_issuer(const struct conf *c, str name)
{
    for (size_t i = 0; i < c->issuers_n; i++)
        if (str_eq(c->issuers[i].name, name))
            return &c->issuers[i];
    return NULL;
}

const struct conf_binding *conf_binding(const struct conf *c, str name)
{
    for (size_t i = 0; i < c->bindings_n; i++)
        if (str_eq(c->bindings[i].name, name))
            return &c->bindings[i];
    return NULL;
}

const struct conf_operation *conf_operation(const struct conf_binding *b, str tool)
{
    for (size_t i = 0; i < b->operations_n; i++)
        if (str_eq(b->operations[i].tool, tool))
            return &b->operations[i];
    return NULL;
}

const struct conf_template *conf_template(const struct conf *c, str name)
{
    for (size_t i = 0; i < c->templates_n; i++)
        if (str_eq(c->templates[i].name, name))
            return &c->templates[i];
    return NULL;
}

bool conf_agent_is_assessed(const struct conf_agent *agent, int64_t now_ms)
{
    return agent->assessed_ms && now_ms - agent->assessed_ms < agent->assessed_for_ms;
}

bool conf_agent_covers(const struct conf_agent *agent, str operation)
{
    for (size_t i = 0; i < agent->ambit_n; i++)
        if (str_match(agent->ambit[i], operation))
            return true;
    return false;
}

void conf_problems_print(const struct conf_problems *p, str file, struct buf *out)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct conf_problem *q = &p->list[i];
        buf_put(out, file);
        if (q->line)
            buf_printf(out, ":%u", q->line);
        buf_printf(out, ": %s: ", q->warning ? "warning" : "error");
        if (q->where.n) {
            buf_put(out, q->where);
            buf_put(out, S(": "));
        }
        buf_put(out, q->text);
        buf_putc(out, '\n');
    }
}

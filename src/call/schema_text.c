#include "call/schema_text.h"
#include "base/json.h"

static const char PREAMBLE[] =
    "namespace Ambit {\n"
    "  entity Owner;\n"
    "  entity Agent in [Owner] {\n"
    "    name: String, owner: String, tier: String, model: String, modelVersion: String,\n"
    "    status: String, assessed: Bool, shared: Bool\n"
    "  };\n"
    "  entity Human { name: String, roles: Set<String> };\n"
    "  entity System { name: String, kind: String };\n"
    "  entity Task { owner: Human, agent: Agent, purpose: String, openedBy: String };\n"
    "  entity Call { owner: String, agent: String, operation: String, effect: String, purpose: "
    "String,\n"
    "    task: Task };\n"
    "  type TaskFacts = {\n"
    "    id: String, purpose: String, owner: String, operations: Set<String>, depth: Long, "
    "callsLeft: Long\n"
    "  };\n"
    "  type Approval = { id: String, approver: String, count: Long };\n"
    "  type Time = { hour: Long, weekday: Long, unix: Long };\n"
    "  action \"call\";\n"
    "  action \"high-impact\" in [\"call\"];\n"
    "  action \"approve\" appliesTo {\n"
    "    principal: [Human], resource: [Call],\n"
    "    context: { method: String, time: Time, approvals: Set<String> }\n"
    "  };\n"
    "  type Opening = {\n"
    "    operations: Set<String>, readOnly: Bool, seconds: Long, calls: Long\n"
    "  };\n"
    "  action \"open_task\" appliesTo {\n"
    "    principal: [Agent], resource: [Task],\n"
    "    context: { task: Opening, time: Time, approval?: Approval }\n"
    "  };\n"
    "  action \"consent\" appliesTo {\n"
    "    principal: [Human], resource: [Task],\n"
    "    context: { task: Opening, method: String, time: Time }\n"
    "  };\n"
    "  action \"close_task\" appliesTo {\n"
    "    principal: [Human], resource: [Task], context: { method: String, time: Time }\n"
    "  };\n"
    "  action \"suspend\", \"resume\" appliesTo {\n"
    "    principal: [Human], resource: [Task, Agent], context: { method: String, time: Time }\n"
    "  };\n";

static void put_quoted(struct buf *out, const char *prefix, str name)
{
    /* Configuration names and tool names are checked; JSON escapes are Cedar's for what remains. */
    ARENA_SCOPE struct arena a = {0};
    json_write_str(out, str_fmt(&a, "%s%.*s", prefix, STR(name)));
}

static void put_groups(struct buf *out, str binding, enum effect effect, bool high)
{
    buf_put(out, S(" in ["));
    put_quoted(out, "effect:", effect_name(effect));
    buf_put(out, S(", "));
    put_quoted(out, "system:", binding);
    buf_put(out, high ? S(", \"high-impact\", \"call\"]") : S(", \"call\"]"));
}

static void put_args(struct buf *out, const struct conf_operation *op)
{
    buf_put(out, S("args: {"));
    for (size_t i = 0; op && i < op->args_n; i++) {
        buf_put(out, i ? S(", ") : S(" "));
        json_write_str(out, op->args[i].name);
        buf_put(out, op->args[i].optional ? S("?: ") : S(": "));
        buf_put(out, op->args[i].type);
    }
    buf_put(out, S(" }"));
}

static void put_action(struct buf *out, const struct conf_binding *b,
                       const struct conf_operation *op)
{
    ARENA_SCOPE struct arena a = {0};
    buf_put(out, S("  action "));
    put_quoted(out, "", schema_action_of(&a, b, op));
    put_groups(out, b->name, op ? op->effect : EFFECT_ADMIN, op ? op->high_impact : true);
    buf_put(out,
            S(" appliesTo {\n    principal: [Agent], resource: [System],\n    context: { "
              "operation: String, effect: String, task: TaskFacts, chain: Set<Agent>, time: Time,\n"
              "      approval?: Approval, "));
    put_args(out, op);
    buf_put(out, S(" }\n  };\n"));
}

str schema_action_of(struct arena *a, const struct conf_binding *b, const struct conf_operation *op)
{
    return op ? str_fmt(a, "%.*s/%.*s", STR(b->name), STR(op->tool))
              : str_fmt(a, "%.*s/*", STR(b->name));
}

void schema_text_write(const struct conf *conf, struct buf *out)
{
    buf_put(out, str_z(PREAMBLE));
    for (unsigned e = EFFECT_READ; e < EFFECT_COUNT; e++) {
        buf_put(out, S("  action "));
        put_quoted(out, "effect:", effect_name((enum effect)e));
        buf_put(out, S(" in [\"call\"];\n"));
    }
    for (size_t i = 0; i < conf->bindings_n; i++) {
        const struct conf_binding *b = &conf->bindings[i];
        buf_put(out, S("  action "));
        put_quoted(out, "system:", b->name);
        buf_put(out, S(" in [\"call\"];\n"));
        for (size_t k = 0; k < b->operations_n; k++)
            put_action(out, b, &b->operations[k]);
        put_action(out, b, NULL);
    }
    buf_put(out, S("}\n"));
}

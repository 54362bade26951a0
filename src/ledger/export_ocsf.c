/* A leaf as an OCSF event.
 *
 *   a call (intent, outcome, refusal, hold)   API Activity 6003
 *   what a task is granted, consent           Authorize Session 3003
 *   sign-in and sign-out                      Authentication 3002
 *   other changes and decisions               Entity Management 3004
 *   one identity at two places                Detection Finding 2004
 *   start                                     Application Lifecycle 6002
 *   a type that this table does not know      Base Event 0
 */
#include "base/hex.h"
#include "ledger/export.h"

#include <stdio.h>
#include <time.h>

enum { CLASS_BASE = 0, FINDING = 2004, AUTHENTICATION = 3002, SESSION = 3003, ENTITY = 3004 };
enum { LIFECYCLE = 6002, API = 6003, IAM = 3 /* category: 3002 to 3004 */ };
enum { OTHER = 99, MEDIUM = 3, INFORMATIONAL = 1 };

/* ---- tables ---- */

/* The first row of the type and state (NULL: any) decides. */
struct mapping {
    const char *type, *state;
    int class, activity;
    const char *activity_name; /* of activity 99; else the schema has the name */
    const char *kind;          /* of the entity; NULL: the record's `kind` */
    const char *entity;        /* the field that names it */
};
static const struct mapping MAPPINGS[] = {
    {"intent", NULL, API, 0, NULL, NULL, NULL},
    {"outcome", NULL, API, 0, NULL, NULL, NULL},
    {"refusal", NULL, API, 0, NULL, NULL, NULL},
    {"hold_open", NULL, API, 0, NULL, NULL, NULL},
    {"task_open", NULL, SESSION, 1, NULL, NULL, "task"},
    {"delegation", NULL, SESSION, 1, NULL, NULL, "child"},
    {"consent", NULL, SESSION, 1, NULL, NULL, "request"},
    {"task_change", "active", ENTITY, 10, NULL, "task", "task"},
    {"task_change", "suspended", ENTITY, 12, NULL, "task", "task"},
    {"task_close", NULL, ENTITY, 11, NULL, "task", "task"},
    {"agent_change", "active", ENTITY, 13, NULL, "agent", "agent"},
    {"agent_change", "suspended", ENTITY, 12, NULL, "agent", "agent"},
    {"identity_change", "revoked", ENTITY, 9, NULL, NULL, "name"},
    {"identity_change", "lifted", ENTITY, 8, NULL, NULL, "name"},
    {"identity_change", "rotated", ENTITY, 3, NULL, NULL, "name"},
    {"approval", NULL, ENTITY, OTHER, "Approve", "hold", "hold"},
    {"denial", NULL, ENTITY, OTHER, "Deny", "hold", "hold"},
    {"pin_change", "seen", ENTITY, 1, NULL, "tool", "tool"},
    {"pin_change", "changed", ENTITY, 3, NULL, "tool", "tool"},
    {"pin_change", "accepted", ENTITY, 8, NULL, "tool", "tool"},
    {"pin_change", "removed", ENTITY, 4, NULL, "tool", "tool"},
    {"policy_load", NULL, ENTITY, 10, NULL, "policy", "policy"},
    {"operator_change", "added", ENTITY, 1, NULL, "operator", "name"},
    {"operator_change", "removed", ENTITY, 4, NULL, "operator", "name"},
    {"person_event", "signed_in", AUTHENTICATION, 1, NULL, NULL, "name"},
    {"person_event", "signed_out", AUTHENTICATION, 2, NULL, NULL, "name"},
    {"person_event", "failed", AUTHENTICATION, 1, NULL, NULL, "name"},
    {"person_event", "invited", ENTITY, 1, NULL, "person", "name"},
    {"person_event", "enrolled", ENTITY, 6, NULL, "person", "name"},
    {"person_event", "revoked", ENTITY, 9, NULL, "person", "name"},
    {"secret_set", NULL, ENTITY, 3, NULL, "secret", "name"},
    {"revocation", NULL, ENTITY, 9, NULL, NULL, "name"},
    {"receipt", NULL, ENTITY, OTHER, "Close", "receipt", "receipt"},
    {"shared_use", NULL, FINDING, 1, NULL, NULL, "agent"},
    {"start", NULL, LIFECYCLE, 3, NULL, NULL, NULL},
};
static const struct mapping UNKNOWN = {"", NULL, CLASS_BASE, OTHER, "Other", NULL, NULL};

/* What an effect is as an activity on an API. */
static const struct {
    const char *effect;
    int activity;
} ACTIVITIES[] = {
    {"read", 2}, {"advise", 2}, {"export", 2}, {"write", 3}, {"delete", 4},
};

/* What came of it: the gateway's action, its disposition, and success or failure. The first row
 * whose type, decision or status, and reason (NULL: any) are the record's. */
static const struct ruling {
    const char *type, *word, *reason;
    int action, disposition, status;
} RULINGS[] = {
    {"intent", NULL, "approved", 1, 8, 1},
    {"intent", NULL, NULL, 1, 1, 1},
    {"hold_open", NULL, NULL, OTHER, 14, OTHER},
    {"refusal", NULL, "identity", 2, 26, 2},
    {"refusal", NULL, "task_closed", 2, 24, 2},
    {"refusal", NULL, NULL, 2, 2, 2},
    {"outcome", "ok", NULL, 1, 1, 1},
    {"outcome", "upstream_error", NULL, 1, 27, 2},
    {"outcome", "refused", NULL, 2, 2, 2},
    {"outcome", "not_sent", NULL, 2, 27, 2},
    {"outcome", NULL, NULL, 1, 0, 0},
    {"approval", NULL, NULL, 1, 8, 1},
    {"denial", NULL, NULL, 2, 2, 1},
    {"consent", "declined", NULL, 2, 2, 1},
    {"consent", NULL, NULL, 1, 8, 1},
    {"receipt", "incomplete", NULL, 1, 0, 2},
    {"person_event", "failed", NULL, 2, 26, 2},
};

/* What has no member of its own in the schema, under its own name. */
static const char *const UNMAPPED[] = {
    "approval", "approver", "budget_left", "call",   "child",   "child_agent", "effect",
    "hold",     "instance", "kind",        "method", "parents", "state",       "task",
    "receipt",  "bytes",    "policies",    "digest", "before",  "after",       "key",
};

static bool is(const char *want, str got)
{
    return !want || str_eq(str_z(want), got);
}

static const struct mapping *mapping_of(const json *r)
{
    str type = json_get_str(r, S("type")), state = json_get_str(r, S("state"));
    for (size_t i = 0; i < sizeof MAPPINGS / sizeof MAPPINGS[0]; i++)
        if (is(MAPPINGS[i].type, type) && is(MAPPINGS[i].state, state))
            return &MAPPINGS[i];
    return &UNKNOWN;
}

static struct ruling ruling_of(const json *r)
{
    str type = json_get_str(r, S("type")), word = json_get_str(r, S("status"));
    str reason = json_get_str(r, S("approval")).n ? S("approved") : json_get_str(r, S("reason"));
    if (!word.n)
        word = json_get_str(r, S("decision"));
    if (!word.n)
        word = json_get_str(r, S("state"));
    for (size_t i = 0; i < sizeof RULINGS / sizeof RULINGS[0]; i++)
        if (is(RULINGS[i].type, type) && is(RULINGS[i].word, word) && is(RULINGS[i].reason, reason))
            return RULINGS[i];
    return (struct ruling){.action = 3, .status = 1}; /* observed */
}

static int activity_of(const struct mapping *m, const json *r)
{
    str effect = json_get_str(r, S("effect"));
    if (m->class != API)
        return m->activity;
    for (size_t i = 0; i < sizeof ACTIVITIES / sizeof ACTIVITIES[0]; i++)
        if (is(ACTIVITIES[i].effect, effect))
            return ACTIVITIES[i].activity;
    return effect.n ? OTHER : 0;
}

/* ---- parts ---- */

static void put_str(struct jw *w, const char *name, str v)
{
    if (v.n)
        jw_kstr(w, str_z(name), v);
}

static void put_entity(struct jw *w, const char *name, str uid)
{
    jw_key(w, str_z(name));
    jw_obj(w);
    jw_kstr(w, S("uid"), uid.n ? uid : S("unknown"));
    jw_end_obj(w);
}

/* RFC 3339 as records have it. */
static int64_t time_ms(str t)
{
    struct tm tm = {0};
    int ms = 0;
    char z[32] = {0};
    if (t.n != 24)
        return 0;
    memcpy(z, t.p, t.n);
    if (sscanf(z, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &ms) != 7)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (int64_t)timegm(&tm) * 1000 + ms;
}

static void put_metadata(struct jw *w, const struct store_leaf_row *row, const json *r)
{
    str call = json_get_str(r, S("call"));
    char uid[24];
    jw_key(w, S("metadata"));
    jw_obj(w);
    jw_kstr(w, S("version"), S("1.9.0"));
    jw_key(w, S("product"));
    jw_obj(w);
    jw_kstr(w, S("name"), S("Ambit"));
    jw_kstr(w, S("version"), S(AMBIT_VERSION));
    jw_end_obj(w);
    jw_key(w, S("profiles"));
    jw_raw(w, S("[\"ai_operation\",\"record_integrity\",\"security_control\"]"));
    snprintf(uid, sizeof uid, "%llu", (unsigned long long)row->index);
    jw_kstr(w, S("uid"), str_z(uid));
    jw_ki64(w, S("sequence"), (int64_t)row->index);
    jw_kstr(w, S("log_name"), S("ledger"));
    put_str(w, "event_code", json_get_str(r, S("type")));
    put_str(w, "original_time", json_get_str(r, S("time")));
    put_str(w, "correlation_uid", call.n ? call : json_get_str(r, S("task")));
    jw_end_obj(w);
}

/* The human who answers for a call, or who did anything else; the product where nobody is known. */
static void put_actor(struct jw *w, const struct mapping *m, const json *r)
{
    static const char *const WHO[] = {"approver", "by", "owner", "name"};
    str who = m->class == API ? json_get_str(r, S("owner")) : (str){0};
    for (size_t i = 0; i < sizeof WHO / sizeof WHO[0] && !who.n && m->class != API; i++)
        who = json_get_str(r, str_z(WHO[i]));
    jw_key(w, S("actor"));
    jw_obj(w);
    if (who.n)
        put_entity(w, "user", who);
    jw_kstr(w, S("app_name"), S("Ambit"));
    jw_end_obj(w);
}

static void put_policy(struct jw *w, const json *r)
{
    str digest = json_get_str(r, S("policy"));
    if (!digest.n)
        return;
    jw_key(w, S("policy"));
    jw_obj(w);
    jw_kstr(w, S("uid"), digest);
    put_str(w, "version", json_number(json_get(r, S("policy_version"))));
    jw_end_obj(w);
}

static void put_attestation(struct jw *w, struct arena *a, const struct store_leaf_row *row)
{
    char uid[24];
    snprintf(uid, sizeof uid, "%llu", (unsigned long long)row->index);
    jw_key(w, S("attestation_list"));
    jw_arr(w);
    jw_obj(w);
    jw_kstr(w, S("uid"), str_z(uid));
    jw_key(w, S("fingerprint"));
    jw_obj(w);
    jw_ki64(w, S("algorithm_id"), 3);
    jw_kstr(w, S("algorithm"), S("SHA-256"));
    jw_kstr(w, S("value"), hex_dup(a, row->hash));
    jw_end_obj(w);
    jw_end_obj(w);
    jw_end_arr(w);
}

static void put_unmapped(struct jw *w, const json *r)
{
    jw_key(w, S("unmapped"));
    jw_obj(w);
    for (size_t i = 0; i < sizeof UNMAPPED / sizeof UNMAPPED[0]; i++) {
        const json *v = json_get(r, str_z(UNMAPPED[i]));
        if (v)
            jw_kvalue(w, str_z(UNMAPPED[i]), v);
    }
    jw_end_obj(w);
}

/* ---- members that a class asks for ---- */

static void put_api(struct jw *w, const json *r)
{
    str tool = json_get_str(r, S("tool")), agent = json_get_str(r, S("agent"));
    int64_t us;
    jw_key(w, S("api"));
    jw_obj(w);
    jw_kstr(w, S("operation"), tool.n ? tool : S("unknown"));
    jw_key(w, S("service"));
    jw_obj(w);
    jw_kstr(w, S("name"),
            json_get_str(r, S("binding")).n ? json_get_str(r, S("binding")) : S("unknown"));
    jw_end_obj(w);
    jw_end_obj(w);
    jw_key(w, S("src_endpoint"));
    jw_obj(w);
    jw_kstr(w, S("name"), agent.n ? agent : S("unknown"));
    jw_end_obj(w);
    if (json_i64(json_get(r, S("latency_us")), &us))
        jw_ki64(w, S("duration"), us / 1000);
}

static void put_session(struct jw *w, const json *r, str entity)
{
    str grants = json_get_str(r, S("grants"));
    put_entity(w, "user", json_get_str(r, S("owner")));
    put_entity(w, "session", entity);
    jw_key(w, S("privileges"));
    jw_arr(w);
    jw_str(w, grants.n ? grants : S("task"));
    jw_end_arr(w);
}

static void put_managed(struct jw *w, const struct mapping *m, const json *r, str entity)
{
    str binding = json_get_str(r, S("binding"));
    jw_key(w, S("entity"));
    jw_obj(w);
    jw_kstr(w, S("uid"), entity.n ? entity : S("unknown"));
    put_str(w, "type", m->kind ? str_z(m->kind) : json_get_str(r, S("kind")));
    if (is(m->kind, S("tool")))
        put_str(w, "name", binding);
    jw_end_obj(w);
}

static void put_class(struct jw *w, const struct mapping *m, const struct store_leaf_row *row,
                      const json *r)
{
    str entity = m->entity ? json_get_str(r, str_z(m->entity)) : (str){0};
    char uid[24];
    switch (m->class) {
    case API:
        put_api(w, r);
        break;
    case SESSION:
        put_session(w, r, entity);
        break;
    case ENTITY:
        put_managed(w, m, r, entity);
        break;
    case AUTHENTICATION:
        put_entity(w, "user", entity);
        jw_key(w, S("service"));
        jw_raw(w, S("{\"name\":\"Ambit\"}"));
        break;
    case FINDING:
        snprintf(uid, sizeof uid, "%llu", (unsigned long long)row->index);
        jw_key(w, S("finding_info"));
        jw_obj(w);
        jw_kstr(w, S("uid"), str_z(uid));
        jw_kstr(w, S("title"), S("One identity is in use at two places at once"));
        jw_end_obj(w);
        break;
    case LIFECYCLE:
        jw_key(w, S("app"));
        jw_raw(w, S("{\"name\":\"Ambit\"}"));
        break;
    default:
        break;
    }
}

static void put_head(struct jw *w, const struct mapping *m, const json *r)
{
    struct ruling ruled = ruling_of(r);
    int activity = activity_of(m, r);
    str why = json_get_str(r, S("reason"));
    jw_ki64(w, S("class_uid"), m->class);
    jw_ki64(w, S("category_uid"), m->class / 1000);
    jw_ki64(w, S("activity_id"), activity);
    if (activity == OTHER)
        jw_kstr(w, S("activity_name"),
                m->activity_name ? str_z(m->activity_name) : json_get_str(r, S("effect")));
    jw_ki64(w, S("type_uid"), (int64_t)m->class * 100 + activity);
    jw_ki64(w, S("time"), time_ms(json_get_str(r, S("time"))));
    jw_ki64(w, S("severity_id"), m->class == FINDING ? MEDIUM : INFORMATIONAL);
    jw_ki64(w, S("status_id"), m->class == FINDING ? 1 : ruled.status);
    if (ruled.status == OTHER)
        jw_kstr(w, S("status"), S("Held"));
    put_str(w, "status_code", json_get_str(r, S("status")));
    put_str(w, "status_detail", why);
    jw_ki64(w, S("action_id"), ruled.action);
    if (ruled.action == OTHER)
        jw_kstr(w, S("action"), S("Held"));
    jw_ki64(w, S("disposition_id"), ruled.disposition);
}

bool export_ocsf(struct buf *out, struct arena *a, const struct store_leaf_row *row,
                 struct err *err)
{
    const json *r;
    if (!export_leaf(a, row, &r, err))
        return false;
    const struct mapping *m = mapping_of(r);
    str agent = json_get_str(r, S("agent"));
    struct jw w = jw(out);
    jw_obj(&w);
    put_head(&w, m, r);
    put_metadata(&w, row, r);
    if (m->class / 1000 == IAM || m->class == API)
        put_actor(&w, m, r);
    if (agent.n && (m->class / 1000 == IAM || m->class == API)) {
        jw_key(&w, S("ai_agent"));
        jw_obj(&w);
        jw_kstr(&w, S("uid"), agent);
        put_str(&w, "instance_uid", json_get_str(r, S("instance")));
        jw_end_obj(&w);
    }
    put_class(&w, m, row, r);
    put_policy(&w, r);
    put_attestation(&w, a, row);
    put_unmapped(&w, r);
    jw_kstr(&w, S("raw_data"), row->body);
    jw_end_obj(&w);
    buf_putc(out, '\n');
    return true;
}

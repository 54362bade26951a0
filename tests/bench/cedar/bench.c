/* Ambit's engine under the load of one case: loads its policies and schema, decides each request of
 * each world, and says on one line of JSON what that took. See docs/bench.md.
 *
 *     cedar_bench CASE [--worlds N] [--rounds N] [--plain]
 *
 * CASE is a folder of policies.cedar, schema.cedarschema and worlds.jsonl (or worlds that bring
 * their own policies). The decisions are left in CASE/ambit.decisions, one letter each. --plain:
 * neither validates nor goes the way from raw JSON. */
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "base/json.h"
#include "cedar/cedar.h"
#include "cedar/check/validate.h"
#include "cedar/schema/schema.h"
#include "cedar/value/entities_json.h"

enum { SEED = 0x5eed };

static void die(const char *what, str why)
{
    fprintf(stderr, "cedar_bench: %s: %.*s\n", what, STR(why));
    exit(1);
}

/* ---- time ---- */

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
    unsigned core;
    return __rdtscp(&core);
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
#endif
}

static double ns_per_tick(void)
{
    double from_ms = now_ms();
    uint64_t from = ticks();
    while (now_ms() - from_ms < 50)
        ;
    return (now_ms() - from_ms) * 1e6 / (double)(ticks() - from);
}

/* ---- samples ---- */

struct samples {
    uint32_t *ticks;
    size_t count, cap;
};

static void sample(struct samples *s, uint64_t took)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 1 << 16;
        s->ticks = realloc(s->ticks, s->cap * sizeof *s->ticks);
        if (!s->ticks)
            abort();
    }
    s->ticks[s->count++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile(struct samples *s, double part, double ns)
{
    if (s->count == 0)
        return 0;
    qsort(s->ticks, s->count, sizeof *s->ticks, by_size);
    return s->ticks[(size_t)((double)(s->count - 1) * part)] * ns;
}

static double timer_cost(double ns)
{
    struct samples s = {0};
    for (int i = 0; i < 10000; i++) {
        uint64_t from = ticks();
        sample(&s, ticks() - from);
    }
    double cost = percentile(&s, 0.5, ns);
    free(s.ticks);
    return cost;
}

/* ---- what is measured ---- */

struct bench {
    const char *folder;
    const struct schema *schema;
    double ns;
    bool plain;
    unsigned rounds;
    double parse_ms, validate_ms, compile_ms;
    size_t policies, policy_bytes;
    struct samples decide, quick, from_json;
    struct buf decisions;
    size_t allowed, failed, requests, evaluated;
};

static str slurp(const char *folder, const char *name, bool must)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f && must)
        die(path, S("cannot be read"));
    if (!f)
        return (str){0};
    fseek(f, 0, SEEK_END);
    size_t n = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(n + 1);
    if (!bytes || fread(bytes, 1, n, f) != n)
        die(path, S("cannot be read"));
    fclose(f);
    return str_of(bytes, n);
}

static void die_of_diags(const struct cedar_diags *d)
{
    struct buf out = {0};
    cedar_diags_print(d, &out);
    die("policies", buf_str(&out));
}

static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

static struct cedar_set *load(struct bench *b, struct arena *a, str text)
{
    struct cedar_diags diags;
    struct err err;
    struct cedar_policies *ps = ARENA_NEW(a, struct cedar_policies);
    size_t before = heap_bytes();
    double t0 = now_ms();
    if (!cedar_policies_parse(a, S("policies"), text, ps, &diags))
        die_of_diags(&diags);
    double t1 = now_ms();
    if (b->schema && !validate_policies(b->schema, ps, NULL, &diags))
        die_of_diags(&diags);
    double t2 = now_ms();
    const struct cedar_policies *texts[] = {ps};
    struct cedar_set *set = cedar_compile(texts, 1, SEED, &err);
    if (!set)
        die("compile", str_z(err.text));
    b->parse_ms += t1 - t0;
    b->validate_ms += b->schema ? t2 - t1 : 0;
    b->compile_ms += now_ms() - t2;
    b->policies += ps->count;
    b->policy_bytes += heap_bytes() - before;
    return set;
}

static const struct schema *load_schema(const char *folder, struct arena *a)
{
    struct cedar_diags diags;
    const struct schema *schema;
    str text = slurp(folder, "schema.cedarschema", false);
    if (!text.n)
        return NULL;
    cedar_diags_init(&diags, a, S("schema"), text);
    if (!schema_read(a, text, &schema, &diags))
        die_of_diags(&diags);
    return schema;
}

static void read_request(struct arena *a, const json *v, struct cedar_value *context,
                         struct cedar_request *out)
{
    struct err err;
    out->context = context;
    if (!cedar_uid_from_json(json_get(v, S("principal")), &out->principal, &err) ||
        !cedar_uid_from_json(json_get(v, S("action")), &out->action, &err) ||
        !cedar_uid_from_json(json_get(v, S("resource")), &out->resource, &err) ||
        !cedar_context_from_json(a, json_get(v, S("context")), NULL, context, &err))
        die("request", str_z(err.text));
}

struct world {
    struct arena arena;
    struct cedar_entities entities;
    struct cedar_request *requests;
    str *texts; /* of the requests */
    size_t count;
};

static void read_world(struct world *w, const json *root)
{
    struct err err;
    const json *requests = json_get(root, S("requests")), *v;
    cedar_entities_init(&w->entities, &w->arena, NULL, SEED);
    if (!cedar_entities_from_json(&w->entities, json_get(root, S("entities")), NULL, &err) ||
        !cedar_entities_seal(&w->entities, &err))
        die("entities", str_z(err.text));
    w->requests = ARENA_ARRAY(&w->arena, struct cedar_request, json_count(requests));
    w->texts = ARENA_ARRAY(&w->arena, str, json_count(requests));
    for (struct json_iter it = json_iter(requests); json_next(&it, NULL, &v); w->count++) {
        struct buf text = {0};
        json_write(&text, v);
        w->texts[w->count] = str_dup(&w->arena, buf_str(&text));
        buf_fini(&text);
        read_request(&w->arena, v, ARENA_NEW(&w->arena, struct cedar_value),
                     &w->requests[w->count]);
    }
}

/* A request that has just been made, as a gateway's is: its own bytes are in the nearest cache,
 * those of policies and entities are where the last requests left them. */
static struct cedar_request fresh(struct arena *a, const struct cedar_request *req,
                                  struct cedar_value *context)
{
    struct cedar_request out = *req;
    struct cedar_uid *uids[] = {&out.principal, &out.action, &out.resource};
    for (int i = 0; i < 3; i++)
        *uids[i] = (struct cedar_uid){str_dup(a, uids[i]->type), str_dup(a, uids[i]->id)};
    *context = cedar_value_copy(a, *req->context);
    out.context = context;
    return out;
}

static void decide_all(struct bench *b, const struct cedar_set *set, const struct world *w,
                       struct arena *scratch, bool measure)
{
    ARENA_SCOPE struct arena arrived = {0};
    struct cedar_response res;
    struct cedar_value context;
    struct err err;
    for (size_t i = 0; i < w->count; i++) {
        arena_reset(&arrived);
        struct cedar_request req = fresh(&arrived, &w->requests[i], &context);
        uint64_t from = ticks();
        arena_reset(scratch);
        if (!cedar_authorize(set, &req, &w->entities, scratch, &res, &err))
            die("authorize", str_z(err.text));
        uint64_t to = ticks();
        if (measure) {
            sample(&b->decide, to - from);
            continue;
        }
        buf_putc(&b->decisions, res.decision == CEDAR_ALLOW ? 'A' : 'D');
        b->allowed += res.decision == CEDAR_ALLOW;
        b->failed += res.error_count > 0;
        b->evaluated += res.evaluated;
        b->requests++;
    }
}

/* The decision alone, without reasons. */
static void decide_all_quick(struct bench *b, const struct cedar_set *set, const struct world *w,
                             struct arena *scratch)
{
    ARENA_SCOPE struct arena arrived = {0};
    struct cedar_response res;
    struct cedar_value context;
    struct err err;
    for (size_t i = 0; i < w->count; i++) {
        arena_reset(&arrived);
        struct cedar_request req = fresh(&arrived, &w->requests[i], &context);
        uint64_t from = ticks();
        arena_reset(scratch);
        if (!cedar_authorize_as(CEDAR_DECISION, set, &req, &w->entities, scratch, &res, &err))
            die("authorize", str_z(err.text));
        sample(&b->quick, ticks() - from);
    }
}

static void decide_all_from_json(struct bench *b, const struct cedar_set *set,
                                 const struct world *w, struct arena *scratch)
{
    struct cedar_response res;
    struct err err;
    for (size_t i = 0; i < w->count; i++) {
        const json *v;
        struct cedar_request req;
        struct cedar_value context;
        uint64_t from = ticks();
        arena_reset(scratch);
        if (!json_read(scratch, w->texts[i], NULL, &v, &err))
            die("request", str_z(err.text));
        read_request(scratch, v, &context, &req);
        if (!cedar_authorize(set, &req, &w->entities, scratch, &res, &err))
            die("authorize", str_z(err.text));
        sample(&b->from_json, ticks() - from);
    }
}

static void run_world(struct bench *b, const struct cedar_set *shared, str line)
{
    struct world w = {0};
    ARENA_SCOPE struct arena scratch = {0};
    struct arena policies = {0};
    struct json_limits limits = {.bytes_max = SIZE_MAX / 4, .values_max = SIZE_MAX / 4};
    struct err err;
    const json *root;
    if (!json_read(&w.arena, line, &limits, &root, &err))
        die("world", str_z(err.text));
    read_world(&w, root);
    str own = json_get_str(root, S("policies"));
    struct cedar_set *set = own.n ? load(b, &policies, own) : NULL;
    decide_all(b, set ? set : shared, &w, &scratch, false);
    for (unsigned i = 0; i < b->rounds; i++)
        decide_all(b, set ? set : shared, &w, &scratch, true);
    for (unsigned i = 0; i < b->rounds && !b->plain; i++)
        decide_all_quick(b, set ? set : shared, &w, &scratch);
    for (unsigned i = 0; i < b->rounds && !b->plain; i++)
        decide_all_from_json(b, set ? set : shared, &w, &scratch);
    cedar_set_free(set);
    arena_fini(&policies);
    arena_fini(&w.arena);
}

static void report(struct bench *b)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/ambit.decisions", b->folder);
    FILE *f = fopen(path, "wb");
    str decisions = buf_str(&b->decisions);
    if (!f || fwrite(decisions.p, 1, decisions.n, f) != decisions.n || fclose(f))
        die(path, S("cannot be written"));
    printf("{\"engine\":\"ambit\",\"p50_ns\":%.1f,\"p99_ns\":%.1f,\"quick_p50_ns\":%.1f,\"json_p50_"
           "ns\":%.1f,"
           "\"json_p99_ns\":%.1f,\"timer_ns\":%.1f,\"parse_ms\":%.3f,\"validate_ms\":%.3f,"
           "\"compile_ms\":%.3f,\"policies\":%zu,\"bytes_per_policy\":%.0f,\"requests\":%zu,"
           "\"allowed\":%zu,\"errors\":%zu,\"evaluated\":%zu}\n",
           percentile(&b->decide, 0.5, b->ns), percentile(&b->decide, 0.99, b->ns),
           percentile(&b->quick, 0.5, b->ns), percentile(&b->from_json, 0.5, b->ns),
           percentile(&b->from_json, 0.99, b->ns), timer_cost(b->ns), b->parse_ms, b->validate_ms,
           b->compile_ms, b->policies,
           (double)b->policy_bytes / (double)(b->policies ? b->policies : 1), b->requests,
           b->allowed, b->failed, b->evaluated);
}

int main(int argc, char **argv)
{
    struct bench b = {.rounds = 1, .ns = ns_per_tick()};
    unsigned long worlds = ULONG_MAX;
    struct arena schema = {0}, policies = {0};
    if (argc < 2)
        die("usage", S("cedar_bench CASE [--worlds N] [--rounds N] [--plain]"));
    b.folder = argv[1];
    for (int i = 2; i < argc; i++) {
        str arg = str_z(argv[i]);
        if (str_eq(arg, S("--plain")))
            b.plain = true;
        else if (str_eq(arg, S("--worlds")) && i + 1 < argc)
            worlds = strtoul(argv[++i], NULL, 10);
        else if (str_eq(arg, S("--rounds")) && i + 1 < argc)
            b.rounds = (unsigned)strtoul(argv[++i], NULL, 10);
        else
            die("unknown option", arg);
    }
    b.schema = b.plain ? NULL : load_schema(b.folder, &schema);
    str text = slurp(b.folder, "policies.cedar", false);
    struct cedar_set *set = text.n ? load(&b, &policies, text) : NULL;
    str rest = slurp(b.folder, "worlds.jsonl", true), line;
    while (worlds-- > 0 && rest.n && (str_cut(rest, '\n', &line, &rest) || line.n))
        run_world(&b, set, line);
    report(&b);
    cedar_set_free(set);
    arena_fini(&policies);
    arena_fini(&schema);
    return 0;
}

/* Arguments against an input schema: the part of JSON Schema 2020-12 that catches a model's
 * mistakes before a person or an upstream sees them. Two walks in step, bounded by the depth of the
 * arguments. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "mcp/text.h"
#include "mcp/tool.h"

enum {
    PATH_BYTES_MAX = 160,
    SHOWN_BYTES_MAX = 60,
    NUMBER_BYTES_MAX = 64,
    WORK_MAX = 4000000, /* comparisons; some 50 ms */
};

struct check {
    char path[PATH_BYTES_MAX]; /* "filter.items[2]"; cut where it would be longer */
    size_t path_n;
    unsigned depth;
    size_t work; /* done so far: large arguments times large schemas must not hold up the loop */
    struct err *err;
};

static str where(const struct check *c)
{
    return str_of(c->path, c->path_n);
}

static void path_add(struct check *c, const char *between, str name)
{
    int n = snprintf(c->path + c->path_n, sizeof c->path - c->path_n, "%s%.*s",
                     c->path_n ? between : "", STR(name));
    size_t room = sizeof c->path - c->path_n - 1;
    c->path_n += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
}

static const char *subject(const struct check *c)
{
    return c->path_n ? "argument " : "the arguments";
}

/* "argument `x` must be ..., got ..." */
#define MUST(c, fmt, ...)                                                                          \
    err_input((c)->err, "%s%s%.*s%s must " fmt, subject(c), (c)->path_n ? "`" : "", STR(where(c)), \
              (c)->path_n ? "`" : "", __VA_ARGS__)

static bool spend(struct check *c, size_t work)
{
    c->work += work;
    return c->work <= WORK_MAX || err_limit(c->err, "the arguments have too many members");
}

/* ---- numbers ---- */

static bool is_whole(str literal)
{
    str head, zeros;
    int64_t n;
    str_cut(literal, '.', &head, &zeros);
    for (size_t i = 0; i < zeros.n; i++)
        if (zeros.p[i] != '0')
            return false;
    for (size_t i = 0; i < head.n; i++)
        if ((head.p[i] < '0' || head.p[i] > '9') && !(i == 0 && head.p[i] == '-'))
            return false;
    return str_to_i64(head, &n) || head.n > 18;
}

static bool to_double(str literal, double *out)
{
    char z[NUMBER_BYTES_MAX];
    if (literal.n == 0 || literal.n >= sizeof z)
        return false;
    memcpy(z, literal.p, literal.n);
    z[literal.n] = 0;
    *out = strtod(z, NULL);
    return !isnan(*out);
}

/* <0, 0, >0; integers exactly. False where one of them is no number that can be weighed. */
static bool number_cmp(const json *x, const json *y, int *out)
{
    int64_t i, j;
    double d, e;
    if (json_i64(x, &i) && json_i64(y, &j))
        *out = (i > j) - (i < j);
    else if (to_double(json_number(x), &d) && to_double(json_number(y), &e))
        *out = (d > e) - (d < e);
    else
        return false;
    return true;
}

static bool check_number(struct check *c, const json *schema, const json *v)
{
    const json *min = json_get(schema, S("minimum")), *max = json_get(schema, S("maximum"));
    int cmp;
    if (min && json_type(min) == JSON_NUMBER && (!number_cmp(v, min, &cmp) || cmp < 0))
        return MUST(c, "be at least %.*s, got %.*s",
                    STR(str_take(json_number(min), SHOWN_BYTES_MAX)),
                    STR(str_take(json_number(v), SHOWN_BYTES_MAX)));
    if (max && json_type(max) == JSON_NUMBER && (!number_cmp(v, max, &cmp) || cmp > 0))
        return MUST(c, "be at most %.*s, got %.*s",
                    STR(str_take(json_number(max), SHOWN_BYTES_MAX)),
                    STR(str_take(json_number(v), SHOWN_BYTES_MAX)));
    return true;
}

/* ---- strings and sizes ---- */

static size_t code_points(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static bool check_size(struct check *c, const json *schema, size_t n, str min_name, str max_name,
                       const char *unit)
{
    int64_t min, max;
    if (json_i64(json_get(schema, min_name), &min) && min > 0 && n < (uint64_t)min)
        return MUST(c, "have at least %lld %s, got %zu", (long long)min, unit, n);
    if (json_i64(json_get(schema, max_name), &max) && max >= 0 && n > (uint64_t)max)
        return MUST(c, "have at most %lld %s, got %zu", (long long)max, unit, n);
    return true;
}

/* ---- type, enum, const ---- */

struct type_row {
    str name;
    const char *shown;
    enum json_type type;
};

static const struct type_row TYPES[] = {
    {{"integer", 7}, "an integer", JSON_NUMBER},
    {{"number", 6}, "a number", JSON_NUMBER},
    {{"string", 6}, "a string", JSON_STRING},
    {{"boolean", 7}, "true or false", JSON_BOOL},
    {{"array", 5}, "an array", JSON_ARRAY},
    {{"object", 6}, "an object", JSON_OBJECT},
    {{"null", 4}, "null", JSON_NULL},
};

static const struct type_row *type_row(str name)
{
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
        if (str_eq(TYPES[i].name, name))
            return &TYPES[i];
    return NULL;
}

/* A type that is no JSON Schema type matches nothing. */
static bool is_of_type(const json *v, str name)
{
    const struct type_row *row = type_row(name);
    if (!row || row->type != json_type(v))
        return false;
    return row != &TYPES[0] || is_whole(json_number(v));
}

static const char *shown_type(const json *v)
{
    if (json_type(v) == JSON_NUMBER && !is_whole(json_number(v)))
        return "a number with a fraction";
    return json_type_name(json_type(v));
}

static bool check_type(struct check *c, const json *type, const json *v)
{
    const json *t;
    char names[120];
    size_t n = 0;
    if (json_type(type) == JSON_STRING) {
        const struct type_row *row = type_row(json_str(type));
        return is_of_type(v, json_str(type)) ||
               MUST(c, "be %s, got %s", row ? row->shown : "of a type that does not exist",
                    shown_type(v));
    }
    if (json_type(type) != JSON_ARRAY)
        return true;
    names[0] = 0;
    for (struct json_iter it = json_iter(type); json_next(&it, NULL, &t);) {
        if (is_of_type(v, json_str(t)))
            return true;
        const struct type_row *row = type_row(json_str(t));
        int k = snprintf(names + n, sizeof names - n, "%s%s", n ? " or " : "",
                         row ? row->shown : "unknown");
        n = k > 0 && n + (size_t)k < sizeof names ? n + (size_t)k : sizeof names - 1;
    }
    return MUST(c, "be %s, got %s", names, shown_type(v));
}

static bool same(const json *x, const json *y)
{
    int cmp;
    if (json_type(x) != json_type(y))
        return false;
    if (json_type(x) == JSON_STRING)
        return str_eq(json_str(x), json_str(y));
    if (json_type(x) == JSON_NUMBER)
        return str_eq(json_number(x), json_number(y)) || (number_cmp(x, y, &cmp) && cmp == 0);
    struct buf bx = {0}, by = {0};
    json_write_canonical(&bx, x);
    json_write_canonical(&by, y);
    bool equal = str_eq(buf_str(&bx), buf_str(&by));
    buf_fini(&bx);
    buf_fini(&by);
    return equal;
}

static bool check_choice(struct check *c, const json *schema, const json *v)
{
    const json *choices = json_get(schema, S("enum")), *only = json_get(schema, S("const")), *e;
    if (only && !same(only, v))
        return MUST(c, "be the one value that the schema names%s", "");
    if (json_type(choices) != JSON_ARRAY)
        return true;
    if (!spend(c, json_count(choices) * (json_type(v) >= JSON_ARRAY ? 1 + 16 * json_count(v) : 1)))
        return false;
    struct buf shown = {.max = 160};
    bool found = false;
    for (struct json_iter it = json_iter(choices); !found && json_next(&it, NULL, &e);) {
        found = same(e, v);
        if (!shown.over) {
            if (buf_len(&shown))
                buf_put(&shown, S(", "));
            json_write(&shown, e);
        }
    }
    bool ok = found || MUST(c, "be one of %.*s%s", STR(buf_str(&shown)), shown.over ? " ..." : "");
    buf_fini(&shown);
    return ok;
}

/* ---- objects and arrays ---- */

static bool check_value(struct check *c, const json *schema, const json *v);

/* Goes one step down and comes back with the path as it was. */
static bool check_below(struct check *c, const char *between, str step, const json *schema,
                        const json *v)
{
    size_t path_n = c->path_n;
    if (c->depth >= MCP_ARGUMENT_DEPTH_MAX)
        return MUST(c, "not be nested deeper than %d levels", MCP_ARGUMENT_DEPTH_MAX);
    path_add(c, between, step);
    c->depth++;
    bool ok = check_value(c, schema, v);
    c->depth--;
    c->path_n = path_n;
    return ok;
}

static bool is_false(const json *v)
{
    return json_type(v) == JSON_BOOL && !json_bool(v);
}

static bool check_required(struct check *c, const json *schema, const json *v)
{
    const json *name;
    for (struct json_iter it = json_iter(json_get(schema, S("required")));
         json_next(&it, NULL, &name);) {
        if (json_type(name) != JSON_STRING || json_get(v, json_str(name)))
            continue;
        const json *declared = json_get(json_get(schema, S("properties")), json_str(name));
        const struct type_row *row = type_row(json_get_str(declared, S("type")));
        path_add(c, ".", mcp_text_take(json_str(name), SHOWN_BYTES_MAX));
        return MUST(c, "be given%s%s", row ? ": " : "", row ? row->shown : "");
    }
    return true;
}

static bool check_object(struct check *c, const json *schema, const json *v)
{
    const json *properties = json_get(schema, S("properties"));
    const json *others = json_get(schema, S("additionalProperties")), *member;
    bool closed = is_false(others) && !json_get(schema, S("patternProperties"));
    str name;
    if (!spend(c, json_count(v) *
                      (1 + json_count(properties) + json_count(json_get(schema, S("required"))))) ||
        !check_required(c, schema, v))
        return false;
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &member);) {
        const json *declared = json_get(properties, name);
        str shown = mcp_text_take(name, SHOWN_BYTES_MAX);
        if (!declared && closed) {
            path_add(c, ".", shown);
            return MUST(c, "not be given: the tool has no such argument%s", "");
        }
        if (!declared && json_type(others) == JSON_OBJECT &&
            !json_get(schema, S("patternProperties")))
            declared = others;
        if (declared && !check_below(c, ".", shown, declared, member))
            return false;
    }
    return true;
}

static bool check_array(struct check *c, const json *schema, const json *v)
{
    const json *items = json_get(schema, S("items")), *element;
    char step[32];
    size_t i = 0;
    if (!check_size(c, schema, json_count(v), S("minItems"), S("maxItems"), "elements"))
        return false;
    /* With prefixItems the schema of `items` is for what comes after them. */
    if (json_type(items) != JSON_OBJECT || json_get(schema, S("prefixItems")))
        return true;
    if (!spend(c, json_count(v)))
        return false;
    for (struct json_iter it = json_iter(v); json_next(&it, NULL, &element); i++) {
        snprintf(step, sizeof step, "[%zu]", i);
        if (!check_below(c, "", str_z(step), items, element))
            return false;
    }
    return true;
}

static bool check_value(struct check *c, const json *schema, const json *v)
{
    if (is_false(schema))
        return MUST(c, "not be given%s", "");
    if (json_type(schema) != JSON_OBJECT)
        return true;
    if (!check_type(c, json_get(schema, S("type")), v) || !check_choice(c, schema, v))
        return false;
    switch (json_type(v)) {
    case JSON_OBJECT:
        return check_object(c, schema, v);
    case JSON_ARRAY:
        return check_array(c, schema, v);
    case JSON_NUMBER:
        return check_number(c, schema, v);
    case JSON_STRING:
        return check_size(c, schema, code_points(json_str(v)), S("minLength"), S("maxLength"),
                          "characters");
    default:
        return true;
    }
}

bool mcp_arguments_check(const json *schema, const json *arguments, struct err *err)
{
    struct check c = {.err = err};
    if (!arguments)
        return check_required(&c, schema, NULL);
    if (json_type(arguments) != JSON_OBJECT)
        return err_input(err, "the arguments must be an object, got %s",
                         json_type_name(json_type(arguments)));
    return check_value(&c, schema, arguments);
}

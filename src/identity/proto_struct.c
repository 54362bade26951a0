/* google.protobuf.Struct:
 *
 *     Struct     { map<string, Value> fields = 1; }
 *     Value      { oneof: null 1 varint, number 2 double, string 3, bool 4, Struct 5, ListValue 6 }
 *     ListValue  { repeated Value values = 1; }
 */
#include "identity/proto.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { VALUE_NULL = 1, VALUE_NUMBER, VALUE_STRING, VALUE_BOOL, VALUE_STRUCT, VALUE_LIST };

/* ---- writing ---- */

static bool put_number(struct buf *out, str text, struct err *err)
{
    char z[400];
    double d;
    uint64_t bits;
    if (text.n >= sizeof z)
        return err_limit(err, "a number of over %zu digits", sizeof z - 1);
    memcpy(z, text.p, text.n);
    z[text.n] = 0;
    d = strtod(z, NULL);
    if (!isfinite(d))
        return err_input(err, "a number that is too large for a double");
    memcpy(&bits, &d, sizeof bits);
    proto_put_i64(out, VALUE_NUMBER, bits);
    return true;
}

static bool put_children(struct buf *out, const json *v, unsigned depth, struct err *err);

static bool put_value(struct buf *out, const json *v, unsigned depth, struct err *err)
{
    bool is_object = json_type(v) == JSON_OBJECT;
    switch (json_type(v)) {
    case JSON_ABSENT:
    case JSON_NULL:
        proto_put_varint(out, VALUE_NULL, 0);
        return true;
    case JSON_BOOL:
        proto_put_varint(out, VALUE_BOOL, json_bool(v));
        return true;
    case JSON_NUMBER:
        return put_number(out, json_number(v), err);
    case JSON_STRING:
        proto_put_bytes(out, VALUE_STRING, json_str(v));
        return true;
    case JSON_ARRAY:
    case JSON_OBJECT: {
        size_t mark = proto_open(out, is_object ? VALUE_STRUCT : VALUE_LIST);
        if (!put_children(out, v, depth + 1, err))
            return false;
        proto_close(out, mark);
        return true;
    }
    }
    return false;
}

/* Depth is limited, so it may call itself. */
static bool put_children(struct buf *out, const json *v, unsigned depth, struct err *err)
{
    bool is_object = json_type(v) == JSON_OBJECT;
    str name;
    const json *value;
    if (depth > PROTO_STRUCT_DEPTH_MAX)
        return err_limit(err, "values nested over %d deep", (int)PROTO_STRUCT_DEPTH_MAX);
    for (struct json_iter it = json_iter(v); json_next(&it, &name, &value);) {
        size_t mark = proto_open(out, 1), inner = 0;
        if (is_object) {
            proto_put_bytes(out, 1, name);
            inner = proto_open(out, 2);
        }
        if (!put_value(out, value, depth, err))
            return false;
        if (is_object)
            proto_close(out, inner);
        proto_close(out, mark);
    }
    return true;
}

bool proto_put_struct(struct buf *out, const json *object, struct err *err)
{
    size_t before = buf_len(out);
    if (json_type(object) != JSON_OBJECT)
        return err_input(err, "a Struct must be made of a JSON object");
    bool ok = put_children(out, object, 1, err);
    if (ok && out->over)
        ok = err_limit(err, "there is no room for a Struct");
    if (!ok)
        buf_truncate(out, before);
    return ok;
}

/* ---- reading ---- */

struct reading {
    struct jw w;
    size_t values;
    unsigned depth;
};

static bool read_struct(struct reading *r, str in, struct err *err);
static bool read_list(struct reading *r, str in, struct err *err);

static bool write_number(struct reading *r, uint64_t bits, struct err *err)
{
    double d;
    char text[40];
    memcpy(&d, &bits, sizeof d);
    if (!isfinite(d))
        return err_input(err, "a Struct has a number that is not finite");
    int n = snprintf(text, sizeof text, "%.17g", d);
    jw_raw(&r->w, str_of(text, (size_t)n));
    return true;
}

static bool write_value(struct reading *r, const struct proto_field *f, struct err *err)
{
    static const enum proto_wire wires[] = {
        [VALUE_NULL] = PROTO_VARINT, [VALUE_NUMBER] = PROTO_I64, [VALUE_STRING] = PROTO_LEN,
        [VALUE_BOOL] = PROTO_VARINT, [VALUE_STRUCT] = PROTO_LEN, [VALUE_LIST] = PROTO_LEN};
    if (f->wire != wires[f->number])
        return err_input(err, "a value of a Struct has the wrong wire type");
    switch (f->number) {
    case VALUE_NULL:
        jw_null(&r->w);
        return true;
    case VALUE_NUMBER:
        return write_number(r, f->value, err);
    case VALUE_STRING:
        if (!str_is_utf8(f->bytes))
            return err_input(err, "a string of a Struct is not UTF-8");
        jw_str(&r->w, f->bytes);
        return true;
    case VALUE_BOOL:
        jw_bool(&r->w, f->value != 0);
        return true;
    case VALUE_STRUCT:
        return read_struct(r, f->bytes, err);
    default:
        return read_list(r, f->bytes, err);
    }
}

/* Of a oneof the last counts; a Value that sets none is null. */
static bool read_value(struct reading *r, str in, struct err *err)
{
    struct proto_field f, last = {.number = VALUE_NULL, .wire = PROTO_VARINT};
    enum proto_step step;
    if (++r->values > PROTO_STRUCT_VALUES_MAX)
        return err_limit(err, "a Struct of over %d values", (int)PROTO_STRUCT_VALUES_MAX);
    while ((step = proto_next(&in, &f, err)) == PROTO_FIELD)
        if (f.number <= VALUE_LIST)
            last = f;
    return step == PROTO_END && write_value(r, &last, err);
}

static bool deeper(struct reading *r, struct err *err)
{
    return ++r->depth <= PROTO_STRUCT_DEPTH_MAX ||
           err_limit(err, "a Struct nested over %d deep", (int)PROTO_STRUCT_DEPTH_MAX);
}

static bool read_list(struct reading *r, str in, struct err *err)
{
    static const struct proto_member members[] = {{1, PROTO_BYTES_LIST, 0, NULL}};
    static const struct proto_table list = {"ListValue", sizeof(struct proto_strs), 1, members};
    ARENA_SCOPE struct arena a = {0};
    struct proto_strs values;
    if (!deeper(r, err) || !proto_decode(&a, &list, in, &values, err))
        return false;
    jw_arr(&r->w);
    for (size_t i = 0; i < values.n; i++)
        if (!read_value(r, values.at[i], err))
            return false;
    jw_end_arr(&r->w);
    r->depth--;
    return true;
}

static bool read_struct(struct reading *r, str in, struct err *err)
{
    static const struct proto_member members[] = {{1, PROTO_MAP_BYTES, 0, NULL}};
    static const struct proto_table table = {"Struct", sizeof(struct proto_pairs), 1, members};
    ARENA_SCOPE struct arena a = {0};
    struct proto_pairs fields;
    if (!deeper(r, err) || !proto_decode(&a, &table, in, &fields, err))
        return false;
    jw_obj(&r->w);
    for (size_t i = 0; i < fields.n; i++) {
        jw_key(&r->w, fields.at[i].key);
        if (!read_value(r, fields.at[i].value, err))
            return false;
    }
    jw_end_obj(&r->w);
    r->depth--;
    return true;
}

bool proto_read_struct(str in, struct buf *out, struct err *err)
{
    struct reading r = {.w = jw(out)};
    if (!read_struct(&r, in, err))
        return false;
    return !out->over || err_limit(err, "there is no room for the JSON of a Struct");
}

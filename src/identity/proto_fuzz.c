/* Any bytes as each message of the Workload API: refused, or what is written from it reads back to
 * the same bytes when written again. As a Struct: refused, or JSON that makes a Struct that makes
 * the same JSON. */
#include "identity/workload_msg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_message(const struct proto_table *t, str in)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    union {
        union workload_ask ask;
        union workload_answer answer;
    } m, again;
    struct buf one = {0}, two = {0};
    if (!proto_decode(&a, t, in, &m, &err))
        return;
    if (!proto_encode(t, &m, &one, &err) || !proto_decode(&a, t, buf_str(&one), &again, &err) ||
        !proto_encode(t, &again, &two, &err) || !str_eq(buf_str(&one), buf_str(&two)))
        abort();
    buf_fini(&one);
    buf_fini(&two);
}

static void as_struct(str in)
{
    ARENA_SCOPE struct arena a = {0};
    struct err err;
    const json *v;
    struct buf text = {0}, again = {0}, bytes = {0};
    if (proto_read_struct(in, &text, &err)) {
        if (!json_read(&a, buf_str(&text), NULL, &v, &err) || !proto_put_struct(&bytes, v, &err) ||
            !proto_read_struct(buf_str(&bytes), &again, &err) ||
            !str_eq(buf_str(&text), buf_str(&again)))
            abort();
    }
    buf_fini(&text);
    buf_fini(&again);
    buf_fini(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    str in = str_of((const char *)data + 1, size - 1);
    unsigned m = data[0] % (WORKLOAD_METHODS + 1);
    if (m == WORKLOAD_METHODS) {
        as_struct(in);
        return 0;
    }
    union workload_ask ask;
    struct err err;
    ARENA_SCOPE struct arena a = {0};
    as_message(workload_methods[m].ask, in);
    as_message(workload_methods[m].answer, in);
    if (proto_decode(&a, workload_methods[m].ask, in, &ask, &err) &&
        workload_check_ask((enum workload_method)m, &ask, &err) && m == WORKLOAD_FETCH_JWT_SVID &&
        !ask.jwt.audience.n)
        abort();
    return 0;
}

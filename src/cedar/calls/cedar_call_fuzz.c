/* Any line as a call, {"call": name, "input": ..}: the answer is JSON, says success or failure,
 * gives reasons for a failure, and is the same when the call is made again. A policy that was made
 * text can be read. */
#include "cedar/calls/calls.h"
#include "cedar/policy/parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ANSWER_DEPTH_MAX = 1 << 16 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_answer(struct arena *a, str name, str text)
{
    static const struct json_limits limits = {.bytes_max = 64 << 20, .depth_max = ANSWER_DEPTH_MAX};
    const json *v;
    struct err err;
    struct cedar_policies p;
    struct cedar_diags d;
    require(json_read(a, text, &limits, &v, &err));
    if (json_type(v) == JSON_STRING) {
        require(str_starts(name, S("getCedar")));
        return;
    }
    bool failed = str_eq(json_get_str(v, S("type")), S("failure"));
    require(failed || str_eq(json_get_str(v, S("type")), S("success")));
    if (failed)
        require(json_count(json_get(v, S("errors"))) || json_get_str(v, S("error")).n);
    if (!failed && (str_eq(name, S("policyToText")) || str_eq(name, S("templateToText"))))
        require(cedar_policies_parse(a, S("made"), json_get_str(v, S("text")), &p, &d) &&
                p.count == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    static const struct json_limits limits = {.depth_max = 4096};
    const json *line;
    struct err err;
    struct buf once = {0}, again = {0};
    if (!json_read(&a, str_of((const char *)data, size), &limits, &line, &err))
        return 0;
    str name = json_get_str(line, S("call"));
    const json *input = json_get(line, S("input"));
    if (cedar_call(&a, name, input, &once)) {
        require(cedar_call(&a, name, input, &again));
        require(str_eq(buf_str(&once), buf_str(&again)));
        check_answer(&a, name, buf_str(&once));
    } else {
        require(buf_len(&once) == 0);
    }
    buf_fini(&once);
    buf_fini(&again);
    return 0;
}

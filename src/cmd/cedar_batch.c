/* `ambit cedar batch`: calls (cedar/calls/calls.h) as JSON Lines.
 *
 *     in   {"id": string | number, "call": "isAuthorized", "input": ..}\n
 *     out  {"id": .., "output": ..}\n
 *
 * One line of output for each line of input, in order; empty lines are skipped. A line that is no
 * call gives {"id": .. | null, "error": "why"} and the work goes on. Answers are written when there
 * is no whole line left to work on, so a peer that waits for an answer gets it. Nothing is
 * remembered from line to line. */
#include "cmd/cedar.h"
#include "cedar/calls/calls.h"

#include <errno.h>
#include <unistd.h>

enum {
    LINE_BYTES_MAX = 64 << 20,
    READ_BYTES = 256 << 10,
    OUT_BYTES_HIGH = 1 << 20,     /* written when this much has gathered */
    ANSWER_BYTES_MAX = 256 << 20, /* of what has gathered, the last answer included */
    LINE_DEPTH_MAX = 4096,        /* more than calls take, so that they answer for it */
    LINE_VALUES_MAX = 8 << 20,
};

struct batch {
    struct arena arena; /* of one line */
    struct buf in, out;
    size_t searched; /* bytes of `in` that hold no end of a line */
    bool skipping;   /* the rest of a line that was too long */
    struct err err;
};

/* ---- one line ---- */

static void put_error(struct batch *b, const json *id, const char *why)
{
    struct jw w = jw(&b->out);
    jw_obj(&w);
    jw_key(&w, S("id"));
    jw_value(&w, id);
    jw_kstr(&w, S("error"), safe_dup(&b->arena, str_z(why)));
    jw_end_obj(&w);
    buf_putc(&b->out, '\n');
}

static void answer_call(struct batch *b, const json *id, const json *line)
{
    size_t before = buf_len(&b->out);
    str name = json_get_str(line, S("call"));
    buf_put(&b->out, S("{\"id\":"));
    json_write(&b->out, id);
    buf_put(&b->out, S(",\"output\":"));
    bool known = cedar_call(&b->arena, name, json_get(line, S("input")), &b->out);
    buf_put(&b->out, S("}\n"));
    if (known && !b->out.over)
        return;
    b->out.over = false;
    buf_truncate(&b->out, before);
    put_error(b, id, known ? "the answer is too large" : "there is no call of that name");
}

static void answer_line(struct batch *b, str text)
{
    static const struct json_limits limits = {
        .bytes_max = LINE_BYTES_MAX, .depth_max = LINE_DEPTH_MAX, .values_max = LINE_VALUES_MAX};
    const json *line = NULL, *id;
    if (str_trim(text).n == 0)
        return;
    if (!json_read(&b->arena, text, &limits, &line, &b->err)) {
        put_error(b, NULL, b->err.text);
    } else {
        id = json_get(line, S("id"));
        if (json_type(id) != JSON_STRING && json_type(id) != JSON_NUMBER)
            put_error(b, NULL,
                      "a line is {\"id\": a string or number, \"call\": .., \"input\": ..}");
        else
            answer_call(b, id, line);
    }
    arena_reset(&b->arena);
}

/* ---- the stream ---- */

static bool flush(struct batch *b)
{
    while (buf_len(&b->out)) {
        str s = buf_str(&b->out);
        ssize_t n = write(STDOUT_FILENO, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_system(&b->err, "standard output");
        buf_consume(&b->out, (size_t)n);
    }
    return true;
}

/* All whole lines that have come; `last` also takes what has no end. */
static bool answer_lines(struct batch *b, bool last)
{
    while (buf_len(&b->in)) {
        str all = buf_str(&b->in);
        ptrdiff_t end = str_find_char(all, '\n', b->searched);
        str line = end < 0 ? all : str_take(all, (size_t)end);
        b->searched = all.n; /* if this is not the end of it */
        if (end < 0 && !last && line.n <= LINE_BYTES_MAX)
            return true;
        b->searched = 0;
        if (!b->skipping && line.n > LINE_BYTES_MAX)
            put_error(b, NULL, "the line is too long");
        else if (!b->skipping)
            answer_line(b, line);
        b->skipping = end < 0 && !last;
        buf_consume(&b->in, end < 0 ? all.n : line.n + 1);
        if (buf_len(&b->out) > OUT_BYTES_HIGH && !flush(b))
            return false;
    }
    return true;
}

static bool run(struct batch *b)
{
    for (;;) {
        char *room = buf_reserve(&b->in, READ_BYTES);
        if (!flush(b))
            return false;
        ssize_t n = read(STDIN_FILENO, room, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_system(&b->err, "standard input");
        buf_commit(&b->in, (size_t)n);
        if (!answer_lines(b, n == 0))
            return false;
        if (n == 0)
            return flush(b);
    }
}

int cedar_batch_verb(struct cli *c)
{
    struct batch b = {.in = {.max = LINE_BYTES_MAX + 2 * READ_BYTES},
                      .out = {.max = ANSWER_BYTES_MAX}};
    bool ok = run(&b);
    c->err = b.err;
    buf_fini(&b.in);
    buf_fini(&b.out);
    arena_fini(&b.arena);
    return ok ? 0 : cli_failed(c);
}

/* Any bytes as what a task is asked to be: refused, or read, written and read again as the same,
 * and within itself. */
#include "task/grant.h"
#include "task/task.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_all(struct buf *b, const struct task_grant *list, size_t n)
{
    struct grant_set *set = grant_set_new(list, n);
    struct jw w = jw(b);
    grant_set_write(&w, set);
    grant_set_unref(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    struct buf once = {0}, twice = {0};
    struct task_wish w = {0};
    struct task_grant *again;
    const json *v;
    size_t n;
    struct err err;
    if (!json_read(&a, str_of((const char *)data, size), NULL, &v, &err) ||
        !task_wish_read(&a, v, &w, &err))
        return 0;
    for (size_t i = 0; i < w.grants_n; i++)
        if (!grant_within(&w.grants[i], &w.grants[i], &err))
            abort();
    write_all(&once, w.grants, w.grants_n);
    if (!json_read(&a, buf_str(&once), NULL, &v, &err) || !grants_read(&a, v, &again, &n, &err))
        abort();
    write_all(&twice, again, n);
    if (!str_eq(buf_str(&once), buf_str(&twice)))
        abort();
    buf_fini(&once);
    buf_fini(&twice);
    return 0;
}

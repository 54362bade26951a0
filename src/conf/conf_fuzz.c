/* Any bytes as a configuration: refused with at least one problem, or read. */
#include "conf/conf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    struct conf c;
    struct conf_problems problems = {0};
    bool ok = conf_read(&a, S("f"), S("/"), str_of((const char *)data, size), &c, &problems);
    if (ok == (problems.errors != 0))
        abort();
    return 0;
}

/* Any bytes to the formatter, at a width and indentation that they choose themselves: what parses
 * is formatted, what does not is refused with the parser's first diagnostic; formatting again
 * changes nothing. That meaning and comments are kept the formatter checks itself, so its refusal
 * "format" is a defect. */
#include "cedar/policy/format.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_SCOPE struct arena a = {0};
    struct cedar_policies p;
    struct cedar_diags d, parsed;
    str out, again;
    if (size < 2)
        return 0;
    struct cedar_format_options o = {.line_width = data[0], .indent_width = (int8_t)data[1] / 8};
    str text = str_of((const char *)data + 2, size - 2);
    if (!cedar_format(&a, text, &o, &out, &d)) {
        require(!cedar_policies_parse(&a, S(""), text, &p, &parsed));
        require(d.count == parsed.count && d.items[0].span.start == parsed.items[0].span.start);
        return 0;
    }
    require(cedar_format(&a, out, &o, &again, &d) && str_eq(out, again));
    return 0;
}

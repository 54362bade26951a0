#include "http/chars.h"

enum {
    ALNUM = CH_TOKEN | CH_VALUE | CH_PATH | CH_HOST,
    MARK = CH_TOKEN | CH_VALUE | CH_PATH, /* in tokens and in paths */
    SIGN = CH_TOKEN | CH_VALUE,           /* in tokens, not in paths */
    DELIM = CH_VALUE | CH_PATH,           /* in paths, not in tokens */
};

const uint8_t chars_class[256] = {
    ['\t'] = CH_VALUE,
    [' '] = CH_VALUE,
    ['!'] = MARK,
    ['"'] = CH_VALUE,
    ['#'] = SIGN,
    ['$'] = MARK,
    ['%'] = SIGN,
    ['&'] = MARK,
    ['\''] = MARK,
    ['(' ... ')'] = DELIM,
    ['*' ... '+'] = MARK,
    [','] = DELIM,
    ['-' ... '.'] = MARK | CH_HOST,
    ['/'] = DELIM,
    ['0' ... '9'] = ALNUM | CH_HEX | CH_DIGIT,
    [':' ... ';'] = DELIM,
    ['<'] = CH_VALUE,
    ['='] = DELIM,
    ['>'] = CH_VALUE,
    ['?'] = CH_VALUE | CH_QUESTION,
    ['@'] = DELIM,
    ['A' ... 'F'] = ALNUM | CH_HEX,
    ['G' ... 'Z'] = ALNUM,
    ['[' ... ']'] = CH_VALUE,
    ['^'] = SIGN,
    ['_'] = MARK | CH_HOST,
    ['`'] = SIGN,
    ['a' ... 'f'] = ALNUM | CH_HEX,
    ['g' ... 'z'] = ALNUM,
    ['{'] = CH_VALUE,
    ['|'] = SIGN,
    ['}'] = CH_VALUE,
    ['~'] = MARK,
    [0x80 ... 0xff] = CH_VALUE,
};

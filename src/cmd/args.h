/* args: the words after a subcommand, read by tables of options.
 *
 * "--name VALUE", "--name=VALUE", "-c VALUE", "-cVALUE"; options and positions may be mixed, "--"
 * ends the options. An option that is not a list may be given once. Pure; strs borrow argv. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum opt_kind { OPT_FLAG = 1, OPT_VALUE, OPT_LIST };

/* Tables end with a row whose name is NULL. */
struct opt {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    enum opt_kind kind;
    const char *value; /* how the help calls it; NULL for flags */
    const char *help;
};

struct arg_value {
    const struct opt *opt;
    str value;
};

struct args {
    struct arg_value *given;
    size_t given_n;
    str *pos;
    size_t pos_n;
};

enum { ARGS_TABLES_MAX = 4 };

/* tables: NULL-terminated; the first that has a name decides. argv without the program's and the
 * command's names. ERR_INPUT says what is wrong. */
MUST_USE bool args_parse(struct arena *a, int argc, char **argv, const struct opt *const *tables,
                         struct args *out, struct err *err);
bool args_has(const struct args *args, const char *name);
/* The value, empty if the option was not given. */
str args_get(const struct args *args, const char *name);
/* All values of a list, in order; returns how many. */
size_t args_all(const struct args *args, struct arena *a, const char *name, str **out);
/* Takes the first position out of argv (a subcommand's verb) wherever it stands among options;
 * NULL: none. argv[0..*argc) is what remains. */
char *args_take_verb(int *argc, char **argv, const struct opt *const *tables);

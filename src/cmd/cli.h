/* cli: what all subcommands have in common: verbs by table, help, configuration, gateway, errors.
 *
 * A command is a list of verbs ("task open", "task list"; one verb without a name for "status").
 * verbs_run reads the words, answers --help, brings what the verb needs, runs it and gives
 * everything back. Results go to standard output, complaints to standard error. */
#pragma once
#include "cmd/args.h"
#include "cmd/commands.h"
#include "cmd/control.h"
#include "cmd/print.h"
#include "conf/conf.h"

enum {
    NEEDS_CONF = 1,       /* the configuration, valid */
    NEEDS_GATEWAY = 2,    /* a connection to the gateway; the configuration only for its address */
    HAS_CONF = 4,         /* takes -c and loads it by itself */
    MAY_NEED_GATEWAY = 8, /* takes the gateway's options and calls cli_gateway by itself */
};

struct cli {
    const char *command;
    const struct verb *verb;
    struct args args;
    struct arena arena;
    bool json; /* --json: the raw result */
    str config;
    struct conf conf; /* with NEEDS_CONF, or after cli_conf */
    struct control control;
    struct err err;
};

struct verb {
    const char *name; /* NULL: the command itself */
    unsigned needs;
    size_t pos_min, pos_max;
    const char *words; /* the rest of the usage line */
    const char *help;  /* one line */
    const char *example;
    const struct opt *opts; /* NULL: none of its own */
    int (*run)(struct cli *c);
};

int verbs_run(const char *command, const struct verb *verbs, size_t n, int argc, char **argv);

/* "ambit task open: text" from c->err; EXIT_FAILED. */
int cli_failed(struct cli *c);
/* A complaint about how the command was called; EXIT_USAGE. */
int cli_usage(struct cli *c, const char *text);
/* Loads the configuration named by -c, AMBIT_CONFIG or ./ambit.json into c->conf. 0, or the exit
 * status after its problems were printed. */
int cli_conf(struct cli *c, bool warnings);
/* Connects and logs in. 0, or the exit status after the complaint. */
int cli_gateway(struct cli *c);
/* Asks the gateway; on failure the complaint is printed and false returned. */
bool cli_call(struct cli *c, str method, struct buf *params, const json **result);
/* Asks for a change of the thing that the first word names ({member: word, "reason": --reason, if
 * given}) and prints "NAME is DONE", or the result with --json. The exit status. */
int cli_change(struct cli *c, str member, str method, const char *done);
/* Writes the result as one line of JSON. */
void cli_print_json(const json *v);
/* Asks a person on the terminal; only "yes" is yes. False with c->err when there is none to ask and
 * --yes was not given. */
bool cli_confirm(struct cli *c, const char *question);
/* ~/.config/ambit/NAME.key */
str cli_key_path(struct cli *c, str name);

/* arguments.h - one table per subcommand says which options it takes; parsing and --help both come from it. */
#ifndef ITH_CLI_ARGUMENTS_H
#define ITH_CLI_ARGUMENTS_H

#include "cli/command.h"

typedef enum ith_arg_kind {
    ITH_ARG_FLAG,   /* bool: set to true */
    ITH_ARG_TEXT,   /* const char *: points into argv */
    ITH_ARG_LIST,   /* ith_arg_list: may be given again */
    ITH_ARG_INT,    /* int64_t in [min, max] */
    ITH_ARG_BYTES,  /* int64_t in [min, max]: a number, whole or not, and KiB, MiB, GiB, TiB or one of their first letters */
    ITH_ARG_REAL,   /* double in [min, max] */
    ITH_ARG_CHOICE, /* int: the place of the word in `value`, which reads "one|two|three" */
} ith_arg_kind;

enum { ITH_ARG_LIST_MAX = 16, ITH_ARGS_MAX = 64 };

typedef struct ith_arg_list {
    const char *items[ITH_ARG_LIST_MAX];
    size_t n;
} ith_arg_list;

typedef struct ith_arg {
    const char *name; /* long name, without dashes */
    char letter;      /* short name; 0: none */
    ith_arg_kind kind;
    const char *value; /* how --help calls the value, "FILE"; NULL for flags */
    const char *help;
    void *out; /* see the kinds; keeps its value when the option is absent */
    double min, max;
} ith_arg;

typedef struct ith_manual { /* what --help prints around the options */
    const char *synopsis;   /* lines, each without "ithaca " */
    const char *summary;
    const char *examples;
} ith_manual;

enum { ITH_ARGS_OK = -1 };

/* ITH_ARGS_OK, or the exit code to return at once: 0 after --help, 2 after an error's one line. At most ITH_ARGS_MAX args. */
int ith_args_parse(const ith_cli *cli, const ith_manual *manual, const ith_arg *args, size_t n_args, int argc,
                   char **argv);

/* A model as the first argument, without -m: takes it out, so that argv[0] is the subcommand still. */
void ith_args_take_model(int *argc, char ***argv, const char **model);

/* Prints "ithaca: COMMAND: text; see ithaca COMMAND --help" and returns 2. */
int ith_args_wrong(const ith_cli *cli, const char *command, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- Options of every subcommand that loads a model ------------------------------------------------------- */

typedef struct ith_model_args {
    const char *model, *mesh, *stats, *rope_scaling, *weights_by;
    int64_t threads, chunk, ctx, memory;
    int kv, quant; /* ith_kv_type, ith_quant; -1: not given */
    int placement, offload, exchange, prefill;
    int64_t exchange_parts;
    bool exact, json, quiet;
} ith_model_args;

ith_model_args ith_model_args_default(void);

/* Appends their table to args[*n]. */
void ith_model_args_append(ith_model_args *model, ith_arg args[ITH_ARGS_MAX], size_t *n);

/* ITH_ARGS_OK and the engine's parameters (progress left out), or 2 when options are missing or contradict. */
int ith_model_args_check(const ith_cli *cli, const char *command, const ith_model_args *model,
                         ith_engine_params *params);

#endif

#include "cli/arguments.h"

#include "base/size.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LONG_ONLY = 1000, HELP = 999, HELP_COLUMN = 28, LETTERS_ALIKE = 3, NAME_BYTES = 64 }; /* getopt's values: a letter, LONG_ONLY + place, HELP */

int ith_args_wrong(const ith_cli *cli, const char *command, const char *format, ...)
{
    char text[800];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ith_cli_say(cli, "%s: %s; see ithaca %s --help", command, text, command);
    return ITH_EXIT_USAGE;
}

static void print_option(const ith_arg *arg)
{
    char left[100];
    int width =
        snprintf(left, sizeof left, "  %c%c%s --%s%s%s", arg->letter ? '-' : ' ', arg->letter ? arg->letter : ' ',
                 arg->letter ? "," : " ", arg->name, arg->value ? " " : "", arg->value ? arg->value : "");

    if (width >= HELP_COLUMN)
        printf("%s\n%*s%s\n", left, HELP_COLUMN, "", arg->help);
    else
        printf("%-*s%s\n", HELP_COLUMN, left, arg->help);
}

static void print_help(const ith_manual *manual, const ith_arg *args, size_t n_args)
{
    static const ith_arg help = {"help", 'h', ITH_ARG_FLAG, NULL, "this text", NULL, 0, 0};

    printf("%s\n%s\n\nOptions:\n", manual->synopsis, manual->summary);
    for (size_t i = 0; i < n_args; i++)
        print_option(&args[i]);
    print_option(&help);
    printf("\nExamples:\n%s", manual->examples);
}

/* The place of `word` among "one|two|three", or -1. */
static int find_choice(const char *choices, const char *word)
{
    size_t len = strlen(word);

    for (int place = 0;; place++) {
        size_t this_len = strcspn(choices, "|");
        if (this_len == len && memcmp(choices, word, len) == 0)
            return place;
        if (choices[this_len] == 0)
            return -1;
        choices += this_len + 1;
    }
}

static bool read_int(const ith_arg *arg, const char *text)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (end == text || *end != 0 || errno != 0 || (double)value < arg->min || (double)value > arg->max)
        return false;
    *(int64_t *)arg->out = value;
    return true;
}

static bool read_bytes(const ith_arg *arg, const char *text)
{
    const char *end;
    int64_t value;

    if (!ith_size_read(text, &end, &value) || *end != 0 || (double)value < arg->min || (double)value > arg->max)
        return false;
    *(int64_t *)arg->out = value;
    return true;
}

static bool read_real(const ith_arg *arg, const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != 0 || !isfinite(value) || value < arg->min || value > arg->max)
        return false;
    *(double *)arg->out = value;
    return true;
}

static int read_list(const ith_cli *cli, const char *command, const ith_arg *arg, const char *text)
{
    ith_arg_list *list = arg->out;

    if (list->n == ITH_ARG_LIST_MAX)
        return ith_args_wrong(cli, command, "--%s may be given %d times", arg->name, ITH_ARG_LIST_MAX);
    list->items[list->n++] = text;
    return ITH_ARGS_OK;
}

/* "-n (--max-tokens)", "--temp" */
static const char *name_of(const ith_arg *arg, char name[NAME_BYTES])
{
    if (arg->letter != 0)
        snprintf(name, NAME_BYTES, "-%c (--%s)", arg->letter, arg->name);
    else
        snprintf(name, NAME_BYTES, "--%s", arg->name);
    return name;
}

static int read_value(const ith_cli *cli, const char *command, const ith_arg *arg, const char *text)
{
    char name[NAME_BYTES];
    int place;

    name_of(arg, name);
    switch (arg->kind) {
    case ITH_ARG_FLAG:
        *(bool *)arg->out = true;
        return ITH_ARGS_OK;
    case ITH_ARG_TEXT:
        *(const char **)arg->out = text;
        return ITH_ARGS_OK;
    case ITH_ARG_LIST:
        return read_list(cli, command, arg, text);
    case ITH_ARG_INT:
        if (!read_int(arg, text))
            return ith_args_wrong(cli, command, "%s takes a whole number from %.0f to %.0f, not \"%s\"", name,
                                  arg->min, arg->max, text);
        return ITH_ARGS_OK;
    case ITH_ARG_BYTES:
        if (!read_bytes(arg, text))
            return ith_args_wrong(cli, command, "%s takes a size such as 800MiB or 3GiB, not \"%s\"", name,
                                  text);
        return ITH_ARGS_OK;
    case ITH_ARG_REAL:
        if (!read_real(arg, text))
            return ith_args_wrong(cli, command, "%s takes a number from %g to %g, not \"%s\"", name, arg->min,
                                  arg->max, text);
        return ITH_ARGS_OK;
    case ITH_ARG_CHOICE:
        place = find_choice(arg->value, text);
        if (place < 0)
            return ith_args_wrong(cli, command, "%s takes %s, not \"%s\"", name, arg->value, text);
        *(int *)arg->out = place;
        return ITH_ARGS_OK;
    }
    return ITH_ARGS_OK;
}

/* getopt's two tables; `shorts` begins with ':' so that a missing value is told from an unknown option. */
static void make_tables(const ith_arg *args, size_t n_args, struct option longs[ITH_ARGS_MAX + 2],
                        char shorts[2 * ITH_ARGS_MAX + 4])
{
    size_t used = 0;

    shorts[used++] = ':';
    shorts[used++] = 'h';
    for (size_t i = 0; i < n_args; i++) {
        int has = args[i].kind == ITH_ARG_FLAG ? no_argument : required_argument;
        longs[i] = (struct option){args[i].name, has, NULL, LONG_ONLY + (int)i};
        if (args[i].letter == 0)
            continue;
        shorts[used++] = args[i].letter;
        if (has == required_argument)
            shorts[used++] = ':';
    }
    shorts[used] = 0;
    longs[n_args] = (struct option){"help", no_argument, NULL, HELP};
    longs[n_args + 1] = (struct option){NULL, 0, NULL, 0};
}

static const ith_arg *find_arg(const ith_arg *args, size_t n_args, int opt)
{
    for (size_t i = 0; i < n_args; i++)
        if (opt == LONG_ONLY + (int)i || (args[i].letter != 0 && opt == args[i].letter))
            return &args[i];
    return NULL;
}

/* A long option that getopt does not take: `word` as it was typed. */
static int wrong_option(const ith_cli *cli, const char *command, const ith_arg *args, size_t n_args, const char *word)
{
    const char *name = word + strspn(word, "-"), *alike = NULL;
    size_t len = strcspn(name, "="), most = LETTERS_ALIKE - 1;
    int begun = 0; /* options whose names begin so */

    for (size_t i = 0; i < n_args; i++) {
        size_t same = 0;
        while (same < len && args[i].name[same] == name[same])
            same++;
        begun += same == len;
        if (same > most) {
            most = same;
            alike = args[i].name;
        }
    }
    if (begun > 1)
        return ith_args_wrong(cli, command, "--%.*s may be one of %d options", (int)len, name, begun);
    if (begun == 1)
        return ith_args_wrong(cli, command, "option --%s takes no value", alike != NULL ? alike : name);
    return ith_args_wrong(cli, command, "unknown option --%.*s%s%s%s", (int)len, name,
                          alike != NULL ? " (did you mean --" : "", alike != NULL ? alike : "",
                          alike != NULL ? "?)" : "");
}

static int stray_word(const ith_cli *cli, const char *command, const ith_arg *args, size_t n_args, const char *word)
{
    const char *hint = "";

    for (size_t i = 0; i < n_args; i++)
        if (args[i].letter == 'p')
            hint = ": a text goes behind -p, a model behind -m";
    return ith_args_wrong(cli, command, "\"%s\" belongs to no option%s", word, hint);
}

void ith_args_take_model(int *argc, char ***argv, const char **model)
{
    if (*argc < 2 || (*argv)[1][0] == '-')
        return;
    *model = (*argv)[1];
    (*argv)[1] = (*argv)[0];
    (*argv)++;
    (*argc)--;
}

int ith_args_parse(const ith_cli *cli, const ith_manual *manual, const ith_arg *args, size_t n_args, int argc,
                   char **argv)
{
    struct option longs[ITH_ARGS_MAX + 2];
    char shorts[2 * ITH_ARGS_MAX + 4];
    const char *command = argv[0];
    int opt, code;

    make_tables(args, n_args, longs, shorts);
    opterr = 0;
    optind = 0; /* GNU: start anew, at argv[1] */
    while ((opt = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (opt == 'h' || opt == HELP) {
            if (cli->rank == 0)
                print_help(manual, args, n_args);
            return ITH_EXIT_DONE;
        }
        if (opt == ':')
            return ith_args_wrong(cli, command, "option %s needs a value", argv[optind - 1]);
        if (opt == '?' && optopt > 0 && optopt < HELP)
            return ith_args_wrong(cli, command, "unknown option -%c", optopt);
        if (opt == '?')
            return wrong_option(cli, command, args, n_args, argv[optind - 1]);
        code = read_value(cli, command, find_arg(args, n_args, opt), optarg);
        if (code != ITH_ARGS_OK)
            return code;
    }
    if (optind < argc)
        return stray_word(cli, command, args, n_args, argv[optind]);
    return ITH_ARGS_OK;
}

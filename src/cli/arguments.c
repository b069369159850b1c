/* arguments.c - from a command line to a command's arguments. */
#include "cli/arguments.h"

#include "base/number.h"
#include "base/size.h"
#include "cli/help.h"
#include "cli/similar.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* getopt's values: a letter, HELP, or FIRST + the place in bound.options */
enum { FULL_HELP = 999, FIRST = 1000 };
enum { OPTIONS_MAX = 64, LONGS_MAX = 2 * OPTIONS_MAX, NAME_BYTES = 64, HINT_BYTES = 80 };

/* A command's options, each with the address of its value. */
typedef struct bound {
    const ith_cli *cli;
    const ith_command *command;
    const ith_option *options[OPTIONS_MAX];
    void *out[OPTIONS_MAX];
    bool given[OPTIONS_MAX];
    size_t n;
} bound;

int ith_args_wrong(const ith_cli *cli, const char *command, const char *format, ...)
{
    char text[800];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ith_cli_error(cli, "%s: %s; see ithaca %s -h", command, text, command);
    return ITH_EXIT_USAGE;
}

static void bind(bound *b, const ith_cli *cli, const ith_command *command, void *args)
{
    *b = (bound){.cli = cli, .command = command};
    for (const ith_group_use *use = command->groups; use->group != NULL; use++)
        for (const ith_option *o = use->group->options; o->name != NULL && b->n < OPTIONS_MAX;
             o++) {
            b->options[b->n] = o;
            b->out[b->n++] = (char *)args + use->at + o->at;
        }
}

/* ---- Values ---- */

static bool in_range(const ith_option *option, double value)
{
    return value >= option->min && value <= option->max;
}

static bool read_int(const ith_option *option, const char *text, int64_t *out)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (end == text || *end != 0 || errno != 0 || !in_range(option, (double)value))
        return false;
    *out = value;
    return true;
}

static bool read_tokens(const ith_option *option, const char *text, int64_t *out)
{
    const char *end;
    int64_t value;

    if (!ith_count_read(text, &end, &value) || *end != 0 || !in_range(option, (double)value))
        return false;
    *out = value;
    return true;
}

static bool read_bytes(const ith_option *option, const char *text, int64_t *out)
{
    const char *end;
    int64_t value;

    if (!ith_size_read(text, &end, &value) || *end != 0 || !in_range(option, (double)value))
        return false;
    *out = value;
    return true;
}

static bool read_real(const ith_option *option, const char *text, double *out)
{
    char *end;
    double value = ith_strtod(text, &end);

    if (end == text || *end != 0 || !isfinite(value) || !in_range(option, value))
        return false;
    *out = value;
    return true;
}

/* "-n (--max-tokens)", "--temp" */
static const char *name_of(const ith_option *option, char name[NAME_BYTES])
{
    if (option->letter != 0)
        snprintf(name, NAME_BYTES, "-%c (--%s)", option->letter, option->name);
    else
        snprintf(name, NAME_BYTES, "--%s", option->name);
    return name;
}

static int read_list(const bound *b, const ith_option *option, const char *text,
                     ith_option_list *list)
{
    if (list->n == ITH_OPTION_LIST_MAX)
        return ith_args_wrong(b->cli, b->command->name, "--%s may be given at most %d times",
                              option->name, ITH_OPTION_LIST_MAX);
    list->items[list->n++] = text;
    return ITH_ARGS_OK;
}

/* "q8, bf16 or f32" */
static void list_words(const ith_word *words, char *text, size_t size)
{
    const char *separator = "";
    size_t used = 0;

    text[0] = 0;
    for (; words->name != NULL && used < size; words++) {
        const ith_word *next = words + 1;
        if (words->help == NULL)
            continue;
        used += (size_t)snprintf(text + used, size - used, "%s%s", separator, words->name);
        while (next->name != NULL && next->help == NULL)
            next++;
        separator = next->name != NULL && next[1].name == NULL ? " or " : ", ";
    }
}

static int read_word(const bound *b, const ith_option *option, const char *text, int *out)
{
    ith_similar similar = {.typed = text, .len = strlen(text)};
    char name[NAME_BYTES], words[200], hint[HINT_BYTES];

    for (const ith_word *word = option->words; word->name != NULL; word++) {
        if (strcmp(word->name, text) == 0) {
            *out = word->value;
            return ITH_ARGS_OK;
        }
        ith_similar_try(&similar, word->name);
    }
    list_words(option->words, words, sizeof words);
    return ith_args_wrong(b->cli, b->command->name, "%s takes %s, not \"%s\"%s",
                          name_of(option, name), words, text,
                          ith_similar_hint(&similar, "", hint, sizeof hint));
}

static int out_of_range(const bound *b, const ith_option *option, const char *text)
{
    const char *command = b->command->name;
    char name[NAME_BYTES];

    name_of(option, name);
    if (option->kind == ITH_OPTION_BYTES)
        return ith_args_wrong(b->cli, command, "%s takes a size such as 800MiB or 3GiB, not \"%s\"",
                              name, text);
    if (option->kind == ITH_OPTION_REAL)
        return ith_args_wrong(b->cli, command, "%s takes a number from %g to %g, not \"%s\"", name,
                              option->min, option->max, text);
    return ith_args_wrong(b->cli, command,
                          "%s takes a whole number from %.0f to %.0f%s, not \"%s\"", name,
                          option->min, option->max,
                          option->kind == ITH_OPTION_TOKENS ? " (128k is 131072)" : "", text);
}

static int read_value(const bound *b, size_t at, const char *text)
{
    const ith_option *option = b->options[at];
    void *out = b->out[at];
    bool ok = true;

    switch (option->kind) {
    case ITH_OPTION_FLAG:
        *(bool *)out = true;
        break;
    case ITH_OPTION_TEXT:
    case ITH_OPTION_FILE:
        *(const char **)out = text;
        break;
    case ITH_OPTION_LIST:
        return read_list(b, option, text, out);
    case ITH_OPTION_WORD:
        return read_word(b, option, text, out);
    case ITH_OPTION_INT:
        ok = read_int(option, text, out);
        break;
    case ITH_OPTION_TOKENS:
        ok = read_tokens(option, text, out);
        break;
    case ITH_OPTION_BYTES:
        ok = read_bytes(option, text, out);
        break;
    case ITH_OPTION_REAL:
        ok = read_real(option, text, out);
        break;
    }
    return ok ? ITH_ARGS_OK : out_of_range(b, option, text);
}

static int set_presets(const bound *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->options[i]->preset != NULL) {
            int code = read_value(b, i, b->options[i]->preset);
            if (code != ITH_ARGS_OK)
                return code;
        }
    return ITH_ARGS_OK;
}

/* ---- The command line ---- */

/* getopt's. */
typedef struct tables {
    struct option longs[LONGS_MAX + 2];
    char shorts[2 * OPTIONS_MAX + 4];
} tables;

static size_t add_longs(struct option *longs, size_t n, const ith_option *option, size_t at)
{
    int has = option->kind == ITH_OPTION_FLAG ? no_argument : required_argument;

    longs[n++] = (struct option){option->name, has, NULL, FIRST + (int)at};
    for (const char *const *alias = option->aliases; *alias != NULL && n < LONGS_MAX; alias++)
        longs[n++] = (struct option){*alias, has, NULL, FIRST + (int)at};
    return n;
}

/* `shorts` begins with ':' so that a missing value is told from an unknown option. */
static void make_tables(const bound *b, tables *t)
{
    size_t n = 0, used = 0;

    t->shorts[used++] = ':';
    t->shorts[used++] = 'h';
    for (size_t i = 0; i < b->n && n < LONGS_MAX; i++) {
        n = add_longs(t->longs, n, b->options[i], i);
        if (b->options[i]->letter == 0)
            continue;
        t->shorts[used++] = b->options[i]->letter;
        if (b->options[i]->kind != ITH_OPTION_FLAG)
            t->shorts[used++] = ':';
    }
    t->shorts[used] = 0;
    t->longs[n] = (struct option){"help", no_argument, NULL, FULL_HELP};
    t->longs[n + 1] = (struct option){NULL, 0, NULL, 0};
}

static size_t find_option(const bound *b, int opt)
{
    for (size_t i = 0; i < b->n; i++)
        if (opt == FIRST + (int)i || (b->options[i]->letter != 0 && opt == b->options[i]->letter))
            return i;
    return 0;
}

static bool begins(const char *name, const char *word, size_t len)
{
    return strncmp(name, word, len) == 0;
}

/* Does the option, by its name or an alias, begin with the len letters? */
static bool option_begins(const ith_option *option, const char *word, size_t len)
{
    bool found = begins(option->name, word, len);

    for (const char *const *alias = option->aliases; *alias != NULL; alias++)
        found |= begins(*alias, word, len);
    return found;
}

/* Is it the option's whole name? */
static bool option_is(const ith_option *option, const char *word, size_t len)
{
    bool found = strlen(option->name) == len && begins(option->name, word, len);

    for (const char *const *alias = option->aliases; *alias != NULL; alias++)
        found |= strlen(*alias) == len && begins(*alias, word, len);
    return found;
}

/* A long option that getopt does not accept: `word` as it was typed. */
static int wrong_option(const bound *b, const char *word)
{
    const char *name = word + strspn(word, "-"), *begun = NULL;
    ith_similar similar = {.typed = name, .len = strcspn(name, "=")};
    char hint[HINT_BYTES];
    int n_begun = 0;

    for (size_t i = 0; i < b->n; i++) {
        const ith_option *option = b->options[i];
        if (option_begins(option, name, similar.len)) {
            n_begun++;
            begun = option->name;
        }
        if (option_is(option, name, similar.len)) {
            n_begun = 1;
            begun = option->name;
            break;
        }
        ith_similar_try(&similar, option->name);
        for (const char *const *alias = option->aliases; *alias != NULL; alias++)
            ith_similar_try(&similar, *alias);
    }
    if (n_begun > 1)
        return ith_args_wrong(b->cli, b->command->name, "--%.*s may be one of %d options",
                              (int)similar.len, name, n_begun);
    if (n_begun == 1)
        return ith_args_wrong(b->cli, b->command->name, "option --%s takes no value", begun);
    return ith_args_wrong(b->cli, b->command->name, "unknown option --%.*s%s", (int)similar.len,
                          name, ith_similar_hint(&similar, "--", hint, sizeof hint));
}

static bool has_letter(const bound *b, char letter)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->options[i]->letter == letter)
            return true;
    return false;
}

/* A word that belongs to no option: the operand, unless that is given already and is no list. */
static int read_operand(bound *b, const char *word)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->command->operand != NULL &&
            (!b->given[i] || b->options[i]->kind == ITH_OPTION_LIST) &&
            strcmp(b->options[i]->name, b->command->operand) == 0) {
            b->given[i] = true;
            return read_value(b, i, word);
        }
    return ith_args_wrong(b->cli, b->command->name, "unexpected argument \"%s\"%s", word,
                          has_letter(b, 'p') ? ": give a text with -p" : "");
}

static int wrong_usage(const bound *b, int opt, const char *word)
{
    if (opt == ':')
        return ith_args_wrong(b->cli, b->command->name, "option %s needs a value", word);
    if (optopt > 0 && optopt < FULL_HELP)
        return ith_args_wrong(b->cli, b->command->name, "unknown option -%c", optopt);
    return wrong_option(b, word);
}

int ith_args_parse(const ith_cli *cli, const ith_command *command, void *args, int argc,
                   char **argv)
{
    bound b;
    tables t;
    int opt, code;

    bind(&b, cli, command, args);
    make_tables(&b, &t);
    code = set_presets(&b);
    opterr = 0;
    optind = 0; /* GNU: start anew, at argv[1] */
    while (code == ITH_ARGS_OK && (opt = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
        if (opt == 'h' || opt == FULL_HELP) {
            if (cli->rank == 0)
                ith_help_command(command, opt == FULL_HELP);
            return ITH_EXIT_DONE;
        }
        if (opt == ':' || opt == '?')
            return wrong_usage(&b, opt, argv[optind - 1]);
        size_t at = find_option(&b, opt);
        b.given[at] = true;
        code = read_value(&b, at, optarg);
    }
    for (; code == ITH_ARGS_OK && optind < argc; optind++)
        code = read_operand(&b, argv[optind]);
    return code;
}

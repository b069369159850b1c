/* help.c - prints the tables of options for people. */
#include "cli/help.h"

#include "cli/manual.h"
#include "cli/wrap.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
    SHORT_COLUMN = 27,
    FULL_COLUMN = 8,
    WORD_COLUMN = 12,
    COMMAND_COLUMN = 14,
    LEFT_BYTES = 100
};

static const ith_option help_option = {
    .name = "help",
    .letter = 'h',
    .kind = ITH_OPTION_FLAG,
    .help = "-h: this list; --help: everything about each option",
};

/* "  -c, --ctx N" */
static int format_left(const ith_option *option, char left[LEFT_BYTES])
{
    char letter[8] = "    ", metavar[60];
    const char *value = ith_option_metavar(option, metavar, sizeof metavar);

    if (option->letter != 0)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    return snprintf(left, LEFT_BYTES, "  %s--%s%s%s", letter, option->name, *value != 0 ? " " : "",
                    value);
}

static void print_short(const ith_option *option)
{
    char left[LEFT_BYTES];
    int column = format_left(option, left);

    printf("%s", left);
    if (column >= SHORT_COLUMN - 1)
        column = SHORT_COLUMN + 1; /* the text gets a line of its own */
    ith_wrap(stdout, option->help, column, SHORT_COLUMN);
}

static void print_words(const ith_word *words)
{
    for (; words->name != NULL; words++)
        if (words->help != NULL) {
            int column = printf("%*s%s", FULL_COLUMN + 2, "", words->name);
            ith_wrap(stdout, words->help, column, FULL_COLUMN + 2 + WORD_COLUMN);
        }
}

static void print_full(const ith_option *option)
{
    char left[LEFT_BYTES], text[2000];

    format_left(option, left);
    printf("%s\n", left);
    ith_option_text(option, text, sizeof text);
    ith_wrap(stdout, text, 0, FULL_COLUMN);
    if (option->words != NULL)
        print_words(option->words);
    printf("\n");
}

static void print_title(const char *title, const char *last, bool full)
{
    if (strcmp(title, last) != 0)
        printf("%s%s:\n", full ? "" : "\n", title);
}

/* Each line with `before` in front. */
static void print_lines(const char *lines, const char *before)
{
    while (*lines != 0) {
        size_t len = strcspn(lines, "\n");
        printf("%s%.*s\n", before, (int)len, lines);
        lines += len + (lines[len] == '\n');
    }
}

static void print_head(const ith_command *command, bool full)
{
    print_lines(command->synopsis, "ithaca ");
    if (command->collective)
        printf("mpirun -n RANKS ithaca %s ...\n", command->name);
    printf("\n");
    if (full)
        ith_wrap(stdout, command->description, 0, 0);
    else
        printf("%c%s.\n", toupper((unsigned char)command->summary[0]), command->summary + 1);
    if (full)
        printf("\n");
}

void ith_help_command(const ith_command *command, bool full)
{
    const char *last = "";

    print_head(command, full);
    for (const ith_group_use *use = command->groups; use->group != NULL; use++) {
        print_title(use->group->title, last, full);
        last = use->group->title;
        for (const ith_option *o = use->group->options; o->name != NULL; o++)
            (full ? print_full : print_short)(o);
    }
    (full ? print_full : print_short)(&help_option);
    printf("%sExamples:\n", full ? "" : "\n");
    print_lines(command->examples, "  ");
}

static void print_entry(FILE *out, const char *name, const char *text)
{
    int column = fprintf(out, "  %s", name);

    ith_wrap(out, text, column, COMMAND_COLUMN);
}

void ith_help_family(const ith_cli *cli, const ith_command_family *family)
{
    printf("ithaca %s COMMAND ...\n\n", family->name);
    for (const ith_command *const *c = cli->commands; *c != NULL; c++) {
        const char *member = ith_family_member(family, *c);
        if (member != NULL)
            print_entry(stdout, member, (*c)->summary);
    }
    printf("\n\"ithaca %s COMMAND -h\" lists the options of each.\n", family->name);
}

/* Every command of one word, and in place of the first command of a family the family. */
static void print_commands(const ith_cli *cli, FILE *out)
{
    const ith_command_family *last = NULL;

    for (const ith_command *const *c = cli->commands; *c != NULL; c++) {
        const ith_command_family *family = ith_command_families;
        while (family->name != NULL && ith_family_member(family, *c) == NULL)
            family++;
        if (family->name == NULL)
            print_entry(out, (*c)->name, (*c)->summary);
        else if (family != last)
            print_entry(out, family->name, family->summary);
        last = family;
    }
}

static void print_facts(FILE *out, const char *title, const ith_fact *facts)
{
    fprintf(out, "\n%s:\n", title);
    for (; facts->name != NULL; facts++) {
        int column = fprintf(out, "  %s", facts->name);
        ith_wrap(out, facts->text, column, FULL_COLUMN);
    }
}

void ith_help_program(const ith_cli *cli, FILE *out, bool full)
{
    fprintf(out,
            "ithaca " ITH_VERSION ": large language models with long contexts on CPU machines\n\n"
            "  ithaca COMMAND MODEL [OPTION]...\n"
            "  mpirun -n RANKS ithaca COMMAND MODEL [OPTION]...\n\n"
            "MODEL is a Hugging Face folder, a GGUF file, a pack (.ith), or the name of a\n"
            "model that ithaca pull has downloaded.\n\nCommands:\n");
    print_commands(cli, out);
    fprintf(out, "\n\"ithaca COMMAND -h\" lists the options of a command; --help explains them.\n");
    if (!full)
        return;
    print_facts(out, "Exit status", ith_manual_statuses);
    print_facts(out, "Environment", ith_manual_environment);
}

/* commands.c - runs the command that a command line names. */
#include "cli/commands.h"

#include "cli/arguments.h"
#include "cli/families.h"
#include "cli/help.h"
#include "cli/similar.h"

#include <string.h>

/* The command of that name; of a family, the one that the next word names. NULL: there is none. */
static const ith_command *find(const ith_cli *cli, const ith_command_family *family, int argc,
                               char **argv)
{
    const char *name = argc == 0 ? "" : strcmp(argv[0], "--version") == 0 ? "version" : argv[0];

    if (family != NULL)
        name = argc > 1 ? argv[1] : "";
    for (const ith_command *const *c = cli->commands; *c != NULL; c++) {
        const char *is = family == NULL ? (*c)->name : ith_family_member(family, *c);
        if (is != NULL && strcmp(is, name) == 0)
            return *c;
    }
    return NULL;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
}

/* Not a command of the family; argv[0] is the family's name. */
static int not_a_member(const ith_cli *cli, const ith_command_family *family, int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    ith_similar similar = {.typed = word, .len = strlen(word)};
    char hint[80];

    if (asks_for_help(word)) {
        if (cli->rank == 0)
            ith_help_family(cli, family);
        return ITH_EXIT_DONE;
    }
    for (const ith_command *const *c = cli->commands; *c != NULL; c++)
        if (ith_family_member(family, *c) != NULL)
            ith_similar_try(&similar, ith_family_member(family, *c));
    if (argc < 2 || word[0] == '-')
        return ith_args_wrong(cli, family->name, "a second word is missing: what to do");
    return ith_args_wrong(cli, family->name, "unknown command \"%s %s\"%s", family->name, word,
                          ith_similar_hint(&similar, "", hint, sizeof hint));
}

static int unknown(const ith_cli *cli, const char *word)
{
    ith_similar similar = {.typed = word, .len = strlen(word)};
    char hint[80];

    if (word[0] == '-') {
        ith_cli_error(
            cli, "a command must precede %s, as in: ithaca run MODEL -p TEXT; see ithaca -h", word);
        return ITH_EXIT_USAGE;
    }
    for (const ith_command *const *c = cli->commands; *c != NULL; c++)
        if (strchr((*c)->name, ' ') == NULL)
            ith_similar_try(&similar, (*c)->name);
    for (const ith_command_family *f = ith_command_families; f->name != NULL; f++)
        ith_similar_try(&similar, f->name);
    ith_cli_error(cli, "unknown command \"%s\"%s; see ithaca -h", word,
                  ith_similar_hint(&similar, "", hint, sizeof hint));
    return ITH_EXIT_USAGE;
}

int ith_command_run_named(const ith_cli *cli, int argc, char **argv)
{
    const ith_command_family *family = ith_family_find(argv[0]);
    const ith_command *command = find(cli, family, argc, argv);

    if (command != NULL) /* a member of a family is told its own name first */
        return family == NULL ? command->run(cli, argc, argv)
                              : command->run(cli, argc - 1, argv + 1);
    return family != NULL ? not_a_member(cli, family, argc, argv) : unknown(cli, argv[0]);
}

bool ith_command_needs_ranks(const ith_cli *cli, int argc, char **argv)
{
    const ith_command_family *family = argc > 0 ? ith_family_find(argv[0]) : NULL;
    const ith_command *command = find(cli, family, argc, argv);

    return command != NULL && command->collective;
}

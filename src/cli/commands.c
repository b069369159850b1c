/* commands.c - runs the command that a command line names. */
#include "cli/commands.h"

#include "cli/arguments.h"
#include "cli/families.h"
#include "cli/help.h"
#include "cli/similar.h"

#include <string.h>

static const ith_command *find(const ith_cli *cli, const char *name)
{
    for (const ith_command *const *c = cli->commands; *c != NULL; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0;
}

/* argv[0]: the family's name. */
static int run_member(const ith_cli *cli, const ith_command_family *family, int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    ith_similar similar = {.typed = word, .len = strlen(word)};
    char hint[80];

    if (asks_for_help(word)) {
        if (cli->rank == 0)
            ith_help_family(cli, family);
        return ITH_EXIT_DONE;
    }
    for (const ith_command *const *c = cli->commands; *c != NULL; c++) {
        const char *member = ith_family_member(family, *c);
        if (member == NULL)
            continue;
        if (strcmp(member, word) == 0)
            return (*c)->run(cli, argc - 1, argv + 1);
        ith_similar_try(&similar, member);
    }
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
    const ith_command *command = find(cli, strcmp(argv[0], "--version") == 0 ? "version" : argv[0]);

    if (family != NULL)
        return run_member(cli, family, argc, argv);
    if (command == NULL)
        return unknown(cli, argv[0]);
    return command->run(cli, argc, argv);
}

bool ith_command_needs_ranks(const ith_cli *cli, int argc, char **argv)
{
    const ith_command_family *family = argc > 0 ? ith_family_find(argv[0]) : NULL;

    for (const ith_command *const *c = cli->commands; argc > 0 && *c != NULL; c++) {
        const char *member = family != NULL ? ith_family_member(family, *c) : NULL;
        bool named = family == NULL ? strcmp((*c)->name, argv[0]) == 0
                                    : member != NULL && argc > 1 && strcmp(member, argv[1]) == 0;
        if (named)
            return (*c)->collective;
    }
    return false;
}

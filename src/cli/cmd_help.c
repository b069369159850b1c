/* cmd_help.c - help on commands, the manual page, and the completion of shells. */
#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/manual.h"

#include <stddef.h>

enum { SHELL_NONE, SHELL_BASH, SHELL_ZSH };

typedef struct help_args {
    bool man;
    int completion;
} help_args;

static const ith_word shell_words[] = {
    {"bash", SHELL_BASH, "to be sourced, or in share/bash-completion/completions/ithaca"},
    {"zsh", SHELL_ZSH, "in a folder of $fpath, named _ithaca"},
    {.name = NULL},
};

static const ith_option options[] = {
    {.name = "man",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(help_args, man),
     .help = "print the manual page, for man -l -"},
    {.name = "completion",
     .kind = ITH_OPTION_WORD,
     .words = shell_words,
     .at = offsetof(help_args, completion),
     .help = "print a completion script for a shell",
     .more = "make install puts the scripts where the shells look for them."},
    {.name = NULL},
};

static const ith_option_group group = {"Help", options};
static const ith_group_use groups[] = {{&group, 0}, {NULL, 0}};

static int help_main(const ith_cli *cli, int argc, char **argv)
{
    help_args args = {.completion = SHELL_NONE};
    int code;

    /* "help bench model" is "bench model --help" */
    if (argc > 1 && argv[1][0] != '-') {
        char option[] = "--help", *asked[] = {argv[1], argc > 2 ? argv[2] : option, option, NULL};
        return ith_command_run_named(cli, argc > 2 ? 3 : 2, asked);
    }
    code = ith_args_parse(cli, &ith_command_help, &args, argc, argv);
    if (code != ITH_ARGS_OK)
        return code;
    if (args.man && args.completion != SHELL_NONE)
        return ith_args_wrong(cli, argv[0], "give --man or --completion, not both");
    if (args.man)
        ith_manual_print(cli, stdout);
    else if (args.completion == SHELL_BASH)
        ith_completion_bash(cli, stdout);
    else if (args.completion == SHELL_ZSH)
        ith_completion_zsh(cli, stdout);
    else
        ith_help_program(cli, stdout, true);
    return ITH_EXIT_DONE;
}

const ith_command ith_command_help = {
    .name = "help",
    .summary = "explain a command; print the manual page or shell completion",
    .synopsis = "help [COMMAND]\nhelp --man\nhelp --completion bash|zsh",
    .description =
        "Explains a command and all its options, as its --help does, or prints the manual "
        "page or a completion script.",
    .examples = "ithaca help run\n"
                "ithaca help --man | man -l -\n"
                "source <(ithaca help --completion bash)\n",
    .groups = groups,
    .run = help_main,
};

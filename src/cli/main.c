/* main.c - ithaca: runs a command on every rank. */
#include "cli/buserror.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/signals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int dispatch(const ith_cli *cli, int argc, char **argv)
{
    bool full = argc > 1 && strcmp(argv[1], "--help") == 0;

    if (argc >= 2 && !full && strcmp(argv[1], "-h") != 0)
        return ith_command_run_named(cli, argc - 1, argv + 1);
    if (cli->rank == 0)
        ith_help_program(cli, argc < 2 ? stderr : stdout, full);
    return argc < 2 ? ITH_EXIT_USAGE : ITH_EXIT_DONE;
}

/* What stdio still holds must reach its reader: an answer that was lost is a failure. */
static int check_stdout(const ith_cli *cli, int code)
{
    bool lost = ferror(stdout) != 0;

    errno = 0;
    if (fflush(stdout) != 0)
        lost = true;
    return lost && code == ITH_EXIT_DONE ? ith_cli_write_failure(cli, errno) : code;
}

/* All ranks: is the command line the same? An error names the first word that differs, after its
 * option. */
static ith_status compare_words(const ith_cli *cli, int argc, char **argv, ith_error *err)
{
    enum { NAME = 48 };
    size_t n = argc > 1 ? (size_t)argc - 1 : 0;
    char *texts = calloc(n + 1, NAME);
    const char **names = calloc(n + 1, sizeof *names);
    ith_status status;

    for (size_t i = 0; texts != NULL && names != NULL && i < n; i++) {
        const char *before = argv[i];
        char *name = texts + i * NAME;
        if (i > 0 && before[0] == '-')
            snprintf(name, NAME, "what follows %.32s", before);
        else
            snprintf(name, NAME, "word %zu of the command line", i + 1);
        names[i] = name;
    }
    status = ith_world_same(cli->world, names, (const char *const *)argv + 1,
                            texts != NULL && names != NULL ? n : 0, err);
    free(texts);
    free(names);
    return status;
}

/* Where rank 0 alone works, the ranks part as soon as they know that all run the same command. */
static ith_status open_world(ith_cli *cli, int argc, char **argv, ith_error *err)
{
    ith_status status;

    cli->rank = ith_launched_rank(); /* errors of opening are printed once */
    status = ith_world_open(&cli->world, err);
    if (status != ITH_OK)
        return status;
    cli->rank = ith_world_rank(cli->world);
    cli->size = ith_world_size(cli->world);
    status = compare_words(cli, argc, argv, err);
    if (status != ITH_OK || cli->size == 1 || ith_command_needs_ranks(cli, argc - 1, argv + 1))
        return status;
    ith_world_close(cli->world);
    cli->size = 1;
    return ith_world_open_alone(&cli->world, err);
}

/* A part of a result for which there was no memory must not be missing in silence. */
static int check_json(const ith_cli *cli, int code)
{
    if (code != ITH_EXIT_DONE || !ith_json_lost(0))
        return code;
    ith_cli_error(cli, "there was no memory for a part of the result");
    return ITH_EXIT_FAILED;
}

static int run(ith_cli *cli, int argc, char **argv)
{
    ith_error err = {0};

    if (open_world(cli, argc, argv, &err) != ITH_OK) {
        ith_cli_error(cli, "%s", err.text);
        return ITH_EXIT_FAILED;
    }
    if (cli->size == 1 && cli->rank != 0) /* rank 0 alone has something to do */
        return ITH_EXIT_DONE;
    ith_stop_install(cli->rank == 0);
    ith_buserror_install(cli->rank, cli->size);
    return check_json(cli, check_stdout(cli, dispatch(cli, argc, argv)));
}

int main(int argc, char **argv)
{
    ith_cli cli = {.commands = ith_command_table, .size = 1};
    int code;

    ith_json_count_memory();
    cli.colour = ith_cli_wants_colour();
    code = run(&cli, argc, argv);
    ith_stop_listen(false);
    ith_world_close(cli.world);
    return code;
}

/* main.c - ithaca: runs a command on every rank. */
#include "cli/buserror.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/signals.h"

#include <errno.h>
#include <stdio.h>
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

int main(int argc, char **argv)
{
    ith_error err = {0};
    ith_cli cli = {.commands = ith_command_table};
    int code;

    cli.colour = ith_cli_wants_colour();
    if (ith_world_open(&cli.world, &err) != ITH_OK) {
        ith_cli_error(&cli, "%s", err.text);
        return ITH_EXIT_FAILED;
    }
    cli.rank = ith_world_rank(cli.world);
    cli.size = ith_world_size(cli.world);
    ith_stop_install(cli.rank == 0);
    ith_buserror_install(cli.rank, cli.size);
    code = check_stdout(&cli, dispatch(&cli, argc, argv));
    ith_stop_listen(false);
    ith_world_close(cli.world);
    return code;
}

/* main.c - ithaca: finds the subcommand and runs it on every rank. */
#include "cli/buserror.h"
#include "cli/command.h"
#include "cli/signals.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct subcommand {
    const char *name, *summary;
    int (*run)(const ith_cli *cli, int argc, char **argv);
    bool collective; /* false: rank 0 works, the others are done */
} subcommand;

static const subcommand subcommands[] = {
    {"run", "answer a prompt", ith_cmd_run, true},
    {"score", "how well the model predicts a text: nll, perplexity, logits", ith_cmd_score, true},
    {"calibrate", "what the model's matrices read in a text: for better quantization", ith_cmd_calibrate, true},
    {"bench", "how fast: this machine, the kernels, a model at growing context", ith_cmd_bench, true},
    {"tokenize", "text to token ids, and back", ith_cmd_tokenize, false},
    {"pack", "a model in one file, in the form in which it is computed with", ith_cmd_pack, false},
    {"plan", "what a run would take, and about how fast it would be", ith_cmd_plan, false},
    {"inspect", "what is in a model's files", ith_cmd_inspect, false},
    {"cache", "what lies in a prompt cache: ls, rm, verify", ith_cmd_cache, false},
    {"version", "this build and this machine", ith_cmd_version, false},
};

enum { N_SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

static void print_usage(FILE *out)
{
    fprintf(out, "ithaca " ITH_VERSION ": large language models with long contexts on CPU machines\n\n"
                 "  ithaca COMMAND -m MODEL [OPTION]...\n"
                 "  mpirun -n RANKS ithaca COMMAND -m MODEL [OPTION]...\n\n"
                 "MODEL is a Hugging Face folder, a .gguf file or a pack (.ith). Commands:\n");
    for (int i = 0; i < N_SUBCOMMANDS; i++)
        fprintf(out, "  %-10s%s\n", subcommands[i].name, subcommands[i].summary);
    fprintf(out,
            "\n\"ithaca COMMAND --help\" gives options and examples. Exit status: 0 done, 1 failed, 2 wrong usage,\n"
            "75 stopped and saved (run --checkpoint), 128 + signal stopped.\n");
}

static const subcommand *find_subcommand(const char *name)
{
    if (strcmp(name, "--version") == 0)
        name = "version";
    for (int i = 0; i < N_SUBCOMMANDS; i++)
        if (strcmp(name, subcommands[i].name) == 0)
            return &subcommands[i];
    return NULL;
}

/* argv[0]: the subcommand's name. */
static int run_named(const ith_cli *cli, int argc, char **argv)
{
    const subcommand *sub = find_subcommand(argv[0]);

    if (sub == NULL && argv[0][0] == '-') {
        ith_cli_say(cli, "a command comes before %s, as in ithaca run -m MODEL -p TEXT; see ithaca --help", argv[0]);
        return ITH_EXIT_USAGE;
    }
    if (sub == NULL) {
        ith_cli_say(cli, "unknown command \"%s\"; see ithaca --help", argv[0]);
        return ITH_EXIT_USAGE;
    }
    if (!sub->collective && cli->rank != 0)
        return ITH_EXIT_DONE;
    return sub->run(cli, argc, argv);
}

static int dispatch(const ith_cli *cli, int argc, char **argv)
{
    if (argc < 2) {
        if (cli->rank == 0)
            print_usage(stderr);
        return ITH_EXIT_USAGE;
    }
    if (argc > 2 && strcmp(argv[1], "help") == 0) {
        char option[] = "--help", *asked[] = {argv[2], option, NULL};
        return run_named(cli, 2, asked);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        if (cli->rank == 0)
            print_usage(stdout);
        return ITH_EXIT_DONE;
    }
    return run_named(cli, argc - 1, argv + 1);
}

/* What stdio still holds must reach its reader: an answer that was lost is a failure. */
static int check_stdout(const ith_cli *cli, int code)
{
    bool lost = ferror(stdout) != 0;

    errno = 0;
    if (fflush(stdout) != 0)
        lost = true;
    if (lost && code == ITH_EXIT_DONE) {
        ith_cli_say(cli, "standard output: %s", errno != 0 ? strerror(errno) : "not all could be written");
        code = ITH_EXIT_FAILED;
    }
    return code;
}

int main(int argc, char **argv)
{
    ith_error err = {0};
    ith_cli cli = {0};
    int code;

    if (ith_world_open(&cli.world, &err) != ITH_OK) {
        fprintf(stderr, "ithaca: %s\n", err.text);
        return ITH_EXIT_FAILED;
    }
    cli.rank = ith_world_rank(cli.world);
    cli.size = ith_world_size(cli.world);
    ith_stop_install(cli.rank == 0);
    ith_buserror_install(cli.rank, cli.size);
    code = check_stdout(&cli, dispatch(&cli, argc, argv));
    ith_world_close(cli.world);
    return code;
}

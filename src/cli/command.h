/* command.h - what the subcommands share: their entry points, exit codes, and how they speak.
 *
 * Every rank runs the same command line. Rank 0 alone reads input and prints: answers on stdout, all else on stderr.
 * What only rank 0 does can fail only there, so its outcome is broadcast (ith_cli_agree) before the next collective
 * call: all ranks go on, or all return.
 */
#ifndef ITH_CLI_COMMAND_H
#define ITH_CLI_COMMAND_H

#include "base/json.h"
#include "ithaca_tools.h"

enum { ITH_EXIT_DONE = 0, ITH_EXIT_FAILED = 1, ITH_EXIT_USAGE = 2, ITH_EXIT_SIGNAL = 128 /* + the signal */ };

typedef struct ith_cli {
    ith_world *world;
    int rank, size;
} ith_cli;

/* Each returns an exit code. argv[0] is the subcommand. run, score, calibrate and bench work on all ranks; the others on rank 0 while
 * the rest return at once. */
int ith_cmd_run(const ith_cli *cli, int argc, char **argv);
int ith_cmd_score(const ith_cli *cli, int argc, char **argv);
int ith_cmd_calibrate(const ith_cli *cli, int argc, char **argv);
int ith_cmd_bench(const ith_cli *cli, int argc, char **argv);
int ith_cmd_tokenize(const ith_cli *cli, int argc, char **argv);
int ith_cmd_plan(const ith_cli *cli, int argc, char **argv);
int ith_cmd_inspect(const ith_cli *cli, int argc, char **argv);
int ith_cmd_pack(const ith_cli *cli, int argc, char **argv);
int ith_cmd_cache(const ith_cli *cli, int argc, char **argv);
int ith_cmd_version(const ith_cli *cli, int argc, char **argv);

/* One line "ithaca: text" on stderr, on rank 0. */
void ith_cli_say(const ith_cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Collective. Rank 0's status on every rank. */
ith_status ith_cli_agree(const ith_cli *cli, ith_status status);

/* What the engine found to say about how the launcher binds ranks, if anything, unless `quiet`. */
void ith_cli_advise(const ith_cli *cli, const ith_engine *engine, bool quiet);

/* A note, unless `quiet`, if a text of n tokens is longer than the model was trained for. */
void ith_cli_check_length(const ith_cli *cli, const ith_engine *engine, int64_t n, bool quiet);

/* The exit code of a failed call, after saying why. ITH_E_CANCELLED says nothing and gives 128 + the signal that asked
 * to stop. */
int ith_cli_failure(const ith_cli *cli, ith_status status, const ith_error *err);

/* Writes to stdout and flushes. False with errno when the reader is gone or the disk is full. */
bool ith_cli_write(const char *text, size_t len);
/* A JSON value and a line end on stdout; takes the reference. NULL (no memory) is a failure. Returns an exit code. */
int ith_cli_write_json(const ith_cli *cli, json_t *value);

/* A JSON string of any bytes: what is not UTF-8 becomes U+FFFD. NULL without memory. */
json_t *ith_cli_json_text(const char *text, size_t len);

#endif

/* command.h - what the commands share: exit codes, messages, and output.
 *
 * Every rank runs the same command line. Rank 0 alone reads input and prints: results on stdout,
 * everything else on stderr. What only rank 0 does can fail only there, so its outcome is broadcast
 * (ith_cli_agree) before the next collective call: all ranks continue, or all return.
 */
#ifndef ITH_CLI_COMMAND_H
#define ITH_CLI_COMMAND_H

#include "base/json.h"
#include "ithaca_tools.h"

enum {
    ITH_EXIT_DONE = 0,
    ITH_EXIT_FAILED = 1,
    ITH_EXIT_USAGE = 2,
    ITH_EXIT_SIGNAL = 128 /* + the signal; that of SIGPIPE if the reader of stdout has gone away */
};

typedef struct ith_cli {
    ith_world *world;
    int rank, size;
    bool colour; /* of messages */
    /* All of the program, in the order of help, up to NULL. */
    const struct ith_command *const *commands;
} ith_cli;

/* One line on stderr, on rank 0: "ithaca: error: TEXT", with warning: or note: as second
 * word, or just "ithaca: TEXT". The second word is coloured if cli->colour. */
void ith_cli_error(const ith_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ith_cli_warning(const ith_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ith_cli_note(const ith_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ith_cli_say(const ith_cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True on a terminal with colours, unless NO_COLOR is set and not empty. */
bool ith_cli_wants_colour(void);

/* Collective. Rank 0's status on every rank. */
ith_status ith_cli_agree(const ith_cli *cli, ith_status status);

/* Each line as a note. */
void ith_cli_notes(const ith_cli *cli, const char *lines);

/* Unless `quiet`, notes on how the world was opened, on what is unusual in the model's files, and
 * if the launcher binds ranks so that cores stay unused. */
void ith_cli_advise(const ith_cli *cli, const ith_engine *engine, bool quiet);

/* A note, unless `quiet`, if a text of n tokens is longer than the model was trained for. */
void ith_cli_check_length(const ith_cli *cli, const ith_engine *engine, int64_t n, bool quiet);

/* Prints why a call failed and returns the exit code. ITH_E_CANCELLED prints nothing and gives 128
 * + the signal that asked to stop. */
int ith_cli_failure(const ith_cli *cli, ith_status status, const ith_error *err);

/* Writes to stdout and flushes. False, and errno set, if that fails. */
bool ith_cli_write(const char *text, size_t len);

/* The exit code after a failed write to stdout; write_errno 0: not known. Prints why, unless the
 * reader has gone away, as `head` does. */
int ith_cli_write_failure(const ith_cli *cli, int write_errno);

/* Writes a JSON value and a line end to stdout; takes the reference. NULL (no memory) is a failure.
 * Returns an exit code. */
int ith_cli_write_json(const ith_cli *cli, json_t *value);

#endif

/* command.h - what the commands share: exit codes, messages, and output.
 *
 * Every rank runs the same command line. Rank 0 alone reads input and prints: answers on stdout, all else on stderr.
 * What only rank 0 does can fail only there, so its outcome is broadcast (ith_cli_agree) before the next collective
 * call: all ranks go on, or all return.
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
} ith_cli;

/* One line on stderr, on rank 0: "ithaca: error: text", "ithaca: warning: text", "ithaca: note: text",
 * or just "ithaca: text". The word has a colour if cli->colour. */
void ith_cli_error(const ith_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ith_cli_warning(const ith_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ith_cli_note(const ith_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ith_cli_say(const ith_cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Do messages have colours? On a terminal that knows them, unless NO_COLOR is set and not empty. */
bool ith_cli_wants_colour(void);

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

/* The exit code when stdout could not be written, by the errno of that; 0: not known. Says why, unless the reader has gone
 * away, as `head` does. */
int ith_cli_write_failure(const ith_cli *cli, int write_errno);

/* A JSON value and a line end on stdout; takes the reference. NULL (no memory) is a failure. Returns an exit code. */
int ith_cli_write_json(const ith_cli *cli, json_t *value);

/* A JSON string of any bytes: what is not UTF-8 becomes U+FFFD. NULL without memory. */
json_t *ith_cli_json_text(const char *text, size_t len);

#endif

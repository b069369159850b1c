/* typed.h - what a user types, line by line: at a terminal edited with libedit, from a pipe or file
 * as it comes.
 *
 * At a terminal a line may hold line ends: pasted text keeps its own (bracketed paste), and
 * Alt-Enter makes one. Arrows up and down bring back earlier lines. They are kept in a file that
 * its owner alone can read.
 */
#ifndef ITH_CLI_TYPED_H
#define ITH_CLI_TYPED_H

#include "cli/input.h"
#include "cli/terminal.h"

typedef struct ith_typed ith_typed;

typedef enum ith_typed_end {
    ITH_TYPED_LINE,        /* a line */
    ITH_TYPED_INTERRUPTED, /* a signal came; what was typed is gone */
    ITH_TYPED_END          /* of the input */
} ith_typed_end;

/* `terminal` must outlive it. `history`: the file of earlier lines; NULL: none. It and its folder
 * are made when it is saved. A file that cannot be read is as good as none. ITH_E_ARGUMENT: it
 * holds something else, or is no regular file; ITH_E_MEMORY. */
ith_status ith_typed_open(ith_terminal *terminal, const char *history, ith_typed **typed,
                          ith_error *err);

/* Saves the history. Accepts NULL. */
void ith_typed_close(ith_typed *typed);

/* Appends a line without its end. ITH_E_MEMORY, ITH_E_IO: *end is not set. */
ith_status ith_typed_read(ith_typed *typed, const char *prompt, ith_text *text, ith_typed_end *end,
                          ith_error *err);

/* Adds a text to the history. */
void ith_typed_remember(ith_typed *typed, const char *text);

/* $XDG_STATE_HOME/ithaca/chat_history or ~/.local/state/ithaca/chat_history. False: neither is
 * known, or it is too long. */
bool ith_typed_history_path(char *path, size_t size);

#endif

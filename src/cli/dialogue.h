/* dialogue.h - a chat as rank 0 leads it: messages, answers, and commands that begin with a slash.
 */
#ifndef ITH_CLI_DIALOGUE_H
#define ITH_CLI_DIALOGUE_H

#include "cli/conversation.h"
#include "cli/timeline.h"
#include "cli/typed.h"

typedef struct ith_dialogue {
    const ith_cli *cli;
    ith_timeline *timeline;
    ith_conversation conversation;
    ith_typed *typed;
    ith_sampling sampling; /* with the chat's seed, of which each answer has its own */
    int64_t max_tokens;
    bool interactive, quiet; /* at a terminal; no remarks on stderr */
    ith_text loaded;         /* by /load: the beginning of the next message that is answered */
    int64_t retries;         /* /retry: of the last answer */
    bool noted;              /* that markers are read as text */
    bool failed;             /* something did, and the dialogue went on */
    bool over;               /* /exit */
    char last_shown;
    int write_errno; /* stdout failed */
} ith_dialogue;

/* Computes the messages that are there, answers the last of them if it is the user's, then reads
 * and answers until the input ends. ITH_OK, or what has ended it; ITH_E_CANCELLED: a signal other
 * than SIGINT. */
ith_status ith_dialogue_run(ith_dialogue *d, ith_error *err);

/* Runs the command in a line that begins with a slash. Failures that do not end the dialogue are
 * shown. */
ith_status ith_dialogue_command(ith_dialogue *d, const char *line, ith_error *err);

/* ---- For commands ---- */

/* Computes the conversation, with `loaded` as a message of the user, as far as it goes. */
ith_status ith_dialogue_compute(ith_dialogue *d, ith_error *err);

/* Answers the conversation, whose last message is the user's. If that cannot be, or is stopped
 * before the answer begins, nothing is added, and the caller undoes what it did for the answer. */
ith_status ith_dialogue_answer(ith_dialogue *d, ith_error *err);

/* Does a signal ask to end the program? At a terminal SIGINT asks to end an answer, or clears the
 * line, and is forgotten. */
bool ith_dialogue_must_end(const ith_dialogue *d);

/* After a call: returns a failure that ends the dialogue, and shows one that does not. */
ith_status ith_dialogue_settle(ith_dialogue *d, ith_status status, const ith_error *err);

/* After that: says what became of a message that was stopped before its answer began. */
void ith_dialogue_say_stopped(const ith_dialogue *d, ith_status status, const char *what);

#endif

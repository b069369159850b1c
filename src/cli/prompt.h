/* prompt.h - makes the token ids of a prompt from what the user gave. Rank 0 only. */
#ifndef ITH_CLI_PROMPT_H
#define ITH_CLI_PROMPT_H

#include "cli/chat_options.h"

typedef struct ith_prompt_args {
    const char *text;     /* -p, or NULL */
    const char *file;     /* -f, or NULL; "-": standard input */
    const char *ids_file; /* --ids, or NULL */
    bool raw; /* no chat template: the text is the whole prompt, its markers are tokens */
    ith_chat_args chat;
} ith_prompt_args;

/* What was read. Do not move it. */
typedef struct ith_prompt {
    ith_text text; /* of the user's turn, or of the whole prompt */
    ith_chat_inputs chat;
} ith_prompt;

/* Reads the files into *prompt, which is {0}. With a text, both together: the file without trailing
 * line ends, a blank line, the text. A file alone loses its trailing line ends under a chat
 * template, and stays as it is with `raw`. With ids_file nothing is read. Free it also after a
 * failure. ITH_E_ARGUMENT: there is no text in the file; unless `raw`, white space is none. */
ith_status ith_prompt_read(const ith_prompt_args *args, ith_prompt *prompt, ith_error *err);
void ith_prompt_free(ith_prompt *prompt);

/* The prompt's ids, at least one, malloc'd in ids->data: those of ids_file, or the text tokenized,
 * in a user turn unless `raw`. *plain_markers: were there markers that were read as text? See
 * ith_chat_tokenize. */
ith_status ith_prompt_ids(const ith_prompt_args *args, const ith_vocab *vocab,
                          const ith_prompt *prompt, ith_ids *ids, bool *plain_markers,
                          ith_error *err);

#endif

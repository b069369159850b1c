/* prompt.h - makes the token ids of a prompt from what the user gave. Rank 0 only. */
#ifndef ITH_CLI_PROMPT_H
#define ITH_CLI_PROMPT_H

#include "cli/input.h"

typedef struct ith_prompt_args {
    const char *text;     /* -p, or NULL */
    const char *file;     /* -f, or NULL; "-": standard input */
    const char *ids_file; /* --ids, or NULL */
    const char *system;   /* --system, or NULL */
    bool raw;           /* no chat template: the text is the whole prompt, its markers are tokens */
    bool parse_special; /* markers in the user's text are tokens under a chat template too */
    int thinking;       /* ith_thinking */
} ith_prompt_args;

/* Reads the file. With a text, both together: the file without trailing line ends, a blank line,
 * the text. A file alone loses its trailing line ends under a chat template, and stays as it is
 * with `raw`. With ids_file nothing is read. ITH_E_ARGUMENT: there is no text in the file; unless
 * `raw`, white space is none. */
ith_status ith_prompt_text(const ith_prompt_args *args, ith_text *text, ith_error *err);

/* The prompt's ids, at least one, malloc'd in ids->data: those of ids_file, or `text` tokenized, in
 * a user turn unless `raw`.
 *
 * Under a template the user's text must not be able to end its own turn. Markers in it, such as
 * <|im_end|>, are therefore read as plain text: the text is tokenized by itself and put between the
 * tokens of the template. A text without markers, the normal case, is tokenized together with the
 * template, as the tokenizers of Hugging Face do; with parse_special every text is. *plain_markers:
 * were there markers that were read as text? */
ith_status ith_prompt_ids(const ith_prompt_args *args, const ith_vocab *vocab, const ith_text *text,
                          ith_ids *ids, bool *plain_markers, ith_error *err);

#endif

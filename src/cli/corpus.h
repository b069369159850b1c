/* corpus.h - a text that is read without being answered, from a file or as token ids. Rank 0's. */
#ifndef ITH_CLI_CORPUS_H
#define ITH_CLI_CORPUS_H

#include "cli/input.h"
#include "cli/option.h"

#include <stddef.h>

typedef struct ith_corpus {
    const char *file, *ids_file; /* as given, one of them; NULL: not given */
    bool parse_special;          /* markers in the file become tokens */
    ith_text text;               /* of the file, between reading and tokenizing */
    ith_ids ids;
} ith_corpus;

extern const ith_option_group ith_group_corpus; /* ith_corpus */

/* ITH_ARGS_OK, or 2 unless exactly one of file and ids is given. */
int ith_corpus_args_check(const ith_cli *cli, const char *command, const ith_corpus *corpus);

/* In two steps: an unreadable file is found before the model is loaded, whose tokenizer makes the
 * ids. */
ith_status ith_corpus_read(ith_corpus *corpus, ith_error *err);
ith_status ith_corpus_tokenize(ith_corpus *corpus, const ith_engine *engine, ith_error *err);

/* Rank 0. Text of several windows: the first tokens of each become those that the tokenizer puts
 * before a text, if it does. */
ith_status ith_corpus_begin_windows(ith_corpus *corpus, const ith_engine *engine, size_t window,
                                    ith_error *err);

void ith_corpus_free(ith_corpus *corpus);

#endif

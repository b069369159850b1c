/* corpus.h - the text of subcommands that read one without answering it: a file, or token ids. Rank 0's. */
#ifndef ITH_CLI_CORPUS_H
#define ITH_CLI_CORPUS_H

#include "cli/arguments.h"
#include "cli/input.h"

typedef struct ith_corpus {
    const char *file, *ids_file; /* as given, one of them; NULL: not */
    bool parse_special;          /* markers in the file become tokens */
    ith_text text;               /* of the file, between reading and tokenizing */
    ith_ids ids;
} ith_corpus;

/* Puts -f and --ids before the n that are in args. */
void ith_corpus_args_insert(ith_corpus *corpus, ith_arg args[ITH_ARGS_MAX], size_t *n);

/* ITH_ARGS_OK, or 2 when not one of them is given. */
int ith_corpus_args_check(const ith_cli *cli, const char *command, const ith_corpus *corpus);

/* In two steps: what cannot be read is found before the model is loaded, whose tokenizer makes the ids. */
ith_status ith_corpus_read(ith_corpus *corpus, ith_error *err);
ith_status ith_corpus_tokenize(ith_corpus *corpus, const ith_engine *engine, ith_error *err);

void ith_corpus_free(ith_corpus *corpus);

#endif

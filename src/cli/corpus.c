#include "cli/corpus.h"

#include <stdlib.h>
#include <string.h>

void ith_corpus_args_insert(ith_corpus *corpus, ith_arg args[ITH_ARGS_MAX], size_t *n)
{
    const ith_arg table[] = {
        {"file", 'f', ITH_ARG_TEXT, "TEXT", "a text file; - is standard input", &corpus->file, 0, 0},
        {"ids", 0, ITH_ARG_TEXT, "FILE", "token ids, separated by white space or commas", &corpus->ids_file, 0, 0},
    };
    memmove(args + sizeof table / sizeof table[0], args, *n * sizeof args[0]);
    memcpy(args, table, sizeof table);
    *n += sizeof table / sizeof table[0];
}

int ith_corpus_args_check(const ith_cli *cli, const char *command, const ith_corpus *corpus)
{
    if ((corpus->file == NULL) == (corpus->ids_file == NULL))
        return ith_args_wrong(cli, command, "give either -f TEXT or --ids FILE");
    if (corpus->ids_file != NULL && corpus->parse_special)
        return ith_args_wrong(cli, command, "--parse-special is for -f TEXT");
    return ITH_ARGS_OK;
}

ith_status ith_corpus_read(ith_corpus *corpus, ith_error *err)
{
    return corpus->file != NULL ? ith_read_text(corpus->file, &corpus->text, err)
                                : ith_read_ids(corpus->ids_file, &corpus->ids, err);
}

ith_status ith_corpus_tokenize(ith_corpus *corpus, const ith_engine *engine, ith_error *err)
{
    unsigned flags = corpus->parse_special ? ITH_TOKENIZE_SPECIAL : 0;
    ith_status status;

    if (corpus->file == NULL)
        return ITH_OK;
    if (ith_engine_vocab(engine) == NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "%s has no tokenizer: give --ids instead of -f",
                        ith_engine_get_info(engine)->name);
    status = ith_vocab_tokenize(ith_engine_vocab(engine), corpus->text.data, corpus->text.len, flags, &corpus->ids.data, &corpus->ids.n, err);
    ith_text_free(&corpus->text);
    return status;
}

void ith_corpus_free(ith_corpus *corpus)
{
    ith_text_free(&corpus->text);
    free(corpus->ids.data);
    corpus->ids = (ith_ids){0};
}

/* corpus.c - a text that is scored or used for calibration. */
#include "cli/corpus.h"

#include "cli/arguments.h"
#include "cli/signals.h"

#include <stdlib.h>
#include <string.h>

static const ith_option options[] = {
    {.name = "file",
     .letter = 'f',
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(ith_corpus, file),
     .help = "text file; - is standard input",
     .more = "The text is tokenized as it is, without a chat template."},
    {.name = "ids",
     .kind = ITH_OPTION_FILE,
     .metavar = "FILE",
     .at = offsetof(ith_corpus, ids_file),
     .help = "file of token ids instead of text",
     .more = "Ids are separated by white space or commas; - is standard input."},
    {.name = "parse-special",
     .kind = ITH_OPTION_FLAG,
     .at = offsetof(ith_corpus, parse_special),
     .help = "read markers such as <|im_start|> as tokens"},
    {.name = NULL},
};

const ith_option_group ith_group_corpus = {"Text", options};

int ith_corpus_args_check(const ith_cli *cli, const char *command, const ith_corpus *corpus)
{
    if ((corpus->file == NULL) == (corpus->ids_file == NULL))
        return ith_args_wrong(cli, command, "expected either -f FILE or --ids FILE");
    if (corpus->ids_file != NULL && corpus->parse_special)
        return ith_args_wrong(cli, command, "--parse-special needs -f FILE");
    return ITH_ARGS_OK;
}

ith_status ith_corpus_read(ith_corpus *corpus, ith_error *err)
{
    if (corpus->file == NULL)
        return ith_read_ids(corpus->ids_file, &corpus->ids, err);
    ITH_TRY(ith_read_text(corpus->file, &corpus->text, err));
    return ith_check_text(ith_input_name(corpus->file), corpus->text.data, corpus->text.len, err);
}

ith_status ith_corpus_tokenize(ith_corpus *corpus, const ith_engine *engine, ith_error *err)
{
    unsigned flags =
        ITH_TOKENIZE_BOS | ITH_TOKENIZE_EOS | (corpus->parse_special ? ITH_TOKENIZE_SPECIAL : 0);
    ith_status status;
    bool listened;

    if (corpus->file == NULL)
        return ITH_OK;
    if (ith_engine_vocab(engine) == NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "%s has no tokenizer: use --ids instead of -f",
                        ith_engine_get_info(engine)->name);
    listened = ith_stop_listen(false);
    status = ith_vocab_tokenize(ith_engine_vocab(engine), corpus->text.data, corpus->text.len,
                                flags, &corpus->ids.data, &corpus->ids.n, err);
    ith_stop_listen(listened);
    ith_text_free(&corpus->text);
    return status;
}

ith_status ith_corpus_begin_windows(ith_corpus *corpus, const ith_engine *engine, size_t window,
                                    ith_error *err)
{
    int32_t *first = NULL;
    size_t n_first = 0;

    if (corpus->file == NULL)
        return ITH_OK;
    ITH_TRY(ith_vocab_tokenize(ith_engine_vocab(engine), "", 0, ITH_TOKENIZE_BOS, &first, &n_first,
                               err));
    for (size_t at = 0; n_first < window && at + window <= corpus->ids.n; at += window)
        memcpy(corpus->ids.data + at, first, n_first * sizeof *first);
    free(first);
    return ITH_OK;
}

void ith_corpus_free(ith_corpus *corpus)
{
    ith_text_free(&corpus->text);
    free(corpus->ids.data);
    corpus->ids = (ith_ids){0};
}

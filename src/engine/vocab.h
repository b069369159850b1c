/* vocab.h - the vocabulary behind its handle: tokenizer, chat template and stop tokens. */
#ifndef ITH_ENGINE_VOCAB_H
#define ITH_ENGINE_VOCAB_H

#include "formats/source.h"
#include "ithaca.h"
#include "text/chat_files.h"
#include "text/tokenizer.h"

/* The grammars that are open, some that were, and the tree of tokens that they share. */
typedef struct ith_vocab_grammars ith_vocab_grammars;

struct ith_vocab {
    ith_tokenizer *tok;
    ith_chat_files chat;            /* its templates */
    int32_t stops[ITH_MAX_EOS + 2]; /* tokens that end an answer */
    int n_stops;
    char *notes; /* lines; NULL: only those of the tokenizer */
    ith_vocab_grammars *grammars;
};

/* None; NULL: no memory. They are closed before they are freed. */
ith_vocab_grammars *ith_vocab_grammars_new(void);
void ith_vocab_grammars_free(ith_vocab_grammars *grammars); /* accepts NULL */

/* Do the model's files contain a tokenizer? */
bool ith_vocab_in(const ith_source *source);

/* Local. ITH_E_UNSUPPORTED: there is no tokenizer, or not one that Ithaca reads. ITH_E_FORMAT: it
 * is damaged. */
ith_status ith_vocab_from_source(const ith_source *source, ith_vocab **vocab, ith_error *err);

/* Finds the special token that the chat template writes after an answer; -1: there is none. */
int32_t ith_vocab_answer_end(const ith_vocab *vocab);

/* ITH_E_ARGUMENT: the vocab is NULL. */
static inline ith_status ith_vocab_need(const ith_vocab *vocab, ith_error *err)
{
    return vocab != NULL
               ? ITH_OK
               : ith_fail(err, ITH_E_ARGUMENT,
                          "no tokenizer: the model's files have none, or this is not rank 0");
}

#endif

/* vocab.h - the vocabulary behind its handle: tokenizer, chat template and stop tokens. */
#ifndef ITH_ENGINE_VOCAB_H
#define ITH_ENGINE_VOCAB_H

#include "formats/source.h"
#include "ithaca.h"
#include "text/chat.h"
#include "text/tokenizer.h"

struct ith_vocab {
    ith_tokenizer *tok;
    ith_chat_kind chat;
    int32_t stops[ITH_MAX_EOS + 1]; /* tokens that end an answer */
    int n_stops;
};

/* Do the model's files contain a tokenizer? */
bool ith_vocab_in(const ith_source *source);

/* Local. ITH_E_UNSUPPORTED: there is no tokenizer, or not one that Ithaca reads. ITH_E_FORMAT: it
 * is damaged. */
ith_status ith_vocab_from_source(const ith_source *source, ith_vocab **vocab, ith_error *err);

#endif

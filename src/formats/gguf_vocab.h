/* gguf_vocab.h - the tokenizer in the metadata of a GGUF file. */
#ifndef ITH_FORMATS_GGUF_VOCAB_H
#define ITH_FORMATS_GGUF_VOCAB_H

#include "formats/gguf_meta.h"
#include "formats/hparams.h"

/* A chat template, in Jinja. */
typedef struct ith_gguf_template {
    ith_bytes name, source;
} ith_gguf_template;

/* The tokenizer's arrays in a GGUF file; strings point into its mapping. */
typedef struct ith_gguf_vocab {
    ith_bytes model, pre; /* tokenizer.ggml.model ("gpt2", "llama"), .pre ("qwen2") */

    /* [n_templates] tokenizer.chat_template ("default") and tokenizer.chat_template.NAME */
    ith_gguf_template *templates;
    size_t n_templates;

    size_t n_tokens, n_merges;
    ith_bytes *tokens; /* [n_tokens] as the vocabulary spells them */
    ith_bytes *merges; /* [n_merges] "left right" */

    /* [n_tokens] 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte. NULL: the file
     * has none. */
    int32_t *types;

    float *scores;                              /* [n_tokens] of SentencePiece; NULL: none */
    int32_t bos, eos, unk, sep, pad, cls, mask; /* -1: none */
    bool add_bos, add_eos, add_space_prefix;
} ith_gguf_vocab;

/* tokenizer.ggml.* and the chat template. Without a tokenizer, model.data is NULL and there are no
 * tokens. *vocab must be freed even after a failure. */
ith_status ith_gguf_vocab_read(const ith_gguf_meta *meta, ith_gguf_vocab *vocab, ith_error *err);
void ith_gguf_vocab_free(ith_gguf_vocab *vocab); /* accepts NULL */

/* bos, and the tokens that end an answer: eos_token_id, eot_token_id, eom_token_id, and special
 * tokens known by their text, since many files name only one of them (llama.cpp does the same). */
ith_status ith_gguf_special_tokens(const ith_gguf_meta *meta, const ith_gguf_vocab *vocab,
                                   ith_hparams *hp, ith_error *err);

#endif

/* tokenizer_impl.h - a tokenizer from the inside, and how the two builders make one. Inside src/text only. */
#ifndef ITH_TEXT_TOKENIZER_IMPL_H
#define ITH_TEXT_TOKENIZER_IMPL_H

#include "text/added.h"
#include "text/bpe.h"
#include "text/pretokenize.h"
#include "text/token_table.h"
#include "text/tokenizer.h"

struct ith_tokenizer {
    ith_token_table tokens;
    ith_bpe bpe;
    ith_added_set raw, normalized; /* added tokens looked for before and after normalization */
    ith_pretokenizer pre;
    bool nfc;
    bool ignore_merges; /* a word that is a token as a whole is that token, whatever the merges say */
    int32_t bos, eos;
    bool add_bos;
};

typedef struct ith_builder {
    ith_tokenizer *tok;
    const char *where; /* the file's name */
    ith_buffer word;   /* scratch */
} ith_builder;

ith_status ith_builder_begin(ith_builder *builder, const char *where, ith_error *err);

/* A token of the model in the byte-level alphabet (verbatim where it is not). ITH_E_FORMAT if the id is taken. */
ith_status ith_builder_token(ith_builder *builder, int64_t id, const char *text, size_t len, ith_error *err);

/* After the last token. Then n_merges merges, best first: both halves and their concatenation must be tokens. */
ith_status ith_builder_merges(ith_builder *builder, size_t n_merges, ith_error *err);
ith_status ith_builder_merge(ith_builder *builder, size_t rank, ith_piece left, ith_piece right, ith_error *err);
ith_status ith_builder_merge_text(ith_builder *builder, size_t rank, ith_piece both, ith_error *err); /* "left right" */

/* An added token; its text is verbatim. The id may be that of a model token with the same spelling. After the normalizer is known. */
ith_status ith_builder_added(ith_builder *builder, const ith_added *added, ith_error *err);

/* Bytes without a token become `unk` (-1: are left out). Hands out the tokenizer. */
ith_status ith_builder_finish(ith_builder *builder, int32_t unk, ith_tokenizer **tok, ith_error *err);

void ith_builder_free(ith_builder *builder); /* and the tokenizer, unless it was handed out */

#endif

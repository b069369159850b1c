/* tokenizer_impl.h - a tokenizer's fields, and the builder that fills them. Used inside src/text
 * only. */
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
    ith_added_set raw, normalized; /* added tokens that match before and after normalization */
    ith_pretokenizer pre;
    bool nfc;           /* normalize to NFC */
    bool ignore_merges; /* a word that is a token as a whole becomes that token, without merges */
    int32_t bos, eos;   /* -1: none */
    bool add_bos;
    char *notes; /* lines; NULL: none */
};

/* ---- Building ----
 *
 * Call in this order: begin, the settings of the pre-tokenizer and normalizer (in builder->tok),
 * token for each token, merges, merge or merge_text for each merge, added for each added token,
 * finish. Call ith_builder_free at the end, also after a failure. */

typedef struct ith_builder {
    ith_tokenizer *tok;
    const char *where; /* the file's name, for error messages */
    ith_buffer word;   /* scratch */
} ith_builder;

ith_status ith_builder_begin(ith_builder *builder, const char *where, ith_error *err);

/* Adds a token of the model. The text is in the byte-level alphabet; a token that is not stands for
 * its text. ITH_E_FORMAT: the id has a token already. */
ith_status ith_builder_token(ith_builder *builder, int64_t id, const char *text, size_t len,
                             ith_error *err);

/* Announces n_merges merges. They follow one by one, lowest rank first. ITH_E_FORMAT: a half, or
 * the two together, is not a token. */
ith_status ith_builder_merges(ith_builder *builder, size_t n_merges, ith_error *err);
ith_status ith_builder_merge(ith_builder *builder, size_t rank, ith_bytes left, ith_bytes right,
                             ith_error *err);

/* The same for a merge written as "left right". */
ith_status ith_builder_merge_text(ith_builder *builder, size_t rank, ith_bytes both,
                                  ith_error *err);

/* Adds an added token; its text is verbatim. ITH_E_FORMAT: it is not UTF-8 or very long, its
 * id belongs to a token with other text, or its text to a model token with another id. */
ith_status ith_builder_added(ith_builder *builder, const ith_added *added, ith_error *err);

/* Adds a line to the notes. */
ith_status ith_builder_note(ith_builder *builder, const char *line, ith_error *err);

/* ITH_E_FORMAT: two added tokens have the same text. Returns the tokenizer. Bytes that
 * have no token become `unk`; -1: they are dropped. */
ith_status ith_builder_finish(ith_builder *builder, int32_t unk, ith_tokenizer **tok,
                              ith_error *err);

/* Frees everything, except a tokenizer that was returned. */
void ith_builder_free(ith_builder *builder);

#endif

/* tokenizer_impl.h - a tokenizer's fields, and the builder that fills them. Used inside src/text
 * only. */
#ifndef ITH_TEXT_TOKENIZER_IMPL_H
#define ITH_TEXT_TOKENIZER_IMPL_H

#include "text/added.h"
#include "text/bpe.h"
#include "text/normalizer.h"
#include "text/pieces.h"
#include "text/pretokenize.h"
#include "text/token_table.h"
#include "text/tokenizer.h"

enum { ITH_MAX_AROUND = 8 };

struct ith_tokenizer {
    ith_token_table tokens;
    ith_bpe bpe;
    ith_added_set raw, normalized; /* added tokens that match before and after normalization */
    ith_normalizer normalizer;
    ith_pretokenizer pre;
    bool ignore_merges; /* a word that is a token as a whole becomes that token, without merges */

    /* A vocabulary that is not byte-level merges words from characters. */
    bool chars;
    bool byte_fallback; /* a character that is no token becomes its bytes, if all are tokens */
    int32_t byte_tokens[256]; /* "<0x0A>" of each byte; -1: none */
    int32_t unk;              /* stands for other characters; -1: they are dropped */
    bool fuse_unk;            /* one for all that follow each other */
    ith_spelling spelling;

    int32_t bos, eos; /* -1: none */

    /* What stands before and after a text. */
    int32_t before[ITH_MAX_AROUND], after[ITH_MAX_AROUND];
    size_t n_before, n_after;
    char *notes; /* lines; NULL: none */
};

/* ---- Building ----
 *
 * Call in this order: begin, the settings (in builder->tok), token for each token, merges, merge or
 * merge_text for each merge, added for each added token, finish. Call ith_builder_free at the end,
 * also after a failure. */

typedef struct ith_builder {
    ith_tokenizer *tok;
    const char *where; /* the file's name, for error messages */
    ith_buffer word;   /* scratch */
} ith_builder;

ith_status ith_builder_begin(ith_builder *builder, const char *where, ith_error *err);

/* Adds a token of the model. In a byte-level vocabulary the text is in its alphabet; a token that
 * is not stands for its text. ITH_E_FORMAT: the id has a token already. */
ith_status ith_builder_token(ith_builder *builder, int64_t id, const char *text, size_t len,
                             ith_error *err);

/* The id of the model's token that a file spells in this way; -1: there is none. After the merges
 * are announced. */
ith_status ith_builder_find(ith_builder *builder, const char *text, size_t len, int32_t *id,
                            ith_error *err);

/* Announces n_merges merges. They follow one by one, lowest rank first. ITH_E_FORMAT: a half, or
 * the two together, is not a token. */
ith_status ith_builder_merges(ith_builder *builder, size_t n_merges, ith_error *err);
ith_status ith_builder_merge(ith_builder *builder, size_t rank, ith_bytes left, ith_bytes right,
                             ith_error *err);

/* The same for a merge written as "left right". */
ith_status ith_builder_merge_text(ith_builder *builder, size_t rank, ith_bytes both,
                                  ith_error *err);

/* Adds an added token; its text is verbatim. ITH_E_FORMAT: it is not UTF-8 or very long, or its id
 * belongs to a token with other text. */
ith_status ith_builder_added(ith_builder *builder, const ith_added *added, ith_error *err);

/* All but begin and finish, from arrays. Errors as ith_tokenizer_from_arrays. */
ith_status ith_builder_arrays(ith_builder *builder, const ith_tokenizer_spec *spec, ith_error *err);

/* Adds a line to the notes. */
ith_status ith_builder_note(ith_builder *builder, const char *line, ith_error *err);

/* Adds all merges of a vocabulary whose tokens have scores, which SentencePiece calls BPE: two
 * neighbours merge if together they are a token, those with the highest score first. Call it
 * instead of merges and merge. scores [n]: by id; only tokens for which merges[id] holds count. */
ith_status ith_builder_scores(ith_builder *builder, const float *scores, const bool *merges,
                              size_t n, ith_error *err);

/* ITH_E_FORMAT: two added tokens have the same text. Returns the tokenizer. */
ith_status ith_builder_finish(ith_builder *builder, ith_tokenizer **tok, ith_error *err);

/* Frees everything, except a tokenizer that was returned. */
void ith_builder_free(ith_builder *builder);

#endif

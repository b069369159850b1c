/* tokenizer_targets.h - what must be true of every tokenizer that was accepted, on any text. */
#ifndef ITH_TESTS_FUZZ_TOKENIZER_TARGETS_H
#define ITH_TESTS_FUZZ_TOKENIZER_TARGETS_H

#include "tests/fuzz/fuzz.h"
#include "text/stream.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

/* Streamed, the ids give the same text as decoded at once. */
static inline void fuzz_streamed(const ith_tokenizer *tok, const int32_t *ids, size_t n,
                                 const char *text, size_t len)
{
    ith_detok *stream;
    ith_error err = {0};
    size_t got, at = 0;
    const char *out;

    fuzz_must(ith_detok_open(tok, &stream, &err) == ITH_OK);
    for (size_t i = 0; i <= n; i++) {
        out = i < n ? ith_detok_push(stream, ids[i], &got) : ith_detok_flush(stream, &got);
        fuzz_must(out != NULL && got <= len - at && memcmp(out, text + at, got) == 0);
        at += got;
    }
    fuzz_must(at == len);
    ith_detok_close(stream);
}

/* Must the text survive? It does if there is a token for each byte and normalization changes
 * nothing. */
static inline bool fuzz_survives(const ith_tokenizer *tok, ith_bytes text)
{
    ith_buffer normal = {0};
    bool same = ith_utf8_valid_prefix(text.data, text.len) == text.len;

    for (int i = 0; i < 256 && same; i++)
        same = ith_tokenizer_find(tok, &(char){(char)i}, 1) >= 0;
    if (same)
        fuzz_must(ith_utf8_normalize(ITH_NFC, text.data, text.len, &normal, NULL) == ITH_OK);
    same = same && normal.len == text.len &&
           (text.len == 0 || memcmp(normal.data, text.data, text.len) == 0);
    ith_buffer_free(&normal);
    return same;
}

/* changes: encoding may change the text otherwise. */
static inline void fuzz_tokenizer(const ith_tokenizer *tok, ith_bytes text, unsigned flags,
                                  bool changes)
{
    ith_error err = {0};
    int32_t *ids;
    size_t n, len;
    char *back;

    if (!fuzz_verdict(ith_tokenizer_encode(tok, text.data, text.len, flags, &ids, &n, &err), &err))
        return;
    fuzz_must(ids != NULL && (changes || n <= 3 * text.len + 1)); /* U+FFFD has three bytes */
    for (size_t i = 0; i < n; i++) {
        fuzz_must(ids[i] >= 0 && ids[i] < ith_tokenizer_n_vocab(tok));
        fuzz_must(ith_tokenizer_token(tok, ids[i], &len) != NULL &&
                  len <= ith_tokenizer_max_len(tok));
    }
    fuzz_must(ith_tokenizer_decode(tok, ids, n, &back, &len, &err) == ITH_OK);
    if (!changes && (flags & ITH_TOKENIZE_BOS) == 0 && fuzz_survives(tok, text))
        fuzz_must(len == text.len && memcmp(back, text.data, len) == 0);
    fuzz_streamed(tok, ids, n, back, len);
    free(back);
    free(ids);
}

#endif

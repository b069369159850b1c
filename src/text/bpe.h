/* bpe.h - byte-pair encoding of one word: merges its bytes by rank. Used inside src/text only.
 *
 * Of all pairs of neighbouring symbols that have a merge, the pair with the lowest rank is merged
 * first (of equal ranks, the leftmost), until no pair has a merge. Pairs are in a heap and symbols
 * in a linked list: O(n log n), so a word of megabytes is no problem. A word's first symbols are
 * its bytes, or what the caller makes of its characters.
 */
#ifndef ITH_TEXT_BPE_H
#define ITH_TEXT_BPE_H

#include "base/error.h"

enum { ITH_MAX_MERGES = 1 << 24 };

typedef struct ith_merge {
    int32_t left, right; /* left -1: an empty slot */
    uint32_t rank;
    int32_t result;
} ith_merge;

typedef struct ith_bpe {
    /* The token of each single byte. -1: no token; such bytes are dropped, as in Hugging Face. */
    int32_t byte_id[256];
    ith_merge *slots; /* hash table of pairs, open addressing */
    size_t n_slots;   /* a power of two */
} ith_bpe;

/* Makes room for n_merges. ITH_E_FORMAT: more than ITH_MAX_MERGES. ITH_E_MEMORY. */
ith_status ith_bpe_init(ith_bpe *bpe, size_t n_merges, ith_error *err);
void ith_bpe_free(ith_bpe *bpe); /* frees the contents, not the struct */

/* Several pairs may have one rank. Adding a pair again changes its rank. */
void ith_bpe_add(ith_bpe *bpe, uint32_t rank, int32_t left, int32_t right, int32_t result);

/* A growing array of token ids. */
typedef struct ith_ids {
    int32_t *data;
    size_t n, cap;
} ith_ids;

/* Makes room for `more` ids after the first n. */
ith_status ith_ids_reserve(ith_ids *ids, size_t more, ith_error *err);

/* Work space of ith_bpe_word. Starts zeroed; grows with the longest word. */
typedef struct ith_bpe_scratch {
    struct ith_bpe_symbol *symbols;
    uint64_t *heap;
    size_t n, cap; /* symbols */
} ith_bpe_scratch;

void ith_bpe_scratch_free(ith_bpe_scratch *scratch);

/* Appends the ids of a word of `len` bytes, len < 2^31. ITH_E_MEMORY is the only error. */
ith_status ith_bpe_word(const ith_bpe *bpe, ith_bpe_scratch *scratch, const char *word, size_t len,
                        ith_ids *ids, ith_error *err);

/* The same by its first symbols: makes room for n of them, takes one, merges all and appends the
 * ids. */
ith_status ith_bpe_begin(ith_bpe_scratch *scratch, size_t n, ith_error *err);
void ith_bpe_push(ith_bpe_scratch *scratch, int32_t id);
ith_status ith_bpe_merge(const ith_bpe *bpe, ith_bpe_scratch *scratch, ith_ids *ids,
                         ith_error *err);

#endif

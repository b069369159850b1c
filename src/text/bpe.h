/* bpe.h - merging the bytes of one word by rank. Inside src/text only.
 *
 * Among all neighbouring pairs of a word the one with the lowest rank, the leftmost of equals, is merged first, until no
 * pair has a merge. A heap of pairs over a linked list of symbols makes this O(n log n), so that a word may have megabytes.
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
    int32_t byte_id[256]; /* the token of each single byte; -1: none, such bytes are left out, as Hugging Face does */
    ith_merge *slots;     /* open addressing; a power of two */
    size_t n_slots;
    int32_t *results; /* [n_merges] by rank */
} ith_bpe;

ith_status ith_bpe_init(ith_bpe *bpe, size_t n_merges, ith_error *err);
void ith_bpe_free(ith_bpe *bpe); /* the contents */

/* rank < n_merges; a pair added again gets the new rank. */
void ith_bpe_add(ith_bpe *bpe, uint32_t rank, int32_t left, int32_t right, int32_t result);

typedef struct ith_ids { /* a growing array of ids */
    int32_t *data;
    size_t n, cap;
} ith_ids;

ith_status ith_ids_reserve(ith_ids *ids, size_t more, ith_error *err);

typedef struct ith_bpe_scratch { /* zeroed at first; grows with the longest word; freed by ith_bpe_scratch_free */
    struct ith_bpe_symbol *symbols;
    uint64_t *heap;
    size_t cap;
} ith_bpe_scratch;

void ith_bpe_scratch_free(ith_bpe_scratch *scratch);

/* Appends the ids of a word of len bytes (len < 2^31). */
ith_status ith_bpe_word(const ith_bpe *bpe, ith_bpe_scratch *scratch, const char *word, size_t len, ith_ids *ids,
                        ith_error *err);

#endif

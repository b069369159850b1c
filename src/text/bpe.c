/* bpe.c - byte-pair encoding with a heap of pairs over a linked list of symbols. */
#include "text/bpe.h"

#include "base/grow.h"

#include <stdlib.h>
#include <string.h>

struct ith_bpe_symbol {
    int32_t id; /* -1: merged into its left neighbour */
    int32_t prev, next;
};

typedef struct ith_bpe_symbol symbol;

ith_status ith_bpe_init(ith_bpe *bpe, size_t n_merges, ith_error *err)
{
    size_t n_slots = 1024;

    if (n_merges > ITH_MAX_MERGES)
        return ith_fail(err, ITH_E_FORMAT, "the tokenizer has %zu merges; at most %d are supported",
                        n_merges, ITH_MAX_MERGES);
    while (n_slots < 2 * n_merges)
        n_slots *= 2;
    bpe->slots = malloc(n_slots * sizeof *bpe->slots);
    if (bpe->slots == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for %zu merges", n_merges);
    bpe->n_slots = n_slots;
    memset(bpe->slots, 0xff, n_slots * sizeof *bpe->slots);
    return ITH_OK;
}

void ith_bpe_free(ith_bpe *bpe)
{
    free(bpe->slots);
    memset(bpe, 0, sizeof *bpe);
}

static inline ith_merge *merge_slot(const ith_bpe *bpe, int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    size_t mask = bpe->n_slots - 1, slot = (size_t)(h >> 32) & mask;

    while (bpe->slots[slot].left >= 0 &&
           (bpe->slots[slot].left != left || bpe->slots[slot].right != right))
        slot = (slot + 1) & mask;
    return &bpe->slots[slot];
}

void ith_bpe_add(ith_bpe *bpe, uint32_t rank, int32_t left, int32_t right, int32_t result)
{
    *merge_slot(bpe, left, right) = (ith_merge){left, right, rank, result};
}

ith_status ith_ids_reserve(ith_ids *ids, size_t more, ith_error *err)
{
    /* ids are allocated even if there are none */
    return ith_grow((void **)&ids->data, &ids->cap, ids->n + (more > 0 ? more : 1),
                    sizeof *ids->data)
               ? ITH_OK
               : ith_fail(err, ITH_E_MEMORY, "no memory for %zu token ids", ids->n + more);
}

void ith_bpe_scratch_free(ith_bpe_scratch *scratch)
{
    free(scratch->symbols);
    free(scratch->heap);
    memset(scratch, 0, sizeof *scratch);
}

/* The heap never holds more than 3 n pairs: n - 1 at the start, then at most two more for each of
 * fewer than n merges. */
static ith_status reserve_scratch(ith_bpe_scratch *scratch, size_t len, ith_error *err)
{
    size_t cap = len < 64 ? 64 : len;

    if (len <= scratch->cap)
        return ITH_OK;
    ith_bpe_scratch_free(scratch);
    scratch->symbols = malloc(cap * sizeof *scratch->symbols);
    scratch->heap = malloc(3 * cap * sizeof *scratch->heap);
    if (scratch->symbols == NULL || scratch->heap == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory to tokenize a word of %zu bytes", len);
    scratch->cap = cap;
    return ITH_OK;
}

/* ---- The heap: the smallest (rank << 32 | position) is on top ---- */

static void heap_push(uint64_t *heap, size_t *n, uint64_t key)
{
    size_t i = (*n)++;

    for (; i > 0 && heap[(i - 1) / 2] > key; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = key;
}

static uint64_t heap_pop(uint64_t *heap, size_t *n)
{
    uint64_t top = heap[0], last = heap[--*n];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < *n) {
        if (child + 1 < *n && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= last)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

static void push_pair(const ith_bpe *bpe, const symbol *symbols, int32_t left, uint64_t *heap,
                      size_t *n)
{
    const ith_merge *merge;

    if (left < 0 || symbols[left].next < 0)
        return;
    merge = merge_slot(bpe, symbols[left].id, symbols[symbols[left].next].id);
    if (merge->left >= 0)
        heap_push(heap, n, (uint64_t)merge->rank << 32 | (uint32_t)left);
}

/* Merges until the heap is empty. A popped pair is stale if its left symbol is gone, or if the
 * symbol and its right neighbour no longer have a merge of this rank. */
static void merge_all(const ith_bpe *bpe, symbol *symbols, uint64_t *heap, size_t n_heap)
{
    while (n_heap > 0) {
        uint64_t key = heap_pop(heap, &n_heap);
        int32_t at = (int32_t)(uint32_t)key, right = symbols[at].next;
        const ith_merge *merge;
        if (symbols[at].id < 0 || right < 0)
            continue;
        merge = merge_slot(bpe, symbols[at].id, symbols[right].id);
        if (merge->left < 0 || merge->rank != key >> 32)
            continue;
        symbols[at].id = merge->result;
        symbols[at].next = symbols[right].next;
        symbols[right].id = -1;
        if (symbols[at].next >= 0)
            symbols[symbols[at].next].prev = at;
        push_pair(bpe, symbols, symbols[at].prev, heap, &n_heap);
        push_pair(bpe, symbols, at, heap, &n_heap);
    }
}

ith_status ith_bpe_begin(ith_bpe_scratch *scratch, size_t n, ith_error *err)
{
    scratch->n = 0;
    return reserve_scratch(scratch, n, err);
}

void ith_bpe_push(ith_bpe_scratch *scratch, int32_t id)
{
    int32_t at = (int32_t)scratch->n++;

    scratch->symbols[at] = (symbol){id, at - 1, at + 1};
}

ith_status ith_bpe_merge(const ith_bpe *bpe, ith_bpe_scratch *scratch, ith_ids *ids, ith_error *err)
{
    symbol *symbols = scratch->symbols;
    int32_t n = (int32_t)scratch->n;
    size_t n_heap = 0;

    ITH_TRY(ith_ids_reserve(ids, scratch->n, err));
    if (n == 0)
        return ITH_OK;
    symbols[n - 1].next = -1;
    for (int32_t i = 0; i + 1 < n; i++)
        push_pair(bpe, symbols, i, scratch->heap, &n_heap);
    merge_all(bpe, symbols, scratch->heap, n_heap);
    for (int32_t i = 0; i >= 0; i = symbols[i].next)
        ids->data[ids->n++] = symbols[i].id;
    return ITH_OK;
}

ith_status ith_bpe_word(const ith_bpe *bpe, ith_bpe_scratch *scratch, const char *word, size_t len,
                        ith_ids *ids, ith_error *err)
{
    ITH_TRY(ith_bpe_begin(scratch, len, err));
    for (size_t i = 0; i < len; i++) {
        int32_t id = bpe->byte_id[(unsigned char)word[i]];
        if (id >= 0)
            ith_bpe_push(scratch, id);
    }
    return ith_bpe_merge(bpe, scratch, ids, err);
}

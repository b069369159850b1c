/* blocking.h - block sizes: how work is cut so that its data stays in the caches. Pure functions of
 * the caches' sizes (base/caches.h). None of them changes a bit of a result.
 *
 * A block of T tokens is multiplied with a matrix one pair of tiles after another. Meanwhile the
 * caches hold:
 *
 *   first level    the widened weights of two tiles and the activations of eight tokens
 *                  (ITH_PANEL_WEIGHTS)
 *   second level   one half: the first level's; the activations of the T tokens, which every pair
 *                  of tiles reads; their float sums for that pair (ITH_PANEL_TOKEN each), which are
 *                  used once in 16 groups and need not stay in the first level. The other half:
 *                  arriving weights, outputs, code
 *   third, memory  the weights, which are read once per block. So T should be large: each byte of
 *                  w4 that is read serves 4 T operations.
 *
 * gate and up are computed together, some rows at a time, so that SiLU and quantization find both
 * products in the second level. They take 1/32 of it.
 *
 * In attention, a tile of rows (queries) attends to one segment of keys and values after another,
 * 16 rows at a time. The segment should still be in the second level for the next 16 rows, beside
 * the rows' own sums.
 */
#ifndef ITH_MODEL_BLOCKING_H
#define ITH_MODEL_BLOCKING_H

#include "base/caches.h"
#include "base/range.h"
#include "simd/kernels.h"

enum {
    /* Tokens of a block, at least: with fewer, fetching and widening weights costs more than misses
     * in the second level. */
    ITH_BLOCK_LEAST = 48,

    /* Rows of attention that attend to a segment together. More than the most gain nothing: loading
     * the segment is negligible by then. */
    ITH_TILE_LEAST = 16,
    ITH_TILE_MOST = 256,
    ITH_TILES_PER_THREAD = 4,

    /* Tasks that a member's share of a product is cut into, at least. Members that help wait for an
     * eighth of a share at most. */
    ITH_SHARE_TASKS = 8,

    ITH_FEW_TOKENS = 16
};

/* T, the largest block of tokens that have token_bytes of activations each. */
static inline int64_t ith_block_tokens(const ith_caches *caches, int64_t token_bytes)
{
    int64_t room = caches->l2 / 2 - ITH_PANEL_WEIGHTS;
    return ith_clamp(room / (token_bytes + ITH_PANEL_TOKEN), ITH_BLOCK_LEAST, ITH_PANEL_TOKENS);
}

/* The size of the first block if n tokens are cut into as few blocks of at most `most` as possible,
 * all of nearly the same size. */
static inline int64_t ith_next_block(int64_t n, int64_t most)
{
    int64_t blocks = (n + most - 1) / most;
    return (n + blocks - 1) / blocks;
}

/* Should members help each other with a product of n tokens? With few tokens, memory bandwidth
 * decides, and a share takes microseconds. */
static inline bool ith_help_with(int64_t n)
{
    return n > ITH_FEW_TOKENS;
}

/* The number of runs that a share of `tiles` tiles is cut into, if each run is multiplied with
 * `blocks` blocks of tokens. Runs consist of pairs of tiles, which kernels process together. */
static inline int64_t ith_tile_runs(int64_t tiles, int64_t blocks)
{
    return ith_clamp((ITH_SHARE_TASKS + blocks - 1) / blocks, 1, (tiles + 1) / 2);
}

/* gate and up: the most floats of each product that are computed together; and the rows, in whole
 * groups, if a block has `tokens` tokens. */
static inline int64_t ith_block_floats(const ith_caches *caches)
{
    return ith_clamp(caches->l2 / 64 / (int64_t)sizeof(float), ITH_PANEL_TOKENS * ITH_GROUP,
                     1 << 18);
}
static inline int64_t ith_block_rows(const ith_caches *caches, int64_t tokens)
{
    return ith_block_floats(caches) / tokens / ITH_GROUP * ITH_GROUP;
}

/* The most rows of a tile of attention. A segment has segment_bytes of keys and values, a row has
 * row_bytes of query and sums. */
static inline int64_t ith_tile_rows(const ith_caches *caches, int64_t segment_bytes,
                                    int64_t row_bytes)
{
    int64_t rows = (caches->l2 / 2 - segment_bytes) / row_bytes;
    return ith_clamp(rows, ITH_TILE_LEAST, ITH_TILE_MOST);
}

/* The most rows of a tile with which n_threads threads that draw tiles of n rows end at about the
 * same time. */
static inline int64_t ith_tile_share(int64_t n, int n_threads)
{
    int64_t rows = n / ((int64_t)n_threads * ITH_TILES_PER_THREAD);
    return rows < ITH_TILE_LEAST ? ITH_TILE_LEAST : rows / ITH_TILE_LEAST * ITH_TILE_LEAST;
}

#endif

/* blocking.h - how large the pieces are in which work passes through the caches: pure functions of the caches' sizes (base/caches.h). None of them
 * changes a bit of a result.
 *
 * What lies where while a block of T tokens meets a matrix, tile pair by tile pair:
 *
 *   first level    two tiles' weights widened, eight tokens' activations (ITH_PANEL_WEIGHTS); T float sums of these tiles (ITH_PANEL_TOKEN each)
 *   second level   a quarter: the activations of T tokens, which every pair of tiles passes by; the other three for weights that arrive, outputs, code
 *   third, memory  the weights, which come once for each block. So T should be large: a fetched byte of w4 serves 4 T operations.
 *
 * gate and up are worked through together, rows by rows, so that SiLU and quantization find both products: in 1/32 of the second level.
 *
 * In attention a tile of rows (queries) passes by one segment of keys and values after another, 16 rows at a time: the segment should still be in the
 * second level for the next 16, beside the rows' own sums.
 */
#ifndef ITH_MODEL_BLOCKING_H
#define ITH_MODEL_BLOCKING_H

#include "base/caches.h"
#include "base/range.h"
#include "simd/kernels.h"

enum {
    ITH_BLOCK_LEAST =
        48, /* tokens: for fewer, bringing and widening weights costs more than misses of the second level */
    ITH_TILE_LEAST = 16, /* rows of attention that pass a segment together */
    ITH_TILE_MOST = 256, /* more gains nothing: a segment's way into the second level no longer counts */
    ITH_TILES_PER_THREAD = 4,
    ITH_PIECES = 8, /* of a member's share of a product, at least: an eighth of it is what others may have to wait for */
    ITH_FEW_TOKENS = 16
};

/* T, of tokens with token_bytes of activations. */
static inline int64_t ith_block_tokens(const ith_caches *caches, int64_t token_bytes)
{
    int64_t sums = (caches->l1 - ITH_PANEL_WEIGHTS) / (int64_t)ITH_PANEL_TOKEN,
            activations = caches->l2 / 4 / token_bytes;
    return ith_clamp(sums < activations ? sums : activations, ITH_BLOCK_LEAST, ITH_PANEL_TOKENS);
}

/* Of n tokens, the first block of at most T: as few as possible, all of nearly the same size. */
static inline int64_t ith_next_block(int64_t n, int64_t most)
{
    int64_t blocks = (n + most - 1) / most;
    return (n + blocks - 1) / blocks;
}

/* Whether members help each other with a product of n tokens. With few, the weights come at the memory's rate and a share takes microseconds. */
static inline bool ith_help_with(int64_t n)
{
    return n > ITH_FEW_TOKENS;
}

/* Into how many runs a share of `tiles` tiles is cut that passes `blocks` blocks of tokens: of pairs, which kernels work on together. */
static inline int64_t ith_tile_runs(int64_t tiles, int64_t blocks)
{
    return ith_clamp((ITH_PIECES + blocks - 1) / blocks, 1, (tiles + 1) / 2);
}

/* gate and up: floats of each product of a block, at most, and rows that are worked on together for `tokens`: whole groups. */
static inline int64_t ith_block_floats(const ith_caches *caches)
{
    return ith_clamp(caches->l2 / 64 / (int64_t)sizeof(float), ITH_PANEL_TOKENS * ITH_GROUP, 1 << 18);
}
static inline int64_t ith_block_rows(const ith_caches *caches, int64_t tokens)
{
    return ith_block_floats(caches) / tokens / ITH_GROUP * ITH_GROUP;
}

/* Rows of a tile of attention at most: segment_bytes of keys and values, row_bytes of a row's query and sums. */
static inline int64_t ith_tile_rows(const ith_caches *caches, int64_t segment_bytes, int64_t row_bytes)
{
    int64_t rows = (caches->l2 / 2 - segment_bytes) / row_bytes;
    return ith_clamp(rows, ITH_TILE_LEAST, ITH_TILE_MOST);
}

/* Of n rows in all, those of a tile with which threads that take tiles in turn end at about the same time. */
static inline int64_t ith_tile_share(int64_t n, int n_threads)
{
    int64_t rows = n / ((int64_t)n_threads * ITH_TILES_PER_THREAD);
    return rows < ITH_TILE_LEAST ? ITH_TILE_LEAST : rows / ITH_TILE_LEAST * ITH_TILE_LEAST;
}

#endif

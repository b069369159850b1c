/* attn_q8_frame_avx512.h - attention over the int8 cache for the levels with 512-bit registers.
 *
 * A unit of work is four query rows against one block of 64 keys. Units are processed in batches
 * (four quads of rows against one block, or one quad against four blocks), and all units of a batch
 * go through one stage before the next: scores, probabilities, weights as bytes, values. The long
 * dependency chains inside a stage, from a maximum over lanes to what it scales, then overlap with
 * those of the next unit, and with few rows the softmax interrupts the reads from memory less
 * often.
 *
 * attn_q8_stages_avx512.h says what the including file defines first.
 */
#ifndef ITH_SIMD_AVX512BW_ATTN_Q8_FRAME_H
#define ITH_SIMD_AVX512BW_ATTN_Q8_FRAME_H

#include "simd/avx512bw/attn_q8_units_avx512.h"
#include "simd/avx512bw/attn_q8_values_avx512.h"

/* The stages with products, compiled for a head size that is common in models, for units whose four
 * rows see all keys. [0] does not prefetch, [1] does. */
typedef struct head_size {
    int dim;
    void (*score[2])(unit_q8 *w);
    void (*add[2])(const unit_q8 *w);
} head_size;

#define HEAD_SIZE(d)                                                                               \
    static __attribute__((noinline)) void score_##d(unit_q8 *w)                                    \
    {                                                                                              \
        score(QUAD, true, false, false, w, d);                                                     \
    }                                                                                              \
    static __attribute__((noinline)) void score_fetch_##d(unit_q8 *w)                              \
    {                                                                                              \
        score(QUAD, true, true, false, w, d);                                                      \
    }                                                                                              \
    static __attribute__((noinline)) void add_##d(const unit_q8 *w)                                \
    {                                                                                              \
        add_values_full(false, w, d);                                                              \
    }                                                                                              \
    static __attribute__((noinline)) void add_fetch_##d(const unit_q8 *w)                          \
    {                                                                                              \
        add_values_full(true, w, d);                                                               \
    }
HEAD_SIZE(32)
HEAD_SIZE(64)
HEAD_SIZE(80)
HEAD_SIZE(96)
HEAD_SIZE(128)
HEAD_SIZE(256)
#undef HEAD_SIZE

#define HEAD_SIZE(d)                                                                               \
    {                                                                                              \
        d, {score_##d, score_fetch_##d},                                                           \
        {                                                                                          \
            add_##d, add_fetch_##d                                                                 \
        }                                                                                          \
    }
static const head_size head_sizes[] = {HEAD_SIZE(32), HEAD_SIZE(64),  HEAD_SIZE(80),
                                       HEAD_SIZE(96), HEAD_SIZE(128), HEAD_SIZE(256)};
#undef HEAD_SIZE

/* NULL: no code is compiled for this size. */
static const head_size *find_head_size(int head_dim)
{
    for (size_t i = 0; i < sizeof head_sizes / sizeof *head_sizes; i++)
        if (head_sizes[i].dim == head_dim)
            return &head_sizes[i];
    return NULL;
}

static __attribute__((noinline)) void score_latent_rows(unit_q8 *w, int head_dim, int channels)
{
    if (w->s->rows == 4)
        score_latents(4, w, head_dim, channels);
    else if (w->s->rows == 3)
        score_latents(3, w, head_dim, channels);
    else if (w->s->rows == 2)
        score_latents(2, w, head_dim, channels);
    else
        score_latents(1, w, head_dim, channels);
}

static __attribute__((noinline)) void add_rows(const unit_q8 *w, int head_dim)
{
    if (w->s->rows == 4)
        add_values(4, true, w, head_dim);
    else if (w->s->rows == 3)
        add_values(3, true, w, head_dim);
    else if (w->s->rows == 2)
        add_values(2, true, w, head_dim);
    else
        add_values(1, true, w, head_dim);
}

ITH_INLINE void score_unit(const head_size *size, unit_q8 *w, int head_dim)
{
    if (size != NULL && w->full && !w->capped)
        size->score[w->fetch](w);
    else
        score_rows(w, head_dim);
}

ITH_INLINE void add_unit(const head_size *size, const unit_q8 *w, int head_dim)
{
    if (w->risen)
        scale_outputs(w, head_dim);
    if (size != NULL && w->full)
        size->add[w->fetch](w);
    else
        add_rows(w, head_dim);
}

static void open_latent_rows(quad_state *s, const ith_attn *a, int64_t first_row)
{
    const int dp = (a->head_dim + 15) / 16 * 16, v = a->value_dim;
    open_quad(s, a, first_row, 1);
    for (int i = 0; i < 16; i++)
        s->q_scale[i] = 1;
    for (int r = 0; r < s->rows; r++) {
        const int64_t t = (first_row + r) / a->n_heads, h = (first_row + r) % a->n_heads;
        const float *scales = a->q_scale + t * a->q_scale_stride + 2 * h;
        s->start[r] = _mm512_set1_epi32(KEYS_BIASED ? -128 * sum_of(s->q[r], 0, v) : 0);
        s->tail_start[r] = _mm512_set1_epi32(KEYS_BIASED ? -128 * sum_of(s->q[r], v, dp) : 0);
        s->latent_scale[r] = scales[0];
        s->tail_scale[r] = scales[1];
    }
}

/* Opens the blocks from `first` on, up to `most` and as many as rows see. Returns their number.
 * after_keys and after_values are what the stages read next. */
static int open_blocks(block_q8 *b, const ith_attn *a, int64_t first, int most, int64_t visible)
{
    const int dp = (ith_attn_value_dim(a) + 15) / 16 * 16;
    int n = 0;
    for (; n < most && first + n * ITH_KV_BLOCK < visible; n++)
        open_block(&b[n], a, first + n * ITH_KV_BLOCK, visible);
    for (int i = 0; i < n; i++) {
        b[i].after_keys = i + 1 < n ? b[i + 1].keys : (const uint8_t *)b[0].values;
        b[i].after_values =
            (const uint8_t *)(i + 1 < n ? b[i + 1].values : b[i].values + ITH_KV_BLOCK * dp);
    }
    return n;
}

ITH_INLINE void attn_q8(const ith_attn *a)
{
    const int64_t n_rows = (int64_t)a->n_tokens * a->n_heads;
    const bool latents = a->values != NULL;
    const int channels = ith_attn_value_dim(a);
    const head_size *size = latents ? NULL : find_head_size(a->head_dim);
    for (int64_t pass = 0; pass < n_rows; pass += MAX_ROWS) {
        quad_state quads[BATCH];
        unit_q8 units[BATCH];
        block_q8 blocks[BATCH];
        const int64_t left = n_rows - pass;
        const int n_quads = left < MAX_ROWS ? (int)((left + QUAD - 1) / QUAD) : BATCH;
        const int together = BATCH / n_quads; /* blocks in a batch */
        int64_t visible = 0, from = ITH_KV_SEGMENT;
        for (int i = 0; i < n_quads; i++) {
            if (latents)
                open_latent_rows(&quads[i], a, pass + i * QUAD);
            else
                open_rows(&quads[i], a, pass + i * QUAD);
            visible = quads[i].visible_max > visible ? quads[i].visible_max : visible;
            from = quads[i].from_least < from ? quads[i].from_least : from;
        }
        for (int64_t first = from / ITH_KV_BLOCK * ITH_KV_BLOCK; first < visible;
             first += together * ITH_KV_BLOCK) {
            const int n_blocks = open_blocks(blocks, a, first, together, visible);
            const int n = open_units(units, quads, n_quads, blocks, n_blocks, a);
            for (int i = 0; i < n; i++)
                if (latents)
                    score_latent_rows(&units[i], a->head_dim, channels);
                else
                    score_unit(size, &units[i], a->head_dim);
            for (int i = 0; i < n; i++)
                weigh_unit(&units[i]);
            for (int i = 0; i < n; i++)
                pack_unit(&units[i]);
            for (int i = 0; i < n; i++)
                add_unit(size, &units[i], channels);
        }
        for (int i = 0; i < n_quads; i++)
            close_quad(&quads[i], a, pass + i * QUAD);
    }
}

#endif

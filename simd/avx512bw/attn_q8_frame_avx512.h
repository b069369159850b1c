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

#include "simd/avx512bw/attn_q8_stages_avx512.h"

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

/* Each stage for a number of rows known at run time: the functions inlined here need constants. */
static __attribute__((noinline)) void score_rows(unit_q8 *w, int head_dim)
{
    if (w->full)
        score(4, true, true, w->capped, w, head_dim);
    else if (w->s->rows == 4)
        score(4, false, true, w->capped, w, head_dim);
    else if (w->s->rows == 3)
        score(3, false, true, w->capped, w, head_dim);
    else if (w->s->rows == 2)
        score(2, false, true, w->capped, w, head_dim);
    else
        score(1, false, true, w->capped, w, head_dim);
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

static __attribute__((noinline)) void weigh_unit(unit_q8 *w)
{
    if (w->s->rows == 4 && !w->risen)
        weigh(4, false, w);
    else if (w->s->rows == 4)
        weigh(4, true, w);
    else if (w->s->rows == 3)
        weigh(3, true, w);
    else if (w->s->rows == 2)
        weigh(2, true, w);
    else
        weigh(1, true, w);
}

static __attribute__((noinline)) void pack_unit(unit_q8 *w)
{
    if (w->s->rows == 4)
        pack(4, w);
    else if (w->s->rows == 3)
        pack(3, w);
    else if (w->s->rows == 2)
        pack(2, w);
    else
        pack(1, w);
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

static int32_t sum_of(const int8_t *q, int begin, int end)
{
    int32_t sum = 0;
    for (int c = begin; c < end; c++)
        sum += q[c];
    return sum;
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

static void open_rows(quad_state *s, const ith_attn *a, int64_t first_row)
{
    const int dp = (a->head_dim + 15) / 16 * 16;
    const int32_t zero = a->head_dim <= EXACT_DIM ? (int32_t)ith_f32_bits(ITH_ROUNDER) : 0;
    memset(s->q_scale, 0, sizeof s->q_scale);
    open_quad(s, a, first_row, 1);
    for (int r = 0; r < s->rows; r++) {
        const int64_t t = (first_row + r) / a->n_heads, h = (first_row + r) % a->n_heads;
        const int32_t sum = sum_of(s->q[r], 0, dp);
        s->start[r] = _mm512_set1_epi32(KEYS_BIASED ? zero - 128 * sum : zero);
        const float scale = a->q_scale[t * a->q_scale_stride + h];
        for (int i = 0; i < 4; i++)
            s->q_scale[4 * r + i] = a->cap > 0 ? a->cap : scale;
        for (int i = 0; i < 4 && a->cap > 0; i++)
            s->by[4 * r + i] = scale * (ITH_2LOG2E / a->cap);
    }
}

/* Makes units of the quads that see some key of the blocks. Returns the number of units. */
static int open_units(unit_q8 *w, quad_state *quads, int n_quads, const block_q8 *blocks,
                      int n_blocks, const ith_attn *a)
{
    int n = 0;
    for (int b = 0; b < n_blocks; b++)
        for (int i = 0; i < n_quads; i++)
            if (sees_some(&quads[i], blocks[b].first)) {
                w[n].s = &quads[i];
                w[n].b = &blocks[b];
                w[n].fetch = i == 0;
                w[n].full = sees_all(&quads[i], blocks[b].first);
                w[n].capped = a->cap > 0;
                w[n].latents = a->values != NULL;
                w[n].alive =
                    w[n].full ? 0xffff : rows_alive(&quads[i], quads[i].rows, blocks[b].first);
                n++;
            }
    return n;
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

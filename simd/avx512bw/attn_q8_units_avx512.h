/* attn_q8_units_avx512.h - units of work (attn_q8_frame_avx512.h): which rows meet which block, and
 * the stages before the values for a number of rows known at run time.
 *
 * attn_q8_stages_avx512.h says what the including file defines first. */
#ifndef ITH_SIMD_AVX512BW_ATTN_Q8_UNITS_H
#define ITH_SIMD_AVX512BW_ATTN_Q8_UNITS_H

#include "simd/avx512bw/attn_q8_stages_avx512.h"

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

static int32_t sum_of(const int8_t *q, int begin, int end)
{
    int32_t sum = 0;
    for (int c = begin; c < end; c++)
        sum += q[c];
    return sum;
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

#endif

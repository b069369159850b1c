/* attn_q8_frame_avx512.h - attention over the int8 cache for the levels with 512-bit registers: softmax in registers.
 *
 * QK: lanes are keys. PV: lanes are channels. Each vector of keys or values is loaded once for four rows. The includer
 * has defined before:
 *   KEYS_BIASED    1 if dot_keys() takes the keys as they are stored
 *   CHANNEL_VECS   vectors of 16 channels in one register tile of PV, 2 or 4
 *   dot_keys()     adds the products of the rows (1 to 4) with 64 keys to dot
 *   dot_weights()  sum: packed weights of the rows times `vecs` vectors of channels of 64 values
 */
#ifndef ITH_SIMD_AVX512BW_ATTN_Q8_FRAME_H
#define ITH_SIMD_AVX512BW_ATTN_Q8_FRAME_H

#include "simd/avx512bw/attn_avx512.h"
#include "simd/variants.h"

typedef struct block_q8 {
    const uint8_t *keys;
    const int8_t *values;
    const uint16_t *key_scales, *value_scales;
    int dp;
} block_q8;

static block_q8 block_at(const ith_attn *a, int64_t first_key)
{
    const int dp = (a->head_dim + 15) / 16 * 16;
    const uint8_t *start =
        (const uint8_t *)a->segment + (size_t)(first_key / ITH_KV_BLOCK) * ith_kv_block_bytes(ITH_KVL_Q8, a->head_dim);
    const uint16_t *scales = (const uint16_t *)(const void *)(start + 2 * ITH_KV_BLOCK * dp);
    return (block_q8){start, (const int8_t *)start + ITH_KV_BLOCK * dp, scales, scales + ITH_KV_BLOCK, dp};
}

/* t[r][k]: scaled products of the rows with 64 keys. */
ITH_INLINE void scores(const int rows, const bool few, const quad_state *s, const block_q8 *b, scores_t t)
{
    __m512i dot[QUAD][KEY_VECS];
    EACH_ROW EACH_KEYS dot[r][k] = s->start[r];
    dot_keys(rows, few, b->keys, b->dp, (const int8_t *const *)s->q, dot);
    EACH_KEYS
    {
        const __m512 scale = load_bf16(b->key_scales + 16 * k);
        EACH_ROW t[r][k] = _mm512_mul_ps(_mm512_cvtepi32_ps(dot[r][k]), scale);
    }
}

/* Scores to probabilities times value scales, in place; folds the probabilities into L. Returns alpha. */
ITH_INLINE __m512 softmax(const int rows, const bool full, quad_state *s, const block_q8 *b, __mmask16 alive,
                          seen_t seen, scores_t t)
{
    __m512 largest[QUAD] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
    EACH_ROW
    {
        if (!full)
            EACH_KEYS t[r][k] = _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY), seen[r][k], t[r][k]);
        largest[r] = _mm512_max_ps(_mm512_max_ps(t[r][0], t[r][1]), _mm512_max_ps(t[r][2], t[r][3]));
    }
    const __m512 alpha = raise_max(s, alive, _mm512_mul_ps(max_of_rows(largest), s->q_scale));
    __m512 value_scale[KEY_VECS];
    EACH_KEYS value_scale[k] = load_bf16(b->value_scales + 16 * k);
    EACH_ROW
    {
        const __m512 m = spread_row(s->m, r), q_scale = spread_row(s->q_scale, r);
        EACH_KEYS
        {
            const __m512 x = _mm512_fmsub_ps(t[r][k], q_scale, m);
            t[r][k] = exp2_lanes(0xffff, x); /* the unseen are -infinity, and give 0 */
        }
        add_to_lanes(s, r, spread_row(alpha, r), t[r]);
        EACH_KEYS t[r][k] =
            full ? _mm512_mul_ps(t[r][k], value_scale[k]) : _mm512_maskz_mul_ps(seen[r][k], t[r][k], value_scale[k]);
    }
    return alpha;
}

/* The weights as bytes, u[r][64]; returns W of each row. */
ITH_INLINE __m512 pack_weights(const int rows, scores_t w, uint8_t u[QUAD][ITH_KV_BLOCK])
{
    const __m512 most = _mm512_set1_ps(0x1.fffffep+127f);
    __m512 largest[QUAD] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
    EACH_ROW largest[r] = _mm512_max_ps(_mm512_max_ps(w[r][0], w[r][1]), _mm512_max_ps(w[r][2], w[r][3]));
    const __m512 unit = max_of_rows(largest);
    const __m512 inverse = _mm512_min_ps(_mm512_div_ps(_mm512_set1_ps(255.0f), unit), most); /* W = 0: 0 * most = 0 */
    EACH_ROW
    {
        const __m512 inv = spread_row(inverse, r);
        EACH_KEYS
        {
            const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(w[r][k], inv));
            _mm_store_si128((__m128i *)(void *)(u[r] + 16 * k), _mm512_cvtepi32_epi8(q));
        }
    }
    return unit;
}

/* o += weights x values for `vecs` vectors of channels from channel c on; the last may be cut by `last`. */
ITH_INLINE void add_values(const int rows, const int vecs, const bool few, const quad_state *s, const block_q8 *b,
                           int c, __mmask16 last, uint8_t u[QUAD][ITH_KV_BLOCK], __m512 unit, __m512 alpha,
                           __mmask16 alive)
{
    __m512i sum[QUAD][CHANNEL_VECS];
    dot_weights(rows, vecs, few, b->values + c * 4, b->dp * 4, u, sum);
    EACH_ROW
    {
        if (!(alive >> (4 * r) & 1))
            continue;
        const __m512 row_unit = spread_row(unit, r), row_alpha = spread_row(alpha, r);
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) {
            float *o = s->o[r] + c + 16 * v;
            const __mmask16 keep = v == vecs - 1 ? last : 0xffff;
            const __m512 old = _mm512_mul_ps(_mm512_maskz_loadu_ps(keep, o), row_alpha);
            _mm512_mask_storeu_ps(o, keep, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][v]), row_unit, old));
        }
    }
}

ITH_INLINE void attend(const int rows, const bool full, const bool few, quad_state *s, const ith_attn *a, int64_t first)
{
    const block_q8 b = block_at(a, first);
    const __mmask16 alive = rows_alive(s, rows, first);
    _Alignas(64) uint8_t u[QUAD][ITH_KV_BLOCK];
    scores_t t;
    seen_t seen;

    if (!full)
        EACH_ROW EACH_KEYS seen[r][k] = first_lanes(s->visible[r] - first - 16 * k);
    scores(rows, few, s, &b, t);
    const __m512 alpha = softmax(rows, full, s, &b, alive, seen, t);
    const __m512 unit = _mm512_mul_ps(pack_weights(rows, t, u), _mm512_set1_ps(1.0f / 255.0f));
    for (int c = 0; c < a->head_dim; c += 16 * CHANNEL_VECS) {
        const int left = a->head_dim - c, vecs = left > 16 * (CHANNEL_VECS - 1) ? CHANNEL_VECS : (left + 15) / 16;
        const __mmask16 last = first_lanes(left - 16 * (vecs - 1));
        if (vecs == CHANNEL_VECS)
            add_values(rows, CHANNEL_VECS, few, s, &b, c, last, u, unit, alpha, alive);
        else if (CHANNEL_VECS == 4 && vecs == 3)
            add_values(rows, CHANNEL_VECS - 1, few, s, &b, c, last, u, unit, alpha, alive);
        else if (CHANNEL_VECS == 4 && vecs == 2)
            add_values(rows, CHANNEL_VECS / 2, few, s, &b, c, last, u, unit, alpha, alive);
        else
            add_values(rows, 1, few, s, &b, c, last, u, unit, alpha, alive);
    }
}

static __attribute__((noinline)) void attend_full_quad(quad_state *s, const ith_attn *a, int64_t first)
{
    attend(4, true, false, s, a, first);
}

static __attribute__((noinline)) void attend_lone_quad(quad_state *s, const ith_attn *a, int64_t first)
{
    attend(4, true, true, s, a, first);
}

/* Fewer than four rows, or rows that do not see the whole block. */
static __attribute__((noinline)) void attend_some(quad_state *s, const ith_attn *a, int64_t first)
{
    switch (s->rows) {
    case 1:
        attend(1, false, true, s, a, first);
        break;
    case 2:
        attend(2, false, true, s, a, first);
        break;
    case 3:
        attend(3, false, true, s, a, first);
        break;
    default:
        attend(4, false, false, s, a, first);
    }
}

static void open_rows(quad_state *s, const ith_attn *a, int64_t first_row)
{
    const int dp = (a->head_dim + 15) / 16 * 16;
    float q_scale[16] = {0};
    open_quad(s, a, first_row, 1);
    for (int r = 0; r < s->rows; r++) {
        const int64_t t = (first_row + r) / a->n_heads, h = (first_row + r) % a->n_heads;
        const int8_t *q = s->q[r];
        int32_t sum = 0;
        for (int c = 0; c < dp; c++)
            sum += q[c];
        s->start[r] = _mm512_set1_epi32(KEYS_BIASED ? -128 * sum : 0);
        for (int i = 0; i < 4; i++)
            q_scale[4 * r + i] = a->q_scale[t * a->q_scale_stride + h];
    }
    s->q_scale = _mm512_loadu_ps(q_scale);
}

static bool sees_whole_block(const quad_state *s, int64_t first)
{
    for (int r = 0; r < QUAD; r++)
        if (s->visible[r] < first + ITH_KV_BLOCK)
            return false;
    return true;
}

ITH_INLINE void attn_q8(const ith_attn *a)
{
    const int64_t n_rows = (int64_t)a->n_tokens * a->n_heads;
    for (int64_t pass = 0; pass < n_rows; pass += MAX_ROWS) {
        quad_state quads[MAX_ROWS / QUAD];
        const int64_t left = n_rows - pass;
        const int n_quads = left < MAX_ROWS ? (int)((left + QUAD - 1) / QUAD) : MAX_ROWS / QUAD;
        for (int i = 0; i < n_quads; i++)
            open_rows(&quads[i], a, pass + i * QUAD);
        for (int64_t first = 0; first < ITH_KV_SEGMENT; first += ITH_KV_BLOCK)
            for (int i = 0; i < n_quads; i++) {
                if (quads[i].rows == QUAD && sees_whole_block(&quads[i], first))
                    (i == 0 && left <= FEW_ROWS ? attend_lone_quad : attend_full_quad)(&quads[i], a, first);
                else if (quads[i].visible_max > first)
                    attend_some(&quads[i], a, first);
            }
        for (int i = 0; i < n_quads; i++)
            close_quad(&quads[i], a, pass + i * QUAD);
    }
}

#endif

/* attn_float_avx512bw.c - attention over bf16 and f32 caches, and merging of partial results.
 *
 * Both products use fma; lanes are keys in QK and channels in PV. A row must not use keys that it
 * does not see, so in a block with unseen keys PV goes row by row.
 */
#include "simd/avx512bw/attn_avx512.h"
#include "simd/variants.h"

enum {
    CHANNEL_VECS = 4,

    /* Prefetch distance in bytes. Near the end of a segment it reaches past it, into what is likely
     * the next one. */
    AHEAD = 8192
};

ITH_INLINE __m512 load_elements(const ith_kv_layout layout, const void *array, int64_t i)
{
    return layout == ITH_KVL_F32 ? _mm512_load_ps((const float *)array + i)
                                 : load_bf16((const uint16_t *)array + i);
}

/* Prefetches the lines AHEAD of the `vecs` vectors of elements from i on. */
ITH_INLINE void fetch_elements(const ith_kv_layout layout, const int vecs, const void *array,
                               int64_t i)
{
    const int size = layout == ITH_KVL_F32 ? 4 : 2;
#pragma GCC unroll 4
    for (int byte = 0; byte < 16 * size * vecs; byte += 64)
        ith_fetch_l1((const char *)array + i * size + byte + AHEAD);
}

ITH_INLINE void scores(const ith_kv_layout layout, const int rows, int head_dim,
                       const quad_state *s, const void *keys, scores_t x)
{
    EACH_ROW EACH_KEYS x[r][k] = _mm512_setzero_ps();
    for (int c = 0; c < head_dim; c++) {
        __m512 key[KEY_VECS];
        EACH_KEYS key[k] = load_elements(layout, keys, c * ITH_KV_BLOCK + 16 * k);
        fetch_elements(layout, KEY_VECS, keys, c * ITH_KV_BLOCK);
        EACH_ROW
        {
            const __m512 q = _mm512_set1_ps(((const float *)s->q[r])[c]);
            EACH_KEYS x[r][k] = _mm512_fmadd_ps(q, key[k], x[r][k]);
        }
    }
}

/* Turns scores into probabilities p and adds them to L. Returns alpha. */
ITH_INLINE __m512 softmax(const int rows, quad_state *s, int64_t first, float cap, scores_t x,
                          float p[QUAD][ITH_KV_BLOCK])
{
    const __m512 lowest = _mm512_set1_ps(-INFINITY);
    __m512 largest[QUAD] = {lowest, lowest, lowest, lowest};
    seen_t seen;
    EACH_ROW
    {
        EACH_KEYS
        {
            seen[r][k] = lanes_seen(s, r, first + 16 * k);
            if (cap > 0)
                x[r][k] = _mm512_mul_ps(
                    _mm512_set1_ps(cap),
                    tanh_of(_mm512_mul_ps(x[r][k], _mm512_set1_ps(ITH_2LOG2E / cap))));
            x[r][k] = _mm512_mask_mov_ps(lowest, seen[r][k], x[r][k]);
        }
        largest[r] =
            _mm512_max_ps(_mm512_max_ps(x[r][0], x[r][1]), _mm512_max_ps(x[r][2], x[r][3]));
    }
    const __m512 alpha = raise_max(s, rows_alive(s, rows, first), max_of_rows(largest));
    EACH_ROW
    {
        const __m512 m = spread_row(s->m, r);
        EACH_KEYS
        {
            x[r][k] = exp2_lanes(seen[r][k], _mm512_sub_ps(x[r][k], m));
            _mm512_store_ps(p[r] + 16 * k, x[r][k]);
        }
        add_to_lanes(s, r, spread_row(alpha, r), x[r]);
    }
    return alpha;
}

/* o = o * alpha, then o += p[j] * value j for keys [from, seen); for rows from `row` on and the
 * `vecs` vectors of channels from c on. */
ITH_INLINE void add_values(const ith_kv_layout layout, const int rows, const int vecs,
                           const quad_state *s, int row, const void *values, int dp, int c,
                           __mmask16 last, const float p[QUAD][ITH_KV_BLOCK], const float alpha[16],
                           int from, int seen)
{
    __m512 o[QUAD][CHANNEL_VECS];
    EACH_ROW
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) {
        const __m512 old =
            _mm512_maskz_loadu_ps(v == vecs - 1 ? last : 0xffff, s->o[row + r] + c + 16 * v);
        o[r][v] = _mm512_mul_ps(old, _mm512_set1_ps(alpha[4 * (row + r)]));
    }
    for (int j = from; j < seen; j++) {
        __m512 value[CHANNEL_VECS];
        fetch_elements(layout, vecs, values, j * dp + c);
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++)
            value[v] = load_elements(layout, values, j * dp + c + 16 * v);
        EACH_ROW
        {
            const __m512 weight = _mm512_set1_ps(p[row + r][j]);
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++)
                o[r][v] = _mm512_fmadd_ps(weight, value[v], o[r][v]);
        }
    }
    EACH_ROW
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++)
        _mm512_mask_storeu_ps(s->o[row + r] + c + 16 * v, v == vecs - 1 ? last : 0xffff, o[r][v]);
}

/* add_values for all channels. */
ITH_INLINE void add_all_values(const ith_kv_layout layout, const int rows, const quad_state *s,
                               int row, int head_dim, const void *values,
                               const float p[QUAD][ITH_KV_BLOCK], const float alpha[16], int from,
                               int seen)
{
    const int dp = (head_dim + 15) / 16 * 16;
    int c = 0;
    for (; c + 64 <= dp; c += 64)
        add_values(layout, rows, 4, s, row, values, dp, c, first_lanes(head_dim - c - 48), p, alpha,
                   from, seen);
    for (; c < dp; c += 16)
        add_values(layout, rows, 1, s, row, values, dp, c, first_lanes(head_dim - c), p, alpha,
                   from, seen);
}

ITH_INLINE void attend(const ith_kv_layout layout, const int rows, quad_state *s, const ith_attn *a,
                       int64_t first)
{
    const uint8_t *keys = (const uint8_t *)a->segment +
                          (size_t)(first / ITH_KV_BLOCK) * ith_attn_block_bytes(a, layout);
    const void *values = ith_attn_values(a, layout, first / ITH_KV_BLOCK);
    const int channels = ith_attn_value_dim(a);
    _Alignas(64) float p[QUAD][ITH_KV_BLOCK], alpha[16];
    scores_t x;

    scores(layout, rows, a->head_dim, s, keys, x);
    _mm512_store_ps(alpha, softmax(rows, s, first, a->cap, x, p));
    int64_t least = ITH_KV_SEGMENT;
    for (int r = 0; r < rows; r++)
        least = s->visible[r] < least ? s->visible[r] : least;
    if (least >= first + ITH_KV_BLOCK && s->from_max <= first) {
        add_all_values(layout, rows, s, 0, channels, values, p, alpha, 0, ITH_KV_BLOCK);
        return;
    }
    for (int r = 0; r < rows; r++) {
        const int64_t seen = s->visible[r] - first, from = s->from[r] - first;
        if (seen > 0 && from < ITH_KV_BLOCK)
            add_all_values(layout, 1, s, r, channels, values, p, alpha, (int)(from > 0 ? from : 0),
                           (int)(seen < ITH_KV_BLOCK ? seen : ITH_KV_BLOCK));
    }
}

ITH_INLINE void attn(const ith_kv_layout layout, const ith_attn *a)
{
    const int64_t n_rows = (int64_t)a->n_tokens * a->n_heads;
    for (int64_t row = 0; row < n_rows; row += QUAD) {
        quad_state s;
        open_quad(&s, a, row, sizeof(float));
        for (int64_t first = s.from_least / ITH_KV_BLOCK * ITH_KV_BLOCK; first < s.visible_max;
             first += ITH_KV_BLOCK) {
            if (s.rows == QUAD)
                attend(layout, 4, &s, a, first);
            else if (s.rows == 3)
                attend(layout, 3, &s, a, first);
            else if (s.rows == 2)
                attend(layout, 2, &s, a, first);
            else
                attend(layout, 1, &s, a, first);
        }
        close_quad(&s, a, row);
    }
}

void ith_attn_bf16__avx512bw(const ith_attn *a)
{
    attn(ITH_KVL_BF16, a);
}

void ith_attn_f32__avx512bw(const ith_attn *a)
{
    attn(ITH_KVL_F32, a);
}

void ith_attn_merge__avx512bw(int64_t rows, int head_dim, float *m, float *l, float *o,
                              const float *pm, const float *pl, const float *po)
{
    for (int64_t r = 0; r < rows; r++, o += head_dim, po += head_dim) {
        if (pl[r] == 0.0f)
            continue;
        const float largest = m[r] > pm[r] ? m[r] : pm[r];
        const float a = ith_exp2_inline(m[r] - largest), b = ith_exp2_inline(pm[r] - largest);
        const __m512 old_factor = _mm512_set1_ps(a), new_factor = _mm512_set1_ps(b);
        for (int c = 0; c < head_dim; c += 16) {
            const __mmask16 keep = first_lanes(head_dim - c);
            const __m512 old = _mm512_mul_ps(_mm512_maskz_loadu_ps(keep, o + c), old_factor);
            const __m512 sum =
                _mm512_fmadd_ps(_mm512_maskz_loadu_ps(keep, po + c), new_factor, old);
            _mm512_mask_storeu_ps(o + c, keep, sum);
        }
        l[r] = fmaf(pl[r], b, l[r] * a);
        m[r] = largest;
    }
}

/* attn_q8_avx2.c - attention over the int8 cache with exact 16-bit steps.
 *
 * QK: keys, freed of their bias, enter as |k| (at most 128) and the queries take their sign: 2 * 128 * 127 fits into
 * the 16 bits of vpmaddubsw. PV: packed probabilities reach 255, so they are split into nibbles, whose sums over 32
 * keys, 8 * 2 * 15 * 128, fit as well.
 */
#include "simd/avx2/attn_avx2.h"
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

/* t[r][..]: scaled products of the rows with 16 keys from `key` on. */
ITH_INLINE void score_keys(const int rows, const row_state *s, const block_q8 *b, int key, scores_t t)
{
    const __m256i bias = _mm256_set1_epi8(-128), ones = _mm256_set1_epi16(1);
    __m256i dot[QUAD][2];
    EACH_ROW dot[r][0] = dot[r][1] = _mm256_setzero_si256();
    for (int c = 0; c < b->dp; c += 4) {
        const __m256i *at = (const __m256i *)(const void *)(b->keys + c * ITH_KV_BLOCK + key * 4);
        const __m256i k0 = _mm256_xor_si256(_mm256_load_si256(at), bias);
        const __m256i k1 = _mm256_xor_si256(_mm256_load_si256(at + 1), bias);
        const __m256i abs0 = _mm256_abs_epi8(k0), abs1 = _mm256_abs_epi8(k1);
        EACH_ROW
        {
            const __m256i q = broadcast_quad((const int8_t *)s[r].q + c);
            const __m256i p0 = _mm256_maddubs_epi16(abs0, _mm256_sign_epi8(q, k0));
            const __m256i p1 = _mm256_maddubs_epi16(abs1, _mm256_sign_epi8(q, k1));
            dot[r][0] = _mm256_add_epi32(dot[r][0], _mm256_madd_epi16(p0, ones));
            dot[r][1] = _mm256_add_epi32(dot[r][1], _mm256_madd_epi16(p1, ones));
        }
    }
    for (int i = 0; i < 2; i++) {
        const __m256 scale = load_bf16(b->key_scales + key + 8 * i);
        EACH_ROW _mm256_store_ps(t[r] + key + 8 * i, _mm256_mul_ps(_mm256_cvtepi32_ps(dot[r][i]), scale));
    }
}

/* Scores to packed weights u[64], the probabilities folded into L; *unit: what a step of u is worth. Returns alpha. */
static float softmax(row_state *s, const block_q8 *b, int64_t seen, float t[ITH_KV_BLOCK], uint8_t u[ITH_KV_BLOCK],
                     float *unit)
{
    const float alpha = raise_max(s, hide_unseen(t, seen) * s->q_scale);
    __m256 w[KEY_VECS], largest = _mm256_setzero_ps();
    EACH_KEYS
    {
        const __m256 x = _mm256_fmsub_ps(_mm256_load_ps(t + 8 * k), _mm256_set1_ps(s->q_scale), _mm256_set1_ps(s->m));
        const __m256i keep = first_lanes(seen - 8 * k);
        const __m256 p = keep_lanes(keep, exp2_lanes(x));
        _mm256_store_ps(t + 8 * k, p);
        w[k] = keep_lanes(keep, _mm256_mul_ps(p, load_bf16(b->value_scales + 8 * k)));
        largest = _mm256_max_ps(largest, w[k]);
    }
    add_to_lanes(s, alpha, t);
    const float top = max_of_lanes(largest);
    const __m256 inv = _mm256_set1_ps(ith_inverse(255.0f, top));
#pragma GCC unroll 2
    for (int k = 0; k < KEY_VECS; k += 4) {
        __m256i q[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(w[k + i], inv));
        const __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
        const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        _mm256_store_si256((__m256i *)(void *)(u + 8 * k), _mm256_permutevar8x32_epi32(bytes, order));
    }
    *unit = top * (1.0f / 255.0f);
    return alpha;
}

/* sum[r]: packed weights of `rows` rows (1 or 2) times the values of 16 channels from c on. */
ITH_INLINE void weigh_values(const int rows, const block_q8 *b, int c, uint8_t u[][ITH_KV_BLOCK], __m256i sum[][2])
{
    const __m256i nibble = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    EACH_ROW sum[r][0] = sum[r][1] = _mm256_setzero_si256();
    for (int half = 0; half < 2; half++) {
        __m256i low[2][2], high[2][2];
        EACH_ROW low[r][0] = low[r][1] = high[r][0] = high[r][1] = _mm256_setzero_si256();
        for (int i = 8 * half; i < 8 * half + 8; i++) {
            const __m256i *at = (const __m256i *)(const void *)(b->values + (i * b->dp + c) * 4);
            const __m256i v0 = _mm256_load_si256(at), v1 = _mm256_load_si256(at + 1);
            EACH_ROW
            {
                const __m256i pairs = broadcast_quad(u[r] + 4 * i), l = _mm256_and_si256(pairs, nibble);
                const __m256i h = _mm256_and_si256(_mm256_srli_epi16(pairs, 4), nibble);
                low[r][0] = _mm256_add_epi16(low[r][0], _mm256_maddubs_epi16(l, v0));
                low[r][1] = _mm256_add_epi16(low[r][1], _mm256_maddubs_epi16(l, v1));
                high[r][0] = _mm256_add_epi16(high[r][0], _mm256_maddubs_epi16(h, v0));
                high[r][1] = _mm256_add_epi16(high[r][1], _mm256_maddubs_epi16(h, v1));
            }
        }
        EACH_ROW
        for (int v = 0; v < 2; v++) {
            const __m256i sixteens = _mm256_slli_epi32(_mm256_madd_epi16(high[r][v], ones), 4);
            const __m256i part = _mm256_add_epi32(_mm256_madd_epi16(low[r][v], ones), sixteens);
            sum[r][v] = _mm256_add_epi32(sum[r][v], part);
        }
    }
}

ITH_INLINE void add_values(const int rows, const row_state *s, const block_q8 *b, int head_dim,
                           uint8_t u[][ITH_KV_BLOCK], const float *unit, const float *alpha)
{
    for (int c = 0; c < head_dim; c += 16) {
        __m256i sum[2][2];
        weigh_values(rows, b, c, u, sum);
        EACH_ROW
        for (int v = 0; v < 2; v++) {
            float *o = s[r].o + c + 8 * v;
            const int left = head_dim - c - 8 * v;
            const __m256 old = _mm256_mul_ps(load_first(o, left), _mm256_set1_ps(alpha[r]));
            store_first(o, left, _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[r][v]), _mm256_set1_ps(unit[r]), old));
        }
    }
}

ITH_INLINE void score_block(const int rows, const row_state *s, const block_q8 *b, scores_t t)
{
    for (int key = 0; key < ITH_KV_BLOCK; key += 16)
        score_keys(rows, s, b, key, t);
}

static void attend(row_state *s, int rows, const ith_attn *a, int64_t first)
{
    const block_q8 b = block_at(a, first);
    _Alignas(32) uint8_t u[QUAD][ITH_KV_BLOCK];
    _Alignas(32) scores_t t;
    float alpha[QUAD], unit[QUAD];

    if (rows == 4)
        score_block(4, s, &b, t);
    else if (rows == 3)
        score_block(3, s, &b, t);
    else if (rows == 2)
        score_block(2, s, &b, t);
    else
        score_block(1, s, &b, t);
    EACH_ROW alpha[r] = softmax(s + r, &b, s[r].visible - first, t[r], u[r], &unit[r]);
    int r = 0;
    for (; r + 2 <= rows; r += 2)
        add_values(2, s + r, &b, a->head_dim, u + r, unit + r, alpha + r);
    if (r < rows)
        add_values(1, s + r, &b, a->head_dim, u + r, unit + r, alpha + r);
}

void ith_attn_q8__avx2(const ith_attn *a)
{
    const int64_t n_rows = (int64_t)a->n_tokens * a->n_heads;
    for (int64_t pass = 0; pass < n_rows; pass += MAX_ROWS) {
        row_state s[MAX_ROWS];
        const int rows = n_rows - pass < MAX_ROWS ? (int)(n_rows - pass) : MAX_ROWS;
        for (int r = 0; r < rows; r++) {
            const int64_t row = pass + r;
            open_row(&s[r], a, row, 1);
            s[r].q_scale = a->q_scale[row / a->n_heads * a->q_scale_stride + row % a->n_heads];
        }
        walk_blocks(s, rows, a, attend);
        for (int r = 0; r < rows; r++)
            close_row(&s[r], a, pass + r);
    }
}

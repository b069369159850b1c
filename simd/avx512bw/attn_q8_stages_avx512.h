/* attn_q8_stages_avx512.h - the four stages of attention over the int8 cache for one unit
 * (attn_q8_frame_avx512.h): scores, probabilities, weights as bytes, values.
 *
 * A unit is 1 to 4 rows against a block of 64 keys. Everything is inlined, so that counts which the
 * caller knows are constants here. Lanes are keys in QK and channels in PV; each vector of keys or
 * values is loaded once for four rows.
 *
 * The including file defines first:
 *
 *   KEYS_BIASED    1 if dot_keys() multiplies the keys as they are stored, else 0
 *   CHANNEL_VECS   vectors of 16 channels in a register tile of PV, 2 or 4
 *   dot_keys()     adds the products of 1 to 4 rows with 64 keys to dot
 *   dot_weights()  sum = byte weights of the rows times `vecs` vectors of channels of 64 values
 */
#ifndef ITH_SIMD_AVX512BW_ATTN_Q8_STAGES_H
#define ITH_SIMD_AVX512BW_ATTN_Q8_STAGES_H

#include "simd/avx512bw/attn_avx512.h"
#include "simd/variants.h"

enum {
    BATCH = MAX_ROWS / QUAD, /* at most this many units */

    /* Up to this head_dim |sum of q * k| < 2^22: started from the bits of ITH_ROUNDER, the sum read
     * as a float is ITH_ROUNDER + sum. */
    EXACT_DIM = 256
};

typedef struct block_q8 {
    _Alignas(64) float key_scale[ITH_KV_BLOCK];
    float key_shift[ITH_KV_BLOCK];   /* -ITH_ROUNDER * scale, exact */
    float value_scale[ITH_KV_BLOCK]; /* of latents: that of their tails */
    const uint8_t *keys;
    const int8_t *values;
    const uint8_t *after_keys, *after_values; /* what is read next */
    int64_t first;                            /* the first key's index in the segment */
} block_q8;

typedef struct unit_q8 {
    /* Scaled scores, then probabilities times the scales of their values. */
    _Alignas(64) float t[QUAD][ITH_KV_BLOCK];
    uint8_t u[QUAD][ITH_KV_BLOCK]; /* byte b of quad i: of key 16b + i */
    float base[16];                /* ITH_ROUNDER - M; that of row r at 4r, here and below */
    float alpha[16];
    float largest[16]; /* largest weight of a row before they become bytes */
    float unit[QUAD];  /* the weight that a step of u stands for */
    quad_state *s;
    const block_q8 *b;
    bool full;    /* all rows see all keys */
    bool capped;  /* scores have a soft cap */
    bool latents; /* keys and values are latents */
    bool risen;   /* the maximum of some row has risen */
    bool fetch;   /* prefetch what is read next */
    __mmask16 alive;
} unit_q8;

ITH_INLINE __m512 load_row(const float of_rows[16], const int r)
{
    return _mm512_set1_ps(of_rows[4 * r]);
}

/* Reads the scales of the block's keys and values. Keys that no row sees may hold anything: their
 * scales are set to 0. */
ITH_INLINE void open_scales(block_q8 *b, const uint16_t *scales, const bool all, int64_t seen)
{
    EACH_KEYS
    {
        const __mmask16 keep = all ? 0xffff : first_lanes(seen - 16 * k);
        const __m512 ks = _mm512_maskz_mov_ps(keep, load_bf16(scales + 16 * k));
        _mm512_store_ps(b->key_scale + 16 * k, ks);
        _mm512_store_ps(b->key_shift + 16 * k, _mm512_mul_ps(ks, _mm512_set1_ps(-ITH_ROUNDER)));
        const __m512 vs = _mm512_maskz_mov_ps(keep, load_bf16(scales + ITH_KV_BLOCK + 16 * k));
        _mm512_store_ps(b->value_scale + 16 * k, vs);
    }
}

static void open_block(block_q8 *b, const ith_attn *a, int64_t first, int64_t visible)
{
    const int dp = (a->head_dim + 15) / 16 * 16;
    const size_t bytes = ith_attn_block_bytes(a, ITH_KVL_Q8);
    b->keys = (const uint8_t *)a->segment + (size_t)(first / ITH_KV_BLOCK) * bytes;
    b->values = ith_attn_values(a, ITH_KVL_Q8, first / ITH_KV_BLOCK);
    b->first = first;
    const uint16_t *scales =
        (const uint16_t *)(const void *)(b->keys +
                                         ITH_KV_BLOCK * (a->values != NULL ? dp : 2 * dp));
    if (visible - first >= ITH_KV_BLOCK)
        open_scales(b, scales, true, ITH_KV_BLOCK);
    else
        open_scales(b, scales, false, visible - first);
}

/* Raises the maxima of the rows to the largest scores of the block, rounded up to integers. */
ITH_INLINE void raise_max_q8(unit_q8 *w, const bool full, __m512 largest)
{
    quad_state *s = w->s;
    const __m512 old = s->m,
                 top = _mm512_roundscale_ps(_mm512_mul_ps(largest, _mm512_load_ps(s->q_scale)),
                                            2 | 8 /* up */);
    const __m512 higher = _mm512_add_ps(_mm512_max_ps(old, top), _mm512_setzero_ps());
    s->m = full ? higher : _mm512_mask_mov_ps(old, w->alive, higher);
    w->risen = _mm512_cmp_ps_mask(s->m, old, _CMP_NEQ_UQ) != 0;
    _mm512_store_ps(w->alpha, _mm512_sub_ps(old, s->m));
    _mm512_store_ps(w->base, _mm512_sub_ps(_mm512_set1_ps(ITH_ROUNDER), s->m));
}

/* Stage 1: t = scaled products of the rows with 64 keys, capped if `capped`, -infinity for unseen
 * keys; raises the maxima. */
ITH_INLINE void score(const int rows, const bool full, const bool fetch, const bool capped,
                      unit_q8 *w, int head_dim)
{
    const block_q8 *b = w->b;
    __m512i dot[QUAD][KEY_VECS];
    __m512 largest[QUAD] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                            _mm512_setzero_ps()};
    EACH_ROW EACH_KEYS dot[r][k] = begin_sum(w->s->start[r]);
    dot_keys(rows, fetch, b->keys, (head_dim + 15) / 16 * 16, (const int8_t *const *)w->s->q, dot,
             b->after_keys);
    EACH_ROW
    {
        __m512 t[KEY_VECS];
        EACH_KEYS
        {
            const __m512 scale = _mm512_load_ps(b->key_scale + 16 * k),
                         shift = _mm512_load_ps(b->key_shift + 16 * k);
            t[k] = head_dim <= EXACT_DIM
                       ? _mm512_fmadd_ps(_mm512_castsi512_ps(dot[r][k]), scale, shift)
                       : _mm512_mul_ps(_mm512_cvtepi32_ps(dot[r][k]), scale);
            if (capped)
                t[k] = tanh_of(_mm512_mul_ps(t[k], load_row(w->s->by, r)));
            if (!full)
                t[k] = _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY),
                                          lanes_seen(w->s, r, b->first + 16 * k), t[k]);
            _mm512_store_ps(w->t[r] + 16 * k, t[k]);
        }
        largest[r] = _mm512_max_ps(_mm512_max_ps(t[0], t[1]), _mm512_max_ps(t[2], t[3]));
    }
    raise_max_q8(w, full, max_of_rows(largest));
}

/* The same for latents, whose first `channels` have other scales than the rest. */
ITH_INLINE void score_latents(const int rows, unit_q8 *w, int head_dim, int channels)
{
    const block_q8 *b = w->b;
    __m512i dot[QUAD][KEY_VECS];
    const int8_t *tail[QUAD] = {NULL, NULL, NULL, NULL};
    __m512 largest[QUAD] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                            _mm512_setzero_ps()};
    EACH_ROW EACH_KEYS dot[r][k] = begin_sum(w->s->start[r]);
    dot_keys(rows, true, b->keys, channels, (const int8_t *const *)w->s->q, dot, b->after_keys);
    EACH_ROW EACH_KEYS _mm512_store_ps(
        w->t[r] + 16 * k, _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(dot[r][k]),
                                                      _mm512_load_ps(b->key_scale + 16 * k)),
                                        _mm512_set1_ps(w->s->latent_scale[r])));
    EACH_ROW tail[r] = (const int8_t *)w->s->q[r] + channels;
    EACH_ROW EACH_KEYS dot[r][k] = begin_sum(w->s->tail_start[r]);
    dot_keys(rows, true, b->keys + ITH_KV_BLOCK * channels, (head_dim + 15) / 16 * 16 - channels,
             tail, dot, b->after_keys + ITH_KV_BLOCK * channels);
    EACH_ROW
    {
        __m512 t[KEY_VECS];
        EACH_KEYS
        {
            const __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(dot[r][k]),
                                                _mm512_load_ps(b->value_scale + 16 * k));
            t[k] = _mm512_fmadd_ps(scaled, _mm512_set1_ps(w->s->tail_scale[r]),
                                   _mm512_load_ps(w->t[r] + 16 * k));
            t[k] = _mm512_mask_mov_ps(_mm512_set1_ps(-INFINITY),
                                      lanes_seen(w->s, r, b->first + 16 * k), t[k]);
            _mm512_store_ps(w->t[r] + 16 * k, t[k]);
        }
        largest[r] = _mm512_max_ps(_mm512_max_ps(t[0], t[1]), _mm512_max_ps(t[2], t[3]));
    }
    raise_max_q8(w, w->full, max_of_rows(largest));
}

/* p = ith_exp2_score of 64 keys; -infinity gives 0. */
ITH_INLINE void exp2_scores(const float t[ITH_KV_BLOCK], __m512 q_scale, __m512 base,
                            __m512 p[KEY_VECS])
{
    __m512 x[KEY_VECS], shifted[KEY_VECS], f[KEY_VECS];
    __mmask16 keep[KEY_VECS];
    EACH_KEYS x[k] = _mm512_load_ps(t + 16 * k);
    EACH_KEYS shifted[k] = _mm512_fmadd_ps(x[k], q_scale, base);
    EACH_KEYS f[k] = _mm512_sub_ps(base, shifted[k]);
    EACH_KEYS f[k] = _mm512_fmadd_ps(x[k], q_scale, f[k]);
    EACH_KEYS p[k] =
        _mm512_fmadd_ps(_mm512_set1_ps(ITH_EXP2_C5), f[k], _mm512_set1_ps(ITH_EXP2_C4));
    EACH_KEYS p[k] = _mm512_fmadd_ps(p[k], f[k], _mm512_set1_ps(ITH_EXP2_C3));
    EACH_KEYS p[k] = _mm512_fmadd_ps(p[k], f[k], _mm512_set1_ps(ITH_EXP2_C2));
    EACH_KEYS p[k] = _mm512_fmadd_ps(p[k], f[k], _mm512_set1_ps(ITH_EXP2_C1));
    EACH_KEYS p[k] = _mm512_fmadd_ps(p[k], f[k], _mm512_set1_ps(1.0f));
    EACH_KEYS keep[k] =
        _mm512_cmp_ps_mask(shifted[k], _mm512_set1_ps(ITH_SHIFTED_LEAST), _CMP_GE_OQ);
    EACH_KEYS
    {
        const __m512i power = _mm512_slli_epi32(_mm512_castps_si512(shifted[k]), 23);
        p[k] =
            _mm512_castsi512_ps(_mm512_maskz_add_epi32(keep[k], _mm512_castps_si512(p[k]), power));
    }
}

/* Stage 2: t = probabilities times the scales of their values; adds the probabilities to L. */
ITH_INLINE void weigh(const int rows, const bool risen, unit_q8 *w)
{
    quad_state *s = w->s;
    const float *scales = w->latents ? w->b->key_scale : w->b->value_scale;
    __m512 largest[QUAD] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                            _mm512_setzero_ps()};
    if (risen)
        _mm512_store_ps(w->alpha, exp2_lanes(0xffff, _mm512_load_ps(w->alpha)));
    EACH_ROW
    {
        const __m512 base = load_row(w->base, r), q_scale = load_row(s->q_scale, r);
        __m512 p[KEY_VECS];
        exp2_scores(w->t[r], q_scale, base, p);
        const __m512 sum = _mm512_add_ps(_mm512_add_ps(p[0], p[1]), _mm512_add_ps(p[2], p[3]));
        s->lane[r] = risen ? _mm512_fmadd_ps(s->lane[r], load_row(w->alpha, r), sum)
                           : _mm512_add_ps(s->lane[r], sum);
        EACH_KEYS
        {
            p[k] = _mm512_mul_ps(p[k], _mm512_load_ps(scales + 16 * k));
            _mm512_store_ps(w->t[r] + 16 * k, p[k]);
        }
        largest[r] = _mm512_max_ps(_mm512_max_ps(p[0], p[1]), _mm512_max_ps(p[2], p[3]));
    }
    _mm512_store_ps(w->largest, max_of_rows(largest));
}

/* The first float of each 128-bit lane. */
ITH_INLINE __m128 one_of_lanes(__m512 of_rows)
{
    return _mm512_castps512_ps128(_mm512_permutexvar_ps(
        _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0), of_rows));
}

/* Stage 3: u = the weights as bytes, of which the largest of a row is 255. */
ITH_INLINE void pack(const int rows, unit_q8 *w)
{
    const __m128 largest = one_of_lanes(_mm512_load_ps(w->largest)),
                 most = _mm_set1_ps(0x1.fffffep+127f);
    float inverse[QUAD];

    /* For a largest weight of 0 the inverse is `most`, and 0 * most is 0. */
    _mm_storeu_ps(inverse, _mm_min_ps(_mm_div_ps(_mm_set1_ps(255.0f), largest), most));
    _mm_storeu_ps(w->unit, _mm_mul_ps(largest, _mm_set1_ps(1.0f / 255.0f)));
    EACH_ROW
    {
        const __m512 inv = _mm512_set1_ps(inverse[r]), rounder = _mm512_set1_ps(ITH_ROUNDER);
        __m512i u[KEY_VECS];
        EACH_KEYS u[k] =
            _mm512_castps_si512(_mm512_fmadd_ps(_mm512_load_ps(w->t[r] + 16 * k), inv, rounder));
        /* The last xor removes the bits of ITH_ROUNDER, and what remains of them 8 bits higher. */
        const __m512i three = _mm512_ternarylogic_epi32(u[0], _mm512_slli_epi32(u[1], 8),
                                                        _mm512_slli_epi32(u[2], 16), 0x96);
        const __m512i rest = _mm512_set1_epi32(0x4b400000 ^ 0x40000000);
        _mm512_store_si512(
            w->u[r], _mm512_ternarylogic_epi32(three, _mm512_slli_epi32(u[3], 24), rest, 0x96));
    }
}

/* o = o * alpha, which is rare because the maxima are integers. */
static __attribute__((noinline)) void scale_outputs(const unit_q8 *w, int head_dim)
{
    for (int r = 0; r < w->s->rows; r++)
        for (int c = 0; c < head_dim; c += 16) {
            const __mmask16 keep = first_lanes(head_dim - c);
            float *o = w->s->o[r] + c;
            _mm512_mask_storeu_ps(
                o, keep, _mm512_mul_ps(_mm512_maskz_loadu_ps(keep, o), load_row(w->alpha, r)));
        }
}

#endif

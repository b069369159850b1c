/* attn_float_neon.c - attention over bf16 and f32 caches, and merging of partial results.
 *
 * Lanes are keys in QK and channels in PV. A row must not use keys that it does not see, so in a
 * block with unseen keys PV goes row by row.
 */
#include "simd/neon/attn_neon.h"
#include "simd/variants.h"

ITH_INLINE float32x4_t load_elements(const ith_kv_layout layout, const void *array, int64_t i)
{
    return layout == ITH_KVL_F32 ? vld1q_f32((const float *)array + i)
                                 : load_bf16((const uint16_t *)array + i);
}

/* x[r][..]: products of the rows with the 16 keys from `key` on. */
ITH_INLINE void score_keys(const ith_kv_layout layout, const int rows, int head_dim,
                           const row_state *s, const void *keys, int key, scores_t x)
{
    float32x4_t dot[QUAD][4];
    EACH_ROW EACH_VEC dot[r][v] = vdupq_n_f32(0.0f);
    for (int c = 0; c < head_dim; c++) {
        float32x4_t k[4];
        EACH_VEC k[v] = load_elements(layout, keys, c * ITH_KV_BLOCK + key + 4 * v);
        EACH_ROW
        {
            const float q = ((const float *)s[r].q)[c];
            EACH_VEC dot[r][v] = vfmaq_n_f32(dot[r][v], k[v], q);
        }
    }
    EACH_ROW EACH_VEC vst1q_f32(x[r] + key + 4 * v, dot[r][v]);
}

/* Turns scores into probabilities in place and adds them to L. Returns alpha. */
static float softmax(row_state *s, int64_t first, float cap, float x[ITH_KV_BLOCK])
{
    if (cap > 0) {
        EACH_KEYS vst1q_f32(
            x + 4 * k,
            vmulq_n_f32(tanh_of(vmulq_n_f32(vld1q_f32(x + 4 * k), ITH_2LOG2E / cap)), cap));
    }
    if (s->from > first)
        hide_first(x, s->from - first);
    const float alpha = raise_max(s, hide_unseen(x, s->visible - first));
    EACH_KEYS /* unseen keys have -infinity, which gives 0 */
        vst1q_f32(x + 4 * k, exp2_lanes(vsubq_f32(vld1q_f32(x + 4 * k), vdupq_n_f32(s->m))));
    add_to_lanes(s, alpha, x);
    return alpha;
}

/* o = o * alpha, then o += p[j] * value j for keys [from, seen). */
ITH_INLINE void add_values(const ith_kv_layout layout, const int rows, const row_state *s,
                           int head_dim, const void *values, float p[][ITH_KV_BLOCK],
                           const float *alpha, int from, int seen)
{
    const int dp = (head_dim + 15) / 16 * 16;
    for (int c = 0; c < head_dim; c += 16) {
        float32x4_t o[QUAD][4];
        EACH_ROW EACH_VEC o[r][v] =
            vmulq_n_f32(load_first(s[r].o + c + 4 * v, head_dim - c - 4 * v), alpha[r]);
        for (int j = from; j < seen; j++) {
            float32x4_t value[4];
            EACH_VEC value[v] = load_elements(layout, values, j * dp + c + 4 * v);
            EACH_ROW EACH_VEC o[r][v] = vfmaq_n_f32(o[r][v], value[v], p[r][j]);
        }
        EACH_ROW EACH_VEC store_first(s[r].o + c + 4 * v, head_dim - c - 4 * v, o[r][v]);
    }
}

ITH_INLINE void attend_rows(const ith_kv_layout layout, const int rows, row_state *s,
                            const ith_attn *a, int64_t first)
{
    const uint8_t *keys = (const uint8_t *)a->segment +
                          (size_t)(first / ITH_KV_BLOCK) * ith_attn_block_bytes(a, layout);
    const void *values = ith_attn_values(a, layout, first / ITH_KV_BLOCK);
    const int channels = ith_attn_value_dim(a);
    scores_t x;
    float alpha[QUAD];

    for (int key = 0; key < ITH_KV_BLOCK; key += 16)
        score_keys(layout, rows, a->head_dim, s, keys, key, x);
    EACH_ROW alpha[r] = softmax(s + r, first, a->cap, x[r]);
    /* The first row ends to see first, the last one begins last. */
    if (s[0].visible >= first + ITH_KV_BLOCK && s[rows - 1].from <= first)
        add_values(layout, rows, s, channels, values, x, alpha, 0, ITH_KV_BLOCK);
    else
        for (int r = 0; r < rows; r++) {
            const int64_t seen = s[r].visible - first, from = s[r].from - first;
            add_values(layout, 1, s + r, channels, values, x + r, alpha + r,
                       (int)(from > 0 ? from : 0),
                       (int)(seen < ITH_KV_BLOCK ? seen : ITH_KV_BLOCK));
        }
}

ITH_INLINE void attend(const ith_kv_layout layout, row_state *s, int rows, const ith_attn *a,
                       int64_t first)
{
    if (rows == 4)
        attend_rows(layout, 4, s, a, first);
    else if (rows == 3)
        attend_rows(layout, 3, s, a, first);
    else if (rows == 2)
        attend_rows(layout, 2, s, a, first);
    else
        attend_rows(layout, 1, s, a, first);
}

static void attend_bf16(row_state *s, int rows, const ith_attn *a, int64_t first)
{
    attend(ITH_KVL_BF16, s, rows, a, first);
}

static void attend_f32(row_state *s, int rows, const ith_attn *a, int64_t first)
{
    attend(ITH_KVL_F32, s, rows, a, first);
}

ITH_INLINE void attn(const ith_attn *a,
                     void (*attend_block)(row_state *, int, const ith_attn *, int64_t))
{
    const int64_t n_rows = (int64_t)a->n_tokens * a->n_heads;
    for (int64_t pass = 0; pass < n_rows; pass += MAX_ROWS) {
        row_state s[MAX_ROWS];
        const int rows = n_rows - pass < MAX_ROWS ? (int)(n_rows - pass) : MAX_ROWS;
        for (int r = 0; r < rows; r++)
            open_row(&s[r], a, pass + r, sizeof(float));
        walk_blocks(s, rows, a, attend_block);
        for (int r = 0; r < rows; r++)
            close_row(&s[r], a, pass + r);
    }
}

void ith_attn_bf16__neon(const ith_attn *a)
{
    attn(a, attend_bf16);
}

void ith_attn_f32__neon(const ith_attn *a)
{
    attn(a, attend_f32);
}

void ith_attn_merge__neon(int64_t rows, int head_dim, float *m, float *l, float *o, const float *pm,
                          const float *pl, const float *po)
{
    for (int64_t r = 0; r < rows; r++, o += head_dim, po += head_dim) {
        if (pl[r] == 0.0f)
            continue;
        const float largest = m[r] > pm[r] ? m[r] : pm[r];
        const float a = ith_exp2_inline(m[r] - largest), b = ith_exp2_inline(pm[r] - largest);
        for (int c = 0; c < head_dim; c += 4) {
            const float32x4_t old = vmulq_n_f32(load_first(o + c, head_dim - c), a);
            store_first(o + c, head_dim - c, vfmaq_n_f32(old, load_first(po + c, head_dim - c), b));
        }
        l[r] = fmaf(pl[r], b, l[r] * a);
        m[r] = largest;
    }
}

/* elementwise_neon.c - norm, rotary embedding, gate and small vector operations, four lanes at a
 * time. */
#include "simd/neon/vec_neon.h"
#include "simd/variants.h"

void ith_rmsnorm__neon(int64_t n, const float *x, const float *w, float eps, float *out)
{
    float32x4_t lane[4] = {vdupq_n_f32(0.0f), vdupq_n_f32(0.0f), vdupq_n_f32(0.0f),
                           vdupq_n_f32(0.0f)};
    for (int64_t i = 0; i < n; i += 16)
#pragma GCC unroll 4
        /* Past the end zeros are added, which change no sum. */
        for (int k = 0; k < 4; k++) {
            const float32x4_t v = load_first(x + i + 4 * k, n - i - 4 * k);
            lane[k] = vfmaq_f32(lane[k], v, v);
        }
    const float r = 1.0f / sqrtf(lanes16_sum(lane) / (float)n + eps);
    for (int64_t i = 0; i < n; i += 4) {
        const float32x4_t v = vmulq_n_f32(load_first(x + i, n - i), r);
        store_first(out + i, n - i, vmulq_f32(v, load_first(w + i, n - i)));
    }
}

void ith_rope__neon(int d, float *x, const float *cos, const float *sin)
{
    const int half = d / 2;
    for (int i = 0; i < half; i += 4) {
        const float32x4_t a = load_first(x + i, half - i), b = load_first(x + half + i, half - i);
        const float32x4_t c = load_first(cos + i, half - i), s = load_first(sin + i, half - i);
        store_first(x + i, half - i, vfmaq_f32(vnegq_f32(vmulq_f32(b, s)), a, c));
        store_first(x + half + i, half - i, vfmaq_f32(vmulq_f32(a, s), b, c));
    }
}

void ith_silu_mul__neon(int64_t n, const float *g, const float *u, float *out)
{
    for (int64_t i = 0; i < n; i += 4) {
        const float32x4_t gate = load_first(g + i, n - i), up = load_first(u + i, n - i);
        const float32x4_t e = exp2_clamped(vmulq_n_f32(gate, -ITH_LOG2E));
        store_first(out + i, n - i,
                    vmulq_f32(vdivq_f32(gate, vaddq_f32(vdupq_n_f32(1.0f), e)), up));
    }
}

void ith_swiglu__neon(int64_t n, const float *g, const float *u, const ith_swiglu *form, float *out)
{
    const float by = -ITH_LOG2E * form->alpha;
    const float32x4_t most = vdupq_n_f32(form->limit), least = vdupq_n_f32(-form->limit);
    for (int64_t i = 0; i < n; i += 4) {
        const float32x4_t gate = vminq_f32(load_first(g + i, n - i), most);
        const float32x4_t up = vmaxq_f32(vminq_f32(load_first(u + i, n - i), most), least);
        const float32x4_t e = exp2_clamped(vmulq_n_f32(gate, by));
        store_first(out + i, n - i,
                    vmulq_f32(vdivq_f32(gate, vaddq_f32(vdupq_n_f32(1.0f), e)),
                              vaddq_f32(up, vdupq_n_f32(form->plus))));
    }
}

void ith_gelu__neon(int64_t n, const float *x, float *out)
{
    for (int64_t i = 0; i < n; i += 4) {
        const float32x4_t v = load_first(x + i, n - i);
        const float32x4_t by = vfmaq_n_f32(vdupq_n_f32(ITH_GELU_1), vmulq_f32(v, v), ITH_GELU_3);
        const float32x4_t e = exp2_clamped(vmulq_f32(v, by));
        store_first(out + i, n - i, vdivq_f32(v, vaddq_f32(vdupq_n_f32(1.0f), e)));
    }
}

void ith_softcap__neon(int64_t n, float *x, float cap)
{
    const float by = ITH_2LOG2E / cap;
    for (int64_t i = 0; i < n; i += 4)
        store_first(x + i, n - i,
                    vmulq_n_f32(tanh_of(vmulq_n_f32(load_first(x + i, n - i), by)), cap));
}

void ith_mul__neon(int64_t n, float *x, const float *y)
{
    for (int64_t i = 0; i < n; i += 4)
        store_first(x + i, n - i, vmulq_f32(load_first(x + i, n - i), load_first(y + i, n - i)));
}

void ith_add__neon(int64_t n, float *x, const float *y)
{
    for (int64_t i = 0; i < n; i += 4)
        store_first(x + i, n - i, vaddq_f32(load_first(x + i, n - i), load_first(y + i, n - i)));
}

void ith_scale__neon(int64_t n, float *x, float a)
{
    for (int64_t i = 0; i < n; i += 4)
        store_first(x + i, n - i, vmulq_n_f32(load_first(x + i, n - i), a));
}

void ith_add_scaled__neon(int64_t n, float *x, float a, const float *y)
{
    for (int64_t i = 0; i < n; i += 4)
        store_first(x + i, n - i,
                    vfmaq_n_f32(load_first(x + i, n - i), load_first(y + i, n - i), a));
}

float ith_max__neon(int64_t n, const float *x)
{
    float32x4_t largest = vdupq_n_f32(-INFINITY);
    for (int64_t i = 0; i < n; i += 4)
        largest = larger(vbslq_f32(first_lanes(n - i), load_first(x + i, n - i), largest), largest);
    return vmaxvq_f32(largest) + 0.0f;
}

float ith_sum_exp__neon(int64_t n, const float *x, float max)
{
    float32x4_t lane[4] = {vdupq_n_f32(0.0f), vdupq_n_f32(0.0f), vdupq_n_f32(0.0f),
                           vdupq_n_f32(0.0f)};
    for (int64_t i = 0; i < n; i += 16)
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) {
            const int64_t left = n - i - 4 * k;
            const float32x4_t v = vsubq_f32(load_first(x + i + 4 * k, left), vdupq_n_f32(max));
            const float32x4_t e = exp2_lanes(vmulq_n_f32(v, ITH_LOG2E));
            lane[k] = vaddq_f32(lane[k], keep_lanes(first_lanes(left), e));
        }
    return lanes16_sum(lane);
}

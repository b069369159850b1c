/* rope.c - rotary frequencies, their scaling, and angles that are equal on all machines. */
#include "model/rope.h"

#include "base/precise.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static const double PI = 3.14159265358979323846;

/* theta^(-2i/d) in float32 steps. */
static float plain_frequency(double theta, int64_t i, int64_t head_dim)
{
    float exponent = (float)(2 * i) / (float)head_dim;
    return 1.0f / (float)ith_power(theta, (double)exponent);
}

/* ---- YaRN ---- */

static double correction_dim(double rotations, const ith_rope_params *p, int64_t head_dim)
{
    return (double)head_dim * ith_ln((double)p->original_context / (rotations * 2 * PI)) /
           (2 * ith_ln(p->theta));
}

static double magnitude(double factor, double mscale)
{
    return factor <= 1 ? 1.0 : 0.1 * mscale * ith_ln(factor) + 1.0;
}

static float yarn_attention_factor(const ith_rope_params *p)
{
    if (p->attention_factor > 0)
        return (float)p->attention_factor;
    if (p->mscale > 0 && p->mscale_all_dim > 0)
        return (float)(magnitude(p->factor, p->mscale) / magnitude(p->factor, p->mscale_all_dim));
    return (float)magnitude(p->factor, 1.0);
}

/* Dimensions that rotate fast keep their frequency, slow ones are interpolated, and those between
 * are blended. */
static void yarn(const ith_rope_params *p, int64_t head_dim, ith_rope *rope)
{
    double low = correction_dim(p->beta_fast, p, head_dim),
           high = correction_dim(p->beta_slow, p, head_dim);
    if (p->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, (double)head_dim - 1);
    if (low == high)
        high += 0.001;
    for (int64_t i = 0; i < rope->half; i++) {
        float frequency = (float)ith_power(p->theta, (double)((float)(2 * i) / (float)head_dim));
        float extrapolated = 1.0f / frequency, interpolated = 1.0f / ((float)p->factor * frequency);
        float ramp = ((float)i - (float)low) / (float)(high - low);
        float unscaled = 1.0f - fminf(fmaxf(ramp, 0.0f), 1.0f);
        rope->inv_freq[i] = interpolated * (1.0f - unscaled) + extrapolated * unscaled;
    }
    rope->attention_factor = yarn_attention_factor(p);
}

/* ---- Llama 3.1 ---- */

static float llama3_frequency(const ith_rope_params *p, float plain)
{
    float original = (float)p->original_context, wavelength = (float)(2 * PI) / plain, smooth;
    if (wavelength < original / (float)p->high_freq_factor)
        return plain;
    if (wavelength > original / (float)p->low_freq_factor)
        return plain / (float)p->factor;
    smooth = (original / wavelength - (float)p->low_freq_factor) /
             (float)(p->high_freq_factor - p->low_freq_factor);
    return (1.0f - smooth) * plain / (float)p->factor + smooth * plain;
}

/* ---- LongRoPE ---- */

static float long_attention_factor(const ith_rope_params *p)
{
    if (p->attention_factor > 0)
        return (float)p->attention_factor;
    return p->factor <= 1
               ? 1.0f
               : (float)sqrt(1 + ith_ln(p->factor) / ith_ln((double)p->original_context));
}

static void divide(const ith_rope_params *p, const double *factors, int64_t head_dim,
                   ith_rope *rope)
{
    for (int64_t i = 0; i < rope->half; i++)
        rope->inv_freq[i] =
            1.0f / ((float)factors[i] *
                    (float)ith_power(p->theta, (double)((float)(2 * i) / (float)head_dim)));
    rope->attention_factor = long_attention_factor(p);
}

static ith_status check(const ith_rope_params *p, int64_t head_dim, ith_error *err)
{
    if (head_dim % 2 != 0)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "rotary positions need an even head size, but this model has %lld",
                        (long long)head_dim);
    if (!(p->theta > 1) ||
        (p->kind != ITH_ROPE_PLAIN && p->kind != ITH_ROPE_DYNAMIC && !(p->factor > 0)))
        return ith_fail(err, ITH_E_FORMAT,
                        "rope theta %g should be more than 1 and factor %g positive", p->theta,
                        p->factor);
    if ((p->kind == ITH_ROPE_YARN || p->kind == ITH_ROPE_LLAMA3) && p->original_context <= 0)
        return ith_fail(err, ITH_E_FORMAT, "rope scaling lacks original_max_position_embeddings");
    if (p->kind == ITH_ROPE_LLAMA3 &&
        !(p->high_freq_factor > p->low_freq_factor && p->low_freq_factor > 0))
        return ith_fail(err, ITH_E_FORMAT,
                        "llama3 rope scaling needs high_freq_factor > low_freq_factor > 0");
    return ITH_OK;
}

/* The last word on parameters and divisors: angles are computed from the first n of these. */
static ith_status check_frequencies(const ith_rope *rope, int64_t n, ith_error *err)
{
    for (int64_t i = 0; i < n; i++)
        if (!(rope->inv_freq[i] > 0 && rope->inv_freq[i] <= ITH_ROPE_FASTEST))
            return ith_fail(err, ITH_E_FORMAT,
                            "rotary frequency %lld is %g, expected more than 0 and at most %d "
                            "radians per token",
                            (long long)i, (double)rope->inv_freq[i], ITH_ROPE_FASTEST);
    if (!(rope->attention_factor > 0 && rope->attention_factor <= FLT_MAX))
        return ith_fail(err, ITH_E_FORMAT, "RoPE's attention factor is %g, expected more than 0",
                        (double)rope->attention_factor);
    return ITH_OK;
}

/* factors: LongRoPE's. */
static ith_status open_with(const ith_rope_params *params, int64_t head_dim, int64_t ctx_train,
                            const float *freq_factors, const double *factors, ith_rope *rope,
                            ith_error *err)
{
    ith_rope_params p = *params;
    bool partial = p.rotated > 0 && p.kind != ITH_ROPE_PROPORTIONAL;
    int64_t turning; /* pairs whose frequency is not 0 */

    if (p.original_context <= 0)
        p.original_context = ctx_train;
    ITH_TRY(check(&p, head_dim, err));
    if (partial)
        head_dim = p.rotated; /* exponents count over the channels that are rotated */
    if (p.kind == ITH_ROPE_DYNAMIC && p.alpha > 0 && head_dim <= 2)
        return ith_fail(err, ITH_E_FORMAT,
                        "rope scaling by alpha needs more than %lld rotated channels",
                        (long long)head_dim);
    if (p.kind == ITH_ROPE_DYNAMIC && p.alpha > 0)
        p.theta *= ith_power(p.alpha, (double)head_dim / ((double)head_dim - 2));
    rope->half = head_dim / 2;
    turning = p.rotated > 0 ? p.rotated / 2 : rope->half;
    rope->attention_factor = 1.0f;
    rope->inv_freq = calloc((size_t)rope->half, sizeof *rope->inv_freq);
    if (rope->inv_freq == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for rotary frequencies");
    for (int64_t i = 0; i < rope->half; i++) {
        float f = plain_frequency(p.theta, i, head_dim);
        if (p.kind == ITH_ROPE_LINEAR || p.kind == ITH_ROPE_PROPORTIONAL)
            f /= (float)p.factor;
        else if (p.kind == ITH_ROPE_LLAMA3)
            f = llama3_frequency(&p, f);
        rope->inv_freq[i] = f;
    }
    if (p.kind == ITH_ROPE_YARN)
        yarn(&p, head_dim, rope);
    if (p.kind == ITH_ROPE_LONG)
        divide(&p, factors, head_dim, rope);
    for (int64_t i = 0; freq_factors != NULL && i < rope->half; i++)
        rope->inv_freq[i] /= freq_factors[i];
    for (int64_t i = turning; i < rope->half; i++)
        rope->inv_freq[i] = 0;
    return check_frequencies(rope, turning, err);
}

ith_status ith_rope_open(const ith_rope_params *params, int64_t head_dim, int64_t ctx_train,
                         const float *freq_factors, ith_rope *rope, ith_error *err)
{
    return open_with(params, head_dim, ctx_train, freq_factors, params->short_factors, rope, err);
}

ith_status ith_rope_open_long(const ith_rope_params *params, int64_t head_dim, ith_rope *rope,
                              ith_error *err)
{
    return open_with(params, head_dim, 0, NULL, params->long_factors, rope, err);
}

void ith_rope_close(ith_rope *rope)
{
    free(rope->inv_freq);
    rope->inv_freq = NULL;
}

/* Sine and cosine of x >= 0. Cody and Waite's reduction by pi/2 as a sum of two numbers (the first
 * has 33 bits, so its multiple by n < 2^20 is exact), then the Taylor series on [-pi/4, pi/4] to
 * x^15 and x^16. Up to x = 1.6 million the error is below 1e-16, far below half a unit of a float;
 * beyond, it grows to x 2^-53, and floats no longer tell such angles apart. */
static void sine_cosine(double x, double *sine, double *cosine)
{
    const double half_pi_high = 1.57079632673412561417e+00,
                 half_pi_low = 6.07710050650619224932e-11;
    double n = floor(x * (2 / PI) + 0.5), r = (x - n * half_pi_high) - n * half_pi_low, z = r * r,
           s, c;

    s = r * (1 + z * (-1.0 / 6 +
                      z * (1.0 / 120 +
                           z * (-1.0 / 5040 +
                                z * (1.0 / 362880 + z * (-1.0 / 39916800 +
                                                         z * (1.0 / 6227020800.0 +
                                                              z * (-1.0 / 1307674368000.0))))))));
    c = 1 + z * (-1.0 / 2 +
                 z * (1.0 / 24 +
                      z * (-1.0 / 720 +
                           z * (1.0 / 40320 +
                                z * (-1.0 / 3628800 + z * (1.0 / 479001600.0 +
                                                           z * (-1.0 / 87178291200.0 +
                                                                z * (1.0 / 20922789888000.0))))))));
    switch ((int64_t)n & 3) {
    case 0:
        *sine = s, *cosine = c;
        break;
    case 1:
        *sine = c, *cosine = -s;
        break;
    case 2:
        *sine = -s, *cosine = -c;
        break;
    default:
        *sine = -c, *cosine = s;
    }
}

void ith_rope_angles(const ith_rope *rope, int64_t pos, float *cos, float *sin)
{
    for (int64_t i = 0; i < rope->half; i++) {
        float angle = (float)pos * rope->inv_freq[i];
        double s, c;
        sine_cosine((double)angle, &s, &c);
        cos[i] = (float)c * rope->attention_factor;
        sin[i] = (float)s * rope->attention_factor;
    }
}

/* fit_w4m.c - scale and minimum for 32 numbers on 16 levels.
 *
 * For given levels, the best scale and minimum solve a system of two linear equations; for given
 * scale and minimum, the best levels are the nearest. Alternating the two descends to a local
 * minimum of the error (Lloyd's method, "Least squares quantization in PCM", IEEE Trans.
 * Information Theory 28, 1982, with equidistant levels), which depends on the start. So there are
 * several starts, as in the search of ggml's K-quants (make_qkx2_quants in ggml-quants.c: scales
 * around (max - min) / 15): each names the levels, possibly between or beyond the 16, of the least
 * and the largest number. Then the best result is rounded to f16: minima next to it are tried, each
 * with the scale that suits it, and compared by their final errors.
 */
#include "simd/half.h"
#include "weights/fit_lanes.h"

#include <float.h>

/* value = scale * level + min */
typedef struct line {
    ith_lanes scale, min;
} line;

/* What of four rows does not depend on the levels. */
typedef struct rows {
    ith_lanes x[ITH_GROUP], y[ITH_GROUP]; /* y = x - mid keeps sums small beside the error */
    ith_lanes low, high, mid;
    ith_lanes sum_wy, sum_wyy;
    const float *w;
    float sum_w;
} rows;

/* The levels of the least and of the largest number. */
typedef struct span {
    float low, high;
} span;

/* Whole levels find numbers that already lie on a grid, with as few as 8 of its levels in use. The
 * others were chosen by the remaining error on normal, Laplace and Student's t numbers: within 1%
 * of that of ten times as many starts. */
static const span starts[] = {{0, 15}, {-0.5f, 15.5f}, {-0.5f, 15}, {0, 15.5f}, {-1, 16}, {0, 14},
                              {1, 15}, {-1, 15},       {0, 16},     {1, 14},    {-2, 15}, {0, 17},
                              {1, 13}, {2, 13},        {2, 12},     {3, 12},    {3, 11}};

/* A third round gains 0.4%; a single one costs 1.5%. */
enum { ROUNDS = 2 };

static inline ith_lanes level(ith_lanes x, ith_lanes min, ith_lanes inverse)
{
    return ith_lanes_round((x - min) * inverse, 0, 15);
}

static void prepare(const ith_fit_group *g, int first_row, const float w[ITH_GROUP], rows *a)
{
    ith_lanes_load(g, first_row, a->x);
    a->low = a->high = a->x[0];
    for (int c = 1; c < ITH_GROUP; c++) {
        a->low = ith_lanes_min(a->x[c], a->low);
        a->high = ith_lanes_max(a->x[c], a->high);
    }
    a->mid = 0.5f * a->low + 0.5f * a->high;
    a->w = w;
    a->sum_w = 0;
    a->sum_wy = a->sum_wyy = ith_lanes_all(0);
    for (int c = 0; c < ITH_GROUP; c++) {
        ith_lanes y = a->x[c] - a->mid, wy = w[c] * y;
        a->y[c] = y;
        a->sum_w += w[c];
        a->sum_wy += wy;
        a->sum_wyy += wy * y;
    }
}

/* The best line for the levels that `at` gives; returns its error, FLT_MAX where all numbers are on
 * one level. */
static ith_lanes solve(const rows *a, line *at)
{
    ith_lanes inverse = ith_lanes_inverse(at->scale), min = at->min, scale, det, error;
    ith_lanes sum_q = ith_lanes_all(0), sum_qq = sum_q, sum_qy = sum_q;
    ith_lanes_mask good;

    for (int c = 0; c < ITH_GROUP; c++) {
        ith_lanes q = level(a->y[c], min, inverse), wq = a->w[c] * q;
        sum_q += wq;
        sum_qq += wq * q;
        sum_qy += wq * a->y[c];
    }
    det = a->sum_w * sum_qq - sum_q * sum_q;
    good = det > (1e-5f * a->sum_w) * sum_qq;
    scale = (a->sum_w * sum_qy - sum_q * a->sum_wy) / det;
    min = (a->sum_wy - scale * sum_q) / a->sum_w;
    error = a->sum_wyy - scale * sum_qy - min * a->sum_wy;
    at->scale = ith_lanes_select(good, scale, at->scale);
    at->min = ith_lanes_select(good, min, at->min);
    return ith_lanes_select(good, error, ith_lanes_all(FLT_MAX));
}

static void take_better(ith_lanes_mask better, ith_lanes error, line at, ith_lanes *least,
                        line *best)
{
    *least = ith_lanes_select(better, error, *least);
    best->scale = ith_lanes_select(better, at.scale, best->scale);
    best->min = ith_lanes_select(better, at.min, best->min);
}

static line search(const rows *a)
{
    ith_lanes least = ith_lanes_all(FLT_MAX), error = least;
    line best = {ith_lanes_all(0), ith_lanes_all(0)};

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        line at;
        at.scale = (a->high - a->low) / (starts[i].high - starts[i].low);
        at.min = a->low - a->mid - starts[i].low * at.scale;
        for (int n = 0; n < ROUNDS; n++)
            error = solve(a, &at);
        take_better(error < least, error, at, &least, &best);
    }
    best.min += a->mid;
    return best;
}

/* ---- Rounding to f16 ---- */

static ith_lanes error_of(const rows *a, line at)
{
    ith_lanes inverse = ith_lanes_inverse(at.scale), sum = ith_lanes_all(0);
    for (int c = 0; c < ITH_GROUP; c++) {
        ith_lanes e = (a->x[c] - at.min) - at.scale * level(a->x[c], at.min, inverse);
        sum += a->w[c] * (e * e);
    }
    return sum;
}

/* The best scale for the minimum and the levels that `at` gives. */
static ith_lanes rescale(const rows *a, line at)
{
    ith_lanes inverse = ith_lanes_inverse(at.scale), sum_qx = ith_lanes_all(0), sum_qq = sum_qx,
              scale;
    for (int c = 0; c < ITH_GROUP; c++) {
        ith_lanes q = level(a->x[c], at.min, inverse), wq = a->w[c] * q;
        sum_qx += wq * (a->x[c] - at.min);
        sum_qq += wq * q;
    }
    scale = ith_lanes_round_half(ith_lanes_select(sum_qq > 0.0f, sum_qx / sum_qq, at.scale));
    return ith_lanes_max(scale, ith_lanes_all(0x1p-24f));
}

/* The best of plain rounding to nearest and of the line found, its minimum rounded to f16 or one
 * f16 step (2^-11 to 2^-10 of it) beside. */
static line settle(const rows *a, line found)
{
    line best = {ith_lanes_round_half((a->high - a->low) / 15.0f), ith_lanes_round_half(a->low)},
         at;
    ith_lanes least = error_of(a, best), error;

    for (int step = -1; step <= 1; step++) {
        at.min = ith_lanes_round_half(found.min + ((float)step * 0x1.8p-11f) * found.min);
        at.scale = found.scale;
        at.scale = rescale(a, at);
        error = error_of(a, at);
        take_better(error < least * ITH_FIT_BETTER, error, at, &least, &best);
    }
    return best;
}

void ith_fit_w4m(const ith_fit_group *g, ith_fit *fit)
{
    float w[ITH_GROUP];
    rows a;

    ith_fit_weights(g->weight, w);
    for (int row = 0; row < ITH_TILE_ROWS; row += ITH_LANES) {
        prepare(g, row, w, &a);
        line best = settle(&a, search(&a));
        ith_lanes inverse = ith_lanes_inverse(best.scale);
        for (int i = 0; i < ITH_LANES; i++) {
            fit->scale[row + i] = ith_f32_to_f16(best.scale[i]);
            fit->min[row + i] = ith_f32_to_f16(best.min[i]);
        }
        for (int c = 0; c < ITH_GROUP; c++) {
            ith_lanes q = level(a.x[c], best.min, inverse);
            for (int i = 0; i < ITH_LANES; i++)
                fit->quants[c][row + i] = (int8_t)q[i];
        }
    }
}

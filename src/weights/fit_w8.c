/* fit_w8.c - one scale for 32 numbers.
 *
 * Around max|x| / 127 the rounding error rises slowly with the scale, and jumps with where the
 * numbers happen to fall between integers: the best of a few scales lies well below the mean. So a
 * ladder of scales is tried, from one that cuts the largest number by half a step to one that is a
 * few percent wider. The best one is replaced by the least-squares scale of its quants,
 * sum(w x q) / sum(w q^2), if that is better after rounding to f16.
 */
#include "simd/half.h"
#include "weights/fit_lanes.h"

/* max|x| becomes this many steps. 127 is first: plain rounding to nearest. */
static const float ladder[] = {127.0f, 127.6f, 126.2f, 125.4f, 124.6f, 123.8f, 123.0f};

static inline ith_lanes quant(ith_lanes x, ith_lanes inverse)
{
    return ith_lanes_round(x * inverse, -127, 127);
}

/* sum w (x - scale q)^2 */
static ith_lanes error_of(const ith_lanes x[ITH_GROUP], const float w[ITH_GROUP], ith_lanes scale)
{
    ith_lanes inverse = ith_lanes_inverse(scale), sum = ith_lanes_all(0);
    for (int c = 0; c < ITH_GROUP; c++) {
        ith_lanes e = x[c] - scale * quant(x[c], inverse);
        sum += w[c] * (e * e);
    }
    return sum;
}

/* The best scale for the quants of another scale. */
static ith_lanes least_squares(const ith_lanes x[ITH_GROUP], const float w[ITH_GROUP],
                               ith_lanes scale)
{
    ith_lanes inverse = ith_lanes_inverse(scale), sum_xq = ith_lanes_all(0),
              sum_qq = ith_lanes_all(0);
    for (int c = 0; c < ITH_GROUP; c++) {
        ith_lanes q = quant(x[c], inverse), wq = w[c] * q;
        sum_xq += wq * x[c];
        sum_qq += wq * q;
    }
    return ith_lanes_round_half(ith_lanes_select(sum_qq > 0.0f, sum_xq / sum_qq, scale));
}

static void keep_better(const ith_lanes x[ITH_GROUP], const float w[ITH_GROUP], ith_lanes scale,
                        ith_lanes *best, ith_lanes *least)
{
    ith_lanes error = error_of(x, w, scale);
    ith_lanes_mask better = error < *least * ITH_FIT_BETTER;
    *least = ith_lanes_select(better, error, *least);
    *best = ith_lanes_select(better, scale, *best);
}

static ith_lanes search(const ith_lanes x[ITH_GROUP], const float w[ITH_GROUP])
{
    ith_lanes amax = ith_lanes_all(0), best, least;

    for (int c = 0; c < ITH_GROUP; c++)
        amax = ith_lanes_max(amax, ith_lanes_abs(x[c]));
    best = ith_lanes_round_half(amax / ladder[0]);
    least = error_of(x, w, best);
    for (size_t i = 1; i < sizeof ladder / sizeof *ladder; i++) {
        ith_lanes scale = ith_lanes_round_half(amax / ladder[i]);
        /* At least the smallest f16, for numbers whose scale would vanish. */
        keep_better(x, w, ith_lanes_max(scale, ith_lanes_all(0x1p-24f)), &best, &least);
    }
    keep_better(x, w, least_squares(x, w, best), &best, &least);
    return best;
}

void ith_fit_w8(const ith_fit_group *g, ith_fit *fit)
{
    float w[ITH_GROUP];
    ith_lanes x[ITH_GROUP], scale, inverse;

    ith_fit_weights(g->weight, w);
    for (int row = 0; row < ITH_TILE_ROWS; row += ITH_LANES) {
        ith_lanes_load(g, row, x);
        scale = search(x, w);
        inverse = ith_lanes_inverse(scale);
        for (int i = 0; i < ITH_LANES; i++)
            fit->scale[row + i] = ith_f32_to_f16(scale[i]);
        for (int c = 0; c < ITH_GROUP; c++) {
            ith_lanes q = quant(x[c], inverse);
            for (int i = 0; i < ITH_LANES; i++)
                fit->quants[c][row + i] = (int8_t)q[i];
        }
    }
}

/* forecast.h - the time of a prefill, whose cost per token grows with depth. Pure functions.
 *
 * A token at position x costs a + b x seconds: the matrices are the same for every token, attention
 * reads every key before it. Plans know a and b from a machine's rates (engine/cost.h), benchmarks
 * from those of the kernels (tools/rates.h). Progress fits them to the chunks measured so far, by
 * least squares weighted with their tokens. Older chunks count a little less, so that a machine
 * that becomes slower is noticed. The first chunk, which touches all memory for the first time,
 * counts only while it is alone.
 *
 * A few chunks near the beginning cannot tell b from a change of the machine's speed. The operation
 * counts can: where their ratio is known, b / a is kept within a factor of 4 of it, which covers
 * kernels of unequal speed, and is set to it while there is one chunk.
 */
#ifndef ITH_BASE_FORECAST_H
#define ITH_BASE_FORECAST_H

#include <stdint.h>

typedef struct ith_depth_cost {
    double token_s; /* a: seconds of a token at position 0 */
    double key_s;   /* b: seconds more for each token before it */
} ith_depth_cost;

/* Seconds of tokens [from, to). */
double ith_depth_cost_s(ith_depth_cost cost, int64_t from, int64_t to);

/* Sums over the chunks. The caller zeroes it, and sets key_share. */
typedef struct ith_forecast {
    double n, x, y, xx, xy;
    int64_t chunks;
    double key_share; /* b / a by the operations of both; 0: unknown */
} ith_forecast;

/* Adds a chunk: tokens [from, to) took so many seconds. Ignored unless from < to and seconds >
 * 0. */
void ith_forecast_add(ith_forecast *forecast, int64_t from, int64_t to, double seconds);

/* Seconds that tokens [done, total) will take; negative: unknown. A cost that seems to fall with
 * depth counts as constant. */
double ith_forecast_left(const ith_forecast *forecast, int64_t done, int64_t total);

#endif

/* forecast.h - what a prefill takes, whose cost per token grows with depth: pure.
 *
 * A token at position x costs a + b x: matrices the same for each, attention with every key before it. Plans know a and b from a
 * machine's rates (engine/cost.h), benchmarks from those of the kernels (tools/rates.h), progress from what it sees: the chunks measured
 * so far give them by least squares, weighted by their tokens; what is older counts a little less, so that a machine that
 * has become slower is heard; the first chunk, which touches all memory first, counts only while it is the only one.
 *
 * Few chunks near the beginning cannot tell b from a machine whose speed changes. Operations can: where their ratio is known, b / a stays
 * within a factor of 4 of it, which covers kernels of unequal speed, and is it while there is one chunk.
 */
#ifndef ITH_BASE_FORECAST_H
#define ITH_BASE_FORECAST_H

#include <stdint.h>

typedef struct ith_depth_cost { /* seconds */
    double token_s;             /* a: of a token, whatever came before it */
    double key_s;               /* b: more for each token before it */
} ith_depth_cost;

/* Seconds that tokens [from, to) take. */
double ith_depth_cost_s(ith_depth_cost cost, int64_t from, int64_t to);

typedef struct ith_forecast { /* sums over the chunks; zeroed by the caller */
    double n, x, y, xx, xy;
    int64_t chunks;
    double key_share; /* b / a by the operations of both, set by the caller; 0: not known */
} ith_forecast;

/* Tokens [from, to) took so many seconds. Nothing happens unless from < to and seconds > 0. */
void ith_forecast_add(ith_forecast *forecast, int64_t from, int64_t to, double seconds);

/* Seconds that tokens [done, total) will take; negative: nothing is known. A cost that seems to fall with depth counts as one that
 * stays. */
double ith_forecast_left(const ith_forecast *forecast, int64_t done, int64_t total);

/* Seconds of the token at position x: negative if nothing is known. */
double ith_forecast_token(const ith_forecast *forecast, int64_t x);

#endif

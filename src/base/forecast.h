/* forecast.h - how long the rest of a prefill takes, whose cost per token grows with depth: pure.
 *
 * A token at position x costs a + b x: matrices the same for each, attention with every key before it. The chunks measured so far give
 * a and b by least squares, weighted by their tokens; what is older counts a little less, so that a machine that
 * has become slower is heard; the first chunk, which touches all memory first, counts only while it is the only one.
 */
#ifndef ITH_BASE_FORECAST_H
#define ITH_BASE_FORECAST_H

#include <stdint.h>

typedef struct ith_forecast { /* sums over the chunks; zeroed by the caller */
    double n, x, y, xx, xy;
    int64_t chunks;
} ith_forecast;

/* Tokens [from, to) took so many seconds. Nothing happens unless from < to and seconds > 0. */
void ith_forecast_add(ith_forecast *forecast, int64_t from, int64_t to, double seconds);

/* Seconds that tokens [done, total) will take; negative: nothing is known. A cost that seems to fall with depth counts as one that
 * stays. */
double ith_forecast_left(const ith_forecast *forecast, int64_t done, int64_t total);

/* Seconds of the token at position x: negative if nothing is known. */
double ith_forecast_token(const ith_forecast *forecast, int64_t x);

#endif

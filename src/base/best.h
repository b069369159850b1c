/* best.h - the largest of many numbers. */
#ifndef ITH_BASE_BEST_H
#define ITH_BASE_BEST_H

#include <stdint.h>

/* The indices of the k largest of values[n], the largest first, of equal ones the lower index
 * first: best [k]. 0 <= k <= n. Takes time for n * k at worst: meant for small k. */
void ith_best(const float *values, int n, int32_t *best, int k);

#endif

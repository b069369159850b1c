/* best.c - the largest of many numbers, by insertion into a short sorted list. */
#include "base/best.h"

void ith_best(const float *values, int n, int32_t *best, int k)
{
    int have = 0;

    for (int i = 0; k > 0 && i < n; i++) {
        int at;
        if (have == k && !(values[i] > values[best[k - 1]]))
            continue;
        at = have < k ? have++ : k - 1;
        for (; at > 0 && values[i] > values[best[at - 1]]; at--)
            best[at] = best[at - 1];
        best[at] = i;
    }
}

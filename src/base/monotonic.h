/* monotonic.h - the clock by which durations are measured: it is never set. */
#ifndef ITH_BASE_MONOTONIC_H
#define ITH_BASE_MONOTONIC_H

#include <stdint.h>
#include <time.h>

static inline int64_t ith_clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif

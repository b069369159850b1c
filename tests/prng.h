/* prng.h - the random numbers of tests (splitmix64): the same everywhere for a given seed. */
#ifndef ITH_TESTS_PRNG_H
#define ITH_TESTS_PRNG_H

#include <stdint.h>

typedef struct prng {
    uint64_t state;
} prng;

static inline uint64_t prng_next(prng *p)
{
    uint64_t z = p->state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* An integer in [low, high]. */
static inline int64_t prng_int(prng *p, int64_t low, int64_t high)
{
    return low + (int64_t)(prng_next(p) % (uint64_t)(high - low + 1));
}

/* A float in [low, high), uniform in steps of the range over 2^24. */
static inline float prng_float(prng *p, float low, float high)
{
    return low + (high - low) * ((float)(prng_next(p) >> 40) * 0x1p-24f);
}

#endif

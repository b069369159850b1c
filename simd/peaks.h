/* peaks.h - loops that reach what a core can do at best: ceilings to hold the kernels against.
 *
 * One set per level of kernels.h, made of the instructions that this level's kernels are made of. Each loop works on constants
 * whose result is known, so that a test can tell whether it does what it says (tests/kernels/test_peaks.c).
 */
#ifndef ITH_SIMD_PEAKS_H
#define ITH_SIMD_PEAKS_H

#include <stddef.h>
#include <stdint.h>

typedef struct ith_peak {
    const char *instruction; /* "vpdpbusd zmm" */
    int64_t ops;             /* of one round: two per multiplication and addition */
    /* Runs the rounds and returns the multiplications that it did, modulo 2^32: rounds * ops / 2. */
    uint32_t (*run)(int64_t rounds);
} ith_peak;

typedef struct ith_peaks {
    const char *name; /* as in ith_kernels_names */
    ith_peak integer; /* 8-bit products summed in 32 bits */
    ith_peak f32;     /* exact up to 2^24 multiplications per lane */
    /* Reads `bytes` (a multiple of 512) from a 64-byte aligned buffer once, in order. Returns the sum of its 64-bit words. */
    uint64_t (*read)(const void *buf, size_t bytes);
} ith_peaks;

/* The set of a level, which the CPU must have (ith_kernels_named); plain C for a name that is none. */
const ith_peaks *ith_peaks_named(const char *level);

/* Each level's folder defines its own. */
#define ITH_LEVEL(name, architecture, below, features) extern const ith_peaks ith_peaks__##name;
#include "simd/levels.inc"

#endif

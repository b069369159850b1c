/* equal.h - comparing every variant of the kernels with the reference, bit for bit.
 *
 * Buffers come from arenas: they end where memory ends, so that not one byte past them can be
 * touched, and a fence of known bytes stands before them.
 */
#ifndef ITH_TESTS_KERNELS_EQUAL_H
#define ITH_TESTS_KERNELS_EQUAL_H

#include "simd/half.h"
#include "simd/kernels.h"
#include "simd/levels.h"
#include "tests/kernels/amx/emulated.h"
#include "tests/prng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/mman.h>

enum { ARENA_BYTES = 4 << 20, ARENA_PAGE = 65536, ARENA_FENCE = 128, ARENA_FILL = 0xa5 };

typedef struct arena {
    uint8_t *base; /* ARENA_BYTES, then a page without access */
} arena;

static inline arena arena_open(void)
{
    arena a = {mmap(NULL, ARENA_BYTES + ARENA_PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)};
    assert_true(a.base != MAP_FAILED);
    assert_int_equal(mprotect(a.base + ARENA_BYTES, ARENA_PAGE, PROT_NONE), 0);
    return a;
}

static inline void arena_close(arena *a)
{
    munmap(a->base, ARENA_BYTES + ARENA_PAGE);
}

/* The last `bytes` of the arena, from a multiple of `align` on, filled with ARENA_FILL like the
 * fence before them. */
static inline void *arena_take(const arena *a, size_t bytes, size_t align)
{
    assert_true(bytes + ARENA_FENCE + align <= ARENA_BYTES);
    uint8_t *p = a->base + (ARENA_BYTES - bytes) / align * align;
    memset(p - ARENA_FENCE, ARENA_FILL, (size_t)(a->base + ARENA_BYTES - p) + ARENA_FENCE);
    return p;
}

/* True if nobody wrote into the fence before p. */
static inline int arena_whole(const void *p)
{
    const uint8_t *fence = (const uint8_t *)p - ARENA_FENCE;
    for (int i = 0; i < ARENA_FENCE; i++)
        if (fence[i] != ARENA_FILL)
            return 0;
    return 1;
}

enum { ARENAS = 15 };
static arena arenas[ARENAS];

static const ith_kernels *ref;

/* True if $SAMPLE is set, for emulators: of the shapes of products and windows, which are counted
 * in three dimensions, a sample in which each size still meets each size of every other dimension,
 * but not each two of them. */
static bool sample;

/* Is the shape of these three sizes one to check? every: one in that many; no more than each
 * dimension has sizes in a row. */
static inline bool in_sample(int64_t a, int64_t b, int64_t c, int64_t every)
{
    return !sample || (a + b + c) % every == 0;
}

/* The levels of this CPU but the reference, and AMX emulated; or the one that $KERNELS names; ended
 * by NULL. */
static const ith_kernels *variants[ITH_LEVELS + 1];

/* The table of the level amx with emulated tiles, if a test program has it. */
static inline const ith_kernels *emulated_kernels(void)
{
#if defined(__x86_64__) && !defined(ITH_PLAIN_C)
    return ith_kernels_emulated != NULL ? ith_kernels_emulated() : NULL;
#else
    return NULL;
#endif
}

static inline int open_all(void **state)
{
    (void)state;
    const char *only = getenv("KERNELS");
    int n = 0;
    sample = getenv("SAMPLE") != NULL;
    for (int i = 0; i < ARENAS; i++)
        arenas[i] = arena_open();
    ref = ith_kernels_named("ref");
    for (const char *const *name = ith_kernels_names() + 1; *name; name++)
        if (ith_kernels_named(*name) && (only == NULL || strcmp(*name, only) == 0))
            variants[n++] = ith_kernels_named(*name);
    if (emulated_kernels() && (only == NULL || strcmp("emulated", only) == 0))
        variants[n++] = emulated_kernels();
    if (n == 0 && only != NULL) { /* nothing would be compared */
        printf("not ok no kernels of level %s\n", only);
        exit(1);
    }
    return 0;
}

static inline int close_all(void **state)
{
    (void)state;
    for (int i = 0; i < ARENAS; i++)
        arena_close(&arenas[i]);
    return 0;
}

/* Returns k, whose level this thread has entered. k: NULL at the end of the list. */
static inline const ith_kernels *entered(const ith_kernels *k)
{
    if (k)
        k->enter();
    return k;
}

static inline const ith_kernels *next_of(const ith_kernels *k, const ith_kernels *next)
{
    k->leave();
    return entered(next);
}

#define EACH_VARIANT(k)                                                                            \
    for (const ith_kernels *const *v_ = variants, *k = entered(*v_); k; k = next_of(k, *++v_))

/* Fails with the variant and the case (printf arguments in `...`) unless both hold the same
 * bytes. */
#define SAME(k, expected, got, bytes, ...)                                                         \
    do {                                                                                           \
        if (memcmp(expected, got, bytes) != 0 || !arena_whole(got)) {                              \
            char case_[200];                                                                       \
            snprintf(case_, sizeof case_, __VA_ARGS__);                                            \
            fail_msg("%s %s: %s", (k)->name, #got, case_);                                         \
        }                                                                                          \
    } while (0)

/* Kinds of float vectors, each of which tests another edge of the arithmetic. */
enum {
    PLAIN,
    ZERO,
    NEGATIVE_ZERO,
    TINY,
    HUGE_VALUES,
    WIDE,
    EQUAL,
    TIES,
    KINDS,
    NEAR_LIMIT = KINDS /* for quantize only */
};

static inline float value_of_kind(prng *p, int kind)
{
    switch (kind) {
    case ZERO:
        return 0.0f;
    case NEGATIVE_ZERO:
        return prng_int(p, 0, 1) ? -0.0f : 0.0f;
    case TINY: /* subnormal numbers and those near them */
        return ith_f32_from_bits((uint32_t)prng_int(p, 0, 0x01000000) | (uint32_t)prng_int(p, 0, 1)
                                                                            << 31);
    case HUGE_VALUES:
        return prng_float(p, -1e18f, 1e18f);
    case WIDE:
        return ldexpf(prng_float(p, -1.0f, 1.0f), (int)prng_int(p, -40, 8));
    case EQUAL:
        return 0.75f;
    case TIES: /* the largest is 127: the inverse is 1, and the others are halfway between quants */
        return prng_int(p, 0, 3) ? (float)prng_int(p, -127, 126) + 0.5f : 127.0f;
    case NEAR_LIMIT: /* on both sides of the largest scale, 2^104 */
        return ldexpf(prng_float(p, -1.0f, 1.0f), (int)prng_int(p, 108, 127));
    default:
        return prng_float(p, -3.0f, 3.0f);
    }
}

static inline float *floats(int arena_index, prng *p, int64_t n, int kind)
{
    float *x = arena_take(&arenas[arena_index], (size_t)n * sizeof(float), sizeof(float));
    for (int64_t i = 0; i < n; i++)
        x[i] = value_of_kind(p, kind);
    return x;
}

static inline float *copy(int arena_index, const float *from, int64_t n)
{
    float *x = arena_take(&arenas[arena_index], (size_t)n * sizeof(float), sizeof(float));
    memcpy(x, from, (size_t)n * sizeof(float));
    return x;
}

#endif

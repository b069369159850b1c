/* prefetch.h - prefetches on x86 that the compiler keeps.
 *
 * gcc 12 takes a loop that only prefetches for an empty one: of _mm_prefetch in such a loop it
 * leaves what an earlier pass has peeled off, which may be nothing. Assembly stays where it is.
 */
#ifndef ITH_SIMD_PREFETCH_H
#define ITH_SIMD_PREFETCH_H

/* Prefetches the line that contains p, which may be any address, into the first-level cache. */
static inline __attribute__((always_inline)) void ith_fetch_l1(const void *p)
{
    __asm__ volatile("prefetcht0 %0" : : "m"(*(const char *)p));
}

/* The same for the second-level cache. */
static inline __attribute__((always_inline)) void ith_fetch_l2(const void *p)
{
    __asm__ volatile("prefetcht1 %0" : : "m"(*(const char *)p));
}

#endif

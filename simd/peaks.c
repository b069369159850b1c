#include "simd/peaks.h"

#include <string.h>

static const ith_peaks *const sets[] = {
    &ith_peaks__ref,
#if defined(__x86_64__)
    &ith_peaks__avx2, &ith_peaks__avxvnni, &ith_peaks__avx512bw, &ith_peaks__avx512,
#endif
#if defined(__aarch64__)
    &ith_peaks__neon, &ith_peaks__dotprod, &ith_peaks__i8mm,
#endif
};

const ith_peaks *ith_peaks_named(const char *level)
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (!strcmp(sets[i]->name, level))
            return sets[i];
    return &ith_peaks__ref;
}

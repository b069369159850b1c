/* peaks.c - the peaks of a level by its name. */
#include "simd/peaks.h"

#include "simd/levels.h"

#include <string.h>

static const ith_peaks *const sets[] = {
#define ITH_LEVEL(name, architecture, below, features) ITH_IF_##architecture(&ith_peaks__##name, )
#include "simd/levels.inc"
};

const ith_peaks *ith_peaks_named(const char *level)
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (!strcmp(sets[i]->name, level))
            return sets[i];
    return &ith_peaks__ref;
}

/* variants.h - prototypes of what the folders of the levels define. */
#ifndef ITH_SIMD_VARIANTS_H
#define ITH_SIMD_VARIANTS_H

#include "simd/kernels.h"

/* Every kernel variant that kernels.inc lists for this architecture. */
#define ITH_KERNEL(field, level, function) __typeof__(*((ith_kernels *)0)->field) function;
#define ITH_TRAIT(field, level, value)
#include "simd/kernels.inc"

/* For a level whose line in levels.inc says `&& ith_supported__NAME()`: may its kernels run in this
 * process, which may have to ask the system first? */
#define ITH_LEVEL(name, architecture, below, features) bool ith_supported__##name(void);
#include "simd/levels.inc"

#endif

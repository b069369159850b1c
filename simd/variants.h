/* variants.h - prototypes of every variant that kernels.inc lists for this architecture. */
#ifndef ITH_SIMD_VARIANTS_H
#define ITH_SIMD_VARIANTS_H

#include "simd/kernels.h"

#define ITH_KERNEL(field, level, function) __typeof__(*((ith_kernels *)0)->field) function;
#include "simd/kernels.inc"
#undef ITH_KERNEL

#endif

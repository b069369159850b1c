/* emulated.h - the table of the level amx with emulated tiles, for kernel tests on any machine with
 * AVX-512. */
#ifndef ITH_TESTS_KERNELS_EMULATED_H
#define ITH_TESTS_KERNELS_EMULATED_H

#include "simd/kernels.h"

/* NULL: this CPU has no AVX-512. The function is NULL in programs that are linked without it. */
__attribute__((weak)) const ith_kernels *ith_kernels_emulated(void);

#endif

/* enter_ref.c - what threads do before and after kernels of levels that need no preparation:
 * nothing. */
#include "simd/variants.h"

void ith_enter__ref(void) {}

void ith_leave__ref(void) {}

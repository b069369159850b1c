/* enter_ref.c - plain C, and every level that inherits this, needs no preparation of its threads. */
#include "simd/variants.h"

void ith_enter__ref(void)
{
}

void ith_leave__ref(void)
{
}

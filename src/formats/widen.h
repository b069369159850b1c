/* widen.h - elements of any type as f32. */
#ifndef ITH_FORMATS_WIDEN_H
#define ITH_FORMATS_WIDEN_H

#include "formats/dtype.h"

/* Widens n elements, a multiple of the type's block, to f32. Exact, except that what has a minimum
 * is rounded once (blocks.h). */
void ith_dtype_to_f32(ith_dtype dtype, const uint8_t *src, int64_t n, float *out);

#endif

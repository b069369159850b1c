/* acts.h - quantized activations (ith_acts, simd/kernels.h): rows of them, and how they travel between ranks. */
#ifndef ITH_MODEL_ACTS_H
#define ITH_MODEL_ACTS_H

#include "simd/kernels.h"

/* acts from token t on. */
ith_acts ith_acts_at(const ith_acts *acts, int64_t token);

/* All groups of a token of `from` to a token of `to`. */
void ith_acts_copy(const ith_acts *from, int64_t token, const ith_acts *to, int64_t to_token);

/* Bytes of a token's `groups` groups on the wire: their quants, then their scales; the rest follows from those. */
static inline int64_t ith_acts_wire_bytes(int64_t groups)
{
    return groups * (ITH_GROUP + (int64_t)sizeof(float));
}

/* Groups [first, first + groups) of a token, to the wire and from it. */
void ith_acts_to_wire(const ith_acts *acts, int64_t token, int64_t first, int64_t groups, uint8_t *wire);
void ith_acts_from_wire(const ith_acts *acts, int64_t token, int64_t first, int64_t groups, const uint8_t *wire);

#endif

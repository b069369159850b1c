/* acts.h - quantized activations (ith_acts, simd/kernels.h): tokens of them, and their form on the
 * wire between ranks. */
#ifndef ITH_MODEL_ACTS_H
#define ITH_MODEL_ACTS_H

#include "simd/kernels.h"

/* The activations from token `token` on. */
ith_acts ith_acts_at(const ith_acts *acts, int64_t token);

/* Copies all groups of token `token` of `from` to token `to_token` of `to`. */
void ith_acts_copy(const ith_acts *from, int64_t token, const ith_acts *to, int64_t to_token);

/* Was everything that was quantized to groups [first, first + groups) of token `token` finite and
 * small enough for a scale? See the kernel quantize. */
static inline bool ith_acts_sound(const ith_acts *acts, int64_t token, int64_t first,
                                  int64_t groups)
{
    const float *scales = acts->scales + token * acts->groups + first;
    bool sound = true;

    for (int64_t g = 0; g < groups; g++)
        sound &= scales[g] < ITH_ACT_SCALE_MOST;
    return sound;
}

/* Bytes of `groups` groups on the wire: their quants, then their scales. Everything else follows
 * from these. */
static inline int64_t ith_acts_wire_bytes(int64_t groups)
{
    return groups * (ITH_GROUP + (int64_t)sizeof(float));
}

/* Copies groups [first, first + groups) of a token to `wire` [ith_acts_wire_bytes(groups)], and
 * back. */
void ith_acts_to_wire(const ith_acts *acts, int64_t token, int64_t first, int64_t groups,
                      uint8_t *wire);
void ith_acts_from_wire(const ith_acts *acts, int64_t token, int64_t first, int64_t groups,
                        const uint8_t *wire);

#endif

/* acts.c - rows of quantized activations, and their form on the wire. */
#include "model/acts.h"

#include <string.h>

ith_acts ith_acts_at(const ith_acts *acts, int64_t token)
{
    ith_acts at = *acts;
    at.quants += token * acts->groups * ITH_GROUP;
    at.scales += token * acts->groups;
    at.shifts += token * acts->groups;
    at.sums += token * acts->groups;
    at.start8 += token * acts->groups;
    at.start128 += token * acts->groups;
    at.half128 += 2 * token * acts->groups;
    if (at.x != NULL)
        at.x += token * acts->ld_x;
    return at;
}

void ith_acts_copy(const ith_acts *from, int64_t token, const ith_acts *to, int64_t to_token)
{
    ith_acts source = ith_acts_at(from, token), out = ith_acts_at(to, to_token);
    const size_t groups = (size_t)from->groups;

    memcpy(out.quants, source.quants, groups * ITH_GROUP);
    memcpy(out.scales, source.scales, groups * sizeof *out.scales);
    memcpy(out.shifts, source.shifts, groups * sizeof *out.shifts);
    memcpy(out.sums, source.sums, groups * sizeof *out.sums);
    memcpy(out.start8, source.start8, groups * sizeof *out.start8);
    memcpy(out.start128, source.start128, groups * sizeof *out.start128);
    memcpy(out.half128, source.half128, 2 * groups * sizeof *out.half128);
}

void ith_acts_to_wire(const ith_acts *acts, int64_t token, int64_t first, int64_t groups,
                      uint8_t *wire)
{
    const int64_t at = token * acts->groups + first;
    memcpy(wire, acts->quants + at * ITH_GROUP, (size_t)(groups * ITH_GROUP));
    memcpy(wire + groups * ITH_GROUP, acts->scales + at, (size_t)groups * sizeof(float));
}

/* What ith_kernels.quantize derives from a group's quants and scale. */
static void derive(const ith_acts *acts, int64_t at)
{
    const int8_t *quants = acts->quants + at * ITH_GROUP;
    int32_t first = 0, last = 0;
    for (int c = 0; c < ITH_GROUP / 2; c++) {
        first += quants[c];
        last += quants[ITH_GROUP / 2 + c];
    }
    ith_acts_derive(acts, at, acts->scales[at], first, last);
}

void ith_acts_from_wire(const ith_acts *acts, int64_t token, int64_t first, int64_t groups,
                        const uint8_t *wire)
{
    const int64_t at = token * acts->groups + first;
    memcpy(acts->quants + at * ITH_GROUP, wire, (size_t)(groups * ITH_GROUP));
    memcpy(acts->scales + at, wire + groups * ITH_GROUP, (size_t)groups * sizeof(float));
    for (int64_t g = 0; g < groups; g++)
        derive(acts, at + g);
}

/* range.h - pure functions that cut work into contiguous parts. */
#ifndef ITH_BASE_RANGE_H
#define ITH_BASE_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ith_range {
    int64_t begin, end; /* [begin, end) */
} ith_range;

static inline int64_t ith_range_size(ith_range r)
{
    return r.end - r.begin;
}

/* Part `part` of [0, n) cut into `parts` pieces whose edges are multiples of `unit` (but n itself): sizes differ by at
 * most one unit, larger pieces first. Pieces may be empty. n >= 0, unit >= 1, 0 <= part < parts. */
static inline ith_range ith_split(int64_t n, int64_t unit, int parts, int part)
{
    int64_t units = (n + unit - 1) / unit, base = units / parts, extra = units % parts;
    int64_t first = part * base + (part < extra ? part : extra);
    int64_t last = first + base + (part < extra ? 1 : 0);
    ith_range r = {first * unit < n ? first * unit : n, last * unit < n ? last * unit : n};
    return r;
}

/* The part of that cut which holds i, 0 <= i < n. */
static inline int ith_split_holder(int64_t n, int64_t unit, int parts, int64_t i)
{
    int64_t units = (n + unit - 1) / unit, base = units / parts, extra = units % parts, at = i / unit;
    return (int)(at < extra * (base + 1) ? at / (base + 1) : extra + (at - extra * (base + 1)) / base);
}

/* The cut of [0, n) whose parts are in proportion to weights, part i's being sums[i + 1] - sums[i]; sums [parts + 1] rise from 0 to more than 0.
 * Each edge is at most a unit before where it would be exactly; a weight of 0 gives nothing. n * sums[parts] < 2^63. */
static inline ith_range ith_split_by(int64_t n, int64_t unit, const int64_t *sums, int parts, int part)
{
    int64_t units = (n + unit - 1) / unit, first = units * sums[part] / sums[parts] * unit,
            last = units * sums[part + 1] / sums[parts] * unit;
    return (ith_range){first < n ? first : n, last < n ? last : n};
}

/* The part of that cut which holds i, 0 <= i < n. */
static inline int ith_split_by_holder(int64_t n, int64_t unit, const int64_t *sums, int parts, int64_t i)
{
    int least = 0, most = parts - 1;
    while (least < most) {
        int middle = (least + most) / 2;
        if (ith_split_by(n, unit, sums, parts, middle).end > i)
            most = middle;
        else
            least = middle + 1;
    }
    return least;
}

/* The numbers begin .. begin + n - 1 are dealt to `parts` in turn, number i to part i % parts: how many of them part `part` gets, every
 * parts-th of them from begin + *first on. begin, n >= 0. */
static inline int64_t ith_dealt(int64_t begin, int64_t n, int parts, int part, int64_t *first)
{
    *first = (part - begin % parts + parts) % parts;
    return *first >= n ? 0 : (n - *first + parts - 1) / parts;
}

/* Of things of `each` bytes, those that make a piece of about `bytes`: at least one. */
static inline int64_t ith_per_piece(size_t each, size_t bytes)
{
    return each >= bytes ? 1 : (int64_t)(bytes / each);
}

static inline int64_t ith_clamp(int64_t n, int64_t least, int64_t most)
{
    return n < least ? least : n > most ? most : n;
}

static inline int64_t ith_round_up(int64_t n, int64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* a * b and a + b for sizes read from files: false on overflow. */
static inline bool ith_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool ith_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

#endif

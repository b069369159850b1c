/* range.h - pure functions that cut work into contiguous shares. */
#ifndef ITH_BASE_RANGE_H
#define ITH_BASE_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* [begin, end) */
typedef struct ith_range {
    int64_t begin, end;
} ith_range;

static inline int64_t ith_range_size(ith_range r)
{
    return r.end - r.begin;
}

/* Share `i` of [0, n) cut into `shares`, at multiples of `unit` (and n itself). Sizes differ by at
 * most one unit, larger shares first; shares may be empty. n >= 0, unit >= 1, 0 <= i < shares. */
static inline ith_range ith_split(int64_t n, int64_t unit, int shares, int i)
{
    int64_t units = (n + unit - 1) / unit, base = units / shares, extra = units % shares;
    int64_t first = i * base + (i < extra ? i : extra);
    int64_t last = first + base + (i < extra ? 1 : 0);
    ith_range r = {first * unit < n ? first * unit : n, last * unit < n ? last * unit : n};
    return r;
}

/* The share of that cut which holds `at`, 0 <= at < n. */
static inline int ith_split_holder(int64_t n, int64_t unit, int shares, int64_t at)
{
    int64_t units = (n + unit - 1) / unit, base = units / shares, extra = units % shares,
            u = at / unit;
    return (int)(u < extra * (base + 1) ? u / (base + 1) : extra + (u - extra * (base + 1)) / base);
}

/* Share `i` of [0, n) cut in proportion to weights: that of share i is sums[i + 1] - sums[i]. sums
 * [shares + 1] ascend from 0 to more than 0. Each edge lies at most a unit before its exact
 * position; a weight of 0 gives nothing. n * sums[shares] < 2^63. */
static inline ith_range ith_split_by(int64_t n, int64_t unit, const int64_t *sums, int shares,
                                     int i)
{
    int64_t units = (n + unit - 1) / unit, first = units * sums[i] / sums[shares] * unit,
            last = units * sums[i + 1] / sums[shares] * unit;
    return (ith_range){first < n ? first : n, last < n ? last : n};
}

/* The share of that cut which holds `at`, 0 <= at < n. */
static inline int ith_split_by_holder(int64_t n, int64_t unit, const int64_t *sums, int shares,
                                      int64_t at)
{
    int least = 0, most = shares - 1;
    while (least < most) {
        int middle = (least + most) / 2;
        if (ith_split_by(n, unit, sums, shares, middle).end > at)
            most = middle;
        else
            least = middle + 1;
    }
    return least;
}

/* Numbers [begin, begin + n) are dealt round-robin, number k to share k % shares. Returns how many
 * of them share `i` gets: every shares-th from begin + *first on. begin, n >= 0. */
static inline int64_t ith_dealt(int64_t begin, int64_t n, int shares, int i, int64_t *first)
{
    *first = (i - begin % shares + shares) % shares;
    return *first >= n ? 0 : (n - *first + shares - 1) / shares;
}

/* Of things in groups of `each`, the groups that [begin, end) has some of. */
static inline ith_range ith_covering(ith_range r, int64_t each)
{
    if (r.begin == r.end)
        return (ith_range){r.begin / each, r.begin / each};
    return (ith_range){r.begin / each, (r.end + each - 1) / each};
}

/* How many things of `each` bytes fit into `bytes`; at least 1. */
static inline int64_t ith_count_within(size_t each, size_t bytes)
{
    return each >= bytes ? 1 : (int64_t)(bytes / each);
}

static inline int64_t ith_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t ith_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline int64_t ith_clamp(int64_t n, int64_t least, int64_t most)
{
    return n < least ? least : n > most ? most : n;
}

/* The greatest common divisor of two numbers that are not negative. */
static inline int64_t ith_gcd(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* n rounded up to a multiple of unit. */
static inline int64_t ith_round_up(int64_t n, int64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* a * b and a + b for sizes read from files. False: overflow. */
static inline bool ith_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool ith_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

#endif

/* mutate.h - seeded damage to a file, of the kinds that break parsers: bits, counts, lengths, cuts,
 * repeats. */
#ifndef ITH_TESTS_FUZZ_MUTATE_H
#define ITH_TESTS_FUZZ_MUTATE_H

#include "tests/model_files.h"
#include "tests/prng.h"

static inline size_t mutate_at(prng *p, size_t n)
{
    return (size_t)(prng_next(p) % (n > 0 ? n : 1));
}

static inline void mutate_number(prng *p, buffer *b)
{
    static const uint64_t hostile[] = {0,
                                       1,
                                       0x7f,
                                       0xff,
                                       0x7fff,
                                       0xffff,
                                       0x7fffffff,
                                       0x80000000,
                                       0xffffffff,
                                       0x100000000,
                                       0x7fffffffffffffff,
                                       0x8000000000000000,
                                       0xfffffffffffffff0,
                                       0xffffffffffffffff};
    size_t width = (size_t)1 << prng_int(p, 0, 3), at;
    uint64_t value = hostile[mutate_at(p, sizeof hostile / sizeof *hostile)];

    if (b->n < width)
        return;
    at = mutate_at(p, b->n - width + 1);
    memcpy(b->data + at, &value, width);
}

static inline void mutate_remove(prng *p, buffer *b)
{
    size_t at = mutate_at(p, b->n), n = mutate_at(p, 16) + 1;
    if (at + n > b->n)
        n = b->n - at;
    memmove(b->data + at, b->data + at + n, b->n - at - n);
    b->n -= n;
}

static inline void mutate_repeat(prng *p,
                                 buffer *b) /* inserts a copy of some of its bytes elsewhere */
{
    uint8_t piece[32];
    size_t n = mutate_at(p, sizeof piece) + 1, from, to;

    if (b->n < n)
        return;
    from = mutate_at(p, b->n - n + 1);
    to = mutate_at(p, b->n + 1);
    memcpy(piece, b->data + from, n);
    put_zeros(b, n);
    memmove(b->data + to + n, b->data + to, b->n - n - to);
    memcpy(b->data + to, piece, n);
}

/* One to four changes. */
static inline void mutate(prng *p, buffer *b)
{
    for (int64_t i = prng_int(p, 1, 4); i > 0 && b->n > 0; i--)
        switch (prng_int(p, 0, 5)) {
        case 0:
            b->data[mutate_at(p, b->n)] ^= (uint8_t)(1u << prng_int(p, 0, 7));
            break;
        case 1:
            b->data[mutate_at(p, b->n)] = (uint8_t)prng_int(p, 0, 255);
            break;
        case 2:
            b->n = mutate_at(p, b->n);
            break;
        case 3:
            mutate_remove(p, b);
            break;
        case 4:
            mutate_repeat(p, b);
            break;
        default:
            mutate_number(p, b);
        }
}

#endif

/* bits.h - the version of the arithmetic. */
#ifndef ITH_ENGINE_BITS_H
#define ITH_ENGINE_BITS_H

/* Raise it with every change to what the kernels or the layers compute, however small: whenever the
 * expected digests of tests/parallel/test_same_bits.c change, or the text in key_means_measure.c.
 * KV data saved under an older version is then ignored, and so are the key means in older packs. */
enum { ITH_BITS = 1 };

#endif

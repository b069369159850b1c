/* bits.h - the number of the arithmetic. */
#ifndef ITH_ENGINE_BITS_H
#define ITH_ENGINE_BITS_H

/* Raise it with every change to what the kernels or the layers compute, however small: whenever the
 * expected digests of tests/parallel/test_same_bits.c change, or the text of key_means_measure.c. KV data
 * saved before is then not found any more, nor are the keys' means in packs made before. */
enum { ITH_BITS = 1 };

#endif

/* size.h - sizes as people write them. */
#ifndef ITH_BASE_SIZE_H
#define ITH_BASE_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/* Reads a number, whole or not, and maybe KiB, MiB, GiB, TiB, or KB, K and so on, of which all mean powers of 1,024: 3GiB, 1.5m, 4096. False if
 * no such thing stands at `text`, or none in [0, 2^62]; *end: what follows it. */
bool ith_size_read(const char *text, const char **end, int64_t *bytes);

#endif

/* size.h - sizes and counts as people write them. */
#ifndef ITH_BASE_SIZE_H
#define ITH_BASE_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes: a number, whole or not, and optionally a unit: KiB, MiB, GiB, TiB, or KB, K and so on, all
 * of which are powers of 1,024: 3GiB, 1.5m, 4096. False if `text` does not begin so, or the value
 * is not in [0, 2^62]; *end: what follows it. */
bool ith_size_read(const char *text, const char **end, int64_t *bytes);

/* A whole number and optionally k or m, 1,024 or 1,024^2 of them: 128k is 131,072. Otherwise as
 * ith_size_read. */
bool ith_count_read(const char *text, const char **end, int64_t *count);

#endif

/* checksum.h - XXH64 with seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), through
 * libxxhash.
 *
 * Detects damage, not malice. As fast as memory.
 */
#ifndef ITH_BASE_CHECKSUM_H
#define ITH_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t ith_checksum(const void *data, size_t bytes);

#endif

/* checksum.c - the one file that includes <xxhash.h>. */
#include "base/checksum.h"

#include <xxhash.h>

uint64_t ith_checksum(const void *data, size_t bytes)
{
    return XXH64(data, bytes, 0);
}

uint64_t ith_checksum_more(uint64_t digest, const void *data, size_t bytes)
{
    const uint64_t both[] = {digest, ith_checksum(data, bytes)};
    return ith_checksum(both, sizeof both);
}

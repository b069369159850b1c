/* checksum.c - the one file that includes <xxhash.h>. */
#include "base/checksum.h"

#include <xxhash.h>

uint64_t ith_checksum(const void *data, size_t bytes)
{
    return XXH64(data, bytes, 0);
}

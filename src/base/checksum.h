/* checksum.h - XXH64 with seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), through
 * libxxhash.
 *
 * Detects damage, not malice. As fast as memory.
 */
#ifndef ITH_BASE_CHECKSUM_H
#define ITH_BASE_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint64_t ith_checksum(const void *data, size_t bytes);

/* Of what `digest` stands for, followed by data. Not the checksum of the two in one buffer. */
uint64_t ith_checksum_more(uint64_t digest, const void *data, size_t bytes);

/* Is what was stored with this checksum damaged, now that it has that one? Built for fuzzing,
 * nothing is, because nothing behind a wrong checksum would be reached
 * (llvm.org/docs/LibFuzzer.html, "Fuzzer-friendly build mode"). */
static inline bool ith_checksum_differs(uint64_t stored, uint64_t now)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    return (void)stored, (void)now, false;
#else
    return stored != now;
#endif
}

#endif

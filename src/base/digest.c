/* digest.c - the one file that includes nettle. */
#include "base/digest.h"

#include <nettle/sha2.h>

void ith_sha256(const ith_digest_input *inputs, size_t n, uint8_t digest[ITH_SHA256_BYTES])
{
    struct sha256_ctx sha;

    sha256_init(&sha);
    for (size_t i = 0; i < n; i++)
        sha256_update(&sha, inputs[i].bytes, inputs[i].data);
    sha256_digest(&sha, ITH_SHA256_BYTES, digest);
}

void ith_hex(const uint8_t *data, size_t bytes, char *hex)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes; i++) {
        hex[2 * i] = digits[data[i] >> 4];
        hex[2 * i + 1] = digits[data[i] & 15];
    }
    hex[2 * bytes] = 0;
}

void ith_sha256_hex(const void *data, size_t bytes, char hex[65])
{
    const ith_digest_input span = {data, bytes};
    uint8_t digest[ITH_SHA256_BYTES];

    ith_sha256(&span, 1, digest);
    ith_hex(digest, sizeof digest, hex);
}

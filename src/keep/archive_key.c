/* archive_key.c - the hashes that name saved KV data. */
#include "keep/archive_key.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "token ids are hashed as bytes of memory");

ith_key ith_key_root(const ith_digest_input *spans, size_t n)
{
    uint8_t digest[ITH_SHA256_BYTES];
    ith_key key;

    ith_sha256(spans, n, digest);
    memcpy(key.bytes, digest, sizeof key.bytes);
    return key;
}

ith_key ith_key_next(const ith_key *parent, const int32_t *ids, int64_t n)
{
    const ith_digest_input spans[] = {{parent->bytes, sizeof parent->bytes},
                                      {ids, (size_t)n * sizeof *ids}};
    return ith_key_root(spans, 2);
}

bool ith_key_equal(const ith_key *a, const ith_key *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void ith_key_hex(const ith_key *key, char hex[ITH_KEY_HEX])
{
    ith_hex(key->bytes, sizeof key->bytes, hex);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool ith_key_parse(const char *text, ith_key *key)
{
    for (size_t i = 0; i < sizeof key->bytes; i++) {
        int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        key->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

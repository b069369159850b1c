/* digest.c - the one file that includes nettle. */
#include "base/digest.h"

#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stdlib.h>

struct ith_digester {
    ith_digest_kind kind;
    union {
        struct sha256_ctx sha256;
        struct sha1_ctx sha1;
    } of;
};

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

char *ith_base64(const void *data, size_t bytes)
{
    size_t room = BASE64_ENCODE_RAW_LENGTH(bytes);
    char *text = malloc(room + 1);

    if (text == NULL)
        return NULL;
    base64_encode_raw(text, bytes, data);
    text[room] = 0;
    return text;
}

void ith_sha256_hex(const void *data, size_t bytes, char hex[65])
{
    const ith_digest_input span = {data, bytes};
    uint8_t digest[ITH_SHA256_BYTES];

    ith_sha256(&span, 1, digest);
    ith_hex(digest, sizeof digest, hex);
}

static void begin(ith_digester *d)
{
    if (d->kind == ITH_DIGEST_SHA1)
        sha1_init(&d->of.sha1);
    else
        sha256_init(&d->of.sha256);
}

ith_digester *ith_digester_open(ith_digest_kind kind)
{
    ith_digester *d = malloc(sizeof *d);

    if (d == NULL)
        return NULL;
    d->kind = kind;
    begin(d);
    return d;
}

void ith_digester_add(ith_digester *d, const void *data, size_t bytes)
{
    if (d->kind == ITH_DIGEST_SHA1)
        sha1_update(&d->of.sha1, bytes, data);
    else
        sha256_update(&d->of.sha256, bytes, data);
}

void ith_digester_end(ith_digester *d, char hex[65])
{
    uint8_t digest[ITH_SHA256_BYTES];
    size_t bytes = d->kind == ITH_DIGEST_SHA1 ? SHA1_DIGEST_SIZE : SHA256_DIGEST_SIZE;

    if (d->kind == ITH_DIGEST_SHA1)
        sha1_digest(&d->of.sha1, bytes, digest);
    else
        sha256_digest(&d->of.sha256, bytes, digest);
    ith_hex(digest, bytes, hex);
    begin(d);
}

void ith_digester_close(ith_digester *d)
{
    free(d);
}

/* digest.h - SHA-256 and SHA-1 through nettle, hexadecimal digits, and base64. */
#ifndef ITH_BASE_DIGEST_H
#define ITH_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { ITH_SHA256_BYTES = 32 };

/* Bytes that the caller owns. */
typedef struct ith_digest_input {
    const void *data;
    size_t bytes;
} ith_digest_input;

/* The digest of n inputs, one after another. */
void ith_sha256(const ith_digest_input *inputs, size_t n, uint8_t digest[ITH_SHA256_BYTES]);

/* The digest of `data` as hexadecimal digits and a NUL. */
void ith_sha256_hex(const void *data, size_t bytes, char hex[65]);

/* ---- Incrementally ---- */

typedef enum ith_digest_kind {
    ITH_DIGEST_SHA256,
    ITH_DIGEST_SHA1 /* where others have chosen it, such as Git; a checksum, no protection */
} ith_digest_kind;

typedef struct ith_digester ith_digester;

/* NULL: no memory. */
ith_digester *ith_digester_open(ith_digest_kind kind);

void ith_digester_add(ith_digester *digester, const void *data, size_t bytes);

/* The digest of all that was added, as hexadecimal digits and a NUL. The digester then begins
 * anew. */
void ith_digester_end(ith_digester *digester, char hex[65]);

void ith_digester_close(ith_digester *digester); /* accepts NULL */

/* ---- */

/* Writes 2 * bytes lower-case hexadecimal digits and a NUL to `hex`. */
void ith_hex(const uint8_t *data, size_t bytes, char *hex);

/* The bytes in base64 (RFC 4648) and a NUL, malloc'd. NULL: no memory. */
char *ith_base64(const void *data, size_t bytes);

#endif

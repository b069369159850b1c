/* digest.h - SHA-256 through nettle (the only room that includes it). */
#ifndef ITH_BASE_DIGEST_H
#define ITH_BASE_DIGEST_H

#include <stddef.h>

void ith_sha256_hex(const void *data, size_t bytes, char hex[65]);

#endif

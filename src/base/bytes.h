/* bytes.h - a view of bytes that someone else owns. */
#ifndef ITH_BASE_BYTES_H
#define ITH_BASE_BYTES_H

#include <stddef.h>

typedef struct ith_bytes {
    const char *data; /* not NUL-terminated */
    size_t len;
} ith_bytes;

#endif

/* grow.c - lists on the heap that grow by doubling. */
#include "base/grow.h"

#include <stdint.h>
#include <stdlib.h>

bool ith_grow(void **list, size_t *room, size_t n, size_t size)
{
    size_t more = *room > 0 ? *room : 64;
    void *grown;

    if (n <= *room)
        return true;
    while (more < n && more <= SIZE_MAX / 2)
        more *= 2;
    grown = more < n || more > SIZE_MAX / size ? NULL : realloc(*list, more * size);
    if (grown == NULL)
        return false;
    *list = grown;
    *room = more;
    return true;
}

/* grow.h - lists on the heap that grow by doubling. */
#ifndef ITH_BASE_GROW_H
#define ITH_BASE_GROW_H

#include <stdbool.h>
#include <stddef.h>

/* Room in a malloc'd list for n elements of `size` bytes each. *list points to it, or is NULL while
 * *room, the elements that it has room for, is 0. The list may move; new elements are not set.
 * False: there is no memory, and nothing has changed. */
bool ith_grow(void **list, size_t *room, size_t n, size_t size);

#endif

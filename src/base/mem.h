/* mem.h - tagged memory: every large buffer of the engine comes from here, so that its size and purpose are known.
 *
 * Buffers are 64-byte aligned and zeroed. From 2 MiB up they are mapped, with huge pages where the system gives them; their pages
 * lie on the memory node whose thread touches them first, unless base/topology.h places them before.
 */
#ifndef ITH_BASE_MEM_H
#define ITH_BASE_MEM_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ith_mem_tag {
    ITH_MEM_WEIGHTS,
    ITH_MEM_KV,
    ITH_MEM_ACTIVATIONS,
    ITH_MEM_TEXT,
    ITH_MEM_OTHER,
    ITH_MEM_TAGS
} ith_mem_tag;

/* `what` names the buffer in the error's text. bytes 0 gives a valid pointer. Freed by ith_mem_free. */
ith_status ith_mem_alloc(ith_mem_tag tag, size_t bytes, const char *what, void **out, ith_error *err);
/* The same for count elements of size bytes: the product is checked. */
ith_status ith_mem_alloc_array(ith_mem_tag tag, size_t count, size_t size, const char *what, void **out,
                               ith_error *err);
void ith_mem_free(void *ptr); /* accepts NULL */

/* Bytes now allocated under a tag, by the whole process. */
size_t ith_mem_in_use(ith_mem_tag tag);

/* Advises the kernel about a mapping made elsewhere (shared windows): huge pages. */
void ith_mem_advise_huge(void *ptr, size_t bytes);

/* The whole huge pages within the range become such now, keeping what they hold. Memory that processes share needs it where the
 * system's shmem_enabled is "never", which most have: it then takes small pages, whatever was advised. A wish (Linux 6.1 and later). */
void ith_mem_collapse(void *ptr, size_t bytes);

/* Calls see() for each mapping of this process, with its bytes in huge pages (/proc/self/smaps). False: that cannot be read. */
bool ith_mem_each_mapping(void (*see)(void *user, uintptr_t begin, uintptr_t end, size_t huge), void *user);

size_t ith_mem_resident(void);  /* bytes of this process now in memory; 0 where that is unknown */
size_t ith_mem_available(void); /* bytes that can still be had: the least of MemAvailable and the cgroup's room */

#endif

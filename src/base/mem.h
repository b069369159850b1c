/* mem.h - tagged memory: every large buffer of the engine comes from here, so that its size and
 * purpose are known.
 *
 * Buffers are 64-byte aligned and zeroed. From 2 MiB up they are mapped, with huge pages where the
 * system grants them. Their pages lie on the memory node whose thread touches them first, unless
 * base/topology.h places them before. Until then they are promised only, and the ledger (ledger.h)
 * sees to it that nothing is promised twice.
 *
 * Any thread may call.
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

/* `what` names the buffer in errors. 0 bytes give a valid pointer. *out is the caller's, freed by
 * ith_mem_free. ITH_E_MEMORY: more than is available, or the system refuses. */
ith_status ith_mem_alloc(ith_mem_tag tag, size_t bytes, const char *what, void **out,
                         ith_error *err);

/* The same for `count` elements of `size` bytes; the product is checked. */
ith_status ith_mem_alloc_array(ith_mem_tag tag, size_t count, size_t size, const char *what,
                               void **out, ith_error *err);
void ith_mem_free(void *ptr); /* accepts NULL */

/* Bytes that the whole process has allocated under a tag. */
size_t ith_mem_in_use(ith_mem_tag tag);

/* Advises the kernel to use huge pages for a mapping made elsewhere (shared memory). */
void ith_mem_advise_huge(void *ptr, size_t bytes);

/* Makes huge pages of all whole ones within the range now, keeping their contents. Memory that
 * processes share needs this where the system's shmem_enabled is "never", which is usual: it gets
 * small pages otherwise, whatever was advised. Advice (Linux 6.1 and later). */
void ith_mem_collapse(void *ptr, size_t bytes);

/* Calls see() for each mapping of this process, with its bytes in huge pages (/proc/self/smaps).
 * False: the list cannot be read. */
bool ith_mem_each_mapping(void (*see)(void *user, uintptr_t begin, uintptr_t end, size_t huge),
                          void *user);

/* Bytes of this process in memory; 0 where unknown. */
size_t ith_mem_resident(void);

/* The most that they have been since the process began, or since they were forgotten; 0 where
 * unknown. False: the system does not let a process forget. */
size_t ith_mem_peak(void);
bool ith_mem_forget_peak(void);

/* Makes the pages that lie within [ptr, ptr + bytes) present, zeroed where they were not there,
 * huge ones where they were advised. ITH_E_MEMORY: the system has no memory for them. */
ith_status ith_mem_populate(void *ptr, size_t bytes, const char *what, ith_error *err);

/* When the system makes huge pages of memory: "always", "madvise" or "never"; "" where unknown. */
void ith_mem_huge_pages(char text[16]);

/* ITH_E_MEMORY, with both figures: less than `bytes` can be allocated. */
ith_status ith_mem_check(size_t bytes, const char *what, ith_error *err);

/* Bytes that can still be allocated: the smaller of MemAvailable and the cgroup's room, without
 * what the processes of the node were promised (ledger.h). */
size_t ith_mem_available(void);

/* What limits that: "the machine", "the control group" or "the SLURM job". Static. */
const char *ith_mem_bound(void);

#endif

/* node_memory.h - memory that processes of one machine share, without a file system.
 *
 * An anonymous file (memfd): bounded by the machine's memory only, where /dev/shm is half of it by custom and 64 MiB in a container
 * by default; it can have huge pages, and is gone with the last process that maps it. The others open it as /proc/PID/fd/FD of the process that
 * made it, which the kernel allows to the same user in the same process namespace.
 */
#ifndef ITH_COMM_NODE_MEMORY_H
#define ITH_COMM_NODE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct ith_node_memory {
    void *data; /* on a huge page's border; NULL: none */
    size_t bytes;
} ith_node_memory;

/* Makes and maps it. *fd is the caller's, to be closed when all others have attached. False: not here (errno says why). */
bool ith_node_memory_create(size_t bytes, ith_node_memory *memory, int *fd);
/* Maps what process `pid` made as its descriptor `fd`. */
bool ith_node_memory_attach(pid_t pid, int fd, size_t bytes, ith_node_memory *memory);
void ith_node_memory_free(ith_node_memory *memory); /* unmaps it here; nothing to do where data is NULL */

#endif
